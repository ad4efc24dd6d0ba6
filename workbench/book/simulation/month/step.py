"""The month step: state and random draws in, new state out. Nothing here knows a later month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.economy import Economy
from workbench.book.simulation.month.applications import Applications, decide_applications
from workbench.book.simulation.month.cashflow import Flows, plan_month, spend_rest
from workbench.book.simulation.month.incidents import Incidents, draw_incidents
from workbench.book.simulation.month.repayment import Collected, step_loans
from workbench.book.simulation.month.stress import step_stress
from workbench.book.simulation.month.treatments import Treatments, treat
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import PERSONAL, State, by_customer
from workbench.book.simulation.story import Story
from workbench.book.simulation.world import Bools, Calendar, Draw


@dataclass(frozen=True)
class World:
    """What does not change from month to month, and which of the counterfactual worlds this is."""

    population: Population
    economy: Economy
    calendar: Calendar
    story: Story
    overrule: bool = False  # each customer's first declined application is granted
    flip: bool = False  # each customer's first decision on the followed treatment goes the other way


@dataclass
class Month:
    """Everything that happened in a month, for the writers."""

    t: int
    flows: Flows
    incidents: Incidents
    applications: Applications
    treatments: Treatments
    collected: Collected
    began: Bools
    ended: Bools


def month_step(state: State, world: World, t: int, draw: Draw) -> tuple[State, Month]:
    """Return the state at the end of month `t`, and what happened; the given state stays as it was.

    Order: treatments, applications and new loans, stress, incidents, income and needs, dues and payments, what is left.
    """
    state = state.copied()
    population, economy, story = world.population, world.economy, world.story
    state.enquiries = np.concatenate([state.enquiries[:, 1:], np.zeros_like(state.enquiries[:, :1])], axis=1)
    treatments = treat(state, population, t, story, draw, flip=world.flip)
    new, applications = decide_applications(state, population, t, story, draw, overrule=world.overrule)
    disbursed = by_customer(new, np.where(new.product == PERSONAL, new.principal, 0), population.size)
    state.loans = state.loans.extended(new)
    began, ended = step_stress(state, population, economy, t, story, draw)
    incidents = draw_incidents(state, population, t, draw)
    flows = plan_month(state, population, incidents, treatments, disbursed, story, t, draw)
    collected = step_loans(state, population, flows, treatments, t, world.calendar, story, draw)
    spend_rest(state, population, flows, incidents)
    return state, Month(t, flows, incidents, applications, treatments, collected, began, ended)
