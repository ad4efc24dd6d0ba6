"""The tables of applications and of the outside bureau."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from workbench.book.simulation.month.applications import ACCEPTED, DECISION_WORDS, GONE, REASONS, Applications
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import PRODUCTS, State
from workbench.book.simulation.world import DAY_SECONDS, Bools, Calendar, Draw, Floats, Stream
from workbench.book.simulation.writing.arrow import (
    block_ids,
    customer_ids,
    dates,
    integers,
    loan_ids,
    money,
    stamps,
    words,
)

APPLIED_SECOND, DECIDED_SECOND = 9 * 3_600, 10 * 3_600
COVERED_SHARE, MISSING_REPORT = 0.88, 0.04
"""Customers whom the bureau knows; reports of theirs that do not come."""
REPORT_DAY, REPORT_EVERY_MONTHS = 10, 3
WORST_STATUS = ("ok", "1-29", "30-59", "60-89", "90+")


def application_columns(
    rows: Applications, first_number: int, population: Population, t: int, calendar: Calendar, block: int
) -> dict[str, pa.Array]:
    """Applications of one month; what the bureau said is not among the columns."""
    n = len(rows.customer)
    month = np.full(n, t)
    applied = calendar.moments(month, rows.day, APPLIED_SECOND + (rows.customer * 37) % (8 * 3_600))
    decided = np.maximum(
        calendar.moments(month, rows.day + rows.wait_days, DECIDED_SECOND), applied + np.timedelta64(300, "s")
    )
    return {
        "application_id": block_ids("Q", block, first_number + np.arange(n), 7),
        "customer_id": customer_ids(population.first + rows.customer),
        "applied_at": stamps(applied),
        "product": words(rows.product, PRODUCTS),
        "requested_amount": money(rows.amount),
        "decision": words(rows.decision, DECISION_WORDS),
        "decided_at": stamps(decided, missing=rows.decision == GONE),
        "decline_reason": words(np.where(rows.reason > 0, rows.reason, -1), REASONS),
        "score": pa.array(rows.score),
        "loan_id": loan_ids(block, rows.loan, missing=rows.decision != ACCEPTED),
        "known_at": stamps(np.maximum(applied, decided)),
    }


def bureau_columns(
    before: State, population: Population, t: int, calendar: Calendar, draw: Draw
) -> dict[str, pa.Array] | None:
    """Return reports of a quarter, on day 10 of a quarter's first month and known some days later; None in other months.

    They tell of the end of the month before: what is owed to other lenders (with noise), the worst delay there, and
    applications in six months, here and elsewhere.
    """
    if t % REPORT_EVERY_MONTHS:
        return None
    rng, n = draw(Stream.BUREAU), population.size
    noise, u, lag = rng.standard_normal(n), rng.random(n), rng.integers(1, 6, n)
    known: Bools = (_covered(population) < COVERED_SHARE) & population.joined_by(t) & (u >= MISSING_REPORT)
    who = np.flatnonzero(known)
    debt = np.rint(before.other_due * np.clip(before.other_months, 0, None) * np.exp(0.1 * noise)).astype(np.int64)
    late = np.minimum(before.other_late, len(WORST_STATUS) - 1)
    reported = calendar.moments(np.full(n, t), np.full(n, REPORT_DAY))
    arrives = reported + (lag * DAY_SECONDS + 6 * 3_600).astype("timedelta64[s]")
    return {
        "customer_id": customer_ids(population.first + who),
        "reported_on": dates(reported[who]),
        "enquiries_6m": integers(before.enquiries.sum(axis=1)[who]),
        "other_debt": money(debt[who]),
        "worst_status": words(late[who], WORST_STATUS),
        "known_at": stamps(arrives[who]),
    }


def _covered(population: Population) -> Floats:
    """Return a fixed number from 0 to 1 a customer: who is covered stays covered."""
    return ((population.first + np.arange(population.size)) * 2_654_435_761 % 2**32) / 2**32
