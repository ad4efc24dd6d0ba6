"""History: the record of earlier loans and of the relationship."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.registry import At, indicator

PEER_WEIGHT = 20.0  # mature loans of all others that a group's rate is mixed with. House choice


@indicator(
    family="history",
    base="loans_ever",
    unit="share",
    null="no mature loan",
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
    null="no loan",
    direction="lower",
    label=("months on book", "在账月数"),
    reason=("first loan was opened {value:.0f} months ago", "首笔贷款开立于{value:.0f}个月前"),
)
def months_on_book(t: Any, at: At) -> Any:
    """Months since the customer's first loan was opened."""
    return ibis.literal(at.as_of).delta(t.opened_on.min(), unit="day").cast("float64") / 30.4375


@indicator(
    family="history",
    base="loans_ever",
    unit="loans",
    null="no loan",
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
    null="the day is not known",
    direction="lower",
    label=("length of relationship", "客户关系时长"),
    reason=("has been a customer for {value:.0f} months", "建立客户关系{value:.0f}个月"),
)
def relationship_months(t: Any, at: At) -> Any:
    """Months since the customer relationship began."""
    return ibis.literal(at.as_of).delta(t.relationship_since.min(), unit="day").cast("float64") / 30.4375


@indicator(
    family="history",
    base="standing",
    unit="years",
    null="the birth date is not known",
    direction=None,
    role="protected",
    label=("age", "年龄"),
    reason=("is {value:.0f} years old", "年龄{value:.0f}岁"),
)
def age_years(t: Any, at: At) -> Any:
    """Age in years; for fairness only, never a candidate."""
    return ibis.literal(at.as_of).delta(t.birth_date.min(), unit="day").cast("float64") / 365.25


@indicator(
    family="outside",
    base="applications",
    unit="points",
    null="no accepted application with a score",
    direction="lower",
    label=("credit score at application", "申请时信用评分"),
    reason=("credit score at application was {value:.0f}", "申请时信用评分为{value:.0f}"),
)
def application_score(t: Any, at: At) -> Any:
    """Outside credit score on the latest accepted application that has one."""
    return t.score.max(where=t.latest_scored)


@indicator(
    family="history",
    base="peers",
    scope="population",
    unit="share",
    null="nobody else has a mature loan",
    direction="higher",
    label=("default rate of the vintage", "同期客户违约率"),
    reason=(
        "{value:.1%} of the loans of customers who came in the same quarter went bad",
        "同季度客户贷款违约率{value:.1%}",
    ),
)
def vintage_default_rate(t: Any, at: At) -> Any:
    """Share of mature loans gone bad among other customers whose first loan is of the same quarter; smoothed."""
    return _rate_of_others(t, "vintage")


@indicator(
    family="history",
    base="peers",
    scope="population",
    unit="share",
    null="the segment is not known, or nobody else has a mature loan",
    direction="higher",
    label=("default rate of the segment", "同客群违约率"),
    reason=("{value:.1%} of the loans of the same segment went bad", "同客群贷款违约率{value:.1%}"),
)
def segment_default_rate(t: Any, at: At) -> Any:
    """Share of mature loans gone bad among other customers of the same segment; smoothed."""
    return _rate_of_others(t, "segment")


@indicator(
    family="history",
    base="peers",
    scope="population",
    unit="share",
    null="the branch is not known, or nobody else has a mature loan",
    direction="higher",
    role="proxy",
    label=("default rate of the branch", "所属网点违约率"),
    reason=("{value:.1%} of the loans of the same branch went bad", "所属网点贷款违约率{value:.1%}"),
)
def branch_default_rate(t: Any, at: At) -> Any:
    """Share of mature loans gone bad among other customers of the same branch; smoothed."""
    return _rate_of_others(t, "branch")


def _rate_of_others(t: Any, group: str) -> Any:
    """Return the rate of a group without the customer, drawn towards that of all others by `PEER_WEIGHT` loans."""
    mature, bad = (t[f"{group}_{name}"].max().cast("float64") for name in ("mature", "bad"))
    everywhere = t["all_bad"].max().cast("float64") / t["all_mature"].max().cast("float64").nullif(0)
    return (bad + PEER_WEIGHT * everywhere) / (mature + PEER_WEIGHT)


@indicator(
    family="history",
    base="restructurings",
    absent=0,
    unit="restructurings",
    direction="higher",
    label=("restructurings in 24 months", "近24个月重组次数"),
    reason=("loans were restructured {value:.0f} times in 24 months", "近24个月贷款重组{value:.0f}次"),
)
def restructurings_24m(t: Any, at: At) -> Any:
    """Restructurings of the customer's loans in the last 24 months, payment holidays among them."""
    return (t.effective_on > at.months_back(24)).sum()


@indicator(
    family="history",
    base="applications",
    absent=0,
    unit="applications",
    direction="higher",
    label=("applications in 12 months", "近12个月申请次数"),
    reason=("applied {value:.0f} times in 12 months", "近12个月申请{value:.0f}次"),
)
def applications_12m(t: Any, at: At) -> Any:
    """Applications to this lender in the last 12 months."""
    return (t.applied_on > at.months_back(12)).sum()


@indicator(
    family="history",
    base="applications",
    absent=0,
    unit="refusals",
    direction="higher",
    label=("refusals in 12 months", "近12个月被拒次数"),
    reason=("was declined {value:.0f} times in 12 months", "近12个月被拒{value:.0f}次"),
)
def refusals_12m(t: Any, at: At) -> Any:
    """Applications of the last 12 months that were declined, as known at the date."""
    return ((t.decision == "declined") & (t.applied_on > at.months_back(12))).sum()
