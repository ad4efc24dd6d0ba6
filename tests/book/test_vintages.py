"""Vintages of a hand-made book: six loans of two quarters, their age counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest
from scipy.stats import binomtest

from workbench.book.book import Book
from workbench.book.vintages import vintage_curves, vintages
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


def test_curves_count_by_age(book: Book) -> None:
    table = vintage_curves(book, as_of=AS_OF)
    bads = {vintage: rows["bads"].tolist() for vintage, rows in table.groupby("vintage")}
    # L3 is written off at age 6, L1 is bad at 12 and L2 at 13; the last of June 2024 is 15, 12 and 9 months after the quarters
    assert bads == {
        "2023Q1": [0] * 6 + [1] * 6 + [2] + [3] * 3,
        "2023Q2": [0] * 13,
        "2023Q3": [0] * 3 + [1] * 7,
    }
    assert table.loc[table["vintage"] == "2023Q1", "age_months"].tolist() == list(range(16))
    assert table.groupby("vintage")["loans"].unique().map(list).to_dict() == {
        "2023Q1": [3],
        "2023Q2": [1],
        "2023Q3": [1],
    }
    assert (table["bad_rate"] == table["bads"] / table["loans"]).all()


def test_curves_by_year_and_up_to_an_age(book: Book) -> None:
    table = vintage_curves(book, as_of=AS_OF, every="year")
    assert table["vintage"].unique().tolist() == ["2023"]
    assert (table["loans"] == 5).all()
    assert table["bads"].tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert vintage_curves(book, as_of=AS_OF, every="year", max_age_months=3)["bads"].tolist() == [0, 0, 0, 1]


def test_curves_by_half_year(book: Book) -> None:
    table = vintage_curves(book, as_of=AS_OF, every="half-year")
    bads = {vintage: rows["bads"].tolist() for vintage, rows in table.groupby("vintage")}
    # 2023H1 as old as its last loans, of June; L3 bad at 6, L1 at 12; L6 of July at 3, the last of 2023H2 6 months old
    assert bads == {"2023H1": [0] * 6 + [1] * 6 + [2], "2023H2": [0] * 3 + [1] * 4}
    assert table.groupby("vintage")["loans"].first().to_dict() == {"2023H1": 4, "2023H2": 1}


@pytest.mark.parametrize(
    ("months", "names"),
    [
        (36, "2022Q1 2024Q3"),
        (39, "2022Q1 2024Q4"),
        (42, "2022H1 2024H2"),
        (45, "2022H1 2025H1"),
        (78, "2022H1 2027H2"),
        (90, "2022 2028"),
    ],
)
def test_as_many_curves_as_a_figure_can_hold(months: int, names: str, make_book: Callable[..., Book]) -> None:
    opened = month_ends(date(2021, 12, 31), date(2029, 6, 30))[:months]
    ids = [f"L{place:02d}" for place in range(months)]
    as_of = opened[-1]
    tables = {
        "customers": pd.DataFrame({"customer_id": ["C1"]}),
        "loans": pd.DataFrame({"loan_id": ids, "customer_id": "C1", "opened_on": opened}),
        "performance": pd.DataFrame({"loan_id": ids, "month_end": as_of, "dpd": 0}),
    }
    book = make_book(tables, first_day=date(2021, 12, 31), last_day=as_of)
    found = vintage_curves(book, as_of=as_of, every="fitting")["vintage"].unique().tolist()
    assert f"{found[0]} {found[-1]}" == names
    assert len(found) <= 12


@pytest.mark.parametrize("age", [6, 12, 13])
def test_a_curve_passes_through_the_vintages_of_each_age(book: Book, age: int) -> None:
    curves, points = vintage_curves(book, as_of=AS_OF), vintages(book, as_of=AS_OF, age_months=age)
    at_age = curves.loc[curves["age_months"] == age, ["loans", "bads", "bad_rate"]]
    assert at_age.to_numpy().tolist() == points[["loans", "bads", "bad_rate"]].to_numpy().tolist()


@pytest.mark.parametrize("day", [date(2023, 1, 15), date(2023, 4, 20)])
def test_loans_too_young_for_a_curve(book: Book, day: date) -> None:
    assert vintage_curves(book, as_of=day).empty
