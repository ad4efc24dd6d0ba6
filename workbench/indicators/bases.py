"""The bases: tables prepared once, as known at the observation date, that indicators aggregate by customer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis
from ibis import _

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.dates import month_end
from workbench.indicators.registry import At

MONTHS_OF_HISTORY = 12
DAYS_OF_HISTORY = 180


def standing(book: Book, at: At) -> ibis.Table:
    """Customers: one row each, with declared income and dates."""
    rows = book.as_known("customers", as_of=at.as_of)
    return rows.mutate(monthly_income=rows.monthly_income.cast("float64"))


def loans_now(book: Book, at: At) -> ibis.Table:
    """Loans that are open at the date: DPD, balance and limit beside the contract's terms."""
    rows = performance(book, as_of=at.as_of)
    terms = book.as_known("loans", as_of=at.as_of).select(
        "loan_id", "instalment_amount", "principal", "collateral_value"
    )
    return rows.filter(_.open).join(terms, "loan_id")


def loan_months(book: Book, at: At) -> ibis.Table:
    """Loans at the date and at the eleven month ends before it, with DPD, balance, due and paid; `months_ago` from 0."""
    days = [at.as_of, *(month_end(at.as_of, months=-months) for months in range(1, MONTHS_OF_HISTORY))]
    rows = performance(book, as_of=at.as_of, days=days)
    steps = ibis.memtable(
        [(day, ago) for ago, day in enumerate(days)], schema={"month_end": "date", "months_ago": "int64"}
    )
    return rows.filter(_.open | _.written_off).join(steps, "month_end")


def loans_ever(book: Book, at: At) -> ibis.Table:
    """Loans ever known, with the worst DPD at any month end since opening, for the record of earlier loans."""
    first = book.manifest.facts.first_day
    days = [at.as_of]
    while (earlier := month_end(at.as_of, months=-len(days))) >= first and len(days) < 36:
        days.append(earlier)
    worst = (
        performance(book, as_of=at.as_of, days=days)
        .group_by("loan_id")
        .aggregate(worst_dpd=_.dpd.max(), written_off=_.written_off.any())
    )
    loans = book.as_known("loans", as_of=at.as_of).select("loan_id", "customer_id", "opened_on", "closed_on")
    joined = loans.left_join(worst, "loan_id").drop("loan_id_right")
    mature = joined.opened_on <= at.months_back(book.definitions.mature_months)
    bad = joined.written_off | (joined.worst_dpd >= book.definitions.target.bad_dpd)
    return joined.mutate(mature=mature, bad=ibis.coalesce(bad, False))


def transactions(book: Book, at: At) -> ibis.Table:
    """Account transactions of the last 180 days; `booked_on` its day (UTC)."""
    rows = book.as_known("transactions", as_of=at.as_of)
    rows = rows.filter(_.booked_at >= book.day_end(at.days_back(DAYS_OF_HISTORY)))
    return rows.select(
        "customer_id",
        "channel",
        "category",
        "booked_at",
        "amount",
        "balance_after",
        booked_on=_.booked_at.date(),
    )


def recent_debits(book: Book, at: At) -> ibis.Table:
    """Debits of the last 30 days beside `usual_large`, the 95th percentile of the customer's own in the 150 days before."""
    debits = transactions(book, at).filter(_.amount < 0).mutate(size=-_.amount.cast("float64"))
    before = debits.filter(_.booked_on <= at.days_back(30))
    usual = before.group_by("customer_id").aggregate(usual_large=before["size"].quantile(0.95))
    recent = debits.filter(_.booked_on > at.days_back(30))
    return recent.left_join(usual, "customer_id").drop("customer_id_right")


def events(book: Book, at: At) -> ibis.Table:
    """What the customer did or asked in the last 180 days; `occurred_on` its day (UTC)."""
    rows = book.as_known("events", as_of=at.as_of)
    rows = rows.filter(_.occurred_at >= book.day_end(at.days_back(DAYS_OF_HISTORY)))
    return rows.select("customer_id", "kind", occurred_on=_.occurred_at.date())


def applications(book: Book, at: At) -> ibis.Table:
    """Applications known at the date."""
    return book.as_known("applications", as_of=at.as_of)


Base = Callable[[Book, At], Any]
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
