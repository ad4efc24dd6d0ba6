"""The command tree."""

from __future__ import annotations

import difflib
from typing import Any

import click

import workbench
from workbench.cli.book import book
from workbench.cli.indicators import indicators
from workbench.cli.model import model
from workbench.cli.report import report
from workbench.cli.run import demo, pipeline, run
from workbench.cli.score import score
from workbench.cli.system import doctor, lab, mlflow
from workbench.core.workspace import open_workspace


class Lazy:
    """Opens the workspace when a command first asks for it, so that `--help` works anywhere."""

    def __init__(self, flags: dict[str, Any]) -> None:
        self.flags = flags

    def __call__(self) -> Any:
        """Return the workspace."""
        return open_workspace(flags=self.flags)


class Tree(click.Group):
    """A group that names the nearest command for an unknown one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Resolve a command, or say which one was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1) if args else []
            hint = f" Did you mean {close[0]!r}?" if close and "Did you mean" not in error.message else ""
            raise click.UsageError(f"{error.message}{hint}", ctx=ctx) from None


@click.group(cls=Tree, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(workbench.__version__, prog_name="workbench")
@click.option("--threads", type=int, help="Threads that DuckDB may use; 1 makes floats equal to the last bit.")
@click.option("--memory", help="Memory that DuckDB may use, as 3GB.")
@click.pass_context
def cli(ctx: click.Context, threads: int | None, memory: str | None) -> None:
    """Turn a lender's customer data into scores, early warnings, reports and proposed actions.

    Example: workbench demo --customers 2000
    """
    ctx.obj = Lazy({"threads": threads, "memory": memory})


for command in (demo, book, indicators, run, pipeline, model, score, report, lab, mlflow, doctor):
    cli.add_command(command)
