"""Simulate a lender and write its book, month by month."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from workbench.book.schema import TABLES
from workbench.book.simulation.customers import CURRENT_ONLY, Register, customer_columns
from workbench.book.simulation.events import DETAILS, EVENT_KINDS, Happenings, month_events
from workbench.book.simulation.faults import draw_customer_faults, late_seconds
from workbench.book.simulation.loan_tables import (
    MonthEnds,
    Statements,
    instalment_columns,
    loan_columns,
    payment_columns,
)
from workbench.book.simulation.population import Population, draw_population
from workbench.book.simulation.state import State, first_state
from workbench.book.simulation.step import Month, month_step
from workbench.book.simulation.tables import TableWriter, customer_ids, ids, money, stamps, words
from workbench.book.simulation.transactions import (
    CATEGORIES,
    CHANNELS,
    COUNTERPARTIES,
    Bookings,
    month_bookings,
    opening_balance,
)
from workbench.book.simulation.truth import LATENT_SCHEMA, IncidentLog, latent_columns
from workbench.book.simulation.world import BURN_IN_MONTHS, Calendar, Draw, Ints, Stream, check_arguments, draws
from workbench.core.errors import InputError

WRITTEN_TABLES = ("customers", "loans", "instalments", "payments", "performance", "transactions", "events")


@dataclass(frozen=True)
class SimulatedBook:
    """What was written, and how to read it."""

    first_day: date
    last_day: date
    rows: dict[str, int]
    current_only: tuple[str, ...] = CURRENT_ONLY  # columns of customers
    time_zone: str = "UTC"
    currency: str = "EUR"


def simulate(
    out: Path,
    *,
    customers: int = 20_000,
    months: int = 36,
    seed: int = 7,
    start: date = date(2023, 1, 1),
    on_month: Callable[[int, int], None] | None = None,
) -> SimulatedBook:
    """Simulate a lender and write its tables to `out/<table>.parquet`, the truth to `out/truth/`.

    The same arguments give the same bytes. A longer run begins with the same rows as a shorter one, apart from the
    `current_only` columns.

    Parameters
    ----------
    out
        Folder to write to; it is made where there is none, and files of earlier runs are replaced.
    customers, months
        Size of the book; `months` are the written ones, after 24 of burn-in.
    seed
        0 or more.
    start
        First day of the first written month.
    on_month
        Called with the months done and all months, burn-in included.

    Raises
    ------
    InputError
        If an argument is out of range, or `out` is a file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     book = simulate(Path(folder), customers=50, months=2)
    >>> book.last_day
    datetime.date(2023, 2, 28)
    """
    calendar = check_arguments(customers, months, seed, start)
    if out.exists() and not out.is_dir():
        raise InputError(f"simulation: {out} is a file, expected a folder. Name a folder to write the book to.")
    (out / "truth").mkdir(parents=True, exist_ok=True)
    first_draw = draws(seed, 0)
    population = draw_population(customers, calendar, first_draw)
    state = first = first_state(population, first_draw)
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(TableWriter(out / f"{name}.parquet", TABLES[name].arrow_schema()))
            for name in WRITTEN_TABLES
        }
        latent = stack.enter_context(TableWriter(out / "truth" / "latent.parquet", LATENT_SCHEMA))
        clerk = _Clerk(population, calendar, writers)
        before: State | None = None
        for t in range(calendar.total):
            draw = draws(seed, t + 1)
            worst_before = state.worst_dpd()
            state, month = month_step(state, population, t, calendar, draw)
            clerk.write_month(state, month, worst_before, draw)
            if before is not None and t > BURN_IN_MONTHS:
                latent.write(latent_columns(before, population, t - 1, calendar, state.worst_dpd()))
            before = state
            if on_month is not None:
                on_month(t + 1, calendar.total)
        latent.write(latent_columns(state, population, calendar.total - 1, calendar, None))
        clerk.incidents.write(out / "truth" / "incidents.parquet", population)
        writers["loans"].write(loan_columns(state.loans, calendar))
        writers["instalments"].write(instalment_columns(state.loans, clerk.statements, calendar))
        writers["performance"].write(clerk.month_ends.columns(state.loans, calendar))
        faults = draw_customer_faults(customers, first_draw)
        writers["customers"].write(
            customer_columns(population, first, state, clerk.register, faults, calendar, first_draw)
        )
    rows = {name: writer.rows for name, writer in writers.items()}
    last_day = date.fromisoformat(str(calendar.last_day(calendar.total - 1)))
    return SimulatedBook(start, last_day, rows)


class _Clerk:
    """Writes each month as it happens and keeps what is written at the end."""

    def __init__(self, population: Population, calendar: Calendar, writers: dict[str, TableWriter]) -> None:
        self.population, self.calendar, self.writers = population, calendar, writers
        self.register = Register.empty(population.size)
        self.statements = Statements()
        self.month_ends = MonthEnds()
        self.incidents = IncidentLog()
        self.balance = np.zeros(population.size, np.int64)
        self.next_payment = self.next_transaction = self.next_event = 1

    def write_month(self, state: State, month: Month, worst_before: Ints, draw: Draw) -> None:
        t, calendar = month.t, self.calendar
        first_day = calendar.first_day(t)
        self.writers["payments"].write(payment_columns(month.collected, self.next_payment, first_day))
        self.next_payment += len(month.collected.payments.loan)
        self.statements.note(state.loans, month.collected, t)
        self.register.note(state, month.flows.raised, first_day, draw)
        if t < BURN_IN_MONTHS - 1:
            return
        transactions = draw(Stream.TRANSACTIONS)
        if t == BURN_IN_MONTHS - 1:
            self.balance = opening_balance(state, self.population, transactions)
            return
        days = calendar.length(t)
        bookings = month_bookings(state, self.population, month, self.balance, days, transactions)
        events = month_events(state, self.population, month, days, worst_before, draw(Stream.EVENTS))
        self.register.note_events(events)
        self.incidents.note(month, state, first_day, calendar.last_day(t))
        self._write_transactions(bookings, first_day, draw)
        self._write_events(events, first_day)
        self.month_ends.note(state.loans, month.collected, t)

    def _write_transactions(self, rows: Bookings, first_day: np.datetime64, draw: Draw) -> None:
        number = self.next_transaction + np.arange(len(rows.customer))
        self.next_transaction += len(number)
        booked = first_day.astype("datetime64[us]") + rows.second.astype("timedelta64[s]")
        known = booked + late_seconds(len(number), draw(Stream.FAULTS)).astype("timedelta64[s]")
        kept = known <= self.calendar.month_end(self.calendar.total - 1)  # what has not arrived is not in the book
        self.writers["transactions"].write(
            {
                "transaction_id": ids("T", number[kept], 10),
                "customer_id": customer_ids(rows.customer[kept]),
                "account_id": ids("A", rows.customer[kept] + 1, 7),
                "booked_at": stamps(booked[kept]),
                "amount": money(rows.amount[kept]),
                "channel": words(rows.channel[kept], CHANNELS),
                "category": words(rows.category[kept], CATEGORIES),
                "counterparty_id": words(rows.counterparty[kept], COUNTERPARTIES),
                "balance_after": money(rows.balance[kept]),
                "known_at": stamps(known[kept]),
            }
        )

    def _write_events(self, rows: Happenings, first_day: np.datetime64) -> None:
        number = self.next_event + np.arange(len(rows.customer))
        self.next_event += len(number)
        moment = first_day.astype("datetime64[us]") + rows.second.astype("timedelta64[s]")
        self.writers["events"].write(
            {
                "event_id": ids("V", number, 9),
                "customer_id": customer_ids(rows.customer),
                "occurred_at": stamps(moment),
                "kind": words(rows.kind, EVENT_KINDS),
                "detail": words(rows.detail, DETAILS),
                "known_at": stamps(moment),
            }
        )
