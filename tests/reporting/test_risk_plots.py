"""Figures of a portfolio's risk."""

from __future__ import annotations

import inspect
import warnings
from datetime import date
from typing import Any

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from workbench.core.errors import ParameterError
from workbench.core.languages import in_language
from workbench.reporting import blocks, risk_plots
from workbench.reporting.style import BLUE, MUTED, ORANGE, VERMILION

PLOTS = {
    name: function for name, function in inspect.getmembers(risk_plots, inspect.isfunction) if name.startswith("plot_")
}
MONTHS = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)]
TABLES: dict[str, dict[str, list[Any]]] = {
    "plot_roll_rates": {
        "from_bucket": ["current"] * 3 + ["over 90"] * 3, "to_bucket": ["current", "over 90", "closed"] * 2,
        "loans": [90, 9, 1, 0, 0, 0], "exposure_share": [0.9, 0.0992, 0.0008, None, None, None],
    },
    "plot_vintage_curves": {
        "vintage": ["2024Q1"] * 3 + ["2024Q2"] * 2, "age_months": [0, 1, 2, 0, 1], "bad_rate": [0, 0.01, 0.02, 0, 0.02],
    },
    "plot_losses": {"month_end": MONTHS, "written_off": [1000.0, None, 500.0], "recovered": [100.0, 0.0, 50.5]},
}  # fmt: skip


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_every_plot_is_tried_here() -> None:
    assert set(TABLES) == set(PLOTS)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("rows", [0, 1, 2, 6])
def test_few_rows_still_draw_without_a_warning(name: str, rows: int, lang: str) -> None:
    with warnings.catch_warnings(), in_language(lang):
        warnings.simplefilter("error")
        ax = PLOTS[name](pd.DataFrame(TABLES[name]).head(rows))
        assert isinstance(ax, Axes)
        assert ax.get_title(loc="left")
        blocks.figure(ax, alt=name)


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_column_is_named(name: str) -> None:
    for column in TABLES[name]:
        with pytest.raises(ParameterError, match=column):
            PLOTS[name](pd.DataFrame(TABLES[name]).drop(columns=column))


def test_roll_rates_show_worse_better_and_same_and_leave_empty_rows_empty() -> None:
    table = pd.DataFrame(TABLES["plot_roll_rates"])
    ax = risk_plots.plot_roll_rates(table)
    assert texts(ax) == ["90", "9.9", "<.1", "", "", ""]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["current: 100", "over 90: 0"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["current", "over\n90", "closed"]
    faces = [cell.get_facecolor()[0] for cell in ax.collections]
    assert [to_hex(face) for face in faces[:3]] == [MUTED, ORANGE, BLUE]
    assert faces[0][3] > faces[1][3] > faces[2][3] > 0
    assert [face[3] for face in faces[3:]] == [0] * 3
    by_count = risk_plots.plot_roll_rates(table.assign(loan_share=0.25), value="loan_share")
    assert texts(by_count) == ["25"] * 6
    with pytest.raises(ParameterError, match="shares"):
        risk_plots.plot_roll_rates(table, value="shares")


def test_the_newest_vintage_is_the_strongest_and_old_ones_are_left_out() -> None:
    names = [f"{year}H{half}" for year in range(2018, 2024) for half in (1, 2)]
    table = pd.DataFrame([(name, age, age / 100) for name in names for age in range(4)])
    ax = risk_plots.plot_vintage_curves(table.set_axis(["vintage", "age_months", "bad_rate"], axis=1))
    assert sorted(texts(ax)) == names[-8:]
    assert [to_hex(line.get_color()) for line in ax.lines] == [MUTED] * 7 + [BLUE]
    widths = [line.get_linewidth() for line in ax.lines]
    assert widths == sorted(widths)


def test_losses_stand_above_and_recoveries_below_with_their_sums() -> None:
    table = pd.DataFrame(TABLES["plot_losses"])
    ax = risk_plots.plot_losses(table, unit="EUR")
    assert [bar.get_height() for bar in ax.patches] == [1000, 0, 500, -100, 0, -50.5]
    assert {to_hex(bar.get_facecolor()) for bar in ax.patches} == {VERMILION, BLUE}
    assert texts(ax) == ["written off\n1.5K in all", "recovered\n150 in all"]
    assert ax.get_ylabel() == "EUR"
    assert ax.yaxis.get_major_formatter()(-2000, 0) == "2K"
    unknown = risk_plots.plot_losses(table.assign(recovered=None))
    assert texts(unknown)[1] == "what came back\nis not known"
