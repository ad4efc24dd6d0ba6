"""From a sample to a scorecard: bin, select, fit, scale; with the fate of every candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import ModelError, ParameterError, SampleError, nearest, unknown
from workbench.models.binning import RARE_SHARE, NotBinned, fit_bins
from workbench.models.bins import Bins, Direction, Specials, weight_of_evidence
from workbench.models.columns import Floats, numbers, texts
from workbench.models.evaluation import both_classes, gini, unit_weights
from workbench.models.grades import Bands, check_bands
from workbench.models.reasons import Texts, check_templates
from workbench.models.regression import Logistic, logistic
from workbench.models.scorecard import Scaling, Scorecard, scaled

REFUSED_ROLES: Mapping[str, str] = {
    "protected": "protected: kept for fairness checks only",
    "private": "private: identifies a person",
    "outcome": "outcome: knows what the model is to foresee",
    "care": "care: no candidate without a recorded sign-off",
    "key": "key: an identifier, not a measure",
    "current_only": "current_only: its past is not known, so it may hold the future",
}
ROLES = ("feature", "proxy", *REFUSED_ROLES)


@dataclass(frozen=True)
class Candidate:
    """A column offered to a model.

    Attributes
    ----------
    direction : 'higher', 'lower' or None
        Riskier when; None where it is not known beforehand.
    role : str
        One of `ROLES`; only features, and proxies when allowed, can enter.
    categorical : bool
    label, reason : mapping of language to text
        What it is called, and how it is told to a customer's officer, such as "Overdue: {value:.0f} days".
    unit : str
    specials : mapping of code to meaning
        Values that are statuses and no amounts: each has a bin of its own.
    """

    direction: Direction = None
    role: str = "feature"
    categorical: bool = False
    label: Texts = field(default_factory=dict)
    reason: Texts = field(default_factory=dict)
    unit: str = ""
    specials: Specials = field(default_factory=dict)


@dataclass(frozen=True)
class FitOptions:
    """How to select and scale; grades are the bands of `params/grades.yaml`, loaded by the caller.

    `min_iv` .02: weaker is "unpredictive" in Siddiqi (2006), table 6.2. `max_correlation`, `max_p_value`,
    `max_variables` and `max_gini` are house choices; a single variable above `max_gini` is taken for a leak.
    """

    grades: Bands
    min_iv: float = 0.02
    max_correlation: float = 0.7
    max_p_value: float = 0.05
    max_variables: int = 12
    max_gini: float = 0.95
    min_bads: int = 30
    max_bins: int = 6
    min_bin_share: float = 0.04
    allow_proxy: bool = False
    allow_leak: bool = False
    scaling: Scaling = field(default_factory=Scaling)


class FittedScorecard(NamedTuple):
    """A scorecard with the evidence for it.

    `fates`: variable, fate ('in', 'dropped', 'excluded'), detail, iv (NaN where not measured), in order of the
    candidates. `coefficients`: variable, coefficient, std_error, p_value, contribution (its share of the summed
    standard deviations of points), the intercept first.
    """

    scorecard: Scorecard
    fates: pd.DataFrame
    coefficients: pd.DataFrame


class _Fates:
    """What became of each candidate so far."""

    def __init__(self, candidates: Mapping[str, Candidate]) -> None:
        self.rows = {name: {"variable": name, "fate": "", "detail": "", "iv": np.nan} for name in candidates}

    def set(self, name: str, fate: str, detail: str) -> None:
        before = str(self.rows[name]["detail"])
        self.rows[name] |= {"fate": fate, "detail": f"{before}; {detail}" if before else detail}

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(list(self.rows.values()), columns=["variable", "fate", "detail", "iv"])


def fit_scorecard(
    sample: pd.DataFrame,
    bad: npt.ArrayLike,
    *,
    candidates: Mapping[str, Candidate],
    options: FitOptions,
    name: str,
    provenance: Mapping[str, Any],
    target: Mapping[str, Any],
    weights: npt.ArrayLike | None = None,
) -> FittedScorecard:
    """Fit a scorecard: WOE bins, selection by IV, correlation, sign and p-value, logistic regression, PDO scaling.

    The calibration is that of the development odds; `calibrate` on all eligible rows replaces it.

    Parameters
    ----------
    sample : DataFrame with n rows and every candidate's column
    bad : array of 0/1, length n; indeterminate and incomplete rows left out
    candidates : mapping of column to Candidate
    options : FitOptions
    name : str
    provenance, target : mappings of plain data, stored with the scorecard
    weights : array of length n, optional
        Sampling weights: bins, regression and standard errors (the sandwich's) take them; `min_bads` counts rows.

    Raises
    ------
    SampleError
        One class, or fewer than `options.min_bads` bads or goods.
    ModelError
        A candidate's column is missing, a variable looks like a leak, or none survives.
    ParameterError
        An unknown role, a template that cannot be filled, grade bands that do not hold.
    """
    outcome = both_classes(bad, what=f"sample of {name}")
    if len(sample) != outcome.size:
        raise SampleError(f"sample of {name}: {len(sample)} rows but {outcome.size} outcomes.")
    bads, goods = int(outcome.sum()), int((~outcome).sum())
    if min(bads, goods) < options.min_bads:
        raise SampleError(
            f"sample of {name}: {bads} bads and {goods} goods; at least {options.min_bads} of each are needed. "
            "Observe more dates, widen the window, or take a larger book."
        )
    bands = check_bands(options.grades)
    fates = _Fates(candidates)
    weight = None if weights is None else unit_weights(weights, outcome.size)
    bins, woe = _bin(sample, outcome, weight, candidates, options, fates)
    _drop_correlated(bins, woe, weight, options, fates)
    fit = _drop_weak(woe, outcome, weight, options, fates)
    if not woe:
        lines = "; ".join(f"{row.variable}: {row.detail}" for row in fates.frame().itertuples())
        raise ModelError(f"sample of {name}: no candidate survived ({lines:.1000}).")
    for kept in woe:
        fates.set(kept, "in", "ridge fit: the plain one did not converge" if fit.penalised else "")
    variables = tuple(
        scaled(
            bins[kept],
            coefficient,
            options.scaling,
            label=_words(candidates[kept].label, kept),
            reason=_words(candidates[kept].reason, _plain_reason(kept, categorical=candidates[kept].categorical)),
        )
        for kept, coefficient in zip(woe, fit.coefficients[1:], strict=True)
    )
    factor, offset = options.scaling.factor, options.scaling.offset
    scorecard = Scorecard(
        name=name,
        target=dict(target),
        variables=variables,
        intercept=float(fit.coefficients[0]),
        scaling=options.scaling,
        calibration=(offset / factor, -1 / factor),
        grades=bands,
        provenance=dict(provenance),
    )
    spread = np.asarray([_spread(woe[kept] * c, weight) for kept, c in zip(woe, fit.coefficients[1:], strict=True)])
    coefficients = pd.DataFrame(
        {
            "variable": ["(intercept)", *woe],
            "coefficient": fit.coefficients,
            "std_error": fit.std_errors,
            "p_value": fit.p_values,
            "contribution": [np.nan, *(spread / spread.sum())],
        }
    )
    return FittedScorecard(scorecard, fates.frame(), coefficients)


def calibrate(score: npt.ArrayLike, bad: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> tuple[float, float]:
    """Return (a, b) of PD = 1 / (1 + exp(-(a + b score))): logistic regression of bad on the score.

    Fit it on all eligible rows, indeterminate ones as not bad (Platt, 1999, for the method).

    Raises
    ------
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
    return a - b * centre / spread, b / spread


def _spread(points: Floats, weight: Floats | None) -> float:
    """Return the standard deviation over the population that the rows stand for."""
    centre = np.average(points, weights=weight)
    return float(np.sqrt(np.average((points - centre) ** 2, weights=weight)))


def _words(texts: Texts, fallback: str) -> dict[str, str]:
    return dict(texts) if texts else dict.fromkeys(("en", "zh"), fallback)


def _plain_reason(name: str, *, categorical: bool) -> str:
    escaped = name.replace("{", "{{").replace("}", "}}")
    return escaped + (": {value}" if categorical else ": {value:.4g}")


def _bin(
    sample: pd.DataFrame,
    outcome: npt.NDArray[np.bool_],
    weight: Floats | None,
    candidates: Mapping[str, Candidate],
    options: FitOptions,
    fates: _Fates,
) -> tuple[dict[str, Bins], dict[str, Floats]]:
    """Bin what may enter; return bins and WOE columns of what is informative enough, the strongest first."""
    bins: dict[str, Bins] = {}
    woe: dict[str, Floats] = {}
    leaks = []
    for name, candidate in candidates.items():
        if candidate.role not in ROLES:
            raise ParameterError(f"candidate {name}: {unknown('role', candidate.role, ROLES)}")
        if candidate.role in REFUSED_ROLES:
            fates.set(name, "excluded", REFUSED_ROLES[candidate.role])
            continue
        if candidate.role == "proxy" and not options.allow_proxy:
            fates.set(name, "excluded", "proxy: may stand for a protected trait; set allow_proxy to use it")
            continue
        if candidate.role == "proxy":
            fates.set(name, "", "proxy allowed")
        if int((sample.columns == name).sum()) != 1:
            hint = nearest(name, [str(column) for column in sample.columns])
            raise ModelError(f"candidate {name}: the sample needs exactly one column of this name.{hint}")
        check_templates(candidate.reason, name=name, categorical=candidate.categorical)
        try:
            alone = _gini_alone(sample[name], outcome, candidate, options.min_bads)
            if alone > options.max_gini:
                leaks.append(f"{name} (Gini {alone:.3f})")
                fates.set(name, "", f"leak allowed: Gini {alone:.3f} alone")
            found = fit_bins(
                sample[name],
                outcome,
                name=name,
                direction=candidate.direction,
                max_bins=options.max_bins,
                min_bin_share=options.min_bin_share,
                categorical=candidate.categorical,
                specials=candidate.specials,
                weights=weight,
            )
        except NotBinned as reason:
            fates.set(name, "dropped", str(reason).removeprefix(f"{name}: "))
            continue
        fates.rows[name]["iv"] = found.iv
        column = found.woe[found.assign(sample[name])]
        if found.iv < options.min_iv:
            fates.set(name, "dropped", f"IV {found.iv:.3f} under {options.min_iv:g}")
            continue
        bins[name], woe[name] = found, column
    if leaks and not options.allow_leak:
        raise ModelError(
            f"candidates that look like the outcome itself: {', '.join(leaks)}; the limit is {options.max_gini:g}. "
            "Leave them out, or set allow_leak if they are truly known at as_of."
        )
    strongest = sorted(woe, key=lambda name: (-bins[name].iv, name))
    return bins, {name: woe[name] for name in strongest}


def _gini_alone(values: pd.Series, outcome: npt.NDArray[np.bool_], candidate: Candidate, min_bads: int) -> float:
    """Return how well a variable ranks by itself, before a bin's least size can hide a telling group.

    The larger of two: its known values (or categories, by bad rate), and whether it is known at all.
    """
    if candidate.categorical:
        codes, found = pd.factorize(pd.Series(texts(values), dtype=object), use_na_sentinel=False)
        count = np.bincount(codes, minlength=len(found))
        codes = np.where((count < RARE_SHARE * outcome.size)[codes], len(found), codes)
        goods, bads = (np.bincount(codes[rows], minlength=len(found) + 1) for rows in (~outcome, outcome))
        return gini(outcome, weight_of_evidence(goods, bads)[codes])
    try:
        value = numbers(values, name=values.name if isinstance(values.name, str) else "candidate")
    except ModelError as error:
        raise NotBinned(str(error)) from error
    value = np.where(np.isin(value, [code for code in candidate.specials if not isinstance(code, str)]), np.nan, value)
    known = ~np.isnan(value)
    strength = abs(gini(outcome, known.astype(np.float64)))
    if min(outcome[known].sum(), (~outcome[known]).sum()) >= min_bads:
        strength = max(strength, abs(gini(outcome[known], value[known])))
    return strength


def _drop_correlated(
    bins: Mapping[str, Bins], woe: dict[str, Floats], weight: Floats | None, options: FitOptions, fates: _Fates
) -> None:
    """Of two correlated columns keep the one with the higher information value."""
    if len(woe) < 2:
        return
    names = list(woe)
    covariance = np.cov(np.column_stack([woe[name] for name in names]), rowvar=False, aweights=weight)
    deviation = np.sqrt(np.diag(covariance))
    matrix = covariance / np.outer(deviation, deviation)
    kept: list[int] = []
    for i, name in enumerate(names):
        rival = max(kept, key=lambda j: abs(matrix[i, j]), default=None)
        if rival is not None and abs(matrix[i, rival]) > options.max_correlation:
            found = f"{matrix[i, rival]:.2f}".replace("0.", ".")
            fates.set(name, "dropped", f"correlated {found} with {names[rival]}")
            del woe[name]
        else:
            kept.append(i)


def _drop_weak(
    woe: dict[str, Floats],
    outcome: npt.NDArray[np.bool_],
    weight: Floats | None,
    options: FitOptions,
    fates: _Fates,
) -> Logistic:
    """Drop one variable at a time: wrong sign first, then p-value, then the weakest beyond the allowed number."""
    while True:
        names = list(woe)
        fit = logistic(np.column_stack([np.zeros((outcome.size, 0)), *woe.values()]), outcome, weight)
        slopes, p_values = fit.coefficients[1:], fit.p_values[1:]
        if not names:
            return fit
        strength = np.abs(slopes / fit.std_errors[1:])
        if (slopes >= 0).any():
            worst = int(np.argmax(slopes / fit.std_errors[1:]))
            detail = f"wrong sign: coefficient {slopes[worst]:+.2f} beside the others"
        elif p_values.max() > options.max_p_value:
            worst = int(np.argmin(strength))
            detail = f"p-value {p_values[worst]:.3f} above {options.max_p_value:g}"
        elif len(names) > options.max_variables:
            worst = int(np.argmin(strength))
            detail = f"weakest beyond {options.max_variables} variables (z {strength[worst]:.1f})"
        else:
            return fit
        fates.set(names[worst], "dropped", detail)
        del woe[names[worst]]
