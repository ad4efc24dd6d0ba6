"""Bases about accounts: bookings of the last 180 days, beside what is usual for the customer."""

from __future__ import annotations

import ibis
from ibis import _

from workbench.indicators.snapshot import Snapshot

WEEKS = 24  # full weeks before the last one that fit into the days of history


def transactions(snapshot: Snapshot) -> ibis.Table:
    """Account transactions of the last 180 days; `booked_at` in the book's time zone, `booked_on` its day."""
    return snapshot.bookings


def recent_debits(snapshot: Snapshot) -> ibis.Table:
    """Debits of the last 30 days beside `usual` and `usual_large`: median and 95th percentile of the 150 days before."""
    debits = transactions(snapshot).filter(_.amount < 0).mutate(size=-_.amount.cast("float64"))
    before = debits.filter(_.booked_on <= snapshot.at.days_back(30))
    usual = before.group_by("customer_id").aggregate(
        usual=before["size"].quantile(0.5), usual_large=before["size"].quantile(0.95)
    )
    recent = debits.filter(_.booked_on > snapshot.at.days_back(30))
    return recent.left_join(usual, "customer_id").drop("customer_id_right")


def recent_counterparties(snapshot: Snapshot) -> ibis.Table:
    """Debits of the last 30 days to a known counterparty, of customers with bookings before; `new` if unseen then."""
    rows = transactions(snapshot)
    before = rows.filter(_.booked_on <= snapshot.at.days_back(30))
    known = before.select("customer_id", "counterparty_id").distinct().mutate(seen=True)
    recent = rows.filter(_.booked_on > snapshot.at.days_back(30), _.amount < 0, _.counterparty_id.notnull())
    recent = recent.semi_join(before, "customer_id").left_join(known, ["customer_id", "counterparty_id"])
    return recent.select("customer_id", "amount", new=recent.seen.isnull())


def weeks(snapshot: Snapshot) -> ibis.Table:
    """The last week (`week` 0) and up to 24 before, back to the customer's first booking in them, empty ones too.

    `bookings` and `spent` a week, each beside its median over the weeks before the last.
    """
    rows = transactions(snapshot).filter(_.booked_on > snapshot.at.days_back(7 * (WEEKS + 1)))
    days_ago = ibis.literal(snapshot.at.as_of).delta(rows.booked_on, unit="day").cast("int64")
    size = ibis.ifelse(rows.amount < 0, -rows.amount, 0).cast("decimal(18, 2)")
    rows = rows.select("customer_id", size=size, week=(days_ago // 7).cast("int64"))
    sums = rows.group_by("customer_id", "week").aggregate(
        bookings=rows.count(), spent=rows["size"].sum().cast("float64")
    )
    calendar = ibis.memtable([(week,) for week in range(WEEKS + 1)], schema={"every": "int64"})
    grid = sums.group_by("customer_id").aggregate(oldest=sums.week.max()).cross_join(calendar)
    grid = grid.filter(_.every <= _.oldest).select("customer_id", week=_.every)
    filled = grid.left_join(sums, ["customer_id", "week"])
    filled = filled.select(
        "customer_id",
        "week",
        bookings=ibis.coalesce(filled.bookings, 0).cast("float64"),
        spent=ibis.coalesce(filled.spent, 0.0),
    )
    past = filled.filter(_.week > 0)
    usual = past.group_by("customer_id").aggregate(
        usual_bookings=past.bookings.quantile(0.5), usual_spent=past.spent.quantile(0.5)
    )
    return filled.left_join(usual, "customer_id").drop("customer_id_right")
