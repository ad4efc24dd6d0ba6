"""The whole state of a block of customers at a month end: copied, stepped, branched."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from workbench.book.simulation.population import Population
from workbench.book.simulation.world import Bools, Draw, Floats, Ints, Stream, cents

PERSONAL, AUTO, CARD = 0, 1, 2
PRODUCTS = ("personal", "auto", "card")
OPEN, REPAID, PREPAID, WRITTEN_OFF = 0, 1, 2, 3
CLOSE_REASONS = ("", "repaid", "prepaid", "written_off")
DUE_MEMORY_MONTHS = 9
"""Cumulative dues kept for days past due: write-off at 180 days comes well before nine months."""
ENQUIRY_MONTHS = 6
BAD_DPD = 90

DISORGANISED, GRADUAL, SUDDEN, STRATEGIC, FRAUD = range(5)
PATHS = ("disorganised", "gradual", "sudden", "strategic", "first_payment_fraud")
"""What a loan's arrears come from: the customer's state when they began, or when they passed 30 days."""
DECLARED_NOISE = 0.05
"""Standard deviation of the log of a declared income around the true one: house choice."""


@dataclass
class Loans:
    """One entry a loan (m,), in order of opening; the position is the number in `loan_id`. Money in cents."""

    customer: Ints
    slot: Ints  # which loan of its customer this is, from 0
    product: Ints
    open_t: Ints
    open_day: Ints  # day of the month, from 1
    due_day: Ints  # for cards the statement's day is 20 days before
    principal: Ints  # 0 for cards
    limit: Ints  # 0 for term loans
    rate: Floats
    version: Ints  # of the schedule, from 1
    first_due_t: Ints  # of this version
    term: Ints  # of this version; 0 for cards
    instalment: Ints
    last_instalment: Ints
    collateral: Ints
    by_debit: Bools
    priority: Floats  # which loan of a customer is paid first
    dues: Ints  # how many of this version fell due; for cards all statements
    schedule_balance: Ints  # term loans: principal not yet due
    balance: Ints  # owed in all; after write-off: still to be recovered
    due_sum: Ints  # cumulative
    paid_sum: Ints  # cumulative, scheduled payments only
    due_history: Ints  # (m, DUE_MEMORY_MONTHS) cumulative dues at the last month ends, newest last
    dpd: Ints
    clean_months: Ints  # since days past due were last above 0
    path: Ints  # of the present or latest arrears, -1 for none yet
    stopped: Bools  # its customer does not mean to pay, whatever the cash
    status: Ints
    closed_t: Ints  # -1 while open
    closed_day: Ints

    @property
    def size(self) -> int:
        """Number of loans ever opened."""
        return len(self.customer)

    @property
    def is_open(self) -> Bools:
        """Neither closed nor written off."""
        live: Bools = self.status == OPEN
        return live

    @property
    def is_active(self) -> Bools:
        """Open, with a balance or an unused limit."""
        return self.is_open & ((self.balance > 0) | (self.limit > self.balance))

    @property
    def arrears(self) -> Ints:
        """Fallen due and not paid; below 0 where more was paid than has fallen due."""
        return self.due_sum - self.paid_sum

    def extended(self, other: Loans) -> Loans:
        """Return these loans followed by `other`."""
        return Loans(**{f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)})


def no_loans() -> Loans:
    """Return a portfolio of no loan."""
    floats, bools = {"rate", "priority"}, {"by_debit", "stopped"}
    empty: dict[str, Any] = {
        f.name: np.zeros(0, np.float64 if f.name in floats else np.bool_ if f.name in bools else np.int64)
        for f in fields(Loans)
    }
    empty["due_history"] = np.zeros((0, DUE_MEMORY_MONTHS), np.int64)
    return Loans(**empty)


@dataclass
class State:
    """Customers (n,) and their loans at a month end. Money in cents, incomes in EUR."""

    income: Floats  # regular income when all is well
    declared: Floats  # what the lender last heard of it
    cash: Ints
    stress: Floats  # 0 calm to 1
    stress_kind: Ints
    stress_depth: Floats
    stress_speed: Floats
    recovering: Bools
    calm_months: Ints  # since the latest episode of stress ended
    scar_months: Ints  # since a loan was very late
    strain_months: Ints  # since a loan was last taken: new duties wear off slowly
    other_due: Ints  # a month, to other lenders
    other_months: Ints  # still to pay there
    other_late: Ints  # months in a row in which that was not paid
    refused: Bools  # an application was declined last month
    enquiries: Ints  # (n, ENQUIRY_MONTHS) applications here and elsewhere, newest last
    refund: Ints  # comes next month
    tamed_months: Ints  # still under the effect of a limit cut
    angry_months: Ints
    loans_taken: Ints
    asked: Bools  # has had a declined application
    decided: Bools  # (n,) has had the first decision on the treatment that truth follows for this customer
    loans: Loans

    def copied(self) -> State:
        """Return a copy that shares no array with this state."""
        own = {f.name: getattr(self, f.name).copy() for f in fields(self) if f.name != "loans"}
        loans = Loans(**{f.name: getattr(self.loans, f.name).copy() for f in fields(Loans)})
        return State(**own, loans=loans)

    def worst_dpd(self) -> Ints:
        """Worst days past due of each customer's open loans."""
        worst = np.zeros(len(self.income), np.int64)
        live = self.loans.is_open
        np.maximum.at(worst, self.loans.customer[live], self.loans.dpd[live])
        return worst


def first_state(population: Population, draw: Draw) -> State:
    """Return the world before the first burn-in month: all calm, no loan, savings near their target."""
    n = population.size
    rng = draw(Stream.INCOME)
    cash = population.income * population.buffer_target * rng.uniform(0.3, 1.1, n)
    zeros, nobody = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    return State(
        income=population.income.copy(),
        declared=population.income * np.exp(DECLARED_NOISE * rng.standard_normal(n)),
        cash=cents(cash),
        stress=np.zeros(n),
        stress_kind=zeros.copy(),
        stress_depth=np.zeros(n),
        stress_speed=np.zeros(n),
        recovering=nobody.copy(),
        calm_months=np.full(n, 999),
        scar_months=np.full(n, 999),
        strain_months=np.full(n, 999),
        other_due=zeros.copy(),
        other_months=zeros.copy(),
        other_late=zeros.copy(),
        refused=nobody.copy(),
        enquiries=np.zeros((n, ENQUIRY_MONTHS), np.int64),
        refund=zeros.copy(),
        tamed_months=zeros.copy(),
        angry_months=zeros.copy(),
        loans_taken=zeros.copy(),
        asked=nobody.copy(),
        decided=nobody.copy(),
        loans=no_loans(),
    )


def by_customer(loans: Loans, amount: Ints, customers: int) -> Ints:
    """Sum an amount of each loan (m,) over its customer (n,)."""
    return np.bincount(loans.customer, amount, customers).astype(np.int64)


def some_loan(loans: Loans, mask: Bools, customers: int) -> Bools:
    """Which customers (n,) have a loan in `mask` (m,)."""
    found: Bools = np.bincount(loans.customer[mask], minlength=customers) > 0
    return found


def first_of_customer(loans: Loans, mask: Bools) -> Bools:
    """Return `mask` (m,) with at most one loan of a customer: the first."""
    positions = np.flatnonzero(mask)
    _, first = np.unique(loans.customer[positions], return_index=True)
    kept = np.zeros(loans.size, np.bool_)
    kept[positions[first]] = True
    return kept
