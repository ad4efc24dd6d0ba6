"""`workbench book`: simulate, import, list and show books."""

from __future__ import annotations

from typing import Any

import click
import pandas as pd

from workbench.book.book import Book
from workbench.book.readers import described_books, import_book
from workbench.book.simulated import DEFAULT_CUSTOMERS, DEFAULT_MONTHS, DEFAULT_SEED, simulate_book
from workbench.book.store import BookManifest, current_generation, list_books
from workbench.cli.console import print_json, print_table, steps


@click.group()
def book() -> None:
    """Make, list and show books: the canonical tables of one lender."""


@book.command()
@click.argument("name")
@click.option(
    "--customers", type=int, default=DEFAULT_CUSTOMERS, show_default=True, help="People in the lender's records."
)
@click.option("--months", type=int, default=DEFAULT_MONTHS, show_default=True, help="Months that are written.")
@click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Same seed, same bytes.")
@click.option("--json", "as_json", is_flag=True, help="Print the book's manifest for a program.")
@click.pass_obj
def simulate(workspace: Any, name: str, customers: int, months: int, seed: int, as_json: bool) -> None:
    """Simulate a lender and keep it as the book NAME.

    Example: workbench book simulate demo --customers 20000 --months 36 --seed 7
    """
    with steps() as running:
        tell = running.step(f"simulate {customers:,} customers, {months} months")
        manifest = simulate_book(
            workspace(),
            name,
            customers=customers,
            months=months,
            seed=seed,
            on_month=lambda done, total: tell(f"month {done} of {total}"),
        )
    _print_manifest(manifest, as_json)


@book.command(name="import")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the book's manifest for a program.")
@click.pass_obj
def import_(workspace: Any, name: str, as_json: bool) -> None:
    """Read the sources that params/books/NAME.yaml describes.

    Example: workbench book import aart
    """
    with steps() as running:
        running.step(f"import {name}")
        manifest = import_book(workspace(), name)
    _print_manifest(manifest, as_json)


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
