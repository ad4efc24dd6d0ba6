"""History: the record of earlier loans and of the relationship."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.registry import At, indicator


@indicator(
    family="history",
    base="loans_ever",
    unit="share",
    direction="higher",
    label=("historical default rate", "历史违约率"),
    reason=("{value:.0%} of the earlier mature loans went bad", "既往到期贷款违约率{value:.0%}"),
)
def historical_default_rate(t: Any, at: At) -> Any:
    """Share of the customer's mature loans that went bad, as known at the date; null where none is mature."""
    mature = t.mature.sum().cast("float64")
    return (t.mature & t.bad).sum().cast("float64") / mature.nullif(0)


@indicator(
    family="history",
    base="loans_ever",
    unit="months",
    direction="lower",
    label=("months on book", "在账月数"),
    reason=("first loan was opened {value:.0f} months ago", "首笔贷款开立于{value:.0f}个月前"),
)
def months_on_book(t: Any, at: At) -> Any:
    """Months since the customer's first loan was opened."""
    return ibis.literal(at.as_of).delta(t.opened_on.min(), unit="day") / 30.4375


@indicator(
    family="history",
    base="loans_ever",
    unit="loans",
    direction="higher",
    label=("loans opened in 12 months", "近12个月新增贷款"),
    reason=("opened {value:.0f} loans in 12 months", "近12个月新增{value:.0f}笔贷款"),
)
def loans_opened_12m(t: Any, at: At) -> Any:
    """Loans that the customer opened in the last 12 months."""
    return (t.opened_on > at.months_back(12)).sum()


@indicator(
    family="history",
    base="standing",
    unit="months",
    direction="lower",
    label=("length of relationship", "客户关系时长"),
    reason=("has been a customer for {value:.0f} months", "建立客户关系{value:.0f}个月"),
)
def relationship_months(t: Any, at: At) -> Any:
    """Months since the customer relationship began."""
    return ibis.literal(at.as_of).delta(t.relationship_since.min(), unit="day") / 30.4375


@indicator(
    family="history",
    base="standing",
    unit="years",
    direction=None,
    role="protected",
    label=("age", "年龄"),
    reason=("is {value:.0f} years old", "年龄{value:.0f}岁"),
)
def age_years(t: Any, at: At) -> Any:
    """Age in years; for fairness only, never a candidate."""
    return ibis.literal(at.as_of).delta(t.birth_date.min(), unit="day") / 365.25


@indicator(
    family="outside",
    base="applications",
    unit="points",
    direction="lower",
    label=("credit score at application", "申请时信用评分"),
    reason=("credit score at application was {value:.0f}", "申请时信用评分为{value:.0f}"),
)
def application_score(t: Any, at: At) -> Any:
    """Outside credit score on the latest accepted application that has one."""
    return t.score.argmax(t.applied_at, where=(t.decision == "accepted") & t.score.notnull())
