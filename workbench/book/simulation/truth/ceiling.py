"""The true 12-month PD by branching: the ceiling that no scorecard on the book's data can pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from workbench.book.simulation.economy import draw_economy
from workbench.book.simulation.month.step import World, month_step
from workbench.book.simulation.month.treatments import TERM_EXTENSION
from workbench.book.simulation.population import draw_population
from workbench.book.simulation.state import BAD_DPD, WRITTEN_OFF, State, first_state
from workbench.book.simulation.story import Story
from workbench.book.simulation.world import (
    BURN_IN_MONTHS,
    Block,
    Bools,
    Calendar,
    Floats,
    blocks,
    check_arguments,
    draws,
)
from workbench.book.simulation.writing.arrow import customer_ids
from workbench.core.errors import InputError

WINDOW_MONTHS = 12


def true_pd(
    *, customers: int, months: int, seed: int, start: date, month: int, branches: int = 40, story: Story | None = None
) -> pd.DataFrame:
    """Return each customer's share of futures that go bad, among the active and not already bad.

    The world is replayed to the end of written month `month`, then lived on for 12 months `branches` times, each
    with other random draws, the economy's too (the dated downturn comes in all of them). Bad: 90 days past due at a month
    end, write-off or a distressed restructuring, on a loan that is active at the date.

    Parameters
    ----------
    customers, months, seed, start, story
        As given to `simulate`.
    month
        Written month at whose end the PD holds, from 1.
    branches
        Futures a customer; the PD's standard error is `sqrt(pd * (1 - pd) / branches)`.

    Returns
    -------
    DataFrame
        `customer_id`, `true_pd` (0 to 1), one row a customer.

    Raises
    ------
    InputError
        If an argument is out of range.
    """
    calendar = check_arguments(customers, months, seed, start)
    if not 1 <= month <= months:
        raise InputError(f"true_pd: month is {month}, expected 1 to {months} (written months). Choose one of those.")
    if branches < 1:
        raise InputError(f"true_pd: branches is {branches}, expected 1 or more. 40 gives a standard error under 0.08.")
    told = story or Story()
    today = BURN_IN_MONTHS + month - 1
    economies = [
        draw_economy(seed, today + 1 + WINDOW_MONTHS, told, branch_after=today, branch=branch)
        for branch in range(branches)
    ]
    found = []
    for block in blocks(customers):
        world, state = replay(block, calendar, seed, month, told)
        eligible, watched = at_risk(state)
        bad = np.zeros(block.size, np.int64)
        for branch, economy in enumerate(economies):
            future = replace(world, economy=economy)
            bad += goes_bad(state, future, watched, today, seed, block, branch=branch)
        share: Floats = bad / branches
        who = np.flatnonzero(eligible)
        ids = customer_ids(block.first + who).to_pandas()
        found.append(pd.DataFrame({"customer_id": ids, "true_pd": share[who]}))
    return pd.concat(found, ignore_index=True)


def replay(block: Block, calendar: Calendar, seed: int, month: int, story: Story) -> tuple[World, State]:
    """Return a block's world and its state at the end of written month `month`."""
    draw = draws(seed, 0, block=block.number)
    economy = draw_economy(seed, calendar.total, story)
    world = World(draw_population(block, calendar, story, draw), economy, calendar, story)
    state = first_state(world.population, draw)
    for t in range(BURN_IN_MONTHS + month):
        state, _ = month_step(state, world, t, draws(seed, t + 1, block=block.number))
    return world, state


def at_risk(state: State) -> tuple[Bools, Bools]:
    """Return the customers (n,) who are active and not already bad, and the loans (m,) that can make them bad."""
    loans = state.loans
    n = len(state.income)
    active = np.bincount(loans.customer[loans.is_active], minlength=n) > 0
    bad_now = (loans.status == WRITTEN_OFF) | (loans.is_open & (loans.dpd >= BAD_DPD))
    already = np.bincount(loans.customer[bad_now], minlength=n) > 0
    eligible = active & ~already
    return eligible, loans.is_active & eligible[loans.customer]


def goes_bad(
    state: State, world: World, watched: Bools, today: int, seed: int, block: Block, *, branch: int | None = None
) -> Bools:
    """Return who (n,) goes bad on a watched loan in the year after month `today`, in one future."""
    m = len(watched)
    bad = np.zeros(m, np.bool_)
    for t in range(today + 1, today + 1 + WINDOW_MONTHS):
        state, month = month_step(state, world, t, draws(seed, t + 1, block=block.number, branch=branch))
        loans = state.loans
        bad |= watched & ((loans.dpd[:m] >= BAD_DPD) | (loans.status[:m] == WRITTEN_OFF))
        changed = month.treatments.restructured[month.treatments.restructuring_kind == TERM_EXTENSION]
        bad[changed[changed < m]] |= watched[changed[changed < m]]
    return np.bincount(state.loans.customer[:m][bad], minlength=block.size) > 0
