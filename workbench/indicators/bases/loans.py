"""Bases about loans: how they stand, how they were paid, how those of others ended."""

from __future__ import annotations

import ibis
from ibis import _

from workbench.book.days import local_day
from workbench.book.performance import allowed_cents, cumulative_due, settling_payments
from workbench.indicators.snapshot import Snapshot

MONTHS_OF_HISTORY = 12


def loans_now(snapshot: Snapshot) -> ibis.Table:
    """Loans that are open at the date: DPD, balance and limit beside the contract's terms."""
    terms = snapshot.table("loans").select("loan_id", "instalment_amount", "principal", "collateral_value")
    return snapshot.now.filter(_.open).join(terms, "loan_id")


def loan_months(snapshot: Snapshot) -> ibis.Table:
    """Loans at the last twelve month ends up to the date, with DPD, balance, due and paid; `months_ago` from 0.

    `previous_dpd` is that of the month end before, null where the loan was not open then; `worst_before` the worst of all
    month ends before.
    """
    months = snapshot.loan_days.filter(_.months_ago >= 0)
    before = ibis.window(group_by="loan_id", order_by=ibis.desc("months_ago"), preceding=(None, 1))
    line = ibis.window(group_by="loan_id", order_by=ibis.desc("months_ago"))
    months = months.mutate(
        previous_dpd=ibis.ifelse(months.open, months.dpd, ibis.null("int64")).lag(1).over(line),
        worst_before=months.dpd.max().over(before),
    )
    return months.filter(_.months_ago < MONTHS_OF_HISTORY, _.open | _.written_off)


def dues(snapshot: Snapshot) -> ibis.Table:
    """Dues of the last twelve months before the date, with `days_late`: early is negative, what is open counts to the date.

    A due is settled on the first day from which on the payments so far covered it at every day's end (payments settle the
    oldest due first, and shortfalls within the thresholds count as paid); a loan that is closed or written off settles all.
    """
    book, as_of = snapshot.book, snapshot.at.as_of
    loans = snapshot.table("loans")
    size = ibis.coalesce(loans.principal, 0).cast("float64") + ibis.coalesce(loans.credit_limit, 0).cast("float64")
    ended_on = ibis.coalesce(loans.written_off_on, loans.closed_on, ibis.literal(as_of))
    loans = loans.select("loan_id", "customer_id", allowed=allowed_cents(book, size), ended_on=ended_on)
    loans = loans.filter(_.ended_on > snapshot.at.months_back(12))
    asked = cumulative_due(book, as_of).join(loans, "loan_id")
    asked = asked.mutate(level=asked.cumulative - asked.allowed)

    paid = settling_payments(book, as_of).semi_join(loans, "loan_id")
    paid = paid.mutate(paid_on=local_day(book, paid.paid_at))
    paid = paid.group_by("loan_id", "paid_on").aggregate(cents=paid.cents.sum().cast("int64"))
    upto = ibis.window(group_by="loan_id", order_by="paid_on", preceding=None, following=0)
    paid = paid.mutate(total=paid.cents.sum().over(upto).cast("int64"))
    onwards = ibis.window(group_by="loan_id", order_by="paid_on", preceding=0, following=None)
    paid = paid.select("loan_id", "paid_on", level=paid.total.min().over(onwards))

    columns = ["loan_id", "customer_id", "due_on", "ended_on", "level", "paid_on", "is_due"]
    questions = asked.mutate(paid_on=ibis.null("date"), is_due=True).select(*columns)
    unsaid = {"customer_id": ibis.null("string"), "due_on": ibis.null("date"), "ended_on": ibis.null("date")}
    line = ibis.union(questions, paid.mutate(**unsaid, is_due=False).select(*columns))
    enough = ibis.window(group_by="loan_id", order_by=[ibis.desc("level"), "is_due"], preceding=None, following=0)
    line = line.mutate(covered_on=line.paid_on.min().over(enough)).filter(_.is_due)
    line = line.filter(_.due_on > snapshot.at.months_back(12), _.due_on < as_of, _.due_on <= _.ended_on)
    in_time = line.covered_on.notnull() & (line.covered_on < line.ended_on)
    settled_on = ibis.ifelse(line.level <= 0, line.due_on, ibis.ifelse(in_time, line.covered_on, line.ended_on))
    return line.select("customer_id", "due_on", days_late=settled_on.delta(line.due_on, unit="day").cast("int64"))


def prepayments(snapshot: Snapshot) -> ibis.Table:
    """Prepayments of the last six months, by the customer of the loan."""
    rows = snapshot.table("payments").filter(_.kind == "prepayment")
    rows = rows.filter(_.paid_at >= snapshot.book.day_end(snapshot.at.months_back(6)))
    return rows.join(snapshot.table("loans").select("loan_id", "customer_id"), "loan_id").select(
        "customer_id", "amount"
    )


def restructurings(snapshot: Snapshot) -> ibis.Table:
    """Restructurings known at the date, by the customer of the loan."""
    rows = snapshot.table("restructurings")
    return rows.join(snapshot.table("loans").select("loan_id", "customer_id"), "loan_id").drop("loan_id")


def loans_ever(snapshot: Snapshot) -> ibis.Table:
    """Loans ever known, with whether they went bad at any month end of the last three years, for the record."""
    definitions = snapshot.book.definitions
    worst = snapshot.loan_days.group_by("loan_id").aggregate(worst_dpd=_.dpd.max(), written_off=_.written_off.any())
    loans = snapshot.table("loans").select("loan_id", "customer_id", "opened_on", "closed_on")
    joined = loans.left_join(worst, "loan_id").drop("loan_id_right")
    mature = joined.opened_on <= snapshot.at.months_back(definitions.mature_months)
    bad = joined.written_off | (joined.worst_dpd >= definitions.target.bad_dpd)
    return joined.mutate(mature=mature, bad=ibis.coalesce(bad, False))


def own_record(snapshot: Snapshot) -> ibis.Table:
    """Every customer with loans: how many are mature, how many of those went bad, the quarter of the first, the groups."""
    loans = loans_ever(snapshot)
    rows = loans.group_by("customer_id").aggregate(
        mature=loans.mature.sum().cast("int64"),
        bad=(loans.mature & loans.bad).sum().cast("int64"),
        first_day=loans.opened_on.min(),
    )
    known = snapshot.table("customers").select("customer_id", "segment", branch=_.branch_id)
    rows = rows.left_join(known, "customer_id").drop("customer_id_right")
    return rows.mutate(vintage=(rows.first_day.year() * 4 + (rows.first_day.month() + 2) // 3).cast("int64")).drop(
        "first_day"
    )


def peers(records: ibis.Table) -> ibis.Table:
    """Customers with loans, with how many mature loans the others of their group have, and how many of those went bad.

    Groups: `vintage` (the quarter of the first loan), `segment`, `branch`, and `all`; `<group>_mature` and `<group>_bad`
    leave the customer's own loans out, and are null where the group is not known.
    """
    rows = records.mutate(everyone=ibis.literal(1))
    counts = {}
    for group, by in (("vintage", "vintage"), ("segment", "segment"), ("branch", "branch"), ("all", "everyone")):
        others = ibis.window(group_by=by)
        for name in ("mature", "bad"):
            count = rows[name].sum().over(others).cast("int64") - rows[name]
            counts[f"{group}_{name}"] = ibis.ifelse(rows[by].isnull(), ibis.null("int64"), count)
    return rows.select("customer_id", **counts)
