"""`workbench report`: the index of all runs, and the page itself."""

from __future__ import annotations

import webbrowser
from typing import Any

import click

from workbench.book.book import Book
from workbench.core import outputs
from workbench.core.errors import InputError
from workbench.runs.parameters import notebook_path
from workbench.runs.run import rebuild_index


@click.group()
def report() -> None:
    """Find and open the reports."""


@report.command()
@click.pass_obj
def index(workspace: Any) -> None:
    """Write reports/index.html anew and print its path.

    Example: workbench report index
    """
    click.echo(str(rebuild_index(workspace())))


@report.command(name="open")
@click.option("--book", help="Name of the book; without it the index of all reports is opened.")
@click.option("--as-of", help="Observation date; by default the book's last month end.")
@click.option("--notebook", default="60_risk_report", show_default=True, help="Which page.")
@click.option("--print", "only_print", is_flag=True, help="Print the path and open nothing.")
@click.pass_obj
def open_(workspace: Any, book: str | None, as_of: str | None, notebook: str, only_print: bool) -> None:
    """Open a report in the browser.

    Example: workbench report open --book demo
    """
    opened = workspace()
    if book is None:
        path = rebuild_index(opened)
    else:
        notebook_path(opened, notebook)
        present = Book.open(opened, book)
        day = present.check_as_of(as_of)
        generation = present.manifest.generation
        folder = outputs.current_run(opened, notebook, book=book, as_of=day, generation=generation)
        if folder is None:
            raise InputError(
                f"{notebook} of {book} at {day}: not run yet on the present data. "
                f"Run: workbench run {notebook} --book {book} --as-of {day}"
            )
        path = folder / f"{notebook}.html"
    click.echo(str(path))
    if not only_print:
        webbrowser.open(path.as_uri())
