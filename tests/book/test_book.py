"""A book as it was known: hand-made rows, read at several dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.core.errors import BookError, ParameterError
from workbench.core.workspace import Workspace

MakeBook = Callable[..., Book]
ZONE = "Asia/Shanghai"  # a day ends at 16:00 UTC


@pytest.fixture(scope="module")
def book(make_book: MakeBook) -> Book:
    customers = pd.DataFrame(
        [
            ("C1", 1000.0, "mass", "O1", "2024-01-01 00:00:00"),
            ("C1", 1500.0, "affluent", "O2", "2024-03-31 15:59:59"),
            ("C1", 1800.0, "private", "O3", "2024-03-31 16:00:00"),
            ("C2", 2000.0, "mass", "O9", "2024-03-31 16:00:00"),
        ],
        columns=["customer_id", "monthly_income", "segment", "officer_id", "known_at"],
    )
    loans = pd.DataFrame(
        [
            ("L1", "C1", date(2024, 1, 5), date(2024, 5, 31), "prepaid", None),
            ("L2", "C1", date(2024, 1, 5), date(2024, 5, 31), "written_off", date(2024, 5, 31)),
            ("L3", "C1", date(2024, 4, 1), None, None, None),
        ],
        columns=["loan_id", "customer_id", "opened_on", "closed_on", "close_reason", "written_off_on"],
    )
    payments = pd.DataFrame(
        {
            "payment_id": ["P1", "P2", "P3"],
            "loan_id": "L1",
            "paid_at": pd.to_datetime(["2024-03-31 15:59:59", "2024-03-31 16:00:00", "2024-03-01 00:00:00"]),
            "amount": [1.0, 2.0, 3.0],
            "kind": "scheduled",
            "known_at": pd.to_datetime(["2024-03-31 15:59:59", "2024-03-31 16:00:00", "2024-04-02 00:00:00"]),
        }
    )
    applications = pd.DataFrame(
        {
            "application_id": ["A1"],
            "customer_id": "C1",
            "applied_at": [datetime(2024, 3, 1)],
            "decision": "rejected",
            "decided_at": [datetime(2024, 4, 3)],
            "decline_reason": "income",
            "loan_id": "L9",
        }
    )
    return make_book(
        {
            "customers": customers.assign(known_at=pd.to_datetime(customers["known_at"], format="ISO8601")),
            "loans": loans,
            "payments": payments,
            "applications": applications,
        },
        first_day=date(2024, 1, 1),
        last_day=date(2024, 6, 29),
        time_zone=ZONE,
        current_only={"customers": ["segment", "officer_id"]},
    )


def rows(book: Book, table: str, as_of: date) -> pd.DataFrame:
    found = book.as_known(table, as_of=as_of).to_pandas()
    return found.set_index(found.columns[0]).sort_index()


def test_the_latest_version_known_by_the_end_of_the_day_is_read(book: Book) -> None:
    incomes = {day: rows(book, "customers", day)["monthly_income"].astype(float).to_dict() for day in
               (date(2023, 12, 31), date(2024, 3, 30), date(2024, 3, 31), date(2024, 4, 1))}  # fmt: skip
    assert incomes == {
        date(2023, 12, 31): {},  # 2024-01-01 00:00 UTC is 08:00 of 1 January in Shanghai
        date(2024, 3, 30): {"C1": 1000.0},
        date(2024, 3, 31): {"C1": 1500.0},
        date(2024, 4, 1): {"C1": 1800.0, "C2": 2000.0},
    }


def test_current_only_columns_are_null_with_their_type(book: Book) -> None:
    found = book.as_known("customers", as_of=date(2024, 6, 29))
    assert found.schema()["segment"] == book.connection.table("customers").schema()["segment"]
    assert found.segment.count().execute() == 0
    assert found.officer_id.count().execute() == 0


def test_customers_now_shows_the_newest_of_current_only_columns_alone(book: Book) -> None:
    found = book.customers_now(as_of=date(2024, 3, 31)).to_pandas()
    assert found[["customer_id", "segment", "officer_id"]].to_numpy().tolist() == [["C1", "private", "O3"]]
    assert found["monthly_income"].astype(float).tolist() == [1500.0]


def test_dates_and_endings_after_as_of_are_null(book: Book) -> None:
    before, on_the_day = (rows(book, "loans", date(2024, 5, day)) for day in (30, 31))
    ending = ["closed_on", "close_reason", "written_off_on"]
    assert before[ending].isna().all(axis=None)
    assert on_the_day["close_reason"].dropna().to_dict() == {"L1": "prepaid", "L2": "written_off"}
    assert on_the_day["closed_on"].notna().tolist() == [True, True, False]
    assert on_the_day["written_off_on"].notna().tolist() == [False, True, False]


def test_a_decision_is_known_from_its_day(book: Book) -> None:
    columns = ["decision", "decided_at", "decline_reason", "loan_id"]
    assert rows(book, "applications", date(2024, 4, 2))[columns].isna().all(axis=None)
    assert rows(book, "applications", date(2024, 4, 3))[columns].notna().all(axis=None)


def test_a_decision_without_a_day_is_never_known(make_book: Callable[..., Book]) -> None:
    asked = {"customer_id": "C1", "applied_at": datetime(2024, 4, 1), "known_at": datetime(2024, 4, 1)}
    decided = {"decision": "declined", "decline_reason": "income", "loan_id": "L1"}
    people = pd.DataFrame({"customer_id": ["C1"]})
    loans = pd.DataFrame({"loan_id": ["L1"], "customer_id": "C1", "opened_on": date(2024, 4, 1)})
    rows_of = pd.DataFrame([{"application_id": "A1", **asked, **decided}])
    undated = make_book({"customers": people, "loans": loans, "applications": rows_of})
    shown = rows(undated, "applications", date(2025, 12, 31))
    assert len(shown) == 1
    assert shown[["decision", "decline_reason", "loan_id"]].isna().all(axis=None)


def test_rows_that_happen_or_become_known_later_are_absent(book: Book) -> None:
    assert list(rows(book, "loans", date(2024, 3, 31)).index) == ["L1", "L2"]  # L3 opens on 1 April
    assert list(rows(book, "payments", date(2024, 3, 31)).index) == ["P1"]
    assert list(rows(book, "payments", date(2024, 4, 1)).index) == ["P1", "P2"]
    assert list(rows(book, "payments", date(2024, 4, 2)).index) == ["P1", "P2", "P3"]
    assert "known_at" not in rows(book, "payments", date(2024, 4, 2)).columns


def test_an_unknown_and_an_absent_table_are_told_apart(book: Book) -> None:
    with pytest.raises(BookError, match=r"unknown table 'payment'\. Did you mean 'payments'"):
        book.as_known("payment", as_of=date(2024, 3, 31))
    with pytest.raises(BookError, match="has no table 'events'; it has applications, customers, loans, payments"):
        book.as_known("events", as_of=date(2024, 3, 31))


def test_the_observation_date_is_the_last_full_month_by_default(book: Book, small_book: Book) -> None:
    assert book.check_as_of(None) == date(2024, 5, 31)  # the book ends on 29 June
    assert book.check_as_of("") == date(2024, 5, 31)
    assert small_book.check_as_of(None) == date(2025, 9, 30)
    assert book.check_as_of("2024-06-29") == date(2024, 6, 29)


@pytest.mark.parametrize("day", ["2023-12-31", "2024-06-30"])
def test_a_date_outside_the_book_is_refused(day: str, book: Book) -> None:
    with pytest.raises(ParameterError, match=f"found {day}, but book .* covers 2024-01-01 to 2024-06-29"):
        book.check_as_of(day)
    with pytest.raises(ParameterError, match="found 'tomorrow', expected a date such as"):
        book.check_as_of("tomorrow")


def test_an_open_book_is_a_snapshot(make_book: MakeBook, workspace: Workspace) -> None:
    def tables(income: float) -> dict[str, pd.DataFrame]:
        loans = pd.DataFrame({"loan_id": ["L1"], "customer_id": "C1", "opened_on": [date(2024, 1, 1)]})
        return {"customers": pd.DataFrame({"customer_id": ["C1"], "monthly_income": [income]}), "loans": loans}

    old = make_book(tables(1.0), name="snapshot")
    new = make_book(tables(2.0), name="snapshot")
    incomes = [
        rows(found, "customers", date(2024, 6, 1))["monthly_income"].astype(float).item() for found in (old, new)
    ]
    assert incomes == [1.0, 2.0]
    assert Book.open(workspace, "snapshot").manifest == new.manifest
