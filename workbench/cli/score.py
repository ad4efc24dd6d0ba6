"""`workbench score`: files and tables of any size, whole or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

from workbench.cli.console import print_json
from workbench.core.errors import InputError, ModelError

PROGRESS_SECONDS = 5.0


@click.command()
@click.option("--model", "ref", required=True, help="NAME (its champion), NAME@alias or NAME@version.")
@click.option(
    "--input", "source", metavar="FILE", help="A .parquet or .csv file, or a pattern such as 'rows/*.parquet'."
)
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A .parquet or .csv file."
)
@click.option(
    "--id", "ids", multiple=True, metavar="COLUMN",
    help="Column to hand on, beside customer_id, as_of and the sample's id. Repeatable.",
)  # fmt: skip
@click.option("--no-reasons", is_flag=True, help="Leave out why points were lost: many times faster.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1, 256), help="Threads of the kernel.")
@click.option(
    "--engine", type=click.Choice(["duckdb", "postgres", "sqlite", "spark"]),
    help="Score where the data is, by SQL; reasons are then codes without words.",
)  # fmt: skip
@click.option("--table", help="Of the engine's database, instead of --input.")
@click.option(
    "--url", help="postgresql://user@host/database, duckdb://FILE or sqlite://FILE without a password, or env:NAME."
)
@click.option(
    "--strict", is_flag=True, help="Refuse an input beyond the limits of params/scoring.yaml; else it is told."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result for a program.")
@click.pass_obj
def score(
    workspace: Any,
    ref: str,
    source: str | None,
    output: Path,
    ids: tuple[str, ...],
    no_reasons: bool,
    threads: int,
    engine: str | None,
    table: str | None,
    url: str | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Score rows: ids, score, PD and its window, grade, reasons and the model's version.

    A file is read in blocks, so that it may be larger than memory. Scores of a book's panel are also kept in the book.

    Example: workbench score --model demo_scorecard --input panel.parquet --output scores.csv
    """
    from workbench.core.yaml_files import load_params
    from workbench.models.batch import Limits, Seen, input_files, score_files, strange_input, write_scores
    from workbench.models.engines import score_by_engine
    from workbench.models.scoring import keep_panel_scores, load_scorecard

    if output.suffix not in {".parquet", ".csv"}:
        raise InputError(f"{output}: expected a name ending in .parquet or .csv.")
    if (source is None) == (table is None) or (table is not None and engine is None):
        raise InputError("expected either --input, or --engine with --table.")
    if url and table is None:
        raise InputError("--url is the address of a database: expected --table too.")
    opened = workspace()
    scorecard, version, standing = load_scorecard(opened, ref)
    if "@" not in ref and standing != "champion":
        raise ModelError(f"{ref} has no champion yet. Promote one, or score with --model {ref}@candidate.")
    limits = load_params(Limits, opened.params / "scoring.yaml")
    seen, warnings, next_word = Seen(), [], time.monotonic() + PROGRESS_SECONDS

    def told(rows: int) -> None:
        nonlocal next_word
        if time.monotonic() > next_word and not as_json:
            click.echo(f"  {rows:,} rows", err=True)
            next_word = time.monotonic() + PROGRESS_SECONDS

    def checked(blocks: Any) -> Any:
        nameless = False
        for block in blocks:
            nameless = block.column_names[0] == "score"
            yield block
        warnings.extend(strange_input(scorecard, seen, limits))
        if nameless:
            warnings.append("the scores say nothing of whose they are: hand on an id with --id COLUMN.")
        if strict and warnings:  # before the file gets its name
            raise InputError(
                f"{source or table}: {' '.join(warnings)} Mend the input, or raise the limits of params/scoring.yaml."
            )

    files = input_files(source) if source else []
    if output.exists() and any(output.samefile(file) for file in files):
        raise InputError(f"{output}: the output is an input, which would be lost. Name another file.")
    options: dict[str, Any] = {"ids": ids, "reasons": not no_reasons, "seen": seen, "told": told}
    if engine:
        where = {"files": files, "table": table, "url": url, "root": opened.root, "environment": os.environ}
        blocks = score_by_engine(scorecard, version, engine, **where, **options)
    else:
        blocks = score_files(scorecard, version, files, threads=threads, **options)
    write_scores(checked(blocks), output)
    kept = keep_panel_scores(opened, files[0], output, version) if len(files) == 1 else None
    if as_json:
        print_json({"output": str(output), "rows": seen.rows, "model": version.name, "version": version.version,
                    "window": scorecard.window, "warnings": warnings, "kept_in": kept})  # fmt: skip
        return
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(
        f"{output}: {seen.rows:,} rows scored by {version.name} version {version.version}; "
        f"window of the PD: {scorecard.window}" + (f"; kept in the book {kept}" if kept else "")
    )
