"""`workbench book revert`: the book as it was before the last load."""

from __future__ import annotations

from typing import Any

import click

from workbench.book.store import revert_book


@click.command()
@click.argument("name")
@click.pass_obj
def revert(workspace: Any, name: str) -> None:
    """Take back the last load: the generation before it is current again. A second time brings it back.

    Example: workbench book revert berka
    """
    manifest = revert_book(workspace(), name)
    click.echo(f"book {name} is again as it was: generation {manifest.generation}, up to {manifest.facts.last_day}")
