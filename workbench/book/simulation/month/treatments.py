"""What the lender does about its customers: calls, limit changes, restructurings; each given or withheld by chance.

A share of the eligible is treated (`TREATED_SHARE`), whatever else is known of them: the difference to the others is
the effect of the treatment. Calls from 30 days past due on are for all, and tell nothing. In the flipped world each
customer's first decision of one kind goes the other way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from workbench.book.simulation.month.noise import LoanNoise
from workbench.book.simulation.month.terms import annuity_instalment, last_instalment
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import CARD, Loans, State, first_of_customer, some_loan
from workbench.book.simulation.story import TREATMENTS, Story
from workbench.book.simulation.world import BURN_IN_MONTHS, Bools, Draw, Floats, Ints, Stream

CONTACT, LIMIT_CUT, RESTRUCTURING = range(len(TREATMENTS))
FOLLOWED = np.array([RESTRUCTURING, LIMIT_CUT, RESTRUCTURING, LIMIT_CUT, CONTACT])
"""Which treatment `truth/` follows for a customer, by position: rare ones for more customers than the frequent one."""
TREATED_SHARE = (0.5, 0.25, 0.06)
"""Of the eligible, a month: called, cut while the programme runs, restructured."""
CUT_TO = 0.65
"""A cut limit, as a share of the old one; never below the balance."""
CUT_CLEAN_MONTHS, CUT_UTILISATION = 9, 0.5
"""The programme looks at cards that were past due in so many months, or that use more than this share."""
RAISE_EVERY_MONTHS, RAISE_CHANCE, RAISE_BY = 12, 0.3, 0.25
REQUEST_CHANCE, REQUEST_STRESS, REQUEST_GRANTED = 0.006, 0.014, 0.5
LIMIT_STEP_CENTS, MAX_LIMIT_CENTS = 10_000, 1_500_000
HARDSHIP_CHANCE, HARDSHIP_STRESS = 0.0003, 0.03
TAMED_MONTHS, ANGRY_MONTHS = 18, 12
CALLED_MONTHS = 4
"""How long customers spend less, and recover sooner, after a helpful limit cut and after a helpful call; how long they are
angry after a harmful cut or restructuring."""
EXTENDED_MONTHS, MAX_TERM_MONTHS = 24, 84
HOLIDAY_CHANCE = 0.012
"""Chance a month of a payment holiday for a stressed customer who is not past due: no distress is recorded."""
HOLIDAY_MONTHS = 2
EVERGREEN_FEE = 0.15
"""A harmful restructuring adds a fee and keeps the term: the instalment rises."""

TERM_EXTENSION, PAYMENT_HOLIDAY = 0, 1
RESTRUCTURING_KINDS = ("term_extension", "payment_holiday")


@dataclass
class Decided:
    """First decisions on the followed treatment: customer, loan (-1 for none) and whether it was given."""

    customer: Ints
    loan: Ints
    kind: Ints
    treated: Bools


@dataclass
class Treatments:
    """What the lender did in a month."""

    contacted: Bools  # (n,) called; the others who were late got a letter
    late: Bools  # (n,) past due at the last month end
    limit_changed: Ints  # positions of loans with a new limit, in effect from day 2
    asked_limit: Bools  # (n,)
    asked_hardship: Bools  # (n,)
    restructured: Ints  # positions of loans
    restructuring_kind: Ints
    settled: Ints  # (m,) arrears that went into the new principal
    rescheduled: Bools  # (m,) a new schedule begins, also after a part was prepaid
    decided: list[Decided] = field(default_factory=list)


def treat(state: State, population: Population, t: int, story: Story, draw: Draw, *, flip: bool = False) -> Treatments:
    """Decide on the month's treatments from what is known at the last month end; limits and schedules change in place."""
    rng = draw(Stream.TREATMENT)
    loans, n = state.loans, population.size
    noise = LoanNoise(rng, loans)
    u: Floats = rng.random((6, n))
    worst = state.worst_dpd()
    late = worst > 0
    card = loans.is_open & (loans.product == CARD)
    has_card = some_loan(loans, card, n)
    asked_limit = has_card & (u[0] < REQUEST_CHANCE + REQUEST_STRESS * state.stress)
    hardship = u[1] < HARDSHIP_CHANCE + HARDSHIP_STRESS * state.stress * late
    done = Treatments(np.zeros(n, np.bool_), late, np.zeros(0, np.int64), asked_limit, hardship,
                      np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(loans.size, np.int64),
                      _recast(loans, t))  # fmt: skip

    if story.contact != "off":
        early = late & (worst < 30)
        done.contacted = _assign(state, t, CONTACT, early, u[2] < TREATED_SHARE[CONTACT], flip, done)
        if story.contact == "helpful":
            state.tamed_months = np.where(
                done.contacted, np.maximum(state.tamed_months, CALLED_MONTHS + 1), state.tamed_months
            )
        done.contacted |= worst >= 30
    _change_limits(state, t, story, u, noise, done, flip=flip)
    _restructure(state, t, story, u, noise, done, flip=flip)
    state.tamed_months = np.maximum(state.tamed_months - 1, 0)
    state.angry_months = np.maximum(state.angry_months - 1, 0)
    return done


def _assign(state: State, t: int, kind: int, eligible: Bools, chosen: Bools, flip: bool, done: Treatments) -> Bools:
    """Return who (n,) of the eligible is treated; note first decisions, and turn them round in the flipped world."""
    n = len(eligible)
    first = eligible & ~state.decided & (t >= BURN_IN_MONTHS) & (FOLLOWED[np.arange(n) % len(FOLLOWED)] == kind)
    treated: Bools = eligible & (chosen ^ (first & flip))
    state.decided |= first
    who = np.flatnonzero(first)
    done.decided.append(Decided(who, np.full(len(who), -1), np.full(len(who), kind), treated[who]))
    return treated


def _change_limits(
    state: State, t: int, story: Story, u: Floats, noise: LoanNoise, done: Treatments, *, flip: bool
) -> None:
    """Raise limits that are well used, on their birthday or on request; cut others while the programme runs."""
    loans, n = state.loans, len(state.income)
    card = loans.is_open & (loans.product == CARD) & (loans.limit > 0)
    used = loans.balance / np.maximum(loans.limit, 1)
    age = t - loans.open_t
    proven = card & (loans.clean_months >= RAISE_EVERY_MONTHS) & (loans.limit < MAX_LIMIT_CENTS)
    birthday = proven & (age % RAISE_EVERY_MONTHS == 0) & (used > 0.2) & (used < 0.9)
    granted = (birthday & (noise.uniform(0) < RAISE_CHANCE)) | (
        proven & done.asked_limit[loans.customer] & (noise.uniform(1) < REQUEST_GRANTED)
    )
    cut = np.zeros(loans.size, np.bool_)
    if story.cuts_limits(t):
        risky = card & (age >= 3) & ((loans.clean_months < CUT_CLEAN_MONTHS) | (used > CUT_UTILISATION))
        risky &= state.tamed_months[loans.customer] == 0
        eligible = some_loan(loans, risky, n)
        treated = _assign(state, t, LIMIT_CUT, eligible, u[3] < TREATED_SHARE[LIMIT_CUT], flip, done)
        cut = risky & treated[loans.customer]
        if story.limit_cut == "helpful":
            state.tamed_months = np.where(treated, TAMED_MONTHS + 1, state.tamed_months)
        if story.limit_cut == "harmful":
            state.angry_months = np.where(treated, ANGRY_MONTHS + 1, state.angry_months)
    raised = granted & ~cut
    lower = np.maximum(loans.limit * CUT_TO, loans.balance)
    wanted = np.where(
        raised, np.minimum(loans.limit * (1 + RAISE_BY), MAX_LIMIT_CENTS), np.where(cut, lower, loans.limit)
    )
    limit = np.where(raised | cut, np.ceil(wanted / LIMIT_STEP_CENTS) * LIMIT_STEP_CENTS, loans.limit).astype(np.int64)
    limit = np.where(cut, np.minimum(limit, loans.limit), limit)
    done.limit_changed = np.flatnonzero(limit != loans.limit)
    loans.limit = limit


def _restructure(
    state: State, t: int, story: Story, u: Floats, noise: LoanNoise, done: Treatments, *, flip: bool
) -> None:
    """Give loans in distress a longer schedule that takes their arrears in, and a few healthy ones a holiday."""
    loans, n = state.loans, len(state.income)
    term = loans.is_open & (loans.product != CARD) & (loans.dues >= 3) & ~loans.stopped & ~done.rescheduled
    term &= loans.term - loans.dues >= 2
    distressed = term & (loans.dpd >= 30) & (loans.dpd < 90)
    treated = np.zeros(n, np.bool_)
    if story.restructuring != "off":
        eligible = some_loan(loans, distressed, n)
        treated = _assign(state, t, RESTRUCTURING, eligible, u[4] < TREATED_SHARE[RESTRUCTURING], flip, done)
    extended = first_of_customer(loans, distressed & treated[loans.customer])
    recorded = extended
    if story.restructuring == "zero":  # written down, and nothing changes
        extended = np.zeros_like(recorded)
    stressed = (state.stress > 0.4)[loans.customer]
    holiday = term & (loans.dpd == 0) & (loans.arrears <= 0) & stressed & (noise.uniform(2) < HOLIDAY_CHANCE)
    holiday &= ~some_loan(loans, extended, n)[loans.customer]
    if story.restructuring == "harmful":
        state.angry_months = np.where(treated, ANGRY_MONTHS + 1, state.angry_months)

    settled = np.where(extended, np.maximum(loans.arrears, 0), 0)
    fee = np.where(extended & (story.restructuring == "harmful"), EVERGREEN_FEE * loans.schedule_balance, 0)
    left = loans.term - loans.dues
    longer = np.clip(left + EXTENDED_MONTHS, left, np.maximum(MAX_TERM_MONTHS - (t - loans.open_t), left))
    new_term = np.where(holiday | (story.restructuring == "harmful"), left, longer)
    waits = np.where(holiday, HOLIDAY_MONTHS, 1)
    owed = loans.schedule_balance + settled + np.rint(fee).astype(np.int64)
    owed = owed + np.where(holiday, np.rint(owed * loans.rate / 12 * HOLIDAY_MONTHS), 0).astype(np.int64)
    at = np.flatnonzero(extended | holiday)
    loans.balance[at] += owed[at] - settled[at] - loans.schedule_balance[at]
    loans.paid_sum[at] += settled[at]
    _reschedule(loans, at, owed[at], new_term[at], t + waits[at])
    done.rescheduled[at] = True
    done.restructured = np.flatnonzero(recorded | holiday)
    done.restructuring_kind = np.where(holiday[done.restructured], PAYMENT_HOLIDAY, TERM_EXTENSION)
    done.settled = settled


def _recast(loans: Loans, t: int) -> Bools:
    """Lower the instalments of loans that were repaid in part last month, from this month's due on; return which (m,)."""
    owed = loans.balance - loans.arrears
    found: Bools = loans.is_open & (loans.product != CARD) & (owed < loans.schedule_balance)
    at = np.flatnonzero(found)
    _reschedule(loans, at, owed[at], (loans.term - loans.dues)[at], np.maximum(t, loans.first_due_t[at]))
    return found


def _reschedule(loans: Loans, at: Ints, owed: Ints, term: Ints, first_due_t: Ints) -> None:
    """Begin a new version of the schedules of the loans `at`, in place."""
    loans.schedule_balance[at] = owed
    loans.version[at] += 1
    loans.first_due_t[at] = first_due_t
    loans.term[at] = term
    loans.dues[at] = 0
    loans.instalment[at] = annuity_instalment(owed, loans.rate[at], term)
    loans.last_instalment[at] = last_instalment(owed, loans.rate[at], term, loans.instalment[at])
