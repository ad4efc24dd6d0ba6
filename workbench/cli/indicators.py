"""`workbench indicators`: the catalogue, panels, and whether an indicator is fit for use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import click
import pandas as pd

from workbench.book.book import Book
from workbench.book.engines import ENGINES
from workbench.cli.console import EXIT_INPUT, Steps, print_json, print_table, steps
from workbench.core.dates import month_end, month_ends
from workbench.core.errors import InputError
from workbench.core.settings import Settings
from workbench.core.yaml_files import check_mapping
from workbench.indicators.catalogue import catalogue
from workbench.indicators.checking import check_indicator
from workbench.indicators.own import load_own
from workbench.indicators.panel import Panel, build_panel
from workbench.indicators.stored import load_panel, panel_path, write_panels


@click.group()
def indicators() -> None:
    """List the indicators, build panels of them, and check your own."""


@indicators.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print for a program, with ranges, words and tables.")
@click.pass_obj
def list_(workspace: Any, as_json: bool) -> None:
    """Print the catalogue, with the indicators that the workspace adds in params/indicators/.

    Example: workbench indicators list
    """
    try:
        load_own(workspace())
    except InputError as error:  # the catalogue needs no workspace; a broken file of it is told
        click.echo(f"without those of a workspace: {error}", err=True)
    rows = catalogue()
    if as_json:
        print_json(rows)
    else:
        columns = ["name", "family", "unit", "riskier_when", "role", "scope", "meaning"]
        print_table(pd.DataFrame(rows)[columns])


@indicators.command()
@click.option("--book", "name", required=True, help="Name of the book.")
@click.option("--as-of", "dates", help="Dates, separated by commas; by default the book's last month end.")
@click.option("--months", type=click.IntRange(1), help="So many month ends, up to the one date of --as-of.")
@click.option("--engine", type=click.Choice(ENGINES), help="By default duckdb; for an attached book postgres.")
@click.option("--only", help="Indicators, separated by commas; by default all.")
@click.option("--memory", help="Memory that DuckDB may use, as 4GB: larger books are taken in more parts.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the panel to this parquet file instead."
)
@click.pass_obj
def build(
    workspace: Any, name: str, dates: str | None, months: int | None, engine: str | None, only: str | None, memory: str | None,
    output: Path | None,
) -> None:  # fmt: skip
    """Write the panel: one row an active customer and date, with a manifest beside it.

    Example: workbench indicators build --book demo --as-of 2025-06-30,2025-12-31
    """
    if output is not None and output.suffix != ".parquet":
        raise InputError(f"{output}: expected a name ending in .parquet.")
    home = workspace()
    if memory is not None:
        settings = check_mapping(Settings, {**home.settings.model_dump(), "memory": memory}, source="--memory")
        home = replace(home, settings=settings)
    opened = Book.open(home, name, engine=engine or "")
    days = [opened.check_as_of(text) for text in (dates.split(",") if dates else [""])]
    if months is not None:
        if len(days) > 1:
            raise InputError(f"--months: found {len(days)} dates in --as-of, expected one, the last of the months.")
        first = max(opened.manifest.facts.first_day, month_end(days[0], months=-months))
        days = month_ends(first, days[0]) or days
    wanted = [text.strip() for text in only.split(",")] if only else None
    notes: list[str] = []
    with steps() as running:
        panels = _panels(opened, days, wanted, notes, running, stored=wanted is None and output is None)
        if output is not None:
            lines = [f"{output}: {write_panels(opened, panels, output, as_of=days):,} rows"]
        elif wanted is None:
            lines = [
                str(panel_path(opened, day).relative_to(home.root)) for day, _panel in zip(days, panels, strict=True)
            ]
        else:
            lines = pd.concat([panel.frame for panel in panels]).to_csv(index=False).splitlines()
    for note in dict.fromkeys(notes):
        click.echo(note, err=True)
    for line in lines:
        click.echo(line)


def _panels(
    book: Book, days: list[date], only: list[str] | None, notes: list[str], running: Steps, *, stored: bool
) -> Iterator[Panel]:
    """Yield the panel of each date, stored or not, and note what is left out of it and odd in it."""
    for day in days:
        told = time_left(running.step(f"panel of {book.name} at {day}"))
        panel = load_panel(book, as_of=day, told=told) if stored else build_panel(book, as_of=day, only=only, told=told)
        for indicator, tables in panel.left_out.items():
            notes.append(f"left out: {indicator}: the book has no {', '.join(tables)}")
        for indicator, odd in panel.oddities.items():
            words = ", ".join(
                f"{count:,} {word}{'' if word == 'infinite' else ' its range'}" for word, count in odd.items()
            )
            notes.append(f"odd at {day}: {indicator}: {words}; kept as they are")
        yield panel


def time_left(tell: Callable[[str], None]) -> Callable[[int, int], None]:
    """Return what tells the steps done and, from their pace, the time left."""
    started = time.monotonic()

    def told(done: int, steps: int) -> None:
        left = (time.monotonic() - started) / done * (steps - done)
        tell(f"step {done} of {steps}, {left:.0f} s left")

    return told


@indicators.command()
@click.argument("indicator")
@click.option("--book", "name", required=True, help="Name of a stored book that has the tables it needs.")
@click.option("--as-of", help="Observation date, by default a year before the book's last month end.")
@click.option("--spark/--no-spark", default=True, help="Whether Spark is tried too, which takes half a minute.")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
@click.pass_context
def check(context: click.Context, indicator: str, name: str, as_of: str | None, spark: bool, as_json: bool) -> None:
    """Check an indicator: no future in it, alike on each engine and in parts, nulls and range as declared.

    Ends with 2 if a check fails. Example: workbench indicators check debt_to_income --book demo
    """
    opened = Book.open(context.obj(), name)
    day = opened.check_as_of(as_of or _year_before(opened))
    verdicts = check_indicator(opened, indicator, as_of=day, spark=spark)
    if as_json:
        print_json(verdicts.to_dict("records"))
    else:
        words = {True: "passed", False: "FAILED", None: "not checked"}
        print_table(verdicts.assign(passed=[words[passed] for passed in verdicts["passed"]]))
    if any(passed is False for passed in verdicts["passed"]):  # None is "not checked"
        context.exit(EXIT_INPUT)


def _year_before(book: Book) -> date:
    return max(month_end(book.last_month_end, months=-12), book.manifest.facts.first_day)
