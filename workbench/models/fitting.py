"""From a sample to a scorecard: bin, select, fit, scale; with the fate of every candidate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench import __version__
from workbench.core.errors import ModelError, ParameterError, SampleError, nearest, unknown
from workbench.core.languages import mark, say
from workbench.models.bin_files import BinRule
from workbench.models.binning import RARE_SHARE, NotBinned, count_bins, fit_bins
from workbench.models.bins import Bins, Direction, Specials, name_text, weight_of_evidence
from workbench.models.columns import ColumnError, Floats, numbers, texts
from workbench.models.evaluation import both_classes, gini, unit_weights
from workbench.models.grades import Bands, check_bands
from workbench.models.reasons import Texts, check_templates
from workbench.models.scorecard import Scaling, Scorecard, scaled
from workbench.models.selection import (
    DROPPED,
    EXCLUDED,
    IN,
    Columns,
    Fates,
    Method,
    choose,
    drop_collinear,
    drop_correlated,
    monthly_csi,
)

REFUSED_ROLES: Mapping[str, str] = {
    "protected": mark("protected: kept for fairness checks only"),
    "private": mark("private: identifies a person"),
    "outcome": mark("outcome: knows what the model is to foresee"),
    "care": mark("care: no candidate without a recorded sign-off"),
    "key": mark("key: an identifier, not a measure"),
    "current_only": mark("current_only: its past is not known, so it may hold the future"),
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


FEW_BADS = 500
FEWEST_ROWS = 10
"""A value in fewer rows is no evidence of a leak. House choice."""


@dataclass(frozen=True)
class FitOptions:
    """How to select and scale; grades are the bands of `params/grades.yaml`, loaded by the caller.

    `min_iv` .02: weaker is "unpredictive", and `max_csi` .25: above is a shift, in Siddiqi (2006), table 6.2 and chapter 8;
    `max_vif` 5 is the usual bound of multicollinearity. `ridge`: see `regression.logistic`; 5 is a prior standard deviation
    of .45 for a coefficient, felt with a few hundred bads and hardly with thousands. `max_p_value`: where None, .157, the level
    at which Akaike's criterion keeps one coefficient, and .5 with fewer than `FEW_BADS`, where a strict level costs ranking and
    the penalty tames what stays (Steyerberg, "Clinical Prediction Models", 2019, chapter 11; bench/scorecards.py).
    `max_correlation`, `max_variables`, `max_gini`, `ridge` and `FEW_BADS` are house choices; a single variable above `max_gini`
    is taken for a leak. `method`: see `selection.choose`. `signed_off`: who lets a `care` column in and why, by column; it
    is kept with the scorecard. `min_bin_bads`: see `fit_bins`. `reference`: of the reasons, see `Scorecard`.
    """

    grades: Bands
    min_iv: float = 0.02
    max_csi: float = 0.25
    max_correlation: float = 0.7
    max_vif: float = 5.0
    max_p_value: float | None = None
    ridge: float = 5.0
    max_variables: int = 12
    max_gini: float = 0.95
    min_bads: int = 30
    max_bins: int = 6
    min_bin_share: float = 0.04
    min_bin_bads: int = 5
    method: Method = "backward"
    signed_off: Mapping[str, str] = field(default_factory=dict)
    allow_proxy: bool = False
    allow_leak: bool = False
    scaling: Scaling = field(default_factory=Scaling)
    reference: Literal["average", "best"] = "average"

    def __post_init__(self) -> None:
        for name, value, holds, expected in (
            (
                "max_p_value",
                self.max_p_value,
                self.max_p_value is None or 0 < self.max_p_value <= 1,
                "above 0, at most 1",
            ),
            ("ridge", self.ridge, 0 <= self.ridge < np.inf, "0 or more"),
            ("max_variables", self.max_variables, self.max_variables >= 1, "1 or more"),
            ("max_bins", self.max_bins, self.max_bins >= 2, "2 or more"),
            ("min_bin_share", self.min_bin_share, 0 <= self.min_bin_share < 0.5, "from 0 to under 0.5"),
            ("min_bin_bads", self.min_bin_bads, self.min_bin_bads >= 0, "0 or more"),
        ):
            if not holds:
                raise ParameterError(f"{name}: found {value}, expected {expected}.")

    def p_value_limit(self, bads: int) -> float:
        """Return the p-value above which a variable leaves a fit with so many bads."""
        if self.max_p_value is not None:
            return self.max_p_value
        return 0.5 if bads < FEW_BADS else 0.157


class NothingSurvived(ModelError):  # noqa: N818 - an outcome, as NotBinned is
    """No candidate is left to fit on; `fates` says what became of each."""

    def __init__(self, message: str, fates: pd.DataFrame) -> None:
        super().__init__(message)
        self.fates = fates


class FittedScorecard(NamedTuple):
    """A scorecard with the evidence for it.

    `fates`: variable, fate ('in', 'dropped', 'excluded'), detail (in the language in use), iv and csi (NaN where not
    measured), in order of the candidates. `coefficients`: variable, coefficient, std_error, p_value, contribution (its
    share of the summed standard deviations of points), the intercept first.
    """

    scorecard: Scorecard
    fates: pd.DataFrame
    coefficients: pd.DataFrame


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
    groups: npt.ArrayLike | None = None,
    dates: pd.Series | None = None,
    rules: Mapping[str, BinRule] | None = None,
) -> FittedScorecard:
    """Fit a scorecard: WOE bins, selection by IV, stability, correlation, sign and p-value, logistic regression, PDO scaling.

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
        Sampling weights: bins, regression and standard errors (the sandwich's) take them.
    groups : array of length n, optional
        Customer ids, where one stands in several rows: standard errors and p-values are then by customer, and it is bad
        customers that the default of `max_p_value` counts; `min_bads` counts rows.
    dates : Series of length n, optional
        When each row was observed: with several months, a candidate whose distribution is not stable over them is dropped.
    rules : mapping of column to BinRule, optional
        Bins that a person drew: kept exactly, or refused.

    Raises
    ------
    SampleError
        One class, or fewer than `options.min_bads` bads or goods.
    ModelError
        A candidate's column is missing, a variable looks like a leak, a rule does not hold, or no candidate survives.
    ParameterError
        An unknown role, a template that cannot be filled, grade bands that do not hold.
    """
    outcome = both_classes(bad, what=f"sample of {name}")
    if len(sample) != outcome.size:
        raise SampleError(f"sample of {name}: {len(sample)} rows but {outcome.size} outcomes.")
    who = None if groups is None else pd.factorize(np.asarray(groups), use_na_sentinel=False)[0]
    if who is not None and len(who) != outcome.size:
        raise SampleError(f"sample of {name}: {outcome.size} outcomes but {len(who)} customer ids.")
    bads, goods = int(outcome.sum()), int((~outcome).sum())
    bad_customers = bads if who is None else len(np.unique(who[outcome]))
    if min(bads, goods) < options.min_bads:
        raise SampleError(
            f"sample of {name}: {bads} bads and {goods} goods; at least {options.min_bads} of each are needed. "
            "Observe more dates, widen the window, or take a larger book."
        )
    bands = check_bands(options.grades)
    fates = Fates(candidates)
    weight = None if weights is None else unit_weights(weights, outcome.size)
    if strange := sorted(set(rules or {}) - set(candidates)):
        raise ModelError(f"bins: {strange[0]!r} is no candidate of this sample. Remove it from the bins.")
    if who is not None and len(np.unique(who)) == outcome.size:
        who = None
    bins, columns = _bin(sample, outcome, weight, candidates, options, rules or {}, dates, fates)
    columns = columns._replace(groups=who)
    drop_correlated(columns, options.max_correlation, fates)
    drop_collinear(columns, options.max_vif, fates)
    chosen, fit = choose(
        columns,
        method=options.method,
        max_p_value=options.p_value_limit(bad_customers),
        ridge=options.ridge,
        max_variables=options.max_variables,
        fates=fates,
    )
    woe = {kept: columns.woe[kept] for kept in chosen}
    if not woe:
        lines = "; ".join(f"{row.variable}: {row.detail}" for row in fates.frame().itertuples())
        raise NothingSurvived(f"sample of {name}: no candidate survived ({lines:.1000}).", fates.frame())
    for kept in woe:
        fates.set(kept, IN, say("ridge fit: the plain one did not converge") if fit.fell_back else "")
    variables = tuple(
        scaled(
            bins[kept],
            coefficient,
            options.scaling,
            label=_words(candidates[kept].label, kept),
            reason=_words(candidates[kept].reason, _plain_reason(kept, categorical=candidates[kept].categorical)),
            unit=candidates[kept].unit,
        )
        for kept, coefficient in zip(woe, fit.coefficients[1:], strict=True)
    )
    free = {kept: rule.why for kept, rule in (rules or {}).items() if kept in woe and rule.order == "free"}
    factor, offset = options.scaling.factor, options.scaling.offset
    scorecard = Scorecard(
        name=name,
        target=dict(target),
        variables=variables,
        intercept=float(fit.coefficients[0]),
        scaling=options.scaling,
        calibration=(offset / factor, -1 / factor),
        grades=bands,
        provenance={"workbench": __version__, **provenance, **({"free_order": free} if free else {})},
        reference=options.reference,
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
    rules: Mapping[str, BinRule],
    dates: pd.Series | None,
    fates: Fates,
) -> tuple[dict[str, Bins], Columns]:
    """Bin what may enter; return bins and WOE columns of what is informative and stable enough, the strongest first."""
    bins: dict[str, Bins] = {}
    woe: dict[str, Floats] = {}
    leaks, refused = [], []
    months = None if dates is None else pd.factorize(pd.to_datetime(dates).dt.to_period("M"))[0]
    admitted = _admitted(sample, candidates, options, fates)
    for name in admitted:
        candidate = candidates[name]
        try:
            alone = _gini_alone(sample[name], outcome, candidate, options.min_bads)
            if alone > options.max_gini:
                leaks.append(f"{name} (Gini {alone:.3f})")
                fates.set(name, "", say("leak allowed: Gini {gini:.3f} alone", gini=alone))
            found = _bins_of(sample[name], outcome, weight, name, candidate, options, rules.get(name))
        except NotBinned as reason:
            fates.set(name, DROPPED, reason.why)
            continue
        except ModelError as error:
            refused.append(str(error))
            continue
        codes = found.assign(sample[name])
        fates.rows[name]["iv"] = found.iv
        fates.rows[name]["csi"] = csi = np.nan if months is None else monthly_csi(codes, months, weight)
        if name in rules:
            fates.set(name, "", _said_of(rules[name]))
        if found.iv < options.min_iv:
            fates.set(name, DROPPED, say("IV {iv:.3f} under {limit:g}", iv=found.iv, limit=options.min_iv))
        elif csi > options.max_csi:
            unstable = say("unstable: CSI {csi:.2f} of a month above {limit:g}", csi=csi, limit=options.max_csi)
            fates.set(name, DROPPED, unstable)
        else:
            bins[name], woe[name] = found, found.woe[codes]
    if refused:
        raise ModelError(" ".join(refused))
    if leaks and not options.allow_leak:
        raise ModelError(
            f"candidates that look like the outcome itself: {', '.join(leaks)}; the limit is {options.max_gini:g}. "
            "Leave them out, or set allow_leak if they are truly known at as_of."
        )
    strongest = sorted(woe, key=lambda name: (-bins[name].iv, name))
    return bins, Columns({name: woe[name] for name in strongest}, outcome, weight)


def _admitted(
    sample: pd.DataFrame, candidates: Mapping[str, Candidate], options: FitOptions, fates: Fates
) -> list[str]:
    """Return the candidates whose role lets them in, each once; say of the others why not."""
    admitted: list[str] = []
    first_of: dict[bytes, str] = {}
    for name, candidate in candidates.items():
        if candidate.role not in ROLES:
            raise ParameterError(f"candidate {name}: {unknown('role', candidate.role, ROLES)}")
        said = options.signed_off.get(name, "").strip()
        if candidate.role == "care" and said:
            fates.set(name, "", say("care, signed off: {said}", said=said))
        elif candidate.role == "proxy" and options.allow_proxy:
            fates.set(name, "", say("proxy allowed"))
        elif candidate.role == "proxy":
            fates.set(name, EXCLUDED, say("proxy: may stand for a protected trait; set allow_proxy to use it"))
            continue
        elif candidate.role in REFUSED_ROLES:
            fates.set(name, EXCLUDED, say(REFUSED_ROLES[candidate.role]))
            continue
        if int((sample.columns == name).sum()) != 1:
            hint = nearest(name, [str(column) for column in sample.columns])
            raise ModelError(f"candidate {name}: the sample needs exactly one column of this name.{hint}")
        check_templates(candidate.reason, name=name, categorical=candidate.categorical)
        values = _fingerprint(sample[name])
        twin = first_of.setdefault(values, name) if values else name
        if twin != name:
            fates.set(name, DROPPED, say("the same values as {other} in every row", other=twin))
            continue
        admitted.append(name)
    return admitted


def _fingerprint(values: pd.Series) -> bytes:
    """Return a hash of a column's values, the same for an exact copy; nothing for a constant, of which its bins tell."""
    hashed = pd.util.hash_pandas_object(values, index=False).to_numpy()
    return b"" if (hashed == hashed[0]).all() else hashlib.sha256(hashed.tobytes()).digest()


def _bins_of(
    values: pd.Series,
    outcome: npt.NDArray[np.bool_],
    weight: Floats | None,
    name: str,
    candidate: Candidate,
    options: FitOptions,
    rule: BinRule | None,
) -> Bins:
    common: dict[str, Any] = {
        "name": name,
        "direction": candidate.direction,
        "categorical": candidate.categorical,
        "specials": candidate.specials,
        "weights": weight,
    }
    if rule is not None:
        return count_bins(values, outcome, rule=rule, **common)
    return fit_bins(
        values,
        outcome,
        max_bins=options.max_bins,
        min_bin_share=options.min_bin_share,
        min_bin_bads=options.min_bin_bads,
        **common,
    )


def _said_of(rule: BinRule) -> str:
    """Return what a person drew, in a few words."""
    merged = [
        say("{what} with {into} ({why})", what=name_text(merge.what), into=name_text(merge.into), why=merge.why)
        for merge in rule.merge
    ]
    free = [say("order free ({why})", why=rule.why)] if rule.order == "free" else []
    return say("; ").join([say("bins by hand"), *merged, *free])


def _gini_alone(values: pd.Series, outcome: npt.NDArray[np.bool_], candidate: Candidate, min_bads: int) -> float:
    """Return how well a variable ranks by itself, before a bin's least size can hide a telling group.

    The larger of two: its single values by their bad rates (rare ones together; missing and special codes are values as any
    other), and its known numbers in their order.
    """
    if candidate.categorical:
        return _gini_by_value(pd.Series(texts(values), dtype=object), outcome)
    try:
        value = numbers(values, name=values.name if isinstance(values.name, str) else "candidate")
    except ColumnError as error:
        raise NotBinned(error.args[0], error.text, error.values) from error
    strength = _gini_by_value(pd.Series(value), outcome)
    value = np.where(np.isin(value, [code for code in candidate.specials if not isinstance(code, str)]), np.nan, value)
    known = ~np.isnan(value)
    if min(outcome[known].sum(), (~outcome[known]).sum()) >= min_bads:
        strength = max(strength, abs(gini(outcome[known], value[known])))
    return strength


def _gini_by_value(values: pd.Series, outcome: npt.NDArray[np.bool_]) -> float:
    codes, found = pd.factorize(values, use_na_sentinel=False)
    count = np.bincount(codes, minlength=len(found))
    codes = np.where((count < max(RARE_SHARE * outcome.size, FEWEST_ROWS))[codes], len(found), codes)
    goods, bads = (np.bincount(codes[rows], minlength=len(found) + 1) for rows in (~outcome, outcome))
    return gini(outcome, weight_of_evidence(goods, bads)[codes])
