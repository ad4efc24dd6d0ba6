"""What runs left behind for later stages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from workbench.core.files import write_json
from workbench.core.outputs import all_runs, current_run, open_outputs, pointer_path
from workbench.core.workspace import Workspace

AS_OF = date(2025, 6, 30)


@pytest.fixture
def home(new_workspace: Callable[..., Workspace]) -> Workspace:
    return new_workspace()


def finished(home: Workspace, run_id: str, *, current: bool = True) -> None:
    outputs = open_outputs(home, "20_indicators", str(home.reports / "runs" / run_id))
    outputs.keep("panel", pd.DataFrame({"run": [run_id]}))
    outputs.note(customers=3)
    outputs.note(left_out=[])
    write_json(outputs.folder / "run.json", {"run_id": run_id, "started_at": f"2025-07-0{run_id[-1]}"})
    if current:
        write_json(pointer_path(home, "20_indicators", book="demo", as_of=AS_OF), {"run_id": run_id})


def test_a_stage_that_has_not_run_gives_nothing(home: Workspace) -> None:
    outputs = open_outputs(home, "60_risk_report", "")
    assert outputs.folder == home.reports / "interactive" / "60_risk_report"
    assert outputs.earlier("20_indicators", "panel", book="demo", as_of=AS_OF) is None
    assert outputs.earlier_summary("20_indicators", book="demo", as_of=AS_OF) is None
    assert all_runs(home) == []


def test_later_stages_read_the_current_run(home: Workspace) -> None:
    finished(home, "r1")
    finished(home, "r2")
    finished(home, "r3", current=False)
    outputs = open_outputs(home, "60_risk_report", "")
    panel = outputs.earlier("20_indicators", "panel", book="demo", as_of=AS_OF)
    assert panel is not None
    assert panel["run"].tolist() == ["r2"]
    assert outputs.earlier_summary("20_indicators", book="demo", as_of=AS_OF) == {"customers": 3, "left_out": []}
    assert outputs.earlier("20_indicators", "other", book="demo", as_of=AS_OF) is None
    assert current_run(home, "20_indicators", book="demo", as_of=date(2025, 5, 31)) is None
    assert [(run["run_id"], run["current"]) for run in all_runs(home)] == [("r3", False), ("r2", True), ("r1", False)]


def test_a_person_who_runs_again_starts_clean(home: Workspace) -> None:
    open_outputs(home, "40_monitoring", "").note(alerts=3)
    assert list(open_outputs(home, "40_monitoring", "").folder.iterdir()) == []
