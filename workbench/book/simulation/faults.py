"""The dirt of a CRM, at known rates: missing, mistyped and late values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.world import Bools, Draw, Ints, Stream

# Rates are house choices; a test holds them.
MISSING_INCOME = 0.04
MISSING_EDUCATION = 0.02
ANNUAL_INCOME = 0.003
"""A year's income typed where a month's belongs: twelve times too high."""
BIRTH_IN_FUTURE, BIRTH_1900 = 0.0005, 0.001
LATE_TRANSACTIONS, LATE_DAYS = 0.005, 40


@dataclass(frozen=True)
class CustomerFaults:
    """Which customers' first record is faulty (n,)."""

    missing_income: Bools
    missing_education: Bools
    annual_income: Bools
    birth_in_future: Bools
    birth_1900: Bools


def draw_customer_faults(customers: int, draw: Draw) -> CustomerFaults:
    """Return the faults of the customers' records."""
    u = draw(Stream.FAULTS).random((4, customers))
    return CustomerFaults(
        missing_income=u[0] < MISSING_INCOME,
        missing_education=u[1] < MISSING_EDUCATION,
        annual_income=u[2] < ANNUAL_INCOME,
        birth_in_future=u[3] < BIRTH_IN_FUTURE,
        birth_1900=(u[3] >= BIRTH_IN_FUTURE) & (u[3] < BIRTH_IN_FUTURE + BIRTH_1900),
    )


def late_seconds(n: int, rng: np.random.Generator) -> Ints:
    """Seconds from booking to arrival of `n` transactions: 0 for most, up to `LATE_DAYS` for a few."""
    late = rng.random(n) < LATE_TRANSACTIONS
    return np.where(late, rng.integers(86_400, LATE_DAYS * 86_400, n), 0)
