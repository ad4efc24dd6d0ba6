"""From a canonical table to the rows of a delivered file, as one SQL query: nothing is held in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from workbench.book.schema import TABLES
from workbench.book.simulation.delivery.faults import Extra, Fault, Planted
from workbench.book.sources.opened import literal, quoted

DIGITS = 4  # hexadecimal digits of a row's hash that decide whether it has one fault
_TAIL = "_hash[25:32]"  # decide which rows have a fault of an exact number, and of which rows extra ones are copies
_SLOTS = 6  # faults that the digits before the tail can decide


@dataclass(frozen=True)
class Feed:
    """A delivered file of one canonical table.

    Attributes
    ----------
    table, file
        The canonical table, and the path of the file within the delivery.
    columns
        SQL by delivered column, over the canonical columns, the flags of the faults by name, `_extra` (name of the kind of an
        extra row, else null) and `_copy` (0; 1 for an exact duplicate, 2 for a twin, 3 for the other of a conflict).
    """

    table: str
    file: str
    columns: Mapping[str, str]
    faults: Sequence[Fault] = ()
    extras: Sequence[Extra] = ()

    @property
    def order(self) -> str:
        """Total order of the rows."""
        keys = (*TABLES[self.table].key, "known_at")
        return ", ".join([*map(quoted, keys), "_extra NULLS FIRST", "_copy"])


@dataclass(frozen=True)
class Delivered:
    """The rows of a feed as SQL: `select` for writing, in order, and `flagged` for counting."""

    feed: Feed
    select: str
    flagged: str

    def planted(self, connection: duckdb.DuckDBPyConnection) -> list[Planted]:
        """Count what the rows hold, from the very conditions that they are written by."""
        feed = self.feed
        found: list[tuple[Fault | Extra, str]] = []
        for number, fault in enumerate(feed.faults, 1):
            found.append((fault, f"_copy = {number}" if fault.effect == "duplicate" else fault.name))
        found += [(extra, f"_extra = {literal(extra.name)}") for extra in feed.extras]
        if not found:
            return []
        sums = ", ".join(f"count_if({condition})" for _what, condition in found)
        counts = connection.execute(f"SELECT {sums} FROM ({self.flagged})").fetchall()[0]
        return [
            Planted(feed.file, feed.table, what.name, rows or 0, what.effect, what.told)
            for (what, _condition), rows in zip(found, counts, strict=True)
        ]


def delivered(connection: duckdb.DuckDBPyConnection, feed: Feed, relation: str, *, rows: int, seed: int) -> Delivered:
    """Return the rows of a feed, of the canonical rows of `relation`, of which there are `rows`.

    The hash of the seed and of a row's key decides about the row, so neither the number of threads nor other rows matter.
    """
    key = ", ".join(quoted(name) for name in (*TABLES[feed.table].key, "known_at"))
    salt = literal(f"{seed} {feed.table}")
    hashed = f"SELECT *, md5(concat_ws(' ', {salt}, {key})) AS _hash FROM {relation}"
    own = f"SELECT *, NULL::VARCHAR AS _extra, 0 AS _n FROM ({hashed})"
    numbers = [int(extra.share * rows) for extra in feed.extras]
    if sum(numbers):
        own = f"{own} UNION ALL {_extras(feed, hashed, numbers, key)}"
    flags = [
        f"{_flag(connection, fault, slot, hashed, rows)} AS {fault.name}" for slot, fault in enumerate(feed.faults)
    ]
    copies = [
        f"WHEN {fault.name} THEN [0, {number}]"
        for number, fault in enumerate(feed.faults, 1)
        if fault.effect == "duplicate"
    ]
    copies += [
        f"WHEN _extra = {literal(extra.name)} THEN [0, 3]" for extra in feed.extras if extra.effect == "conflict"
    ]
    copied = f"unnest(CASE {' '.join(copies)} ELSE [0] END)" if copies else "0"
    more = ", md5(_hash) AS _more" if len(feed.faults) > _SLOTS else ""
    flagged = f"SELECT *{''.join(f', {flag}' for flag in flags)} FROM (SELECT *{more} FROM ({own}))"
    flagged = f"SELECT *, {copied} AS _copy FROM ({flagged})"
    columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in feed.columns.items())
    return Delivered(feed, f"SELECT {columns} FROM ({flagged}) ORDER BY {feed.order}", flagged)


def _extras(feed: Feed, hashed: str, numbers: Sequence[int], key: str) -> str:
    """Return copies of rows far apart, changed as each kind of extra row asks for."""
    until, whens = 0, []
    for extra, number in zip(feed.extras, numbers, strict=True):
        until += number
        whens.append(f"WHEN _n <= {until} THEN {literal(extra.name)}")
    changes: dict[str, str] = {}
    for extra in feed.extras:
        for column, sql in extra.changes.items():
            changes[column] = f"{changes.get(column, '')} WHEN {literal(extra.name)} THEN {sql}"
    replaced = ", ".join(f"CASE _extra{cases} ELSE {column} END AS {column}" for column, cases in changes.items())
    picked = f"SELECT * FROM ({hashed}) ORDER BY {_TAIL} DESC, {key} LIMIT {until}"
    numbered = f"SELECT *, row_number() OVER (ORDER BY {_TAIL} DESC, {key}) AS _n FROM ({picked})"
    named = f"SELECT * EXCLUDE (_n), CASE {' '.join(whens)} END AS _extra, _n FROM ({numbered})"
    return f"SELECT *{f' REPLACE ({replaced})' if replaced else ''} FROM ({named})"


def _flag(connection: duckdb.DuckDBPyConnection, fault: Fault, slot: int, hashed: str, rows: int) -> str:
    """Return the condition that a row has a fault; an extra row has none but its own."""
    if fault.exact:
        number = int(fault.share * rows)
        last = connection.execute(
            f"SELECT max(tail) FROM (SELECT {_TAIL} AS tail FROM ({hashed}) WHERE {fault.when} ORDER BY tail LIMIT {number})"
        ).fetchall()[0][0]
        chosen = f"{_TAIL} <= {literal(last)}" if last is not None else "false"
    else:
        name, place = ("_hash", slot) if slot < _SLOTS else ("_more", slot - _SLOTS)
        bound = f"{round(fault.share * 16**DIGITS):0{DIGITS}x}"
        chosen = f"{name}[{DIGITS * place + 1}:{DIGITS * (place + 1)}] < '{bound}'"
    return f"(_extra IS NULL AND {chosen} AND coalesce({fault.when}, false))"
