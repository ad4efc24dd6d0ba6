"""`workbench book`: simulate, import, attach, check, export, list and show books."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import pandas as pd

from workbench.book.book import Book
from workbench.book.checks import check_book
from workbench.book.checks.finding import SEVERITIES
from workbench.book.loading.load import LoadResult, import_book
from workbench.book.loading.record import list_loads
from workbench.book.mapping import described_books, load_mapping
from workbench.book.simulated import simulate_book
from workbench.book.store import BookManifest, current_generation, list_books
from workbench.cli.attach import attach
from workbench.cli.console import EXIT_INPUT, print_json, print_table, steps
from workbench.cli.delivery import delivery_options, simulate_delivery
from workbench.cli.export import export
from workbench.cli.lender import described, lender_options
from workbench.cli.revert import revert
from workbench.core.dates import day_end, parse_date
from workbench.core.workspace import check_name


@click.group()
def book() -> None:
    """Make, list and show books: the canonical tables of one lender."""


@book.command()
@click.argument("name")
@lender_options
@delivery_options
@click.option("--json", "as_json", is_flag=True, help="Print the book's manifest for a program.")
@click.pass_obj
def simulate(
    workspace: Any,
    name: str,
    customers: int,
    months: int,
    seed: int,
    start: str,
    switches: tuple[str, ...],
    as_delivery: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Simulate a lender and keep it as the book NAME.

    Example: workbench book simulate calm --customers 5000 --months 36 --switch none
    """
    lender = described(start, switches)
    if as_delivery is not None or url is not None:
        size = {"customers": customers, "months": months, "seed": seed}
        simulate_delivery(workspace(), name, as_delivery, url, lender=size | lender, as_json=as_json)
        return
    with steps() as running:
        tell = running.step(f"simulate {customers:,} customers, {months} months")
        manifest = simulate_book(
            workspace(),
            name,
            customers=customers,
            months=months,
            seed=seed,
            **lender,
            on_month=lambda done, total: tell(f"month {done} of {total}"),
        )
    _print_manifest(manifest, as_json)


@book.command(name="import")
@click.argument("name")
@click.option("--from", "base", metavar="PATH|URL", help="Folder or address of the delivery; by default the mapping's.")
@click.option("--append", is_flag=True, help="Add what is new, by key, to the book there is.")
@click.option(
    "--delivered",
    metavar="DATE",
    help="Day of the delivery, meant is its end; by default now. What `delivered_at` means.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the load's record for a program.")
@click.pass_obj
def import_(workspace: Any, name: str, base: str | None, append: bool, delivered: str | None, as_json: bool) -> None:
    """Read the sources that params/books/NAME.yaml describes, check them, and make the book current in one step.

    A delivery that fails leaves the book as it was. Rejected rows lie in data/books/NAME/rejects/, with the reasons.

    Example: workbench book import berka --append --from deliveries/2026-11
    """
    moment = datetime.now(UTC)
    if delivered is not None:
        moment = _end_of(delivered, load_mapping(workspace(), name).time_zone, now=moment)
    with steps() as running:
        result = import_book(
            workspace(), name, delivered_at=moment, base=base, append=append, progress=running.step(f"import {name}")
        )
    _tell_load(result, as_json)


@book.command()
@click.argument("name")
@click.option(
    "--as-of", help="Check what was known by the end of this day; by default all that the last delivery brought."
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings for a program.")
@click.pass_obj
def check(workspace: Any, name: str, as_of: str | None, as_json: bool) -> int:
    """Check a book; exit with code 2 if a finding is an error.

    Example: workbench book check demo --json
    """
    opened = Book.open(workspace(), name)
    findings, _profile = check_book(opened, as_of=opened.check_as_of(as_of) if as_of else None)
    counts = Counter(finding.severity for finding in findings)
    if as_json:
        print_json({"book": name, "counts": dict(counts), "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            click.echo(finding.sentence())
            if finding.breaks:
                click.echo(f"    breaks: {finding.breaks}")
            if finding.reason:
                click.echo(f"    lowered by the mapping: {finding.reason}")
        click.echo(", ".join(f"{counts[name]} {name}" for name in SEVERITIES if counts[name]) or "nothing found")
    return EXIT_INPUT if counts["error"] else 0


@book.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
@click.pass_obj
def loads(workspace: Any, name: str, as_json: bool) -> None:
    """List the loads of a book: what came in, what was rejected, how long it took; refused ones too.

    Example: workbench book loads berka
    """
    opened = workspace()
    records = list_loads(opened.books / check_name("book", name))
    if as_json:
        print_json([record.model_dump(mode="json") for record in records])
        return
    print_table(
        pd.DataFrame(
            [
                {
                    "load": record.load_id,
                    "mode": record.mode,
                    "status": record.status,
                    "rows in": sum(table.rows_in for table in record.tables.values()),
                    "rows out": sum(table.rows_out for table in record.tables.values()),
                    "rejected": record.rejected_rows,
                    "seconds": record.seconds,
                    "generation": record.generation,
                }
                for record in records
            ]
        )
    )


@book.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
@click.pass_obj
def list_(workspace: Any, as_json: bool) -> None:
    """List the books, and those that params/books/ describes but nobody has imported yet.

    Example: workbench book list
    """
    opened = workspace()
    rows = []
    for name in list_books(opened):
        manifest = current_generation(opened, name)[1]
        facts = manifest.facts
        rows.append(
            {
                "book": name,
                "customers": manifest.tables["customers"].keys,
                "loans": manifest.tables["loans"].keys,
                "from": str(facts.first_day),
                "to": str(facts.last_day),
                "generation": manifest.generation,
            }
        )
    waiting = [name for name in described_books(opened) if name not in list_books(opened)]
    if as_json:
        print_json({"books": rows, "described": waiting})
        return
    print_table(pd.DataFrame(rows))
    for name in waiting:
        click.echo(f"{name}: described in params/books/{name}.yaml; read it with: workbench book import {name}")


@book.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
@click.pass_obj
def show(workspace: Any, name: str, as_json: bool) -> None:
    """Show a book: its tables, time span and source.

    Example: workbench book show demo
    """
    _print_manifest(Book.open(workspace(), name).manifest, as_json)


def _end_of(day: str, time_zone: str, *, now: datetime) -> datetime:
    """Return the last instant of a business day, or `now` where it is not over yet: later loads of the day come after.

    >>> noon = datetime(2024, 7, 1, 12, tzinfo=UTC)
    >>> [str(_end_of(day, "Europe/Berlin", now=noon)) for day in ("2024-06-30", "2024-07-01")]
    ['2024-06-30 21:59:59.999999+00:00', '2024-07-01 12:00:00+00:00']
    """
    delivered = parse_date(day, what="delivered")
    if delivered == now.astimezone(ZoneInfo(time_zone)).date():
        return now
    return day_end(delivered, time_zone).replace(tzinfo=UTC) - timedelta(microseconds=1)


def _tell_load(result: LoadResult, as_json: bool) -> None:
    record = result.record
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    if record.status == "unchanged":
        click.echo(f"this delivery is in already: book {record.book} stays as it is, generation {record.generation}")
        return
    for name, source in record.sources.items():
        for reason, count in source.rejected_lines.items():
            click.echo(f"source {name}: {count:,} lines rejected: {reason}")
        for repair in source.repairs:
            click.echo(f"source {name}: {repair}")
    for table, load in record.tables.items():
        for reason, count in (load.rejected | load.emptied).items():
            action = "rows rejected" if reason in load.rejected else "values left empty"
            click.echo(f"{table}: {count:,} {action}: {reason}")
    if record.rejects:
        click.echo(f"see data/books/{record.book}/{record.rejects}")
    if record.mode == "append":
        for table, load in record.tables.items():
            corrected = f" ({load.corrections:,} of them corrections)" if load.corrections else ""
            click.echo(f"{table}: {load.rows_out:,} rows added{corrected}, {load.unchanged:,} known already")
        if record.absent:
            click.echo(f"not in this delivery: {', '.join(record.absent)}")
    found = ", ".join(f"{record.findings[name]} {name}" for name in SEVERITIES if record.findings.get(name))
    click.echo(f"checks: {found or 'nothing found'}" + (f"; workbench book check {record.book}" if found else ""))
    _print_manifest(result.manifest, as_json=False)


def _print_manifest(manifest: BookManifest, as_json: bool) -> None:
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    facts = manifest.facts
    click.echo(f"book {manifest.name}, generation {manifest.generation}: {facts.source}")
    click.echo(f"{facts.first_day} to {facts.last_day}, {facts.currency}, business days in {facts.time_zone}")
    print_table(
        pd.DataFrame(
            [
                {"table": name, "keys": table.keys, "rows": table.rows, "sha256": table.sha256[:16]}
                for name, table in manifest.tables.items()
            ]
        )
    )


book.add_command(attach)
book.add_command(export)
book.add_command(revert)
