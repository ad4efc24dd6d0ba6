"""Figures of a book's data: gaps by month, faults by table, delays, rows by month, drift since the last delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.core.languages import day_text, say
from workbench.reporting.plots import (
    _axes,
    _date_axis,
    _horizontal_bars,
    _label_bars,
    _months,
    _plot,
    _share,
    _short,
)
from workbench.reporting.style import BLUE, INK, MUTED, ORANGE, PALETTE, SKY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP, _MOVED = 15, 8


@_plot("table", "faulty_share")
def plot_validity(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the share of rows that break any rule of their own table (`faulty_share`, 0 to 1), by `table`."""
    worst = table.sort_values(["faulty_share", "table"], ascending=[False, True])
    ax = _axes(ax, title=title or say("Rows that break a rule"), grid="", bars=max(len(worst), 1))
    share = worst["faulty_share"].astype(float)
    return _horizontal_bars(ax, worst["table"], share, BLUE, [_share(value, 2) for value in share])


@_plot("column", "month", "missing_share")
def plot_gaps_by_month(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the `missing_share` (0 to 1) of each `column` by `month`, the darker the emptier; no rows leave a hole."""
    whole = table.pivot_table(index="column", columns="month", values="missing_share", sort=True).astype(float)
    whole = whole.loc[whole.mean(axis=1).sort_values(ascending=False).index[:_TOP]]
    ax = _axes(ax, title=title or say("Missing values by month"), grid="", bars=max(len(whole), 1) + 1)
    if whole.empty:
        return ax
    months = _months(pd.Series([str(month) for month in whole.columns]))
    shown = ax.pcolormesh(whole.to_numpy(), cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.6)
    shown.set_rasterized(False)
    ax.set_yticks([place + 0.5 for place in range(len(whole))], [_short(name) for name in whole.index])
    at = range(0, len(months), max(-(-len(months) // 4), 1))
    ax.set_xticks([place + 0.5 for place in at], [day_text(months.iloc[place], "month") for place in at])
    ax.invert_yaxis()
    ax.spines["bottom"].set_visible(False)
    for place, name in enumerate(whole.index):
        last = whole.loc[name].dropna()
        ax.text(len(months) + 0.2, place + 0.5, _share(float(last.iloc[-1])), va="center", fontsize=8, color=INK)
    return ax


@_plot("table", "delay_median", "delay_p95")
def plot_delays(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the median and the 95th percentile of the delay in days, by `table`."""
    slow = table.sort_values(["delay_p95", "table"], ascending=[False, True]).reset_index(drop=True)
    ax = _axes(ax, title=title or say("Days from happening to being known"), grid="", bars=max(len(slow), 1))
    half, most = slow["delay_median"].astype(float), slow["delay_p95"].astype(float)
    at = range(len(slow))
    ax.hlines(at, half, most, color=SKY, linewidth=5)
    ax.plot(half, at, "o", color=BLUE, markersize=6)
    ax.plot(most, at, "|", color=VERMILION, markersize=11, markeredgewidth=2)
    for place in at:
        words = say("half within {half:,.0f}, 95 % within {most:,.0f}", half=half[place], most=most[place])
        end = (max(half[place], most[place]), place)
        ax.annotate(words, end, (8, 0), textcoords="offset points", va="center", fontsize=8, annotation_clip=False)
    top = float(most.max()) if len(slow) else 1.0
    ax.set_xlim(min(0.0, float(half.min()) if len(slow) else 0.0) - 0.03 * max(top, 1), 2.2 * max(top, 1))
    ax.set_ylim(max(len(slow), 1) - 0.5, -0.5)
    ax.set_yticks(list(at), [_short(name) for name in slow["table"]])
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    return ax


@_plot("table", "month", "rows", "broken")
def plot_rows_by_month(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw `rows` by `month` as a multiple of the table's median month, a line a `table`; `broken` months are marked."""
    ax = _axes(ax, title=title or say("Rows by month, against the usual month"), y=say("Median month = 1"))
    months = _months(table["month"])
    ends: list[tuple[float, str, str]] = []
    for place, (name, group) in enumerate(table.assign(month=months).groupby("table", sort=True)):
        usual = float(group.loc[group["rows"] > 0, "rows"].median())
        multiple = group["rows"].astype(float) / (usual or 1.0)
        colour = PALETTE[place % len(PALETTE)]
        ax.plot(group["month"], multiple, color=colour, linewidth=1.6)
        broken = group["broken"].astype(bool)
        ax.plot(group.loc[broken, "month"], multiple[broken], "X", color=VERMILION, markersize=8)
        for month, value in zip(group.loc[broken, "month"], multiple[broken], strict=True):
            words: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8, "color": VERMILION, "ha": "center"}
            ax.annotate(day_text(month, "month"), (month, value), (0, 8), **words)
        ends.append((float(multiple.iloc[-1]), _short(name), colour))
    if len(table):
        _date_axis(ax, months)
    ax.set_ylim(bottom=0)
    ax.margins(y=0.12)
    heights: list[float] = []
    for end, _name, _colour in sorted(ends):
        heights.append(max(end, heights[-1] + ax.get_ylim()[1] * 0.075) if heights else end)
    above = max([0.0, *(height - ax.get_ylim()[1] for height in heights)])
    for height, (_end, name, colour) in zip(heights, sorted(ends), strict=True):
        words = {"color": colour, "fontsize": 8, "weight": "bold", "va": "center", "annotation_clip": False}
        ax.annotate(name, (months.max(), height - above), (6, 0), textcoords="offset points", **words)
    return ax


@_plot("column", "psi")
def plot_drift(
    table: pd.DataFrame, *, some: float = 0.1, shift: float = 0.25, ax: Axes | None = None, title: str = ""
) -> Axes:
    """Draw the `psi` of the columns that moved most, with the bounds above which it is `some` and a `shift`."""
    most = table[table["psi"].notna()].sort_values(["psi", "column"], ascending=[False, True]).head(_MOVED)
    ax = _axes(ax, title=title or say("Drift since the last delivery"), grid="", bars=max(len(most), 1))
    psi = most["psi"].astype(float)
    colours = [VERMILION if value > shift else ORANGE if value > some else BLUE for value in psi]
    bars = ax.barh(range(len(most)), psi, color=colours, height=0.68)
    _label_bars(ax, bars, [f"{value:.3f}" for value in psi])
    for bound in (some, shift):
        ax.axvline(bound, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    ax.set_xticks([some, shift], [f"{some:g}", f"{shift:g}"])
    low, high = ax.get_xticklabels()
    low.set_horizontalalignment("right")  # or they touch beside a large PSI
    high.set_horizontalalignment("left")
    ax.set_yticks(range(len(most)), [_short(name) for name in most["column"]])
    ax.set_xlim(0, max(float(psi.max()) if len(most) else 0.0, shift) * 1.16)
    ax.invert_yaxis()
    ax.spines["bottom"].set_visible(False)
    return ax
