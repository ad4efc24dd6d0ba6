"""Figures of a simulated lender's customers and of what the lender does: use, mix, limits, approval, incidents, treatments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.reporting.plots import _axes, _label_bars, _label_line, _months, _plot, _share
from workbench.reporting.style import BLUE, GREEN, INK, MUTED, ORANGE, SKY, VERMILION

from ._plots_outcomes import PRODUCT_COLOURS, date_axis, shade_downturn

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@_plot("used_from", "used_to", "share")
def plot_utilisation(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the `share` of open cards by how much of the limit they use, bands from `used_from` to `used_to`."""
    ax = _axes(ax, title=title or "Cards by balance over limit", x="Balance, % of the limit", grid="")
    bars = ax.bar(range(len(table)), table["share"], width=0.94, color=BLUE)
    _label_bars(ax, bars, [_share(value) for value in table["share"]])
    edges = zip(table["used_from"], table["used_to"], strict=True)
    names = ["none" if low < 0 else "over" if low >= 1 else f"≤{100 * high:.0f}" for low, high in edges]
    ax.set_xticks(range(len(table)), names, fontsize=7.5)
    ax.set_yticks([])
    return ax


@_plot("month", "product", "share")
def plot_mix(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the `share` of each `product` in the loans opened, by quarter (its last `month`)."""
    ax = _axes(ax, title=title or "New loans by product, share of the quarter's", percent="y")
    for product, line in table.groupby("product"):
        months, colour = _months(line["month"]), PRODUCT_COLOURS.get(str(product), INK)
        ax.plot(months, line["share"], color=colour)
        _label_line(ax, months, line["share"], str(product), colour)
    date_axis(ax, _months(table["month"]))
    ax.set_ylim(bottom=0)
    return ax


@_plot("month", "under_30", "card_first")
def plot_newcomers(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw of those who joined in each quarter (its last `month`) the shares `under_30` and with a card as first loan."""
    ax = _axes(ax, title=title or "Who joins, share of the quarter's newcomers", percent="y")
    months = _months(table["month"])
    for column, name, colour in (("under_30", "under 30", VERMILION), ("card_first", "first loan a card", GREEN)):
        ax.plot(months, table[column], color=colour)
        _label_line(ax, months, table[column], name, colour)
    date_axis(ax, months)
    ax.set_ylim(bottom=0)
    return ax


@_plot("month", "loans", "customers")
def plot_growth(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the open `loans`, the `customers` who have them and how many joined in the quarter, by `month`."""
    ax = _axes(ax, title=title or "Open loans, and customers with open loans")
    months = _months(table["month"])
    for name, colour in (("loans", BLUE), ("customers", GREEN)):
        ax.plot(months, table[name], color=colour)
        _label_line(ax, months, table[name], name, colour)
    date_axis(ax, months)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_ylim(bottom=0)
    return ax


@_plot("month", "raised", "cut", "downturn")
def plot_limits(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the shares of open cards whose limit was `raised` (upwards) and `cut` (downwards) in each `month`."""
    ax = _axes(ax, title=title or "Limits raised and cut, share of open cards a month", percent="")
    months = _months(table["month"])
    shade_downturn(ax, months, table["downturn"])
    ax.bar(months, table["raised"], width=24, color=BLUE)
    ax.bar(months, -table["cut"], width=24, color=VERMILION)
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(100 * value):.3g} %")
    top = max(float(table["raised"].max()), 0.001)
    for word, height, colour in (("raised", 0.5 * top, BLUE), ("cut", -0.5 * top, VERMILION)):
        words = {"color": colour, "weight": "bold", "fontsize": 8.5, "va": "center"}
        ax.annotate(word, (months.max(), height), (14, 0), textcoords="offset points", annotation_clip=False, **words)
    date_axis(ax, months)
    return ax


@_plot("month", "rate", "loose", "downturn")
def plot_approval(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the share of decided applications that were accepted by `month`; `loose` months are marked."""
    ax = _axes(ax, title=title or "Applications accepted", percent="y")
    months = _months(table["month"])
    shade_downturn(ax, months, table["downturn"])
    ax.plot(months, table["rate"], color=BLUE)
    loose = table["loose"].to_numpy(bool)
    if loose.any():
        ax.plot(months[loose], table["rate"][loose], color=VERMILION, linewidth=3)
        _label_line(ax, months[loose], table["rate"][loose], "looser underwriting", VERMILION)
    date_axis(ax, months)
    ax.set_ylim(0, 1)
    return ax


@_plot("score", "decision", "bad_rate", "error")
def plot_declined(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the `bad_rate` of accepted and declined by band of the score that the policy saw, with two standard errors."""
    ax = _axes(ax, title=title or "Bad within 12 months, by what the policy saw", percent="y", grid="y")
    for shift, decision, colour in ((-0.08, "accepted", BLUE), (0.08, "declined", VERMILION)):
        rows = table[table["decision"] == decision]
        at = rows["score"] + shift
        ax.vlines(
            at, rows["bad_rate"] - 2 * rows["error"], rows["bad_rate"] + 2 * rows["error"], color=colour, linewidth=1.5
        )
        ax.plot(at, rows["bad_rate"], "o", color=colour, markersize=5)
        text, height = ("accepted", 0.04) if decision == "accepted" else ("declined, had they been accepted", 1.0)
        words = {"color": colour, "weight": "bold", "fontsize": 8.5, "ha": "right"}
        ax.text(1.0, height, text, transform=ax.transAxes, **words)
    ax.set_xticks(sorted(table["score"].unique()))
    ax.set_xlabel("Fifth of the hidden score, 1 the worst")
    ax.set_ylim(bottom=0)
    return ax


@_plot("kind", "harmful", "incidents", "low", "median", "high")
def plot_incidents(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the sizes of each `kind` of incident in months of income: the middle 80 % (`low` to `high`) and the `median`."""
    ax = _axes(ax, title=title or "Size in months of income", grid="x", bars=len(table))
    for place, row in enumerate(table.itertuples()):
        colour = VERMILION if row.harmful else BLUE
        ax.plot([row.low, row.high], [place, place], color=colour, linewidth=4, alpha=0.35, solid_capstyle="butt")
        ax.plot([row.median], [place], "o", color=colour, markersize=5)
        ax.annotate(
            f"{row.incidents:,}",
            (1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=colour,
        )
    ax.set_yticks(range(len(table)), [str(kind).replace("_", " ") for kind in table["kind"]])
    for label, harmful in zip(ax.get_yticklabels(), table["harmful"], strict=True):
        label.set_color(VERMILION if harmful else BLUE)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.invert_yaxis()
    return ax


@_plot("kind", "treated", "cases", "effect", "error")
def plot_treatments(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the `effect` of each `kind` of treatment on the bad rate, with two standard errors, by whether it was given."""
    ax = _axes(ax, title=title or "Effect on the bad rate, points", grid="x", bars=len(table))
    for place, row in enumerate(table.itertuples()):
        colour = BLUE if row.treated else ORANGE
        ax.plot([100 * (row.effect - 2 * row.error), 100 * (row.effect + 2 * row.error)], [place, place], color=colour)
        ax.plot([100 * row.effect], [place], "o", color=colour)
        ax.annotate(
            f"{row.cases:,}", (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=MUTED
        )
    names = [f"{row.kind.replace('_', ' ')}, {'given' if row.treated else 'not given'}" for row in table.itertuples()]
    ax.set_yticks(range(len(table)), names)
    ax.axvline(0, color=MUTED, linewidth=1)
    ax.invert_yaxis()
    return ax


@_plot("month", "income", "balance", "dpd")
def plot_trace(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw a customer's `income` of each `month`, the `balance` at its end (in thousands) and when they were late (`dpd`)."""
    ax = _axes(ax, title=title)
    months = _months(table["month"])
    ax.bar(months, table["income"] / 1_000, width=24, color=SKY, alpha=0.7)
    ax.plot(months, table["balance"] / 1_000, color=BLUE, linewidth=1.4)
    late = table["dpd"].fillna(0)
    bottom = min(0.0, float(table["balance"].min() / 1_000))
    top = float(np.nanmax([table["income"].max(), table["balance"].max(), 1.0])) / 1_000
    for low, high, colour in ((1, 29, "#f0d58c"), (30, 89, ORANGE), (90, 10_000, VERMILION)):
        which = late.between(low, high)
        ax.bar(months[which], [-0.09 * top] * int(which.sum()), bottom=bottom - 0.02 * top, width=31, color=colour)
    date_axis(ax, months)
    ax.tick_params(labelsize=7)
    return ax
