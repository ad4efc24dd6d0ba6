"""Attached books, on a real PostgreSQL server: what is read, what is refused, what is kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from workbench.book.attached import attach_book
from workbench.book.book import Book
from workbench.book.checks import check_book
from workbench.book.simulated import simulate_book
from workbench.core.errors import BookError, ParameterError
from workbench.core.workspace import Workspace
from workbench.indicators.panel import build_panel
from workbench.indicators.stored import panel_path

from ..commands import Finished, typed
from ..database import Database

__all__ = ["typed"]
SECRET = "s3cr3t-pw"
NUMBERS = itertools.count(1)
AS_OF = date(2024, 6, 30)


@pytest.fixture
def schema(database: Database) -> str:
    """Return a schema with one customer, one loan, a due and a payment; other columns than the canonical ones are few."""
    name = f"crm{next(NUMBERS)}"
    database.run(
        f"CREATE SCHEMA {name}",
        f"CREATE TABLE {name}.customers (customer_id text PRIMARY KEY, segment varchar(20), known_at timestamptz, mood text)",
        f"CREATE TABLE {name}.loans (loan_id text, customer_id text, opened_on date, principal numeric, known_at timestamp)",
        f"CREATE TABLE {name}.instalments (loan_id text, schedule_version int, instalment_no smallint, effective_from date, "
        "due_on date, due_amount bigint, known_at timestamptz)",
        f"CREATE TABLE {name}.payments (payment_id text, loan_id text, paid_at timestamptz, amount numeric(12, 2), "
        "kind text, reverses text, known_at timestamptz)",
        f"CREATE TABLE {name}.audit_log (entry text)",
        f"INSERT INTO {name}.customers VALUES ('C1', 'retail', '2024-01-01 00:00+08', 'fine')",
        f"INSERT INTO {name}.loans VALUES ('L1', 'C1', '2024-01-10', 10000, '2024-01-10 01:00')",
        f"INSERT INTO {name}.instalments VALUES ('L1', 1, 1, '2024-01-10', '2024-02-15', 500, '2024-01-10 08:00+08')",
        f"INSERT INTO {name}.payments VALUES "
        "('P1', 'L1', '2024-07-15 23:59+08', 500, 'scheduled', NULL, '2024-07-16 00:30+08')",
    )
    return name


@pytest.fixture
def home(new_workspace: Callable[..., Workspace]) -> Workspace:
    return new_workspace()


def test_tables_are_read_where_they_are(
    database: Database, schema: str, home: Workspace, typed: Callable[..., Finished]
) -> None:
    done = typed(
        "book", "attach", "crm", "--url", database.url(), "--schema", schema, "--time-zone", "Asia/Shanghai",
        "--currency", "CNY", "--current-only", "customers.segment", home=home.root,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "warning: table customers: unknown columns are not read: mood." in done.err
    assert "2024-07-15 to 2024-07-16, CNY, business days in Asia/Shanghai" in done.out
    book = Book.open(home, "crm")
    assert book.tables == {"customers", "loans", "instalments", "payments"}
    assert book.connection.name == "postgres"
    assert book.as_known("payments", as_of=date(2024, 7, 15)).count().execute() == 0  # known half an hour later
    paid = book.as_known("payments", as_of=date(2024, 7, 16)).to_pyarrow().to_pylist()[0]
    assert paid["paid_at"] == datetime(2024, 7, 15, 15, 59)
    loan = book.as_known("loans", as_of=AS_OF).to_pyarrow().to_pylist()[0]
    assert (str(loan["principal"]), loan["annual_rate"], loan["closed_on"]) == ("10000.00", None, None)
    assert book.as_known("customers", as_of=AS_OF).segment.execute().isna().all()
    assert book.customers_now(as_of=AS_OF).segment.execute().tolist() == ["retail"]
    listed = typed("book", "list", home=home.root)
    assert "crm" in listed.out
    assert not list((home.books / "crm").rglob("*.parquet"))


def test_the_generation_follows_the_database(database: Database, schema: str, home: Workspace) -> None:
    attach_book(home, "crm", url=database.url(), schema=schema)
    first = Book.open(home, "crm")
    assert Book.open(home, "crm").manifest == first.manifest
    database.run(
        f"INSERT INTO {schema}.payments VALUES ('P1', 'L1', '2024-07-15 23:59+08', 400, 'scheduled', NULL, '2024-08-01')"
    )
    second = Book.open(home, "crm")
    assert second.manifest.generation != first.manifest.generation
    assert panel_path(second, AS_OF) != panel_path(first, AS_OF)
    assert second.manifest.tables["payments"].keys_versioned
    assert second.as_known("payments", as_of=date(2024, 8, 2)).amount.execute().astype(float).tolist() == [400]
    assert second.manifest.facts.last_day == date(2024, 7, 31)  # 1 August in Shanghai, where the server lives


def test_indicators_agree_with_those_on_duckdb(database: Database, workspace: Workspace, small_book: Book) -> None:
    database.load(small_book, "panel")
    facts = small_book.manifest.facts
    hidden = [f"{table}.{column}" for table, columns in facts.current_only.items() for column in columns]
    attach_book(
        workspace, "panel-pg", url=database.url(), schema="panel", time_zone=facts.time_zone, first_day=facts.first_day,
        current_only=hidden,
    )  # fmt: skip
    found, expected = (build_panel(book, as_of=AS_OF) for book in (Book.open(workspace, "panel-pg"), small_book))
    assert found.left_out == expected.left_out
    pd.testing.assert_frame_equal(found.frame, expected.frame, rtol=1e-9)


# --- what does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ALTER TABLE {0}.payments ALTER amount TYPE text", "table payments: column amount has the type string"),
        ("ALTER TABLE {0}.loans ALTER opened_on TYPE text", "table loans: column opened_on has the type string, expected date"),
        ("ALTER TABLE {0}.loans DROP known_at", "table loans: column known_at is missing, expected timestamp or timestamptz"),
        ("ALTER TABLE {0}.loans DROP loan_id", "table loans: column loan_id is missing, expected text"),
        ("DROP TABLE {0}.loans", "table loans: is missing; customers and loans are required"),
        ("DELETE FROM {0}.loans", "found no loans"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    change: str, message: str, database: Database, schema: str, home: Workspace
) -> None:
    database.run(change.format(schema))
    with pytest.raises(BookError) as found:
        attach_book(home, "crm", url=database.url(), schema=schema)
    assert message in str(found.value)
    assert not (home.books / "crm" / "current.json").exists()


def test_a_table_that_goes_away_is_one_clear_error(
    database: Database, schema: str, home: Workspace, typed: Callable[..., Finished]
) -> None:
    attach_book(home, "crm", url=database.url(), schema=schema)
    database.run(f"DROP TABLE {schema}.payments")
    done = typed("book", "show", "crm", home=home.root)
    assert done.code == 2
    assert "payments can no longer be read. Attach the book again." in done.message()


def test_a_user_without_rights(database: Database, schema: str, home: Workspace) -> None:
    database.run(f"CREATE ROLE guest_{schema} LOGIN", f"GRANT USAGE ON SCHEMA {schema} TO guest_{schema}")
    url = database.url(f"guest_{schema}")
    with pytest.raises(BookError, match="table loans: this user may not read it: GRANT SELECT is needed"):
        attach_book(home, "crm", url=url, schema=schema)
    database.run(f"GRANT SELECT ON {schema}.customers, {schema}.loans TO guest_{schema}")
    manifest, warnings = attach_book(home, "crm", url=url, schema=schema)
    assert set(manifest.tables) == {"customers", "loans"}
    assert "table payments: is there, but this user may not read it: left out." in warnings


# --- passwords and servers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@127.0.0.1/crm",
        f"postgresql://127.0.0.1/crm?user=me&password={SECRET}",
        f"postgresql://me:{SECRET}/x#y@127.0.0.1/crm",
        f"host=127.0.0.1 password={SECRET}",
        f"mysql://me:{SECRET}@127.0.0.1/crm",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_repeated(
    url: str, home: Workspace, typed: Callable[..., Finished]
) -> None:
    done = typed("book", "attach", "crm", "--url", url, home=home.root)
    assert done.code == 2
    assert "url: found" in done.message()
    assert SECRET not in done.out + done.err
    assert not (home.books / "crm").exists()


def test_a_password_comes_from_the_environment_and_is_kept_nowhere(
    database: Database, schema: str, home: Workspace, typed: Callable[..., Finished]
) -> None:
    user = f"locked_{schema}"
    database.run(
        f"CREATE ROLE {user} LOGIN PASSWORD '{SECRET}'",
        f"GRANT USAGE ON SCHEMA {schema} TO {user}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user}",
    )
    database.ask_for_passwords_of(user)
    whole = f"postgresql://{user}:{SECRET}@/postgres?host={database.socket}"
    command = ("book", "attach", "crm", "--schema", schema, "--url")
    assert typed(*command, database.url(user), home=home.root, PGPASSWORD=SECRET).code == 0
    assert typed("book", "show", "crm", home=home.root, PGPASSWORD=SECRET).code == 0
    assert typed(*command, "env:CRM_URL", home=home.root, CRM_URL=whole).code == 0
    assert typed("book", "show", "crm", home=home.root, CRM_URL=whole).code == 0
    for variables in ({"CRM_URL": whole.replace(SECRET, "wr0ng-pw")}, {}):
        done = typed("book", "show", "crm", home=home.root, **variables)
        assert done.code == 2
        assert "wr0ng-pw" not in done.message()
    wrong = typed("book", "show", "crm", home=home.root, CRM_URL=whole.replace(SECRET, "wr0ng-pw"))
    assert "password authentication failed" in wrong.message()
    assert "Set PGPASSWORD" in wrong.message()
    kept = [path for path in home.root.rglob("*") if path.is_file()]
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]


def test_a_server_that_is_down(home: Workspace, typed: Callable[..., Finished]) -> None:
    done = typed("book", "attach", "crm", "--url", "postgresql://me@127.0.0.1:1/crm", home=home.root)
    assert done.code == 2
    assert "Connection refused" in done.message()
    assert "Check that the server runs" in done.message()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "sqlite://crm.db"}, "crm.db: no such file"),
        ({"schema": "crn"}, "unknown schema 'crn'"),
        ({"time_zone": "Asia/Shanghia"}, "time zone: found 'Asia/Shanghia'"),
        ({"current_only": ["customers.segmnt"]}, "unknown column 'segmnt'. Did you mean 'segment'"),
        ({"current_only": ["segment"]}, "Write table.column"),
    ],
)
def test_other_mistakes(options: dict[str, object], message: str, database: Database, home: Workspace) -> None:
    with pytest.raises((BookError, ParameterError)) as found:
        attach_book(home, "crm", **{"url": database.url(), **options})  # type: ignore[arg-type]
    assert message in str(found.value)


def test_an_attached_book_is_not_replaced_by_a_stored_one(database: Database, schema: str, home: Workspace) -> None:
    attach_book(home, "crm", url=database.url(), schema=schema)
    with pytest.raises(BookError, match="book crm: it is attached to a database, so nothing is stored under this name"):
        simulate_book(home, "crm", customers=20, months=3)
    assert Book.open(home, "crm").tables == {"customers", "loans", "instalments", "payments"}


def test_two_rows_of_one_instant_are_refused(database: Database, schema: str, home: Workspace) -> None:
    database.run(f"INSERT INTO {schema}.loans SELECT loan_id, customer_id, opened_on, 5, known_at FROM {schema}.loans")
    with pytest.raises(BookError, match=r"table loans: 1 of 1 keys \(loan_id\) have several rows of one known_at"):
        attach_book(home, "crm", url=database.url(), schema=schema)


def test_a_row_without_known_at_is_refused(database: Database, schema: str, home: Workspace) -> None:
    database.run(f"INSERT INTO {schema}.payments VALUES ('P2', 'L1', now(), 500, 'scheduled', NULL, NULL)")
    with pytest.raises(BookError, match=r"table payments: 1 rows have no known_at; expected the moment"):
        attach_book(home, "crm", url=database.url(), schema=schema)


def test_rows_that_no_loader_has_seen_are_held_to_the_contract(
    database: Database, schema: str, home: Workspace
) -> None:
    database.run(
        f"INSERT INTO {schema}.payments VALUES ('P2', 'L1', '2024-07-15', 500, 'Repayment', NULL, '2024-07-16'), "
        "('P3', 'L1', '2024-07-15', 500, NULL, NULL, '2024-07-16'), "
        "('P4', 'L1', NULL, 500, 'scheduled', NULL, '2024-07-16'), "
        "('P5', NULL, '2024-07-15', 500, 'scheduled', NULL, '2024-07-16'), "
        "('P6', 'L1', '2094-07-15', 500, 'scheduled', NULL, '2094-07-16')"
    )
    attach_book(home, "crm", url=database.url(), schema=schema)
    findings, _profile = check_book(Book.open(home, "crm"))
    told = {one.check: (one.severity, one.rows) for one in findings if one.table == "payments"}
    assert told == {
        "payments.kind_not_allowed": ("error", 1),
        "payments.kind_unstated": ("error", 1),
        "payments.paid_at_unstated": ("error", 1),
        "payments.loan_id_unstated": ("error", 1),
        "payments.orphans": ("error", 1),
        "payments.known_later": ("warning", 1),
    }


def test_a_stored_book_is_not_replaced(database: Database, schema: str, small_book: Book) -> None:
    with pytest.raises(BookError, match="found one that is stored here, expected a new name"):
        attach_book(small_book.workspace, small_book.name, url=database.url(), schema=schema)


def test_the_pages_of_docs_name_every_option() -> None:
    text = (Path(__file__).parents[2] / "docs" / "books" / "attached.md").read_text("utf-8")
    for option in ("--url", "--schema", "--time-zone", "--currency", "--first-day", "--current-only"):
        assert option in text
