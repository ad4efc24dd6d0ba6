"""The figures of docs/simulation.md: each from a table of measures, saved as SVG, or as PNG where that is smaller."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from tests.simulation import behaviour, figure_tables, truths
from workbench.reporting.plots import plot_roll_matrix
from workbench.reporting.style import figure_settings

from . import _plots_customers as customers
from . import _plots_outcomes as outcomes

LARGEST_SVG = 60_000  # bytes
PNG_DPI = 160


@dataclass(frozen=True)
class Picture:
    """A figure's file name, what it shows (also for those who cannot see it), its table and how it is drawn."""

    name: str
    caption: str
    table: Callable[[duckdb.DuckDBPyConnection], pd.DataFrame]
    draw: Callable[..., Any]


PICTURES = (
    Picture("new_defaults", "Loans that reach 90 days past due, month by month", figure_tables.new_defaults,
            outcomes.plot_new_defaults),
    Picture("cohorts", "12-month bad rate of the customers at each month end", figure_tables.cohorts, outcomes.plot_cohorts),
    Picture("vintages", "Share of loans bad so far, by quarter of opening", figure_tables.vintages, outcomes.plot_vintages),
    Picture("hazard", "Hazard of the first default by months on book", figure_tables.hazards, outcomes.plot_hazard),
    Picture("rolls", "Moves between buckets from one month end to the next", figure_tables.moves,
            partial(plot_roll_matrix, before="", after="a month later",
                    title="From one month end to the next, days past due")),
    Picture("paths", "Defaults by the way into them, quarter by quarter", truths.paths_by_quarter, outcomes.plot_paths),
    Picture("prepayment", "Loans not yet repaid before their time", figure_tables.prepayment, outcomes.plot_prepayment),
    Picture("recovery", "Share of the written-off amounts that came back", figure_tables.recoveries, outcomes.plot_recovery),
    Picture("utilisation", "Cards by balance over limit", behaviour.utilisation_bands, customers.plot_utilisation),
    Picture("growth", "Open loans and customers, month by month", figure_tables.growth, customers.plot_growth),
    Picture("mix", "New loans by product, quarter by quarter", figure_tables.new_mix, customers.plot_mix),
    Picture("newcomers", "Age and first loan of those who join, quarter by quarter", figure_tables.newcomers,
            customers.plot_newcomers),
    Picture("limits", "Limits raised and cut, month by month", figure_tables.limits, customers.plot_limits),
    Picture("approval", "Applications accepted, month by month", figure_tables.approval, customers.plot_approval),
    Picture("declined", "Bad rates of accepted and declined applications by the policy's score", truths.outcomes_by_score,
            customers.plot_declined),
    Picture("incidents", "Sizes of incidents and of their benign look-alikes", truths.incidents, customers.plot_incidents),
    Picture("treatments", "Effects of treatments, each case beside its twin", truths.treatment_effects,
            customers.plot_treatments),
)  # fmt: skip
TRACES = "Income (bars), account balance (line) and lateness (marks at the foot) of six customers"


def draw_all(sql: duckdb.DuckDBPyConnection, folder: Path) -> dict[str, str]:
    """Draw every picture into `folder`; return file names and captions."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for picture in PICTURES:
        ax = picture.draw(picture.table(sql))
        found[save(ax.figure, folder, picture.name)] = picture.caption
    found[save(traces(sql), folder, "traces")] = TRACES
    return found


def traces(sql: duckdb.DuckDBPyConnection) -> Figure:
    """Return the figure of a handful of customers, a panel each."""
    with rc_context(figure_settings()):
        figure = Figure(figsize=(7.6, 4.2), layout="constrained")
        panels = figure.subplots(2, 3).ravel()
    examples = figure_tables.examples(sql)
    for ax, (title, customer) in zip(panels, examples.items(), strict=False):
        customers.plot_trace(figure_tables.trace(sql, customer), ax=ax, title=title)
    for ax in panels[len(examples) :]:
        ax.remove()
    return figure


def save(figure: Figure, folder: Path, name: str) -> str:
    """Save a figure on white ground; return the file's name."""
    with rc_context(figure_settings()):
        svg = io.BytesIO()
        figure.savefig(svg, format="svg", facecolor="white", metadata={"Date": None})
        for old in folder.glob(f"{name}.*"):
            if old.suffix in (".svg", ".png"):
                old.unlink()
        if len(svg.getvalue()) <= LARGEST_SVG:
            (folder / f"{name}.svg").write_bytes(svg.getvalue())
            return f"{name}.svg"
        figure.savefig(folder / f"{name}.png", dpi=PNG_DPI, facecolor="white", metadata={"Software": None})
    return f"{name}.png"
