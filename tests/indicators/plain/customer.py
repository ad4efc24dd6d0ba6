"""What is known of a customer at a date, as plain rows, and the arithmetic that the references share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.book.schema import TABLES

Row = dict[str, Any]
Value = float | None


@dataclass(eq=False)  # told apart as objects, so that what is slow is worked out once for each
class Customer:
    """What is known of one customer at a date.

    `months` are its loans at month ends, `ago` 0 being the last one up to the date; a date inside a month has `ago` -1.
    """

    as_of: date
    threshold_absolute: float = 0.0
    threshold_relative: float = 0.0
    standing: Row = field(default_factory=dict)
    loans: dict[str, Row] = field(default_factory=dict)
    months: list[Row] = field(default_factory=list)
    transactions: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    applications: list[Row] = field(default_factory=list)
    instalments: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    restructurings: list[Row] = field(default_factory=list)
    bureau: list[Row] = field(default_factory=list)
    everyone: list[Customer] = field(default_factory=list, repr=False)

    def since(self, rows: list[Row], days: int, *, to: int = 0) -> list[Row]:
        """Return the rows of the last `days` days, less those of the last `to`."""
        return [row for row in rows if to <= (self.as_of - row["day"]).days < days]

    @property
    def open_now(self) -> list[Row]:
        return [row for row in self.months if row["month_end"] == self.as_of and row["open"]]

    @property
    def year(self) -> list[Row]:
        return [row for row in self.months if 0 <= row["ago"] < 12 and (row["open"] or row["written_off"])]

    def months_back(self, months: int) -> date:
        """Return the same day `months` earlier; a month end stays one, a day that is missing becomes the month's last."""
        index = self.as_of.year * 12 + self.as_of.month - 1 - months
        first = date(index // 12, index % 12 + 1, 1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        ends_month = (self.as_of + timedelta(days=1)).day == 1
        return last if ends_month else min(last, first + timedelta(days=self.as_of.day - 1))


def total(rows: list[Row], column: str) -> Value:
    """Return the sum of the values that are known; None where none is."""
    known = [row[column] for row in rows if row[column] is not None]
    return float(sum(known)) if known else None


def ratio(over: Value, under: Value) -> Value:
    return None if over is None or not under else over / under


def share(rows: list[Row], *, of: list[Row], amount: Callable[[Row], Any] = lambda _row: 1) -> Value:
    whole = float(sum(amount(row) for row in of))
    return float(sum(amount(row) for row in rows)) / whole if whole else None


def positive(value: Value) -> Value:
    return value if value is not None and value > 0 else None


def months_since(c: Customer, day: date | None) -> Value:
    return None if day is None else (c.as_of - day).days / 30.4375


def mean(values: list[float]) -> Value:
    return sum(values) / len(values) if values else None


def difference(first: Value, second: Value) -> Value:
    return None if first is None or second is None else first - second


def worst(rows: list[Row]) -> Value:
    return max((row["dpd"] for row in rows), default=None)


# --- the customers of a book -------------------------------------------------------------------------------------------


def customers(book: Book, as_of: date) -> dict[str, Customer]:
    """Return the active customers of a book; days past due are taken as computed, since they have a reference of their own."""
    zone, end = ZoneInfo(book.manifest.facts.time_zone), book.day_end(as_of)
    found: dict[str, Customer] = {}

    def rows(table: str) -> list[Row]:
        return _known(book, table, as_of, end) if table in book.tables else []

    def of(row: Row) -> Customer:
        dpd = book.definitions.dpd
        customer = Customer(as_of, dpd.threshold_absolute, dpd.threshold_relative)
        return found.setdefault(row["customer_id"], customer)

    for row in rows("customers"):
        of(row).standing = row
    for row in rows("loans"):
        of(row).loans[row["loan_id"]] = row
    owner = {loan_id: customer for customer in found.values() for loan_id in customer.loans}
    for table in ("instalments", "restructurings"):
        for row in rows(table):
            if row["loan_id"] in owner:
                getattr(owner[row["loan_id"]], table).append(row)
    for row in rows("bureau"):
        of(row).bureau.append(row)
    moments = {
        "transactions": "booked_at",
        "events": "occurred_at",
        "applications": "applied_at",
        "payments": "paid_at",
    }
    for table, moment in moments.items():
        for row in rows(table):
            local = row[moment].replace(tzinfo=ZoneInfo("UTC")).astimezone(zone)
            customer = owner.get(row["loan_id"]) if table == "payments" else of(row)
            if customer is not None:
                getattr(customer, table).append({**row, "day": local.date(), "hour": local.hour})
    ends_month = (as_of + timedelta(days=1)).day == 1
    ends = [as_of if ends_month else as_of.replace(day=1) - timedelta(days=1)]
    while len(ends) < 36 and ends[-1].replace(day=1) - timedelta(days=1) >= book.manifest.facts.first_day:
        ends.append(ends[-1].replace(day=1) - timedelta(days=1))
    days = ends if ends_month else [as_of, *ends]
    for row in _plain(performance(book, as_of=as_of, days=days).to_pandas()):
        of(row).months.append({**row, "ago": days.index(row["month_end"]) - (not ends_month)})
    active = {}
    everyone = [customer for customer in found.values() if customer.loans]
    for customer_id, customer in found.items():
        if any(
            row["balance"] is None or row["balance"] > 0 or (row["credit_limit"] or 0) > 0 for row in customer.open_now
        ):
            active[customer_id] = customer
            customer.everyone = everyone
    return active


def _known(book: Book, table: str, as_of: date, end: datetime) -> list[Row]:
    schema = TABLES[table]
    latest: dict[tuple[Any, ...], Row] = {}
    stored = pd.read_parquet(book.folder / f"{table}.parquet")
    stored = stored.loc[stored["known_at"] < end]
    if table in ("transactions", "events"):  # nothing looks further back than 180 days
        stored = stored.loc[stored[schema.occurred] > pd.Timestamp(as_of) - pd.Timedelta(days=190)]
    for row in sorted(_plain(stored), key=lambda row: row["known_at"]):
        latest[tuple(row[name] for name in schema.key)] = row
    kept = []
    for row in latest.values():
        moment = row[schema.occurred] if schema.occurred else None
        if moment is None or (moment < end if isinstance(moment, datetime) else moment <= as_of):
            hidden = [
                column.name for column in schema.columns if column.dated and _is_later(row[column.name], as_of, end)
            ]
            row = {**row, **dict.fromkeys([*hidden, *book.manifest.facts.current_only.get(table, [])])}
            if table == "applications" and row["decided_at"] is None:  # nobody knows since when (docs/checks.md)
                row["decision"] = None
            kept.append(row)
    return kept


def _is_later(moment: Any, as_of: date, end: datetime) -> bool:
    return moment is not None and (moment >= end if isinstance(moment, datetime) else moment > as_of)


def _plain(frame: pd.DataFrame) -> list[Row]:
    rows: list[Row] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    dates = {"month_end", "birth_date", "relationship_since", "effective_from"} & set(frame.columns)
    dates |= {name for name in frame.columns if name.endswith("_on")}
    for row in rows:
        row |= {name: row[name].date() for name in dates if isinstance(row[name], datetime)}
    return rows
