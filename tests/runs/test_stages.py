"""The order of the stages, when a scorecard is fitted, and what a failed stage stops."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.book.simulated import simulate_book
from workbench.core.errors import GateError, NotebookError, ParameterError
from workbench.core.workspace import Workspace
from workbench.runs import pipeline
from workbench.runs.pipeline import FIT, STAGES, PipelineResult, alerts_at_or_above, run_pipeline
from workbench.runs.run import RunResult

CHAMPION = ("short_scorecard", "champion")


@pytest.fixture(scope="module")
def short(new_workspace: Callable[..., Workspace]) -> Workspace:
    """Return a workspace with the book `short`, 80 customers and 8 months."""
    made = new_workspace()
    simulate_book(made, "short", customers=80, months=8, seed=7, start=date(2023, 1, 1))
    return made


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a run only be noted, and the gates be passed; return the notes."""
    notes: list[str] = []

    def note_run(_workspace: Workspace, notebook: str, *, book: str, as_of: date, **_more: Any) -> RunResult:
        notes.append(f"{notebook} {book} {as_of}")
        return RunResult("id", Path(), 0.0, {"model": f"{book}_scorecard@3"})

    def note_promotion(ref: str, *, author: str, **_more: Any) -> None:
        notes.append(f"promote {ref} by {author}")

    monkeypatch.setattr(pipeline, "run_notebook", note_run)
    monkeypatch.setattr(pipeline, "promote", note_promotion)
    monkeypatch.setattr(
        pipeline, "rescore_champion", lambda _workspace, name: notes.append(f"score {name} again") or [1, 2]
    )
    return notes


def test_a_book_without_champion_gets_a_scorecard(short: Workspace, ran: list[str]) -> None:
    result = run_pipeline(short, "short")
    expected = [f"{stage} short 2023-08-31" for stage in STAGES]
    place = STAGES.index(FIT) + 1
    expected[place:place] = ["promote short_scorecard@3 by workbench pipeline", "score short_scorecard again"]
    assert ran == expected
    assert result.promotion == "short_scorecard@3 promoted to champion: every gate passed; 2 dates scored again"
    assert not (short.mlruns / "mlflow.db").exists()  # to look for a champion makes no registry


def test_a_champion_is_kept(short: Workspace, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "has_alias", lambda _space, name, alias: (name, alias) == CHAMPION)
    result = run_pipeline(short, "short", as_of="2023-06-30")
    assert ran == [f"{stage} short 2023-06-30" for stage in STAGES if stage != FIT]
    assert "--refit" in result.promotion
    assert result.summary(FIT) == {}


@pytest.mark.parametrize(
    ("fitted_on", "promoted"), [("2023-06-30", True), ("2023-07-31", True), ("2023-08-31", False), ("", True)]
)
def test_a_refit_at_an_earlier_date_does_not_replace_a_later_champion(
    fitted_on: str, promoted: bool, short: Workspace, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = SimpleNamespace(provenance={"as_of": fitted_on})
    monkeypatch.setattr(pipeline, "has_alias", lambda _space, name, alias: (name, alias) == CHAMPION)
    monkeypatch.setattr(pipeline, "load_scorecard", lambda _space, _name: (champion, "short_scorecard@2", "champion"))
    result = run_pipeline(short, "short", as_of="2023-07-31", refit=True)
    assert ("promote short_scorecard@3 by workbench pipeline" in ran) == promoted
    assert ("fitted on later data" in result.promotion) == (not promoted)
    assert len([note for note in ran if note.startswith(tuple(STAGES))]) == len(STAGES)


def test_a_fit_that_was_not_registered_is_not_promoted(
    short: Workspace, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unregistered = RunResult("id", Path(), 0.0, {"model": "not registered"})
    monkeypatch.setattr(pipeline, "run_notebook", lambda *_, **__: unregistered)
    assert run_pipeline(short, "short").promotion == "not promoted: the fit was not registered"
    assert ran == []


def test_a_candidate_that_fails_its_gates_is_used_and_said(
    short: Workspace, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_ref: str, **_more: Any) -> None:
        raise GateError("gini_drop: 0.25, expected <= 0.12: failed")

    monkeypatch.setattr(pipeline, "promote", refuse)
    result = run_pipeline(short, "short")
    assert len(ran) == len(STAGES)
    assert result.promotion == "not promoted: gini_drop: 0.25, expected <= 0.12: failed"


def test_a_stage_that_fails_stops_the_rest(short: Workspace, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    through = pipeline.run_notebook

    def fail(workspace: Workspace, notebook: str, **more: Any) -> RunResult:
        if notebook == "32_anomaly":
            raise NotebookError("it raised")
        return through(workspace, notebook, **more)

    monkeypatch.setattr(pipeline, "run_notebook", fail)
    with pytest.raises(NotebookError, match="it raised"):
        run_pipeline(short, "short")
    assert not [note for note in ran if note.startswith(("32", "40", "50", "60"))]


def test_a_date_outside_is_found_before_any_stage(short: Workspace, ran: list[str]) -> None:
    with pytest.raises(ParameterError, match="2023-01-01 to 2023-08-31"):
        run_pipeline(short, "short", as_of="2031-01-31")
    assert ran == []


def test_a_described_book_is_imported_first(short: Workspace, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (short.params / "books" / "later.yaml").write_text("source: none\n", "utf-8")

    def bring(workspace: Workspace, name: str, **_delivery: object) -> None:
        ran.append(f"import {name}")
        simulate_book(workspace, name, customers=80, months=8, seed=7, start=date(2023, 1, 1))

    monkeypatch.setattr(pipeline, "import_book", bring)
    run_pipeline(short, "later")
    assert ran[:2] == ["import later", "10_data_quality later 2023-08-31"]
    ran.clear()
    run_pipeline(short, "later")
    assert "import later" not in ran


def test_alerts_of_a_severity_or_worse() -> None:
    order = ("yellow", "orange", "red")
    counts = {"alerts": {"red": 0, "orange": 2, "yellow": 5}}
    result = PipelineResult(date(2025, 9, 30), {"40_monitoring": RunResult("id", Path(), 0.0, counts)})
    assert [alerts_at_or_above(result, severity, order) for severity in order] == [7, 2, 0]
    assert alerts_at_or_above(PipelineResult(date(2025, 9, 30)), "yellow", order) == 0
