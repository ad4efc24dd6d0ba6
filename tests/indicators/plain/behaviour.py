"""Behaviour from the meanings alone."""

from __future__ import annotations

from .customer import Customer, Value, ratio

CHANGES = ("phone_changed", "address_changed", "device_changed")


def count_of(c: Customer, days: int, *kinds: str) -> Value:
    return float(sum(row["kind"] in kinds for row in c.since(c.events, days)))


def logins_to_usual(c: Customer) -> Value:
    before = [row for row in c.since(c.events, 180, to=30) if row["kind"] == "login"]
    return ratio(5 * (count_of(c, 30, "login") or 0.0), len(before))


def since_contact(c: Customer) -> Value:
    return min(
        ((c.as_of - row["day"]).days for row in c.since(c.events, 180) if row["kind"] == "contact"), default=None
    )


REFERENCES = {
    "contact_changes_7d": lambda c: count_of(c, 7, *CHANGES),
    "contact_changes_30d": lambda c: count_of(c, 30, *CHANGES),
    "contact_changes_90d": lambda c: count_of(c, 90, *CHANGES),
    "failed_logins_30d": lambda c: count_of(c, 30, "login_failed"),
    "logins_to_usual": logins_to_usual,
    "days_since_contact": since_contact,
    "care_requests_180d": lambda c: count_of(c, 180, "hardship_requested", "limit_requested", "complaint"),
    "complaints_180d": lambda c: count_of(c, 180, "complaint"),
    "limit_requests_180d": lambda c: count_of(c, 180, "limit_requested"),
    "hardship_requests_180d": lambda c: count_of(c, 180, "hardship_requested"),
}
