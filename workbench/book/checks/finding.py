"""What a check is and what it says: a name, a severity that the contract sets, a finding, and what it breaks further on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, NamedTuple

import pandas as pd

from workbench.book.store import Lowered
from workbench.core.languages import listed, mark, say, say_count

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
SEVERITY_WORDS = {"error": mark("Error"), "warning": mark("Warning"), "info": mark("To know"), "": ""}
EXAMPLES = 10
ERROR_SHARE = 0.01  # house choice: up to this share of a table, faulty rows are a slip and no error of the delivery


@dataclass(frozen=True)
class Finding:
    """One finding, with up to ten keys as examples; its sentences are in the language in use.

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
    reason, lowered_from
        Why the book's mapping lowers it, and from what; "" where it does not.
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
    lowered_from: str = ""

    @property
    def place(self) -> str:
        """Table and column."""
        return f"{self.table}.{self.column}" if self.column else self.table

    def sentence(self) -> str:
        """Return the finding in one line."""
        many = ""
        if self.rows is not None:
            many = f" ({self.rows:,} rows)" if self.share is None else f" ({self.rows:,} rows, {self.share:.2%})"
        such = f"; such as {', '.join(self.examples[:3])}" if self.examples else ""
        return f"{self.severity}: {self.place} {self.what}{many}{such} [{self.check}]"


@dataclass(frozen=True)
class Check:
    """A named check: what it finds where it finds something, how bad that is, and what it breaks.

    Attributes
    ----------
    table, name
        Together the name under which a mapping may lower it; where `table` is "*", it is that of any table.
    what, breaks
        In English; `words` translates what it finds, and `values` fill its places.
    always
        An error even where no more than `ERROR_SHARE` of the rows are faulty; others are a warning then.
    when
        What the finding says leaves open: a threshold, for the catalogue.
    """

    table: str
    name: str
    column: str
    what: str
    severity: Severity
    breaks: str
    always: bool = False
    when: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name under which a mapping may lower it."""
        return f"{self.table}.{self.name}"

    @property
    def words(self) -> str:
        """What it finds, in the language in use."""
        return say(self.what, **self.values)

    def finding(
        self,
        rows: int | None = None,
        total: int | None = None,
        examples: Sequence[str] = (),
        *,
        table: str = "",
        column: str = "",
        what: str = "",
        breaks: str = "",
        severity: Severity | None = None,
    ) -> Finding:
        """Return a finding of `rows` out of `total`; the names replace what the check itself says."""
        share = None if rows is None or total is None else rows / max(total, 1)
        level = severity or self.severity
        if level == "error" and not self.always and share is not None and share <= ERROR_SHARE:
            level = "warning"
        place = table or self.table
        return Finding(
            f"{place}.{self.name}", level, place, column or self.column, what or self.words, rows, share,
            tuple(examples), breaks or say(self.breaks),
        )  # fmt: skip


def lowered(findings: Iterable[Finding], reasons: Mapping[str, Lowered]) -> list[Finding]:
    """Return the findings with the severities that a book lowers; one is never raised so."""
    changed = []
    for finding in findings:
        low = reasons.get(finding.check)
        if low is not None and SEVERITIES.index(low.severity) > SEVERITIES.index(finding.severity):
            finding = replace(finding, severity=low.severity, reason=low.reason, lowered_from=finding.severity)
        changed.append(finding)
    return changed


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings in the order in which one would mend them: what is about a whole column goes before shares."""

    def badness(found: Finding) -> tuple[int, float, str, str]:
        return SEVERITIES.index(found.severity), -1.0 if found.share is None else -found.share, found.check, found.what

    return sorted(findings, key=badness)


def as_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return the findings as a table: a row each, examples as one text."""
    rows = [{**asdict(finding), "examples": ", ".join(finding.examples)} for finding in findings]
    return pd.DataFrame(rows, columns=[*Finding.__dataclass_fields__]).astype({"rows": "Int64", "share": "float64"})


class Verdict(NamedTuple):
    """Whether a book can be used: the worst severity found ("" for none), the answer, and what to mend first."""

    severity: Severity | Literal[""]
    answer: str
    mend_first: str


def verdict(findings: Sequence[Finding]) -> Verdict:
    """Answer whether a book can be used, from its findings.

    Examples
    --------
    >>> verdict([]).answer
    'This book can be used: nothing was found.'
    """
    worst = worst_first(findings)
    words = by_severity(findings)
    if worst and worst[0].severity == "error":
        answer = say("This book cannot be used as it is: {findings}.", findings=words)
    elif worst and worst[0].severity == "warning":
        answer = say("This book can be used with care: {findings}.", findings=words)
    elif worst:
        answer = say("This book can be used: {findings}.", findings=words)
    else:
        answer = say("This book can be used: nothing was found.")
    if not worst or worst[0].severity == "info":
        return Verdict(worst[0].severity if worst else "", answer, "")
    first = worst[0]
    if first.rows:
        mend = say_count(
            first.rows, "Mend first: {place} {what} ({count:,} row).", "Mend first: {place} {what} ({count:,} rows).",
            place=first.place, what=first.what,
        )  # fmt: skip
    else:
        mend = say("Mend first: {place} {what}.", place=first.place, what=first.what)
    if first.breaks:
        mend = say("{mend} It breaks: {breaks}.", mend=mend, breaks=first.breaks)
    return Verdict(first.severity, answer, mend)


def by_severity(findings: Iterable[Finding]) -> str:
    """Return how many findings there are of each severity, in words: "1 error, 2 warnings"; "" for none."""
    counts = Counter(finding.severity for finding in findings)
    words = [
        counts["error"] and say_count(counts["error"], "{count:,} error", "{count:,} errors"),
        counts["warning"] and say_count(counts["warning"], "{count:,} warning", "{count:,} warnings"),
        counts["info"] and say("{count:,} to know", count=counts["info"]),
    ]
    return listed([word for word in words if word])
