"""Causes, labels and what would have been, of one block."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from workbench.book.simulation.month.applications import ACCEPTED, DECISION_WORDS, DECLINED, Applications
from workbench.book.simulation.month.step import Month
from workbench.book.simulation.month.stress import CALM, STRESS_KINDS, SUDDEN_INCOME
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import BAD_DPD, PATHS, WRITTEN_OFF, State
from workbench.book.simulation.story import TREATMENTS
from workbench.book.simulation.truth.followed import LOST, WINDOW_MONTHS, Followed, is_bad
from workbench.book.simulation.world import BURN_IN_MONTHS, Bools, Calendar, Days, Ints, cents
from workbench.book.simulation.writing.arrow import (
    block_ids,
    customer_ids,
    dates,
    integers,
    loan_ids,
    words,
)

INCIDENT_KINDS = (
    "account_takeover", "sudden_large_debit", "income_loss", "hidden_borrowing",
    "bonus", "travel", "large_purchase", "new_phone", "house_purchase",
)  # fmt: skip
HARMFUL_KINDS = 4
"""The first so many are harmful, the others look like them."""
INCOME_LOSS = INCIDENT_KINDS.index("income_loss")
_LASTS_DAYS = (3, 0, -1, 730, 0, 5, 0, 2, 0)  # -1: as long as the stress lasts
AFTER_MONTHS = 6
"""A default belongs to an episode of stress until so many months after its end."""


@dataclass
class Labels:
    """Causes and labels of one block, kept month by month and written at the end."""

    population: Population
    calendar: Calendar
    block: int
    followed: Followed
    arrears_t: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    episodes: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)  # customer, kind, t
    ends: list[tuple[Ints, Ints]] = field(default_factory=list)  # customer, t
    defaults: list[tuple[Ints, ...]] = field(default_factory=list)  # loan, customer, t, path, arrears t, stress kind
    defaulted: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    incidents: list[tuple[Ints, ...]] = field(default_factory=list)  # customer, kind, t, day, amount, income
    applications: list[tuple[int, int, Applications]] = field(default_factory=list)  # t, first number

    def note(self, state: State, month: Month, first_number: int) -> None:
        """Keep what a month showed; `first_number` is that of its first application."""
        t, loans = month.t, state.loans
        self.followed.note(state, month)
        began, ended = np.flatnonzero(month.began), np.flatnonzero(month.ended)
        self.episodes.append((began, state.stress_kind[began], np.full(len(began), t)))
        self.ends.append((ended, np.full(len(ended), t)))
        arrears_t, known = np.full(loans.size, t), np.zeros(loans.size, np.bool_)
        arrears_t[: len(self.arrears_t)] = self.arrears_t
        known[: len(self.defaulted)] = self.defaulted
        self.arrears_t = np.where(loans.dpd > 0, arrears_t, t + 1)
        lost = (loans.status == WRITTEN_OFF) & (loans.closed_t == t)
        falls = ((loans.is_open & (loans.dpd >= BAD_DPD)) | lost) & ~known
        self.defaulted = known | falls
        at = np.flatnonzero(falls)
        who = loans.customer[at]
        self.defaults.append((at, who, np.full(len(at), t), loans.path[at], self.arrears_t[at], state.stress_kind[who]))
        if t < BURN_IN_MONTHS:
            return
        self.applications.append((t, first_number, month.applications))
        self._note_incidents(state, month)

    def _note_incidents(self, state: State, month: Month) -> None:
        flows, joined = month.flows, self.population.joined_by(month.t)
        lost = month.began & (state.stress_kind == SUDDEN_INCOME)
        happened = (
            flows.takeover, flows.big_debit, np.where(lost, cents(state.income), 0), flows.other_loan,
            flows.bonus, flows.travel, flows.purchase, flows.phone, flows.house,
        )  # fmt: skip
        for code, amount in enumerate(happened):
            who = np.flatnonzero((amount > 0) & joined)
            day = np.ones(len(who), np.int64) if code == INCOME_LOSS else month.incidents.day[who]
            self.incidents.append(
                (who, np.full(len(who), code), np.full(len(who), month.t), day, amount[who], cents(state.income[who]))
            )

    def episode_columns(self) -> dict[str, pa.Array]:
        """Return the episodes of stress of customers that began in the written months."""
        who, kind, t = (np.concatenate(column) for column in zip(*self.episodes, strict=True))
        order = np.lexsort((t, who))
        who, kind, t = who[order], kind[order], t[order]
        end_who, end_t = (np.concatenate(column) for column in zip(*self.ends, strict=True))
        order = np.lexsort((end_t, end_who))
        # an episode ends before the next of its customer begins: the k-th end is that of the k-th beginning
        number = np.arange(len(who)) - np.searchsorted(who, who)
        place = np.searchsorted(end_who[order], who) + number
        over = place < np.searchsorted(end_who[order], who, side="right")
        ended = np.where(
            over, end_t[order][np.minimum(place, len(order) - 1)] if len(order) else 0, self.calendar.total
        )
        joined = self.calendar.first_days(np.minimum(ended + 1, self.calendar.total)) > self.population.since[who]
        keep = (t >= BURN_IN_MONTHS) & joined
        who, kind, t, ended, over = who[keep], kind[keep], t[keep], ended[keep], over[keep]
        worst = _worst_until(self.followed, t, ended + AFTER_MONTHS, who)
        ends_on = self.calendar.first_days(ended + 1) - np.timedelta64(1, "D")
        return {
            "customer_id": customer_ids(self.population.first + who),
            "kind": words(kind, STRESS_KINDS),
            "began": dates(self.calendar.first_days(t)),
            "ended": dates(ends_on, missing=~over),
            "worst_dpd": integers(worst),
            "defaulted": pa.array(is_bad(worst), mask=self._bad_already(who, t)),
        }

    def _bad_already(self, who: Ints, t: Ints) -> Bools:
        """Return who was bad before month `t`, so that what came after says nothing about that month."""
        return is_bad(self.followed.worst[t - 1, who].astype(np.int64))

    def default_columns(self) -> dict[str, pa.Array]:
        """Return each loan's first time at 90 days past due, by loan."""
        at, who, t, path, since, kind = (np.concatenate(column) for column in zip(*self.defaults, strict=True))
        keep = t >= BURN_IN_MONTHS
        order = np.argsort(at[keep], kind="stable")
        at, who, t, path, since, kind = (x[keep][order] for x in (at, who, t, path, since, kind))
        return {
            "loan_id": loan_ids(self.block, at),
            "customer_id": customer_ids(self.population.first + who),
            "month_end": dates(self._last_days(t)),
            "path": words(path, PATHS),
            "arrears_since": dates(self._last_days(np.minimum(since, t))),
            "episode_kind": words(np.where(kind == CALM, -1, kind), STRESS_KINDS),
        }

    def incident_columns(self) -> dict[str, pa.Array]:
        """Return incidents and look-alikes, by start, customer and kind."""
        who, kind, t, day, amount, income = (np.concatenate(column) for column in zip(*self.incidents, strict=True))
        order = np.lexsort((kind, who, day, t))
        who, kind, t, day, amount, income = (x[order] for x in (who, kind, t, day, amount, income))
        start = self.calendar.moments(t, day).astype("datetime64[D]")
        end = start + np.array(_LASTS_DAYS)[kind].astype("timedelta64[D]")
        lost = kind == INCOME_LOSS
        end[lost] = self._ends_of_stress(who[lost], t[lost])
        bad = is_bad(self.followed.worst_within(t, who, WINDOW_MONTHS + 1))
        open_end: Bools = np.isnat(end) | (end > self.calendar.last_day(self.calendar.total - 1))
        return {
            "incident_id": block_ids("I", self.block, np.arange(len(who)), 6),
            "customer_id": customer_ids(self.population.first + who),
            "kind": words(kind, INCIDENT_KINDS),
            "start": dates(start),
            "end": dates(end, missing=open_end),
            "harmful": pa.array(kind < HARMFUL_KINDS),
            "visible": pa.array(~self.population.hidden[who]),
            "amount": pa.array(amount / 100),
            "monthly_income": pa.array(income / 100),
            "defaulted_12m": pa.array(bad, mask=(t + WINDOW_MONTHS >= self.calendar.total) | self._bad_already(who, t)),
        }

    def application_columns(self, granted: Followed) -> dict[str, pa.Array]:
        """Return what the policy saw, and outcomes: of the granted as they were, of the declined in the world `granted`."""
        numbers = np.concatenate([first + np.arange(len(rows.customer)) for _, first, rows in self.applications])
        t = np.concatenate([np.full(len(rows.customer), t) for t, _, rows in self.applications])
        columns = ("customer", "day", "decision", "hidden_score", "loan")
        who, day, decision, hidden, loan = (
            np.concatenate([getattr(rows, name) for _, _, rows in self.applications]) for name in columns
        )
        taken = decision == ACCEPTED
        other = np.full(self.population.size, -1)  # the loan each customer got in the other world, against the policy
        for customer, position in granted.overruled:
            other[customer] = position
        first_no = (decision == DECLINED) & (other[who] >= 0) & ~_seen_before(who, decision == DECLINED)
        worst = np.zeros(len(who), np.int64)
        worst[taken] = self.followed.loan_worst[loan[taken]]
        worst[first_no] = granted.loan_worst[other[who[first_no]]]
        kind = np.select([taken, first_no], [0, 1], -1)
        nothing = kind < 0
        return {
            "application_id": block_ids("Q", self.block, numbers, 7),
            "customer_id": customer_ids(self.population.first + who),
            "applied_on": dates(self.calendar.moments(t, day)),
            "decision": words(decision, DECISION_WORDS),
            "loan_id": loan_ids(self.block, loan, missing=~taken),
            "hidden_score": pa.array(hidden),
            "outcome_kind": words(kind, ("observed", "counterfactual")),
            "worst_dpd_12m": integers(np.minimum(worst, LOST), missing=nothing),
            "bad_12m": pa.array(is_bad(worst), mask=nothing),
            "months_seen": integers(np.minimum(self.calendar.total - 1 - t, WINDOW_MONTHS)),
        }

    def treatment_columns(self, flipped: Followed) -> dict[str, pa.Array]:
        """Return each customer's first decision on the followed treatment, and what came of it in both worlds."""
        rows = [(t, made) for t, made in self.followed.decisions if t >= BURN_IN_MONTHS]
        if not rows:
            empty = np.zeros(0, np.int64)
            who, kind, t, treated = empty, empty, empty, empty.astype(np.bool_)
        else:
            t = np.concatenate([np.full(len(made.customer), t) for t, made in rows])
            who = np.concatenate([made.customer for _, made in rows])
            kind = np.concatenate([made.kind for _, made in rows])
            treated = np.concatenate([made.treated for _, made in rows])
        here, there = self.followed.worst_within(t, who), flipped.worst_within(t, who)
        return {
            "customer_id": customer_ids(self.population.first + who),
            "decided_on": dates(self.calendar.first_days(t)),
            "kind": words(kind, TREATMENTS),
            "treated": pa.array(treated),
            "worst_dpd_12m": integers(here),
            "worst_dpd_12m_otherwise": integers(there),
            "bad_12m": pa.array(is_bad(here)),
            "bad_12m_otherwise": pa.array(is_bad(there)),
            "complete": pa.array(t + WINDOW_MONTHS <= self.calendar.total),
        }

    def _last_days(self, t: Ints) -> Days:
        return self.calendar.first_days(t + 1) - np.timedelta64(1, "D")

    def _ends_of_stress(self, who: Ints, t: Ints) -> Days:
        """Last day of the month in which the stress that began in `t` ended; NaT where it goes on."""
        end_who, end_t = (np.concatenate(column) for column in zip(*self.ends, strict=True))
        span = self.calendar.total + 1
        keys = np.sort(end_who * span + end_t)
        place = np.searchsorted(keys, who * span + t)
        found = keys[np.minimum(place, len(keys) - 1)] if len(keys) else np.full(len(who), -1)
        over = (place < len(keys)) & (found // span == who)
        days = self._last_days(np.where(over, found % span, 0))
        return np.where(over, days, np.datetime64("NaT", "D"))


def _worst_until(followed: Followed, t: Ints, until: Ints, who: Ints) -> Ints:
    """Return the worst of the months from `t` to `until`, both counted, as far as there are any."""
    total = len(followed.worst)
    worst = np.zeros(len(who), np.int64)
    for step in range(total):
        at = t + step
        within = at <= np.minimum(until, total - 1)
        if not within.any():
            break
        worst[within] = np.maximum(worst[within], followed.worst[at[within], who[within]])
    return worst


def _seen_before(who: Ints, mask: Bools) -> Bools:
    """Return where a customer's row in `mask` is not the first such row."""
    rows = np.flatnonzero(mask)
    _, first = np.unique(who[rows], return_index=True)
    seen = np.ones(len(who), np.bool_)
    seen[rows[first]] = False
    return seen
