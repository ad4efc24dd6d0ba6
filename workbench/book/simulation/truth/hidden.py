"""Hidden states, traits and factors, as they are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from workbench.book.simulation.economy import Economy
from workbench.book.simulation.month.stress import STRESS_KINDS
from workbench.book.simulation.month.terms import monthly_dues
from workbench.book.simulation.population import OCCUPATION, REGION, Population
from workbench.book.simulation.state import State
from workbench.book.simulation.world import BURN_IN_MONTHS, Calendar, Ints, cents
from workbench.book.simulation.writing.arrow import customer_ids, dates, integers, stamps, words
from workbench.book.simulation.writing.transactions import COUNTERPARTIES


def latent_columns(
    state: State, population: Population, t: int, calendar: Calendar, next_worst: Ints | None
) -> dict[str, pa.Array]:
    """Return the hidden state at the end of month `t` of all who have joined by then."""
    n = population.size
    who = np.flatnonzero(population.joined_by(t + 1))
    need = cents(state.income * population.need_share) + monthly_dues(state.loans, n)
    unknown = np.full(len(who), next_worst is None)
    later = np.zeros(n, np.int64) if next_worst is None else next_worst
    return {
        "customer_id": customer_ids(population.first + who),
        "month_end": dates(np.full(len(who), calendar.last_day(t))),
        "stress": pa.array(state.stress[who]),
        "stress_kind": words(state.stress_kind[who], STRESS_KINDS),
        "buffer_months": pa.array((state.cash / need)[who]),
        "worst_dpd": integers(state.worst_dpd()[who]),
        "next_worst_dpd": integers(later[who], missing=unknown),
        "known_at": stamps(np.full(len(who), calendar.month_end(t))),
    }


def trait_columns(population: Population, calendar: Calendar) -> dict[str, pa.Array]:
    """Return the traits of all who join before the end."""
    who = np.flatnonzero(population.joined_by(calendar.total))
    flags = ("hidden", "saves_elsewhere", "transactor", "gambler", "ruthless", "fraudster")
    return {
        "customer_id": customer_ids(population.first + who),
        **{
            name: pa.array(getattr(population, name)[who])
            for name in ("vulnerability", "gender_effect", "age_effect", *flags)
        },
        "employer": words(population.employer[who], COUNTERPARTIES),
        "joined_on": dates(population.since[who]),
    }


def economy_columns(economy: Economy, calendar: Calendar) -> dict[str, pa.Array]:
    """Return the factors of the written months, in long form; employers are left out."""
    t = np.arange(BURN_IN_MONTHS, calendar.total)
    series = [("downturn", "downturn", economy.downturn), ("economy", "economy", economy.economy)]
    series += [("sector", name, economy.sector[:, i]) for i, name in enumerate(OCCUPATION)]
    series += [("region", name, economy.region[:, i]) for i, name in enumerate(REGION)]
    ends = calendar.first_days(t + 1) - np.timedelta64(1, "D")
    return {
        "month_end": dates(np.tile(ends, len(series))),
        "kind": pa.array([kind for kind, _, _ in series for _ in t], pa.string()),
        "name": pa.array([name for _, name, _ in series for _ in t], pa.string()),
        "value": pa.array(np.concatenate([values[t] for _, _, values in series])),
    }
