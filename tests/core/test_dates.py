"""Business days and month ends."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.dates import add_months, day_end, month_end, month_ends, parse_date, utc_offsets
from workbench.core.errors import ParameterError

DAYS = st.dates(date(1950, 1, 1), date(2080, 12, 31))


@given(DAYS, st.integers(-400, 400))
def test_a_month_end_is_followed_by_a_first(day: date, months: int) -> None:
    end = month_end(day, months=months)
    assert (end + timedelta(days=1)).day == 1
    assert (end.year * 12 + end.month) - (day.year * 12 + day.month) == months


@given(DAYS, st.integers(0, 400))
def test_adding_months_keeps_the_day_or_the_month_end(day: date, months: int) -> None:
    later = add_months(day, months)
    end = month_end(day, months=months)
    assert later == (end if day == month_end(day) else end.replace(day=min(day.day, end.day)))
    if day.day <= 27:
        assert add_months(later, -months) == day


@given(DAYS, st.integers(0, 900))
def test_month_ends_are_those_after_the_first_day_up_to_the_last(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    days = [first + timedelta(days=n) for n in range(1, length + 1)]
    assert month_ends(first, last) == [day for day in days if (day + timedelta(days=1)).day == 1]


@pytest.mark.parametrize(
    ("day", "zone", "end"),
    [
        (date(2025, 6, 30), "UTC", datetime(2025, 7, 1)),
        (date(2025, 6, 30), "Asia/Shanghai", datetime(2025, 6, 30, 16)),
        (date(2024, 3, 9), "America/New_York", datetime(2024, 3, 10, 5)),
        (date(2024, 3, 10), "America/New_York", datetime(2024, 3, 11, 4)),  # the day of 23 hours
        (date(2024, 2, 29), "Asia/Kathmandu", datetime(2024, 2, 29, 18, 15)),
    ],
)
def test_days_end_at_midnight_of_their_zone(day: date, zone: str, end: datetime) -> None:
    assert day_end(day, zone) == end


def test_dates_are_parsed_or_refused() -> None:
    assert parse_date(" 2024-02-29 ") == parse_date(date(2024, 2, 29)) == date(2024, 2, 29)
    for text in ("2023-02-29", "30.6.2025", "", "June"):
        with pytest.raises(ParameterError, match=r"last_observation: found .* expected a date such as 2025-06-30"):
            parse_date(text, what="last_observation")


def test_offsets_change_when_the_clocks_do() -> None:
    hours = [(since, offset / timedelta(hours=1)) for since, offset in
             utc_offsets("America/New_York", datetime(2024, 3, 1), datetime(2024, 12, 1))]  # fmt: skip
    assert hours == [
        (datetime(2024, 3, 1), -5),
        (datetime(2024, 3, 10, 7), -4),  # 2:00 becomes 3:00
        (datetime(2024, 11, 3, 6), -5),  # 2:00 becomes 1:00
    ]
