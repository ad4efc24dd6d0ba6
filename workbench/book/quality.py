"""Data quality: completeness, validity and timeliness by table and column, worst first, with what each finding breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import ibis
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.schema import TABLES

Severity = Literal["red", "orange", "yellow"]
EXAMPLES = 5
MISSING_SHARE = 0.02  # house choice: above it a column's gaps are a finding
LATE_DAYS = 5  # house choice: a row known later than this after it happened arrived late
INCOME_MULTIPLE = 8.0  # house choice: an income this many times the median of its occupation looks like a yearly one
OLDEST_AGE, YOUNGEST_AGE = 110, 16  # house choice


@dataclass(frozen=True)
class Finding:
    """One finding, with up to five keys as examples."""

    severity: Severity
    table: str
    column: str
    what: str
    rows: int
    share: float
    examples: list[str]
    breaks: str


def profile(book: Book, *, as_of: date) -> pd.DataFrame:
    """Return one row a table and column as known at `as_of`.

    Returns
    -------
    DataFrame
        table, column, role, rows, missing_share, distinct, lowest, highest (text); one aggregate query a table.
    """
    rows = []
    for name in sorted(book.tables):
        table = book.as_known(name, as_of=as_of)
        measures: dict[str, Any] = {"rows": table.count()}
        hidden = book.manifest.facts.current_only.get(name, [])
        columns = [column for column in TABLES[name].columns if column.name not in hidden]
        for column in columns:
            values = table[column.name]
            measures[f"{column.name}:missing"] = values.isnull().sum()
            measures[f"{column.name}:distinct"] = values.approx_nunique()
            measures[f"{column.name}:lowest"] = values.min().cast("string")
            measures[f"{column.name}:highest"] = values.max().cast("string")
        found = book.connection.to_pyarrow(table.aggregate(**measures)).to_pylist()[0]
        for column in columns:
            private = column.role == "private"
            rows.append(
                {
                    "table": name,
                    "column": column.name,
                    "role": column.role,
                    "rows": found["rows"],
                    "missing_share": (found[f"{column.name}:missing"] or 0) / max(found["rows"], 1),
                    "distinct": found[f"{column.name}:distinct"],
                    "lowest": "private" if private else found[f"{column.name}:lowest"],
                    "highest": "private" if private else found[f"{column.name}:highest"],
                }
            )
    return pd.DataFrame(rows)


def findings(book: Book, *, as_of: date) -> pd.DataFrame:
    """Return what is wrong with the book as known at `as_of`, the worst first.

    Returns
    -------
    DataFrame
        severity, table, column, what, rows, share (of the table), examples (keys), breaks; empty where nothing is wrong.
    """
    found = [*_gaps(book, as_of)]
    for check, needs in _CHECKS:
        if needs <= book.tables:
            found.extend(check(book, as_of))
    columns = [*Finding.__dataclass_fields__]
    table = pd.DataFrame([asdict(finding) for finding in found if finding.rows], columns=columns)
    order = table["severity"].map({"red": 0, "orange": 1, "yellow": 2})
    return (
        table.assign(_order=order)
        .sort_values(["_order", "share"], ascending=[True, False])
        .drop(columns="_order")
        .reset_index(drop=True)
    )


def _gaps(book: Book, as_of: date) -> Iterator[Finding]:
    wanted = {
        ("customers", "monthly_income"): "debt-to-income and exposure to income are missing for these customers",
        ("customers", "education"): "the column cannot describe these customers",
        ("customers", "birth_date"): "fairness by age cannot be shown for these customers",
        ("loans", "annual_rate"): "the price of risk cannot be shown for these loans",
        ("performance", "balance"): "exposure and expected loss are too low by these loans",
    }
    for (table, column), breaks in wanted.items():
        if table in book.tables:
            yield from _rows_where(
                book, as_of, table, column, _[column].isnull(), "is missing", "yellow", breaks, at_least=MISSING_SHARE
            )


def _ages(book: Book, as_of: date) -> Iterator[Finding]:
    age = -_.birth_date.delta(ibis.literal(as_of), unit="day") / 365.25
    impossible = (age < YOUNGEST_AGE) | (age > OLDEST_AGE)
    what = f"gives an age under {YOUNGEST_AGE} or over {OLDEST_AGE}"
    yield from _rows_where(
        book, as_of, "customers", "birth_date", impossible, what, "orange", "age groups in fairness tables"
    )


def _incomes(book: Book, as_of: date) -> Iterator[Finding]:
    negative = _.monthly_income <= 0
    yield from _rows_where(
        book, as_of, "customers", "monthly_income", negative, "is zero or negative", "orange", "debt-to-income"
    )
    customers = book.as_known("customers", as_of=as_of)
    income = customers.monthly_income.cast("float64")
    usual = customers.group_by("occupation").aggregate(usual=income.quantile(0.5))
    joined = customers.join(usual, "occupation")
    high = joined.filter(joined.monthly_income.cast("float64") > INCOME_MULTIPLE * joined.usual).select("customer_id")
    yield _finding(
        book,
        high,
        "customers",
        "monthly_income",
        f"is over {INCOME_MULTIPLE:g} times the median of its occupation: perhaps a yearly amount",
        "orange",
        "debt-to-income looks far too good for these customers",
        as_of,
    )


def _late(book: Book, as_of: date) -> Iterator[Finding]:
    for table in sorted(book.tables & {"transactions", "events", "payments"}):
        moment = TABLES[table].occurred
        rows = book.connection.table(table).filter(_.known_at < book.day_end(as_of))
        late = rows.filter(rows.known_at > rows[moment] + ibis.interval(days=LATE_DAYS))
        yield _finding(
            book,
            late.select(TABLES[table].key[0]),
            table,
            str(moment),
            f"became known more than {LATE_DAYS} days after it happened",
            "yellow",
            "indicators at the dates in between did not see these rows, and never will: that is as it was",
            as_of,
        )


def _orphans(book: Book, as_of: date) -> Iterator[Finding]:
    for table in sorted(book.tables & {"loans", "transactions", "events"}):
        rows = book.as_known(table, as_of=as_of)
        customers = book.as_known("customers", as_of=as_of).select("customer_id")
        yield _finding(
            book,
            rows.anti_join(customers, "customer_id").select(TABLES[table].key[0]),
            table,
            "customer_id",
            "names a customer that the book does not have",
            "red",
            "these rows reach no indicator",
            as_of,
        )


def _before_the_loan(book: Book, as_of: date) -> Iterator[Finding]:
    loans = book.as_known("loans", as_of=as_of).select("loan_id", "opened_on")
    payments = book.as_known("payments", as_of=as_of)
    early = payments.join(loans, "loan_id").filter(_.paid_at.date() < _.opened_on)
    yield _finding(
        book,
        early.select("payment_id"),
        "payments",
        "paid_at",
        "lies before the loan was opened",
        "red",
        "days past due of these loans",
        as_of,
    )


def _rows_where(
    book: Book,
    as_of: date,
    table: str,
    column: str,
    condition: Any,
    what: str,
    severity: Severity,
    breaks: str,
    *,
    at_least: float = 0.0,
) -> Iterator[Finding]:
    keys = book.as_known(table, as_of=as_of).filter(condition).select(TABLES[table].key[0])
    finding = _finding(book, keys, table, column, what, severity, breaks, as_of)
    if finding.share >= at_least:
        yield finding


def _finding(
    book: Book, keys: Any, table: str, column: str, what: str, severity: Severity, breaks: str, as_of: date
) -> Finding:
    key = keys.columns[0]
    counted = keys.aggregate(rows=keys.count())
    rows = int(book.connection.to_pyarrow(counted).to_pylist()[0]["rows"])
    total = int(book.connection.to_pyarrow(book.as_known(table, as_of=as_of).count()).as_py())
    examples = keys.order_by(key).limit(EXAMPLES).to_pyarrow()[key].to_pylist() if rows else []
    return Finding(
        severity, table, column, what, rows, rows / max(total, 1), [str(found) for found in examples], breaks
    )


_CHECKS: tuple[tuple[Callable[[Book, date], Iterator[Finding]], frozenset[str]], ...] = (
    (_orphans, frozenset({"customers"})),
    (_before_the_loan, frozenset({"payments"})),
    (_ages, frozenset({"customers"})),
    (_incomes, frozenset({"customers"})),
    (_late, frozenset()),
)
