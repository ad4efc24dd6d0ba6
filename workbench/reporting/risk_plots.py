"""Figures of a portfolio's risk: where loans roll, how vintages go bad, what was lost and what came back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from workbench.core.languages import say
from workbench.reporting.formats import require_columns
from workbench.reporting.plots import _axes, _date_axis, _draw_cell, _months, _name_ends, _plot, _short
from workbench.reporting.style import BLUE, MUTED, ORANGE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED = 8  # curves


@_plot("from_bucket", "to_bucket", "loans")
def plot_roll_rates(
    table: pd.DataFrame, *, value: str = "exposure_share", ax: Axes | None = None, title: str = ""
) -> Axes:
    """Draw where each bucket was a month later: worse in orange, better or repaid in blue, the same in grey.

    Parameters
    ----------
    table : DataFrame
        `from_bucket`, `to_bucket` (both from the best on; the last one is that of closed loans), `loans`, and the share
        `value` (0 to 1) of the row; null where there was nobody.
    """
    require_columns(table, [value], what="plot_roll_rates")
    rows, columns = table["from_bucket"].unique(), table["to_bucket"].unique()
    ax = _axes(
        ax,
        title=title or say("Where the loans of each bucket went"),
        x=say("A month later, % of the row\norange: worse, blue: better or repaid, grey: the same"),
        y=say("Loans at the months' beginnings"),
        grid="",
        bars=len(rows) + 4,
    )
    shares = table.pivot_table(index="from_bucket", columns="to_bucket", values=value)
    shares = shares.reindex(index=rows, columns=columns)
    for (y, x), share in np.ndenumerate(shares.to_numpy(float)):
        base = MUTED if x == y else BLUE if x < y or x == len(columns) - 1 else ORANGE
        _draw_cell(ax, x, y, share, colour=base)
    loans = table.groupby("from_bucket", sort=False)["loans"].sum()
    names = [say("{bucket}: {loans:,}", bucket=say(str(name)), loans=int(loans[name])) for name in rows]
    ax.set_yticks([y + 0.5 for y in range(len(rows))], names)
    ax.set_xticks([x + 0.5 for x in range(len(columns))], [say(str(name)).replace(" ", "\n") for name in columns])
    ax.set_xlim(0, max(len(columns), 1))
    ax.set_ylim(max(len(rows), 1), 0)
    ax.spines["bottom"].set_visible(False)
    return ax


@_plot("vintage", "age_months", "bad_rate")
def plot_vintage_curves(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the cumulated `bad_rate` by `age_months`, a line for each `vintage`: the last eight, the newer the stronger."""
    ax = _axes(ax, title=title or say("Bad rate by age of the loans"), x=say("Months since opening"), percent="y")
    names = sorted(table["vintage"].unique())[-_NAMED:]
    ends = []
    for place, name in enumerate(names, start=1):
        curve = table[table["vintage"] == name].sort_values("age_months")
        newest, strength = place == len(names), place / len(names)
        colour = BLUE if newest else MUTED
        ax.plot(
            curve["age_months"],
            curve["bad_rate"].astype(float),
            color=colour,
            alpha=1 if newest else 0.25 + 0.6 * strength,
            linewidth=2.6 if newest else 0.8 + strength,
        )
        ends.append((float(curve["bad_rate"].iloc[-1]), curve["age_months"].iloc[-1], _short(name), colour))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=0)
    _name_ends(ax, ends)
    return ax


@_plot("month_end", "written_off", "recovered")
def plot_losses(table: pd.DataFrame, *, unit: str = "", ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the money `written_off` by month as bars upward, and what was `recovered` after write-offs downward."""
    ax = _axes(ax, title=title or say("Written off, and recovered after write-offs"), y=unit)
    months = _months(table["month_end"]) - pd.Timedelta(days=15)  # a bar stands in its month
    for name, colour, sign in (("written_off", VERMILION, 1), ("recovered", BLUE, -1)):
        amount = table[name].astype(float)
        ax.bar(months, sign * amount.fillna(0.0), width=22, color=colour)
        if table.empty:
            continue
        words = {
            "written_off": say("written off\n{amount:compact} in all", amount=amount.sum()),
            "recovered": say("recovered\n{amount:compact} in all", amount=amount.sum()),
        }[name]
        unknown = {
            "written_off": say("what was written off\nis not known"),
            "recovered": say("what came back\nis not known"),
        }[name]
        ax.annotate(
            words if amount.notna().any() else unknown,
            (1, 0.5 + 0.3 * sign),
            (6, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=colour,
            fontsize=8.5,
            weight="bold",
            va="center",
            annotation_clip=False,
        )
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: say("{amount:compact}", amount=abs(value))))
    if len(table):
        _date_axis(ax, months)
    return ax
