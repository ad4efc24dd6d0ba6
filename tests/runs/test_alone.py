"""The risk report alone, on a book on which no other stage has run: what is not known is said, and is no zero."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date

import pytest

from workbench.book.simulated import simulate_book
from workbench.core.workspace import Workspace
from workbench.runs.run import RunResult, run_notebook

from .test_pipeline import words


@pytest.fixture(scope="module")
def alone(new_workspace: Callable[..., Workspace]) -> RunResult:
    """Run the report alone."""
    workspace = new_workspace()
    simulate_book(workspace, "alone", customers=150, months=14, seed=3, start=date(2023, 1, 1))
    return run_notebook(workspace, "60_risk_report", book="alone", as_of="2024-02-15")


def test_it_says_what_was_not_assessed(alone: RunResult) -> None:
    text = words((alone.folder / "60_risk_report.html").read_text("utf-8"))
    for stage in ("Scorecard", "Early warning", "Strategy"):
        assert f"{stage}: not assessed: stage not run" in text, stage
    assert text.count("not assessed: stage not run") >= 6
    assert "Data quality: not assessed: stage not run" in text


def test_it_shows_no_zero_for_it(alone: RunResult) -> None:
    summary = json.loads((alone.folder / "run.json").read_text())["summary"]
    assert summary["high_risk"] is None
    assert summary["alerts"] is None
    assert summary["customers"] > 0
    text = words((alone.folder / "60_risk_report.html").read_text("utf-8"))
    assert not re.search(r"\b0 (customers (carry|are high)|actions)|alerts?:? 0\b|mean pd:? 0", text, re.IGNORECASE)
    assert "High-risk customers 0" not in text
    assert not [path.name for path in alone.folder.iterdir() if path.name.startswith(("high_risk", "grades"))]


def test_it_still_shows_what_the_book_says(alone: RunResult) -> None:
    text = words((alone.folder / "60_risk_report.html").read_text("utf-8"))
    for title in ("Non-performing ratio", "Days past due at 2024-02-15", "Month by month"):
        assert title in text
