"""Two small lenders of one block, written once a session and worker: one without dirt, one with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest

from workbench.book.book import Book
from workbench.book.simulated import simulate_book
from workbench.book.simulation import Story
from workbench.book.simulation.month.step import World
from workbench.core.workspace import Workspace

from .lender import open_lender
from .lives import world_of


@dataclass(frozen=True)
class Written:
    """A simulated lender as it was written, and what it was simulated from."""

    book: Book
    sql: duckdb.DuckDBPyConnection
    customers: int
    months: int
    seed: int
    start: date
    story: Story

    @property
    def folder(self) -> Path:
        """Return the folder of the tables, with `truth/` in it."""
        return self.book.folder

    def world(self) -> World:
        """Return the world from which it was written."""
        return world_of(self.customers, months=self.months, seed=self.seed, story=self.story, start=self.start)[0]


@pytest.fixture(scope="session")
def write_lender(workspace: Workspace) -> Iterator[Callable[..., Written]]:
    """Return a function that simulates a lender and opens its files."""
    with ExitStack() as ends:

        def write(name: str, *, customers: int, months: int, seed: int, start: date, story: Story) -> Written:
            simulate_book(workspace, name, customers=customers, months=months, seed=seed, start=start, story=story)
            book = Book.open(workspace, name)
            sql = ends.enter_context(open_lender(book.folder))
            return Written(book, sql, customers, months, seed, start, story)

        yield write


@pytest.fixture(scope="session")
def plain(write_lender: Callable[..., Written]) -> Written:
    """Return a lender without dirt: 800 customers, 42 months from January 2022, the cut limits and the downturn in them."""
    return write_lender(
        "plain-lender", customers=800, months=42, seed=11, start=date(2022, 1, 1), story=Story(dirt=False)
    )


@pytest.fixture(scope="session")
def dirty(write_lender: Callable[..., Written]) -> Written:
    """Return a lender with everything that is on by default: 700 customers, 18 months from January 2023."""
    return write_lender("dirty-lender", customers=700, months=18, seed=12, start=date(2023, 1, 1), story=Story())
