"""A customer's month of money: income and needs, then what is left for dues, then the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.month.incidents import Incidents
from workbench.book.simulation.month.stress import hits_expenses, hits_income
from workbench.book.simulation.month.treatments import Treatments
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import CARD, DECLARED_NOISE, State, by_customer
from workbench.book.simulation.story import Story
from workbench.book.simulation.world import Draw, Ints, Stream, cents

INCOME_LOST = 0.80
"""Share of income gone at stress 1 (unemployment benefit and family replace the rest; house choice)."""
EXPENSES_ADDED = 0.60
"""Share of needs added at stress 1 (illness, divorce, repairs; house choice)."""
NEEDS_CUT = 0.15
"""Share of needs a household saves at stress 1."""
OVERDRAFT_OF_INCOME = 0.15
REPAIR_CHANCE = 0.02
RAISE_CHANCE = 0.012
RAISE_DECLARED_CHANCE = 0.6
OTHER_LOAN_CHANCE_STRESSED, OTHER_LOAN_CHANCE_CALM = 0.12, 0.0006
OTHER_LOAN_REFUSED = 0.25
"""Chance that a customer who borrows elsewhere does so in the month after being declined here."""
OTHER_LOAN_MONTHS = 24
TAMED_IMPULSE = 0.2
"""Share of impulse spending that is left while a helpful limit cut or call lasts."""


@dataclass
class Flows:
    """Money that moved through the account in a month, in cents (n,); the step fills the last ones in."""

    income: Ints
    bonus: Ints
    refund: Ints
    other_loan: Ints
    disbursed: Ints
    needs: Ints
    repair: Ints
    other_due: Ints
    big_debit: Ints
    takeover: Ints
    budget: Ints  # what dues may be paid from
    impulse: Ints  # discretionary spending before dues
    fun_wish: Ints  # planned discretionary spending after dues
    on_card: Ints  # needs put on the card for want of cash
    raised: Ints  # 1 where a new income was declared
    fun: Ints
    travel: Ints
    purchase: Ints
    phone: Ints
    house: Ints
    loan_payments: Ints


def card_room(state: State, t: int) -> Ints:
    """Unused limit of each customer's card, in cents; none while 30 days past due, nor in the month `t` it is opened."""
    loans = state.loans
    live = loans.is_open & (loans.product == CARD) & (loans.dpd < 30) & (loans.open_t < t)
    room = np.where(live, np.maximum(loans.limit - loans.balance, 0), 0)
    return by_customer(loans, room, len(state.income))


def step_income(state: State, population: Population, t: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return this month's income in cents and who declared a new one; regular incomes of `state` drift, in place.

    Who joins in month `t` declares what the income is then, more or less.
    """
    n = population.size
    raised = (rng.random(n) < RAISE_CHANCE) & (state.stress < 0.2)
    state.income = np.where(raised, state.income * np.exp(0.04 + 0.07 * rng.standard_normal(n)), state.income)
    state.income = state.income * 1.0015  # wages grow 1.8 % a year: house choice
    declared = raised & (rng.random(n) < RAISE_DECLARED_CHANCE)
    state.declared = np.where(declared, state.income, state.declared)
    kept = 1 - INCOME_LOST * state.stress * hits_income(state)
    noise = np.exp(population.volatility * rng.standard_normal(n))
    stated = state.income * np.exp(DECLARED_NOISE * rng.standard_normal(n))
    state.declared = np.where(population.since_t == t, stated, state.declared)
    return cents(state.income * kept * noise), declared.astype(np.int64)


def plan_month(
    state: State, population: Population, incidents: Incidents, treatments: Treatments, disbursed: Ints, story: Story,
    t: int, draw: Draw,
) -> Flows:  # fmt: skip
    """Return the month's flows up to the budget for dues; needs that cash cannot meet go on the card or are cut."""
    n = population.size
    income, raised = step_income(state, population, t, draw(Stream.INCOME))
    rng = draw(Stream.CASHFLOW)
    need_factor = (1 + EXPENSES_ADDED * state.stress * hits_expenses(state)) * (1 - NEEDS_CUT * state.stress)
    needs = cents(state.income * population.need_share * need_factor * np.exp(0.08 * rng.standard_normal(n)))
    repair = np.where(rng.random(n) < REPAIR_CHANCE, cents(state.income * rng.gamma(2.0, 0.2, n)), 0)

    tight = (state.stress > 0.35) & (state.cash < cents(0.5 * state.income)) & population.borrows_elsewhere
    chance = np.where(tight, OTHER_LOAN_CHANCE_STRESSED, OTHER_LOAN_CHANCE_CALM)
    chance = np.where(state.refused & population.borrows_elsewhere, OTHER_LOAN_REFUSED, chance)
    borrows = (rng.random(n) < chance) & (state.other_months <= 0)
    state.enquiries[:, -1] += borrows
    other_loan = np.where(borrows, cents(state.income * rng.uniform(0.8, 2.2, n)), 0)
    other_due = np.where(state.other_months > 0, state.other_due, 0)
    state.other_months = np.where(borrows, OTHER_LOAN_MONTHS, np.maximum(state.other_months - 1, 0))
    state.other_due = np.where(borrows, other_loan // 20, state.other_due)

    cash = state.cash + income + incidents.bonus + state.refund + other_loan
    takeover = np.minimum(incidents.takeover, np.maximum(cash, 0))
    reach = np.maximum(cash + cents(OVERDRAFT_OF_INCOME * state.income) - takeover, 0)
    forced = needs + repair + other_due + incidents.big_debit
    short = np.clip(forced - np.maximum(cash - takeover, 0), 0, None)
    on_card = np.minimum(np.minimum(short, needs * 6 // 10), card_room(state, t) * 8 // 10)
    big_debit = np.minimum(incidents.big_debit, reach)
    paid_needs = np.minimum(needs - on_card, reach - big_debit)
    paid_repair = np.minimum(repair, reach - big_debit - paid_needs)
    paid_other = np.minimum(other_due, reach - big_debit - paid_needs - paid_repair)

    state.other_late = np.where(paid_other < other_due, state.other_late + 1, 0)
    left = np.maximum(cash - takeover - big_debit - paid_needs - paid_repair - paid_other, 0)
    calm_fun = cents(state.income * population.fun_share * np.exp(0.15 * rng.standard_normal(n)))
    fun = np.rint(calm_fun * (1 - 0.6 * state.stress) * np.where(state.worst_dpd() > 0, 0.5, 1.0)).astype(np.int64)
    tamed = (state.tamed_months > 0) | (treatments.contacted & (story.contact == "helpful"))
    habit = population.impulse * np.where(tamed, TAMED_IMPULSE, 1.0)
    impulse = np.minimum(np.rint(fun * habit).astype(np.int64), left)
    zero = np.zeros(n, np.int64)
    return Flows(
        income=income,
        bonus=incidents.bonus,
        refund=state.refund.copy(),
        other_loan=other_loan,
        disbursed=disbursed,
        needs=paid_needs,
        repair=paid_repair,
        other_due=paid_other,
        big_debit=big_debit,
        takeover=takeover,
        budget=left - impulse,
        impulse=impulse,
        fun_wish=fun - impulse,
        on_card=on_card,
        raised=raised,
        fun=zero,
        travel=zero,
        purchase=zero,
        phone=zero,
        house=zero,
        loan_payments=zero,
    )


def spend_rest(state: State, population: Population, flows: Flows, incidents: Incidents) -> None:
    """Spend what dues have left, save towards the target, and set the cash of `state`; in place."""
    cash = (
        state.cash + flows.income + flows.bonus + flows.refund + flows.other_loan
        - flows.needs - flows.repair - flows.other_due - flows.big_debit - flows.takeover
        - flows.impulse - flows.loan_payments
    )  # fmt: skip
    rest = np.maximum(cash, 0)
    fun = np.minimum(flows.fun_wish, rest)
    target = cents(population.buffer_target * state.income)
    fun = fun + np.maximum(rest - fun - target, 0) * 25 // 100
    rest = rest - fun
    flows.fun = flows.impulse + fun
    spent = np.zeros_like(rest)
    for name, wish in (
        ("phone", incidents.phone_wish),
        ("travel", incidents.travel_wish),
        ("purchase", incidents.purchase_wish),
        ("house", incidents.house_wish),
    ):
        paid = np.minimum(wish, np.maximum(rest - spent, 0) * 8 // 10)
        setattr(flows, name, paid)
        spent = spent + paid
    state.cash = cash - fun - spent
    state.refund = np.where(incidents.refunded, flows.takeover, 0)
