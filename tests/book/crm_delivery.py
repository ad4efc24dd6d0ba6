"""A small CRM delivery, clean, in two dialects: `crm` (UTF-8, commas) and `zh` (GB18030, semicolons, decimal commas).

The rows are plain Python values; `Delivery.write` gives each table the format of its dialect, so that a mutation can change
rows before they are written, or bytes after.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.core.dates import month_end

Row = dict[str, Any]
DELIVERED = datetime(2024, 3, 10, 6, 0, tzinfo=UTC)
AGAIN = datetime(2024, 3, 11, 6, 0, tzinfo=UTC)
PRIVATE = ("full_name", "phone", "email", "id_no", "detail")

COLUMNS = {
    "customers": {
        "customer_id": "cust_no", "name": "full_name", "phone": "phone", "email": "email", "national_id": "id_no",
        "birth_date": "birth", "gender": "sex", "monthly_income": "income", "region": "region", "segment": "segment",
        "relationship_since": "since", "known_at": "updated_at",
    },
    "loans": {
        "loan_id": "loan_no", "customer_id": "cust_no", "product": "product", "opened_on": "opened", "principal": "principal",
        "annual_rate": "rate", "term_months": "term", "instalment_amount": "instalment", "closed_on": "closed",
        "close_reason": "reason",
    },
    "instalments": {
        "loan_id": "loan_no", "schedule_version": "version", "instalment_no": "number", "effective_from": "effective",
        "due_on": "due", "due_amount": "amount",
    },
    "payments": {
        "payment_id": "pay_no", "loan_id": "loan_no", "paid_at": "paid_at", "amount": "amount", "kind": "kind",
        "reverses": "reverses", "_currency": "ccy",
    },
    "performance": {
        "loan_id": "loan_no", "month_end": "month_end", "balance": "balance", "due_amount": "due", "paid_amount": "paid",
        "dpd": "dpd",
    },
    "transactions": {
        "transaction_id": "tx_no", "customer_id": "cust_no", "account_id": "account", "booked_at": "booked_at",
        "amount": "amount", "channel": "channel", "category": "category", "balance_after": "balance",
    },
    "events": {
        "event_id": "event_no", "customer_id": "cust_no", "occurred_at": "occurred_at", "kind": "kind", "detail": "detail",
    },
}  # fmt: skip
SEXES = {"M": "male", "F": "female"}


@dataclass(frozen=True)
class Dialect:
    """How a delivery is written: its files, and how its texts say numbers and dates."""

    name: str
    files: dict[str, str]
    time_zone: str
    currency: str
    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    date: str = "%Y-%m-%d"
    moment: str = "%Y-%m-%d %H:%M:%S"

    def text(self, value: Any) -> str:
        """Return a value as this dialect writes it; a text stays as it is."""
        if value is None:
            return ""
        if isinstance(value, datetime):
            return value.strftime(self.moment)
        if isinstance(value, date):
            return value.strftime(self.date)
        if isinstance(value, Decimal | float):
            return str(value).replace(".", self.decimal)
        return str(value)

    def mapping(self, *, max_reject_share: float = 0.01, known_at: dict[str, str] | None = None) -> dict[str, Any]:
        """Return the mapping, as the YAML holds it."""
        sources: dict[str, Any] = {}
        for table, pattern in self.files.items():
            sources[f"{table}_file"] = source = {"files": pattern}
            if pattern.endswith(("csv", "jsonl", "xlsx")) and self.name != "crm":
                source |= {"decimal": self.decimal, "dates": self.date, "timestamps": self.moment}
            if pattern.endswith(("csv", "jsonl")) and self.name != "crm":
                source |= {"encoding": self.encoding}
            if pattern.endswith("csv"):
                source |= {"delimiter": self.delimiter}
        tables: dict[str, Any] = {}
        for table, columns in COLUMNS.items():
            mapped: dict[str, Any] = {
                name: sql for name, sql in columns.items() if name not in ("known_at", "_currency")
            }
            if table == "customers":
                mapped["gender"] = {"sql": "sex", "codes": SEXES}
            tables[table] = {"from": f"{table}_file", "columns": mapped}
            if "known_at" in columns:
                tables[table]["known_at"] = columns["known_at"]
            if known_at and table in known_at:
                tables[table]["known_at"] = known_at[table]
            if "_currency" in columns:
                tables[table]["currency"] = columns["_currency"]
        return {
            "source": f"made-up CRM, dialect {self.name}", "time_zone": self.time_zone, "currency": self.currency,
            "max_reject_share": max_reject_share, "sources": sources, "tables": tables,
        }  # fmt: skip


CRM = Dialect(
    "crm",
    {
        "customers": "customers.csv", "loans": "loans.parquet", "instalments": "instalments.csv",
        "payments": "payments.csv", "performance": "performance-*.csv", "transactions": "transactions.jsonl",
        "events": "events.xlsx",
    },
    "Europe/Prague",
    "CZK",
)  # fmt: skip
ZH = Dialect(
    "zh",
    {
        "customers": "customers.csv", "loans": "loans.csv", "instalments": "instalments.csv", "payments": "payments.csv",
        "performance": "performance.xlsx", "transactions": "transactions.parquet", "events": "events.jsonl",
    },
    "Asia/Shanghai",
    "CNY",
    delimiter=";",
    encoding="gb18030",
    decimal=",",
    date="%d.%m.%Y",
    moment="%d.%m.%Y %H:%M:%S",
)  # fmt: skip
DIALECTS = {"crm": CRM, "zh": ZH}


def clean_rows(dialect: Dialect, *, customers: int = 60, seed: int = 7) -> dict[str, list[Row]]:
    """Return the rows of each table, as source columns; consistent, so that a load finds no error."""
    rng = random.Random(seed)
    names = _NAMES[dialect.name]
    rows: dict[str, list[Row]] = {table: [] for table in COLUMNS}

    def moment(day: date) -> datetime:
        return datetime.combine(day, time(rng.randrange(8, 20), rng.randrange(60), rng.randrange(60)))

    def money(low: float, high: float) -> Decimal:
        return Decimal(rng.randrange(int(low * 100), int(high * 100))) / 100

    payment = 0
    for number in range(1, customers + 1):
        cust, since = f"C{number:04d}", date(2022, 1, 1) + timedelta(days=rng.randrange(500))
        rows["customers"].append(
            {
                "cust_no": cust, "full_name": f"{rng.choice(names[0])} {rng.choice(names[1])}{number}",
                "phone": f"+420 7{number:03d} {rng.randrange(10**6):06d}", "email": f"person{number}@mail{number}.example",
                "id_no": f"{rng.randrange(10**9):09d}/{number:04d}",
                "birth": date(1955 + rng.randrange(45), 3, 1 + number % 28),
                "sex": rng.choice("MF"), "income": money(15000, 90000), "region": rng.choice(names[2]),
                "segment": rng.choice(["mass", "affluent"]), "since": since, "updated_at": moment(since),
            }
        )  # fmt: skip
        for item in range(4):
            day = date(2023, 9, 1) + timedelta(days=rng.randrange(182))
            rows["transactions"].append(
                {
                    "tx_no": f"T{number:04d}{item}", "cust_no": cust, "account": f"A{number:04d}", "booked_at": moment(day),
                    "amount": money(1, 5000) * rng.choice([1, -1]), "channel": rng.choice(["card", "branch", "app"]),
                    "category": rng.choice(["salary", "rent", "food"]), "balance": money(0, 20000),
                }
            )  # fmt: skip
        day = date(2023, 9, 1) + timedelta(days=rng.randrange(182))
        rows["events"].append(
            {
                "event_no": f"E{number:04d}", "cust_no": cust, "occurred_at": moment(day),
                "kind": rng.choice(["login", "complaint", "contact"]), "detail": f"secret note {number} of {cust}",
            }
        )  # fmt: skip
        loan, opened = f"L{number:04d}", date(2023, 9, 1) + timedelta(days=rng.randrange(40))
        instalment, term = money(900, 3000), 4
        principal = instalment * term
        paid_by: list[tuple[date, Decimal]] = []
        for due_no in range(1, term + 1):
            due = month_end(opened, months=due_no - 1) + timedelta(days=14)
            rows["instalments"].append(
                {"loan_no": loan, "version": 1, "number": due_no, "effective": opened, "due": due, "amount": instalment}
            )
            paid_on = due + timedelta(days=rng.choice([0, 0, 0, 1, 3]))
            payment += 1
            paid_by.append((paid_on, instalment))
            rows["payments"].append(
                {
                    "pay_no": f"P{payment:05d}", "loan_no": loan, "paid_at": moment(paid_on), "amount": instalment,
                    "kind": "scheduled", "ccy": dialect.currency, "reverses": None,
                }
            )  # fmt: skip
        closed = paid_by[-1][0]
        rows["loans"].append(
            {
                "loan_no": loan, "cust_no": cust, "product": rng.choice(["cash", "auto"]), "opened": opened,
                "principal": principal, "rate": round(rng.uniform(0.05, 0.3), 4), "term": term, "instalment": instalment,
                "closed": closed if number % 3 == 0 else None, "reason": "repaid" if number % 3 == 0 else None,
            }
        )  # fmt: skip
        for months in range(5):
            end = month_end(date(2023, 10, 31), months=months)
            before = month_end(end, months=-1)
            balance = principal - sum((paid for day, paid in paid_by if day <= end), Decimal(0))
            paid = sum((paid for day, paid in paid_by if before < day <= end), Decimal("0.00"))
            rows["performance"].append(
                {"loan_no": loan, "month_end": end, "balance": balance, "due": instalment, "paid": paid, "dpd": 0}
            )
    return rows


_NAMES = {
    "crm": (["Jiří", "Zoë", "Ana", "Łukasz"], ["Nováková", "Müller", "Žižka"], ["Plzeň", "Brno", "Praha"]),
    "zh": (["王", "李", "欧阳"], ["小明", "伟", "静怡"], ["上海", "北京", "广东"]),
}


def write_delivery(folder: Path, dialect: Dialect, rows: dict[str, list[Row]]) -> None:
    """Write every table in the dialect's format; a glob becomes two files."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, pattern in dialect.files.items():
        write_table(folder, dialect, table, rows[table], pattern)


def write_table(folder: Path, dialect: Dialect, table: str, rows: list[Row], pattern: str | None = None) -> None:
    """Write one table."""
    pattern = pattern or dialect.files[table]
    if "*" in pattern:
        half = len(rows) // 2
        write_table(folder, dialect, table, rows[:half], pattern.replace("*", "1"))
        write_table(folder, dialect, table, rows[half:], pattern.replace("*", "2"))
        return
    path = folder / pattern
    columns = list(rows[0]) if rows else list(COLUMNS[table].values())
    WRITERS[path.suffix](path, columns, rows, dialect)


def _write_csv(path: Path, columns: list[str], rows: list[Row], dialect: Dialect) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=dialect.delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([dialect.text(row.get(name)) for name in columns] for row in rows)
    path.write_bytes(out.getvalue().encode(dialect.encoding, errors="surrogateescape"))


def _write_jsonl(path: Path, columns: list[str], rows: list[Row], dialect: Dialect) -> None:
    def plain(value: Any) -> Any:
        if isinstance(value, Decimal):
            return float(value) if dialect.decimal == "." else dialect.text(value)
        return dialect.text(value) if isinstance(value, date | datetime) else value

    lines = [json.dumps({name: plain(row.get(name)) for name in columns}, ensure_ascii=False) for row in rows]
    path.write_bytes("".join(line + "\n" for line in lines).encode(dialect.encoding, errors="surrogateescape"))


def _write_parquet(path: Path, columns: list[str], rows: list[Row], dialect: Dialect) -> None:
    arrays = {}
    for name in columns:
        values = [row.get(name) for row in rows]
        try:
            arrays[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # mixed types: a column of texts, as exports do
            arrays[name] = pa.array([None if value is None else str(value) for value in values])
    pq.write_table(pa.table(arrays), path)


def _write_xlsx(path: Path, columns: list[str], rows: list[Row], dialect: Dialect) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(columns)
    for row in rows:
        sheet.append([float(row[name]) if isinstance(row.get(name), Decimal) else row.get(name) for name in columns])
    book.save(path)


WRITERS: dict[str, Callable[[Path, list[str], list[Row], Dialect], None]] = {
    ".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet, ".xlsx": _write_xlsx,
}  # fmt: skip


def private_values(rows: dict[str, list[Row]]) -> set[str]:
    """Return every value of a private column."""
    return {str(row[name]) for table in rows.values() for row in table for name in PRIVATE if row.get(name)}
