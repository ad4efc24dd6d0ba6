"""Books with other things later on, and what of a book's past must not move with them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from workbench.book.book import Book
from workbench.book.frames import canonical_table
from workbench.book.schema import TABLES
from workbench.book.store import BookFacts, store_book
from workbench.core.dates import month_end
from workbench.indicators.later import Tables, deleted, plain, scrambled
from workbench.indicators.panel import build_panel


def stored(book: Book) -> Tables:
    """Return every stored row of a book."""
    return {name: plain(name, pd.read_parquet(book.folder / f"{name}.parquet")) for name in sorted(book.tables)}


def store(book: Book, name: str, tables: Tables) -> Book:
    def write(out: Path) -> BookFacts:
        for table, frame in tables.items():
            pq.write_table(canonical_table(table, frame), out / f"{table}.parquet")
        return book.manifest.facts

    store_book(book.workspace, name, write)
    return Book.open(book.workspace, name)


def check_no_leak(book: Book, *, as_of: date) -> pd.DataFrame:
    """Delete, then scramble, what comes after a date: no table as known and no panel at it may move. Return the panel."""
    after, names = month_end(as_of, months=3), ["exposure", "months_since_late", "days_since_transaction"]
    tables = stored(book)
    panel, later = build_panel(book, as_of=as_of).frame, build_panel(book, as_of=after, only=names).frame
    for change in (deleted, scrambled):
        other = store(book, f"{book.name}-{change.__name__}", change(book, tables, as_of))
        assert other.manifest.generation != book.manifest.generation
        for table in sorted(book.tables):
            rows, others = (
                found.as_known(table, as_of=as_of).order_by(TABLES[table].key).to_pyarrow() for found in (book, other)
            )
            assert others.equals(rows), table
        pd.testing.assert_frame_equal(build_panel(other, as_of=as_of).frame, panel, check_exact=True)
        # and it is a change: three months on, the same customers look different
        assert not build_panel(other, as_of=after, only=names).frame.equals(later)
    return panel
