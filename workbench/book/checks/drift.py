"""How a column's values are spread, and how far that moved since the last delivery: missing values, mean, PSI."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import ibis
import numpy as np
import pandas as pd

from workbench.book.book import Book
from workbench.book.checks.finding import Check, Finding
from workbench.book.schema import TABLES
from workbench.core.languages import mark, say

# Siddiqi, "Credit Risk Scorecards" (2006), chapter 8: below .10 no change, to .25 some, above it a change to look into.
PSI_SOME, PSI_SHIFT = 0.10, 0.25
CHANCE = 0.95  # of two deliveries from one distribution this share stays below `psi_by_chance`
SMOOTHING = 0.5  # a row, added to every share in the logarithm, so that an empty bin counts as half a row
BINS, TOP_VALUES = 10, 20
MOST_VALUES = 200  # a text of more values than this is no category: nothing of it is kept
EDGE_ROWS = 1_000_000  # of larger tables the edges are deciles of the last month's rows; shares are always of all rows
MISSING_JUMP = 0.05  # house choice: share of missing values, more or fewer than in the last delivery
MEAN_SHIFT = 0.5  # house choice: of the mean, in standard deviations of the last delivery

GAPS = Check(
    "*", "COLUMN_gaps", "", mark("is missing more often than in the last delivery"), "warning",
    mark("models see a shift that is the delivery's"), when=f"by more than {MISSING_JUMP:.0%} of the rows",
)  # fmt: skip
SHIFT = Check(
    "*", "COLUMN_shift", "", mark("has another mean than in the last delivery"), "warning",
    mark("a changed unit, sign or meaning would look like this"),
    when=f"by more than {MEAN_SHIFT:g} standard deviations",
)  # fmt: skip
SPREAD = Check(
    "*", "COLUMN_psi", "", mark("is spread otherwise than in the last delivery"), "warning",
    mark("scores and rules were made for the spread of before"),
    when=f"PSI above {PSI_SHIFT} is a warning, above {PSI_SOME} to know; never what chance alone would give",
)  # fmt: skip
CHECKS = (GAPS, SHIFT, SPREAD)

Bins = dict[str, Any]  # `edges` or `values`, and `rows`: a count for each bin, then of all others, then missing


class Spread(NamedTuple):
    """The bins of a column that are kept for the next delivery, and its PSI against those of the last, with chance's."""

    bins: Bins
    psi: float | None
    by_chance: float | None


def psi(expected: list[int], actual: list[int]) -> float:
    """Return the population stability index of two lists of counts over the same bins.

    The sum of (actual - expected) ln(actual / expected) over the bins' shares.

    Examples
    --------
    >>> psi([10, 10], [20, 20])
    0.0
    """
    old, new = (np.asarray(counts, dtype=np.float64) for counts in (expected, actual))
    pad = SMOOTHING / min(old.sum(), new.sum())
    before, now = old / old.sum(), new / new.sum()
    return float(((now - before) * np.log((now + pad) / (before + pad))).sum())


def psi_by_chance(expected: list[int], actual: list[int]) -> float:
    """Return the PSI that two samples of one distribution exceed in 1 - `CHANCE` of cases.

    Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of Risk Model Validation
    14 (2020): under no change, PSI is near chi-squared with bins - 1 degrees of freedom, times 1/n + 1/m.
    """
    from scipy.stats import chi2

    filled = sum(1 for pair in zip(expected, actual, strict=True) if any(pair))
    return float(chi2.ppf(CHANCE, max(filled - 1, 1)) * (1 / sum(expected) + 1 / sum(actual)))


def spreads(
    book: Book, table: str, profile: pd.DataFrame, before: Mapping[str, Bins], *, as_of: date
) -> dict[str, Spread]:
    """Return the spread of each column of a table of which values may be shown, that has any.

    Parameters
    ----------
    profile
        The profile of the table: table_findings.
    before
        The bins of the last delivery, by column. A column keeps its bins from delivery to delivery, until it moves.
    """
    rows = book.as_known(table, as_of=as_of)
    facts = {str(row["column"]): row for row in profile.to_dict("records")}
    shown = [
        column for column in TABLES[table].columns
        if not facts[column.name]["shown"] and facts[column.name]["missing_share"] < 1 and column.role != "key"
    ]  # fmt: skip
    total = max(int(fact["rows"]) for fact in facts.values())
    if not total:
        return {}
    numbers = [column.name for column in shown if column.dtype in ("money", "float", "int")]
    texts = [
        column.name for column in shown
        if column.dtype == "string" and facts[column.name]["distinct"] <= MOST_VALUES
    ]  # fmt: skip
    known = {name: before[name]["edges"] for name in numbers if "edges" in before.get(name, {})}
    edges = {**_deciles(book, table, rows, [name for name in numbers if name not in known], total, as_of), **known}
    counted = _count_numbers(book, rows, edges, total)
    found = {name: _against({"edges": edges[name], "rows": counted[name]}, before.get(name)) for name in edges}
    moved = [name for name in known if (found[name].psi or 0) > PSI_SHIFT]  # the old edges no longer tell values apart
    fresh = _deciles(book, table, rows, moved, total, as_of)
    for name, counts in _count_numbers(book, rows, fresh, total).items():
        found[name] = found[name]._replace(bins={"edges": fresh[name], "rows": counts})
    for name in texts:
        values = _count_values(book, rows, name)
        old = before.get(name, {})
        now = _among(values, [value for value, _rows in _top(values)])
        spread = _against(_among(values, old["values"]), old) if "values" in old else Spread(now, None, None)
        found[name] = spread._replace(bins=now)
    return found


def _deciles(
    book: Book, table: str, rows: ibis.Table, names: list[str], total: int, as_of: date
) -> dict[str, list[float]]:
    if not names:
        return {}
    moment = TABLES[table].occurred
    if total > EDGE_ROWS and moment is not None:
        first = as_of - timedelta(days=31)
        last = rows[moment].cast("date").max()
        newest = book.connection.to_pyarrow(rows.aggregate(last=last)).to_pylist()[0]["last"]
        first = min(first, newest - timedelta(days=31)) if newest else first
        rows = rows.filter(rows[moment].cast("date") > first)
    levels = [step / BINS for step in range(1, BINS)]
    asked = {name: rows[name].cast("float64").quantile(levels) for name in names}
    found = book.connection.to_pyarrow(rows.aggregate(**asked)).to_pylist()[0]
    return {name: sorted({float(value) for value in found[name] or [] if value is not None}) for name in names}


def _count_numbers(book: Book, rows: ibis.Table, edges: Mapping[str, list[float]], total: int) -> dict[str, list[int]]:
    """Count the rows in each bin, [edge, next edge), the first and last open, and those that are missing."""
    if not edges:
        return {}
    asked = {}
    for name, inner in edges.items():
        asked[f"{name}:known"] = rows[name].count()
        number = rows[name].cast("float64")
        asked |= {f"{name}:{place}": ibis.ifelse(number < edge, 1, 0).sum() for place, edge in enumerate(inner)}
    found = book.connection.to_pyarrow(rows.aggregate(**asked)).to_pylist()[0]
    counts = {}
    for name, inner in edges.items():
        known = int(found[f"{name}:known"])
        below = [0, *(int(found[f"{name}:{place}"] or 0) for place in range(len(inner))), known]
        counts[name] = [*(high - low for low, high in itertools.pairwise(below)), total - known]
    return counts


def _count_values(book: Book, rows: ibis.Table, name: str) -> dict[str | None, int]:
    counted = rows.group_by(value=rows[name]).aggregate(rows=ibis._.count())
    found = book.connection.to_pyarrow(counted).to_pylist()
    return {row["value"]: int(row["rows"]) for row in found}


def _top(counts: Mapping[str | None, int]) -> list[tuple[str, int]]:
    known = [(value, rows) for value, rows in counts.items() if value is not None]
    return sorted(known, key=lambda pair: (-pair[1], pair[0]))[:TOP_VALUES]


def _among(counts: Mapping[str | None, int], values: list[str]) -> Bins:
    named = [counts.get(value, 0) for value in values]
    missing = counts.get(None, 0)
    return {"values": values, "rows": [*named, sum(counts.values()) - sum(named) - missing, missing]}


def _against(now: Bins, before: Bins | None) -> Spread:
    if before is None or len(before["rows"]) != len(now["rows"]) or not sum(before["rows"]):
        return Spread(now, None, None)
    return Spread(now, psi(before["rows"], now["rows"]), psi_by_chance(before["rows"], now["rows"]))


def drift_table(profile: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Return how each column moved since the last delivery; empty where there was none.

    Returns
    -------
    DataFrame
        table, column, missing_before, missing_now, mean_before, mean_now, mean_shift (in standard deviations of the last
        delivery), psi, psi_by_chance, rows; the most moved first.
    """
    columns = ["table", "column", "missing_before", "missing_now", "mean_before", "mean_now", "mean_shift", "psi",
               "psi_by_chance", "rows"]  # fmt: skip
    if before.empty or profile.empty:
        return pd.DataFrame(columns=columns)
    both = profile.merge(before, on=["table", "column"], suffixes=("", "_before"))
    numbers = both[["mean", "mean_before", "deviation_before"]].astype("float64")
    spread = numbers["deviation_before"].where(numbers["deviation_before"] > 0)
    moved = pd.DataFrame(
        {
            "table": both["table"],
            "column": both["column"],
            "missing_before": both["missing_share_before"].astype("float64"),
            "missing_now": both["missing_share"].astype("float64"),
            "mean_before": numbers["mean_before"],
            "mean_now": numbers["mean"],
            "mean_shift": (numbers["mean"] - numbers["mean_before"]) / spread,
            "psi": both["psi"].astype("float64"),
            "psi_by_chance": both["psi_by_chance"].astype("float64"),
            "rows": both["rows"],
        }
    )
    return moved.sort_values(["psi", "table", "column"], ascending=[False, True, True], ignore_index=True)


def drift_findings(moved: pd.DataFrame) -> Iterator[Finding]:
    """Return what moved too far: new gaps, means, spreads. One that any other finding of its column tells is left out."""
    for row in moved.to_dict("records"):
        table, column = str(row["table"]), str(row["column"])
        more = row["missing_now"] - row["missing_before"]
        if abs(more) > MISSING_JUMP:
            what = say(
                "is missing in {now:.1%}; in the last delivery in {before:.1%}",
                now=row["missing_now"], before=row["missing_before"],
            )  # fmt: skip
            yield _named(GAPS, column).finding(round(abs(more) * row["rows"]), int(row["rows"]), what=what, table=table)
        elif abs(row["mean_shift"]) > MEAN_SHIFT:
            what = say(
                "has the mean {now:,.4g}; the last delivery had {before:,.4g}: {apart:.1f} standard deviations apart",
                now=row["mean_now"], before=row["mean_before"], apart=abs(row["mean_shift"]),
            )  # fmt: skip
            yield _named(SHIFT, column).finding(what=what, table=table)
        elif row["psi"] > max(PSI_SOME, row["psi_by_chance"]):
            what = say("is spread otherwise than in the last delivery: PSI {psi:.2f}", psi=row["psi"])
            severity = SPREAD.severity if row["psi"] > PSI_SHIFT else "info"
            yield _named(SPREAD, column).finding(what=what, severity=severity, table=table)


def _named(check: Check, column: str) -> Check:
    return replace(check, name=check.name.replace("COLUMN", column), column=column)
