"""A tiny book, and commands typed on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from workbench.book.simulated import simulate_book
from workbench.core.workspace import Workspace

from ..commands import typed, write_notebook

__all__ = ["typed"]


@pytest.fixture(scope="session")
def tiny(new_workspace: Callable[..., Workspace]) -> Path:
    """Return a workspace with the book `tiny`: 80 customers, 8 months, 2023-01-01 to 2023-08-31; no stage has run."""
    made = new_workspace()
    simulate_book(made, "tiny", customers=80, months=8, seed=7, start=date(2023, 1, 1))
    write_notebook(made.notebooks, "91_raises", 'raise ValueError("the sum is off by 3")')
    write_notebook(made.notebooks, "92_bare", "1 + 1", parameters=None)
    write_notebook(made.notebooks, "93_wrong_line", "1 + 1", parameters="book: str = ")
    write_notebook(made.notebooks, "94_untyped", "1 + 1", parameters="top = 3")
    write_notebook(made.notebooks, "95_dies", "import os", "os._exit(1)")
    (made.notebooks / "97_text.ipynb").write_text("no notebook\n", "utf-8")
    return made.root
