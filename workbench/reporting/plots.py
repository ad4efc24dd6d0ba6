"""Figures of computed tables: `plot_x(table, *, ax=None) -> Axes`, one idea each, labelled where the eye is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.dates import MONTHLY, AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from workbench.core.errors import ParameterError, unknown
from workbench.core.languages import day_text, language, say
from workbench.reporting.formats import require_columns
from workbench.reporting.style import (
    BLUE,
    GRADE_COLOURS,
    INK,
    MUTED,
    ORANGE,
    PALETTE,
    SEVERITY_COLOURS,
    SKY,
    VERMILION,
    figure_settings,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

P = ParamSpec("P")
_DATE_FORMATS: dict[str, dict[str, list[str]]] = {  # of years, months, days, ...; matplotlib has the English ones
    "zh": {
        "formats": ["%Y年", "%-m月", "%-d日", "%H:%M", "%H:%M", "%S.%f"],
        "zero_formats": ["", "%Y年", "%-m月", "%-m月%-d日", "%H:%M", "%H:%M"],
        "offset_formats": ["", "%Y年", "%Y年%-m月", "%Y年%-m月%-d日", "%Y年%-m月%-d日", "%Y年%-m月%-d日 %H:%M"],
    }
}
_LONGEST_LABEL = 28  # characters of a category's name on an axis


def _plot(*columns: str) -> Callable[[Callable[P, Axes]], Callable[P, Axes]]:
    """Check that the table has `columns`, and draw in the house style whatever the process's own is."""

    def decorate(draw: Callable[P, Axes]) -> Callable[P, Axes]:
        @wraps(draw)
        def drawn(*args: P.args, **kwargs: P.kwargs) -> Axes:
            table: Any = args[0] if args else kwargs["table"]
            require_columns(table, list(columns), what=draw.__name__)
            with rc_context(figure_settings()):
                ax = draw(*args, **kwargs)
                if table.empty:
                    ax.text(0.5, 0.5, say("No rows to show"), transform=ax.transAxes, ha="center", color=MUTED)
                return ax

        return drawn

    return decorate


def _axes(
    ax: Axes | None, *, title: str, x: str = "", y: str = "", percent: str = "", grid: str = "y", bars: int = 0
) -> Axes:
    """Return `ax`, or axes of a figure of their own (which no global list keeps), as high as `bars` lines need."""
    if ax is None:
        size = {"figsize": (4.8, 0.75 + 0.3 * max(bars, 2))} if bars else {}
        ax = Figure(layout="constrained", **size).subplots()  # type: ignore[arg-type]
    ax.set_title(title)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    for name in percent:
        (ax.xaxis if name == "x" else ax.yaxis).set_major_formatter(FuncFormatter(_percent_tick))
    ax.grid(visible=False)
    if grid:
        ax.grid(visible=True, axis=grid)  # type: ignore[arg-type]
    return ax


def _share(value: float, digits: int = 0) -> str:
    return say("n/a") if pd.isna(value) else say("{number} %", number=f"{value * 100:.{digits}f}")


def _compact(value: float, _: int | None = None) -> str:
    return say("{amount:compact}", amount=value)


def _percent_tick(value: float, _: int | None = None) -> str:
    return say("{number} %", number=f"{value * 100:.6g}")


def _short(name: object) -> str:
    text = "".join(" " if not char.isprintable() else char for char in str(name))
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _months(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values.astype(str)) if not pd.api.types.is_datetime64_any_dtype(values) else values


def _label_bars(ax: Axes, bars: Any, texts: list[str], *, fontsize: int = 8, **options: Any) -> None:
    ax.bar_label(bars, labels=texts, padding=2, fontsize=fontsize, color=INK, **options)


@_plot("grade", "customers", "exposure")
def plot_grade_distribution(table: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the shares of customers and of exposure by grade.

    Parameters
    ----------
    table : DataFrame
        `grade` (in the order to show), `customers` (count), `exposure` (money).
    """
    ax = _axes(ax, title=title or say("Where customers and exposure stand"), percent="y", grid="")
    exposure = table["exposure"].astype(float)
    shares = {
        "customers": table["customers"] / max(float(table["customers"].sum()), 1.0),
        "exposure": exposure / (float(exposure.sum()) or 1.0),
    }
    colours = [GRADE_COLOURS.get(str(grade), MUTED) for grade in table["grade"]]
    for place, (share, alpha) in enumerate(zip(shares.values(), (0.35, 1.0), strict=True)):
        at = [index + (place - 0.5) * 0.4 for index in range(len(table))]
        faces = [(colour, alpha) for colour in colours]
        bars = ax.bar(at, share, width=0.38, color=faces, edgecolor=colours, linewidth=1)
        _label_bars(ax, bars, [_share(value) for value in share], fontsize=7)
    ax.set_xticks(range(len(table)), [_short(grade) for grade in table["grade"]])
    ax.set_yticks([])
    ax.set_xlabel(say("Grade; in each pair, left: customers, right: exposure"))
    ax.margins(y=0.12)
    return ax


def _horizontal_bars(ax: Axes, names: pd.Series, values: pd.Series, colours: Any, texts: list[str]) -> Axes:
    bars = ax.barh(range(len(names)), values, color=colours, height=0.68)
    _label_bars(ax, bars, texts)
    ax.set_yticks(range(len(names)), [_short(name) for name in names])
    ax.set_xticks([])
    ax.invert_yaxis()
    ax.margins(x=0.16)
    ax.spines["bottom"].set_visible(False)
    return ax


@_plot("bucket")
def plot_delinquency(
    table: pd.DataFrame, *, value: str = "customers", ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw `value` (a column of counts or money) by delinquency `bucket`, the worst in vermilion, with its share."""
    require_columns(table, [value], what="plot_delinquency")
    ax = _axes(ax, title=title or say("Days past due"), grid="", bars=max(len(table), 1))
    amount = table[value].astype(float)
    total = float(amount.sum()) or 1.0
    texts = [say("{number:,.0f}  ({share})", number=number, share=_share(number / total, 1)) for number in amount]
    colours = [BLUE] + [SKY, ORANGE][: max(len(table) - 2, 0)] + [VERMILION] * max(len(table) - 3, 1)
    return _horizontal_bars(ax, table["bucket"].astype(str).map(say), amount, colours[: len(table)], texts)


@_plot("score_low", "score_high", "good", "bad")
def plot_score_distribution(table: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the shares of goods and of bads by score band; `good` and `bad` are counts, bands `score_low` to `_high`."""
    ax = _axes(
        ax,
        title=title or say("Scores of goods and bads"),
        x=say("Score (higher is safer)"),
        y=say("Share of each group"),
        percent="y",
    )
    width = table["score_high"] - table["score_low"]
    for name, label, colour in (("good", say("goods"), BLUE), ("bad", say("bads"), VERMILION)):
        share = table[name] / max(float(table[name].sum()), 1.0)
        ax.bar(table["score_low"], share, width=width, align="edge", color=colour, alpha=0.25)
        edges = [*table["score_low"], *table["score_high"].tail(1)]
        if len(table):
            ax.stairs(share, edges, color=colour, linewidth=1.6)
            peak = int(share.to_numpy().argmax())
            ax.annotate(
                label,
                (float((table["score_low"] + width / 2).iloc[peak]), float(share.iloc[peak])),
                (0, 4),
                textcoords="offset points",
                ha="center",
                color=colour,
                weight="bold",
            )
    ax.margins(y=0.12)
    return ax


@_plot("predicted", "observed")
def plot_calibration(table: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw observed bad rate against predicted PD by band, with an interval `low` to `high` where given."""
    ax = _axes(
        ax,
        title=title or say("Predicted against observed"),
        x=say("Predicted PD"),
        y=say("Observed bad rate"),
        percent="xy",
    )
    if {"low", "high"} <= set(table.columns):
        ax.vlines(table["predicted"], table["low"], table["high"], color=SKY, linewidth=2.5)
    ax.plot(table["predicted"], table["observed"], "o", color=BLUE, markersize=5)
    columns = [name for name in ("predicted", "observed", "high") if name in table.columns]
    top = float(table[columns].max().max()) * 1.06 if len(table) else 1.0
    ax.plot([0, top], [0, top], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    ax.annotate(
        say("as predicted"),
        (top * 0.7, top * 0.7),
        (8, -6),
        textcoords="offset points",
        va="top",
        color=MUTED,
        fontsize=8,
    )
    return ax


@_plot("fpr", "tpr")
def plot_roc(
    table: pd.DataFrame, *, gini: float | None = None, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw the ROC curve: `tpr` of bads caught against `fpr` of goods flagged, both 0 to 1."""
    ax = _axes(
        ax,
        title=title or say("How well the score ranks"),
        x=say("Goods flagged"),
        y=say("Bads caught"),
        percent="xy",
    )
    ax.fill_between(table["fpr"], table["fpr"], table["tpr"], color=SKY, alpha=0.25, linewidth=0)
    ax.plot(table["fpr"], table["tpr"], color=BLUE)
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    ax.text(0.62, 0.5, say("by chance"), color=MUTED, fontsize=8, va="top")
    if gini is not None:
        ax.text(
            0.97,
            0.08,
            say("Gini {gini:.3f}", gini=gini),
            transform=ax.transAxes,
            ha="right",
            color=BLUE,
            weight="bold",
            fontsize=11,
        )
    return ax


@_plot("score", "cum_good", "cum_bad")
def plot_ks(table: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the cumulated shares `cum_good` and `cum_bad` up to each `score`, and the largest distance, KS."""
    ax = _axes(
        ax,
        title=title or say("Goods and bads up to each score"),
        x=say("Score (higher is safer)"),
        y=say("Share of the group"),
        percent="y",
    )
    for name, label, colour, at in (("good", say("goods"), BLUE, 0.85), ("bad", say("bads"), VERMILION, 0.3)):
        ax.plot(table["score"], table[f"cum_{name}"], color=colour)
        _label_line(ax, table["score"], table[f"cum_{name}"], label, colour, at=at, above=name == "bad")
    if len(table):
        row = table.iloc[int((table["cum_bad"] - table["cum_good"]).abs().to_numpy().argmax())]
        ax.vlines(row["score"], row["cum_good"], row["cum_bad"], color=INK, linewidth=1.2)
        text = say("KS {ks:.3f} at {score:.0f}", ks=abs(row["cum_bad"] - row["cum_good"]), score=row["score"])
        ax.text(
            row["score"], (row["cum_bad"] + row["cum_good"]) / 2, " " + text, color=INK, weight="bold", fontsize=8.5
        )
    return ax


def _label_line(
    ax: Axes, x: pd.Series, y: pd.Series, text: str, colour: str, *, at: float = 1.0, above: bool = False
) -> None:
    """Write a line's name to the right of its point at the share `at` of its length, or to the left and `above` it."""
    known = y.dropna()
    if known.empty:
        return
    index = known.index[round((len(known) - 1) * at)]
    place: dict[str, Any] = (
        {"xytext": (-4, 6), "ha": "right"} if above else {"xytext": (5, 0 if at == 1 else -6), "ha": "left"}
    )
    words: dict[str, Any] = {"color": colour, "fontsize": 8.5, "weight": "bold", "va": "center"}
    point = (x.loc[index], known.loc[index])
    ax.annotate(text, point, textcoords="offset points", annotation_clip=False, **place, **words)


@_plot("month", "bad_rate")
def plot_bad_rate_trend(table: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, y: str = "") -> Axes:
    """Draw `bad_rate` over `month`, with a band from `low` to `high` where given; a null month is a gap."""
    ax = _axes(ax, title=title or say("Bad rate by month"), y=y, percent="y")
    months = _months(table["month"])
    if {"low", "high"} <= set(table.columns):
        ax.fill_between(
            months, table["low"].astype(float), table["high"].astype(float), color=SKY, alpha=0.3, linewidth=0
        )
    rate = table["bad_rate"].astype(float)
    ax.plot(months, rate, color=BLUE, marker="o", markersize=3 if len(table) > 1 else 6)
    if rate.notna().any():
        _label_line(ax, months, rate, _share(float(rate.dropna().iloc[-1]), 1), BLUE)
    _date_axis(ax, months)
    ax.set_ylim(bottom=0)
    return ax


@_plot("month", "value", "low", "high", "forecast")
def plot_forecast(
    table: pd.DataFrame,
    *,
    ax: Axes | None = None,
    title: str,
    y: str = "",
    kind: Literal["share", "money", "number"] = "share",
    digits: int = 2,
) -> Axes:
    """Draw a series by `month`: what was, and, where `forecast` is true, what is expected, with a band from `low` to `high`.

    Shares and amounts of money are drawn from zero.
    """
    percent = kind == "share"
    ax = _axes(ax, title=title, y=y, percent="y" if percent else "")
    months, value = _months(table["month"]), table["value"].astype(float)
    ahead = table["forecast"].astype(bool).to_numpy()
    ax.plot(months[~ahead], value[~ahead], color=BLUE, marker="o", markersize=3)
    joined = ahead | np.append(ahead[1:], False)  # from the last month that was
    ax.plot(months[joined], value[joined], color=VERMILION, linestyle="--")
    low, high = (table[name].astype(float)[ahead] for name in ("low", "high"))
    ax.fill_between(months[ahead], low, high, color=VERMILION, alpha=0.18, linewidth=0)
    if ahead.any():
        last = float(value.iloc[-1])
        text = _share(last, digits) if percent else _compact(last) if kind == "money" else f"{last:,.{digits}f}"
        _label_line(ax, months, value, text, VERMILION)
    _date_axis(ax, months)
    if kind == "money":
        ax.yaxis.set_major_formatter(FuncFormatter(_compact))
    if kind != "number":
        ax.set_ylim(bottom=0)
    return ax


@_plot("month", "amount")
def plot_amount_trend(table: pd.DataFrame, *, unit: str = "", ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw an `amount` of money, in `unit`, by `month`, from zero; a null month is a gap."""
    ax = _axes(ax, title=title or say("Amount by month"), y=unit)
    months, amount = _months(table["month"]), table["amount"].astype(float)
    ax.yaxis.set_major_formatter(FuncFormatter(_compact))
    ax.plot(months, amount, color=BLUE, marker="o", markersize=3 if len(table) > 1 else 6)
    if amount.notna().any():
        last = float(amount.dropna().iloc[-1])
        _label_line(ax, months, amount, _compact(last), BLUE)
    _date_axis(ax, months)
    ax.set_ylim(bottom=0)
    return ax


def _date_axis(ax: Axes, months: pd.Series) -> None:
    if months.nunique() < 2:  # the locator needs a span
        ax.set_xticks(list(months.unique()), [day_text(month, "month") for month in months.unique()])
        return
    locator: Any = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    locator.intervald[MONTHLY] = [*locator.intervald[MONTHLY], 12]  # or it warns of three and a half to five years
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, **_DATE_FORMATS.get(language(), {})))  # type: ignore[no-untyped-call]


def _lines(ax: Axes, table: pd.DataFrame, x: str, y: str, by: str) -> None:
    """Draw one line a group; the last six in colour with their names, earlier ones in grey."""
    ends: list[tuple[float, Any, str, str]] = []
    groups = list(table.groupby(by, sort=True, observed=True))
    for place, (name, group) in enumerate(groups):
        late = place - max(len(groups) - len(PALETTE), 0)
        colour = PALETTE[late] if late >= 0 else MUTED
        ax.plot(
            group[x],
            group[y].astype(float),
            color=colour,
            linewidth=1.8 if late >= 0 else 0.8,
            alpha=1 if late >= 0 else 0.5,
        )
        known = group[group[y].notna()]
        if late >= 0 and len(known):
            ends.append((float(known[y].iloc[-1]), known[x].iloc[-1], _short(say(str(name))), colour))
    _name_ends(ax, ends)


def _name_ends(ax: Axes, ends: list[tuple[float, Any, str, str]]) -> None:
    """Write the names of lines where they end (y, x, name, colour), one above the other where they end together."""
    gap = (ax.get_ylim()[1] - ax.get_ylim()[0]) * 0.062  # a label's height, so that names do not overlap
    height: dict[Any, float] = {}  # of the last name so far, by where its line ends
    for end, at, name, colour in sorted(ends, key=lambda item: item[0]):
        height[at] = max(end, height.get(at, -float("inf")) + gap)
        words: dict[str, Any] = {"color": colour, "fontsize": 8, "weight": "bold", "va": "center"}
        ax.annotate(name, (at, height[at]), (5, 0), textcoords="offset points", annotation_clip=False, **words)


@_plot("vintage", "age_months", "bad_rate")
def plot_vintage(table: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the cumulated `bad_rate` by `age_months`, a line for each `vintage`."""
    ax = _axes(
        ax,
        title=title or say("Bad rate by age of the loans"),
        x=say("Months since opening"),
        percent="y",
    )
    _lines(ax, table, "age_months", "bad_rate", "vintage")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=0)
    return ax


@_plot("month", "from_bucket", "rate")
def plot_roll_rate(table: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the roll `rate` by `month`, a line for each `from_bucket`."""
    ax = _axes(ax, title=title or say("Share that rolls to a worse bucket"), percent="y")
    months = _months(table["month"])
    _lines(ax, table.assign(month=months), "month", "rate", "from_bucket")
    _date_axis(ax, months)
    ax.set_ylim(bottom=0)
    return ax


@_plot("from_bucket", "to_bucket", "share")
def plot_roll_matrix(
    table: pd.DataFrame,
    *,
    before: str | None = None,
    after: str | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the `share` (0 to 1) of each `from_bucket` that is in each `to_bucket` later, the darker the more.

    Buckets are in the order of the table; the row of a bucket in which nobody was, with null shares, stays empty.
    """
    rows, columns = table["from_bucket"].unique(), table["to_bucket"].unique()
    ax = _axes(
        ax,
        title=title or say("Moves from bucket to bucket"),
        x=say("{after}, % of the row", after=after or say("after")),
        y=before or say("before"),
        grid="",
        bars=len(rows) + 3,
    )
    matrix = table.pivot_table(index="from_bucket", columns="to_bucket", values="share")
    for (y, x), share in np.ndenumerate(matrix.reindex(index=rows, columns=columns).to_numpy(float)):
        _draw_cell(ax, x, y, share, colour=BLUE)
    ax.set_xticks(
        [x + 0.5 for x in range(len(columns))], [_short(say(str(name))).replace(" ", "\n") for name in columns]
    )
    ax.set_yticks([y + 0.5 for y in range(len(rows))], [_short(say(str(name))) for name in rows])
    ax.set_xlim(0, max(len(columns), 1))
    ax.set_ylim(max(len(rows), 1), 0)
    ax.spines["bottom"].set_visible(False)
    return ax


def _draw_cell(ax: Axes, x: int, y: int, share: float, *, colour: str) -> None:
    """Draw a cell with its share, the stronger the larger; half transparent, so that it suits a dark page as well."""
    strength = 0.0 if np.isnan(share) else 0.55 * share**0.5
    ax.fill_between([x + 0.015, x + 0.985], y + 0.015, y + 0.985, color=colour, alpha=strength, linewidth=0)
    ax.text(x + 0.5, y + 0.5, _cell_share(share), ha="center", va="center", fontsize=8, color=INK)


def _cell_share(share: float) -> str:
    """Return a share in per cent, as short as a cell wants it; nothing for 0 and for null."""
    if pd.isna(share) or share == 0:
        return ""
    if share < 0.001:
        return "<.1"
    return f"{share * 100:.0f}" if share >= 0.1 else f"{share * 100:.1f}"


@_plot("as_of", "window_months", "bad_rate")
def plot_bad_rate_by_window(
    table: pd.DataFrame,
    *,
    chosen_months: int | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the cumulated `bad_rate` by `window_months`, a line for each `as_of`; the window `chosen_months` is marked."""
    ax = _axes(
        ax,
        title=title or say("Bad rate by length of the window"),
        x=say("Months after the observation date"),
        percent="y",
    )
    _lines(
        ax, table.assign(as_of=_months(table["as_of"]).dt.strftime("%Y-%m-%d")), "window_months", "bad_rate", "as_of"
    )
    ax.set_xticks(sorted(table["window_months"].unique()))
    ax.set_ylim(bottom=0)
    if chosen_months is not None:
        ax.axvline(chosen_months, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        place = (chosen_months, 0)
        ax.annotate(say("chosen"), place, (4, 4), textcoords="offset points", color=MUTED, fontsize=8)
    return ax


@_plot("column", "missing_share")
def plot_missingness(table: pd.DataFrame, *, top: int = 15, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the `missing_share` (0 to 1) of the `top` columns that lack most."""
    worst = table.sort_values(["missing_share", "column"], ascending=[False, True]).head(top)
    ax = _axes(ax, title=title or say("Missing values"), grid="", bars=max(len(worst), 1))
    share = worst["missing_share"].astype(float)
    return _horizontal_bars(ax, worst["column"], share, BLUE, [_share(value, 1) for value in share])


@_plot("decile", "bad_rate")
def plot_decile_bad_rate(
    table: pd.DataFrame, *, indicator: str = "", ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw the `bad_rate` in each `decile` of an indicator, with `low` and `high` of an interval where there."""
    of = _short(indicator) or say("the indicator")
    ax = _axes(ax, title=title or say("Bad rate by decile of {indicator}", indicator=of), grid="")
    rate = table["bad_rate"].astype(float)
    bars = ax.bar(range(len(table)), rate, color=BLUE, width=0.75)
    high = table["high"].astype(float) if {"low", "high"} <= set(table.columns) else None
    if high is None:
        _label_bars(ax, bars, [_share(value, 1) for value in rate])
    else:
        ax.vlines(range(len(table)), table["low"].astype(float), high, color=MUTED, linewidth=1.2)
        for place, (value, top) in enumerate(zip(rate, high, strict=True)):
            ax.annotate(_share(value, 1), (place, top), (0, 3), textcoords="offset points", ha="center", fontsize=8)
    ax.set_xticks(range(len(table)), [_short(name) for name in table["decile"]])
    ax.set_yticks([])
    ax.margins(y=0.14)
    return ax


@_plot("severity", "alerts")
def plot_alerts(table: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the count of `alerts` by `severity` (red, orange, yellow, info)."""
    for name in table["severity"]:
        if name not in SEVERITY_COLOURS:
            raise ParameterError(f"plot_alerts: {unknown('severity', str(name), SEVERITY_COLOURS)}")
    ax = _axes(ax, title=title or say("Alerts by severity"), grid="", bars=max(len(table), 1))
    colours = [SEVERITY_COLOURS[name] for name in table["severity"]]
    return _horizontal_bars(
        ax, table["severity"].map(say), table["alerts"], colours, [f"{count:,}" for count in table["alerts"]]
    )
