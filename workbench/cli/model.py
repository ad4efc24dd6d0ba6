"""`workbench model`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from workbench.cli.console import print_json, print_table
from workbench.core.files import whole_file
from workbench.core.workspace import check_name
from workbench.core.yaml_files import read_yaml
from workbench.models.export import DIALECTS
from workbench.models.tracking import list_models, model_card, promote
from workbench.runs.pipeline import gates_path, rescore_champion


@click.group()
def model() -> None:
    """List, show, promote and export registered models, and take out their bins."""


@model.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
@click.pass_obj
def list_(workspace: Any, as_json: bool) -> None:
    """List every registered version.

    Example: workbench model list
    """
    models = list_models(tracking_uri=workspace().mlflow_uri)
    if as_json:
        print_json(models.to_dict("records"))
    else:
        print_table(models)


@model.command()
@click.argument("ref")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
@click.pass_obj
def show(workspace: Any, ref: str, as_json: bool) -> None:
    """Print the card of a model: REF is NAME (its champion), NAME@alias or NAME@version.

    Example: workbench model show demo_scorecard
    """
    card = model_card(ref, tracking_uri=workspace().mlflow_uri)
    if as_json:
        print_json(card)
        return
    for name, value in card.items():
        if isinstance(value, dict):
            click.echo(f"{name}:")
            for key, inner in value.items():
                click.echo(f"  {key}: {inner:.6g}" if isinstance(inner, float) else f"  {key}: {inner}")
        else:
            click.echo(f"{name}: {value}")


@model.command(name="promote")
@click.argument("ref")
@click.option("--override", metavar="REASON", help="Pass over failed gates for this reason, which is recorded.")
@click.option("--author", help="Who says so; needed with --override.")
@click.option("--json", "as_json", is_flag=True, help="Print for a program.")
@click.pass_obj
def promote_(workspace: Any, ref: str, override: str | None, author: str | None, as_json: bool) -> None:
    """Make a version champion, if it passes the gates of params/gates.yaml. REF: NAME (its candidate), or NAME@version.

    Example: workbench model promote demo_scorecard
    """
    opened = workspace()
    results = promote(
        ref,
        gates=read_yaml(gates_path(opened)),
        override=override,
        author=author,
        tracking_uri=opened.mlflow_uri,
        promoted_at=datetime.now(UTC),
    )
    days = rescore_champion(opened, ref.partition("@")[0])
    if as_json:
        print_json([result._asdict() for result in results])
        return
    for result in results:
        click.echo(str(result))
    passed_over = f" by override of {author}" if override and not all(result.passed for result in results) else ""
    click.echo(f"{ref}: champion{passed_over}" + (f"; history scored again at {len(days)} dates" if days else ""))


@model.command(name="bins")
@click.argument("ref")
@click.option("--save", "name", required=True, metavar="NAME", help="The new file: params/bins/NAME.yaml.")
@click.pass_obj
def bins_(workspace: Any, ref: str, name: str) -> None:
    """Write a scorecard's bins as a file to edit and fit with. REF: NAME (its champion, else candidate), or NAME@version.

    Example: workbench model bins demo_scorecard --save demo
    """
    from workbench.models.bin_files import bins_text, save_bins
    from workbench.models.scoring import load_scorecard

    opened = workspace()
    check_name("bins", name)
    scorecard, version, _standing = load_scorecard(opened, ref)
    path = opened.params / "bins" / f"{name}.yaml"
    text = bins_text(
        [variable.bins for variable in scorecard.variables],
        name=str(version),
        free=scorecard.provenance.get("free_order"),
    )
    save_bins(path, text)
    click.echo(f"{path}: the bins of {len(scorecard.variables)} variables of {version}")


@model.command(name="export")
@click.argument("ref")
@click.option(
    "--format", "form", required=True, type=click.Choice(["json", "sql", "python", "pmml"]), help="What to write."
)
@click.option("--dialect", default="duckdb", show_default=True, help="Of the SQL: " + ", ".join(DIALECTS) + ".")
@click.option("--table", default="input", show_default=True, help="The table that the SQL reads.")
@click.option("--id", "ids", multiple=True, metavar="COLUMN", help="Column that the SQL hands on. Repeatable.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File; by default it is printed.")
@click.pass_obj
def export_(
    workspace: Any, ref: str, form: str, dialect: str, table: str, ids: tuple[str, ...], output: Path | None
) -> None:
    """Write a scorecard as data, one query, PMML, or one Python file.

    REF: NAME (its champion, else candidate), or NAME@version. The Python file needs no package.

    Example: workbench model export demo_scorecard --format sql --dialect postgres --id customer_id
    """
    from workbench.models.export.pmml import scorecard_pmml
    from workbench.models.export.python import scorecard_python
    from workbench.models.export.sql import scorecard_sql
    from workbench.models.scoring import load_scorecard

    scorecard, version, standing = load_scorecard(workspace(), ref)
    if "@" not in ref and standing != "champion":
        click.echo(f"warning: {version} is a {standing}", err=True)
    if form == "sql":
        text = scorecard_sql(scorecard, dialect=dialect, table=table, ids=ids, version=version.version) + ";\n"
    elif form == "python":
        text = scorecard_python(scorecard, version=version.version)
    elif form == "pmml":
        text = scorecard_pmml(scorecard, version=version.version)
    else:
        text = scorecard.to_json() + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    with whole_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    click.echo(f"{output}: {version.name} version {version.version} as {dialect if form == 'sql' else form}")
