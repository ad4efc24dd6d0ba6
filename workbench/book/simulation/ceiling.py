"""The true 12-month PD by branching: the ceiling that no scorecard on the book's data can pass."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from workbench.book.simulation.population import Population, draw_population
from workbench.book.simulation.state import WRITTEN_OFF, State, first_state
from workbench.book.simulation.step import month_step
from workbench.book.simulation.tables import customer_ids
from workbench.book.simulation.world import BURN_IN_MONTHS, Bools, Calendar, Floats, check_arguments, draws
from workbench.core.errors import InputError

BAD_DPD = 90
WINDOW_MONTHS = 12


def true_pd(*, customers: int, months: int, seed: int, start: date, month: int, branches: int = 40) -> pd.DataFrame:
    """Return each customer's share of futures that go bad, among the active and not already bad.

    The world is replayed to the end of written month `month`, then lived on for 12 months `branches` times, each
    with other random draws (the dated downturn comes in all of them). Bad: 90 days past due at a month end, or
    write-off, on a loan that is active at the date.

    Parameters
    ----------
    customers, months, seed, start
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
    population, state = replay(customers, calendar, seed, month)
    today = BURN_IN_MONTHS + month - 1
    eligible, watched = at_risk(state)
    bad = np.zeros(customers, np.int64)
    for branch in range(branches):
        bad += _goes_bad(state, population, watched, today, calendar, seed, branch)
    share: Floats = bad / branches
    who = np.flatnonzero(eligible)
    return pd.DataFrame({"customer_id": customer_ids(who).to_pandas(), "true_pd": share[who]})


def replay(customers: int, calendar: Calendar, seed: int, month: int) -> tuple[Population, State]:
    """Return the population and the state at the end of written month `month`."""
    population = draw_population(customers, calendar, draws(seed, 0))
    state = first_state(population, draws(seed, 0))
    for t in range(BURN_IN_MONTHS + month):
        state, _ = month_step(state, population, t, calendar, draws(seed, t + 1))
    return population, state


def at_risk(state: State) -> tuple[Bools, Bools]:
    """Return the customers (n,) who are active and not already bad, and the loans (m,) that can make them bad."""
    loans = state.loans
    n = len(state.income)
    active = np.bincount(loans.customer[loans.is_active], minlength=n) > 0
    bad_now = (loans.status == WRITTEN_OFF) | (loans.is_open & (loans.dpd >= BAD_DPD))
    already = np.bincount(loans.customer[bad_now], minlength=n) > 0
    eligible = active & ~already
    return eligible, loans.is_active & eligible[loans.customer]


def _goes_bad(
    state: State, population: Population, watched: Bools, today: int, calendar: Calendar, seed: int, branch: int
) -> Bools:
    m = len(watched)
    bad = np.zeros(m, np.bool_)
    for t in range(today + 1, today + 1 + WINDOW_MONTHS):
        state, _ = month_step(state, population, t, calendar, draws(seed, t + 1, branch=branch))
        loans = state.loans
        bad |= watched & ((loans.dpd[:m] >= BAD_DPD) | (loans.status[:m] == WRITTEN_OFF))
    return np.bincount(state.loans.customer[:m][bad], minlength=population.size) > 0
