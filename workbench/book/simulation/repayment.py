"""Dues, payments, arrears, days past due and write-off: one month of the loan book."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.cashflow import Flows
from workbench.book.simulation.lending import CARD_MINIMUM_CENTS, CARD_MINIMUM_SHARE, after_due
from workbench.book.simulation.payments import PaymentKind, Payments, payment_second, stack_payments
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import CARD, OPEN, PREPAID, REPAID, WRITTEN_OFF, Loans, State
from workbench.book.simulation.world import DAY_SECONDS, Bools, Calendar, Draw, Floats, Ints, Stream, cents

WRITE_OFF_DPD = 180
"""House rule; 180 days is also the US charge-off rule for open-end retail credit (FFIEC, 2000)."""
DPD_THRESHOLD_CENTS, DPD_THRESHOLD_SHARE = 2_000, 0.005
"""Overdue amounts up to the larger of both do not count; the absolute one is below the EBA's 100 EUR for retail
(EBA/RTS/2016/06), the relative one a half of its 1 %: house choice, mirrored in the workbench's parameters."""
REFINANCE_CHANCE = 0.004
PREPAY_CHANCE = 0.10
"""A month, for a customer whose cash covers the balance twice."""
RECOVERY_CHANCE, RECOVERY_SHARE, RECOVERY_MONTHS = 0.15, 0.05, 24
CARD_CLOSED_CHANCE = 0.003
ATTEMPT_CHANCE = 0.4
"""A direct debit is tried although the money is missing, and comes back."""
TECHNICAL_REVERSAL_CHANCE = 0.0008
CARD_USE_ABOVE_HABIT = 0.2
"""Purchases on a card that is used more than its owner is used to."""
REVERSAL_DAYS = 3
SMALLEST_PART_CENTS = 500
"""Nobody sends less than 5 EUR, unless that is all there is to pay."""


@dataclass
class Collected:
    """What the month did to the loans (m,): dues, money by kind, and the payments themselves."""

    due: Ints
    card_rows: Bools  # cards whose statement asked for something
    paid: Ints  # scheduled and prepaid, net of reversals
    payments: Payments
    opened: Ints  # positions of the new loans


def step_loans(state: State, population: Population, flows: Flows, t: int, calendar: Calendar, draw: Draw) -> Collected:
    """Let dues fall due, collect, close and write off; `state.loans` and `flows.loan_payments` change in place."""
    loans = state.loans
    rng = draw(Stream.REPAYMENT)
    m, n = loans.size, population.size
    u: Floats = rng.random((8, m))
    days = calendar.length(t)
    due = _fall_due(loans, t)
    owed = np.where(loans.is_open, loans.arrears, 0)

    scheduled = _waterfall(loans, owed, flows.budget)
    scheduled = _skip(loans, population, scheduled, owed, due, u)
    spent = _by_customer(loans, scheduled, n)
    extra = _card_extra(loans, population, scheduled, flows.budget - spent - flows.fun_wish)
    second = payment_second(loans, state.stress[loans.customer], owed > due, days, rng)

    missing = loans.by_debit & (scheduled < np.minimum(owed, due)) & (u[2] < ATTEMPT_CHANCE)
    technical = loans.by_debit & (scheduled > 0) & (u[2] > 1 - TECHNICAL_REVERSAL_CHANCE)
    attempted = (missing | technical) & (due > 0) & (loans.due_day + REVERSAL_DAYS < days)
    tried = (loans.due_day - 1) * DAY_SECONDS + 4 * 3_600 + np.floor(3_600 * u[3]).astype(np.int64)
    returned = tried + REVERSAL_DAYS * DAY_SECONDS
    second = np.where(attempted, np.maximum(second, np.minimum(returned + 36_000, days * DAY_SECONDS - 3_600)), second)

    loans.paid_sum += scheduled
    loans.balance -= scheduled + extra
    _card_month(loans, population, state, flows, t, rng)
    prepaid, own_money = _prepay(loans, state, owed - scheduled, t, u)
    recovered = _recover(loans, state, flows, t, u)

    done = (loans.product != CARD) & loans.is_open & (loans.dues == loans.term) & (loans.balance == 0) & (prepaid == 0)
    tidy = (loans.product == CARD) & loans.is_open & (loans.balance == 0) & (u[6] < CARD_CLOSED_CHANCE)
    _close(loans, prepaid > 0, PREPAID, t, second // DAY_SECONDS + 1)
    _close(loans, done & (loans.open_t < t), REPAID, t, second // DAY_SECONDS + 1)
    _close(loans, tidy & (loans.open_t < t), REPAID, t, np.full(m, days))
    _age(loans, t, calendar)
    _close(loans, loans.is_open & (loans.dpd >= WRITE_OFF_DPD), WRITTEN_OFF, t, np.full(m, days))

    flows.loan_payments = _by_customer(loans, scheduled + extra + np.where(own_money, prepaid, 0) + recovered, n)
    payments = stack_payments(
        [
            (np.where(attempted, due, 0), tried, PaymentKind.SCHEDULED, False),
            (np.where(attempted, -due, 0), returned, PaymentKind.REVERSAL, True),
            (scheduled, second, PaymentKind.SCHEDULED, False),
            (extra + prepaid, second, PaymentKind.PREPAYMENT, False),
            (recovered, second, PaymentKind.RECOVERY, False),
        ]
    )
    payments.external[:] = (payments.kind == PaymentKind.PREPAYMENT) & ((prepaid > 0) & ~own_money)[payments.loan]
    opened = np.flatnonzero(loans.open_t == t)
    return Collected(due, (due > 0) & (loans.product == CARD), scheduled + extra + prepaid, payments, opened)


def _by_customer(loans: Loans, amount: Ints, n: int) -> Ints:
    return np.bincount(loans.customer, amount, n).astype(np.int64)


def _fall_due(loans: Loans, t: int) -> Ints:
    """Dues of month `t`; schedules, balances (interest) and cumulative dues move on."""
    live = loans.is_open & (loans.open_t < t)
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


def _skip(loans: Loans, population: Population, paid: Ints, owed: Ints, due: Ints, u: Floats) -> Ints:
    """Take out what is not sent: some forget, and most do not send a small part of what they owe."""
    forgets = ~loans.by_debit & (u[0] < population.forgetful[loans.customer])
    small = (paid < owed) & (paid < np.rint(0.4 * due)) & (u[1] < 0.7)
    tiny = (paid < owed) & (paid < SMALLEST_PART_CENTS)
    return np.where(forgets | small | tiny, 0, paid)


def _card_extra(loans: Loans, population: Population, scheduled: Ints, spare: Ints) -> Ints:
    """Transactors pay the whole card balance, revolvers a little more than the minimum, where money is left."""
    card = loans.is_open & (loans.product == CARD) & (scheduled >= loans.arrears)
    left = np.maximum(loans.balance - scheduled, 0)
    wish = np.where(population.transactor[loans.customer], left, np.minimum(scheduled // 2, left))
    extra = np.minimum(wish, spare[loans.customer])
    return np.where(card & ((extra >= SMALLEST_PART_CENTS) | ((extra == left) & (extra > 0))), extra, 0)


def _card_month(
    loans: Loans, population: Population, state: State, flows: Flows, t: int, rng: np.random.Generator
) -> None:
    """Interest on what stays, then new purchases within the limit; purchases replace spending from the account."""
    m = loans.size
    card = loans.is_open & (loans.product == CARD) & (loans.open_t < t)
    use = rng.gamma(2.0, 0.5, m)
    loans.balance += np.where(card, np.rint(loans.balance * loans.rate / 12), 0).astype(np.int64)
    usable = card & (loans.dpd < 30) & (loans.arrears < loans.limit // 5)
    income = state.income[loans.customer]
    wanted = 0.09 * income * use * (1 + 0.3 * state.stress[loans.customer])
    full = loans.balance > loans.limit * (0.05 + 0.9 * population.impulse[loans.customer])
    wanted = np.where(full, CARD_USE_ABOVE_HABIT * wanted, wanted)
    planned = cents(wanted) + flows.on_card[loans.customer]
    room = np.maximum(loans.limit * 98 // 100 - loans.balance, 0)
    bought = np.where(usable, np.minimum(planned, room), 0)
    loans.balance += bought
    saved = np.minimum(_by_customer(loans, bought, population.size), flows.fun_wish * 4 // 10)
    flows.fun_wish = flows.fun_wish - saved


def _prepay(loans: Loans, state: State, unpaid: Ints, t: int, u: Floats) -> tuple[Ints, Bools]:
    """Early repayment of the whole balance: from own cash, or by another lender's loan that goes straight here."""
    able = loans.is_open & (loans.product != CARD) & (unpaid == 0) & (loans.dues >= 3) & (loans.balance > 0)
    able &= loans.open_t < t
    rich = state.cash[loans.customer] > 2 * loans.balance
    from_cash = able & rich & (u[4] < PREPAY_CHANCE)
    once = _first_of_customer(loans, from_cash)
    refinanced = able & ~from_cash & (u[5] < REFINANCE_CHANCE)
    prepaid = np.where(once | refinanced, loans.balance, 0)
    loans.balance -= prepaid
    return prepaid, once


def _first_of_customer(loans: Loans, mask: Bools) -> Bools:
    """At most one loan of a customer: the first."""
    positions = np.flatnonzero(mask)
    _, first = np.unique(loans.customer[positions], return_index=True)
    kept = np.zeros(loans.size, np.bool_)
    kept[positions[first]] = True
    return kept


def _recover(loans: Loans, state: State, flows: Flows, t: int, u: Floats) -> Ints:
    """Instalments on written-off debt, for two years after, from customers who have money left again."""
    due = (loans.status == WRITTEN_OFF) & (t - loans.closed_t <= RECOVERY_MONTHS) & (loans.balance > 0)
    wish = np.minimum(np.rint(RECOVERY_SHARE * loans.balance).astype(np.int64) + 1_000, loans.balance)
    pays = due & (u[7] < RECOVERY_CHANCE) & (flows.budget[loans.customer] > 4 * wish)
    recovered = np.where(pays, wish, 0)
    loans.balance -= recovered
    return recovered


def _close(loans: Loans, mask: Bools, status: int, t: int, day: Ints) -> None:
    mask = mask & (loans.status == OPEN)
    loans.status[mask] = status
    loans.closed_t[mask] = t
    loans.closed_day[mask] = day[mask]


def _age(loans: Loans, t: int, calendar: Calendar) -> None:
    """Days past due at the month end: since the oldest due that payments leave open by more than the threshold."""
    loans.due_history = np.concatenate([loans.due_history[:, 1:], loans.due_sum[:, None]], axis=1)
    size = np.maximum(loans.principal, loans.limit)
    threshold = np.maximum(DPD_THRESHOLD_CENTS, DPD_THRESHOLD_SHARE * size)
    short = loans.due_history > (loans.paid_sum + threshold)[:, None]
    months_ago = loans.due_history.shape[1] - 1 - np.argmax(short, axis=1)
    due_on = calendar.first_days(t - months_ago) + (loans.due_day - 1).astype("timedelta64[D]")
    days = (calendar.last_day(t) - due_on).astype(np.int64)
    loans.dpd = np.where(short.any(axis=1) & loans.is_open, days, 0)
