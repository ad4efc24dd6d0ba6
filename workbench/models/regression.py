"""Logistic regression with standard errors: statsmodels, and a lightly penalised Newton where it does not converge.

With sampling weights the estimate is Newton's as well, and its standard errors are the sandwich's (Binder, 1983,
International Statistical Review 51): a row of weight 10 is not ten customers.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.core.errors import ModelError

Floats = npt.NDArray[np.float64]

RIDGE = 1.0
"""Penalty of the fallback on each slope: half the squared coefficient, a normal prior of variance 1. WOE coefficients
lie near -1, so it bends an estimable fit little and keeps a separated one finite."""


SEPARATED = 30.0
"""A coefficient beyond this on a column of WOE runs away to infinity: the classes are separated. House choice; odds of
e^30 are no estimate."""


class Logistic(NamedTuple):
    """Intercept first: estimates, standard errors, two-sided p-values; whether the fallback was needed."""

    coefficients: Floats
    std_errors: Floats
    p_values: Floats
    penalised: bool


def logistic(
    X: npt.NDArray[np.float64], bad: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64] | None = None
) -> Logistic:
    """Return the logistic regression of `bad` on an n by k array (an intercept is added), weighted where asked.

    >>> fit = logistic(np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([True, False, True, False]))
    >>> fit.coefficients.round(6).tolist(), fit.penalised
    ([0.0, 0.0], False)
    """
    from statsmodels.discrete.discrete_model import Logit
    from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning

    design = np.column_stack([np.ones(len(X)), X])
    outcome = bad.astype(np.float64)
    if weights is not None:
        found_weighted = _newton(design, outcome, weights, ridge=0.0)
        return found_weighted or _penalised(design, outcome, weights)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", PerfectSeparationWarning)
        try:
            found = Logit(outcome, design).fit(disp=0, method="newton", maxiter=50)
            if found.mle_retvals["converged"] and np.isfinite(found.bse).all():
                return Logistic(np.asarray(found.params), np.asarray(found.bse), np.asarray(found.pvalues), False)
        except (np.linalg.LinAlgError, PerfectSeparationError, PerfectSeparationWarning):
            pass
    return _penalised(design, outcome, np.ones(len(outcome)))


def _penalised(design: Floats, outcome: Floats, weights: Floats) -> Logistic:
    found = _newton(design, outcome, weights, ridge=RIDGE)
    if found is None:
        raise ModelError(
            f"logistic regression on {len(outcome)} rows and {design.shape[1] - 1} columns did not converge."
        )
    return found


def _newton(design: Floats, outcome: Floats, weights: Floats, *, ridge: float) -> Logistic | None:
    """Return the maximum of the weighted, penalised likelihood; None where there is none or it is not found."""
    from scipy.special import expit, ndtr

    penalty = np.diag([1e-8 if ridge else 0.0] + [ridge] * (design.shape[1] - 1))
    beta = np.zeros(design.shape[1])
    mean = float(np.average(outcome, weights=weights))
    beta[0] = np.log(mean / (1 - mean))
    for _ in range(200 if ridge else 50):
        chance = expit(design @ beta)
        information = (design * (weights * chance * (1 - chance))[:, None]).T @ design + penalty
        try:
            step = np.linalg.solve(information, design.T @ (weights * (outcome - chance)) - penalty @ beta)
        except np.linalg.LinAlgError:
            return None
        # A damped step: far from the optimum a full one can overshoot.
        beta = beta + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if not ridge and np.abs(beta).max() > SEPARATED:
            return None
        if np.abs(step).max() < 1e-9:
            errors = np.sqrt(np.diag(_covariance(design, weights * (outcome - chance), information, weights)))
            return Logistic(beta, errors, 2 * ndtr(-np.abs(beta / errors)), bool(ridge))
    return None


def _covariance(design: Floats, residual: Floats, information: Floats, weights: Floats) -> Floats:
    inverse = np.linalg.inv(information)
    if (weights == weights[0]).all():
        return np.asarray(inverse)
    scores = design * residual[:, None]
    return np.asarray(inverse @ (scores.T @ scores) @ inverse)
