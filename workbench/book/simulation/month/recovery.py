"""What comes back on debt that was written off."""

from __future__ import annotations

import numpy as np

from workbench.book.simulation.month.cashflow import Flows
from workbench.book.simulation.month.noise import LoanNoise
from workbench.book.simulation.state import AUTO, WRITTEN_OFF, Loans, first_of_customer
from workbench.book.simulation.world import Ints

RECOVERY_CHANCE, RECOVERY_SHARE, RECOVERY_MONTHS, RECOVERY_DECAY_MONTHS = 0.22, 0.06, 36, 30
REPOSSESSION_MONTHS, REPOSSESSION_PRICE = (3, 16), 0.55
"""A car is sold so many months after the write-off, one car sooner than another, at a share of what it is then worth."""
CAR_DECAY = 0.985
"""A month: what a car is worth falls by 17 % a year (house choice)."""


def recover(loans: Loans, flows: Flows, t: int, noise: LoanNoise) -> tuple[Ints, Ints]:
    """Return what comes back on written-off debt: instalments, fewer with time; and the price of the car."""
    lost = (loans.status == WRITTEN_OFF) & (loans.balance > 0)
    age = t - loans.closed_t
    due = lost & (age >= 1) & (age <= RECOVERY_MONTHS)
    worth = loans.collateral * CAR_DECAY ** (t - loans.open_t)
    price = np.minimum(np.rint(REPOSSESSION_PRICE * worth).astype(np.int64), loans.balance)
    sale = REPOSSESSION_MONTHS[0] + (loans.due_day * 7 + loans.open_day) % (
        REPOSSESSION_MONTHS[1] - REPOSSESSION_MONTHS[0]
    )
    sold = np.where(lost & (age == sale) & (loans.product == AUTO), price, 0)
    wish = np.minimum(np.rint(RECOVERY_SHARE * loans.balance).astype(np.int64) + 1_000, loans.balance - sold)
    chance = RECOVERY_CHANCE * np.exp(-age / RECOVERY_DECAY_MONTHS)
    pays = due & (noise.uniform(13) < chance) & (flows.budget[loans.customer] > 4 * wish) & ~loans.stopped
    recovered = np.where(first_of_customer(loans, pays), wish, 0)
    loans.balance -= recovered + sold
    return recovered, sold
