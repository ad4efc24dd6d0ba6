"""Stress episodes of customers: the first link of the causal chain."""

from __future__ import annotations

import numpy as np

from workbench.book.simulation.economy import Economy
from workbench.book.simulation.population import OCCUPATION_CYCLE, RETIRED, Population
from workbench.book.simulation.state import State
from workbench.book.simulation.story import Story
from workbench.book.simulation.world import Bools, Draw, Floats, Ints, Stream

GRADUAL_HAZARD = 0.0025
"""Chance a month that gradual stress begins, for a customer of vulnerability 0 in calm times (calibrated)."""
SUDDEN_HAZARD = 0.0026
"""The same for a shock without prior signal: alike for all customers, whatever their vulnerability (calibrated)."""
VULNERABILITY_EFFECT = 0.42
SECTOR_EFFECT, REGION_EFFECT, EMPLOYER_EFFECT, ECONOMY_EFFECT = 0.6, 0.6, 0.5, 1.0
DOWNTURN_EFFECT = 0.6
"""Added to the log hazard in the full downturn, for a sector of cycle 1."""
STRAIN_EFFECT, STRAIN_PEAK_MONTHS = 1.3, 12
"""A new loan pays for a change of life (a home, a car, a child) and ties the budget: the log hazard rises by
`effect x (a / peak) exp(1 - a / peak)`, a in months. Seasoning curves peak in the second year (see docs/simulation.md)."""
RELAPSE_EFFECT, RELAPSE_MONTHS = 1.0, 6
"""After an episode the log hazard is higher by `effect x exp(-a / months)`, a in months since it ended."""
SCAR_EFFECT, SCAR_MONTHS, SCAR_DPD = 4.2, 9, 90
"""The same after a loan was so many days past due: savings are gone, and who was that late often is again."""
LAID_OFF_SHARE = 0.4
"""Staff who lose their income when an employer closes."""
TAMED_RECOVERY = 2.0
"""Factor on the chance to recover while a helpful treatment lasts: the household is advised, and adapts."""
HITS_INCOME_SHARE = 0.65
"""Episodes that take income rather than add expenses; a pension is never lost."""
GRADUAL_DEPTH, GRADUAL_SPEED = (0.55, 1.0), (0.3, 0.8)
"""Least and most: the depth of a gradual episode, and how much of it a month brings (calibrated: an early sign lasts some
weeks rather than a season)."""
RECOVERY_GRADUAL, RECOVERY_SUDDEN = 0.165, 0.11
"""Chance a month that an episode at full depth turns to recovery."""
DRIFT_VULNERABILITY = 0.1
"""The effect of vulnerability after a drift of the concept: who is hit has less to do with who was hit before."""

CALM, GRADUAL_INCOME, GRADUAL_EXPENSE, SUDDEN_INCOME, SUDDEN_EXPENSE = range(5)
STRESS_KINDS = ("calm", "gradual_income", "gradual_expense", "sudden_income", "sudden_expense")


def step_stress(
    state: State, population: Population, economy: Economy, t: int, story: Story, draw: Draw
) -> tuple[Bools, Bools]:
    """Move the stress of `state` on by a month, in place.

    Returns
    -------
    began, ended
        Masks (n,) of the customers whose episode began, and ended, in this month.
    """
    n = population.size
    downturn = economy.downturn[t]
    u = draw(Stream.STRESS).random((7, n))
    calm = state.stress_kind == CALM
    gradual = calm & (u[0] < np.exp(_log_hazard(state, population, economy, t, story)))
    has_employer = population.employer >= 0
    closed = has_employer & economy.closes[t][np.maximum(population.employer, 0)] & (u[6] < LAID_OFF_SHARE)
    sudden = calm & ~gradual & (closed | (u[1] < SUDDEN_HAZARD * (1 + 0.8 * downturn)))
    by_income = closed | ((u[2] < HITS_INCOME_SHARE) & (population.occupation != RETIRED))

    recovery = np.where(np.isin(state.stress_kind, (SUDDEN_INCOME, SUDDEN_EXPENSE)), RECOVERY_SUDDEN, RECOVERY_GRADUAL)
    recovery = recovery * np.where(state.tamed_months > 0, TAMED_RECOVERY, 1.0)
    full = ~calm & ~state.recovering & (state.stress >= 0.99 * state.stress_depth)
    state.recovering |= full & (u[3] < recovery * (1 - 0.35 * downturn))
    rising = ~calm & ~state.recovering
    state.stress = np.where(rising, np.minimum(state.stress_depth, state.stress + state.stress_speed), state.stress)
    state.stress = np.where(state.recovering, np.maximum(0.0, state.stress - 0.3), state.stress)
    ended = state.recovering & (state.stress <= 0.0)
    state.stress_kind[ended] = CALM
    state.recovering[ended] = False

    began = gradual | sudden
    depth = GRADUAL_DEPTH[0] + (GRADUAL_DEPTH[1] - GRADUAL_DEPTH[0]) * u[4]
    speed = GRADUAL_SPEED[0] + (GRADUAL_SPEED[1] - GRADUAL_SPEED[0]) * u[5]
    _begin(state, gradual, np.where(by_income, GRADUAL_INCOME, GRADUAL_EXPENSE), depth, speed)
    _begin(state, sudden, np.where(by_income, SUDDEN_INCOME, SUDDEN_EXPENSE), 0.6 + 0.4 * u[4], np.ones(n))
    state.strain_months += 1
    state.scar_months = np.where(state.worst_dpd() >= SCAR_DPD, 0, state.scar_months + 1)
    state.calm_months = np.where(ended, 0, state.calm_months + 1)
    return began, ended


def _log_hazard(state: State, population: Population, economy: Economy, t: int, story: Story) -> Floats:
    """Log of the chance that gradual stress begins in month `t`."""
    sector = population.occupation
    employer = np.where(population.employer >= 0, economy.employer[t][np.maximum(population.employer, 0)], 0.0)
    age = state.strain_months / STRAIN_PEAK_MONTHS
    vulnerability = DRIFT_VULNERABILITY if story.has_drifted(t) else VULNERABILITY_EFFECT
    found: Floats = (
        np.log(GRADUAL_HAZARD)
        + vulnerability * population.vulnerability
        + SECTOR_EFFECT * economy.sector[t][sector]
        + REGION_EFFECT * economy.region[t][population.region]
        + EMPLOYER_EFFECT * employer
        + ECONOMY_EFFECT * economy.economy[t]
        + DOWNTURN_EFFECT * economy.downturn[t] * OCCUPATION_CYCLE[sector]
        + RELAPSE_EFFECT * np.exp(-state.calm_months / RELAPSE_MONTHS)
        + SCAR_EFFECT * np.exp(-state.scar_months / SCAR_MONTHS)
        + STRAIN_EFFECT * age * np.exp(1 - age)
    )
    return found


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
