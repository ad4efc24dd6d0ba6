"""Rules of single tables: one aggregate query a table counts them all, with what a profile of its columns needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis
import pandas as pd

from workbench.book.book import Book
from workbench.book.checks.finding import EXAMPLES, Finding, Severity
from workbench.book.checks.rules import EARLY_SHARE, LATE_DAYS, Rule, rules_of
from workbench.book.schema import TABLES

# Tables whose rows cannot be known before they happen; dues and restructurings may be agreed ahead.
_HAPPENING = ("loans", "payments", "transactions", "events", "performance", "applications", "bureau")
INCOME_MULTIPLE = 8.0  # house choice: an income this many times the median of its occupation looks like a yearly one


def table_findings(book: Book, table: str, *, as_of: date) -> tuple[list[Finding], pd.DataFrame]:
    """Return the findings of one table and a profile of its columns, from one aggregate query.

    Returns
    -------
    findings
        In the order of the rules.
    profile : DataFrame
        table, column, role, rows, missing_share, distinct, lowest, highest, mean, deviation: one row a column; private
        columns show no values.
    """
    rows = book.as_known(table, as_of=as_of)
    schema = TABLES[table]
    skipped = {*book.manifest.facts.current_only.get(table, []), *book.private_columns(table)}
    rules = [rule for rule in rules_of(table) if rule.column not in skipped]
    measures: dict[str, Any] = {"rows": rows.count()}
    for rule in rules:
        measures[rule.check] = _count(rule.condition(rows, as_of))
    columns = [column for column in schema.columns if column.name not in skipped]
    for column in columns:
        values = rows[column.name]
        measures[f"{column.name}:missing"] = _count(values.isnull())
        measures[f"{column.name}:distinct"] = values.approx_nunique()
        measures[f"{column.name}:lowest"] = values.min().cast("string")
        measures[f"{column.name}:highest"] = values.max().cast("string")
        if column.dtype in ("money", "float", "int"):
            measures[f"{column.name}:mean"] = values.cast("float64").mean()
            measures[f"{column.name}:deviation"] = values.cast("float64").std()
    found = book.connection.to_pyarrow(rows.aggregate(**measures)).to_pylist()[0]
    total = int(found["rows"])
    findings = []
    for rule in rules:
        count = int(found[rule.check] or 0)
        if count and count > rule.at_least * total:
            findings.append(_finding(book, rule, rows.filter(rule.condition(rows, as_of)), count, total))
    if not total:
        findings.append(
            Finding(f"{table}.empty", "error" if table in ("customers", "loans") else "warning", table, "", "has no rows",
                    0, 0.0, (), "everything that needs this table")
        )  # fmt: skip
    profile = [
        {
            "table": table,
            "column": column.name,
            "role": book.manifest.facts.roles.get(table, {}).get(column.name, column.role),
            "rows": total,
            "missing_share": (found[f"{column.name}:missing"] or 0) / max(total, 1),
            "distinct": found[f"{column.name}:distinct"],
            "lowest": found[f"{column.name}:lowest"],
            "highest": found[f"{column.name}:highest"],
            "mean": found.get(f"{column.name}:mean"),
            "deviation": found.get(f"{column.name}:deviation"),
        }
        for column in columns
    ]
    return findings, pd.DataFrame(profile)


def time_findings(book: Book, *, as_of: date) -> Iterator[Finding]:
    """Find rows known before they happened, and rows that arrived late: from every version, one query a table."""
    for table in _HAPPENING:
        if table not in book.tables:
            continue
        schema = TABLES[table]
        moment = str(schema.occurred)
        rows = book.versions(table, as_of=as_of)
        known, happened = rows.known_at, rows[moment]
        if schema.column(moment).dtype == "date":  # a day of the book's zone: known a day before, in any zone
            happened = happened.cast("timestamp")
            early = known < happened - ibis.interval(days=1)
        else:
            early = known < happened
        late = known > happened + ibis.interval(days=LATE_DAYS + 1)
        measures = {"rows": rows.count(), "early": _count(early), "late": _count(late)}
        found = book.connection.to_pyarrow(rows.aggregate(**measures)).to_pylist()[0]
        total = int(found["rows"])
        if found["early"]:
            severity: Severity = "error" if found["early"] > EARLY_SHARE * total else "warning"
            rule = Rule(
                table, "known_before", "known_at", "lies before the row happened", severity,
                "every later number may know the future", lambda _t, _d: None,
            )  # fmt: skip
            yield _finding(book, rule, rows.filter(early), int(found["early"]), total)
        if found["late"] and not book.manifest.tables[table].keys_versioned:  # a later version is late by nature
            rule = Rule(
                table, "late", moment, f"became known more than {LATE_DAYS} days after it happened", "info",
                "indicators at the dates in between did not see these rows, and never will: that is as it was",
                lambda _t, _d: None,
            )  # fmt: skip
            yield _finding(book, rule, rows.filter(late), int(found["late"]), total)


def income_findings(book: Book, *, as_of: date) -> Iterator[Finding]:
    """Find incomes that look like yearly amounts, beside the median of their occupation."""
    if {"monthly_income", "occupation"} & set(book.manifest.facts.current_only.get("customers", [])):
        return
    customers = book.as_known("customers", as_of=as_of)
    income = customers.monthly_income.cast("float64")
    usual = customers.group_by("occupation").aggregate(usual=income.quantile(0.5))
    joined = customers.join(usual, "occupation")
    high = joined.filter(joined.monthly_income.cast("float64") > INCOME_MULTIPLE * joined.usual)
    count = count_rows(book, high)
    if count:
        rule = Rule(
            "customers", "yearly_income", "monthly_income",
            f"is over {INCOME_MULTIPLE:g} times the median of its occupation: perhaps a yearly amount", "warning",
            "debt-to-income looks far too good for these customers", lambda _t, _d: None,
        )  # fmt: skip
        yield _finding(book, rule, high, count, count_rows(book, customers))


def count_rows(book: Book, rows: Any) -> int:
    """Return the number of rows of an expression."""
    return int(book.connection.to_pyarrow(rows.aggregate(rows=rows.count())).to_pylist()[0]["rows"])


def _finding(book: Book, rule: Rule, rows: Any, count: int, total: int) -> Finding:
    return Finding(
        rule.check, rule.severity, rule.table, rule.column, rule.what, count, count / max(total, 1),
        examples(book, rows, rule.table), rule.breaks,
    )  # fmt: skip


def examples(book: Book, rows: Any, table: str) -> tuple[str, ...]:
    """Return up to ten keys of rows of a table."""
    key = list(TABLES[table].key)
    found = book.connection.to_pyarrow(rows.select(*key).order_by(key).limit(EXAMPLES)).to_pylist()
    return tuple(" ".join(str(row[name]) for name in key) for row in found)


def _count(condition: Any) -> Any:
    return ibis.ifelse(condition, 1, 0).sum()
