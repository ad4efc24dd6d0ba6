"""Utilisation and balance: how much of what was granted is used, and where it is heading."""

from __future__ import annotations

from typing import Any

from workbench.indicators.registry import At, indicator, total


@indicator(
    family="utilisation",
    base="loans_now",
    unit="ratio",
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
    direction="higher",
    label=("balance trend", "余额变动"),
    reason=("owes {value:.0%} of what it owed six months ago", "贷款余额为6个月前的{value:.0%}"),
)
def balance_trend_6m(t: Any, at: At) -> Any:
    """Balance of the open loans at the last month end over that six month ends before; null where nothing was owed then."""
    return total(t.balance, t.open & (t.months_ago == 0)) / total(t.balance, t.open & (t.months_ago == 6)).nullif(0)
