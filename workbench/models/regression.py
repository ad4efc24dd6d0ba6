"""Logistic regression with standard errors: statsmodels, and a lightly penalised Newton where it does not converge."""

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


class Logistic(NamedTuple):
    """Intercept first: estimates, standard errors, two-sided p-values; whether the fallback was needed."""

    coefficients: Floats
    std_errors: Floats
    p_values: Floats
    penalised: bool


def logistic(X: npt.NDArray[np.float64], bad: npt.NDArray[np.bool_]) -> Logistic:
    """Return the logistic regression of `bad` on an n by k array (an intercept is added).

    >>> fit = logistic(np.array([[-1.0], [-1.0], [1.0], [1.0]]), np.array([True, False, True, False]))
    >>> fit.coefficients.round(6).tolist(), fit.penalised
    ([0.0, 0.0], False)
    """
    from statsmodels.discrete.discrete_model import Logit
    from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning

    design = np.column_stack([np.ones(len(X)), X])
    outcome = bad.astype(np.float64)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", PerfectSeparationWarning)
        try:
            found = Logit(outcome, design).fit(disp=0, method="newton", maxiter=50)
            if found.mle_retvals["converged"] and np.isfinite(found.bse).all():
                return Logistic(np.asarray(found.params), np.asarray(found.bse), np.asarray(found.pvalues), False)
        except (np.linalg.LinAlgError, PerfectSeparationError, PerfectSeparationWarning):
            pass
    return _penalised(design, outcome)


def _penalised(design: Floats, outcome: Floats) -> Logistic:
    from scipy.special import expit, ndtr

    penalty = np.diag([1e-8] + [RIDGE] * (design.shape[1] - 1))
    beta = np.zeros(design.shape[1])
    beta[0] = np.log(outcome.mean() / (1 - outcome.mean()))
    for _ in range(200):
        chance = expit(design @ beta)
        information = (design * (chance * (1 - chance))[:, None]).T @ design + penalty
        step = np.linalg.solve(information, design.T @ (outcome - chance) - penalty @ beta)
        # A damped step: far from the optimum a full one can overshoot.
        beta = beta + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-9:
            errors = np.sqrt(np.diag(np.linalg.inv(information)))
            return Logistic(beta, errors, 2 * ndtr(-np.abs(beta / errors)), True)
    raise ModelError(f"logistic regression on {len(outcome)} rows and {design.shape[1] - 1} columns did not converge.")
