"""The month step: nothing drawn but causes, every cent kept, nothing known of a later month."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.book.comparison import read_thresholds
from tests.book.slow_dpd import slow_performance
from workbench.book.performance import performance
from workbench.book.simulation import Story, story
from workbench.book.simulation.month.payments import PaymentKind
from workbench.book.simulation.month.step import month_step
from workbench.book.simulation.month.treatments import PAYMENT_HOLIDAY, TERM_EXTENSION
from workbench.book.simulation.state import CARD, DECLARED_NOISE, OPEN, WRITTEN_OFF, State
from workbench.book.simulation.world import BURN_IN_MONTHS, Stream, draws
from workbench.book.simulation.writing.arrow import loan_ids
from workbench.book.simulation.writing.transactions import CATEGORY, WORKING_BALANCE, month_bookings, opening_balance

from .conftest import Written
from .lender import PROJECT, open_lender
from .lives import Lived, customer_values, last_state, live, loan_rows, world_of

DPD_MONTHS = (9, 26, 42)
"""Written months of the plain lender at whose ends days past due are computed four times over."""


@pytest.fixture(scope="module")
def lived() -> list[Lived]:
    """Return four years of 500 customers, burn-in and downturn included."""
    world, _block = world_of(500, months=40, seed=5, story=Story())
    return list(live(world, seed=5))


# days past due


@pytest.fixture(scope="module")
def stepped(plain: Written) -> dict[date, dict[str, int]]:
    """Return days past due by month end and open loan, as the month step left them."""
    wanted, found = {BURN_IN_MONTHS + month - 1 for month in DPD_MONTHS}, {}
    for t, _before, state, _month in live(plain.world(), seed=plain.seed):
        if t in wanted:
            names = loan_ids(0, np.arange(state.loans.size)).to_pylist()
            rows = zip(names, state.loans.dpd.tolist(), state.loans.status.tolist(), strict=True)
            day = plain.world().calendar.last_day(t).astype(object)
            found[day] = {name: dpd for name, dpd, status in rows if status == OPEN}
    return found


def known_by(plain: Written, day: date, folder: Path) -> None:
    """Write what was known at the end of a day."""
    for name in ("customers", "loans", "instalments", "payments", "restructurings", "performance"):
        plain.sql.execute(
            f"copy (from {name} where known_at < '{day + timedelta(days=1)}') to '{folder / name}.parquet' (format parquet)"
        )


def test_the_compared_loans_show_what_could_go_wrong(plain: Written, stepped: dict[date, dict[str, int]]) -> None:
    last = max(stepped)
    late = [dpd for rows in stepped.values() for dpd in rows.values() if dpd > 0]
    assert len(late) > 60
    assert max(late) >= 90
    for query in (
        "loan join restructured using (loan_id) where distressed",
        "loan join restructured using (loan_id) where not distressed",
        "(select loan_id from instalments group by 1 having max(schedule_version) > 1) anti join restructured using (loan_id)",
        "payments where kind = 'reversal'",
        "(select loan_id from loans where credit_limit is not null group by 1 having count(distinct credit_limit) > 1)",
    ):
        assert plain.sql.execute(f"select count(*) from {query}").fetchall()[0][0] > 2, query
    assert last == plain.sql.execute("select last_day from span").fetchall()[0][0]


def test_days_past_due_equal_the_workbenchs_own(plain: Written, stepped: dict[date, dict[str, int]]) -> None:
    for day, expected in stepped.items():
        rows: Any = performance(plain.book, as_of=day)
        found = rows.filter(rows.open).select("loan_id", "dpd").to_pyarrow().to_pydict()
        assert dict(zip(found["loan_id"], found["dpd"], strict=True)) == expected, day


def test_days_past_due_equal_those_of_a_query_on_the_files(
    plain: Written, stepped: dict[date, dict[str, int]], tmp_path: Path
) -> None:
    for day, expected in stepped.items():
        folder = tmp_path / str(day)
        folder.mkdir()
        known_by(plain, day, folder)
        with open_lender(folder) as sql:
            rows = f"select loan_id, dpd from loan_month where month_end = '{day}' and status = 'open'"
            assert dict(sql.execute(rows).fetchall()) == expected, day


def test_days_past_due_equal_the_slow_reference(plain: Written, stepped: dict[date, dict[str, int]]) -> None:
    day = sorted(stepped)[1]
    thresholds = read_thresholds(PROJECT / "params" / "definitions.yaml")
    tables = {}
    for name in ("loans", "instalments", "payments"):
        known = plain.sql.sql(f"from {name} where known_at < '{day + timedelta(days=1)}'")
        tables[name] = [dict(zip(known.columns, row, strict=True)) for row in known.fetchall()]
    found = slow_performance(tables, as_of=day, days=[day], zone="UTC", thresholds=thresholds)
    assert {loan: dpd for (loan, _day), (dpd, _arrears) in found.items() if loan in stepped[day]} == stepped[day]


def test_a_loan_is_written_off_at_the_first_month_end_of_180_days(lived: list[Lived]) -> None:
    lost = 0
    for t, _before, state, _month in lived:
        loans = state.loans
        now = (loans.status == WRITTEN_OFF) & (loans.closed_t == t)
        assert (loans.dpd[now] >= 180).all()
        assert (loans.dpd[loans.is_open] < 180).all()
        lost += int(now.sum())
    assert lost > 10


# money


def test_bookings_add_up_to_the_change_of_cash(lived: list[Lived]) -> None:
    world, _block = world_of(500, months=40, seed=5, story=Story())
    population, calendar = world.population, world.calendar
    whole = ~population.hidden & ~population.saves_elsewhere
    balance = np.zeros(500, np.int64)
    kinds: set[int] = set()
    for t, _before, state, month in lived:
        rng = draws(5, t + 1)(Stream.TRANSACTIONS)
        if t == BURN_IN_MONTHS - 1:
            balance = opening_balance(state, population, rng)
        if t < BURN_IN_MONTHS:
            continue
        start = balance.copy()
        rows = month_bookings(state, population, month, balance, calendar.length(t), rng)
        assert np.array_equal(balance, start + np.bincount(rows.customer, rows.amount, 500).astype(np.int64))
        assert np.array_equal(balance[whole], state.cash[whole])
        here = population.saves_elsewhere
        working = np.minimum(state.cash, np.rint(WORKING_BALANCE * state.income * 100).astype(np.int64))
        assert np.array_equal(balance[here], working[here])

        paid = month.collected.payments
        own = ~paid.external
        booked = rows.category == CATEGORY["loan_payment"]
        ours = sorted(zip(state.loans.customer[paid.loan[own]], paid.second[own], -paid.amount[own], strict=True))
        assert ours == sorted(zip(rows.customer[booked], rows.second[booked], rows.amount[booked], strict=True))
        kinds |= set(paid.kind[paid.external].tolist())
    assert kinds == {PaymentKind.SCHEDULED, PaymentKind.PREPAYMENT, PaymentKind.RECOVERY}


def test_balance_is_principal_not_yet_due_and_arrears(lived: list[Lived]) -> None:
    restructured = recast = 0
    for _t, _before, state, month in lived:
        loans, paid = state.loans, month.collected.payments
        early = paid.kind == PaymentKind.PREPAYMENT
        part = np.bincount(paid.loan[early], paid.amount[early], loans.size).astype(
            np.int64
        )  # recast in the next month
        live_term = loans.is_open & (loans.product != CARD)
        expected = loans.schedule_balance + loans.arrears - part
        assert np.array_equal(loans.balance[live_term], expected[live_term])
        assert (loans.balance[loans.product != CARD] >= 0).all()
        assert (
            loans.balance[(loans.product == CARD) & loans.is_open]
            >= loans.arrears[(loans.product == CARD) & loans.is_open]
        ).all()
        restructured += len(month.treatments.restructured)
        recast += int(month.treatments.rescheduled.sum()) - len(month.treatments.restructured)
    assert restructured > 10
    assert recast > 10


def test_a_schedule_ends_at_zero(lived: list[Lived]) -> None:
    loans = lived[-1].state.loans
    checked = 0
    for at in np.flatnonzero((loans.product != CARD) & (loans.status == OPEN)):
        owed, dues = int(loans.schedule_balance[at]), int(loans.term[at] - loans.dues[at])
        for k in range(dues):
            due = loans.last_instalment[at] if k == dues - 1 else loans.instalment[at]
            owed += round(owed * loans.rate[at] / 12) - int(due)
        assert owed == 0, at
        checked += dues > 0
    assert checked > 50


def test_what_was_paid_was_owed(lived: list[Lived]) -> None:
    """Cumulative dues less cumulative payments move with the month's dues and scheduled payments, and with nothing else."""
    for _t, before, state, month in lived:
        m, loans, paid = before.loans.size, state.loans, month.collected.payments
        counts = (paid.kind == PaymentKind.SCHEDULED) | (paid.kind == PaymentKind.REVERSAL)
        scheduled = np.bincount(paid.loan[counts], paid.amount[counts], loans.size).astype(np.int64)
        assert np.array_equal(loans.paid_sum[:m] - before.loans.paid_sum, scheduled[:m])
        assert np.array_equal(loans.due_sum[:m] - before.loans.due_sum, month.collected.due[:m])
        assert not scheduled[m:].any()  # nothing is due in the month of opening
        closed = before.loans.status != OPEN
        touched = np.zeros(loans.size, np.bool_)
        touched[paid.loan[paid.kind != PaymentKind.RECOVERY]] = True
        assert not touched[:m][closed].any()
        assert (loans.status[paid.loan[paid.kind == PaymentKind.RECOVERY]] == WRITTEN_OFF).all()


def test_a_term_extension_settles_the_arrears_and_a_holiday_leaves_them(lived: list[Lived]) -> None:
    extended = holidays = 0
    for _t, before, _state, month in lived:
        treated = month.treatments
        for at, kind in zip(treated.restructured, treated.restructuring_kind, strict=True):
            arrears = before.loans.arrears[at]
            assert treated.settled[at] == (max(arrears, 0) if kind == TERM_EXTENSION else 0)
            assert month.collected.due[at] == 0
            extended += kind == TERM_EXTENSION
            holidays += kind == PAYMENT_HOLIDAY
    assert extended > 5
    assert holidays > 0


# forward only


def test_the_step_leaves_the_given_state_as_it_was() -> None:
    world, _block = world_of(200, months=3, seed=5, story=Story())
    state = last_state(world, seed=5, until=1)
    before, t = state.copied(), BURN_IN_MONTHS + 1
    first, _ = month_step(state, world, t, draws(5, t + 1))
    again, _ = month_step(state, world, t, draws(5, t + 1))
    other, _ = month_step(state, world, t, draws(5, t + 1, branch=0))
    for name, value in customer_values(state).items():
        assert np.array_equal(value, customer_values(before)[name]), name
        assert np.array_equal(customer_values(first)[name], customer_values(again)[name]), name
    assert loan_rows(state) == loan_rows(before)
    assert loan_rows(first) == loan_rows(again)
    assert not np.array_equal(first.cash, other.cash)


@pytest.fixture(scope="module")
def usual() -> list[State]:
    """Return the states of 250 customers at the ends of 60 written months with the default story."""
    world, _block = world_of(250, months=60, seed=8, story=Story())
    return [month.state for month in live(world, seed=8)][BURN_IN_MONTHS:]


@pytest.mark.parametrize("months", [11, 12, 30])
def test_the_length_of_the_book_changes_no_state(months: int, usual: list[State]) -> None:
    world, _block = world_of(250, months=months, seed=8, story=Story())
    same(last_state(world, seed=8), usual[months - 1])


@pytest.mark.parametrize(
    ("switches", "last"),
    [
        ("loose_vintage=off", story.LOOSE_MONTHS[0] - 1),
        ("downturn=off", story.DOWNTURN_MONTHS[0]),
        ("limit_cut=off", story.CUT_MONTHS[0] - 1),
        ("limit_cut=harmful", story.CUT_MONTHS[0] - 1),
        ("concept_drift=on", story.DRIFT_FROM_MONTH - 1),
    ],
)
def test_what_happens_later_changes_no_state_before(switches: str, last: int, usual: list[State]) -> None:
    world, _block = world_of(250, months=60, seed=8, story=Story().switched([switches]))
    states = [month.state for month in live(world, seed=8, until=last + 8)][BURN_IN_MONTHS:]
    same(states[last - 1], usual[last - 1])
    assert not np.array_equal(states[last + 7].cash, usual[last + 7].cash)  # the switch does something, after


def test_faults_of_the_records_change_no_state(usual: list[State]) -> None:
    told = Story().switched(["dirt=off", "broken_feed=on", "changed_unit=on"])
    world, _block = world_of(250, months=60, seed=8, story=told)
    last = story.UNIT_FROM_MONTH + 5
    same(last_state(world, seed=8, until=last), usual[last - 1])


def test_who_joins_declares_the_income_of_that_month() -> None:
    world, _block = world_of(1_000, months=40, seed=8, story=Story())
    ratios = []
    for t, _before, state, _month in live(world, seed=8):
        joins = world.population.since_t == t
        ratios.append(np.log(state.declared[joins] / state.income[joins]))
    ratio = np.concatenate(ratios)
    assert len(ratio) > 200
    assert abs(ratio.mean()) < 4 * DECLARED_NOISE / np.sqrt(len(ratio))
    assert np.abs(ratio).max() < 5 * DECLARED_NOISE


def test_a_shift_of_mix_changes_nobody_who_joins_before(usual: list[State]) -> None:
    world, _block = world_of(250, months=60, seed=8, story=Story(mix_shift=False))
    state = last_state(world, seed=8)
    early = np.flatnonzero(world.population.since_t < BURN_IN_MONTHS + story.SHIFTED_FROM_MONTH - 1)
    late = np.setdiff1d(np.arange(250), early)
    same(state, usual[-1], who=early)
    assert not np.array_equal(state.income[late], usual[-1].income[late])


def same(one: State, other: State, *, who: np.ndarray | None = None) -> None:
    """Fail where two states differ in anything they say of the customers `who`, by default of all."""
    at = np.arange(len(one.cash)) if who is None else who
    for name, value in customer_values(one).items():
        assert np.array_equal(value[at], customer_values(other)[name][at]), name
    kept = set(at.tolist())
    loans = [{key: row for key, row in loan_rows(state).items() if key[0] in kept} for state in (one, other)]
    assert loans[0] == loans[1]
    assert len(loans[0]) > 20
