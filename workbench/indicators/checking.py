"""Is an indicator fit for use? It sees no future, is the same on each engine and in parts, and keeps within its range."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from workbench.book.book import Book
from workbench.book.frames import canonical_table
from workbench.core.errors import InputError
from workbench.indicators.later import Tables, deleted, plain, scrambled
from workbench.indicators.own import load_own
from workbench.indicators.panel import beyond, build_panel, missing_tables
from workbench.indicators.registry import REGISTRY, select

CUSTOMERS = 300
SAME = 1e-9  # relative: float sums may differ in the last bits from engine to engine


class Verdict(NamedTuple):
    """What a check found."""

    check: str
    passed: bool | None  # None: could not be checked here
    found: str


def check_indicator(
    book: Book, name: str, *, as_of: date, customers: int = CUSTOMERS, spark: bool = True
) -> pd.DataFrame:
    """Check a registered indicator on customers of a book, as known at `as_of`.

    What lies after the date is deleted, then scrambled, and nothing may change; Spark, where it can run, and customers
    taken in parts must give the same; it must say something of somebody, and keep within its range.

    Parameters
    ----------
    book
        On DuckDB. Its last day should lie a year and more after `as_of`, or there is little to delete.
    customers
        How many of its customers are taken, at most.
    spark
        Whether Spark is tried, which takes half a minute.

    Returns
    -------
    DataFrame
        check, passed (True, False, or None where it could not be checked), found: in words.

    Raises
    ------
    InputError
        If there is no such indicator, it fails, or the book lacks a table that it needs.
    """
    load_own(book.workspace)
    (indicator,) = select([name])
    if missing := missing_tables(book, indicator):
        raise InputError(
            f"indicator {name!r}: book {book.name!r} has no {', '.join(missing)}; check it on one that has."
        )
    tables = _some(book, customers)
    with _copy(book, tables) as copy:
        values = _values(copy, name, as_of)
        verdicts = [
            _compared(f"no future: {change.__name__}", values, _changed(book, change(book, tables, as_of), name, as_of))
            for change in (deleted, scrambled)
        ]
        verdicts.append(_compared("in parts", values, _values(copy, name, as_of, parts=3)))
        if spark:
            verdicts.append(_on_spark(copy, name, as_of, values))
    verdicts += _as_declared(name, values)
    return pd.DataFrame(verdicts)


def _some(book: Book, customers: int) -> Tables:
    """Return every stored row of some customers with loans."""
    loans = book.connection.to_pyarrow(book.versions("loans", as_of=book.manifest.facts.last_day)).to_pandas()
    chosen = loans["customer_id"].drop_duplicates().sort_values().head(customers)
    ids = {"customer_id": set(chosen), "loan_id": set(loans.loc[loans["customer_id"].isin(chosen), "loan_id"])}
    found = {}
    for table in sorted(book.tables):
        rows = book.versions(table, as_of=book.manifest.facts.last_day)
        column = "customer_id" if "customer_id" in rows.columns else "loan_id"
        frame = book.connection.to_pyarrow(rows.filter(rows[column].isin(sorted(ids[column])))).to_pandas()
        found[table] = plain(table, frame)
    return found


@contextmanager
def _copy(book: Book, tables: Tables) -> Iterator[Book]:
    """Yield a book of the same facts with other rows, in a folder that is removed."""
    book.workspace.scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="check-", dir=book.workspace.scratch))
    try:
        for name, frame in tables.items():
            pq.write_table(canonical_table(name, frame), folder / f"{name}.parquet")
        yield Book(folder, book.manifest, book.workspace, book.definitions)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _changed(book: Book, tables: Tables, name: str, as_of: date) -> pd.Series:
    with _copy(book, tables) as copy:
        return _values(copy, name, as_of)


def _values(book: Book, name: str, as_of: date, *, parts: int | None = None) -> pd.Series:
    frame = build_panel(book, as_of=as_of, only=[name], parts=parts).frame
    return frame.set_index("customer_id")[name]


def _compared(check: str, values: pd.Series, others: pd.Series) -> Verdict:
    if not values.index.equals(others.index):
        return Verdict(check, False, f"{len(values)} customers became {len(others)}")
    same = same_values(values, others)
    if same.all():
        return Verdict(check, True, f"{len(values)} customers alike")
    first = values.index[~same][0]
    return Verdict(
        check, False, f"{int((~same).sum())} of {len(values)} differ; {first}: {values[first]} became {others[first]}"
    )


def same_values(values: pd.Series, others: pd.Series) -> npt.NDArray[np.bool_]:
    """Return which values are the same, within `SAME` for numbers; nulls are alike."""
    if pd.api.types.is_numeric_dtype(values):
        return np.isclose(others.astype("float64"), values, rtol=SAME, atol=SAME, equal_nan=True)
    return ((others == values) | (others.isna() & values.isna())).to_numpy(dtype=np.bool_)


def _on_spark(copy: Book, name: str, as_of: date, values: pd.Series) -> Verdict:
    spark = copy.on("spark")
    try:
        _ = spark.connection
    except InputError as error:
        return Verdict("on Spark", None, str(error))
    return _compared("on Spark", values, _values(spark, name, as_of))


def _as_declared(name: str, values: pd.Series) -> list[Verdict]:
    indicator = REGISTRY[name]
    share = values.isna().mean()
    found = [Verdict("nulls", bool(share < 1), f"{share:.1%} null; declared: {indicator.null}")]
    if indicator.dtype == "float64":
        low, high = indicator.range
        known = values.dropna()
        words = f"{known.min():,.4g} to {known.max():,.4g}" if len(known) else "no value"
        declared = f"{'-' if low is None else low} to {'-' if high is None else high}"
        odd = any(rows.any() for rows in beyond(indicator, values).values())
        found.append(Verdict("range", not odd, f"{words}; declared: {declared}"))
    return found
