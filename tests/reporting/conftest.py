"""A notebook file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest


@pytest.fixture
def write_notebook(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes cells as a notebook."""

    def write(*cells: Any) -> Path:
        path = tmp_path / "run.ipynb"
        notebook = nbformat.v4.new_notebook(cells=list(cells))
        path.write_text(nbformat.writes(notebook), encoding="utf-8", errors="surrogatepass")
        return path

    return write
