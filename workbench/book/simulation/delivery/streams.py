"""What comes in masses: account movements month by month, month ends year by year, and events."""

from __future__ import annotations

from functools import partial

from workbench.book.simulation.delivery.desk import Desk, Section
from workbench.book.simulation.delivery.faults import (
    DUPLICATES,
    ORPHANS,
    OTHER_CASE_CODES,
    UNREADABLE_ROWS,
    UTC_MOMENTS,
    Extra,
    Fault,
    Planted,
)
from workbench.book.simulation.delivery.files import write_csv, write_json_lines
from workbench.book.simulation.delivery.rows import Feed
from workbench.book.simulation.delivery.texts import cased, day, grouped, moment_with_offset, utc_moment

_DUPLICATES = DUPLICATES[:1]


def transactions(desk: Desk) -> Section:
    """Write a file for each month of arrival, one that has a header alone, and a last one that breaks off."""
    relation = desk.relation("transactions")
    months = desk.connection.execute(
        f"SELECT DISTINCT date_trunc('month', known_at)::DATE FROM {relation} ORDER BY 1"
    ).fetchall()
    columns = {
        "booking_no": "transaction_id",
        "customer_no": "customer_id",
        "account": "account_id",
        "booked_at": utc_moment("booked_at"),
        "debit": "CASE WHEN _extra IS NULL AND amount < 0 THEN -amount END",
        "credit": "CASE WHEN _extra IS NULL AND amount >= 0 THEN amount END",
        "channel": "channel",
        "purpose": "category",
        "counterparty": "counterparty_id",
        "balance": "balance_after",
        "arrived_at": f"CASE WHEN known_at <> booked_at THEN {utc_moment('known_at')} END",
    }
    extras = (
        Extra("without_amount", UNREADABLE_ROWS, "rejected", {"transaction_id": "transaction_id || 'X'"}, "amount is missing"),
    )  # fmt: skip
    writer = partial(write_csv, desk.connection)
    for (month,) in months:
        until = f"DATE '{month}' + INTERVAL 1 MONTH"
        rows = f"(SELECT * FROM {relation} WHERE known_at >= DATE '{month}' AND known_at < {until})"
        feed = Feed("transactions", f"accounts/transactions_{month:%Y-%m}.csv", columns, _DUPLICATES, extras)
        desk.write(feed, writer, relation=rows, cut=month == months[-1][0])
    empty = "accounts/transactions_none.csv"
    write_csv(desk.connection, f"SELECT {', '.join(f'NULL AS {name}' for name in columns)} LIMIT 0", desk.path(empty))
    desk.planted.append(Planted(empty, "transactions", "header_alone", 1, "mended"))
    return Section(_TRANSACTION_SOURCES, {"transactions": _TRANSACTIONS})


def month_ends(desk: Desk) -> Section:
    """Write the month end reports, a file a year: English dates, amounts with signs between groups of digits."""
    relation = desk.relation("performance")
    years = desk.connection.execute(f"SELECT DISTINCT year(month_end) FROM {relation} ORDER BY 1").fetchall()
    columns = {
        "Contract": "loan_id",
        "Month end": day("month_end", "%d-%b-%Y"),
        "Balance": grouped("balance"),
        "Limit": grouped("credit_limit"),
        "Due": grouped("due_amount"),
        "Paid": grouped("paid_amount"),
        "Days late": "coalesce(dpd::VARCHAR, 'n/a')",
        "Reported": "strftime(known_at, '%Y-%m-%d %H:%M:%S')",
    }
    for (year,) in years:
        feed = Feed("performance", f"core/month_ends_{year}.csv", columns, _DUPLICATES)
        rows = f"(SELECT * FROM {relation} WHERE year(month_end) = {year})"
        desk.write(feed, partial(write_csv, desk.connection), relation=rows)
    return Section(_MONTH_END_SOURCES, {"performance": _MONTH_ENDS})


def events(desk: Desk) -> Section:
    """Write the events: an object a line, with nested members, local times with their offset."""
    moment = f"CASE WHEN utc_moments THEN {utc_moment('occurred_at')} ELSE {moment_with_offset('occurred_at', desk.zone)} END"
    feed = Feed(
        "events",
        "crm/events.jsonl",
        {
            "id": cased("event_id", "_copy = 2"),
            "at": moment,
            "customer": f"{{'no': {cased('customer_id', 'other_case_codes')}, 'channel': 'app'}}",
            "event": "{'kind': upper(kind), 'how': detail}",
            "audit": f"{{'recorded': {utc_moment('known_at')}, 'system': 'crm-7'}}",
        },
        faults=(*DUPLICATES, Fault("other_case_codes", OTHER_CASE_CODES), Fault("utc_moments", UTC_MOMENTS)),
        extras=(
            Extra(
                "orphans", ORPHANS, "rejected", {"event_id": "event_id || 'P'", "customer_id": "'PROSPECT-' || _n"},
                "customer_id is missing",
            ),
        ),
    )  # fmt: skip
    desk.write(feed, partial(write_json_lines, desk.connection), cut=True)
    return Section(_EVENT_SOURCES.format(zone=desk.zone), {"events": _EVENTS}, views=_EVENT_VIEWS)


_TRANSACTION_SOURCES = """\
  # A file a month of arrival: what came late has the moment of its arrival. The last one may have been cut.
  movements: {files: "accounts/transactions_*.csv"}
"""
_TRANSACTIONS = """\
    from: movements
    columns:
      transaction_id: booking_no
      customer_id: customer_no
      account_id: account
      booked_at: booked_at                 # UTC, with a Z
      amount: CASE WHEN debit IS NULL THEN number(credit) ELSE -number(debit) END
      channel: channel
      category: purpose
      counterparty_id: counterparty
      balance_after: balance
    known_at: coalesce(arrived_at, booked_at)
"""
_MONTH_END_SOURCES = """\
  month_ends:
    files: "core/month_ends_*.csv"
    thousands: ","
    dates: ["%d-%b-%Y"]
    timestamps: ["%Y-%m-%d %H:%M:%S"]
    time_zone: UTC
    missing: ["n/a"]
"""
_MONTH_ENDS = """\
    from: month_ends
    columns:
      loan_id: Contract
      month_end: Month end
      balance: Balance
      credit_limit: Limit
      due_amount: Due
      paid_amount: Paid
      dpd: Days late
    known_at: Reported
"""
_EVENT_SOURCES = """\
  # What happens in the app and at the counter; times are ISO 8601 with an offset.
  crm_events: {{files: crm/events.jsonl, time_zone: {zone}}}
"""
_EVENT_VIEWS = """\
  known_customers: SELECT DISTINCT upper("Customer no") AS customer_no FROM crm_customers
"""
_EVENTS = """\
    from: crm_events
    joins: {known_customers: known_customers.customer_no = upper(customer.no)}
    columns:
      event_id: upper(id)
      customer_id: known_customers.customer_no   # nothing for prospects, who are no customers: rejected
      occurred_at: at
      kind: lower(event.kind)
      detail: event.how
    known_at: audit.recorded
"""
