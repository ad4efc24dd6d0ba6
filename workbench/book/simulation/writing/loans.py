"""The tables of loans: versions, schedules, payments, month ends, restructurings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from workbench.book.simulation.month.payments import PAYMENT_KINDS
from workbench.book.simulation.month.repayment import Collected
from workbench.book.simulation.month.step import Month
from workbench.book.simulation.month.terms import STATEMENT_TO_DUE_DAYS
from workbench.book.simulation.month.treatments import RESTRUCTURING_KINDS, TERM_EXTENSION
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import AUTO, CARD, CLOSE_REASONS, OPEN, PRODUCTS, WRITTEN_OFF, Loans
from workbench.book.simulation.world import BURN_IN_MONTHS, Bools, Calendar, Days, Ints
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
from workbench.book.simulation.writing.faults import PaymentFaults

HOUR = 3_600
OPENED, STATEMENT, CHANGED, AGREED, CLOSED = 12 * HOUR, 6 * HOUR, 6 * HOUR, 10 * HOUR, 23 * HOUR
"""When the book knows of an opened loan, a card's statement, a new limit, a restructuring, and a closed loan, that day."""
CHANGED_DAY, AGREED_DAY = 2, 1


@dataclass
class LoanLog:
    """How loans were opened and changed: rows of position, month, day, second, limit, term, instalment."""

    rows: list[tuple[Ints, ...]] = field(default_factory=list)

    def note(self, loans: Loans, month: Month) -> None:
        """Keep what month `month.t` opened and changed."""
        opened = month.collected.opened
        self._add(loans, opened, month.t, loans.open_day[opened], OPENED)
        agreed = np.flatnonzero(month.treatments.rescheduled)
        self._add(loans, agreed, month.t, np.full(len(agreed), AGREED_DAY), AGREED)
        changed = month.treatments.limit_changed
        self._add(loans, changed, month.t, np.full(len(changed), CHANGED_DAY), CHANGED)

    def _add(self, loans: Loans, at: Ints, t: int, day: Ints, second: int) -> None:
        term = loans.first_due_t[at] - loans.open_t[at] - 1 + loans.term[at]
        wide = np.full(len(at), t), day, np.full(len(at), second)
        self.rows.append((at, *wide, loans.limit[at], term, loans.instalment[at]))

    def columns(self, loans: Loans, population: Population, calendar: Calendar, block: int) -> dict[str, pa.Array]:
        """Each loan as it was opened, after each change, and as it was closed or written off, known from that day."""
        closed = np.flatnonzero(loans.status != OPEN)
        self._add(loans, closed, 0, np.maximum(loans.closed_day[closed], 1), CLOSED)
        last = self.rows.pop()
        changes = [np.concatenate(column) for column in zip(*self.rows, strict=True)]
        ends = (last[0], loans.closed_t[closed], *last[2:])
        at, t, day, second, limit, term, instalment = (np.concatenate(pair) for pair in zip(changes, ends, strict=True))
        is_end = np.arange(len(at)) >= len(changes[0])
        known = calendar.moments(t, day, second)
        order = np.lexsort((is_end, known, at))
        at, known, is_end = at[order], known[order], is_end[order]
        limit, term, instalment = limit[order], term[order], instalment[order]
        closed_on = calendar.moments(loans.closed_t[at], np.maximum(loans.closed_day[at], 1))
        card = loans.product[at] == CARD
        return {
            "loan_id": loan_ids(block, at),
            "customer_id": customer_ids(population.first + loans.customer[at]),
            "product": words(loans.product[at], PRODUCTS),
            "opened_on": dates(calendar.moments(loans.open_t[at], loans.open_day[at])),
            "principal": money(loans.principal[at], missing=card),
            "credit_limit": money(limit, missing=~card),
            "annual_rate": pa.array(loans.rate[at], pa.float64()),
            "term_months": integers(term, missing=card),
            "instalment_amount": money(instalment, missing=card),
            "collateral_value": money(loans.collateral[at], missing=loans.product[at] != AUTO),
            "closed_on": dates(closed_on, missing=~is_end),
            "close_reason": words(np.where(is_end, loans.status[at], -1), CLOSE_REASONS),
            "written_off_on": dates(closed_on, missing=~is_end | (loans.status[at] != WRITTEN_OFF)),
            "known_at": stamps(known),
        }


@dataclass
class Schedules:
    """Schedules of term loans as they were agreed, and the minimum dues of cards month by month."""

    agreed: list[tuple[Ints, ...]] = field(
        default_factory=list
    )  # loan, version, t, first due t, term, instalment, last
    statements: list[tuple[Ints, Ints, Ints, Ints]] = field(default_factory=list)  # loan, number, t, amount

    def note(self, loans: Loans, month: Month) -> None:
        """Keep the schedules and statements of month `month.t`."""
        opened = month.collected.opened
        for at in (opened[loans.product[opened] != CARD], np.flatnonzero(month.treatments.rescheduled)):
            self.agreed.append((at, loans.version[at], np.full(len(at), month.t), loans.first_due_t[at],
                                loans.term[at], loans.instalment[at], loans.last_instalment[at]))  # fmt: skip
        cards = np.flatnonzero(month.collected.card_rows)
        self.statements.append((cards, loans.dues[cards], np.full(len(cards), month.t), month.collected.due[cards]))

    def columns(self, loans: Loans, calendar: Calendar, block: int) -> dict[str, pa.Array]:
        """Term loans: every instalment of every version. Cards: a row a statement that asks for money."""
        loan, version, since, first_due, term, instalment, final = (
            np.concatenate(column) for column in zip(*self.agreed, strict=True)
        )
        row = np.repeat(np.arange(len(loan)), term)
        number = np.arange(len(row)) - (np.cumsum(term) - term)[row] + 1
        effective = np.where(
            version == 1,
            calendar.moments(since, loans.open_day[loan]),
            calendar.moments(since, np.full(len(loan), AGREED_DAY)),
        )
        known = effective + np.where(version == 1, OPENED, AGREED).astype("timedelta64[s]")
        at, kind, t = loan[row], version[row], first_due[row] + number - 1
        amount = np.where(number == term[row], final[row], instalment[row])
        effective, known = effective[row], known[row]

        card, count, month, due = (np.concatenate(column) for column in zip(*self.statements, strict=True))
        stated = calendar.moments(month, np.maximum(loans.due_day[card] - STATEMENT_TO_DUE_DAYS, 1))
        at, number, t, amount = (np.concatenate(x) for x in ((at, card), (number, count), (t, month), (amount, due)))
        kind = np.concatenate([kind, np.ones(len(card), np.int64)])
        effective = np.concatenate([effective, stated])
        known = np.concatenate([known, stated + np.timedelta64(STATEMENT, "s")])
        order = np.lexsort((number, kind, at))
        at, number, t, amount = at[order], number[order], t[order], amount[order]
        kind, effective, known = kind[order], effective[order], known[order]
        return {
            "loan_id": loan_ids(block, at),
            "schedule_version": integers(kind),
            "instalment_no": integers(number),
            "effective_from": dates(effective),
            "due_on": dates(calendar.moments(t, loans.due_day[at])),
            "due_amount": money(amount),
            "known_at": stamps(known),
        }


def payment_columns(
    collected: Collected, first_number: int, first_day: np.datetime64, faults: PaymentFaults, block: int
) -> dict[str, pa.Array]:
    """Payments of one month, numbered on from `first_number`; a mistyped amount comes again as it should be."""
    paid = collected.payments
    moment = first_day.astype("datetime64[us]") + paid.second.astype("timedelta64[s]")
    row, known, amount = faults.versions(paid.amount, moment)
    return {
        "payment_id": block_ids("P", block, first_number + row, 8),
        "loan_id": loan_ids(block, paid.loan[row]),
        "paid_at": stamps(moment[row]),
        "amount": money(amount),
        "kind": words(paid.kind[row], PAYMENT_KINDS),
        "reverses": block_ids("P", block, first_number + paid.reverses[row], 8, missing=paid.reverses[row] < 0),
        "known_at": stamps(known),
    }


def restructuring_columns(month: Month, calendar: Calendar, block: int) -> dict[str, pa.Array]:
    """Restructurings of one month: none forgives anything; a payment holiday is no sign of distress."""
    at, kind = month.treatments.restructured, month.treatments.restructuring_kind
    t = np.full(len(at), month.t)
    return {
        "loan_id": loan_ids(block, at),
        "effective_on": dates(calendar.moments(t, np.full(len(at), AGREED_DAY))),
        "kind": words(kind, RESTRUCTURING_KINDS),
        "distressed": pa.array(kind == TERM_EXTENSION),
        "forgiven_amount": money(np.zeros(len(at), np.int64)),
        "known_at": stamps(calendar.moments(t, np.full(len(at), AGREED_DAY), AGREED)),
    }


@dataclass
class MonthEnds:
    """Loans at written month ends: what is owed, what fell due and was paid in the month.

    A loan closed in the month has its last row there. `dpd` is left to the workbench.
    """

    rows: list[tuple[Ints, ...]] = field(default_factory=list)  # loan, t, balance, limit, due, paid

    def note(self, loans: Loans, collected: Collected, t: int) -> None:
        """Keep the end of month `t`, if it is written."""
        if t < BURN_IN_MONTHS:
            return
        at = np.flatnonzero(loans.is_open | (loans.closed_t == t))
        self.rows.append(
            (at, np.full(len(at), t), loans.balance[at], loans.limit[at], collected.due[at], collected.paid[at])
        )

    def columns(self, loans: Loans, calendar: Calendar, block: int) -> dict[str, pa.Array]:
        """Return the performance table, by loan and month."""
        at, t, balance, limit, due, paid = (np.concatenate(column) for column in zip(*self.rows, strict=True))
        order = np.lexsort((t, at))
        at, t = at[order], t[order]
        next_month: Days = calendar.first_days(t + 1)
        last_second = next_month.astype("datetime64[us]") - np.timedelta64(1, "s")
        not_card: Bools = loans.product[at] != CARD
        return {
            "loan_id": loan_ids(block, at),
            "month_end": dates(next_month - np.timedelta64(1, "D")),
            "balance": money(balance[order]),
            "credit_limit": money(limit[order], missing=not_card),
            "due_amount": money(due[order]),
            "paid_amount": money(paid[order]),
            "dpd": pa.nulls(len(at), pa.int64()),
            "known_at": stamps(last_second.astype("datetime64[us]")),
        }
