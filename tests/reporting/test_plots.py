from __future__ import annotations

import inspect
import re
import warnings

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.axes import Axes

from workbench.core.errors import ParameterError
from workbench.core.languages import in_language
from workbench.reporting import blocks, plots, style

from .samples import plotted

PLOTS = {name: function for name, function in inspect.getmembers(plots, inspect.isfunction) if name.startswith("plot_")}
COLUMNS = {
    "plot_grade_distribution": ["grade", "customers", "exposure"],
    "plot_delinquency": ["bucket", "customers"],
    "plot_score_distribution": ["score_low", "score_high", "good", "bad"],
    "plot_calibration": ["predicted", "observed", "low", "high"],
    "plot_roc": ["fpr", "tpr"],
    "plot_ks": ["score", "cum_good", "cum_bad"],
    "plot_bad_rate_trend": ["month", "bad_rate", "low", "high"],
    "plot_forecast": ["month", "value", "low", "high", "forecast"],
    "plot_amount_trend": ["month", "amount"],
    "plot_vintage": ["vintage", "age_months", "bad_rate"],
    "plot_roll_rate": ["month", "from_bucket", "rate"],
    "plot_roll_matrix": ["from_bucket", "to_bucket", "share"],
    "plot_bad_rate_by_window": ["as_of", "window_months", "bad_rate"],
    "plot_missingness": ["column", "missing_share"],
    "plot_decile_bad_rate": ["decile", "bad_rate", "low", "high"],
    "plot_alerts": ["severity", "alerts"],
}
TEXT = {
    "grade": "A",
    "bucket": "current",
    "vintage": "2024Q1",
    "from_bucket": "1-29",
    "to_bucket": "90+",
    "as_of": "2026-06-30",
    "column": "income",
    "severity": "red",
}
TEXT |= {"month": "2026-06"}


@pytest.mark.parametrize("months", [2, 13, 30, 45, 55, 70, 130])
def test_any_length_of_history_has_dates_without_a_warning(months: int) -> None:
    days = pd.date_range("2015-01-31", periods=months, freq="ME")
    ax = plots.plot_bad_rate_trend(pd.DataFrame({"month": days, "bad_rate": 0.1}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax.figure.canvas.draw()
    assert 1 < len([label for label in ax.get_xticklabels() if label.get_text()]) < 12


def test_every_plot_is_tried_here() -> None:
    assert set(COLUMNS) == set(PLOTS)
    assert len(plotted()) == len(PLOTS)


@pytest.mark.parametrize("name", COLUMNS)
def test_empty_and_one_row_tables_still_draw(name: str) -> None:
    row = {column: [TEXT.get(column, 0.5)] for column in COLUMNS[name]}
    if name == "plot_score_distribution":
        row["score_high"] = [1.5]
    for rows in (0, 1):
        options = {"title": "Rate"} if name == "plot_forecast" else {}
        ax = PLOTS[name](pd.DataFrame(row).head(rows), **options)
        assert isinstance(ax, Axes)
        texts = [text.get_text() for text in ax.texts]
        assert ("No rows to show" in texts) == (rows == 0)
        blocks.figure(ax, alt=name)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(ParameterError, match=COLUMNS[name][0]):
        PLOTS[name](pd.DataFrame({"nothing": [1]}))


def test_plots_leave_the_process_settings_alone_and_use_style_sets_them() -> None:
    with mpl.rc_context():
        before = mpl.rcParams["axes.edgecolor"]
        plotted()
        assert mpl.rcParams["axes.edgecolor"] == before
        style.use_style()
        assert mpl.rcParams["axes.edgecolor"] == style.MUTED


def test_unknown_severity_and_hostile_names() -> None:
    with pytest.raises(ParameterError, match="Did you mean 'yellow'"):
        plots.plot_alerts(pd.DataFrame({"severity": ["yelow"], "alerts": [1]}))
    names = ["$\\frac{1}{0$", "N" * 10_000, "a\nb\x00", "行业"]
    ax = plots.plot_missingness(pd.DataFrame({"column": names, "missing_share": [0.1, 0.2, 0.3, 0.4]}))
    assert max(len(label.get_text()) for label in ax.get_yticklabels()) <= 28
    blocks.figure(ax, alt="Missing values")


def test_gaps_stay_gaps() -> None:
    table = pd.DataFrame({"month": ["2026-01", "2026-02", "2026-03"], "bad_rate": [0.1, None, 0.2]})
    line = plots.plot_bad_rate_trend(table).lines[0]
    assert pd.isna(line.get_ydata()[1])


def texts(ax: Axes) -> list[str]:
    ax.figure.canvas.draw()
    ticks = [*ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.get_offset_text(), ax.yaxis.get_offset_text()]
    own = [ax.get_title(loc="left"), ax.get_title(), ax.get_xlabel(), ax.get_ylabel()]
    return [text for text in (*own, *(found.get_text() for found in (*ax.texts, *ticks))) if text]


def test_every_word_of_a_plot_is_said(signs: None) -> None:
    data = {*"ABCDEFG", "EUR", "employed_since", "education", "monthly_income", "utilisation", "months", "to"}
    data |= {f"{year}Q{quarter}" for year in (2023, 2024) for quarter in (1, 2, 3, 4)} | {
        "Default",
        "Credit",
        "limits",
        "rate",
    }
    for name, ax in plotted().items():
        for text in texts(ax):
            left = [word for word in re.split(r"[^A-Za-z0-9_]+", text) if re.search("[A-Za-z]", word)]
            assert set(left) <= data, (name, text)
    empty = plots.plot_missingness(pd.DataFrame({"column": [], "missing_share": []}))
    assert any("字" in text for text in texts(empty))


def test_months_read_as_in_chinese() -> None:
    table = pd.DataFrame({"month": pd.date_range("2024-10-31", periods=7, freq="ME"), "bad_rate": 0.1})
    with in_language("zh"):
        ax = plots.plot_bad_rate_trend(table)
        days = [text for text in texts(ax) if re.fullmatch(r"\d+[年月]", text)]
        assert days == ["11月", "12月", "2025年", "2月", "3月", "4月", "5月"]
        assert "2026年6月" in texts(plots.plot_bad_rate_trend(pd.DataFrame({"month": ["2026-06"], "bad_rate": [0.1]})))
    assert "Jun 2026" in texts(plots.plot_bad_rate_trend(pd.DataFrame({"month": ["2026-06"], "bad_rate": [0.1]})))
