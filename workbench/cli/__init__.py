"""The `workbench` command: thin over the package. Exit codes: 0 done, 1 a bug, 2 bad input, 3 a notebook failed, 4 alerts."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import click

from workbench.core.errors import WorkbenchError


def main() -> None:
    """Run the command line; turn errors into one message and an exit code."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # Threads of OpenMP that wait by spinning make boosted trees ten times slower on a machine that does other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    signal.signal(signal.SIGTERM, _terminated)
    from workbench.cli.commands import cli

    try:
        code = cli.main(prog_name="workbench", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted; the last good outputs are as they were", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except WorkbenchError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # so that `finally` blocks run and what was started is ended
