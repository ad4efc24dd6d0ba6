"""The simulated lender: its tables, its money, its arrow of time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from workbench.book.simulation.ceiling import at_risk, replay
from workbench.book.simulation.repayment import DPD_THRESHOLD_CENTS, DPD_THRESHOLD_SHARE
from workbench.book.simulation.step import month_step
from workbench.book.simulation.transactions import month_bookings, opening_balance

from workbench.book.schema import TABLES
from workbench.book.simulation import SimulatedBook, simulate, true_pd
from workbench.book.simulation.run import WRITTEN_TABLES
from workbench.book.simulation.state import CARD
from workbench.book.simulation.world import BURN_IN_MONTHS, Calendar, Stream, draws
from workbench.core.errors import InputError

CUSTOMERS, MONTHS, SEED, START = 600, 16, 11, date(2023, 1, 1)
END = "2024-04-30 23:59:59"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulated")


@pytest.fixture(scope="module")
def book(folder: Path) -> SimulatedBook:
    return simulate(folder, customers=CUSTOMERS, months=MONTHS, seed=SEED, start=START)


@pytest.fixture(scope="module")
def sql(folder: Path, book: SimulatedBook) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for name in (*book.rows, "truth/incidents", "truth/latent"):
            path = folder / f"{name}.parquet"
            connection.execute(f"create view {Path(name).name} as from read_parquet('{path}')")
        yield connection


def one(sql: duckdb.DuckDBPyConnection, query: str) -> tuple:
    row = sql.execute(query).fetchone()
    assert row is not None
    return row


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate(tmp_path / name, customers=120, months=3, seed=seed)
    first, again, other = (digests(tmp_path / name) for name in "abc")
    assert len(first) == len(WRITTEN_TABLES) + 2
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_what_is_returned(book: SimulatedBook, folder: Path) -> None:
    assert (book.first_day, book.last_day) == (START, date(2024, 4, 30))
    assert (book.time_zone, book.currency) == ("UTC", "EUR")
    assert book.rows == {name: pq.read_metadata(folder / f"{name}.parquet").num_rows for name in WRITTEN_TABLES}
    assert all(count > 0 for count in book.rows.values())
    assert set(book.current_only) <= {column.name for column in TABLES["customers"].columns}


def test_progress_counts_up_to_all_months(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulate(tmp_path, customers=50, months=2, on_month=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, BURN_IN_MONTHS + 2) for i in range(BURN_IN_MONTHS + 2)]


@pytest.mark.parametrize("name", WRITTEN_TABLES)
def test_schema_order_and_keys(name: str, folder: Path, book: SimulatedBook) -> None:
    table = pq.read_table(folder / f"{name}.parquet")
    assert table.schema.equals(TABLES[name].arrow_schema())
    order = [*TABLES[name].key, "known_at"]
    keys = table.select(order).to_pandas()
    assert not keys.duplicated().any()
    assert keys.equals(keys.sort_values(order, ignore_index=True))
    if name not in ("customers", "loans"):
        assert not keys.duplicated(list(TABLES[name].key)).any()
    assert keys["known_at"].notna().all()
    assert keys["known_at"].max() <= pd.Timestamp(END)


def test_every_row_belongs_to_somebody(sql: duckdb.DuckDBPyConnection) -> None:
    for table in ("instalments", "payments", "performance"):
        assert one(sql, f"select count(*) from {table} anti join loans using (loan_id)") == (0,)
    for table in ("loans", "transactions", "events"):
        assert one(sql, f"select count(*) from {table} anti join customers using (customer_id)") == (0,)
    early = """select count(*) from loans join customers using (customer_id)
               where opened_on < relationship_since"""
    assert one(sql, early) == (0,)


def test_account_balances_follow_from_the_transactions(sql: duckdb.DuckDBPyConnection) -> None:
    # late arrivals at the end of the book are missing rows: their account's chain breaks there, and only there
    gaps = """select count(*) filter (balance_after - amount <> before), count(*) from (
        select *, lag(balance_after) over (partition by account_id order by booked_at, transaction_id) as before
        from transactions) where before is not null and booked_at < timestamp '2024-03-21'"""
    broken, count = one(sql, gaps)
    assert count > 50_000
    assert broken == 0


def test_bookings_add_up_to_the_change_of_cash() -> None:
    calendar = Calendar(START, 3)
    population, before = replay(300, calendar, 5, 1)
    t = BURN_IN_MONTHS + 1
    state, month = month_step(before, population, t, calendar, draws(5, t + 1))
    rng = draws(5, t + 1)(Stream.TRANSACTIONS)
    balance = opening_balance(before, population, rng)
    start = balance.copy()
    rows = month_bookings(state, population, month, balance, calendar.length(t), rng)
    moved = np.bincount(rows.customer, rows.amount, 300).astype(np.int64)
    assert np.array_equal(balance, start + moved)
    seen = ~population.hidden
    assert np.array_equal(balance[seen], state.cash[seen])


def test_payments_stay_within_loan_and_schedule(sql: duckdb.DuckDBPyConnection) -> None:
    outside = """select count(*) from payments p join (
            select loan_id, min(opened_on) as opened_on, max(closed_on) as closed_on, max(written_off_on) as lost
            from loans group by 1) l using (loan_id)
        where paid_at::date < opened_on
           or (kind <> 'recovery' and paid_at::date > coalesce(closed_on, date '2100-01-01'))
           or (kind = 'recovery' and (lost is null or paid_at::date <= lost))"""
    assert one(sql, outside) == (0,)
    early = """select count(*) from instalments join (select loan_id, min(opened_on) as opened_on
        from loans group by 1) using (loan_id) where due_on <= opened_on or due_amount <= 0"""
    assert one(sql, early) == (0,)
    over = """with due as (select loan_id, sum(due_amount) filter (due_on <= date '2024-04-30') as due
            from instalments group by 1),
        paid as (select loan_id, sum(amount) as paid from payments where kind in ('scheduled', 'reversal') group by 1)
        select count(*) from paid join due using (loan_id) where paid > due or paid < 0"""
    assert one(sql, over) == (0,)


def test_reversals_undo_a_payment_of_the_same_loan(sql: duckdb.DuckDBPyConnection) -> None:
    wrong = """select count(*) filter (p.payment_id is null or p.amount <> -r.amount or p.loan_id <> r.loan_id
                                        or p.paid_at >= r.paid_at or r.amount >= 0), count(*)
               from payments r left join payments p on r.reverses = p.payment_id where r.kind = 'reversal'"""
    bad, count = one(sql, wrong)
    assert count > 20
    assert bad == 0
    assert one(sql, "select count(*) from payments where (kind <> 'reversal') <> (reverses is null)") == (0,)
    assert one(sql, "select count(*) from payments where kind <> 'reversal' and amount <= 0") == (0,)


def test_balances_of_term_loans_grow_by_interest_only(sql: duckdb.DuckDBPyConnection) -> None:
    grown = """select count(*) from (
            select p.*, annual_rate, lag(balance) over (partition by loan_id order by month_end) as before
            from performance p join (select loan_id, any_value(annual_rate) as annual_rate from loans
                                     where product <> 'card' group by 1) using (loan_id))
        where balance > before * (1 + annual_rate / 12) + 0.02 - paid_amount or balance < 0"""
    assert one(sql, grown) == (0,)
    gone = """select count(*) filter (balance <> 0), count(*) from performance
              join loans using (loan_id) where close_reason in ('repaid', 'prepaid') and month_end >= closed_on"""
    left, closed = one(sql, gone)
    assert closed > 30
    assert left == 0
    limits = """select count(*) filter (balance > credit_limit * 1.25), count(*) from performance
                where credit_limit is not null"""
    assert one(sql, limits)[0] == 0


def test_balance_is_schedule_plus_arrears(sql: duckdb.DuckDBPyConnection) -> None:
    # the schedule's balance recomputed here by the annuity formula, to within the cents that rounding moves
    frame = sql.execute(
        """select p.balance::double as balance, principal::double as principal, annual_rate as rate, term_months as n,
                  (select count(*) from instalments i where i.loan_id = p.loan_id and due_on <= month_end) as k,
                  (select sum(due_amount) from instalments i where i.loan_id = p.loan_id and due_on <= month_end)
                      ::double as due,
                  (select sum(amount) from payments y where y.loan_id = p.loan_id and kind in ('scheduled', 'reversal')
                      and paid_at < month_end + interval 1 day)::double as paid
           from performance p join loans l using (loan_id)
           where month_end = date '2024-04-30' and product <> 'card' and l.closed_on is null
             and not exists (from loans z where z.loan_id = p.loan_id and z.closed_on is not null)"""
    ).df()
    i = frame.rate / 12
    schedule = frame.principal * ((1 + i) ** frame.n - (1 + i) ** frame.k) / ((1 + i) ** frame.n - 1)
    expected = schedule + frame.due.fillna(0) - frame.paid.fillna(0)
    assert len(frame) > 100
    assert np.allclose(frame.balance, expected, atol=0.5)


def test_days_past_due_follow_from_instalments_and_payments(sql: duckdb.DuckDBPyConnection) -> None:
    _, state = replay(CUSTOMERS, Calendar(START, MONTHS), SEED, MONTHS)
    loans, today = state.loans, date(2024, 4, 30)
    dues = sql.execute("select * from instalments where due_on <= date '2024-04-30'").df().groupby("loan_id")
    paid = sql.execute(
        "select loan_id, sum(amount)::double as paid from payments where kind in ('scheduled', 'reversal') group by 1"
    ).df()
    paid_by = dict(zip(paid.loan_id, paid.paid, strict=True))
    checked = 0
    for position in np.flatnonzero(loans.is_open):
        loan_id = f"L{position + 1:07d}"
        if loan_id not in dues.groups:
            continue
        rows = dues.get_group(loan_id).sort_values("due_on")
        size = max(loans.principal[position], loans.limit[position]) / 100
        threshold = max(DPD_THRESHOLD_CENTS / 100, DPD_THRESHOLD_SHARE * size)
        open_dues = rows[rows.due_amount.astype(float).cumsum() > paid_by.get(loan_id, 0.0) + threshold + 1e-6]
        dpd = (pd.Timestamp(today) - open_dues.due_on.iloc[0]).days if len(open_dues) else 0
        assert dpd == loans.dpd[position], loan_id
        checked += dpd > 0
    assert checked > 5


def test_write_offs_are_late_and_versions_hide_what_was_not_known(sql: duckdb.DuckDBPyConnection) -> None:
    wrong = """select count(*) from loans where (closed_on is null) <> (close_reason is null)
        or (closed_on is not null and known_at::date <> closed_on)
        or (written_off_on is not null) <> (coalesce(close_reason, '') = 'written_off')
        or (closed_on is null and known_at::date <> opened_on)"""
    assert one(sql, wrong) == (0,)
    first = """select count(*) from (select loan_id, first(closed_on order by known_at) as closed_on
                                     from loans group by 1) where closed_on is not null"""
    assert one(sql, first) == (0,)
    lost, soonest = one(
        sql, "select count(*), min(written_off_on - opened_on) from loans where written_off_on is not null"
    )
    assert lost > 5
    assert soonest >= 180


def test_a_longer_run_begins_with_the_same_rows(folder: Path, book: SimulatedBook, tmp_path: Path) -> None:
    simulate(tmp_path, customers=CUSTOMERS, months=MONTHS + 6, seed=SEED, start=START)
    for name in WRITTEN_TABLES:
        now = pd.read_parquet(folder / f"{name}.parquet", dtype_backend="pyarrow")
        later = pd.read_parquet(tmp_path / f"{name}.parquet", dtype_backend="pyarrow")
        later = later[later["known_at"] <= pd.Timestamp(END)].reset_index(drop=True)
        unversioned = list(book.current_only) if name == "customers" else []
        assert len(now) > 0
        assert now.drop(columns=unversioned).equals(later.drop(columns=unversioned)), name


def test_nothing_is_known_before_it_happens(sql: duckdb.DuckDBPyConnection) -> None:
    for name in WRITTEN_TABLES:
        occurred = TABLES[name].occurred
        if occurred and name != "loans":
            assert one(sql, f"select count(*) from {name} where known_at < {occurred}") == (0,)


def test_customer_versions_and_faults(sql: duckdb.DuckDBPyConnection) -> None:
    people, rows = one(sql, "select count(distinct customer_id), count(*) from customers")
    assert people == CUSTOMERS
    assert rows > people
    fixed = "birth_date, gender, education, officer_id, segment, phone, email, national_id, name"
    same = f"select count(*) from (select customer_id from customers group by 1 having count(distinct ({fixed})) > 1)"
    assert one(sql, same) == (0,)
    missing = one(
        sql,
        """select avg((income is null)::int) from (
            select first(monthly_income order by known_at) as income from customers group by customer_id)""",
    )[0]
    assert 0.015 < missing < 0.08
    assert one(
        sql, "select count(*) from customers where phone not like '+00 %' or email not like '%@example.com'"
    ) == (0,)
    late = one(
        sql, "select avg((known_at > booked_at)::int), max(known_at - booked_at) <= interval 40 days from transactions"
    )
    assert 0.003 < late[0] < 0.007
    assert late[1]


def test_signals_are_there_and_noisy(sql: duckdb.DuckDBPyConnection) -> None:
    per_month = one(sql, f"select count(*) / {CUSTOMERS * MONTHS}.0 from transactions")[0]
    assert 7 < per_month < 11
    night, weekend = one(
        sql,
        """select avg((hour(booked_at) < 6)::int), avg((isodow(booked_at) > 5)::int)
                                 from transactions where channel = 'card'""",
    )
    assert 0.01 < night < 0.1
    assert 0.2 < weekend < 0.4
    multi = one(
        sql,
        """select avg((n > 1)::int) from (select customer_id, count(*) as n from performance
        join (select distinct loan_id, customer_id from loans) using (loan_id)
        where month_end = date '2024-04-30' group by 1)""",
    )[0]
    assert 0.15 < multi < 0.4


def test_bad_rate_and_cures_lie_in_broad_bands() -> None:
    # house bands: at 700 customers the standard error of the rate is about 1 %
    calendar = Calendar(START, 18)
    population, state = replay(1_500, calendar, 3, 5)
    eligible, watched = at_risk(state)
    bad = np.zeros(len(watched), np.bool_)
    late = np.flatnonzero(state.loans.is_open & (state.loans.dpd > 0))
    for t in range(BURN_IN_MONTHS + 5, BURN_IN_MONTHS + 17):
        state, _ = month_step(state, population, t, calendar, draws(3, t + 1))
        loans = state.loans
        bad |= watched & ((loans.dpd[: len(bad)] >= 90) | (loans.status[: len(bad)] == 3))
        if t == BURN_IN_MONTHS + 5:
            assert 0.25 < np.mean(loans.dpd[late] == 0) < 0.8
    rate = len(np.unique(loans.customer[: len(bad)][bad])) / eligible.sum()
    assert 0.02 < rate < 0.08


def test_the_step_leaves_the_given_state_as_it_was() -> None:
    calendar = Calendar(START, 3)
    population, state = replay(200, calendar, 5, 1)
    before = state.copied()
    t = BURN_IN_MONTHS + 1
    first, _ = month_step(state, population, t, calendar, draws(5, t + 1))
    again, _ = month_step(state, population, t, calendar, draws(5, t + 1))
    other, _ = month_step(state, population, t, calendar, draws(5, t + 1, branch=0))
    assert np.array_equal(state.cash, before.cash)
    assert np.array_equal(state.loans.balance, before.loans.balance)
    assert np.array_equal(first.cash, again.cash)
    assert not np.array_equal(first.cash, other.cash)
    assert np.all(first.loans.balance[first.loans.product != CARD] >= 0)


def test_truth_is_labelled(sql: duckdb.DuckDBPyConnection) -> None:
    assert one(sql, "select count(*) from latent") == (CUSTOMERS * MONTHS,)
    assert one(
        sql, "select count(*) from latent where (next_worst_dpd is null) <> (month_end = date '2024-04-30')"
    ) == (0,)
    kinds = dict(sql.execute("select kind, any_value(harmful) from incidents group by 1").fetchall())
    assert {"sudden_large_debit", "income_loss", "bonus", "travel", "new_phone"} <= set(kinds)
    harmful, benign = one(sql, "select count(*) filter (harmful), count(*) filter (not harmful) from incidents")
    assert benign > 4 * harmful > 0
    assert one(sql, 'select count(*) from incidents where "end" < start') == (0,)


def test_true_pd_ranks_the_bad() -> None:
    frame = true_pd(customers=800, months=3, seed=9, start=START, month=2, branches=8)
    assert list(frame.columns) == ["customer_id", "true_pd"]
    assert frame.customer_id.is_unique
    assert frame.true_pd.between(0, 1).all()
    assert 0.01 < frame.true_pd.mean() < 0.12
    _, state = replay(800, Calendar(START, 3), 9, 2)
    position = frame.customer_id.str[1:].astype(int).to_numpy() - 1
    late = state.worst_dpd()[position] >= 30
    assert frame.true_pd[late].mean() > 4 * frame.true_pd[~late].mean()


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"customers": 49}, "customers is 49, expected 50"),
        ({"months": 0}, "months is 0, expected 1"),
        ({"seed": -1}, "seed is -1, expected 0"),
        ({"start": date(2023, 1, 15)}, "expected the first day of a month. Use 2023-01-01"),
    ],
)
def test_bad_arguments_say_what_to_do(arguments: dict[str, object], found: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=found):
        simulate(tmp_path / "x", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "book").write_text("")
    with pytest.raises(InputError, match="is a file, expected a folder"):
        simulate(tmp_path / "book", customers=50, months=1)


def test_true_pd_refuses_a_month_outside_the_book() -> None:
    with pytest.raises(InputError, match="month is 4, expected 1 to 3"):
        true_pd(customers=50, months=3, seed=1, start=START, month=4)
