"""What lies after a date, deleted or scrambled: the books on which a check for leaks runs.

An indicator that only knows what was known gives the same on the book, without what comes later, and with other things
coming later.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from workbench.book.book import Book
from workbench.book.schema import TABLES

Tables = dict[str, pd.DataFrame]


def plain(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return stored rows with money as float64, which holds cents exactly, and days as timestamps."""
    money = [column.name for column in TABLES[table].columns if column.dtype == "money"]
    days = [column.name for column in TABLES[table].columns if column.dtype == "date"]
    frame = frame.astype(dict.fromkeys(money, "float64"))
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in days})


def is_later(book: Book, table: str, frame: pd.DataFrame, as_of: date) -> pd.Series:
    """Return which rows happen, or become known, after `as_of`."""
    end, schema = pd.Timestamp(book.day_end(as_of)), TABLES[table]
    found = frame["known_at"] >= end
    if schema.occurred is not None:
        by_instant = schema.column(schema.occurred).dtype == "timestamp"
        moment = frame[schema.occurred]
        found |= (moment >= end) if by_instant else (moment > pd.Timestamp(as_of))
    return found


def later_dates(book: Book, table: str, frame: pd.DataFrame, as_of: date) -> dict[str, pd.Series]:
    """Return, by dated column, the rows in which it lies after `as_of`."""
    found = {}
    for column in TABLES[table].columns:
        if column.dated:
            last = (
                pd.Timestamp(as_of)
                if column.dtype == "date"
                else pd.Timestamp(book.day_end(as_of)) - pd.Timedelta("1us")
            )
            found[column.name] = frame[column.name] > last
    return found


def deleted(book: Book, tables: Tables, as_of: date) -> Tables:
    """Return the tables without anything after `as_of`.

    A row that by its last known version happens later goes with all its versions: at `as_of` it was known not to be there.
    """
    result = {}
    for name, frame in tables.items():
        key = list(TABLES[name].key)
        known = frame.loc[frame["known_at"] < pd.Timestamp(book.day_end(as_of))]
        newest = known.sort_values("known_at").drop_duplicates(key, keep="last")
        moved = pd.MultiIndex.from_frame(newest.loc[is_later(book, name, newest, as_of), key])
        gone = is_later(book, name, known, as_of) | pd.MultiIndex.from_frame(known[key]).isin(moved)
        kept = known.loc[~gone].copy()
        for column, rows in later_dates(book, name, kept, as_of).items():
            kept[column] = kept[column].mask(rows)
        if name == "loans":
            kept["close_reason"] = kept["close_reason"].where(
                kept["closed_on"].notna() | kept["written_off_on"].notna()
            )
        for column in book.manifest.facts.current_only.get(name, []):
            kept[column] = None
        result[name] = kept
    return result


def scrambled(book: Book, tables: Tables, as_of: date, *, seed: int = 5) -> Tables:
    """Return the tables with other values, dates and `current_only` columns wherever they lie after `as_of`."""
    draw = np.random.default_rng(seed)
    result = {}
    for name, frame in tables.items():
        frame, schema = frame.reset_index(drop=True), TABLES[name]
        rows = np.flatnonzero(is_later(book, name, frame, as_of))
        for column in schema.columns:
            if column.name in schema.key or column.name == schema.occurred:
                continue
            values = frame[column.name].to_numpy(copy=True)
            values[rows] = values[draw.permutation(rows)]
            if column.dtype in ("money", "float"):
                values[rows] = -3 * values[rows] + 1
            frame[column.name] = values
        if schema.occurred is not None:  # what becomes known later may well have happened earlier
            unknown = frame["known_at"] >= pd.Timestamp(book.day_end(as_of))
            frame.loc[unknown, schema.occurred] -= pd.Timedelta(days=100)
        for dated, late in later_dates(book, name, frame, as_of).items():
            days = pd.to_timedelta(draw.integers(0, 400, int(late.sum())), unit="D")
            frame.loc[late, dated] = (frame.loc[late, dated] + days).to_numpy()
        if name == "loans":
            ending = later_dates(book, name, frame, as_of)["closed_on"]
            frame.loc[ending, "close_reason"] = draw.choice(["sold", "written_off", "repaid"], int(ending.sum()))
        for hidden in book.manifest.facts.current_only.get(name, []):
            frame[hidden] = frame[hidden].to_numpy()[draw.permutation(len(frame))]
        result[name] = pd.concat([frame, _announced(book, name, frame, as_of)])
    return result


def _announced(book: Book, table: str, frame: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return copies of early rows that happen after `as_of` although they are known before it."""
    schema = TABLES[table]
    if schema.occurred is None:
        return frame.head(0)
    rows = frame.loc[~is_later(book, table, frame, as_of)].head(50).copy()
    last = schema.key[-1]
    if last != schema.occurred:
        rows[last] = rows[last] + (1000 if schema.column(last).dtype == "int" else "X")
    rows[schema.occurred] = pd.Timestamp(as_of) + pd.to_timedelta(np.arange(2, len(rows) + 2), unit="D")
    return rows
