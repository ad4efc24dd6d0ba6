"""The same everywhere: each indicator on PostgreSQL and on Spark as on DuckDB, nulls and types too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from workbench.book.attached import attach_book
from workbench.book.book import Book
from workbench.core.workspace import Workspace
from workbench.indicators.checking import check_indicator, same_values
from workbench.indicators.panel import build_panel

from ..database import Database
from .edge import DAYS, LEAP_DAY, edge_tables
from .random_book import random_book

MakeBook = Callable[..., Book]
ZONE = "America/New_York"


@pytest.fixture(scope="module")
def edge_book(make_book: MakeBook) -> Book:
    return make_book(edge_tables(), **DAYS, time_zone=ZONE, name="edge-engines")


@pytest.fixture(scope="module")
def odd_book(make_book: MakeBook) -> Book:
    """Return a book of the hand-made customers and random ones, with versions of every table."""
    more = random_book(loans=90, seed=21, zone=ZONE)
    tables = {
        name: pd.concat([table.assign(known_at=pd.Timestamp(2020, 1, 1)), more[name]])
        for name, table in edge_tables().items()
    }
    return make_book(tables, **DAYS, time_zone=ZONE, name="odd")


def same_panel(found: Book, expected: Book, as_of: date) -> None:
    ours, theirs = (build_panel(book, as_of=as_of) for book in (found, expected))
    assert ours.left_out == theirs.left_out
    assert ours.frame.dtypes.equals(theirs.frame.dtypes)
    assert ours.frame["customer_id"].tolist() == theirs.frame["customer_id"].tolist()
    wrong = []
    for name in theirs.frame.columns.drop(["customer_id", "as_of"]):
        column, wanted = ours.frame[name], theirs.frame[name]
        same = same_values(wanted, column)
        if not same.all():
            wrong.append((name, column[~same].head(3).tolist(), wanted[~same].head(3).tolist()))
    assert not wrong


def test_every_indicator_on_postgres_is_as_on_duckdb(
    database: Database, workspace: Workspace, odd_book: Book, small_book: Book
) -> None:
    for book, as_of in ((odd_book, LEAP_DAY), (small_book, date(2025, 6, 30))):
        schema = f"panel_{book.name.replace('-', '_')}"
        database.load(book, schema)
        facts = book.manifest.facts
        attach_book(
            workspace, f"{book.name}-pg", url=database.url(), schema=schema, time_zone=facts.time_zone,
            first_day=facts.first_day,
            current_only=[f"{table}.{name}" for table, names in facts.current_only.items() for name in names],
        )  # fmt: skip
        attached = Book.open(workspace, f"{book.name}-pg")
        assert attached.connection.name == "postgres"
        same_panel(attached, book, as_of)


def test_every_indicator_on_spark_is_as_on_duckdb(spark: None, workspace: Workspace, edge_book: Book) -> None:
    found = Book.open(workspace, edge_book.name, engine="spark")
    assert found.connection.name == "pyspark"
    same_panel(found, edge_book, LEAP_DAY)
    verdicts = check_indicator(edge_book, "count_week_z", as_of=LEAP_DAY).set_index("check")
    assert verdicts.loc["on Spark"].tolist() == [True, "7 customers alike"]
