"""Random books with everything an indicator looks at, restated, known late and full of gaps and absurd values."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd

from tests.book.loan_book import CLOCKS, frames, random_tables
from tests.book.slow_dpd import Row, utc

FIRST_DAY, LAST_DAY, LEAP_DAY = date(2023, 1, 1), date(2024, 6, 30), date(2024, 2, 29)
INCOMES = ("-500", "0", "0.01", "900", "2100.5", "99999999999", None)
CATEGORIES = ("salary", "pension", "food", "rent", "gambling", "loan_payment", "other_lender", "payday_loan", None)
CHANNELS = ("card", "atm", "transfer", "direct_debit", None)
KINDS = (
    "login", "login_failed", "phone_changed", "address_changed", "device_changed", "complaint", "limit_requested",
    "hardship_requested", "contact",
)  # fmt: skip
KEYS = {
    "customers": ("customer_id",), "performance": ("loan_id", "month_end"), "transactions": ("transaction_id",),
    "events": ("event_id",), "applications": ("application_id",), "bureau": ("customer_id", "reported_on"),
}  # fmt: skip


def random_book(*, loans: int, seed: int, zone: str) -> dict[str, pd.DataFrame]:
    """Return the tables of a random book from `FIRST_DAY` to `LAST_DAY`; a customer in six has no transactions, one in
    six no events, and one in ten is not among the customers.
    """
    draw = random.Random(seed)
    tables = random_tables(
        loans=loans, seed=seed, zone=zone, thresholds={"absolute": Decimal(20), "relative": Decimal("0.005")}
    )
    owners = sorted({row["customer_id"] for row in tables["customers"]})
    made: dict[str, list[Row]] = {name: [] for name in KEYS}
    for number, customer in enumerate(owners):
        if draw.random() < 0.9:
            made["customers"].append(_standing(draw, customer, number))
        if draw.random() < 5 / 6:
            made["transactions"] += _transactions(draw, customer, zone)
        if draw.random() < 5 / 6:
            made["events"] += _events(draw, customer, zone)
        made["applications"] += _applications(draw, customer, zone)
        made["bureau"] += _bureau(draw, customer, zone)
    for loan in {row["loan_id"]: row for row in tables["loans"]}.values():
        loan |= {"instalment_amount": draw.choice([None, Decimal("0"), Decimal("123.45")]),
                 "collateral_value": draw.choice([None, None, Decimal(0), Decimal(7000)])}  # fmt: skip
        made["performance"] += _months(draw, loan, zone)
    for name, rows in made.items():
        tables[name] = rows + [_restated(draw, row) for row in rows if draw.random() < 0.05]
    return {name: frame.sample(frac=1, random_state=seed) for name, frame in frames(tables).items()}


def _standing(draw: random.Random, customer: str, number: int) -> Row:
    income = draw.choice(INCOMES)
    return {
        "customer_id": customer,
        "birth_date": draw.choice([None, date(1980, 2, 29), date(1999, 12, 31), date(1950, 6, 1)]),
        "monthly_income": None if income is None else Decimal(income),
        "segment": draw.choice(["mass", "private", None]),
        "branch_id": draw.choice([f"B{number % 3}", None]),
        "relationship_since": draw.choice([None, date(2020, 2, 29), date(2024, 2, 29), date(2009, 12, 31)]),
        "known_at": pd.Timestamp(2022, 1, 1),
    }


def _day(draw: random.Random, *, first: date = FIRST_DAY) -> date:
    """Return any day, or one of those that are counted wrongly first: month ends and a leap day."""
    ends = [date(2024, 2, 29), date(2024, 1, 31), date(2023, 8, 31), date(2024, 3, 1)]
    anywhere = first + timedelta(days=draw.randrange((LAST_DAY - first).days))
    return draw.choice(ends) if draw.random() < 0.15 else anywhere


def _late(draw: random.Random) -> timedelta:
    return timedelta(days=draw.choice([0] * 12 + [1, 40]))


def _transactions(draw: random.Random, customer: str, zone: str) -> list[Row]:
    number_of = draw.choice([1, 2, 12, 60])
    first = draw.choice([FIRST_DAY, date(2023, 9, 1), date(2024, 1, 15)])
    rows = []
    for number in range(number_of):
        moment = utc(_day(draw, first=first), draw.choice(CLOCKS), zone)
        category = draw.choice(CATEGORIES)
        comes_in = draw.random() < (0.8 if category in ("salary", "pension", "other_lender") else 0.1)
        usual = str(draw.randrange(1, 9999) / 100)
        amount = Decimal(draw.choice(["0", "0.01", "50", "100", "1500", "99999999.99", *[usual] * 8]))
        rows.append(
            {
                "transaction_id": f"T{customer}-{number:03d}",
                "customer_id": customer,
                "account_id": draw.choice(["1", "2", None]),
                "booked_at": moment,
                "amount": amount if comes_in else -amount,
                "channel": draw.choice(CHANNELS),
                "category": category,
                "counterparty_id": draw.choice([None, f"X{draw.randrange(12)}"]),
                "balance_after": draw.choice([None, Decimal(draw.randrange(-90_000, 400_000)) / 100]),
                "known_at": moment + _late(draw),
            }
        )
    return rows


def _events(draw: random.Random, customer: str, zone: str) -> list[Row]:
    rows = []
    for number in range(draw.choice([1, 3, 30])):
        moment = utc(_day(draw), draw.choice(CLOCKS), zone)
        rows.append(
            {
                "event_id": f"V{customer}-{number:03d}",
                "customer_id": customer,
                "occurred_at": moment,
                "kind": draw.choice(KINDS),
                "known_at": moment + _late(draw),
            }
        )
    return rows


def _applications(draw: random.Random, customer: str, zone: str) -> list[Row]:
    rows = []
    for number in range(draw.choice([0, 1, 4])):
        moment = utc(_day(draw), draw.choice(CLOCKS), zone)
        rows.append(
            {
                "application_id": f"A{customer}-{number}",
                "customer_id": customer,
                "applied_at": moment,
                "decision": draw.choice(["accepted", "declined", "withdrawn", None]),
                "decided_at": draw.choice([None, moment + timedelta(days=draw.choice([0, 3, 60]))]),
                "score": draw.choice([None, 480.0, 700.5]),
                "known_at": moment + _late(draw),
            }
        )
    return rows


def _bureau(draw: random.Random, customer: str, zone: str) -> list[Row]:
    days = {_day(draw) for _report in range(draw.choice([0, 1, 3]))}
    return [
        {
            "customer_id": customer,
            "reported_on": day,
            "enquiries_6m": draw.choice([None, 0, 4]),
            "other_debt": draw.choice([None, Decimal(0), Decimal("4500.5")]),
            "worst_status": draw.choice([None, "ok", "30-59", "90+"]),
            "known_at": utc(day, "08:00", zone) + _late(draw),
        }
        for day in sorted(days)
    ]


def _months(draw: random.Random, loan: Row, zone: str) -> list[Row]:
    """Return a row at most month ends of a loan's life, and some after it ended; a loan in ten has none."""
    if draw.random() < 0.1:
        return []
    rows = []
    for end in pd.date_range(max(loan["opened_on"], FIRST_DAY), LAST_DAY, freq="ME"):
        if loan["closed_on"] and end.date() > loan["closed_on"] + timedelta(days=40):
            break
        if draw.random() < 0.1:
            continue
        due = draw.choice([None, Decimal(0), Decimal("123.45")])
        rows.append(
            {
                "loan_id": loan["loan_id"],
                "month_end": end.date(),
                "balance": draw.choice([None, Decimal(0), Decimal(-10), *[Decimal(draw.randrange(900_000)) / 100] * 8]),
                "credit_limit": loan["credit_limit"] and draw.choice([None, Decimal(0), *[loan["credit_limit"]] * 4]),
                "due_amount": due,
                "paid_amount": draw.choice([None, Decimal(0), Decimal("60.00"), due, due, due]),
                "known_at": utc(end.date(), "20:00", zone) + _late(draw),
            }
        )
    return rows


def _restated(draw: random.Random, row: Row) -> Row:
    """Return a later version of a row: other amounts, and gaps where something stood."""
    later = row["known_at"] + timedelta(days=draw.choice([1, 20, 300]), hours=1)
    changed = {name: -2 * value for name, value in row.items() if isinstance(value, Decimal)}
    emptied = {name: None for name in ("segment", "category", "worst_status", "score") if name in row}
    return {**row, **draw.choice([changed, emptied]), "known_at": later}
