"""When rows happened and when they became known: rows by month, delays, rows known before they happened, breaks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.checks.finding import Check, Finding, Severity
from workbench.book.checks.tables import examples
from workbench.book.days import day_start, local_day, month_end_of, month_number
from workbench.book.schema import FLOWS, TABLES
from workbench.core.languages import mark, say, say_count

# Tables whose rows cannot be known before they happen; dues and restructurings may be agreed ahead.
HAPPENING = ("loans", "payments", "transactions", "events", "performance", "applications", "bureau")
LATE_DAYS = 5  # house choice: a row known later than this after it happened arrived late
EARLY_SHARE = 0.001  # house choice: above it, rows known before they happened are no slip
VOLUME_LOW, VOLUME_HIGH = 0.5, 2.0  # a month's rows over the median of the months beside it; house choices
VOLUME_MONTHS = 3  # months on a side that say what is usual
VOLUME_LEAST = 30  # rows a month; below, chance alone makes such swings
_MONTHS_NAMED = 5  # in one finding

KNOWN_BEFORE = Check(
    "*", "known_before", "known_at", mark("lies before the row happened"), "error",
    mark("every later number may know the future"), always=True,
    when=f"up to {EARLY_SHARE:.1%} of the rows a warning; of " + ", ".join(HAPPENING),
)  # fmt: skip
LATE = Check(
    "*", "late", "", mark("became known more than {days} days after it happened"), "info",
    mark("indicators at the dates in between did not see these rows, and never will: that is as it was"),
    when="by the first version of each row; of " + ", ".join(HAPPENING), values={"days": LATE_DAYS},
)  # fmt: skip
VOLUME = Check(
    "*", "volume", "", mark("has months with far fewer or more rows than the months beside them"), "warning",
    mark("indicators of these months see a break that is the delivery's"),
    when=f"under {VOLUME_LOW:g} or over {VOLUME_HIGH:g} times the median of {VOLUME_MONTHS} months; of " + ", ".join(FLOWS),
)  # fmt: skip
CHECKS = (KNOWN_BEFORE, LATE, VOLUME)


def arrivals(book: Book, *, as_of: date) -> pd.DataFrame:
    """Count rows by the month in which they happened and the days until they were known: one query a table.

    Returns
    -------
    DataFrame
        table, month (number: months from the year 0), delay_days (in days of the book's time zone), rows (that happened by
        `as_of`, by the first version of each), last_day (of these), versions, early (versions known before they happened).
    """
    columns = ["table", "month", "delay_days", "rows", "last_day", "versions", "early"]
    frames = [pd.DataFrame(columns=columns)]
    for table in HAPPENING:
        if table in book.tables:
            rows = _timed(book, table, as_of)
            seen = rows["is_first"] & (rows.day <= as_of)
            counted = rows.group_by(month=month_number(rows.day), delay_days=rows.delay_days).aggregate(
                rows=ibis.ifelse(seen, 1, 0).sum(),
                last_day=ibis.ifelse(seen, rows.day, ibis.null("date")).max(),
                versions=rows.count(),
                early=ibis.ifelse(rows.is_early, 1, 0).sum(),
            )
            found = book.connection.to_pyarrow(counted.order_by("month", "delay_days")).to_pylist()
            frames.append(pd.DataFrame(found).assign(table=table))
    whole = pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)[columns]
    return whole.astype(dict.fromkeys(["month", "delay_days", "rows", "versions", "early"], "int64"))


def _timed(book: Book, table: str, as_of: date) -> ibis.Table:
    """Return every version known, with its day, its delay, whether it is the first, and whether it was known too early."""
    rows = book.versions(table, as_of=as_of)
    name = str(TABLES[table].occurred)
    rows = rows.filter(~rows[name].isnull())
    moment = rows[name]
    is_first: Any = ibis.literal(True)
    if book.manifest.tables[table].keys_versioned:
        is_first = ibis.row_number().over(group_by=list(TABLES[table].key), order_by="known_at") == 0
    if TABLES[table].column(name).dtype == "timestamp":
        day, starts = local_day(book, moment), moment
    else:
        day, starts = moment, day_start(book, moment)
    rows = rows.mutate(
        day=day, known_day=local_day(book, rows.known_at), is_first=is_first, is_early=rows.known_at < starts
    )
    return rows.mutate(delay_days=rows.known_day.delta(rows.day, unit="day").cast("int64"))


def timeliness(arrived: pd.DataFrame) -> pd.DataFrame:
    """Return, by table: rows, last_day, delay_median and delay_p95 (days from happening to known), late_share."""
    rows = []
    for table, group in arrived[arrived["rows"] > 0].groupby("table", sort=False):
        by_delay = group.groupby("delay_days")["rows"].sum().sort_index()
        upto = by_delay.cumsum() / by_delay.sum()
        rows.append(
            {
                "table": table,
                "rows": int(by_delay.sum()),
                "last_day": max(group["last_day"]),
                "delay_median": int(upto.index[upto >= 0.5].min()),
                "delay_p95": int(upto.index[upto >= 0.95].min()),
                "late_share": float(by_delay[by_delay.index > LATE_DAYS].sum() / by_delay.sum()),
            }
        )
    return pd.DataFrame(rows, columns=["table", "rows", "last_day", "delay_median", "delay_p95", "late_share"])


def monthly_rows(arrived: pd.DataFrame, *, first: date, last: date) -> pd.DataFrame:
    """Return rows by table and month of (`first`, `last`], months without rows too, and whether a month breaks the line.

    Returns
    -------
    DataFrame
        table, month (its last day), rows, usual (the median of the months beside it; null where there are too few), broken.
        A month breaks the line if it is far from the months before it and, where there are any, from those after it.
    """
    numbers = range(first.year * 12 + first.month, last.year * 12 + last.month + 1)
    frames = []
    for table in FLOWS:
        group = arrived[arrived["table"] == table]
        if group.empty:
            continue
        rows = group.groupby("month")["rows"].sum().reindex(numbers, fill_value=0).astype("float64")
        before = rows.rolling(VOLUME_MONTHS).median().shift(1)
        after = rows[::-1].rolling(VOLUME_MONTHS, min_periods=1).median().shift(1)[::-1]
        broken = _far(rows, before) & (_far(rows, after) | after.isna())
        frames.append(
            pd.DataFrame({"table": table, "rows": rows, "usual": before, "broken": broken})
            .rename_axis("number")
            .reset_index()
        )
    if not frames:
        return pd.DataFrame(columns=["table", "month", "rows", "usual", "broken"])
    whole = pd.concat(frames, ignore_index=True)
    whole["month"] = [month_end_of(number) for number in whole["number"]]
    return whole.astype({"rows": "int64"})[["table", "month", "rows", "usual", "broken"]]


def _far(rows: pd.Series, usual: pd.Series) -> pd.Series:
    enough = (usual >= VOLUME_LEAST) | (rows >= VOLUME_LEAST)
    return enough & usual.notna() & ((rows < VOLUME_LOW * usual) | (rows > VOLUME_HIGH * usual))


def volume_findings(monthly: pd.DataFrame) -> Iterator[Finding]:
    """Return tables with months that break the line: a source that broke off, or came twice."""
    for table, group in monthly[monthly["broken"].astype(bool)].groupby("table", sort=False):
        months = [
            say_count(
                row["rows"], "{count:,} row in {month:%Y-%m}, usually {usual:,.0f}",
                "{count:,} rows in {month:%Y-%m}, usually {usual:,.0f}", month=row["month"], usual=row["usual"],
            )
            for row in group.to_dict("records")
        ]  # fmt: skip
        first, more = say("; ").join(months[:_MONTHS_NAMED]), len(months) - _MONTHS_NAMED
        what = say("has {months}", months=first)
        if more > 0:
            what = say_count(
                more, "has {months}, and {count:,} more month", "has {months}, and {count:,} more months", months=first
            )
        yield VOLUME.finding(table=str(table), column=str(TABLES[str(table)].occurred), what=what)


def time_findings(book: Book, arrived: pd.DataFrame, *, as_of: date) -> Iterator[Finding]:
    """Find versions known before they happened, and rows that arrived late, among the `arrivals`."""
    for name, group in arrived.groupby("table", sort=False):
        table = str(name)
        early, versions = int(group["early"].sum()), int(group["versions"].sum())
        if early:
            rows = _timed(book, table, as_of)
            such = examples(book, rows.filter(_.is_early), table)
            severity: Severity = "error" if early > EARLY_SHARE * versions else "warning"
            yield KNOWN_BEFORE.finding(early, versions, such, table=table, severity=severity)
        late = int(group.loc[group["delay_days"] > LATE_DAYS, "rows"].sum())
        if late:
            rows = _timed(book, table, as_of)
            wrong = rows.filter(rows.is_first, rows.day <= as_of, rows.delay_days > LATE_DAYS)
            total, moment = int(group["rows"].sum()), str(TABLES[table].occurred)
            such = examples(book, wrong, table) if late < total else ()
            yield LATE.finding(late, total, such, table=table, column=moment)
