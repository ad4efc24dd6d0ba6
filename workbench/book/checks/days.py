"""Instants and business days of the book's time zone, as expressions that every engine reads."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import ibis

from workbench.book.book import Book
from workbench.core.dates import midnight_offsets

# Clock changes are followed from so long before the book's first day: flows lie within it, loans may be older.
_FLOWS, _LOANS = timedelta(days=366), timedelta(days=3653)


def local_day(book: Book, moment: Any) -> Any:
    """Return the business day of a UTC instant.

    The offset changes at noon of the day on which the clocks do, so that it is right at every midnight.
    """
    offsets = _offsets(book, _FLOWS)
    until = [moment < datetime.combine(since, time(12)) - offset for since, offset in offsets[1:]]
    return _by_case(until, [_shift(moment, offset).cast("date") for _since, offset in offsets])


def day_start(book: Book, day: Any) -> Any:
    """Return the UTC instant at which a business day starts."""
    offsets, midnight = _offsets(book, _LOANS), day.cast("timestamp")
    until = [day <= since for since, _offset in offsets[1:]]  # `since` is the first day that ends at its offset
    return _by_case(until, [_shift(midnight, -offset) for _since, offset in offsets])


def _by_case(until: list[Any], values: list[Any]) -> Any:
    branches = list(zip(until, values[:-1], strict=True))
    return ibis.cases(*branches, else_=values[-1]) if branches else values[-1]


def month_number(day: Any) -> Any:
    """Return the month of a day, counted from the year 0."""
    return (day.year() * 12 + day.month()).cast("int64")


def month_end_of(number: int) -> date:
    """Return the last day of a month number.

    >>> month_end_of(2024 * 12 + 2)
    datetime.date(2024, 2, 29)
    """
    year, month = divmod(number, 12)  # December of a year is month 0 of the next
    return date(year, month + 1, 1) - timedelta(days=1)


def _offsets(book: Book, history: timedelta) -> list[tuple[date, timedelta]]:
    facts = book.manifest.facts
    known = midnight_offsets(facts.time_zone, date(facts.last_day.year + 1, 12, 31))
    since = facts.first_day - history
    start = max((index for index, (day, _offset) in enumerate(known) if day <= since), default=0)
    return known[start:]


def _shift(moment: Any, offset: timedelta) -> Any:
    seconds = int(offset.total_seconds())
    return moment + ibis.interval(seconds=seconds) if seconds >= 0 else moment - ibis.interval(seconds=-seconds)
