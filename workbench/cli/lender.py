"""Options of the commands that simulate a lender."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from workbench.book.simulated import DEFAULT_CUSTOMERS, DEFAULT_MONTHS, DEFAULT_SEED, START
from workbench.book.simulation import Story
from workbench.core.dates import parse_date


def lender_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that describe a simulated lender: customers, months, seed, start, switches."""
    options = (
        click.option(
            "--customers",
            type=int,
            default=DEFAULT_CUSTOMERS,
            show_default=True,
            help="People who are or become customers: 70 % at first, the others in months 1 to 60.",
        ),
        click.option("--months", type=int, default=DEFAULT_MONTHS, show_default=True, help="Months that are written."),
        click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Same seed, same bytes."),
        click.option("--start", default=START.isoformat(), show_default=True, help="First day of the first month."),
        click.option(
            "--switch",
            "switches",
            multiple=True,
            metavar="NAME=VALUE",
            help="A switch of the story, such as downturn=off or contact=harmful; none: all off. Repeatable.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def described(start: str, switches: tuple[str, ...]) -> dict[str, Any]:
    """Return start and story as `simulate_book` takes them.

    Raises
    ------
    InputError
        If the date or a switch cannot be read.
    """
    return {"start": parse_date(start, what="start"), "story": Story().switched(switches)}
