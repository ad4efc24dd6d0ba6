"""Every named check, for docs/checks.md and for mappings that lower one."""

from __future__ import annotations

from workbench.book.checks import CHECKS as WHOLE
from workbench.book.checks import across, deliveries, drift, rules, seen, tables, timing
from workbench.book.checks.finding import Check
from workbench.book.schema import TABLES

ANY_TABLE, ANY_COLUMN = "*", "COLUMN"


def checks_by_kind() -> dict[str, list[Check]]:
    """Return the checks under the words of what they look at."""
    return {
        "Rows of one table": [
            *(rule.check for table in TABLES for rule in rules.own_rules(table)),
            *rules.ANY_TABLE,
            *tables.CHECKS,
        ],
        "Between tables": [*across.CHECKS],
        "Time": [*timing.CHECKS, *seen.CHECKS, *WHOLE],
        "The load": [check for check in deliveries.CHECKS if check not in _SINCE_LAST],
        "Against the last delivery": [*_SINCE_LAST, *drift.CHECKS],
    }


_SINCE_LAST = [
    check for check in deliveries.CHECKS if check.name in ("dropped", "gone", "rewritten", "belated", "rose")
]


def check_names() -> list[str]:
    """Return every name under which a mapping may lower a finding.

    Examples
    --------
    >>> "loans.annual_rate_shift" in check_names()
    True
    """
    names = []
    for check in (check for checks in checks_by_kind().values() for check in checks):
        for table in TABLES if check.table == ANY_TABLE else [check.table]:
            columns = [column.name for column in TABLES[table].columns] if ANY_COLUMN in check.name else [ANY_COLUMN]
            names += [f"{table}.{check.name.replace(ANY_COLUMN, column)}" for column in columns]
    return sorted(set(names))
