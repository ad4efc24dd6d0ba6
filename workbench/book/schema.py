"""The canonical tables of a book, defined once: checks, readers, the simulator and the docs all use this definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from workbench.core.languages import mark

SCHEMA_VERSION = 1

Dtype = Literal["string", "date", "timestamp", "money", "float", "int", "bool"]
Role = Literal["feature", "protected", "proxy", "care", "private", "outcome", "key"]

ARROW_TYPES: dict[Dtype, pa.DataType] = {
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),  # UTC, without a zone, so that no session setting can shift it
    "money": pa.decimal128(18, 2),
    "float": pa.float64(),
    "int": pa.int64(),
    "bool": pa.bool_(),
}


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    Attributes
    ----------
    name, dtype, role
        What it is called, how it is stored, what it may be used for.
    dated
        Whether a date after `as_of` in it must read as null.
    required
        A row without it means nothing and is rejected; in other columns what cannot be read is left empty.
    allowed
        The values that there are; none given means any.
    breaks
        What goes wrong further on where the column is empty or wrong; "" where nothing depends on it.
    """

    name: str
    dtype: Dtype
    role: Role = "feature"
    dated: bool = False
    required: bool = False
    allowed: tuple[str, ...] = ()
    breaks: str = ""


@dataclass(frozen=True)
class TableSchema:
    """One canonical table. `occurred` is the column that says when a row happened (None for standing data)."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    occurred: str | None = None

    def column(self, name: str) -> Column:
        """Return the column called `name`.

        Raises
        ------
        KeyError
            If the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def arrow_schema(self) -> pa.Schema:
        """Return the storage schema: the columns, then `known_at`."""
        fields = [pa.field(column.name, ARROW_TYPES[column.dtype]) for column in self.columns]
        return pa.schema([*fields, pa.field("known_at", ARROW_TYPES["timestamp"])])


def _key(name: str, dtype: Dtype = "string") -> Column:
    return Column(name, dtype, "key", required=True)


def _link(name: str) -> Column:
    return Column(name, "string", "key")


PAYMENT_KINDS = ("scheduled", "prepayment", "reversal", "recovery")
CLOSE_REASONS = (
    "repaid", "prepaid", "refinanced", "cancelled", "sold", "deceased", "left_file", "written_off",
)  # fmt: skip
DECISIONS = ("accepted", "declined", "withdrawn")


_TABLES = (
    TableSchema(
        "customers",
        ("customer_id",),
        (
            _key("customer_id"),
            Column(
                "birth_date", "date", "protected", breaks=mark("fairness by age cannot be shown for these customers")
            ),
            Column("gender", "string", "protected"),
            Column("marital_status", "string", "protected"),
            Column("education", "string", breaks=mark("the column cannot describe these customers")),
            Column("occupation", "string"),
            Column("employed_since", "date"),
            Column("monthly_income", "money", breaks=mark("debt-to-income and exposure to income are missing")),
            Column("region", "string", "proxy"),
            Column("segment", "string"),
            Column("branch_id", "string", "proxy"),
            _link("officer_id"),
            Column("relationship_since", "date"),
            Column("name", "string", "private"),
            Column("phone", "string", "private"),
            Column("email", "string", "private"),
            Column("national_id", "string", "private"),
        ),
    ),
    TableSchema(
        "loans",
        ("loan_id",),
        (
            _key("loan_id"),
            _key("customer_id"),
            Column("product", "string"),
            Column("opened_on", "date", required=True),
            Column("principal", "money"),
            Column("credit_limit", "money"),
            Column("annual_rate", "float", breaks=mark("the price of risk cannot be shown for these loans")),
            Column("term_months", "int"),
            Column("instalment_amount", "money"),
            Column("collateral_value", "money"),
            Column("closed_on", "date", "outcome", dated=True),
            Column("close_reason", "string", "outcome", allowed=CLOSE_REASONS),
            Column("written_off_on", "date", "outcome", dated=True),
        ),
        occurred="opened_on",
    ),
    TableSchema(
        "instalments",
        ("loan_id", "schedule_version", "instalment_no"),
        (
            _key("loan_id"),
            _key("schedule_version", "int"),
            _key("instalment_no", "int"),
            Column("effective_from", "date", required=True),
            Column("due_on", "date", required=True),
            Column("due_amount", "money", required=True),
        ),
        occurred="effective_from",
    ),
    TableSchema(
        "payments",
        ("payment_id",),
        (
            _key("payment_id"),
            _key("loan_id"),
            Column("paid_at", "timestamp", required=True),
            Column("amount", "money", required=True),
            Column("kind", "string", required=True, allowed=PAYMENT_KINDS),
            _link("reverses"),
        ),
        occurred="paid_at",
    ),
    TableSchema(
        "restructurings",
        ("loan_id", "effective_on"),
        (
            _key("loan_id"),
            _key("effective_on", "date"),
            Column("kind", "string"),
            Column("distressed", "bool", "outcome"),
            Column("forgiven_amount", "money"),
        ),
        occurred="effective_on",
    ),
    TableSchema(
        "performance",
        ("loan_id", "month_end"),
        (
            _key("loan_id"),
            _key("month_end", "date"),
            Column("balance", "money", breaks=mark("exposure and expected loss are too low by these loans")),
            Column("credit_limit", "money"),
            Column("due_amount", "money"),
            Column("paid_amount", "money"),
            Column("dpd", "int"),
        ),
        occurred="month_end",
    ),
    TableSchema(
        "transactions",
        ("transaction_id",),
        (
            _key("transaction_id"),
            _key("customer_id"),
            _link("account_id"),
            Column("booked_at", "timestamp", required=True),
            Column("amount", "money", required=True),
            Column("channel", "string"),
            Column("category", "string"),
            _link("counterparty_id"),
            Column("balance_after", "money"),
        ),
        occurred="booked_at",
    ),
    TableSchema(
        "events",
        ("event_id",),
        (
            _key("event_id"),
            _key("customer_id"),
            Column("occurred_at", "timestamp", required=True),
            Column("kind", "string", required=True),
            Column("detail", "string", "private"),
        ),
        occurred="occurred_at",
    ),
    TableSchema(
        "applications",
        ("application_id",),
        (
            _key("application_id"),
            _key("customer_id"),
            Column("applied_at", "timestamp", required=True),
            Column("product", "string"),
            Column("requested_amount", "money"),
            Column("decision", "string", allowed=DECISIONS),
            Column("decided_at", "timestamp", dated=True),
            Column("decline_reason", "string"),
            Column("score", "float"),
            _link("loan_id"),
        ),
        occurred="applied_at",
    ),
    TableSchema(
        "bureau",
        ("customer_id", "reported_on"),
        (
            _key("customer_id"),
            _key("reported_on", "date"),
            Column("enquiries_6m", "int"),
            Column("other_debt", "money"),
            Column("worst_status", "string"),
        ),
        occurred="reported_on",
    ),
)

TABLES: dict[str, TableSchema] = {table.name: table for table in _TABLES}
REQUIRED_TABLES = ("customers", "loans")
# Tables that bring rows every month: these make a book's first and last day.
FLOWS = ("payments", "performance", "transactions", "events")
