"""Two dates under one model version."""

from __future__ import annotations

import pandas as pd
import pytest

from workbench.core.conditions import compile_condition
from workbench.core.errors import InputError
from workbench.core.languages import in_language
from workbench.indicators.registry import select
from workbench.monitoring.watch import WATCHED, column_labels, compare_scores, watch

GRADES = ["A", "B", "C", "D"]


def scores(rows: list[tuple[str, float, float, str]], version: str = "3", model: str = "pd") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "score", "pd", "grade"])
    return frame.assign(model=model, version=version)


NOW = scores([("C1", 520.0, 0.2, "D"), ("C2", 640.0, 0.01, "A"), ("C3", 600.0, 0.02, "B")])
BEFORE = scores([("C2", 600.0, 0.02, "B"), ("C1", 600.0, 0.02, "B"), ("C9", 500.0, 0.3, "D")])


def test_a_drop_is_points_lost_and_steps_go_towards_the_riskiest() -> None:
    moved = compare_scores(NOW, BEFORE, grades=GRADES).set_index("customer_id")
    assert moved["score_drop"].to_dict() == pytest.approx({"C1": 80, "C2": -40, "C3": float("nan")}, nan_ok=True)
    assert moved["grade_steps"].to_dict() == pytest.approx({"C1": 2, "C2": -1, "C3": float("nan")}, nan_ok=True)
    assert moved.index.tolist() == ["C1", "C2", "C3"]  # C9 is no longer a customer
    assert moved.loc["C1", ["previous_score", "previous_grade"]].tolist() == [600, "B"]


@pytest.mark.parametrize(
    ("before", "found"),
    [
        (BEFORE.assign(version="2"), "found pd v3, pd v2"),
        (BEFORE.assign(model="other"), "found pd v3, other v3"),
        (BEFORE.assign(version=["3", "3", "2"]), "found pd v3, pd v2"),
    ],
)
def test_two_versions_are_refused(before: pd.DataFrame, found: str) -> None:
    with pytest.raises(InputError, match=f"{found}, expected one model version"):
        compare_scores(NOW, before, grades=GRADES)


def test_without_an_earlier_date_no_movement_rule_fires() -> None:
    moved = compare_scores(NOW, BEFORE.head(0), grades=GRADES)
    assert moved["score_drop"].isna().all()
    assert not compile_condition("score_drop >= 0 or previous_grade == 'A' or grade_steps < 9").holds(moved).any()


def test_the_watched_frame_has_an_anomaly_only_where_the_stage_has_run() -> None:
    panel = pd.DataFrame({"customer_id": ["C1", "C2", "C4"], "dpd_now": [1.0, 2.0, 3.0]})
    moved = compare_scores(NOW, BEFORE, grades=GRADES)
    assert "anomaly_score" not in watch(panel, moved, None).columns
    anomalies = pd.DataFrame({"customer_id": ["C2"], "anomaly_score": [0.9]})
    watched = watch(panel, moved, anomalies).set_index("customer_id")
    assert watched.index.tolist() == ["C1", "C2", "C4"]
    assert watched["anomaly_score"].fillna(-1).tolist() == [-1, 0.9, -1]
    assert watched["score"].fillna(-1).tolist() == [520, 640, -1]


def test_a_customer_twice_is_an_error() -> None:
    panel = pd.DataFrame({"customer_id": ["C1", "C1"]})
    with pytest.raises(pd.errors.MergeError):
        watch(panel, compare_scores(NOW, BEFORE, grades=GRADES), None)


def test_every_column_has_its_words_in_both_languages() -> None:
    english = column_labels()
    with in_language("zh"):
        chinese = column_labels()
    assert list(english) == list(chinese) == [*WATCHED, *(found.name for found in select())]
    assert all(english[name] == name.replace("_", " ") for name in WATCHED)
    assert (chinese["score_drop"], chinese["anomaly_score"], chinese["dpd_now"]) == (
        "评分下降",
        "异常评分",
        "当前逾期天数",
    )
    assert all(not text.isascii() for text in chinese.values())
