"""Figures of a book's data."""

from __future__ import annotations

import inspect
from datetime import date
from typing import Any

import pandas as pd
import pytest
from matplotlib.axes import Axes

from workbench.core.errors import ParameterError
from workbench.reporting import blocks, quality_plots
from workbench.reporting.style import BLUE, ORANGE, VERMILION

PLOTS = {
    name: function
    for name, function in inspect.getmembers(quality_plots, inspect.isfunction)
    if name.startswith("plot_")
}
MONTHS = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]
TABLES: dict[str, dict[str, list[Any]]] = {
    "plot_validity": {"table": ["loans", "payments"], "faulty_share": [0.0, 0.0123]},
    "plot_gaps_by_month": {"column": ["b.x"] * 4, "month": MONTHS, "missing_share": [0.0, 0.1, 1.0, 0.25]},
    "plot_delays": {"table": ["a", "b"], "delay_median": [0, 2], "delay_p95": [0, 40]},
    "plot_rows_by_month": {
        "table": ["a"] * 4, "month": MONTHS, "rows": [100, 100, 10, 100], "broken": [False, False, True, False],
    },
    "plot_drift": {"column": ["a", "b", "c", "d"], "psi": [0.05, 0.2, 0.3, None]},
}  # fmt: skip


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_every_plot_is_tried_here() -> None:
    assert set(TABLES) == set(PLOTS)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("rows", [0, 1, 4])
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


def test_a_month_that_breaks_the_line_is_named() -> None:
    ax = quality_plots.plot_rows_by_month(pd.DataFrame(TABLES["plot_rows_by_month"]))
    assert "Mar 2024" in texts(ax)
    assert "a" in texts(ax)


def test_drift_is_coloured_by_its_bounds_and_what_has_none_is_left_out() -> None:
    from matplotlib.colors import to_hex

    ax = quality_plots.plot_drift(pd.DataFrame(TABLES["plot_drift"]), some=0.1, shift=0.25)
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == [VERMILION, ORANGE, BLUE]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c", "b", "a"]


def test_gaps_show_the_last_month() -> None:
    assert texts(quality_plots.plot_gaps_by_month(pd.DataFrame(TABLES["plot_gaps_by_month"]))) == ["25 %"]
