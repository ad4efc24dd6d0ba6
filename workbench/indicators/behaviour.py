"""Behaviour: what the customer does and asks beside paying."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.registry import At, indicator

CONTACT_CHANGES = ("phone_changed", "address_changed", "device_changed")


@indicator(
    family="behaviour",
    base="events",
    absent=0,
    unit="changes",
    direction="higher",
    label=("contact data changed in 90 days", "近90天联系信息变更次数"),
    reason=("changed phone, address or device {value:.0f} times in 90 days", "近90天变更电话、地址或设备{value:.0f}次"),
)
def contact_changes_90d(t: Any, at: At) -> Any:
    """Changes of phone, address or device in the last 90 days."""
    return (t.kind.isin(CONTACT_CHANGES) & (t.occurred_on > at.days_back(90))).sum()


@indicator(
    family="behaviour",
    base="events",
    absent=0,
    unit="logins",
    direction="higher",
    label=("failed logins in 30 days", "近30天登录失败次数"),
    reason=("failed to log in {value:.0f} times in 30 days", "近30天登录失败{value:.0f}次"),
)
def failed_logins_30d(t: Any, at: At) -> Any:
    """Failed logins in the last 30 days."""
    return ((t.kind == "login_failed") & (t.occurred_on > at.days_back(30))).sum()


@indicator(
    family="behaviour",
    base="events",
    unit="multiple",
    null="no login before",
    direction=None,
    label=("logins against usual", "登录次数较平时"),
    reason=("logs in {value:.1f} times as often as usual", "近30天登录频率为平时的{value:.1f}倍"),
)
def logins_to_usual(t: Any, at: At) -> Any:
    """Logins a day in the last 30 days over those in the 150 days before; null where there was none before."""
    recent = ((t.kind == "login") & (t.occurred_on > at.days_back(30))).sum().cast("float64")
    before = ((t.kind == "login") & (t.occurred_on <= at.days_back(30))).sum().cast("float64")
    return 5.0 * recent / before.nullif(0)


@indicator(
    family="behaviour",
    base="events",
    absent=0,
    unit="events",
    direction="higher",
    role="care",
    label=("asked for help in 180 days", "近180天求助次数"),
    reason=("asked for relief or complained {value:.0f} times in 180 days", "近180天申请纾困或投诉{value:.0f}次"),
)
def care_requests_180d(t: Any, at: At) -> Any:
    """Hardship and limit requests and complaints in the last 180 days; for care and monitoring."""
    return t.kind.isin(("hardship_requested", "limit_requested", "complaint")).sum()


@indicator(
    family="behaviour",
    base="events",
    absent=0,
    unit="changes",
    direction="higher",
    label=("contact data changed in 7 days", "近7天联系信息变更次数"),
    reason=("changed phone, address or device {value:.0f} times in 7 days", "近7天变更电话、地址或设备{value:.0f}次"),
)
def contact_changes_7d(t: Any, at: At) -> Any:
    """Changes of phone, address or device in the last 7 days."""
    return (t.kind.isin(CONTACT_CHANGES) & (t.occurred_on > at.days_back(7))).sum()


@indicator(
    family="behaviour",
    base="events",
    absent=0,
    unit="changes",
    direction="higher",
    label=("contact data changed in 30 days", "近30天联系信息变更次数"),
    reason=("changed phone, address or device {value:.0f} times in 30 days", "近30天变更电话、地址或设备{value:.0f}次"),
)
def contact_changes_30d(t: Any, at: At) -> Any:
    """Changes of phone, address or device in the last 30 days."""
    return (t.kind.isin(CONTACT_CHANGES) & (t.occurred_on > at.days_back(30))).sum()


@indicator(
    family="behaviour",
    base="events",
    unit="days",
    null="no contact in 180 days",
    between=(0, 180),
    direction=None,
    label=("days since last contact", "距上次联系天数"),
    reason=("the last contact was {value:.0f} days ago", "上次联系在{value:.0f}天前"),
)
def days_since_contact(t: Any, at: At) -> Any:
    """Days since the lender and the customer were last in contact."""
    return ibis.literal(at.as_of).delta(t.occurred_on.max(where=t.kind == "contact"), unit="day")


@indicator(
    family="behaviour",
    base="events",
    absent=0,
    unit="complaints",
    direction="higher",
    role="care",
    label=("complaints in 180 days", "近180天投诉次数"),
    reason=("complained {value:.0f} times in 180 days", "近180天投诉{value:.0f}次"),
)
def complaints_180d(t: Any, at: At) -> Any:
    """Complaints in the last 180 days; for care and monitoring."""
    return (t.kind == "complaint").sum()


@indicator(
    family="behaviour",
    base="events",
    absent=0,
    unit="requests",
    direction="higher",
    role="care",
    label=("limit requests in 180 days", "近180天提额申请次数"),
    reason=("asked for a higher limit {value:.0f} times in 180 days", "近180天申请提额{value:.0f}次"),
)
def limit_requests_180d(t: Any, at: At) -> Any:
    """Requests for a higher limit in the last 180 days; for care and monitoring."""
    return (t.kind == "limit_requested").sum()


@indicator(
    family="behaviour",
    base="events",
    absent=0,
    unit="requests",
    direction="higher",
    role="care",
    label=("hardship requests in 180 days", "近180天纾困申请次数"),
    reason=("asked for relief {value:.0f} times in 180 days", "近180天申请纾困{value:.0f}次"),
)
def hardship_requests_180d(t: Any, at: At) -> Any:
    """Requests for relief in the last 180 days; for care and monitoring."""
    return (t.kind == "hardship_requested").sum()
