"""From a score to a PD: the slope from a sample, the level from it or from a longer view."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from workbench.core.errors import ModelError, ParameterError, SampleError
from workbench.models.evaluation import both_classes, unit_weights
from workbench.models.regression import logistic


def calibrate(
    score: npt.ArrayLike,
    bad: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    target_rate: float | None = None,
) -> tuple[float, float]:
    """Return (a, b) of PD = 1 / (1 + exp(-(a + b score))): logistic regression of bad on the score.

    Fit it on all eligible rows, indeterminate ones as not bad (Platt, 1999, for the method). With `target_rate` the intercept
    is then moved until the mean PD of these rows is that rate: the slope is the sample's, the level is not.

    Raises
    ------
    ParameterError
        A target rate that is none.
    SampleError
        One class, a constant or a missing score.
    ModelError
        The score does not rank these rows: its slope is not negative.
    """
    outcome, value = both_classes(bad, what="calibration"), np.asarray(score, dtype=np.float64)
    if value.shape != outcome.shape or not np.isfinite(value).all():
        raise SampleError(f"calibration: {outcome.size} outcomes need as many scores, none missing.")
    centre, spread = float(value.mean()), float(value.std())
    if spread == 0:
        raise SampleError(f"calibration: all {value.size} scores are {centre:g}; nothing to calibrate on.")
    weight = None if weights is None else unit_weights(weights, outcome.size)
    a, b = logistic(((value - centre) / spread)[:, None], outcome, weight).coefficients.tolist()
    if b >= 0:
        raise ModelError(
            f"calibration: PD rises with the score on these {value.size} rows ({int(outcome.sum())} bads). "
            "Check that the score and the outcome belong together."
        )
    slope, intercept = b / spread, a - b * centre / spread
    if target_rate is not None:
        if not 0 < target_rate < 1:
            raise ParameterError(f"target rate: found {target_rate:g}, expected above 0 and below 1.")
        try:
            level = brentq(
                lambda shift: np.average(expit(intercept + shift + slope * value), weights=weight) - target_rate,
                -40,
                40,
            )
        except ValueError:
            raise ParameterError(f"target rate: found {target_rate:g}, too near to 0 or 1 to calibrate to.") from None
        intercept += float(level)
    return intercept, slope


def central_tendency(rows: pd.DataFrame, wanted: str) -> float | None:
    """Return the mean PD to calibrate to: None for `sample`, the mean of the cohorts' bad rates for `long_run`, or a number.

    Each month of observation counts alike in the long-run rate, however many customers it has (EBA/GL/2017/16, paragraph
    81, the average of one-year default rates). `rows` are those that the PD is calibrated on: as_of, bad, optionally
    sample_weight.

    Raises
    ------
    ParameterError
        No such way, or `long_run` of rows without dates, or of one month alone.

    Examples
    --------
    >>> rows = pd.DataFrame({"as_of": pd.to_datetime(["2024-01-31", "2024-01-31", "2024-02-29"]), "bad": [0, 1, 0]})
    >>> central_tendency(rows, "long_run"), central_tendency(rows, "0.05")
    (0.25, 0.05)
    """
    if wanted == "sample":
        return None
    if wanted == "long_run":
        months = rows["as_of"].dt.to_period("M")
        if months.nunique() < 2:
            raise ParameterError(
                f"calibrate_to: long_run needs several months of observation, found {months.nunique()}. Give a rate instead."
            )
        weight = rows.get("sample_weight", pd.Series(1.0, index=rows.index))
        return float(((weight * rows["bad"]).groupby(months).sum() / weight.groupby(months).sum()).mean())
    try:
        return float(wanted)
    except ValueError:
        raise ParameterError(
            f"calibrate_to: found {wanted!r}, expected sample, long_run, or a rate such as 0.03."
        ) from None
