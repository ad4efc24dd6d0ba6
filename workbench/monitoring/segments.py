"""Groups of customers in which high risk is commoner than among the others, with intervals and a correction for many looks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import hypergeom

from workbench.core.errors import ParameterError
from workbench.core.languages import mark, say

MIN_CUSTOMERS = 30
"""A smaller group says little and may point at persons. House choice."""
LEVEL = 0.05
COLUMN_WORDS = {
    "product": mark("product"),
    "region": mark("region"),
    "segment": mark("segment"),
    "occupation": mark("occupation"),
    "education": mark("education"),
}
"""How columns read in the name of a group; others keep their own names, and values are data."""


def risky_segments(
    customers: pd.DataFrame, by: Sequence[str], risky: pd.Series, *, min_customers: int = MIN_CUSTOMERS
) -> pd.DataFrame:
    """Return the groups by one or two columns in which the share of risky customers is higher than among the others.

    Every value of a column, and every pair of values of two columns, with at least `min_customers` is looked at. The p-value is
    Fisher's exact one (one-sided), and p_holm corrects it for all looks (Holm 1979, Scand. J. Statistics 6). A pair is left out
    where one of its two groups alone is as risky.

    Parameters
    ----------
    customers : DataFrame, one row a customer, with exposure and the columns `by` (text; missing ones are no group)
    risky : Series of bool, with the index of `customers`

    Returns
    -------
    DataFrame
        segment (in words of the language in use), customers, risky, share, low, high (95 %), others (their share), exposure,
        p_holm (below 5 %); the most risky customers above the share of the others first. `attrs["looks"]` says how many
        groups were looked at.

    Raises
    ------
    ParameterError
        If `risky` has another index.
    """
    from statsmodels.stats.proportion import proportion_confint

    if not risky.index.equals(customers.index):
        raise ParameterError("segments: risky must have the index of customers.")
    total, bad = len(customers), int(risky.sum())
    parts = [[name] for name in by] + [list(pair) for pair in itertools.combinations(by, 2)]
    found = []
    rows = customers.assign(_risky=risky.astype(int))
    for names in parts:
        groups = rows.dropna(subset=names).groupby(names, observed=True)
        table = groups.agg(
            customers=("_risky", "size"), risky=("_risky", "sum"), exposure=("exposure", "sum")
        ).reset_index()
        places = [tuple(zip(names, values, strict=True)) for values in table[names].itertuples(index=False)]
        table["places"] = pd.Series(places, index=table.index, dtype=object)
        found.append(table.drop(columns=names))
    table = (
        pd.concat(found, ignore_index=True)
        if found
        else pd.DataFrame(columns=["customers", "risky", "exposure", "places"])
    )
    table = table[(table["customers"] >= min_customers) & (table["customers"] < total)].reset_index(drop=True)
    looks = len(table)
    table["share"] = table["risky"] / table["customers"]
    counts, sizes = table["risky"].to_numpy(int), table["customers"].to_numpy(int)
    table["low"], table["high"] = proportion_confint(counts, sizes, method="wilson")
    table["others"] = (bad - table["risky"]) / (total - table["customers"])
    p = hypergeom.sf(counts - 1, total, bad, sizes)
    table["p_holm"] = _holm(np.asarray(p))
    table["segment"] = [_segment_words(places) for places in table["places"]]
    table["excess"] = table["customers"] * (table["share"] - table["others"])
    share_of = {
        places[0]: share for places, share in zip(table["places"], table["share"], strict=True) if len(places) == 1
    }
    no_news = [len(places) > 1 and max(share_of.get(one, 0.0) for one in places) >= share
               for places, share in zip(table["places"], table["share"], strict=True)]  # fmt: skip
    table = table[(table["p_holm"] < LEVEL) & (table["share"] > table["others"]) & ~np.array(no_news, dtype=bool)]
    columns = ["segment", "customers", "risky", "share", "low", "high", "others", "exposure", "p_holm"]
    table = table.sort_values(["excess", "segment"], ascending=[False, True], ignore_index=True)[columns]
    table.attrs["looks"] = looks
    return table


def _holm(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Correct p-values for their number (statsmodels' multipletests collects the whole process's garbage at each call)."""
    order = np.argsort(p)
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return corrected


def _segment_words(places: Sequence[tuple[str, object]]) -> str:
    words = [
        say("{column} {value}", column=say(COLUMN_WORDS.get(name, name)), value=str(value)) for name, value in places
    ]
    return reduce(lambda one, other: say("{one} and {other}", one=one, other=other), words)
