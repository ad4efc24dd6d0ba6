"""A measured number with its standard error, so that a band can be widened for a small lender by a stated rule."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

NAN = float("nan")


class Estimate(NamedTuple):
    """A measured value and its standard error; NaN where there was nothing to measure it on."""

    value: float
    error: float


def share(count: float, of: float) -> Estimate:
    """Return `count / of` with its binomial standard error, that of one count where none or all are counted.

    >>> share(50, 100)
    Estimate(value=0.5, error=0.05)
    """
    if not of or pd.isna(of):
        return Estimate(NAN, NAN)
    p = count / of
    at = min(max(p, 1 / of), 1 - 1 / of) if of > 1 else 0.5
    return Estimate(float(p), math.sqrt(at * (1 - at) / of))


def ratio(count: float, of: float, other_count: float, other_of: float) -> Estimate:
    """Return one rate over another, with the standard error of the ratio of two independent counts (delta method).

    >>> [round(number, 3) for number in ratio(200, 1_000, 100, 1_000)]
    [2.0, 0.245]
    """
    if not (of and other_of and other_count and count):
        return Estimate(NAN, NAN)
    value = (count / of) / (other_count / other_of)
    return Estimate(float(value), float(value * math.sqrt(1 / count + 1 / other_count)))


def mean(values: pd.Series, *, weights: pd.Series | None = None) -> Estimate:
    """Return the (weighted) mean of independent units with its standard error (of a ratio of sums where weighted)."""
    w = pd.Series(1.0, index=values.index) if weights is None else weights.astype(float)
    if len(values) < 2 or not w.sum():
        return Estimate(NAN, NAN)
    value = float((values * w).sum() / w.sum())
    return Estimate(value, float(np.sqrt((((values - value) * w) ** 2).sum()) / w.sum()))


def gini(bad: pd.Series, risk: pd.Series) -> Estimate:
    """Return 2 AUC - 1 of a number that is higher for the riskier, with the standard error of Hanley and McNeil (1982).

    >>> gini(pd.Series([0, 0, 1, 1]), pd.Series([1, 2, 3, 4])).value
    1.0
    """
    bads, goods = int(bad.sum()), int((~bad.astype(bool)).sum())
    if not bads or not goods:
        return Estimate(NAN, NAN)
    auc = (risk.rank()[bad.astype(bool)].sum() - bads * (bads + 1) / 2) / (bads * goods)
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (bads - 1) * (q1 - auc**2) + (goods - 1) * (q2 - auc**2)) / (bads * goods)
    return Estimate(float(2 * auc - 1), float(2 * math.sqrt(max(variance, 0.0))))
