"""One customer's page: its parts against slow counts on a small book."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.errors import InputError
from workbench.core.languages import in_language
from workbench.indicators.registry import select
from workbench.indicators.stored import load_panel
from workbench.models.bins import Bins, Merge
from workbench.models.scorecard import Scaling, Scorecard, scaled
from workbench.models.scoring import keep_scores, score_panel
from workbench.models.tracking import ModelVersion
from workbench.monitoring.dossier import customer_row, indicator_profile, loan_history, points_profile, score_history

DAY, BEFORE = date(2025, 6, 30), date(2025, 5, 31)


@pytest.fixture(scope="module")
def panel(small_book: Book) -> pd.DataFrame:
    return load_panel(small_book, as_of=DAY).frame


@pytest.fixture(scope="module")
def card() -> Scorecard:
    made = [
        scaled(
            Bins(name, splits, (), (400, 300, 60), (20, 60, 9)),
            -0.8,
            Scaling(),
            label={"en": name},
            reason={"en": name},
        )
        for name, splits in (("dpd_now", (1.0,)), ("utilisation_6m", (0.5,)))
    ]
    return Scorecard(
        "dossier", {"window_months": 12}, tuple(made), -2.0, Scaling(), (20.0, -0.04), (("A", 0.05), ("B", 1.0))
    )


def test_points_are_the_score(panel: pd.DataFrame, card: Scorecard) -> None:
    scores = card.score(panel)["score"]
    for place in range(0, len(panel), 29):
        table = points_profile(card, customer_row(panel, panel["customer_id"].iloc[place], as_of=DAY))
        assert card.base_points + table["points"].sum() == pytest.approx(scores.iloc[place])
        assert table["difference"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("bins", "values", "chinese"),
    [
        (Bins("x", (1.0, 2.5), (), (9, 9, 9, 9), (1, 1, 1, 1)), [0.0, 1.5, 9.0], ["< 1", "1 至 < 2.5", ">= 2.5"]),
        (
            Bins("x", (1.0, 2.5), (), (9, 9, 9, 0), (1, 1, 1, 0), merges=(Merge("missing", "1 to < 2.5", "as few"),)),
            [None],
            ["1 至 < 2.5 或 缺失"],
        ),
        (Bins("x", (), (("red", "a"), ("b",)), (9, 9, 9, 9), (1, 1, 1, 1)), ["red", "b"], ["red, a", "b"]),
    ],
)
def test_a_bin_reads_as_in_the_model_and_in_the_language_in_use(
    bins: Bins, values: list[Any], chinese: list[str]
) -> None:
    made = scaled(bins, -0.8, Scaling(), label={"en": "ratio", "zh": "比率"}, reason={"en": "x", "zh": "x"})
    card = Scorecard("c", {}, (made,), -2.0, Scaling(), (20.0, -0.04), (("A", 0.05), ("B", 1.0)))
    for value, words in zip(values, chinese, strict=True):
        row = pd.Series({"x": value})
        code = int(bins.assign(pd.Series([value], dtype=None if value is not None else float))[0])
        assert points_profile(card, row)[["label", "bin"]].iloc[0].tolist() == ["ratio", bins.labels[code]]
        with in_language("zh"):
            assert points_profile(card, row)[["label", "bin"]].iloc[0].tolist() == ["比率", words]


def test_riskier_than_is_a_count_of_the_others(panel: pd.DataFrame, small_book: Book) -> None:
    catalogue = {found.name: found for found in select()}
    before = load_panel(small_book, as_of=BEFORE).frame
    who = panel["customer_id"].iloc[7]
    table = indicator_profile(panel, before, who, catalogue)
    assert len(table) > 20
    assert table["riskier_than"].is_monotonic_decreasing
    for row in table.itertuples():
        others = panel.loc[panel["customer_id"] != who, row.indicator].dropna()
        wins = 0.0
        for other in others:
            safer = other < row.value if catalogue[row.indicator].direction == "higher" else other > row.value
            wins += 1.0 if safer else 0.5 if other == row.value else 0.0
        assert row.riskier_than == pytest.approx(wins / len(others))
        was = before.loc[before["customer_id"] == who, row.indicator]
        assert (len(was) == 0 and np.isnan(row.before)) or row.before == pytest.approx(was.iloc[0], nan_ok=True)
    alone = indicator_profile(panel[panel["customer_id"] == who], None, who, catalogue)
    assert alone["riskier_than"].isna().all()


def test_loans_and_scores_are_those_of_the_book(panel: pd.DataFrame, small_book: Book, card: Scorecard) -> None:
    who = panel["customer_id"].iloc[3]
    loans = loan_history(small_book, who, as_of=DAY, months=6)
    last = performance(small_book, as_of=DAY).to_pandas()
    last = last[last["customer_id"] == who].sort_values("loan_id")
    shown = loans[loans["month_end"] == loans["month_end"].max()]
    assert shown["loan_id"].tolist() == last["loan_id"].tolist()
    assert shown["dpd"].tolist() == last["dpd"].tolist()
    assert loans["month_end"].nunique() == 6
    version = ModelVersion("dossier_card", "4", "run")
    assert score_history(small_book, version, who).empty
    for day in (DAY, BEFORE):
        keep_scores(small_book, score_panel(card, version, load_panel(small_book, as_of=day).frame))
    history = score_history(small_book, version, who)
    assert history["as_of"].dt.date.tolist() == [BEFORE, DAY]
    assert history["score"].iloc[1] == card.score(panel)["score"].iloc[3]


def test_a_customer_who_is_not_there(panel: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"not among the .* active customers at 2025-06-30\. Did you mean"):
        customer_row(panel, panel["customer_id"].iloc[0] + "0", as_of=DAY)
