"""Capacity: what the customer earns against what the loans ask."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.registry import At, indicator, total


@indicator(
    family="capacity",
    base="standing",
    unit="currency a month",
    direction="lower",
    label=("declared income", "申报月收入"),
    reason=("declared monthly income is {value:,.0f}", "申报月收入为{value:,.0f}"),
)
def declared_income(t: Any, at: At) -> Any:
    """Monthly income as the customer declared it last."""
    return t.monthly_income.max()


@indicator(
    family="capacity",
    base="loans_now",
    unit="currency a month",
    direction=None,
    label=("monthly debt service", "每月偿债额"),
    reason=("loans ask for {value:,.0f} a month", "每月应还款{value:,.0f}"),
)
def debt_service(t: Any, at: At) -> Any:
    """What all open loans ask for in a month: the instalment, or for a card the last minimum due."""
    return total(ibis.coalesce(t.instalment_amount, t.due_amount))


@indicator(
    family="capacity",
    base="loans_now",
    unit="currency",
    direction=None,
    label=("exposure", "贷款余额"),
    reason=("owes {value:,.0f} in all", "贷款余额合计{value:,.0f}"),
)
def exposure(t: Any, at: At) -> Any:
    """Balance of all open loans."""
    return total(t.balance)


@indicator(
    family="capacity",
    base="transactions",
    unit="currency a month",
    direction="lower",
    label=("salary received", "实收工资"),
    reason=("salary received is {value:,.0f} a month over 3 months", "近3个月月均工资入账{value:,.0f}"),
)
def salary_3m(t: Any, at: At) -> Any:
    """Salary credits of the last three months, a month; calendar months, so that each holds one payday."""
    return ibis.coalesce(total(t.amount, (t.category == "salary") & (t.booked_on > at.months_back(3))), 0) / 3.0


@indicator(
    family="capacity",
    base="transactions",
    unit="ratio",
    direction="lower",
    label=("salary trend", "工资变动"),
    reason=(
        "salary of the last 2 months is {value:.0%} of that of the 3 months before",
        "近2个月工资为此前3个月水平的{value:.0%}",
    ),
)
def salary_trend(t: Any, at: At) -> Any:
    """Salary a month in the last two months over that in the three months before; null where there was none before."""
    salary, split = t.category == "salary", at.months_back(2)
    recent = total(t.amount, salary & (t.booked_on > split))
    before = total(t.amount, salary & (t.booked_on <= split) & (t.booked_on > at.months_back(5)))
    return (ibis.coalesce(recent, 0.0) / 2.0) / (before / 3.0).nullif(0)


@indicator(
    family="capacity",
    base="panel",
    unit="ratio",
    direction="higher",
    label=("debt-to-income", "债务收入比"),
    reason=("debt service takes {value:.0%} of declared income", "债务收入比为{value:.0%}"),
)
def debt_to_income(t: Any, at: At) -> Any:
    """Monthly debt service over declared monthly income; null where no income is known."""
    return t.debt_service / ibis.ifelse(t.declared_income > 0, t.declared_income, ibis.null())


@indicator(
    family="capacity",
    base="panel",
    unit="ratio",
    direction="higher",
    label=("debt service to salary received", "偿债额与实收工资比"),
    reason=("debt service takes {value:.0%} of the salary received", "偿债额占实收工资的{value:.0%}"),
)
def debt_to_salary(t: Any, at: At) -> Any:
    """Monthly debt service over the salary received in the last three months; null where none came in."""
    return t.debt_service / ibis.ifelse(t.salary_3m > 0, t.salary_3m, ibis.null())


@indicator(
    family="capacity",
    base="panel",
    unit="months",
    direction="higher",
    label=("exposure to income", "余额收入比"),
    reason=("owes {value:.1f} months of declared income", "贷款余额相当于{value:.1f}个月收入"),
)
def exposure_to_income(t: Any, at: At) -> Any:
    """Balance of all open loans over declared monthly income; null where no income is known."""
    return t.exposure / ibis.ifelse(t.declared_income > 0, t.declared_income, ibis.null())


@indicator(
    family="capacity",
    base="loans_now",
    unit="ratio",
    direction="higher",
    label=("loan-to-value", "贷款价值比"),
    reason=("secured loans stand at {value:.0%} of the collateral's value", "抵押贷款余额为抵押物价值的{value:.0%}"),
)
def loan_to_value(t: Any, at: At) -> Any:
    """Balance of the secured loans over the value of their collateral; null without collateral."""
    return total(t.balance, t.collateral_value > 0) / total(t.collateral_value, t.collateral_value > 0).nullif(0)


@indicator(
    family="capacity",
    base="transactions",
    unit="days",
    direction="lower",
    label=("savings buffer", "储蓄缓冲"),
    reason=("the account covers {value:.0f} days of spending", "账户余额可支撑{value:.0f}天支出"),
)
def savings_buffer(t: Any, at: At) -> Any:
    """Mean balance after the bookings of the last 30 days, in days of the spending of the last 90."""
    spending = -total(t.amount, (t.amount < 0) & (t.booked_on > at.days_back(90))) / 90.0
    recent = (t.booked_on > at.days_back(30)) & t.balance_after.notnull()
    return total(t.balance_after, recent) / recent.sum().cast("float64").nullif(0) / spending.nullif(0)
