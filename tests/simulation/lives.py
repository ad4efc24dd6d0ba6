"""Lives of a block of customers month by month, straight from the month step: what the written tables are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from workbench.book.simulation.economy import draw_economy
from workbench.book.simulation.month.step import Month, World, month_step
from workbench.book.simulation.population import draw_population
from workbench.book.simulation.state import State, first_state
from workbench.book.simulation.story import Story
from workbench.book.simulation.world import BURN_IN_MONTHS, Block, Calendar, draws

START = date(2021, 1, 1)


class Lived(NamedTuple):
    """One month of a block: its number, the states at its beginning and end, and what happened."""

    t: int
    before: State
    state: State
    month: Month


def world_of(
    customers: int, *, months: int, seed: int, story: Story, start: date = START, **which: bool
) -> tuple[World, Block]:
    """Return the world of a book of one block; `which` is `overrule` or `flip`."""
    calendar, block = Calendar(start, months), Block(0, 0, customers)
    population = draw_population(block, calendar, story, draws(seed, 0))
    return World(population, draw_economy(seed, calendar.total, story), calendar, story, **which), block


def live(world: World, *, seed: int, until: int | None = None) -> Iterator[Lived]:
    """Yield month after month, burn-in included, up to written month `until`, by default the last."""
    state = first_state(world.population, draws(seed, 0))
    last = world.calendar.total if until is None else BURN_IN_MONTHS + until
    for t in range(last):
        before = state
        state, month = month_step(before, world, t, draws(seed, t + 1))
        yield Lived(t, before, state, month)


def last_state(world: World, *, seed: int, until: int | None = None) -> State:
    """Return the state at the end of written month `until`."""
    return list(live(world, seed=seed, until=until))[-1].state


def customer_values(state: State) -> dict[str, np.ndarray]:
    """Return everything a state says of each customer, apart from loans, by name."""
    return {name: value for name, value in vars(state).items() if name != "loans"}


def loan_rows(state: State) -> dict[tuple[int, int], tuple[Any, ...]]:
    """Return everything a state says of each loan, by customer and number of the loan."""
    columns = {name: value.tolist() for name, value in vars(state.loans).items()}
    rows = zip(*columns.values(), strict=True)
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    return {(row["customer"], row["slot"]): tuple(map(str, row.values())) for row in found}
