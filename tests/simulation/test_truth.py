"""The truth beside a simulated lender: labels as their definitions say, both worlds of a decision, and a PD that comes true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from workbench.book.schema import TABLES
from workbench.book.simulation import true_pd
from workbench.book.simulation.month.applications import DECLINED
from workbench.book.simulation.month.step import Month, World
from workbench.book.simulation.month.treatments import TERM_EXTENSION
from workbench.book.simulation.state import OPEN, WRITTEN_OFF, State
from workbench.book.simulation.story import TREATMENTS, Story
from workbench.book.simulation.truth.ceiling import replay
from workbench.book.simulation.truth.schemas import SCHEMAS
from workbench.book.simulation.world import BURN_IN_MONTHS, Block, Calendar
from workbench.core.errors import InputError

from .calibration import GROUPS, one_lender, pooled
from .conftest import Written
from .lender import one
from .lives import customer_values, live, loan_rows, world_of
from .test_tables import nothing

LOST = 999
"""Written off, in a column of days past due."""


@pytest.fixture(scope="module")
def sql(plain: Written) -> duckdb.DuckDBPyConnection:
    return plain.sql


@pytest.fixture(scope="module")
def truth(plain: Written) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each table of the truth of the plain lender."""
    return {name: pq.read_table(plain.folder / "truth" / f"{name}.parquet").to_pylist() for name in SCHEMAS}


# worlds, followed by a slow loop


@dataclass
class Life:
    """One world from its first month to its last: days past due by month and loan, 999 in the month of a write-off."""

    states: list[State] = field(default_factory=list)
    months: list[Month] = field(default_factory=list)
    level: list[dict[tuple[int, int], int]] = field(default_factory=list)

    @classmethod
    def of(cls, world: World, *, seed: int) -> Life:
        """Live a world."""
        found = cls()
        for t, _before, state, month in live(world, seed=seed):
            loans, level = state.loans, {}
            for at in range(loans.size):
                who, slot, status = int(loans.customer[at]), int(loans.slot[at]), int(loans.status[at])
                if status == OPEN:
                    level[who, slot] = int(loans.dpd[at])
                elif status == WRITTEN_OFF and loans.closed_t[at] == t:
                    level[who, slot] = LOST
            found.states.append(state)
            found.months.append(month)
            found.level.append(level)
        return found

    def worst_of_customer(self, who: int, months: Iterator[int] | range) -> int:
        """Return the worst level of any loan of a customer in some months."""
        return max([0, *(level for t in months for (owner, _slot), level in self.level[t].items() if owner == who)])

    def worst_of_loan(self, loan: tuple[int, int], months: range) -> int:
        """Return the worst level of a loan in some months."""
        return max([0, *(self.level[t].get(loan, 0) for t in months)])


@dataclass(frozen=True)
class Worlds:
    """The plain lender as it was, with each first declined application granted, and with each followed decision turned."""

    real: Life
    granted: Life
    flipped: Life


@pytest.fixture(scope="module")
def worlds(plain: Written) -> Worlds:
    world = plain.world()
    others = (world, replace(world, overrule=True), replace(world, flip=True))
    return Worlds(*(Life.of(other, seed=plain.seed) for other in others))


def position(customer_id: str) -> int:
    return int(customer_id[1:]) - 1


def month_of(plain: Written, day: date) -> int:
    return BURN_IN_MONTHS + (day.year - plain.start.year) * 12 + day.month - plain.start.month


def test_outcomes_of_applications_are_those_of_a_slow_loop(
    plain: Written, truth: dict[str, list[dict[str, Any]]], worlds: Worlds
) -> None:
    last = BURN_IN_MONTHS + plain.months - 1
    declined_before: set[int] = set()
    counted = {"observed": 0, "counterfactual": 0, None: 0}
    bad = 0
    for row in truth["applications"]:
        who, t = position(row["customer_id"]), month_of(plain, row["applied_on"])
        window = range(t, min(t + 12, last) + 1)
        world = None
        if row["decision"] == "accepted":
            world = worlds.real
        elif row["decision"] == "declined" and who not in declined_before:
            world = worlds.granted
            declined_before.add(who)
        expected = {"outcome_kind": None, "worst_dpd_12m": None, "bad_12m": None, "months_seen": min(12, last - t)}
        if world is not None:
            loans = world.states[t].loans
            (slot,) = loans.slot[(loans.customer == who) & (loans.open_t == t)].tolist()
            worst = world.worst_of_loan((who, slot), window)
            kind = "observed" if world is worlds.real else "counterfactual"
            expected |= {"outcome_kind": kind, "worst_dpd_12m": worst, "bad_12m": worst >= 90}
            bad += worst >= 90
        assert {name: row[name] for name in expected} == expected, row
        counted[row["outcome_kind"]] += 1
    assert min(counted.values()) > 10
    assert bad > 10


def test_outcomes_of_treatments_are_those_of_a_slow_loop(
    plain: Written, truth: dict[str, list[dict[str, Any]]], worlds: Worlds
) -> None:
    total = BURN_IN_MONTHS + plain.months
    differ, kinds = 0, set()
    for row in truth["treatments"]:
        who, t = position(row["customer_id"]), month_of(plain, row["decided_on"])
        window = range(t, min(t + 12, total))
        ours, otherwise = (world.worst_of_customer(who, window) for world in (worlds.real, worlds.flipped))
        expected = {
            "worst_dpd_12m": ours, "worst_dpd_12m_otherwise": otherwise, "bad_12m": ours >= 90,
            "bad_12m_otherwise": otherwise >= 90, "complete": t + 12 <= total,
        }  # fmt: skip
        assert {name: row[name] for name in expected} == expected, row
        differ += ours != otherwise
        kinds.add(row["kind"])
        for world, treated in ((worlds.real, row["treated"]), (worlds.flipped, not row["treated"])):
            assert was_treated(world, who, t, row["kind"]) == treated, row
    assert kinds == set(TREATMENTS)
    assert differ > 3
    decided = [row["customer_id"] for row in truth["treatments"]]
    assert len(decided) == len(set(decided))


def was_treated(world: Life, who: int, t: int, kind: str) -> bool:
    """Return whether a customer got a treatment in a month, by what it did."""
    done, before, loans = world.months[t].treatments, world.states[t - 1], world.states[t].loans
    if kind == "contact":
        return bool(done.contacted[who])
    if kind == "restructuring":
        extended = done.restructured[done.restructuring_kind == TERM_EXTENSION]
        return who in loans.customer[extended]
    return bool(world.states[t].tamed_months[who] > before.tamed_months[who])


def test_customers_without_a_decision_live_the_same_life_in_every_world(worlds: Worlds) -> None:
    real = worlds.real
    declined = {
        int(who)
        for month in real.months[BURN_IN_MONTHS:]
        for who, decision in zip(month.applications.customer, month.applications.decision, strict=True)
        if decision == DECLINED
    }
    decided = {int(who) for month in real.months for made in month.treatments.decided for who in made.customer}
    for other, touched in ((worlds.granted, declined), (worlds.flipped, decided)):
        rest = np.setdiff1d(np.arange(len(real.states[0].cash)), list(touched))
        assert len(rest) > 300
        assert len(touched) > 50
        for t in (BURN_IN_MONTHS - 1, BURN_IN_MONTHS + 20, len(real.states) - 1):
            ours, others = customer_values(real.states[t]), customer_values(other.states[t])
            for name in ours:
                assert np.array_equal(ours[name][rest], others[name][rest]), name
            mine, theirs = (
                {key: row for key, row in loan_rows(state).items() if key[0] not in touched}
                for state in (real.states[t], other.states[t])
            )
            assert mine == theirs
        moved = np.flatnonzero(real.states[-1].cash != other.states[-1].cash)
        assert set(moved) <= touched
        assert len(moved) > len(touched) / 4


def test_worlds_part_at_the_first_decision(
    plain: Written, truth: dict[str, list[dict[str, Any]]], worlds: Worlds
) -> None:
    for row in truth["treatments"]:
        who, t = position(row["customer_id"]), month_of(plain, row["decided_on"])
        ours, others = (customer_values(world.states[t - 1]) for world in (worlds.real, worlds.flipped))
        assert all(np.array_equal(ours[name][who], others[name][who]) for name in ours), row


# labels on their own definitions, from the written files


def test_every_table_of_the_truth_has_its_columns(plain: Written, truth: dict[str, list[dict[str, Any]]]) -> None:
    for name, schema in SCHEMAS.items():
        assert pq.read_schema(plain.folder / "truth" / f"{name}.parquet").equals(schema)
        assert len(truth[name]) > 5, name


def test_a_default_is_the_first_month_end_of_90_days_or_the_write_off(sql: duckdb.DuckDBPyConnection) -> None:
    # a limit that moves past 4,000 EUR moves the threshold of its card: what counts then is the limit of that day
    steady = """(select loan_id from loans group by 1 having max(coalesce(credit_limit, 0)) <= 4000
                 or count(distinct credit_limit) <= 1)"""
    frame = sql.execute(
        f"""with first as (select loan_id, min(m) as m from loan_month where bad group by 1)
        select f.loan_id, f.m, month_number(d.month_end) as said
        from (select first.* from first join {steady} using (loan_id) where m >= (select first_m from span)) f
        full join (select d.* from truth_defaults d join {steady} using (loan_id)) d using (loan_id)"""
    ).df()
    assert len(frame) > 40
    assert (frame["m"] == frame["said"]).all()
    nothing(sql, "(select loan_id from truth_defaults group by 1 having count(*) > 1)")
    nothing(sql, "truth_defaults d join loan l using (loan_id) where d.customer_id <> l.customer_id")


def test_arrears_that_led_to_a_default_began_when_they_were_first_seen(sql: duckdb.DuckDBPyConnection) -> None:
    nothing(sql, "truth_defaults where arrears_since > month_end")
    frame = sql.execute(
        """select d.loan_id, month_number(arrears_since) as said,
               coalesce(max(l.m) filter (l.dpd = 0 and l.m < month_number(d.month_end)) + 1, min(l.m)) as first
           from truth_defaults d join loan_month l using (loan_id) group by d.loan_id, d.arrears_since, d.month_end"""
    ).df()
    assert (frame["said"] == frame["first"]).mean() > 0.98  # but for cards whose limit moved


def test_paths_are_those_of_their_customers(sql: duckdb.DuckDBPyConnection) -> None:
    nothing(
        sql, "truth_defaults join truth_customers using (customer_id) where (path = 'first_payment_fraud') <> fraudster"
    )
    nothing(sql, "truth_defaults where path = 'gradual' and episode_kind like 'sudden%' and arrears_since = month_end")
    nothing(
        sql,
        """truth_defaults d join (select loan_id, min(due_on) as first_due from instalments group by 1) using (loan_id)
           where path = 'first_payment_fraud' and month_number(arrears_since) <> month_number(first_due)""",
    )


def test_episodes_do_not_overlap_and_end_after_they_begin(sql: duckdb.DuckDBPyConnection) -> None:
    nothing(
        sql,
        """(select *, lead(began) over (partition by customer_id order by began) as again from truth_episodes)
        where ended < began or (again is not null and (ended is null or ended >= again)) or day(began) <> 1
            or ended <> last_day(ended)""",
    )
    nothing(sql, "truth_episodes where began > (select last_day from span) or ended > (select last_day from span)")
    nothing(sql, "truth_episodes where kind = 'calm' or defaulted <> (worst_dpd >= 90)")


def test_an_episode_lasts_as_long_as_the_stress_is_seen(sql: duckdb.DuckDBPyConnection) -> None:
    nothing(
        sql,
        """truth_latent l left join truth_episodes e on e.customer_id = l.customer_id and e.began <= l.month_end
               and (e.ended is null or e.ended > l.month_end)
           where (l.stress > 0) <> (l.stress_kind <> 'calm')
              or e.kind is not null and e.kind <> l.stress_kind
              or e.kind is null and l.stress > 0 and l.month_end > (select min(began) + 1200 from truth_episodes)""",
    )


def test_the_worst_of_an_episode_is_that_of_its_months_and_six_more(sql: duckdb.DuckDBPyConnection) -> None:
    frame = sql.execute(
        """select e.customer_id, e.began, e.worst_dpd, coalesce(max(if(status = 'written off', 999, dpd)), 0) as worst
           from truth_episodes e left join loan_month l on l.customer_id = e.customer_id and l.status <> 'closed'
               and l.m between month_number(began) and coalesce(month_number(ended) + 6, 999999)
           group by all"""
    ).df()
    assert len(frame) > 200
    assert (frame["worst_dpd"] > 0).sum() > 40
    assert (frame["worst_dpd"] == frame["worst"]).mean() > 0.99  # but for cards whose limit moved


def test_the_latent_state_shows_the_worst_of_open_loans(sql: duckdb.DuckDBPyConnection) -> None:
    frame = sql.execute(
        """with worst as (select customer_id, m, max(dpd) filter (status = 'open') as dpd from loan_month group by all)
        select t.customer_id, t.month_end, t.worst_dpd, coalesce(w.dpd, 0) as dpd, t.next_worst_dpd, coalesce(n.dpd, 0) as later
        from truth_latent t
        left join worst w on w.customer_id = t.customer_id and w.m = month_number(t.month_end)
        left join worst n on n.customer_id = t.customer_id and n.m = month_number(t.month_end) + 1"""
    ).df()
    known = frame["next_worst_dpd"].notna()
    assert (known == (frame["month_end"] < frame["month_end"].max())).all()
    assert (frame["worst_dpd"] == frame["dpd"]).mean() > 0.999
    assert (frame["next_worst_dpd"] == frame["later"])[known].mean() > 0.999
    assert (frame["worst_dpd"] > 0).sum() > 200


def test_those_who_have_joined_are_in_the_truth(plain: Written, sql: duckdb.DuckDBPyConnection) -> None:
    population, calendar = plain.world().population, plain.world().calendar
    expected = [int(population.joined_by(t + 1).sum()) for t in range(BURN_IN_MONTHS, calendar.total)]
    counts = sql.execute("select count(*) from truth_latent group by month_end order by month_end").fetchall()
    assert [count for (count,) in counts] == expected
    nothing(
        sql,
        """truth_customers full join (from now_customers where customer_id < 'C9000000') c using (customer_id)
           where joined_on is distinct from relationship_since""",
    )
    nothing(sql, "truth_customers where hidden and saves_elsewhere or fraudster and not hidden")


def test_episodes_and_incidents_are_of_people_who_are_customers(sql: duckdb.DuckDBPyConnection) -> None:
    nothing(sql, "truth_incidents join truth_customers using (customer_id) where start < joined_on")
    nothing(sql, "truth_defaults join truth_customers using (customer_id) where month_end < joined_on")
    nothing(sql, "truth_episodes join truth_customers using (customer_id) where ended < joined_on")


# incidents

HARMFUL = {"account_takeover", "sudden_large_debit", "income_loss", "hidden_borrowing"}
BENIGN = {"bonus", "travel", "large_purchase", "new_phone", "house_purchase"}
SEEN_AS = {
    "account_takeover": ("unknown", -1), "sudden_large_debit": ("unknown", -1), "hidden_borrowing": ("other_lender", 1),
    "bonus": ("bonus", 1), "travel": ("travel", -1), "large_purchase": ("purchase", -1), "new_phone": ("electronics", -1),
    "house_purchase": ("house", -1),
}  # fmt: skip


def test_incidents_are_harmful_or_not_by_their_kind(sql: duckdb.DuckDBPyConnection) -> None:
    kinds = dict(sql.execute("select kind, list(distinct harmful) from truth_incidents group by 1").fetchall())
    assert {kind for kind, harmful in kinds.items() if harmful == [True]} == HARMFUL & set(kinds)
    assert {kind for kind, harmful in kinds.items() if harmful == [False]} == BENIGN
    assert {"sudden_large_debit", "income_loss", "hidden_borrowing"} <= set(kinds)
    nothing(sql, 'truth_incidents where "end" < start or amount <= 0 or monthly_income <= 0')
    nothing(
        sql,
        "truth_incidents where start not between (select min(month_end) - 31 from performance) and (select last_day from span)",
    )
    nothing(sql, "truth_incidents join truth_customers using (customer_id) where visible = hidden")
    harmful, benign = one(sql, "select count(*) filter (harmful), count(*) filter (not harmful) from truth_incidents")
    assert benign > 5 * harmful > 0


def test_an_income_loss_lasts_as_long_as_its_episode(sql: duckdb.DuckDBPyConnection) -> None:
    nothing(
        sql,
        """(from truth_incidents where kind = 'income_loss') i full join
           (select e.* from truth_episodes e join truth_customers c using (customer_id) where kind = 'sudden_income'
                and began > joined_on) e
           on e.customer_id = i.customer_id and e.began = i.start
           where i.customer_id is null or e.customer_id is null or i."end" is distinct from e.ended""",
    )


def test_hidden_borrowing_is_booked_on_its_day(sql: duckdb.DuckDBPyConnection) -> None:
    nothing(
        sql,
        """truth_incidents i anti join transactions t on t.customer_id = i.customer_id and t.category = 'other_lender'
               and t.booked_at::date = i.start
           where i.kind = 'hidden_borrowing' and i.visible""",
    )


def test_a_visible_incident_is_in_the_account_to_the_cent(sql: duckdb.DuckDBPyConnection) -> None:
    for kind, (category, sign) in SEEN_AS.items():
        more = "seen < amount" if category in ("travel", "unknown", "purchase") else "seen <> amount"
        nothing(
            sql,
            f"""(select customer_id, month_number(start) as m, sum(amount::decimal(18, 2)) as amount
                from truth_incidents where kind = '{kind}' and visible group by all)
            left join (select customer_id, month_number(booked_at) as m, {sign} * sum(amount) as seen from transactions
                where category = '{category}' group by all) using (customer_id, m)
            where seen is null or {more}""",
        )


def test_what_came_after_an_incident(sql: duckdb.DuckDBPyConnection) -> None:
    nothing(
        sql,
        """truth_incidents i where (defaulted_12m is null) <> (month_number(start) + 12 > (select last_m from span)
           or exists (from loan_month l where l.customer_id = i.customer_id and bad and l.m = month_number(start) - 1))""",
    )
    frame = sql.execute(
        """select i.incident_id, any_value(defaulted_12m) as said, coalesce(bool_or(bad), false) as bad
           from truth_incidents i left join loan_month l on l.customer_id = i.customer_id
               and l.m between month_number(start) and month_number(start) + 12
               and (l.status = 'open' or month_number(l.month_end) = (select ended_m from loan where loan.loan_id = l.loan_id))
           where defaulted_12m is not null group by 1"""
    ).df()
    assert (frame["said"] == frame["bad"]).mean() > 0.995
    assert frame["said"].sum() > 20


# applications


def test_applications_of_the_truth_are_those_of_the_book(sql: duckdb.DuckDBPyConnection) -> None:
    nothing(
        sql,
        """truth_applications t full join applications a using (application_id)
           where t.customer_id is distinct from a.customer_id or t.decision is distinct from a.decision
               or t.loan_id is distinct from a.loan_id or t.applied_on is distinct from a.applied_at::date""",
    )
    nothing(sql, "truth_applications where hidden_score is null")


def test_the_hidden_score_is_nowhere_in_the_book(plain: Written, sql: duckdb.DuckDBPyConnection) -> None:
    scores = sql.execute("select customer_id, application_id, hidden_score as own from truth_applications").df()
    scores["other"] = np.random.default_rng(1).permutation(scores["own"])  # how often a number meets by chance
    sql.register("scores", scores)
    searched = 0
    for name in sorted(plain.book.tables):
        columns = [column.name for column in TABLES[name].columns]
        assert "hidden_score" not in columns
        numbers = [column.name for column in TABLES[name].columns if column.dtype in ("money", "float", "int")]
        source = (
            name if "customer_id" in columns else f"{name} join (select loan_id, customer_id from loan) using (loan_id)"
        )
        for column in numbers:
            met = [
                f"""count(distinct application_id) filter (exists (select 1 from found
                    where found.customer_id = s.customer_id and value = {score}))"""
                for score in ("own", "other")
            ]
            own, chance = one(
                sql,
                f"""with found as (select distinct customer_id, abs({column}::double) as value from {source})
                    select {met[0]}, {met[1]} from scores s""",
            )
            assert own <= chance + 0.02 * len(scores), f"{name}.{column}"
            searched += 1
    assert searched > 15
    joined = scores.merge(sql.execute("select application_id, score from applications").df(), on="application_id")
    assert joined["own"].corr(joined["score"], method="spearman") < 0.9


# the true PD


def test_the_true_pd_ranks_the_late_above_the_others() -> None:
    frame = true_pd(customers=1_500, months=3, seed=9, start=date(2023, 1, 1), month=2, branches=6)
    assert list(frame.columns) == ["customer_id", "true_pd"]
    assert frame.customer_id.is_unique
    assert frame.true_pd.between(0, 1).all()
    _, state = replay(Block(0, 0, 1_500), Calendar(date(2023, 1, 1), 3), 9, 2, Story())
    late = state.worst_dpd()[frame.customer_id.map(position)] >= 30
    assert late.sum() > 3
    assert frame.true_pd[late].mean() > 3 * frame.true_pd[~late].mean()


def test_true_pd_refuses_a_month_outside_the_book() -> None:
    with pytest.raises(InputError, match="month is 4, expected 1 to 3"):
        true_pd(customers=50, months=3, seed=1, start=date(2023, 1, 1), month=4)
    with pytest.raises(InputError, match="branches is 0, expected 1 or more"):
        true_pd(customers=50, months=3, seed=1, start=date(2023, 1, 1), month=1, branches=0)


def test_a_lender_to_whom_nothing_is_done_goes_bad_as_often_as_the_true_pd_says() -> None:
    table = pooled(one_lender(seed, customers=4_000, month=6, branches=12) for seed in (1, 2, 3))
    assert table.loc["all", "error"] < 0.15 * table.loc["all", "predicted"], "too inexact to prove anything"
    assert table.loc["high", "predicted"] > 3 * table.loc["low", "predicted"]
    assert (table["z"].abs() < 3.5).all(), table


def test_differences_are_pooled_by_customers_and_their_errors_by_lender() -> None:
    columns = ["seed", "group", "customers", "predicted", "realised", "variance"]
    rows = [(1, 300, 0.04, 0.05, 0.0004), (2, 100, 0.08, 0.08, 0.0016)]
    lenders = [
        pd.DataFrame([(seed, group, *rest) for group in GROUPS], columns=columns) for seed, *rest in rows
    ]  # weights 3/4 and 1/4
    found = pooled(lenders).loc["all"]
    assert found["customers"] == 400
    assert found["predicted"] == pytest.approx(0.05)
    assert found["difference"] == pytest.approx(0.0075)
    assert found["error"] == pytest.approx((9 / 16 * 0.0004 + 1 / 16 * 0.0016) ** 0.5)
    assert found["z"] == pytest.approx(0.0075 / found["error"])


def test_the_world_of_a_written_lender_is_that_of_its_replay(plain: Written) -> None:
    world, state = replay(Block(0, 0, plain.customers), Calendar(plain.start, plain.months), plain.seed, 3, plain.story)
    ours = list(live(world_of(plain.customers, months=plain.months, seed=plain.seed, story=plain.story, start=plain.start)[0],
                     seed=plain.seed, until=3))[-1].state  # fmt: skip
    assert np.array_equal(state.cash, ours.cash)
    assert loan_rows(state) == loan_rows(ours)
    assert pd.Series(world.population.vulnerability).equals(pd.Series(plain.world().population.vulnerability))
