"""Instants and business days of the book's time zone, as expressions that every engine reads."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import ibis

from workbench.book.book import Book
from workbench.core.dates import midnight_offsets

_HISTORY = timedelta(days=3653)  # clock changes are followed from ten years before the book's first day


def local_day(book: Book, moment: Any) -> Any:
    """Return the business day of a UTC instant.

    The offset changes at noon of the day on which the clocks do, so that it is right at every midnight.
    """
    first, *changes = _offsets(book)
    day = _shift(moment, first[1])
    for since, offset in changes:
        noon = datetime.combine(since, time(12)) - offset
        day = ibis.ifelse(moment >= noon, _shift(moment, offset), day)
    return day.cast("date")


def day_start(book: Book, day: Any) -> Any:
    """Return the UTC instant at which a business day starts."""
    first, *changes = _offsets(book)
    midnight = day.cast("timestamp")
    start = _shift(midnight, -first[1])
    for since, offset in changes:  # `since` is the first day that ends at this offset
        start = ibis.ifelse(day > since, _shift(midnight, -offset), start)
    return start


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


def _offsets(book: Book) -> list[tuple[date, timedelta]]:
    facts = book.manifest.facts
    known = midnight_offsets(facts.time_zone, date(facts.last_day.year + 1, 12, 31))
    since = facts.first_day - _HISTORY
    start = max((index for index, (day, _offset) in enumerate(known) if day <= since), default=0)
    return known[start:]


def _shift(moment: Any, offset: timedelta) -> Any:
    seconds = int(offset.total_seconds())
    return moment + ibis.interval(seconds=seconds) if seconds >= 0 else moment - ibis.interval(seconds=-seconds)
