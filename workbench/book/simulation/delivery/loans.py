"""Loans, schedules and restructurings, as the core banking system keeps them."""

from __future__ import annotations

from workbench.book.schema import CLOSE_REASONS
from workbench.book.simulation.delivery.core_banking import Cell, CoreTable, deliver_core, plain
from workbench.book.simulation.delivery.desk import Desk, Section, yaml_codes
from workbench.book.simulation.delivery.faults import (
    DUPLICATES,
    OFFERS,
    OTHER_CASE_CODES,
    OTHER_DATES,
    OTHER_WORDS,
    UNREADABLE_ROWS,
    Extra,
    Fault,
)
from workbench.book.simulation.delivery.texts import cased, cents, coded, day, percent

MONEY = "numeric(18, 2)"
RECORDED = Cell("strftime(known_at, '%Y-%m-%d %H:%M:%S')", "known_at AT TIME ZONE 'UTC'", "timestamptz")
_OTHER_DATES = Fault("other_dates", OTHER_DATES, in_text_alone=True)
_WRITTEN = """\
    dates: ["%Y-%m-%d", "%d/%m/%Y"]        # the second in a few rows
    timestamps: ["%Y-%m-%d %H:%M:%S"]
    time_zone: UTC
"""


def loans(desk: Desk) -> Section:
    """Write the loans: a row for each version, and offers that nobody signed."""
    reasons = desk.codes("loans", "close_reason", {word: f"{n:02d}" for n, word in enumerate(CLOSE_REASONS, 1)})
    opened = f"CASE WHEN _extra = 'without_opening' THEN 'to be agreed' ELSE {_day('opened_on')} END"
    table = CoreTable(
        "loans",
        "loans",
        "excel",
        {
            "contract_no": plain(cased("loan_id", "_copy = 2")),
            "customer_no": plain(cased("customer_id", "other_case_codes")),
            "status": plain("CASE WHEN _extra = 'offers' THEN 'OFFER' ELSE 'SIGNED' END"),
            "product": plain("upper(product)"),
            "opened": Cell(opened, "CASE WHEN _extra = 'without_opening' THEN NULL ELSE opened_on END", "date"),
            "principal": plain("principal", MONEY),
            "card_limit": plain("credit_limit", MONEY),
            "nominal_rate_pct": plain(percent("annual_rate"), "numeric(12, 6)"),
            "term": plain("term_months", "integer"),
            "instalment": plain("instalment_amount", MONEY),
            "collateral": plain("collateral_value", MONEY),
            "closed": Cell(_day("closed_on"), "closed_on", "date"),
            "close_reason": plain(coded("close_reason", reasons)),
            "written_off": Cell(_day("written_off_on"), "written_off_on", "date"),
            "valid_from": RECORDED,
        },
        faults=(*DUPLICATES, Fault("other_case_codes", OTHER_CASE_CODES), _OTHER_DATES),
        extras=(
            Extra("offers", OFFERS, "left out", {"loan_id": "'OFFER-' || _n"}),
            Extra(
                "without_opening", UNREADABLE_ROWS, "rejected", {"loan_id": "'NEW-' || _n"},
                "opened_on: cannot be read as date", told_typed="opened_on is missing",
            ),
        ),
        written=_WRITTEN,
    )  # fmt: skip
    comment = (
        "  # A row for each version of a contract, valid from a moment in UTC; among them offers that nobody signed.\n"
    )
    return Section(comment + deliver_core(desk, table), {"loans": _LOANS}, codes=yaml_codes("close_reasons", reasons))


def instalments(desk: Desk) -> Section:
    """Write the schedules: a dump with types, amounts in cents."""
    table = CoreTable(
        "instalments",
        "plans",
        "parquet",
        {
            "contract_no": plain("loan_id"),
            "plan_version": plain("schedule_version", "integer"),
            "number": plain("instalment_no", "integer"),
            "valid_from": plain("effective_from", "date"),
            "due": plain("due_on", "date"),
            "amount_cents": plain(cents("due_amount"), "bigint"),
            "recorded_at": RECORDED,
        },
    )
    comment = "  # Every version of every schedule, amounts in cents.\n"
    return Section(comment + deliver_core(desk, table), {"instalments": _INSTALMENTS})


def restructurings(desk: Desk) -> Section:
    """Write what was agreed with customers who could not pay."""
    yes_or_no = (
        "CASE distressed WHEN true THEN CASE WHEN other_words THEN 'Y' ELSE 'yes' END "
        "WHEN false THEN CASE WHEN other_words THEN 'N' ELSE 'no' END END"
    )
    table = CoreTable(
        "restructurings",
        "restructurings",
        "excel",
        {
            "contract_no": plain(cased("loan_id", "_copy = 2")),
            "agreed": Cell(_day("effective_on"), "effective_on", "date"),
            "measure": plain("upper(kind)"),
            "distressed": Cell(yes_or_no, "distressed", "boolean"),
            "forgiven": plain("forgiven_amount", MONEY),
            "recorded_at": RECORDED,
        },
        faults=(
            *DUPLICATES,
            Fault("other_words", OTHER_WORDS, when="distressed IS NOT NULL", in_text_alone=True),
            _OTHER_DATES,
        ),
        written=_WRITTEN,
    )
    return Section(deliver_core(desk, table), {"restructurings": _RESTRUCTURINGS})


def _day(column: str) -> str:
    return day(column, "%Y-%m-%d", other="%d/%m/%Y", flag="other_dates")


_LOANS = """\
    from: core_loans
    where: status <> 'OFFER'
    columns:
      loan_id: upper(contract_no)
      customer_id: upper(customer_no)
      product: lower(product)
      opened_on: opened
      principal: principal
      credit_limit: card_limit
      annual_rate: round(number(nominal_rate_pct) / 100, 8)   # in percent there
      term_months: term
      instalment_amount: instalment
      collateral_value: collateral
      closed_on: closed
      close_reason: {sql: close_reason, codes: close_reasons}
      written_off_on: written_off
    known_at: valid_from
"""
_INSTALMENTS = """\
    from: core_plans
    columns:
      loan_id: contract_no
      schedule_version: plan_version
      instalment_no: number
      effective_from: valid_from
      due_on: due
      due_amount: amount_cents / 100
    known_at: recorded_at
"""
_RESTRUCTURINGS = """\
    from: core_restructurings
    columns:
      loan_id: upper(contract_no)
      effective_on: agreed
      kind: lower(measure)
      distressed: distressed               # yes, no, Y and N
      forgiven_amount: forgiven
    known_at: recorded_at
"""
