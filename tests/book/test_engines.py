"""One definition on three engines: as known, days past due, samples and portfolio, on PostgreSQL and Spark as on DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import psutil
import pytest

from workbench.book import engines
from workbench.book.attached import attach_book
from workbench.book.book import Book
from workbench.book.engines import canonical
from workbench.book.expected_loss import expected_loss
from workbench.book.lgd import loss_given_default
from workbench.book.losses import monthly_losses
from workbench.book.portfolio import delinquency, exposures, monthly_portfolio
from workbench.book.rolls import roll_rates as monthly_roll_rates
from workbench.book.schema import TABLES
from workbench.book.vintages import vintage_curves
from workbench.core.errors import BookError, ParameterError
from workbench.core.workspace import Workspace
from workbench.models.definition import bad_rate_by_window, roll_rates
from workbench.models.sample import sample

from ..database import Database
from .comparison import compare, read_thresholds
from .loan_book import frames, loans_by_pattern, random_tables

MakeBook = Callable[..., Book]
DATES = (date(2024, 2, 29), date(2024, 11, 15))
ZONE = "America/New_York"


@pytest.fixture(scope="module")
def random_book(workspace: Workspace, make_book: MakeBook) -> Callable[[int], tuple[Book, dict[str, Any]]]:
    thresholds = read_thresholds(workspace.params / "definitions.yaml")

    def make(loans: int) -> tuple[Book, dict[str, Any]]:
        tables = random_tables(loans=loans, seed=11, zone=ZONE, thresholds=thresholds)
        book = make_book(frames(tables), name=f"random-{loans}", last_day=date(2025, 6, 30), time_zone=ZONE)
        return book, tables

    return make


def same_tables(found: Book, expected: Book, *, as_of: date) -> None:
    """Compare each table as known, row by row."""
    for name in sorted(expected.tables):
        key = list(TABLES[name].key)
        ours, theirs = (book.as_known(name, as_of=as_of).order_by(key).to_pyarrow() for book in (found, expected))
        assert ours.schema == theirs.schema
        assert ours.to_pylist() == theirs.to_pylist()


def same_dpd(book: Book, tables: dict[str, Any], as_of: date) -> None:
    thresholds = read_thresholds(book.workspace.params / "definitions.yaml")
    expected = compare(book, tables, as_of=as_of, thresholds=thresholds)
    assert {dpd >= 90 for dpd, _arrears in expected.values()} == {True, False}


def listening_addresses() -> set[str]:
    """Return the addresses on which this process and its children listen."""
    own = psutil.Process()
    found = [connection for each in (own, *own.children(recursive=True)) for connection in each.net_connections("inet")]
    return {connection.laddr.ip for connection in found if connection.status == psutil.CONN_LISTEN}


def test_postgres_equals_the_reference_and_duckdb(
    database: Database, workspace: Workspace, random_book: Callable[[int], tuple[Book, dict[str, Any]]]
) -> None:
    stored, tables = random_book(300)
    assert min(loans_by_pattern(tables).values()) > 0
    database.load(stored, "random_loans")
    attach_book(workspace, "random-pg", url=database.url(), schema="random_loans", time_zone=ZONE)
    attached = Book.open(workspace, "random-pg")
    for as_of in DATES:
        same_dpd(attached, tables, as_of)
    same_tables(attached, stored, as_of=DATES[1])


def test_spark_equals_the_reference_and_duckdb(
    spark: None, workspace: Workspace, random_book: Callable[[int], tuple[Book, dict[str, Any]]]
) -> None:
    stored, tables = random_book(150)
    book = Book.open(workspace, stored.name, engine="spark")
    assert book.connection.name == "pyspark"
    assert book.connection._session.conf.get("spark.sql.session.timeZone") == "UTC"
    assert listening_addresses() <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    same_dpd(book, tables, DATES[1])
    same_tables(book, stored, as_of=DATES[1])


def test_sample_and_portfolio_on_postgres_equal_those_on_duckdb(
    database: Database, workspace: Workspace, small_book: Book
) -> None:
    database.load(small_book, "small")
    facts = small_book.manifest.facts
    place = {"url": database.url(), "schema": "small"}
    attach_book(workspace, "small-pg", **place, time_zone=facts.time_zone, first_day=facts.first_day)
    attached = Book.open(workspace, "small-pg")
    as_of = date(2024, 6, 30)
    for table in (delinquency, exposures):
        pd.testing.assert_frame_equal(table(attached, as_of=as_of), table(small_book, as_of=as_of), rtol=1e-12)
    ours, theirs = (monthly_portfolio(book, as_of=as_of, months=6) for book in (attached, small_book))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12, check_dtype=False)
    ours, theirs = (sample(book, as_of=[as_of]).frame for book in (attached, small_book))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12, check_dtype=False)
    for evidence in (roll_rates, bad_rate_by_window):
        pd.testing.assert_frame_equal(evidence(attached, as_of=[as_of]), evidence(small_book, as_of=[as_of]))
    ours, theirs = (vintage_curves(book, as_of=as_of) for book in (attached, small_book))
    pd.testing.assert_frame_equal(ours, theirs)
    for ours, theirs in zip(*(monthly_roll_rates(book, as_of=as_of) for book in (attached, small_book)), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12, check_dtype=False)
    ours, theirs = (monthly_losses(book, as_of=as_of) for book in (attached, small_book))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12, check_dtype=False)
    late = {"as_of": date(2025, 6, 30), "workout_months": 6, "least_defaults": 2}
    ours, theirs = (loss_given_default(book, **late) for book in (attached, small_book))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-9, check_dtype=False)
    scores = exposures(small_book, as_of=as_of)[["customer_id"]].assign(pd=0.1)
    rates = pd.DataFrame({"product": ["auto", "card", "personal"], "lgd": [0.3, 0.6, 0.7]})
    ours, theirs = (expected_loss(book, as_of=as_of, scores=scores, lgd=rates) for book in (attached, small_book))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12)


# --- the parts ---------------------------------------------------------------------------------------------------------


def test_rows_become_canonical_and_columns_that_are_absent_null() -> None:
    rows = ibis.memtable(
        [("C1", 7, datetime(2024, 1, 1))],
        schema={"customer_id": "string", "monthly_income": "int64", "known_at": "timestamp"},
    )
    found = canonical("customers", rows)
    assert found.schema().to_pyarrow() == TABLES["customers"].arrow_schema()
    assert found.to_pyarrow().to_pylist()[0]["region"] is None


def test_instants_with_a_zone_become_utc() -> None:
    rows = ibis.memtable(
        pd.DataFrame(
            {"customer_id": ["C1"], "known_at": pd.to_datetime(["2024-01-01 07:00"]).tz_localize("Asia/Shanghai")}
        )
    )
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    found = connection.to_pyarrow(canonical("customers", rows)).to_pylist()[0]
    assert found["known_at"] == datetime(2023, 12, 31, 23)


def test_an_unknown_engine_names_the_nearest(small_book: Book) -> None:
    with pytest.raises(ParameterError, match=r"unknown engine 'sparc'. Did you mean 'spark'"):
        Book.open(small_book.workspace, small_book.name, engine="sparc")


def test_spark_without_java_says_so(small_book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.shutil, "which", lambda name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(BookError, match=r"no Java on the PATH or in JAVA_HOME. Spark 4.0 needs Java 17"):
        _ = Book.open(small_book.workspace, small_book.name, engine="spark").connection


def test_no_module_reads_a_raw_table_but_the_book() -> None:
    package = Path(engines.__file__).parent.parent
    readers = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if any(
            word in path.read_text("utf-8") for word in ("connection.table(", "_engine.tables", ".read_parquet_dir(")
        )
    }
    assert readers <= {"book/book.py", "book/engines.py", "book/remote.py", "book/sources/sql.py"}
