"""A book at an observation date, and what several bases share of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import ibis
from ibis import _

from workbench.book.book import Book
from workbench.book.performance import is_active, performance, states_dpd
from workbench.core.dates import last_month_end, month_end, utc_offsets
from workbench.indicators.registry import At

DAYS_OF_HISTORY = 180
MONTHS_EVER = 36  # how far back the record of earlier loans is read. House choice: three years


class Snapshot:
    """A book at an observation date; what several bases share is computed once."""

    def __init__(self, book: Book, at: At) -> None:
        self.book = book
        self.at = at

    def table(self, name: str) -> ibis.Table:
        """Return a canonical table as known at the date."""
        return self.book.as_known(name, as_of=self.at.as_of)

    @cached_property
    def loan_days(self) -> ibis.Table:
        """Return every loan at the date itself and at month ends, kept in the engine.

        `months_ago` counts month ends back from 0, the last one up to the date; a date inside a month is -1. Flows and
        balances are stated by month, so that only month ends may be compared with each other.
        """
        first = self.book.manifest.facts.first_day
        last = last_month_end(self.at.as_of)
        ends = [month_end(last, months=-ago) for ago in range(MONTHS_EVER)]
        days = {day: ago for ago, day in enumerate(ends) if day >= first or ago == 0}
        days.setdefault(self.at.as_of, -1)
        rows = performance(self.book, as_of=self.at.as_of, days=list(days))
        steps = ibis.memtable(list(days.items()), schema={"month_end": "date", "months_ago": "int64"})
        return self.book.keep(rows.join(steps, "month_end"))

    @cached_property
    def now(self) -> ibis.Table:
        """Return every loan at the date itself."""
        return self.loan_days.filter(_.month_end == self.at.as_of)

    @cached_property
    def active(self) -> ibis.Table:
        """Return the active customers; where the book does not say how loans are paid, those with an open loan."""
        if states_dpd(self.book.tables):
            loans = self.now.filter(is_active(self.now))
        else:
            loans = self.table("loans").filter(_.closed_on.isnull(), _.written_off_on.isnull())
        return loans.select("customer_id").distinct()

    @cached_property
    def bookings(self) -> ibis.Table:
        """Return the account transactions of the last 180 days, kept in the engine.

        `booked_at` is in the book's time zone, `booked_on` its day.
        """
        rows = self.table("transactions")
        rows = rows.filter(_.booked_at >= self.book.day_end(self.at.days_back(DAYS_OF_HISTORY)))
        rows = rows.mutate(booked_at=self.local_time(rows.booked_at))
        columns = ("customer_id", "channel", "category", "counterparty_id", "booked_at", "amount", "balance_after")
        return self.book.keep(rows.select(*columns, booked_on=_.booked_at.date()))

    def local_time(self, moment: Any) -> Any:
        """Return an instant of the last 180 days as the clock of the book's time zone showed it: its date is the business day.

        Older instants may be an hour off: `workbench.book.days.local_day` knows every change of the clocks.
        """
        book, at = self.book, self.at
        start = book.day_end(at.days_back(DAYS_OF_HISTORY))
        first, *changes = utc_offsets(book.manifest.facts.time_zone, start, book.day_end(at.as_of))
        local = moment + ibis.interval(seconds=int(first[1].total_seconds()))
        for begins, offset in changes:
            later = moment + ibis.interval(seconds=int(offset.total_seconds()))
            local = ibis.ifelse(moment >= begins, later, local)
        return local
