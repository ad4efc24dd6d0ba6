"""What customers do with their loans: prepay, use limits, hold several, pay in part; and what comes back after a write-off."""

from __future__ import annotations

from functools import cache

import duckdb
import pandas as pd

from .lender import one

PAID_IN_FULL = 0.99
"""Share of the balance of the month before that counts as paid in full."""
TRANSACTOR_MONTHS, CARD_MONTHS = 10, 12
"""A transactor pays in full in at least so many (of those with a balance, in proportion) of the last 12 months."""


@cache
def prepayment(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by product and month on book: open term loans, those repaid whole before their time, and those still open.

    Columns: product, age_months, at_risk, prepaid, rate (per month), surviving (product of 1 - rate: not yet prepaid).
    """
    table = sql.execute(
        """select product, mob as age_months, count(*) as at_risk,
               count(*) filter (lm.status = 'closed' and close_reason in ('prepaid', 'refinanced')) as prepaid
           from loan_month lm join (select loan_id, close_reason, term_months from loan) using (loan_id)
           where written and mob > 0 and term_months is not null group by all order by all"""
    ).df()
    table["rate"] = table["prepaid"] / table["at_risk"]
    table["surviving"] = (1 - table["rate"]).groupby(table["product"]).cumprod()
    return table


def prepaid_by(sql: duckdb.DuckDBPyConnection, *, months: int = 24) -> pd.DataFrame:
    """Return by product the share of term loans, opened in written months and seen so long, that were prepaid by then."""
    return sql.execute(
        f"""select product, count(*) as loans,
                avg(coalesce(close_reason in ('prepaid', 'refinanced') and ended_m - opened_m <= {months}, false)::int) as share
            from loan where term_months is not null
                and opened_m between (select first_m from span) and (select last_m from span) - {months}
            group by all order by all"""
    ).df()


def utilisation(sql: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Return balance over limit of open cards at month ends: of all together, and the mean and quartiles over cards."""
    names = ("card_months", "of_all", "mean", "lower", "median", "upper")
    return dict(
        zip(
            names,
            one(
                sql,
                """select count(*), sum(balance) / sum(credit_limit), avg(used), quantile_cont(used, .25), median(used),
                       quantile_cont(used, .75)
                   from (select *, balance / credit_limit as used from loan_month
                         where written and status = 'open' and credit_limit > 0)""",
            ),
            strict=True,
        )
    )


def utilisation_bands(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the share of open cards at month ends by tenths of the limit used (used_from, used_to, share)."""
    return sql.execute(
        """with used as (
            select case when balance <= 0 then -1 else least(ceil(10 * balance / credit_limit) - 1, 10) end as tenth
            from loan_month where written and status = 'open' and credit_limit > 0)
        select tenth / 10 as used_from, (tenth + 1) / 10 as used_to, count(*) / sum(count(*)) over () as share
        from used group by tenth order by tenth"""
    ).df()


def utilisation_by_month(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the same by month end: month, of_all, lower, median, upper."""
    return sql.execute(
        """select month_end as month, sum(balance) / sum(credit_limit) as of_all,
               quantile_cont(balance / credit_limit, .25) as lower, median(balance / credit_limit) as median,
               quantile_cont(balance / credit_limit, .75) as upper
           from loan_month where written and status = 'open' and credit_limit > 0 group by all order by all"""
    ).df()


@cache
def card_types(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by December or last month end: cards open for 12 months, and the shares of three kinds, by how they were paid.

    Dormant: no balance at any of the 12 month ends. Transactor: the balance of the month before was paid in full in at
    least 10 of 12 months with one, in proportion. Revolver: the rest.
    """
    return sql.execute(
        f"""with paid as (
                select *, lag(balance) over (partition by loan_id order by m) as owed from loan_month
                where written and credit_limit is not null and status = 'open'
            ), year as (
                select *, count(owed) over recent as months, max(balance) over recent as highest,
                    count(*) filter (owed > 0) over recent as owing,
                    count(*) filter (owed > 0 and paid_amount >= {PAID_IN_FULL} * owed) over recent as in_full
                from paid
                window recent as (partition by loan_id order by m rows between {CARD_MONTHS - 1} preceding and current row)
            ), kinds as (
                select month_end, case when highest <= 0 then 'dormant'
                    when in_full * {CARD_MONTHS} >= owing * {TRANSACTOR_MONTHS} then 'transactor' else 'revolver' end as kind
                from year where months = {CARD_MONTHS} and (month(month_end) = 12 or m = (select last_m from span)))
            select month_end, count(*) as cards, avg((kind = 'transactor')::int) as transactor,
                avg((kind = 'revolver')::int) as revolver, avg((kind = 'dormant')::int) as dormant
            from kinds group by all order by all"""
    ).df()


def recovery(sql: duckdb.DuckDBPyConnection, *products: str, upto: int = 36) -> pd.DataFrame:
    """Return by months since write-off the share of the amount written off that came back in the month, and so far.

    Each month counts the loans, of `products` where some are named, that were seen so long after. Columns: months_after,
    loans, share, so_far.
    """
    chosen = f"and loan.product in {(*products, '')}" if products else ""
    table = sql.execute(
        f"""with lost as (
                select loan_id, ended_m, balance as amount, (select last_m from span) - ended_m as seen_for
                from loan join (select loan_id, m, balance, status from loan_month) lm using (loan_id)
                where lm.status = 'written off' and lm.m = ended_m and balance > 0 {chosen}
            ), back as (
                select loan_id, month_number(paid_at) as m, sum(amount)::double as amount from now_payments
                where kind = 'recovery' group by all
            ), grid as (select * from lost, unnest(range(0, {upto} + 1)) as after(months_after) where months_after <= seen_for)
            select months_after, count(*) as loans, coalesce(sum(b.amount), 0) / sum(g.amount) as share
            from grid g left join back b on g.loan_id = b.loan_id and b.m = ended_m + months_after
            group by all order by all"""
    ).df()
    return table.assign(so_far=table["share"].cumsum())


def several_loans(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by month end the share of customers with open loans who have two or more (month, customers, share)."""
    return sql.execute(
        """select month_end as month, count(*) as customers, avg((open_loans > 1)::int) as share
           from customer_month where open_loans > 0 group by all order by all"""
    ).df()


@cache
def limit_changes(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by month the open cards, those whose limit rose, and those whose limit was cut since the month before."""
    return sql.execute(
        """select month_end as month, count(*) as cards, count(*) filter (credit_limit > before) as raised,
               count(*) filter (credit_limit < before) as cut
           from (select *, lag(credit_limit) over (partition by loan_id order by m) as before from loan_month where written)
           where before is not null and status = 'open' group by all order by all"""
    ).df()


def new_loans(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by month and product the loans opened (month, product, loans, amount)."""
    return sql.execute(
        """select month_end_of(opened_m) as month, product, count(*) as loans, sum(size_cents) / 100 as amount
           from loan where opened_m >= (select first_m from span) group by all order by all"""
    ).df()


def mix(sql: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return by month end and product the open loans and what they owe (month, product, loans, balance, share)."""
    return sql.execute(
        """select *, balance / sum(balance) over (partition by month) as share from (
               select month_end as month, product, count(*) as loans, sum(balance) as balance
               from loan_month where written and status = 'open' group by all) order by all"""
    ).df()


@cache
def happenings(sql: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, float]]:
    """Return counts in the written months, each with its share of what it is a part of.

    Write-offs, restructured loans and loans with several schedules: of loans open in written months. Partial payments: of
    the loan-months with a due. Reversals: of scheduled payments. Over-payments (more than 1 paid ahead of all dues so far):
    of loan-months. Prepayments in part: of term loans. Limits raised and cut: of card-months.
    """
    loans, lost, terms = one(
        sql,
        """select count(distinct loan_id), count(*) filter (status = 'written off'),
               count(distinct loan_id) filter (credit_limit is null) from loan_month where written""",
    )
    dues, part, months, ahead = one(
        sql,
        """select count(*) filter (due_amount > 0), count(*) filter (due_amount > 0 and paid_amount > 0
                   and paid_amount < due_amount), count(*), count(*) filter (status = 'open' and paid_ahead > 1)
           from loan_month where written""",
    )
    scheduled, reversed_, some = one(
        sql,
        """select count(*) filter (kind = 'scheduled'), count(*) filter (kind = 'reversal'),
               count(distinct loan_id) filter (kind = 'prepayment' and term_months is not null
                   and (ended_m is null or month_number(paid_at) < ended_m))
           from now_payments join loan using (loan_id) where month_number(paid_at) >= (select first_m from span)""",
    )
    schedules = one(
        sql,
        """select count(*) from (select loan_id from now_instalments
           group by loan_id having count(distinct schedule_version) > 1)""",
    )[0]
    restructurings = one(sql, "select count(distinct loan_id) from restructured where m >= (select first_m from span)")[
        0
    ]
    limits = limit_changes(sql)[["cards", "raised", "cut"]].sum()
    found = {
        "write_offs": (lost, loans),
        "restructured": (restructurings, loans),
        "several_schedules": (schedules, loans),
        "partial_payments": (part, dues),
        "reversals": (reversed_, scheduled),
        "over_payments": (ahead, months),
        "prepaid_in_part": (some, terms),
        "limits_raised": (limits["raised"], int(limits["cards"])),
        "limits_cut": (limits["cut"], limits["cards"]),
    }
    return {name: (int(count), count / of if of else float("nan")) for name, (count, of) in found.items()}
