"""Data quality on a hand-made book with one fault of each kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.quality import findings, profile

AS_OF = date(2024, 6, 30)


@pytest.fixture(scope="module")
def book(make_book: Callable[..., Book]) -> Book:
    people = pd.DataFrame(
        {
            "customer_id": [f"C{n}" for n in range(10)],
            "birth_date": [date(1980, 1, 1)] * 8 + [date(1900, 1, 1), date(2071, 1, 1)],
            "occupation": "clerk",
            "monthly_income": [2000.0] * 7 + [16_000.01, -5.0, None],
            "education": ["school"] * 10,
            "name": "secret",
            "segment": "mass",
        }
    )
    loans = pd.DataFrame(
        {"loan_id": ["L1", "L2"], "customer_id": ["C1", "C99"], "opened_on": date(2024, 1, 10), "annual_rate": 0.1}
    )
    paid = pd.to_datetime(["2024-01-09 23:00", "2024-02-01 00:00", "2024-03-01 00:00"])
    payments = pd.DataFrame(
        {"payment_id": ["P1", "P2", "P3"], "loan_id": "L1", "paid_at": paid, "amount": 1.0, "kind": "scheduled",
         "known_at": paid + pd.to_timedelta([0, 5, 6], unit="D")}
    )  # fmt: skip
    return make_book(
        {"customers": people, "loans": loans, "payments": payments}, current_only={"customers": ["segment"]}
    )


def test_each_fault_is_found_and_nothing_else(book: Book) -> None:
    table = findings(book, as_of=AS_OF)
    found = {(row.severity, row.table, row.column, tuple(row.examples)) for row in table.itertuples()}
    assert found == {
        ("red", "loans", "customer_id", ("L2",)),
        ("red", "payments", "paid_at", ("P1",)),
        ("orange", "customers", "birth_date", ("C8", "C9")),
        ("orange", "customers", "monthly_income", ("C8",)),
        ("orange", "customers", "monthly_income", ("C7",)),  # 8 times the median of its occupation
        ("yellow", "customers", "monthly_income", ("C9",)),
        ("yellow", "payments", "paid_at", ("P3",)),
    }
    assert table["severity"].map(["red", "orange", "yellow"].index).is_monotonic_increasing
    income = table.loc[(table["column"] == "monthly_income") & (table["what"] == "is missing")].iloc[0]
    assert (income["rows"], income["share"]) == (1, 0.1)


def test_what_is_not_known_yet_is_no_finding(book: Book) -> None:
    early = findings(book, as_of=AS_OF - timedelta(days=130))  # 21 February: the third payment has not happened
    assert not (early["examples"].map(tuple) == ("P3",)).any()


def test_a_clean_book_has_no_findings(make_book: Callable[..., Book]) -> None:
    people = pd.DataFrame(
        {
            "customer_id": ["C1"],
            "birth_date": date(1980, 1, 1),
            "occupation": "clerk",
            "monthly_income": 1.0,
            "education": "a",
        }
    )
    loans = pd.DataFrame({"loan_id": ["L1"], "customer_id": "C1", "opened_on": date(2024, 1, 10), "annual_rate": 0.1})
    assert findings(make_book({"customers": people, "loans": loans}), as_of=AS_OF).empty


def test_the_profile_hides_private_values_and_current_only_columns(book: Book) -> None:
    table = profile(book, as_of=AS_OF).set_index(["table", "column"])
    assert table.loc[("customers", "monthly_income"), "missing_share"] == pytest.approx(0.1)
    assert table.loc[("customers", "birth_date"), ["lowest", "highest"]].tolist() == ["1900-01-01", "2071-01-01"]
    assert table.loc[("customers", "name"), ["lowest", "highest"]].tolist() == ["private", "private"]
    assert table.loc[("payments", "amount"), "rows"] == 3
    assert ("customers", "segment") not in table.index
