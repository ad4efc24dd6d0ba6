"""The dated downturn, the sectors, and the stress episodes of customers: the first link of the causal chain."""

from __future__ import annotations

import numpy as np

from workbench.book.simulation.population import OCCUPATION_CYCLE, RETIRED, Population
from workbench.book.simulation.state import State
from workbench.book.simulation.world import BURN_IN_MONTHS, Bools, Floats, Ints

DOWNTURN_MONTHS = (20, 24, 28, 33)
"""Written months in which the downturn begins, is full, starts to lift and is over (house choice)."""
GRADUAL_HAZARD = 0.0052
"""Chance a month that gradual stress begins, for a customer of vulnerability 0 in calm times (calibrated)."""
SUDDEN_HAZARD = 0.0034
"""The same for a shock without prior signal: alike for all customers, whatever their vulnerability (calibrated)."""
VULNERABILITY_EFFECT = 0.75
SECTOR_EFFECT = 0.6
DOWNTURN_EFFECT = 1.0
"""Added to the log hazard in the full downturn, for a sector of cycle 1."""
RECOVERY_HAZARD = 0.13
SECTOR_MEMORY, SECTOR_NOISE = 0.9, 0.15

CALM, GRADUAL_INCOME, GRADUAL_EXPENSE, SUDDEN_INCOME, SUDDEN_EXPENSE = range(5)
STRESS_KINDS = ("calm", "gradual_income", "gradual_expense", "sudden_income", "sudden_expense")


def downturn(t: int) -> float:
    """Depth of the downturn in month `t`, 0 to 1.

    >>> [downturn(BURN_IN_MONTHS - 1 + month) for month in (1, 22, 25, 40)]
    [0.0, 0.5, 1.0, 0.0]
    """
    return float(np.interp(t - BURN_IN_MONTHS + 1, DOWNTURN_MONTHS, (0.0, 1.0, 1.0, 0.0)))


def step_stress(state: State, population: Population, t: int, rng: np.random.Generator) -> tuple[Bools, Bools]:
    """Move sectors and stress of `state` on by a month, in place.

    Returns
    -------
    began, ended
        Masks (n,) of the customers whose episode began, and ended, in this month.
    """
    n = population.size
    depth_of_downturn = downturn(t)
    state.sector = SECTOR_MEMORY * state.sector + SECTOR_NOISE * rng.standard_normal(len(state.sector))
    u = rng.random((6, n))
    calm = state.stress_kind == CALM

    log_hazard = (
        np.log(GRADUAL_HAZARD)
        + VULNERABILITY_EFFECT * population.vulnerability
        + SECTOR_EFFECT * state.sector[population.occupation]
        + DOWNTURN_EFFECT * depth_of_downturn * OCCUPATION_CYCLE[population.occupation]
    )
    gradual = calm & (u[0] < np.exp(log_hazard))
    sudden = calm & ~gradual & (u[1] < SUDDEN_HAZARD * (1 + 0.8 * depth_of_downturn))
    by_income = (u[2] < 0.65) & (population.occupation != RETIRED)

    full = ~calm & ~state.recovering & (state.stress >= 0.99 * state.stress_depth)
    state.recovering |= full & (u[3] < RECOVERY_HAZARD * (1 - 0.35 * depth_of_downturn))
    rising = ~calm & ~state.recovering
    state.stress = np.where(rising, np.minimum(state.stress_depth, state.stress + state.stress_speed), state.stress)
    state.stress = np.where(state.recovering, np.maximum(0.0, state.stress - 0.3), state.stress)
    ended = state.recovering & (state.stress <= 0.0)
    state.stress_kind[ended] = CALM
    state.recovering[ended] = False

    began = gradual | sudden
    _begin(state, gradual, np.where(by_income, GRADUAL_INCOME, GRADUAL_EXPENSE), 0.3 + 0.7 * u[4], 0.1 + 0.3 * u[5])
    _begin(state, sudden, np.where(by_income, SUDDEN_INCOME, SUDDEN_EXPENSE), 0.6 + 0.4 * u[4], np.ones(n))
    return began, ended


def _begin(state: State, mask: Bools, kind: Ints, depth: Floats, speed: Floats) -> None:
    state.stress_kind[mask] = kind[mask]
    state.stress_depth[mask] = depth[mask]
    state.stress_speed[mask] = speed[mask]
    state.stress[mask] = np.minimum(depth, speed)[mask]


def hits_income(state: State) -> Bools:
    """Which customers' stress takes income (rather than adding expenses)."""
    return np.isin(state.stress_kind, (GRADUAL_INCOME, SUDDEN_INCOME))


def hits_expenses(state: State) -> Bools:
    """Which customers' stress adds expenses."""
    return np.isin(state.stress_kind, (GRADUAL_EXPENSE, SUDDEN_EXPENSE))
