"""Figures of what is ahead and of why risk changed: the mix of grades, and the parts of a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.core.languages import say
from workbench.reporting.plots import _axes, _date_axis, _months, _plot, _share, _short
from workbench.reporting.style import BLUE, GRADE_COLOURS, INK, MUTED, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABEL = 0.06  # height of a label, as a share of the axis
_SCALE = list(GRADE_COLOURS.values())


@_plot("month", "part", "share", "forecast")
def plot_grade_mix(table: pd.DataFrame, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw the `share` of each `part` of a whole by `month`, one above the other, paler where `forecast` is true.

    Parameters
    ----------
    table : DataFrame
        One row a month and part (grades, or buckets of days past due: the safest first); the shares of a month sum to 1.
    """
    ax = _axes(ax, title=title or say("Customers by grade, and forecast"), percent="y", grid="")
    parts = list(dict.fromkeys(table["part"]))
    rows = table.assign(month=_months(table["month"]), share=table["share"].astype(float))
    shares = rows.pivot_table(index="month", columns="part", values="share", sort=True).reindex(columns=parts)
    if shares.empty:
        return ax
    ahead = shares.index.isin(rows.loc[rows["forecast"].astype(bool), "month"])
    tops = shares.fillna(0).cumsum(axis=1).to_numpy()
    bottoms = np.column_stack([np.zeros(len(tops)), tops[:, :-1]])
    joined = ahead | np.append(ahead[1:], False)  # from the last month that was
    for place, colour in enumerate(_colours(parts)):
        for which, alpha in ((~ahead, 1.0), (joined, 0.55)):
            months = shares.index[which]
            ax.fill_between(months, bottoms[which, place], tops[which, place], color=colour, alpha=alpha, linewidth=0)
    if ahead.any() and not ahead.all():
        ax.axvline(shares.index[~ahead][-1], color=INK, linewidth=1, linestyle=(0, (4, 3)))
    texts = [
        say("{part} {share}", part=say(part), share=_share(s, 1))
        for part, s in zip(parts, shares.iloc[-1], strict=True)
    ]
    middles = _apart([float(place) for place in (tops[-1] + bottoms[-1]) / 2])
    for text, height in zip(texts, middles, strict=True):
        words: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8, "color": INK}
        ax.annotate(_short(text), (shares.index[-1], height), (5, 0), annotation_clip=False, **words)
    _date_axis(ax, pd.Series(shares.index))
    ax.set_ylim(0, 1)
    ax.margins(x=0)
    return ax


def _colours(parts: Sequence[str]) -> list[str]:
    """Return the grades' own colours, or as many of them from safe to risky as there are parts."""
    if set(parts) <= set(GRADE_COLOURS):
        return [GRADE_COLOURS[part] for part in parts]
    return [_SCALE[round(place * (len(_SCALE) - 1) / max(len(parts) - 1, 1))] for place in range(len(parts))]


def _apart(heights: list[float]) -> list[float]:
    """Return ascending heights moved so that labels do not overlap and the last stays inside."""
    raised: list[float] = []
    for height in heights:
        raised.append(max(height, raised[-1] + _LABEL) if raised else height)
    top = 1 - _LABEL / 2
    for place in range(len(raised) - 1, -1, -1):
        raised[place] = min(raised[place], top)
        top = raised[place] - _LABEL
    return raised


@_plot("part", "amount")
def plot_attribution(table: pd.DataFrame, *, unit: str = "", ax: Axes | None = None, title: str = "") -> Axes:
    """Draw what a change is made of, from the first row's `amount` to the last's, step by step.

    The axis shows the span of the change and does not begin at 0: only the steps have a length.

    Parameters
    ----------
    table : DataFrame
        `part` and `amount`: the sum before, what was added (or taken) by each part, the sum now.
    """
    ax = _axes(ax, title=title or say("What changed PD x exposure"), x=unit, grid="", bars=max(len(table), 1))
    amount = table["amount"].astype(float).to_numpy()
    ends = np.append(np.cumsum(amount[:-1]), amount[-1:])
    starts = np.concatenate([ends[:1], ends[:-2], ends[-1:]]) if len(table) > 1 else ends
    first = amount[0] if len(amount) else 0.0
    span = float(np.ptp(ends)) if len(ends) else 0.0
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        total = place in (0, len(table) - 1)
        change = 0.0 if total else end - start
        colour = MUTED if total else VERMILION if change > 0 else BLUE
        if total:
            ax.plot([end], [place], "D", color=INK, markersize=6)
            text = f"{end:,.0f}"
        else:
            ax.barh(place, change, left=start, color=colour, height=0.68)
            text = say("{change:+,.0f}  ({share})", change=change, share=_signed(change / first if first else np.nan))
        if place + 1 < len(table):
            ax.plot([end, end], [place, place + 1], color=MUTED, linewidth=0.8, zorder=0)
        words: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8, "color": INK}
        ax.annotate(text, (max(start, end), place), (7, 0), annotation_clip=False, **words)
    low, high = (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 1.0)
    room = max(span, abs(high) * 0.01, 1e-9)
    ax.set_xlim(low - 0.06 * room, high + 0.75 * room)
    ax.set_ylim(max(len(table), 1) - 0.5, -0.5)
    ax.set_yticks(range(len(table)), [_short(say(part)) for part in table["part"]])
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    return ax


def _signed(share: float) -> str:
    return _share(share, 1) if pd.isna(share) or share <= 0 else "+" + _share(share, 1)
