"""A tiny book with a notebook that sleeps, raises or leaves children, as it is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from workbench.book.simulated import simulate_book
from workbench.core.workspace import Workspace

from ..commands import RESERVED, write_notebook

SLEEPER = "90_sleeper"
PARAMETERS = (
    RESERVED
    + 'seconds: float = 0  # how long to sleep half way\nmark: str = ""  # file that gets the kernel\'s id before that\n'
)
HALF = """
import os, pathlib, subprocess, sys
pathlib.Path(output_dir, "numbers.csv").write_text("half\\n")
if mark:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    pathlib.Path(mark + ".part").write_text(f"{os.getpid()} {child.pid}")
    os.replace(mark + ".part", mark)
"""
REST = """
import time
time.sleep(seconds)
pathlib.Path(output_dir, "numbers.csv").write_text("whole\\n")
"""


@pytest.fixture(scope="module")
def sleeper(new_workspace: Callable[..., Workspace]) -> Workspace:
    """Return a workspace with the book `tiny` (80 customers, 8 months) and the notebook `90_sleeper`."""
    made = new_workspace()
    simulate_book(made, "tiny", customers=80, months=8, seed=7, start=date(2023, 1, 1))
    write_notebook(made.notebooks, SLEEPER, HALF, REST, parameters=PARAMETERS)
    return made


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Return the file to which a sleeping kernel writes its id and its child's."""
    return tmp_path / "mark"
