"""scikit-learn's own checks of estimators first, then what is ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from workbench.models.estimators import ScorecardClassifier, WoeEncoder
from workbench.models.fitting import Candidate, FitOptions, fit_scorecard

Table = tuple[pd.DataFrame, np.ndarray]


def expected_failures(estimator: BaseEstimator) -> dict[str, str]:
    if not isinstance(estimator, ScorecardClassifier):
        return {}
    reason = "sampling weights have a mean of 1: a weight of 3 is not three rows of evidence, so that bins may differ"
    return dict.fromkeys(("check_sample_weight_equivalence_on_dense_data",), reason)


# A few dozen rows, separable at that, are what these checks fit on: for a scorecard too few, and a leak.
@parametrize_with_checks(
    [WoeEncoder(), ScorecardClassifier(min_bads=1, allow_leak=True)], expected_failed_checks=expected_failures
)
def test_scikit_learns_checks(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def table() -> Table:
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(
        {
            "use": pd.array(rng.normal(size=3000), dtype="Float64"),
            "job": pd.Categorical(rng.choice(["clerk", "driver", "waiter"], 3000)),
            "noise": rng.normal(size=3000),
        }
    )
    frame.loc[rng.random(3000) < 0.1, "use"] = pd.NA
    risk = -2 + frame["use"].fillna(1).astype(float) + 0.8 * (frame["job"] == "waiter")
    return frame, np.where(rng.random(3000) < 1 / (1 + np.exp(-risk)), "late", "duly")


def test_it_is_the_scorecard_of_fit_scorecard(table: Table) -> None:
    frame, outcome = table
    model = ScorecardClassifier(directions={"use": "higher"}, categorical=["job"]).fit(frame, outcome)
    assert model.classes_.tolist() == ["duly", "late"]
    candidates = {"use": Candidate("higher"), "job": Candidate(categorical=True), "noise": Candidate()}
    card = fit_scorecard(
        frame, (outcome == "late").astype(int), candidates=candidates, options=FitOptions(grades=(("A", 1.0),)),
        name="x", provenance={}, target={},
    ).scorecard  # fmt: skip
    assert model.predict_proba(frame)[:, 1].tolist() == card.score(frame, reasons=False)["pd"].tolist()
    assert set(model.fates_["variable"]) == set(frame)
    assert set(model.predict(frame)) <= {"duly", "late"}


def test_pipelines_and_folds(table: Table) -> None:
    frame, outcome = table
    encoder = WoeEncoder(directions={"use": "higher"}, categorical=["job"])
    by_woe = cross_val_score(make_pipeline(encoder, LogisticRegression()), frame, outcome, scoring="roc_auc")
    whole = cross_val_score(ScorecardClassifier({"use": "higher"}, ["job"]), frame, outcome, scoring="roc_auc")
    assert by_woe.mean() == pytest.approx(whole.mean(), abs=0.01)
    named = encoder.set_output(transform="pandas").fit_transform(frame, outcome)
    assert list(named) == list(frame)
    assert named["use"][frame["use"].isna()].nunique() == 1


def test_one_class_in_a_fold_and_other_bad_input_raise_value_errors(table: Table) -> None:
    frame, outcome = table
    with pytest.raises(ValueError, match="one class"):
        ScorecardClassifier().fit(frame, np.repeat("duly", 3000))
    with pytest.raises(ValueError, match="at least 30 of each"):
        ScorecardClassifier().fit(frame.head(20), np.array(["duly", "late"] * 10))
    with pytest.raises(ValueError, match="look like the outcome itself"):
        ScorecardClassifier().fit(frame.assign(leak=(outcome == "late") + 0.0), outcome)
    with pytest.warns(UserWarning, match="no candidate survived"):
        model = ScorecardClassifier(min_iv=0.1).fit(frame[["noise"]], outcome)
    assert model.predict_proba(frame[["noise"]])[:, 1] == pytest.approx(np.mean(outcome == "late"))


@pytest.mark.parametrize("estimator", [WoeEncoder, ScorecardClassifier])
def test_names_that_are_no_columns_are_told_and_category_is_categorical(estimator: type) -> None:
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"use": rng.normal(size=900), "job": pd.Categorical(rng.choice(["a", "b"], 900))})
    y = rng.random(900) < 1 / (1 + np.exp(1 - X["use"] - 2 * (X["job"] == "b")))
    for wrong in ({"directions": {"usee": "higher"}}, {"categorical": ["jobb"]}, {"specials": {"x": {1: "none"}}}):
        with pytest.raises(ValueError, match="unknown column"):
            estimator(**wrong).fit(X, y)
    found = estimator(directions={"use": "higher"}).fit(X, y)
    kept = found.bins_ if estimator is WoeEncoder else found.scorecard_.inputs
    assert {"use", "job"} <= set(kept)
    numbered = X[["use"]].rename(columns={"use": 0})
    turned = estimator(directions={0: "lower"})
    if estimator is WoeEncoder:
        assert "no cut" in turned.fit(numbered, y).not_binned_["0"]
    else:
        with pytest.warns(UserWarning, match="no cut"):
            turned.fit(numbered, y)
    if estimator is ScorecardClassifier:
        with pytest.raises(ValueError, match="negative"):
            found.fit(X, y, sample_weight=np.where(np.arange(900) < 3, -1.0, 1.0))
