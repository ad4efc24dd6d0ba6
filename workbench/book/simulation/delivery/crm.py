"""The CRM's part: customers as Windows saves CSV, with a code table and an Excel list beside it, and events as JSON lines."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from workbench.book.simulation.delivery.desk import Desk, Section, yaml_codes
from workbench.book.simulation.delivery.faults import (
    CURRENCY_SIGNS,
    DUPLICATES,
    IMPOSSIBLE_BIRTHS,
    LINE_BREAKS,
    OTHER_CASE_CODES,
    OTHER_DATES,
    STRAY_BLANKS,
    THOUSANDS_SIGNS,
    UNREADABLE_ROWS,
    Extra,
    Fault,
    Planted,
)
from workbench.book.simulation.delivery.files import write_csv, write_excel
from workbench.book.simulation.delivery.rows import Feed
from workbench.book.simulation.delivery.texts import (
    GERMAN_DAY,
    cased,
    coded,
    day,
    decimal_comma,
    grouped,
    local_moment,
)
from workbench.book.simulation.writing.persons import addresses
from workbench.book.sources.opened import literal

_SIGNS = {"EUR": "€", "GBP": "£", "USD": "$", "CNY": "¥"}
_NOTES = (
    "'Prefers calls after 17:00; no mail'", "'Asked for a \"payment holiday\"'", "'moved, see letter'", "NULL", "NULL",
)  # fmt: skip


def customers(desk: Desk) -> Section:
    """Write the customers, their code table of marital states and the list of branches."""
    sexes = desk.codes("customers", "gender", {"female": "F", "male": "M"})
    educations = desk.codes("customers", "education", {})
    marital = desk.codes("customers", "marital_status", {})
    sign = _SIGNS.get(desk.currency, desk.currency)
    groups, no_groups = grouped("monthly_income", comma=True), decimal_comma("monthly_income")
    digits = f"CASE WHEN thousands_signs THEN {groups} ELSE {no_groups} END"
    before, after = literal(f"{sign} "), literal(f" {desk.currency}")
    signed = f"CASE WHEN _hash[32:32] < '8' THEN {before} || ({digits}) ELSE ({digits}) || {after} END"
    birth = f"CASE WHEN impossible_births THEN strftime(birth_date, '31.02.%Y') ELSE {_date('birth_date')} END"
    blanks = "'  ' || replace(name, ' ', '  ') || ' '"
    notes = " ".join(f"WHEN {n} THEN {note}" for n, note in enumerate(_NOTES))
    note = f"CASE ('0x' || _hash[29:32])::INTEGER % {len(_NOTES)} {notes} END"
    feed = Feed(
        "customers",
        "crm/customers.csv",
        {
            "Customer no": f"CASE WHEN _extra IS NOT NULL THEN NULL ELSE {cased('customer_id', '_copy = 2')} END",
            "Changed at": local_moment("known_at", desk.zone),
            "Name": f"CASE WHEN _extra IS NOT NULL THEN 'TEST TEST' WHEN stray_blanks THEN {blanks} ELSE name END",
            "Born": birth,
            "Sex": cased(coded("gender", sexes), "other_case_codes"),
            "Marital": coded("marital_status", marital),
            "Education": coded("education", educations),
            "Occupation": "occupation",
            "Employed since": _date("employed_since"),
            "Monthly income": f"CASE WHEN currency_signs THEN {signed} ELSE {digits} END",
            "Region": "region",
            "Segment": "segment",
            "Branch": _BRANCH,
            "Officer": "officer_id",
            "Customer since": _date("relationship_since"),
            "Phone": "phone",
            "Mail": "email",
            "National id": "national_id",
            "Address": "address",
            "Notes": f"CASE WHEN line_breaks THEN 'called back' || chr(10) || 'no answer' ELSE {note} END",
        },
        faults=(
            *DUPLICATES,
            Fault("other_dates", OTHER_DATES, when="coalesce(employed_since, relationship_since) IS NOT NULL"),
            Fault("thousands_signs", THOUSANDS_SIGNS, when="monthly_income >= 1000"),
            Fault("currency_signs", CURRENCY_SIGNS, when="monthly_income IS NOT NULL"),
            Fault("stray_blanks", STRAY_BLANKS, when="name IS NOT NULL"),
            Fault("other_case_codes", OTHER_CASE_CODES, when="gender IS NOT NULL"),
            Fault("line_breaks", LINE_BREAKS, "told", told="lines go on with a text in quotes"),
            Fault(
                "impossible_births", IMPOSSIBLE_BIRTHS, "emptied", "birth_date IS NOT NULL",
                "birth_date: cannot be read as date", exact=True,
            ),
        ),
        extras=(Extra("without_number", UNREADABLE_ROWS, "rejected", told="customer_id is missing"),),
    )  # fmt: skip
    desk.write(feed, partial(write_csv, desk.connection, delimiter=";", windows=True), relation=_with_addresses(desk))
    desk.planted.append(Planted(feed.file, "customers", "byte_order_mark", 1, "told", "a byte order mark was skipped"))
    rows = ", ".join(f"({literal(code)}, {literal(word)})" for word, code in marital.items()) or "(NULL, NULL)"
    states = f"SELECT * FROM (VALUES {rows}) AS t(code, meaning) ORDER BY code"
    write_csv(desk.connection, states, desk.path("crm/marital_states.csv"))
    _write_branches(desk)
    return Section(
        _CUSTOMER_SOURCES.format(zone=desk.zone),
        {"customers": _CUSTOMERS.format(sign=sign, currency=desk.currency)},
        codes=yaml_codes("sexes", sexes) + yaml_codes("educations", educations),
    )


def _with_addresses(desk: Desk) -> str:
    """Return the customers with the postal address each had when a row became known: another after each move."""
    customers, moved = (
        desk.relation("customers"),
        "(SELECT NULL AS customer_id, NULL::TIMESTAMP AS moved_at WHERE false)",
    )
    if desk.has("events"):
        moved = (
            f"(SELECT customer_id, known_at AS moved_at FROM {desk.relation('events')} WHERE kind = 'address_changed')"
        )
    people = desk.connection.execute(
        f"""SELECT customer_id, coalesce(any_value(regexp_matches(name, '[一-鿿]')), false) AS chinese,
                (SELECT count(*) FROM {moved} AS m WHERE m.customer_id = c.customer_id) AS moves
            FROM {customers} AS c GROUP BY ALL ORDER BY customer_id"""
    ).df()
    chinese, moves = people["chinese"].to_numpy(bool), people["moves"].to_numpy()
    homes = []
    for move in range(int(moves.max(initial=0)) + 1):
        rng = np.random.default_rng(desk.seed)
        text = addresses(chinese, np.full(len(people), move), rng)
        homes.append(
            pd.DataFrame({"customer_id": people["customer_id"], "moves": move, "address": text})[moves >= move]
        )
    desk.connection.register("_homes", pd.concat(homes))
    return f"""(SELECT c.*, h.address FROM {customers} AS c LEFT JOIN _homes AS h ON h.customer_id = c.customer_id AND h.moves =
        (SELECT count(*) FROM {moved} AS m WHERE m.customer_id = c.customer_id AND m.moved_at <= c.known_at))"""


def _date(column: str) -> str:
    return day(column, GERMAN_DAY, other="%Y-%m-%d", flag="other_dates")


_BRANCH = "'Branch ' || branch_id"


def _write_branches(desk: Desk) -> None:
    """Write the list of branches that somebody in the head office keeps."""
    select = (
        f'SELECT DISTINCT {_BRANCH} AS "Branch", branch_id AS "Code", \'main road 1\' AS "Address" '
        f"FROM {desk.relation('customers')} WHERE branch_id IS NOT NULL ORDER BY 2"
    )
    notes = ("List of branches. Ask the head office before you change it.", "Sheet 2 has the codes.")
    write_excel(desk.connection, select, desk.path("crm/branches.xlsx"), sheet="Branches", notes=notes)


_CUSTOMER_SOURCES = """\
  # The CRM's list of customers, saved on Windows. A row for each change, so that what was known when is kept.
  crm_customers:
    files: crm/customers.csv
    delimiter: ";"
    decimal: ","
    thousands: "."
    dates: ["%d.%m.%Y", "%Y-%m-%d"]        # the second in a few rows
    # Local times; those of the hour that comes twice in autumn say their offset.
    timestamps: ["%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S%z"]
    time_zone: {zone}
    multiline: true                        # notes go on over several lines
  marital_states: {{files: crm/marital_states.csv}}
  branches: {{files: crm/branches.xlsx, sheet: Branches}}   # kept by hand; its first sheet is a text
"""
_CUSTOMERS = """\
    from: crm_customers
    joins:
      marital_states: marital_states.code = crm_customers."Marital"
      branches: branches."Branch" = crm_customers."Branch"
    columns:                               # Address and Notes are left where they are
      customer_id: upper("Customer no")    # a few stand in small letters once more
      birth_date: Born
      gender: {{sql: upper(Sex), codes: sexes}}
      marital_status: marital_states.meaning
      education: {{sql: Education, codes: educations}}
      occupation: Occupation
      employed_since: Employed since
      monthly_income: replace(replace("Monthly income", '{sign}', ''), '{currency}', '')
      region: Region
      segment: Segment
      branch_id: branches."Code"
      officer_id: Officer
      relationship_since: Customer since
      name: regexp_replace("Name", '\\s+', ' ', 'g')
      phone: Phone
      email: Mail
      national_id: National id
    known_at: Changed at
"""
