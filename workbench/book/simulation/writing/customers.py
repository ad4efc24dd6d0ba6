"""The customers table: first records, later declarations of income, and columns known only as they are now."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

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
from workbench.book.simulation.story import UNIT_FROM_MONTH, Story
from workbench.book.simulation.world import (
    BURN_IN_MONTHS,
    DAY_SECONDS,
    Block,
    Bools,
    Calendar,
    Days,
    Draw,
    Floats,
    Ints,
    Stream,
    cents,
)
from workbench.book.simulation.writing import persons
from workbench.book.simulation.writing.arrow import customer_ids, dates, ids, money, stamps, words
from workbench.book.simulation.writing.events import ADDRESS, PHONE, Happenings
from workbench.book.simulation.writing.faults import CustomerFaults

CURRENT_ONLY = ("officer_id", "segment", "phone", "email")
SEGMENTS = ("mass", "affluent", "private", "young", "senior")
AFFLUENT_INCOME, PRIVATE_INCOME = 3_200.0, 5_000.0
OFFICERS_PER_BRANCH = 4
OFFICER_CHANGE_CHANCE, EMAIL_CHANGE_CHANCE = 0.01, 0.003
TWICE_FIRST, TWICE_PER_BLOCK = 9_000_000, 100
"""Second records of people are numbered from here on, at most so many a block."""


@dataclass
class Register:
    """What the lender's CRM learns month by month: declared incomes (kept), and phones, officers (overwritten)."""

    phone_changes: Ints
    moves: Ints
    email_changes: Ints
    officer_changes: Ints
    at_joining: Floats  # declared income
    declared: list[tuple[Ints, Days, Floats]] = field(default_factory=list)

    @classmethod
    def empty(cls, first: State) -> Register:
        """Return the register of the first state, in which nothing has changed yet."""
        phones, moves, emails, officers = np.zeros((4, len(first.declared)), np.int64)
        return cls(phones, moves, emails, officers, first.declared)

    def note(self, state: State, raised: Ints, joins: Bools, first_day: np.datetime64, draw: Draw) -> None:
        """Note declared incomes and changes of officer and mail of one month."""
        rng = draw(Stream.PEOPLE)
        n = len(raised)
        self.at_joining = np.where(joins, state.declared, self.at_joining)
        second = rng.integers(0, 28, n) * DAY_SECONDS + rng.integers(8 * 3_600, 18 * 3_600, n)
        who = np.flatnonzero(raised)
        moment = first_day.astype("datetime64[us]") + second[who].astype("timedelta64[s]")
        self.declared.append((who, moment, state.declared[who]))
        self.officer_changes += rng.random(n) < OFFICER_CHANGE_CHANCE
        self.email_changes += rng.random(n) < EMAIL_CHANGE_CHANCE

    def note_events(self, events: Happenings) -> None:
        """Count changed phones and addresses."""
        for kind, counted in ((PHONE, self.phone_changes), (ADDRESS, self.moves)):
            counted += np.bincount(events.customer[events.kind == kind], minlength=len(counted))


def customer_columns(
    population: Population, last: State, register: Register, faults: CustomerFaults, block: Block,
    calendar: Calendar, story: Story, seed: int, draw: Draw,
) -> dict[str, pa.Array]:  # fmt: skip
    """Return the columns of the customers table, sorted by customer and `known_at`: those who have joined by the end."""
    who, known, income, faulty = _versions(population, register, faults)
    keep = (known <= calendar.month_end(calendar.total - 1)) & (population.since_t < calendar.total)[who]
    who, known, income, faulty = who[keep], known[keep], income[keep], faulty[keep]
    number = population.first + who
    twice = np.flatnonzero(faults.twice)[:TWICE_PER_BLOCK]
    position = TWICE_FIRST - 1 + block.number * TWICE_PER_BLOCK + np.arange(len(twice))
    again = _registered_again(population, twice, calendar)
    here = (again <= calendar.month_end(calendar.total - 1)) & (population.since_t < calendar.total)[twice]
    twice, again, position = twice[here], again[here], position[here]
    who, known, number = (
        np.concatenate([who, twice]),
        np.concatenate([known, again]),
        np.concatenate([number, position]),
    )
    income = np.concatenate([income, register.at_joining[twice]])
    faulty = np.concatenate([faulty, np.ones(len(twice), np.bool_)])

    if story.changed_unit:
        yearly = known >= calendar.first_day(BURN_IN_MONTHS + UNIT_FROM_MONTH - 1)
        income = np.where(yearly, income * 12, income)
    birth = np.where(faults.birth_1900, np.datetime64("1900-01-01"), population.birth)
    birth = np.where(faults.birth_in_future, population.birth + np.timedelta64(36_524, "D"), birth)  # a century late
    rng = draw(Stream.PEOPLE)
    n = population.size
    name = persons.names(population.gender, rng)
    text = {
        "name": name.shown,
        "phone": persons.phones(register.phone_changes, rng),
        "email": persons.emails(name.plain, register.email_changes, first_number=population.first + 1),
        "national_id": persons.national_ids(population.first + 1, n, seed=seed),
    }
    officer = (rng.integers(0, OFFICERS_PER_BRANCH, n) + register.officer_changes) % OFFICERS_PER_BRANCH
    take = pa.array(who)
    retired = population.occupation == RETIRED
    return {
        "customer_id": customer_ids(number),
        "birth_date": dates(birth[who]),
        "gender": words(population.gender[who], GENDER),
        "marital_status": words(population.marital[who], MARITAL),
        "education": words(np.where(faults.missing_education, -1, population.education)[who], EDUCATION),
        "occupation": words(population.occupation[who], OCCUPATION),
        "employed_since": dates(population.employed_since[who], missing=retired[who]),
        "monthly_income": money(cents(income), missing=faulty & faults.missing_income[who]),
        "region": words(population.region[who], REGION),
        "segment": words(_segment(population, last, calendar)[who], SEGMENTS),
        "branch_id": ids("B", population.branch[who] + 1, 2),
        "officer_id": ids("O", (population.branch * OFFICERS_PER_BRANCH + officer)[who] + 1, 3),
        "relationship_since": dates(
            np.where(number >= TWICE_FIRST - 1, known.astype("datetime64[D]"), population.since[who])
        ),
        **{name: pa.array(values, pa.string()).take(take) for name, values in text.items()},
        "known_at": stamps(known),
    }


def _versions(
    population: Population, register: Register, faults: CustomerFaults
) -> tuple[Ints, Days, Floats, np.ndarray]:
    """Return customer, moment and declared income of each record, in order, and which are the first of a customer."""
    n = population.size
    registered = population.since.astype("datetime64[us]") + np.timedelta64(9, "h")
    mended = np.flatnonzero(faults.annual_income & (faults.corrected_after_days > 0))
    correct = registered[mended] + faults.corrected_after_days[mended].astype("timedelta64[D]")
    who = np.concatenate([np.arange(n), mended, *(row[0] for row in register.declared)])
    known = np.concatenate([registered, correct, *(row[1] for row in register.declared)])
    joining = register.at_joining
    typed = np.where(faults.annual_income, joining * 12, joining)
    income = np.concatenate([typed, joining[mended], *(row[2] for row in register.declared)])
    is_first = np.arange(len(who)) < n
    keep = is_first | (known > registered[who])
    who, known, income, is_first = who[keep], known[keep], income[keep], is_first[keep]
    order = np.lexsort((~is_first, known, who))
    return who[order], known[order], income[order], is_first[order]


def _registered_again(population: Population, twice: Ints, calendar: Calendar) -> Days:
    """When each was registered once more: some 400 days after joining, or after the first written month."""
    opening = calendar.first_day(BURN_IN_MONTHS)
    day = np.maximum(population.since[twice], opening) + (100 + (twice * 7_919) % 600).astype("timedelta64[D]")
    return day.astype("datetime64[us]") + np.timedelta64(15, "h")  # type: ignore[no-any-return]


def _segment(population: Population, last: State, calendar: Calendar) -> Ints:
    """Return the sales segment today: by age, then by declared income."""
    age = (calendar.last_day(calendar.total - 1) - population.birth).astype(np.int64) / 365.25
    return np.select(
        [last.declared >= PRIVATE_INCOME, last.declared >= AFFLUENT_INCOME, age < 27, age >= 63], [2, 1, 3, 4], 0
    )
