"""Early repayment: of the whole balance, or of a part for which the schedule is recast."""

from __future__ import annotations

import numpy as np

from workbench.book.simulation.month.noise import LoanNoise
from workbench.book.simulation.state import CARD, Loans, State, by_customer, first_of_customer
from workbench.book.simulation.world import Bools, Ints

REFINANCE_CHANCE = np.array([0.006, 0.013, 0.0])
"""A month, by product: another lender pays the whole balance."""
PREPAY_CHANCE = 0.10
"""A month, for a customer whose cash covers the balance twice."""
PART_CHANCE, PART_SHARE = 0.006, 0.25
"""A month, for a customer whose cash covers twice such a share of the balance: the schedule is recast for it."""


def prepay(loans: Loans, state: State, unpaid: Ints, t: int, noise: LoanNoise) -> tuple[Ints, Bools]:
    """Early repayment of the whole balance: from own cash, or by another lender's loan that goes straight here."""
    able = loans.is_open & (loans.product != CARD) & (unpaid <= 0) & (loans.dues >= 3) & (loans.balance > 0)
    able &= (loans.open_t < t) & ~loans.stopped
    rich = state.cash[loans.customer] > 2 * loans.balance
    from_cash = able & rich & (noise.uniform(11) < PREPAY_CHANCE)
    once = first_of_customer(loans, from_cash)
    refinanced = able & ~from_cash & (noise.uniform(12) < REFINANCE_CHANCE[loans.product])
    prepaid = np.where(once | refinanced, loans.balance, 0)
    loans.balance -= prepaid
    return prepaid, once


def prepay_part(loans: Loans, state: State, unpaid: Ints, prepaid: Ints, t: int, noise: LoanNoise) -> Ints:
    """Early repayment of a part of the balance from own cash; `treatments.recast` lowers the instalments next month."""
    able = loans.is_open & (loans.product != CARD) & (unpaid <= 0) & (loans.dues >= 3) & (loans.term - loans.dues >= 4)
    able &= (loans.open_t < t) & ~loans.stopped & (prepaid == 0)
    part = np.floor(PART_SHARE * loans.balance / 10_000).astype(np.int64) * 10_000
    affordable = state.cash[loans.customer] > 2 * part
    mask = first_of_customer(loans, able & affordable & (part > 0) & (noise.uniform(15) < PART_CHANCE))
    whole = by_customer(loans, prepaid, len(state.income)) > 0
    amount = np.where(mask & ~whole[loans.customer], part, 0)
    loans.balance -= amount
    return amount
