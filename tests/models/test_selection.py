"""Selection: each step against a slow, plain reference; what became of a candidate is told in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import chi2
from statsmodels.stats.outliers_influence import variance_inflation_factor

from workbench.core.errors import ParameterError, SampleError
from workbench.models.development import sign_offs
from workbench.models.evaluation import SMOOTHING
from workbench.models.fitting import Candidate, FitOptions, FittedScorecard, fit_scorecard
from workbench.models.regression import logistic
from workbench.models.selection import METHODS, Columns, Fates, _score_statistics, drop_collinear, monthly_csi

ROWS = 3000


@pytest.fixture(scope="module")
def table() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 6)), columns=list("abcdef"))
    frame["mix"] = frame["a"] + frame["b"] + frame["c"] + 0.3 * rng.normal(size=ROWS)
    risk = -2 + 0.9 * frame["a"] + 0.6 * frame["b"] + 0.4 * frame["c"]
    return frame, (rng.random(ROWS) < 1 / (1 + np.exp(-risk))).astype(int).to_numpy()


def fit(table: tuple[pd.DataFrame, np.ndarray], /, dates: pd.Series | None = None, **options: Any) -> FittedScorecard:
    frame, bad = table
    return fit_scorecard(
        frame, bad, candidates={name: Candidate("higher") for name in frame}, dates=dates,
        options=FitOptions(grades=(("A", 0.1), ("B", 1.0)), **options), name="x", provenance={}, target={},
    )  # fmt: skip


def fates(found: FittedScorecard) -> pd.DataFrame:
    return found.fates.set_index("variable")


@pytest.mark.parametrize("method", METHODS)
def test_each_method_finds_what_tells_and_leaves_noise(table: tuple[pd.DataFrame, np.ndarray], method: str) -> None:
    frame, bad = table
    found = fit((frame.drop(columns="mix"), bad), method=method, min_iv=0, max_p_value=0.157)
    assert {"a", "b", "c"} <= set(found.scorecard.inputs)
    slopes = found.coefficients.iloc[1:]
    assert (slopes["coefficient"] < 0).all()
    assert (slopes["p_value"] <= 0.157).all()
    assert set(found.fates["fate"]) <= {"in", "dropped"}
    assert (found.fates["detail"][found.fates["fate"] == "dropped"] != "").all()


def test_few_bads_are_told_apart_less_strictly_unless_a_level_is_set(table: tuple[pd.DataFrame, np.ndarray]) -> None:
    options = FitOptions(grades=(("A", 1.0),))
    assert (options.p_value_limit(499), options.p_value_limit(500)) == (0.5, 0.157)
    assert FitOptions(grades=(("A", 1.0),), max_p_value=0.01).p_value_limit(499) == 0.01
    frame, bad = table
    few = np.flatnonzero(np.cumsum(bad) <= 120)
    found = fit((frame.iloc[few].reset_index(drop=True), bad[few]), min_iv=0)
    strict = fit((frame.iloc[few].reset_index(drop=True), bad[few]), min_iv=0, max_p_value=0.157)
    assert set(strict.scorecard.inputs) < set(found.scorecard.inputs)
    assert (found.coefficients["p_value"].iloc[1:] <= 0.5).all()


@pytest.mark.parametrize("method", METHODS)
def test_no_more_variables_than_allowed_and_the_strongest_stay(
    table: tuple[pd.DataFrame, np.ndarray], method: str
) -> None:
    found = fit(table, method=method, max_variables=1, max_correlation=0.999, max_vif=1e9)
    assert len(found.scorecard.variables) == 1


def test_the_score_statistic_is_that_of_the_definition() -> None:
    # Rao's test of an added column: squared score over its variance, by the full information matrix.
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 3))
    bad = rng.random(400) < 1 / (1 + np.exp(-x[:, 0] + 0.5 * x[:, 1]))
    columns = Columns({"p": x[:, 0], "q": x[:, 1], "r": x[:, 2]}, bad, None)
    found = _score_statistics(columns, ["p"], ["q", "r"], logistic(x[:, :1], bad))
    base = sm.Logit(bad.astype(float), sm.add_constant(x[:, :1])).fit(disp=0)
    for z, column in zip(found, (1, 2), strict=True):
        full = sm.Logit(bad.astype(float), sm.add_constant(x[:, [0, column]]))
        at = np.append(base.params, 0.0)
        gradient, information = full.score(at), -full.hessian(at)
        assert z**2 == pytest.approx(gradient @ np.linalg.inv(information) @ gradient)
        assert np.sign(z) == np.sign(gradient[-1])


def test_vif_equals_statsmodels_and_the_worst_goes_first(table: tuple[pd.DataFrame, np.ndarray]) -> None:
    frame, bad = table
    woe = {name: frame[name].to_numpy() for name in ("a", "b", "c", "d", "mix")}
    design = sm.add_constant(np.column_stack(list(woe.values())))
    theirs = [variance_inflation_factor(design, i) for i in range(1, 6)]
    assert np.argmax(theirs) == 4
    book = Fates(dict.fromkeys(woe))
    columns = Columns(dict(woe), bad.astype(bool), None)
    drop_collinear(columns, 5.0, book)
    assert list(columns.woe) == ["a", "b", "c", "d"]
    assert book.frame().set_index("variable").loc["mix", "detail"] == f"VIF {theirs[4]:.1f} above 5"


def test_monthly_csi_by_hand() -> None:
    codes, months = np.array([0] * 600 + [1] * 400 + [0] * 300 + [1] * 700), np.repeat([0, 1], 1000)
    pad = SMOOTHING / 1000
    plain = 0.3 * np.log((0.6 + pad) / (0.3 + pad)) - 0.3 * np.log((0.4 + pad) / (0.7 + pad))
    chance = chi2.ppf(0.999, 1) * (1 / 1000 + 1 / 1000)
    assert monthly_csi(codes, months, None) == pytest.approx(plain - chance)
    pad, chance = pad / 2, chance / 2
    plain = 0.3 * np.log((0.6 + pad) / (0.3 + pad)) - 0.3 * np.log((0.4 + pad) / (0.7 + pad))
    assert monthly_csi(codes, months, np.full(2000, 2.0)) == pytest.approx(plain - chance)
    assert np.isnan(monthly_csi(codes, np.zeros(2000, np.intp), None))


def test_small_months_are_not_unstable_by_chance() -> None:
    rng = np.random.default_rng(3)
    found = [monthly_csi(rng.integers(0, 6, 1000), rng.integers(0, 25, 1000), None) for _ in range(40)]
    assert np.mean(np.array(found) > 0.05) <= 0.1


def test_what_shifts_between_months_is_dropped(table: tuple[pd.DataFrame, np.ndarray]) -> None:
    frame, bad = table
    dates = pd.Series(pd.to_datetime(np.where(np.arange(ROWS) < ROWS // 2, "2025-01-31", "2025-02-28")))
    shifted = frame.drop(columns="mix").assign(b=frame["b"] + 2.0 * (np.arange(ROWS) < ROWS // 2))
    found = fates(fit((shifted, bad), dates=dates))
    assert found.loc["b", "detail"].startswith("unstable: CSI ")
    assert found.loc["a", "csi"] < 0.1
    assert np.isnan(fates(fit((shifted, bad))).loc["a", "csi"])


def test_a_copy_of_a_column_is_named_as_one(table: tuple[pd.DataFrame, np.ndarray]) -> None:
    frame, bad = table
    found = fates(fit((frame.assign(again=frame["a"]), bad)))
    assert found.loc["again", "detail"] == "the same values as a in every row"


def test_a_care_column_enters_only_when_signed_off_and_says_so(table: tuple[pd.DataFrame, np.ndarray]) -> None:
    frame, bad = table
    offered = {
        "a": Candidate("higher", role="care"),
        "b": Candidate("higher"),
        "c": Candidate("higher", role="protected"),
    }
    common: dict[str, Any] = {"candidates": offered, "name": "x", "provenance": {}, "target": {}}
    bands = (("A", 0.1), ("B", 1.0))
    alone = fates(fit_scorecard(frame, bad, options=FitOptions(grades=bands), **common))
    assert alone.loc["a", "fate"] == "excluded"
    signed = FitOptions(grades=bands, signed_off={"a": "risk committee, 2026-03-01", "c": "somebody"})
    found = fates(fit_scorecard(frame, bad, options=signed, **common))
    assert (found.loc["a", "fate"], found.loc["a", "detail"]) == ("in", "care, signed off: risk committee, 2026-03-01")
    assert found.loc["c", "fate"] == "excluded"  # no signature lets a protected column in


@pytest.mark.parametrize("line", ["complaints", "complaints: ", "income: me", "complaint: me"])
def test_a_sign_off_that_does_not_hold(line: str) -> None:
    offered = {"complaints": Candidate(role="care"), "income": Candidate()}
    with pytest.raises(ParameterError, match="signed_off"):
        sign_offs([line], offered)


def test_an_unknown_method_is_told(table: tuple[pd.DataFrame, np.ndarray]) -> None:
    with pytest.raises(ParameterError, match="unknown method 'stepwize'"):
        fit(table, method="stepwize")


def test_rows_of_one_customer_count_once(table: tuple[pd.DataFrame, np.ndarray]) -> None:
    frame, bad = table
    few = np.tile(np.arange(600), 6)
    rows = frame.iloc[few].reset_index(drop=True), bad[few]
    options = {"candidates": {name: Candidate("higher") for name in frame}, "name": "x", "provenance": {}, "target": {},
               "options": FitOptions(grades=(("A", 0.1), ("B", 1.0)), min_iv=0)}  # fmt: skip
    by_row = fit_scorecard(*rows, **options)
    by_customer = fit_scorecard(*rows, groups=few, **options)
    wide = by_customer.coefficients.set_index("variable")["std_error"]
    narrow = by_row.coefficients.set_index("variable")["std_error"]
    assert (wide[["a", "b"]] > 1.8 * narrow[["a", "b"]]).all()
    with pytest.raises(SampleError, match="600 outcomes but 5 customer ids"):
        fit_scorecard(frame.head(600), bad[:600], groups=range(5), **options)
