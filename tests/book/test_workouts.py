"""Loans followed from their default: each way to end by hand, then a simulated book against the slow reference."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.workouts import workouts
from workbench.core.dates import month_ends

from .slow_losses import slow_workout

AS_OF, DEFAULT = date(2024, 6, 30), date(2023, 3, 31)
ENDS = month_ends(date(2023, 1, 1), AS_OF)
MARCH, APRIL, JULY, AUGUST = ("2023-03-31",), ("2023-03-31", "2023-04-30"), "2023-07-31", "2023-08-31"
ALWAYS = tuple(str(day) for day in ENDS if day >= DEFAULT)
WRITTEN_OFF = {"written_off_on": date(2023, 6, 30), "closed_on": date(2023, 6, 30), "close_reason": "written_off"}


def closed(day: date, reason: str) -> dict[str, Any]:
    return {"closed_on": day, "close_reason": reason}


# loan: (month ends at 90 days past due or more, what else is known of it, balances other than 1000, what was paid
#        (day, amount, kind), what was lost of 1000 within six months without interest; None: not seen; "": no such default)
CASES: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, float | None], list[tuple[str, float, str]], Any]] = {
    "written-off": (
        ALWAYS, WRITTEN_OFF, {},
        [("2023-08-10", 200, "recovery"), ("2023-09-30", 30, "scheduled"), ("2023-10-01", 300, "recovery")], 770,
    ),
    "still-in-default": (ALWAYS, {}, {}, [("2023-04-10", 100, "scheduled"), ("2023-10-10", 100, "scheduled")], 900),
    "paid-on-the-day": (ALWAYS, {}, {}, [("2023-03-31", 100, "scheduled")], 1000),
    "cured": (
        APRIL, {}, {JULY: 600}, [("2023-05-10", 300, "prepayment"), ("2023-08-10", 50, "scheduled")], 100,
    ),
    "cured-without-a-balance": (APRIL, {}, {JULY: None}, [("2023-05-10", 300, "scheduled")], None),
    "on-probation-at-the-end": ((*APRIL, JULY), {}, {}, [("2023-08-10", 300, "scheduled")], 700),
    "in-default-again": ((*MARCH, AUGUST), {}, {"2023-06-30": 900}, [("2023-04-10", 100, "scheduled")], 900),
    "in-default-again-later": ((*MARCH, "2023-10-31"), {}, {"2023-06-30": 900}, [("2023-04-10", 100, "scheduled")], 0),
    "cured-then-written-off": (
        MARCH, {"written_off_on": date(2023, 9, 30), **closed(date(2023, 9, 30), "written_off")}, {}, [], 1000,
    ),
    "cured-then-written-off-later": (
        MARCH, {"written_off_on": date(2023, 10, 1), **closed(date(2023, 10, 1), "written_off")}, {}, [], 0,
    ),
    "repaid": (MARCH, closed(date(2023, 5, 20), "repaid"), {}, [("2023-05-20", 1000, "prepayment")], 0),
    "repaid-in-part": (MARCH, closed(date(2023, 5, 20), "prepaid"), {}, [("2023-05-20", 400, "prepayment")], 600),
    "gain": (ALWAYS, {}, {}, [("2023-05-20", 1200, "scheduled")], 0),
    "sold": (ALWAYS, closed(date(2023, 9, 30), "sold"), {}, [("2023-05-20", 400, "scheduled")], None),
    "sold-later": (ALWAYS, closed(date(2023, 10, 1), "sold"), {}, [("2023-05-20", 400, "scheduled")], 600),
    "cured-then-sold": (MARCH, closed(date(2023, 8, 1), "sold"), {"2023-06-30": 950}, [], 50),
    "sold-on-probation": (MARCH, closed(date(2023, 6, 30), "sold"), {"2023-06-30": 950}, [], None),
    "died": (MARCH, closed(date(2023, 4, 1), "deceased"), {}, [], None),
    "owes-nothing": (ALWAYS, {}, {"2023-03-31": 0, "2023-02-28": 0}, [], None),
    "balance-of-the-month-before": (ALWAYS, {}, {"2023-03-31": None, "2023-02-28": 800}, [], 800),
    "no-balance": (ALWAYS, {}, {"2023-03-31": None, "2023-02-28": None}, [], None),
    "since-when": (("2023-01-31", *ALWAYS), {}, {}, [], ""),
    "too-young": (("2024-01-31",), {}, {}, [], ""),
    "old-enough": (("2023-12-31",), {}, {"2024-03-31": 1000}, [], 0),
    "never": ((), {}, {}, [], ""),
    "written-off-at-once": (
        (), {"written_off_on": date(2023, 3, 15), **closed(date(2023, 3, 15), "written_off")}, {"2023-03-31": 0},
        [("2023-03-15", 70, "scheduled"), ("2023-03-15", 100, "recovery"), ("2023-03-16", 10, "scheduled")], 890,
    ),
    "written-off-at-a-month-end": (
        (), {"written_off_on": DEFAULT, **closed(DEFAULT, "written_off")}, {"2023-03-31": 0, "2023-02-28": 700}, [], 700,
    ),
    "restructured": (
        ALWAYS, {"effective_on": date(2023, 4, 10)}, {},
        [("2023-04-10", 400, "scheduled"), ("2023-04-10", 50, "prepayment"), ("2023-04-11", 5, "scheduled")], 945,
    ),
    "payment-taken-back": (ALWAYS, {}, {}, [("2023-04-10", 100, "scheduled"), ("2023-04-12", -100, "reversal")], 1000),
}  # fmt: skip


@pytest.fixture(scope="module")
def book(make_book: Callable[..., Book]) -> Book:
    missing = {"closed_on": None, "close_reason": None, "written_off_on": None}
    loans, months, paid, restructured = [], [], [], []
    for name, (bad, terms, balances, payments, _lost) in CASES.items():
        loans.append({"loan_id": name, "customer_id": f"C-{name}", "product": "cash", "opened_on": date(2022, 1, 1)})
        loans[-1] |= missing | {key: value for key, value in terms.items() if key in missing}
        for end in ENDS:
            dpd = 90 if str(end) in bad else 89
            months.append((name, end, balances.get(str(end), 1000.0), dpd))
        paid += [(f"{name}-{number}", name, *payment) for number, payment in enumerate(payments)]
        if "effective_on" in terms:
            restructured.append({"loan_id": name, "effective_on": terms["effective_on"], "kind": "extension"})
    payments = pd.DataFrame(paid, columns=["payment_id", "loan_id", "paid_at", "amount", "kind"])
    return make_book(
        {
            "customers": pd.DataFrame({"customer_id": [f"C-{name}" for name in CASES]}),
            "loans": pd.DataFrame(loans),
            "performance": pd.DataFrame(months, columns=["loan_id", "month_end", "balance", "dpd"]),
            "payments": payments.assign(paid_at=pd.to_datetime(payments["paid_at"])),
            "restructurings": pd.DataFrame(restructured),
        },
        last_day=AS_OF,
    )


def found(book: Book, **options: Any) -> pd.DataFrame:
    rows: pd.DataFrame = workouts(book, **options).to_pandas()
    return rows.set_index("loan_id")


@pytest.mark.parametrize("name", CASES)
def test_each_way_to_end(name: str, book: Book) -> None:
    rows, lost = found(book, as_of=AS_OF, workout_months=6, discount_rate=0.0), CASES[name][-1]
    if lost == "":
        assert name not in rows.index
    elif lost is None:
        assert not rows.loc[name, "seen"]
    else:
        assert rows.loc[name, "seen"]
        assert rows.loc[name, "lost"] == pytest.approx(lost)


def test_the_reference_says_the_same_of_the_cases(book: Book) -> None:
    slow = slow_workout(book, as_of=AS_OF, workout_months=6, rate=0.0)
    expected = {name: case[-1] for name, case in CASES.items() if case[-1] not in ("", None)}
    assert {name: loan["loss"] for name, loan in slow.items()} == pytest.approx(expected)


def test_what_comes_back_is_discounted_to_the_day_of_default(book: Book) -> None:
    rows = found(book, as_of=AS_OF, workout_months=6, discount_rate=0.1)
    days = [(date(2023, 5, 10) - DEFAULT).days, (date(2023, 7, 31) - DEFAULT).days]
    worth = 300 / 1.1 ** (days[0] / 365) + 600 / 1.1 ** (days[1] / 365)
    assert rows.loc["cured", "lost"] == pytest.approx(1000 - worth)
    cured = {
        "cured",
        "cured-without-a-balance",
        "in-default-again-later",
        "cured-then-written-off-later",
        "cured-then-sold",
    }
    assert set(rows.index[rows["cured"]]) == {*cured, "old-enough"}
    assert rows.loc["cured", "defaulted_on"].date() == DEFAULT


@pytest.mark.parametrize(("as_of", "months", "rate"), [(date(2025, 6, 30), 6, 0.05), (date(2025, 8, 17), 12, 0.2)])
def test_a_simulated_book_against_the_slow_reference(small_book: Book, as_of: date, months: int, rate: float) -> None:
    slow = slow_workout(small_book, as_of=as_of, workout_months=months, rate=rate)
    rows = found(small_book, as_of=as_of, workout_months=months, discount_rate=rate)
    rows = rows[rows["seen"]]
    assert len(slow) > 10
    assert {True, False} == set(rows["cured"]) == set(rows["written_off"])
    assert rows.index.sort_values().tolist() == sorted(slow)
    for name, loan in slow.items():
        row = rows.loc[name]
        assert (row["exposure"], row["lost"]) == pytest.approx((loan["exposure"], loan["loss"]), abs=1e-6)
        assert (row["cured"], row["written_off"], row["customer_id"]) == (loan["cured"], loan["lost"], loan["customer"])
        assert row["defaulted_on"].date() == loan["default"]


def test_nothing_is_old_enough(small_book: Book) -> None:
    for as_of in (date(2023, 1, 15), date(2023, 3, 31)):
        assert found(small_book, as_of=as_of, workout_months=6).empty
