"""Dues, payments, arrears, days past due and write-off: one month of the loan book."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.month.cards import card_extra, card_month
from workbench.book.simulation.month.cashflow import Flows
from workbench.book.simulation.month.noise import LoanNoise
from workbench.book.simulation.month.payments import (
    SMALLEST_PART_CENTS,
    Part,
    PaymentKind,
    Payments,
    payment_second,
    stack_payments,
)
from workbench.book.simulation.month.prepayment import prepay, prepay_part
from workbench.book.simulation.month.recovery import CAR_DECAY, recover
from workbench.book.simulation.month.stress import CALM, GRADUAL_EXPENSE, GRADUAL_INCOME
from workbench.book.simulation.month.terms import CARD_MINIMUM_CENTS, CARD_MINIMUM_SHARE, after_due
from workbench.book.simulation.month.treatments import Treatments
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import (
    AUTO,
    CARD,
    DISORGANISED,
    FRAUD,
    GRADUAL,
    OPEN,
    PREPAID,
    REPAID,
    STRATEGIC,
    SUDDEN,
    WRITTEN_OFF,
    Loans,
    State,
    by_customer,
)
from workbench.book.simulation.story import Story
from workbench.book.simulation.world import DAY_SECONDS, Bools, Calendar, Draw, Ints, Stream, cents

WRITE_OFF_DPD = 180
"""House rule; 180 days is also the US charge-off rule for open-end retail credit (FFIEC, 2000)."""
DPD_THRESHOLD_CENTS, DPD_THRESHOLD_SHARE = 2_000, 0.005
"""Overdue amounts up to the larger of both do not count; the absolute one is below the EBA's 100 EUR for retail
(EBA/RTS/2016/06), the relative one a half of its 1 %: house choice, mirrored in the workbench's parameters."""
CATCH_UP_CHANCE, CATCH_UP_DEEP = 0.54, 0.26
"""A month, for who owes more than one instalment, and for who owes more than two: to pay all of it. The others pay one
instalment and stay behind."""
CARD_CLOSED_CHANCE = 0.003
ATTEMPT_CHANCE = 0.4
"""A direct debit is tried although the money is missing, and comes back."""
TECHNICAL_REVERSAL_CHANCE = 0.0008
REVERSAL_DAYS = 3
SMALL_SHARE, SMALL_KEPT = 0.85, 0.92
"""Who could send less than such a share of an instalment mostly sends nothing."""
ROUND_TO_CENTS, DOUBLE_CHANCE = 1_000, 0.0015
"""Some round their payments up; a few pay an instalment twice."""
ANNOYED_SKIPS = 0.25
"""Chance that a customer who was called does not pay this month, where calls are harmful."""
STOP_UNDER_WATER, STOP_INDEBTED, STOP_ANGRY, RESUME_CHANCE = 0.025, 0.035, 0.05, 0.08
"""Chances a month that a ruthless customer stops paying a car that is worth less than the loan, or a loan where all
debts exceed four incomes; that an angered customer does; and that one who stopped goes on paying."""
INDEBTED_INCOMES = 4


@dataclass
class Collected:
    """What the month did to the loans (m,): dues, money by kind, and the payments themselves."""

    due: Ints
    card_rows: Bools  # cards whose statement asked for something
    paid: Ints  # scheduled and prepaid, net of reversals
    payments: Payments
    opened: Ints  # positions of the new loans


def step_loans(
    state: State, population: Population, flows: Flows, treatments: Treatments, t: int, calendar: Calendar,
    story: Story, draw: Draw,
) -> Collected:  # fmt: skip
    """Let dues fall due, collect, close and write off; `state.loans` and `flows.loan_payments` change in place."""
    loans = state.loans
    noise = LoanNoise(draw(Stream.REPAYMENT), loans)
    m, n = loans.size, population.size
    days = calendar.length(t)
    _stop(loans, state, population, t, noise)
    due = _fall_due(loans, t)
    arrears = np.where(loans.is_open, np.maximum(loans.arrears, 0), 0)
    owed = np.where(loans.stopped, 0, arrears)
    catches_up = noise.uniform(14) < np.where(arrears > 2.2 * due, CATCH_UP_DEEP, CATCH_UP_CHANCE)
    behind = (arrears > due) & ~catches_up
    habit = population.pays_late[loans.customer] & (loans.product != CARD) & ~loans.by_debit & (arrears <= 2 * due)
    last = (loans.product != CARD) & (loans.dues == loans.term)
    owed = np.where(behind & ~last, np.minimum(owed, np.maximum(due, 0)), owed)
    owed = np.where(habit & ~last, np.minimum(owed, np.maximum(arrears - due, 0)), owed)

    scheduled = _waterfall(loans, owed, flows.budget)
    scheduled = _skip(loans, population, treatments, story, scheduled, owed, due, noise)
    scheduled = scheduled + _ahead(loans, population, flows.budget, scheduled, owed, noise)
    spent = by_customer(loans, scheduled, n)
    extra = card_extra(loans, population, scheduled, flows.budget - spent - flows.fun_wish)
    second = payment_second(loans, state.stress[loans.customer], arrears > due, days, noise)

    missing = loans.by_debit & (scheduled < np.minimum(owed, due)) & (noise.uniform(2) < ATTEMPT_CHANCE)
    technical = loans.by_debit & (scheduled > 0) & (noise.uniform(3) < TECHNICAL_REVERSAL_CHANCE)
    attempted = (missing | technical) & (due > 0) & (loans.due_day + REVERSAL_DAYS < days)
    tried = (loans.due_day - 1) * DAY_SECONDS + 4 * 3_600 + np.floor(3_600 * noise.uniform(4)).astype(np.int64)
    returned = tried + REVERSAL_DAYS * DAY_SECONDS
    second = np.where(attempted, np.maximum(second, np.minimum(returned + 36_000, days * DAY_SECONDS - 3_600)), second)

    loans.paid_sum += scheduled
    loans.balance -= scheduled + extra
    card_month(loans, population, state, flows, t, noise)
    prepaid, own_money = prepay(loans, state, arrears - scheduled, t, noise)
    part = prepay_part(loans, state, arrears - scheduled, prepaid, t, noise)
    recovered, sold = recover(loans, flows, t, noise)

    done = (loans.product != CARD) & loans.is_open & (loans.dues == loans.term) & (loans.balance == 0) & (prepaid == 0)
    tidy = (loans.product == CARD) & loans.is_open & (loans.balance == 0) & (noise.uniform(5) < CARD_CLOSED_CHANCE)
    _close(loans, prepaid > 0, PREPAID, t, second // DAY_SECONDS + 1)
    _close(loans, done & (loans.open_t < t), REPAID, t, second // DAY_SECONDS + 1)
    _close(loans, tidy & (loans.open_t < t), REPAID, t, np.full(m, days))
    _age(loans, state, population, t, calendar)
    _close(loans, loans.is_open & (loans.dpd >= WRITE_OFF_DPD), WRITTEN_OFF, t, np.full(m, days))

    flows.loan_payments = by_customer(loans, scheduled + extra + part + np.where(own_money, prepaid, 0) + recovered, n)
    settled = np.zeros(m, np.int64)
    settled[: len(treatments.settled)] = treatments.settled
    payments = stack_payments(
        [
            Part(settled, np.full(m, 36_000), PaymentKind.SCHEDULED, external=True),
            Part(np.where(attempted, due, 0), tried, PaymentKind.SCHEDULED),
            Part(np.where(attempted, -due, 0), returned, PaymentKind.REVERSAL, reversal=True),
            Part(scheduled, second, PaymentKind.SCHEDULED),
            Part(extra + part + np.where(own_money, prepaid, 0), second, PaymentKind.PREPAYMENT),
            Part(np.where(own_money, 0, prepaid), second, PaymentKind.PREPAYMENT, external=True),
            Part(recovered, second, PaymentKind.RECOVERY),
            Part(sold, np.full(m, 14 * DAY_SECONDS + 43_200), PaymentKind.RECOVERY, external=True),
        ]
    )
    opened = np.flatnonzero(loans.open_t == t)
    return Collected(due, (due > 0) & (loans.product == CARD), scheduled + extra + part + prepaid, payments, opened)


def _stop(loans: Loans, state: State, population: Population, t: int, noise: LoanNoise) -> None:
    """Let those stop paying who choose to: fraudsters from the start, the ruthless where it pays, the angry."""
    who = loans.customer
    live = loans.is_open & (loans.open_t < t)
    worth = loans.collateral * CAR_DECAY ** (t - loans.open_t)
    debts = by_customer(loans, np.where(loans.is_open, loans.balance, 0), population.size)
    indebted = (debts > cents(INDEBTED_INCOMES * state.income))[who]
    ruthless = population.ruthless[who]
    chance = np.where(ruthless & (loans.product == AUTO) & (loans.balance > 1.1 * worth), STOP_UNDER_WATER, 0.0)
    chance = np.where(ruthless & (loans.product != AUTO) & indebted, STOP_INDEBTED, chance)
    chance = np.where(state.angry_months[who] > 0, STOP_ANGRY, chance)
    u = noise.uniform(6)
    resumes = loans.stopped & (u < RESUME_CHANCE) & ~population.fraudster[who]
    loans.stopped = (live & population.fraudster[who]) | (loans.stopped & ~resumes) | (live & (u > 1 - chance))


def _fall_due(loans: Loans, t: int) -> Ints:
    """Dues of month `t`; schedules, balances (interest) and cumulative dues move on."""
    live = loans.is_open & (loans.first_due_t <= t)
    term = live & (loans.product != CARD) & (loans.dues < loans.term)
    last = loans.dues == loans.term - 1
    annuity = np.where(last, loans.last_instalment, loans.instalment)
    after = np.where(last, 0, after_due(loans.schedule_balance, loans.rate, annuity))
    interest = annuity - (loans.schedule_balance - after)
    loans.balance += np.where(term, interest, 0)
    loans.schedule_balance = np.where(term, after, loans.schedule_balance)

    card = live & (loans.product == CARD)
    minimum = np.maximum(np.rint(CARD_MINIMUM_SHARE * loans.balance).astype(np.int64), CARD_MINIMUM_CENTS)
    minimum = np.clip(loans.balance - loans.arrears, 0, minimum)
    due = np.where(term, annuity, np.where(card, minimum, 0))
    loans.dues += due > 0
    loans.due_sum += due
    return due


def _waterfall(loans: Loans, owed: Ints, budget: Ints) -> Ints:
    """Pay what is owed from each customer's budget, the loan of the first priority first."""
    order = np.lexsort((loans.priority, loans.customer))
    sorted_owed = owed[order]
    total = np.cumsum(sorted_owed)
    who = loans.customer[order]
    first = np.r_[True, who[1:] != who[:-1]] if len(who) else np.zeros(0, np.bool_)
    base = np.maximum.accumulate(np.where(first, total - sorted_owed, 0))
    before = total - sorted_owed - base
    paid = np.zeros_like(owed)
    paid[order] = np.clip(budget[who] - before, 0, sorted_owed)
    return paid


def _skip(
    loans: Loans, population: Population, treatments: Treatments, story: Story, paid: Ints, owed: Ints, due: Ints,
    noise: LoanNoise,
) -> Ints:  # fmt: skip
    """Take out what is not sent: some forget, and most do not send a small part of what they owe."""
    called = treatments.contacted[loans.customer]
    reminded = called & (story.contact == "helpful")
    forgets = ~loans.by_debit & (noise.uniform(0) < population.forgetful[loans.customer]) & ~reminded
    small = (paid < owed) & (paid < np.rint(SMALL_SHARE * due)) & (noise.uniform(1) < SMALL_KEPT) & ~reminded
    tiny = (paid < owed) & (paid < SMALLEST_PART_CENTS)
    annoyed = called & (story.contact == "harmful") & (noise.uniform(7) < ANNOYED_SKIPS)
    return np.where(forgets | small | tiny | annoyed, 0, paid)


def _ahead(loans: Loans, population: Population, budget: Ints, paid: Ints, owed: Ints, noise: LoanNoise) -> Ints:
    """Return what is paid above what is owed: rounded up, or an instalment twice; never beyond what is to come."""
    n = population.size
    whole = (paid == owed) & (paid > 0) & (loans.product != CARD) & (loans.term - loans.dues >= 3) & ~loans.by_debit
    rounded = np.where(population.rounds_up[loans.customer], -paid % ROUND_TO_CENTS, 0)
    twice = np.where(noise.uniform(8) < DOUBLE_CHANCE, loans.instalment, 0)
    more = np.where(whole, np.maximum(rounded, twice), 0)
    left = budget - by_customer(loans, paid, n)
    affordable = left >= by_customer(loans, more, n)
    return np.where(affordable[loans.customer], more, 0)


def _close(loans: Loans, mask: Bools, status: int, t: int, day: Ints) -> None:
    mask = mask & (loans.status == OPEN)
    loans.status[mask] = status
    loans.closed_t[mask] = t
    loans.closed_day[mask] = day[mask]


def _age(loans: Loans, state: State, population: Population, t: int, calendar: Calendar) -> None:
    """Days past due at the month end: since the oldest due that payments leave open by more than the threshold."""
    loans.due_history = np.concatenate([loans.due_history[:, 1:], loans.due_sum[:, None]], axis=1)
    size = np.maximum(loans.principal, loans.limit)
    threshold = np.maximum(DPD_THRESHOLD_CENTS, DPD_THRESHOLD_SHARE * size)
    short = loans.due_history > (loans.paid_sum + threshold)[:, None]
    months_ago = loans.due_history.shape[1] - 1 - np.argmax(short, axis=1)
    due_on = calendar.first_days(t - months_ago) + (loans.due_day - 1).astype("timedelta64[D]")
    days = (calendar.last_day(t) - due_on).astype(np.int64)
    before = loans.dpd
    loans.dpd = np.where(short.any(axis=1) & loans.is_open, days, 0)
    loans.clean_months = np.where(loans.dpd > 0, 0, loans.clean_months + 1)
    begins = (before == 0) & (loans.dpd > 0)
    passes = (before < 30) & (loans.dpd >= 30)
    path = _path(loans, state, population)
    loans.path = np.where(begins | (passes & (loans.path == DISORGANISED)), path, loans.path)


def _path(loans: Loans, state: State, population: Population) -> Ints:
    """Return what would bring each loan's arrears about now."""
    kind = state.stress_kind[loans.customer]
    return np.select(
        [
            population.fraudster[loans.customer],
            loans.stopped,
            (kind == GRADUAL_INCOME) | (kind == GRADUAL_EXPENSE),
            kind != CALM,
        ],
        [FRAUD, STRATEGIC, GRADUAL, SUDDEN],
        DISORGANISED,
    )
