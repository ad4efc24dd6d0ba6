"""The bases: tables prepared once, as known at the observation date, that indicators aggregate by customer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import ibis
from ibis import _

from workbench.book.book import Book
from workbench.book.performance import is_active, performance, states_dpd
from workbench.core.dates import last_month_end, month_end, utc_offsets
from workbench.indicators.registry import At

MONTHS_OF_HISTORY = 12
MONTHS_EVER = 36  # how far back the record of earlier loans is read. House choice: three years
DAYS_OF_HISTORY = 180


class Snapshot:
    """A book at an observation date; what several bases share is computed once."""

    def __init__(self, book: Book, at: At) -> None:
        self.book = book
        self.at = at

    def table(self, name: str) -> ibis.Table:
        """Return a canonical table as known at the date."""
        return self.book.as_known(name, as_of=self.at.as_of)

    @cached_property
    def loan_days(self) -> ibis.Table:
        """Return every loan at the date itself and at month ends, kept in the engine.

        `months_ago` counts month ends back from 0, the last one up to the date; a date inside a month is -1. Flows and
        balances are stated by month, so that only month ends may be compared with each other.
        """
        first = self.book.manifest.facts.first_day
        last = last_month_end(self.at.as_of)
        ends = [month_end(last, months=-ago) for ago in range(MONTHS_EVER)]
        days = {day: ago for ago, day in enumerate(ends) if day >= first or ago == 0}
        days.setdefault(self.at.as_of, -1)
        rows = performance(self.book, as_of=self.at.as_of, days=list(days))
        steps = ibis.memtable(list(days.items()), schema={"month_end": "date", "months_ago": "int64"})
        return rows.join(steps, "month_end").cache()

    @cached_property
    def now(self) -> ibis.Table:
        """Return every loan at the date itself."""
        return self.loan_days.filter(_.month_end == self.at.as_of)

    @cached_property
    def active(self) -> ibis.Table:
        """Return the active customers; where the book does not say how loans are paid, those with an open loan."""
        if states_dpd(self.book.tables):
            loans = self.now.filter(is_active(self.now))
        else:
            loans = self.table("loans").filter(_.closed_on.isnull(), _.written_off_on.isnull())
        return loans.select("customer_id").distinct()


def standing(snapshot: Snapshot) -> ibis.Table:
    """Customers: one row each, with declared income and dates."""
    rows = snapshot.table("customers")
    return rows.mutate(monthly_income=rows.monthly_income.cast("float64"))


def loans_now(snapshot: Snapshot) -> ibis.Table:
    """Loans that are open at the date: DPD, balance and limit beside the contract's terms."""
    terms = snapshot.table("loans").select("loan_id", "instalment_amount", "principal", "collateral_value")
    return snapshot.now.filter(_.open).join(terms, "loan_id")


def loan_months(snapshot: Snapshot) -> ibis.Table:
    """Loans at the last twelve month ends up to the date, with DPD, balance, due and paid; `months_ago` from 0."""
    within = (_.months_ago >= 0) & (_.months_ago < MONTHS_OF_HISTORY)
    return snapshot.loan_days.filter(within, _.open | _.written_off)


def loans_ever(snapshot: Snapshot) -> ibis.Table:
    """Loans ever known, with whether they went bad at any month end of the last three years, for the record."""
    definitions = snapshot.book.definitions
    worst = snapshot.loan_days.group_by("loan_id").aggregate(worst_dpd=_.dpd.max(), written_off=_.written_off.any())
    loans = snapshot.table("loans").select("loan_id", "customer_id", "opened_on", "closed_on")
    joined = loans.left_join(worst, "loan_id").drop("loan_id_right")
    mature = joined.opened_on <= snapshot.at.months_back(definitions.mature_months)
    bad = joined.written_off | (joined.worst_dpd >= definitions.target.bad_dpd)
    return joined.mutate(mature=mature, bad=ibis.coalesce(bad, False))


def transactions(snapshot: Snapshot) -> ibis.Table:
    """Account transactions of the last 180 days; `booked_at` in the book's time zone, `booked_on` its day."""
    rows = snapshot.table("transactions")
    rows = rows.filter(_.booked_at >= snapshot.book.day_end(snapshot.at.days_back(DAYS_OF_HISTORY)))
    rows = rows.mutate(booked_at=_local_time(snapshot, rows.booked_at))
    return rows.select(
        "customer_id",
        "channel",
        "category",
        "booked_at",
        "amount",
        "balance_after",
        booked_on=_.booked_at.date(),
    )


def _local_time(snapshot: Snapshot, moment: Any) -> Any:
    """Return an instant of the last 180 days as the clock of the book's time zone showed it: its date is the business day."""
    book, at = snapshot.book, snapshot.at
    first, *changes = utc_offsets(
        book.manifest.facts.time_zone, book.day_end(at.days_back(DAYS_OF_HISTORY)), book.day_end(at.as_of)
    )
    local = moment + ibis.interval(seconds=int(first[1].total_seconds()))
    for since, offset in changes:
        later = moment + ibis.interval(seconds=int(offset.total_seconds()))
        local = ibis.ifelse(moment >= since, later, local)
    return local


def recent_debits(snapshot: Snapshot) -> ibis.Table:
    """Debits of the last 30 days beside `usual_large`, the 95th percentile of the customer's own in the 150 days before."""
    debits = transactions(snapshot).filter(_.amount < 0).mutate(size=-_.amount.cast("float64"))
    before = debits.filter(_.booked_on <= snapshot.at.days_back(30))
    usual = before.group_by("customer_id").aggregate(usual_large=before["size"].quantile(0.95))
    recent = debits.filter(_.booked_on > snapshot.at.days_back(30))
    return recent.left_join(usual, "customer_id").drop("customer_id_right")


def events(snapshot: Snapshot) -> ibis.Table:
    """What the customer did or asked in the last 180 days; `occurred_on` its business day."""
    rows = snapshot.table("events")
    rows = rows.filter(_.occurred_at >= snapshot.book.day_end(snapshot.at.days_back(DAYS_OF_HISTORY)))
    return rows.select("customer_id", "kind", occurred_on=_local_time(snapshot, rows.occurred_at).date())


def applications(snapshot: Snapshot) -> ibis.Table:
    """Applications known at the date."""
    return snapshot.table("applications")


Base = Callable[[Snapshot], Any]
PERFORMANCE = frozenset({"loans"})  # and instalments with payments, or performance: `performance` says which is missing

BASES: dict[str, tuple[Base, frozenset[str]]] = {
    "standing": (standing, frozenset({"customers"})),
    "loans_now": (loans_now, PERFORMANCE),
    "loan_months": (loan_months, PERFORMANCE),
    "loans_ever": (loans_ever, PERFORMANCE),
    "transactions": (transactions, frozenset({"transactions"})),
    "recent_debits": (recent_debits, frozenset({"transactions"})),
    "events": (events, frozenset({"events"})),
    "applications": (applications, frozenset({"applications"})),
}
