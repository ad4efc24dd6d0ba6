"""`workbench model` and `workbench score`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pandas as pd

from workbench.cli.console import print_json, print_table
from workbench.core.errors import InputError, ModelError
from workbench.core.files import whole_file
from workbench.core.workspace import check_name
from workbench.core.yaml_files import read_yaml
from workbench.models.tracking import list_models, model_card, promote
from workbench.runs.pipeline import gates_path, rescore_champion


@click.group()
def model() -> None:
    """List, show and promote registered models, and take out their bins."""


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


@click.command()
@click.option("--model", "ref", required=True, help="NAME (its champion), NAME@alias or NAME@version.")
@click.option("--input", "source", required=True, type=click.Path(path_type=Path), help="A .parquet or .csv file.")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A .parquet or .csv file."
)
@click.pass_obj
def score(workspace: Any, ref: str, source: Path, output: Path) -> None:
    """Score the rows of a file: ids, score, PD and its window, grade, reasons and the model's version.

    Example: workbench score --model demo_scorecard --input panel.parquet --output scores.csv
    """
    from workbench.models.scoring import id_columns, load_scorecard, read_rows

    if output.suffix not in {".parquet", ".csv"}:
        raise InputError(f"{output}: expected a name ending in .parquet or .csv.")
    scorecard, version, standing = load_scorecard(workspace(), ref)
    if "@" not in ref and standing != "champion":
        raise ModelError(f"{ref} has no champion yet. Promote one, or score with --model {ref}@candidate.")
    rows = read_rows(source, scorecard)
    scored = scorecard.score(rows)
    ids = rows[[name for name in id_columns(scorecard) if name in rows.columns]]
    if taken := sorted({*scored.columns, "pd_window", "model", "version"} & set(ids)):
        raise InputError(
            f"{source}: the id {taken[0]!r} is the name of a column of the scores. Rename it in the input."
        )
    result = pd.concat([ids, scored], axis=1).assign(model=version.name, version=version.version)
    result.insert(list(result.columns).index("pd") + 1, "pd_window", scorecard.window)
    with whole_file(output) as temporary:
        if output.suffix == ".parquet":
            result.to_parquet(temporary, index=False)
        else:
            for column in ("reason_codes", "reasons"):
                result[column] = result[column].str.join("; ")
            result.to_csv(temporary, index=False, lineterminator="\n")
    click.echo(
        f"{output}: {len(result):,} rows scored by {version.name} version {version.version}; "
        f"window of the PD: {scorecard.window}"
    )
