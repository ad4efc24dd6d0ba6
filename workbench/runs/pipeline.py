"""Every stage of a book, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from workbench.book.book import Book
from workbench.book.loading.load import import_book
from workbench.book.mapping import described_books
from workbench.book.store import list_books
from workbench.core.errors import GateError
from workbench.core.workspace import Workspace
from workbench.core.yaml_files import read_yaml
from workbench.models.scorecard import Scorecard
from workbench.models.scoring import has_alias, load_scorecard, rescore_history
from workbench.models.tracking import load_model, promote
from workbench.runs.run import Progress, RunResult, run_notebook

FIT = "30_scorecard"
STAGES = (
    "10_data_quality",
    "20_indicators",
    FIT,
    "32_anomaly",
    "40_monitoring",
    "50_strategy",
    "60_risk_report",
)


@dataclass
class PipelineResult:
    """What a pipeline did."""

    as_of: date
    runs: dict[str, RunResult] = field(default_factory=dict)
    promotion: str = ""

    def summary(self, notebook: str) -> dict[str, Any]:
        """Return what a stage noted; empty where it did not run."""
        return self.runs[notebook].summary if notebook in self.runs else {}


def run_pipeline(
    workspace: Workspace,
    book: str,
    *,
    as_of: str | date | None = None,
    refit: bool = False,
    progress: Callable[[str], Progress] | None = None,
) -> PipelineResult:
    """Run every stage of a book in order; a book that is described but not yet imported is imported first.

    The scorecard is fitted when the book has no champion, or when `refit` is set; it becomes champion if it passes the
    gates. If it does not, the later stages use the champion there was before, or else the candidate, and say so.

    Raises
    ------
    InputError, NotebookError
        From the stage that failed; the stages before it stay published.
    """
    say = progress or (lambda _stage: lambda _text: None)
    if book not in list_books(workspace) and book in described_books(workspace):
        import_book(workspace, book, delivered_at=datetime.now(UTC), progress=say("import"))
    day = Book.open(workspace, book).check_as_of(as_of)
    result = PipelineResult(as_of=day)
    fit = refit or not has_alias(workspace, scorecard_name(book), "champion")
    for notebook in STAGES:
        if notebook == FIT and not fit:
            result.promotion = "kept: the book has a champion; refit with --refit"
            continue
        result.runs[notebook] = run_notebook(workspace, notebook, book=book, as_of=day, progress=say(notebook))
        if notebook == FIT:
            result.promotion = _promote(workspace, book, day, result.summary(FIT)["model"])
    return result


def scorecard_name(book: str) -> str:
    """Return the registered name of a book's scorecard."""
    return f"{book}_scorecard"


def gates_path(workspace: Workspace) -> Path:
    """Return the file of the gates."""
    return workspace.params / "gates.yaml"


def _promote(workspace: Workspace, book: str, day: date, fitted: str) -> str:
    """Promote the version that this pipeline fitted, unless the champion was fitted on later data."""
    name = scorecard_name(book)
    if not fitted.startswith(f"{name}@"):
        return "not promoted: the fit was not registered"
    if has_alias(workspace, name, "champion"):
        champion, version, _standing = load_scorecard(workspace, name)
        if str(champion.provenance.get("as_of", "")) > day.isoformat():
            return f"not promoted: the champion, {version}, was fitted on later data; workbench model promote {fitted}"
    try:
        promote(
            fitted,
            gates=read_yaml(gates_path(workspace)),
            override=None,
            author="workbench pipeline",
            tracking_uri=workspace.mlflow_uri,
            promoted_at=datetime.now(UTC),
        )
    except GateError as error:
        return f"not promoted: {error}"
    days = rescore_champion(workspace, name)
    return f"{fitted} promoted to champion: every gate passed" + (f"; {len(days)} dates scored again" if days else "")


def rescore_champion(workspace: Workspace, name: str) -> list[date]:
    """Score the history of the champion's book under it; nothing where it is no scorecard of a book that is here."""
    model, version = load_model(f"{name}@champion", tracking_uri=workspace.mlflow_uri)
    book = str(model.provenance.get("book", "")) if isinstance(model, Scorecard) else ""
    if not isinstance(model, Scorecard) or book not in list_books(workspace):
        return []
    return rescore_history(Book.open(workspace, book), model, version)


def alerts_at_or_above(result: PipelineResult, severity: str, order: tuple[str, ...]) -> int:
    """Return how many alerts of the monitoring run are of `severity` or worse."""
    counts = result.summary("40_monitoring").get("alerts", {})
    worse = order[order.index(severity) :]
    return sum(int(counts.get(name, 0)) for name in worse)
