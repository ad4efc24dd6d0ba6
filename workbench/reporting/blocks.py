"""The building blocks of a report page, each the last expression of a notebook cell."""

from __future__ import annotations

import base64
import io
import math
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from workbench.core.errors import ParameterError
from workbench.core.languages import say
from workbench.reporting.formats import ColumnFormat, format_value, is_missing, named, plain_text, require_columns
from workbench.reporting.markup import Block, Html, escape, join, without_controls
from workbench.reporting.style import DARK_TWIN, STATUSES, css_colours, figure_settings, font_hint, status_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Block",
    "ColumnFormat",
    "Html",
    "Tile",
    "chip",
    "definitions",
    "figure",
    "finding",
    "footnote",
    "header",
    "not_assessed",
    "table",
    "tiles",
]

TEMPLATE_DIR = Path(__file__).parent / "templates" / "report"
_LONGEST_CELL = 400  # characters of one value shown in a table; lists hold the whole value
_SHORT_CELL = 22  # characters that stay on one line
_LARGEST_SVG = 400_000  # bytes; a figure of more shapes than this is drawn as PNG at twice the size
_FEWEST_DRAWN = 3  # known values of a history, for a line to say anything


@cache
def _lab_style() -> Html:
    """Return the blocks' CSS for JupyterLab, which a rendered report replaces by the page's own."""
    css = (TEMPLATE_DIR / "blocks.css").read_text(encoding="utf-8")
    return Html(f'<style class="wb-lab">.wb {{ {css_colours(dark=False)} }}\n{css}</style>')


def _value(value: object) -> Html:
    return escape(value if isinstance(value, Html | Block) else plain_text(value))


def header(title: str, subtitle: str, facts: Mapping[str, object]) -> Block:
    """Return the head of a page: title, subtitle, and the facts that place it (portfolio, as-of, model, ...)."""
    pair = Html("<div><dt>{name}</dt><dd>{value}</dd></div>")
    items = join([pair.fill(name=name, value=_value(value)) for name, value in facts.items()])
    markup = Html(
        '<div class="wb wb-header"><h1>{title}</h1><p class="wb-subtitle">{subtitle}</p><dl>{items}</dl></div>'
    ).fill(title=title, subtitle=subtitle, items=items)
    lines = [str(title), str(subtitle), *(named(name, _text(value)) for name, value in facts.items())]
    return Block("header", markup, "\n".join(lines), _lab_style())


def _text(value: object) -> str:
    return value.text if isinstance(value, Block) else plain_text(value)


@dataclass(frozen=True)
class Tile:
    """One headline figure: `value`, `change` and `threshold` are already words ("3.4 %", "+0.2 points on May", "at most 5 %").

    `history` is drawn as a small line, the latest last; with fewer than three known values there is none.
    """

    label: str
    value: object
    note: str = ""
    status: str | None = None
    change: str = ""
    threshold: str = ""
    history: Sequence[float] = ()


def tiles(items: Sequence[Tile]) -> Block:
    """Return a row of headline figures."""
    one = Html(
        '<div class="wb-tile" data-status="{status}"><div class="wb-tile-label">{label}</div>'
        '<div class="wb-tile-value">{value}</div>{chip}{threshold}{change}{history}{note}</div>'
    )
    line = Html('<div class="wb-tile-{part}">{text}</div>')
    parts = [
        one.fill(
            status=_status_class(item.status) if item.status else "",
            label=item.label,
            value=_value(item.value),
            chip=chip(item.status) if item.status else Html(""),
            threshold=line.fill(part="threshold", text=item.threshold) if item.threshold else Html(""),
            change=line.fill(part="change", text=item.change) if item.change else Html(""),
            history=_sparkline(item.history),
            note=line.fill(part="note", text=item.note) if item.note else Html(""),
        )
        for item in items
    ]
    words = [
        ", ".join(
            str(part) for part in (named(i.label, _text(i.value)), i.status, i.threshold, i.change, i.note) if part
        )
        for i in items
    ]
    return Block("tiles", Html('<div class="wb wb-tiles">{parts}</div>').fill(parts=join(parts)), "\n".join(words))


def _sparkline(values: Sequence[float]) -> Html:
    """Return a line without axes, for the eye alone: what it shows is told in words beside it."""
    known = [
        (place, float(value)) for place, value in enumerate(values) if not is_missing(value) and math.isfinite(value)
    ]
    if len(known) < _FEWEST_DRAWN:
        return Html("")
    low, high = min(value for _place, value in known), max(value for _place, value in known)
    wide, tall = len(values) - 1, high - low
    points = [(2 + 100 * x / wide, 12 if tall == 0 else 22 - 20 * (y - low) / tall) for x, y in known]
    return Html(
        '<svg class="wb-spark" viewBox="0 0 104 24" width="104" height="24" aria-hidden="true" focusable="false">'
        '<polyline points="{points}"/><circle cx="{x}" cy="{y}" r="2"/></svg>'
    ).fill(points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), x=f"{points[-1][0]:.1f}", y=f"{points[-1][1]:.1f}")


def _status_class(status: str) -> str:
    status_of(status)
    return status.replace(" ", "-")


def chip(status: str, text: str | None = None) -> Block:
    """Return a status as shape and word; `text` replaces the status's own word."""
    known = status_of(status)
    word = say(known.word) if text is None else text
    markup = Html(
        '<span class="wb wb-chip" data-status="{status}"><span aria-hidden="true">{shape}</span> {word}</span>'
    ).fill(status=_status_class(status), shape=known.shape, word=word)
    return Block("chip", markup, f"{known.shape} {word}")


def finding(text: str, status: str = "info") -> Block:
    """Return one sentence that answers a question, with its status."""
    markup = Html('<div class="wb wb-finding" data-status="{status}">{chip}<p>{text}</p></div>').fill(
        status=_status_class(status), chip=chip(status), text=text
    )
    return Block("finding", markup, named(say(status_of(status).word), text))


def not_assessed(stage: str) -> Block:
    """Return the words for a stage that has not run: never a zero."""
    text = say("{stage}: not assessed: stage not run", stage=stage)
    return Block("not assessed", finding(text, "not assessed").html, text)


def footnote(text: str) -> Block:
    """Return a small-print line."""
    return Block("footnote", Html('<p class="wb wb-footnote">{text}</p>').fill(text=text), str(text))


def definitions(terms: Mapping[str, object]) -> Block:
    """Return the words a page uses, with their meaning."""
    pair = Html("<dt>{name}</dt><dd>{value}</dd>")
    items = join([pair.fill(name=name, value=_value(value)) for name, value in terms.items()])
    text = "\n".join(named(name, _text(value)) for name, value in terms.items())
    return Block("definitions", Html('<dl class="wb wb-definitions">{items}</dl>').fill(items=items), text)


def _cell(value: object, column: ColumnFormat) -> Html:
    if isinstance(value, Block | Html):
        return escape(value)
    if is_missing(value):
        return Html('<span class="wb-na">{text}</span>').fill(text=format_value(value, column))
    if column.kind == "status" and str(value) in STATUSES:
        return chip(str(value)).html
    text = format_value(value, column)
    if len(text) > _LONGEST_CELL:
        text = say("{text}… ({count:,} characters)", text=text[:_LONGEST_CELL], count=len(text))
    return escape(text)


def _column_class(values: Sequence[object], column: ColumnFormat) -> str:
    """Return `wb-num`, `wb-short` (kept on one line; `wb-date` in print too) or `wb-text` (wide enough to read, wrapped)."""
    if column.is_numeric:
        return "wb-num"
    if column.kind == "date":
        return "wb-short wb-date"
    longest = max((len(plain_text(value)) for value in values if not isinstance(value, Block)), default=0)
    return "wb-short" if longest <= _SHORT_CELL else "wb-text"


def _total(values: pd.Series, column: ColumnFormat) -> object:
    """Return the sum of the known values, exact for decimals, where the column adds up."""
    known = [value for value in values.tolist() if not is_missing(value)]
    if not column.has_total or not known:
        return None
    if all(isinstance(value, int | Decimal) for value in known):
        return sum(known)
    return math.fsum(float(value) for value in known)


def table(
    frame: pd.DataFrame,
    *,
    caption: str,
    columns: Mapping[str, ColumnFormat],
    total: bool = False,
    max_rows: int | None = None,
    cards: bool = False,
) -> Block:
    """Return a table of the named columns, in the order of `columns`.

    Parameters
    ----------
    frame : DataFrame
        One row a line. Lists in a cell are joined with '; '; a `status` column shows chips.
    caption : str
        What the table shows.
    columns : mapping of str to ColumnFormat
        Columns to show, with label, kind, digits and unit.
    total : bool
        Add a line that sums counts and money (or what `adds_up`) over all rows, shown or not.
    max_rows : int, optional
        Show so many rows and say how many there are.
    cards : bool
        On a phone show each row as a card, a line a column: for lists of many columns that are read row by row.

    Raises
    ------
    ParameterError
        If a column is not in the frame.
    """
    require_columns(frame, columns, what=f"table {caption!r}")
    shown = frame if max_rows is None else frame.head(max_rows)
    formats = list(columns.values())
    cells = [shown[name].tolist() for name in columns]
    class_of = [_column_class(values, column) for values, column in zip(cells, formats, strict=True)]
    th, td = Html('<th scope="col" class="{kind}">{text}</th>'), Html('<td class="{kind}"{label}>{text}</td>')
    named_cell = Html(' data-label="{label}"') if cards else Html("")
    labels = [named_cell.fill(label=column.heading) for column in formats] if cards else [named_cell] * len(formats)
    head = join([th.fill(kind=kind, text=column.heading) for kind, column in zip(class_of, formats, strict=True)])
    body = join(
        [
            Html("<tr>{cells}</tr>").fill(
                cells=join(
                    [
                        td.fill(kind=kind, label=label, text=_cell(value, column))
                        for kind, label, column, value in zip(class_of, labels, formats, row, strict=True)
                    ]
                )
            )
            for row in zip(*cells, strict=True)
        ]
    )
    foot = Html("")
    if total:
        sums = [_total(frame[name], column) for name, column in columns.items()]
        texts = ["" if s is None else format_value(s, c) for s, c in zip(sums, formats, strict=True)]
        if texts and not texts[0]:
            texts[0] = (
                say("Total") if len(shown) == len(frame) else say("Total of all {count:,} rows", count=len(frame))
            )
        foot = Html("<tfoot><tr>{cells}</tr></tfoot>").fill(
            cells=join(
                [td.fill(kind=kind, label=Html(""), text=text) for kind, text in zip(class_of, texts, strict=True)]
            )
        )
    note = say("{shown:,} of {all:,} rows shown", shown=len(shown), all=len(frame)) if len(shown) < len(frame) else ""
    note = say("no rows") if frame.empty else note
    markup = Html(
        '<div class="wb wb-table{cards}"><div class="wb-scroll" tabindex="0" role="region" aria-label="{caption}"><table>'
        "<caption><span>{caption}</span></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}</table></div>{note}</div>"
    ).fill(
        cards=" wb-cards" if cards else "",
        caption=caption,
        head=head,
        body=body,
        foot=foot,
        note=Html('<p class="wb-rows">{note}</p>').fill(note=note) if note else Html(""),
    )
    lines = [caption, " | ".join(column.heading for column in formats)]
    lines += [
        " | ".join(format_value(value, column) for value, column in zip(row, formats, strict=True))
        for row in list(zip(*cells, strict=True))[:20]
    ]
    return Block("table", markup, "\n".join([*lines, note] if note else lines))


def figure(fig_or_axes: Figure | Axes, *, alt: str, caption: str = "") -> Block:
    """Return a matplotlib figure as an image inside the page, and close it.

    Parameters
    ----------
    fig_or_axes : Figure or Axes
        An SVG of moderate size stays SVG (and follows the page's dark mode); a larger one becomes PNG at 2x.
    alt : str
        What the figure says, for a reader who cannot see it; required.
    caption : str
        The line under the figure.

    Raises
    ------
    ParameterError
        If `alt` is empty.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if not alt.strip():
        raise ParameterError("figure: alt text is empty; say in one sentence what the figure shows.")
    fig = fig_or_axes if isinstance(fig_or_axes, Figure) else fig_or_axes.get_figure(root=True)
    if fig is None:
        raise ParameterError("figure: these axes belong to no figure; pass a Figure or Axes that were drawn.")
    hint = font_hint()
    with rc_context(figure_settings()), warnings.catch_warnings():
        if hint:  # which says once what matplotlib says of every glyph
            warnings.filterwarnings("ignore", message="Glyph")
        buffer = io.BytesIO()
        fig.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
        svg = without_controls(buffer.getvalue().decode("utf-8"))  # matplotlib puts each text into a comment, as it is
        kind, data = "svg+xml", _with_dark_twin(svg.encode())
        if len(data) > _LARGEST_SVG:
            buffer = io.BytesIO()
            fig.savefig(buffer, format="png", dpi=2 * 96, facecolor="white", metadata={"Software": None})
            kind, data = "png", buffer.getvalue()
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(fig)
    lines = [line for line in (caption, hint) if line]
    under = [Html("{br}{line}").fill(br=Html("<br>" if place else ""), line=line) for place, line in enumerate(lines)]
    markup = Html(
        '<figure class="wb wb-figure"><img class="wb-{kind}" alt="{alt}" src="data:image/{mime};base64,{data}">'
        "{caption}</figure>"
    ).fill(
        kind=kind.split("+")[0],
        mime=kind,
        alt=alt,
        data=base64.b64encode(data).decode("ascii"),
        caption=Html("<figcaption>{lines}</figcaption>").fill(lines=join(under)) if lines else Html(""),
    )
    return Block("figure", markup, "\n".join([say("[figure] {alt}", alt=alt), *lines]))


def _with_dark_twin(svg: bytes) -> bytes:
    """Return the SVG with a style that turns ink, grid and axes light where the page is dark."""
    rules = "".join(
        f'[style*="{part}: {light}"]{{{part}:{dark} !important}}'
        for light, dark in DARK_TWIN.items()
        for part in ("fill", "stroke")
    )
    style = f"<style>@media screen and (prefers-color-scheme: dark){{{rules}}}</style>".encode()
    return re.sub(rb"(<svg\b[^>]*>)", lambda match: match.group(1) + style, svg, count=1)
