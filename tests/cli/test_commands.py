"""Every command helps, is in the README, and answers; a program can read what it says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import click
import pandas as pd
import pytest

import workbench
from workbench.book.simulated import simulate_book
from workbench.cli.commands import cli
from workbench.core.settings import Settings
from workbench.core.workspace import open_workspace
from workbench.indicators.registry import REGISTRY, select

from ..commands import Finished, shell

Typed = Callable[..., Finished]
README = Path(__file__).resolve().parents[2] / "README.md"
BLUEPRINT = [
    *(
        "demo",
        "book simulate",
        "book import",
        "book list",
        "book show",
        "indicators list",
        "indicators build",
        "indicators check",
    ),
    *(
        "run",
        "pipeline",
        "model list",
        "model show",
        "model promote",
        "score",
        "report index",
        "report open",
        "report pdf",
    ),
    *("lab", "mlflow", "doctor"),
]


def commands(group: click.Group = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        full = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, full)
        else:
            yield full, command


COMMANDS = dict(commands())


def test_the_blueprints_commands_are_there() -> None:
    assert set(BLUEPRINT) <= COMMANDS.keys()


@pytest.mark.parametrize("path", COMMANDS)
def test_help_has_an_example_that_parses(path: str, typed: Typed, tmp_path: Path) -> None:
    done = typed(*path.split(), "--help", home=None, cwd=tmp_path)  # help needs no workspace
    assert done.code == 0
    command = COMMANDS[path]
    for parameter in command.params:
        for name in (
            parameter.opts if isinstance(parameter, click.Option) else [parameter.make_metavar(click.Context(command))]
        ):
            assert name in done.out
    example = re.search(rf"Example: workbench ({path}\b.*?)(?:\n\s*\n|$)", done.out, flags=re.DOTALL)
    assert example, done.out
    arguments = shlex.split(" ".join(example.group(1).split()))[len(path.split()) :]
    command.make_context(path, arguments, resilient_parsing=False)


@pytest.mark.parametrize("path", COMMANDS)
def test_an_option_says_what_it_does(path: str) -> None:
    for option in COMMANDS[path].params:
        if isinstance(option, click.Option):
            assert option.help or option.show_default, option.name


@pytest.mark.parametrize("path", COMMANDS)
def test_the_readme_shows_the_command(path: str) -> None:
    assert re.search(rf"workbench {path}\b", README.read_text("utf-8")), f"README.md does not show: workbench {path}"


def test_the_readmes_commands_parse() -> None:
    lines = re.findall(r"^(?:\S*/)?workbench ([a-z][^#\n]*)", README.read_text("utf-8"), flags=re.MULTILINE)
    assert len(lines) >= len(COMMANDS)
    for line in lines:
        words = shlex.split(line)
        path = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
        assert path in COMMANDS, line
        COMMANDS[path].make_context(path, words[len(path.split()) :])


@pytest.mark.parametrize("group", [name for name, command in cli.commands.items() if isinstance(command, click.Group)])
def test_a_group_lists_its_commands(group: str, typed: Typed, tmp_path: Path) -> None:
    done = typed(group, "--help", home=None, cwd=tmp_path)
    assert done.code == 0
    assert all(name in done.out for name in cli.commands[group].commands)  # type: ignore[attr-defined]


def test_version_and_help_of_the_whole(typed: Typed, tmp_path: Path) -> None:
    assert workbench.__version__ in typed("--version", home=None, cwd=tmp_path).out
    done = typed("-h", home=None, cwd=tmp_path)
    assert done.code == 0
    assert all(name in done.out for name in cli.commands)


def test_book_simulate_list_and_show(tiny: Path, typed: Typed) -> None:
    made = json.loads(typed("book", "simulate", "shown", "--customers", "60", "--months", "7", "--json", home=tiny).out)
    assert made["name"] == "shown"
    assert json.loads(typed("book", "show", "shown", "--json", home=tiny).out) == made
    listed = json.loads(typed("book", "list", "--json", home=tiny).out)
    assert "aart" in listed["described"]
    (row,) = [row for row in listed["books"] if row["book"] == "shown"]
    assert (row["from"], row["to"], row["generation"]) == ("2021-01-01", "2021-07-31", made["generation"])
    assert row["customers"] == made["tables"]["customers"]["keys"]
    assert 30 < row["customers"] <= 60  # the others join later
    shown = typed("book", "show", "shown", home=tiny)
    assert "simulated: 60 customers, 7 months, seed 7" in shown.out
    for table, facts in made["tables"].items():
        assert re.search(
            rf"^{table}\s+{facts['keys']:,}\s+{facts['rows']:,}\s+{facts['sha256'][:16]}$", shown.out, re.MULTILINE
        )
    text = typed("book", "list", home=tiny).out
    assert "workbench book import aart" in text


def test_indicators_list_is_the_catalogue(typed: Typed, tmp_path: Path) -> None:
    rows = json.loads(typed("indicators", "list", "--json", home=None, cwd=tmp_path).out)
    assert [row["name"] for row in rows] == [found.name for found in select()]
    assert len(rows) >= 15
    assert {"capacity", "payment", "transactions", "behaviour", "history"} <= {row["family"] for row in rows}
    assert all(row["meaning"] and row["unit"] for row in rows)
    text = typed("indicators", "list", home=None, cwd=tmp_path).out
    assert all(row["name"] in text for row in rows)


def test_indicators_build(tiny: Path, typed: Typed, tmp_path: Path) -> None:
    build = ("indicators", "build", "--book", "tiny")
    done = typed(*build, "--as-of", "2023-06-30,2023-08-31", home=tiny)
    assert done.code == 0, done.err
    panels = [pd.read_parquet(tiny / line) for line in done.out.splitlines()]
    assert [sorted(set(panel["as_of"].astype("str"))) for panel in panels] == [["2023-06-30"], ["2023-08-31"]]
    assert "left out" not in done.err  # the simulated lender has every table
    target = tmp_path / "panel.parquet"
    done = typed(*build, "--as-of", "2023-06-30,2023-08-31", "--output", target, home=tiny)
    pd.testing.assert_frame_equal(pd.read_parquet(target), pd.concat(panels, ignore_index=True))
    done = typed(*build, "--only", "dpd_now,exposure", home=tiny)
    table = pd.read_csv(pd.io.common.StringIO(done.out), dtype={"customer_id": "str"})
    assert set(table.columns) == {"customer_id", "as_of", "dpd_now", "exposure"}
    pd.testing.assert_series_equal(table["exposure"], panels[1]["exposure"], check_names=False, rtol=1e-12)


def test_a_panel_says_what_it_was_made_from_and_what_is_odd(tiny: Path, typed: Typed, tmp_path: Path) -> None:
    target = tmp_path / "panel.parquet"
    build = ("indicators", "build", "--book", "tiny", "--as-of", "2023-06-30", "--output", target)
    done = typed(*build, home=tiny)
    assert re.search(r"step 1 of \d+, \d+ s left|panel of tiny at 2023-06-30: ", done.err)
    whole = pd.read_parquet(target)
    told = json.loads(target.with_suffix(".json").read_text("utf-8"))
    assert (told["book"], told["engine"], told["rows"], told["as_of"]) == ("tiny", "duckdb", len(whole), ["2023-06-30"])
    assert told["generation"] == json.loads(typed("book", "show", "tiny", "--json", home=tiny).out)["generation"]
    assert told["share_null"]["loan_to_value"] == pytest.approx(whole["loan_to_value"].isna().mean(), abs=1e-6)
    typed(*build, "--memory", "100MB", home=tiny)
    pd.testing.assert_frame_equal(pd.read_parquet(target), whole, rtol=1e-12)


def test_an_indicator_of_ones_own_is_listed_checked_and_built(tiny: Path, typed: Typed) -> None:
    path = tiny / "params" / "indicators" / "mine.py"
    path.parent.mkdir()
    path.write_text(
        "from workbench.indicators.registry import indicator\n\n"
        "@indicator(family='behaviour', base='events', unit='kinds', absent=0, direction=None, label=('kinds', '种类'),\n"
        "           reason=('{value:.0f} kinds of events', '{value:.0f}种事件'))\n"
        "def event_kinds(t, at):\n    'Kinds of events in 180 days.'\n    return t.kind.nunique()\n",
        "utf-8",
    )
    try:
        assert "event_kinds" in typed("indicators", "list", home=tiny).out
        done = typed(
            "indicators",
            "check",
            "event_kinds",
            "--book",
            "tiny",
            "--as-of",
            "2023-06-30",
            "--no-spark",
            "--json",
            home=tiny,
        )
        verdicts = {row["check"]: row["passed"] for row in json.loads(done.out)}
        assert done.code == 0
        assert all(
            verdicts[name] for name in ("no future: deleted", "no future: scrambled", "in parts", "nulls", "range")
        )
        done = typed("indicators", "build", "--book", "tiny", "--only", "event_kinds", home=tiny)
        assert pd.read_csv(pd.io.common.StringIO(done.out))["event_kinds"].max() > 1
        path.write_text("def broken(:\n", "utf-8")
        assert "mine.py: SyntaxError" in typed("indicators", "list", home=tiny).err
        assert typed("indicators", "build", "--book", "tiny", "--only", "dpd_now", home=tiny).code == 2
    finally:
        path.unlink()
        REGISTRY.pop("event_kinds", None)


def test_models_of_an_empty_registry(tiny: Path, typed: Typed) -> None:
    assert typed("model", "list", home=tiny).out == "none\n"
    assert json.loads(typed("model", "list", "--json", home=tiny).out) == []
    assert not (tiny / "mlruns" / "mlflow.db").exists()


def test_report_index_and_open(tiny: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    index = tiny / "reports" / "index.html"
    assert typed("report", "index", home=tiny).out == f"{index}\n"
    assert typed("report", "open", "--print", home=tiny).out == f"{index}\n"
    assert opened == []
    assert typed("report", "open", home=tiny).code == 0
    assert opened == [index.as_uri()]
    assert index.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_doctor(tiny: Path, typed: Typed) -> None:
    done = typed("doctor", "--json", home=tiny)
    rows = {row["what"]: row for row in json.loads(done.out)}
    assert done.code == 0
    assert {"Python", "disk", "browser", "Java", "Chinese font", "port of MLflow"} <= rows.keys()
    assert all(row["to mend"] for row in rows.values() if row["verdict"] != "ok")
    assert "Python" in typed("doctor", home=tiny).out


def test_doctor_exits_with_2_where_something_is_missing(
    tiny: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.runs.doctor.PACKAGES", ("no-such-package-here",))
    done = typed("doctor", home=tiny)
    assert done.code == 2
    assert "no-such-package-here" in done.out


def test_each_setting_and_where_it_came_from(tiny: Path, typed: Typed) -> None:
    done = typed(
        *("--threads", "2", "doctor", "--show-config", "--json"),
        home=tiny,
        WORKBENCH_THREADS="3",
        WORKBENCH_LOCK_SECONDS="7",
    )
    rows = {row["setting"]: row for row in json.loads(done.out)}
    assert rows.keys() == Settings.model_fields.keys()
    assert (rows["threads"]["value"], rows["threads"]["from"]) == (2, "flag")
    assert (rows["lock_seconds"]["value"], rows["lock_seconds"]["from"]) == (7.0, "environment")
    assert (rows["memory"]["value"], rows["memory"]["from"]) == ("3GB", "params/workbench.yaml")
    assert rows["mlflow_uri"]["from"] == "default"
    assert all(row["meaning"] for row in rows.values())


def test_a_workspace_is_found_from_a_folder_below(tiny: Path, typed: Typed) -> None:
    done = typed("book", "show", "tiny", "--json", home=None, cwd=tiny / "params" / "rules")
    assert json.loads(done.out)["name"] == "tiny"


def test_a_book_of_one_flag_and_another_folder(tiny: Path, tmp_path: Path) -> None:
    done = shell("book", "list", "--json", home=tiny, cwd=tmp_path)  # WORKBENCH_HOME, from elsewhere
    assert done.code == 0, done.err
    assert "tiny" in [row["book"] for row in json.loads(done.out)["books"]]
    assert list(tmp_path.iterdir()) == []


def test_out_holds_results_and_err_the_progress(tiny: Path, typed: Typed) -> None:
    done = typed("book", "simulate", "told", "--customers", "60", "--months", "7", "--json", home=tiny)
    json.loads(done.out)
    assert re.search(r"simulate 60 customers, 7 months: \d+\.\d s", done.err)


def test_who_closes_the_pipe_sees_no_traceback(tiny: Path) -> None:
    import subprocess

    from ..commands import WORKBENCH, environment

    line = f"{shlex.quote(str(WORKBENCH))} indicators list | head -1"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tiny, env=environment(tiny), capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("name")
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.fixture
def two_alerts(monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    """Let the pipeline be done with two orange alerts, without running."""
    from datetime import date

    from workbench.cli import run
    from workbench.runs.pipeline import PipelineResult
    from workbench.runs.run import RunResult

    summary = {"alerts": {"red": 0, "orange": 2, "yellow": 0}}
    runs = {name: RunResult(f"{name}-id", tiny, 1.5, summary) for name in ("40_monitoring", "60_risk_report")}
    monkeypatch.setattr(run, "run_pipeline", lambda *_, **__: PipelineResult(date(2023, 8, 31), runs, "kept"))


@pytest.mark.parametrize(("severity", "code"), [("yellow", 4), ("orange", 4), ("red", 0), (None, 0)])
@pytest.mark.usefixtures("two_alerts")
def test_pipeline_tells_a_program_and_fails_on_alerts(
    severity: str | None, code: int, tiny: Path, typed: Typed
) -> None:
    fail_on = ["--fail-on", severity] if severity else []
    done = typed("pipeline", "--book", "tiny", "--json", *fail_on, home=tiny)
    assert done.code == code
    said = json.loads(done.out)
    assert said["as_of"] == "2023-08-31"
    assert said["runs"]["40_monitoring"]["summary"]["alerts"]["orange"] == 2
    assert typed("pipeline", "--book", "tiny", *fail_on, home=tiny).code == code


def test_the_tiny_book_is_what_these_tests_think(tiny: Path) -> None:
    manifest = simulate_book(open_workspace(tiny), "tiny", customers=80, months=8, seed=7, start=date(2023, 1, 1))
    assert manifest.facts.last_day.isoformat() == "2023-08-31"
