"""Outside: what a credit bureau reports, where a book has its reports."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.registry import At, indicator


@indicator(
    family="outside",
    base="latest_report",
    unit="enquiries",
    null="no report",
    direction="higher",
    label=("bureau enquiries in 6 months", "近6个月征信查询次数"),
    reason=("lenders asked the bureau {value:.0f} times in 6 months", "近6个月征信被查询{value:.0f}次"),
)
def bureau_enquiries(t: Any, at: At) -> Any:
    """Enquiries of lenders in six months, on the latest outside report."""
    return t.enquiries_6m.max()


@indicator(
    family="outside",
    base="latest_report",
    unit="currency",
    null="no report",
    between=(0, None),
    direction="higher",
    label=("other debt", "他行负债"),
    reason=("owes {value:,.0f} to other lenders", "他行负债{value:,.0f}"),
)
def other_debt(t: Any, at: At) -> Any:
    """Debt to other lenders on the latest outside report."""
    return t.other_debt.max()


@indicator(
    family="outside",
    base="panel",
    unit="months",
    null="no report, or no positive income",
    direction="higher",
    label=("other debt to income", "他行负债收入比"),
    reason=("owes other lenders {value:.1f} months of income", "他行负债相当于{value:.1f}个月收入"),
)
def other_debt_to_income(t: Any, at: At) -> Any:
    """Debt to other lenders on the latest outside report over declared monthly income."""
    return t.other_debt / ibis.ifelse(t.declared_income > 0, t.declared_income, ibis.null())


@indicator(
    family="outside",
    base="latest_report",
    unit="status",
    null="no report",
    dtype="string",
    direction=None,
    label=("worst status outside", "他行最差状态"),
    reason=("stands at {value} with other lenders", "他行最差还款状态为{value}"),
)
def bureau_worst_status(t: Any, at: At) -> Any:
    """Worst payment status at other lenders on the latest outside report, in the bureau's own words."""
    return t.worst_status.max()
