"""Logistic regression with standard errors, plain or with a ridge penalty.

With sampling weights the standard errors are the sandwich's (Binder, 1983, International Statistical Review 51): a row of
weight 10 is not ten customers. Without weights and under a penalty they are those of its normal prior (Wahba, 1983, Journal
of the Royal Statistical Society B 45), no smaller than what chance moves the estimate by.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtr

from workbench.core.errors import ModelError

Floats = npt.NDArray[np.float64]

FALLBACK_RIDGE = 1.0
"""Penalty where the plain fit does not exist: half the squared slope, a normal prior of variance 1. WOE coefficients
lie near -1, so it bends an estimable fit little and keeps a separated one finite."""

SEPARATED = 30.0
"""A coefficient beyond this on a column of WOE runs away to infinity: the classes are separated. House choice; odds of
e^30 are no estimate."""


class Logistic(NamedTuple):
    """Intercept first: estimates, standard errors, two-sided p-values; whether the fallback was needed."""

    coefficients: Floats
    std_errors: Floats
    p_values: Floats
    fell_back: bool


def logistic(
    X: npt.NDArray[np.float64],
    bad: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64] | None = None,
    *,
    ridge: float = 0.0,
    groups: npt.NDArray[np.intp] | None = None,
) -> Logistic:
    """Return the logistic regression of `bad` on an n by k array (an intercept is added), weighted where asked.

    `ridge` is the penalty: half of it times the sum of squared slopes is taken from the log likelihood. Where there is no
    plain fit, as with separated classes, a penalty of `FALLBACK_RIDGE` stands in. `groups` are the customers, as codes from 0:
    with several rows of one customer the standard errors are the sandwich's by customer (Liang and Zeger, 1986, Biometrika 73).

    >>> fit = logistic(np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([True, False, True, False]))
    >>> fit.coefficients.round(6).tolist(), fit.fell_back
    ([0.0, 0.0], False)

    Raises
    ------
    ModelError
        It does not converge even with a penalty.
    """
    design = np.column_stack([np.ones(len(X)), X])
    outcome = bad.astype(np.float64)
    weight = np.ones(len(outcome)) if weights is None else weights
    if found := _newton(design, outcome, weight, ridge, groups):
        return found
    if ridge < FALLBACK_RIDGE and (found := _newton(design, outcome, weight, FALLBACK_RIDGE, groups)):
        return found._replace(fell_back=True)
    raise ModelError(f"logistic regression on {len(outcome)} rows and {X.shape[1]} columns did not converge.")


def _newton(
    design: Floats, outcome: Floats, weights: Floats, ridge: float, groups: npt.NDArray[np.intp] | None
) -> Logistic | None:
    """Return the maximum of the weighted, penalised likelihood; None where there is none or it is not found."""
    penalty = np.diag([1e-8 if ridge else 0.0] + [ridge] * (design.shape[1] - 1))

    def objective(beta: Floats) -> float:
        log_odds = design @ beta
        return float(weights @ (outcome * log_odds - np.logaddexp(0.0, log_odds)) - beta @ penalty @ beta / 2)

    beta = np.zeros(design.shape[1])
    mean = float(np.average(outcome, weights=weights))
    beta[0] = np.log(mean / (1 - mean))
    reached = objective(beta)
    for _ in range(100):
        chance = expit(design @ beta)
        information = (design * (weights * chance * (1 - chance))[:, None]).T @ design + penalty
        try:
            step = np.linalg.solve(information, design.T @ (weights * (outcome - chance)) - penalty @ beta)
        except np.linalg.LinAlgError:
            return None
        # The likelihood is concave, but far from its maximum a whole step can overshoot: it is halved until it climbs.
        while (climbed := objective(beta + step)) < reached - 1e-9 * abs(reached) and np.abs(step).max() > 1e-12:
            step = step / 2
        beta, reached = beta + step, climbed
        if not ridge and np.abs(beta).max() > SEPARATED:
            return None
        if np.abs(step).max() < 1e-9:
            errors = np.sqrt(np.diag(_covariance(design, weights * (outcome - chance), information, weights, groups)))
            return Logistic(beta, errors, 2 * ndtr(-np.abs(beta / errors)), False)
    return None


def _covariance(
    design: Floats, residual: Floats, information: Floats, weights: Floats, groups: npt.NDArray[np.intp] | None
) -> Floats:
    inverse = np.linalg.inv(information)
    if groups is None and (weights == weights[0]).all():
        return np.asarray(inverse)
    scores = by_group(design * residual[:, None], groups)
    return np.asarray(inverse @ (scores.T @ scores) @ inverse)


def by_group(values: Floats, groups: npt.NDArray[np.intp] | None) -> Floats:
    """Return the sums of rows (n, k) by group (codes from 0); the rows themselves where there are no groups.

    >>> by_group(np.array([[1.0], [2.0], [4.0]]), np.array([1, 0, 1])).tolist()
    [[2.0], [5.0]]
    """
    if groups is None:
        return values
    return np.column_stack([np.bincount(groups, weights=column) for column in values.T])
