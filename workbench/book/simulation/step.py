"""The month step: state and random draws in, new state out. Nothing here knows a later month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.cashflow import Flows, plan_month, spend_rest
from workbench.book.simulation.economy import step_stress
from workbench.book.simulation.incidents import Incidents, draw_incidents
from workbench.book.simulation.lending import open_loans
from workbench.book.simulation.population import Population
from workbench.book.simulation.repayment import Collected, step_loans
from workbench.book.simulation.state import PERSONAL, State
from workbench.book.simulation.world import Bools, Calendar, Draw, Stream


@dataclass
class Month:
    """Everything that happened in a month, for the writers."""

    t: int
    flows: Flows
    incidents: Incidents
    collected: Collected
    began: Bools
    ended: Bools


def month_step(state: State, population: Population, t: int, calendar: Calendar, draw: Draw) -> tuple[State, Month]:
    """Return the state at the end of month `t`, and what happened; the given state stays as it was.

    Order: new loans, stress, incidents, income and needs, dues and payments, what is left.
    """
    state = state.copied()
    new = open_loans(state, population, t, calendar.first_day(t), draw)
    disbursed = np.bincount(new.customer[new.product == PERSONAL], new.principal[new.product == PERSONAL])
    padded = np.zeros(population.size, np.int64)
    padded[: len(disbursed)] = disbursed.astype(np.int64)
    state.loans = state.loans.extended(new)
    began, ended = step_stress(state, population, t, draw(Stream.STRESS))
    incidents = draw_incidents(state, population, draw)
    flows = plan_month(state, population, incidents, padded, draw)
    collected = step_loans(state, population, flows, t, calendar, draw)
    spend_rest(state, population, flows, incidents)
    return state, Month(t, flows, incidents, collected, began, ended)
