"""Written off and recovered by month: a hand-made book, then a simulated one against the slow reference."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.losses import monthly_losses
from workbench.core.dates import month_ends

from .slow_losses import slow_monthly_losses

JAN, FEB, MAR, APR = date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)
MakeBook = Callable[..., Book]
TABLES: dict[str, pd.DataFrame] = {
    "customers": pd.DataFrame({"customer_id": ["C1"]}),
    "loans": pd.DataFrame(
        [("L1", date(2024, 3, 10)), ("L2", MAR), ("L3", date(2023, 6, 1)), ("L4", None), ("L5", date(2024, 4, 2))],
        columns=["loan_id", "written_off_on"],
    ).assign(customer_id="C1", opened_on=date(2022, 1, 1)),
    "performance": pd.DataFrame(
        [
            ("L1", FEB, 200.0, 120), ("L1", MAR, 0.0, 130),  # off the books by the month's end
            ("L2", FEB, 300.0, 95), ("L2", MAR, 310.0, 125),
            ("L4", JAN, 500.0, 90), ("L4", FEB, 450.0, 89), ("L4", MAR, 450.0, 91),
            ("L5", JAN, 70.0, 90),  # nothing is stated in the two months before
        ],
        columns=["loan_id", "month_end", "balance", "dpd"],
    ),
    "payments": pd.DataFrame(
        [
            ("L1", "2024-03-09", 7.0, "scheduled"),  # in default since February at least
            ("L1", "2024-03-10", 11.0, "recovery"), ("L1", "2024-03-11", 13.0, "scheduled"),
            ("L1", "2024-04-01", -13.0, "reversal"),
            ("L2", "2024-03-31", 17.0, "scheduled"),  # on the day: not yet lost
            ("L3", "2024-02-29", 19.0, "recovery"), ("L3", "2024-03-01", 23.0, "prepayment"),
            ("L4", "2024-02-10", 29.0, "scheduled"), ("L4", "2024-03-10", 31.0, "scheduled"),
            ("L4", "2024-03-11", 37.0, "recovery"),  # not lost: what the source calls it counts
        ],
        columns=["loan_id", "paid_at", "amount", "kind"],
    ),
}  # fmt: skip
TABLES["payments"] = TABLES["payments"].assign(
    payment_id=[f"P{number}" for number in range(len(TABLES["payments"]))],
    paid_at=pd.to_datetime(TABLES["payments"]["paid_at"]) + pd.Timedelta(hours=12),
)


@pytest.fixture(scope="module")
def book(make_book: MakeBook) -> Book:
    return make_book(TABLES, first_day=date(2024, 1, 1))


def test_each_month_by_hand(book: Book) -> None:
    table = monthly_losses(book, as_of=APR).set_index("month_end")
    assert [day.date() for day in table.index] == [FEB, MAR, APR]
    assert table["loans_written_off"].tolist() == [0, 2, 1]
    assert table["written_off"].fillna(-1).tolist() == [0, 200 + 310, -1]  # April's only balance is not stated
    assert table["recovered"].tolist() == [19, 11 + 13 + 23, -13]
    assert table["paid_in_default"].tolist() == [29, 7 + 17 + 37, 0]


def test_fewer_months_and_a_day_inside_a_month(book: Book) -> None:
    whole, last = monthly_losses(book, as_of=APR), monthly_losses(book, as_of=date(2024, 4, 15), months=1)
    pd.testing.assert_frame_equal(last, whole.iloc[[1]].reset_index(drop=True))


@pytest.mark.parametrize("as_of", [date(2024, 12, 31), date(2025, 8, 17)])
def test_a_simulated_book_against_the_slow_reference(small_book: Book, as_of: date) -> None:
    ends = month_ends(date(2023, 2, 1), as_of)[-12:]
    slow = slow_monthly_losses(small_book, as_of=as_of, ends=ends)
    table = monthly_losses(small_book, as_of=as_of, months=12)
    assert (slow.drop(columns="month_end").sum() > 0).all()
    pd.testing.assert_frame_equal(table, slow, check_dtype=False, rtol=1e-9)


def test_what_is_known_later_is_not_in(make_book: MakeBook) -> None:
    known = TABLES["payments"].assign(known_at=TABLES["payments"]["paid_at"])
    known.loc[known["paid_at"].dt.date == date(2024, 3, 11), "known_at"] = pd.Timestamp(2024, 5, 2)
    loans = TABLES["loans"].assign(known_at=pd.Timestamp(2022, 1, 1))
    loans = pd.concat([loans.assign(written_off_on=None), loans.assign(known_at=pd.Timestamp(2024, 4, 1))])
    book = make_book({**TABLES, "payments": known, "loans": loans}, first_day=date(2024, 1, 1))
    assert monthly_losses(book, as_of=MAR)[["loans_written_off", "recovered"]].isna().all(axis=None)
    assert monthly_losses(book, as_of=APR)["recovered"].tolist() == [19, 11 + 23, -13]
    assert monthly_losses(book, as_of=date(2024, 5, 31))["recovered"].tolist() == [19, 11 + 13 + 23, -13, 0]


def without(table: str, **columns: Any) -> dict[str, pd.DataFrame]:
    tables = {name: frame for name, frame in TABLES.items() if name != table}
    return {**tables, **({table: TABLES[table].assign(**columns)} if columns else {})}


def test_what_the_book_does_not_hold_is_null_and_never_zero(make_book: MakeBook) -> None:
    def columns(tables: dict[str, pd.DataFrame]) -> set[str]:
        """Return the columns that are null in every month."""
        table = monthly_losses(make_book(tables, first_day=date(2024, 1, 1)), as_of=APR)
        assert len(table) == 3
        return set(table.columns[table.isna().all()])

    assert columns(TABLES) == set()
    assert columns(without("payments")) == {"recovered", "paid_in_default"}
    assert columns(without("performance", balance=None)) == {"written_off"}
    assert columns(without("performance")) == {"written_off", "paid_in_default"}  # days past due as well
    assert columns(without("loans", written_off_on=None)) == {"loans_written_off", "written_off", "recovered"}
    kept = TABLES["payments"][TABLES["payments"]["loan_id"] == "L4"]
    assert columns({**TABLES, "payments": kept}) == {"recovered"}  # none on any loan that was lost
    empty = monthly_losses(make_book(TABLES, first_day=date(2024, 1, 1)), as_of=JAN)
    assert empty.columns.tolist() == ["month_end", "loans_written_off", "written_off", "recovered", "paid_in_default"]
    assert empty.empty


def test_a_capitalised_arrear_is_no_payment(make_book: MakeBook) -> None:
    posted = pd.DataFrame([{"loan_id": "L4", "effective_on": date(2024, 2, 10), "kind": "extension"}])
    book = make_book({**TABLES, "restructurings": posted}, first_day=date(2024, 1, 1))
    assert monthly_losses(book, as_of=APR)["paid_in_default"].tolist() == [0, 7 + 17 + 37, 0]
