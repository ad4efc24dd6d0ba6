"""Payment: how the customer has paid what was due."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.registry import At, indicator, total


@indicator(
    family="payment",
    base="loans_now",
    unit="days",
    direction="higher",
    label=("days past due", "当前逾期天数"),
    reason=("is {value:.0f} days past due", "当前逾期{value:.0f}天"),
)
def dpd_now(t: Any, at: At) -> Any:
    """Worst days past due of the open loans at the date."""
    return t.dpd.max()


@indicator(
    family="payment",
    base="loans_now",
    unit="instalments",
    direction="higher",
    label=("arrears", "拖欠期数"),
    reason=("is {value:.1f} instalments behind", "拖欠{value:.1f}期还款"),
)
def arrears_instalments(t: Any, at: At) -> Any:
    """Arrears of the open loans over what they ask for in a month."""
    return total(t.arrears) / total(ibis.coalesce(t.instalment_amount, t.due_amount)).nullif(0)


@indicator(
    family="payment",
    base="loan_months",
    unit="days",
    direction="higher",
    label=("worst delinquency in 6 months", "近6个月最大逾期天数"),
    reason=("was up to {value:.0f} days past due in 6 months", "近6个月最大逾期{value:.0f}天"),
)
def worst_dpd_6m(t: Any, at: At) -> Any:
    """Worst days past due at the last six month ends up to the date."""
    return t.dpd.max(where=t.months_ago < 6)


@indicator(
    family="payment",
    base="loan_months",
    unit="days",
    direction="higher",
    label=("worst delinquency in 12 months", "近12个月最大逾期天数"),
    reason=("was up to {value:.0f} days past due in 12 months", "近12个月最大逾期{value:.0f}天"),
)
def worst_dpd_12m(t: Any, at: At) -> Any:
    """Worst days past due at the last twelve month ends up to the date."""
    return t.dpd.max()


@indicator(
    family="payment",
    base="loan_months",
    absent=0,
    unit="months",
    direction="higher",
    label=("late months in 12", "近12个月逾期月数"),
    reason=("was late at {value:.0f} month ends of 12", "近12个月中有{value:.0f}个月末逾期"),
)
def months_late_12m(t: Any, at: At) -> Any:
    """Month ends of the last 12 at which a loan was past due."""
    return t.month_end.nunique(where=t.dpd > 0)


@indicator(
    family="payment",
    base="loan_months",
    absent=0,
    unit="months",
    direction="higher",
    label=("months 30+ past due in 12", "近12个月逾期30天以上月数"),
    reason=(
        "was 30 or more days past due at {value:.0f} month ends of 12",
        "近12个月中有{value:.0f}个月末逾期30天以上",
    ),
)
def months_30plus_12m(t: Any, at: At) -> Any:
    """Month ends of the last 12 at which a loan was 30 or more days past due."""
    return t.month_end.nunique(where=t.dpd >= 30)


@indicator(
    family="payment",
    base="loan_months",
    absent=12,
    unit="months",
    direction="lower",
    label=("months since last late", "距上次逾期月数"),
    reason=("months since last late: {value:.0f}", "距上次逾期{value:.0f}个月"),
)
def months_since_late(t: Any, at: At) -> Any:
    """Months since a loan was last past due at a month end; 12 where it was not within a year."""
    return ibis.coalesce(t.months_ago.min(where=t.dpd > 0), 12)


@indicator(
    family="payment",
    base="loan_months",
    unit="ratio",
    direction="lower",
    label=("share of dues paid in 3 months", "近3个月还款比例"),
    reason=("paid {value:.0%} of what was due in 3 months", "近3个月仅偿还应还款的{value:.0%}"),
)
def paid_share_3m(t: Any, at: At) -> Any:
    """Paid over due in the last three months, prepayments included; null where nothing was due."""
    recent = t.months_ago < 3
    return total(t.paid_amount, recent) / total(t.due_amount, recent).nullif(0)
