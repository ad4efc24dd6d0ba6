"""What must hold between tables: every row's owner is there, and money and dates agree with the loan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis
from ibis import _

from workbench.book.book import Book
from workbench.book.checks.finding import Finding, Severity
from workbench.book.checks.tables import count_rows, examples

ERROR_SHARE = 0.01  # house choice: above it, rows that hang in the air are no slip of a delivery
TERM_SLACK_MONTHS = 3  # a first due date may lie a little later than a month after opening
BALANCE_SLACK = 1.00  # currency: rounding of balances in statements
_OWNERS = (
    ("loans", "customer_id", "customers", "these loans reach no indicator"),
    ("transactions", "customer_id", "customers", "these rows reach no indicator"),
    ("events", "customer_id", "customers", "these rows reach no indicator"),
    ("applications", "customer_id", "customers", "these applications reach no indicator"),
    ("bureau", "customer_id", "customers", "these reports reach no indicator"),
    ("instalments", "loan_id", "loans", "these dues make nobody late"),
    ("payments", "loan_id", "loans", "these payments settle no due"),
    ("performance", "loan_id", "loans", "these balances are in no exposure"),
    ("restructurings", "loan_id", "loans", "these restructurings make nobody bad"),
)


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
    for table, column, owner, breaks in _OWNERS:
        if {table, owner} <= book.tables:
            rows = book.as_known(table, as_of=as_of)
            owners = book.as_known(owner, as_of=as_of).select(column)
            lost = rows.anti_join(owners, column)
            what = f"names a {column.removesuffix('_id')} that the book does not have"
            yield from _found(book, lost, rows, table, "orphans", column, what, "error", breaks)


def _payments(book: Book, as_of: date) -> Iterator[Finding]:
    payments = book.as_known("payments", as_of=as_of)
    loans = book.as_known("loans", as_of=as_of).select("loan_id", "opened_on", "closed_on", "written_off_on")
    joined = payments.join(loans, "loan_id")
    paid_on = joined.paid_at.cast("date")
    early = joined.filter(paid_on < joined.opened_on - ibis.interval(days=1))  # a day of slack: paid_at is UTC
    yield from _found(
        book, early, payments, "payments", "before_loan", "paid_at", "lies before the loan was opened", "error",
        "days past due of these loans",
    )  # fmt: skip
    reversals = payments.filter(_.reverses.notnull())
    originals = payments.select(reverses="payment_id")
    yield from _found(
        book, reversals.anti_join(originals, "reverses"), payments, "payments", "reverses_nothing", "reverses",
        "names a payment that the book does not have", "warning", "the reversal is taken for one of a scheduled payment",
    )  # fmt: skip


def _dues_outside_the_term(book: Book, as_of: date) -> Iterator[Finding]:
    dues = book.as_known("instalments", as_of=as_of)
    loans = book.as_known("loans", as_of=as_of).select("loan_id", "opened_on", "term_months")
    joined = dues.join(loans, "loan_id")
    months = _month(joined.due_on) - _month(joined.opened_on)
    outside = (joined.due_on < joined.opened_on) | (
        (joined.schedule_version == 1) & (months > joined.term_months + TERM_SLACK_MONTHS)
    )
    yield from _found(
        book, joined.filter(outside), dues, "instalments", "outside_term", "due_on",
        "lies before the loan was opened or after its term", "warning", "days past due of these loans",
    )  # fmt: skip


def _months(book: Book, as_of: date) -> Iterator[Finding]:
    rows = book.as_known("performance", as_of=as_of)
    by_loan = ibis.window(group_by="loan_id", order_by="month_end")
    line = rows.mutate(
        step=_month(rows.month_end) - _month(rows.month_end).lag().over(by_loan),
        before=rows.balance.lag().over(by_loan),
    )
    yield from _found(
        book, line.filter(_.step > 1), rows, "performance", "gaps", "month_end", "comes after months without a row",
        "warning", "balances and days past due of the months between are unknown",
    )  # fmt: skip
    revolving = rows.credit_limit > 0
    loans = book.as_known("loans", as_of=as_of).select("loan_id", "principal", "written_off_on")
    joined = line.filter(~revolving.fill_null(False)).join(loans, "loan_id")
    fell = joined.before - joined.balance
    written_off = joined.written_off_on.notnull() & (joined.written_off_on <= joined.month_end)
    unpaid = (
        (fell > joined.paid_amount + BALANCE_SLACK) & ~written_off & (joined.step == 1) & joined.principal.notnull()
    )
    yield from _found(
        book, joined.filter(unpaid), rows, "performance", "balance_unpaid", "balance",
        "fell by more than was paid in the month", "warning", "exposure, or what was paid, is wrong for these months",
    )  # fmt: skip


def _paid_amounts(book: Book, as_of: date) -> Iterator[Finding]:
    rows = book.as_known("performance", as_of=as_of)
    payments = book.as_known("payments", as_of=as_of).filter(_.kind != "recovery")
    paid = payments.group_by(_.loan_id, month=_month(payments.paid_at.cast("date"))).aggregate(paid=_.amount.sum())
    told = rows.mutate(month=_month(rows.month_end))
    joined = told.left_join(paid, ["loan_id", "month"])
    differs = (joined.paid_amount - ibis.coalesce(joined.paid, 0)).abs() > BALANCE_SLACK
    wrong = joined.filter(differs)
    total = count_rows(book, rows.filter(rows.paid_amount.notnull()))
    count = count_rows(book, wrong)
    if count > ERROR_SHARE * total:  # a payment at midnight may fall into the next month in UTC
        yield Finding(
            "performance.paid_differs", "warning", "performance", "paid_amount", "differs from the payments of the month",
            count, count / max(total, 1), examples(book, wrong, "performance"),
            "days past due by payments and by statements will not agree",
        )  # fmt: skip


def _month(day: Any) -> Any:
    return day.year() * 12 + day.month()


def _found(
    book: Book, wrong: Any, rows: Any, table: str, name: str, column: str, what: str, severity: Severity, breaks: str
) -> Iterator[Finding]:
    """Yield the finding if there is one; an error with few rows is a warning."""
    count = count_rows(book, wrong)
    if not count:
        return
    share = count / max(count_rows(book, rows), 1)
    if severity == "error" and share <= ERROR_SHARE:
        severity = "warning"
    yield Finding(f"{table}.{name}", severity, table, column, what, count, share, examples(book, wrong, table), breaks)
