"""What only the simulation knows, from `truth/`: paths, episodes, incidents, the rejected, treatments, protected groups."""

from __future__ import annotations

from functools import cache

import duckdb
import pandas as pd

from .estimates import Estimate, gini, mean, ratio, share
from .lender import need, one

MATURE_MONTHS = 18
"""An episode counts as over or not from so many months after its beginning."""
PRIOR_MONTHS = 12
AGE_BANDS = (30, 40, 50, 60)


def paths(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the defaults by path: path, defaults, share."""
    need(sql, "truth_defaults")
    table = sql.execute("select path, count(*) as defaults from truth_defaults group by all order by all").df()
    return table.assign(share=table["defaults"] / table["defaults"].sum())


def paths_by_quarter(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the defaults by quarter and path (month, path, defaults)."""
    need(sql, "truth_defaults")
    return sql.execute(
        """select last_day(date_trunc('quarter', month_end) + interval 2 month) as month, path, count(*) as defaults
           from truth_defaults group by all order by all"""
    ).df()


def path_share(sql: duckdb.DuckDBPyConnection, path: str) -> Estimate:
    """Return the share of all defaults that came by `path`."""
    need(sql, "truth_defaults")
    return share(*one(sql, f"select count(*) filter (path = '{path}'), count(*) from truth_defaults"))


def sudden_without_signal(sql: duckdb.DuckDBPyConnection) -> Estimate:
    """Return the share of sudden defaults whose customer was never late in the 12 months before the episode began.

    Late: any days past due at a month end. The episode is the customer's latest that began before the arrears did.
    """
    need(sql, "truth_defaults", "truth_episodes")
    return share(
        *one(
            sql,
            f"""with begun as (
                select d.customer_id, d.loan_id, d.month_end, max(month_number(began)) as m
                from truth_defaults d join truth_episodes e using (customer_id)
                where path = 'sudden' and e.began <= d.month_end and e.kind = d.episode_kind
                    and e.began <= coalesce(d.arrears_since, d.month_end) group by all
            ), before as (
                select b.loan_id, b.month_end, coalesce(max(c.dpd), 0) as worst from begun b left join customer_month c
                    on c.customer_id = b.customer_id and c.m between b.m - {PRIOR_MONTHS} and b.m - 1
                where b.m - {PRIOR_MONTHS} >= (select first_m from span) group by all)
            select count(*) filter (worst = 0), count(*) from before""",
        )
    )


def episodes(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by kind the episodes begun long enough ago: how many, the shares over without default, defaulted, and still on."""
    need(sql, "truth_episodes")
    return sql.execute(
        f"""select kind, count(*) as episodes, avg((ended is not null and not defaulted)::int) as recovered,
                avg(defaulted::int) as defaulted, avg((ended is null and not defaulted)::int) as still_on
            from truth_episodes where month_number(began) <= (select last_m from span) - {MATURE_MONTHS}
            group by all order by all"""
    ).df()


def recovered_episodes(sql: duckdb.DuckDBPyConnection) -> Estimate:
    """Return the share of all such episodes that ended without default."""
    table = episodes(sql)
    return share(float((table["recovered"] * table["episodes"]).sum()), float(table["episodes"].sum()))


INCIDENTS = "(select *, amount / nullif(monthly_income, 0) as size from truth_incidents)"


def incidents(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by kind: incidents, harmful or not, share visible, middle 80 % and median of size, share then bad."""
    need(sql, "truth_incidents.amount", "truth_incidents.defaulted_12m")
    return sql.execute(
        f"""select kind, any_value(harmful) as harmful, count(*) as incidents, avg(visible::int) as visible,
                quantile_cont(size, .1) as low, median(size) as median, quantile_cont(size, .9) as high,
                avg(defaulted_12m::int) as defaulted
            from {INCIDENTS} group by all order by harmful desc, kind"""
    ).df()


@cache
def incident_sizes(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return every incident with a size: kind, harmful, size in months of income."""
    need(sql, "truth_incidents.amount")
    return sql.execute(f"select kind, harmful, size from {INCIDENTS} where size > 0 order by all").df()


def lookalikes(sql: duckdb.DuckDBPyConnection) -> Estimate:
    """Return how many benign look-alikes come on one harmful incident."""
    need(sql, "truth_incidents")
    harmful, benign = one(sql, "select count(*) filter (harmful), count(*) filter (not harmful) from truth_incidents")
    return ratio(benign, 1, harmful, 1)


def overlap(sql: duckdb.DuckDBPyConnection, *, of_harmful: bool = False) -> Estimate:
    """Return the share of benign look-alikes whose size lies between the 10th and 90th percentile of the harmful ones'.

    `of_harmful` turns it round: the share of the harmful whose size lies between those percentiles of the benign ones'.
    """
    sizes = incident_sizes(sql)
    asked, others = sizes.loc[sizes["harmful"] == of_harmful, "size"], sizes.loc[sizes["harmful"] != of_harmful, "size"]
    return share(float(asked.between(others.quantile(0.1), others.quantile(0.9)).sum()), len(asked))


def harmless_harm(sql: duckdb.DuckDBPyConnection) -> Estimate:
    """Return the share of harmful incidents, seen for 12 months after, that no default followed."""
    need(sql, "truth_incidents.defaulted_12m")
    return share(
        *one(
            sql,
            """select count(*) filter (not defaulted_12m), count(*) from truth_incidents
               where harmful and month_number(start) <= (select last_m from span) - 12""",
        )
    )


def approval(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by month the applications decided and the share accepted (month, applications, rate)."""
    need(sql, "applications")
    return sql.execute(
        """select month_end_of(month_number(applied_at)) as month, count(*) as applications,
               avg((decision = 'accepted')::int) as rate
           from now_applications where decision in ('accepted', 'declined') group by all order by all"""
    ).df()


def approved(sql: duckdb.DuckDBPyConnection) -> Estimate:
    """Return the share of decided applications that were accepted."""
    table = approval(sql)
    return share(float((table["rate"] * table["applications"]).sum()), float(table["applications"].sum()))


def decline_reasons(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the declined applications by reason: reason, applications, share."""
    need(sql, "applications")
    table = sql.execute(
        """select coalesce(decline_reason, 'none given') as reason, count(*) as applications
           from now_applications where decision = 'declined' group by all order by 2 desc, 1"""
    ).df()
    return table.assign(share=table["applications"] / table["applications"].sum())


def applicants(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by decision: applications with 12 months seen, bads and the bad rate (of the declined: had they been accepted)."""
    need(sql, "truth_applications")
    return sql.execute(
        """select decision, count(*) as applications, count(*) filter (bad_12m) as bad, avg(bad_12m::int) as bad_rate
           from truth_applications where months_seen >= 12 and decision in ('accepted', 'declined')
               and outcome_kind is not null group by all order by all"""
    ).df()


def outcomes_by_score(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by fifth of the hidden score (1 the worst) and decision: applications, bad rate and its standard error."""
    need(sql, "truth_applications")
    table = sql.execute(
        """select ntile(5) over (order by hidden_score, application_id) as score, decision, bad_12m::int as bad
           from truth_applications
           where months_seen >= 12 and decision in ('accepted', 'declined') and outcome_kind is not null"""
    ).df()
    found = table.groupby(["score", "decision"])["bad"].agg(["size", "mean", "sem"]).reset_index()
    return found.set_axis(["score", "decision", "applications", "bad_rate", "error"], axis=1)


def rejected_to_accepted(sql: duckdb.DuckDBPyConnection) -> Estimate:
    """Return the bad rate that the declined would have had, over that of the accepted."""
    table = applicants(sql).set_index("decision").reindex(["declined", "accepted"]).fillna(0)
    declined, accepted = table.loc["declined"], table.loc["accepted"]
    return ratio(declined["bad"], declined["applications"], accepted["bad"], accepted["applications"])


def application_gini(sql: duckdb.DuckDBPyConnection, *, hidden: bool = False, accepted: bool = True) -> Estimate:
    """Return the Gini of the application score, or of the hidden one, on the 12-month outcome of the accepted or of all."""
    need(sql, "applications", "truth_applications")
    score = "-hidden_score" if hidden else "-score"
    which = "and t.decision = 'accepted'" if accepted else "and t.decision in ('accepted', 'declined')"
    table = sql.execute(
        f"""select bad_12m::int as bad, {score} as risk from truth_applications t
            join (select application_id, score from now_applications) using (application_id)
            where months_seen >= 12 and outcome_kind is not null and {score} is not null {which}"""
    ).df()
    return gini(table["bad"], table["risk"])


def treatment_effects(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by kind and whether treated: cases, bad rates as treated and untreated, the effect with its standard error.

    The effect is the bad rate with the treatment less that without, each case being its own twin.
    """
    need(sql, "truth_treatments")
    table = sql.execute(
        """select kind, treated, (case when treated then bad_12m else bad_12m_otherwise end)::int as bad_with,
               (case when treated then bad_12m_otherwise else bad_12m end)::int as bad_without
           from truth_treatments where complete order by kind, treated"""
    ).df()
    effect = table["bad_with"] - table["bad_without"]
    groups = table.assign(effect=effect).groupby(["kind", "treated"])
    found = groups.agg(
        cases=("effect", "size"), bad_with=("bad_with", "mean"), bad_without=("bad_without", "mean"), effect=("effect", "mean"),
        error=("effect", "sem"),
    )  # fmt: skip
    return found.reset_index()


def effect_of(sql: duckdb.DuckDBPyConnection, kind: str) -> Estimate:
    """Return the mean effect of a kind of treatment on the 12-month bad rate, over treated and untreated cases.

    Where no case, or all of them, turned out otherwise, the error is that of one case more.
    """
    need(sql, "truth_treatments")
    effect = sql.execute(
        f"""select (case when treated then 1 else -1 end) * (bad_12m::int - bad_12m_otherwise::int) as effect
            from truth_treatments where complete and kind = '{kind}'"""
    ).df()["effect"]
    found = mean(effect)
    return Estimate(found.value, max(found.error, 1 / max(len(effect), 1)))


AGE_BAND = " + ".join(f"(date_diff('year', birth_date, month_end) >= {limit})::int" for limit in AGE_BANDS)


def bad_rate_by(sql: duckdb.DuckDBPyConnection, column: str) -> pd.DataFrame:
    """Return the 12-month bad rate by a column of customers: of cohorts 12 months apart, counted back from the last.

    `age_band` is the number of the limits in `AGE_BANDS` that the age reaches (calendar years less the year of birth).
    """
    return sql.execute(
        f"""select {AGE_BAND if column == "age_band" else column} as "group", count(*) as customers,
                count(*) filter (bad_12m) as bad, avg(bad_12m::int) as bad_rate
            from customer_month join now_customers using (customer_id)
            where active and not already_bad and complete and ((select last_m from span) - m) % 12 = 0
                and "group" is not null group by all order by all"""
    ).df()


def proxy(sql: duckdb.DuckDBPyConnection, column: str = "occupation", protected: str = "gender") -> Estimate:
    """Return Cramer's V between a column and a protected one: 0 no association, 1 the one gives the other away.

    Its standard error is that of a V near 0, `1 / sqrt(n)`.
    """
    counts = sql.execute(
        f"""select {column} as x, {protected} as y, count(*) as n from now_customers
            where x is not null and y is not null group by all"""
    ).df()
    table = counts.pivot_table(index="x", columns="y", values="n", fill_value=0).to_numpy(float)
    n = table.sum()
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / n
    chi2 = ((table - expected) ** 2 / expected).sum()
    return Estimate(float((chi2 / n / (min(table.shape) - 1)) ** 0.5), float(n**-0.5))
