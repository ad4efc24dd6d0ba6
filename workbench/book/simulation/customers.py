"""The customers table: first records, later declarations of income, and columns known only as they are now."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from workbench.book.simulation import people
from workbench.book.simulation.events import PHONE, Happenings
from workbench.book.simulation.faults import CustomerFaults
from workbench.book.simulation.population import (
    EDUCATION,
    GENDER,
    MARITAL,
    OCCUPATION,
    REGION,
    RETIRED,
    Population,
)
from workbench.book.simulation.state import State
from workbench.book.simulation.tables import customer_ids, dates, ids, money, stamps, words
from workbench.book.simulation.world import DAY_SECONDS, Calendar, Draw, Floats, Ints, Stream, cents

CURRENT_ONLY = ("officer_id", "segment", "phone", "email")
SEGMENTS = ("mass", "affluent", "private", "young", "senior")
AFFLUENT_INCOME, PRIVATE_INCOME = 3_200.0, 5_000.0
OFFICERS_PER_BRANCH = 4
OFFICER_CHANGE_CHANCE, EMAIL_CHANGE_CHANCE = 0.01, 0.003


@dataclass
class Register:
    """What the lender's CRM learns month by month: declared incomes (kept), and phones, officers (overwritten)."""

    phone_changes: Ints
    email_changes: Ints
    officer_changes: Ints
    declared: list[tuple[Ints, np.ndarray, Floats]] = field(default_factory=list)

    @classmethod
    def empty(cls, customers: int) -> Register:
        """Return a register in which nothing has changed yet."""
        return cls(np.zeros(customers, np.int64), np.zeros(customers, np.int64), np.zeros(customers, np.int64))

    def note(self, state: State, raised: Ints, first_day: np.datetime64, draw: Draw) -> None:
        """Note declared incomes and changes of officer and mail of one month."""
        rng = draw(Stream.PEOPLE)
        n = len(raised)
        second = rng.integers(0, 28, n) * DAY_SECONDS + rng.integers(8 * 3_600, 18 * 3_600, n)
        who = np.flatnonzero(raised)
        moment = first_day.astype("datetime64[us]") + second[who].astype("timedelta64[s]")
        self.declared.append((who, moment, state.declared[who]))
        self.officer_changes += rng.random(n) < OFFICER_CHANGE_CHANCE
        self.email_changes += rng.random(n) < EMAIL_CHANGE_CHANCE

    def note_events(self, events: Happenings) -> None:
        """Count changed phones."""
        self.phone_changes += np.bincount(events.customer[events.kind == PHONE], minlength=len(self.phone_changes))


def customer_columns(
    population: Population, first: State, last: State, register: Register, faults: CustomerFaults,
    calendar: Calendar, draw: Draw,
) -> dict[str, pa.Array]:  # fmt: skip
    """Return the columns of the customers table, sorted by customer and `known_at`."""
    n = population.size
    registered = population.since.astype("datetime64[us]") + np.timedelta64(9, "h")
    who = np.concatenate([np.arange(n), *(row[0] for row in register.declared)])
    known = np.concatenate([registered, *(row[1] for row in register.declared)])
    income = np.concatenate([first.declared, *(row[2] for row in register.declared)])
    is_first = np.arange(len(who)) < n
    keep = is_first | (known > registered[who])
    who, known, income, is_first = who[keep], known[keep], income[keep], is_first[keep]
    order = np.lexsort((known, who))
    who, known, income, is_first = who[order], known[order], income[order], is_first[order]

    income = np.where(is_first & faults.annual_income[who], income * 12, income)
    birth = np.where(faults.birth_1900, np.datetime64("1900-01-01"), population.birth)
    birth = np.where(faults.birth_in_future, population.birth + np.timedelta64(36_524, "D"), birth)  # a century late
    rng = draw(Stream.PEOPLE)
    shown, plain = people.names(n, rng)
    text = {
        "name": shown,
        "phone": people.phones(n, register.phone_changes, rng),
        "email": people.emails(plain, register.email_changes),
        "national_id": people.national_ids(n, rng),
    }
    officer = (rng.integers(0, OFFICERS_PER_BRANCH, n) + register.officer_changes) % OFFICERS_PER_BRANCH
    take = pa.array(who)
    return {
        "customer_id": customer_ids(who),
        "birth_date": dates(birth[who]),
        "gender": words(population.gender[who], GENDER),
        "marital_status": words(population.marital[who], MARITAL),
        "education": words(np.where(faults.missing_education, -1, population.education)[who], EDUCATION),
        "occupation": words(population.occupation[who], OCCUPATION),
        "employed_since": dates(population.employed_since[who], missing=population.occupation[who] == RETIRED),
        "monthly_income": money(cents(income), missing=is_first & faults.missing_income[who]),
        "region": words(population.region[who], REGION),
        "segment": words(_segment(population, last, calendar)[who], SEGMENTS),
        "branch_id": ids("B", population.branch[who] + 1, 2),
        "officer_id": ids("O", (population.branch * OFFICERS_PER_BRANCH + officer)[who] + 1, 3),
        "relationship_since": dates(population.since[who]),
        **{name: pa.array(values, pa.string()).take(take) for name, values in text.items()},
        "known_at": stamps(known),
    }


def _segment(population: Population, last: State, calendar: Calendar) -> Ints:
    """Return the sales segment today: by age, then by declared income."""
    age = (calendar.last_day(calendar.total - 1) - population.birth).astype(np.int64) / 365.25
    return np.select(
        [last.declared >= PRIVATE_INCOME, last.declared >= AFFLUENT_INCOME, age < 27, age >= 63], [2, 1, 3, 4], 0
    )
