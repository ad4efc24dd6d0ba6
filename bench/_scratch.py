"""A workspace of its own for a benchmark, under a temporary folder, and commands that run in it and are measured."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from workbench.core.workspace import Workspace, open_workspace

PROJECT = Path(__file__).parent.parent


@contextmanager
def scratch_workspace() -> Iterator[Workspace]:
    """Yield a workspace with the project's params and notebooks; it is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        for name in ("params", "notebooks"):
            shutil.copytree(PROJECT / name, Path(folder) / name)
        yield open_workspace(Path(folder))


class Used(NamedTuple):
    """What a command took: its wall time, its peak memory in GB, its CPU time."""

    seconds: float
    gigabytes: float
    cpu_seconds: float


def workbench(*arguments: str) -> list[str]:
    """Return a command line of the workbench."""
    return [str(Path(sys.executable).with_name("workbench")), *arguments]


def environment(workspace: Workspace) -> dict[str, str]:
    """Return the environment in which a command works in a workspace."""
    return os.environ | {"WORKBENCH_HOME": str(workspace.root)}


def measured(command: list[str], workspace: Workspace) -> Used:
    """Run a command in a workspace and measure it."""
    started = time.perf_counter()
    child = subprocess.Popen(
        command, env=environment(workspace), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    errors = child.stderr.read() if child.stderr else ""
    _pid, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        sys.exit(f"{' '.join(command[:4])} failed:\n{errors}")
    gigabytes = usage.ru_maxrss / (1e6 if sys.platform == "linux" else 1e9)
    return Used(seconds, gigabytes, usage.ru_utime + usage.ru_stime)
