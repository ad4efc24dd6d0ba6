"""Payments as rows: what was paid on which loan, when in the month, and of which kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from workbench.book.simulation.month.noise import LoanNoise
from workbench.book.simulation.state import CARD, Loans
from workbench.book.simulation.world import DAY_SECONDS, Bools, Floats, Ints


class PaymentKind(IntEnum):
    """Positions in `PAYMENT_KINDS`."""

    SCHEDULED = 0
    PREPAYMENT = 1
    REVERSAL = 2
    RECOVERY = 3


SMALLEST_PART_CENTS = 500
"""Nobody sends less than 5 EUR, unless that is all there is to pay."""
PAYMENT_KINDS = ("scheduled", "prepayment", "reversal", "recovery")


@dataclass
class Payments:
    """One entry a payment of the month, in the order of time; `second` counts from the month's first."""

    loan: Ints
    second: Ints
    amount: Ints  # cents
    kind: Ints
    reverses: Ints  # position in these arrays, -1 for none
    external: Bools  # not from the account here: paid by another lender, or booked by this one


def payment_second(loans: Loans, stress: Floats, behind: Bools, days: int, noise: LoanNoise) -> Ints:
    """When in the month each loan would be paid: debits on the due day, others days early or late, stress later."""
    offset = np.rint(-0.5 + 1.6 * noise.normal(20) + noise.exponential(21) * (1.0 + 5.0 * stress))
    offset = np.where(noise.uniform(22) < 0.03, offset + noise.whole(23, 3, 12), offset)
    offset = np.where(loans.by_debit & ~behind, noise.whole(24, 0, 2), np.clip(offset, -3, 14))
    earliest = np.where(loans.product == CARD, loans.due_day - 15, 0)
    day = np.clip(loans.due_day - 1 + offset.astype(np.int64), np.maximum(earliest, 0), days - 1)
    manual = np.clip(14 + 4 * noise.normal(25), 6, 22.9)
    hour = np.where(loans.by_debit & ~behind, 3 + noise.uniform(26), manual)
    second: Ints = day * DAY_SECONDS + np.floor(hour * 3_600).astype(np.int64)
    return second


@dataclass(frozen=True)
class Part:
    """Payments of one kind: amounts and seconds (m,); whether each reverses the row of the part before it."""

    amount: Ints
    second: Ints
    kind: PaymentKind
    reversal: bool = False
    external: bool = False


def stack_payments(parts: list[Part]) -> Payments:
    """Rows of every part whose amount is not 0, by time.

    >>> part = Part(np.array([0, 500]), np.array([10, 20]), PaymentKind.SCHEDULED)
    >>> stack_payments([part]).loan
    array([1])
    """
    rows = [np.flatnonzero(part.amount) for part in parts]
    ends = np.cumsum([len(row) for row in rows])
    loan = np.concatenate(rows)
    second = np.concatenate([part.second[row] for part, row in zip(parts, rows, strict=True)])
    amount = np.concatenate([part.amount[row] for part, row in zip(parts, rows, strict=True)])
    kind = np.concatenate([np.full(len(row), int(part.kind)) for part, row in zip(parts, rows, strict=True)])
    external = np.concatenate([np.full(len(row), part.external) for part, row in zip(parts, rows, strict=True)])
    before = np.full(len(loan), -1)
    for i, part in enumerate(parts):
        if part.reversal:
            before[ends[i - 1] : ends[i]] = np.arange(ends[i - 1] - len(rows[i - 1]), ends[i - 1])
    order = np.lexsort((kind, loan, second))
    rank = np.empty(len(loan), np.int64)
    rank[order] = np.arange(len(loan))
    target = before[order]
    reverses = np.where(target >= 0, rank[np.maximum(target, 0)], -1) if len(loan) else target
    return Payments(loan[order], second[order], amount[order], kind[order], reverses, external[order])
