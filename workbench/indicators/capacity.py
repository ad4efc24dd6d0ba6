"""Capacity: what the customer earns against what the loans ask."""

from __future__ import annotations

from typing import Any

import ibis

from workbench.indicators.registry import At, indicator, total

INCOME_CATEGORIES = ("salary", "pension")  # "salary" in the names below means both
LOAN_PAYMENTS = ("loan_payment", "other_loan_payment")


@indicator(
    family="capacity",
    base="standing",
    unit="currency a month",
    between=(0, None),
    null="no income is known",
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
    between=(0, None),
    null="no open loan, or no instalment known",
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
    between=(0, None),
    null="no open loan, or no balance known",
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
    between=(0, None),
    null="no transactions in 180 days",
    direction="lower",
    label=("salary received", "实收工资"),
    reason=("salary received is {value:,.0f} a month over 3 months", "近3个月月均工资入账{value:,.0f}"),
)
def salary_3m(t: Any, at: At) -> Any:
    """Salary or pension of the last three months, a month; calendar months, so that each holds one payday."""
    return (
        ibis.coalesce(total(t.amount, (t.category.isin(INCOME_CATEGORIES)) & (t.booked_on > at.months_back(3))), 0)
        / 3.0
    )


@indicator(
    family="capacity",
    base="transactions",
    unit="ratio",
    null="no salary in the three months before",
    direction="lower",
    label=("salary trend", "工资变动"),
    reason=(
        "salary of the last 2 months is {value:.0%} of that of the 3 months before",
        "近2个月工资为此前3个月水平的{value:.0%}",
    ),
)
def salary_trend(t: Any, at: At) -> Any:
    """Salary or pension a month in the last two months over that in the three months before."""
    salary, split = t.category.isin(INCOME_CATEGORIES), at.months_back(2)
    recent = total(t.amount, salary & (t.booked_on > split))
    before = total(t.amount, salary & (t.booked_on <= split) & (t.booked_on > at.months_back(5)))
    return (ibis.coalesce(recent, 0.0) / 2.0) / (before / 3.0).nullif(0)


@indicator(
    family="capacity",
    base="panel",
    unit="ratio",
    null="no positive income, or nothing asked",
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
    null="no salary in three months, or nothing asked",
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
    null="no positive income, or no balance known",
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
    null="no collateral",
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
    null="no balance in 30 days, or no spending in 90",
    between=(None, None),
    direction="lower",
    label=("savings buffer", "储蓄缓冲"),
    reason=("the account covers {value:.0f} days of spending", "账户余额可支撑{value:.0f}天支出"),
)
def savings_buffer(t: Any, at: At) -> Any:
    """Mean balance after the bookings of the last 30 days, in days of the spending of the last 90."""
    spending = -total(t.amount, (t.amount < 0) & (t.booked_on > at.days_back(90))) / 90.0
    recent = (t.booked_on > at.days_back(30)) & t.balance_after.notnull()
    return total(t.balance_after, recent) / recent.sum().cast("float64").nullif(0) / spending.nullif(0)


@indicator(
    family="capacity",
    base="transactions",
    unit="months",
    null="no transactions in 180 days",
    between=(0, 5),
    direction="lower",
    label=("months with salary of 5", "近5个月有工资入账的月数"),
    reason=("salary came in {value:.0f} of the last 5 months", "近5个月中有{value:.0f}个月工资入账"),
)
def paydays_5m(t: Any, at: At) -> Any:
    """Months of the last five, counted back from the date, in which salary or a pension came: how regular income is."""
    months = 0
    for ago in range(5):
        within = (t.booked_on > at.months_back(ago + 1)) & (t.booked_on <= at.months_back(ago))
        months += ibis.ifelse((within & t.category.isin(INCOME_CATEGORIES)).any(), 1, 0)
    return months


@indicator(
    family="capacity",
    base="panel",
    unit="currency a month",
    null="no transactions in 180 days",
    direction="lower",
    label=("disposable income", "可支配收入"),
    reason=("{value:,.0f} a month are left after debt service", "偿债后月余{value:,.0f}"),
)
def disposable_income(t: Any, at: At) -> Any:
    """Salary or pension received a month, less the monthly debt service."""
    return t.salary_3m - ibis.coalesce(t.debt_service, 0.0)


@indicator(
    family="capacity",
    base="transactions",
    unit="share",
    null="no credit in 90 days",
    between=(None, 1),
    direction="lower",
    label=("saving rate", "储蓄率"),
    reason=("keeps {value:.0%} of what came in over 90 days", "近90天结余占流入的{value:.0%}"),
)
def saving_rate_90d(t: Any, at: At) -> Any:
    """What the last 90 days left of the money that came in: credits less debits, over credits."""
    recent = t.booked_on > at.days_back(90)
    return total(t.amount, recent) / total(t.amount, recent & (t.amount > 0)).nullif(0)


@indicator(
    family="capacity",
    base="transactions",
    unit="ratio",
    null="no salary in 90 days",
    direction="higher",
    label=("loan payments to salary", "还贷支出与工资比"),
    reason=("payments to lenders take {value:.0%} of the salary", "向各贷款机构还款占工资的{value:.0%}"),
)
def debt_payments_to_salary_90d(t: Any, at: At) -> Any:
    """Payments to this and other lenders seen on the account over salary or pension received, in 90 days."""
    recent = t.booked_on > at.days_back(90)
    paid = -total(t.amount, recent & t.category.isin(LOAN_PAYMENTS) & (t.amount < 0))
    received = total(t.amount, recent & t.category.isin(INCOME_CATEGORIES) & (t.amount > 0))
    return ibis.coalesce(paid, 0.0) / received.nullif(0)
