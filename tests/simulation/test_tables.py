"""The written tables of a simulated lender: keys, versions, money, dirt, and what is known when."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from workbench.book.schema import TABLES
from workbench.book.simulation.block import WRITTEN_TABLES
from workbench.book.simulation.world import draws
from workbench.book.simulation.writing import faults, persons
from workbench.book.simulation.writing.customers import CURRENT_ONLY, TWICE_FIRST

from .conftest import Written
from .lender import one

BY_MONTH = {"restructurings", "bureau"}  # written as they happen: their keys begin with whom they are about
FIRST_MORE = f"C{TWICE_FIRST:07d}"
"""Ids from here on are second records of people."""


@pytest.fixture(params=["plain", "dirty"])
def lender(request: pytest.FixtureRequest) -> Written:
    found: Written = request.getfixturevalue(request.param)
    return found


def nothing(sql: duckdb.DuckDBPyConnection, query: str) -> None:
    """Fail where `select count(*) from ...` finds a row, and show some."""
    found = sql.execute(f"select * from {query}").fetchdf()
    assert found.empty, f"{len(found)} rows:\n{found.head(5).T}"


@pytest.mark.parametrize("name", WRITTEN_TABLES)
def test_schema_order_and_keys(name: str, lender: Written) -> None:
    table = pq.read_table(lender.folder / f"{name}.parquet")
    assert table.schema.equals(TABLES[name].arrow_schema())
    assert len(table) > 0
    order = [*TABLES[name].key, "known_at"]
    keys = table.select(order).to_pandas()
    assert not keys.duplicated().any()
    if name not in BY_MONTH:
        assert keys.equals(keys.sort_values(order, ignore_index=True))
    assert keys.notna().all(axis=None)
    last = pd.Timestamp(one(lender.sql, "select last_day from span")[0])
    assert keys["known_at"].max() < last + pd.Timedelta(days=1)


def test_only_what_the_contract_allows(lender: Written) -> None:
    for name in WRITTEN_TABLES:
        for column in TABLES[name].columns:
            if column.required:
                nothing(lender.sql, f"{name} where {column.name} is null")
            if column.allowed:
                nothing(lender.sql, f"{name} where {column.name} not in {column.allowed}")


def test_every_row_belongs_to_somebody(lender: Written) -> None:
    for table in ("instalments", "payments", "performance", "restructurings"):
        nothing(lender.sql, f"{table} anti join loans using (loan_id)")
    for table in ("loans", "transactions", "events", "applications", "bureau"):
        nothing(lender.sql, f"{table} anti join customers using (customer_id)")
    nothing(lender.sql, "loan join now_customers using (customer_id) where opened_on < relationship_since")
    for table, moment in (("events", "occurred_at"), ("transactions", "booked_at"), ("applications", "applied_at")):
        nothing(
            lender.sql, f"now_{table} join now_customers using (customer_id) where {moment}::date < relationship_since"
        )


def test_nothing_is_known_before_it_happens(lender: Written) -> None:
    for name in WRITTEN_TABLES:
        occurred = TABLES[name].occurred
        if occurred:
            nothing(lender.sql, f"{name} where known_at < {occurred}")
    nothing(lender.sql, "loans where known_at < closed_on or known_at < written_off_on")
    nothing(lender.sql, "applications where known_at < decided_at")


# loans and their versions


def test_versions_of_loans_hide_what_was_not_known(lender: Written) -> None:
    nothing(
        lender.sql,
        """(select *, row_number() over versions as number, count(*) over (partition by loan_id) as versions,
                first(known_at::date) over versions as first_known
            from loans window versions as (partition by loan_id order by known_at))
        where (closed_on is null) <> (close_reason is null)
            or (closed_on is not null and (number < versions or known_at::date <> closed_on))
            or (written_off_on is not null) <> (coalesce(close_reason, '') = 'written_off')
            or (written_off_on is not null and written_off_on <> closed_on)
            or (number = 1 and (closed_on is not null or known_at::date <> opened_on))""",
    )
    fixed = "customer_id, product, opened_on, principal, annual_rate, collateral_value"
    nothing(lender.sql, f"(select loan_id from loans group by 1 having count(distinct ({fixed})) > 1)")
    assert one(lender.sql, "select count(*) from loan where ended_on is not null")[0] > 30


def test_each_version_of_a_loan_changes_something(lender: Written) -> None:
    said = "credit_limit, term_months, instalment_amount, closed_on"
    nothing(
        lender.sql,
        f"""(select *, lag(({said})) over (partition by loan_id order by known_at) as before from loans)
        where before is not null and before is not distinct from ({said})""",
    )
    cards, terms = one(
        lender.sql,
        """select count(*) filter (product = 'card' and limits > 1), count(*) filter (product <> 'card' and instalments > 1)
           from (select loan_id, any_value(product) as product, count(distinct credit_limit) as limits,
                     count(distinct instalment_amount) as instalments from loans group by 1)""",
    )
    assert cards > 3
    assert terms > 3


def test_what_a_loan_says_of_its_instalments_is_what_its_schedule_says(lender: Written) -> None:
    nothing(
        lender.sql,
        """(select loan_id, l.known_at, any_value(l.instalment_amount) as said, arg_max(due_amount, (schedule_version,
                -instalment_no)) as scheduled
            from loans l join instalments i using (loan_id)
            where product <> 'card' and i.known_at <= l.known_at group by all) where said <> scheduled""",
    )
    nothing(
        lender.sql,
        """(select loan_id, any_value(term_months) as said, date_diff('month', any_value(opened_on), max(due_on)) as last
            from (select * from now_instalments qualify schedule_version = max(schedule_version) over (partition by loan_id))
            join now_loans using (loan_id) where product <> 'card' group by all) where said <> last""",
    )


def test_limits_at_month_ends_are_those_of_the_loan(lender: Written) -> None:
    nothing(
        lender.sql,
        """performance p asof join loans l on p.loan_id = l.loan_id and p.known_at >= l.known_at
           where p.credit_limit is distinct from l.credit_limit""",
    )


def test_schedules(lender: Written) -> None:
    nothing(lender.sql, "instalments join loan using (loan_id) where due_on <= opened_on or due_amount <= 0")
    nothing(lender.sql, "instalments where due_on < effective_from")
    nothing(
        lender.sql,
        """(select loan_id, schedule_version, min(instalment_no) as first, max(instalment_no) as last, count(*) as n,
                count(distinct effective_from) as starts, any_value(product) as product
            from now_instalments join loan using (loan_id) group by all)
        where first <> 1 or last <> n or (product <> 'card' and starts > 1) or (product = 'card' and schedule_version > 1)""",
    )
    nothing(
        lender.sql,
        """(select *, lag(schedule_version) over loans as before, lag(starts) over loans as since
            from (select loan_id, schedule_version, min(effective_from) as starts from now_instalments group by all)
            window loans as (partition by loan_id order by schedule_version))
        where before is not null and (schedule_version <> before + 1 or starts <= since)""",
    )
    several = "select count(*) from (select loan_id from instalments group by 1 having max(schedule_version) > 1)"
    assert one(lender.sql, several)[0] > 5


def test_a_restructured_loan_has_a_new_schedule_from_that_day(lender: Written) -> None:
    nothing(
        lender.sql,
        """restructurings r anti join instalments i on i.loan_id = r.loan_id and i.effective_from = r.effective_on
           and i.schedule_version > 1""",
    )
    nothing(lender.sql, "restructurings where distressed <> (kind = 'term_extension') or forgiven_amount <> 0")
    assert one(lender.sql, "select count(distinct kind) from restructurings") == (2,)


# money


def test_payments_stay_within_the_life_of_the_loan(lender: Written) -> None:
    nothing(
        lender.sql,
        """payments join loan using (loan_id) where paid_at::date < opened_on
           or (kind <> 'recovery' and paid_at::date > coalesce(ended_on, date '2999-01-01'))
           or (kind = 'recovery' and (written_off_on is null or paid_at::date <= written_off_on))""",
    )
    assert {kind for (kind,) in lender.sql.execute("select distinct kind from payments").fetchall()} == {
        "scheduled",
        "prepayment",
        "reversal",
        "recovery",
    }


def test_reversals_undo_a_payment_of_the_same_loan(lender: Written) -> None:
    nothing(
        lender.sql,
        """now_payments r left join now_payments p on r.reverses = p.payment_id
           where r.kind = 'reversal' and (p.payment_id is null or p.amount <> -r.amount or p.loan_id <> r.loan_id
               or p.paid_at >= r.paid_at or r.amount >= 0 or p.kind = 'reversal')""",
    )
    nothing(lender.sql, "payments where (kind <> 'reversal') <> (reverses is null)")
    nothing(lender.sql, "payments where kind <> 'reversal' and amount <= 0")
    nothing(lender.sql, "(select reverses from now_payments where reverses is not null group by 1 having count(*) > 1)")
    assert one(lender.sql, "select count(*) from payments where kind = 'reversal'")[0] > 20


def test_never_more_is_paid_ahead_than_an_instalment_or_a_rounding(lender: Written) -> None:
    nothing(
        lender.sql,
        """loan_month join (select loan_id, max(instalment_amount) as largest from loans group by 1) using (loan_id)
           where status = 'open' and paid_ahead > greatest(coalesce(largest, 0), 10)""",
    )
    ahead = "select count(*) from loan_month where status = 'open' and paid_ahead > 0"
    assert one(lender.sql, ahead)[0] > 20


def test_amounts_at_month_ends_are_those_of_the_dues_and_payments(plain: Written) -> None:
    nothing(
        plain.sql,
        """(select l.loan_id, l.m, any_value(l.due_amount) as said, coalesce(sum(cents), 0) / 100 as due
            from loan_month l left join due d on d.loan_id = l.loan_id and month_number(due_on) = l.m
            where written group by all) where said <> due""",
    )
    nothing(
        plain.sql,
        """(with cash as (
                select y.loan_id, last_day(paid_at::date) as month_end, sum(amount) as paid
                from payments y left join restructured r on y.loan_id = r.loan_id and r.effective_on = paid_at::date
                where y.kind <> 'recovery'
                    and not coalesce(r.distressed and paid_at = r.effective_on::timestamp + interval 10 hour, false)
                group by all)
            select loan_id, month_end, paid_amount, paid from performance left join cash using (loan_id, month_end)
        ) where paid_amount <> coalesce(paid, 0)""",
    )


def test_a_restructuring_settles_the_arrears_of_the_month_before(lender: Written) -> None:
    counted = lender.sql.execute(
        """select kind, count(*), count(*) filter (settled <> owed - before) from (
            select r.loan_id, r.kind, any_value(o.cumulative) as owed, coalesce(any_value(b.cumulative), 0) as before,
                coalesce((select sum(100 * amount)::bigint from now_payments y where y.loan_id = r.loan_id
                    and y.kind = 'scheduled' and y.paid_at = r.effective_on::timestamp + interval 10 hour), 0) as settled
            from restructured r
            asof left join due o on r.loan_id = o.loan_id and r.effective_on > o.due_on
            asof left join paid b on r.loan_id = b.loan_id and r.effective_on > b.paid_on
            where r.distressed group by all) group by 1"""
    ).fetchall()
    ((kind, count, wrong),) = counted
    assert (kind, wrong) == ("term_extension", 0)
    assert count > 3


def test_balances_of_term_loans_grow_by_interest_only(lender: Written) -> None:
    nothing(
        lender.sql,
        """(select l.*, annual_rate / 12 as i, lag(balance + greatest(paid_ahead, 0)) over loans as owed,
                lag(greatest(paid_ahead, 0)) over loans as ahead, r.kind as restructured
            from loan_month l join loan using (loan_id)
            left join restructured r on r.loan_id = l.loan_id and r.m = l.m
            where loan.product <> 'card' and balance is not null
            window loans as (partition by l.loan_id order by l.m))
        where balance < 0 or balance > owed * (1 + i * if(restructured is null, 1, 2)) - ahead - paid_amount + 0.02""",
    )
    nothing(
        lender.sql,
        """now_performance join loan using (loan_id)
           where close_reason in ('repaid', 'prepaid') and month_end >= ended_on and balance <> 0""",
    )
    nothing(lender.sql, "now_performance join loan using (loan_id) where month_end > last_day(ended_on)")
    nothing(lender.sql, "now_performance where balance > credit_limit * 1.25 and credit_limit is not null")
    nothing(
        lender.sql,
        """(select loan_id, ended_m from loan where written_off_on is not null) l
           join (select loan_id, sum(amount) as back from now_payments where kind = 'recovery' group by 1) using (loan_id)
           join loan_month using (loan_id) where m = ended_m and written and back > balance + 0.01""",
    )


def test_balance_is_what_the_schedule_still_asks_for_and_arrears(lender: Written) -> None:
    # what is not yet due is worth, at the loan's rate, the instalments to come: independent of the simulator's own count
    frame = lender.sql.execute(
        """with version as (
            select loan_id, schedule_version, min(effective_from) as begins from now_instalments group by all
        ), present as (
            select l.loan_id, l.m, max(schedule_version) as schedule_version
            from loan_month l join version v on v.loan_id = l.loan_id and v.begins <= l.month_end group by all
        ), fallen as (
            select l.loan_id, l.m, l.month_end, l.balance, l.paid_ahead, annual_rate / 12 as i, n.instalment_no as k, due_on,
                n.due_amount::double as due, count(*) filter (due_on <= l.month_end) over (partition by l.loan_id, l.m) as gone
            from loan_month l join present using (loan_id, m) join now_instalments n using (loan_id, schedule_version)
            join loan using (loan_id) where l.written and status = 'open' and loan.product <> 'card'
        ), worth as (
            select loan_id, m, any_value(balance) as balance, any_value(paid_ahead) as ahead,
                coalesce(sum(due / (1 + i) ** (k - gone)) filter (due_on > month_end), 0) as to_come
            from fallen group by all
        ), early as (
            select loan_id, month_number(paid_at) as m, sum(amount)::double as prepaid from now_payments
            where kind = 'prepayment' group by all
        )
        select *, coalesce(prepaid, 0) as part from worth left join early using (loan_id, m)"""
    ).df()
    assert len(frame) > 1_000
    assert (frame["part"] > 0).sum() > 5
    expected = frame["to_come"] - frame["ahead"] - frame["part"]  # a part prepaid is recast in the next month
    wrong = frame[~np.isclose(frame["balance"], expected, rtol=0, atol=0.6)]
    assert wrong.empty, wrong.head()


def test_write_offs_are_late(lender: Written) -> None:
    nothing(
        lender.sql,
        """loan_month join loan using (loan_id, customer_id) where status = 'written off' and m = loan.ended_m
           and loan_month.dpd < 180 and written""",
    )
    lost, soonest = one(lender.sql, "select count(written_off_on), min(written_off_on - opened_on) from loan")
    assert lost > 5
    assert soonest >= 180


def test_a_loan_repaid_has_paid_all_its_dues(plain: Written) -> None:
    frame = plain.sql.execute(
        """select close_reason, count(*) as loans, count(*) filter (paid.cents <> due.cents) as wrong
           from loan join (select loan_id, sum(cents) as cents from due group by 1) due using (loan_id)
           join (select loan_id, sum(cents) as cents from paid group by 1) paid using (loan_id)
           where close_reason = 'repaid' and product <> 'card' group by 1"""
    ).df()
    assert frame["loans"].sum() > 20
    assert frame["wrong"].sum() == 0


# the account


def test_account_balances_follow_from_the_transactions(lender: Written) -> None:
    # late arrivals at the end of the book are missing rows: their account's chain breaks there, and only there
    broken, count = one(
        lender.sql,
        """select count(*) filter (balance_after - amount <> before), count(*) from (
            select *, lag(balance_after) over (partition by account_id order by booked_at, transaction_id) as before
            from now_transactions)
        where before is not null and booked_at < (select last_day - 40 from span)""",
    )
    assert count > 20_000
    assert broken == 0


def test_loan_payments_leave_the_account_unless_another_pays(plain: Written) -> None:
    plain.sql.execute(
        """create or replace temp table matched as
        with own as (
            select *, coalesce(r.distressed and paid_at = r.effective_on::timestamp + interval 10 hour, false) as settles
            from payments y join loan using (loan_id)
            left join restructured r on y.loan_id = r.loan_id and r.effective_on = paid_at::date
            where month_number(paid_at) >= (select first_m from span))
        select o.payment_id, o.kind, product, close_reason, settles, t.transaction_id
        from own o full join (from transactions where category = 'loan_payment') t
            on o.customer_id = t.customer_id and o.paid_at = t.booked_at and o.amount = -t.amount"""
    )
    nothing(plain.sql, "matched where payment_id is null")
    nothing(
        plain.sql,
        """matched where (transaction_id is null) <> (
               settles  -- arrears that became principal: no money moved
               or kind = 'prepayment' and close_reason = 'prepaid' and transaction_id is null  -- another lender paid
               or kind = 'recovery' and product = 'auto' and transaction_id is null)  -- the car was sold""",
    )
    kinds = "select distinct kind from matched where transaction_id is null"
    assert {kind for (kind,) in plain.sql.execute(kinds).fetchall()} == {"scheduled", "prepayment", "recovery"}


def test_a_personal_loan_is_paid_out_to_the_account(plain: Written) -> None:
    nothing(
        plain.sql,
        """(select customer_id, opened_on, sum(principal) as principal from loan
            where product = 'personal' and opened_m >= (select first_m from span) group by all)
        join truth_customers using (customer_id) left join
        (select customer_id, booked_at::date as opened_on, sum(amount) as paid_out from now_transactions
            where category = 'loan_disbursement' group by all) using (customer_id, opened_on)
        where not hidden and principal is distinct from paid_out""",
    )


# applications and the bureau


def test_a_granted_application_has_its_loan(lender: Written) -> None:
    nothing(lender.sql, "applications where (decision = 'accepted') <> (loan_id is not null)")
    nothing(lender.sql, "applications where (decision = 'declined') <> (decline_reason is not null)")
    nothing(
        lender.sql, "applications where (decision = 'withdrawn') <> (decided_at is null) or decided_at < applied_at"
    )
    nothing(
        lender.sql,
        """applications a left join loan l using (loan_id)
           left join (select loan_id, arg_min(credit_limit, known_at) as first_limit from loans group by 1) using (loan_id)
           where decision = 'accepted' and (l.loan_id is null
           or a.customer_id <> l.customer_id or a.product <> l.product or decided_at::date > opened_on
           or requested_amount <> coalesce(principal, first_limit))""",
    )


def test_a_bureau_tells_of_the_covered_each_quarter(lender: Written) -> None:
    nothing(lender.sql, "bureau where other_debt < 0 or enquiries_6m < 0 or known_at::date - reported_on > 6")
    assert one(lender.sql, "select count(distinct month(reported_on)) from bureau") == (4,)
    nothing(
        lender.sql,
        """bureau b join now_customers c using (customer_id) where reported_on < relationship_since""",
    )


# customers and dirt


def test_customers_are_those_who_have_joined_and_people_registered_twice(lender: Written) -> None:
    world = lender.world()
    joined = int(world.population.joined_by(world.calendar.total).sum())
    assert 0 < joined < lender.customers  # some join later
    people = one(lender.sql, f"select count(distinct customer_id) from customers where customer_id < '{FIRST_MORE}'")
    assert people == (joined,)
    nothing(lender.sql, "now_customers where relationship_since > (select last_day from span)")
    for table in ("loans", "transactions", "events", "applications", "bureau"):
        nothing(lender.sql, f"{table} where customer_id >= '{FIRST_MORE}'")
    twins = one(
        lender.sql,
        f"""select count(*), count(*) filter (m.name <> o.name or m.birth_date <> o.birth_date
                or m.relationship_since <= o.relationship_since)
            from now_customers m join now_customers o using (national_id)
            where m.customer_id >= '{FIRST_MORE}' and o.customer_id < '{FIRST_MORE}'""",
    )
    more = one(lender.sql, f"select count(*) from now_customers where customer_id >= '{FIRST_MORE}'")[0]
    assert twins == (more, 0)
    assert (more > 0) == lender.story.dirt


def test_what_does_not_change_is_the_same_in_every_version(lender: Written) -> None:
    fixed = ", ".join(column.name for column in TABLES["customers"].columns if column.name not in ("monthly_income",))
    nothing(lender.sql, f"(select customer_id from customers group by 1 having count(distinct ({fixed})) > 1)")
    people, rows = one(lender.sql, "select count(distinct customer_id), count(*) from customers")
    assert rows > people
    assert set(CURRENT_ONLY) <= set(lender.sql.table("customers").columns)


def test_nobody_is_real(lender: Written) -> None:
    domains = "|".join(persons.MAIL_DOMAINS).replace(".", "[.]")
    nothing(lender.sql, f"customers where not regexp_full_match(email, '.+@({domains})') or phone not like '+00 %'")
    for column in ("email", "national_id"):
        nothing(
            lender.sql,
            f"""(select {column} from now_customers where customer_id < '{FIRST_MORE}' group by 1 having count(*) > 1)""",
        )


def test_signals_are_there_and_noisy(lender: Written) -> None:
    per_month = one(
        lender.sql,
        "select count(*) / count(distinct (customer_id, month(booked_at), year(booked_at))) from transactions",
    )[0]
    assert 3 < per_month < 30
    night, weekend = one(
        lender.sql,
        """select avg((hour(booked_at) < 6)::int), avg((isodow(booked_at) > 5)::int) from now_transactions
           where channel = 'card'""",
    )
    assert 0.005 < night < 0.15
    assert 0.2 < weekend < 0.4
    kinds = {kind for (kind,) in lender.sql.execute("select distinct kind from events").fetchall()}
    assert kinds == {
        "login", "login_failed", "phone_changed", "address_changed", "device_changed", "complaint", "limit_requested",
        "hardship_requested", "contact",
    }  # fmt: skip


def test_without_dirt_nothing_is_wrong_late_or_corrected(plain: Written) -> None:
    sql = plain.sql
    nothing(sql, "customers where monthly_income is null or education is null")
    nothing(sql, "customers where birth_date not between date '1930-01-01' and relationship_since - 365 * 8")
    nothing(sql, "payments where known_at <> paid_at")
    nothing(sql, "transactions where known_at <> booked_at")
    for name in ("payments", "transactions", "events", "applications", "bureau", "performance", "instalments"):
        assert one(sql, f"select count(*) from {name}") == one(sql, f"select count(*) from now_{name}"), name
    nothing(
        sql,
        """(select *, lag(monthly_income) over (partition by customer_id order by known_at) as before from customers)
           where monthly_income > 3 * before or monthly_income < before / 3""",
    )


def test_with_dirt_each_fault_is_there(dirty: Written) -> None:
    counts: dict[str, Any] = {
        "income missing at first": """customers where monthly_income is null""",
        "late transactions": "transactions where known_at > booked_at",
        "mistyped payments": "(select 1 from payments group by payment_id having max(amount) = 10 * min(amount))",
        "registered twice": f"customers where customer_id >= '{FIRST_MORE}'",
    }
    for what, query in counts.items():
        assert one(dirty.sql, f"select count(*) from {query}")[0] > 0, what
    nothing(
        dirty.sql,
        """(select payment_id from payments group by 1 having count(*) > 1)
           join payments using (payment_id) where kind <> 'scheduled'""",
    )


def test_nobody_worked_as_a_child(plain: Written) -> None:
    nothing(plain.sql, "now_customers where employed_since < birth_date + interval 15 year")


def test_rates_of_dirt_are_the_declared_ones() -> None:
    n = 200_000
    found = faults.draw_customer_faults(n, draws(3, 0), dirt=True)
    late = faults.late_bookings(n, np.random.default_rng(3), dirt=True)
    paid = faults.draw_payment_faults(np.zeros(n, np.int64), 0, np.random.default_rng(4), dirt=True)
    rates = {
        "income": (found.missing_income, faults.MISSING_INCOME),
        "education": (found.missing_education, faults.MISSING_EDUCATION),
        "annual": (found.annual_income, faults.ANNUAL_INCOME * (1 - faults.MISSING_INCOME)),
        "future": (found.birth_in_future, faults.BIRTH_IN_FUTURE),
        "1900": (found.birth_1900, faults.BIRTH_1900),
        "twice": (found.twice, faults.REGISTERED_TWICE),
        "late": (late > 0, faults.LATE_TRANSACTIONS),
        "mistyped": (paid.corrected > 0, faults.MISTYPED_PAYMENT),
        "paid late": (paid.late > 0, faults.LATE_PAYMENTS),
    }
    for name, (mask, rate) in rates.items():
        assert abs(mask.mean() - rate) < 4.5 * np.sqrt(rate / n), name
    corrected = found.corrected_after_days[found.annual_income] > 0
    assert abs(corrected.mean() - faults.ANNUAL_CORRECTED) < 4.5 * np.sqrt(0.25 / corrected.size)
    other_kinds = faults.draw_payment_faults(np.ones(n, np.int64), 0, np.random.default_rng(4), dirt=True)
    assert not other_kinds.corrected.any()
