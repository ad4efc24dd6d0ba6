"""The number of each band, from the measures: one value with its standard error for a lender."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd

from workbench.book.simulation.story import LOOSE_MONTHS

from . import behaviour, dirt, risk, rolls, truths
from .estimates import NAN, Estimate, mean, ratio, share
from .lender import need, one

Sql = duckdb.DuckDBPyConnection
UNSECURED = ("personal", "card")
RESAMPLES = 200
LAG_MONTHS = 4
"""From stress to 90 days past due: three months and the one in which it begins."""


def bad_rate(sql: Sql) -> Estimate:
    """Return the customers' 12-month bad rate over cohorts 12 months apart, whose windows do not overlap."""
    rates = risk.bad_rates(sql).iloc[::-12]
    return share(rates["bad"].sum(), rates["customers"].sum())


def product_bad_rate(sql: Sql, product: str) -> Estimate:
    """Return a product's 12-month bad rate of loans over cohorts 12 months apart."""
    rates = risk.bad_rates_by_product(sql)
    rates = rates[rates["product"] == product].iloc[::-12]
    return share(rates["bad"].sum(), rates["loans"].sum())


def downturn(sql: Sql) -> Estimate:
    """Return the rate of new defaults in the downturn over that in calm months.

    A month is one of the downturn where that was at least half as deep as it can be `LAG_MONTHS` before, and a calm one
    where there was none in the 12 months up to it.
    """
    need(sql, "truth_economy")
    depth = sql.execute("select month_end, value from truth_economy where kind = 'downturn' order by 1").df()
    months = risk.new_defaults(sql).merge(depth, on="month_end").sort_values("month_end")
    deep = months["value"].shift(LAG_MONTHS, fill_value=0) >= 0.5
    calm = months["value"].rolling(13, min_periods=1).max() == 0
    inside, outside = months[deep], months[calm]
    return ratio(inside["defaults"].sum(), inside["loans"].sum(), outside["defaults"].sum(), outside["loans"].sum())


def loose_vintage(sql: Sql) -> Estimate:
    """Return the share bad within 12 months on book of the loans of the loose months over that of as many on either side."""
    first, last = LOOSE_MONTHS
    around = last - first + 1
    table = sql.execute(
        f"""with opened as (
                select opened_m - (select first_m from span) + 1 as month, coalesce(bool_or(bad), false) as bad
                from loan join loan_month using (loan_id)
                where m <= opened_m + 12 and opened_m + 12 <= (select last_m from span)
                group by loan_id, opened_m)
            select month between {first} and {last} as loose, count(*) as loans, count(*) filter (bad) as bad from opened
            where month between {first - around} and {last + around} group by all"""
    ).df()
    rows = table.set_index("loose").reindex([True, False]).fillna(0)
    return ratio(rows.loc[True, "bad"], rows.loc[True, "loans"], rows.loc[False, "bad"], rows.loc[False, "loans"])


def peak(sql: Sql) -> Estimate:
    """Return the month on book of the highest smoothed hazard; its error is that of 200 lenders drawn from the hazard."""
    table = risk.hazard(sql)
    value = risk.peak_of(table)
    rng = np.random.default_rng(1)
    rate = table["smoothed"].to_numpy()
    peaks = [
        risk.peak_of(risk.smoothed(table.assign(defaults=rng.binomial(table["at_risk"], rate))))
        for _ in range(RESAMPLES)
    ]
    return Estimate(value, float(np.std(peaks)))


def roll(sql: Sql, start: str, end: str) -> Estimate:
    """Return the monthly share of the loans in bucket `start` that are in `end` a month later."""
    size = float(rolls.roll_sizes(sql)[start])
    return share(rolls.roll_matrix(sql).loc[start, end] * size, size)


def cure(sql: Sql, bucket: str) -> Estimate:
    """Return the monthly share of the loans in `bucket` that owe nothing overdue, or have repaid, a month later."""
    row = rolls.cures(sql).loc[bucket]
    return share(row["cured"] * row["loans"], row["loans"])


def default_cured(sql: Sql) -> Estimate:
    """Return the share of loans that entered 90 days and owed nothing overdue at a month end within 12 months."""
    found = rolls.default_outcomes(sql)
    return share(found["cured"] * found["defaults"], found["defaults"])


def relapse(sql: Sql, *, from_dpd: int, to_dpd: int) -> Estimate:
    """Return the share of cures of arrears of `from_dpd` days that are at `to_dpd` days again within 12 months."""
    count, again = rolls.after_cure(sql, from_dpd=from_dpd, to_dpd=to_dpd)
    return share(again * count, count)


def restructured_again(sql: Sql) -> Estimate:
    """Return the share of restructured loans at 60 days or more, or written off, within 12 months."""
    count, again = rolls.after_restructuring(sql, to_dpd=60)
    return share(again * count, count)


def prepaid_monthly(sql: Sql, product: str) -> Estimate:
    """Return the share of a product's open loans that are repaid whole before their time in a month."""
    table = behaviour.prepayment(sql)
    table = table[table["product"] == product]
    return share(table["prepaid"].sum(), table["at_risk"].sum())


def prepaid_by_24(sql: Sql, product: str) -> Estimate:
    """Return the share of a product's loans that were repaid whole before their time by month 24 on book."""
    table = behaviour.prepaid_by(sql).set_index("product")
    return share(table["share"].get(product, NAN) * table["loans"].get(product, 0), table["loans"].get(product, 0))


def used(sql: Sql) -> Estimate:
    """Return balances over limits of all open cards together, at month ends; the error treats a card as one unit."""
    cards = sql.execute(
        """select sum(balance) as balance, sum(credit_limit) as credit_limit from loan_month
           where written and status = 'open' and credit_limit > 0 group by loan_id order by loan_id"""
    ).df()
    return mean(cards["balance"] / cards["credit_limit"], weights=cards["credit_limit"])


def used_between(sql: Sql, *, above: float, upto: float) -> Estimate:
    """Return the share of open card-months with balance over limit above one number and up to another."""
    cards = sql.execute(
        f"""select count(*) as months,
                avg((balance / credit_limit > {above} and balance / credit_limit <= {upto})::int) as share
            from loan_month where written and status = 'open' and credit_limit > 0 group by loan_id order by loan_id"""
    ).df()
    return mean(cards["share"], weights=cards["months"])


def card_type(sql: Sql, kind: str) -> Estimate:
    """Return the share of cards of a kind (transactor, revolver, dormant) at the last of the yearly counts."""
    table = behaviour.card_types(sql)
    if table.empty:
        return Estimate(NAN, NAN)
    last = table.iloc[-1]
    return share(last[kind] * last["cards"], last["cards"])


def recovered(sql: Sql, *, products: tuple[str, ...]) -> Estimate:
    """Return the share of the amount written off that came back within 24 months; the error is that over loans."""
    loans = lost_and_back(sql, 24, products)
    return mean(loans["back"] / loans["lost"], weights=loans["lost"])


def recovered_early(sql: Sql) -> Estimate:
    """Return how much of what came back within 24 months did so in the first 12."""
    loans = lost_and_back(sql, 24, ())
    return mean(loans["early"] / loans["back"], weights=loans["back"]) if loans["back"].sum() else Estimate(NAN, NAN)


def lost_and_back(sql: Sql, months: int, products: tuple[str, ...]) -> pd.DataFrame:
    """Return by written-off loan seen for `months` after: what was lost, what came back, and in the first half of it."""
    chosen = f"and product in {(*products, '')}" if products else ""
    table = sql.execute(
        f"""select any_value(l.balance) as lost, coalesce(sum(p.amount), 0)::double as back,
                coalesce(sum(p.amount) filter (month_number(paid_at) <= l.m + {months // 2}), 0)::double as early
            from loan_month l left join now_payments p
                on p.loan_id = l.loan_id and p.kind = 'recovery' and month_number(paid_at) <= l.m + {months}
            where l.status = 'written off' and l.balance > 0 and l.m <= (select last_m from span) - {months} {chosen}
            group by l.loan_id order by l.loan_id"""
    ).df()
    return table.astype(float)


def several(sql: Sql) -> Estimate:
    """Return the share of customers with open loans who have two or more, over all written month ends."""
    table = behaviour.several_loans(sql)
    people = table["customers"].max() if len(table) else 0
    return share((table["share"] * table["customers"]).sum() / max(table["customers"].sum(), 1) * people, people)


def happened(sql: Sql, what: str) -> Estimate:
    """Return the share that `happenings` gives."""
    count, part = behaviour.happenings(sql)[what]
    return share(count, count / part) if count else Estimate(0.0, NAN if pd.isna(part) else 0.0)


def per_card_year(sql: Sql, what: str) -> Estimate:
    """Return limits raised or cut per card and year."""
    changes = behaviour.limit_changes(sql)
    found = share(changes[what].sum(), changes["cards"].sum())
    return Estimate(12 * found.value, 12 * found.error)


def first_payment_defaults(sql: Sql) -> Estimate:
    """Return the share of new loans on which no scheduled payment was ever made before they were bad."""
    count, of = one(
        sql,
        """with first_bad as (select loan_id, min(month_end) filter (bad) as day from loan_month group by all)
           select count(*) filter (day is not null and not exists (
                      from paid where paid.loan_id = loan.loan_id and paid_on <= day and cumulative > 0)), count(*)
           from loan join first_bad using (loan_id)
           where opened_m between (select first_m from span) and (select last_m from span) - 6""",
    )
    return share(count, of)


def out_of_time_bads(sql: Sql) -> Estimate:
    """Return the bads of the last two observation dates three months apart, per 20,000 customers."""
    rates = risk.bad_rates(sql).iloc[[-4, -1]] if len(risk.bad_rates(sql)) > 3 else risk.bad_rates(sql).iloc[-1:]
    people = one(sql, "select count(distinct customer_id) from customers")[0]
    bads = float(rates["bad"].sum())
    return Estimate(bads * 20_000 / people, float(np.sqrt(max(bads, 1)) * 20_000 / people))


def bad_rate_over(sql: Sql, column: str, group: str, other: str) -> Estimate:
    """Return the bad rate of one group of customers over that of another."""
    table = truths.bad_rate_by(sql, column).set_index("group")
    table.index = table.index.astype(str)
    rows = table.reindex([group, other]).fillna(0)
    return ratio(
        rows.loc[group, "bad"], rows.loc[group, "customers"], rows.loc[other, "bad"], rows.loc[other, "customers"]
    )


def ranked(sql: Sql, what: str) -> Estimate:
    """Return a Gini that was worked out elsewhere, from a true PD or a scorecard, and put into the table `ginis`."""
    need(sql, "ginis")
    return Estimate(*one(sql, f"select value, error from ginis where name = '{what}'"))


def dirt_rate(sql: Sql, what: str) -> Estimate:
    """Return a share of `dirt`, of customers or of transactions."""
    table = "transactions" if what == "late_transactions" else "now_customers"
    of = one(sql, f"select count(*) from {table}")[0]
    return share(dirt.dirt(sql)[what] * of, of)


def corrected(sql: Sql, table: str) -> Estimate:
    """Return the share of a table's keys with more than one version."""
    found = dirt.versions(sql, table).set_index("table").loc[table]
    return share(found["several_versions"] * found["keys"], found["keys"])
