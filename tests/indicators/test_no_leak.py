"""No leak: whatever is deleted or scrambled after `as_of`, the panel at `as_of` is the same to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.portfolio import monthly_portfolio
from workbench.indicators.later import deleted, is_later, later_dates, scrambled
from workbench.indicators.panel import build_panel

from .leaks import check_no_leak, store, stored
from .random_book import FIRST_DAY, LAST_DAY, LEAP_DAY, random_book

AS_OF = date(2024, 6, 30)
DATES = {"small": AS_OF, "aart": date(2018, 9, 30), "berka": date(1997, 6, 30)}
REAL = [pytest.param(name, marks=pytest.mark.real_data) for name in ("aart", "berka")]
ZONE = "America/New_York"


@pytest.fixture(params=["small", *REAL, "random"])
def book(request: pytest.FixtureRequest, make_book: Callable[..., Book]) -> Book:
    """Return a simulated or real book, or a random one; bench/random_books.py has many of those."""
    if request.param in DATES:
        found: Book = request.getfixturevalue(f"{request.param}_book")
        return found
    tables = random_book(loans=240, seed=11, zone=ZONE)
    return make_book(tables, time_zone=ZONE, first_day=FIRST_DAY, last_day=LAST_DAY)


def test_what_comes_later_changes_nothing(book: Book) -> None:
    assert len(check_no_leak(book, as_of=DATES.get(book.name, LEAP_DAY))) > 100


def test_what_comes_later_changes_no_month_of_the_portfolio(small_book: Book) -> None:
    tables, months = stored(small_book), monthly_portfolio(small_book, as_of=AS_OF)
    for change in (deleted, scrambled):
        other = store(small_book, f"months-{change.__name__}", change(small_book, tables, AS_OF))
        pd.testing.assert_frame_equal(monthly_portfolio(other, as_of=AS_OF), months)


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
