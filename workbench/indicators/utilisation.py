"""Utilisation and balance: how much of what was granted is used, and where it is heading."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.registry import At, indicator, total


@indicator(
    family="utilisation",
    base="loans_now",
    unit="ratio",
    null="no revolving loan",
    direction="higher",
    label=("utilisation", "额度使用率"),
    reason=("uses {value:.0%} of the credit limit", "额度使用率{value:.0%}"),
)
def utilisation_now(t: Any, at: At) -> Any:
    """Balance over limit of the revolving loans at the date; null without one."""
    return total(t.balance, t.credit_limit > 0) / total(t.credit_limit, t.credit_limit > 0).nullif(0)


@indicator(
    family="utilisation",
    base="loan_months",
    unit="ratio",
    null="no revolving loan",
    direction="higher",
    label=("mean utilisation in 6 months", "近6个月平均额度使用率"),
    reason=("used {value:.0%} of the credit limit over 6 months", "近6个月平均额度使用率{value:.0%}"),
)
def utilisation_6m(t: Any, at: At) -> Any:
    """Balances over limits of the revolving loans, both summed over the last six month ends; null without one."""
    revolving = t.open & (t.credit_limit > 0) & (t.months_ago < 6)
    return total(t.balance, revolving) / total(t.credit_limit, revolving).nullif(0)


@indicator(
    family="utilisation",
    base="panel",
    unit="difference of ratios",
    null="no revolving loan now, or none in 6 months",
    between=(None, None),
    direction="higher",
    label=("rise of utilisation", "额度使用率上升"),
    reason=("utilisation stands {value:+.0%} against its 6-month mean", "额度使用率较近6个月均值变动{value:+.0%}"),
)
def utilisation_rise(t: Any, at: At) -> Any:
    """Utilisation at the date less its mean of six months."""
    return t.utilisation_now - t.utilisation_6m


@indicator(
    family="utilisation",
    base="loan_months",
    unit="ratio",
    null="nothing was owed six months ago",
    direction="higher",
    label=("balance trend", "余额变动"),
    reason=("owes {value:.0%} of what it owed six months ago", "贷款余额为6个月前的{value:.0%}"),
)
def balance_trend_6m(t: Any, at: At) -> Any:
    """Balance of the open loans at the last month end over that six month ends before; null where nothing was owed then."""
    return total(t.balance, t.open & (t.months_ago == 0)) / total(t.balance, t.open & (t.months_ago == 6)).nullif(0)


@indicator(
    family="utilisation",
    base="loan_months",
    absent=0,
    unit="months",
    direction="higher",
    label=("months over the limit", "近6个月超限月数"),
    reason=("stood over the credit limit at {value:.0f} month ends of 6", "近6个月中有{value:.0f}个月末超出额度"),
)
def over_limit_months_6m(t: Any, at: At) -> Any:
    """Month ends of the last six at which a revolving loan stood above its limit."""
    over = t.open & (t.credit_limit > 0) & (t.balance > t.credit_limit) & (t.months_ago < 6)
    return t.month_end.nunique(where=over)


@indicator(
    family="utilisation",
    base="prepayments",
    absent=0,
    unit="currency",
    between=(0, None),
    direction=None,
    label=("prepaid in 6 months", "近6个月提前还款额"),
    reason=("prepaid {value:,.0f} in 6 months", "近6个月提前还款{value:,.0f}"),
)
def prepaid_6m(t: Any, at: At) -> Any:
    """Prepayments on all loans in the last six months."""
    return total(t.amount)


@indicator(
    family="utilisation",
    base="panel",
    unit="share",
    null="nothing is owed and nothing was prepaid",
    direction=None,
    label=("share prepaid in 6 months", "近6个月提前还款占比"),
    reason=("prepaid {value:.0%} of what was owed in 6 months", "近6个月提前偿还{value:.0%}的欠款"),
)
def prepaid_share_6m(t: Any, at: At) -> Any:
    """Prepayments of six months over those and the balance of the open loans: a sign of leaving."""
    return t.prepaid_6m / (ibis.coalesce(t.exposure, 0.0) + t.prepaid_6m).nullif(0)
