"""What was lost and what came back, by plain loops over a book's rows: the slow reference of losses and of LGD."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.dates import month_end, month_ends

UNSEEN = {"sold", "deceased", "left_file"}


@dataclass
class Life:
    """One loan as it is known: its terms, balances and days past due by month end, and what was paid on it, by day."""

    terms: dict[str, Any]
    balances: dict[date, float] = field(default_factory=dict)
    dpd: dict[date, int] = field(default_factory=dict)
    paid: list[tuple[date, float, str]] = field(default_factory=list)

    @property
    def lost_on(self) -> date | None:
        return self.terms["written_off_on"]

    def balance_at(self, day: date) -> float | None:
        """The balance at the last month end up to the day, in its month or the one before; 0 on the day itself says nothing."""
        for end in (month_end(day), month_end(day, months=-1)):
            if end <= day and self.balances.get(end) is not None and not (end == day and self.balances[end] <= 0):
                return self.balances[end]
        return None

    def is_bad(self, end: date, bad_dpd: int) -> bool:
        return self.dpd.get(end, 0) >= bad_dpd


def lives_of(book: Book, as_of: date) -> dict[str, Life]:
    """Read a book into loans, one after the other."""

    def rows(table: str) -> list[dict[str, Any]]:
        return book.as_known(table, as_of=as_of).to_pyarrow().to_pylist() if table in book.tables else []

    lives = {row["loan_id"]: Life(row) for row in rows("loans")}
    for row in rows("performance"):
        lives[row["loan_id"]].balances[row["month_end"]] = None if row["balance"] is None else float(row["balance"])
    zone = ZoneInfo(book.manifest.facts.time_zone)
    posted = {(row["loan_id"], row["effective_on"]) for row in rows("restructurings")}
    for row in rows("payments"):
        day = row["paid_at"].replace(tzinfo=ZoneInfo("UTC")).astimezone(zone).date()
        if row["kind"] == "scheduled" and (row["loan_id"], day) in posted:
            continue  # the posting that settles the arrears of a restructured loan: nobody paid it
        lives[row["loan_id"]].paid.append((day, float(row["amount"]), row["kind"]))
    days = month_ends(book.manifest.facts.first_day, as_of)
    known = performance(book, as_of=as_of, days=days).select("loan_id", "month_end", "dpd", "open").to_pyarrow()
    for row in known.to_pylist():
        if row["open"] and row["dpd"] is not None:
            lives[row["loan_id"]].dpd[row["month_end"]] = row["dpd"]
    return lives


def comes_back(life: Life, day: date, kind: str) -> bool:
    """Whether what is paid on a day is paid on a loan that was written off."""
    lost = life.lost_on
    return lost is not None and (day > lost or (day == lost and kind == "recovery"))


def slow_monthly_losses(book: Book, *, as_of: date, ends: list[date]) -> pd.DataFrame:
    """Sum by month, loan by loan and payment by payment."""
    lives, bad_dpd, rows = lives_of(book, as_of), book.definitions.target.bad_dpd, []
    for end in ends:
        start = month_end(end, months=-1)
        lost = [life for life in lives.values() if life.lost_on and start < life.lost_on <= end]
        back = in_default = 0.0
        for life in lives.values():
            for day, amount, kind in life.paid:
                if not start < day <= end:
                    continue
                if comes_back(life, day, kind):
                    back += amount
                elif kind == "recovery" or life.is_bad(start, bad_dpd):
                    in_default += amount
        rows.append(
            (pd.Timestamp(end), len(lost), sum(one.balance_at(one.lost_on) or 0.0 for one in lost), back, in_default)
        )
    return pd.DataFrame(rows, columns=["month_end", "loans_written_off", "written_off", "recovered", "paid_in_default"])


def slow_workout(book: Book, *, as_of: date, workout_months: int, rate: float) -> dict[str, dict[str, Any]]:
    """Follow each loan from its first default for so many months; by loan: exposure, what was lost of it, how it ended."""
    ends = month_ends(book.manifest.facts.first_day, as_of)
    target, found = book.definitions.target, {}
    for loan_id, life in lives_of(book, as_of).items():
        bad = [end for end in ends if life.is_bad(end, target.bad_dpd)]
        starts = sorted([*bad[:1], *([life.lost_on] if life.lost_on else [])])
        if not starts or starts[0] <= ends[0]:  # never, or nobody knows since when
            continue
        default = starts[0]
        horizon = month_end(default, months=workout_months)
        if horizon > ends[-1]:
            continue
        closed, lost = life.terms["closed_on"], life.lost_on
        last_bad = max([end for end in bad if end <= horizon], default=None)
        back_on = None
        if last_bad and not (lost and lost <= horizon):
            end = month_end(last_bad, months=max(target.probation_months, 1))
            back_on = end if end <= horizon and not (closed and closed <= end) else None
        unseen = closed and default < closed <= (back_on or horizon) and life.terms["close_reason"] in UNSEEN
        exposure = life.balance_at(default)
        left = life.balances.get(back_on) if back_on else 0.0
        if unseen or not exposure or exposure <= 0 or left is None:
            continue
        until = back_on or horizon
        value = sum(
            amount / (1 + rate) ** ((day - default).days / 365)
            for day, amount, kind in life.paid
            if default < day <= until or (day == default and comes_back(life, day, kind))
        )
        if back_on:
            value += left / (1 + rate) ** ((back_on - default).days / 365)
        found[loan_id] = {
            "customer": life.terms["customer_id"], "product": life.terms["product"], "default": default,
            "exposure": exposure, "loss": max(exposure - value, 0.0), "cured": back_on is not None,
            "lost": bool(lost and lost <= horizon),
        }  # fmt: skip
    return found


def by_product(loans: dict[str, dict[str, Any]]) -> dict[str | None, list[dict[str, Any]]]:
    """Return the loans in all, and of each product."""
    groups: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for loan in loans.values():
        groups[None].append(loan)
        groups[loan["product"]].append(loan)
    return groups
