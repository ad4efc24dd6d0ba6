"""Who asks for a loan, and the policy that decides, on information that the book does not keep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.month.noise import LoanNoise
from workbench.book.simulation.month.terms import (
    CARD_MINIMUM_SHARE,
    STATEMENT_TO_DUE_DAYS,
    annuity_instalment,
    monthly_dues,
)
from workbench.book.simulation.month.terms import last_instalment as final_instalment
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import (
    AUTO,
    CARD,
    DUE_MEMORY_MONTHS,
    OPEN,
    PERSONAL,
    WRITTEN_OFF,
    Loans,
    State,
    no_loans,
    some_loan,
)
from workbench.book.simulation.story import Story
from workbench.book.simulation.world import BURN_IN_MONTHS, Bools, Draw, Floats, Ints, Stream

# Demand, sizes, terms and prices are house choices; their equations are in docs/simulation.md.
DEMAND = np.array([0.028, 0.016, 0.018])
"""Chance a month that a customer without an open loan asks for a personal loan, a car loan, a card."""
DEMAND_BURN_IN = 2.2
"""Factor on it in the first year of the burn-in, so that the first written month finds loans of every age."""
DEMAND_WITH_LOANS = 0.42
"""Factor on it for a customer who has a loan already."""
DEMAND_UNDER_STRESS = 0.8
"""Added to the factor for a customer under stress."""
DEMAND_LOOSE, LOOSE_ATTRACTS = 1.5, 0.5
"""While underwriting is loose: factor on demand, and how it rises with vulnerability (log)."""
FRAUD_DEMAND = 0.5
"""Chance a month that a fraudster asks, from the first month on."""
BASE_RATE = [0.075, 0.045, 0.175]
"""A year: personal, auto, card."""
RATE_VULNERABILITY, RATE_SPREAD, RATE_LEAST = 0.005, 0.03, -0.005
"""Added to it: for each unit of vulnerability (from -2 to 2), up to so much by chance (the bargain), and never less."""
MAX_OPEN_LOANS = 4
AMOUNT_TO_INCOME = (2.6, 4.6, 1.3)
AMOUNT_EUROS = ((1_000, 40_000), (4_000, 60_000), (300, 12_000))
"""What is asked for, in monthly incomes (a card: its limit), and the least and most in EUR: personal, auto, card."""
AMOUNT_STEP_CENTS = 10_000
AMOUNT_NOISE = 0.35
"""Standard deviation of the log of what is asked for, at one income."""
MAX_DUES_TO_INCOME, MAX_DUES_LOOSE = 0.28, 0.42
BUREAU_MEAN, BUREAU_VULNERABILITY, BUREAU_STRESS, BUREAU_DEBT, BUREAU_NOISE = 620.0, -38.0, -35.0, -25.0, 32.0
"""Score of an outside bureau at the application: seen once by the policy, kept nowhere but in `truth/`."""
BUREAU_CUTOFF, BUREAU_CUTOFF_LOOSE = 580.0, 515.0
SCORE_BASE, SCORE_EDUCATION, SCORE_YEAR, SCORE_LOAN = 480, 12, 5, -8
SCORE_VULNERABILITY, SCORE_NOISE = -38.0, 20.0
"""The lender's own old score: points for education, each year with the bank (ten at most) and each open loan, and an
officer's impression of the applicant (calibrated to its Gini)."""
OFFICER_DECLINES = 0.03
"""Declined by a loan officer for reasons that nobody wrote down."""
WITHDRAWN = 0.05
TERMS = np.array([12, 18, 24, 30, 36, 48, 60])
TERM_SHARE = np.array([[0.14, 0.12, 0.24, 0.12, 0.22, 0.11, 0.05], [0.0, 0.0, 0.06, 0.08, 0.22, 0.36, 0.28]])
TERM_DUE_DAYS = np.array([1, 5, 8, 10, 12, 15, 18, 20])

ACCEPTED, DECLINED, GONE = 0, 1, 2
DECISION_WORDS = ("accepted", "declined", "withdrawn")
REASONS = ("", "past_due", "written_off", "too_many_loans", "debt_to_income", "bureau", "officer")
(_, PAST_DUE, LOST_BEFORE, TOO_MANY, DEBT, BUREAU, OFFICER) = range(len(REASONS))


@dataclass
class Applications:
    """The applications of one month, one entry each, by customer; money in cents."""

    customer: Ints
    product: Ints
    amount: Ints
    day: Ints  # of the month, from 1
    wait_days: Ints  # to the decision
    decision: Ints
    reason: Ints
    score: Floats  # the lender's own old application score: higher = safer
    hidden_score: Floats
    loan: Ints  # position of the loan, -1 for none
    overruled: Bools  # granted in this world only: a counterfactual


def decide_applications(
    state: State, population: Population, t: int, story: Story, draw: Draw, *, overrule: bool = False
) -> tuple[Loans, Applications]:
    """Return the loans that are opened in month `t` and all applications, given what is known at the last month end.

    Declined: something past due or written off; `MAX_OPEN_LOANS` open; dues above `MAX_DUES_TO_INCOME` of the declared
    income; a bureau score below the cut-off; or by the officer. With `overrule`, each customer's first declined
    application is granted from the first written month on: the world of the counterfactuals.
    """
    rng = draw(Stream.LENDING)
    n = population.size
    loans = state.loans
    count = np.bincount(loans.customer[loans.is_open], minlength=n)
    product, asks = _demand(state, population, t, story, count, rng)
    is_card = product == CARD
    amount = _amount(product, state.declared, np.exp(AMOUNT_NOISE * rng.standard_normal(n)))
    amount = np.where(population.fraudster, np.maximum(amount, 500_000), amount)
    term = _term(product, rng.random(n))
    risk = RATE_VULNERABILITY * np.clip(population.vulnerability, -2, 2)
    markup = np.maximum(risk + RATE_SPREAD * rng.random(n), RATE_LEAST)
    rate = np.round(np.choose(product, BASE_RATE) + markup, 4)
    instalment = np.where(is_card, 0, annuity_instalment(amount, rate, term))
    burden = (monthly_dues(loans, n) + np.where(is_card, CARD_MINIMUM_SHARE * amount, instalment)) / (
        state.declared * 100
    )
    loose = story.is_loose(t)
    hidden = _bureau_score(state, population, rng)
    score = _application_score(population, t, count, rng)
    reason = np.select(
        [
            state.worst_dpd() > 0,
            some_loan(loans, loans.status == WRITTEN_OFF, n),
            count >= MAX_OPEN_LOANS,
            burden > (MAX_DUES_LOOSE if loose else MAX_DUES_TO_INCOME),
            hidden < (BUREAU_CUTOFF_LOOSE if loose else BUREAU_CUTOFF),
            rng.random(n) < OFFICER_DECLINES,
        ],
        [PAST_DUE, LOST_BEFORE, TOO_MANY, DEBT, BUREAU, OFFICER],
        0,
    )
    withdraws = (rng.random(n) < WITHDRAWN) & ~population.fraudster
    decision = np.select([reason > 0, withdraws], [DECLINED, GONE], ACCEPTED)
    day, wait, open_wait = rng.integers(1, 24, n), rng.integers(0, 3, n), rng.integers(0, 3, n)
    refused = asks & (decision == DECLINED)
    written = t >= BURN_IN_MONTHS
    overruled = refused & ~state.asked & overrule & written
    state.asked |= refused & written
    state.refused = refused & ~overruled
    state.enquiries[:, -1] += asks
    taken = asks & ((decision == ACCEPTED) | overruled)
    chosen = Offer(product, amount, term, rate, instalment, day + wait + open_wait)
    new = _open(np.flatnonzero(taken), chosen, state, t, rng)
    state.loans_taken += taken
    state.strain_months = np.where(taken, 0, state.strain_months)

    who = np.flatnonzero(asks)
    position = np.full(n, -1)
    position[new.customer] = loans.size + np.arange(new.size)
    return new, Applications(
        customer=who,
        product=product[who],
        amount=amount[who],
        day=day[who],
        wait_days=wait[who],
        decision=decision[who],
        reason=reason[who],
        score=score[who],
        hidden_score=hidden[who],
        loan=position[who],
        overruled=overruled[who],
    )


@dataclass
class Offer:
    """What each customer (n,) would get."""

    product: Ints
    amount: Ints
    term: Ints
    rate: Floats
    instalment: Ints
    open_day: Ints


def _demand(
    state: State, population: Population, t: int, story: Story, count: Ints, rng: np.random.Generator
) -> tuple[Ints, Bools]:
    """Return the product each customer would ask for, and who does ask."""
    n = population.size
    loans = state.loans
    wish = DEMAND[:, None] * population.appetite * np.where(count > 0, DEMAND_WITH_LOANS, 1.0)
    wish *= 1 + DEMAND_UNDER_STRESS * (state.stress > 0.1)
    if t < BURN_IN_MONTHS // 2:
        wish *= DEMAND_BURN_IN
    if story.is_loose(t):
        wish *= DEMAND_LOOSE * np.exp(LOOSE_ATTRACTS * population.vulnerability)
    wish[CARD] *= population.likes_cards * ~some_loan(loans, loans.is_open & (loans.product == CARD), n)
    wish = np.where(population.fraudster, np.array([[0.6], [0.1], [0.3]]) * FRAUD_DEMAND, wish)
    bounds = np.cumsum(wish, axis=0)
    u = rng.random(n)
    product = np.minimum(np.sum(u >= bounds, axis=0), CARD)
    return product, (u < bounds[-1]) & population.joined_by(t)


def _bureau_score(state: State, population: Population, rng: np.random.Generator) -> Floats:
    n = population.size
    other = np.where(state.other_months > 0, state.other_due, 0) / (state.income * 100) * 10
    score = (
        BUREAU_MEAN
        + BUREAU_VULNERABILITY * population.vulnerability
        + BUREAU_STRESS * state.stress
        + BUREAU_DEBT * np.minimum(other, 2)
        + BUREAU_NOISE * rng.standard_normal(n)
    )
    return np.where(population.fraudster, BUREAU_MEAN + 40.0, np.round(score, 1))  # forged papers look well


def _application_score(population: Population, t: int, count: Ints, rng: np.random.Generator) -> Floats:
    """Return the lender's old score: education, years with the bank, loans; and an officer's impression."""
    years = np.clip((t - population.since_t) / 12, 0, 10)
    impression = SCORE_NOISE * rng.standard_normal(population.size) + SCORE_VULNERABILITY * population.vulnerability
    return np.round(
        SCORE_BASE + SCORE_EDUCATION * population.education + SCORE_YEAR * years + SCORE_LOAN * count + impression
    )


def _amount(product: Ints, declared: Floats, size: Floats) -> Ints:
    """Amount or limit in cents, in steps of `AMOUNT_STEP_CENTS`."""
    least, most = np.array(AMOUNT_EUROS)[product].T
    cents_asked = 100 * np.clip(np.array(AMOUNT_TO_INCOME)[product] * declared * size, least, most)
    return (np.rint(cents_asked / AMOUNT_STEP_CENTS) * AMOUNT_STEP_CENTS).astype(np.int64)


def _term(product: Ints, u: Floats) -> Ints:
    """Term in months; cards have none, and carry 12 only where a formula needs a number."""
    share = np.cumsum(TERM_SHARE, axis=1)
    pick = [TERMS[np.minimum(np.searchsorted(share[p], u), len(TERMS) - 1)] for p in (PERSONAL, AUTO)]
    return np.select([product == PERSONAL, product == AUTO], pick, 12)


def _open(who: Ints, chosen: Offer, state: State, t: int, rng: np.random.Generator) -> Loans:
    m = len(who)
    product, amount, term = chosen.product[who], chosen.amount[who], chosen.term[who]
    is_card = product == CARD
    principal = np.where(is_card, 0, amount)
    zero = np.zeros(m, np.int64)
    new = no_loans()
    new.customer, new.slot = who, state.loans_taken[who]
    noise = LoanNoise(rng, new)
    return Loans(
        customer=who,
        slot=new.slot,
        product=product,
        open_t=np.full(m, t),
        open_day=chosen.open_day[who],
        due_day=np.where(is_card, noise.whole(0, 1, 6) + STATEMENT_TO_DUE_DAYS, TERM_DUE_DAYS[noise.whole(1, 0, 8)]),
        principal=principal,
        limit=np.where(is_card, amount, 0),
        rate=chosen.rate[who],
        version=np.ones(m, np.int64),
        first_due_t=np.full(m, t + 1),
        term=np.where(is_card, 0, term),
        instalment=chosen.instalment[who],
        last_instalment=np.where(
            is_card, 0, final_instalment(principal, chosen.rate[who], term, chosen.instalment[who])
        ),
        collateral=np.where(product == AUTO, np.rint(principal * (0.9 + 0.5 * noise.uniform(2))), 0).astype(np.int64),
        by_debit=noise.uniform(3) < 0.6,
        priority=np.choose(product, [1.0, 0.4, 1.6]) + noise.uniform(4),
        dues=zero.copy(),
        schedule_balance=principal.copy(),
        balance=principal.copy(),
        due_sum=zero.copy(),
        paid_sum=zero.copy(),
        due_history=np.zeros((m, DUE_MEMORY_MONTHS), np.int64),
        dpd=zero.copy(),
        clean_months=zero.copy(),
        path=np.full(m, -1),
        stopped=np.zeros(m, np.bool_),
        status=np.full(m, OPEN),
        closed_t=np.full(m, -1),
        closed_day=zero.copy(),
    )
