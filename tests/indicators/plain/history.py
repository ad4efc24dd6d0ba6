"""History and outside records from the meanings alone."""

from __future__ import annotations

from functools import cache

from .capacity import income
from .customer import Customer, Row, Value, months_since, positive, ratio


def default_rate(c: Customer) -> Value:
    mature = [loan for loan in c.loans.values() if loan["opened_on"] <= c.months_back(12)]
    bad = [
        loan
        for loan in mature
        if any(row["written_off"] or row["dpd"] >= 90 for row in c.months if row["loan_id"] == loan["loan_id"])
    ]
    return ratio(float(len(bad)), float(len(mature)))


def opened_12m(c: Customer) -> Value:
    return float(sum(loan["opened_on"] > c.months_back(12) for loan in c.loans.values()))


def application_score(c: Customer) -> Value:
    accepted = [row for row in c.applications if row["decision"] == "accepted" and row["score"] is not None]
    return max(accepted, key=lambda row: (row["applied_at"], row["application_id"]))["score"] if accepted else None


@cache
def mature_and_bad(c: Customer) -> tuple[int, int]:
    """Return how many loans of a customer are mature, and how many of those went bad."""
    mature = [loan_id for loan_id, loan in c.loans.items() if loan["opened_on"] <= c.months_back(12)]
    went_bad = {row["loan_id"] for row in c.months if row["written_off"] or (row["dpd"] or 0) >= 90}
    return len(mature), len(set(mature) & went_bad)


@cache
def vintage(c: Customer) -> tuple[int, int]:
    first = min(loan["opened_on"] for loan in c.loans.values())
    return first.year, (first.month - 1) // 3


def rate_of_others(c: Customer, group: object) -> Value:
    """Return the default rate of the others of a customer's group, drawn by 20 loans towards that of all others."""
    own = group(c)  # type: ignore[operator]
    others = [other for other in c.everyone if other is not c]
    everywhere = [mature_and_bad(other) for other in others]
    there = [mature_and_bad(other) for other in others if group(other) == own]  # type: ignore[operator]
    overall = ratio(float(sum(bad for _mature, bad in everywhere)), float(sum(mature for mature, _bad in everywhere)))
    if own is None or overall is None:
        return None
    return (sum(bad for _mature, bad in there) + 20 * overall) / (sum(mature for mature, _bad in there) + 20)


def applied(c: Customer, *decisions: str) -> Value:
    recent = [row for row in c.applications if row["day"] > c.months_back(12)]
    return float(sum(not decisions or row["decision"] in decisions for row in recent))


def latest_report(c: Customer) -> Row:
    return max(c.bureau, key=lambda row: row["reported_on"], default={})


def number(value: object) -> Value:
    return None if value is None else float(value)  # type: ignore[arg-type]


REFERENCES = {
    "historical_default_rate": default_rate,
    "vintage_default_rate": lambda c: rate_of_others(c, vintage),
    "segment_default_rate": lambda c: rate_of_others(c, lambda other: other.standing.get("segment")),
    "branch_default_rate": lambda c: rate_of_others(c, lambda other: other.standing.get("branch_id")),
    "restructurings_24m": lambda c: float(sum(row["effective_on"] > c.months_back(24) for row in c.restructurings)),
    "months_on_book": lambda c: months_since(c, min(loan["opened_on"] for loan in c.loans.values())),
    "loans_opened_12m": opened_12m,
    "applications_12m": applied,
    "refusals_12m": lambda c: applied(c, "declined"),
    "relationship_months": lambda c: months_since(c, c.standing.get("relationship_since")),
    "age_years": lambda c: (c.as_of - c.standing["birth_date"]).days / 365.25 if c.standing.get("birth_date") else None,
    "application_score": application_score,
    "bureau_enquiries": lambda c: number(latest_report(c).get("enquiries_6m")),
    "other_debt": lambda c: number(latest_report(c).get("other_debt")),
    "other_debt_to_income": lambda c: ratio(number(latest_report(c).get("other_debt")), positive(income(c))),
    "bureau_worst_status": lambda c: latest_report(c).get("worst_status"),
}
