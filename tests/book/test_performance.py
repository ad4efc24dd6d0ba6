"""Days past due: the definition by hand, then against the slow reference on random books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.errors import BookError
from workbench.core.workspace import Workspace

from .comparison import compare, read_thresholds
from .loan_book import frames, loans_by_pattern, random_tables
from .slow_dpd import Row

LAST_DAY = date(2025, 6, 30)
OPENED = date(2024, 1, 10)
MakeBook = Callable[..., Book]


@pytest.fixture(scope="module")
def thresholds(workspace: Workspace) -> Row:
    return read_thresholds(workspace.params / "definitions.yaml")


# --- against the reference ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("zone", "seed"), [("UTC", 1), ("Asia/Shanghai", 2), ("America/New_York", 3)])
def test_random_books_equal_the_slow_reference(zone: str, seed: int, make_book: MakeBook, thresholds: Row) -> None:
    tables = random_tables(loans=300, seed=seed, zone=zone, thresholds=thresholds)
    assert min(loans_by_pattern(tables).values()) > 0  # the book holds every pattern
    book = make_book(frames(tables), last_day=LAST_DAY, time_zone=zone)
    seen: set[str] = set()
    for as_of in (date(2024, 2, 29), date(2024, 8, 15), date(2025, 4, 30)):
        expected = compare(book, tables, as_of=as_of, thresholds=thresholds)
        for dpd, arrears in expected.values():
            seen.add("late" if dpd >= 90 else "a little" if dpd else "due" if arrears else "none")
    assert seen == {"late", "a little", "due", "none"}  # and every outcome


# --- by hand -----------------------------------------------------------------------------------------------------------


def schedule_of(amount: float, *, months: int, version: int = 1, start: date = OPENED, day: int = 15) -> list[Row]:
    """Return the dues of one schedule version, from February 2024."""
    return [
        {
            "schedule_version": version,
            "instalment_no": number,
            "effective_from": start,
            "due_on": date(2024, 1 + number, day),
            "due_amount": amount,
        }
        for number in range(1, months + 1)
    ]


def one_loan(
    make_book: MakeBook,
    payments: list[tuple[Any, ...]],
    *,
    loan: Row | None = None,
    dues: list[Row] | None = None,
    **facts: Any,
) -> Book:
    """Return a book with one loan of 10,000 that asks for 500 on the 15th of each month from February 2024."""
    terms = {"loan_id": "L1", "customer_id": "C1", "product": "cash", "opened_on": OPENED, "principal": 10_000}
    schedule = dues or schedule_of(500, months=10)
    columns = ["paid_at", "amount", "kind", "reverses"]
    rows = [dict(zip(columns, (*payment, "scheduled", None)[:2] + payment[2:], strict=False)) for payment in payments]
    paid = pd.DataFrame(
        [{"kind": "scheduled", "reverses": None, **row, "payment_id": f"P{n}"} for n, row in enumerate(rows, 1)],
        columns=["payment_id", *columns],
    )
    paid["paid_at"] = pd.to_datetime(paid["paid_at"], format="ISO8601")
    return make_book(
        {
            "customers": pd.DataFrame({"customer_id": ["C1"]}),
            "loans": pd.DataFrame([{**terms, **(loan or {})}]),
            "instalments": pd.DataFrame(schedule).assign(loan_id="L1"),
            "payments": paid.assign(loan_id="L1"),
        },
        **facts,
    )


def at(book: Book, day: date, *, as_of: date | None = None) -> tuple[int, float]:
    row = performance(book, as_of=as_of or day, days=[day]).to_pandas().iloc[0]
    return int(row["dpd"]), float(row["arrears"])


def test_due_today_and_unpaid_is_0_and_tomorrow_1(make_book: MakeBook) -> None:
    book = one_loan(make_book, [])
    assert at(book, date(2024, 2, 14)) == (0, 0)
    assert at(book, date(2024, 2, 15)) == (0, 500)
    assert at(book, date(2024, 2, 16)) == (1, 500)
    assert at(book, date(2024, 5, 15)) == (90, 2000)  # 15 February to 15 May 2024: 14 + 31 + 30 + 15 days


def test_payments_settle_the_oldest_due_first(make_book: MakeBook) -> None:
    book = one_loan(make_book, [("2024-04-20", 600)])  # all of February, 100 of March
    assert at(book, date(2024, 4, 19)) == (64, 1500)
    assert at(book, date(2024, 4, 20)) == (36, 900)  # since 15 March


@pytest.mark.parametrize(("short", "dpd"), [(50.00, 0), (50.01, 14)])
def test_arrears_count_above_both_thresholds_only(short: float, dpd: int, make_book: MakeBook) -> None:
    # 0.5 % of 10,000 = 50.00, above the absolute 20.00
    assert at(one_loan(make_book, [("2024-02-15", 500 - short)]), date(2024, 2, 29))[0] == dpd


@pytest.mark.parametrize(("short", "dpd"), [(20.00, 0), (20.01, 14)])
def test_the_absolute_threshold_rules_small_loans(short: float, dpd: int, make_book: MakeBook) -> None:
    book = one_loan(make_book, [("2024-02-15", 500 - short)], loan={"principal": 1_000})  # 0.5 % = 5.00
    assert at(book, date(2024, 2, 29))[0] == dpd


def test_a_prepayment_is_not_paid_ahead(make_book: MakeBook) -> None:
    book = one_loan(make_book, [("2024-02-15", 500), ("2024-02-15", 5000, "prepayment")])
    assert at(book, date(2024, 3, 31)) == (16, 500)


def test_a_reversal_counts_from_its_own_day(make_book: MakeBook) -> None:
    book = one_loan(make_book, [("2024-02-15", 500), ("2024-03-05", -500, "reversal", "P1")])
    assert at(book, date(2024, 3, 4)) == (0, 0)
    assert at(book, date(2024, 3, 5)) == (19, 500)
    assert at(book, date(2024, 3, 4), as_of=date(2024, 3, 31)) == (0, 0)


def test_the_reversal_of_a_prepayment_leaves_the_dues_alone(make_book: MakeBook) -> None:
    book = one_loan(
        make_book, [("2024-02-15", 500), ("2024-02-20", 900, "prepayment"), ("2024-03-01", -900, "reversal", "P2")]
    )
    assert at(book, date(2024, 3, 14)) == (0, 0)


@pytest.mark.parametrize("first", [0, 1, 7])
def test_a_new_schedule_replaces_the_old_from_its_start(first: int, make_book: MakeBook) -> None:
    old = schedule_of(
        500, months=6, version=first, start=date(2024, 3, 1)
    )  # put on file late: February is owed all the same
    new = schedule_of(200, months=8, version=first + 1, start=date(2024, 4, 1), day=25)
    book = one_loan(make_book, [("2024-03-15", 1000)], dues=old + new)
    assert at(book, date(2024, 3, 14)) == (28, 500)
    assert at(book, date(2024, 4, 20)) == (0, 0)  # the old 15 April is gone, the new 25 February and March never were
    assert at(book, date(2024, 4, 26)) == (1, 200)


def test_a_schedule_is_in_force_from_its_first_row_on(make_book: MakeBook) -> None:
    new = schedule_of(200, months=8, version=2, start=date(2024, 4, 1), day=25)
    new[2]["effective_from"] = date(2024, 5, 1)  # corrected later; the version still begins in April
    book = one_loan(make_book, [("2024-03-15", 1000)], dues=schedule_of(500, months=6) + new)
    assert at(book, date(2024, 5, 2)) == (7, 200)  # due on 25 April


def test_a_third_schedule_that_starts_before_the_second_replaces_both(make_book: MakeBook) -> None:
    dues = schedule_of(500, months=8)
    dues += schedule_of(400, months=8, version=2, start=date(2024, 5, 1))
    dues += schedule_of(100, months=8, version=3, start=date(2024, 3, 1))
    assert at(one_loan(make_book, [], dues=dues), date(2024, 6, 16)) == (122, 500 + 4 * 100)


def test_dpd_stops_at_write_off_whatever_is_paid_later(make_book: MakeBook) -> None:
    loan = {"written_off_on": date(2024, 6, 3), "closed_on": date(2024, 6, 3), "close_reason": "written_off"}
    book = one_loan(make_book, [("2024-07-01", 5000), ("2024-07-02", 100, "recovery")], loan=loan)
    assert at(book, date(2024, 6, 2)) == (108, 2000)
    for day in (date(2024, 6, 3), date(2024, 6, 30), date(2024, 12, 31)):
        assert at(book, day) == (109, 2000)


def test_a_repaid_loan_has_no_arrears_and_is_not_open(make_book: MakeBook) -> None:
    book = one_loan(make_book, [], loan={"closed_on": date(2024, 5, 5), "close_reason": "repaid"})
    row = performance(book, as_of=date(2024, 5, 31)).to_pandas().iloc[0]
    assert (row["dpd"], row["arrears"], row["open"], row["written_off"]) == (0, 0, False, False)
    assert at(book, date(2024, 5, 4))[0] == 79


@pytest.mark.parametrize(
    ("paid_at", "dpd"),
    [("2024-02-15 15:59:59", 0), ("2024-02-15 16:00:00", 1)],  # 23:59:59 on the 15th, 00:00 on the 16th in Shanghai
)
def test_days_end_at_midnight_of_the_book(paid_at: str, dpd: int, make_book: MakeBook) -> None:
    book = one_loan(make_book, [(paid_at, 500)], time_zone="Asia/Shanghai")
    assert at(book, date(2024, 2, 15)) == (0, 500 * dpd)
    assert at(book, date(2024, 2, 16)) == (0, 0)


def test_several_days_at_once_equal_each_alone(make_book: MakeBook) -> None:
    book = one_loan(make_book, [("2024-03-20", 800), ("2024-06-30 23:59:59", 700)])
    days = [date(2024, 2, 29), date(2024, 5, 31), date(2024, 9, 30)]
    together = performance(book, as_of=date(2024, 9, 30), days=days).order_by("month_end").to_pandas()
    assert [(int(r.dpd), float(r.arrears)) for r in together.itertuples()] == [at(book, day) for day in days]


def test_a_day_after_as_of_is_refused(make_book: MakeBook) -> None:
    with pytest.raises(ValueError, match="2024-03-01 is not known at 2024-02-29"):
        performance(one_loan(make_book, []), as_of=date(2024, 2, 29), days=[date(2024, 3, 1)])


# --- stored performance ------------------------------------------------------------------------------------------------


@pytest.fixture
def monthly_book(make_book: MakeBook) -> Book:
    ends = [date(2024, 1, 31), date(2024, 2, 29)]
    return make_book(
        {
            "customers": pd.DataFrame({"customer_id": ["C1"]}),
            "loans": pd.DataFrame(
                {"loan_id": ["L1"], "customer_id": "C1", "opened_on": date(2023, 6, 1), "credit_limit": 3000.0}
            ),
            "performance": pd.DataFrame(
                {"loan_id": "L1", "month_end": ends, "balance": [900.0, 950.0], "credit_limit": [None, 2500.0],
                 "due_amount": [100.0, 100.0], "paid_amount": [120.0, 30.0], "dpd": [0, 14]}
            ),
        }
    )  # fmt: skip


def test_a_loaded_performance_answers_for_its_month_ends(monthly_book: Book) -> None:
    rows = performance(monthly_book, as_of=date(2024, 2, 29), days=[date(2024, 1, 31), date(2024, 2, 29)])
    found = rows.order_by("month_end").to_pandas()
    assert found["dpd"].tolist() == [0, 14]
    assert found["arrears"].isna().all()  # a month's shortfall says nothing of the months before
    assert found["balance"].astype(float).tolist() == [900, 950]
    assert found["credit_limit"].astype(float).tolist() == [3000, 2500]


def test_between_month_ends_the_last_one_stands_and_before_them_nothing_is_said(monthly_book: Book) -> None:
    days = [date(2023, 12, 31), date(2024, 2, 28), date(2024, 3, 15)]
    rows = performance(monthly_book, as_of=days[-1], days=days).order_by("month_end").to_pandas()
    assert rows["dpd"].fillna(-1).tolist() == [-1, 0, 14]
    assert rows["balance"].astype(float).fillna(-1).tolist() == [-1, 900, 950]


def test_a_book_with_neither_says_what_it_lacks(make_book: MakeBook) -> None:
    book = make_book(
        {
            "customers": pd.DataFrame({"customer_id": ["C1"]}),
            "loans": pd.DataFrame({"loan_id": ["L1"], "customer_id": "C1", "opened_on": [datetime(2024, 1, 1)]}),
        }
    )
    with pytest.raises(
        BookError, match="need the tables instalments and payments, or performance; it has customers, loans"
    ):
        performance(book, as_of=date(2024, 6, 30))
