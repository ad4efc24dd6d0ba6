"""What the commands print: progress on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import pandas as pd

from workbench.core.languages import LANGUAGES

EXIT_INPUT = 2  # the input is wrong: here, a book whose checks find an error
EXIT_ALERTS = 4  # done, and alerts at or above --fail-on are open


def _set_lang(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None and ctx.obj is not None:
        ctx.obj.flags["lang"] = value


LANG = click.option(
    "--lang",
    type=click.Choice(list(LANGUAGES)),
    callback=_set_lang,
    expose_value=False,
    help="Language of pages, lists and alerts; by default `lang` of params/workbench.yaml, else en.",
)


class Steps:
    """Progress of a job with named steps: a line a step, with the running cell on a terminal."""

    def __init__(self) -> None:
        self._name = ""
        self._started = 0.0

    def step(self, name: str) -> Callable[[str], None]:
        """End the step before, begin a new one, and return what tells its progress."""
        self.end()
        self._name, self._started = name, time.monotonic()
        if not sys.stderr.isatty():
            click.echo(f"  {name} ...", err=True)
        return self._tell

    def _tell(self, text: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\033[K  {self._name}: {text}, {time.monotonic() - self._started:.0f} s", err=True, nl=False)

    def end(self) -> None:
        """End the running step with its duration."""
        if self._name:
            start = "\r\033[K" if sys.stderr.isatty() else ""
            click.echo(f"{start}  {self._name}: {time.monotonic() - self._started:.1f} s", err=True)
        self._name = ""


@contextmanager
def steps() -> Iterator[Steps]:
    """Yield the progress of a job; its last step ends with the block."""
    running = Steps()
    try:
        yield running
    finally:
        running.end()


def print_json(value: Any) -> None:
    """Print for a program."""
    click.echo(json.dumps(value, indent=1, default=str, ensure_ascii=False))


def print_table(frame: pd.DataFrame) -> None:
    """Print for a person."""
    if frame.empty:
        click.echo("none")
        return
    texts = [list(map(str, frame.columns)), *[[_text(value) for value in row] for row in frame.itertuples(index=False)]]
    widths = [max(len(row[column]) for row in texts) for column in range(len(frame.columns))]
    for row in texts:
        click.echo("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
