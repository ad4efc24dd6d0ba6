"""Commands as a user types them, what they leave on disk, and what they leave running."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from workbench.book.store import current_generation
from workbench.cli import main
from workbench.core import outputs
from workbench.core.workspace import Workspace

WORKBENCH = Path(sys.executable).with_name("workbench")
RESERVED = 'book: str = ""  # given by the run\nas_of: str = ""  # too\noutput_dir: str = ""  # too\n'


@dataclass(frozen=True)
class Finished:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    def message(self) -> str:
        """Return the one error message; fails where there is none, more than one, or a traceback."""
        assert "Traceback" not in self.err + self.out, self.err
        found = [i for i, line in enumerate(self.err.splitlines()) if line.lower().startswith("error: ")]
        assert len(found) == 1, self.err
        return "\n".join(self.err.splitlines()[found[0] :])


def environment(home: Path | None, **variables: str) -> dict[str, str]:
    """Return this process's environment with no setting of the workbench but those given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WORKBENCH_", "PYTEST_"))}
    return {**clean, **({"WORKBENCH_HOME": str(home)} if home else {}), **variables}


def shell(
    *arguments: str | Path, home: Path | None, cwd: Path | None = None, before: Sequence[str] = (), **variables: str
) -> Finished:
    """Run `workbench ARGUMENTS` as a process of its own; `before` is a command that starts it, as `unshare`."""
    done = subprocess.run(
        [*before, str(WORKBENCH), *map(str, arguments)],
        cwd=cwd or home,
        env=environment(home, **variables),
        capture_output=True,
        text=True,
        timeout=900,  # of what hangs; a demo beside other tests takes minutes
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., Finished]]:
    """Return a function that runs the command's entry point here: as `shell`, a second faster."""
    import signal

    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str | Path, home: Path | None, cwd: Path | None = None, **variables: str) -> Finished:
        wanted = environment(home, **variables)
        for name in os.environ.keys() - wanted.keys():
            monkeypatch.delenv(name)
        for name, value in wanted.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(cwd or home or tmp_path)
        monkeypatch.setattr(sys, "argv", ["workbench", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        return Finished(int(ended.value.code or 0), said.out, said.err)

    yield run
    signal.signal(signal.SIGTERM, handler)


class Running:
    """A command that runs meanwhile."""

    def __init__(self, process: psutil.Popen, folder: Path) -> None:
        self.process = process
        self.seen: set[psutil.Process] = set()
        self._folder = folder

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return (self._folder / "out").read_text("utf-8", errors="replace")

    @property
    def err(self) -> str:
        """What it has said on standard error so far."""
        return (self._folder / "err").read_text("utf-8", errors="replace")

    def family(self) -> set[psutil.Process]:
        """Return it and everything it has started so far, as far as this was called while they lived."""
        try:
            self.seen |= {psutil.Process(self.process.pid)}
            self.seen |= set(psutil.Process(self.process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            pass
        return self.seen

    def until(self, true: Callable[[], Any], what: str, *, seconds: float = 60) -> Any:
        """Wait until something is true and return it; fails when the command ends first or the time is over."""
        end = time.monotonic() + seconds
        while not (found := true()):
            self.family()
            assert self.process.poll() is None, f"ended with {self.process.returncode} before {what}: {self.err}"
            assert time.monotonic() < end, f"after {seconds} s not yet {what}: {self.out}{self.err}"
            time.sleep(0.05)
        self.family()
        return found

    def wait(self, seconds: float = 120) -> Finished:
        """Wait for its end."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            self.family()
            assert time.monotonic() < end, f"still running after {seconds} s: {self.err}"
            time.sleep(0.05)
        return Finished(int(self.process.returncode), self.out, self.err)


@contextmanager
def running(*arguments: str | Path, home: Path, **variables: str) -> Iterator[Running]:
    """Start `workbench ARGUMENTS`; at the end of the block it and all that it started is killed, each by its own id."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = psutil.Popen(
                [str(WORKBENCH), *map(str, arguments)],
                cwd=home,
                env=environment(home, **variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        started = Running(process, folder)
        try:
            yield started
        finally:
            for member in started.family():
                try:
                    member.kill()  # psutil refuses where the id belongs to another process by now
                except psutil.NoSuchProcess:
                    continue
            process.wait()


def left(processes: set[psutil.Process], *, seconds: float = 10) -> list[psutil.Process]:
    """Return those of `processes` that still run after `seconds`; a zombie waits for its parent and runs no more."""
    end = time.monotonic() + seconds
    while True:
        alive = [process for process in processes if _lives(process)]
        if not alive or time.monotonic() > end:
            return alive
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def write_notebook(folder: Path, name: str, *cells: str, parameters: str | None = RESERVED) -> Path:
    """Write a notebook of code cells, the first of them with the parameters unless that is None."""
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    if parameters is not None:
        made.insert(0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = folder / f"{name}.ipynb"
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=made, metadata=metadata)), "utf-8")
    return path


def current_folder(workspace: Workspace, notebook: str, *, book: str, as_of: str) -> Path | None:
    """Return the folder of the notebook's current run on the present data of the book, or None."""
    generation = current_generation(workspace, book)[1].generation
    return outputs.current_run(workspace, notebook, book=book, as_of=as_of, generation=generation)


def files(folder: Path) -> dict[str, str]:
    """Return each file below a folder with the hash of its content, locks apart."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def published(home: Path) -> dict[str, str]:
    """Return what a reader can see of a workspace: books, pages, lists, pointers, models."""
    kept = ("data/books", "reports", "mlruns")
    return {f"{name}/{path}": digest for name in kept for path, digest in files(home / name).items()}
