"""Figures of a simulated lender's outcomes: bad rates, vintages, hazard, rolls, prepayment, recovery, causes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.dates import DateFormatter, YearLocator
from matplotlib.ticker import MaxNLocator

from workbench.reporting.plots import _axes, _date_axis, _label_line, _months, _plot, _share
from workbench.reporting.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PRODUCT_COLOURS = {"personal": BLUE, "auto": ORANGE, "card": GREEN}
PATH_COLOURS = {
    "gradual": BLUE, "sudden": VERMILION, "disorganised": SKY, "strategic": PURPLE, "first_payment_fraud": ORANGE,
}  # fmt: skip


def date_axis(ax: Axes, months: pd.Series) -> None:
    """Mark the years where there are several, else as elsewhere."""
    if len(months) and (months.max() - months.min()).days > 900:
        ax.xaxis.set_major_locator(YearLocator())
        ax.xaxis.set_major_formatter(DateFormatter("%Y"))
    else:
        _date_axis(ax, months)


def shade_downturn(ax: Axes, months: pd.Series, depth: pd.Series) -> None:
    """Shade the months of the downturn, the darker the deeper, and name it."""
    deep = depth > 0
    if not deep.any():
        return
    for month, value in zip(months[deep], depth[deep], strict=True):
        begins = month - pd.offsets.MonthEnd(1)
        ax.axvspan(begins, month, color=MUTED, alpha=0.22 * float(value), linewidth=0, antialiased=False)
    middle = months[deep].iloc[int(deep.sum()) // 2]
    ax.text(middle, 1.01, "downturn", transform=ax.get_xaxis_transform(), ha="center", color=MUTED, fontsize=7.5)


@_plot("month", "rate", "downturn")
def plot_new_defaults(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw by `month` the `rate` of loans that reach 90 days, and its mean over three months; `downturn` is its depth."""
    ax = _axes(ax, title=title or "Loans that reach 90 days past due, a month", percent="y")
    months = _months(table["month"])
    shade_downturn(ax, months, table["downturn"])
    ax.plot(months, table["rate"], "o", color=SKY, markersize=3)
    ax.plot(months, table["rate"].rolling(3, center=True, min_periods=2).mean(), color=BLUE)
    date_axis(ax, months)
    ax.set_ylim(bottom=0)
    return ax


@_plot("month", "bad_rate", "downturn")
def plot_cohorts(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the 12-month `bad_rate` of the customers observed at each `month` end, with its 95 % interval `low` to `high`."""
    ax = _axes(ax, title=title or "Customers bad within 12 months of each month end", percent="y")
    months = _months(table["month"])
    shade_downturn(ax, months, table["downturn"])
    ax.fill_between(months, table["low"], table["high"], color=SKY, alpha=0.35, linewidth=0)
    ax.plot(months, table["bad_rate"], color=BLUE)
    date_axis(ax, months)
    ax.set_ylim(bottom=0)
    return ax


@_plot("vintage", "age_months", "bad_rate", "loose")
def plot_vintages(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the share bad so far by `age_months`, a line for each `vintage`; those that are `loose` stand out."""
    ax = _axes(ax, title=title or "Loans bad so far, by quarter of opening", x="Months since opening", percent="y")
    ends = []
    for (vintage, loose), line in table.groupby(["vintage", "loose"], sort=True):
        colour, width = (VERMILION, 2.2) if loose else (MUTED, 0.9)
        ax.plot(line["age_months"], line["bad_rate"], color=colour, linewidth=width, alpha=1 if loose else 0.55)
        if loose:
            ends.append((float(line["bad_rate"].iloc[-1]), float(line["age_months"].iloc[-1]), str(vintage)))
    height = -1.0
    gap = 0.06 * ax.get_ylim()[1]
    for end, at, vintage in sorted(ends):
        height = max(end, height + gap)
        words = {"color": VERMILION, "fontsize": 8.5, "weight": "bold", "va": "center"}
        ax.annotate(
            f"{vintage}, loose", (at, height), (4, 0), textcoords="offset points", annotation_clip=False, **words
        )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=0)
    return ax


@_plot("product", "age_months", "smoothed", "at_risk")
def plot_hazard(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the `smoothed` hazard of the first default by `age_months` and `product`, and the top of that of `all`."""
    ax = _axes(ax, title=title or "First default by months on book, a month", x="Months since opening", percent="y")
    for product, line in table.groupby("product"):
        colour = PRODUCT_COLOURS.get(str(product), INK)
        ax.plot(line["age_months"], line["smoothed"], color=colour, linewidth=2.4 if product == "all" else 1.2)
        _label_line(ax, line["age_months"], line["smoothed"], str(product), colour)
    whole = table[table["product"] == "all"]
    if len(whole):
        top = whole.loc[whole["smoothed"].idxmax()]
        ax.plot([top["age_months"]], [top["smoothed"]], "o", color=INK, markersize=5)
        text = f"all: highest in month {top['age_months']:.0f}"
        ax.vlines(top["age_months"], 0, top["smoothed"], color=INK, linewidth=0.6)
        ax.annotate(text, (top["age_months"], 0), (4, 5), textcoords="offset points", color=INK, fontsize=8.5)
    ax.set_ylim(bottom=0)
    return ax


@_plot("product", "age_months", "surviving")
def plot_prepayment(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the share of loans not yet repaid before their time (`surviving`) by `age_months`, a line a `product`."""
    ax = _axes(ax, title=title or "Not yet repaid before their time", x="Months since opening", percent="y")
    highest = table.loc[table["age_months"] == 24, "surviving"].max()
    for product, line in table.groupby("product"):
        colour = PRODUCT_COLOURS.get(str(product), INK)
        ax.plot(line["age_months"], line["surviving"], color=colour)
        _label_line(ax, line["age_months"], line["surviving"], str(product), colour)
        at = line[line["age_months"] == 24]
        if len(at):
            value = float(at["surviving"].iloc[0])
            ax.plot([24], [value], "o", color=colour, markersize=4)
            place = (3, 6) if value >= highest else (-6, -13)
            ax.annotate(_share(value), (24, value), place, textcoords="offset points", color=colour, fontsize=8)
    ax.set_ylim(0, 1.02)
    return ax


@_plot("group", "months_after", "so_far")
def plot_recovery(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the share of what was written off that came back `so_far`, by `months_after`, a line a `group` of loans."""
    ax = _axes(ax, title=title or "Back of what was written off", x="Months since write-off", percent="y")
    for colour, (group, line) in zip((ORANGE, BLUE), table.groupby("group", sort=True), strict=False):
        ax.step(line["months_after"], line["so_far"], where="post", color=colour)
        _label_line(
            ax, line["months_after"], line["so_far"], f"{group} {_share(float(line['so_far'].iloc[-1]))}", colour
        )
    ax.set_ylim(bottom=0)
    return ax


@_plot("month", "path", "defaults")
def plot_paths(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the `defaults` of each quarter (its last `month`) by `path`, one above the other, each with its share of all."""
    ax = _axes(ax, title=title or "Defaults by the way into them, a quarter")
    wide = table.pivot_table(index="month", columns="path", values="defaults", fill_value=0, aggfunc="sum")
    months, below = _months(pd.Series(wide.index)), np.zeros(len(wide))
    total = float(wide.to_numpy().sum())
    height = -float("inf")
    gap = 0.075 * float(wide.sum(axis=1).max())
    for path in [name for name in PATH_COLOURS if name in wide]:
        ax.bar(months, wide[path], bottom=below, width=70, color=PATH_COLOURS[path])
        height = max(below[-1] + wide[path].iloc[-1] / 2, height + gap)
        words = {"color": PATH_COLOURS[path], "fontsize": 8, "weight": "bold", "va": "center"}
        text = f"{path.replace('_', ' ')} {_share(wide[path].sum() / total)}"
        ax.annotate(
            text, (months.iloc[-1], height), (12, 0), textcoords="offset points", annotation_clip=False, **words
        )
        below += wide[path].to_numpy()
    date_axis(ax, months)
    return ax
