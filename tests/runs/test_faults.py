"""Killed, ended, too slow, two at once: the last good outputs stay, nothing half appears, nothing is left running."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from workbench.book.book import Book
from workbench.book.store import current_generation
from workbench.core.files import locked
from workbench.core.workspace import Workspace
from workbench.runs.run import RunResult, rebuild_index, run_notebook

from ..commands import Running, current_folder, files, left, running, shell
from .conftest import SLEEPER

LAST = "2023-08-31"
RUN = ("run", SLEEPER, "--book", "tiny")


@pytest.fixture(scope="module")
def good(sleeper: Workspace) -> RunResult:
    """Return a whole run of the sleeper, the last good one."""
    return run_notebook(sleeper, SLEEPER, book="tiny")


def current(workspace: Workspace) -> Path:
    folder = current_folder(workspace, SLEEPER, book="tiny", as_of=LAST)
    assert folder is not None
    return folder


def assert_whole(folder: Path) -> None:
    assert (folder / "numbers.csv").read_text() == "whole\n"
    run = json.loads((folder / "run.json").read_text())
    assert run["status"] == "done"
    assert set(run["files"]) == {f"{SLEEPER}.html", f"{SLEEPER}.ipynb", "numbers.csv"}
    assert set(run["files"]) <= {path.name for path in folder.iterdir()}


def asleep(workspace: Workspace, mark: Path, started: Running) -> set[psutil.Process]:
    """Wait until the kernel sleeps, half its outputs written; return all processes that the command has started."""
    started.until(mark.exists, "asleep")
    family = started.family() | {psutil.Process(int(pid)) for pid in mark.read_text().split()}
    assert len(family) >= 4, family  # the command, the run's process, the kernel, the kernel's child
    staging = list((workspace.reports / "runs").glob(".staging-*/numbers.csv"))
    assert [path.read_text() for path in staging] == ["half\n"]
    return family


@pytest.fixture(params=[signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def stopped(
    request: pytest.FixtureRequest, sleeper: Workspace, good: RunResult, mark: Path
) -> Iterator[tuple[signal.Signals, int, str, set[psutil.Process]]]:
    """Stop a run half way by a signal; give the signal, exit code, standard error and all processes there were."""
    for staging in (sleeper.reports / "runs").glob(".staging-*"):
        for file in staging.iterdir():
            file.unlink()
        staging.rmdir()
    with running(*RUN, "-p", "seconds=300", "-p", f"mark={mark}", home=sleeper.root) as started:
        family = asleep(sleeper, mark, started)
        started.process.send_signal(request.param)
        ended = started.wait(20)
        yield request.param, ended.code, ended.err, family


def test_a_stopped_run(
    stopped: tuple[signal.Signals, int, str, set[psutil.Process]], sleeper: Workspace, good: RunResult
) -> None:
    number, code, said, family = stopped
    assert left(family) == []
    assert code == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    assert "Traceback" not in said
    if number == signal.SIGINT:
        assert "the last good outputs are as they were" in said
    # what was there before is there still, whole and current
    before = current(sleeper)
    assert_whole(before)
    assert_whole(good.folder)
    leftovers = list((sleeper.reports / "runs").glob(".staging-*"))
    assert len(leftovers) == (number == signal.SIGKILL)  # only who was killed could not clear up
    # neither the index nor the next run minds what was left
    page = rebuild_index(sleeper).read_text("utf-8")
    assert "staging" not in page
    assert before.name in page
    if number == signal.SIGKILL:
        after = run_notebook(sleeper, SLEEPER, book="tiny")
        assert current(sleeper) == after.folder
        assert_whole(after.folder)


def test_a_run_killed_just_before_it_was_published_is_not_listed(sleeper: Workspace, good: RunResult) -> None:
    leftover = sleeper.reports / "runs" / ".staging-killed"
    leftover.mkdir()
    run = json.loads((good.folder / "run.json").read_text())
    (leftover / "run.json").write_text(json.dumps({**run, "run_id": "never-published"}))
    try:
        assert "never-published" not in rebuild_index(sleeper).read_text("utf-8")
    finally:
        (leftover / "run.json").unlink()
        leftover.rmdir()


def test_a_run_over_its_time(sleeper: Workspace, good: RunResult, mark: Path) -> None:
    before, index = current(sleeper), files(sleeper.reports / "runs")
    limit = {"WORKBENCH_NOTEBOOK_MINUTES": "0.25"}
    with running(*RUN, "-p", "seconds=300", "-p", f"mark={mark}", home=sleeper.root, **limit) as started:
        family = asleep(sleeper, mark, started)
        done = started.wait(30)
    assert done.code == 3
    assert f"notebook {SLEEPER} failed: TimeLimit: stopped after 0.25 minutes (notebook_minutes" in done.message()
    assert left(family) == []
    assert current(sleeper) == before
    new = files(sleeper.reports / "runs").keys() - index.keys()
    assert {Path(path).name for path in new} <= {"run.json", f"{SLEEPER}.ipynb"}
    (run,) = [path for path in new if path.endswith("run.json")]
    assert json.loads((sleeper.reports / "runs" / run).read_text())["status"] == "failed"


def test_two_runs_at_once(sleeper: Workspace, good: RunResult) -> None:
    before = {path.name for path in (sleeper.reports / "runs").glob("[!.]*")}
    with (
        running(*RUN, "-p", "seconds=1", "--json", home=sleeper.root) as first,
        running(*RUN, "-p", "seconds=1", "--json", home=sleeper.root) as second,
    ):
        ended = [first.wait(), second.wait()]
    assert [done.code for done in ended] == [0, 0], [done.err for done in ended]
    folders = [Path(json.loads(done.out)["folder"]) for done in ended]
    assert len(set(folders)) == 2
    for folder in folders:
        assert_whole(folder)
    assert current(sleeper) in folders
    assert {path.name for path in (sleeper.reports / "runs").glob("[!.]*")} - before == {path.name for path in folders}
    page = (sleeper.reports / "index.html").read_text("utf-8")
    assert all(folder.name in page for folder in folders)


def assert_book_whole(workspace: Workspace, name: str) -> str:
    folder, manifest = current_generation(workspace, name)
    found = files(folder)
    assert {table: facts.sha256 for table, facts in manifest.tables.items()} == {
        table: found[f"{table}.parquet"] for table in manifest.tables
    }
    assert Book.open(workspace, name).as_known("customers", as_of=manifest.facts.last_day).count().execute() > 0
    return manifest.facts.source


def test_two_loads_of_one_book_at_once(sleeper: Workspace) -> None:
    small = ("book", "simulate", "both", "--customers", "300", "--months", "8", "--seed")
    with (
        running(*small, "1", home=sleeper.root) as first,
        running(*small, "2", home=sleeper.root) as second,
    ):
        codes = [first.wait().code, second.wait().code]
    assert codes == [0, 0]
    source = assert_book_whole(sleeper, "both")
    assert source in {f"simulated: 300 customers, 8 months, seed {seed}" for seed in (1, 2)}
    assert not list((sleeper.books / "both").glob(".staging-*"))


def test_a_killed_load_leaves_the_old_book(sleeper: Workspace) -> None:
    home = sleeper.books / "tiny"
    before = files(home)
    with running("book", "simulate", "tiny", "--customers", "50000", home=sleeper.root) as started:
        started.until(lambda: any(home.glob(".staging-*")), "writing")
        time.sleep(0.5)
        started.process.send_signal(signal.SIGKILL)
        started.wait(10)
        assert left(started.family()) == []
    leftovers = list(home.glob(".staging-*"))
    assert len(leftovers) == 1
    kept = {path: digest for path, digest in files(home).items() if not path.startswith(".staging-")}
    assert kept == before
    assert assert_book_whole(sleeper, "tiny") == "simulated: 80 customers, 8 months, seed 7"
    again = ("book", "simulate", "tiny", "--customers", "80", "--months", "8", "--start", "2023-01-01")
    done = shell(*again, home=sleeper.root)
    assert done.code == 0, done.err
    assert not list(home.glob(".staging-*"))
    assert files(home) == before  # the same again: the same generation


def test_who_finds_the_book_locked_says_so_and_ends(sleeper: Workspace) -> None:
    before = files(sleeper.books)
    with locked(sleeper.books / "tiny" / "write.lock", seconds=1, what="the test"):
        started = time.monotonic()
        done = shell(
            *("book", "simulate", "tiny", "--customers", "80", "--months", "8", "--seed", "2"),
            home=sleeper.root,
            WORKBENCH_LOCK_SECONDS="1",
        )
        assert time.monotonic() - started < 30
    assert done.code in {1, 2}
    assert "book tiny: another process has held" in done.message()
    assert "over 1 s" in done.message()
    assert files(sleeper.books) == before
