"""Payments, as the core banking system books them."""

from __future__ import annotations

from workbench.book.simulation.delivery.core_banking import Cell, CoreTable, deliver_core, plain
from workbench.book.simulation.delivery.desk import Desk, Section, yaml_codes
from workbench.book.simulation.delivery.faults import (
    CONFLICTING_PAIRS,
    DUPLICATES,
    ORPHANS,
    OTHER_CASE_CODES,
    UNREADABLE_ROWS,
    UTC_MOMENTS,
    Extra,
    Fault,
)
from workbench.book.simulation.delivery.texts import cased, cents, coded, local_moment, utc_moment

_CODES = {"scheduled": "S", "prepayment": "E", "reversal": "X", "recovery": "R"}


def payments(desk: Desk) -> Section:
    """Write the payments: amounts in cents, local times."""
    kinds = desk.codes("payments", "kind", _CODES)
    local = f"CASE WHEN utc_moments THEN {utc_moment('paid_at')} ELSE {local_moment('paid_at', desk.zone)} END"
    booked = f"CASE WHEN _extra = 'unreadable_moments' THEN '00.00.0000 00:00:00' ELSE {local} END"
    typed = "CASE WHEN _extra = 'unreadable_moments' THEN NULL ELSE paid_at AT TIME ZONE 'UTC' END"
    table = CoreTable(
        "payments",
        "payments",
        "csv",
        {
            "payment_no": plain(cased("payment_id", "_copy = 2")),
            "contract_no": plain(cased("loan_id", "other_case_codes")),
            "booked": Cell(booked, typed, "timestamptz"),
            "amount_cents": plain(f"{cents('amount')} + CASE WHEN _copy = 3 THEN 1 ELSE 0 END", "bigint"),
            "type": plain(coded("kind", kinds)),
            "reverses": plain("reverses"),
            "recorded": Cell(local_moment("known_at", desk.zone), "known_at AT TIME ZONE 'UTC'", "timestamptz"),
        },
        faults=(
            *DUPLICATES,
            Fault("other_case_codes", OTHER_CASE_CODES),
            Fault("utc_moments", UTC_MOMENTS, in_text_alone=True),
        ),
        extras=(
            Extra(
                "unreadable_moments", UNREADABLE_ROWS, "rejected", {"payment_id": "'U' || payment_id"},
                "paid_at: cannot be read as timestamp", told_typed="paid_at is missing",
            ),
            Extra(
                "orphans", ORPHANS, "found", {"payment_id": "'O' || payment_id", "loan_id": "'GONE-' || loan_id"},
                "payments.orphans",
            ),
            Extra("conflicting_pairs", CONFLICTING_PAIRS, "conflict", {"payment_id": "'C' || payment_id"}),
        ),
        written=_WRITTEN.format(zone=desk.zone),
    )  # fmt: skip
    return Section(deliver_core(desk, table), {"payments": _PAYMENTS}, codes=yaml_codes("payment_kinds", kinds))


_WRITTEN = """\
    # Local times; those of the hour that comes twice in autumn say their offset, and a few are in UTC.
    timestamps: ["%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S%z", "%Y-%m-%dT%H:%M:%SZ"]
    time_zone: {zone}
"""
_PAYMENTS = """\
    from: core_payments
    columns:
      payment_id: upper(payment_no)
      loan_id: upper(contract_no)
      paid_at: booked
      amount: number(amount_cents) / 100
      kind: {sql: type, codes: payment_kinds}
      reverses: reverses
    known_at: recorded
"""
