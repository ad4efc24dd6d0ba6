"""`workbench indicators`: the catalogue, and panels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pandas as pd

from workbench.book.book import Book
from workbench.cli.console import print_json, print_table, steps
from workbench.core.errors import InputError
from workbench.core.files import whole_file
from workbench.indicators.panel import build_panel, load_panel, panel_path
from workbench.indicators.registry import select


@click.group()
def indicators() -> None:
    """List the indicators, and build panels of them."""


@indicators.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
def list_(as_json: bool) -> None:
    """Print the catalogue.

    Example: workbench indicators list
    """
    rows = [
        {
            "name": found.name,
            "family": found.family,
            "unit": found.unit,
            "riskier_when": found.direction or "either",
            "role": found.role,
            "meaning": found.meaning,
        }
        for found in select()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(pd.DataFrame(rows))


@indicators.command()
@click.option("--book", "name", required=True, help="Name of the book.")
@click.option("--as-of", "dates", help="Dates, separated by commas; by default the book's last month end.")
@click.option("--only", help="Indicators, separated by commas; by default all.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the panel to this parquet file instead."
)
@click.pass_obj
def build(workspace: Any, name: str, dates: str | None, only: str | None, output: Path | None) -> None:
    """Write the panel: one row an active customer and date.

    Example: workbench indicators build --book demo --as-of 2025-06-30,2025-12-31
    """
    if output is not None and output.suffix != ".parquet":
        raise InputError(f"{output}: expected a name ending in .parquet.")
    opened = Book.open(workspace(), name)
    days = [opened.check_as_of(text) for text in (dates.split(",") if dates else [""])]
    wanted = [text.strip() for text in only.split(",")] if only else None
    frames = []
    with steps() as running:
        for day in days:
            running.step(f"panel of {name} at {day}")
            if wanted is None and output is None:
                panel = load_panel(opened, as_of=day)
            else:
                panel = build_panel(opened, as_of=day, only=wanted)
            frames.append(panel.frame)
    for indicator, tables in panel.left_out.items():
        click.echo(f"left out: {indicator}: the book has no {', '.join(tables)}", err=True)
    rows = sum(map(len, frames))
    if output is None and wanted is None:
        for day in days:
            click.echo(str(panel_path(opened, day).relative_to(opened.workspace.root)))
    elif output is None:
        click.echo(pd.concat(frames).to_csv(index=False), nl=False)
    else:
        with whole_file(output) as temporary:
            pd.concat(frames, ignore_index=True).to_parquet(temporary, index=False)
        click.echo(f"{output}: {rows:,} rows")
