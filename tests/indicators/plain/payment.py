"""Payment from the meanings alone: every due followed day by day."""

from __future__ import annotations

import math
from datetime import date, timedelta
from functools import cache

from .capacity import asked
from .customer import Customer, Row, Value, difference, mean, ratio, total, worst


def since_late(c: Customer) -> Value:
    return min((row["ago"] for row in c.year if row["dpd"] > 0), default=12)


def late_months(c: Customer, dpd: int) -> Value:
    return float(len({row["ago"] for row in c.year if row["dpd"] >= dpd}))


def paid_share(c: Customer) -> Value:
    recent = [row for row in c.year if row["ago"] < 3]
    return ratio(total(recent, "paid_amount"), total(recent, "due_amount"))


def month_before(c: Customer, row: Row) -> Row | None:
    return next((r for r in c.months if r["loan_id"] == row["loan_id"] and r["ago"] == row["ago"] + 1), None)


def cures(c: Customer) -> Value:
    count = 0
    for row in c.year:
        before = month_before(c, row)
        count += row["open"] and row["dpd"] == 0 and before is not None and before["open"] and before["dpd"] >= 30
    return float(count)


def relapses(c: Customer) -> Value:
    count = 0
    for row in c.year:
        if row["dpd"] is None or row["dpd"] < 30:
            continue
        before = month_before(c, row)
        earlier = [r["dpd"] for r in c.months if r["loan_id"] == row["loan_id"] and r["ago"] > row["ago"]]
        count += before is not None and before["dpd"] < 30 and max(earlier) >= 30
    return float(count)


def months_with(c: Customer, wanted: object) -> Value:
    return float(len({row["ago"] for row in c.year if row["due_amount"] and row["due_amount"] > 0 and wanted(row)}))  # type: ignore[operator]


def in_force(c: Customer, loan_id: str) -> list[tuple[date, float]]:
    """Return the dues of a loan that no later schedule replaced, in order: (due day, cents)."""
    rows = [row for row in c.instalments if row["loan_id"] == loan_id]
    begins: dict[int, date] = {}
    for row in rows:
        version = row["schedule_version"]
        begins[version] = min(row["effective_from"], begins.get(version, row["effective_from"]))
    kept = []
    for row in rows:
        version = row["schedule_version"]
        replaced = [begins[other] for other in begins if other > version]
        starts = version == min(begins) or row["due_on"] >= begins[version]
        if row["due_on"] <= c.as_of and starts and (not replaced or row["due_on"] < min(replaced)):
            kept.append((row["due_on"], row["instalment_no"], round(row["due_amount"] * 100)))
    return [(due_on, cents) for due_on, _no, cents in sorted(kept)]


def paid_by_day(c: Customer, loan_id: str) -> dict[date, int]:
    """Return the cents of a day's scheduled payments; a reversal counts as the kind that it takes back."""
    kinds = {row["payment_id"]: row["kind"] for row in c.payments}
    found: dict[date, int] = {}
    for row in c.payments:
        kind = kinds.get(row["reverses"], "scheduled") if row["kind"] == "reversal" else row["kind"]
        if row["loan_id"] == loan_id and kind == "scheduled":
            found[row["day"]] = found.get(row["day"], 0) + round(row["amount"] * 100)
    return found


@cache
def dues(c: Customer) -> list[tuple[date, int]]:
    """Return (due day, days late) of each due of the last twelve months; early is negative, what is open counts to the date.

    A due is settled on the first day from which on it stayed covered at every day's end; a loan that is repaid settles all.
    """
    found = []
    for loan_id, loan in c.loans.items():
        size = float(loan["principal"] or 0) + float(loan["credit_limit"] or 0)
        allowed = math.floor(max(c.threshold_absolute, size * c.threshold_relative) * 100 + 1e-6)
        paid = paid_by_day(c, loan_id)
        ended = loan["written_off_on"] or loan["closed_on"]
        end = min(c.as_of, ended) if ended else c.as_of
        asked_so_far = 0
        for due_on, cents in in_force(c, loan_id):
            asked_so_far += cents
            level = asked_so_far - allowed
            if not c.months_back(12) < due_on < c.as_of or due_on > end:
                continue
            if level <= 0:
                found.append((due_on, 0))
                continue
            settled, day, paid_by_then = end, c.as_of, sum(paid.values())
            while paid_by_then >= level:
                paid_by_then -= paid.get(day, 0)
                settled, day = day, day - timedelta(days=1)
            found.append((due_on, (min(settled, end) - due_on).days))
    return found


def mean_days(c: Customer, *, recent: bool | None = None) -> Value:
    split = c.months_back(3)
    return mean([late for due_on, late in dues(c) if recent is None or (due_on > split) == recent])


REFERENCES = {
    "dpd_now": lambda c: worst(c.open_now),
    "arrears_instalments": lambda c: ratio(total(c.open_now, "arrears"), asked(c)),
    "worst_dpd_6m": lambda c: worst([row for row in c.year if row["ago"] < 6]),
    "worst_dpd_12m": lambda c: worst(c.year),
    "months_late_12m": lambda c: late_months(c, 1),
    "months_30plus_12m": lambda c: late_months(c, 30),
    "months_60plus_12m": lambda c: late_months(c, 60),
    "months_90plus_12m": lambda c: late_months(c, 90),
    "months_since_late": since_late,
    "paid_share_3m": paid_share,
    "partial_months_12m": lambda c: months_with(c, lambda row: 0 < (row["paid_amount"] or 0) < row["due_amount"]),
    "missed_months_12m": lambda c: months_with(
        c, lambda row: row["paid_amount"] is not None and row["paid_amount"] <= 0
    ),
    "cures_12m": cures,
    "relapses_12m": relapses,
    "late_share_12m": lambda c: mean([float(late > 0) for _due_on, late in dues(c)]),
    "missed_dues_12m": lambda c: float(sum(late >= 30 for _due_on, late in dues(c))),
    "mean_days_late_12m": mean_days,
    "days_late_trend": lambda c: difference(mean_days(c, recent=True), mean_days(c, recent=False)),
}
