"""Days past due and balances of each loan at month ends: the one place where they are computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import ibis
from ibis import _

from workbench.book.book import Book
from workbench.core.dates import last_month_end, midnight_offsets, month_ends
from workbench.core.errors import BookError

_MONEY = "decimal(18, 2)"
_NOTHING = ibis.literal(0).cast(_MONEY)


def performance(book: Book, *, as_of: date, days: Sequence[date] | None = None) -> ibis.Table:
    """Return one row a loan and day: DPD, arrears, balance, as known at `as_of`.

    DPD is the number of days since the oldest due date whose cumulative due exceeds the cumulative scheduled payments by
    more than the thresholds of `params/definitions.yaml` (docs/architecture.md, "Definitions"). Payments settle the oldest
    due first; a prepayment is not paid-ahead; a reversal counts from its own day; due today and unpaid is 0; a new schedule
    version replaces the old from its `effective_from`; DPD stops at write-off and is 0 once a loan is repaid.

    Parameters
    ----------
    book
        Must have `instalments` and `payments`, or a loaded `performance` table with `dpd`.
    as_of
        What is known by the end of this day is used.
    days
        Days to evaluate, none after `as_of`; by default `as_of` alone. What a stored `performance` table says
        (balances, or dpd where it is loaded) is that of the last month end up to the day.

    Returns
    -------
    ibis.Table
        loan_id, customer_id, product, opened_on, month_end, dpd (int64; null where a loaded table does not say),
        arrears, balance, credit_limit, due_amount, paid_amount (decimal, null where the book does not say), open (bool),
        written_off (bool); loans not yet opened on a day have no row.

    Raises
    ------
    BookError
        If the book has neither.
    ValueError
        If a day lies after `as_of`.
    """
    evaluated = sorted(days or [as_of])
    if evaluated[-1] > as_of:
        raise ValueError(f"performance at {evaluated[-1]} is not known at {as_of}")
    kept = book.remembered("performance", as_of, evaluated)
    if kept is not None:
        return kept
    grid = _loan_days(book, as_of, evaluated)
    computed = {"instalments", "payments"} <= book.tables
    if computed:
        arrears = _arrears(book, grid, as_of)
    elif "performance" in book.tables:
        arrears = _loaded(book, grid, as_of)
    else:
        raise BookError(
            f"book {book.name!r}: days past due need the tables instalments and payments, or performance; it has "
            f"{', '.join(sorted(book.tables))}."
        )
    rows = grid.left_join(arrears, ["loan_id", "month_end"]).drop("loan_id_right", "month_end_right")
    rows = rows.mutate(
        dpd=ibis.ifelse(rows.repaid, 0, ibis.coalesce(rows.dpd, 0) if computed else rows.dpd).cast("int64"),
        arrears=ibis.ifelse(
            rows.repaid, _NOTHING, ibis.coalesce(rows.arrears, _NOTHING) if computed else rows.arrears
        ).cast(_MONEY),
    )
    return _with_balance(book, rows, as_of).drop("repaid", "stops_on", "stored_on")


def keep_performance(book: Book, *, as_of: date) -> None:
    """Compute `performance` at `as_of` and at every month end by then, once: what is asked of these days reads it."""
    days = {*month_ends(book.manifest.facts.first_day - timedelta(days=1), as_of), as_of}
    book.remember("performance", as_of, days, lambda: performance(book, as_of=as_of, days=sorted(days)))


def is_active(rows: ibis.Table) -> Any:
    """Return the condition on rows of `performance` under which a loan makes its customer active.

    Open and not written off, with a balance or an unused limit; a balance that nobody states counts as one.
    """
    has_balance = rows.balance.isnull() | (rows.balance > 0)
    return rows.open & (has_balance | (rows.credit_limit > 0))


def states_dpd(tables: Iterable[str]) -> bool:
    """Return whether a book with these tables says how its loans are paid."""
    there = set(tables)
    return {"instalments", "payments"} <= there or "performance" in there


def _loan_days(book: Book, as_of: date, days: Sequence[date]) -> ibis.Table:
    loans = _with_last_instant(book, book.as_known("loans", as_of=as_of), as_of)
    stamps = [(day, book.day_end(day), last_month_end(day)) for day in days]
    calendar = ibis.memtable(stamps, schema={"month_end": "date", "ends_at": "timestamp", "stored_on": "date"})
    grid = loans.cross_join(calendar).filter(_.opened_on <= _.month_end)
    written_off = grid.written_off_on.notnull() & (grid.written_off_on <= grid.month_end)
    closed = grid.closed_on.notnull() & (grid.closed_on <= grid.month_end)
    return grid.select(
        "loan_id",
        "customer_id",
        "product",
        "opened_on",
        "month_end",
        "stored_on",
        ends_at=ibis.ifelse(written_off, ibis.coalesce(grid.written_off_at, grid.ends_at), grid.ends_at),
        size=ibis.coalesce(grid.principal, 0).cast("float64") + ibis.coalesce(grid.credit_limit, 0).cast("float64"),
        owed_at_opening=grid.principal,
        limit_at_opening=grid.credit_limit,
        open=~(written_off | closed),
        written_off=written_off,
        repaid=closed & ~written_off,
        stops_on=ibis.ifelse(written_off, grid.written_off_on, grid.month_end),
    )


def _with_last_instant(book: Book, loans: ibis.Table, as_of: date) -> ibis.Table:
    """Add the instant at which the day of the write-off ends: what is paid later settles no due."""
    midnight = loans.written_off_on.cast("timestamp") + ibis.interval(days=1)
    offsets = midnight_offsets(book.manifest.facts.time_zone, as_of)
    ends = [midnight - ibis.interval(seconds=int(offset.total_seconds())) for _since, offset in offsets]
    until = [loans.written_off_on < since for since, _offset in offsets[1:]]
    branches = list(zip(until, ends, strict=False))
    return loans.mutate(written_off_at=ibis.cases(*branches, else_=ends[-1]) if branches else ends[-1])


def _arrears(book: Book, grid: ibis.Table, as_of: date) -> ibis.Table:
    """Find, for each loan and day, the oldest due that the payments so far do not cover.

    Dues, payments and questions ("as of this day?") are put in one line by loan and read with running sums: a loan's dues
    never meet its payments pair by pair, which keeps the work linear. Money is counted in whole cents.
    """
    due = cumulative_due(book, as_of)
    asked = grid.filter(~_.repaid).select("loan_id", "month_end", "ends_at", "stops_on", "size")
    asked = _running(asked, settling_payments(book, as_of), by="ends_at", of="paid_at", first="asked", name="paid")
    asked = _running(asked, due, by="stops_on", of="due_on", first="added", name="due")
    covered = asked.paid + allowed_cents(book, asked["size"])
    questions = asked.mutate(level=covered, is_due=False, due_on=ibis.null("date"))
    dues = due.select("loan_id", "due_on", level=due.cumulative, is_due=True)
    line = ibis.union(
        questions.select("loan_id", "due_on", "level", "is_due", "month_end"),
        dues.mutate(month_end=ibis.null("date")).select("loan_id", "due_on", "level", "is_due", "month_end"),
    )
    above = ibis.window(group_by="loan_id", order_by=[ibis.desc("level"), "is_due"], preceding=None, following=0)
    oldest = line.mutate(oldest_due=line.due_on.min().over(above)).filter(~_.is_due)
    late = asked.join(oldest.select("loan_id", "month_end", "oldest_due"), ["loan_id", "month_end"])
    late = late.filter(_.oldest_due <= _.stops_on)
    return late.select(
        "loan_id",
        "month_end",
        arrears=((late.due - late.paid).cast("decimal(18, 2)") / 100).cast(_MONEY),
        dpd=late.stops_on.delta(late.oldest_due, unit="day").cast("int64"),
    )


def _running(asked: ibis.Table, added: ibis.Table, *, by: str, of: str, first: str, name: str) -> ibis.Table:
    """Add to `asked` the sum of `added.cents` whose `of` lies before `by`; at `by` itself only if `first` is "added"."""
    questions = asked.mutate(
        moment=asked[by].cast(added[of].type()),
        cents=ibis.literal(0, "int64"),
        rank=ibis.literal(int(first == "added")),
    )
    columns = [*asked.columns, "moment", "cents", "rank"]
    blank = {column: ibis.null(asked.schema()[column]) for column in asked.columns if column != "loan_id"}
    amounts = added.select("loan_id", "cents", moment=added[of], rank=ibis.literal(int(first != "added"))).mutate(
        **blank
    )
    line = ibis.union(questions.select(*columns), amounts.select(*columns))
    upto = ibis.window(group_by="loan_id", order_by=["moment", "rank"], preceding=None, following=0)
    summed = line.mutate(**{name: line.cents.sum().over(upto).cast("int64")})
    return summed.filter(summed[by].notnull()).drop("moment", "cents", "rank")


def allowed_cents(book: Book, size: Any) -> Any:
    """Return the shortfall in cents that makes nobody late, for loans of `size` (principal and limit, in currency)."""
    dpd = book.definitions.dpd
    allowed = ibis.greatest(ibis.literal(dpd.threshold_absolute), size * dpd.threshold_relative)
    return (allowed * 100 + 1e-6).floor().cast("int64")


def _cents(money: Any) -> Any:
    return (money * 100).cast("int64")


def cumulative_due(book: Book, as_of: date) -> ibis.Table:
    """Return the dues up to the date that no later schedule replaced: loan_id, due_on, cents, and their running sum."""
    rows = book.as_known("instalments", as_of=as_of)
    versions = rows.group_by("loan_id", "schedule_version").aggregate(begins_on=_.effective_from.min())
    later = ibis.window(group_by="loan_id", order_by="schedule_version", rows=(1, None))
    versions = versions.mutate(
        replaced_on=versions.begins_on.min().over(later),
        is_first=versions.schedule_version == versions.schedule_version.min().over(ibis.window(group_by="loan_id")),
    )
    rows = rows.join(versions, ["loan_id", "schedule_version"])
    rows = rows.filter(_.due_on <= as_of)  # what falls due later makes nobody late yet
    in_force = rows.is_first | (rows.due_on >= rows.begins_on)
    rows = rows.filter(in_force & (rows.replaced_on.isnull() | (rows.due_on < rows.replaced_on)))
    dues = rows.select("loan_id", "due_on", "instalment_no", cents=_cents(rows.due_amount))
    upto = ibis.window(group_by="loan_id", order_by=["due_on", "instalment_no"], preceding=None, following=0)
    return dues.mutate(cumulative=dues.cents.sum().over(upto).cast("int64"))


def settling_payments(book: Book, as_of: date) -> ibis.Table:
    """Return payments that settle dues: loan_id, paid_at, cents; a reversal takes the kind of what it reverses."""
    payments = book.as_known("payments", as_of=as_of)
    ids = book.once("reversed payments", lambda: _reversed_ids(book, as_of))  # few: only these are looked up
    originals = payments.semi_join(ids, "payment_id").select(reverses="payment_id", original_kind="kind")
    rows = payments.left_join(originals, "reverses")
    kind = ibis.ifelse(rows.kind == "reversal", ibis.coalesce(rows.original_kind, "scheduled"), rows.kind)
    return rows.filter(kind == "scheduled").select("loan_id", "paid_at", cents=_cents(rows.amount))


def _reversed_ids(book: Book, as_of: date) -> ibis.Table:
    """Return the ids that any version of a payment, known by then or ever, takes back."""
    rows = book.versions("payments", as_of=max(as_of, book.manifest.facts.last_day))
    return rows.filter(_.reverses.notnull()).select(payment_id="reverses").distinct()


def _loaded(book: Book, grid: ibis.Table, as_of: date) -> ibis.Table:
    rows = book.as_known("performance", as_of=as_of)
    unknown = ibis.null().cast(_MONEY)  # a month's shortfall is no arrear: earlier months are not told
    stored = rows.select("loan_id", "dpd", stored_on=rows.month_end, arrears=unknown)
    days = grid.select("loan_id", "month_end", "stored_on")
    return days.join(stored, ["loan_id", "stored_on"]).select("loan_id", "month_end", "dpd", "arrears")


def _with_balance(book: Book, rows: ibis.Table, as_of: date) -> ibis.Table:
    kept = ["loan_id", "customer_id", "product", "opened_on", "month_end", "dpd", "arrears", "open", "written_off"]
    passed: list[Any] = [*kept, "repaid", "stops_on", "stored_on"]
    if "performance" not in book.tables:
        unknown = ibis.null().cast(_MONEY)
        return rows.select(
            *passed, balance=unknown, credit_limit=rows.limit_at_opening, due_amount=unknown, paid_amount=unknown
        )
    stored = book.as_known("performance", as_of=as_of)
    latest = stored.select(
        "loan_id",
        "balance",
        "due_amount",
        "paid_amount",
        stored_on=stored.month_end,
        limit_now=stored.credit_limit,
    )
    joined = rows.left_join(latest, ["loan_id", "stored_on"])
    unstated = ibis.ifelse(joined.opened_on > joined.stored_on, joined.owed_at_opening, ibis.null())
    balance = ibis.coalesce(joined.balance, unstated)  # opened since the last month end: nothing is stated yet
    return joined.select(
        *passed,
        balance=ibis.ifelse(joined.repaid, _NOTHING, balance),
        credit_limit=ibis.coalesce(joined.limit_now, joined.limit_at_opening),
        due_amount=joined.due_amount,
        paid_amount=joined.paid_amount,
    )
