"""The loads of a book as tables: what came, what was rejected and why, how long it took."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from workbench.book.checks.retold import retold
from workbench.book.loading.record import LoadRecord
from workbench.core.languages import mark, say

_LOADS = [
    "delivered_at", "mode", "status", "rows_in", "rows_out", "rejected", "errors", "warnings", "seconds", "generation", "why",
]  # fmt: skip
_REJECTED = ["place", "action", "reason", "rows", "share"]
_MODES = {"import": mark("import"), "append": mark("append")}
_STATUSES = {"done": mark("done"), "unchanged": mark("unchanged"), "refused": mark("refused")}


def load_table(loads: Sequence[LoadRecord]) -> pd.DataFrame:
    """Return one row a load, the newest first; `why` says what refused it, in English as any error does."""
    rows = [
        {
            "delivered_at": load.delivered_at.strftime("%Y-%m-%d %H:%M"),
            "mode": say(_MODES[load.mode]),
            "status": say(_STATUSES[load.status]),
            "rows_in": sum(table.rows_in for table in load.tables.values()),
            "rows_out": sum(table.rows_out for table in load.tables.values()) if load.status == "done" else 0,
            "rejected": load.rejected_rows,
            "errors": load.findings.get("error", 0),
            "warnings": load.findings.get("warning", 0),
            "seconds": load.seconds,
            "generation": load.generation if load.status == "done" else "",
            "why": _why(load.reason),
        }
        for load in reversed(loads)
    ]
    return pd.DataFrame(rows, columns=_LOADS)


def _why(reason: str) -> str:
    """Return what a refusal lists, or its first line; the lines after that name folders of this machine."""
    first, *more = reason.splitlines() or [""]
    listed = [line.strip() for line in more if line.startswith("  ")]
    return "; ".join(listed) or first


def rejected_table(load: LoadRecord) -> pd.DataFrame:
    """Return what one load rejected, left empty or took once: place, action, reason, rows, share; the most first.

    Reasons name columns and rules, no values; words are in the language in use.
    """
    rows: list[tuple[str, str, str, int, float]] = []
    for name, source in load.sources.items():
        place = say("source {name}", name=name)
        for reason, count in source.rejected_lines.items():
            rows.append((place, say("line rejected"), retold(reason), count, count / max(source.lines or count, 1)))
    for name, table in load.tables.items():
        total = max(table.rows_in, 1)
        for action, counts in ((say("row rejected"), table.rejected), (say("value left empty"), table.emptied)):
            rows += [(name, action, retold(reason), count, count / total) for reason, count in counts.items()]
        if table.conflicts:
            reason = say("contradicts a row of the same key and instant")
            rows.append((name, say("row rejected"), reason, table.conflicts, table.conflicts / total))
        if table.duplicates:
            reason = say("came more than once")
            rows.append((name, say("row taken once"), reason, table.duplicates, table.duplicates / total))
    frame = pd.DataFrame(rows, columns=_REJECTED)
    return frame.sort_values(["rows", "place", "reason"], ascending=[False, True, True], ignore_index=True)
