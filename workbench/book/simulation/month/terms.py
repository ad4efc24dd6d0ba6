"""The annuity loan: instalments, schedule and dues."""

from __future__ import annotations

import numpy as np

from workbench.book.simulation.state import CARD, Loans, by_customer
from workbench.book.simulation.world import Floats, Ints

CARD_MINIMUM_SHARE = 0.04
CARD_MINIMUM_CENTS = 2_500
STATEMENT_TO_DUE_DAYS = 20


def annuity_instalment(principal: Ints, rate: Floats, term: Ints) -> Ints:
    """Level monthly instalment in cents: `P i / (1 - (1 + i) ** -n)` with `i = rate / 12`.

    >>> annuity_instalment(np.array([1_000_000]), np.array([0.12]), np.array([12]))
    array([88849])
    """
    monthly = rate / 12
    return np.rint(principal * monthly / (1 - (1 + monthly) ** -term)).astype(np.int64)


def after_due(balance: Ints, rate: Floats, instalment: Ints) -> Ints:
    """Principal not yet due after one more instalment, interest rounded to the cent."""
    return balance + np.rint(balance * rate / 12).astype(np.int64) - instalment


def last_instalment(principal: Ints, rate: Floats, term: Ints, instalment: Ints) -> Ints:
    """Return the final instalment: what brings the schedule to exactly zero."""
    balance = principal.copy()
    for k in range(1, int(term.max(initial=0))):
        balance = np.where(k < term, after_due(balance, rate, instalment), balance)
    return balance + np.rint(balance * rate / 12).astype(np.int64)


def monthly_dues(loans: Loans, customers: int) -> Ints:
    """Dues a month of each customer's open loans, cards at their minimum on the whole limit, in cents."""
    due = np.where(loans.product == CARD, (CARD_MINIMUM_SHARE * loans.limit).astype(np.int64), loans.instalment)
    return by_customer(loans, np.where(loans.is_open, due, 0), customers)
