"""What must hold between tables: every row's owner is there, and money and dates agree with the loan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis
from ibis import _

from workbench.book.book import Book
from workbench.book.checks.finding import Check, Finding
from workbench.book.checks.tables import count_rows, examples
from workbench.book.days import day_start, local_day, month_number
from workbench.core.languages import mark

TERM_SLACK_MONTHS = 3  # a first due date may lie a little later than a month after opening
BALANCE_SLACK = 1.00  # currency: rounding of balances in statements
_LEFT = ("sold", "cancelled", "refinanced", "deceased", "left_file")  # a balance that goes without a payment


def _orphan(table: str, column: str, breaks: str) -> Check:
    whose = {
        "customer_id": mark("names a customer that the book does not have"),
        "loan_id": mark("names a loan that the book does not have"),
    }
    return Check(table, "orphans", column, whose[column], "error", breaks)


ORPHANS = (
    _orphan("loans", "customer_id", mark("these loans reach no indicator")),
    _orphan("transactions", "customer_id", mark("these rows reach no indicator")),
    _orphan("events", "customer_id", mark("these rows reach no indicator")),
    _orphan("applications", "customer_id", mark("these applications reach no indicator")),
    _orphan("bureau", "customer_id", mark("these reports reach no indicator")),
    _orphan("instalments", "loan_id", mark("these dues make nobody late")),
    _orphan("payments", "loan_id", mark("these payments settle no due")),
    _orphan("performance", "loan_id", mark("these balances are in no exposure")),
    _orphan("restructurings", "loan_id", mark("these restructurings make nobody bad")),
)
BEFORE_LOAN = Check(
    "payments", "before_loan", "paid_at", mark("lies before the loan was opened"), "error",
    mark("days past due of these loans"),
)  # fmt: skip
REVERSES_NOTHING = Check(
    "payments", "reverses_nothing", "reverses", mark("names a payment that the book does not have"), "warning",
    mark("the reversal is taken for one of a scheduled payment"),
)  # fmt: skip
OUTSIDE_TERM = Check(
    "instalments", "outside_term", "due_on", mark("lies before the loan was opened or after its term"), "warning",
    mark("days past due of these loans"),
    when=f"schedules agreed at opening may end up to {TERM_SLACK_MONTHS} months after the term",
)  # fmt: skip
GAPS = Check(
    "performance", "gaps", "month_end", mark("comes after months without a row"), "warning",
    mark("balances and days past due of the months between are unknown"),
)  # fmt: skip
STOPS = Check(
    "performance", "stops", "month_end", mark("ends before the last month although the loan is open"), "warning",
    mark("exposure of these loans is missing from every number at the last month end"),
)  # fmt: skip
BALANCE_UNPAID = Check(
    "performance", "balance_unpaid", "balance", mark("fell by more than was paid in the month"), "warning",
    mark("exposure, or what was paid, is wrong for these months"),
    when="loans without a limit; not in the month of a write-off, sale, cancellation or restructuring",
)  # fmt: skip
PAID_DIFFERS = Check(
    "performance", "paid_differs", "paid_amount", mark("differs from the payments of the month"), "warning",
    mark("days past due by payments and by statements will not agree"),
    when=f"by more than {BALANCE_SLACK:.2f}; recoveries are not counted",
)  # fmt: skip
CHECKS = (*ORPHANS, BEFORE_LOAN, REVERSES_NOTHING, OUTSIDE_TERM, GAPS, STOPS, BALANCE_UNPAID, PAID_DIFFERS)


def across_findings(book: Book, *, as_of: date) -> Iterator[Finding]:
    """Return the findings between tables."""
    yield from _orphans(book, as_of)
    has = book.tables.issuperset
    if has({"payments"}):
        yield from _payments(book, as_of)
    if has({"instalments"}):
        yield from _dues_outside_the_term(book, as_of)
    if has({"performance"}):
        yield from _months(book, as_of)
        if has({"payments"}):
            yield from _paid_amounts(book, as_of)


def _orphans(book: Book, as_of: date) -> Iterator[Finding]:
    for check in ORPHANS:
        owner = "customers" if check.column == "customer_id" else "loans"
        if {check.table, owner} <= book.tables:
            rows = book.as_known(check.table, as_of=as_of)
            owners = book.as_known(owner, as_of=as_of).select(check.column)
            yield from _found(book, check, rows.anti_join(owners, check.column), rows)


def _payments(book: Book, as_of: date) -> Iterator[Finding]:
    payments = book.as_known("payments", as_of=as_of)
    loans = book.as_known("loans", as_of=as_of)
    starts = loans.select("loan_id", starts_at=day_start(book, loans.opened_on))
    joined = payments.join(starts, "loan_id")
    yield from _found(book, BEFORE_LOAN, joined.filter(joined.paid_at < joined.starts_at), payments)
    reversals = payments.filter(_.reverses.notnull())
    originals = payments.select(reverses="payment_id")
    yield from _found(book, REVERSES_NOTHING, reversals.anti_join(originals, "reverses"), payments)


def _dues_outside_the_term(book: Book, as_of: date) -> Iterator[Finding]:
    dues = book.as_known("instalments", as_of=as_of)
    loans = book.as_known("loans", as_of=as_of).select("loan_id", "opened_on", "term_months")
    agreed = dues.group_by("loan_id").aggregate(first_version=_.schedule_version.min())
    joined = dues.join(loans, "loan_id").join(agreed, "loan_id")
    months = month_number(joined.due_on) - month_number(joined.opened_on)
    outside = (joined.due_on < joined.opened_on) | (
        (joined.schedule_version == joined.first_version) & (months > joined.term_months + TERM_SLACK_MONTHS)
    )
    yield from _found(book, OUTSIDE_TERM, joined.filter(outside), dues)


def _months(book: Book, as_of: date) -> Iterator[Finding]:
    rows = book.as_known("performance", as_of=as_of)
    by_loan = ibis.window(group_by="loan_id", order_by="month_end")
    line = rows.mutate(
        step=month_number(rows.month_end) - month_number(rows.month_end).lag().over(by_loan),
        before=rows.balance.lag().over(by_loan),
    )
    yield from _found(book, GAPS, line.filter(_.step > 1), rows)
    loans = book.as_known("loans", as_of=as_of)
    last = rows.group_by("loan_id").aggregate(month_end=_.month_end.max())
    until = last.aggregate(until=_.month_end.max())
    still_open = loans.filter(_.closed_on.isnull(), _.written_off_on.isnull()).select("loan_id")
    stopped = last.semi_join(still_open, "loan_id").cross_join(until)
    yield from _found(book, STOPS, stopped.filter(_.month_end < _.until), last)
    revolving = rows.credit_limit > 0
    terms = loans.select("loan_id", "principal", "written_off_on", "closed_on", "close_reason")
    joined = line.filter(~revolving.fill_null(False)).join(terms, "loan_id")
    fell = joined.before - joined.balance
    written_off = joined.written_off_on.notnull() & (joined.written_off_on <= joined.month_end)
    gone = joined.closed_on.notnull() & (joined.closed_on <= joined.month_end) & joined.close_reason.isin(_LEFT)
    unpaid = joined.filter(
        fell > joined.paid_amount + BALANCE_SLACK,
        ~written_off,
        ~gone.fill_null(False),
        joined.step == 1,
        joined.principal.notnull(),
    )
    if "restructurings" in book.tables:
        agreed = book.as_known("restructurings", as_of=as_of)
        agreed = agreed.select("loan_id", month=month_number(agreed.effective_on)).distinct()
        unpaid = unpaid.mutate(month=month_number(unpaid.month_end)).anti_join(agreed, ["loan_id", "month"])
    yield from _found(book, BALANCE_UNPAID, unpaid, rows)


def _paid_amounts(book: Book, as_of: date) -> Iterator[Finding]:
    rows = book.as_known("performance", as_of=as_of)
    payments = book.as_known("payments", as_of=as_of).filter(_.kind != "recovery")
    months = payments.mutate(month=month_number(local_day(book, payments.paid_at)))
    paid = months.group_by("loan_id", "month").aggregate(paid=_.amount.sum())
    told = rows.filter(rows.paid_amount.notnull())
    joined = told.mutate(month=month_number(told.month_end)).left_join(paid, ["loan_id", "month"])
    differs = (joined.paid_amount - ibis.coalesce(joined.paid, 0)).abs() > BALANCE_SLACK
    yield from _found(book, PAID_DIFFERS, joined.filter(differs), told)


def _found(book: Book, check: Check, wrong: Any, rows: Any) -> Iterator[Finding]:
    """Yield the finding if there is one."""
    count = count_rows(book, wrong)
    if count:
        total = count_rows(book, rows)
        key = ("loan_id",) if check is STOPS else None
        yield check.finding(count, total, examples(book, wrong, check.table, key=key))
