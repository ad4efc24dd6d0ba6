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

from .random_book import FIRST_DAY, LAST_DAY, LEAP_DAY, random_book

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


DATES = {"small": AS_OF, "aart": date(2018, 9, 30), "berka": date(1997, 6, 30)}
REAL = [pytest.param(name, marks=pytest.mark.real_data) for name in ("aart", "berka")]
ZONES = ("America/New_York", "Asia/Shanghai")


@pytest.fixture(params=["small", *REAL, *ZONES])
def book(request: pytest.FixtureRequest, make_book: Callable[..., Book]) -> Book:
    """Return a simulated or real book, or a random one of a time zone."""
    if request.param in DATES:
        found: Book = request.getfixturevalue(f"{request.param}_book")
        return found
    tables = random_book(loans=240, seed=ZONES.index(request.param) + 11, zone=request.param)
    return make_book(tables, time_zone=request.param, first_day=FIRST_DAY, last_day=LAST_DAY)


def test_what_comes_later_changes_nothing(book: Book) -> None:
    as_of = DATES.get(book.name, LEAP_DAY)
    after, names = month_end(as_of, months=3), ["exposure", "months_since_late", "days_since_transaction"]
    tables = stored(book)
    panel, later = build_panel(book, as_of=as_of).frame, build_panel(book, as_of=after, only=names).frame
    assert len(panel) > 100
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


@pytest.mark.parametrize("change", [deleted, scrambled])
def test_what_comes_later_changes_no_month_of_the_portfolio(
    change: Callable[[Book, Tables, date], Tables], small_book: Book
) -> None:
    other = store(small_book, f"months-{change.__name__}", change(small_book, stored(small_book), AS_OF))
    pd.testing.assert_frame_equal(monthly_portfolio(other, as_of=AS_OF), monthly_portfolio(small_book, as_of=AS_OF))


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
