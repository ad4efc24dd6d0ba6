"""No leak: whatever is deleted or scrambled after `as_of`, the panel at `as_of` is the same to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from workbench.book.book import Book
from workbench.book.frames import canonical_table
from workbench.book.portfolio import monthly_portfolio
from workbench.book.schema import TABLES
from workbench.book.store import BookFacts, store_book
from workbench.core.dates import month_end
from workbench.indicators.later import Tables, deleted, is_later, later_dates, plain, scrambled
from workbench.indicators.panel import build_panel

AS_OF = date(2024, 6, 30)


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


@pytest.fixture(params=["small_book", pytest.param("aart_book", marks=pytest.mark.real_data)])
def book(request: pytest.FixtureRequest) -> Book:
    found: Book = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("change", [deleted, scrambled])
def test_what_comes_later_changes_nothing(change: Callable[[Book, Tables, date], Tables], book: Book) -> None:
    as_of = AS_OF if book.name == "small" else date(2018, 9, 30)
    tables = stored(book)
    other = store(book, f"{book.name}-{change.__name__}", change(book, tables, as_of))
    assert other.manifest.generation != book.manifest.generation

    for table in sorted(book.tables):
        rows, others = (
            found.as_known(table, as_of=as_of).order_by(TABLES[table].key).to_pyarrow() for found in (book, other)
        )
        assert others.equals(rows), table
    panel = build_panel(book, as_of=as_of)
    assert len(panel.frame) > 100
    pd.testing.assert_frame_equal(build_panel(other, as_of=as_of).frame, panel.frame, check_exact=True)
    pd.testing.assert_frame_equal(monthly_portfolio(other, as_of=as_of), monthly_portfolio(book, as_of=as_of))
    # and it is a change: three months on, the same customers look different
    after, names = month_end(as_of, months=3), ["exposure", "months_since_late"]
    now_other, now = (build_panel(found, as_of=after, only=names).frame for found in (other, book))
    assert not now_other.equals(now)


def test_rewritten_without_its_truth_the_book_gives_the_same_panel(small_book: Book) -> None:
    assert (small_book.folder / "truth" / "latent.parquet").exists()
    plain = store(small_book, "small-plain", stored(small_book))
    assert not (plain.folder / "truth").exists()
    pd.testing.assert_frame_equal(
        build_panel(plain, as_of=AS_OF).frame, build_panel(small_book, as_of=AS_OF).frame, check_exact=True
    )


def test_the_small_book_has_everything_that_may_leak(small_book: Book) -> None:
    tables = stored(small_book)
    for name, frame in tables.items():
        rows = is_later(small_book, name, frame, AS_OF)
        assert 0 < rows.sum() < len(frame), name
    closed = later_dates(small_book, "loans", tables["loans"], AS_OF)
    opened = tables["loans"]["opened_on"] <= pd.Timestamp(AS_OF)
    assert (closed["closed_on"] & opened).any()
    versions = tables["customers"].loc[is_later(small_book, "customers", tables["customers"], AS_OF), "customer_id"]
    assert versions.isin(tables["customers"].loc[tables["customers"]["known_at"] < "2024-06-30", "customer_id"]).any()
    assert small_book.manifest.facts.current_only["customers"]
