"""What the SQLite file of a local registry says, read without MLflow, whose import and store take seconds to open.

Only for reading, and only where the file holds the tables as MLflow 3 has them; else the answer is None, and MLflow is asked.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

_VERSION = """
    select v.name, cast(v.version as text), v.run_id, v.storage_location, t.value
    from model_versions v
    left join model_version_tags t
      on t.workspace = v.workspace and t.name = v.name and t.version = v.version and t.key = 'sha256'
    where v.workspace = 'default' and v.status = 'READY' and v.current_stage <> 'Deleted_Internal'
      and v.name = ? and v.version = ?
"""


class StoredVersion(NamedTuple):
    """One version of a model: where its artefacts lie, and the checksum of its JSON, if it has one."""

    name: str
    version: str
    run_id: str
    location: str
    sha256: str | None


def stored_version(file: Path, name: str, which: str) -> StoredVersion | None:
    """Return the version of a model that an alias or a number names; None where the file does not say."""
    if not which.isdecimal():
        query = "select version from registered_model_aliases where workspace = 'default' and name = ? and alias = ?"
        found = _rows(file, query, (name, which))
        if not found:
            return None
        which = str(found[0][0])
    rows = _rows(file, _VERSION, (name, int(which)))
    return StoredVersion(*rows[0]) if rows and rows[0][3] else None


def stored_aliases(file: Path, name: str) -> set[str] | None:
    """Return the aliases that versions of a model carry; None where the file does not say."""
    query = "select alias from registered_model_aliases where workspace = 'default' and name = ?"
    rows = _rows(file, query, (name,))
    return None if rows is None else {str(alias) for (alias,) in rows}


def _rows(file: Path, query: str, values: tuple[str | int, ...]) -> list[tuple[Any, ...]] | None:
    try:
        with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error:
        return None
