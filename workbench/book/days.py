"""Instants and business days of the book's time zone, as expressions that every engine reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import ibis

from workbench.book.book import Book
from workbench.core.dates import midnight_offsets


def local_day(book: Book, moment: Any) -> Any:
    """Return the business day of a UTC instant.

    The offset changes at noon of the day on which the clocks do, so that it is right at every midnight.
    """
    offsets = _offsets(book)
    since = [datetime.combine(first, time(12)) - offset for first, offset in offsets[1:]]
    shifted = {offset: _shift(moment, offset).cast("date") for offset in {offset for _first, offset in offsets}}
    return _by_span(moment, since, [shifted[offset] for _first, offset in offsets])


def day_start(book: Book, day: Any) -> Any:
    """Return the UTC instant at which a business day starts."""
    offsets, midnight = _offsets(book), day.cast("timestamp")
    since = [ends + timedelta(days=1) for ends, _offset in offsets[1:]]  # an offset holds from the day that ends at it
    shifted = {offset: _shift(midnight, -offset) for offset in {offset for _ends, offset in offsets}}
    return _by_span(day, since, [shifted[offset] for _ends, offset in offsets])


def _by_span(value: Any, since: list[Any], answers: list[Any]) -> Any:
    """Return the answer of the span that `value` lies in; `since` are the starts of all but the first.

    Spans are halved, so that a row is compared with a few of the clock changes and never with all of them.
    """
    if not since:
        return answers[0]
    half = len(since) // 2
    earlier = _by_span(value, since[:half], answers[: half + 1])
    return ibis.ifelse(value < since[half], earlier, _by_span(value, since[half + 1 :], answers[half + 1 :]))


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
    """Return all clock changes since 1970: a loan may be much older than the book, and a delivery later than its last day."""
    facts = book.manifest.facts
    last = max(facts.last_day, datetime.now(UTC).date())
    return midnight_offsets(facts.time_zone, date(last.year + 1, 12, 31))


def _shift(moment: Any, offset: timedelta) -> Any:
    seconds = int(offset.total_seconds())
    return moment + ibis.interval(seconds=seconds) if seconds >= 0 else moment - ibis.interval(seconds=-seconds)
