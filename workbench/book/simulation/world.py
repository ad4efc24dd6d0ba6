"""Time, blocks of customers, random streams and array types of the simulated lender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from workbench.core.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]

BURN_IN_MONTHS = 24
"""Months lived before the first written one, so that month 1 is seasoned (house choice)."""
BLOCK_CUSTOMERS = 10_000
"""Customers who are simulated together; a book of any size is a row of such blocks, which share the economy alone."""
MIN_CUSTOMERS = 50
MAX_CUSTOMERS = 8_999_999
"""Seven digits in a customer id; from 9,000,000 on they number the people who were registered twice."""
MAX_MONTHS = 600
DAY_SECONDS = 86_400


class Stream(IntEnum):
    """One random stream for each purpose: a change in one leaves the draws of the others alone."""

    POPULATION = 1
    PEOPLE = 2
    STRESS = 3
    INCOME = 4
    INCIDENTS = 5
    LENDING = 6
    CASHFLOW = 7
    REPAYMENT = 8
    TRANSACTIONS = 9
    EVENTS = 10
    FAULTS = 11
    ECONOMY = 12
    TREATMENT = 13
    BUREAU = 14


Draw = Callable[[Stream], np.random.Generator]


def draws(seed: int, t: int, *, block: int = 0, branch: int | None = None) -> Draw:
    """Return the generators of month `t`, one a stream; a `branch` gives another future of the same world.

    Each block of customers has generators of its own; those of the economy are asked for with block 0.
    """
    salt = [] if branch is None else [branch + 1]

    def draw(stream: Stream) -> np.random.Generator:
        return np.random.default_rng([seed, int(stream), t, block, *salt])

    return draw


@dataclass(frozen=True)
class Calendar:
    """Months counted by `t` from the first burn-in month; `t == BURN_IN_MONTHS` is the first written month.

    >>> Calendar(date(2023, 1, 1), 12).first_day(BURN_IN_MONTHS)
    np.datetime64('2023-01-01')
    """

    start: date
    months: int

    @property
    def total(self) -> int:
        """Burn-in and written months together."""
        return BURN_IN_MONTHS + self.months

    def first_day(self, t: int) -> np.datetime64:
        """First day of month `t`."""
        return self.first_days(np.array([t]))[0]  # type: ignore[no-any-return]

    def first_days(self, t: Ints) -> Days:
        """First days of the months `t`, as an array."""
        return (np.datetime64(self.start, "M") + (t - BURN_IN_MONTHS)).astype("datetime64[D]")

    def last_day(self, t: int) -> np.datetime64:
        """Last day of month `t`."""
        return self.first_day(t + 1) - np.timedelta64(1, "D")

    def length(self, t: int) -> int:
        """Days in month `t`."""
        return int((self.first_day(t + 1) - self.first_day(t)).astype(int))

    def month_end(self, t: int) -> np.datetime64:
        """Return the last second of month `t`, as microseconds."""
        end: np.datetime64 = self.first_day(t + 1).astype("datetime64[us]") - np.timedelta64(1, "s")
        return end

    def moments(self, t: Ints, day: Ints, second: int | Ints = 0) -> Days:
        """Days (from 1) of the months `t`, and a second of that day, as microseconds."""
        days = self.first_days(t) + (day - 1).astype("timedelta64[D]")
        return days.astype("datetime64[us]") + np.asarray(second).astype("timedelta64[s]")  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Block:
    """One run of customers: `first` is the position in the book of its first, `size` how many there are."""

    number: int
    first: int
    size: int


def blocks(customers: int) -> list[Block]:
    """Return the blocks of a book of `customers`.

    >>> [block.size for block in blocks(25_000)]
    [10000, 10000, 5000]
    """
    starts = range(0, customers, BLOCK_CUSTOMERS)
    return [Block(i, start, min(BLOCK_CUSTOMERS, customers - start)) for i, start in enumerate(starts)]


def check_arguments(customers: int, months: int, seed: int, start: date) -> Calendar:
    """Return the calendar of a run.

    Raises
    ------
    InputError
        If an argument is out of range; the message says what was found, what was expected and what to do.
    """
    if not MIN_CUSTOMERS <= customers <= MAX_CUSTOMERS:
        raise InputError(
            f"simulation: customers is {customers}, expected {MIN_CUSTOMERS} to {MAX_CUSTOMERS}."
            f" Ask for at least {MIN_CUSTOMERS} customers; 2000 and more carry a scorecard."
        )
    if not 1 <= months <= MAX_MONTHS:
        raise InputError(
            f"simulation: months is {months}, expected 1 to {MAX_MONTHS}."
            " Ask for at least 1 month; 24 and more carry a 12-month bad definition."
        )
    if seed < 0:
        raise InputError(f"simulation: seed is {seed}, expected 0 or more. Choose another whole number.")
    if start.day != 1:
        raise InputError(
            f"simulation: start is {start.isoformat()}, expected the first day of a month."
            f" Use {start.replace(day=1).isoformat()}."
        )
    if not 1950 <= start.year <= 2150:
        raise InputError(f"simulation: start is {start.isoformat()}, expected a year from 1950 to 2150. Change it.")
    return Calendar(start, months)


def cents(euros: Floats) -> Ints:
    """Euros as whole cents."""
    return np.rint(euros * 100).astype(np.int64)
