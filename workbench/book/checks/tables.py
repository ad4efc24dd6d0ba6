"""Rules of single tables: one aggregate query a table counts them all, with what a profile of its columns needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import ibis
import pandas as pd

from workbench.book.book import Book
from workbench.book.checks.finding import EXAMPLES, Check, Finding
from workbench.book.checks.rules import Rule, rules_of
from workbench.book.schema import TABLES, Column
from workbench.core.languages import mark

INCOME_MULTIPLE = 8.0  # house choice: an income this many times the median of its occupation looks like a yearly one
PRIVATE, PRESENT = mark("private: no values shown"), mark("present value only: not shown")

EMPTY = Check("*", "empty", "", mark("has no rows"), "warning", mark("everything that needs this table"),
              when="an error for customers and loans")  # fmt: skip
YEARLY_INCOME = Check(
    "customers", "yearly_income", "monthly_income",
    mark("is over {multiple:g} times the median of its occupation: perhaps a yearly amount"), "warning",
    mark("debt-to-income looks far too good for these customers"), values={"multiple": INCOME_MULTIPLE},
)  # fmt: skip
CHECKS = (EMPTY, YEARLY_INCOME)


class TableChecked(NamedTuple):
    """What the rules of one table found, a profile of its columns, and how many rows break any rule."""

    findings: list[Finding]
    profile: pd.DataFrame
    rows: int
    faulty: int


def table_findings(book: Book, table: str, *, as_of: date) -> TableChecked:
    """Return the findings of one table and a profile of its columns, from one aggregate query.

    Returns
    -------
    TableChecked
        `profile` has table, column, role, shown, rows, missing_share, distinct, lowest, highest, mean, deviation: one row a
        column. Of private columns, and of those of which the source keeps the present value alone, only the missing
        share is there; `shown` says why.
    """
    rows = book.as_known(table, as_of=as_of)
    past = min(as_of, book.manifest.facts.last_day)  # the delivery may have come years after the book's end
    hidden = _hidden(book, table)
    rules = [rule for rule in rules_of(table) if not hidden.keys() & set(rule.reads)]
    columns = [column for column in TABLES[table].columns if column.name not in hidden]
    measures: dict[str, Any] = {"rows": rows.count()}
    measures |= {rule.check.key: _count(rule.condition(rows, past)) for rule in rules}
    faults = [rule.condition(rows, past).fill_null(False) for rule in rules if rule.is_fault]
    if faults:
        measures["faulty"] = _count(ibis.or_(*faults))
    for column in columns:
        measures |= _profiled(rows, column)
    found = book.connection.to_pyarrow(rows.aggregate(**measures)).to_pylist()[0]
    total = int(found["rows"])
    found |= _missing_of_hidden(book, table, as_of, list(hidden))
    profile = [_profile_row(book, table, column, found, total, hidden) for column in TABLES[table].columns]
    findings = [*_rule_findings(book, rows, rules, found, total, past)]
    if not total:
        severity = "error" if table in ("customers", "loans") else EMPTY.severity
        findings.append(EMPTY.finding(0, None, table=table, severity=severity))
    return TableChecked(findings, pd.DataFrame(profile), total, int(found.get("faulty") or 0))


def _hidden(book: Book, table: str) -> Mapping[str, str]:
    """Return the columns whose values are not shown, and why."""
    present = dict.fromkeys(book.manifest.facts.current_only.get(table, []), PRESENT)
    return {**present, **dict.fromkeys(book.private_columns(table), PRIVATE)}


def _profiled(rows: ibis.Table, column: Column) -> dict[str, Any]:
    name, values = column.name, rows[column.name]
    ordered = ibis.ifelse(values, 1, 0) if column.dtype == "bool" else values  # PostgreSQL has no least boolean
    measures = {
        f"{name}:missing": _count(values.isnull()),
        f"{name}:distinct": values.approx_nunique(),
        f"{name}:lowest": ordered.min().cast("string"),
        f"{name}:highest": ordered.max().cast("string"),
    }
    if column.dtype in ("money", "float", "int"):
        number = values.cast("float64")
        measures |= {f"{name}:mean": number.mean(), f"{name}:deviation": number.std()}
    return measures


def _missing_of_hidden(book: Book, table: str, as_of: date, names: list[str]) -> dict[str, Any]:
    """Count what is missing in columns whose values nothing else may read: in the newest version of each row."""
    if not names:
        return {}
    rows = book.versions(table, as_of=as_of)
    if book.manifest.tables[table].keys_versioned:
        newest = ibis.row_number().over(group_by=list(TABLES[table].key), order_by=ibis.desc("known_at"))
        rows = rows.mutate(_version=newest).filter(ibis._._version == 0)
    measures = {f"{name}:missing": _count(rows[name].isnull()) for name in names}
    found = book.connection.to_pyarrow(rows.aggregate(hidden_rows=rows.count(), **measures)).to_pylist()[0]
    return dict(found)


def _profile_row(
    book: Book, table: str, column: Column, found: Mapping[str, Any], total: int, hidden: Mapping[str, str]
) -> dict[str, Any]:
    name = column.name
    rows = int(found["hidden_rows"]) if name in hidden else total
    return {
        "table": table,
        "column": name,
        "role": book.manifest.facts.roles.get(table, {}).get(name, column.role),
        "shown": hidden.get(name, ""),
        "rows": rows,
        "missing_share": int(found[f"{name}:missing"] or 0) / max(rows, 1),
        "distinct": found.get(f"{name}:distinct"),
        "lowest": found.get(f"{name}:lowest"),
        "highest": found.get(f"{name}:highest"),
        "mean": found.get(f"{name}:mean"),
        "deviation": found.get(f"{name}:deviation"),
    }


def _rule_findings(
    book: Book, rows: ibis.Table, rules: list[Rule], found: Mapping[str, Any], total: int, day: date
) -> Iterator[Finding]:
    for rule in rules:
        count = int(found[rule.check.key] or 0)
        if count and count > rule.at_least * total:
            wrong = rows.filter(rule.condition(rows, day))
            such = examples(book, wrong, rule.check.table) if count < total else ()  # of all rows none is an example
            yield rule.check.finding(count, total, such)


def income_findings(book: Book, *, as_of: date) -> Iterator[Finding]:
    """Find incomes that look like yearly amounts, beside the median of their occupation."""
    if {"monthly_income", "occupation"} & _hidden(book, "customers").keys():
        return
    customers = book.as_known("customers", as_of=as_of)
    income = customers.monthly_income.cast("float64")
    usual = customers.group_by("occupation").aggregate(usual=income.quantile(0.5))
    joined = customers.join(usual, "occupation")
    high = joined.filter(joined.monthly_income.cast("float64") > INCOME_MULTIPLE * joined.usual)
    count = count_rows(book, high)
    if count:
        yield YEARLY_INCOME.finding(count, count_rows(book, customers), examples(book, high, "customers"))


def count_rows(book: Book, rows: Any) -> int:
    """Return the number of rows of an expression."""
    return int(book.connection.to_pyarrow(rows.aggregate(rows=rows.count())).to_pylist()[0]["rows"])


def examples(book: Book, rows: Any, table: str, *, key: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Return up to ten keys of rows of a table."""
    names = list(key or TABLES[table].key)
    found = book.connection.to_pyarrow(rows.select(*names).order_by(names).limit(EXAMPLES)).to_pylist()
    return tuple(" ".join(str(row[name]) for name in names) for row in found)


def _count(condition: Any) -> Any:
    return ibis.ifelse(condition, 1, 0).sum()
