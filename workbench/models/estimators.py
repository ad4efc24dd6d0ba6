"""Our bins and our scorecard as scikit-learn's users know them: `fit`, `transform`, `predict_proba`, pipelines and searches.

The second class in order (`classes_[1]`) is the bad one. A table may be a DataFrame, whose dtypes are kept, or an array.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from workbench.core.errors import InputError, ModelError, unknown
from workbench.models.binning import NotBinned, fit_bins
from workbench.models.bins import Direction, Specials
from workbench.models.columns import Floats
from workbench.models.fitting import Candidate, FitOptions, NothingSurvived, fit_scorecard
from workbench.models.scorecard import Scaling, Scorecard
from workbench.models.selection import Method

ONE_GRADE = (("A", 1.0),)


class _OfColumns(BaseEstimator):  # type: ignore[misc]
    """What both estimators say of their columns."""

    directions: Mapping[str, Direction] | None
    categorical: Sequence[str] | None
    specials: Mapping[str, Specials] | None

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        tags.classifier_tags = tags.classifier_tags or ClassifierTags()
        tags.classifier_tags.multi_class = False
        return tags

    def _table(self, X: Any, y: Any = None) -> pd.DataFrame:
        """Return X as a DataFrame, checked as scikit-learn does."""
        fitting = y is not None
        if isinstance(X, pd.DataFrame) and len(X) and X.shape[1]:
            validate_data(self, X, skip_check_array=True, reset=fitting)
            return X.reset_index(drop=True).rename(columns=str)
        options: dict[str, Any] = {"dtype": "numeric", "ensure_all_finite": False, "reset": fitting}
        if fitting:
            values, _ = validate_data(self, X, y, ensure_min_samples=2, **options)
        else:
            values = validate_data(self, X, **options)
        return pd.DataFrame(values, columns=[f"x{i}" for i in range(values.shape[1])])

    def _outcome(self, y: Any, rows: int) -> npt.NDArray[np.bool_]:
        if y is None:
            raise ValueError(
                f"requires y to be passed, but the target y is None: {type(self).__name__} needs outcomes."
            )
        target = np.asarray(y)
        if target.ndim == 2 and target.shape[1] == 1:
            warnings.warn(
                "A column-vector y was passed when a 1d array was expected.", DataConversionWarning, stacklevel=3
            )
            target = target.ravel()
        kind = type_of_target(target, input_name="y", raise_unknown=True)
        if kind != "binary":
            if kind.startswith("continuous"):
                raise ValueError(f"Unknown label type: {kind}. {type(self).__name__} needs two classes, good and bad.")
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        if target.shape[0] != rows:
            raise ValueError(f"{rows} rows but {target.shape[0]} outcomes.")
        self.classes_ = np.unique(target)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs two classes; the data holds one class: {self.classes_[0]!r}."
            )
        return np.asarray(target == self.classes_[1])

    def _candidates(self, table: pd.DataFrame) -> dict[str, Candidate]:
        names = [str(name) for name in table]
        directions = {str(name): value for name, value in (self.directions or {}).items()}
        specials = {str(name): value for name, value in (self.specials or {}).items()}
        words = {str(name) for name in self.categorical or ()}
        for what, own in (("directions", directions), ("categorical", words), ("specials", specials)):
            if strange := sorted(set(own) - set(names)):
                raise ValueError(f"{what}: {unknown('column', strange[0], names)}")
        words |= {str(name) for name, dtype in table.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
        return {
            name: Candidate(directions.get(name), categorical=name in words, specials=specials.get(name, {}))
            for name in names
        }


class WoeEncoder(TransformerMixin, _OfColumns):  # type: ignore[misc]
    """Replace each column by the weights of evidence of its bins; one that cannot be binned becomes 0.

    Parameters
    ----------
    directions : mapping of column to 'higher' or 'lower', optional
        Riskier when; others may turn once.
    categorical : sequence of columns, optional
    specials : mapping of column to (mapping of code to meaning), optional
    max_bins, min_bin_share, min_bin_bads
        See `binning.fit_bins`.

    Attributes
    ----------
    bins_ : dict of column to Bins
    not_binned_ : dict of column to the reason
    classes_ : array of two; the second is bad

    Raises
    ------
    ValueError
        Other than two classes, or what scikit-learn refuses.

    Examples
    --------
    >>> X = pd.DataFrame({"dpd": [0, 1, 5, 30, 40, 60] * 20, "id": [7] * 120})
    >>> WoeEncoder().fit_transform(X, [0, 0, 0, 0, 1, 1] * 20)[:, 1].tolist()[:2]
    [0.0, 0.0]
    """

    def __init__(
        self,
        directions: Mapping[str, Direction] | None = None,
        categorical: Sequence[str] | None = None,
        specials: Mapping[str, Specials] | None = None,
        max_bins: int = 6,
        min_bin_share: float = 0.04,
        min_bin_bads: int = 5,
    ) -> None:
        self.directions = directions
        self.categorical = categorical
        self.specials = specials
        self.max_bins = max_bins
        self.min_bin_share = min_bin_share
        self.min_bin_bads = min_bin_bads

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the bins of each column of X (n, k) for outcomes y (n)."""
        if y is None:
            self._outcome(y, 0)
        table = self._table(X, y)
        outcome = self._outcome(y, len(table))
        self.bins_, self.not_binned_ = {}, {}
        for name, candidate in self._candidates(table).items():
            try:
                self.bins_[name] = fit_bins(
                    table[name],
                    outcome,
                    name=str(name),
                    direction=candidate.direction,
                    categorical=candidate.categorical,
                    specials=candidate.specials,
                    max_bins=self.max_bins,
                    min_bin_share=self.min_bin_share,
                    min_bin_bads=self.min_bin_bads,
                )
            except NotBinned as reason:
                self.not_binned_[name] = str(reason)
        return self

    def transform(self, X: Any) -> Floats:
        """Return the weights of evidence (n, k)."""
        check_is_fitted(self)
        table = self._table(X)
        found = np.zeros(table.shape)
        for place, name in enumerate(table):
            if name in self.bins_:
                bins = self.bins_[name]
                found[:, place] = bins.woe[bins.assign(table[name])]
        return found

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the columns that come out: those that went in."""
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)])
        return np.asarray(names, dtype=object)


class ScorecardClassifier(ClassifierMixin, _OfColumns):  # type: ignore[misc]
    """A scorecard by `fit_scorecard`: bins, selection, regression on weights of evidence, points.

    Parameters
    ----------
    directions, categorical, specials, max_bins, min_bin_share, min_bin_bads
        As of `WoeEncoder`.
    method, min_iv, max_p_value, ridge, max_variables, min_bads, allow_leak
        See `fitting.FitOptions`.

    Attributes
    ----------
    scorecard_ : Scorecard
        Without variables where none survived: then every row has the mean risk, and a warning says so.
    fates_ : DataFrame
        What became of each column.
    classes_ : array of two; the second is bad

    Raises
    ------
    ValueError
        Other than two classes, too few of one, a column that looks like the outcome, or what scikit-learn refuses.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"use": rng.normal(size=2000)})
    >>> y = rng.random(2000) < 1 / (1 + np.exp(2 - X["use"]))
    >>> bool(ScorecardClassifier().fit(X, y).score(X, y) > 0.8)
    True
    """

    def __init__(
        self,
        directions: Mapping[str, Direction] | None = None,
        categorical: Sequence[str] | None = None,
        specials: Mapping[str, Specials] | None = None,
        max_bins: int = 6,
        min_bin_share: float = 0.04,
        min_bin_bads: int = 5,
        method: Method = "backward",
        min_iv: float = 0.02,
        max_p_value: float | None = None,
        ridge: float = 5.0,
        max_variables: int = 12,
        min_bads: int = 30,
        allow_leak: bool = False,
    ) -> None:
        self.directions = directions
        self.categorical = categorical
        self.specials = specials
        self.max_bins = max_bins
        self.min_bin_share = min_bin_share
        self.min_bin_bads = min_bin_bads
        self.method = method
        self.min_iv = min_iv
        self.max_p_value = max_p_value
        self.ridge = ridge
        self.max_variables = max_variables
        self.min_bads = min_bads
        self.allow_leak = allow_leak

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False  # ClassifierMixin has just set it anew
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit to X (n, k) and outcomes y (n); sampling weights say for how many of the population a row stands."""
        if y is None:
            self._outcome(y, 0)
        table = self._table(X, y)
        outcome = self._outcome(y, len(table))
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, table)
            if (weights < 0).any():
                raise ValueError(f"sample_weight: {int((weights < 0).sum())} of {len(weights)} are negative.")
            kept = weights > 0
            table, outcome, weights = table[kept].reset_index(drop=True), outcome[kept], weights[kept]
        try:
            found = fit_scorecard(
                table,
                outcome.astype(int),
                candidates=self._candidates(table),
                options=FitOptions(
                    grades=ONE_GRADE,
                    method=self.method,
                    min_iv=self.min_iv,
                    max_p_value=self.max_p_value,
                    ridge=self.ridge,
                    max_variables=self.max_variables,
                    max_bins=self.max_bins,
                    min_bin_share=self.min_bin_share,
                    min_bin_bads=self.min_bin_bads,
                    min_bads=self.min_bads,
                    allow_leak=self.allow_leak,
                ),
                name=type(self).__name__,
                provenance={},
                target={"window_months": "unknown"},
                weights=weights,
            )
        except NothingSurvived as nothing:
            warnings.warn(f"{nothing} Every row has the mean risk.", stacklevel=2)
            self.scorecard_, self.fates_ = _mean_alone(outcome, weights), nothing.fates
            return self
        except InputError as error:
            raise ValueError(str(error)) from error
        self.scorecard_, self.fates_ = found.scorecard, found.fates
        return self

    def predict_proba(self, X: Any) -> Floats:
        """Return the probabilities (n, 2) of both classes; the second column is the PD."""
        risk = self._scored(X)["pd"].to_numpy()
        return np.column_stack([1 - risk, risk])

    def decision_function(self, X: Any) -> Floats:
        """Return the log-odds of bad (n)."""
        a, b = self._card().calibration
        return np.asarray(a + b * self._scored(X)["score"].to_numpy())

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the likelier class (n)."""
        risky = self.decision_function(X) > 0
        return np.asarray(self.classes_[risky.astype(int)])

    def _card(self) -> Scorecard:
        check_is_fitted(self)
        return self.scorecard_

    def _scored(self, X: Any) -> pd.DataFrame:
        card = self._card()
        try:
            return card.score(self._table(X), reasons=False)
        except ModelError as error:
            raise ValueError(str(error)) from error


def _mean_alone(outcome: npt.NDArray[np.bool_], weights: Floats | None) -> Scorecard:
    scaling, rate = Scaling(), float(np.average(outcome, weights=weights))
    return Scorecard(
        name="mean",
        target={"window_months": "unknown"},
        variables=(),
        intercept=float(np.log(rate / (1 - rate))),
        scaling=scaling,
        calibration=(scaling.offset / scaling.factor, -1 / scaling.factor),
        grades=ONE_GRADE,
    )
