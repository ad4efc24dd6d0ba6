"""What runs left behind for later stages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from workbench.core.files import write_json
from workbench.core.outputs import Outputs, all_runs, current_run, open_outputs, pointer_path
from workbench.core.workspace import Workspace

AS_OF = date(2025, 6, 30)


@pytest.fixture
def home(new_workspace: Callable[..., Workspace]) -> Workspace:
    return new_workspace()


def opened(home: Workspace, notebook: str, folder: str = "", *, generation: str = "g1") -> Outputs:
    return open_outputs(home, notebook, folder, book="demo", as_of=AS_OF, generation=generation)


def finished(home: Workspace, run_id: str, *, current: bool = True, generation: str = "g1") -> None:
    outputs = opened(home, "20_indicators", str(home.reports / "runs" / run_id), generation=generation)
    outputs.keep("panel", pd.DataFrame({"run": [run_id]}))
    outputs.note(customers=3)
    outputs.note(left_out=[])
    facts = {"run_id": run_id, "started_at": f"2025-07-0{run_id[-1]}", "book": "demo", "book_generation": generation}
    write_json(outputs.folder / "run.json", facts)
    if current:
        write_json(pointer_path(home, "20_indicators", book="demo", as_of=AS_OF), {"run_id": run_id})


def test_a_stage_that_has_not_run_gives_nothing(home: Workspace) -> None:
    outputs = opened(home, "60_risk_report")
    assert outputs.folder.is_relative_to(home.reports / "interactive")
    assert outputs.earlier("20_indicators", "panel") is None
    assert outputs.earlier_summary("20_indicators") is None
    assert all_runs(home) == []


def test_later_stages_read_the_current_run(home: Workspace) -> None:
    write_json(home.books / "demo" / "current.json", {"generation": "g1"})
    finished(home, "r1")
    finished(home, "r2")
    finished(home, "r3", current=False)
    outputs = opened(home, "60_risk_report", str(home.reports / "runs" / ".new"))
    panel = outputs.earlier("20_indicators", "panel")
    assert panel is not None
    assert panel["run"].tolist() == ["r2"]
    assert outputs.earlier_summary("20_indicators") == {"generation": "g1", "customers": 3, "left_out": []}
    assert outputs.earlier("20_indicators", "other") is None
    assert current_run(home, "20_indicators", book="demo", as_of=date(2025, 5, 31), generation="g1") is None
    assert [(run["run_id"], run["current"]) for run in all_runs(home)] == [("r3", False), ("r2", True), ("r1", False)]


def test_a_run_on_an_older_generation_of_the_book_is_none(home: Workspace) -> None:
    write_json(home.books / "demo" / "current.json", {"generation": "g2"})
    finished(home, "r1")
    assert opened(home, "60_risk_report", generation="g2").earlier("20_indicators", "panel") is None
    assert [run["current"] for run in all_runs(home)] == [False]


def test_what_a_person_ran_goes_before_what_was_published_for_that_person_alone(home: Workspace) -> None:
    finished(home, "r1")
    opened(home, "20_indicators").keep("panel", pd.DataFrame({"run": ["by hand"]}))
    by_hand = opened(home, "60_risk_report").earlier("20_indicators", "panel")
    published = opened(home, "60_risk_report", str(home.reports / "runs" / ".new")).earlier("20_indicators", "panel")
    assert by_hand is not None
    assert published is not None
    assert (by_hand["run"].item(), published["run"].item()) == ("by hand", "r1")


def test_a_person_who_runs_again_starts_clean(home: Workspace) -> None:
    opened(home, "40_monitoring").keep("alerts", pd.DataFrame({"a": [1]}))
    assert [path.name for path in opened(home, "40_monitoring").folder.iterdir()] == ["summary.json"]
