"""The portfolio of a hand-made book: three customers, four loans, two month ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.portfolio import delinquency, exposures, monthly_portfolio

JAN, FEB, MAR = date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)


@pytest.fixture(scope="module")
def book(make_book: Callable[..., Book]) -> Book:
    loans = pd.DataFrame(
        [
            ("L1", "C1", "cash", None, None),
            ("L2", "C1", "card", 1000.0, None),
            ("L3", "C2", "cash", None, None),
            ("L4", "C3", "cash", None, date(2024, 3, 10)),
        ],
        columns=["loan_id", "customer_id", "product", "credit_limit", "written_off_on"],
    )
    loans = loans.assign(opened_on=date(2023, 1, 1), closed_on=loans["written_off_on"], close_reason="written_off")
    months = pd.DataFrame(
        [
            ("L1", FEB, 400.0, 0), ("L2", FEB, 100.0, 30), ("L3", FEB, 300.0, 31), ("L4", FEB, 200.0, 91),
            ("L1", MAR, 350.0, 1), ("L2", MAR, 250.0, 61), ("L3", MAR, 300.0, 90), ("L4", MAR, 0.0, 91),
        ],
        columns=["loan_id", "month_end", "balance", "dpd"],
    )  # fmt: skip
    people = pd.DataFrame({"customer_id": ["C1", "C2", "C3"]})
    return make_book({"customers": people, "loans": loans, "performance": months}, first_day=date(2024, 1, 1))


def test_each_month_by_bucket(book: Book) -> None:
    table = monthly_portfolio(book, as_of=MAR, months=1).set_index("month_end")
    assert [day.date() for day in table.index] == [MAR]
    table = monthly_portfolio(book, as_of=MAR, months=2).set_index("month_end")
    february, march = table.loc[pd.Timestamp(FEB)], table.loc[pd.Timestamp(MAR)]
    assert (february["loans"], february["customers"], february["exposure"]) == (4, 3, 1000)
    buckets = ["current", "1-30", "31-60", "61-90", "over 90"]
    assert february[buckets].tolist() == pytest.approx([0.4, 0.1, 0.3, 0, 0.2])
    assert (march["loans"], march["customers"], march["exposure"]) == (3, 2, 900)
    assert march[buckets].tolist() == pytest.approx([0, 350 / 900, 0, 550 / 900, 0])
    assert march["written_off"] == 1
    assert (march["credit_limit"], march["utilisation"]) == (1000, 0.25)


def test_non_performing_is_90_days_or_more(book: Book) -> None:
    table = monthly_portfolio(book, as_of=MAR, months=2).set_index("month_end")["npl_ratio"]
    assert table.tolist() == pytest.approx([0.2, 300 / 900])  # L3 stands at exactly 90 in March


def test_a_customer_counts_in_the_worst_bucket(book: Book) -> None:
    table = delinquency(book, as_of=FEB).set_index("bucket")
    assert table["loans"].tolist() == [1, 1, 1, 0, 1]
    assert table["customers"].tolist() == [0, 1, 1, 0, 1]
    assert table["exposure"].tolist() == [400, 100, 300, 0, 200]


def test_exposures_tell_revolving_balance_and_limit(book: Book) -> None:
    table = exposures(book, as_of=MAR).set_index("customer_id")
    assert table.loc["C1", ["exposure", "balance", "credit_limit", "dpd", "product"]].tolist() == [
        600,
        250,
        1000,
        61,
        "card",
    ]
    assert table.loc["C2", "exposure"] == 300
    assert pd.isna(table.loc["C2", "credit_limit"])
    assert "C3" not in table.index
