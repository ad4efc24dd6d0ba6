"""Sudden things that happen to an account: harmful incidents, and benign look-alikes of overlapping size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.population import RETIRED, Population
from workbench.book.simulation.state import State
from workbench.book.simulation.world import Bools, Draw, Floats, Ints, Stream, cents

# Chances a customer-month, all house choices: harmful ones are rare, look-alikes more than ten times as frequent.
TAKEOVER, BIG_DEBIT = 0.0004, 0.0008
BONUS, TRAVEL, PURCHASE, NEW_PHONE, HOUSE = 0.020, 0.048, 0.022, 0.018, 0.0015
REFUND_SHARE = 0.6
"""Take-overs whose loss the bank gives back in the next month."""
TAKEOVER_LIMIT_EUR = 4_000.0


@dataclass
class Incidents:
    """What happens in one month; amounts and wishes in cents (n,). Losses of income come from `stress`."""

    takeover: Ints
    big_debit: Ints
    bonus: Ints
    travel_wish: Ints
    purchase_wish: Ints
    phone_wish: Ints
    house_wish: Ints
    refunded: Bools
    day: Ints  # of the month, from 1


def draw_incidents(state: State, population: Population, t: int, draw: Draw) -> Incidents:
    """Return the month's incidents; wishes (travel, purchase, phone, house) come true only as far as the cash goes."""
    rng = draw(Stream.INCIDENTS)
    n = population.size
    u = rng.random((7, n))
    size = rng.random((7, n))
    seen = ~population.hidden & population.joined_by(t)
    rich = state.cash > cents(0.8 * state.income)

    def amount(mask: Bools, low: float, high: float, row: int) -> Ints:
        share: Floats = low + (high - low) * size[row] ** 2
        return np.where(mask, cents(share * state.income), 0)

    loss = np.minimum(0.3 + 0.7 * size[0], 1.0) * np.clip(state.cash, 0, cents(np.full(n, TAKEOVER_LIMIT_EUR)))
    robbed = seen & (u[0] < TAKEOVER) & (state.cash > 30_000)
    buys_home = (u[6] < HOUSE) & (state.cash > cents(2.5 * state.income))
    return Incidents(
        takeover=np.where(robbed, np.rint(loss), 0).astype(np.int64),
        big_debit=amount(u[1] < BIG_DEBIT, 0.5, 3.0, 1),
        bonus=amount((u[2] < BONUS) & (population.occupation != RETIRED), 0.6, 2.5, 2),
        travel_wish=amount((u[3] < TRAVEL) & rich, 0.4, 1.8, 3),
        purchase_wish=amount((u[4] < PURCHASE) & rich, 0.5, 3.0, 4),
        phone_wish=np.where(u[5] < NEW_PHONE, cents(250 + 1_000 * size[5]), 0),
        house_wish=np.where(buys_home, np.rint(state.cash * (0.4 + 0.4 * size[6])), 0).astype(np.int64),
        refunded=rng.random(n) < REFUND_SHARE,
        day=rng.integers(2, 25, n),
    )
