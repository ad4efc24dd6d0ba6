"""Figures of forecasts of a mix, and of the parts of a change."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from workbench.core.errors import ParameterError
from workbench.core.languages import in_language
from workbench.reporting import blocks, forecast_plots
from workbench.reporting.style import BLUE, GRADE_COLOURS, VERMILION

PLOTS = {
    name: function
    for name, function in inspect.getmembers(forecast_plots, inspect.isfunction)
    if name.startswith("plot_")
}
MONTHS = ["2025-11-30", "2025-11-30", "2025-12-31", "2025-12-31", "2026-01-31", "2026-01-31"]
TABLES: dict[str, dict[str, list[Any]]] = {
    "plot_grade_mix": {
        "month": MONTHS, "part": ["A", "G"] * 3, "share": [0.9, 0.1, 0.88, 0.12, 0.85, 0.15],
        "forecast": [False] * 4 + [True] * 2,
    },
    "plot_attribution": {
        "part": ["before", "came", "left", "exposure", "PD", "now"], "amount": [100.0, 20.0, -5.0, 0.0, -15.0, 100.0],
    },
}  # fmt: skip


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_every_plot_is_tried_here() -> None:
    assert set(TABLES) == set(PLOTS)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("rows", [0, 1, 2, 6])
def test_few_rows_still_draw(name: str, rows: int) -> None:
    ax = PLOTS[name](pd.DataFrame(TABLES[name]).head(rows))
    assert isinstance(ax, Axes)
    assert ("No rows to show" in texts(ax)) == (rows == 0)
    blocks.figure(ax, alt=name)


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_column_is_named(name: str) -> None:
    column = list(TABLES[name])[-1]
    with pytest.raises(ParameterError, match=column):
        PLOTS[name](pd.DataFrame(TABLES[name]).drop(columns=column))


def test_shares_stand_one_above_the_other_in_the_colours_of_the_grades() -> None:
    ax = forecast_plots.plot_grade_mix(pd.DataFrame(TABLES["plot_grade_mix"]))
    areas = ax.collections
    assert [to_hex(area.get_facecolor()[0]) for area in areas] == [GRADE_COLOURS["A"]] * 2 + [GRADE_COLOURS["G"]] * 2
    assert areas[0].get_alpha() > areas[1].get_alpha()  # paler where it is forecast
    upper = areas[2].get_paths()[0].vertices[:, 1]
    assert (upper.min(), upper.max()) == pytest.approx((0.88, 1.0))
    ahead = areas[1].get_paths()[0].vertices
    assert len(np.unique(ahead[:, 0])) == 2  # from the last month that was to the one ahead
    assert texts(ax) == ["A 85.0 %", "G 15.0 %"]


def test_labels_of_thin_parts_do_not_overlap() -> None:
    parts = list("ABCDEFG")
    table = pd.DataFrame({"month": ["2025-12-31"] * 7, "part": parts, "forecast": False,
                          "share": [0.001, 0.002, 0.003, 0.98, 0.004, 0.005, 0.005]})  # fmt: skip
    ax = forecast_plots.plot_grade_mix(table)
    heights = [text.xy[1] for text in ax.texts]
    assert np.diff(heights).min() > 0.05
    assert max(heights) < 1
    assert min(heights) >= -0.01


def test_other_parts_go_from_safe_to_risky() -> None:
    rows = TABLES["plot_grade_mix"] | {"part": ["current", "non-performing"] * 3}
    ax = forecast_plots.plot_grade_mix(pd.DataFrame(rows))
    assert {to_hex(area.get_facecolor()[0]) for area in ax.collections} == {GRADE_COLOURS["A"], GRADE_COLOURS["G"]}
    assert texts(ax)[1].startswith("non-performing")


def test_steps_lead_from_before_to_now() -> None:
    ax = forecast_plots.plot_attribution(pd.DataFrame(TABLES["plot_attribution"]), unit="EUR")
    steps = [(bar.get_x(), bar.get_width(), to_hex(bar.get_facecolor())) for bar in ax.patches]
    assert steps == [(100, 20, VERMILION), (120, -5, BLUE), (115, 0, BLUE), (115, -15, BLUE)]
    assert texts(ax) == ["100", "+20  (+20.0 %)", "-5  (-5.0 %)", "+0  (0.0 %)", "-15  (-15.0 %)", "100"]
    assert [label.get_text() for label in ax.get_yticklabels()] == TABLES["plot_attribution"]["part"]
    assert ax.get_xlabel() == "EUR"


def test_a_change_from_nothing_has_no_share() -> None:
    table = pd.DataFrame({"part": ["before", "came", "now"], "amount": [0.0, 50.0, 50.0]})
    assert texts(forecast_plots.plot_attribution(table)) == ["0", "+50  (n/a)", "50"]


def test_words_are_in_the_language_in_use() -> None:
    with in_language("zh"):
        drawn = [PLOTS[name](pd.DataFrame(TABLES[name])) for name in TABLES]
        assert all(ax.get_title(loc="left") for ax in drawn)
