"""How well a score ranks, how well a PD is calibrated, how far a distribution has moved; each with its interval.

Throughout, `bad` is 1 for bad and 0 for good, and a higher score is safer. Weights, where a function takes them, are
sampling weights: how many customers of the population a row stands for; only their ratios matter.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import SampleError

Floats = npt.NDArray[np.float64]

SMOOTHING = 0.5
"""Pseudo-count added to a cell before its share is taken, so that an empty cell has a finite logarithm. The half is the
Haldane-Anscombe correction (Anscombe, 1956, "On estimating binomial response relations", Biometrika 43)."""

MIN_VALID_REPEATS = 0.9
"""Share of bootstrap draws that must hold both classes; below it a percentile interval would be cut on one side."""


class Interval(NamedTuple):
    """A statistic with its confidence limits."""

    value: float
    low: float
    high: float
    level: float


def both_classes(bad: npt.ArrayLike, *, what: str = "sample") -> npt.NDArray[np.bool_]:
    """Return `bad` as booleans, or raise `SampleError` with the counts where it is not 0/1 or holds one class only.

    >>> both_classes([0, 1, 0]).sum()
    np.int64(1)
    """
    values = np.asarray(bad, dtype=np.float64)
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


def _paired(bad: npt.ArrayLike, score: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], Floats]:
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
    outcome, value = _paired(bad, score)
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
    outcome, chance = _paired(bad, pd_hat)
    return float(np.average((chance - outcome) ** 2, weights=unit_weights(weights, outcome.size)))


def interval(
    statistic: Callable[[Any, Any, Any], float],
    bad: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    groups: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    seed: int,
    repeats: int = 200,
    level: float = 0.95,
) -> Interval:
    """Return a statistic with its percentile bootstrap interval, drawing whole customers with replacement.

    A customer seen at several dates is one draw, so that repeated rows do not pass for evidence (cluster bootstrap:
    Field and Welsh, 2007, J. R. Stat. Soc. B 69). Draws with one class only are left out.

    Parameters
    ----------
    statistic : callable
        `gini`, `ks`, `brier` or any function of (bad, score, weights).
    bad, score : arrays of length n
    groups : array of length n
        Customer ids.
    weights : array of length n, optional
        Sampling weights.
    seed, repeats, level
        Random seed, number of draws, confidence level.

    Raises
    ------
    SampleError
        Fewer than 90 % of the draws hold both classes: too few bads for an interval.

    Examples
    --------
    >>> bad, score = [1, 0, 0, 1, 0, 0] * 20, [1, 2, 3, 3, 4, 5] * 20
    >>> found = interval(gini, bad, score, groups=range(120), seed=1)
    >>> found.low < found.value < found.high
    True
    """
    outcome, value = _paired(bad, score)
    # Sorted once, resampled rows stay sorted and each draw's stable sort is a single pass.
    order = np.argsort(value, kind="stable")
    outcome, value, weight = outcome[order], value[order], unit_weights(weights, outcome.size)[order]
    codes, customers = pd.factorize(np.asarray(groups), use_na_sentinel=False)
    if codes.size != outcome.size:
        raise SampleError(f"interval: {codes.size} customer ids for {outcome.size} rows; one id a row is needed.")
    member = codes[order]
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(repeats):
        times = np.bincount(rng.integers(0, len(customers), len(customers)), minlength=len(customers))[member]
        drawn = np.repeat(outcome, times)
        if drawn.any() and not drawn.all():
            draws.append(statistic(drawn, np.repeat(value, times), np.repeat(weight, times)))
    if len(draws) < MIN_VALID_REPEATS * repeats:
        raise SampleError(
            f"interval: only {len(draws)} of {repeats} bootstrap draws hold both classes "
            f"({int(outcome.sum())} bads, {len(customers)} customers). Use a larger sample, or delong_interval."
        )
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(statistic(outcome, value, weight), float(low), float(high), level)


def _midranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    return np.asarray((upper - (counts - 1) / 2)[inverse], dtype=np.float64)


def delong_interval(bad: npt.ArrayLike, score: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the Gini with DeLong's interval for independent rows (one row a customer; else use `interval`).

    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, in the midrank form of Sun and Xu (2014), IEEE Signal
    Processing Letters 21. The interval of 2 AUC - 1 is symmetric and cut at -1 and 1.

    >>> found = delong_interval([1, 0, 1, 0, 0, 0], [1, 2, 3, 4, 5, 6])
    >>> round(found.value, 3), found.high
    (0.75, 1.0)
    """
    outcome, value = _paired(bad, score)
    goods, bads = value[~outcome], value[outcome]
    m, n = goods.size, bads.size
    if min(m, n) < 2:
        raise SampleError(f"delong_interval: {n} bads and {m} goods; at least 2 of each are needed for a variance.")
    together = _midranks(np.concatenate([goods, bads]))
    above_bads = (together[:m] - _midranks(goods)) / n
    below_goods = 1 - (together[m:] - _midranks(bads)) / m
    auc = float(above_bads.mean())
    spread = float(np.sqrt(above_bads.var(ddof=1) / m + below_goods.var(ddof=1) / n))
    reach = 2 * NormalDist().inv_cdf(0.5 + level / 2) * spread
    found = 2 * auc - 1
    return Interval(found, max(found - reach, -1.0), min(found + reach, 1.0), level)


def psi_table(expected: npt.ArrayLike, actual: npt.ArrayLike, *, bins: int | npt.ArrayLike = 10) -> pd.DataFrame:
    """Return the bins behind `psi`: columns bin, expected, actual (counts), expected_share, actual_share, psi."""
    before, after = pd.Series(np.asarray(expected)), pd.Series(np.asarray(actual))
    if not len(before) or not len(after):
        raise SampleError(f"psi: {len(before)} expected and {len(after)} actual values; both sides need rows.")
    if pd.api.types.is_numeric_dtype(before) and pd.api.types.is_numeric_dtype(after):
        edges = np.asarray(bins, dtype=np.float64)
        if edges.ndim == 0:
            known = before.to_numpy(np.float64)
            known = known[np.isfinite(known)]
            levels = np.arange(1, int(edges)) / int(edges)
            edges = np.unique(np.quantile(known, levels)) if known.size else np.empty(0)
        ends = [-np.inf, *edges.tolist(), np.inf]
        labels = [f"[{low:g}, {high:g})" for low, high in itertools.pairwise(ends)] + ["missing"]
        counts: list[Floats] = []
        for side in (before.to_numpy(np.float64), after.to_numpy(np.float64)):
            codes = np.where(np.isnan(side), edges.size + 1, np.searchsorted(edges, side, side="right"))
            counts.append(np.asarray(np.bincount(codes, minlength=len(labels)), dtype=np.float64))
    else:
        sides = [side.astype(object).where(side.notna(), "missing").astype(str) for side in (before, after)]
        labels = sorted(set(sides[0]) | set(sides[1]))
        counts = [np.asarray(side.value_counts().reindex(labels, fill_value=0), dtype=np.float64) for side in sides]
    old, new = counts[0] / counts[0].sum(), counts[1] / counts[1].sum()
    pad = SMOOTHING / min(counts[0].sum(), counts[1].sum())
    table = pd.DataFrame({"bin": labels, "expected": counts[0], "actual": counts[1]})
    table = table.assign(expected_share=old, actual_share=new, psi=(new - old) * np.log((new + pad) / (old + pad)))
    return table[(table["expected"] + table["actual"]) > 0].reset_index(drop=True)


def psi(expected: npt.ArrayLike, actual: npt.ArrayLike, *, bins: int | npt.ArrayLike = 10) -> float:
    """Return the population stability index: sum of (actual - expected) ln(actual / expected) over bins of shares.

    Siddiqi, "Credit Risk Scorecards" (2006), chapter 8; it is the Jeffreys divergence of the two distributions. Shares
    in the logarithm carry `SMOOTHING`. Missing values are a bin of their own.

    Parameters
    ----------
    expected, actual : arrays of numbers, or of categories
    bins : int or ascending inner edges
        A number of quantile bins of `expected`, or the edges themselves; no meaning for categories.

    Examples
    --------
    >>> psi([1, 2, 3, 4], [1, 2, 3, 4], bins=2)
    0.0
    """
    return float(psi_table(expected, actual, bins=bins)["psi"].sum())


def calibration_table(
    pd_hat: npt.ArrayLike,
    bad: npt.ArrayLike,
    by: npt.ArrayLike | int = 10,
    *,
    weights: npt.ArrayLike | None = None,
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
    outcome, value = _paired(bad, score)
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
