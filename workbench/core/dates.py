"""Business days, month ends and the instants at which they end."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from workbench.core.errors import ParameterError


def parse_date(text: str | date, *, what: str = "as_of") -> date:
    """Return an ISO date.

    >>> parse_date("2025-06-30")
    datetime.date(2025, 6, 30)

    Raises
    ------
    ParameterError
        If the text is no ISO date.
    """
    if isinstance(text, date):
        return text
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ParameterError(f"{what}: found {text!r}, expected a date such as 2025-06-30.") from None


def month_end(day: date, *, months: int = 0) -> date:
    """Return the last day of the month that lies `months` after the month of `day`.

    >>> month_end(date(2024, 1, 31), months=1)
    datetime.date(2024, 2, 29)
    """
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])


def last_month_end(day: date) -> date:
    """Return the latest month end up to and including `day`.

    >>> last_month_end(date(2025, 6, 29)), last_month_end(date(2025, 6, 30))
    (datetime.date(2025, 5, 31), datetime.date(2025, 6, 30))
    """
    return day if day == month_end(day) else month_end(day, months=-1)


def add_months(day: date, months: int) -> date:
    """Return the same day `months` later; a month end stays a month end, a missing day becomes the month's last.

    >>> add_months(date(2024, 2, 29), 12)
    datetime.date(2025, 2, 28)
    >>> add_months(date(2025, 6, 30), -6)
    datetime.date(2024, 12, 31)
    """
    target = month_end(day, months=months)
    return target if day == month_end(day) else target.replace(day=min(day.day, target.day))


def month_ends(first: date, last: date) -> list[date]:
    """Return the month ends in (`first`, `last`], in order.

    >>> month_ends(date(2024, 12, 31), date(2025, 2, 28))
    [datetime.date(2025, 1, 31), datetime.date(2025, 2, 28)]
    """
    ends = []
    day = month_end(first)
    while day <= last:
        if day > first:
            ends.append(day)
        day = month_end(day, months=1)
    return ends


def step_back(last: date, *, months: int, until: date) -> list[date]:
    """Return month ends from `last` back to no earlier than `until`, every `months`, in ascending order.

    >>> step_back(date(2025, 6, 30), months=3, until=date(2024, 12, 31))
    [datetime.date(2024, 12, 31), datetime.date(2025, 3, 31), datetime.date(2025, 6, 30)]

    Raises
    ------
    ParameterError
        If `months` is below 1.
    """
    if months < 1:
        raise ParameterError(f"every_months: found {months}, expected 1 or more.")
    days = []
    day = month_end(last)
    while day >= until:
        days.append(day)
        day = month_end(day, months=-months)
    return sorted(days)


def day_end(day: date, time_zone: str) -> datetime:
    """Return the first instant after business day `day` in `time_zone`, in UTC without a zone.

    >>> day_end(date(2025, 6, 30), "Asia/Shanghai")
    datetime.datetime(2025, 6, 30, 16, 0)
    """
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=ZoneInfo(time_zone))
    return midnight.astimezone(UTC).replace(tzinfo=None)


@cache
def utc_offsets(time_zone: str, since: datetime, until: datetime) -> list[tuple[datetime, timedelta]]:
    """Return the offsets from UTC in force in [`since`, `until`), each with the UTC instant from which it holds.

    >>> utc_offsets("Asia/Shanghai", datetime(2025, 1, 1), datetime(2025, 7, 1))
    [(datetime.datetime(2025, 1, 1, 0, 0), datetime.timedelta(seconds=28800))]
    """
    zone, moment = ZoneInfo(time_zone), since

    def offset_at(instant: datetime) -> timedelta:
        return instant.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()

    found = [(since, offset_at(since))]
    while moment < until:
        if offset_at(moment + timedelta(days=1)) == found[-1][1]:  # no zone has ever changed twice within a day
            moment += timedelta(days=1)
            continue
        moment += timedelta(minutes=30)  # clocks change at whole or half hours
        if moment < until and (offset := offset_at(moment)) != found[-1][1]:
            found.append((moment, offset))
    return found


def midnight_offsets(time_zone: str, until: date) -> list[tuple[date, timedelta]]:
    """Return the offsets from UTC at the midnights that end the days from 1970 to `until`, each with its first day.

    >>> midnight_offsets("Asia/Shanghai", date(1985, 1, 1))
    [(datetime.date(1970, 1, 1), datetime.timedelta(seconds=28800))]
    """
    first, *later = _midnight_offsets(time_zone, until.year)
    return [first, *(found for found in later if found[0] <= until)]


@cache
def _midnight_offsets(time_zone: str, until_year: int) -> list[tuple[date, timedelta]]:
    zone, day = ZoneInfo(time_zone), date(1970, 1, 1)
    found: list[tuple[date, timedelta]] = []
    while day.year <= until_year or not found:
        offset = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone).utcoffset() or timedelta()
        if not found or found[-1][1] != offset:
            found.append((day, offset))
        day += timedelta(days=1)
    return found
