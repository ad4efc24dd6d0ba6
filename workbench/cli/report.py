"""`workbench report`: the index of all runs, the page itself, and its PDF."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Any

import click

from workbench.book.book import Book
from workbench.cli.console import LANG
from workbench.core import outputs
from workbench.core.errors import InputError, unknown
from workbench.core.workspace import Workspace
from workbench.runs.parameters import notebook_path
from workbench.runs.pdf import write_pdf
from workbench.runs.run import rebuild_index


@click.group()
def report() -> None:
    """Find, open and print the reports."""


@report.command()
@LANG
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
    path = rebuild_index(opened) if book is None else _page(opened, book, as_of, notebook)
    click.echo(str(path))
    if not only_print:
        webbrowser.open(path.as_uri())


@report.command()
@click.argument("run", required=False)
@click.option("--book", help="Name of the book, in place of RUN.")
@click.option("--as-of", help="Observation date; by default the book's last month end.")
@click.option("--notebook", default="60_risk_report", show_default=True, help="Which page.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="By default beside the page.")
@click.pass_obj
def pdf(
    workspace: Any, run: str | None, book: str | None, as_of: str | None, notebook: str, output: Path | None
) -> None:
    """Print a page as PDF, tagged and with page numbers. RUN is the name of a run's folder; or give --book.

    Needs Chromium (apt-get install chromium).

    Example: workbench report pdf --book demo
    """
    opened = workspace()
    if (run is None) == (book is None):
        raise InputError("expected either RUN, the name of a folder in reports/runs/, or --book.")
    if run is None:
        page = _page(opened, str(book), as_of, notebook)
    else:
        facts = next((facts for facts in outputs.all_runs(opened) if facts["run_id"] == run), None)
        if facts is None:
            raise InputError(unknown("run", run, [facts["run_id"] for facts in outputs.all_runs(opened)]))
        page = opened.reports / "runs" / run / f"{facts['notebook']}.html"
        if not page.exists():
            raise InputError(f"run {run} left no page: {facts.get('reason') or facts.get('status')}.")
    written = output or page.with_suffix(".pdf")
    write_pdf(page, written)
    click.echo(str(written))
    if output is None:
        outputs.add_file(page.parent, written.name)
        rebuild_index(opened)


def _page(opened: Workspace, book: str, as_of: str | None, notebook: str) -> Path:
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
    return folder / f"{notebook}.html"
