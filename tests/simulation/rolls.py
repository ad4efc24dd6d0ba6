"""How loans move between buckets: rolls, cures, and what comes after a cure or a restructuring."""

from __future__ import annotations

from functools import cache

import duckdb
import pandas as pd

from .lender import BUCKETS, one

MOVES = """(select *, lead(bucket) over (partition by loan_id order by m) as next_bucket from loan_month)
           where written and status = 'open' and next_bucket is not null"""


@cache
def roll_matrix(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the share of open loans of each bucket (rows) that are in each state a month later (columns)."""
    moves = sql.execute(f"select bucket, next_bucket, count(*) as loans from {MOVES} group by all").df()
    counts = moves.pivot_table(index="bucket", columns="next_bucket", values="loans", fill_value=0)
    counts = counts.reindex(index=BUCKETS[:5], columns=BUCKETS, fill_value=0)
    return counts.div(counts.sum(axis=1), axis=0)


@cache
def roll_sizes(sql: duckdb.DuckDBPyConnection) -> pd.Series:
    """Return the loan-months of each bucket from which `roll_matrix` counts."""
    sizes = sql.execute(f"select bucket, count(*) as loans from {MOVES} group by all").df()
    return sizes.set_index("bucket")["loans"].reindex(BUCKETS[:5], fill_value=0)


def roll_rates(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by month and bucket the share that is in a worse one a month later (month, from_bucket, rate)."""
    return sql.execute(
        f"""with ranked as (
                select *, list_position({list(BUCKETS)}, bucket) as here, list_position({list(BUCKETS)}, next_bucket) as there
                from {MOVES})
            select month_end as month, bucket as from_bucket, avg((there > here and next_bucket <> 'closed')::int) as rate
            from ranked where bucket not in ('0', '90+') group by all order by all"""
    ).df()


def cures(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by bucket the share that owes nothing overdue, or has repaid, a month later (loans, cured)."""
    matrix = roll_matrix(sql)
    return pd.DataFrame({"loans": roll_sizes(sql), "cured": matrix["0"] + matrix["closed"]}).drop("0")


@cache
def default_outcomes(sql: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Return what came of the loans that reached 90 days, within 12 months: shares cured, written off, and the rest."""
    count, cured, lost = one(
        sql,
        """with entered as (
            select *, bool_or(bucket = '0' or status = 'closed') over ahead as cures,
                bool_or(status = 'written off') over ahead as lost
            from (select *, lag(bucket) over (partition by loan_id order by m) as before from loan_month)
            window ahead as (partition by loan_id order by m range between 1 following and 12 following))
        select count(*), avg(coalesce(cures and not lost, false)::int), avg(coalesce(lost, false)::int) from entered
        where written and bucket = '90+' and before <> '90+' and m + 12 <= (select last_m from span)""",
    )
    return {"defaults": count, "cured": _number(cured), "written_off": _number(lost)}


def after_cure(sql: duckdb.DuckDBPyConnection, *, from_dpd: int = 30, to_dpd: int = 30) -> tuple[int, float]:
    """Return the cures of arrears that had reached `from_dpd` days, and the share at `to_dpd` or more within 12 months.

    A cure is the first month end without arrears, the loan still open. Write-off counts as any number of days.
    """
    count, again = one(
        sql,
        f"""with spell as (
            select *, count(*) filter (dpd = 0) over (partition by loan_id order by m) as number from loan_month
        ), worst as (
            select *, max(dpd) over (partition by loan_id, number) as worst_dpd from spell
        ), followed as (
            select *, lag(worst_dpd) over (partition by loan_id order by m) as worst_before,
                lag(dpd) over (partition by loan_id order by m) as dpd_before,
                max(case when status = 'written off' then 999 else dpd end) over (
                    partition by loan_id order by m range between 1 following and 12 following) as worst_ahead
            from worst)
        select count(*), avg((coalesce(worst_ahead, 0) >= {to_dpd})::int) from followed
        where written and status = 'open' and dpd = 0 and dpd_before > 0 and worst_before >= {from_dpd}
            and m + 12 <= (select last_m from span)""",
    )
    return count, _number(again)


def after_restructuring(sql: duckdb.DuckDBPyConnection, *, to_dpd: int = 90) -> tuple[int, float]:
    """Return the restructurings of open loans, and the share at `to_dpd` days or written off within 12 months."""
    count, again = one(
        sql,
        f"""select count(*), avg((worst >= {to_dpd})::int) from (
            select r.loan_id, r.m, max(case when l.status = 'written off' then 999 else l.dpd end) as worst
            from restructured r join loan_month l on l.loan_id = r.loan_id and l.m between r.m + 1 and r.m + 12
            where r.m >= (select first_m from span) and r.m + 12 <= (select last_m from span) group by all)""",
    )
    return count, _number(again)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
