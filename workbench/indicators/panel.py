"""The panel: one row an active customer, computed base by base and part by part."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa

from workbench.book.book import Book
from workbench.book.performance import states_dpd
from workbench.core.errors import InputError
from workbench.indicators.bases import BASES
from workbench.indicators.own import load_own
from workbench.indicators.registry import PANEL, REGISTRY, At, Indicator, select
from workbench.indicators.snapshot import Snapshot

ACTIVE = "active"
ROWS_A_GIGABYTE = 10_000_000
"""Rows of the largest table that a part may have for each GB of memory. House choice: 60 million bookings in 4 GB, in two
parts, took 2.3 GB (bench/indicators.py)."""


@dataclass(frozen=True)
class Panel:
    """A panel and what could not be part of it.

    Attributes
    ----------
    frame
        customer_id, as_of, then the indicators, in total order by customer.
    left_out
        Indicator name to the tables that the book lacks for it.
    """

    frame: pd.DataFrame
    left_out: dict[str, list[str]]

    @property
    def oddities(self) -> dict[str, dict[str, int]]:
        """How many values of an indicator are infinite, or beyond its range, where any is: they are kept as they are."""
        found = {}
        for name in self.frame.columns.intersection([*REGISTRY]):
            counts = {
                word: int(odd.sum()) for word, odd in beyond(REGISTRY[name], self.frame[name]).items() if odd.any()
            }
            if counts:
                found[name] = counts
        return found


def beyond(found: Indicator, values: pd.Series) -> dict[str, pd.Series]:
    """Return which values are infinite, below and above the range of an indicator; nothing for words."""
    if found.dtype != "float64":
        return {}
    low, high = (math.inf * sign if end is None else end for end, sign in zip(found.range, (-1, 1), strict=True))
    infinite = values.isin([math.inf, -math.inf])
    return {"infinite": infinite, "below": (values < low) & ~infinite, "above": (values > high) & ~infinite}


def build_panel(
    book: Book,
    *,
    as_of: date,
    only: Sequence[str] | None = None,
    parts: int | None = None,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Panel:
    """Compute the indicators of every active customer as known at `as_of`, base by base and part by part.

    Parameters
    ----------
    parts
        How many parts the customers are taken in, one after the other; by default as many as the settings' memory asks for.
    told
        Called with the number of steps done and of all.

    Raises
    ------
    InputError
        If an indicator fails; it is named, with the engine's message.
    """
    load_own(book.workspace)
    wanted = select(list(only) if only else None)
    at = At(as_of)
    left_out = {found.name: missing for found in wanted if (missing := missing_tables(book, found))}
    available = [found for found in wanted if found.name not in left_out]
    if only:
        available = _with_needed(available)
    by_base = {name: chosen for name in BASES if (chosen := [found for found in available if found.base == name])}
    parts = parts or parts_for(book)
    steps, done = parts * (len(by_base) + 1), 0
    pieces: dict[str, list[pa.Table]] = {name: [] for name in [ACTIVE, *by_base]}
    for number in range(parts):
        snapshot = Snapshot(book if parts == 1 else book.part(number, parts), at)
        for name in pieces:
            pieces[name].append(_read(snapshot, name, by_base.get(name, [])))
            done += 1
            told(done, steps)
    frame = pa.concat_tables(pieces[ACTIVE]).to_pandas()
    for name, chosen in by_base.items():
        frame = frame.merge(_by_customer(name, chosen, pieces[name], at), on="customer_id", how="left")
        frame = frame.fillna({found.name: found.absent for found in chosen if found.absent is not None})
    frame = _with_combined(frame, [found for found in available if found.base == PANEL], at)
    names = [found.name for found in wanted if found.name in frame.columns]
    frame.insert(1, "as_of", pd.Timestamp(as_of).as_unit("ms"))  # the unit that comes back from parquet
    return Panel(frame[["customer_id", "as_of", *names]].sort_values("customer_id", ignore_index=True), left_out)


def parts_for(book: Book) -> int:
    """Return how many parts keep the memory that the engine needs within the settings: 1 where the database has its own."""
    if book.connection.name != "duckdb":
        return 1
    largest = max(facts.rows for facts in book.manifest.tables.values())
    return max(1, math.ceil(largest / (ROWS_A_GIGABYTE * book.workspace.settings.gigabytes)))


def _read(snapshot: Snapshot, name: str, chosen: list[Indicator]) -> pa.Table:
    """Return what the engine makes of a base: the indicators by customer, or the rows that are combined over all."""
    if name == ACTIVE:
        return snapshot.book.connection.to_pyarrow(snapshot.active)
    base = BASES[name]
    table = base.prepare(snapshot)
    if base.combine is None:
        table = table.group_by("customer_id").aggregate(**_values(chosen, table, snapshot.at))
    try:
        return snapshot.book.connection.to_pyarrow(table)
    except Exception as error:
        raise InputError(f"indicators: {_culprit(snapshot, name, chosen)}: {error}") from error


def _by_customer(name: str, chosen: list[Indicator], pieces: list[pa.Table], at: At) -> pd.DataFrame:
    whole = pa.concat_tables(pieces)
    combine = BASES[name].combine
    if combine is not None:
        table = combine(ibis.memtable(whole))
        whole = _local().to_pyarrow(table.group_by("customer_id").aggregate(**_values(chosen, table, at)))
    frame: pd.DataFrame = whole.to_pandas()
    return frame


def _with_combined(frame: pd.DataFrame, chosen: list[Indicator], at: At) -> pd.DataFrame:
    """Add the indicators that are made of others, which are few rows by now: in memory, whatever the book's engine."""
    if not chosen:
        return frame
    table = ibis.memtable(pa.Table.from_pandas(frame, preserve_index=False))
    combined: pd.DataFrame = _local().to_pyarrow(table.mutate(**_values(chosen, table, at))).to_pandas()
    return combined


@cache
def _local() -> Any:
    return ibis.duckdb.connect(threads=1)


def _values(chosen: list[Indicator], table: ibis.Table, at: At) -> dict[str, ibis.Value]:
    values = {}
    for found in chosen:
        try:
            values[found.name] = found.expression(table, at).cast(found.dtype)
        except Exception as error:
            raise InputError(f"indicator {found.name!r} is no valid expression over {found.base!r}: {error}") from error
    return values


def _culprit(snapshot: Snapshot, name: str, chosen: list[Indicator]) -> str:
    """Find the indicator that fails, by running each alone; only ever called when something failed."""
    connection = snapshot.book.connection
    for found in chosen:
        table = BASES[name].prepare(snapshot)
        try:
            connection.to_pyarrow(table.group_by("customer_id").aggregate(**_values([found], table, snapshot.at)))
        except Exception:
            return f"indicator {found.name!r} failed on {connection.name}"
    return f"base {name!r} failed on {connection.name}"


def missing_tables(book: Book, found: Indicator) -> list[str]:
    """Return the tables that an indicator needs and a book lacks."""
    if found.base == PANEL:
        return sorted({table for needed in inputs(found) for table in missing_tables(book, needed)})
    needs = set(BASES[found.base].tables)
    if "loans" in needs and not states_dpd(book.tables):
        needs |= {"instalments", "payments"}
    return sorted(needs - book.tables)


def inputs(found: Indicator) -> list[Indicator]:
    """Return the indicators that a combining one is made of: those that its code mentions as attributes."""
    return [other for other in select() if other.name in found.expression.__code__.co_names]


def _with_needed(available: list[Indicator]) -> list[Indicator]:
    extra = {needed.name: needed for found in available if found.base == PANEL for needed in inputs(found)}
    return [*available, *(needed for name, needed in extra.items() if name not in {found.name for found in available})]
