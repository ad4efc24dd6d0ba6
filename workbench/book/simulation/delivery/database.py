"""The core banking tables in a PostgreSQL schema of their own, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from workbench.book.databases import SCHEMES, check_url, open_database, told
from workbench.book.sources.opened import literal, quoted
from workbench.core.errors import BookError, ParameterError

URL_VARIABLE = "CORE_BANKING_URL"
"""Variable whose name the mapping holds where an address was given outright: an address is the machine's, not the mapping's."""
_CHUNK = 1 << 20


def is_reference(url: str) -> bool:
    """Return whether `url` says where an address lies, and is none itself."""
    return url.startswith(("env:", "file:"))


@dataclass(frozen=True)
class CoreSchema:
    """A schema that is being filled.

    Attributes
    ----------
    reference
        What the mapping calls the database: `env:NAME` or `file:PATH` of its address.
    """

    schema: str
    reference: str
    connection: Any

    def fill(
        self, table: str, types: Mapping[str, str], select: str, rows: duckdb.DuckDBPyConnection, scratch: Path
    ) -> None:
        """Make a table of a query's rows; they go through a file at `scratch`, which is removed.

        Parameters
        ----------
        types
            PostgreSQL type of each column of the query, in order.
        """
        columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in types.items())
        place = f"{quoted(self.schema)}.{quoted(table)}"
        rows.execute(f"COPY ({select}) TO {literal(str(scratch))} (FORMAT csv, HEADER false)")
        with told(self.reference), scratch.open("rb") as stream:
            self.connection.execute(f"CREATE TABLE {place} ({columns})")
            with self.connection.cursor().copy(f"COPY {place} FROM STDIN (FORMAT csv)") as copy:
                while chunk := stream.read(_CHUNK):
                    copy.write(chunk)
            self.connection.execute(f"ANALYZE {place}")
        scratch.unlink()

    def source(self, table: str) -> str:
        """Return what the mapping says of a table of the schema."""
        return f'{{sql: {{url: "{self.reference}", schema: {self.schema}, table: {table}}}}}'


@contextmanager
def core_schema(url: str, schema: str, *, root: Path) -> Iterator[CoreSchema]:
    """Yield a new schema within a transaction, which the end of the block commits and an error in it takes back.

    Parameters
    ----------
    url
        `postgresql://user@host/database` without a password, or `env:NAME` or `file:PATH` of a whole address.
    root
        Folder of the workspace, below which a relative `file:PATH` lies.

    Raises
    ------
    ParameterError
        If the address is none of PostgreSQL, or holds a password.
    BookError
        If the database refuses, or the schema holds anything already.
    """
    backend = _open(url, root)
    reference = url if is_reference(url) else f"env:{URL_VARIABLE}"
    try:
        connection = backend.con
        with told(url):
            connection.execute("BEGIN")
            _refuse_what_is_there(connection, url, schema)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
        yield CoreSchema(schema, reference, connection)
        with told(url):
            connection.execute("COMMIT")
    finally:
        backend.disconnect()  # what is not committed goes with the connection


def check_core_schema(url: str, schema: str, *, root: Path) -> None:
    """Refuse an address or a schema that `core_schema` would refuse, and make nothing.

    Raises
    ------
    ParameterError, BookError
        As `core_schema`.
    """
    backend = _open(url, root)
    try:
        with told(url):
            _refuse_what_is_there(backend.con, url, schema)
    finally:
        backend.disconnect()


def _open(url: str, root: Path) -> Any:
    scheme = check_url(url).partition("://")[0]
    if not is_reference(url) and SCHEMES[scheme] != "postgres":
        raise ParameterError(
            f"url: found a database of kind {scheme}, expected postgresql://user@host/database or env:NAME."
        )
    backend = open_database(url, root=root, environment=os.environ)
    if backend.name != "postgres":
        backend.disconnect()
        raise ParameterError(f"{url}: found an address of {backend.name}, expected one of PostgreSQL.")
    return backend


def _refuse_what_is_there(connection: Any, url: str, schema: str) -> None:
    found = connection.execute(
        "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE nspname = %s AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1",
        [schema],
    ).fetchall()
    if found:
        names = ", ".join(row[0] for row in found[:8])
        raise BookError(
            f"{url.partition('?')[0]}: schema {schema} holds {len(found)} tables already ({names}), expected none: nothing was "
            f"written. Remove it with DROP SCHEMA {schema} CASCADE, or simulate under another name."
        )
