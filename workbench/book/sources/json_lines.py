"""Files of one JSON object a line as a view: a column for each member that any line has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from workbench.book.mapping import Source
from workbench.book.sources.opened import (
    FILE_COLUMN,
    Opened,
    delivered_name,
    listed,
    literal,
    looked_through,
    quoted,
)
from workbench.book.sources.text_files import EXCERPT, RejectedLine
from workbench.core.errors import BookError

_LONG = (
    r"(^|[\[ ])-?\d{16,}($|[,\]])"  # DOUBLE is exact to 15 digits; a longer whole number is an id: it stays what it is
)


def open_jsonl(
    connection: duckdb.DuckDBPyConnection,
    opened: Opened,
    paths: Sequence[Path],
    source: Source,
    staging: Path,
    *,
    known: str,
) -> None:
    """Look the delivered files through, and make them the view of a source as `open_json_lines` does."""
    files, opened.lines = [], 0
    for number, path in enumerate(paths):
        files.append(looked_through(opened, path, source, staging / f"{opened.name}-{number}", newline_only=True))
        opened.lines += files[-1].facts.lines
    _open(connection, opened, [file.path for file in files], delivered_name(files), known)


def open_json_lines(
    connection: duckdb.DuckDBPyConnection, opened: Opened, paths: Sequence[Path], *, known: str = ""
) -> None:
    """Make files of one JSON object a line the view of a source; lines that are no object are noted as rejected.

    `known` is the structure that an earlier delivery had: what this one happens to lack is null. A member with whole
    numbers that no number type holds exactly is text.

    Raises
    ------
    BookError
        If no line is an object, or two members differ in upper and lower case alone.
    """
    _open(connection, opened, paths, FILE_COLUMN, known)


def _open(
    connection: duckdb.DuckDBPyConnection, opened: Opened, paths: Sequence[Path], delivered: str, known: str
) -> None:
    lines = (
        f"read_csv({listed(paths)}, columns = {{'line': 'VARCHAR'}}, auto_detect = false, header = false, delim = '\x01', "
        f"quote = '', escape = '', new_line = '\\n', {opened.rejects_options}, filename = '{FILE_COLUMN}')"
    )
    good = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"  # AND would evaluate both
    bad = connection.execute(
        f"SELECT {delivered}, line[:{EXCERPT}] FROM {lines} WHERE line IS NOT NULL AND NOT {good}"
    ).fetchall()
    opened.rejected += [RejectedLine(Path(file).name, 0, "is no JSON object", text) for file, text in bad]
    if opened.lines is not None:
        blank = connection.execute(f"SELECT count(*) FROM {lines} WHERE line IS NULL").fetchall()[0][0]
        opened.lines -= blank
    line = f"CASE WHEN {good} THEN line END" if bad else "line"  # a filter may be evaluated after what it guards
    each, sets = (delivered, "GROUPING SETS ((), (file))") if len(paths) > 1 else ("NULL", "file")
    found = connection.execute(  # one line for each way in which lines are built: all together, DuckDB holds them in memory
        f"SELECT file, (json_structure(to_json(list(line::JSON ORDER BY line))) -> 0)::VARCHAR FROM (SELECT file, min(line) "
        f"AS line FROM (SELECT {each} AS file, {line} AS line FROM {lines} WHERE {good}) "
        f"GROUP BY file, json_structure(line::JSON)) GROUP BY {sets}"
    ).fetchall()
    whole = next((structure for file, structure in found if file is None), None)
    if whole is None and not known:
        raise BookError(f"sources.{opened.name}: no line of {', '.join(path.name for path in paths)} is a JSON object.")
    opened.note_lacking({Path(file): json.loads(structure) for file, structure in found if file is not None})
    merged = _merged(json.loads(known or "{}"), json.loads(whole or "{}"))
    opened.structure = json.dumps(_exact(connection, f"({line})::JSON", f"{lines} WHERE {good}", merged))
    try:
        connection.execute(
            f"CREATE VIEW {quoted(opened.name)} AS "
            f"SELECT unnest(from_json({line}, {literal(opened.structure)})) FROM {lines} WHERE {good}"
        )
    except duckdb.Error as error:
        raise BookError(
            f"sources.{opened.name}: the members of its objects cannot be columns, perhaps because two names differ in upper "
            f"and lower case alone: {type(error).__name__}. Mend the export."
        ) from None


def _merged(known: Any, found: Any) -> Any:
    """Return the JSON structure with all members of both; where they differ, the one that is found now."""
    if isinstance(known, dict) and isinstance(found, dict):
        return {name: _merged(known.get(name), found.get(name)) for name in {**known, **found}}
    kept = known if found in (None, "NULL") else found
    if isinstance(kept, list):
        return [_merged(None, kept[0])]
    if isinstance(kept, dict):
        return {name: _merged(None, value) for name, value in kept.items()}
    return "VARCHAR" if kept in (None, "NULL") else kept


def _exact(connection: duckdb.DuckDBPyConnection, line: str, rows: str, structure: Any) -> Any:
    """Return the structure with text for members that are to be DOUBLE, but hold whole numbers too long for it."""
    paths = list(_doubles(structure))
    if not paths:
        return structure
    tests = ", ".join(
        f"coalesce(bool_or(regexp_matches(({line}->{literal(path)})::VARCHAR, {literal(_LONG)})), false)"
        for path in paths
    )
    inexact = connection.execute(f"SELECT {tests} FROM {rows}").fetchall()[0]
    return _as_text(structure, {path for path, is_inexact in zip(paths, inexact, strict=True) if is_inexact})


def _doubles(structure: Any, path: str = "$") -> Iterator[str]:
    if isinstance(structure, dict):
        for name, inner in structure.items():
            yield from _doubles(inner, _member(path, name))
    elif isinstance(structure, list):
        yield from _doubles(structure[0], f"{path}[*]")
    elif structure == "DOUBLE":
        yield path


def _as_text(structure: Any, texts: set[str], path: str = "$") -> Any:
    if isinstance(structure, dict):
        return {name: _as_text(inner, texts, _member(path, name)) for name, inner in structure.items()}
    if isinstance(structure, list):
        return [_as_text(structure[0], texts, f"{path}[*]")]
    return "VARCHAR" if path in texts else structure


def _member(path: str, name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{path}."{escaped}"'
