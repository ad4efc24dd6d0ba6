"""The tables of loans: versions, schedules, payments and month ends."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from workbench.book.simulation.lending import STATEMENT_TO_DUE_DAYS
from workbench.book.simulation.payments import PAYMENT_KINDS
from workbench.book.simulation.repayment import Collected
from workbench.book.simulation.state import AUTO, CARD, CLOSE_REASONS, OPEN, PRODUCTS, WRITTEN_OFF, Loans
from workbench.book.simulation.tables import customer_ids, dates, ids, integers, loan_ids, money, stamps, words
from workbench.book.simulation.world import Calendar, Days, Ints

OPENED_HOUR, STATEMENT_HOUR, CLOSED_HOUR = 12, 6, 23
"""When the book knows of an opened loan, a card's statement, and a closed loan, on the day itself."""


def _on(calendar: Calendar, t: Ints, day: Ints, hour: int = 0) -> Days:
    days = calendar.first_days(t) + (day - 1).astype("timedelta64[D]")
    return days.astype("datetime64[us]") + np.timedelta64(hour, "h")  # type: ignore[no-any-return]


def loan_columns(loans: Loans, calendar: Calendar) -> dict[str, pa.Array]:
    """Each loan as it was opened, and once more as it was closed or written off, known from that day."""
    closed = np.flatnonzero(loans.status != OPEN)
    at = np.concatenate([np.arange(loans.size), closed])
    second = np.arange(len(at)) >= loans.size
    order = np.lexsort((second, at))
    at, first = at[order], ~second[order]
    closed_on = _on(calendar, loans.closed_t[at], np.maximum(loans.closed_day[at], 1))
    known = np.where(
        first,
        _on(calendar, loans.open_t[at], loans.open_day[at], OPENED_HOUR),
        closed_on + np.timedelta64(CLOSED_HOUR, "h"),
    )
    card = loans.product[at] == CARD
    return {
        "loan_id": loan_ids(at),
        "customer_id": customer_ids(loans.customer[at]),
        "product": words(loans.product[at], PRODUCTS),
        "opened_on": dates(_on(calendar, loans.open_t[at], loans.open_day[at])),
        "principal": money(loans.principal[at], missing=card),
        "credit_limit": money(loans.limit[at], missing=~card),
        "annual_rate": pa.array(loans.rate[at], pa.float64()),
        "term_months": integers(loans.term[at], missing=card),
        "instalment_amount": money(loans.instalment[at], missing=card),
        "collateral_value": money(loans.collateral[at], missing=loans.product[at] != AUTO),
        "closed_on": dates(closed_on, missing=first),
        "close_reason": words(np.where(first, -1, loans.status[at]), CLOSE_REASONS),
        "written_off_on": dates(closed_on, missing=first | (loans.status[at] != WRITTEN_OFF)),
        "known_at": stamps(known),
    }


@dataclass
class Statements:
    """The minimum dues of cards, month by month."""

    rows: list[tuple[Ints, Ints, Ints, Ints]] = field(default_factory=list)  # loan, number, t, amount

    def note(self, loans: Loans, collected: Collected, t: int) -> None:
        """Keep the statements of month `t`."""
        at = np.flatnonzero(collected.card_rows)
        self.rows.append((at, loans.dues[at], np.full(len(at), t), collected.due[at]))


def instalment_columns(loans: Loans, statements: Statements, calendar: Calendar) -> dict[str, pa.Array]:
    """Term loans: every instalment, known when the loan is opened. Cards: a row a statement that asks for money."""
    at = np.repeat(np.arange(loans.size), loans.term)
    start = np.cumsum(loans.term) - loans.term
    number = np.arange(len(at)) - start[at] + 1
    amount = np.where(number == loans.term[at], loans.last_instalment[at], loans.instalment[at])
    t = loans.open_t[at] + number
    if statements.rows:
        cards = [np.concatenate(column) for column in zip(*statements.rows, strict=True)]
        at, number, t, amount = (np.concatenate(pair) for pair in zip((at, number, t, amount), cards, strict=True))
    order = np.lexsort((number, at))
    at, number, t, amount = at[order], number[order], t[order], amount[order]
    card = loans.product[at] == CARD
    opened = _on(calendar, loans.open_t[at], loans.open_day[at])
    statement = _on(calendar, t, np.maximum(loans.due_day[at] - STATEMENT_TO_DUE_DAYS, 1))
    hours = np.where(card, STATEMENT_HOUR, OPENED_HOUR).astype("timedelta64[h]")
    effective = np.where(card, statement, opened)
    return {
        "loan_id": loan_ids(at),
        "schedule_version": integers(np.ones(len(at), np.int64)),
        "instalment_no": integers(number),
        "effective_from": dates(effective),
        "due_on": dates(_on(calendar, t, loans.due_day[at])),
        "due_amount": money(amount),
        "known_at": stamps(effective + hours),
    }


def payment_columns(collected: Collected, first_number: int, first_day: np.datetime64) -> dict[str, pa.Array]:
    """Payments of one month, numbered on from `first_number`."""
    paid = collected.payments
    number = first_number + np.arange(len(paid.loan))
    moment = first_day.astype("datetime64[us]") + paid.second.astype("timedelta64[s]")
    return {
        "payment_id": ids("P", number, 9),
        "loan_id": loan_ids(paid.loan),
        "paid_at": stamps(moment),
        "amount": money(paid.amount),
        "kind": words(paid.kind, PAYMENT_KINDS),
        "reverses": ids("P", first_number + paid.reverses, 9, missing=paid.reverses < 0),
        "known_at": stamps(moment),
    }


@dataclass
class MonthEnds:
    """Loans at written month ends: what is owed, what fell due and was paid in the month.

    A loan closed in the month has its last row there. `dpd` is left to the workbench.
    """

    rows: list[tuple[Ints, Ints, Ints, Ints, Ints]] = field(default_factory=list)  # loan, t, balance, due, paid

    def note(self, loans: Loans, collected: Collected, t: int) -> None:
        """Keep the end of month `t`."""
        at = np.flatnonzero(loans.is_open | (loans.closed_t == t))
        self.rows.append((at, np.full(len(at), t), loans.balance[at], collected.due[at], collected.paid[at]))

    def columns(self, loans: Loans, calendar: Calendar) -> dict[str, pa.Array]:
        """Return the performance table, by loan and month."""
        at, t, balance, due, paid = (np.concatenate(column) for column in zip(*self.rows, strict=True))
        order = np.lexsort((t, at))
        at, t = at[order], t[order]
        next_month = calendar.first_days(t + 1)
        last_second = next_month.astype("datetime64[us]") - np.timedelta64(1, "s")
        return {
            "loan_id": loan_ids(at),
            "month_end": dates(next_month - np.timedelta64(1, "D")),
            "balance": money(balance[order]),
            "credit_limit": money(loans.limit[at], missing=loans.product[at] != CARD),
            "due_amount": money(due[order]),
            "paid_amount": money(paid[order]),
            "dpd": pa.nulls(len(at), pa.int64()),
            "known_at": stamps(last_second.astype("datetime64[us]")),
        }
