"""Cards: what is paid above the minimum, interest, and new purchases."""

from __future__ import annotations

import numpy as np

from workbench.book.simulation.month.cashflow import Flows
from workbench.book.simulation.month.noise import LoanNoise
from workbench.book.simulation.month.payments import SMALLEST_PART_CENTS
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import CARD, Loans, State, by_customer
from workbench.book.simulation.world import Ints, cents

TAMED_USE = 0.5
"""Purchases on a card while a helpful limit cut or call lasts, as a share of what they would have been."""
CARD_USE_ABOVE_HABIT = 0.2
"""Purchases on a card that is used more than its owner is used to, as a share."""
PURCHASES_TO_INCOME, PURCHASES_UNDER_STRESS = 0.09, 0.3
"""Purchases a month wished for, as a share of income; what stress adds to the factor 1."""
HABIT_TRANSACTOR, HABIT_REVOLVER, REVOLVER_CURVE = (0.05, 0.6), (0.18, 2.3), 1.5
"""The use of the limit that an owner is used to, `a + b impulse`; for revolvers `a + b impulse^curve`, so that a few live
at the limit (calibrated to cards with over 90 % used)."""
FULL_SHARE = 0.98
"""Purchases are refused above this share of the limit."""


def card_extra(loans: Loans, population: Population, scheduled: Ints, spare: Ints) -> Ints:
    """Transactors pay the whole card balance, revolvers a little more than the minimum, where money is left."""
    card = loans.is_open & (loans.product == CARD) & (scheduled >= loans.arrears) & ~loans.stopped
    left = np.maximum(loans.balance - scheduled, 0)
    wish = np.where(population.transactor[loans.customer], left, np.minimum(scheduled // 2, left))
    extra = np.minimum(wish, spare[loans.customer])
    return np.where(card & ((extra >= SMALLEST_PART_CENTS) | ((extra == left) & (extra > 0))), extra, 0)


def card_month(loans: Loans, population: Population, state: State, flows: Flows, t: int, noise: LoanNoise) -> None:
    """Interest on what stays, then new purchases within the limit; purchases replace spending from the account."""
    card = loans.is_open & (loans.product == CARD) & (loans.open_t < t)
    use = 0.5 * (noise.exponential(9) + noise.exponential(10))
    loans.balance += np.where(card, np.rint(loans.balance * loans.rate / 12), 0).astype(np.int64)
    usable = card & (loans.dpd < 30) & (loans.arrears < loans.limit // 5)
    income = state.income[loans.customer]
    wanted = PURCHASES_TO_INCOME * income * use * (1 + PURCHASES_UNDER_STRESS * state.stress[loans.customer])
    impulse = population.impulse[loans.customer]
    transactor = HABIT_TRANSACTOR[0] + HABIT_TRANSACTOR[1] * impulse
    revolver = HABIT_REVOLVER[0] + HABIT_REVOLVER[1] * impulse**REVOLVER_CURVE
    habit = np.where(population.transactor[loans.customer], transactor, revolver)
    wanted = np.where(loans.balance > loans.limit * habit, CARD_USE_ABOVE_HABIT * wanted, wanted)
    wanted = np.where(state.tamed_months[loans.customer] > 0, TAMED_USE * wanted, wanted)
    wanted = np.where(population.keeps_card_unused[loans.customer], 0.0, wanted)
    planned = cents(wanted) + flows.on_card[loans.customer]
    planned = np.where(population.fraudster[loans.customer], loans.limit, planned)
    room = np.maximum(np.floor(FULL_SHARE * loans.limit).astype(np.int64) - loans.balance, 0)
    bought = np.where(usable, np.minimum(planned, room), 0)
    loans.balance += bought
    saved = np.minimum(by_customer(loans, bought, population.size), flows.fun_wish * 4 // 10)
    flows.fun_wish = flows.fun_wish - saved
