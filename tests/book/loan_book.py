"""Random loan books with every way to pay, and days past due by the definition: slow, plain, in Decimal.

The reference is written from docs/architecture.md, "Definitions", and `params/definitions.yaml`; it shares no code with
`workbench.book.performance`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

CENT = Decimal("0.01")
Row = dict[str, Any]


def local_day(moment: datetime, zone: str) -> date:
    """Return the business day in which a UTC instant falls."""
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()


def utc(day: date, clock: str, zone: str) -> datetime:
    """Return the UTC instant of a local day and clock time."""
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


def slow_dpd(
    loan: Row, dues: Iterable[Row], payments: Iterable[Row], *, day: date, as_of: date, zone: str, thresholds: Row
) -> tuple[int, Decimal] | None:
    """Return days past due and arrears of a loan at the end of `day` as known at the end of `as_of`; None before opening."""

    def known(row: Row) -> bool:
        return local_day(row["known_at"], zone) <= as_of

    if loan["opened_on"] > day:
        return None
    written_off = loan.get("written_off_on") is not None and loan["written_off_on"] <= day
    closed = loan.get("closed_on") is not None and loan["closed_on"] <= day
    if closed and not written_off:
        return 0, Decimal(0)
    last = loan["written_off_on"] if written_off else day

    dues = [due for due in dues if known(due) and due["effective_from"] <= as_of]
    starts: dict[int, date] = {}
    for due in dues:
        version = due["schedule_version"]
        starts[version] = min(due["effective_from"], starts.get(version, date.max))
    in_force = []
    for due in dues:
        version = due["schedule_version"]
        begun = version == 1 or due["due_on"] >= starts[version]
        replaced = any(start <= due["due_on"] for later, start in starts.items() if later > version)
        if begun and not replaced and due["due_on"] <= last:
            in_force.append(due)

    payments = [row for row in payments if known(row)]
    kinds = {row["payment_id"]: row["kind"] for row in payments}
    paid = Decimal(0)
    for row in payments:
        kind = kinds.get(row["reverses"], "scheduled") if row["kind"] == "reversal" else row["kind"]
        if kind == "scheduled" and local_day(row["paid_at"], zone) <= last:
            paid += row["amount"]

    size = (loan.get("principal") or Decimal(0)) + (loan.get("credit_limit") or Decimal(0))
    cumulative, oldest = Decimal(0), None
    for due in sorted(in_force, key=lambda row: row["due_on"]):
        cumulative += due["due_amount"]
        missing = cumulative - paid
        if oldest is None and missing > thresholds["absolute"] and missing > thresholds["relative"] * size:
            oldest = due["due_on"]
    if oldest is None:
        return 0, Decimal(0)
    return (last - oldest).days, cumulative - paid


def random_tables(*, loans: int, seed: int, zone: str, thresholds: Row) -> dict[str, list[Row]]:
    """Return the rows of a random book: every third customer has several loans, every fourth loan is a card."""
    draw = random.Random(seed)
    tables: dict[str, list[Row]] = {"customers": [], "loans": [], "instalments": [], "payments": []}
    for number in range(loans):
        customer = f"C{number * 2 // 3:04d}"
        if not any(row["customer_id"] == customer for row in tables["customers"][-1:]):
            tables["customers"].append({"customer_id": customer, "known_at": datetime(2020, 1, 1)})
        _random_loan(draw, tables, f"L{number:04d}", customer, zone, thresholds)
    return tables


def _random_loan(
    draw: random.Random, tables: dict[str, list[Row]], loan_id: str, customer: str, zone: str, thresholds: Row
) -> None:
    card = draw.random() < 0.25
    opened = date(2023, 1, 1) + timedelta(days=draw.randrange(500))
    size = Decimal(draw.choice([900, 2500, 3999, 4000, 4001, 12000, 33333]))
    loan: Row = {
        "loan_id": loan_id,
        "customer_id": customer,
        "product": "card" if card else "instalment",
        "opened_on": opened,
        "principal": None if card else size,
        "credit_limit": size if card else None,
        "closed_on": None,
        "close_reason": None,
        "written_off_on": None,
        "known_at": utc(opened, "09:00", zone),
    }
    allowed = max(thresholds["absolute"], thresholds["relative"] * size).quantize(CENT, rounding="ROUND_DOWN")
    dues = _random_dues(draw, loan, card, zone)
    payments = _random_payments(draw, loan, dues, allowed, zone)
    ending = draw.random()
    if ending < 0.15:
        loan["written_off_on"] = loan["closed_on"] = opened + timedelta(days=draw.randrange(120, 500))
        loan["close_reason"] = "written_off"
        for kind in ("recovery", "scheduled"):
            moment = utc(loan["written_off_on"] + timedelta(days=draw.randrange(40)), "12:00", zone)
            payments.append(_payment(loan_id, len(payments), moment, Decimal(250), kind))
    elif ending < 0.3:
        loan["closed_on"] = opened + timedelta(days=draw.randrange(90, 500))
        loan["close_reason"] = draw.choice(["repaid", "prepaid", "sold"])
    tables["loans"].append(loan)
    tables["instalments"].extend(dues)
    tables["payments"].extend(payments)


def _random_dues(draw: random.Random, loan: Row, card: bool, zone: str) -> list[Row]:
    opened, day_of_month = loan["opened_on"], draw.choice([1, 5, 15, 28])

    def schedule(version: int, first: int, months: int, amount: Decimal, effective: date | None) -> list[Row]:
        rows = []
        for number in range(first, first + months):
            year, month = divmod(opened.year * 12 + opened.month + number, 12)
            due_on = date(year, month + 1, day_of_month)
            statement = due_on - timedelta(days=20)
            start = effective or (max(statement, opened) if card else opened)
            cents = Decimal(draw.randrange(-900, 900)) / 100 if card else Decimal(0)
            rows.append(
                {
                    "loan_id": loan["loan_id"],
                    "schedule_version": version,
                    "instalment_no": number + 1,
                    "effective_from": start,
                    "due_on": due_on,
                    "due_amount": amount + cents,
                    "known_at": utc(start, "08:00", zone),
                }
            )
        return rows

    amount = Decimal(draw.randrange(1500, 40000)) / 100
    rows = schedule(1, 0, draw.randrange(4, 24), amount, None)
    if not card and draw.random() < 0.3:  # new versions: longer and lower; sometimes the third begins before the second
        starts = [opened + timedelta(days=draw.randrange(60, 400)) for _version in range(draw.choice([1, 1, 2]))]
        for version, start in enumerate(starts, start=2):
            rows += schedule(
                version, draw.randrange(0, 6), draw.randrange(6, 30), (amount * 2 / 3).quantize(CENT), start
            )
    return rows


def _random_payments(draw: random.Random, loan: Row, dues: list[Row], allowed: Decimal, zone: str) -> list[Row]:
    habit = draw.choice(["punctual", "punctual", "sloppy", "failing"])
    delays = {"punctual": [0, 0, 0, -3], "sloppy": [-9, 0, 1, 5, 20, 31, 62], "failing": [0, 10, 40, 95, None, None]}
    clocks = ["00:00:00", "00:00:01", "07:59:59", "08:00:00", "12:00:00", "23:59:59"]
    rows: list[Row] = []

    def pay(day: date, amount: Decimal, kind: str = "scheduled", reverses: str | None = None) -> Row:
        moment = utc(day, draw.choice(clocks), zone)
        row = _payment(loan["loan_id"], len(rows), moment, amount, kind, reverses)
        row["known_at"] = moment + timedelta(days=draw.choice([0, 0, 0, 0, 0, 2, 45]))
        rows.append(row)
        return row

    for due in dues:
        if due["schedule_version"] > 1 and draw.random() < 0.5:
            continue
        delay = draw.choice(delays[habit])
        if delay is None:
            continue
        day, owed = due["due_on"] + timedelta(days=delay), due["due_amount"]
        match draw.choices(["all", "edge", "parts", "more", "ahead"], [10, 4, 2, 1, 1])[0]:
            case "all":
                paid = pay(day, owed)
            case "edge":  # short by exactly what is allowed, or a cent more
                paid = pay(day, max(owed - allowed - draw.choice([Decimal(0), CENT]), CENT))
            case "parts":
                half = (owed / 2).quantize(CENT)
                pay(day, half)
                paid = pay(day + timedelta(days=draw.choice([0, 7, 35])), owed - half)
            case "more":
                pay(day, owed)
                paid = pay(day, owed * 2, "prepayment")
            case "ahead":
                paid = pay(day, owed * 3)
        if draw.random() < 0.12:
            pay(day + timedelta(days=draw.choice([0, 1, 3, 30])), -paid["amount"], "reversal", paid["payment_id"])
    return rows


def _payment(
    loan_id: str, number: int, moment: datetime, amount: Decimal, kind: str, reverses: str | None = None
) -> Row:
    return {
        "payment_id": f"P{loan_id}-{number:03d}",
        "loan_id": loan_id,
        "paid_at": moment,
        "amount": amount,
        "kind": kind,
        "reverses": reverses,
        "known_at": moment,
    }


def frames(tables: dict[str, list[Row]]) -> dict[str, pd.DataFrame]:
    """Return the rows as frames."""
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}
