"""Each loan from its first default on: what was owed, what came back in a given time, how it ended."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
from ibis import _

from workbench.book.book import Book
from workbench.book.days import month_number
from workbench.book.losses import after_write_off, bad_months, cash, with_balance, written_off
from workbench.core.dates import month_ends

UNSEEN = ("sold", "deceased", "left_file")  # ends after which nobody sees what comes back


def workouts(book: Book, *, as_of: date, workout_months: int = 24, discount_rate: float = 0.05) -> ibis.Table:
    """Return one row a default that is at least `workout_months` old, as known at `as_of`; kept in the engine.

    A loan defaults at the first month end at which it is `bad_dpd` days past due, or on the day of its write-off if that
    comes first; one that was so by the book's first month end is left out, because nobody knows since when. It is followed to
    the end of the `workout_months`-th month after. Lost is the balance at default less all that was paid since, discounted
    to the day of default (Basel CRE36.83 to 36.88; EBA/GL/2017/16, section 6.3):

    - A loan that is neither written off nor in default at the end of the time, `probation_months` after the last month end in
      default, is cured at that end of probation. What it owes then counts as paid then, and nothing later does: the
      "artificial cash flow" of the EBA's guidelines. Whoever defaults again within the time is not cured by the first return.
    - Of a loan still in default, or written off, nothing counts as coming back after the time.
    - A gain is no loss. Costs of collection are not known, and not in: the true loss is higher.

    Returns
    -------
    ibis.Table
        loan_id, customer_id, product, defaulted_on, exposure (float64; null where no balance is stated, as in
        `losses.with_balance`), lost (money; null where it cannot be told), cured, written_off (within the time; both bool),
        seen (bool): whether `exposure` and `lost` can be told. They cannot of a loan that was sold, whose customer died or that
        left the file within the time, nor without a balance at default or at cure.

    Raises
    ------
    BookError
        If the book does not state days past due, or has no payments.
    """
    loans = book.keep(_ends(book, as_of, workout_months))
    loans = with_balance(book, loans, "defaulted_on", as_of=as_of)
    loans = loans.left_join(_left_at_cure(book, loans, as_of, discount_rate), "loan_id").drop("loan_id_right")
    loans = loans.left_join(_paid(book, loans, as_of, discount_rate), "loan_id").drop("loan_id_right")
    exposure = loans.balance.cast("float64")
    worth = loans.paid.fill_null(0.0) + ibis.ifelse(loans.cured, loans.left, 0.0)
    known = ~loans.unseen & (exposure > 0) & worth.notnull()
    return book.keep(
        loans.select(
            "loan_id",
            "customer_id",
            "product",
            "defaulted_on",
            "cured",
            "written_off",
            exposure=exposure,
            lost=ibis.greatest(exposure - worth, ibis.literal(0.0)),
            seen=known.fill_null(False),
        )
    )


def _ends(book: Book, as_of: date, workout_months: int) -> ibis.Table:
    """Return the defaults with the month number `until` which payments count, that of the cure or of the end of the time."""
    ends = month_ends(book.manifest.facts.first_day, as_of) or [as_of]  # at which nothing is old enough
    lost = written_off(book, as_of=as_of)
    bad = book.keep(bad_months(book, as_of=as_of, days=ends))
    starts = ibis.union(
        bad.select("loan_id", defaulted_on="month_end"), lost.select("loan_id", defaulted_on="written_off_on")
    )
    starts = starts.group_by("loan_id").aggregate(defaulted_on=_.defaulted_on.min())
    starts = starts.mutate(until=month_number(_.defaulted_on) + workout_months).filter(
        (_.defaulted_on > ends[0]) & (_.until <= ends[-1].year * 12 + ends[-1].month)
    )
    months = bad.join(starts, "loan_id").mutate(month=month_number(_.month_end)).filter(_.month <= _.until)
    last_bad = months.group_by("loan_id").aggregate(last_bad=_.month.max())
    terms = book.as_known("loans", as_of=as_of)
    terms = terms.select("loan_id", "customer_id", "product", "closed_on", "close_reason", "written_off_on")
    loans = terms.join(starts, "loan_id").left_join(last_bad, "loan_id").drop("loan_id_right")

    back = loans.last_bad + max(book.definitions.target.probation_months, 1)
    is_lost = (month_number(loans.written_off_on) <= loans.until).fill_null(False)
    is_gone = (month_number(loans.closed_on) <= back).fill_null(False)
    cured = ((back <= loans.until) & ~is_lost & ~is_gone).fill_null(False)
    loans = loans.mutate(written_off=is_lost, cured=cured, until=ibis.ifelse(cured, back, loans.until))
    ended = (loans.closed_on > loans.defaulted_on) & (month_number(loans.closed_on) <= loans.until)
    return loans.mutate(unseen=(ended & loans.close_reason.isin(UNSEEN)).fill_null(False))


def _left_at_cure(book: Book, loans: ibis.Table, as_of: date, rate: float) -> ibis.Table:
    """Return loan_id and `left`, the present value on the day of default of the balance at cure."""
    if "performance" not in book.tables:
        return loans.filter(ibis.literal(value=False)).select("loan_id", left=ibis.null("float64"))
    stated = book.as_known("performance", as_of=as_of).select("loan_id", "month_end", owed="balance")
    rows = loans.filter(_.cured).join(stated, "loan_id").filter(month_number(_.month_end) == _.until)
    return rows.select("loan_id", left=rows.owed.cast("float64") * _discount(rows.month_end, rows.defaulted_on, rate))


def _paid(book: Book, loans: ibis.Table, as_of: date, rate: float) -> ibis.Table:
    """Return loan_id and `paid`, the present value on the day of default of what was paid after it."""
    rows = cash(book, as_of=as_of).join(loans.select("loan_id", "defaulted_on", "until", "written_off_on"), "loan_id")
    rows = rows.filter((month_number(_.paid_on) <= _.until) & ((_.paid_on > _.defaulted_on) | after_write_off(rows)))
    value = rows.amount.cast("float64") * _discount(rows.paid_on, rows.defaulted_on, rate)
    return rows.group_by("loan_id").aggregate(paid=value.sum())


def _discount(day: Any, since: Any, rate: float) -> Any:
    return ibis.literal(1.0 + rate) ** (day.delta(since, unit="day").cast("float64") / -365.0)
