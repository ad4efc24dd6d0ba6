"""The loads of a book as tables: what came, what was rejected and why, how long it took."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from workbench.book.loading.record import LoadRecord

_LOADS = [
    "delivered_at", "mode", "status", "rows_in", "rows_out", "rejected", "errors", "warnings", "seconds", "generation", "why",
]  # fmt: skip
_REJECTED = ["place", "action", "reason", "rows", "share"]


def load_table(loads: Sequence[LoadRecord]) -> pd.DataFrame:
    """Return one row a load, the newest first; `why` says what refused it."""
    rows = [
        {
            "delivered_at": load.delivered_at.strftime("%Y-%m-%d %H:%M"),
            "mode": load.mode,
            "status": load.status,
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

    Reasons name columns and rules, no values.
    """
    rows: list[tuple[str, str, str, int, float]] = []
    for name, source in load.sources.items():
        for reason, count in source.rejected_lines.items():
            rows.append((f"source {name}", "line rejected", reason, count, count / max(source.lines or count, 1)))
    for name, table in load.tables.items():
        total = max(table.rows_in, 1)
        rows += [(name, "row rejected", reason, count, count / total) for reason, count in table.rejected.items()]
        rows += [(name, "value left empty", reason, count, count / total) for reason, count in table.emptied.items()]
        if table.conflicts:
            rows.append((name, "row rejected", "contradicts a row of the same key and instant", table.conflicts,
                         table.conflicts / total))  # fmt: skip
        if table.duplicates:
            rows.append((name, "row taken once", "came more than once", table.duplicates, table.duplicates / total))
    frame = pd.DataFrame(rows, columns=_REJECTED)
    return frame.sort_values(["rows", "place", "reason"], ascending=[False, True, True], ignore_index=True)
