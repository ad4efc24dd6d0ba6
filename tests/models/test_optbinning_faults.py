"""The faults of optbinning 1.0, each reproduced, and what ours does instead. Where one is mended upstream, its test says so."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optbinning import BinningProcess, OptimalBinning
from optbinning import Scorecard as TheirScorecard
from optbinning.scorecard import ScorecardMonitoring
from sklearn.linear_model import LogisticRegression

from workbench.core.errors import SampleError
from workbench.models.binning import NotBinned, fit_bins
from workbench.models.fitting import Candidate, FitOptions, FittedScorecard, fit_scorecard
from workbench.models.stability import psi

ROWS = 3000
Table = tuple[pd.DataFrame, np.ndarray]
CANDIDATES = {
    "use": Candidate("higher"),
    "place": Candidate(categorical=True),
    "flat": Candidate(),
    "noise": Candidate(),
}


@pytest.fixture(scope="module")
def table() -> Table:
    rng = np.random.default_rng(11)
    use, place = rng.normal(size=ROWS), rng.choice(["north", "south", "west"], ROWS).astype(object)
    bad = (rng.random(ROWS) < 1 / (1 + np.exp(2 - use - 0.8 * (place == "west")))).astype(int)
    missing = rng.random(ROWS) < 0.1
    use[missing] = np.nan
    bad[missing] = rng.random(missing.sum()) < 0.6  # to be missing is bad news
    return pd.DataFrame({"use": use, "place": place, "flat": 7.0, "noise": rng.normal(size=ROWS)}), bad


@pytest.fixture(scope="module")
def theirs(table: Table) -> Any:
    frame, bad = table
    process = BinningProcess(list(frame), categorical_variables=["place"])
    card = TheirScorecard(
        process, LogisticRegression(), scaling_method="min_max", scaling_method_params={"min": 0, "max": 100}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return card.fit(frame, bad)


@pytest.fixture(scope="module")
def ours(table: Table) -> FittedScorecard:
    frame, bad = table
    options = FitOptions(grades=(("A", 0.1), ("B", 1.0)), min_iv=0.0)
    return fit_scorecard(frame, bad, candidates=CANDIDATES, options=options, name="x", provenance={}, target={})


def row(table: Table, **changes: object) -> pd.DataFrame:
    return table[0].dropna().head(1).assign(**changes)


def test_a_bin_that_is_all_special_and_bad_is_neutral_there(table: Table) -> None:
    frame, bad = table
    value, outcome = frame["noise"].where(np.arange(ROWS) >= 150, -9.0), np.where(np.arange(ROWS) < 150, 1, bad)
    fitted = OptimalBinning(special_codes=[-9.0]).fit(value.to_numpy(), outcome)
    assert fitted.transform(np.array([-9.0]), metric="woe")[0] == 0
    assert fit_bins(value, outcome, name="x", direction=None, specials={-9.0: "no loan"}).woe[-1] < -2


def test_the_table_there_shows_a_woe_of_missing_that_is_not_scored(table: Table, ours: FittedScorecard) -> None:
    frame, bad = table
    fitted = OptimalBinning().fit(frame["use"].to_numpy(), bad)
    shown = fitted.binning_table.build().set_index("Bin").loc["Missing", "WoE"]
    assert abs(shown) > 0.5
    assert fitted.transform(np.array([np.nan]))[0] == 0  # metric_missing=0 is its default
    points = ours.scorecard.points_table().query("variable == 'use'").set_index("label")["points"]
    scores = ours.scorecard.score(pd.concat([row(table, use=np.nan), row(table, use=-9.0)]), reasons=False)["score"]
    by_hand = points["missing"] - points.iloc[0]
    assert scores.iloc[0] - scores.iloc[1] == pytest.approx(by_hand)
    assert abs(by_hand) > 5


def test_an_unseen_category_there_is_two_things_at_once(table: Table, theirs: Any, ours: FittedScorecard) -> None:
    mars, north, none = row(table, place="mars"), row(table, place="north"), row(table, place=None)
    assert theirs.score(mars) == theirs.score(none)  # the points of Missing
    assert theirs.predict_proba(mars)[0, 1] != theirs.predict_proba(north)[0, 1]
    card = ours.scorecard
    variable = next(variable for variable in card.variables if variable.name == "place")
    unseen = variable.bins.missing_code + 1
    assert variable.points[unseen] == 0  # neutral, and said so
    assert variable.bins.table()["evidence"][unseen] == "neutral: no evidence"
    found = card.score(mars, reasons=False)
    assert found["pd"].iloc[0] == card.pd_of(found["score"])[0]  # one score, one PD


def test_scoring_there_wants_every_candidate(table: Table, theirs: Any, ours: FittedScorecard) -> None:
    needed = row(table)[["use", "place"]]
    with pytest.raises((ValueError, KeyError)):
        theirs.score(needed)
    assert set(ours.scorecard.inputs) <= {"use", "place", "noise"}
    assert len(ours.scorecard.score(row(table)[list(ours.scorecard.inputs)])) == 1


def test_a_constant_column_stays_there(table: Table, theirs: Any, ours: FittedScorecard) -> None:
    assert "flat" in set(theirs.table()["Variable"])
    fate = ours.fates.set_index("variable").loc["flat"]
    assert (fate["fate"], fate["detail"]) == ("dropped", f"constant, 7 in all {ROWS} rows.")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (lambda frame: frame["use"].isna() * np.nan, "all 3000 values are missing"),
        (lambda _frame: pd.Series(pd.date_range("2025-01-01", periods=ROWS, freq="h")), "Turn them into days"),
    ],
)
def test_columns_that_fail_there_with_unhelpful_words(table: Table, values: Any, said: str) -> None:
    frame, bad = table
    column = values(frame)
    with pytest.raises(Exception) as unhelpful:  # noqa: PT011 - whatever it is
        OptimalBinning(name="x").fit(column.to_numpy(), bad)
    assert "x" not in str(unhelpful.value).split()
    with pytest.raises(NotBinned, match=f"x: .*{said}"):
        fit_bins(column, bad, name="x", direction=None)


def test_infinities_fail_there_and_are_the_end_bins_here(table: Table) -> None:
    frame, bad = table
    column = frame["noise"].where(np.arange(ROWS) % 100 > 0, np.inf)
    with pytest.raises(ValueError, match="inf"):
        OptimalBinning().fit(column.to_numpy(), bad)
    bins = fit_bins(column.fillna(0) + frame["use"].fillna(0), bad, name="x", direction=None)
    assert bins.assign(pd.Series([np.inf, -np.inf])).tolist() == [len(bins.splits), 0]


def test_a_category_dtype_fails_there(table: Table) -> None:
    frame, bad = table
    column = frame["place"].astype("category")
    with pytest.raises(ValueError, match="could not convert string to float"):
        BinningProcess(["place"]).fit(pd.DataFrame({"place": column}), bad)
    assert fit_bins(column, bad, name="place", direction=None, categorical=True).groups
    with pytest.raises(NotBinned, match=r"place: .* declare it categorical"):
        fit_bins(column, bad, name="place", direction=None)


def test_numbers_as_text_become_categories_there(table: Table) -> None:
    frame, bad = table
    text = frame["noise"].round(1).astype(str).astype(object)
    process = BinningProcess(["x"]).fit(pd.DataFrame({"x": text}), bad)
    assert process.get_binned_variable("x").dtype == "categorical"
    with pytest.raises(NotBinned, match="are not numbers, such as"):
        fit_bins(text, bad, name="x", direction=None)


def test_a_target_of_text_fails_there_and_is_named_here(table: Table) -> None:
    frame, bad = table
    words = np.where(bad == 1, "late", "duly")
    fitted = OptimalBinning().fit(frame["use"].fillna(0).to_numpy(), words)  # in silence
    with pytest.raises(ValueError, match="Found array with 0 sample"):
        fitted.binning_table.build()
    with pytest.raises(SampleError, match="x: outcomes are text or mixed, such as 'duly'; expected 0"):
        fit_bins(frame["use"], words, name="x", direction=None)


def test_stability_there_needs_outcomes_that_nobody_has_yet(table: Table, theirs: Any, ours: FittedScorecard) -> None:
    frame, bad = table
    with pytest.raises(TypeError):
        ScorecardMonitoring(scorecard=theirs).fit(frame, frame)
    del bad
    then, now = (ours.scorecard.score(part, reasons=False)["score"] for part in (frame.head(1500), frame.tail(1500)))
    assert 0 <= psi(then, now) < 0.1
