"""A workspace of its own for a benchmark, under a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.core.workspace import Workspace, open_workspace

PROJECT = Path(__file__).parent.parent


@contextmanager
def scratch_workspace() -> Iterator[Workspace]:
    """Yield a workspace with the project's params and notebooks; it is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        for name in ("params", "notebooks"):
            shutil.copytree(PROJECT / name, Path(folder) / name)
        yield open_workspace(Path(folder))
