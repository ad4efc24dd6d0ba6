"""Utilisation and balance from the meanings alone."""

from __future__ import annotations

from .customer import Customer, Value, difference, ratio, total


def utilisation(c: Customer, months: int) -> Value:
    rows = [row for row in c.year if row["ago"] < months and row["open"]] if months else c.open_now
    revolving = [row for row in rows if (row["credit_limit"] or 0) > 0]
    return ratio(total(revolving, "balance"), total(revolving, "credit_limit"))


def balance_trend(c: Customer) -> Value:
    now, then = ([row for row in c.year if row["ago"] == ago and row["open"]] for ago in (0, 6))
    return ratio(total(now, "balance"), total(then, "balance"))


def over_limit(c: Customer) -> Value:
    rows = [row for row in c.year if row["ago"] < 6 and row["open"] and (row["credit_limit"] or 0) > 0]
    return float(
        len({row["ago"] for row in rows if row["balance"] is not None and row["balance"] > row["credit_limit"]})
    )


def prepaid(c: Customer) -> float:
    recent = [row for row in c.payments if row["kind"] == "prepayment" and row["day"] > c.months_back(6)]
    return total(recent, "amount") or 0.0


def prepaid_share(c: Customer) -> Value:
    return ratio(prepaid(c), (total(c.open_now, "balance") or 0.0) + prepaid(c))


REFERENCES = {
    "utilisation_now": lambda c: utilisation(c, 0),
    "utilisation_6m": lambda c: utilisation(c, 6),
    "utilisation_rise": lambda c: difference(utilisation(c, 0), utilisation(c, 6)),
    "over_limit_months_6m": over_limit,
    "balance_trend_6m": balance_trend,
    "prepaid_6m": prepaid,
    "prepaid_share_6m": prepaid_share,
}
