import itertools

import numpy as np
import pytest
from scipy.stats import beta

from workbench.core.errors import SampleError
from workbench.models.evaluation import SMOOTHING, brier, calibration_table, gains_table, gini, ks
from workbench.models.intervals import delong_interval, interval
from workbench.models.stability import psi, psi_table


def pairwise_auc(bad, score):
    """The definition: the chance that a good outscores a bad, ties counted half."""
    goods, bads = score[bad == 0], score[bad == 1]
    return np.mean([[1.0 if g > b else 0.5 if g == b else 0.0 for b in bads] for g in goods])


@pytest.fixture
def tied():
    rng = np.random.default_rng(3)
    score = np.round(rng.normal(size=120), 1)
    return (rng.random(120) < 1 / (1 + np.exp(1 + score))).astype(int), score


def test_gini_is_the_pairwise_definition_with_ties(tied):
    assert gini(*tied) == pytest.approx(2 * pairwise_auc(*tied) - 1, abs=1e-12)


def test_gini_at_its_ends_and_of_a_constant():
    assert gini([1, 0], [1, 2]) == 1
    assert gini([0, 1], [1, 2]) == -1
    assert gini([0, 1, 0], [5, 5, 5]) == 0


def test_ks_worked_by_hand():
    # Scores ascending: b g b g g b g g. Shares of bads 1/3 1/3 2/3 2/3 2/3 1 1 1, of goods 0 1/5 1/5 2/5 3/5 3/5 4/5 1.
    assert ks([1, 0, 1, 0, 0, 1, 0, 0], range(8)) == pytest.approx(2 / 3 - 1 / 5)


def test_brier_worked_by_hand():
    assert brier([1, 0, 0], [0.5, 0.2, 0.0]) == pytest.approx((0.25 + 0.04) / 3)


@pytest.mark.parametrize("statistic", [gini, ks, brier])
def test_one_class_says_how_many(statistic):
    with pytest.raises(SampleError, match="0 bads and 3 goods"):
        statistic([0, 0, 0], [0.1, 0.2, 0.3])


def test_indeterminate_outcomes_and_missing_scores_are_refused():
    with pytest.raises(SampleError, match="1 of 3 outcomes are neither"):
        gini([0, 1, 0.5], [1, 2, 3])
    with pytest.raises(SampleError, match="1 of 3 scores are missing"):
        gini([0, 1, 0], [1, 2, np.nan])
    with pytest.raises(SampleError, match="one score a row"):
        gini([0, 1, 0], [1, 2])


def test_delong_equals_the_slow_structural_components(tied):
    bad, score = tied
    goods, bads = score[bad == 0], score[bad == 1]
    psi_kernel = np.array([[1.0 if g > b else 0.5 if g == b else 0.0 for b in bads] for g in goods])
    v_good, v_bad = psi_kernel.mean(axis=1), psi_kernel.mean(axis=0)
    variance = v_good.var(ddof=1) / len(goods) + v_bad.var(ddof=1) / len(bads)
    found = delong_interval(bad, score)
    assert found.value == pytest.approx(2 * psi_kernel.mean() - 1, abs=1e-12)
    assert found.high - found.value == pytest.approx(2 * 1.959964 * np.sqrt(variance), rel=1e-6)


def test_repeating_every_row_of_a_customer_adds_no_evidence(tied):
    bad, score = tied
    once = interval(gini, bad, score, groups=np.arange(120), seed=4)
    # Sorted scores keep the order in which customers are met, so that the draws are the same.
    thrice = interval(gini, np.tile(bad, 3), np.tile(score, 3), groups=np.tile(np.arange(120), 3), seed=4)
    assert thrice == pytest.approx(once)


def test_bootstrap_and_delong_agree_on_independent_rows():
    rng = np.random.default_rng(8)
    score = rng.normal(size=3000)
    bad = rng.random(3000) < 1 / (1 + np.exp(2 + score))
    drawn, exact = interval(gini, bad, score, groups=np.arange(3000), seed=1, repeats=400), delong_interval(bad, score)
    assert drawn.value == pytest.approx(exact.value)
    assert drawn.high - drawn.low == pytest.approx(exact.high - exact.low, rel=0.15)


def test_too_few_bads_for_a_bootstrap():
    with pytest.raises(SampleError, match="bootstrap draws hold both classes"):
        interval(gini, [1] + [0] * 50, range(51), groups=range(51), seed=1)


def test_psi_worked_by_hand():
    # Shares .5/.5 to .25/.75 with the smoothing of half a case in 4 rows on both sides.
    pad = SMOOTHING / 4
    by_hand = -0.25 * np.log((0.25 + pad) / (0.5 + pad)) + 0.25 * np.log((0.75 + pad) / (0.5 + pad))
    assert psi([1, 1, 2, 2], [1, 2, 2, 2], bins=[1.5]) == pytest.approx(by_hand)


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0, np.nan], ["a", "b", None, "a"], [5, 5, 5, 5], [np.inf, 1, 2, 3]])
def test_psi_of_a_sample_with_itself_is_zero(values):
    assert psi(values, values) == 0


def test_psi_is_positive_finite_and_counts_missing():
    table = psi_table([1.0, 2.0, 3.0], [np.nan] * 3, bins=2)
    assert np.isfinite(table["psi"]).all()
    assert (table["psi"] >= 0).all()
    assert table.set_index("bin").loc["missing", "actual"] == 3
    with pytest.raises(SampleError, match="0 actual"):
        psi([1.0], [])


def test_calibration_by_grade():
    table = calibration_table([0.1] * 50 + [0.5] * 50, [1] * 5 + [0] * 45 + [0] * 50, ["A"] * 50 + ["B"] * 50)
    assert table["bads"].tolist() == [5, 0]
    assert table.loc[0, "low"] == pytest.approx(beta.ppf(0.025, 5.5, 45.5))
    assert table.loc[1, "low"] == 0
    assert table["inside"].tolist() == [True, False]
    assert calibration_table([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 0], 2)["count"].tolist() == [2, 2]


def test_gains_end_at_everything_and_ties_share_a_band(tied):
    bad, score = tied
    table = gains_table(bad, score, bins=5)
    assert table[["rows_share", "bads_share", "lift"]].iloc[-1].tolist() == [1, 1, 1]
    assert table["ks"].iloc[-1] == pytest.approx(0)
    assert all(
        low[1] < high[0] for low, high in itertools.pairwise(zip(table["score_from"], table["score_to"], strict=True))
    )
    assert table["count"].sum() == 120


def test_weights_are_repeated_rows_and_only_their_ratios_matter():
    rng = np.random.default_rng(8)
    score = rng.normal(600, 30, 500).round()
    bad = (rng.random(500) < 1 / (1 + np.exp((score - 560) / 20))).astype(int)
    chance, times = 1 / (1 + np.exp((score - 565) / 22)), rng.integers(1, 5, 500)
    many = np.repeat(np.arange(500), times)
    for statistic, value in ((gini, score), (ks, score), (brier, chance)):
        weighted = statistic(bad, value, times)
        assert weighted == pytest.approx(statistic(bad[many], value[many]), abs=1e-12)
        assert statistic(bad, value, times * 0.1) == pytest.approx(weighted, abs=1e-12)
        assert abs(weighted - statistic(bad, value)) > 1e-4
    found = interval(gini, bad, score, groups=range(500), weights=times, seed=1)
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(gini(bad, score, times))
    grades = np.where(score > 600, "A", "B")
    table = calibration_table(chance, bad, grades, weights=times)
    repeated = calibration_table(chance[many], bad[many], grades[many])
    for column in ("pd_mean", "bad_rate"):
        assert table[column].tolist() == pytest.approx(repeated[column].tolist())
    assert table["count"].sum() == 500
    # Weights add no evidence: the interval is wider than that of as many real rows.
    assert ((table["high"] - table["low"]) > (repeated["high"] - repeated["low"])).all()
    gains = gains_table(bad, score, weights=times)
    assert gains["bads_share"].iloc[-1] == pytest.approx(1)
    assert gains["lift"].iloc[-1] == pytest.approx(1)
    assert gains["ks"].max() <= ks(bad, score, times) + 1e-12


@pytest.mark.parametrize(
    ("weights", "words"), [([1, 0], "1 of 2"), ([1, -2], "-2"), ([1, np.inf], "inf"), ([1], "shape")]
)
def test_weights_that_are_none(weights, words):
    with pytest.raises(SampleError, match=words):
        gini([0, 1], [1, 2], weights)


def test_the_interval_of_a_grade_by_customer_holds_when_cohorts_repeat() -> None:
    rng = np.random.default_rng(6)
    held = {"by row": 0, "by customer": 0}
    for _ in range(300):
        risk = 0.1
        bad = np.tile(rng.random(120) < risk, 3)
        for name, groups in (("by row", None), ("by customer", np.tile(np.arange(120), 3))):
            row = calibration_table(np.full(360, risk), bad, ["A"] * 360, groups=groups).iloc[0]
            held[name] += bool(row["low"] <= risk <= row["high"])
    assert held["by row"] < 0.85 * 300
    assert 0.92 * 300 <= held["by customer"] <= 0.985 * 300
    alone = rng.random(200) < 0.1
    by_row = calibration_table(np.full(200, 0.1), alone, ["A"] * 200)
    assert calibration_table(np.full(200, 0.1), alone, ["A"] * 200, groups=np.arange(200)).equals(by_row)
    none = calibration_table([0.1] * 40, [0] * 40, ["A"] * 40, groups=np.tile(np.arange(10), 4))
    assert none["high"][0] == calibration_table([0.1] * 10, [0] * 10, ["A"] * 10)["high"][0]
    with pytest.raises(SampleError, match="the PD comes first"):
        calibration_table([0, 1], [0.1, 0.2], ["A", "A"])
