"""Transactions: what moves through the account, against the customer's own past."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.capacity import INCOME_CATEGORIES
from workbench.indicators.registry import At, indicator, total

OTHER_LENDERS = ("other_lender", "payday_loan")
RISKY_CATEGORIES = ("gambling", *OTHER_LENDERS)
UNUSUAL_MULTIPLE = 2.0  # house choice: twice the customer's own 95th percentile
MAD_TO_SIGMA = 1.4826  # 1 / the normal distribution's upper quartile: the MAD in standard deviations
FEWEST_WEEKS = 8  # house choice: a median of fewer weeks says little


def _recent_to_usual(recent: Any, before: Any, *, recent_days: int, before_days: int) -> Any:
    return (ibis.coalesce(recent, 0.0) / recent_days) / (before / before_days).nullif(0)


@indicator(
    family="transactions",
    base="recent_debits",
    unit="multiple",
    null="no debit in 30 days, or none before",
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
    null="no spending before",
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
    null="no transaction before",
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
    null="no debit in 90 days",
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
    null="no transaction in 90 days",
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
    null="no card or cash transaction in 90 days",
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
    null="no salary in 180 days",
    direction="higher",
    label=("days since salary", "距上次工资入账天数"),
    reason=("last salary came {value:.0f} days ago", "距上次工资入账{value:.0f}天"),
)
def days_since_salary(t: Any, at: At) -> Any:
    """Days since salary or a pension last came; null where none came in 180 days."""
    return ibis.literal(at.as_of).delta(t.booked_on.max(where=t.category.isin(INCOME_CATEGORIES)), unit="day")


@indicator(
    family="transactions",
    base="transactions",
    unit="currency",
    null="no balance in 30 days",
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


@indicator(
    family="transactions",
    base="recent_debits",
    unit="multiple",
    null="no debit in 30 days, or none before",
    direction="higher",
    label=("largest debit against the median", "最大支出较中位数"),
    reason=("largest debit of 30 days is {value:.1f} times the usual one", "近30天最大支出为平时单笔的{value:.1f}倍"),
)
def largest_debit_to_median(t: Any, at: At) -> Any:
    """Largest debit of the last 30 days over the median of the customer's debits in the 150 days before."""
    return t["size"].max() / t.usual.max().nullif(0)


@indicator(
    family="transactions",
    base="transactions",
    unit="multiple",
    null="no spending before",
    direction="higher",
    label=("spending of a week against usual", "近7天支出较平时"),
    reason=("spent {value:.1f} times the usual in a week", "近7天支出为平时的{value:.1f}倍"),
)
def spending_7d_to_usual(t: Any, at: At) -> Any:
    """Debits a day in the last 7 days over those in the 173 days before."""
    recent = -total(t.amount, (t.amount < 0) & (t.booked_on > at.days_back(7)))
    before = -total(t.amount, (t.amount < 0) & (t.booked_on <= at.days_back(7)))
    return _recent_to_usual(recent, before, recent_days=7, before_days=173)


@indicator(
    family="transactions",
    base="transactions",
    unit="multiple",
    null="no transaction before",
    direction=None,
    label=("activity of a month against usual", "近30天交易笔数较平时"),
    reason=(
        "made {value:.1f} times the usual number of transactions in 30 days",
        "近30天交易笔数为平时的{value:.1f}倍",
    ),
)
def count_30d_to_usual(t: Any, at: At) -> Any:
    """Transactions a day in the last 30 days over those in the 150 days before."""
    recent = (t.booked_on > at.days_back(30)).sum().cast("float64")
    before = (t.booked_on <= at.days_back(30)).sum().cast("float64")
    return _recent_to_usual(recent, before, recent_days=30, before_days=150)


def _robust_z(t: Any, column: str, usual: str) -> Any:
    """Return (x - median) / (1.4826 MAD) of the last week against those before (Iglewicz and Hoaglin, 1993)."""
    deviation = (t[column] - t[usual]).abs().quantile(0.5, where=t.week > 0)
    z = (t[column].max(where=t.week == 0) - t[usual].max()) / (MAD_TO_SIGMA * deviation).nullif(0)
    return ibis.ifelse(t.week.max() >= FEWEST_WEEKS, z, ibis.null())


@indicator(
    family="transactions",
    base="weeks",
    unit="robust z",
    null="fewer than 8 weeks before, or all alike",
    between=(None, None),
    direction="higher",
    label=("unusual spending of a week", "近7天支出异常度"),
    reason=(
        "spending of the last week is {value:+.1f} robust deviations from usual",
        "近7天支出偏离平时{value:+.1f}个稳健标准差",
    ),
)
def spending_week_z(t: Any, at: At) -> Any:
    """Robust z of the last week's debits against those of up to 24 weeks before."""
    return _robust_z(t, "spent", "usual_spent")


@indicator(
    family="transactions",
    base="weeks",
    unit="robust z",
    null="fewer than 8 weeks before, or all alike",
    between=(None, None),
    direction=None,
    label=("unusual activity of a week", "近7天交易笔数异常度"),
    reason=(
        "activity of the last week is {value:+.1f} robust deviations from usual",
        "近7天交易笔数偏离平时{value:+.1f}个稳健标准差",
    ),
)
def count_week_z(t: Any, at: At) -> Any:
    """Robust z of the last week's number of transactions against those of up to 24 weeks before."""
    return _robust_z(t, "bookings", "usual_bookings")


@indicator(
    family="transactions",
    base="recent_counterparties",
    unit="share",
    null="no debit to a known counterparty in 30 days, or no transaction before",
    direction="higher",
    label=("share of new counterparties", "新交易对手占比"),
    reason=("{value:.0%} of the money of 30 days went to new counterparties", "近30天{value:.0%}的支出流向新交易对手"),
)
def new_counterparty_share_30d(t: Any, at: At) -> Any:
    """Share of the debits of the last 30 days, by amount, to counterparties unseen in the 150 days before."""
    return ibis.coalesce(total(t.amount, t.new), 0.0) / total(t.amount).nullif(0)


@indicator(
    family="transactions",
    base="transactions",
    unit="share",
    null="no card or cash transaction in 90 days",
    direction=None,
    label=("share of weekend transactions", "周末交易占比"),
    reason=("{value:.0%} of card and cash transactions fall on weekends", "{value:.0%}的刷卡及现金交易发生在周末"),
)
def weekend_share_90d(t: Any, at: At) -> Any:
    """Card and cash transactions booked on a Saturday or Sunday over all of them, in the last 90 days."""
    recent = t.channel.isin(("card", "atm")) & (t.booked_on > at.days_back(90))
    weekend = (recent & (t.booked_on.day_of_week.index() >= 5)).sum().cast("float64")
    return weekend / recent.sum().cast("float64").nullif(0)


@indicator(
    family="transactions",
    base="transactions",
    unit="share",
    null="no debit in 90 days",
    direction=None,
    label=("share of round amounts", "整额支出占比"),
    reason=("{value:.0%} of debits are whole hundreds", "{value:.0%}的支出为整百金额"),
)
def round_share_90d(t: Any, at: At) -> Any:
    """Debits of whole hundreds over all debits, by number, in the last 90 days."""
    debits = (t.amount < 0) & (t.booked_on > at.days_back(90))
    whole = (t.amount * 100).cast("int64") % 10_000 == 0
    return (debits & whole).sum().cast("float64") / debits.sum().cast("float64").nullif(0)


@indicator(
    family="transactions",
    base="transactions",
    absent=0,
    unit="currency",
    between=(0, None),
    direction="higher",
    label=("money in from other lenders", "他行贷款流入"),
    reason=("{value:,.0f} came in from other lenders in 90 days", "近90天他行贷款流入{value:,.0f}"),
)
def other_lender_inflow_90d(t: Any, at: At) -> Any:
    """Credits from other lenders in the last 90 days."""
    rows = t.category.isin(OTHER_LENDERS) & (t.amount > 0) & (t.booked_on > at.days_back(90))
    return ibis.coalesce(total(t.amount, rows), 0.0)


@indicator(
    family="transactions",
    base="transactions",
    absent=0,
    unit="transactions",
    direction="higher",
    label=("activity after dormancy", "休眠后突发交易笔数"),
    reason=("{value:.0f} transactions in 7 days after 60 days without any", "沉寂60天后近7天突发{value:.0f}笔交易"),
)
def dormant_then_active(t: Any, at: At) -> Any:
    """Transactions of the last 7 days where none came in the 60 days before; else 0."""
    before = (t.booked_on <= at.days_back(7)) & (t.booked_on > at.days_back(67))
    return ibis.ifelse(before.sum() == 0, (t.booked_on > at.days_back(7)).sum(), 0)


@indicator(
    family="transactions",
    base="transactions",
    unit="currency",
    null="no balance in 30 days, or none in the 150 before",
    direction="lower",
    label=("change of the account balance", "账户余额变化"),
    reason=("the account holds {value:+,.0f} against the 150 days before", "账户余额较此前150天变动{value:+,.0f}"),
)
def balance_change_30d(t: Any, at: At) -> Any:
    """Mean balance after the bookings of the last 30 days, less that of the 150 days before."""
    stated, recent = t.balance_after.notnull(), t.booked_on > at.days_back(30)
    now, before = (
        total(t.balance_after, stated & rows) / (stated & rows).sum().cast("float64").nullif(0)
        for rows in (recent, ~recent)
    )
    return now - before


@indicator(
    family="transactions",
    base="transactions",
    unit="days",
    null="no transaction in 180 days",
    between=(0, 180),
    direction="higher",
    label=("days since the last transaction", "距上次交易天数"),
    reason=("the account has been still for {value:.0f} days", "账户已{value:.0f}天无交易"),
)
def days_since_transaction(t: Any, at: At) -> Any:
    """Days since the last transaction: a sign of leaving, or of an account that is kept elsewhere."""
    return ibis.literal(at.as_of).delta(t.booked_on.max(), unit="day")
