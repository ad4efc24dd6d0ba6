"""What a check says: one finding, its severity, and what it breaks further on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

import pandas as pd

from workbench.book.store import Lowered

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
EXAMPLES = 10


@dataclass(frozen=True)
class Finding:
    """One finding, with up to ten keys as examples.

    Attributes
    ----------
    check
        Its name, such as `payments.before_loan`: what a mapping's `severities` may lower.
    severity
        error: numbers further on would be wrong; warning: values that mislead; info: to know.
    rows, share
        How many rows, and of what share of the table; null where it is not about rows.
    breaks
        What goes wrong further on.
    reason
        Why the book's mapping lowers it; "" where it does not.
    """

    check: str
    severity: Severity
    table: str
    column: str
    what: str
    rows: int | None
    share: float | None
    examples: tuple[str, ...] = ()
    breaks: str = ""
    reason: str = ""

    def sentence(self) -> str:
        """Return the finding in one line."""
        place = f"{self.table}.{self.column}" if self.column else self.table
        many = "" if self.rows is None else f" ({self.rows:,} rows, {self.share:.2%})"
        such = f"; such as {', '.join(self.examples[:3])}" if self.examples else ""
        return f"{self.severity}: {place} {self.what}{many}{such} [{self.check}]"


def lowered(findings: Iterable[Finding], reasons: Mapping[str, Lowered]) -> list[Finding]:
    """Return the findings with the severities that a book lowers; one is never raised so."""
    changed = []
    for finding in findings:
        low = reasons.get(finding.check)
        if low is not None and SEVERITIES.index(low.severity) > SEVERITIES.index(finding.severity):
            finding = replace(finding, severity=low.severity, reason=low.reason)
        changed.append(finding)
    return changed


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings in the order in which one would mend them."""
    return sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), -(found.share or 0.0), found.check))


def as_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return the findings as a table: a row each, examples as one text."""
    rows = [{**asdict(finding), "examples": ", ".join(finding.examples)} for finding in findings]
    return pd.DataFrame(rows, columns=[*Finding.__dataclass_fields__])
