"""One small lender with every stage run on it, once a session; and the same again, cut off from the network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workbench.core.workspace import Workspace, open_workspace
from workbench.runs.pipeline import STAGES

from .commands import Finished, current_folder, shell

ROOT = Path(__file__).resolve().parent.parent
LENDER = ("--customers", "1000", "--months", "33", "--seed", "7", "--start", "2023-01-01")
LAST = "2025-09-30"
NO_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
ALONE = {"WORKBENCH_THREADS": "1"}  # one thread: floats equal to the last bit (design, "Same inputs, same results")


@dataclass(frozen=True)
class Lender:
    """A workspace in which the demo has run, and how the command ended."""

    workspace: Workspace
    ended: Finished
    again: Again

    @property
    def home(self) -> Path:
        """Return the workspace's folder."""
        return self.workspace.root

    def folder(self, notebook: str) -> Path:
        """Return the folder of the notebook's current run."""
        found = current_folder(self.workspace, notebook, book="demo", as_of=LAST)
        assert found is not None, f"{notebook} has no current run"
        return found

    def page(self, notebook: str) -> str:
        """Return the notebook's page."""
        return (self.folder(notebook) / f"{notebook}.html").read_text("utf-8")


class Again(threading.Thread):
    """The same lender a second time, in a workspace of its own, meanwhile; without network where the machine can."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.home = home
        self.ended: dict[str, Finished] = {}
        self.removed: set[str] = set()  # files of the truth
        self.cut = can_cut_network()

    def run(self) -> None:
        """Simulate, remove the truth, then run every stage."""
        before = NO_NETWORK if self.cut else ()
        commands = [("book", "simulate", "demo", *LENDER, "--json")]
        commands += [("run", notebook, "--book", "demo", "--json") for notebook in STAGES]
        for command in commands:
            self.ended[command[1]] = shell(*command, home=self.home, before=before, **ALONE)
            for truth in self.home.glob("data/books/demo/generations/*/truth"):
                self.removed |= {path.name for path in truth.iterdir()}
                shutil.rmtree(truth)  # whoever reads it from now on fails

    def said(self, step: str) -> Any:
        """Wait for the whole and return what a step printed as JSON."""
        self.join()
        done = self.ended[step]
        assert done.code == 0, done.err
        return json.loads(done.out)

    def folder(self, notebook: str) -> Path:
        """Wait for the whole and return the folder of a run."""
        return Path(self.said(notebook)["folder"])


def can_cut_network() -> bool:
    """Return whether a process can be started here that has loopback and nothing else."""
    probe = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    try:
        command = [*NO_NETWORK, sys.executable, "-c", probe]
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    except OSError:
        return False


def new_home(folder: Path) -> Path:
    """Return a folder with copies of the project's params and notebooks."""
    for name in ("params", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    return folder


@pytest.fixture(scope="session")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lender]:
    """Run the demo on a small lender; all files that ask for it run on one xdist worker (conftest.py)."""
    again = Again(new_home(tmp_path_factory.mktemp("again")))
    again.start()
    home = new_home(tmp_path_factory.mktemp("lender"))
    ended = shell("demo", *LENDER, "--fail-on", "yellow", home=home, **ALONE)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WORKBENCH_HOME", raising=False)
        opened = open_workspace(home, flags={"threads": 1})
    yield Lender(opened, ended, again)
    again.join()


__all__ = ["STAGES", "Again", "Lender", "can_cut_network", "lender", "new_home"]
