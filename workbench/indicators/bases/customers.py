"""Bases about customers: who they are, what they did and asked, what others report of them."""

from __future__ import annotations

import ibis
from ibis import _

from workbench.book.days import local_day
from workbench.indicators.snapshot import DAYS_OF_HISTORY, Snapshot


def standing(snapshot: Snapshot) -> ibis.Table:
    """Customers: one row each, with declared income and dates."""
    rows = snapshot.table("customers")
    return rows.mutate(monthly_income=rows.monthly_income.cast("float64"))


def events(snapshot: Snapshot) -> ibis.Table:
    """What the customer did or asked in the last 180 days; `occurred_on` its business day."""
    rows = snapshot.table("events")
    rows = rows.filter(_.occurred_at >= snapshot.book.day_end(snapshot.at.days_back(DAYS_OF_HISTORY)))
    return rows.select("customer_id", "kind", occurred_on=snapshot.local_time(rows.occurred_at).date())


def applications(snapshot: Snapshot) -> ibis.Table:
    """Applications known at the date; `applied_on` the business day, `latest_scored` the last accepted one with a score."""
    rows = snapshot.table("applications")
    scored = (rows.decision == "accepted") & rows.score.notnull()
    rows = rows.mutate(applied_on=local_day(snapshot.book, rows.applied_at), scored=ibis.coalesce(scored, False))
    order = [ibis.desc("applied_at"), ibis.desc("application_id")]  # two at one instant: always the same one
    line = ibis.window(group_by=["customer_id", "scored"], order_by=order)
    return rows.mutate(latest_scored=rows.scored & (ibis.row_number().over(line) == 0))


def latest_report(snapshot: Snapshot) -> ibis.Table:
    """The latest report of an outside bureau on each customer."""
    rows = snapshot.table("bureau")
    latest = rows.group_by("customer_id").aggregate(reported_on=_.reported_on.max())
    return rows.semi_join(latest, ["customer_id", "reported_on"])
