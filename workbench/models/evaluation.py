"""How well a score ranks, how well a PD is calibrated, and what a cutoff would do. Intervals: intervals.py.

Throughout, `bad` is 1 for bad and 0 for good, and a higher score is safer. Weights, where a function takes them, are
sampling weights: how many customers of the population a row stands for; only their ratios matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import SampleError

Floats = npt.NDArray[np.float64]

SMOOTHING = 0.5
"""Pseudo-count added to a cell before its share is taken, so that an empty cell has a finite logarithm. The half is the
Haldane-Anscombe correction (Anscombe, 1956, "On estimating binomial response relations", Biometrika 43)."""


def both_classes(bad: npt.ArrayLike, *, what: str = "sample") -> npt.NDArray[np.bool_]:
    """Return `bad` as booleans, or raise `SampleError` with the counts where it is not 0/1 or holds one class only.

    >>> both_classes([0, 1, 0]).sum()
    np.int64(1)
    """
    try:
        values = np.asarray(bad, dtype=np.float64)
    except (TypeError, ValueError):
        example = next((value for value in np.ravel(np.asarray(bad, dtype=object)) if isinstance(value, str)), bad)
        raise SampleError(
            f"{what}: outcomes are text or mixed, such as {example!r}; expected 0 (good) and 1 (bad)."
        ) from None
    if values.ndim != 1:
        raise SampleError(f"{what}: expected one column of outcomes, found {values.ndim} dimensions.")
    strange = int(np.sum((values != 0) & (values != 1)))
    if strange:
        raise SampleError(
            f"{what}: {strange} of {values.size} outcomes are neither 0 (good) nor 1 (bad). "
            "Leave indeterminate and incomplete rows out first."
        )
    bads = int(values.sum())
    if bads == 0 or bads == values.size:
        raise SampleError(
            f"{what}: {bads} bads and {values.size - bads} goods; both classes are needed. "
            "Widen the sample or the window."
        )
    return np.asarray(values == 1, dtype=np.bool_)


def paired(bad: npt.ArrayLike, score: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Return outcomes and scores, one a row and none missing, or raise `SampleError`."""
    outcome, value = both_classes(bad), np.asarray(score, dtype=np.float64)
    if value.shape != outcome.shape:
        raise SampleError(
            f"sample: {outcome.size} outcomes but scores of shape {value.shape}; one score a row is needed."
        )
    missing = int(np.isnan(value).sum())
    if missing:
        raise SampleError(f"sample: {missing} of {value.size} scores are missing. Score or drop these rows first.")
    return outcome, value


def unit_weights(weights: npt.ArrayLike | None, size: int) -> Floats:
    """Return sampling weights with a mean of 1; ones where there are none.

    >>> unit_weights([1, 3], 2).tolist(), unit_weights(None, 2).tolist()
    ([0.5, 1.5], [1.0, 1.0])

    Raises
    ------
    SampleError
        Not one weight a row, or a weight that is not a finite number above 0.
    """
    if weights is None:
        return np.ones(size)
    weight = np.asarray(weights, dtype=np.float64)
    if weight.shape != (size,):
        raise SampleError(f"weights: shape {weight.shape} for {size} rows; one weight a row is needed.")
    wrong = ~(np.isfinite(weight) & (weight > 0))
    if wrong.any():
        raise SampleError(
            f"weights: {int(wrong.sum())} of {size} are not finite numbers above 0, such as {weight[wrong][0]:g}. "
            "Leave rows of no weight out of the table."
        )
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def _cumulative(
    bad: npt.ArrayLike, score: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> tuple[Floats, Floats]:
    """Return the shares of bads and of goods at or below each distinct score, ascending."""
    outcome, value = paired(bad, score)
    order = np.argsort(value, kind="stable")
    outcome, value, weight = outcome[order], value[order], unit_weights(weights, outcome.size)[order]
    last = np.append(np.flatnonzero(value[1:] != value[:-1]), value.size - 1)
    bads, goods = (np.cumsum(np.where(side, weight, 0.0))[last] for side in (outcome, ~outcome))
    return bads / bads[-1], goods / goods[-1]


def gini(bad: npt.ArrayLike, score: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Return the Gini coefficient (accuracy ratio, Somers' D) of a score: 2 AUC - 1, ties counted half.

    1 ranks perfectly, 0 at random, -1 upside down. Area under the ROC curve by the trapezoid rule
    (Hanley and McNeil, 1982, Radiology 143).

    Parameters
    ----------
    bad : array of 0/1, length n
    score : array of float, length n; higher is safer
    weights : array of length n, optional
        Sampling weights.

    Raises
    ------
    SampleError
        One class only, or a missing score.

    Examples
    --------
    >>> gini([1, 1, 0, 0], [500, 510, 600, 620])
    1.0
    """
    bads, goods = (np.concatenate([[0.0], shares]) for shares in _cumulative(bad, score, weights))
    area = float(np.sum((bads[1:] + bads[:-1]) / 2 * np.diff(goods)))
    return 2 * area - 1


def ks(bad: npt.ArrayLike, score: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Return the Kolmogorov-Smirnov statistic: the widest gap between the distributions of bads and goods.

    Siddiqi, "Intelligent Credit Scoring" (2017), chapter 10.

    >>> ks([1, 1, 0, 0], [500, 610, 600, 620])
    0.5
    """
    bads, goods = _cumulative(bad, score, weights)
    return float(np.max(np.abs(bads - goods)))


def brier(bad: npt.ArrayLike, pd_hat: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Return the mean squared error of a PD, 0 (best) to 1 (Brier, 1950, Monthly Weather Review 78).

    >>> round(brier([1, 0], [0.8, 0.2]), 10)
    0.04
    """
    outcome, chance = paired(bad, pd_hat)
    return float(np.average((chance - outcome) ** 2, weights=unit_weights(weights, outcome.size)))


def calibration_table(
    pd_hat: npt.ArrayLike,
    bad: npt.ArrayLike,
    by: npt.ArrayLike | int = 10,
    *,
    weights: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return predicted against realised bad rate by group.

    Parameters
    ----------
    pd_hat, bad : arrays of length n
    by : array of labels of length n (grades), or a number of quantile groups of the PD
    weights : array of length n, optional
        Sampling weights. The interval then takes the effective number of rows (Kish, "Survey Sampling", 1965, 11.7);
        count and bads stay rows of the table.
    groups : array of length n, optional
        Customer ids, where one stands in several rows: the effective number is divided by the design effect, the variance of
        the rate by customer over that by row (the same, 5.4), where it is above 1.

    Raises
    ------
    SampleError
        Outcomes other than 0 and 1.

    Returns
    -------
    DataFrame with columns group, count, bads, pd_mean, bad_rate, low, high (Jeffreys interval of the bad rate, as in
    the ECB's instructions for validation reporting, 2019), inside (is pd_mean within it).

    Examples
    --------
    >>> calibration_table([0.1, 0.1, 0.4, 0.4], [0, 0, 1, 0], ["A", "A", "B", "B"])["bad_rate"].tolist()
    [0.0, 0.5]
    """
    from scipy.special import betaincinv

    chance, outcome = np.asarray(pd_hat, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    if not np.isin(outcome, (0, 1)).all():
        raise SampleError(
            "calibration table: outcomes are not all 0 (good) or 1 (bad); the PD comes first, they second."
        )
    label: Any = by
    if isinstance(by, int):
        edges = np.unique(np.quantile(chance, np.arange(1, by) / by))
        label = np.searchsorted(edges, chance, side="right") + 1
    weight = unit_weights(weights, outcome.size)
    rows = pd.DataFrame({"group": np.asarray(label), "bad": outcome, "weight": weight, "square": weight**2})
    rows = rows.assign(weighted_pd=weight * chance, weighted_bad=weight * outcome)
    table = rows.groupby("group", sort=True).agg(
        count=("bad", "size"),
        bads=("bad", "sum"),
        pd_mean=("weighted_pd", "sum"),
        bad_rate=("weighted_bad", "sum"),
        weight=("weight", "sum"),
        square=("square", "sum"),
    )
    table[["pd_mean", "bad_rate"]] = table[["pd_mean", "bad_rate"]].div(table["weight"], axis=0)
    effective = table.pop("weight") ** 2 / table.pop("square")
    if groups is not None:
        rows["off"] = rows["weight"] * (rows["bad"] - rows["group"].map(table["bad_rate"]).astype(float))
        # a group without bads, or of bads alone, varies by customer as much as anything that is all or nothing
        rows["off"] = rows["off"].where(~rows["group"].map(table["bad_rate"].isin([0, 1])).astype(bool), rows["weight"])
        by_customer = rows.groupby(["group", np.asarray(groups)])["off"].sum().pow(2).groupby("group").sum()
        effective /= (by_customer / rows["off"].pow(2).groupby(rows["group"]).sum()).clip(lower=1)
    bads, goods = (effective * table["bad_rate"]).to_numpy(), (effective * (1 - table["bad_rate"])).to_numpy()
    tail = (1 - level) / 2
    low = np.where(bads > 0, betaincinv(bads + 0.5, goods + 0.5, tail), 0.0)
    high = np.where(goods > 0, betaincinv(bads + 0.5, goods + 0.5, 1 - tail), 1.0)
    table = table.assign(low=low, high=high)
    table["inside"] = table["pd_mean"].between(table["low"], table["high"])
    return table.astype({"bads": int}).reset_index()


def gains_table(
    bad: npt.ArrayLike, score: npt.ArrayLike, *, bins: int = 10, weights: npt.ArrayLike | None = None
) -> pd.DataFrame:
    """Return what each score band holds, riskiest band first: the basis of lift, gains and cutoff decisions.

    With sampling weights, rates and shares are weighted; count and bads stay rows of the table.

    Columns: band, score_from, score_to, count, bads, bad_rate, rows_share, bads_share (both cumulative), lift
    (cumulative bad rate over the overall one), ks (gap between these shares of bads and goods). Ties share
    a band.

    >>> gains_table([1, 0, 0, 0], [1, 2, 3, 4], bins=2)["bads_share"].tolist()
    [1.0, 1.0]
    """
    outcome, value = paired(bad, score)
    edges = np.unique(np.quantile(value, np.arange(1, bins) / bins))
    band = np.searchsorted(edges, value, side="left")
    weight = unit_weights(weights, outcome.size)
    rows = pd.DataFrame({"band": band, "score": value, "bad": outcome.astype(int), "weight": weight})
    rows["weighted_bad"] = np.where(outcome, weight, 0.0)
    table = rows.groupby("band", sort=True).agg(
        score_from=("score", "min"),
        score_to=("score", "max"),
        count=("bad", "size"),
        bads=("bad", "sum"),
        weight=("weight", "sum"),
        weighted_bad=("weighted_bad", "sum"),
    )
    all_rows, bad_rows = table.pop("weight"), table.pop("weighted_bad")
    table["bad_rate"] = bad_rows / all_rows
    bads, count = bad_rows.cumsum(), all_rows.cumsum()
    table["rows_share"] = count / count.iloc[-1]
    table["bads_share"] = bads / bads.iloc[-1]
    table["lift"] = table["bads_share"] / table["rows_share"]
    table["ks"] = table["bads_share"] - (count - bads) / (count.iloc[-1] - bads.iloc[-1])
    table.index = pd.RangeIndex(1, len(table) + 1, name="band")
    return table.reset_index()


def cutoff_table(
    bad: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    cutoffs: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Return what accepting from each score on would do.

    Columns: cutoff, accepted, bad_rate_accepted, bads_refused, goods_refused. All are shares, `accepted` of all rows; the bad
    rate is NaN where nobody is accepted. Cutoffs are by default the scores below which each twentieth of the rows lies.

    >>> cutoff_table([1, 0, 0, 0], [1, 2, 3, 4], cutoffs=[2]).iloc[0].tolist()
    [2.0, 0.75, 0.0, 1.0, 0.0]
    """
    outcome, value = paired(bad, score)
    weight = unit_weights(weights, outcome.size)
    points = np.unique(
        np.quantile(value, np.arange(0, 20) / 20) if cutoffs is None else np.asarray(cutoffs, np.float64)
    )
    order = np.argsort(value, kind="stable")
    below = np.searchsorted(value[order], points, side="left")
    bads, goods = (np.r_[0.0, np.cumsum(np.where(side, weight, 0.0)[order])] for side in (outcome, ~outcome))
    kept = (bads[-1] - bads[below]) + (goods[-1] - goods[below])
    rate = np.divide(bads[-1] - bads[below], kept, out=np.full(points.size, np.nan), where=kept > 1e-9)
    return pd.DataFrame(
        {
            "cutoff": points,
            "accepted": kept / (bads[-1] + goods[-1]),
            "bad_rate_accepted": rate,
            "bads_refused": bads[below] / bads[-1],
            "goods_refused": goods[below] / goods[-1],
        }
    )
