"""Applications, as the origination system keeps them, and the bureau's reports."""

from __future__ import annotations

from functools import partial

from workbench.book.schema import DECISIONS
from workbench.book.simulation.delivery.desk import Desk, Section, yaml_codes
from workbench.book.simulation.delivery.faults import DUPLICATES, OTHER_CASE_CODES, UNREADABLE_ROWS, Extra, Fault
from workbench.book.simulation.delivery.files import write_csv, write_json_lines
from workbench.book.simulation.delivery.rows import Feed
from workbench.book.simulation.delivery.texts import cased, coded, day, utc_moment


def applications(desk: Desk) -> Section:
    """Write the applications: an object a line, nested."""
    decisions = desk.codes("applications", "decision", {word: word[0].upper() for word in DECISIONS})
    submitted = f"CASE WHEN _extra = 'unreadable_moments' THEN 'yesterday' ELSE {utc_moment('applied_at')} END"
    feed = Feed(
        "applications",
        "origination/applications.jsonl",
        {
            "ref": cased("application_id", "_copy = 2"),
            "submitted": submitted,
            "applicant": "{'customer': customer_id, 'agreed_to_terms': true}",
            "wish": "{'product': upper(product), 'amount': requested_amount}",
            "outcome": (
                f"{{'code': {cased(coded('decision', decisions), 'other_case_codes')}, 'at': {utc_moment('decided_at')}, "
                "'reason': decline_reason, 'points': score, 'contract': loan_id}"
            ),
            "recorded": utc_moment("known_at"),
        },
        faults=(*DUPLICATES, Fault("other_case_codes", OTHER_CASE_CODES, when="decision IS NOT NULL")),
        extras=(
            Extra(
                "unreadable_moments", UNREADABLE_ROWS, "rejected", {"application_id": "'U' || application_id"},
                "applied_at: cannot be read as timestamp",
            ),
        ),
    )  # fmt: skip
    desk.write(feed, partial(write_json_lines, desk.connection))
    return Section(_APPLICATION_SOURCES, {"applications": _APPLICATIONS}, codes=yaml_codes("decisions", decisions))


def bureau(desk: Desk) -> Section:
    """Write the bureau's reports: compact dates, `n/a` for what it does not know."""
    feed = Feed(
        "bureau",
        "bureau/reports.csv",
        {
            "customer": "customer_id",
            "report_date": f"CASE WHEN _extra IS NOT NULL THEN '00000000' ELSE {day('reported_on', '%Y%m%d')} END",
            "enquiries": "enquiries_6m",
            "other_debt": "other_debt",
            "worst": "upper(worst_status)",
            "received": utc_moment("known_at"),
        },
        faults=DUPLICATES[:1],
        extras=(Extra("unreadable_dates", UNREADABLE_ROWS, "rejected", told="reported_on: cannot be read as date"),),
    )
    desk.write(feed, partial(write_csv, desk.connection, delimiter="|", missing="n/a"))
    return Section(_BUREAU_SOURCES, {"bureau": _BUREAU})


_APPLICATION_SOURCES = """\
  applications: {files: origination/applications.jsonl}
"""
_APPLICATIONS = """\
    from: applications
    columns:
      application_id: upper(ref)
      customer_id: applicant.customer
      applied_at: submitted
      product: lower(wish.product)
      requested_amount: wish.amount
      decision: {sql: upper(outcome.code), codes: decisions}
      decided_at: outcome.at
      decline_reason: outcome.reason
      score: outcome.points
      loan_id: outcome.contract
    known_at: recorded
"""
_BUREAU_SOURCES = """\
  bureau_reports:
    files: bureau/reports.csv
    delimiter: "|"
    dates: ["%Y%m%d"]
    timestamps: ["%Y-%m-%dT%H:%M:%SZ"]
    missing: ["n/a"]
"""
_BUREAU = """\
    from: bureau_reports
    columns:
      customer_id: customer
      reported_on: report_date
      enquiries_6m: enquiries
      other_debt: other_debt
      worst_status: lower(worst)
    known_at: received
"""
