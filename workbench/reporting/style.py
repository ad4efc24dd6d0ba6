"""Fonts and colours, in one home: of figures, of status chips, of grades, on light and on dark ground.

Colours are those of Okabe and Ito (2008), "Color Universal Design", which readers with any common colour blindness
can tell apart; a status has a word and a shape besides its colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from workbench.core.errors import ParameterError, unknown
from workbench.core.languages import language, mark, say

INK, MUTED, GRID = "#1b2430", "#5b6675", "#dde2e8"
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, YELLOW = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#56b4e9",
    "#cc79a7",
    "#f0e442",
)
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE)
# What a figure's colours become where the page is dark; figures have no ground of their own.
DARK_TWIN = {INK: "#e6eaf0", MUTED: "#a9b4c2", GRID: "#3a4452", BLUE: "#4ba6dd"}

GRADE_COLOURS = {
    "A": "#0072b2",
    "B": "#4a9fd1",
    "C": "#8fbfdc",
    "D": "#b9b4a7",
    "E": "#e69f00",
    "F": "#d55e00",
    "G": "#9a3d00",
}


@dataclass(frozen=True)
class Status:
    """A status: its word, its shape, and its colour on light and on dark ground (at least 3:1 against it)."""

    word: str
    shape: str
    light: str
    dark: str


STATUSES = {
    mark("pass"): Status(mark("Pass"), "✓", "#00775a", "#41cfa4"),
    mark("amber"): Status(mark("Amber"), "▲", "#a86400", "#f3b23e"),
    mark("fail"): Status(mark("Fail"), "✕", "#b3261e", "#ff8d7e"),
    mark("red"): Status(mark("Red"), "■", "#b3261e", "#ff8d7e"),
    mark("orange"): Status(mark("Orange"), "◆", "#c05400", "#ff9f52"),
    mark("yellow"): Status(mark("Yellow"), "●", "#8a6d00", "#efdc5b"),
    mark("info"): Status(mark("Note"), "▪", "#0067a3", "#6fbdf0"),
    mark("not assessed"): Status(mark("Not assessed"), "○", "#5b6675", "#a9b4c2"),
}
SEVERITY_COLOURS = {mark("red"): VERMILION, mark("orange"): ORANGE, mark("yellow"): "#d9c619", mark("info"): SKY}

_LATIN = ("Noto Sans", "Source Sans 3", "Liberation Sans", "Arial", "Helvetica", "DejaVu Sans")
_CJK = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei")


def status_of(name: str) -> Status:
    """Return a status by name, or raise ParameterError with the nearest known one."""
    try:
        return STATUSES[name]
    except KeyError:
        raise ParameterError(unknown("status", name, STATUSES)) from None


def css_colours(*, dark: bool) -> str:
    """Return the CSS declarations of the status colours: `--wb-pass: ...`."""
    pairs = ((name.replace(" ", "-"), status) for name, status in STATUSES.items())
    return " ".join(f"--wb-{name}: {status.dark if dark else status.light};" for name, status in pairs)


@cache
def _installed() -> frozenset[str]:
    from matplotlib.font_manager import fontManager

    return frozenset(font.name for font in fontManager.ttflist)


def cjk_font() -> str | None:
    """Return the font that draws Chinese in figures, or None where none is installed."""
    return next((name for name in _CJK if name in _installed()), None)


def font_hint() -> str:
    """Return one sentence for the reader where figures are in Chinese and no font here can draw them, else nothing."""
    if language() != "zh" or cjk_font():
        return ""
    return say(
        "No Chinese font was found where this page was made, so the figures show boxes: install Noto Sans CJK SC "
        "(package fonts-noto-cjk) and make the page again."
    )


def figure_settings() -> Any:
    """Return the matplotlib settings of every figure here, a dict (matplotlib types its keys one by one)."""
    from cycler import cycler

    latin = [name for name in _LATIN if name in _installed()][:1]
    fonts = [*latin, "DejaVu Sans", *[name for name in _CJK if name in _installed()][:2]]
    return {
        "font.family": list(dict.fromkeys(fonts)),
        "font.size": 9,
        "figure.figsize": (4.8, 2.9),
        "figure.dpi": 110,
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "axes.facecolor": "none",
        "axes.prop_cycle": cycler(color=PALETTE),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": MUTED,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlepad": 12,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.unicode_minus": False,
        "grid.color": GRID,
        "grid.linewidth": 0.7,
        "text.color": INK,
        "text.parse_math": False,  # a $ in a name is a $
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "lines.linewidth": 2,
        "legend.frameon": False,
        "svg.fonttype": "path",
        "svg.hashsalt": "workbench",
    }


def use_style() -> None:
    """Make the house style the default of every figure in this process; `plot_x` functions apply it by themselves."""
    import matplotlib as mpl

    mpl.rcParams.update(figure_settings())
