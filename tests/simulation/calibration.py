"""Whether the true PD is what happens: predicted and realised 12-month bad rates of a lender to whom nothing is done.

With every switch off the year that is lived after a date is one more draw of what `true_pd` averages over. So the share of a
group that goes bad in it less the mean share over B branches has mean 0 and variance `(1 + 1 / B) s2`, where s2 is the
variance of the share between branches: that holds customers together who share an economy, which a binomial error would not.
Groups are made of other branches than those that predict, or the luck of a branch would be counted as risk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from workbench.book.simulation import Story
from workbench.book.simulation.economy import draw_economy
from workbench.book.simulation.truth.ceiling import WINDOW_MONTHS, at_risk, goes_bad, replay
from workbench.book.simulation.world import BURN_IN_MONTHS, Block, Calendar

START = date(2021, 1, 1)
GROUPS = ("all", "low", "middle", "high")


def one_lender(seed: int, *, customers: int, month: int, branches: int) -> pd.DataFrame:
    """Return by group (all, and thirds by PD) of one lender: customers, predicted, realised and the difference's variance.

    Observed at the end of written month `month`; half of the `branches` make the groups, half predict.
    """
    told = Story.calm()
    calendar, block, today = Calendar(START, month + WINDOW_MONTHS), Block(0, 0, customers), BURN_IN_MONTHS + month - 1
    world, state = replay(block, calendar, seed, month, told)
    eligible, watched = at_risk(state)
    who = np.flatnonzero(eligible)
    futures = []
    for branch in range(branches):
        economy = draw_economy(seed, calendar.total, told, branch_after=today, branch=branch)
        other = replace(world, economy=economy)
        futures.append(goes_bad(state, other, watched, today, seed, block, branch=branch)[who])
    real = goes_bad(state, world, watched, today, seed, block)[who]
    ranking, predicting = np.array(futures[::2]).mean(axis=0), np.array(futures[1::2])
    order = np.lexsort((world.population.vulnerability[who], state.worst_dpd()[who], ranking))
    members = [np.arange(len(who)), *np.array_split(order, len(GROUPS) - 1)]
    rows = []
    for name, rows_of in zip(GROUPS, members, strict=True):
        shares = predicting[:, rows_of].mean(axis=1)
        variance = shares.var(ddof=1) * (1 + 1 / len(shares))
        rows.append((seed, name, len(rows_of), shares.mean(), real[rows_of].mean(), variance))
    return pd.DataFrame(rows, columns=["seed", "group", "customers", "predicted", "realised", "variance"])


def pooled(lenders: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return by group over all lenders: customers, predicted, realised, difference, its standard error, and their ratio z."""
    table = pd.concat(lenders)
    rows = []
    for name in GROUPS:
        one = table[table["group"] == name]
        weight = one["customers"] / one["customers"].sum()
        predicted, realised = ((weight * one[column]).sum() for column in ("predicted", "realised"))
        error = float(np.sqrt((weight**2 * one["variance"]).sum()))
        rows.append((name, int(one["customers"].sum()), predicted, realised, realised - predicted, error))
    found = pd.DataFrame(rows, columns=["group", "customers", "predicted", "realised", "difference", "error"])
    return found.assign(z=found["difference"] / found["error"]).set_index("group")
