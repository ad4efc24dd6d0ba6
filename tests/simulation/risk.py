"""How many go bad: by cohort, by product, by vintage, by months on book."""

from __future__ import annotations

from functools import cache

import duckdb
import numpy as np
import pandas as pd

SMOOTHING_MONTHS = 7
"""Width of the centred moving window, weighted by the loans at risk, that smooths a hazard."""
PEAK_UP_TO, PEAK_AT_RISK = 48, 0.05
"""A peak is looked for up to this month on book, where at least this share of the largest risk set is left."""


@cache
def bad_rates(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by cohort (month end): customers active and not already bad with a complete window, and those gone bad.

    Bad: an active loan at 90 or more days past due at one of the next 12 month ends, or written off; `with_distressed`
    counts a distressed restructuring as well. Columns: month_end, customers, bad, bad_rate, with_distressed.
    """
    return sql.execute(
        """select month_end, count(*) as customers, count(*) filter (bad_12m) as bad, avg(bad_12m::int) as bad_rate,
               avg(distressed_12m::int) as with_distressed
           from customer_month where active and not already_bad and complete group by all order by all"""
    ).df()


@cache
def bad_rates_by_product(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by product and cohort: active loans below 90 days, and those bad within 12 months themselves."""
    return sql.execute(
        """select product, month_end, count(*) as loans, count(*) filter (goes_bad) as bad, avg(goes_bad::int) as bad_rate
           from loan_outlook where written and active and not bad and (goes_bad or not cut)
               and m + 12 <= (select last_m from span)
           group by all order by all"""
    ).df()


def by_quarter(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the bad rate of the cohorts of each calendar quarter, each cohort with its size as weight."""
    quarter = rates["month_end"].dt.to_period("Q").astype(str).rename("quarter")
    sums = rates.groupby(quarter)[["customers", "bad"]].sum().reset_index()
    return sums.assign(bad_rate=sums["bad"] / sums["customers"])


def new_defaults(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by month: loans below 90 days the month before, and those at 90 or more or written off now."""
    return sql.execute(
        """select month_end, count(*) as loans, count(*) filter (bad) as defaults, avg(bad::int) as rate
           from (select *, lag(bad) over (partition by loan_id order by m) as was_bad from loan_month)
           where written and not was_bad group by all order by all"""
    ).df()


def vintages(sql: duckdb.DuckDBPyConnection, *, upto: int = 24) -> pd.DataFrame:
    """Return by quarter of opening and month on book: the share of loans bad so far, where every loan was seen that long.

    Columns: vintage, opened (first month end of the quarter's loans), age_months, loans, bad_rate.
    """
    return sql.execute(
        f"""with opened as (
                select loan_id, opened_m // 3 as quarter, opened_m, any_value(first_bad) as first_bad
                from (select loan_id, opened_m, min(lm.m - opened_m) filter (bad) over (partition by loan_id) as first_bad
                      from loan join loan_month lm using (loan_id)
                      where opened_m // 3 * 3 >= (select first_m from span))
                group by all
            ), seen as (
                select quarter, (quarter // 4)::int || 'Q' || (quarter % 4 + 1)::int as vintage,
                    (select last_m from span) - max(opened_m) as seen_for
                from opened group by quarter
            )
            select vintage, age_months, count(*) as loans, avg(coalesce(first_bad <= age_months, false)::int) as bad_rate
            from opened join seen using (quarter), unnest(range(1, {upto} + 1)) as ages(age_months)
            where age_months <= seen_for group by all order by all"""
    ).df()


@cache
def hazard(sql: duckdb.DuckDBPyConnection, *, product: str = "") -> pd.DataFrame:
    """Return by month on book: open loans never bad before, those gone bad in the month, the hazard and it smoothed.

    Loans opened before the written months come into the risk set with the first of these.
    """
    chosen = f"and product = '{product}'" if product else ""
    table = sql.execute(
        f"""select mob as age_months, count(*) as at_risk, count(*) filter (bad) as defaults, avg(bad::int) as hazard
            from (select *, min(m) filter (bad) over (partition by loan_id) as first_bad from loan_month)
            where written and mob > 0 and (first_bad is null or m <= first_bad) {chosen}
            group by all order by all"""
    ).df()
    return smoothed(table)


def smoothed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of `hazard` with the hazard smoothed anew from its defaults."""
    window = {"window": SMOOTHING_MONTHS, "center": True, "min_periods": 1}
    smooth = table["defaults"].rolling(**window).sum() / table["at_risk"].rolling(**window).sum()
    return table.assign(smoothed=smooth)


def peak_of(table: pd.DataFrame) -> float:
    """Return the month on book at which the smoothed hazard is highest; NaN without a default."""
    table = table[(table["age_months"] <= PEAK_UP_TO) & (table["at_risk"] >= PEAK_AT_RISK * table["at_risk"].max())]
    if not table["defaults"].sum():
        return float("nan")
    return float(table["age_months"].iloc[int(np.argmax(table["smoothed"].to_numpy()))])


def hazard_peak(sql: duckdb.DuckDBPyConnection, *, product: str = "") -> float:
    """Return the month on book at which a product's smoothed hazard is highest, or that of all."""
    return peak_of(hazard(sql, product=product))
