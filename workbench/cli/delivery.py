"""`workbench book simulate --as-delivery`: a simulated lender as files to import, and how to import them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pandas as pd

from workbench.book.simulated import simulated_lender
from workbench.book.simulation.delivery import WrittenDelivery, deliver_lender
from workbench.cli.console import print_json, print_table, steps
from workbench.core.errors import ParameterError
from workbench.core.workspace import Workspace


def delivery_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that write a lender as a delivery."""
    place = click.option(
        "--as-delivery",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Write what a CRM would deliver, with known dirt and a mapping, into this new folder; store no book.",
    )
    database = click.option(
        "--url",
        help="With --as-delivery: put core banking into PostgreSQL, into a new schema NAME_core. An address without a "
        "password, or env:NAME of a whole one.",
    )
    return place(database(command))


def simulate_delivery(
    workspace: Workspace, name: str, out: Path | None, url: str | None, *, lender: Mapping[str, Any], as_json: bool
) -> None:
    """Simulate a lender, write it as a delivery, and tell what was written and what comes next.

    Parameters
    ----------
    lender
        Arguments of `simulated_lender`: customers, months, seed and so on.

    Raises
    ------
    ParameterError
        If there is a database, but no folder for the rest.
    """
    if out is None:
        raise ParameterError(
            "--url: found no --as-delivery, expected the folder of the other files: add --as-delivery DIR."
        )
    with steps() as running:
        tell = running.step(f"simulate {lender['customers']:,} customers, {lender['months']} months, and deliver them")
        write = simulated_lender(
            **lender,
            threads=workspace.settings.threads,
            on_month=lambda done, total: tell(f"month {done} of {total}"),
        )
        written = deliver_lender(workspace, name, out, write, seed=lender["seed"], url=url, progress=tell)
    _tell(workspace, name, written, as_json=as_json)


def _tell(workspace: Workspace, name: str, written: WrittenDelivery, *, as_json: bool) -> None:
    commands = _next_commands(workspace, name, written)
    if as_json:
        print_json({**asdict(written), "next": commands})
        return
    print_table(pd.DataFrame({"file": list(written.files), "bytes": list(written.files.values())}))
    if written.schema:
        click.echo(f"loans, schedules, payments and restructurings: in PostgreSQL, schema {written.schema}")
    lost = sum(found.rows for found in written.planted if found.effect in ("rejected", "conflict", "line"))
    click.echo(f"{lost:,} rows and lines are for an import to reject; every fault is counted in truth/delivery.json")
    click.echo("next:")
    for command in commands:
        click.echo(f"  {command}")


def _next_commands(workspace: Workspace, name: str, written: WrittenDelivery) -> list[str]:
    """Return the commands that import the delivery: with short paths where the shell stands in the workspace."""
    at_home = Path.cwd() == workspace.root
    folder = shlex.quote(str(written.folder if at_home else written.folder.resolve()))
    params = "params/books/" if at_home else shlex.quote(f"{workspace.params / 'books'}/")
    commands = [f"cp {folder}/{name}.yaml {params}"]
    if written.variable:
        commands.append(f"export {written.variable}=...   # the address that --url was given")
    return [*commands, f"workbench book import {name} --from {folder}"]
