"""Transactions: what moves through the account, against the customer's own past."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.registry import At, indicator, total

RISKY_CATEGORIES = ("gambling", "payday_loan", "other_lender")


UNUSUAL_MULTIPLE = 2.0  # house choice: twice the customer's own 95th percentile


def _recent_to_usual(recent: Any, before: Any, *, recent_days: int, before_days: int) -> Any:
    return (ibis.coalesce(recent, 0.0) / recent_days) / (before / before_days).nullif(0)


@indicator(
    family="transactions",
    base="recent_debits",
    unit="multiple",
    direction="higher",
    label=("sudden large debit", "突发大额支出"),
    reason=(
        "largest debit of 30 days is {value:.1f} times the usual large one",
        "近30天最大支出为平时大额支出的{value:.1f}倍",
    ),
)
def sudden_large_debit(t: Any, at: At) -> Any:
    """Largest debit of the last 30 days over the 95th percentile of the customer's debits in the 150 days before."""
    return t["size"].max() / t.usual_large.max().nullif(0)


@indicator(
    family="transactions",
    base="recent_debits",
    absent=0,
    unit="transactions",
    direction="higher",
    label=("unusually large debits in 30 days", "近30天异常大额支出笔数"),
    reason=("{value:.0f} unusually large debits within 30 days", "近30天有{value:.0f}笔异常大额支出"),
)
def unusual_debits_30d(t: Any, at: At) -> Any:
    """Debits of the last 30 days above twice the 95th percentile of the customer's own in the 150 days before."""
    return (t["size"] > UNUSUAL_MULTIPLE * t.usual_large).sum()


@indicator(
    family="transactions",
    base="transactions",
    unit="multiple",
    direction="higher",
    label=("spending against usual", "支出较平时"),
    reason=("spends {value:.1f} times the usual", "近30天支出为平时的{value:.1f}倍"),
)
def spending_to_usual(t: Any, at: At) -> Any:
    """Debits a day in the last 30 days over those in the 150 days before."""
    recent = -total(t.amount, (t.amount < 0) & (t.booked_on > at.days_back(30)))
    before = -total(t.amount, (t.amount < 0) & (t.booked_on <= at.days_back(30)))
    return _recent_to_usual(recent, before, recent_days=30, before_days=150)


@indicator(
    family="transactions",
    base="transactions",
    unit="multiple",
    direction=None,
    label=("activity against usual", "交易笔数较平时"),
    reason=("makes {value:.1f} times the usual number of transactions", "近7天交易笔数为平时的{value:.1f}倍"),
)
def count_7d_to_usual(t: Any, at: At) -> Any:
    """Transactions a day in the last 7 days over those in the 173 days before."""
    recent = (t.booked_on > at.days_back(7)).sum().cast("float64")
    before = (t.booked_on <= at.days_back(7)).sum().cast("float64")
    return _recent_to_usual(recent, before, recent_days=7, before_days=173)


@indicator(
    family="transactions",
    base="transactions",
    unit="share",
    direction="higher",
    label=("share of cash", "现金支取占比"),
    reason=("takes {value:.0%} of spending in cash", "现金支取占支出的{value:.0%}"),
)
def cash_share_90d(t: Any, at: At) -> Any:
    """Cash withdrawals over all debits, by amount, in the last 90 days."""
    debits = (t.amount < 0) & (t.booked_on > at.days_back(90))
    cash = total(t.amount, debits & (t.channel == "atm"))
    return ibis.coalesce(cash, 0.0) / total(t.amount, debits).nullif(0)


@indicator(
    family="transactions",
    base="transactions",
    unit="share",
    direction="higher",
    label=("share of risky categories", "高风险类别占比"),
    reason=("{value:.0%} of what moves is gambling or other lenders", "博彩及其他贷款机构往来占{value:.0%}"),
)
def risky_share_90d(t: Any, at: At) -> Any:
    """Amounts in risky categories (gambling, other lenders) over all amounts in the last 90 days."""
    recent = t.booked_on > at.days_back(90)
    risky = total(t.amount.abs(), recent & t.category.isin(RISKY_CATEGORIES))
    return ibis.coalesce(risky, 0.0) / total(t.amount.abs(), recent).nullif(0)


@indicator(
    family="transactions",
    base="transactions",
    unit="share",
    direction="higher",
    label=("share of night transactions", "夜间交易占比"),
    reason=(
        "{value:.0%} of card and cash transactions fall between midnight and 6",
        "{value:.0%}的刷卡及现金交易发生在零点至6点",
    ),
)
def night_share_90d(t: Any, at: At) -> Any:
    """Card and cash transactions booked between midnight and 6 (the book's time) over all of them, in the last 90 days."""
    recent = t.channel.isin(("card", "atm")) & (t.booked_on > at.days_back(90))
    night = (recent & (t.booked_at.hour() < 6)).sum().cast("float64")
    return night / recent.sum().cast("float64").nullif(0)


@indicator(
    family="transactions",
    base="transactions",
    unit="days",
    direction="higher",
    label=("days since salary", "距上次工资入账天数"),
    reason=("last salary came {value:.0f} days ago", "距上次工资入账{value:.0f}天"),
)
def days_since_salary(t: Any, at: At) -> Any:
    """Days since the last salary credit; null where none came in 180 days."""
    return ibis.literal(at.as_of).delta(t.booked_on.max(where=t.category == "salary"), unit="day")


@indicator(
    family="transactions",
    base="transactions",
    unit="currency",
    direction="lower",
    label=("lowest balance in 30 days", "近30天最低余额"),
    reason=("account fell to {value:,.0f} within 30 days", "近30天账户最低余额{value:,.0f}"),
)
def lowest_balance_30d(t: Any, at: At) -> Any:
    """Lowest account balance of the last 30 days."""
    return t.balance_after.min(where=t.booked_on > at.days_back(30))


@indicator(
    family="transactions",
    base="transactions",
    absent=0,
    unit="days",
    direction="higher",
    label=("overdraft days in 90", "近90天透支天数"),
    reason=("had bookings below zero on {value:.0f} days of 90", "近90天有{value:.0f}天记账后余额为负"),
)
def overdraft_days_90d(t: Any, at: At) -> Any:
    """Days of the last 90 on which a booking left the account below zero."""
    return t.booked_on.nunique(where=(t.balance_after < 0) & (t.booked_on > at.days_back(90)))
