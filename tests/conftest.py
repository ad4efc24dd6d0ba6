"""What tests of several packages share.

Fixtures, all of the session (each xdist worker has its own):

- `new_workspace()` returns a fresh workspace: a temporary folder with copies of the project's `params/` and `notebooks/`.
- `workspace` is one such workspace; tests that write into it use names of their own.
- `small_book` is the book `small` in `workspace`: 400 customers, 33 months, seed 7, 2023-01-01 to 2025-09-30. Read only.
- `make_book(tables, **facts)` stores hand-made frames, by table name, as a new book in `workspace` and opens it; a column
  that a frame lacks is null, `known_at` is by default the first instant of the year 2000.
- `lender` is a workspace in which `workbench demo` has run (pipeline.py); its tests share one xdist worker.
- `database` is a PostgreSQL server and `spark` a Spark, each started once a session (engines.py).
- `real_data` is the folder of the real data sets; a test that asks for it skips where it is absent.
- `browser` is Chromium by Playwright; without one a test skips, and fails in CI.
- `signs` is a language in which every letter that is said reads 字: what is still in letters was not said.
- `aart_book` is the real auto loan book `aart`, and `berka_book` the real bank `berka` of the files in `berka`.
"""

from __future__ import annotations

import functools
import gettext
import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from workbench.book.book import Book
from workbench.book.frames import canonical_table
from workbench.book.loading.load import import_book
from workbench.book.simulated import simulate_book
from workbench.book.store import BookFacts, store_book
from workbench.core import languages
from workbench.core.workspace import Workspace, open_workspace
from workbench.runs.doctor import find_browser

from .engines import database, spark
from .pipeline import lender

__all__ = ["database", "lender", "spark"]
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

ROOT = Path(__file__).resolve().parent.parent
LONG_AGO = pd.Timestamp(2000, 1, 1)
SMALL: dict[str, Any] = {"customers": 400, "months": 33, "seed": 7, "start": date(2023, 1, 1)}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return Chromium; without one, skip, and fail where CI says that there must be one."""
    path = find_browser()
    if path is None:
        message = "no Chromium on the PATH: browser tests need one (Debian: apt-get install chromium)"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def new_workspace(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Workspace]:
    """Return a function that makes a workspace; keywords are settings, as flags."""

    def make(**flags: Any) -> Workspace:
        folder = tmp_path_factory.mktemp("workspace")
        for name in ("params", "notebooks"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("WORKBENCH_HOME", raising=False)
            return open_workspace(folder, flags={"threads": 1, "real_data": str(_real_data()), **flags})

    return make


@pytest.fixture(scope="session")
def workspace(new_workspace: Callable[..., Workspace]) -> Workspace:
    """Return the workspace that most tests share."""
    return new_workspace()


@pytest.fixture(scope="session")
def small_book(workspace: Workspace) -> Book:
    """Return a small simulated book."""
    simulate_book(workspace, "small", **SMALL)
    return Book.open(workspace, "small")


@pytest.fixture(scope="session")
def make_book(workspace: Workspace) -> Callable[..., Book]:
    """Return a function that stores hand-made tables as a book."""
    numbers = itertools.count(1)

    def make(
        tables: Mapping[str, pd.DataFrame],
        *,
        name: str = "",
        first_day: date = date(2023, 1, 1),
        last_day: date = date(2025, 12, 31),
        within: Workspace = workspace,
        **facts: Any,
    ) -> Book:
        name = name or f"made-{next(numbers)}"

        def write(out: Path) -> BookFacts:
            for table, frame in tables.items():
                known = frame if "known_at" in frame.columns else frame.assign(known_at=LONG_AGO)
                pq.write_table(canonical_table(table, known), out / f"{table}.parquet")
            return BookFacts(first_day=first_day, last_day=last_day, **facts)

        store_book(within, name, write)
        return Book.open(within, name)

    return make


def _real_data() -> Path:
    return (ROOT / os.environ.get("WORKBENCH_REAL_DATA", "../shared/data")).resolve()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the real data sets, or skip."""
    folder = _real_data()
    if not (folder / "aart_auto_loans").is_dir():
        pytest.skip(f"real data: {folder} has no aart_auto_loans; set WORKBENCH_REAL_DATA to the folder that has it")
    return folder


@pytest.fixture(scope="session")
def aart_book(workspace: Workspace, real_data: Path) -> Book:
    """Return the real auto loan book."""
    import_book(workspace, "aart", delivered_at=datetime(2026, 1, 1, tzinfo=UTC))
    return Book.open(workspace, "aart")


@pytest.fixture(scope="session")
def berka(real_data: Path) -> Path:
    """Return the folder of the raw files, or skip."""
    folder = real_data / "berka"
    if not folder.is_dir():
        pytest.skip(f"real data: {folder} is absent")
    return folder


@pytest.fixture(scope="session")
def berka_book(workspace: Workspace, berka: Path) -> Book:
    """Return the real bank."""
    import_book(workspace, "berka", delivered_at=datetime(2026, 1, 1, tzinfo=UTC), base=str(berka))
    return Book.open(workspace, "berka")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file on one worker, and all files that ask for the costly `lender`, or for Spark, as well.

    `--dist loadgroup` would do it by marks, but groups nothing under pytest 9.2: pytest-xdist issue 1386.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        """Sends a file, or all files of the lender or of Spark, to one worker."""

        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            costly = [name for name in ("lender: Lender", "spark: None") if name in _text(ROOT / file)]
            return costly[0] if costly else file

    return ByFile(config, log)


@functools.cache
def _text(path: Path) -> str:
    return path.read_text("utf-8")


class _Signs(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return "".join(
            part if part.startswith("{") else re.sub("[A-Za-z]", "字", part)
            for part in re.split(r"(\{[^}]*\})", message)
        )

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid2)


@pytest.fixture
def signs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Say everything in signs, as the language zh."""
    monkeypatch.setattr(languages, "_catalogue", lambda lang: _Signs() if lang == "zh" else gettext.NullTranslations())
    with languages.in_language("zh"):
        yield
