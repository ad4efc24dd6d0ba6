"""Markov chains of amounts that move from state to state each month: what a book's flows lead to if they go on.

From state i, the share p[i, j] of the amount is in state j a month later; what is repaid, written off or leaves is lost on the
way. What comes new comes in at its mean. Both are those of the last `RECENT` months together. (Cyert, Davidson and Thompson
1962, Management Science 8; exposure in place of accounts.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.book.flows import DEFAULT, NEW, PERFORMING, default_rates
from workbench.models.columns import Floats

RECENT = 12
"""Months that the chain and the average look back on: a whole year, so that seasons cancel. House choice."""
Method = Callable[[int, int], Floats]
"""Of an origin (months known) and a horizon: the forecast of so many months from there; of a mix, a row a month."""
BALANCES = ("balance_before", "balance_after")


def default_rate_chain(flows: pd.DataFrame) -> Method:
    """Return the forecast of the default rate of `book.flows.monthly_flows`, from the states of `PERFORMING`.

    The share d[i] of what is in state i defaults, as in the last `RECENT` months. The rate of a month is the sum of
    d[i] x exposure[i] over the exposure at its beginning.
    """
    amount = ("loans", "loans") if flows["balance_before"].isna().all() else BALANCES
    moves = _moves(flows, default_rates(flows)["month_end"].tolist(), PERFORMING, amount, end=DEFAULT)

    def forecast(origin: int, ahead: int) -> Floats:
        recent = slice(max(origin - RECENT, 0), origin)
        fall = moves.ended[recent].sum(axis=0) / _base(moves, recent)
        standing = moves.path(origin, ahead)[:-1]
        total = standing.sum(axis=1)
        return np.asarray(np.divide(standing @ fall, total, out=np.zeros(ahead), where=total > 0))

    return forecast


def amounts_chain(flows: pd.DataFrame, states: Sequence[str], amount: tuple[str, str]) -> Method:
    """Return the forecast of the amount in each state, months x states.

    Parameters
    ----------
    flows : DataFrame
        month_end, before (a state, or `new`), after, and the amounts before and after, for each month in turn. The first
        month is left out: what stands in it did not come new.
    states : sequence of str
    amount : (column of the amount before, column of the amount after)
    """
    months = sorted(flows["month_end"].unique())[1:]
    moves = _moves(flows, months, states, amount)
    return lambda origin, ahead: moves.path(origin, ahead)[1:]


def standing(flows: pd.DataFrame, states: Sequence[str], amount: str) -> pd.DataFrame:
    """Return the amount in each state, month ends x states, without the first month: what `amounts_chain` continues."""
    inside = flows[flows["after"].isin(list(states))]
    table = inside.pivot_table(index="month_end", columns="after", values=amount, aggfunc="sum", fill_value=0.0)
    table = table.reindex(index=sorted(flows["month_end"].unique())[1:], columns=list(states), fill_value=0.0)
    return table.rename_axis(columns=None)


@dataclass(frozen=True)
class _Moves:
    """Amounts by month: in each state before (`started`) and after, moved between them, come new, gone to an end."""

    started: Floats
    standing: Floats
    moved: Floats
    arrived: Floats
    ended: Floats

    def path(self, origin: int, ahead: int) -> Floats:
        """Return what stands in each state from the last month known to `ahead` months after it, a row a month."""
        recent = slice(max(origin - RECENT, 0), origin)
        stay = self.moved[recent].sum(axis=0) / _base(self, recent)[:, None]
        new = self.arrived[recent].mean(axis=0)
        rows = [self.standing[origin - 1]]
        for _step in range(ahead):
            rows.append(rows[-1] @ stay + new)
        return np.array(rows)


def _base(moves: _Moves, recent: slice) -> Floats:
    base: Floats = moves.started[recent].sum(axis=0)
    return np.where(base == 0, np.inf, base)  # a state that nobody was in leads nowhere


def _moves(
    flows: pd.DataFrame, months: Sequence[object], states: Sequence[str], amount: tuple[str, str], *, end: str = ""
) -> _Moves:
    place = {state: i for i, state in enumerate(states)}
    at = {month: t for t, month in enumerate(months)}
    size = len(states)
    started, standing, arrived, ended = np.zeros((4, len(months), size))
    moved = np.zeros((len(months), size, size))
    columns = (flows["month_end"], flows["before"], flows["after"], flows[amount[0]], flows[amount[1]])
    for month, before, after, was, now in zip(*columns, strict=True):
        t = at.get(month)
        if t is None:
            continue
        if before in place:
            started[t, place[before]] += was
            if after == end:
                ended[t, place[before]] += was
        if after in place:
            standing[t, place[after]] += now
            if before in place:
                moved[t, place[before], place[after]] += now
            elif before == NEW:
                arrived[t, place[after]] += now
    return _Moves(started, standing, moved, arrived, ended)
