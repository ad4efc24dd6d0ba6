"""A lender written by hand: each loan a line of signs, one a month from January 2023, so that every measure can be counted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workbench.book.schema import TABLES
from workbench.core.dates import month_end

Row = dict[str, Any]
DUE_DAY, PAID_DAY, DUE = 10, 20, 100
OWED = 1_000
ENDS = {"P": "prepaid", "R": "repaid", "W": "written_off", "S": "sold"}


def day_of(month: int, day: int) -> date:
    """Return a day of the month counted from 0, January 2023.

    >>> day_of(13, 10)
    datetime.date(2024, 2, 10)
    """
    return date(2023 + month // 12, month % 12 + 1, day)


def end_of(month: int) -> date:
    """Return the last day of a month counted from 0."""
    return month_end(day_of(month, 1))


def noon(day: date) -> datetime:
    """Return noon of a day."""
    return datetime.combine(day, time(12))


def term_loan(
    loan: str, customer: str, line: str, *, product: str = "personal", first: int = 0
) -> dict[str, list[Row]]:
    """Return the rows of a loan of 1,000 with a due of 100 on every 10th, paid on the 20th.

    `line` has a sign a month: first the month of opening, `o`; then how many dues are missing at its end, 0 to 9 (1 is
    18 to 21 days past due, 2 about 50, 3 about 80, 4 and more over 90), or how the loan ended in it: prepaid `P`, repaid
    `R`, written off `W`, sold `S`.
    """
    opened = day_of(first, 5)
    base = {"loan_id": loan, "customer_id": customer, "product": product, "opened_on": opened, "principal": OWED,
            "annual_rate": 0.1, "term_months": 48, "known_at": noon(opened)}  # fmt: skip
    rows: dict[str, list[Row]] = {"loans": [base], "instalments": [], "payments": [], "performance": []}
    missing = 0
    for number, sign in enumerate(line):
        month = first + number
        due = DUE if number else 0
        now = int(sign) if sign.isdigit() else missing + 1 if sign == "W" else 0
        paid = due + DUE * (missing - now) if number else 0
        if number:
            rows["instalments"].append(
                {"loan_id": loan, "schedule_version": 1, "instalment_no": number, "effective_from": opened,
                 "due_on": day_of(month, DUE_DAY), "due_amount": DUE, "known_at": noon(opened)}
            )  # fmt: skip
        if paid:
            rows["payments"].append(payment(f"{loan}-{number}", loan, day_of(month, PAID_DAY), paid))
        if sign in ENDS:
            lost = end_of(month) if sign == "W" else None
            ended = {"closed_on": end_of(month), "close_reason": ENDS[sign], "written_off_on": lost}
            rows["loans"].append({**base, **ended, "known_at": noon(end_of(month))})
        rows["performance"].append(
            {"loan_id": loan, "month_end": end_of(month), "balance": 0 if sign in "PRS" else OWED, "due_amount": due,
             "paid_amount": paid, "known_at": noon(end_of(month))}
        )  # fmt: skip
        missing = now
    return rows


def card(
    loan: str, customer: str, balances: Iterable[int], paid: Iterable[int], *, limits: Iterable[int]
) -> dict[str, list[Row]]:
    """Return the rows of a card opened in January 2023 with a balance, a payment and a limit for each month."""
    months = list(zip(balances, paid, limits, strict=True))
    opened = day_of(0, 5)
    loans = [
        {"loan_id": loan, "customer_id": customer, "product": "card", "opened_on": opened, "credit_limit": months[0][2],
         "annual_rate": 0.2, "known_at": noon(opened)}
    ]  # fmt: skip
    performance = [
        {"loan_id": loan, "month_end": end_of(month), "balance": balance, "credit_limit": limit, "due_amount": 0,
         "paid_amount": amount, "known_at": noon(end_of(month))}
        for month, (balance, amount, limit) in enumerate(months)
    ]  # fmt: skip
    return {"loans": loans, "performance": performance}


def payment(
    number: str, loan: str, day: date, amount: int, kind: str = "scheduled", reverses: str | None = None
) -> Row:
    """Return one payment, known when it was made."""
    return {"payment_id": number, "loan_id": loan, "paid_at": noon(day), "amount": amount, "kind": kind,
            "reverses": reverses, "known_at": noon(day)}  # fmt: skip


def person(customer: str, **columns: Any) -> Row:
    """Return one customer, known before the book begins."""
    return {"customer_id": customer, "known_at": noon(day_of(0, 1) - timedelta(days=400)), **columns}


def write(folder: Path, *parts: dict[str, list[Row]], truth: dict[str, list[Row]] | None = None) -> Path:
    """Write the tables of all parts, and those of the truth, as a simulated lender is written; return the folder."""
    tables: dict[str, list[Row]] = {
        name: [] for name in ("customers", "loans", "instalments", "payments", "performance")
    }
    for part in parts:
        for name, rows in part.items():
            tables.setdefault(name, []).extend(rows)
    known = {row["customer_id"] for row in tables["customers"]}
    tables["customers"] += [person(name) for name in sorted({row["customer_id"] for row in tables["loans"]} - known)]
    for name, rows in tables.items():
        pq.write_table(pa.Table.from_pylist(rows, schema=TABLES[name].arrow_schema()), folder / f"{name}.parquet")
    (folder / "truth").mkdir(exist_ok=True)
    for name, rows in (truth or {}).items():
        pq.write_table(pa.Table.from_pylist(rows), folder / "truth" / f"{name}.parquet")
    return folder
