import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.errors import ModelError
from workbench.models.bins import Bins
from workbench.models.scorecard import Scaling, Scorecard, scaled

LABEL, REASON = {"en": "Days", "zh": "天数"}, {"en": "Days: {value:.0f} d", "zh": "天数：{value:.0f}天"}


def card_of(coefficients, *, intercept=-2.0) -> Scorecard:
    bins = [Bins(f"x{i}", (10.0, 30.0), (), (60, 30, 10, 0), (4, 6, 10, 0), "higher") for i in range(len(coefficients))]
    scaling = Scaling()
    return Scorecard(
        name="small",
        target={"window_months": 12},
        variables=tuple(
            scaled(b, c, scaling, label=LABEL, reason=REASON) for b, c in zip(bins, coefficients, strict=True)
        ),
        intercept=intercept,
        scaling=scaling,
        calibration=(scaling.offset / scaling.factor, -1 / scaling.factor),
        grades=(("A", 0.1), ("B", 1.0)),
    )


def test_pdo_scaling_of_the_textbook():
    # Siddiqi (2006), chapter 6: 600 points at 50:1, 20 to double the odds: factor 28.8539, offset 487.123.
    scaling = Scaling(600, 50, 20)
    assert scaling.factor == pytest.approx(28.8539, abs=5e-5)
    assert scaling.offset == pytest.approx(487.123, abs=5e-4)
    assert scaling.offset + scaling.factor * math.log(50) == pytest.approx(600)
    assert scaling.offset + scaling.factor * math.log(100) == pytest.approx(620)
    with pytest.raises(ModelError, match="above 0"):
        Scaling(600, 50, 0)


def test_the_score_is_offset_and_factor_times_log_odds(fitted, sample):
    card, frame = fitted.scorecard, sample[0]
    log_odds_bad = np.full(len(frame), card.intercept)
    for variable in card.variables:
        log_odds_bad += variable.coefficient * variable.bins.woe[variable.bins.assign(frame[variable.name])]
    by_definition = card.scaling.offset - card.scaling.factor * log_odds_bad
    assert np.abs(card.score(frame)["score"] - by_definition).max() < 1e-9


def test_the_table_shown_rescored_by_hand_is_the_score(fitted, sample):
    card, frame = fitted.scorecard, sample[0].iloc[:200]
    table = card.points_table().set_index(["variable", "label"])["points"]
    total = np.full(len(frame), table["(base)", "every customer"])
    for variable in card.variables:
        labels = np.array(variable.bins.labels)[variable.bins.assign(frame[variable.name])]
        total += [table[variable.name, label] for label in labels]
    assert np.abs(card.score(frame)["score"] - total).max() < 1e-9


def test_saved_and_loaded_scores_the_same_bits(fitted, sample):
    again = Scorecard.from_json(fitted.scorecard.to_json())
    assert again == fitted.scorecard
    assert again.to_json() == fitted.scorecard.to_json()
    pd.testing.assert_frame_equal(again.score(sample[0]), fitted.scorecard.score(sample[0]), check_exact=True)


def test_rows_columns_and_batches_do_not_matter(fitted, sample):
    frame = sample[0].iloc[:300]
    scored = fitted.scorecard.score(frame)
    shuffled = frame.iloc[::-1, ::-1]
    pd.testing.assert_frame_equal(fitted.scorecard.score(shuffled).iloc[::-1], scored, check_exact=True)
    alone = pd.concat([fitted.scorecard.score(frame.iloc[[i]]) for i in range(20)])
    pd.testing.assert_frame_equal(alone, scored.iloc[:20], check_exact=True)


def test_pd_falls_and_grade_gets_safer_as_the_score_rises(fitted, sample):
    scored = fitted.scorecard.score(sample[0], reasons=False).sort_values("score")
    assert list(scored.columns) == ["score", "pd", "grade"]
    assert scored["pd"].is_monotonic_decreasing
    assert scored["grade"].is_monotonic_decreasing
    assert scored["score"].dtype == np.float64


def test_reasons_are_the_largest_losses_and_never_padded():
    card = card_of([-0.5, -1.0, -0.7, -0.9, -0.8])
    frame = pd.DataFrame(np.tile([[40.0], [0.0], [20.0]], 5), columns=[v.name for v in card.variables])
    frame.loc[2, "x1"] = 40
    scored = card.score(frame)
    assert scored["reason_codes"][0] == ["x1", "x3", "x4", "x2"]  # five lost points, four are told
    assert scored["reason_codes"][1] == []  # all factors gained
    assert scored["reason_codes"][2][0] == "x1"
    assert scored["reasons"][0][0] == "Days: 40 d"
    assert card.score(frame, lang="zh")["reasons"][0][0] == "天数：40天"


def test_a_missing_value_that_lost_points_is_not_known():
    bins = Bins("x0", (10.0,), (), (80, 15, 5), (5, 5, 10))
    card = card_of([-1.0])
    card = Scorecard(**{**card.__dict__, "variables": (scaled(bins, -1.0, card.scaling, label=LABEL, reason=REASON),)})
    assert card.score(pd.DataFrame({"x0": [np.nan]}))["reasons"][0] == ["Days: not known"]
    assert card.score(pd.DataFrame({"x0": [np.nan]}), lang="zh")["reasons"][0] == ["天数：未知"]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-3, -0.01), min_size=1, max_size=6),
    st.floats(-6, 2),
    st.lists(st.one_of(st.floats(allow_nan=True, allow_infinity=True)), min_size=1, max_size=5),
)
def test_any_scorecard_keeps_its_definition_and_its_bits(coefficients, intercept, values):
    card = card_of(coefficients, intercept=intercept)
    frame = pd.DataFrame({variable.name: values for variable in card.variables})
    scored = card.score(frame)
    woe = np.array([v.bins.woe[v.bins.assign(frame[v.name])] for v in card.variables])
    odds = -(intercept + np.asarray(coefficients) @ woe)
    assert np.abs(scored["score"] - (card.scaling.offset + card.scaling.factor * odds)).max() < 1e-9
    assert np.abs(scored["pd"] - 1 / (1 + np.exp(odds))).max() < 1e-9
    assert Scorecard.from_json(card.to_json()).score(frame).equals(scored)
    assert scored["reasons"].map(len).max() <= 4


def test_bad_input_says_what_is_wrong(fitted, sample):
    card, frame = fitted.scorecard, sample[0].iloc[:5]
    with pytest.raises(ModelError, match=r"has no column 'dpd'\. Did you mean 'dpd_6m'"):
        card.score(frame.rename(columns={"dpd": "dpd_6m"}))
    with pytest.raises(ModelError, match=r"dpd: 5 of 5 values are not numbers, such as '30 days'"):
        card.score(frame.assign(dpd="30 days"))
    with pytest.raises(ModelError, match="2 columns named 'dpd'"):
        card.score(pd.concat([frame, frame[["dpd"]]], axis=1))
    with pytest.raises(ModelError, match="unknown language 'de'"):
        card.score(frame, lang="de")
    assert card.score(frame.iloc[:0])["reasons"].tolist() == []


def test_json_of_another_kind_version_or_shape(fitted):
    text = fitted.scorecard.to_json()
    with pytest.raises(ModelError, match="schema version 9"):
        Scorecard.from_json(text.replace('"schema_version": 2', '"schema_version": 9'))
    with pytest.raises(ModelError, match="no scorecard"):
        Scorecard.from_json('{"kind": "anomaly"}')
    with pytest.raises(ModelError, match="damaged JSON"):
        Scorecard.from_json("{")
    data = json.loads(text)
    data["variables"][0]["points"].pop()
    with pytest.raises(ModelError, match="points for"):
        Scorecard.from_json(json.dumps(data))
    with pytest.raises(ModelError, match="b must be below 0"):
        fitted.scorecard.calibrated(1.0, 0.2)


def test_whole_points_add_up_to_whole_scores_and_survive_storage(fitted, sample):
    card = fitted.scorecard.rounded()
    frame, _bad = sample
    scores = card.score(frame, reasons=False)["score"]
    assert (scores == scores.round()).all()
    exact = fitted.scorecard.score(frame, reasons=False)["score"]
    assert (scores - exact).abs().max() <= 0.5 * (len(card.variables) + 1)
    table = card.points_table()
    assert (table["points"] == table["points"].round()).all()
    assert Scorecard.from_json(card.to_json()) == card


def test_reasons_against_the_best_bin_name_whatever_lost_points(fitted, sample):
    frame, _bad = sample
    best = replace(fitted.scorecard, reference="best")
    told = best.score(frame.head(200))["reason_codes"]
    average = fitted.scorecard.score(frame.head(200))["reason_codes"]
    assert all(len(ours) >= len(theirs) for ours, theirs in zip(told, average, strict=True))
    row = frame.iloc[[0]]
    lost = {
        variable.name: max(
            p for p, g, b in zip(variable.points, variable.bins.goods, variable.bins.bads, strict=True) if g + b
        )
        - variable.points[variable.bins.assign(row[variable.name])[0]]
        for variable in best.variables
    }
    expected = [name for name in sorted(lost, key=lambda name: -lost[name]) if lost[name] > 1e-9][:4]
    assert best.score(row)["reason_codes"].iloc[0] == expected
