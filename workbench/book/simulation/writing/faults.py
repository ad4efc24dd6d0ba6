"""The dirt of a CRM, at known rates: missing, mistyped, late, corrected and doubled records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.world import DAY_SECONDS, Bools, Days, Draw, Floats, Ints, Stream

# Rates are house choices; a test holds them.
MISSING_INCOME = 0.04
MISSING_EDUCATION = 0.02
ANNUAL_INCOME, ANNUAL_CORRECTED = 0.004, 0.6
"""A year's income typed where a month's belongs, twelve times too high; and the share that somebody corrects."""
CORRECTED_AFTER_DAYS = (20, 200)
BIRTH_IN_FUTURE, BIRTH_1900 = 0.0005, 0.001
REGISTERED_TWICE = 0.004
"""People who are in the records twice, under two numbers; the second has no loan."""
LATE_TRANSACTIONS, LATE_DAYS = 0.005, 40
MISTYPED_PAYMENT, MISTYPED_DAYS = 0.002, 6
"""Payments whose amount is recorded ten times too high, and corrected some days later."""
LATE_PAYMENTS, LATE_PAYMENT_DAYS = 0.003, 8


@dataclass(frozen=True)
class CustomerFaults:
    """Which customers' first record is faulty (n,)."""

    missing_income: Bools
    missing_education: Bools
    annual_income: Bools
    corrected_after_days: Ints  # 0: never
    birth_in_future: Bools
    birth_1900: Bools
    twice: Bools


def draw_customer_faults(customers: int, draw: Draw, *, dirt: bool) -> CustomerFaults:
    """Return the faults of the customers' records; none without `dirt`."""
    rng = draw(Stream.FAULTS)
    u = rng.random((6, customers))
    days = rng.integers(*CORRECTED_AFTER_DAYS, customers)
    u = u if dirt else np.ones_like(u)
    return CustomerFaults(
        missing_income=u[0] < MISSING_INCOME,
        missing_education=u[1] < MISSING_EDUCATION,
        annual_income=(u[2] < ANNUAL_INCOME) & (u[0] >= MISSING_INCOME),
        corrected_after_days=np.where(u[4] < ANNUAL_CORRECTED, days, 0),
        birth_in_future=u[3] < BIRTH_IN_FUTURE,
        birth_1900=(u[3] >= BIRTH_IN_FUTURE) & (u[3] < BIRTH_IN_FUTURE + BIRTH_1900),
        twice=u[5] < REGISTERED_TWICE,
    )


@dataclass(frozen=True)
class PaymentFaults:
    """Which payments of a month are recorded late, or wrong at first (k,); in seconds after the payment."""

    late: Ints
    corrected: Ints  # 0: right at first

    def versions(self, amount: Ints, moment: Days) -> tuple[Ints, Days, Ints]:
        """Return for each record its payment's position, when it is known and its amount, by payment and time."""
        wrong = np.flatnonzero(self.corrected)
        row = np.concatenate([np.arange(len(amount)), wrong])
        second = np.concatenate([self.late, self.late[wrong] + self.corrected[wrong]])
        is_first = np.arange(len(row)) < len(amount)
        shown = np.where(is_first & (self.corrected[row] > 0), amount[row] * 10, amount[row])
        order = np.lexsort((second, row))
        row, second, shown = row[order], second[order], shown[order]
        return row, moment[row] + second.astype("timedelta64[s]"), shown


def draw_payment_faults(kind: Ints, scheduled: int, rng: np.random.Generator, *, dirt: bool) -> PaymentFaults:
    """Return the faults of a month's payments; amounts are mistyped in scheduled ones alone."""
    n = len(kind)
    u: Floats = rng.random((2, n)) if dirt else np.ones((2, n))
    late = np.where(u[0] < LATE_PAYMENTS, rng.integers(DAY_SECONDS, LATE_PAYMENT_DAYS * DAY_SECONDS, n), 0)
    days = rng.integers(DAY_SECONDS, MISTYPED_DAYS * DAY_SECONDS, n)
    return PaymentFaults(late, np.where((u[1] < MISTYPED_PAYMENT) & (kind == scheduled), days, 0))


def late_bookings(n: int, rng: np.random.Generator, *, dirt: bool) -> Ints:
    """Seconds from booking to arrival of `n` transactions: 0 for most, up to `LATE_DAYS` for a few."""
    late = rng.random(n) < (LATE_TRANSACTIONS if dirt else 0.0)
    return np.where(late, rng.integers(DAY_SECONDS, LATE_DAYS * DAY_SECONDS, n), 0)
