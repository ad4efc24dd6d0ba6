"""What was written off and what came back, month by month; and the pieces of which a loan's loss is made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import ibis
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.days import local_day, month_number
from workbench.book.flows import days_to_compare
from workbench.book.performance import performance, states_dpd

RECOVERY = "recovery"
_COLUMNS = ("loans_written_off", "written_off", "recovered", "paid_in_default")


def monthly_losses(book: Book, *, as_of: date, months: int = 24) -> pd.DataFrame:
    """Return what was written off and what came back in each of the last months, as known at `as_of`.

    Months are those that end by `as_of`, from the second month end of the book on. What the book does not hold is null,
    never 0: write-offs where it names none at all, amounts where it states no balances, recoveries where it knows of none
    on any written-off loan, payments where it has none.

    Returns
    -------
    DataFrame
        month_end; loans_written_off, written_off (their balance, as in `with_balance`; a balance that is missing is not in
        the sum); recovered (what was paid on loans after their write-off, whatever the source calls it; reversals
        subtract, on their own day); paid_in_default (paid on other loans that were `bad_dpd` days past due at the month
        end before, and what the source calls a recovery on a loan not written off: it lowers what is written off later).
    """
    ends = days_to_compare(book, as_of=as_of, months=months)
    table = pd.DataFrame({"month_end": pd.to_datetime(ends[1:])}).assign(**dict.fromkeys(_COLUMNS, float("nan")))
    if table.empty:
        return table
    numbers = [day.year * 12 + day.month for day in ends[1:]]
    sums = [_written_off(book, as_of, numbers)]
    if "payments" in book.tables:
        sums.append(_came_back(book, as_of, ends[:-1], numbers))
    for found in sums:
        for name in found.columns:
            table[name] = found[name].to_numpy()
    return table


def _written_off(book: Book, as_of: date, numbers: list[int]) -> pd.DataFrame:
    lost = with_balance(book, written_off(book, as_of=as_of), "written_off_on", as_of=as_of)
    by_month = lost.group_by(month=month_number(lost.written_off_on))
    sums = by_month.aggregate(loans_written_off=_.count(), written_off=_.balance.sum().cast("float64")).to_pandas()
    by_number: pd.DataFrame = sums.set_index("month")[["loans_written_off", "written_off"]].astype("float64")
    named = by_number.reindex(numbers)
    if by_number.notna().any(axis=None):
        named["loans_written_off"] = named["loans_written_off"].fillna(0.0)
    if by_number["written_off"].notna().any():
        named.loc[named["loans_written_off"] == 0, "written_off"] = 0.0
    return named


def _came_back(book: Book, as_of: date, before: list[date], numbers: list[int]) -> pd.DataFrame:
    """Sum what was paid after write-offs and in default, by month; in default at the month end `before`."""
    rows = cash(book, as_of=as_of).left_join(written_off(book, as_of=as_of), "loan_id").drop("loan_id_right")
    rows = rows.mutate(month=month_number(rows.paid_on), after=after_write_off(rows))
    measures = {"recovered": _.amount.sum(where=_.after).cast("float64")}
    if states_dpd(book.tables):
        bad = bad_months(book, as_of=as_of, days=before)
        bad = bad.select("loan_id", month=month_number(bad.month_end) + 1, was_bad=True)
        rows = rows.left_join(bad, ["loan_id", "month"])
        in_default = ~rows.after & (rows.was_bad.fill_null(False) | (rows.kind == RECOVERY))
        rows = rows.select("month", "amount", "after", in_default=in_default)
        measures["paid_in_default"] = _.amount.sum(where=_.in_default).cast("float64")
    sums: pd.DataFrame = rows.group_by("month").aggregate(**measures).to_pandas().set_index("month")
    named = sums.reindex(numbers)
    if sums["recovered"].notna().any():
        named["recovered"] = named["recovered"].fillna(0.0)
    if states_dpd(book.tables):
        named["paid_in_default"] = named["paid_in_default"].fillna(0.0)
    return named


def written_off(book: Book, *, as_of: date) -> ibis.Table:
    """Return loan_id and written_off_on of the loans that were written off by `as_of`."""
    return book.as_known("loans", as_of=as_of).filter(~_.written_off_on.isnull()).select("loan_id", "written_off_on")


def bad_months(book: Book, *, as_of: date, days: Sequence[date]) -> ibis.Table:
    """Return loan_id and month_end of the `days` at which an open loan is `bad_dpd` days past due, as known at `as_of`."""
    rows = performance(book, as_of=as_of, days=days)
    return rows.filter(_.open & (_.dpd >= book.definitions.target.bad_dpd)).select("loan_id", "month_end")


def with_balance(book: Book, loans: ibis.Table, day: str, *, as_of: date) -> ibis.Table:
    """Add each loan's `balance` at the last month end up to its `day`, in the day's month or the one before.

    On the day itself a balance of 0 says only that the loan is off the books: the month end before tells what it was.
    """
    if "performance" not in book.tables:
        return loans.mutate(balance=ibis.null().cast("decimal(18, 2)"))
    stated = book.as_known("performance", as_of=as_of).filter(~_.balance.isnull())
    rows = loans.join(stated.select("loan_id", "month_end", "balance"), "loan_id")
    near = month_number(rows[day]) - month_number(rows.month_end) <= 1
    rows = rows.filter(near & ((rows.month_end < rows[day]) | ((rows.month_end == rows[day]) & (rows.balance > 0))))
    last = rows.group_by("loan_id").aggregate(balance=rows.balance.argmax(rows.month_end))
    return loans.left_join(last, "loan_id").drop("loan_id_right")


def cash(book: Book, *, as_of: date) -> ibis.Table:
    """Return what was paid: loan_id, paid_on (a business day), amount (below 0 for a reversal), kind.

    Without what a lender posts as a scheduled payment on the day of a restructuring to settle the arrears: nobody paid it.
    """
    rows = book.as_known("payments", as_of=as_of)
    rows = rows.select("loan_id", "amount", "kind", paid_on=local_day(book, rows.paid_at))
    if "restructurings" not in book.tables:
        return rows
    posted = book.as_known("restructurings", as_of=as_of).select(
        "loan_id", paid_on="effective_on", kind=ibis.literal("scheduled")
    )
    return rows.anti_join(posted, ["loan_id", "paid_on", "kind"])


def after_write_off(rows: ibis.Table) -> Any:
    """Return the condition under which a payment came in after the write-off: a later day, or the day itself as a recovery."""
    later = (rows.paid_on > rows.written_off_on) | ((rows.paid_on == rows.written_off_on) & (rows.kind == RECOVERY))
    return later.fill_null(False)
