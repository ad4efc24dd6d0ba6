"""Tables that the figures of a simulated lender are drawn from: measures with the dated story beside them."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd

from workbench.book.simulation.story import LOOSE_MONTHS

from . import behaviour, risk, rolls, truths
from .lender import need, one

INCOME = ("salary", "pension", "bonus")


def _downturn(sql: duckdb.DuckDBPyConnection, months: pd.Series) -> np.ndarray:
    need(sql, "truth_economy")
    depth = sql.execute("select month_end, value from truth_economy where kind = 'downturn'").df()
    return months.map(depth.set_index("month_end")["value"]).fillna(0.0).to_numpy(float)


def _is_loose(sql: duckdb.DuckDBPyConnection, months: pd.Series) -> pd.Series:
    first = one(sql, "select first_m from span")[0]
    number = 12 * months.dt.year + months.dt.month - 1 - first + 1
    return number.between(*LOOSE_MONTHS)


def new_defaults(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return new defaults by month (month, rate, downturn)."""
    table = risk.new_defaults(sql).rename(columns={"month_end": "month"})
    return table.assign(downturn=_downturn(sql, table["month"]))


def cohorts(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the 12-month bad rate by cohort with its 95 % interval (month, bad_rate, low, high, downturn)."""
    table = risk.bad_rates(sql).rename(columns={"month_end": "month"})
    error = 1.96 * np.sqrt(table["bad_rate"] * (1 - table["bad_rate"]) / table["customers"])
    low, high = table["bad_rate"] - error, table["bad_rate"] + error
    return table.assign(low=low, high=high, downturn=_downturn(sql, table["month"]))


def vintages(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the vintages seen for 6 months at least, with whether they are loose."""
    table = risk.vintages(sql)
    table = table[table.groupby("vintage")["age_months"].transform("max") >= 6]
    last_month = pd.PeriodIndex(table["vintage"], freq="Q").to_timestamp(how="end").to_series(index=table.index)
    return table.assign(loose=_is_loose(sql, last_month))


def hazards(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the smoothed hazard of all loans and of each product, as far as a peak is looked for."""
    products = [name for (name,) in sql.execute("select distinct product from loan order by 1").fetchall()]
    parts = [risk.hazard(sql, product=name).assign(product=name or "all") for name in ("", *products)]
    kept = [part[part["at_risk"] >= risk.PEAK_AT_RISK * part["at_risk"].max()] for part in parts]
    table = pd.concat(kept, ignore_index=True)
    return table[table["age_months"] <= risk.PEAK_UP_TO]


def moves(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the roll matrix in long form (from_bucket, to_bucket, share)."""
    matrix = rolls.roll_matrix(sql).rename_axis(index="from_bucket", columns="to_bucket")
    return matrix.stack().rename("share").reset_index()


def prepayment(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the share not yet prepaid by product, up to 48 months."""
    table = behaviour.prepayment(sql)
    return table[table["age_months"] <= 48]


def recoveries(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return what came back of car loans and of the unsecured."""
    groups = {"auto": ("auto",), "personal, card": ("personal", "card")}
    return pd.concat(
        [behaviour.recovery(sql, *products).assign(group=group) for group, products in groups.items()],
        ignore_index=True,
    )


def new_mix(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the products' shares in the loans opened in each quarter (its last month)."""
    table = behaviour.new_loans(sql)
    table = table.assign(month=table["month"].dt.to_period("Q").dt.to_timestamp(how="end").dt.normalize())
    counts = table.groupby(["month", "product"], as_index=False)["loans"].sum()
    return counts.assign(share=counts["loans"] / counts.groupby("month")["loans"].transform("sum"))


def newcomers(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by quarter of joining (its last month): customers, the share under 30 and the share whose first loan is a card."""
    return sql.execute(
        """with firsts as (select customer_id, arg_min(product, (opened_on, loan_id)) as product from loan group by all)
        select last_day(date_trunc('quarter', relationship_since) + interval 2 month) as month, count(*) as customers,
            avg((date_diff('year', birth_date, relationship_since) < 30)::int) as under_30,
            avg((product = 'card')::int) as card_first
        from now_customers left join firsts using (customer_id)
        where month_number(relationship_since) >= (select first_m from span) group by all order by all"""
    ).df()


def growth(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return open loans and the customers who have them, by month."""
    loans = behaviour.mix(sql).groupby("month", as_index=False)["loans"].sum()
    return loans.merge(behaviour.several_loans(sql)[["month", "customers"]], on="month")


def limits(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the shares of open cards whose limit was raised and cut, by month."""
    table = behaviour.limit_changes(sql)
    raised, cut = table["raised"] / table["cards"], table["cut"] / table["cards"]
    return table.assign(raised=raised, cut=cut, downturn=_downturn(sql, table["month"]))


def approval(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the share of decided applications accepted, by month, with the story beside it."""
    table = truths.approval(sql)
    return table.assign(downturn=_downturn(sql, table["month"]), loose=_is_loose(sql, table["month"]))


def examples(sql: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return a customer for each of six stories, whose main account is in the book: a title, and the customer's number.

    The first by number of those whose story lies at least a year within the book.
    """
    need(sql, "truth_defaults", "truth_episodes", "truth_customers")
    inside = "between (select first_m from span) + 18 and (select last_m from span) - 6"
    seen = "customer_id in (select customer_id from truth_customers where not hidden)"
    asked = {
        "gradual stress": f"truth_defaults where path = 'gradual' and month_number(month_end) {inside}",
        "sudden shock": f"truth_defaults where path = 'sudden' and month_number(month_end) {inside}",
        "strategic": f"truth_defaults where path = 'strategic' and month_number(month_end) {inside}",
        "disorganised": f"truth_defaults where path = 'disorganised' and month_number(month_end) {inside}",
        "stress that passed": f"""truth_episodes where kind = 'gradual_income' and not defaulted and worst_dpd between 1 and 89
            and month_number(began) {inside} and ended is not null
            and customer_id not in (select customer_id from truth_defaults)""",
        "nothing happened": """truth_customers where customer_id not in (select customer_id from truth_episodes)
            and customer_id in (select customer_id from loan group by 1 having count(*) > 1)""",
    }
    found = {}
    for title, where in asked.items():
        row = sql.execute(f"select min(customer_id) from {where} and {seen}").fetchall()[0]
        if row[0] is not None:
            found[title] = row[0]
    return found


def trace(sql: duckdb.DuckDBPyConnection, customer_id: str) -> pd.DataFrame:
    """Return a customer's income booked in each month, account balance at its end and worst days past due."""
    need(sql, "transactions")
    return sql.execute(
        f"""with booked as (
                select month_number(booked_at) as m, sum(amount) filter (category in {INCOME})::double as income,
                    arg_max(balance_after, (booked_at, transaction_id))::double as balance
                from now_transactions where customer_id = '{customer_id}' group by all
            ), late as (select m, dpd from customer_month where customer_id = '{customer_id}')
            select month_end_of(m) as month, coalesce(income, 0) as income, balance, dpd
            from (select unnest(range(first_m, last_m + 1)) as m from span)
            left join booked using (m) left join late using (m) order by m"""
    ).df()
