"""One block of customers, lived month by month and written as it happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from workbench.book.schema import TABLES
from workbench.book.simulation.economy import Economy
from workbench.book.simulation.month.payments import PaymentKind
from workbench.book.simulation.month.step import Month, World, month_step
from workbench.book.simulation.population import draw_population
from workbench.book.simulation.state import State, first_state
from workbench.book.simulation.story import Story
from workbench.book.simulation.truth.followed import Followed, follow
from workbench.book.simulation.truth.hidden import latent_columns, trait_columns
from workbench.book.simulation.truth.labels import Labels
from workbench.book.simulation.truth.schemas import SCHEMAS
from workbench.book.simulation.world import BURN_IN_MONTHS, Block, Calendar, Draw, Ints, Stream, draws
from workbench.book.simulation.writing.applications import application_columns, bureau_columns
from workbench.book.simulation.writing.arrow import TableWriter, block_ids, customer_ids, ids, money, stamps, words
from workbench.book.simulation.writing.customers import Register, customer_columns
from workbench.book.simulation.writing.events import DETAILS, EVENT_KINDS, Happenings, month_events
from workbench.book.simulation.writing.faults import draw_customer_faults, draw_payment_faults, late_bookings
from workbench.book.simulation.writing.loans import (
    LoanLog,
    MonthEnds,
    Schedules,
    payment_columns,
    restructuring_columns,
)
from workbench.book.simulation.writing.transactions import (
    CARD_PAYMENT,
    CATEGORIES,
    CHANNELS,
    COUNTERPARTIES,
    Bookings,
    month_bookings,
    opening_balance,
)

WRITTEN_TABLES = (
    "customers", "loans", "instalments", "payments", "restructurings", "performance", "transactions", "events",
    "applications", "bureau",
)  # fmt: skip


def file_name(table: str, block: int) -> str:
    """Return the name of a table's file: that of the first block, then one more for each block."""
    return f"{table}.parquet" if block == 0 else f"{table}+{block:04d}.parquet"


def write_block(
    out: Path, block: Block, calendar: Calendar, economy: Economy, story: Story, seed: int,
    *, on_month: Callable[[], None],
) -> dict[str, int]:  # fmt: skip
    """Live the lives of a block's customers and write its part of each table; return the rows by table."""
    first_draw = draws(seed, 0, block=block.number)
    population = draw_population(block, calendar, story, first_draw)
    world = World(population, economy, calendar, story)
    state = first_state(population, first_draw)
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(TableWriter(out / file_name(name, block.number), TABLES[name].arrow_schema()))
            for name in WRITTEN_TABLES
        }
        truth = {
            name: stack.enter_context(TableWriter(out / "truth" / file_name(name, block.number), schema))
            for name, schema in SCHEMAS.items()
            if name != "economy"
        }
        clerk = _Clerk(world, block, seed, writers, state)
        before: State | None = None
        for t in range(calendar.total):
            last, draw = state, draws(seed, t + 1, block=block.number)
            state, month = month_step(state, world, t, draw)
            clerk.write_month(last, state, month, draw)
            if before is not None and t > BURN_IN_MONTHS:
                truth["latent"].write(latent_columns(before, population, t - 1, calendar, state.worst_dpd()))
            before = state
            on_month()
        truth["latent"].write(latent_columns(state, population, calendar.total - 1, calendar, None))
        clerk.write_rest(state, first_draw)
        labels = clerk.labels
        truth["customers"].write(trait_columns(population, calendar))
        truth["episodes"].write(labels.episode_columns())
        truth["defaults"].write(labels.default_columns())
        truth["incidents"].write(labels.incident_columns())
        truth["applications"].write(labels.application_columns(follow(replace(world, overrule=True), seed, block)))
        truth["treatments"].write(labels.treatment_columns(follow(replace(world, flip=True), seed, block)))
    return {name: writer.rows for name, writer in writers.items()}


class _Clerk:
    """Writes each month as it happens and keeps what is written at the end."""

    def __init__(self, world: World, block: Block, seed: int, writers: dict[str, TableWriter], first: State) -> None:
        self.world, self.block, self.seed, self.writers = world, block, seed, writers
        self.population, self.calendar, self.dirt = world.population, world.calendar, world.story.dirt
        self.register = Register.empty(first)
        self.log, self.schedules, self.month_ends = LoanLog(), Schedules(), MonthEnds()
        followed = Followed.empty(self.calendar.total, block.size)
        self.labels = Labels(self.population, self.calendar, block.number, followed)
        self.balance = np.zeros(block.size, np.int64)
        self.payments = self.transactions = self.events = self.applications = 0
        self.end = self.calendar.month_end(self.calendar.total - 1)

    def write_month(self, before: State, state: State, month: Month, draw: Draw) -> None:
        t, calendar, population = month.t, self.calendar, self.population
        first_day = calendar.first_day(t)
        self.log.note(state.loans, month)
        self.schedules.note(state.loans, month)
        self.month_ends.note(state.loans, month.collected, t)
        self.labels.note(state, month, self.applications)
        self.register.note(state, month.flows.raised, population.since_t == t, first_day, draw)
        faults_rng = draw(Stream.FAULTS)
        paid = month.collected.payments
        faults = draw_payment_faults(paid.kind, PaymentKind.SCHEDULED, faults_rng, dirt=self.dirt)
        columns = payment_columns(month.collected, self.payments, first_day, faults, self.block.number)
        self.writers["payments"].write(columns, until=self.end)
        self.payments += len(paid.loan)
        self.writers["restructurings"].write(restructuring_columns(month, calendar, self.block.number))
        rng = draw(Stream.TRANSACTIONS)
        if t == BURN_IN_MONTHS - 1:
            self.balance = opening_balance(state, population, rng)
        if t < BURN_IN_MONTHS:
            return
        rows = month.applications
        self.writers["applications"].write(
            application_columns(rows, self.applications, population, t, calendar, self.block.number)
        )
        self.applications += len(rows.customer)
        reports = bureau_columns(before, population, t, calendar, draw)
        if reports is not None:
            self.writers["bureau"].write(reports)
        days = calendar.length(t)
        bookings = month_bookings(state, population, month, self.balance, days, rng)
        events = month_events(state, population, month, days, draw(Stream.EVENTS))
        self.register.note_events(events)
        self._write_transactions(bookings, month, first_day, faults_rng)
        self._write_events(events, first_day)

    def write_rest(self, last: State, draw: Draw) -> None:
        """Write what is known only at the end, or kept till then."""
        loans, calendar, number = last.loans, self.calendar, self.block.number
        self.writers["loans"].write(self.log.columns(loans, self.population, calendar, number))
        self.writers["instalments"].write(self.schedules.columns(loans, calendar, number))
        self.writers["performance"].write(self.month_ends.columns(loans, calendar, number))
        faults = draw_customer_faults(self.block.size, draw, dirt=self.dirt)
        self.writers["customers"].write(
            customer_columns(
                self.population, last, self.register, faults, self.block, calendar, self.world.story,
                self.seed, draw,
            )
        )  # fmt: skip

    def _write_transactions(
        self, rows: Bookings, month: Month, first_day: np.datetime64, rng: np.random.Generator
    ) -> None:
        kept = self.population.joined_by(month.t)[rows.customer]
        if self.world.story.feed_is_broken(month.t):
            kept &= rows.channel != CARD_PAYMENT
        rows = rows.taken(kept)
        n = len(rows.customer)
        number = self.transactions + np.arange(n)
        self.transactions += n
        booked = first_day.astype("datetime64[us]") + rows.second.astype("timedelta64[s]")
        wait = late_bookings(n, rng, dirt=self.dirt)
        self.writers["transactions"].write(
            {
                "transaction_id": block_ids("T", self.block.number, number, 8),
                "customer_id": customer_ids(self.population.first + rows.customer),
                "account_id": ids("A", self.population.first + rows.customer + 1, 7),
                "booked_at": stamps(booked),
                "amount": money(rows.amount),
                "channel": words(rows.channel, CHANNELS),
                "category": words(rows.category, CATEGORIES),
                "counterparty_id": words(rows.counterparty, COUNTERPARTIES),
                "balance_after": money(rows.balance),
                "known_at": stamps(booked + wait.astype("timedelta64[s]")),
            },
            until=self.end,
        )

    def _write_events(self, rows: Happenings, first_day: np.datetime64) -> None:
        number: Ints = self.events + np.arange(len(rows.customer))
        self.events += len(number)
        moment = first_day.astype("datetime64[us]") + rows.second.astype("timedelta64[s]")
        self.writers["events"].write(
            {
                "event_id": block_ids("V", self.block.number, number, 8),
                "customer_id": customer_ids(self.population.first + rows.customer),
                "occurred_at": stamps(moment),
                "kind": words(rows.kind, EVENT_KINDS),
                "detail": words(rows.detail, DETAILS),
                "known_at": stamps(moment),
            }
        )
