"""Vintages of a hand-made book: six loans of two quarters, their age counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest
from scipy.stats import binomtest

from workbench.book.book import Book
from workbench.book.vintages import vintages
from workbench.core.dates import month_ends

OPENED = {
    "L1": date(2023, 1, 15),  # 90 days past due in month 12: bad
    "L2": date(2023, 3, 31),  # 90 days past due in month 13: good at 12 months
    "L3": date(2023, 2, 1),  # written off in month 6: bad
    "L4": date(2023, 4, 1),  # never late
    "L5": date(2022, 12, 31),  # opened before the book begins: left out
    "L6": date(2023, 7, 1),  # bad at once, in a quarter that is not old enough
}
LATE = {"L1": date(2024, 1, 31), "L2": date(2024, 4, 30), "L5": date(2023, 2, 28), "L6": date(2023, 10, 31)}
AS_OF = date(2024, 6, 30)


@pytest.fixture(scope="module")
def book(make_book: Callable[..., Book]) -> Book:
    lost = [date(2023, 8, 20) if name == "L3" else None for name in OPENED]
    loans = pd.DataFrame({"loan_id": list(OPENED), "customer_id": "C1", "opened_on": OPENED.values()})
    loans = loans.assign(
        written_off_on=lost, closed_on=lost, close_reason=["written_off" if day else None for day in lost]
    )
    months = pd.DataFrame(
        [
            (name, day, 90 if day == LATE.get(name) else 89)
            for name in OPENED
            for day in month_ends(OPENED[name], AS_OF)
        ],
        columns=["loan_id", "month_end", "dpd"],
    )
    tables = {"customers": pd.DataFrame({"customer_id": ["C1"]}), "loans": loans, "performance": months}
    return make_book(tables, first_day=date(2023, 1, 1), last_day=AS_OF)


def test_bad_by_twelve_months_of_age(book: Book) -> None:
    table = vintages(book, as_of=AS_OF)
    assert [day.date() for day in table["month"]] == [date(2023, 3, 31), date(2023, 6, 30)]
    assert table["loans"].tolist() == [3, 1]
    assert table["bads"].tolist() == [2, 0]
    assert table["bad_rate"].tolist() == pytest.approx([2 / 3, 0])


def test_one_month_more_brings_the_late_one(book: Book) -> None:
    table = vintages(book, as_of=AS_OF, age_months=13)
    assert table["bads"].tolist() == [3]  # the second quarter is not 13 months old


def test_the_interval_is_wilsons(book: Book) -> None:
    row = vintages(book, as_of=AS_OF).iloc[0]
    expected = binomtest(2, 3).proportion_ci(method="wilson")
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_no_quarter_is_old_enough(book: Book) -> None:
    assert vintages(book, as_of=date(2023, 12, 31)).empty
