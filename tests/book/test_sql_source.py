"""SQL sources: a table or a query of PostgreSQL, SQLite or DuckDB becomes one parquet file."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError

from workbench.book.loading.load import import_book
from workbench.book.sources import sql
from workbench.book.sources.sql import SqlFacts, SqlSource, fetch_sql
from workbench.book.store import current_generation, table_files
from workbench.core.errors import BookError, ParameterError
from workbench.core.workspace import Workspace

from ..database import Database

NUMBERS = itertools.count(1)
COLUMNS = "id text, amount numeric(12, 3), seen timestamptz, day date, code uuid, many bigint, open boolean"
ROWS = [
    "('007', 12.500, '2024-01-01 08:00+08', '2024-02-29', 'c9bf9e57-1685-4c89-bafb-ff5af830be8a', 9007199254740993, true)",
    "(NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
]
SECRET = "s3cr3t-pw"
PRIVATE = "850101-1234 O'Brien"


@pytest.fixture
def table(database: Database) -> str:
    """Return a table with ids that look like numbers, decimals, instants with a zone and a row of nulls."""
    name = f"source{next(NUMBERS)}"
    database.run(f"CREATE TABLE {name} ({COLUMNS})", f"INSERT INTO {name} VALUES {', '.join(ROWS)}")
    return name


def fetched(source: SqlSource, folder: Path, **environment: str) -> tuple[SqlFacts, pa.Table]:
    out = folder / "out.parquet"
    facts = fetch_sql(source, out=out, root=folder, environment=environment)
    return facts, pq.read_table(out)


# --- PostgreSQL --------------------------------------------------------------------------------------------------------


def test_types_survive(database: Database, table: str, tmp_path: Path) -> None:
    facts, found = fetched(SqlSource(url=database.url(), table=table), tmp_path)
    assert facts == SqlFacts(rows=2)
    assert found.schema.field("amount").type == pa.decimal128(12, 3)
    assert found.schema.field("seen").type == pa.timestamp("us", tz="UTC")
    assert found.to_pylist() == [
        {
            "id": "007", "amount": Decimal("12.500"), "seen": datetime(2024, 1, 1, tzinfo=UTC), "day": date(2024, 2, 29),
            "code": "c9bf9e57-1685-4c89-bafb-ff5af830be8a", "many": 9007199254740993, "open": True,
        },
        dict.fromkeys(found.column_names),
    ]  # fmt: skip


def test_a_query_and_an_address_behind_a_reference(database: Database, table: str, tmp_path: Path) -> None:
    source = SqlSource(url="env:CRM_URL", query=f"SELECT id, amount * 2 AS twice FROM {table} WHERE id IS NOT NULL;")
    facts, found = fetched(source, tmp_path, CRM_URL=database.url())
    assert facts.rows == 1
    assert found.to_pylist() == [{"id": "007", "twice": Decimal("25.000")}]


def test_an_empty_result_keeps_its_columns(database: Database, table: str, tmp_path: Path) -> None:
    facts, found = fetched(SqlSource(url=database.url(), query=f"SELECT * FROM {table} WHERE id = 'none'"), tmp_path)
    assert facts.rows == 0
    assert found.column_names == "id amount seen day code many open".split()


def test_rows_come_in_batches(database: Database, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "BATCH_ROWS", 100)
    query = f"SELECT {table}.id, n FROM generate_series(1, 250) AS n CROSS JOIN {table}"
    facts, _found = fetched(SqlSource(url=database.url(), query=query), tmp_path)
    assert facts.rows == 500
    assert pq.ParquetFile(tmp_path / "out.parquet").metadata.num_row_groups == 5


def test_a_schema_and_its_table(database: Database, table: str, tmp_path: Path) -> None:
    database.run(f"CREATE SCHEMA of_{table}", f"CREATE TABLE of_{table}.{table} AS SELECT 1 AS one")
    facts, found = fetched(SqlSource(url=database.url(), table=table, schema=f"of_{table}"), tmp_path)
    assert (facts.rows, found.to_pylist()) == (1, [{"one": 1}])


def test_the_session_cannot_write(database: Database, table: str, tmp_path: Path) -> None:
    database.run(
        f"CREATE FUNCTION drain_{table}() RETURNS int LANGUAGE sql AS 'DELETE FROM {table} RETURNING 1'",
    )
    with pytest.raises(BookError, match="read-only transaction"):
        fetched(SqlSource(url=database.url(), query=f"SELECT drain_{table}() AS gone"), tmp_path)
    with database.connect() as connection:
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (2,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": "sourse"}, "unknown table 'sourse'"),
        ({"table": "x", "schema": "publik"}, "unknown schema 'publik'. Did you mean 'public'"),
        ({"query": "SELECT nope FROM pg_class"}, 'column "nope" does not exist'),
        ({"query": "SELECT 1/0 AS q"}, "division by zero"),
        ({"query": "DELETE FROM pg_class"}, "syntax error"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    options: dict[str, str], message: str, database: Database, tmp_path: Path
) -> None:
    with pytest.raises(BookError) as found:
        fetched(SqlSource(url=database.url(), **options), tmp_path)
    assert message in str(found.value)
    assert "\n" not in str(found.value)


def test_a_wrong_password_is_not_repeated(database: Database, table: str, tmp_path: Path) -> None:
    database.run(f"CREATE ROLE locked_{table} LOGIN PASSWORD 'another'")
    database.ask_for_passwords_of(f"locked_{table}")
    url = f"postgresql://locked_{table}:{SECRET}@/postgres?host={database.socket}"
    with pytest.raises(BookError, match="password authentication failed") as found:
        fetched(SqlSource(url="env:CRM_URL", table=table), tmp_path, CRM_URL=url)
    assert SECRET not in str(found.value)
    for broken in (f"postgresql://me:{SECRET}@[host/x", f"postgresql://me:{SECRET}@127.0.0.1:port/x", SECRET):
        with pytest.raises((BookError, ParameterError), match=r"^env:CRM_URL: ") as found:
            fetched(SqlSource(url="env:CRM_URL", table=table), tmp_path, CRM_URL=broken)
        assert SECRET not in str(found.value)


# --- files of SQLite and DuckDB ----------------------------------------------------------------------------------------


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    path = tmp_path / "crm.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE loans (id TEXT, amount DECIMAL(12, 2), opened DATE, seen TIMESTAMP, n INTEGER, "
            "ratio REAL, open BOOLEAN)"
        )
        connection.executemany(
            "INSERT INTO loans VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                ("007", 12.345, "2024-02-29", "2024-01-01 08:00:00", 7, 0.5, 1),
                (None, "3.10", None, None, None, None, None),
            ],
        )
    connection.close()
    return path


def test_sqlite_is_read_in_batches_and_what_it_has_no_type_for_is_text(
    sqlite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "BATCH_ROWS", 1)
    for url in ("sqlite://crm.db", f"sqlite://{sqlite_file}"):
        facts, found = fetched(SqlSource(url=url, table="loans"), tmp_path)
        assert facts.rows == 2
        first, second = found.to_pylist()
        assert first == {
            "id": "007", "amount": "12.345", "opened": "2024-02-29", "seen": "2024-01-01 08:00:00", "n": 7, "ratio": 0.5,
            "open": True,
        }  # fmt: skip
        assert second == {**dict.fromkeys(first), "amount": "3.1"}


def test_a_sqlite_value_that_is_not_of_its_type_names_the_column_but_not_the_value(
    sqlite_file: Path, tmp_path: Path
) -> None:
    with sqlite3.connect(sqlite_file) as connection:
        connection.execute("INSERT INTO loans (id, n) VALUES ('8', ?)", [PRIVATE])
    connection.close()
    with pytest.raises(BookError, match="column 'n': found a value that is no int64") as found:
        fetched(SqlSource(url="sqlite://crm.db", table="loans"), tmp_path)
    assert PRIVATE not in str(found.value)


def test_duckdb_is_opened_read_only(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "crm.duckdb") as connection:
        connection.execute("CREATE TABLE t AS SELECT '007' AS id, 1.50::DECIMAL(18, 2) AS amount")
        connection.execute("ALTER TABLE t ADD COLUMN seen TIMESTAMPTZ DEFAULT '2024-01-01 08:00:00+08'")
    facts, found = fetched(SqlSource(url="duckdb://crm.duckdb", query="SELECT * FROM t"), tmp_path)
    assert facts.rows == 1
    assert found.to_pylist() == [{"id": "007", "amount": Decimal("1.50"), "seen": datetime(2024, 1, 1, tzinfo=UTC)}]
    with pytest.raises(BookError):
        fetched(SqlSource(url="duckdb://crm.duckdb", query="DROP TABLE t"), tmp_path)


def test_a_duckdb_table_and_its_schema(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "crm.duckdb") as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS one")
        connection.execute("CREATE SCHEMA old")
        connection.execute("CREATE TABLE old.u AS SELECT 2 AS two")
    assert fetched(SqlSource(url="duckdb://crm.duckdb", table="t"), tmp_path)[1].to_pylist() == [{"one": 1}]
    found = fetched(SqlSource(url="duckdb://crm.duckdb", table="u", schema="old"), tmp_path)[1]
    assert found.to_pylist() == [{"two": 2}]
    for options, message in (
        ({"table": "tt"}, r"unknown table 'tt'. Did you mean 't'"),
        ({"table": "u", "schema": "olt"}, r"unknown schema 'olt'. Did you mean 'old'"),
    ):
        with pytest.raises(BookError, match=message):
            fetched(SqlSource(url="duckdb://crm.duckdb", **options), tmp_path)


def test_a_value_that_cannot_be_cast_is_not_repeated(database: Database, table: str, tmp_path: Path) -> None:
    database.run(f"CREATE TABLE of_{table} AS SELECT '850101-1234 O''Brien' AS nid, '850101123412' AS digits")
    with duckdb.connect(tmp_path / "crm.duckdb") as connection:
        connection.execute("CREATE TABLE p AS SELECT '850101-1234 O''Brien' AS nid, 850101123412 AS digits")
    for url, name in ((database.url(), f"of_{table}"), ("duckdb://crm.duckdb", "p")):
        for column, kind in (("nid", "bigint"), ("digits", "integer"), ("nid", "timestamp")):
            with pytest.raises(BookError) as found:
                fetched(SqlSource(url=url, query=f"SELECT CAST({column} AS {kind}) AS x FROM {name}"), tmp_path)
            assert str(found.value).startswith(url.partition("?")[0])
            assert not re.search("850101|Brien", str(found.value))


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_file_that_is_missing_or_no_database(kind: str, tmp_path: Path) -> None:
    with pytest.raises(BookError, match="no such file"):
        fetched(SqlSource(url=f"{kind}://none.db", table="t"), tmp_path)
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "text.db").write_text("no database, but long enough to look like one\n" * 40)
    with pytest.raises(BookError, match=f"{kind}://text.db: "):
        fetched(SqlSource(url=f"{kind}://text.db", table="t"), tmp_path)


# --- in a book ---------------------------------------------------------------------------------------------------------

INSTANT, LOCAL = "2024-01-15 12:00:00+00", "2024-01-15 12:00:00"
IN_BERLIN = [datetime(2024, 1, 15, 12), datetime(2024, 1, 15, 11)]  # UTC, as a book keeps it


@pytest.fixture
def book_of(new_workspace: Callable[..., Workspace]) -> Callable[..., list[dict[str, Any]]]:
    """Return a loader of payments from a SQL source into a book in Berlin, as (id, moment, amount) rows."""

    def load(url: str, **files: Callable[[Path], None]) -> list[dict[str, Any]]:
        workspace = new_workspace()
        for name, make in files.items():
            make(workspace.root / name)
        (workspace.root / "people.csv").write_text("id\n1\n", "utf-8")
        (workspace.root / "loans.csv").write_text("id,who,opened\nL1,1,2023-01-01\n", "utf-8")
        since = "DATE '2020-01-01'"
        columns = {"payment_id": "id", "loan_id": "'L1'", "paid_at": "at", "amount": "amount", "kind": "'scheduled'"}
        mapping = {
            "source": "a test", "time_zone": "Europe/Berlin", "currency": "EUR",
            "sources": {
                "people": {"files": "people.csv"}, "loans": {"files": "loans.csv"},
                "pay": {"sql": {"url": url, "table": "pay"}},
            },
            "tables": {
                "customers": {"from": "people", "columns": {"customer_id": "id"}, "known_at": since},
                "loans": {"from": "loans", "columns": {"loan_id": "id", "customer_id": "who", "opened_on": "opened"}},
                "payments": {"from": "pay", "columns": columns},
            },
        }  # fmt: skip
        path = workspace.params / "books" / "berlin.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(mapping), "utf-8")
        import_book(workspace, "berlin", delivered_at=datetime(2024, 5, 1, tzinfo=UTC))
        folder, _manifest = current_generation(workspace, "berlin")
        rows = pa.concat_tables([pq.read_table(file) for file in table_files(folder, "payments")])
        return sorted(rows.select(["payment_id", "paid_at", "amount"]).to_pylist(), key=lambda row: row["payment_id"])

    return load


def test_an_instant_of_postgres_is_not_shifted_and_a_local_time_is_one_of_the_source(
    database: Database, book_of: Callable[..., list[dict[str, Any]]]
) -> None:
    for kind, value, moment in zip(("timestamptz", "timestamp"), (INSTANT, LOCAL), IN_BERLIN, strict=True):
        database.run(
            "DROP TABLE IF EXISTS pay",
            f"CREATE TABLE pay AS SELECT 'P1' AS id, '{value}'::{kind} AS at, 10.00::numeric(18, 2) AS amount",
        )
        assert book_of(database.url()) == [{"payment_id": "P1", "paid_at": moment, "amount": Decimal("10.00")}]
    database.run("DROP TABLE pay")


def test_an_instant_of_duckdb_is_not_shifted(book_of: Callable[..., list[dict[str, Any]]]) -> None:
    for kind, value, moment in zip(("timestamptz", "timestamp"), (INSTANT, LOCAL), IN_BERLIN, strict=True):

        def make(path: Path, kind: str = kind, value: str = value) -> None:
            with duckdb.connect(path) as connection:
                connection.execute(f"CREATE TABLE pay AS SELECT 'P1' AS id, '{value}'::{kind} AS at, 10.00 AS amount")

        found = book_of("duckdb://crm.duckdb", **{"crm.duckdb": make})
        assert found == [{"payment_id": "P1", "paid_at": moment, "amount": Decimal("10.00")}]


def test_sqlite_moments_and_money_are_read_once_and_exactly(book_of: Callable[..., list[dict[str, Any]]]) -> None:
    def make(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE pay (id TEXT, at TIMESTAMP, amount NUMERIC(10))")
            connection.executemany(
                "INSERT INTO pay VALUES (?, ?, ?)", [("P1", INSTANT, 2.345), ("P2", LOCAL, 0.125), ("P3", LOCAL, 12)]
            )
        connection.close()

    found = book_of("sqlite://crm.db", **{"crm.db": make})
    assert [row["paid_at"] for row in found] == [*IN_BERLIN, IN_BERLIN[1]]
    assert [row["amount"] for row in found] == [Decimal("2.35"), Decimal("0.13"), Decimal("12.00")]


# --- the description ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"url": "sqlite://crm.db"}, "exactly one of table and query"),
        ({"url": "sqlite://crm.db", "table": "t", "query": "SELECT 1"}, "exactly one of table and query"),
        ({"url": "sqlite://crm.db", "query": "SELECT 1", "schema": "s"}, "schema goes with table"),
        ({"url": f"postgresql://me:{SECRET}@host/db", "table": "t"}, "found a password in it"),
        ({"url": f"oracle://me:{SECRET}@host/db", "table": "t"}, "found a password in it"),
        ({"url": "mysql://host/db", "table": "t"}, "unknown database 'mysql'"),
        ({"url": "sqlite://crm.db", "table": "t", "tabel": "t"}, "tabel"),
    ],
)
def test_descriptions_are_checked(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as found:
        SqlSource.model_validate(values)
    assert message in str(found.value)
    assert SECRET not in str(found.value)
