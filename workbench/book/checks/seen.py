"""Rows that are in a table and are seen at no date: a key or a date that is missing, or a `known_at` yet to come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis

from workbench.book.book import Book
from workbench.book.checks.finding import Check, Finding
from workbench.book.checks.rules import unstated
from workbench.book.checks.tables import examples
from workbench.book.schema import TABLES
from workbench.core.languages import mark

KNOWN_LATER = Check(
    "*", "known_later", "known_at", mark("lies after the last delivery"), "warning",
    mark("these rows are seen at no date of the book: perhaps a wrong date, or a wrong time zone"),
)  # fmt: skip
UNDATED = Check(
    "applications", "undated", "decided_at", mark("is missing although there is a decision"), "warning",
    mark("nobody knows since when: the decision and the loan that came of it are seen at no date"),
)  # fmt: skip
CHECKS = (KNOWN_LATER, UNDATED)


def unseen_findings(book: Book, *, as_of: date, is_whole: bool) -> Iterator[Finding]:
    """Find rows that no stage ever reads, by one query a table.

    Parameters
    ----------
    is_whole
        Whether `as_of` is the day of the last delivery, so that what becomes known later is wrong and not just hidden.
    """
    for table in sorted(book.tables):
        rows = book.versions(table, as_of=as_of)
        wrong = _wrong(table, rows)
        counts = {check.name: ibis.ifelse(condition, 1, 0).sum() for check, condition in wrong}
        found = book.connection.to_pyarrow(rows.aggregate(known_rows=rows.count(), **counts)).to_pylist()[0]
        known = int(found["known_rows"])
        for check, condition in wrong:
            count = int(found[check.name] or 0)
            if count:
                such = examples(book, rows.filter(condition), table) if count < known else ()
                yield check.finding(count, known, such)
        total = book.manifest.tables[table].rows
        if is_whole and known < total:
            yield KNOWN_LATER.finding(total - known, total, table=table)


def _wrong(table: str, rows: Any) -> list[tuple[Check, Any]]:
    schema = TABLES[table]
    names = dict.fromkeys([*schema.key, *([schema.occurred] if schema.occurred else [])])
    wrong = [(unstated(table, name), rows[name].isnull()) for name in names]
    if table == "applications":
        wrong.append((UNDATED, rows.decision.notnull() & rows.decided_at.isnull()))
    return wrong
