"""Payments as rows: what was paid on which loan, when in the month, and of which kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from workbench.book.simulation.state import CARD, Loans
from workbench.book.simulation.world import DAY_SECONDS, Bools, Floats, Ints


class PaymentKind(IntEnum):
    """Positions in `PAYMENT_KINDS`."""

    SCHEDULED = 0
    PREPAYMENT = 1
    REVERSAL = 2
    RECOVERY = 3


PAYMENT_KINDS = ("scheduled", "prepayment", "reversal", "recovery")


@dataclass
class Payments:
    """One entry a payment of the month, in the order of time; `second` counts from the month's first."""

    loan: Ints
    second: Ints
    amount: Ints  # cents
    kind: Ints
    reverses: Ints  # position in these arrays, -1 for none
    external: Bools  # paid by another lender, not from the account here


def payment_second(loans: Loans, stress: Floats, behind: Bools, days: int, rng: np.random.Generator) -> Ints:
    """When in the month each loan would be paid: debits on the due day, others days early or late, stress later."""
    m = loans.size
    offset = np.rint(rng.normal(-0.5, 1.6, m) + rng.exponential(1.0 + 5.0 * stress, m))
    offset = np.where(rng.random(m) < 0.03, offset + rng.integers(3, 12, m), offset)
    offset = np.where(loans.by_debit & ~behind, rng.integers(0, 2, m), np.clip(offset, -3, 14))
    earliest = np.where(loans.product == CARD, loans.due_day - 15, 0)
    day = np.clip(loans.due_day - 1 + offset.astype(np.int64), np.maximum(earliest, 0), days - 1)
    manual = np.clip(14 + 4 * rng.standard_normal(m), 6, 22.9)
    hour = np.where(loans.by_debit & ~behind, 3 + rng.random(m), manual)
    second: Ints = day * DAY_SECONDS + np.floor(hour * 3_600).astype(np.int64)
    return second


def stack_payments(parts: list[tuple[Ints, Ints, PaymentKind, bool]]) -> Payments:
    """Rows of every part (amounts (m,), seconds (m,), kind, whether it reverses the part before) by time.

    >>> part = (np.array([0, 500]), np.array([10, 20]), PaymentKind.SCHEDULED, False)
    >>> stack_payments([part]).loan
    array([1])
    """
    loan, second, amount, kind, reverses = [], [], [], [], []
    count, positions = 0, np.zeros(0, np.int64)
    for amounts, seconds, what, reversal in parts:
        rows = np.flatnonzero(amounts)
        loan.append(rows)
        second.append(seconds[rows])
        amount.append(amounts[rows])
        kind.append(np.full(len(rows), int(what)))
        reverses.append(positions if reversal else np.full(len(rows), -1))
        positions = count + np.arange(len(rows))
        count += len(rows)
    where, when = np.concatenate(loan), np.concatenate(second)
    order = np.lexsort((np.concatenate(kind), where, when))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    target = np.concatenate(reverses)[order]
    return Payments(
        loan=where[order],
        second=when[order],
        amount=np.concatenate(amount)[order],
        kind=np.concatenate(kind)[order],
        reverses=np.where(target >= 0, rank[np.maximum(target, 0)] if count else target, -1),
        external=np.zeros(count, np.bool_),
    )
