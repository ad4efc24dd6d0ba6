"""`workbench lab`, `mlflow` and `doctor`."""

from __future__ import annotations

from typing import Any

import click
import pandas as pd

from workbench.cli.console import print_json, print_table
from workbench.core.settings import Settings

PORT = click.IntRange(1, 65535)


@click.command()
@click.option("--port", type=PORT, default=8888, show_default=True, help="The next free port is taken if it is in use.")
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open a browser window.")
@click.pass_obj
def lab(workspace: Any, port: int, browser: bool) -> int:
    """Start JupyterLab on the notebooks, on 127.0.0.1 with a token.

    Example: workbench lab --no-browser
    """
    from workbench.runs.servers import serve_lab

    return serve_lab(workspace(), port=port, open_browser=browser, say=click.echo)


@click.command()
@click.option("--port", type=PORT, default=5000, show_default=True, help="The next free port is taken if it is in use.")
@click.pass_obj
def mlflow(workspace: Any, port: int) -> int:
    """Start the MLflow page on the workspace's models, on 127.0.0.1 with a token.

    Example: workbench mlflow
    """
    from workbench.runs.servers import serve_mlflow

    return serve_mlflow(workspace(), port=port, say=click.echo)


@click.command()
@click.option("--show-config", is_flag=True, help="Show each setting, and where it came from.")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
@click.pass_obj
def doctor(workspace: Any, show_config: bool, as_json: bool) -> int:
    """Check Python, versions, disk, browser, Java, fonts and ports, and say how to mend what is missing.

    Example: workbench doctor --show-config
    """
    from workbench.runs.doctor import examine

    opened = workspace()
    if show_config:
        rows = [
            {
                "setting": name,
                "value": getattr(opened.settings, name),
                "from": opened.sources[name],
                "meaning": field.description,
            }
            for name, field in Settings.model_fields.items()
        ]
    else:
        rows = [
            {"what": check.what, "verdict": check.verdict, "found": check.found, "to mend": check.mend}
            for check in examine(opened)
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(pd.DataFrame(rows))
    return 2 if not show_config and any(row["verdict"] == "missing" for row in rows) else 0
