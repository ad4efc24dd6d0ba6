"""Transactions from the meanings alone."""

from __future__ import annotations

import statistics

import numpy as np

from .capacity import INCOME
from .customer import Customer, Row, Value, difference, mean, ratio, share, total


def debits(c: Customer, days: int, *, to: int = 0) -> list[Row]:
    return [row for row in c.since(c.transactions, days, to=to) if row["amount"] < 0]


def usual_large(c: Customer) -> Value:
    before = [-float(row["amount"]) for row in debits(c, 180, to=30)]
    return float(np.quantile(before, 0.95)) if before else None


def largest_to_usual(c: Customer) -> Value:
    return ratio(max((-float(row["amount"]) for row in debits(c, 30)), default=None), usual_large(c))


def unusual(c: Customer) -> Value:
    usual = usual_large(c)
    return 0.0 if usual is None else float(sum(-float(row["amount"]) > 2 * usual for row in debits(c, 30)))


def spending_to_usual(c: Customer) -> Value:
    before = total(debits(c, 180, to=30), "amount")
    return None if before is None else ratio((total(debits(c, 30), "amount") or 0.0) / 30, before / 150)


def cash_share(c: Customer) -> Value:
    cash = [row for row in debits(c, 90) if row["channel"] == "atm"]
    return share(cash, of=debits(c, 90), amount=lambda row: row["amount"])


def risky_share(c: Customer) -> Value:
    recent = c.since(c.transactions, 90)
    risky = [row for row in recent if row["category"] in ("gambling", "payday_loan", "other_lender")]
    return share(risky, of=recent, amount=lambda row: abs(row["amount"]))


def by_card(c: Customer) -> list[Row]:
    return [row for row in c.since(c.transactions, 90) if row["channel"] in ("card", "atm")]


def days_since_salary(c: Customer) -> Value:
    salary = [row for row in c.since(c.transactions, 180) if row["category"] in INCOME]
    return min(((c.as_of - row["day"]).days for row in salary), default=None)


def activity(c: Customer) -> Value:
    before = c.since(c.transactions, 180, to=7)
    return ratio(len(c.since(c.transactions, 7)) / 7, len(before) / 173)


def sizes_before(c: Customer) -> list[float]:
    """Return the debits of the 150 days before the last 30."""
    return [-float(row["amount"]) for row in debits(c, 180, to=30)]


def largest_to_median(c: Customer) -> Value:
    largest = max((-float(row["amount"]) for row in debits(c, 30)), default=None)
    before = sizes_before(c)
    return ratio(largest, statistics.median(before)) if before else None


def weeks(c: Customer, amount: object) -> list[float]:
    """Return the sums of the week up to the date and of the up to 24 before, back to the customer's first transaction."""
    recent = c.since(c.transactions, 175)
    oldest = max(((c.as_of - row["day"]).days // 7 for row in recent), default=-1)
    sums = [0.0] * (oldest + 1)
    for row in recent:
        sums[(c.as_of - row["day"]).days // 7] += amount(row)  # type: ignore[operator]
    return sums


def robust_z(sums: list[float]) -> Value:
    if len(sums) < 9:
        return None
    middle = statistics.median(sums[1:])
    spread = statistics.median(abs(value - middle) for value in sums[1:])
    return ratio(sums[0] - middle, 1.4826 * spread)


def new_counterparties(c: Customer) -> Value:
    before = {row["counterparty_id"] for row in c.since(c.transactions, 180, to=30)}
    recent = [row for row in debits(c, 30) if row["counterparty_id"] is not None]
    if not c.since(c.transactions, 180, to=30):
        return None
    new = [row for row in recent if row["counterparty_id"] not in before]
    return share(new, of=recent, amount=lambda row: row["amount"])


def is_round(row: Row) -> bool:
    return round(row["amount"] * 100) % 10_000 == 0


def burst(c: Customer) -> Value:
    return 0.0 if c.since(c.transactions, 67, to=7) else float(len(c.since(c.transactions, 7)))


def from_lenders(c: Customer) -> Value:
    kinds = ("other_lender", "payday_loan")
    rows = [row for row in c.since(c.transactions, 90) if row["category"] in kinds and row["amount"] > 0]
    return total(rows, "amount") or 0.0


def balances(c: Customer, days: int, *, to: int = 0) -> list[float]:
    rows = c.since(c.transactions, days, to=to)
    return [float(row["balance_after"]) for row in rows if row["balance_after"] is not None]


def spent(row: Row) -> float:
    return max(-float(row["amount"]), 0.0)


def daily(c: Customer, days: int, measure: object) -> Value:
    """Return a measure a day over the last `days` days against the rest of the 180."""
    recent, before = (
        sum(measure(row) for row in rows)
        for rows in (  # type: ignore[operator]
            c.since(c.transactions, days),
            c.since(c.transactions, 180, to=days),
        )
    )
    return ratio(recent / days, before / (180 - days))


REFERENCES = {
    "sudden_large_debit": largest_to_usual,
    "largest_debit_to_median": largest_to_median,
    "unusual_debits_30d": unusual,
    "spending_to_usual": spending_to_usual,
    "spending_7d_to_usual": lambda c: daily(c, 7, spent),
    "count_7d_to_usual": activity,
    "count_30d_to_usual": lambda c: daily(c, 30, lambda _row: 1),
    "spending_week_z": lambda c: robust_z(weeks(c, spent)),
    "count_week_z": lambda c: robust_z(weeks(c, lambda _row: 1)),
    "new_counterparty_share_30d": new_counterparties,
    "cash_share_90d": cash_share,
    "risky_share_90d": risky_share,
    "night_share_90d": lambda c: share([row for row in by_card(c) if row["hour"] < 6], of=by_card(c)),
    "weekend_share_90d": lambda c: share([row for row in by_card(c) if row["day"].weekday() >= 5], of=by_card(c)),
    "round_share_90d": lambda c: share([row for row in debits(c, 90) if is_round(row)], of=debits(c, 90)),
    "other_lender_inflow_90d": from_lenders,
    "dormant_then_active": burst,
    "days_since_salary": days_since_salary,
    "lowest_balance_30d": lambda c: min(balances(c, 30), default=None),
    "balance_change_30d": lambda c: difference(mean(balances(c, 30)), mean(balances(c, 180, to=30))),
    "overdraft_days_90d": lambda c: float(
        len({row["day"] for row in c.since(c.transactions, 90) if (row["balance_after"] or 0) < 0})
    ),
    "days_since_transaction": lambda c: min(
        ((c.as_of - row["day"]).days for row in c.since(c.transactions, 180)), default=None
    ),
}
