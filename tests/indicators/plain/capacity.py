"""Capacity from the meanings alone."""

from __future__ import annotations

from .customer import Customer, Row, Value, positive, ratio, total

INCOME = ("salary", "pension")


def asked(c: Customer) -> Value:
    """Return what the open loans ask for in a month."""
    asks = []
    for row in c.open_now:
        instalment = c.loans[row["loan_id"]]["instalment_amount"]
        asks.append({"ask": row["due_amount"] if instalment is None else instalment})
    return total(asks, "ask")


def income(c: Customer) -> Value:
    declared = c.standing.get("monthly_income")
    return None if declared is None else float(declared)


def salaries(c: Customer, months: int, *, to: int = 0) -> list[Row]:
    """Return the salary credits of the last calendar months, less those of the last `to`."""
    since, until = c.months_back(months), c.months_back(to)
    return [row for row in c.transactions if row["category"] in INCOME and since < row["day"] <= until]


def salary_3m(c: Customer) -> Value:
    recent = c.since(c.transactions, 180)
    return (total(salaries(c, 3), "amount") or 0.0) / 3 if recent else None


def salary_trend(c: Customer) -> Value:
    before = total(salaries(c, 5, to=2), "amount")
    return None if before is None else ratio((total(salaries(c, 2), "amount") or 0.0) / 2, before / 3)


def savings_buffer(c: Customer) -> Value:
    recent = [row for row in c.since(c.transactions, 30) if row["balance_after"] is not None]
    spending = total([row for row in c.since(c.transactions, 90) if row["amount"] < 0], "amount")
    return ratio(ratio(total(recent, "balance_after"), len(recent)), -spending / 90 if spending else None)


def loan_to_value(c: Customer) -> Value:
    secured = [row for row in c.open_now if (c.loans[row["loan_id"]]["collateral_value"] or 0) > 0]
    return ratio(total(secured, "balance"), total([c.loans[row["loan_id"]] for row in secured], "collateral_value"))


def paydays(c: Customer) -> Value:
    """Months of the last five, counted back from the date, in which income came."""
    if not c.since(c.transactions, 180):
        return None
    return float(sum(bool(salaries(c, ago + 1, to=ago)) for ago in range(5)))


def disposable(c: Customer) -> Value:
    received, asks = salary_3m(c), asked(c)
    return None if received is None else received - (asks or 0.0)


def saving_rate(c: Customer) -> Value:
    recent = c.since(c.transactions, 90)
    received = [row for row in recent if row["amount"] > 0]
    return ratio(total(recent, "amount"), total(received, "amount"))


def debt_payments(c: Customer) -> Value:
    recent = c.since(c.transactions, 90)
    paid = [row for row in recent if row["category"] in ("loan_payment", "other_loan_payment") and row["amount"] < 0]
    received = [row for row in recent if row["category"] in INCOME and row["amount"] > 0]
    return ratio(-(total(paid, "amount") or 0.0), total(received, "amount"))


REFERENCES = {
    "declared_income": income,
    "debt_service": asked,
    "exposure": lambda c: total(c.open_now, "balance"),
    "salary_3m": salary_3m,
    "salary_trend": salary_trend,
    "debt_to_income": lambda c: ratio(asked(c), positive(income(c))),
    "debt_to_salary": lambda c: ratio(asked(c), positive(salary_3m(c))),
    "exposure_to_income": lambda c: ratio(total(c.open_now, "balance"), positive(income(c))),
    "loan_to_value": loan_to_value,
    "savings_buffer": savings_buffer,
    "paydays_5m": paydays,
    "disposable_income": disposable,
    "saving_rate_90d": saving_rate,
    "debt_payments_to_salary_90d": debt_payments,
}
