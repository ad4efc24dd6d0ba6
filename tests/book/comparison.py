"""`performance()` on some engine beside the slow reference, loan by loan and day by day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.dates import month_ends

from .slow_dpd import Row, slow_performance

Answers = dict[tuple[str, date], tuple[int, Decimal]]


def read_thresholds(path: Path) -> Row:
    """Return the thresholds of `params/definitions.yaml`, exact."""
    values = yaml.safe_load(path.read_text())["dpd"]
    return {
        "absolute": Decimal(str(values["threshold_absolute"])),
        "relative": Decimal(str(values["threshold_relative"])),
    }


def days_before(as_of: date) -> list[date]:
    """Return the date itself, the day before, one inside a month, and the month ends of half a year before."""
    days = [as_of, as_of - timedelta(days=1), as_of - timedelta(days=17)]
    return days + month_ends(as_of - timedelta(days=200), as_of - timedelta(days=18))


def answers(book: Book, *, as_of: date) -> Answers:
    """Return what `performance` says by loan and day."""
    rows: Any = performance(book, as_of=as_of, days=days_before(as_of))
    found = rows.select("loan_id", "month_end", "dpd", "arrears").to_pyarrow().to_pylist()
    by_key = {(row["loan_id"], row["month_end"]): (row["dpd"], row["arrears"]) for row in found}
    assert len(by_key) == len(found)
    return by_key


def compare(book: Book, tables: dict[str, list[Row]], *, as_of: date, thresholds: Row) -> Answers:
    """Compare and return what the reference says."""
    zone = book.manifest.facts.time_zone
    expected = slow_performance(tables, as_of=as_of, days=days_before(as_of), zone=zone, thresholds=thresholds)
    found = answers(book, as_of=as_of)
    wrong = {key: (found.get(key), value) for key, value in expected.items() if found.get(key) != value}
    assert not wrong, f"{len(wrong)} of {len(expected)}: found, expected: {dict(list(wrong.items())[:5])}"
    assert found.keys() == expected.keys()
    return expected
