"""A lender's written files opened for measuring: views of the tables, and loans and customers month by month, in SQL.

It reads nothing but the parquet files of a folder and shares no code with the package: days past due are computed from
instalments and payments by the definition in docs/architecture.md. Months are whole numbers `m = 12 * year + month - 1`.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import yaml

PROJECT = Path(__file__).parent.parent.parent
BUCKETS = ("0", "1-29", "30-59", "60-89", "90+", "written off", "closed")
KEYS = {
    "customers": "customer_id",
    "loans": "loan_id",
    "instalments": "loan_id, schedule_version, instalment_no",
    "payments": "payment_id",
    "restructurings": "loan_id, effective_on",
    "performance": "loan_id, month_end",
    "transactions": "transaction_id",
    "events": "event_id",
    "applications": "application_id",
    "bureau": "customer_id, reported_on",
}


class MissingTableError(LookupError):
    """A measure needs a table that the lender's folder does not have."""


def open_lender(folder: Path, *, threads: int = 2) -> duckdb.DuckDBPyConnection:
    """Return a connection with the lender's tables as views, and what the measures share as temporary tables.

    Views: every table by its name, the truth as `truth_NAME`, the latest version of each key as `now_NAME`. Tables: `span`
    (the first and last written month, the last day), `loan`, `loan_month` (days past due and status at each month end from
    opening to the end), `customer_month` (active, already bad, bad within 12 months).

    Raises
    ------
    MissingTableError
        If the folder lacks customers, loans, instalments, payments or performance.
    """
    sql = duckdb.connect()
    sql.execute(f"set threads = {threads}")
    for name, files in _files(folder).items():
        sql.execute(f"create view {name} as from read_parquet({[str(file) for file in files]})")
    for name in ("customers", "loans", "instalments", "payments", "performance"):
        need(sql, name)
    sql.execute(SPAN)
    for name, key in KEYS.items():
        if has(sql, name):
            sql.execute(
                f"create view now_{name} as from {name} where known_at < (select last_day + 1 from span) "
                f"qualify row_number() over (partition by {key} order by known_at desc) = 1"
            )
    sql.execute(LOAN)
    sql.execute(RESTRUCTURED if has(sql, "restructurings") else NOTHING_RESTRUCTURED)
    thresholds = yaml.safe_load((PROJECT / "params" / "definitions.yaml").read_text("utf-8"))["dpd"]
    sql.execute(
        ALLOWED.format(absolute=thresholds["threshold_absolute"], relative=thresholds["threshold_relative"])
        + DUES
        + PAID
    )
    sql.execute(LOAN_MONTH)
    sql.execute(CUSTOMER_MONTH)
    return sql


def _files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each table; one table may have several, as `payments+0001.parquet`."""
    found: dict[str, list[Path]] = {}
    for prefix, place in (("", folder), ("truth_", folder / "truth")):
        for file in sorted(place.glob("*.parquet")):
            found.setdefault(prefix + file.stem.split("+")[0], []).append(file)
    return found


def has(sql: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether the lender has a table or view called `name`."""
    return bool(
        sql.execute("select count(*) from information_schema.tables where table_name = ?", [name]).fetchall()[0][0]
    )


def need(sql: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Raise MissingTableError where the lender lacks one of `names`: tables, or columns as `table.column`."""
    for name in names:
        table, _, column = name.partition(".")
        file = table.replace("truth_", "truth/") + ".parquet"
        if not has(sql, table):
            raise MissingTableError(f"the lender has no {file}, which this measure needs.")
        if column and column not in sql.table(table).columns:
            raise MissingTableError(f"{file} has no column {column}, which this measure needs.")


def one(sql: duckdb.DuckDBPyConnection, query: str) -> tuple:
    """Return the only row of a query."""
    (row,) = sql.execute(query).fetchall()
    return row


SPAN = """
create temp table span as
select min(m)::int as first_m, max(m)::int as last_m, max(month_end) as last_day
from (select month_end, year(month_end) * 12 + month(month_end) - 1 as m from performance);
create macro month_number(day) as (year(day) * 12 + month(day) - 1)::int;
create macro month_end_of(m) as last_day(make_date((m // 12)::int, (m % 12 + 1)::int, 1));
"""

LOAN = """
create temp table loan as
select loan_id, customer_id, product, opened_on, principal, credit_limit, annual_rate, term_months, close_reason,
    written_off_on, coalesce(written_off_on, closed_on) as ended_on, month_number(opened_on) as opened_m,
    month_number(coalesce(written_off_on, closed_on)) as ended_m,
    (100 * (coalesce(principal, 0) + coalesce(credit_limit, 0)))::bigint as size_cents
from now_loans where opened_on <= (select last_day from span) order by loan_id;
"""

NOTHING_RESTRUCTURED = (
    "create temp table restructured (loan_id varchar, m int, effective_on date, kind varchar, distressed boolean)"
)
RESTRUCTURED = """
create temp table restructured as
select loan_id, month_number(effective_on) as m, effective_on, kind, coalesce(distressed, false) as distressed
from now_restructurings where effective_on <= (select last_day from span)
"""

# A due counts as missed where it is missing by more than both thresholds: whole cents above the larger of the two.
ALLOWED = """
create macro allowed_cents(size_cents) as
    greatest(floor(100 * {absolute:.4f}::decimal(18, 4)), floor(size_cents * {relative:.6f}::decimal(18, 6)))::bigint;
"""

# Dues in force: those of a later schedule version take the place of the older ones' from the day it takes effect.
DUES = """
create temp table due as
with version as (
    select loan_id, schedule_version, min(effective_from) as begins from now_instalments group by all
), placed as (
    select *, row_number() over (partition by loan_id order by schedule_version) = 1 as is_first,
        min(begins) over (partition by loan_id order by schedule_version rows between 1 following and unbounded following)
            as replaced_on
    from version
), in_force as (
    select loan_id, due_on, sum(100 * due_amount)::bigint as cents
    from now_instalments join placed using (loan_id, schedule_version)
    where (is_first or due_on >= begins) and (replaced_on is null or due_on < replaced_on)
    group by loan_id, due_on having cents <> 0
)
select loan_id, due_on, cents, sum(cents) over (partition by loan_id order by due_on)::bigint as cumulative from in_force;
"""

# What settles dues: scheduled payments, and reversals of those. A reversal whose payment is not known counts as of one.
PAID = """
create temp table paid as
with settled as (
    select r.loan_id, r.paid_at::date as paid_on, (100 * r.amount)::bigint as cents,
        case when r.kind = 'reversal' then coalesce(p.kind, 'scheduled') else r.kind end as kind
    from now_payments r left join now_payments p on r.kind = 'reversal' and r.reverses = p.payment_id
), daily as (
    select loan_id, paid_on, sum(cents)::bigint as cents from settled where kind = 'scheduled' group by all
)
select loan_id, paid_on, cents, sum(cents) over (partition by loan_id order by paid_on)::bigint as cumulative from daily;
"""

LOAN_MONTH = """
create temp table loan_month as
with asked as (
    select loan_id, customer_id, product, opened_m, ended_on, ended_m, written_off_on, m, month_end_of(m) as month_end,
        least(month_end_of(m), written_off_on) as stop, allowed_cents(size_cents) as allowed
    from loan, unnest(range(opened_m, least(ended_m, (select last_m from span)) + 1)) as months(m)
), covered as (
    select a.*, coalesce(p.cumulative, 0) as paid
    from asked a asof left join paid p on a.loan_id = p.loan_id and a.stop >= p.paid_on
), owed as (
    select c.*, coalesce(d.cumulative, 0) as owed
    from covered c asof left join due d on c.loan_id = d.loan_id and c.stop >= d.due_on
), aged as (
    select o.*, coalesce(d.due_on <= o.stop, false) as missed, case when missed then o.stop - d.due_on else 0 end as late
    from (select *, paid + allowed as level from owed) o
    asof left join due d on o.loan_id = d.loan_id and o.level < d.cumulative
), stated as (
    select loan_id, month_number(month_end) as m, balance::double as balance, credit_limit::double as credit_limit,
        due_amount::double as due_amount, paid_amount::double as paid_amount
    from now_performance
)
select a.loan_id, a.customer_id, a.product, a.m, a.month_end, a.m - a.opened_m as mob,
    m >= (select first_m from span) as written,
    case when ended_on > a.month_end or ended_on is null then 'open' when written_off_on is null then 'closed'
         else 'written off' end as status,
    case when status = 'closed' then 0 else late end as dpd,
    case when status <> 'open' then status when late = 0 then '0' when late < 30 then '1-29' when late < 60 then '30-59'
         when late < 90 then '60-89' else '90+' end as bucket,
    case when missed and status <> 'closed' then (owed - paid) / 100.0 else 0 end as arrears,
    (paid - owed) / 100.0 as paid_ahead,
    balance, s.credit_limit, due_amount, paid_amount,
    status = 'open' and (coalesce(balance, 1) > 0 or coalesce(s.credit_limit, 0) > 0) as active,
    status = 'written off' or (status = 'open' and late >= 90) as bad
from aged a left join stated s using (loan_id, m)
order by loan_id, m;
"""

# Bad within 12 months: any loan that is active now reaches 90 days at a month end, or is written off. `distressed` adds the
# distressed restructurings; `complete` says that the 12 months lie within the book and no loan left it unfinished.
CUSTOMER_MONTH = """
create temp table loan_outlook as
select l.*, coalesce(max(bad) over ahead, false) as goes_bad, coalesce(max(dpd) over ahead, 0) as worst_ahead,
    coalesce(max(restructured) over ahead, false) as restructures, coalesce(max(leaves) over ahead, false) as cut
from (select lm.*, r.m is not null as restructured,
          lm.status = 'closed' and l.close_reason in ('sold', 'deceased', 'left_file') as leaves
      from loan_month lm join loan l using (loan_id)
      left join (select distinct loan_id, m from restructured where distressed) r using (loan_id, m)) l
window ahead as (partition by loan_id order by m range between 1 following and 12 following);
create temp table customer_month as
with lost as (select customer_id, min(ended_m) as lost_m from loan where written_off_on is not null group by all)
select customer_id, m, any_value(month_end) as month_end, count(*) filter (status = 'open') as open_loans,
    bool_or(active) as active, bool_or(bad) or coalesce(any_value(lost_m) <= m, false) as already_bad,
    max(dpd) filter (status = 'open') as dpd, coalesce(bool_or(goes_bad) filter (active), false) as bad_12m,
    coalesce(bool_or(goes_bad or restructures) filter (active), false) as distressed_12m,
    m + 12 <= (select last_m from span) and (bad_12m or not coalesce(bool_or(cut) filter (active), false)) as complete
from loan_outlook left join lost using (customer_id)
where written group by customer_id, m order by customer_id, m;
"""
