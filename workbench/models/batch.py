"""Scores of files and tables larger than memory: read in blocks, scored, written whole or not at all."""

from __future__ import annotations

import base64
import csv
import glob
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from workbench.core.errors import InputError, ModelError, unknown
from workbench.core.files import whole_file
from workbench.models.bins import Bins
from workbench.models.kernel import score_columns
from workbench.models.scorecard import Scorecard
from workbench.models.scoring import id_columns, text_inputs
from workbench.models.stability import index_of_counts
from workbench.models.table_file import csv_blocks, csv_layout, plain
from workbench.models.tracking import ModelVersion

BLOCK_ROWS = 262_144
FEW_WORDS = pa.dictionary(pa.int8(), pa.string())
"""Of words that are the same in many rows: written as codes, and read again as text."""
SCORE_FIELDS = {
    "score": pa.float64(),
    "pd": pa.float64(),
    "pd_window": FEW_WORDS,
    "grade": FEW_WORDS,
    "reason_codes": pa.list_(pa.string()),
    "reasons": pa.list_(pa.string()),
    "model": FEW_WORDS,
    "version": FEW_WORDS,
}
Told = Callable[[int], None]


class Limits(BaseModel):
    """What an input may differ by from the development sample before `workbench score` says so: `params/scoring.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_missing_rise: float = Field(ge=0, le=1)
    max_unseen: float = Field(ge=0, le=1)
    max_csi: float = Field(gt=0)
    min_rows: int = Field(ge=1)


@dataclass
class Seen:
    """How many rows there were, and how many under each code of each variable; no counts where an engine scored."""

    rows: int = 0
    counts: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def add(self, rows: int, counts: list[npt.NDArray[np.int64]]) -> None:
        """Count one more block."""
        self.rows += rows
        self.counts = [a + b for a, b in zip(self.counts, counts, strict=True)] if self.counts else counts


def input_files(pattern: str) -> list[Path]:
    """Return the files that a path or a pattern such as `rows/*.parquet` names, sorted.

    Raises
    ------
    InputError
        None, several kinds, or another kind than .parquet and .csv.
    """
    matching = glob.glob(pattern, recursive=True)  # noqa: PTH207 - a pattern may be absolute
    found = [Path(pattern)] if Path(pattern).exists() else sorted(map(Path, matching))
    if not found:
        raise InputError(f"{pattern}: no such file.")
    kinds = {path.suffix for path in found}
    if not kinds <= {".parquet", ".csv"} or len(kinds) > 1:
        raise InputError(
            f"{pattern}: found {', '.join(sorted(kinds)) or 'no suffix'}, expected .parquet or .csv, one kind."
        )
    return found


def score_files(
    scorecard: Scorecard,
    version: ModelVersion,
    paths: Iterable[Path],
    *,
    ids: Sequence[str] = (),
    reasons: bool = True,
    threads: int = 1,
    seen: Seen,
    told: Told = lambda _rows: None,
) -> Iterator[pa.Table]:
    """Score files block by block by the kernel; each block is a table of ids and `SCORE_FIELDS`.

    `ids` come back beside those of `scoring.id_columns`, and must be there.

    Raises
    ------
    InputError, ModelError, SampleError
        A file that cannot be read, a missing column, text where numbers belong, an id named like a score.
    """
    for path in paths:
        rows = 0
        try:
            for block in read_blocks(path, scorecard, ids):
                columns = block.select(list(scorecard.inputs)).to_pandas(strings_to_categorical=True, split_blocks=True)
                found = score_columns(scorecard, scorecard.columns(columns), rows=len(block), threads=threads)
                letters = pa.array([letter for letter, _ in scorecard.grades])
                values: dict[str, Any] = {
                    "score": found.score,
                    "pd": found.pd,
                    "grade": pa.DictionaryArray.from_arrays(found.grade, letters),
                }
                if reasons:
                    values["reason_codes"], values["reasons"] = scorecard.reasons(columns)
                yield as_scores(block, values, scorecard, version, ids)
                seen.add(len(block), found.counts)
                rows += len(block)
                told(seen.rows)
        except ModelError as error:
            raise ModelError(f"{path}, after {rows:,} rows: {error}") from error


def read_blocks(path: Path, scorecard: Scorecard, ids: Sequence[str] = ()) -> Iterator[pa.Table]:
    """Return the ids and the inputs of a file's rows, block by block; raises as `score_files` does."""
    every_id = id_columns(scorecard, ids)
    wanted = list(dict.fromkeys([*every_id, *scorecard.inputs]))
    if path.suffix == ".csv":
        words = [*every_id, *text_inputs(scorecard)]
        for frame in csv_blocks(path, csv_layout(scorecard.provenance), text=words, rows=BLOCK_ROWS):
            check_ids(ids, [str(name) for name in frame])
            scorecard.columns(frame)
            yield pa.Table.from_pandas(frame[[name for name in wanted if name in frame]], preserve_index=False)
        return
    nothing = empty_rows(path, scorecard, ids)
    there = [name for name in wanted if name in nothing.column_names]
    with _readable(path), pq.ParquetFile(path) as file:
        yield _as_read(nothing.select(there), scorecard)  # a file without rows has scores without rows
        for group in range(file.num_row_groups):  # one by one: a reader of all keeps what it has read until its end
            for batch in file.iter_batches(BLOCK_ROWS, row_groups=[group], columns=there, use_threads=False):
                yield _as_read(pa.Table.from_batches([batch]), scorecard)


def empty_rows(path: Path, scorecard: Scorecard, ids: Sequence[str] = ()) -> pa.Table:
    """Return a parquet file's columns without its rows.

    Raises
    ------
    InputError, ModelError
        It cannot be read, a column is missing or there twice, or has a type that cannot be scored.
    """
    with _readable(path):
        nothing: pa.Table = pq.read_schema(path).empty_table()
    check_ids(ids, nothing.column_names)
    if twice := [name for name in id_columns(scorecard, ids) if nothing.column_names.count(name) > 1]:
        raise InputError(f"{path}: two columns are named {twice[0]!r}. Rename or remove one.")
    scorecard.columns(pd.DataFrame(columns=nothing.column_names))
    once = nothing.select([i for i, name in enumerate(nothing.column_names) if name in scorecard.inputs])
    score_columns(scorecard, scorecard.columns(plain(once).to_pandas()), rows=0)
    for name in text_inputs(scorecard):
        kind = nothing.schema.field(name).type
        if pa.types.is_nested(kind) or "binary" in str(kind):
            raise ModelError(f"{name}: {kind} where text belongs. Write the column as text.")
    return nothing


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read as parquet: {error}") from error


def check_ids(ids: Iterable[str], names: Sequence[str]) -> None:
    """Raise `InputError` for an id that is no column."""
    for name in ids:
        if name not in names:
            raise InputError(f"--id: {unknown('column', name, names)}")


def _as_read(table: pa.Table, scorecard: Scorecard) -> pa.Table:
    """Return `plain` inputs, and whole numbers that are categories as text (nulls would make them floats); ids as they are."""
    table = plain(table, exact=set(table.column_names) - set(scorecard.inputs))
    for name in text_inputs(scorecard):
        if pa.types.is_integer(table.schema.field(name).type):
            place = table.column_names.index(name)
            table = table.set_column(place, name, table.column(place).cast(pa.string()))
    return table


def as_scores(
    block: pa.Table,
    values: Mapping[str, Any],
    scorecard: Scorecard,
    version: ModelVersion,
    more_ids: Sequence[str] = (),
) -> pa.Table:
    """Return a table of the block's ids and those of `SCORE_FIELDS` that are given or known."""
    ids = [name for name in id_columns(scorecard, more_ids) if name in block.column_names]
    if taken := sorted(set(SCORE_FIELDS) & set(ids)):
        raise InputError(f"the id {taken[0]!r} is the name of a column of the scores. Rename it in the input.")
    constant = {"pd_window": scorecard.window, "model": version.name, "version": version.version}
    columns = {name: block.column(name) for name in ids}
    for name, kind in SCORE_FIELDS.items():
        if name in values:
            columns[name] = pa.array(values[name]).cast(kind)
        elif name in constant:
            same = np.zeros(len(block), np.int8)
            columns[name] = pa.DictionaryArray.from_arrays(same, pa.array([constant[name]], pa.string()))
    return pa.table(columns)


@contextmanager
def _written(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error}") from error


def write_scores(tables: Iterable[pa.Table], output: Path) -> None:
    """Write blocks of scores as .parquet or .csv, whole or not at all; lists are joined by "; " in a CSV.

    Raises
    ------
    InputError
        Nothing can be written there, or blocks differ in their ids.
    """
    with _written(output), whole_file(output) as temporary, ExitStack() as ends:
        writer: Any = None
        first: pa.Table | None = None
        for table in tables:
            if output.suffix == ".csv":
                frame = table.to_pandas(integer_object_nulls=True)  # else long ids beside a missing one lose their end
                for column in {"reason_codes", "reasons"} & set(frame):
                    frame[column] = frame[column].map(lambda said: None if said is None else "; ".join(said))
                writer = writer or ends.enter_context(temporary.open("w", encoding="utf-8", newline=""))
                _same_ids(first := table.schema.empty_table() if first is None else first, table, kinds=False)
                frame.to_csv(
                    writer, index=False, header=not writer.tell(), lineterminator="\n", quoting=csv.QUOTE_MINIMAL
                )
                continue
            if writer is None:
                words = [about.name for about in table.schema if not pa.types.is_floating(about.type)]
                ids = [name for name in words if name not in SCORE_FIELDS]
                options = {"use_dictionary": words, "write_statistics": ids, "store_schema": False}
                writer = ends.enter_context(pq.ParquetWriter(temporary, table.schema, **options))
                as_text = [about.with_type(pa.string()) if about.type == FEW_WORDS else about for about in table.schema]
                stored = base64.b64encode(pa.schema(as_text).serialize())
                writer.add_key_value_metadata({"ARROW:schema": stored.decode()})  # where readers find Arrow's types
            _same_ids(writer.schema.empty_table(), table, kinds=True)
            writer.write_table(table)


def _same_ids(first: pa.Table, table: pa.Table, *, kinds: bool) -> None:
    if first.schema != table.schema if kinds else first.column_names != table.column_names:
        raise InputError(
            f"the files differ in their ids: first {_ids(first.schema)}, then {_ids(table.schema)}. Score them apart."
        )


def _ids(schema: pa.Schema) -> str:
    return ", ".join(f"{about.name} ({about.type})" for about in schema if about.name not in SCORE_FIELDS) or "none"


def strange_input(scorecard: Scorecard, seen: Seen, limits: Limits) -> list[str]:
    """Return what is far from the development sample, a sentence each; nothing for fewer rows than `limits.min_rows`.

    More missing values, categories never seen, and a distribution over the bins of known values whose stability index says
    that it is hardly the same variable, as with other units.
    """
    found: list[str] = []
    if not seen.counts or seen.rows < limits.min_rows:
        return found
    for variable, counts in zip(scorecard.variables, seen.counts, strict=True):
        bins = variable.bins
        then = np.asarray(bins.goods, dtype=np.float64) + np.asarray(bins.bads)
        was, now = then[bins.missing_code] / then.sum(), counts[bins.missing_code] / seen.rows
        if now - was > limits.max_missing_rise:
            found.append(f"{bins.name}: missing in {now:.0%} of the rows, {was:.0%} in development.")
        if bins.categorical and (unseen := counts[bins.missing_code + 1]) > limits.max_unseen * seen.rows:
            found.append(f"{bins.name}: {unseen:,} of {seen.rows:,} rows hold a category that development never saw.")
        found += _moved(bins, then, counts, limits)
    return found


def _moved(bins: Bins, then: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], limits: Limits) -> list[str]:
    known = slice(0, bins.missing_code)
    old, new = then[known], np.asarray(counts[known], dtype=np.float64)
    if not (old.sum() and new.sum() >= limits.min_rows):
        return []
    csi = float(index_of_counts(old, new).sum())
    if csi <= limits.max_csi:
        return []
    most = int(np.argmax(new / new.sum() - old / old.sum()))
    shares = f"{new[most] / new.sum():.0%} of the known values, {old[most] / old.sum():.0%} in development"
    return [f"{bins.name}: {bins.names[most]!r} holds {shares} (CSI {csi:.1f}): other units, or another population?"]
