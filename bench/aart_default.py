"""Auto loans: "90+ DPD or written off" by our definition beside the source's own flag D, each class of difference counted.

D marks three months in a row without payment, unless the loan is repaid in full later. Needs the folder of the real data
(setting real_data). The table and its reading are in docs/books/aart.md.
Run: .venv/bin/python -m bench.aart_default
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from bench._scratch import PROJECT, scratch_workspace
from workbench.book.book import Book
from workbench.book.loading.load import import_book
from workbench.book.performance import performance
from workbench.core.dates import month_end, month_ends
from workbench.core.workspace import open_workspace

MONTHS = (12, 24, 34, 43)  # 34 is March 2020, the last month before payments were deferred
RUN = 3  # months in a row without payment: the source's rule


def main() -> None:
    data = open_workspace(PROJECT).real_data / "aart_auto_loans"
    if not data.is_dir():
        sys.exit(f"{data}: no such folder; set WORKBENCH_REAL_DATA to the folder that holds aart_auto_loans/")
    loans = source_loans(data).join(our_outcomes(data))
    print(f"{len(loans):,} loans in the file, {int(loans['rows'].gt(0).sum()):,} with monthly rows")
    print("\nby month m: the third month without payment (D), the first month end at 90+ DPD or written off (ours)")
    print(f"{'m':>4}{'D':>8}{'ours':>8}{'both':>8}{'D only':>8}{'ours only':>11}{'neither':>9}")
    for last in MONTHS:
        theirs, ours = loans["d_month"] <= last, loans["our_month"] <= last
        counts = [theirs, ours, theirs & ours, theirs & ~ours, ~theirs & ours, ~theirs & ~ours]
        print(f"{last:>4}" + "".join(f"{int(c.sum()):>{w}}" for c, w in zip(counts, (8, 8, 8, 8, 11, 9), strict=True)))
    print("\nclasses at month 43")
    classes = classify(loans)
    for (side, why), count in classes.value_counts().sort_index().items():
        print(f"{side:<10}{count:>6}  {why}")
    print(f"{'sum':<10}{len(classes):>6}")


def source_loans(data: Path) -> pd.DataFrame:
    """Return, by loan: the flag D, whether it was repaid (R), its longest run without payment and that run's third month."""
    loans = pd.read_parquet(data / "loans.parquet", columns=["pool", "assetNumber", "D", "R", "X"])
    monthly = pd.read_parquet(data / "monthly.parquet", columns=["pool", "assetNumber", "month", "payment"])
    for frame in (loans, monthly):
        frame["loan_id"] = (
            frame["pool"].str.extract(r"aart(\d+)", expand=False) + "-" + frame["assetNumber"].astype(str)
        )
    monthly = monthly.sort_values(["loan_id", "month"])
    paid = (monthly["payment"] > 0).groupby(monthly["loan_id"]).cumsum()
    monthly["run"] = (monthly["payment"] <= 0).groupby([monthly["loan_id"], paid]).cumsum()
    by_loan = monthly.groupby("loan_id")
    loans = loans.set_index("loan_id").assign(
        rows=by_loan.size(), run=by_loan["run"].max(), last=by_loan["month"].max()
    )
    third = monthly.loc[monthly["run"] >= RUN].groupby("loan_id")["month"].min()
    loans["third"] = third
    loans["d_month"] = loans["third"].fillna(loans["X"]).where(loans["D"] == 1)
    return loans.fillna({"rows": 0, "run": 0})


def our_outcomes(data: Path) -> pd.DataFrame:
    """Return, by loan: the first month at 90+ DPD or written off, the worst DPD, how it ended."""
    with scratch_workspace() as workspace:
        import_book(workspace, "aart", delivered_at=datetime(2026, 1, 1), base=str(data))
        book = Book.open(workspace, "aart")
        facts = book.manifest.facts
        days = month_ends(month_end(facts.first_day, months=-1), facts.last_day)
        rows = performance(book, as_of=facts.last_day, days=days).to_pandas()
        ended = book.as_known("loans", as_of=facts.last_day).select("loan_id", "close_reason").to_pandas()
        bad_dpd = book.definitions.target.bad_dpd
    rows["month"] = rows["month_end"].map({pd.Timestamp(day): number for number, day in enumerate(days, 1)})
    first = rows.loc[(rows["dpd"] >= bad_dpd) | rows["written_off"]].groupby("loan_id")["month"].min()
    found = ended.set_index("loan_id").assign(our_month=first, worst=rows.groupby("loan_id")["dpd"].max())
    return found.assign(reaches=found["worst"] >= bad_dpd)


def classify(loans: pd.DataFrame) -> pd.DataFrame:
    """Return the side (both, D only, ours only, neither) and the reason of each loan."""
    theirs, ours, run = loans["D"] == 1, loans["our_month"].notna(), loans["run"] >= RUN
    gap = loans["our_month"] - loans["third"]
    left = loans["close_reason"].eq("left_file")
    cases = [
        (theirs & ours & ~run, "both", "written off after two months without payment: its rows end there"),
        (theirs & ours & gap.between(0, 1), "both", "ours in the third month without payment or the month after"),
        (theirs & ours & (gap < 0), "both", "ours earlier: months skipped before had left arrears of 90 days"),
        (theirs & ours & (gap > 1), "both", "ours later: paid again after three months, behind 90 days later on"),
        (theirs & ~ours & left, "D only", "left the file with a balance before 90 days had passed"),
        (theirs & ~ours & (loans["third"] == 43), "D only", "the third month is the last of the data: 77 days so far"),
        (theirs & ~ours, "D only", "three months missed are 74 to 77 days at the month end; paid again in the fourth"),
        (
            ~theirs & ours & run,
            "ours only",
            "three months without payment, but repaid in full later: the source says R, not D",
        ),
        (~theirs & ours, "ours only", "never three in a row: months skipped or paid in part, and never made up"),
        (loans["rows"] == 0, "neither", "no monthly rows"),
        (run, "neither", "three months without payment, but repaid in full later; never 90 days behind"),
    ]
    names = [f"{side}|{why}" for _which, side, why in cases]
    found = np.select(
        [which for which, _side, _why in cases], names, default="neither|never three in a row, never 90 days behind"
    )
    return pd.Series(found).str.split("|", expand=True).set_axis(["side", "why"], axis=1)


if __name__ == "__main__":
    main()
