"""Each indicator from its meaning, in plain Python over one customer's rows: slow, and nothing of Ibis in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.book.schema import TABLES

Row = dict[str, Any]
Value = float | None


@dataclass
class Customer:
    """What is known of one customer at a date.

    `months` are its loans at month ends, `ago` 0 being the last one up to the date; a date inside a month has `ago` -1.
    """

    as_of: date
    standing: Row = field(default_factory=dict)
    loans: dict[str, Row] = field(default_factory=dict)
    months: list[Row] = field(default_factory=list)
    transactions: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    applications: list[Row] = field(default_factory=list)

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


def worst(rows: list[Row]) -> Value:
    return max((row["dpd"] for row in rows), default=None)


def asked(c: Customer) -> Value:
    """Return what the open loans ask for in a month."""
    asks = []
    for row in c.open_now:
        instalment = c.loans[row["loan_id"]]["instalment_amount"]
        asks.append({"ask": row["due_amount"] if instalment is None else instalment})
    return total(asks, "ask")


def income(c: Customer) -> Value:
    declared = c.standing.get("monthly_income")
    return None if declared is None else float(declared)


def positive(value: Value) -> Value:
    return value if value is not None and value > 0 else None


def salaries(c: Customer, months: int, *, to: int = 0) -> list[Row]:
    """Return the salary credits of the last calendar months, less those of the last `to`."""
    since, until = c.months_back(months), c.months_back(to)
    return [row for row in c.transactions if row["category"] == "salary" and since < row["day"] <= until]


def salary_3m(c: Customer) -> Value:
    recent = c.since(c.transactions, 180)
    return (total(salaries(c, 3), "amount") or 0.0) / 3 if recent else None


def salary_trend(c: Customer) -> Value:
    before = total(salaries(c, 5, to=2), "amount")
    return None if before is None else ratio((total(salaries(c, 2), "amount") or 0.0) / 2, before / 3)


def debits(c: Customer, days: int, *, to: int = 0) -> list[Row]:
    return [row for row in c.since(c.transactions, days, to=to) if row["amount"] < 0]


def usual_large(c: Customer) -> Value:
    before = [-float(row["amount"]) for row in debits(c, 180, to=30)]
    return float(np.quantile(before, 0.95)) if before else None


def largest_to_usual(c: Customer) -> Value:
    return ratio(max((-float(row["amount"]) for row in debits(c, 30)), default=None), usual_large(c))


def unusual(c: Customer) -> Value:
    usual = usual_large(c)
    return 0.0 if usual is None else float(sum(-float(row["amount"]) > 2 * usual for row in debits(c, 30)))


def spending_to_usual(c: Customer) -> Value:
    before = total(debits(c, 180, to=30), "amount")
    return None if before is None else ratio((total(debits(c, 30), "amount") or 0.0) / 30, before / 150)


def share(rows: list[Row], *, of: list[Row], amount: Callable[[Row], Any] = lambda _row: 1) -> Value:
    whole = float(sum(amount(row) for row in of))
    return float(sum(amount(row) for row in rows)) / whole if whole else None


def cash_share(c: Customer) -> Value:
    cash = [row for row in debits(c, 90) if row["channel"] == "atm"]
    return share(cash, of=debits(c, 90), amount=lambda row: row["amount"])


def risky_share(c: Customer) -> Value:
    recent = c.since(c.transactions, 90)
    risky = [row for row in recent if row["category"] in ("gambling", "payday_loan", "other_lender")]
    return share(risky, of=recent, amount=lambda row: abs(row["amount"]))


def by_card(c: Customer) -> list[Row]:
    return [row for row in c.since(c.transactions, 90) if row["channel"] in ("card", "atm")]


def savings_buffer(c: Customer) -> Value:
    recent = [row for row in c.since(c.transactions, 30) if row["balance_after"] is not None]
    spending = total(debits(c, 90), "amount")
    return ratio(ratio(total(recent, "balance_after"), len(recent)), -spending / 90 if spending else None)


def days_since_salary(c: Customer) -> Value:
    salary = [row for row in c.since(c.transactions, 180) if row["category"] == "salary"]
    return min(((c.as_of - row["day"]).days for row in salary), default=None)


def default_rate(c: Customer) -> Value:
    mature = [loan for loan in c.loans.values() if loan["opened_on"] <= c.months_back(12)]
    bad = [
        loan
        for loan in mature
        if any(row["written_off"] or row["dpd"] >= 90 for row in c.months if row["loan_id"] == loan["loan_id"])
    ]
    return ratio(float(len(bad)), float(len(mature)))


def opened_12m(c: Customer) -> Value:
    return float(sum(loan["opened_on"] > c.months_back(12) for loan in c.loans.values()))


def utilisation(c: Customer, months: int) -> Value:
    rows = [row for row in c.year if row["ago"] < months and row["open"]] if months else c.open_now
    revolving = [row for row in rows if (row["credit_limit"] or 0) > 0]
    return ratio(total(revolving, "balance"), total(revolving, "credit_limit"))


def loan_to_value(c: Customer) -> Value:
    secured = [row for row in c.open_now if (c.loans[row["loan_id"]]["collateral_value"] or 0) > 0]
    return ratio(total(secured, "balance"), total([c.loans[row["loan_id"]] for row in secured], "collateral_value"))


def balance_trend(c: Customer) -> Value:
    now, then = ([row for row in c.year if row["ago"] == ago and row["open"]] for ago in (0, 6))
    return ratio(total(now, "balance"), total(then, "balance"))


def since_late(c: Customer) -> Value:
    return min((row["ago"] for row in c.year if row["dpd"] > 0), default=12)


def late_months(c: Customer, dpd: int) -> Value:
    return float(len({row["ago"] for row in c.year if row["dpd"] >= dpd}))


def paid_share(c: Customer) -> Value:
    recent = [row for row in c.year if row["ago"] < 3]
    return ratio(total(recent, "paid_amount"), total(recent, "due_amount"))


def months_since(c: Customer, day: date | None) -> Value:
    return None if day is None else (c.as_of - day).days / 30.4375


def count_of(c: Customer, days: int, *kinds: str) -> Value:
    return float(sum(row["kind"] in kinds for row in c.since(c.events, days)))


def logins_to_usual(c: Customer) -> Value:
    before = [row for row in c.since(c.events, 180, to=30) if row["kind"] == "login"]
    return ratio(5 * (count_of(c, 30, "login") or 0.0), len(before))


def activity(c: Customer) -> Value:
    before = c.since(c.transactions, 180, to=7)
    return ratio(len(c.since(c.transactions, 7)) / 7, len(before) / 173)


def application_score(c: Customer) -> Value:
    accepted = [row for row in c.applications if row["decision"] == "accepted" and row["score"] is not None]
    return max(accepted, key=lambda row: row["applied_at"])["score"] if accepted else None


REFERENCES: dict[str, Callable[[Customer], Value]] = {
    "declared_income": income,
    "debt_service": asked,
    "exposure": lambda c: total(c.open_now, "balance"),
    "salary_3m": salary_3m,
    "salary_trend": salary_trend,
    "debt_to_income": lambda c: ratio(asked(c), positive(income(c))),
    "debt_to_salary": lambda c: ratio(asked(c), positive(salary_3m(c))),
    "exposure_to_income": lambda c: ratio(total(c.open_now, "balance"), positive(income(c))),
    "loan_to_value": loan_to_value,
    "savings_buffer": savings_buffer,
    "historical_default_rate": default_rate,
    "months_on_book": lambda c: months_since(c, min(loan["opened_on"] for loan in c.loans.values())),
    "loans_opened_12m": opened_12m,
    "relationship_months": lambda c: months_since(c, c.standing.get("relationship_since")),
    "age_years": lambda c: (c.as_of - c.standing["birth_date"]).days / 365.25 if c.standing.get("birth_date") else None,
    "application_score": application_score,
    "dpd_now": lambda c: worst(c.open_now),
    "arrears_instalments": lambda c: ratio(total(c.open_now, "arrears"), asked(c)),
    "worst_dpd_6m": lambda c: worst([row for row in c.year if row["ago"] < 6]),
    "worst_dpd_12m": lambda c: worst(c.year),
    "months_late_12m": lambda c: late_months(c, 1),
    "months_30plus_12m": lambda c: late_months(c, 30),
    "months_since_late": since_late,
    "paid_share_3m": paid_share,
    "sudden_large_debit": largest_to_usual,
    "unusual_debits_30d": unusual,
    "spending_to_usual": spending_to_usual,
    "count_7d_to_usual": activity,
    "cash_share_90d": cash_share,
    "risky_share_90d": risky_share,
    "night_share_90d": lambda c: share([row for row in by_card(c) if row["hour"] < 6], of=by_card(c)),
    "days_since_salary": days_since_salary,
    "lowest_balance_30d": lambda c: min(
        (float(row["balance_after"]) for row in c.since(c.transactions, 30) if row["balance_after"] is not None),
        default=None,
    ),
    "overdraft_days_90d": lambda c: float(
        len({row["day"] for row in c.since(c.transactions, 90) if (row["balance_after"] or 0) < 0})
    ),
    "utilisation_now": lambda c: utilisation(c, 0),
    "utilisation_6m": lambda c: utilisation(c, 6),
    "utilisation_rise": lambda c: (
        None if utilisation(c, 0) is None or utilisation(c, 6) is None else utilisation(c, 0) - utilisation(c, 6)
    ),
    "balance_trend_6m": balance_trend,
    "contact_changes_90d": lambda c: count_of(c, 90, "phone_changed", "address_changed", "device_changed"),
    "failed_logins_30d": lambda c: count_of(c, 30, "login_failed"),
    "logins_to_usual": logins_to_usual,
    "care_requests_180d": lambda c: count_of(c, 180, "hardship_requested", "limit_requested", "complaint"),
}  # fmt: skip


# --- the customers of a book -------------------------------------------------------------------------------------------


def customers(book: Book, as_of: date) -> dict[str, Customer]:
    """Return the active customers of a book; days past due are taken as computed, since they have a reference of their own."""
    zone, end = ZoneInfo(book.manifest.facts.time_zone), book.day_end(as_of)
    found: dict[str, Customer] = {}

    def rows(table: str) -> list[Row]:
        return _known(book, table, as_of, end) if table in book.tables else []

    def of(row: Row) -> Customer:
        return found.setdefault(row["customer_id"], Customer(as_of))

    for row in rows("customers"):
        of(row).standing = row
    for row in rows("loans"):
        of(row).loans[row["loan_id"]] = row
    for row in rows("applications"):
        of(row).applications.append(row)
    for table, moment, kept in (("transactions", "booked_at", "transactions"), ("events", "occurred_at", "events")):
        for row in rows(table):
            local = row[moment].replace(tzinfo=ZoneInfo("UTC")).astimezone(zone)
            getattr(of(row), kept).append({**row, "day": local.date(), "hour": local.hour})
    ends_month = (as_of + timedelta(days=1)).day == 1
    ends = [as_of if ends_month else as_of.replace(day=1) - timedelta(days=1)]
    while len(ends) < 36 and ends[-1].replace(day=1) - timedelta(days=1) >= book.manifest.facts.first_day:
        ends.append(ends[-1].replace(day=1) - timedelta(days=1))
    days = ends if ends_month else [as_of, *ends]
    for row in _plain(performance(book, as_of=as_of, days=days).to_pandas()):
        of(row).months.append({**row, "ago": days.index(row["month_end"]) - (not ends_month)})
    active = {}
    for customer_id, customer in found.items():
        if any(
            row["balance"] is None or row["balance"] > 0 or (row["credit_limit"] or 0) > 0 for row in customer.open_now
        ):
            active[customer_id] = customer
    return active


def _known(book: Book, table: str, as_of: date, end: datetime) -> list[Row]:
    schema = TABLES[table]
    latest: dict[tuple[Any, ...], Row] = {}
    stored = pd.read_parquet(book.folder / f"{table}.parquet")
    if table in ("transactions", "events"):  # nothing looks further back than 180 days
        stored = stored.loc[stored[schema.occurred] > pd.Timestamp(as_of) - pd.Timedelta(days=190)]
    for row in sorted(_plain(stored), key=lambda row: row["known_at"]):
        if row["known_at"] < end:
            latest[tuple(row[name] for name in schema.key)] = row
    kept = []
    for row in latest.values():
        moment = row[schema.occurred] if schema.occurred else None
        if moment is None or (moment < end if isinstance(moment, datetime) else moment <= as_of):
            kept.append({**row, **dict.fromkeys(book.manifest.facts.current_only.get(table, []))})
    return kept


def _plain(frame: pd.DataFrame) -> list[Row]:
    rows: list[Row] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    dates = {"month_end", "opened_on", "closed_on", "relationship_since", "birth_date"} & set(frame.columns)
    for row in rows:
        row |= {name: row[name].date() for name in dates if isinstance(row[name], datetime)}
    return rows
