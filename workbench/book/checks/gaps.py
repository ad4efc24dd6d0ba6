"""Missing values by month: whether a column went empty, and when."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import pandas as pd

from workbench.book.book import Book
from workbench.book.days import local_day, month_end_of, month_number
from workbench.book.schema import TABLES
from workbench.core.dates import month_end


def gaps_by_month(book: Book, profile: pd.DataFrame, *, as_of: date, months: int = 24) -> pd.DataFrame:
    """Return the missing share of each column that has gaps, by the month in which its rows happened.

    Parameters
    ----------
    profile
        Of the book: check_book. Columns that are full, all empty or not shown are left out.
    months
        Calendar months up to `as_of`.

    Returns
    -------
    DataFrame
        table, column, month (its last day), rows, missing_share; one query a table that has such columns.
    """
    gappy = profile[(profile["missing_share"] > 0) & (profile["missing_share"] < 1) & (profile["shown"] == "")]
    frames = [pd.DataFrame(columns=["table", "column", "month", "rows", "missing_share"])]
    first = month_end(as_of, months=1 - months)
    for table, columns in gappy.groupby("table", sort=True)["column"]:
        moment = TABLES[str(table)].occurred
        if moment is None:
            continue
        rows = book.as_known(str(table), as_of=as_of)
        day: Any = rows[moment]
        if TABLES[str(table)].column(moment).dtype == "timestamp":
            day = local_day(book, day)
        rows = rows.mutate(month=month_number(day)).filter(ibis._.month >= first.year * 12 + first.month)
        missing = {str(name): ibis.ifelse(rows[name].isnull(), 1, 0).sum() for name in columns}
        counted = rows.group_by("month").aggregate(_rows=rows.count(), **missing)
        found = pd.DataFrame(book.connection.to_pyarrow(counted.order_by("month")).to_pylist())
        if found.empty:
            continue
        long = found.melt(["month", "_rows"], var_name="column", value_name="missing").rename(columns={"_rows": "rows"})
        long["missing_share"] = long["missing"].astype("float64") / long["rows"]
        long["month"] = [month_end_of(int(number)) for number in long["month"]]
        frames.append(long.assign(table=table).drop(columns="missing"))
    return pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)[frames[0].columns]
