"""A month of current-account transactions: every cent of the flows, split into bookings with a time and a place."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from workbench.book.simulation.month.step import Month
from workbench.book.simulation.population import EMPLOYER_SECTOR, RETIRED, SELF_EMPLOYED, Population
from workbench.book.simulation.state import PERSONAL, State
from workbench.book.simulation.world import DAY_SECONDS, Bools, Floats, Ints, cents

CHANNELS = ("card", "atm", "transfer", "direct_debit")
CARD_PAYMENT, ATM, TRANSFER, DIRECT_DEBIT = range(4)
CATEGORIES = (
    "salary", "pension", "bonus", "refund", "other_lender", "other_loan_payment", "loan_disbursement", "loan_payment",
    "own_account", "rent", "utilities", "groceries", "repair", "restaurants", "shopping", "leisure", "travel",
    "gambling", "cash", "person", "purchase", "electronics", "unknown", "house",
)  # fmt: skip
CATEGORY = {name: code for code, name in enumerate(CATEGORIES)}
FUN = np.array([CATEGORY[name] for name in ("restaurants", "shopping", "leisure", "travel", "cash", "person")])
FUN_SHARE = np.cumsum([0.26, 0.30, 0.12, 0.03, 0.17, 0.12])

EMPLOYERS, MERCHANTS, LENDERS, PEOPLE = len(EMPLOYER_SECTOR), 4_000, 20, 6_000
COUNTERPARTIES = (
    *(f"E{i:05d}" for i in range(EMPLOYERS)),
    *(f"M{i:05d}" for i in range(MERCHANTS)),
    *(f"X{i:05d}" for i in range(LENDERS)),
    *(f"P{i:05d}" for i in range(PEOPLE)),
    "BANK",
)
FIRST_MERCHANT, FIRST_LENDER = EMPLOYERS, EMPLOYERS + MERCHANTS
FIRST_PERSON, BANK = EMPLOYERS + MERCHANTS + LENDERS, EMPLOYERS + MERCHANTS + LENDERS + PEOPLE
WORKING_BALANCE = 0.25
"""Of a month's income: what those who save elsewhere keep here."""
NIGHT_SHARE, NIGHT_SHARE_GAMBLING = 0.04, 0.4


@dataclass
class Bookings:
    """Transactions of one month in their total order: second, customer, sequence."""

    customer: Ints
    second: Ints
    amount: Ints
    channel: Ints
    category: Ints
    counterparty: Ints  # -1: none
    balance: Ints

    def taken(self, kept: Bools) -> Bookings:
        """Return the rows in `kept`."""
        return Bookings(**{f.name: getattr(self, f.name)[kept] for f in fields(self)})


class _Rows:
    """Collects the pieces of a month."""

    def __init__(self, rng: np.random.Generator, days: int) -> None:
        self.rng, self.days = rng, days
        self.parts: list[tuple[Ints, Ints, Ints, Ints, Ints, Ints]] = []

    def add(
        self, who: Ints, amount: Ints, second: Ints, channel: int | Ints, category: int | Ints, other: int | Ints
    ) -> None:
        keep = amount != 0
        wide = [np.broadcast_to(np.asarray(x, np.int64), who.shape)[keep] for x in (channel, category, other)]
        self.parts.append((who[keep], second[keep], amount[keep], wide[0], wide[1], wide[2]))

    def single(
        self, amounts: Ints, day: int | Ints, hours: tuple[float, float], channel: int, name: str, other: int | Ints
    ) -> None:
        """One booking for each customer whose amount is not 0, on a day from 1, between two hours."""
        who = np.flatnonzero(amounts)
        days = np.broadcast_to(np.asarray(day, np.int64), amounts.shape)[who]
        others = np.broadcast_to(np.asarray(other, np.int64), amounts.shape)[who]
        second = (np.minimum(days, self.days) - 1) * DAY_SECONDS
        second = second + np.floor(self.rng.uniform(*hours, len(who)) * 3_600).astype(np.int64)
        self.add(who, amounts[who], second, channel, CATEGORY[name], others)

    def clock(self, n: int, night_share: float | Floats) -> Ints:
        """Seconds of a day for purchases: by day mostly, at night sometimes."""
        day = np.clip(14.5 + 4 * self.rng.standard_normal(n), 6.5, 23.9)
        night = 6 * self.rng.random(n)
        hour = np.where(self.rng.random(n) < night_share, night, day)
        return np.asarray(np.floor(hour * 3_600), np.int64)


def split(amounts: Ints, counts: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Split each amount into `counts` random parts that add up to it.

    Returns
    -------
    position, part
        For each part: whose it is, and its size; parts of 0 are possible.
    """
    position = np.repeat(np.arange(len(amounts)), counts)
    weight = rng.gamma(2.0, 1.0, len(position))
    total = np.bincount(position, weight, len(amounts))
    part = np.floor(amounts[position] * weight / total[position]).astype(np.int64)
    used = np.bincount(position, part, len(amounts)).astype(np.int64)
    first = np.r_[0, np.cumsum(counts)[:-1]][counts > 0]
    part[first] += (amounts - used)[counts > 0]
    return position, part


def opening_balance(state: State, population: Population, rng: np.random.Generator) -> Ints:
    """Balances before the first written month: all cash, the working part, or little where the main account is elsewhere."""
    here = np.where(population.saves_elsewhere, _working(state), state.cash)
    return np.where(population.hidden, cents(rng.uniform(20, 400, population.size)), here)


def _working(state: State) -> Ints:
    return np.minimum(state.cash, cents(WORKING_BALANCE * state.income))


def month_bookings(
    state: State, population: Population, month: Month, balance: Ints, days: int, rng: np.random.Generator
) -> Bookings:
    """Return the month's bookings; `balance` (n,) moves on in place.

    Where the account is the main one and no savings lie elsewhere, bookings add up to the change of cash, to the cent.
    Those who are no customers yet have bookings of no consequence, left out by the caller.
    """
    rows = _Rows(rng, days)
    flows, n = month.flows, population.size
    seen = ~population.hidden
    needs = np.where(seen, flows.needs, flows.needs // 8)
    fun = np.where(seen, flows.fun, flows.fun // 10)
    _credits(rows, population, month, seen)
    _needs(rows, population, needs, np.where(seen, flows.repair, 0))
    _fun(rows, state, population, fun)
    _unusual(rows, month, seen)
    _loans(rows, state, population, month)
    lender = FIRST_LENDER + np.arange(n) % LENDERS
    rows.single(np.where(seen, -flows.other_due, 0), 3, (2, 5), DIRECT_DEBIT, "other_loan_payment", lender)

    moved = sum(np.bincount(part[0], part[2], n) for part in rows.parts)
    drained = np.asarray(moved, np.int64)
    wanted = np.rint((30_000 - balance - drained) * rng.uniform(0.5, 1.3, n)).astype(np.int64)
    saved = np.where(population.saves_elsewhere, _working(state) - balance - drained, 0)
    topped = np.where(seen, saved, np.maximum(wanted, 0))
    day = np.where(topped > 0, rng.integers(1, 4, n), rng.integers(26, 29, n))
    rows.single(topped, day, (0, 5), TRANSFER, "own_account", -1)
    who, second, amount, channel, category, other = (np.concatenate(column) for column in zip(*rows.parts, strict=True))

    sequence = np.arange(len(who))
    by_account = np.lexsort((sequence, second, who))
    running = np.cumsum(amount[by_account])
    owner = who[by_account]
    first = np.r_[True, owner[1:] != owner[:-1]]
    start = (running - amount[by_account])[first]
    runs = np.cumsum(first) - 1
    after = np.empty_like(running)
    after[by_account] = running - start[runs] + balance[owner]
    balance += np.bincount(who, amount, n).astype(np.int64)
    order = np.lexsort((sequence, who, second))
    return Bookings(
        who[order], second[order], amount[order], channel[order], category[order], other[order], after[order]
    )


def _credits(rows: _Rows, population: Population, month: Month, seen: Bools) -> None:
    flows, rng, n = month.flows, rows.rng, population.size
    employer = np.where(population.employer >= 0, population.employer, np.arange(n) * 7 % EMPLOYERS)
    income = np.where(seen, flows.income, 0)
    free = population.occupation == SELF_EMPLOYED
    retired = population.occupation == RETIRED
    rows.single(np.where(free | retired, 0, income), population.salary_day, (4, 7), TRANSFER, "salary", employer)
    rows.single(np.where(retired, income, 0), 1, (4, 7), TRANSFER, "pension", BANK)
    takings = np.flatnonzero(free & (income > 0))
    position, part = split(income[takings], rng.integers(1, 4, len(takings)), rng)
    second = rng.integers(0, rows.days, len(part)) * DAY_SECONDS + rows.clock(len(part), 0.0)
    client = FIRST_PERSON + rng.integers(0, PEOPLE, len(part))
    rows.add(takings[position], part, second, TRANSFER, CATEGORY["salary"], client)
    day = rng.integers(1, 28, n)
    rows.single(np.where(seen, flows.bonus, 0), month.incidents.day, (4, 7), TRANSFER, "bonus", employer)
    rows.single(np.where(seen, flows.refund, 0), day, (9, 17), TRANSFER, "refund", BANK)
    lender = FIRST_LENDER + rng.integers(0, LENDERS, n)
    rows.single(np.where(seen, flows.other_loan, 0), month.incidents.day, (9, 17), TRANSFER, "other_lender", lender)


def _needs(rows: _Rows, population: Population, needs: Ints, repair: Ints) -> None:
    rng, n = rows.rng, population.size
    rent = np.where(population.hidden, 0, np.floor(needs * population.rent_share)).astype(np.int64)
    utilities = np.where(population.hidden, 0, np.floor(needs * 0.14)).astype(np.int64)
    landlord, utility = FIRST_PERSON + np.arange(n) % PEOPLE, FIRST_MERCHANT + np.arange(n) % 40
    rows.single(-rent, 2, (2, 5), TRANSFER, "rent", landlord)
    rows.single(-utilities, 6, (2, 5), DIRECT_DEBIT, "utilities", utility)
    rows.single(
        -repair, rng.integers(1, 29, n), (8, 19), CARD_PAYMENT, "repair", FIRST_MERCHANT + 40 + np.arange(n) % 300
    )
    food = needs - rent - utilities
    position, part = split(food, 1 + rng.poisson(np.where(population.hidden, 0.1, 1.7)), rng)
    second = rng.integers(0, rows.days, len(part)) * DAY_SECONDS + rows.clock(len(part), NIGHT_SHARE / 4)
    shop = FIRST_MERCHANT + 400 + (position + rng.integers(0, 4, len(part))) % 800
    rows.add(position, -part, second, CARD_PAYMENT, CATEGORY["groceries"], shop)


def _fun(rows: _Rows, state: State, population: Population, fun: Ints) -> None:
    rng = rows.rng
    who = np.flatnonzero(fun > 0)
    position, part = split(fun[who], 1 + rng.poisson(np.where(population.hidden[who], 0.1, 2.3)), rng)
    owner = who[position]
    m = len(part)
    category = FUN[np.minimum(np.searchsorted(FUN_SHARE, rng.random(m)), len(FUN) - 1)]
    stress = state.stress[owner]
    category = np.where(rng.random(m) < 0.16 * stress, CATEGORY["cash"], category)
    bets = rng.random(m) < np.where(population.gambler[owner], 0.10 + 0.30 * stress, 0.006)
    category = np.where(bets, CATEGORY["gambling"], category)
    channel = np.select([category == CATEGORY["cash"], category == CATEGORY["person"]], [ATM, TRANSFER], CARD_PAYMENT)
    other = np.select(
        [category == CATEGORY["cash"], category == CATEGORY["person"]],
        [np.full(m, -1), FIRST_PERSON + rng.integers(0, PEOPLE, m)],
        FIRST_MERCHANT + 1_300 + rng.integers(0, MERCHANTS - 1_300, m),
    )
    night = np.where(bets, NIGHT_SHARE_GAMBLING, NIGHT_SHARE)
    second = rng.integers(0, rows.days, m) * DAY_SECONDS + rows.clock(m, night)
    rows.add(owner, -part, second, channel, category, other)


def _unusual(rows: _Rows, month: Month, seen: Bools) -> None:
    """Incidents and look-alikes: take-overs in a few large debits by night, travel over days, the others at once."""
    rng, flows, day = rows.rng, month.flows, month.incidents.day
    n = len(day)
    merchant = FIRST_MERCHANT + rng.integers(0, MERCHANTS, n)
    person = FIRST_PERSON + rng.integers(0, PEOPLE, n)
    rows.single(np.where(seen, -flows.big_debit, 0), day, (7, 23), TRANSFER, "unknown", person)
    rows.single(np.where(seen, -flows.purchase, 0), day, (9, 20), TRANSFER, "purchase", merchant)
    rows.single(np.where(seen, -flows.house, 0), day, (9, 17), TRANSFER, "house", person)
    rows.single(np.where(seen, -flows.phone, 0), day, (9, 22), CARD_PAYMENT, "electronics", merchant)
    for amount, low, high, span, channel, name, night in (
        (flows.takeover, 2, 5, 4, TRANSFER, "unknown", 0.6),
        (flows.travel, 3, 7, 6, CARD_PAYMENT, "travel", 0.15),
    ):
        who = np.flatnonzero(seen & (amount > 0))
        position, part = split(amount[who], rng.integers(low, high, len(who)), rng)
        when = np.minimum(day[who][position] - 1 + rng.integers(0, span, len(part)), rows.days - 1)
        second = when * DAY_SECONDS + rows.clock(len(part), night)
        other = FIRST_PERSON + rng.integers(0, PEOPLE, len(part))
        rows.add(who[position], -part, second, channel, CATEGORY[name], other)


def _loans(rows: _Rows, state: State, population: Population, month: Month) -> None:
    """Loan payments and their reversals; personal loans paid out and spent (on a car, a kitchen, other debt)."""
    loans, paid = state.loans, month.collected.payments
    own = ~paid.external
    loan = paid.loan[own]
    channel = np.where(loans.by_debit[loan], DIRECT_DEBIT, TRANSFER)
    rows.add(loans.customer[loan], -paid.amount[own], paid.second[own], channel, CATEGORY["loan_payment"], BANK)
    new = month.collected.opened
    new = new[(loans.product[new] == PERSONAL) & ~population.hidden[loans.customer[new]]]
    second = (loans.open_day[new] - 1) * DAY_SECONDS + 43_200
    later = np.minimum(second + rows.rng.integers(3_600, 3 * DAY_SECONDS, len(new)), rows.days * DAY_SECONDS - 1)
    rows.add(loans.customer[new], loans.principal[new], second, TRANSFER, CATEGORY["loan_disbursement"], BANK)
    shop = FIRST_MERCHANT + rows.rng.integers(0, MERCHANTS, len(new))
    rows.add(loans.customer[new], -loans.principal[new], later, TRANSFER, CATEGORY["purchase"], shop)
