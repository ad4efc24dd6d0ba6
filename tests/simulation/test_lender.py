"""Days past due of the measures beside the slow reference, on random loans and on a simulated lender."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.book.comparison import read_thresholds
from tests.book.loan_book import frames, random_tables
from tests.book.slow_dpd import Row, slow_performance
from workbench.book.simulation import simulate
from workbench.core.dates import month_ends

from .lender import PROJECT, MissingTableError, need, open_lender

THRESHOLDS = read_thresholds(PROJECT / "params" / "definitions.yaml")
FIRST, LAST = date(2022, 1, 31), date(2025, 4, 30)


def write_random(folder: Path) -> dict[str, list[Row]]:
    """Write random loans that show every pattern, payments in two files."""
    tables: dict[str, list[Row]] = random_tables(loans=300, seed=5, zone="UTC", thresholds=THRESHOLDS)
    days = [FIRST, LAST]
    tables["performance"] = [
        {"loan_id": "L00000", "month_end": day, "balance": 1, "credit_limit": None, "due_amount": 0, "paid_amount": 0,
         "known_at": datetime.combine(day, time(23))}
        for day in days
    ]  # fmt: skip
    for row in tables["loans"]:
        row.update(annual_rate=0.1, term_months=12)
    for name, frame in frames(tables).items():
        half = len(frame) // 2 if name == "payments" else len(frame)
        frame.iloc[:half].to_parquet(folder / f"{name}.parquet")
        if half < len(frame):
            frame.iloc[half:].to_parquet(folder / f"{name}+0001.parquet")
    return tables


def test_days_past_due_of_random_loans_equal_the_slow_reference(tmp_path: Path) -> None:
    tables = write_random(tmp_path)
    with open_lender(tmp_path) as sql:
        compare(sql, tables, days=month_ends(FIRST, LAST))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("lender")
    simulate(made, customers=300, months=14, seed=21)
    return made


@pytest.fixture(scope="module")
def sql(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_lender(folder) as connection:
        yield connection


def test_days_past_due_of_a_simulated_lender_equal_the_slow_reference(
    folder: Path, sql: duckdb.DuckDBPyConnection
) -> None:
    names = ("loans", "instalments", "payments")
    tables = {name: pq.read_table(folder / f"{name}.parquet").to_pylist() for name in names}
    ((first, last),) = sql.execute("select month_end_of(first_m), last_day from span").fetchall()
    late = compare(sql, tables, days=month_ends(first, last))
    assert late > 50


def compare(sql: duckdb.DuckDBPyConnection, tables: dict[str, Any], *, days: list[date]) -> int:
    """Compare days past due and arrears up to each loan's last month; return how many are late."""
    rows = sql.execute("select loan_id, month_end, dpd, arrears, status from loan_month").fetchall()
    found = {(loan, day): (dpd, round(arrears, 2)) for loan, day, dpd, arrears, _status in rows}
    last = pd.Series({loan: day for loan, day, *_rest in sorted(rows)})
    slow = slow_performance(tables, as_of=days[-1], days=days, zone="UTC", thresholds=THRESHOLDS)
    expected = {key: (dpd, float(arrears)) for key, (dpd, arrears) in slow.items() if key[1] <= last[key[0]]}
    asked = {key: value for key, value in found.items() if key[1] in set(days)}
    wrong = {key: (asked.get(key), value) for key, value in expected.items() if asked.get(key) != value}
    assert not wrong, f"{len(wrong)} of {len(expected)}: found, expected: {dict(list(wrong.items())[:5])}"
    assert asked.keys() == expected.keys()
    assert len(expected) > 1_000
    return sum(dpd > 0 for dpd, _arrears in expected.values())


def test_a_missing_table_is_named(sql: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(MissingTableError, match=r"no truth/nothing\.parquet"):
        need(sql, "truth_nothing")
