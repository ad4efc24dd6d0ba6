"""Sudden things that happen to an account: harmful incidents, and benign look-alikes of overlapping size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.population import RETIRED, Population
from workbench.book.simulation.state import State
from workbench.book.simulation.world import Bools, Draw, Floats, Ints, Stream, cents

# Chances a customer-month, all house choices: harmful ones are rare, look-alikes many times more frequent.
TAKEOVER, BIG_DEBIT, BONUS, TRAVEL, PURCHASE, NEW_PHONE = 0.0003, 0.0010, 0.006, 0.015, 0.005, 0.008
REFUND_SHARE = 0.6
"""Take-overs whose loss the bank gives back in the next month."""
TAKEOVER_LIMIT_EUR = 4_000.0


@dataclass
class Incidents:
    """What happens in one month; amounts and wishes in cents (n,). Losses of income come from `economy`."""

    takeover: Ints
    big_debit: Ints
    bonus: Ints
    travel_wish: Ints
    purchase_wish: Ints
    phone_wish: Ints
    refunded: Bools
    day: Ints  # of the month, from 1


def draw_incidents(state: State, population: Population, draw: Draw) -> Incidents:
    """Return the month's incidents; wishes (travel, purchase, phone) come true only as far as the cash goes."""
    rng = draw(Stream.INCIDENTS)
    n = population.size
    u = rng.random((6, n))
    size = rng.random((6, n))
    visible = ~population.hidden
    rich = state.cash > cents(0.8 * state.income)

    def amount(mask: Bools, low: float, high: float, row: int) -> Ints:
        share: Floats = low + (high - low) * size[row] ** 2
        return np.where(mask, cents(share * state.income), 0)

    loss = np.minimum(0.3 + 0.7 * size[0], 1.0) * np.clip(state.cash, 0, cents(np.full(n, TAKEOVER_LIMIT_EUR)))
    robbed = visible & (u[0] < TAKEOVER) & (state.cash > 30_000)
    return Incidents(
        takeover=np.where(robbed, np.rint(loss), 0).astype(np.int64),
        big_debit=amount(u[1] < BIG_DEBIT, 0.5, 3.0, 1),
        bonus=amount((u[2] < BONUS) & (population.occupation != RETIRED), 0.4, 2.5, 2),
        travel_wish=amount((u[3] < TRAVEL) & rich, 0.3, 1.5, 3),
        purchase_wish=amount((u[4] < PURCHASE) & rich, 0.5, 3.0, 4),
        phone_wish=np.where(u[5] < NEW_PHONE, cents(250 + 1_000 * size[5]), 0),
        refunded=rng.random(n) < REFUND_SHARE,
        day=rng.integers(2, 25, n),
    )
