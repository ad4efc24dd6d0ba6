"""The bases: tables prepared once, as known at the observation date, that indicators aggregate by customer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis

from workbench.indicators.bases import accounts, customers, loans
from workbench.indicators.snapshot import Snapshot

PERFORMANCE = frozenset({"loans"})  # and instalments with payments, or performance: `performance` says which is missing


@dataclass(frozen=True)
class Base:
    """A table by customer.

    Attributes
    ----------
    prepare
        Makes it from the customers of a snapshot, on the book's engine.
    tables
        What it needs.
    combine
        Where other customers enter: makes the base from what `prepare` gave of all customers, in memory.
    """

    prepare: Callable[[Snapshot], ibis.Table]
    tables: frozenset[str]
    combine: Callable[[ibis.Table], ibis.Table] | None = None


BASES: dict[str, Base] = {
    "standing": Base(customers.standing, frozenset({"customers"})),
    "loans_now": Base(loans.loans_now, PERFORMANCE),
    "loan_months": Base(loans.loan_months, PERFORMANCE),
    "loans_ever": Base(loans.loans_ever, PERFORMANCE),
    "dues": Base(loans.dues, frozenset({"instalments", "payments"})),
    "prepayments": Base(loans.prepayments, frozenset({"payments"})),
    "restructurings": Base(loans.restructurings, frozenset({"restructurings"})),
    "peers": Base(loans.own_record, PERFORMANCE, combine=loans.peers),
    "transactions": Base(accounts.transactions, frozenset({"transactions"})),
    "recent_debits": Base(accounts.recent_debits, frozenset({"transactions"})),
    "recent_counterparties": Base(accounts.recent_counterparties, frozenset({"transactions"})),
    "weeks": Base(accounts.weeks, frozenset({"transactions"})),
    "events": Base(customers.events, frozenset({"events"})),
    "applications": Base(customers.applications, frozenset({"applications"})),
    "latest_report": Base(customers.latest_report, frozenset({"bureau"})),
}
