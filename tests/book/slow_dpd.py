"""Days past due by the definition: slow, plain, in Decimal.

Written from docs/architecture.md, "Definitions" and "Known when", and `params/definitions.yaml`; it shares no code with
`workbench.book`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]


def local_day(moment: datetime, zone: str) -> date:
    """Return the business day in which a UTC instant falls."""
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()


def utc(day: date, clock: str, zone: str) -> datetime:
    """Return the UTC instant of a local day and clock time."""
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


def known(rows: Iterable[Row], *, key: tuple[str, ...], as_of: date, zone: str) -> list[Row]:
    """Return the latest version of each row that was known at the end of `as_of`."""
    latest: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        name = tuple(row[column] for column in key)
        seen = local_day(row["known_at"], zone) <= as_of
        if seen and (name not in latest or latest[name]["known_at"] < row["known_at"]):
            latest[name] = row
    return list(latest.values())


class LoanAsKnown:
    """One loan with its dues and payments as known at the end of `as_of`."""

    def __init__(self, tables: dict[str, list[Row]], *, as_of: date, zone: str, thresholds: Row) -> None:
        """Take the rows of one loan, all versions, by table."""
        self.zone, self.thresholds = zone, thresholds
        loans = known(tables["loans"], key=("loan_id",), as_of=as_of, zone=zone)
        self.loan = loans[0] if loans and loans[0]["opened_on"] <= as_of else None
        dues = known(
            tables["instalments"], key=("loan_id", "schedule_version", "instalment_no"), as_of=as_of, zone=zone
        )
        self.dues = [due for due in dues if due["effective_from"] <= as_of]
        payments = known(tables["payments"], key=("payment_id",), as_of=as_of, zone=zone)
        self.payments = [row for row in payments if local_day(row["paid_at"], zone) <= as_of]

    def dues_in_force(self, last: date) -> list[Row]:
        """Return what the schedules ask for up to `last`: each new version replaces the older from its start."""
        starts: dict[int, date] = {}
        for due in self.dues:
            version = due["schedule_version"]
            starts[version] = min(due["effective_from"], starts.get(version, date.max))
        in_force = []
        for due in self.dues:
            version = due["schedule_version"]
            begun = version == min(starts) or due["due_on"] >= starts[version]
            replaced = any(start <= due["due_on"] for later, start in starts.items() if later > version)
            if begun and not replaced and due["due_on"] <= last:
                in_force.append(due)
        return sorted(in_force, key=lambda row: row["due_on"])

    def paid(self, last: date) -> Decimal:
        """Return what was paid on dues up to `last`; a reversal is of the kind of what it reverses."""
        kinds = {row["payment_id"]: row["kind"] for row in self.payments}
        total = Decimal(0)
        for row in self.payments:
            kind = kinds.get(row["reverses"], "scheduled") if row["kind"] == "reversal" else row["kind"]
            if kind == "scheduled" and local_day(row["paid_at"], self.zone) <= last:
                total += row["amount"]
        return total

    def dpd(self, day: date) -> tuple[int, Decimal] | None:
        """Return days past due and arrears at the end of `day`; None where the loan is not known or not open yet."""
        loan = self.loan
        if loan is None or loan["opened_on"] > day:
            return None
        written_off = loan["written_off_on"] is not None and loan["written_off_on"] <= day
        closed = loan["closed_on"] is not None and loan["closed_on"] <= day
        if closed and not written_off:
            return 0, Decimal(0)
        last = loan["written_off_on"] if written_off else day
        paid = self.paid(last)
        size = (loan["principal"] or Decimal(0)) + (loan["credit_limit"] or Decimal(0))
        cumulative, oldest = Decimal(0), None
        for due in self.dues_in_force(last):
            cumulative += due["due_amount"]
            missing = cumulative - paid
            above = missing > self.thresholds["absolute"] and missing > self.thresholds["relative"] * size
            if oldest is None and above:
                oldest = due["due_on"]
        if oldest is None:
            return 0, Decimal(0)
        return (last - oldest).days, cumulative - paid


def slow_performance(
    tables: dict[str, list[Row]], *, as_of: date, days: Iterable[date], zone: str, thresholds: Row
) -> dict[tuple[str, date], tuple[int, Decimal]]:
    """Return days past due and arrears by loan and day, of the loans that are known and open."""
    by_loan: dict[str, dict[str, list[Row]]] = {}
    for name in ("loans", "instalments", "payments"):
        for row in tables[name]:
            by_loan.setdefault(row["loan_id"], {"loans": [], "instalments": [], "payments": []})[name].append(row)
    found = {}
    for loan_id, rows in by_loan.items():
        seen = LoanAsKnown(rows, as_of=as_of, zone=zone, thresholds=thresholds)
        for day in days:
            answer = seen.dpd(day)
            if answer is not None:
                found[loan_id, day] = answer
    return found
