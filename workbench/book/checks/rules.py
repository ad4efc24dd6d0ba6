"""What may not be in one row of a canonical table: the contract's rules, each a condition that should never hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import ibis

from workbench.book.checks.finding import Check, Severity
from workbench.book.schema import TABLES, Column
from workbench.core.languages import listed, mark

OLDEST_AGE, YOUNGEST_AGE = 110, 16  # house choice
LONGEST_TERM = 600  # months; house choice
HIGHEST_RATE = 2.0  # a year; above it a rate is probably a percentage
HUGE = 1e12  # in any currency no customer's amount; house choice
MISSING_SHARE = 0.02  # house choice: above it a column's gaps are a finding

Condition = Callable[[Any, date], Any]


@dataclass(frozen=True)
class Rule:
    """A condition on a table's rows that makes a finding where it holds for more than `at_least` of them.

    `reads` are the columns that it needs: where one is not shown (private, or of the present alone), it is not asked.
    `is_fault` is false where a row that it holds for may be quite right.
    """

    check: Check
    condition: Condition
    reads: tuple[str, ...]
    at_least: float = 0.0
    is_fault: bool = True


def _rule(
    name: str,
    what: str,
    severity: Severity,
    breaks: str,
    condition: Condition,
    *,
    reads: tuple[str, ...] = (),
    always: bool = False,
    **values: object,
) -> Rule:
    table, column, rule = name.split(".")
    check = Check(table, rule, column, what, severity, breaks, always, values=values)
    return Rule(check, condition, (column, *reads))


BEYOND = Check(
    "*", "COLUMN_huge", "", mark("is beyond {limit:.0e}"), "error", mark("sums and averages are those of these rows"),
    always=True, when="of columns that hold money", values={"limit": HUGE},
)  # fmt: skip
FORMULA = Check(
    "*", "formula", "", mark("holds texts that a spreadsheet would run as a formula (= + - @ first)"), "info",
    mark("nothing here: our lists escape them; other readers of these files may not"),
)  # fmt: skip
NOT_ALLOWED = Check(
    "*", "COLUMN_not_allowed", "", mark("is none of the values that there are"), "error",
    mark("these rows are taken for something else"),
    when=", ".join(f"{table.name}.{column.name}" for table in TABLES.values() for column in table.columns if column.allowed),
)  # fmt: skip
UNSTATED = Check(
    "*", "COLUMN_unstated", "", mark("is missing"), "error", mark("a row without it means nothing, and counts nowhere"),
    when="of keys, and of columns that each row must have",
)  # fmt: skip
ANY_TABLE = (BEYOND, NOT_ALLOWED, UNSTATED, FORMULA)
_DPD = mark("days past due of these loans")
_INCOME = mark("debt-to-income")
_RULES = (
    _rule(
        "customers.birth_date.age", mark("gives an age under {youngest} or over {oldest}"), "warning",
        mark("age groups in fairness tables"),
        lambda t, day: (_years(t.birth_date, day) < YOUNGEST_AGE) | (_years(t.birth_date, day) > OLDEST_AGE),
        youngest=YOUNGEST_AGE, oldest=OLDEST_AGE,
    ),
    _rule("customers.monthly_income.income_not_positive", mark("is zero or negative"), "warning", _INCOME,
          lambda t, _day: t.monthly_income <= 0),
    _rule("customers.relationship_since.before_birth", mark("lies before the birth date"), "warning",
          mark("months of relationship"), lambda t, _day: t.relationship_since < t.birth_date, reads=("birth_date",)),
    _rule("loans.principal.no_amount", mark("and credit_limit are both missing"), "warning",
          mark("exposure; of arrears only the absolute threshold counts"),
          lambda t, _day: t.principal.isnull() & t.credit_limit.isnull(), reads=("credit_limit",)),
    _rule("loans.principal.principal_negative", mark("is negative"), "error", mark("exposure and expected loss"),
          lambda t, _day: t.principal < 0),
    _rule("loans.credit_limit.credit_limit_negative", mark("is negative"), "error", mark("utilisation and exposure"),
          lambda t, _day: t.credit_limit < 0),
    _rule("loans.annual_rate.not_a_rate", mark("is negative or above {highest:.0%}: perhaps a percentage"), "warning",
          mark("the price of risk"), lambda t, _day: (t.annual_rate < 0) | (t.annual_rate > HIGHEST_RATE),
          highest=HIGHEST_RATE),
    _rule("loans.term_months.not_a_term", mark("is below 1 or above {longest}"), "warning", mark("the term of these loans"),
          lambda t, _day: (t.term_months < 1) | (t.term_months > LONGEST_TERM), longest=LONGEST_TERM),
    _rule("loans.closed_on.closed_before_opening", mark("or written_off_on lies before opened_on"), "error",
          mark("whether these loans are open, and outcomes"),
          lambda t, _day: (t.closed_on < t.opened_on) | (t.written_off_on < t.opened_on), reads=("written_off_on",)),
    _rule("loans.close_reason.close_reason_unstated", mark("is missing although the loan is closed"), "warning",
          mark("a sale or a death passes for a good end"),
          lambda t, _day: t.closed_on.notnull() & t.close_reason.isnull(), reads=("closed_on",)),
    _rule("instalments.due_amount.due_amount_negative", mark("is negative"), "error", _DPD,
          lambda t, _day: t.due_amount < 0),
    _rule("instalments.effective_from.after_due", mark("lies after due_on"), "warning",
          mark("an instalment that takes effect after it was due never counts"),
          lambda t, _day: t.effective_from > t.due_on),
    _rule("payments.amount.amount_negative", mark("is negative, but the kind is no reversal"), "warning", _DPD,
          lambda t, _day: (t.kind != "reversal") & (t.amount < 0)),
    _rule("payments.amount.reversal_not_negative", mark("of a reversal is not negative"), "error",
          mark("a returned payment counts as paid twice"), lambda t, _day: (t.kind == "reversal") & (t.amount >= 0)),
    _rule("payments.reverses.reversal_unnamed", mark("is missing: the reversal does not say of what"), "info",
          mark("it is taken for the reversal of a scheduled payment"),
          lambda t, _day: (t.kind == "reversal") & t.reverses.isnull()),
    _rule("performance.balance.balance_negative", mark("is negative"), "warning",
          mark("exposure is too low by these loans"), lambda t, _day: t.balance < 0),
    _rule("performance.dpd.dpd_negative", mark("is negative"), "error", _DPD, lambda t, _day: t.dpd < 0),
    _rule("performance.month_end.not_a_month_end", mark("is not the last day of a month"), "error",
          mark("these rows are never found: balances are looked up at month ends"),
          lambda t, _day: (t.month_end + ibis.interval(days=1)).day() != 1, always=True),
    _rule("transactions.amount.amount_zero", mark("is zero"), "info", mark("counts of transactions"),
          lambda t, _day: t.amount == 0),
)  # fmt: skip


def rules_of(table: str) -> list[Rule]:
    """Return the rules of a table: its own, then those that follow from the contract of its columns.

    A key or a day of happening that is missing hides the row; those are looked for in `seen`.
    """
    schema = TABLES[table]
    derived = [_huge(table, column) for column in schema.columns if column.dtype == "money"]
    derived += [_not_allowed(table, column) for column in schema.columns if column.allowed]
    visible = (column for column in schema.columns if column.name not in (*schema.key, schema.occurred))
    derived += [_unstated(table, column) for column in visible if column.required]
    return [*own_rules(table), *derived, _formula(table)]


def own_rules(table: str) -> list[Rule]:
    """Return the rules that are a table's alone, with what is missing where something depends on it."""
    own = [rule for rule in _RULES if rule.check.table == table]
    return own + [_missing(table, column) for column in TABLES[table].columns if column.breaks]


def unstated(table: str, column: str) -> Check:
    """Return the check that finds a value missing without which a row means nothing."""
    return replace(UNSTATED, table=table, name=f"{column}_unstated", column=column)


def _huge(table: str, column: Column) -> Rule:
    def beyond(rows: Any, _day: date) -> Any:
        return (rows[column.name] > HUGE) | (rows[column.name] < -HUGE)

    check = replace(BEYOND, table=table, name=f"{column.name}_huge", column=column.name)
    return Rule(check, beyond, (column.name,))


def _not_allowed(table: str, column: Column) -> Rule:
    def unknown(rows: Any, _day: date) -> Any:
        return rows[column.name].notin(column.allowed)

    check = replace(
        NOT_ALLOWED, table=table, name=f"{column.name}_not_allowed", column=column.name,
        what=mark("is none of {allowed}"), values={"allowed": listed(column.allowed)},
    )  # fmt: skip
    return Rule(check, unknown, (column.name,))


def _unstated(table: str, column: Column) -> Rule:
    def missing(rows: Any, _day: date) -> Any:
        return rows[column.name].isnull()

    return Rule(unstated(table, column.name), missing, (column.name,))


def _missing(table: str, column: Column) -> Rule:
    def missing(rows: Any, _day: date) -> Any:
        return rows[column.name].isnull()

    check = Check(
        table, f"{column.name}_missing", column.name, mark("is missing"), "info", column.breaks,
        when=f"in more than {MISSING_SHARE:.0%} of the rows",
    )  # fmt: skip
    return Rule(check, missing, (column.name,), MISSING_SHARE, is_fault=False)


def _formula(table: str) -> Rule:
    texts = [column.name for column in TABLES[table].columns if column.dtype == "string" and column.role != "private"]

    def formula(rows: Any, _day: date) -> Any:
        return ibis.or_(*(rows[name].left(1).isin(["=", "+", "-", "@"]) for name in texts))

    check = replace(FORMULA, table=table)
    return Rule(check, formula, (), is_fault=False)


def _years(born: Any, day: date) -> Any:
    return ibis.literal(day).delta(born, unit="day") / 365.25
