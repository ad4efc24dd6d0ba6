"""A workspace of its own for a benchmark, under a temporary folder, and commands that run in it and are measured."""

from __future__ import annotations

import json
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
    """Run a command in a workspace and measure it.

    A small process of its own starts it: the peak memory of a child counts from that of the process that forked it.
    """
    started = time.perf_counter()
    with tempfile.NamedTemporaryFile("r", suffix=".json") as told:
        done = subprocess.run(
            [sys.executable, "-S", "-c", STARTER, told.name, *command],
            env=environment(workspace), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        if done.returncode:
            sys.exit(f"{' '.join(command[:4])} failed:\n{done.stderr}")
        peak, cpu_seconds = json.load(told)
    return Used(seconds, peak / (1e6 if sys.platform == "linux" else 1e9), cpu_seconds)


STARTER = """
import json, resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump([used.ru_maxrss, used.ru_utime + used.ru_stime], open(sys.argv[1], "w"))
sys.exit(status)
"""
