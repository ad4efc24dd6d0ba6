"""A book that is loaded anew has other customers: what was run on the old one is no longer current."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from workbench.book.simulated import simulate_book
from workbench.core import outputs
from workbench.core.workspace import Workspace
from workbench.runs.run import rebuild_index, run_notebook

from ..commands import current_folder
from .conftest import SLEEPER

LAST = "2023-08-31"


def current(workspace: Workspace) -> Path | None:
    return current_folder(workspace, SLEEPER, book="moved", as_of=LAST)


def test_a_run_on_an_older_generation_is_not_current(sleeper: Workspace) -> None:
    simulate_book(sleeper, "moved", customers=80, months=8, seed=1, start=date(2023, 1, 1))
    folder = run_notebook(sleeper, SLEEPER, book="moved").folder
    assert current(sleeper) == folder
    assert [run["current"] for run in outputs.all_runs(sleeper)] == [True]

    simulate_book(sleeper, "moved", customers=80, months=8, seed=1, start=date(2023, 1, 1))  # the same delivery again
    assert current(sleeper) == folder

    simulate_book(sleeper, "moved", customers=80, months=8, seed=2, start=date(2023, 1, 1))
    assert current(sleeper) is None
    assert [run["current"] for run in outputs.all_runs(sleeper)] == [False]
    assert folder.name in rebuild_index(sleeper).read_text("utf-8")  # the run is kept, and listed as what it was
