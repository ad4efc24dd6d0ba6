"""New loans: who asks, what the lender grants, and the annuity schedule."""

from __future__ import annotations

import numpy as np

from workbench.book.simulation.population import Population
from workbench.book.simulation.state import AUTO, CARD, DUE_MEMORY_MONTHS, OPEN, PERSONAL, WRITTEN_OFF, Loans, State
from workbench.book.simulation.world import Draw, Floats, Ints, Stream

# Demand, sizes, terms and prices are house choices.
DEMAND = np.array([0.024, 0.013, 0.016])
"""Chance a month that a customer without an open loan asks for a personal loan, a car loan, a card."""
DEMAND_WITH_LOANS = 0.42
"""Factor on it for a customer who has a loan already."""
DEMAND_UNDER_STRESS = 0.8
"""Added to the factor for a customer under stress."""
BASE_RATE = [0.075, 0.045, 0.175]
MAX_OPEN_LOANS = 4
MAX_DUES_TO_INCOME = 0.40
TERMS = np.array([12, 18, 24, 30, 36, 48, 60])
TERM_SHARE = np.array([[0.14, 0.12, 0.24, 0.12, 0.22, 0.11, 0.05], [0.0, 0.0, 0.06, 0.08, 0.22, 0.36, 0.28]])
TERM_DUE_DAYS = np.array([1, 5, 8, 10, 12, 15, 18, 20])
CARD_MINIMUM_SHARE = 0.04
CARD_MINIMUM_CENTS = 2_500
STATEMENT_TO_DUE_DAYS = 20


def annuity_instalment(principal: Ints, rate: Floats, term: Ints) -> Ints:
    """Level monthly instalment in cents: `P i / (1 - (1 + i) ** -n)` with `i = rate / 12`.

    >>> annuity_instalment(np.array([1_000_000]), np.array([0.12]), np.array([12]))
    array([88849])
    """
    monthly = rate / 12
    return np.rint(principal * monthly / (1 - (1 + monthly) ** -term)).astype(np.int64)


def after_due(balance: Ints, rate: Floats, instalment: Ints) -> Ints:
    """Principal not yet due after one more instalment, interest rounded to the cent."""
    return balance + np.rint(balance * rate / 12).astype(np.int64) - instalment


def last_instalment(principal: Ints, rate: Floats, term: Ints, instalment: Ints) -> Ints:
    """Return the final instalment: what brings the schedule to exactly zero."""
    balance = principal.copy()
    for k in range(1, int(term.max(initial=0))):
        balance = np.where(k < term, after_due(balance, rate, instalment), balance)
    return balance + np.rint(balance * rate / 12).astype(np.int64)


def monthly_dues(loans: Loans, customers: int) -> Ints:
    """Dues a month of each customer's open loans, cards at their minimum on the whole limit, in cents."""
    live = loans.is_open
    due = np.where(loans.product == CARD, (CARD_MINIMUM_SHARE * loans.limit).astype(np.int64), loans.instalment)
    return np.bincount(loans.customer[live], due[live], customers).astype(np.int64)


def open_loans(state: State, population: Population, t: int, first_day: np.datetime64, draw: Draw) -> Loans:
    """Return the loans that are opened in month `t`, given what the lender knows at the end of the month before.

    The lender grants where nothing is past due, nothing was written off, fewer than `MAX_OPEN_LOANS` are open and
    the dues stay under `MAX_DUES_TO_INCOME` of the declared income.
    """
    rng = draw(Stream.LENDING)
    n = population.size
    loans = state.loans
    count = np.bincount(loans.customer[loans.is_open], minlength=n)
    has_card = np.bincount(loans.customer[loans.is_open & (loans.product == CARD)], minlength=n) > 0
    written_off = np.bincount(loans.customer[loans.status == WRITTEN_OFF], minlength=n) > 0

    wish = DEMAND[:, None] * population.appetite * np.where(count > 0, DEMAND_WITH_LOANS, 1.0)
    wish *= 1 + DEMAND_UNDER_STRESS * (state.stress > 0.1)
    wish[CARD] *= ~has_card
    bounds = np.cumsum(wish, axis=0)
    u = rng.random(n)
    asks = u < bounds[-1]
    product = np.minimum(np.sum(u >= bounds, axis=0), CARD)
    is_card = product == CARD

    amount = _amount(product, state.declared, np.exp(0.45 * rng.standard_normal(n)))
    term = _term(product, rng.random(n))
    markup = np.maximum(0.005 * np.clip(population.vulnerability, -2, 2) + 0.03 * rng.random(n), -0.005)
    rate = np.round(np.choose(product, BASE_RATE) + markup, 4)
    instalment = np.where(is_card, 0, annuity_instalment(amount, rate, term))
    new_due = np.where(is_card, CARD_MINIMUM_SHARE * amount, instalment)
    burden = (monthly_dues(loans, n) + new_due) / (state.declared * 100)
    granted = (
        asks
        & (population.since < first_day)
        & (burden < MAX_DUES_TO_INCOME)
        & (state.worst_dpd() == 0)
        & ~written_off
        & (count < MAX_OPEN_LOANS)
    )
    who = np.flatnonzero(granted)
    return _new_loans(who, product[who], amount[who], term[who], rate[who], instalment[who], t, rng)


def _amount(product: Ints, declared: Floats, size: Floats) -> Ints:
    """Amount or limit in cents, in steps of 100 EUR."""
    euros = np.select(
        [product == PERSONAL, product == AUTO],
        [np.clip(2.6 * declared * size, 1_000, 40_000), np.clip(5.5 * declared * size, 4_000, 60_000)],
        np.clip(1.3 * declared * size, 300, 12_000),
    )
    return (np.rint(euros / 100) * 10_000).astype(np.int64)


def _term(product: Ints, u: Floats) -> Ints:
    """Term in months; cards have none, and carry 12 only where a formula needs a number."""
    share = np.cumsum(TERM_SHARE, axis=1)
    pick = [TERMS[np.minimum(np.searchsorted(share[p], u), len(TERMS) - 1)] for p in (PERSONAL, AUTO)]
    return np.select([product == PERSONAL, product == AUTO], pick, 12)


def _new_loans(
    who: Ints, product: Ints, amount: Ints, term: Ints, rate: Floats, instalment: Ints, t: int, rng: np.random.Generator
) -> Loans:
    m = len(who)
    is_card = product == CARD
    principal = np.where(is_card, 0, amount)
    zero = np.zeros(m, np.int64)
    card_due_days = rng.integers(1, 6, m) + STATEMENT_TO_DUE_DAYS
    return Loans(
        customer=who,
        product=product,
        open_t=np.full(m, t),
        open_day=rng.integers(1, 29, m),
        due_day=np.where(is_card, card_due_days, rng.choice(TERM_DUE_DAYS, m)),
        principal=principal,
        limit=np.where(is_card, amount, 0),
        rate=rate,
        term=np.where(is_card, 0, term),
        instalment=instalment,
        last_instalment=np.where(is_card, 0, last_instalment(principal, rate, term, instalment)),
        collateral=np.where(product == AUTO, np.rint(principal * rng.uniform(0.9, 1.4, m)), 0).astype(np.int64),
        by_debit=rng.random(m) < 0.6,
        priority=np.choose(product, [1.0, 0.4, 1.6]) + rng.random(m),
        dues=zero.copy(),
        schedule_balance=principal.copy(),
        balance=principal.copy(),
        due_sum=zero.copy(),
        paid_sum=zero.copy(),
        due_history=np.zeros((m, DUE_MEMORY_MONTHS), np.int64),
        dpd=zero.copy(),
        status=np.full(m, OPEN),
        closed_t=np.full(m, -1),
        closed_day=zero.copy(),
    )
