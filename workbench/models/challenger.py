"""A challenger: monotone gradient boosting on the scorecard's own candidates, tuned inside folds that respect time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import ModelError, SampleError
from workbench.models.binning import NotBinned, fit_bins
from workbench.models.bins import Bins
from workbench.models.columns import Floats, numbers, text_of
from workbench.models.evaluation import both_classes
from workbench.models.fitting import Candidate
from workbench.models.reasons import reason_texts
from workbench.models.sample import hash_share
from workbench.models.scorecard import MAX_REASONS, Scaling

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

GRID: Mapping[str, Sequence[float]] = {
    "learning_rate": (0.05, 0.1),
    "max_leaf_nodes": (4, 12),
    "min_samples_leaf": (50, 200),
}
STEP = 25
FOLDS = 3
COHORTS = 8
"""So many dates at most are told apart by the folds: the last ones then hold an eighth of the rows each. House choice."""
_SIGN = {"higher": 1, "lower": -1, None: 0}


@dataclass(frozen=True)
class Challenger:
    """Boosted trees and how their columns are made of the candidates'.

    Attributes
    ----------
    model : HistGradientBoostingClassifier
    candidates : dict of column to Candidate
    groups : dict of categorical column to Bins
        Its value is the rank of its group, the safest first.
    tuned : dict
        The settings chosen.
    search : DataFrame
        One row a setting: its values, trees, log_loss (mean over the folds).
    """

    model: HistGradientBoostingClassifier
    candidates: dict[str, Candidate]
    groups: dict[str, Bins]
    tuned: dict[str, float]
    search: pd.DataFrame

    def score(self, frame: pd.DataFrame) -> Floats:
        """Return scores on the scale of the default scorecard, higher is safer: offset - factor x log-odds of bad."""
        scaling = Scaling()
        odds = self.model.decision_function(design(frame, self.candidates, self.groups).to_numpy())
        return np.asarray(scaling.offset - scaling.factor * odds, dtype=np.float64)

    def reasons(self, frame: pd.DataFrame, *, lang: str = "en") -> list[list[str]]:
        """Return, for each row, at most four factors that raised its risk the most, by SHAP values (extra `explain`).

        Lundberg and Lee (2017), "A Unified Approach to Interpreting Model Predictions". The columns that one candidate is
        made of count together.

        Raises
        ------
        ModelError
            The extra is not installed.
        """
        try:
            import shap
        except ImportError:
            raise ModelError(
                "reasons of a challenger: shap is not installed. Install the extra: pip install 'loan-risk-workbench[explain]'."
            ) from None
        table = design(frame, self.candidates, self.groups)
        values = np.asarray(shap.TreeExplainer(self.model).shap_values(table.to_numpy()), dtype=np.float64)
        source = [place for place, about in enumerate(self.candidates.values()) for _ in range(_width(about))]
        raised = np.zeros((len(frame), len(self.candidates)))
        np.add.at(raised.T, source, values.T)
        order = np.argsort(-raised, axis=1, kind="stable")[:, :MAX_REASONS]
        said = {
            i: reason_texts(
                frame[name], about.reason or {lang: f"{name}: {{value}}"}, about.label or {lang: name}, lang,
                categorical=about.categorical, specials=about.specials,
            )
            for i, (name, about) in enumerate(self.candidates.items())
            if (order == i).any()
        }  # fmt: skip
        return [[said[i][row] for i in order[row] if raised[row, i] > 0] for row in range(len(frame))]


def fit_challenger(
    sample: pd.DataFrame,
    bad: npt.ArrayLike,
    *,
    candidates: Mapping[str, Candidate],
    customers: pd.Series,
    dates: pd.Series | None = None,
    weights: npt.ArrayLike | None = None,
    seed: int,
    grid: Mapping[str, Sequence[float]] = GRID,
    max_trees: int = 200,
) -> Challenger:
    """Tune and fit monotone gradient boosting (scikit-learn's HistGradientBoostingClassifier).

    A number may raise the risk only in its declared direction; a special code is missing in its column, and a column of its
    own; categories are ranked by the bad rate of their groups.

    Parameters
    ----------
    sample : DataFrame of n rows
    bad : array of 0/1, length n
    candidates : mapping of column to Candidate
        Those that may enter; the caller leaves out what a scorecard would refuse. Dates, and text that is not declared
        categorical, are left out here.
    customers : Series of length n
        Ids: no customer is on both sides of a fold.
    dates : Series of length n, optional
        With several dates a fold fits on earlier ones and is measured on a later one.
    weights : array of length n, optional
    seed : int
    grid : mapping of setting to values
    max_trees : int
        How many are right is found in steps of 25.

    Raises
    ------
    SampleError
        One class, or no fold with both.
    """
    outcome = both_classes(bad, what="challenger")
    weight = np.ones(outcome.size) if weights is None else np.asarray(weights, dtype=np.float64)
    parts = folds(outcome, customers, dates, seed=seed)
    groups = _groups(sample, outcome, candidates)
    kept = {name: about for name, about in candidates.items() if name in groups or _is_number(sample[name], about)}
    kept = {name: about for name, about in kept.items() if sample[name].notna().any()}
    whole = design(sample, kept, groups)
    ready = []
    for train, test in parts:
        own = _groups(sample.iloc[train], outcome[train], kept)
        inner = {name: about for name, about in kept.items() if not about.categorical or name in own}
        columns = design(sample, inner, own)
        columns.loc[:, columns.iloc[train].isna().all()] = 0.0  # the trees take no column without a value
        ready.append((train, test, columns.to_numpy(), _constraints(inner)))
    rows = []
    for values in itertools.product(*grid.values()):
        setting = dict(zip(grid, values, strict=True))
        curves = []
        for train, test, table, signs in ready:
            model = _boosted(setting, max_trees, signs, seed).fit(table[train], outcome[train], weight[train])
            losses = [
                _log_loss(outcome[test], chance[:, 1], weight[test])
                for i, chance in enumerate(model.staged_predict_proba(table[test]), start=1)
                if i % STEP == 0
            ]
            curves.append(losses)
        mean = np.mean(curves, axis=0)
        rows.append({**setting, "trees": (int(np.argmin(mean)) + 1) * STEP, "log_loss": float(mean.min())})
    search = pd.DataFrame(rows).sort_values("log_loss", ignore_index=True, kind="stable")
    best = search.iloc[0].to_dict()
    setting = {name: best[name] for name in grid}
    model = _boosted(setting, int(best["trees"]), _constraints(kept), seed)
    model.fit(whole.to_numpy(), outcome, weight)
    tuned = {**setting, "trees": float(best["trees"])}
    return Challenger(model, dict(kept), groups, tuned, search)


def folds(
    outcome: npt.NDArray[np.bool_], customers: pd.Series, dates: pd.Series | None, *, seed: int
) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Return rows to fit on and to measure on: later months, other customers; without dates other customers alone.

    >>> who = pd.Series(list("abcdefghijkl") * 2)
    >>> when = pd.Series(pd.to_datetime(["2025-01-31"] * 12 + ["2025-02-28"] * 12))
    >>> parts = folds(np.array([True, False] * 12), who, when, seed=1)
    >>> all(when[train].max() < when[test].min() and not set(who[train]) & set(who[test]) for train, test in parts)
    True
    """
    # a key of its own: by the split's hash, the train part would hold few customers of one fold and many of another
    side = (hash_share("fold " + customers.astype(str), seed=seed) * FOLDS).astype(int)
    when = pd.Series(pd.NaT, index=customers.index) if dates is None else dates + pd.offsets.MonthEnd(0)
    days = sorted(when.dropna().unique())
    if len(days) > COHORTS:  # months of single rows: cut where as many rows lie between two cuts
        days = sorted({when.sort_values().iloc[len(when) * part // COHORTS] for part in range(1, COHORTS)})
    parts = []
    for number in range(FOLDS):
        there = side == number
        if len(days) > 1:
            cut = days[max(len(days) - 1 - number, 1)]
            train, test = ~there & (when < cut).to_numpy(), there & (when >= cut).to_numpy()
        else:
            train, test = ~there, there
        if all(0 < outcome[rows].sum() < rows.sum() for rows in (train, test)):
            parts.append((np.flatnonzero(train), np.flatnonzero(test)))
    if not parts:
        raise SampleError(
            f"challenger: no fold of {outcome.size} rows and {int(outcome.sum())} bads holds both classes on both sides. "
            "Take a larger sample."
        )
    return parts


def design(frame: pd.DataFrame, candidates: Mapping[str, Candidate], groups: Mapping[str, Bins]) -> pd.DataFrame:
    """Return the columns that the trees read: numbers with NaN for missing and specials, `NAME=code` for each special."""
    columns: dict[str, Floats] = {}
    for name, about in candidates.items():
        if about.categorical:
            codes = groups[name].assign(frame[name])
            columns[name] = np.where(codes < groups[name].missing_code, codes, np.nan).astype(np.float64)
            continue
        value = numbers(frame[name], name=name)
        columns[name] = np.where(np.isin(value, [float(code) for code in about.specials]), np.nan, value)
        for code in about.specials:
            columns[f"{name}={text_of(code)}"] = (value == float(code)).astype(np.float64)
    return pd.DataFrame(columns, index=frame.index)


def _groups(
    sample: pd.DataFrame, outcome: npt.NDArray[np.bool_], candidates: Mapping[str, Candidate]
) -> dict[str, Bins]:
    found = {}
    for name, about in candidates.items():
        if about.categorical:
            try:
                found[name] = fit_bins(
                    sample[name],
                    outcome,
                    name=name,
                    direction=None,
                    categorical=True,
                    specials=about.specials,
                    max_bins=12,
                )
            except NotBinned:
                continue
    return found


def _is_number(values: pd.Series, about: Candidate) -> bool:
    if about.categorical:
        return False
    try:
        numbers(values, name=str(values.name))
    except ModelError:
        return False
    return True


def _width(about: Candidate) -> int:
    """Return how many columns `design` makes of a candidate: its own, and one for each special of a number."""
    return 1 if about.categorical else 1 + len(about.specials)


def _constraints(candidates: Mapping[str, Candidate]) -> list[int]:
    signs: list[int] = []
    for about in candidates.values():
        signs += [0 if about.categorical else _SIGN[about.direction], *[0] * (_width(about) - 1)]
    return signs


def _boosted(setting: Mapping[str, Any], trees: int, signs: list[int], seed: int) -> HistGradientBoostingClassifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        learning_rate=float(setting["learning_rate"]),
        max_leaf_nodes=int(setting["max_leaf_nodes"]),
        min_samples_leaf=int(setting["min_samples_leaf"]),
        max_iter=trees,
        monotonic_cst=signs,
        early_stopping=False,
        random_state=seed,
    )


def _log_loss(outcome: npt.NDArray[np.bool_], chance: Floats, weight: Floats) -> float:
    own = np.clip(np.where(outcome, chance, 1 - chance), 1e-15, 1)
    return float(np.average(-np.log(own), weights=weight))
