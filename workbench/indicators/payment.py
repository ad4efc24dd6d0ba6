"""Payment: how the customer has paid what was due."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.registry import At, indicator, total


@indicator(
    family="payment",
    base="loans_now",
    unit="days",
    null="no open loan",
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
    null="nothing asked",
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
    null="no loan in the months",
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
    null="no loan in the months",
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
    null="nothing was due",
    direction="lower",
    label=("share of dues paid in 3 months", "近3个月还款比例"),
    reason=("paid {value:.0%} of what was due in 3 months", "近3个月仅偿还应还款的{value:.0%}"),
)
def paid_share_3m(t: Any, at: At) -> Any:
    """Paid over due in the last three months, prepayments included; null where nothing was due."""
    recent = t.months_ago < 3
    return total(t.paid_amount, recent) / total(t.due_amount, recent).nullif(0)


@indicator(
    family="payment",
    base="loan_months",
    absent=0,
    unit="months",
    direction="higher",
    label=("months 60+ past due in 12", "近12个月逾期60天以上月数"),
    reason=(
        "was 60 or more days past due at {value:.0f} month ends of 12",
        "近12个月中有{value:.0f}个月末逾期60天以上",
    ),
)
def months_60plus_12m(t: Any, at: At) -> Any:
    """Month ends of the last 12 at which a loan was 60 or more days past due."""
    return t.month_end.nunique(where=t.dpd >= 60)


@indicator(
    family="payment",
    base="loan_months",
    absent=0,
    unit="months",
    direction="higher",
    label=("months 90+ past due in 12", "近12个月逾期90天以上月数"),
    reason=(
        "was 90 or more days past due at {value:.0f} month ends of 12",
        "近12个月中有{value:.0f}个月末逾期90天以上",
    ),
)
def months_90plus_12m(t: Any, at: At) -> Any:
    """Month ends of the last 12 at which a loan was 90 or more days past due."""
    return t.month_end.nunique(where=t.dpd >= 90)


@indicator(
    family="payment",
    base="loan_months",
    absent=0,
    unit="months",
    direction="higher",
    label=("months paid in part", "近12个月部分还款月数"),
    reason=("paid only a part in {value:.0f} months of 12", "近12个月中有{value:.0f}个月仅部分还款"),
)
def partial_months_12m(t: Any, at: At) -> Any:
    """Months of the last 12 in which a loan was paid, but less than was due."""
    return t.month_end.nunique(where=(t.due_amount > 0) & (t.paid_amount > 0) & (t.paid_amount < t.due_amount))


@indicator(
    family="payment",
    base="loan_months",
    absent=0,
    unit="months",
    direction="higher",
    label=("months without payment", "近12个月未还款月数"),
    reason=("paid nothing of what was due in {value:.0f} months of 12", "近12个月中有{value:.0f}个月分文未还"),
)
def missed_months_12m(t: Any, at: At) -> Any:
    """Months of the last 12 in which nothing was paid of what was due on a loan."""
    return t.month_end.nunique(where=(t.due_amount > 0) & (t.paid_amount <= 0))


@indicator(
    family="payment",
    base="loan_months",
    absent=0,
    unit="cures",
    direction="higher",
    label=("cures in 12 months", "近12个月逾期治愈次数"),
    reason=(
        "caught up {value:.0f} times in 12 months after 30 or more days",
        "近12个月{value:.0f}次由逾期30天以上恢复正常",
    ),
)
def cures_12m(t: Any, at: At) -> Any:
    """Times within 12 months that a loan stood at 0 days past due a month end after it was 30 or more."""
    return (t.open & (t.dpd == 0) & (t.previous_dpd >= 30)).sum()


@indicator(
    family="payment",
    base="loan_months",
    absent=0,
    unit="relapses",
    direction="higher",
    label=("relapses in 12 months", "近12个月再次逾期次数"),
    reason=(
        "fell 30 days behind again {value:.0f} times in 12 months",
        "近12个月{value:.0f}次再次逾期30天以上",
    ),
)
def relapses_12m(t: Any, at: At) -> Any:
    """Times within 12 months that a loan went 30 or more days past due, having been so before and below in between."""
    return ((t.dpd >= 30) & (t.previous_dpd < 30) & (t.worst_before >= 30)).sum()


@indicator(
    family="payment",
    base="dues",
    unit="share",
    null="nothing fell due in 12 months",
    direction="higher",
    label=("share of dues paid late", "逾期还款占比"),
    reason=("paid {value:.0%} of the dues of 12 months late", "近12个月应还款中{value:.0%}逾期偿还"),
)
def late_share_12m(t: Any, at: At) -> Any:
    """Share of the dues of the last 12 months that were settled after their day, or are still open."""
    return ibis.ifelse(t.days_late > 0, 1, 0).cast("float64").mean()  # PostgreSQL takes 1.0 for a decimal


@indicator(
    family="payment",
    base="dues",
    absent=0,
    unit="dues",
    direction="higher",
    label=("dues missed in 12 months", "近12个月漏还期数"),
    reason=("left {value:.0f} dues open for 30 days or more in 12 months", "近12个月{value:.0f}期应还款拖欠30天以上"),
)
def missed_dues_12m(t: Any, at: At) -> Any:
    """Dues of the last 12 months that stayed open for 30 days or more."""
    return (t.days_late >= 30).sum()


@indicator(
    family="payment",
    base="dues",
    unit="days late",
    null="nothing fell due in 12 months",
    between=(None, None),
    direction="higher",
    label=("mean days late", "平均还款延迟天数"),
    reason=("pays {value:.1f} days after the due day on average", "平均于到期日后{value:.1f}天还款"),
)
def mean_days_late_12m(t: Any, at: At) -> Any:
    """Mean of the days from due to settled over the dues of the last 12 months; early is negative."""
    return t.days_late.cast("float64").mean()


@indicator(
    family="payment",
    base="dues",
    unit="days",
    null="nothing fell due in the last 3 months, or in the 9 before",
    between=(None, None),
    direction="higher",
    label=("trend of days late", "还款延迟天数变化"),
    reason=("pays {value:+.1f} days later than in the 9 months before", "近3个月还款时间较此前9个月变动{value:+.1f}天"),
)
def days_late_trend(t: Any, at: At) -> Any:
    """Mean days late of the dues of the last 3 months, less that of the 9 months before."""
    late, recent = t.days_late.cast("float64"), t.due_on > at.months_back(3)
    return late.mean(where=recent) - late.mean(where=~recent)
