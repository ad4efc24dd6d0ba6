"""What customers and the lender do besides money: logins, changes, requests, complaints, contacts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.month.step import Month
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import State
from workbench.book.simulation.world import DAY_SECONDS, Bools, Floats, Ints

EVENT_KINDS = (
    "login", "login_failed", "phone_changed", "address_changed", "device_changed", "complaint", "limit_requested",
    "hardship_requested", "contact",
)  # fmt: skip
(LOGIN, LOGIN_FAILED, PHONE, ADDRESS, DEVICE, COMPLAINT, LIMIT, HARDSHIP, CONTACT) = range(len(EVENT_KINDS))
DETAILS = ("app", "web", "call", "letter", "branch")
CALL, LETTER = 2, 3
# Rates a customer-month below are house choices: a base rate, and moderately more under stress.


@dataclass
class Happenings:
    """Events of one month in their total order: second, customer, sequence."""

    customer: Ints
    second: Ints
    kind: Ints
    detail: Ints


def month_events(state: State, population: Population, month: Month, days: int, rng: np.random.Generator) -> Happenings:
    """Return the month's events of those who are customers; requests, calls and letters are those of the step."""
    n = population.size
    stress, treatments = state.stress, month.treatments
    joined = population.joined_by(month.t)
    rates: dict[int, Floats] = {
        LOGIN: 1.6 * (1 + 0.5 * stress),
        LOGIN_FAILED: 0.10 + 0.08 * stress,
        PHONE: np.full(n, 0.004) + 0.003 * stress,
        ADDRESS: 0.005 + 0.004 * stress,
        DEVICE: np.full(n, 0.006),
        COMPLAINT: 0.004 + 0.006 * stress,
        CONTACT: np.full(n, 0.012),
    }
    who, kind, second = [], [], []
    rows = [(code, np.repeat(np.arange(n), rng.poisson(rate * joined))) for code, rate in rates.items()]
    rows += [
        (LIMIT, np.flatnonzero(treatments.asked_limit)),
        (HARDSHIP, np.flatnonzero(treatments.asked_hardship & joined)),
        (CONTACT, np.flatnonzero(treatments.late)),
    ]
    for code, owners in rows:
        who.append(owners)
        kind.append(np.full(len(owners), code))
        office = code in (COMPLAINT, HARDSHIP, CONTACT)
        second.append(_moments(rng.integers(0, days, len(owners)), office, rng))
    for code, owners, day in _around_incidents(month, joined, rng):
        who.append(owners)
        kind.append(np.full(len(owners), code))
        second.append(_moments(np.clip(day, 0, days - 1), False, rng))
    customer, codes, when = np.concatenate(who), np.concatenate(kind), np.concatenate(second)
    detail = np.where(codes <= DEVICE, rng.integers(0, 2, len(codes)), rng.integers(2, 5, len(codes)))
    chased = (codes == CONTACT) & treatments.late[customer]
    detail = np.where(chased, np.where(treatments.contacted[customer], CALL, LETTER), detail)
    order = np.lexsort((np.arange(len(codes)), customer, when))
    return Happenings(customer[order], when[order], codes[order], detail[order])


def _moments(day: Ints, office: bool, rng: np.random.Generator) -> Ints:
    n = len(day)
    hour = rng.uniform(8, 18, n) if office else np.clip(15 + 5 * rng.standard_normal(n), 0, 23.99)
    return day * DAY_SECONDS + np.floor(hour * 3_600).astype(np.int64)


def _around_incidents(month: Month, joined: Bools, rng: np.random.Generator) -> list[tuple[int, Ints, Ints]]:
    """Events of take-overs, and of new phones, which look much the same."""
    day = month.incidents.day - 1
    robbed = np.flatnonzero((month.flows.takeover > 0) & joined)
    phone = np.flatnonzero((month.flows.phone > 0) & joined)
    robbed_tries = np.repeat(robbed, rng.integers(1, 6, len(robbed)))
    phone_tries = np.repeat(phone, rng.poisson(0.8, len(phone)))
    robbed_number = robbed[rng.random(len(robbed)) < 0.3]
    phone_number = phone[rng.random(len(phone)) < 0.06]
    seen = robbed[rng.random(len(robbed)) < 0.9]  # some thieves use the customer's own device
    return [
        (DEVICE, seen, day[seen] - rng.integers(0, 2, len(seen))),
        (LOGIN_FAILED, robbed_tries, day[robbed_tries] - rng.integers(0, 2, len(robbed_tries))),
        (PHONE, robbed_number, day[robbed_number]),
        (DEVICE, phone, day[phone] + rng.integers(0, 3, len(phone))),
        (LOGIN_FAILED, phone_tries, day[phone_tries] + rng.integers(0, 3, len(phone_tries))),
        (PHONE, phone_number, day[phone_number]),
    ]
