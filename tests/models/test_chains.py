"""Chains of amounts against sums written out state by state."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.models.chains import amounts_chain, standing

STATES = ("A", "B", "C")
DAYS = list(pd.date_range("2021-01-31", periods=30, freq="ME"))


def random_flows(seed: int) -> pd.DataFrame:
    """Return flows between three states with who comes new and who leaves; what was in a state is what stood in it."""
    draw = np.random.default_rng(seed)
    rows, held = [], dict.fromkeys(STATES, 0)
    for number, day in enumerate(DAYS):
        after = dict.fromkeys(STATES, 0)
        for before, count in held.items():
            for to, moved in zip([*STATES, "left"], draw.multinomial(count, draw.dirichlet([6, 2, 1, 1])), strict=True):
                rows.append((day, before, to, moved))
                if to in after:
                    after[to] += moved
        for to in STATES:
            come = int(draw.poisson(300 if number == 0 else 20))
            rows.append((day, "new", to, come))
            after[to] += come
        held = after
    return pd.DataFrame(rows, columns=["month_end", "before", "after", "customers"])


def by_hand(flows: pd.DataFrame, last: int, ahead: int) -> list[list[float]]:
    """Follow the definition: shares and newcomers of the last twelve months before and with DAYS[last]."""
    recent = flows[flows["month_end"].isin(DAYS[max(last - 11, 1) : last + 1])]
    months = recent["month_end"].nunique()
    held = {
        s: float(flows.loc[(flows["month_end"] == DAYS[last]) & (flows["after"] == s), "customers"].sum())
        for s in STATES
    }
    rows = []
    for _ in range(ahead):
        then = {}
        for to in STATES:
            total = recent.loc[(recent["before"] == "new") & (recent["after"] == to), "customers"].sum() / months
            for before in STATES:
                were = recent.loc[recent["before"] == before, "customers"].sum()
                went = recent.loc[(recent["before"] == before) & (recent["after"] == to), "customers"].sum()
                total += held[before] * went / were if were else 0.0
            then[to] = total
        held = then
        rows.append([held[s] for s in STATES])
    return rows


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("last", [5, 19, 29])
def test_the_chain_is_its_definition(seed: int, last: int) -> None:
    flows = random_flows(seed)
    found = amounts_chain(flows, STATES, ("customers", "customers"))(
        last, 7
    )  # the first month is no origin: last months known
    assert found == pytest.approx(np.array(by_hand(flows, last, 7)), rel=1e-12)


def test_what_stands_is_what_arrived_in_each_state() -> None:
    flows = random_flows(3)
    table = standing(flows, STATES, "customers")
    assert table.index.tolist() == DAYS[1:]
    assert table.columns.tolist() == list(STATES)
    row = flows[(flows["month_end"] == DAYS[9]) & (flows["after"] == "B")]
    assert table.loc[DAYS[9], "B"] == row["customers"].sum()
    unused = standing(flows, [*STATES, "D"], "customers")
    assert (unused["D"] == 0).all()


def test_nobody_is_lost_where_nobody_leaves() -> None:
    flows = random_flows(4).query("after != 'left' and (before != 'new' or month_end == @DAYS[0])")
    held = standing(flows, STATES, "customers").iloc[-1].sum()
    last = flows[flows["month_end"] == DAYS[-1]]
    assert held == last["customers"].sum()
    again = flows.assign(customers=[100 if before != "new" else 0 for before in flows["before"]])
    path = amounts_chain(again, STATES, ("customers", "customers"))(29, 12)
    assert path.sum(axis=1) == pytest.approx(np.full(12, 900.0))  # nine moves of 100


def test_what_comes_from_a_state_that_is_not_asked_for_is_not_new() -> None:
    flows = random_flows(6)
    recent = flows[flows["month_end"].isin(DAYS[17:29])]
    new = recent.loc[(recent["before"] == "new") & recent["after"].isin(["A", "B"]), "customers"].sum() / 12
    others = flows.assign(customers=flows["customers"].where(flows["before"].isin(["new", "C"]), 0))
    assert amounts_chain(others, ["A", "B"], ("customers", "customers"))(28, 1).sum() == pytest.approx(new)


def test_a_state_that_nobody_was_in_leads_nowhere() -> None:
    flows = random_flows(5)
    path = amounts_chain(flows, [*STATES, "D"], ("customers", "customers"))(29, 3)
    assert (path[:, 3] == 0).all()
    assert np.isfinite(path).all()
