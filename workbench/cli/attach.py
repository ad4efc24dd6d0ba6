"""`workbench book attach`: a book that stays in its database."""

from __future__ import annotations

from typing import Any

import click
import pandas as pd

from workbench.book.attached import attach_book
from workbench.cli.console import print_json, print_table, steps
from workbench.core.dates import parse_date


@click.command()
@click.argument("name")
@click.option(
    "--url",
    required=True,
    help="postgresql://user@host/database without a password (PGPASSWORD or ~/.pgpass has it), or env:NAME of a whole url.",
)
@click.option("--schema", help="Schema of the tables; by default the one that the user's session looks into first.")
@click.option("--time-zone", default="UTC", show_default=True, help="Time zone of the lender's business days.")
@click.option("--currency", default="EUR", show_default=True, help="Currency of all amounts.")
@click.option("--first-day", help="From when on the database holds everything; by default its first payment or event.")
@click.option(
    "--current-only",
    multiple=True,
    metavar="TABLE.COLUMN",
    help="Column of which the database keeps no history, such as customers.segment. May be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the book's manifest for a program.")
@click.pass_obj
def attach(
    workspace: Any,
    name: str,
    url: str,
    schema: str | None,
    time_zone: str,
    currency: str,
    first_day: str | None,
    current_only: tuple[str, ...],
    as_json: bool,
) -> None:
    """Read the canonical tables of a PostgreSQL database where they are, as the book NAME.

    Example: workbench book attach crm --url postgresql://analyst@crm.bank/crm --schema risk --time-zone Asia/Shanghai
    """
    with steps() as running:
        running.step(f"attach {name}")
        manifest, warnings = attach_book(
            workspace(),
            name,
            url=url,
            schema=schema,
            time_zone=time_zone,
            currency=currency,
            first_day=parse_date(first_day, what="first-day") if first_day else None,
            current_only=current_only,
        )
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        print_json({**manifest.model_dump(mode="json"), "warnings": warnings})
        return
    facts = manifest.facts
    click.echo(f"book {manifest.name}, generation {manifest.generation}: {facts.source}")
    click.echo(f"{facts.first_day} to {facts.last_day}, {facts.currency}, business days in {facts.time_zone}")
    rows = [{"table": table, "keys": size.keys, "rows": size.rows} for table, size in manifest.tables.items()]
    print_table(pd.DataFrame(rows))
