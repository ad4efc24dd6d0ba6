"""How exposure moves between states of delinquency from month to month, with default, write-off and repayment as ends."""

from __future__ import annotations

from datetime import date

import ibis
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.book.portfolio import BUCKETS
from workbench.core.dates import last_month_end, month_end, month_ends
from workbench.core.languages import mark

PERFORMING = ("current", "1-30", "31-60", "61-90")
DEFAULT, CLOSED, NEW = "default", mark("closed"), "new"
NON_PERFORMING, WRITTEN_OFF = mark("non-performing"), mark("written off")
OPEN_STATES = (*PERFORMING, NON_PERFORMING)
_COLUMNS = ["month_end", "before", "after", "loans", "balance_before", "balance_after"]


def monthly_flows(book: Book, *, as_of: date, months: int = 60) -> pd.DataFrame:
    """Return how many loans and how much exposure went from one state to another in each month, as known at `as_of`.

    States are the performing ones of `PERFORMING` (by days past due at the month end), `default` (`bad_dpd` days past due, or
    written off) and `closed` (repaid). Default is an end: a loan counts up to the month in which it first got there within
    the time looked at. Loans of the first month end, and loans opened in a month, come from `new`. A month end at which the
    book does not say how many days past due a loan is, is passed over.

    Returns
    -------
    DataFrame
        month_end (at which they arrived), before, after, loans, balance_before, balance_after; by month_end. A balance that
        the book does not state is null. What defaults counts with the balance that it had before.
    """
    days = days_to_compare(book, as_of=as_of, months=months)
    if not days:
        return pd.DataFrame(columns=_COLUMNS)
    rows = performance(book, as_of=as_of, days=days).filter(~_.open | ~_.dpd.isnull())
    bad = rows.written_off | (rows.dpd >= book.definitions.target.bad_dpd)
    buckets = [(rows.dpd <= high, name) for name, high in BUCKETS if name in PERFORMING]
    state = ibis.cases((bad.fill_null(False), DEFAULT), (~rows.open, CLOSED), *buckets, else_=PERFORMING[-1])
    rows = with_state_before(rows, state)
    ended = ibis.window(group_by="loan_id", order_by="month_end", preceding=(None, 1))
    rows = rows.mutate(was_bad=(_.state == DEFAULT).cast("int8").max().over(ended))
    rows = rows.filter((_.was_bad.fill_null(0) == 0) & ((_.before != CLOSED) | _.before.isnull()))
    return summed(rows.mutate(before=_.before.fill_null(NEW)))


def exposure_flows(book: Book, *, as_of: date, months: int = 60) -> pd.DataFrame:
    """Return the same of every open loan: `non-performing` (`bad_dpd` days past due) is a state that some come back from.

    The ends are `written off` and `closed`. So what stands in the other states is the exposure of `monthly_portfolio`, and the
    non-performing share of it its ratio, where the book says how many days past due each loan is.

    Returns
    -------
    DataFrame
        As `monthly_flows`.
    """
    days = days_to_compare(book, as_of=as_of, months=months)
    if not days:
        return pd.DataFrame(columns=_COLUMNS)
    rows = performance(book, as_of=as_of, days=days).filter(~_.open | ~_.dpd.isnull())
    late = (rows.dpd >= book.definitions.target.bad_dpd).fill_null(False)
    buckets = [(rows.dpd <= high, name) for name, high in BUCKETS if name in PERFORMING]
    ends = [(rows.written_off, WRITTEN_OFF), (~rows.open, CLOSED)]
    rows = with_state_before(rows, ibis.cases(*ends, (late, NON_PERFORMING), *buckets, else_=PERFORMING[-1]))
    rows = rows.filter(_.before.isnull() | _.before.isin(OPEN_STATES))
    return summed(rows.mutate(before=_.before.fill_null(NEW)))


def days_to_compare(book: Book, *, as_of: date, months: int) -> list[date]:
    """Return the last month ends of the book by `as_of`: of so many months, and the one from which they start."""
    before = month_end(last_month_end(as_of), months=-months - 1)
    return month_ends(max(book.manifest.facts.first_day, before), as_of)


def with_state_before(rows: ibis.Table, state: ibis.Value) -> ibis.Table:
    """Return loan_id, month_end, state and balance of rows of `performance`, and state and balance a month before."""
    lives = ibis.window(group_by="loan_id", order_by="month_end")
    rows = rows.select("loan_id", "month_end", state=state, balance=_.balance.cast("float64"))
    return rows.mutate(before=_.state.lag().over(lives), balance_before=_.balance.lag().over(lives))


def summed(rows: ibis.Table) -> pd.DataFrame:
    """Count and sum up loans by month_end, before and after (the state)."""
    sums = rows.group_by("month_end", "before", after=_.state).aggregate(
        loans=_.count(), balance_before=_.balance_before.sum(), balance_after=_.balance.sum()
    )
    table: pd.DataFrame = sums.to_pandas()
    return table.sort_values(["month_end", "before", "after"], ignore_index=True)


def default_rates(flows: pd.DataFrame) -> pd.DataFrame:
    """Return month_end, performing (at the month's beginning), defaulted and rate: the share that defaulted in the month.

    In exposure where every balance is stated, else in loans. A month without anything performing has no row.
    """
    amount = "loans" if flows["balance_before"].isna().all() else "balance_before"
    known = flows[flows["before"].isin(PERFORMING)]
    started = known.groupby("month_end")[amount].sum()
    defaulted = known[known["after"] == DEFAULT].groupby("month_end")[amount].sum().reindex(started.index, fill_value=0)
    table = pd.DataFrame({"performing": started, "defaulted": defaulted})[started > 0]
    return table.assign(rate=table["defaulted"] / table["performing"]).reset_index()
