"""How well a scorecard of ours ranks beside its peers: optbinning's defaults, a plain regression, boosted trees.

Repeated stratified folds, the same for all, on the columns that our sample's description lets in. A difference's interval is
the corrected resampled t (Nadeau and Bengio, 2003, Machine Learning 52): folds share their rows, so that a plain t would be
too short.
Run: .venv/bin/python -m bench.scorecards [--samples taiwan german] [--repeats 10] [--folds 5] [--ours-only]
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from workbench.core.workspace import open_workspace
from workbench.core.yaml_files import read_yaml
from workbench.models.evaluation import gini, ks
from workbench.models.fitting import Candidate, FitOptions, fit_scorecard
from workbench.models.sample_table import load_sample

ROOT = Path(__file__).resolve().parent.parent
Fitted = Callable[[pd.DataFrame], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", nargs="+", default=["taiwan", "german"])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--ours-only", action="store_true", help="our own ways of selection alone")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    workspace = open_workspace(ROOT)
    bands = read_yaml(workspace.params / "grades.yaml")["pd_upper"]
    for name in options.samples:
        sampled = load_sample(workspace, name)
        candidates = {
            column: about for column, about in sampled.candidates.items() if about.role in ("feature", "proxy")
        }
        rows = sampled.frame.loc[sampled.frame["outcome"] != "indeterminate"]
        found = folds(rows[list(candidates)], rows["bad"].to_numpy(), candidates, bands, options)
        print(f"\n{name}: {len(rows):,} rows, {len(candidates)} columns, {options.repeats} x {options.folds} folds\n")
        show(found, options)


def folds(
    frame: pd.DataFrame, bad: np.ndarray, candidates: dict[str, Candidate], bands: object, options: argparse.Namespace
) -> pd.DataFrame:
    """Return one row a fold and model: auc, ks, seconds of CPU."""
    split = RepeatedStratifiedKFold(n_splits=options.folds, n_repeats=options.repeats, random_state=0)
    models = ours(candidates, bands) | ({} if options.ours_only else peers(frame, candidates))
    rows = []
    for number, (train, test) in enumerate(split.split(frame, bad)):
        for name, fit in models.items():
            started = time.process_time()
            risk = fit(frame.iloc[train].reset_index(drop=True), bad[train])(frame.iloc[test].reset_index(drop=True))
            seconds = time.process_time() - started
            auc = (gini(bad[test], -risk) + 1) / 2
            rows.append({"fold": number, "model": name, "auc": auc, "ks": ks(bad[test], -risk), "seconds": seconds})
    return pd.DataFrame(rows)


def show(found: pd.DataFrame, options: argparse.Namespace) -> None:
    """Print means, and differences from ours with their intervals."""
    print("| model | AUC | ours less it | KS | ours less it | CPU s a fit |")
    print("|---|---|---|---|---|---|")
    wide = found.pivot_table(index="fold", columns="model", values=["auc", "ks", "seconds"], sort=False)
    for name in found["model"].unique():
        cells = [name]
        for metric in ("auc", "ks"):
            own, other = wide[metric]["ours"], wide[metric][name]
            cells += [f"{other.mean():.4f}", "" if name == "ours" else difference(own - other, options.folds)]
        cells.append(f"{wide['seconds'][name].mean():.2f}")
        print(f"| {' | '.join(cells)} |", flush=True)


def difference(by_fold: pd.Series, folds: int) -> str:
    """Return the mean and its 95 % interval."""
    n = len(by_fold)
    error = float(np.sqrt((1 / n + 1 / (folds - 1)) * by_fold.var(ddof=1)))
    reach = stats.t.ppf(0.975, n - 1) * error
    return f"{by_fold.mean():+.4f} ({by_fold.mean() - reach:+.4f} to {by_fold.mean() + reach:+.4f})"


def ours(candidates: dict[str, Candidate], bands: object) -> dict[str, Callable[..., Fitted]]:
    """Return our scorecard as shipped, and its other ways of selection."""

    def with_options(**changed: object) -> Callable[..., Fitted]:
        options = FitOptions(grades=bands, allow_proxy=True, **changed)

        def fit(frame: pd.DataFrame, bad: np.ndarray) -> Fitted:
            card = fit_scorecard(
                frame, bad, candidates=candidates, options=options, name="x", provenance={}, target={}
            ).scorecard
            return lambda rows: -card.score(rows, reasons=False)["score"].to_numpy()

        return fit

    other = [method for method in ("stepwise", "backward", "l1") if method != FitOptions(grades=bands).method]
    return {"ours": with_options()} | {f"ours, {method}": with_options(method=method) for method in other}


def peers(frame: pd.DataFrame, candidates: dict[str, Candidate]) -> dict[str, Callable[..., Fitted]]:
    """Return what others would fit, with their defaults."""
    from optbinning import BinningProcess, Scorecard

    words = [column for column in frame if candidates[column].categorical]
    numbers = [column for column in frame if column not in words]

    def plain(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{column: frame[column].astype(object) for column in words}).astype(
            dict.fromkeys(numbers, "float64")
        )

    def optbinning(frame: pd.DataFrame, bad: np.ndarray) -> Fitted:
        process = BinningProcess(list(frame), categorical_variables=words)
        card = Scorecard(binning_process=process, estimator=LogisticRegression(max_iter=1000))
        card.fit(plain(frame), bad)
        return lambda rows: card.predict_proba(plain(rows))[:, 1]

    def estimator(make: Callable[[], object]) -> Callable[..., Fitted]:
        def fit(frame: pd.DataFrame, bad: np.ndarray) -> Fitted:
            model = make().fit(plain(frame), bad)
            return lambda rows: model.predict_proba(plain(rows))[:, 1]

        return fit

    def regression() -> object:
        by_kind = make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore"), words),
        )
        return make_pipeline(by_kind, LogisticRegression(max_iter=1000))

    def boosted(**options: object) -> Callable[[], object]:
        def make() -> object:
            coded = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
            by_kind = make_column_transformer(
                (coded, make_column_selector(dtype_include=object)), remainder="passthrough"
            )
            return make_pipeline(by_kind, HistGradientBoostingClassifier(random_state=0, **options))

        return make

    light = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 8, "min_samples_leaf": 40}
    return {
        "optbinning": optbinning,
        "regression": estimator(regression),
        "boosting": estimator(boosted()),
        "light boosting": estimator(boosted(**light)),
    }


if __name__ == "__main__":
    main()
