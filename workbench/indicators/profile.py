"""What a panel holds: how each indicator is distributed, where it is missing, and which say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

QUANTILES = (0.01, 0.05, 0.5, 0.95, 0.99)


def distributions(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return a row a numeric indicator: share missing, share of zeros among the known, least, quantiles, most.

    Parameters
    ----------
    frame
        A panel, (n customers, ...).
    names
        Indicators; those without a known value have NaN.

    Returns
    -------
    DataFrame
        indicator, missing, zero (0 to 1), least, p1, p5, p50, p95, p99, most (in the indicator's unit).

    Examples
    --------
    >>> distributions(pd.DataFrame({"x": [0.0, 1.0, 2.0, None]}), ["x"])[["missing", "zero", "p50", "most"]].values.tolist()
    [[0.25, 0.3333333333333333, 1.0, 2.0]]
    """
    rows = []
    for name in names:
        known = frame[name].dropna()
        levels = known.quantile(QUANTILES).tolist()
        rows.append([name, frame[name].isna().mean(), known.eq(0).mean(), known.min(), *levels, known.max()])
    quantiles = [f"p{round(100 * level)}" for level in QUANTILES]
    return pd.DataFrame(rows, columns=["indicator", "missing", "zero", "least", *quantiles, "most"])


def missing_by_date(panels: Mapping[date, pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    """Return the share missing of each indicator at each date: indicator, then a column a date; 1 where it is left out.

    Examples
    --------
    >>> panels = {date(2025, 1, 31): pd.DataFrame({"x": [1.0, None]}), date(2025, 2, 28): pd.DataFrame({"y": [1.0]})}
    >>> missing_by_date(panels, ["x"]).to_dict("records")
    [{'indicator': 'x', '2025-01-31': 0.5, '2025-02-28': 1.0}]
    """
    shares = {
        str(day): [float(frame[name].isna().mean()) if name in frame else 1.0 for name in names]
        for day, frame in panels.items()
    }
    return pd.DataFrame({"indicator": list(names), **shares})


def redundancy(frame: pd.DataFrame, names: Sequence[str], *, at_least: float = 0.7) -> pd.DataFrame:
    """Return which indicators say the same: clusters by average linkage on 1 - |rank correlation|.

    Ranks are taken over all known values of an indicator, and correlated over the customers in whom both are known.

    Parameters
    ----------
    frame
        A panel, (n customers, ...).
    names
        Numeric indicators; constants belong to no cluster.
    at_least
        Mean absolute correlation from which clusters are joined, 0 to 1.

    Returns
    -------
    DataFrame
        indicator, cluster (from 1, the largest first), size, nearest (the most correlated other), rho (-1 to 1), by cluster.

    Examples
    --------
    >>> x = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> panel = pd.DataFrame({"x": x, "y": -(x**2), "z": [2.0, 5.0, 1.0, 4.0, 3.0], "constant": 1.0})
    >>> redundancy(panel, list(panel)).iloc[:, [0, 1, 3]].values.tolist()
    [['x', 1, 'y'], ['y', 1, 'x'], ['z', 2, 'x']]
    """
    ranks = frame[list(names)].rank()
    ranks = ranks.loc[:, ranks.max() > ranks.min()]
    if ranks.shape[1] < 2:
        return pd.DataFrame(columns=["indicator", "cluster", "size", "nearest", "rho"])
    correlation = ranks.corr(min_periods=3).fillna(0.0)
    strength = correlation.abs().to_numpy(copy=True)
    np.fill_diagonal(strength, 1.0)
    strength = np.clip((strength + strength.T) / 2, 0.0, 1.0)
    labels = fcluster(linkage(squareform(1.0 - strength, checks=False), "average"), 1.0 - at_least, "distance")
    np.fill_diagonal(strength, -1.0)
    nearest = strength.argmax(axis=1)
    found = pd.DataFrame(
        {
            "indicator": ranks.columns,
            "label": labels,
            "nearest": ranks.columns[nearest],
            "rho": correlation.to_numpy()[np.arange(len(nearest)), nearest],
        }
    )
    found["size"] = found.groupby("label")["label"].transform("size")
    found["first"] = found.groupby("label")["indicator"].transform(lambda names: names.index[0])
    found = found.sort_values(["size", "first"], ascending=[False, True], kind="stable")
    found["cluster"] = pd.factorize(found["label"])[0] + 1
    return found[["indicator", "cluster", "size", "nearest", "rho"]].reset_index(drop=True)
