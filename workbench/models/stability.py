"""How far a distribution has moved: PSI of a score, CSI of a variable over its own bins, with intervals."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import SampleError
from workbench.models.bins import Bins
from workbench.models.columns import Floats, texts
from workbench.models.evaluation import SMOOTHING, unit_weights
from workbench.models.intervals import Interval
from workbench.models.scorecard import Scorecard


def index_of_counts(expected: Floats, actual: Floats) -> Floats:
    """Return the stability index of each bin (..., k) from the counts of two samples in it; summed over bins it is the PSI.

    >>> index_of_counts(np.array([2.0, 2.0]), np.array([5.0, 5.0])).tolist()
    [0.0, 0.0]
    """
    rows = [side.sum(axis=-1, keepdims=True) for side in (expected, actual)]
    pad = SMOOTHING / np.minimum(*rows)
    old, new = expected / rows[0], actual / rows[1]
    return np.asarray((new - old) * np.log((new + pad) / (old + pad)))


Weights = tuple[npt.ArrayLike | None, npt.ArrayLike | None]
"""Sampling weights of the expected and of the actual side."""


def psi_table(
    expected: npt.ArrayLike,
    actual: npt.ArrayLike,
    *,
    bins: int | npt.ArrayLike = 10,
    weights: Weights = (None, None),
) -> pd.DataFrame:
    """Return the bins behind `psi`: bin, expected, actual (counts, weighted where asked), expected_share, actual_share, psi."""
    before, after = pd.Series(np.asarray(expected)), pd.Series(np.asarray(actual))
    if not len(before) or not len(after):
        raise SampleError(f"psi: {len(before)} expected and {len(after)} actual values; both sides need rows.")
    edges = np.asarray(bins, dtype=np.float64)
    if (edges.ndim == 0 and not edges >= 1) or not (np.diff(edges) > 0 if edges.ndim else np.array(True)).all():
        raise SampleError(f"psi: bins {bins!r:.80}; expected a number of 1 or more, or edges that ascend.")
    if pd.api.types.is_numeric_dtype(before) and pd.api.types.is_numeric_dtype(after):
        if edges.ndim == 0:
            known = before.to_numpy(np.float64)
            known = known[np.isfinite(known)]
            levels = np.arange(1, int(edges)) / int(edges)
            edges = np.unique(np.quantile(known, levels)) if known.size else np.empty(0)
        ends = [-np.inf, *edges.tolist(), np.inf]
        labels = [f"[{low:g}, {high:g})" for low, high in itertools.pairwise(ends)] + ["missing"]
        counts: list[Floats] = []
        for side, weight in zip((before.to_numpy(np.float64), after.to_numpy(np.float64)), weights, strict=True):
            codes = np.where(np.isnan(side), edges.size + 1, np.searchsorted(edges, side, side="right"))
            times = unit_weights(weight, side.size)
            counts.append(np.asarray(np.bincount(codes, weights=times, minlength=len(labels)), dtype=np.float64))
    else:
        sides = [pd.Series(["missing" if name is None else name for name in texts(side)]) for side in (before, after)]
        labels = sorted(set(sides[0]) | set(sides[1]))
        counts = [
            np.asarray(
                pd.Series(unit_weights(weight, len(side))).groupby(side.to_numpy()).sum().reindex(labels, fill_value=0)
            )
            for side, weight in zip(sides, weights, strict=True)
        ]
    old, new = counts[0] / counts[0].sum(), counts[1] / counts[1].sum()
    table = pd.DataFrame({"bin": labels, "expected": counts[0], "actual": counts[1]})
    table = table.assign(expected_share=old, actual_share=new, psi=index_of_counts(counts[0], counts[1]))
    return table[(table["expected"] + table["actual"]) > 0].reset_index(drop=True)


def psi(
    expected: npt.ArrayLike,
    actual: npt.ArrayLike,
    *,
    bins: int | npt.ArrayLike = 10,
    weights: Weights = (None, None),
) -> float:
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
    return float(psi_table(expected, actual, bins=bins, weights=weights)["psi"].sum())


def csi(bins: Bins, expected: pd.Series, actual: pd.Series) -> float:
    """Return the characteristic stability index of a variable: its PSI over the bins of the scorecard.

    >>> csi(Bins("x", (2.0,), (), (5, 5, 0), (1, 2, 0)), pd.Series([1, 3]), pd.Series([1.5, 2.0]))
    0.0
    """
    return psi(bins.assign(expected), bins.assign(actual), bins=np.arange(1, bins.size))


def since_development(scorecard: Scorecard, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the stability index of each variable, `frame` against the scorecard's development counts, the largest first.

    Columns: variable, psi. Over the bins of the scorecard, missing and unseen values included.
    """
    rows = []
    for variable, column in zip(scorecard.variables, scorecard.columns(frame), strict=True):
        bins = variable.bins
        then = np.asarray(bins.goods, dtype=np.float64) + np.asarray(bins.bads)
        now = np.bincount(bins.assign(column), minlength=bins.size).astype(np.float64)
        rows.append({"variable": variable.name, "psi": float(index_of_counts(then, now).sum())})
    return pd.DataFrame(rows, columns=["variable", "psi"]).sort_values("psi", ascending=False, ignore_index=True)


def psi_interval(
    expected: npt.ArrayLike,
    actual: npt.ArrayLike,
    *,
    edges: npt.ArrayLike,
    expected_groups: npt.ArrayLike,
    actual_groups: npt.ArrayLike,
    expected_weights: npt.ArrayLike | None = None,
    actual_weights: npt.ArrayLike | None = None,
    seed: int,
    repeats: int = 200,
    level: float = 0.95,
) -> Interval:
    """Return PSI over fixed bins with its bootstrap interval by customer, both sides drawn.

    Noise alone makes a PSI larger, once in the estimate and once more in each draw; the draws are moved down by twice what
    they lie above the estimate, and cut at 0. The value is the plain PSI, as thresholds are meant for it.

    Parameters
    ----------
    expected, actual : arrays of numbers without missing values
    edges : ascending inner edges
    expected_groups, actual_groups : customer ids of each side
    expected_weights, actual_weights : arrays, optional
        Sampling weights of each side.

    Examples
    --------
    >>> ids = range(100)
    >>> found = psi_interval([1, 2] * 50, [1, 2, 2, 2] * 25, edges=[2], expected_groups=ids, actual_groups=ids, seed=1)
    >>> found.low < found.value < found.high
    True
    """
    rng = np.random.default_rng(seed)
    bounds = np.asarray(edges, dtype=np.float64)
    sides = []
    for values, groups, weights in (
        (expected, expected_groups, expected_weights),
        (actual, actual_groups, actual_weights),
    ):
        code = np.searchsorted(bounds, np.asarray(values, dtype=np.float64), side="right")
        member = pd.factorize(np.asarray(groups), use_na_sentinel=False)[0]
        if member.size != code.size or not code.size:
            raise SampleError(
                f"psi_interval: {code.size} values for {member.size} customer ids; one id a row is needed."
            )
        sides.append((code, member, int(member.max()) + 1, unit_weights(weights, code.size)))

    def counted(code: npt.NDArray[np.intp], times: Floats) -> Floats:
        return np.bincount(code, weights=times, minlength=bounds.size + 1).astype(np.float64)

    value = float(index_of_counts(*(counted(code, weight) for code, _member, _customers, weight in sides)).sum())
    draws = np.empty(repeats)
    for i in range(repeats):
        drawn = []
        for code, member, customers, weight in sides:
            times = np.bincount(rng.integers(0, customers, customers), minlength=customers)[member]
            drawn.append(counted(code, times * weight))
        draws[i] = index_of_counts(*drawn).sum()
    tail = (1 - level) / 2
    low, high = np.maximum(np.quantile(draws, [tail, 1 - tail]) - 2 * (draws.mean() - value), 0.0)
    return Interval(value, float(low), float(high), level)
