"""Time and peak memory of the panel: against pandas, as transactions grow, by date, and on other engines.

Every process is measured whole; of PostgreSQL, the command that asks the server.
Run: .venv/bin/python -m bench.indicators [--customers 200000] [--peer 20000000] [--growth 2000000 20000000 60000000]
     [--dates 24] [--engines 2000000] [--threads 2]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from bench._big_book import AS_OF, big_book
from bench._scratch import Used, measured, scratch_workspace, workbench
from tests.database import running_database
from workbench.book.attached import attach_book
from workbench.book.book import Book
from workbench.book.store import current_generation
from workbench.core.dates import month_end
from workbench.core.workspace import Workspace
from workbench.indicators.checking import same_values

EVENTS_A_TRANSACTION = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--peer", type=int, default=20_000_000, help="transactions of the comparison; 0 leaves it out")
    parser.add_argument("--growth", type=int, nargs="*", default=[2_000_000, 20_000_000, 60_000_000])
    parser.add_argument(
        "--dates", type=int, default=24, help="month ends beside one, at 2M transactions; 0 leaves it out"
    )
    parser.add_argument(
        "--engines", type=int, default=2_000_000, help="transactions on PostgreSQL and Spark; 0: leave out"
    )
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print("| what | transactions | memory given | seconds | CPU seconds | peak memory |")
    print("|---|---|---|---|---|---|", flush=True)
    if options.peer:
        with scratch_workspace() as workspace:
            make(workspace, options, options.peer)
            ours, theirs = workspace.root / "ours.parquet", workspace.root / "theirs.parquet"
            first = show("DuckDB", options.peer, "3GB", build(workspace, options, ours))
            folder = current_generation(workspace, "big")[0]
            command = [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "bench._pandas_panel",
                str(folder),
                str(AS_OF),
                str(theirs),
            ]
            second = show("pandas", options.peer, "", measured(command, workspace))
            compare(ours, theirs)
        print(
            f"pandas over DuckDB: {second.seconds / first.seconds:.1f}x the time, "
            f"{second.gigabytes / first.gigabytes:.1f}x the memory; all values agree",
            flush=True,
        )
    for transactions in options.growth:
        with scratch_workspace() as workspace:
            make(workspace, options, transactions)
            output = workspace.root / "panel.parquet"
            show("one date", transactions, "4GB", build(workspace, options, output, "--memory", "4GB"))
            if options.dates and transactions == min(options.growth):
                days = ",".join(str(month_end(AS_OF, months=-ago)) for ago in range(options.dates))
                used = build(workspace, options, output, "--memory", "4GB", dates=days)
                show(f"{options.dates} dates", transactions, "4GB", used)
    if options.engines:
        with scratch_workspace() as workspace:
            make(workspace, options, options.engines)
            on_engines(workspace, options)


def on_engines(workspace: Workspace, options: argparse.Namespace) -> None:
    """Show the same panel on DuckDB, PostgreSQL and Spark; end where a value differs."""
    outputs = {name: workspace.root / f"{name}.parquet" for name in ("duckdb", "postgres", "spark")}
    show("DuckDB", options.engines, "3GB", build(workspace, options, outputs["duckdb"]))
    with running_database() as server:
        stored = Book.open(workspace, "big")
        server.load(stored, "big")
        facts = stored.manifest.facts
        attach_book(
            workspace, "attached", url=server.url(), schema="big", time_zone=facts.time_zone, first_day=facts.first_day
        )
        used = build(workspace, options, outputs["postgres"], "--engine", "postgres", book="attached")
        show("PostgreSQL (client)", options.engines, "", used)
    show("Spark", options.engines, "3GB", build(workspace, options, outputs["spark"], "--engine", "spark"))
    for name in ("postgres", "spark"):
        compare(outputs["duckdb"], outputs[name])


def make(workspace: Workspace, options: argparse.Namespace, transactions: int) -> None:
    """Store the book of a size, at the customers asked for."""
    events = int(transactions * EVENTS_A_TRANSACTION)
    big_book(workspace, "big", customers=options.customers, transactions=transactions, events=events)


def build(
    workspace: Workspace, options: argparse.Namespace, output: Path, *more: str, dates: str = "", book: str = "big"
) -> Used:
    """Build a panel by the command line."""
    what = ("indicators", "build", "--book", book, "--as-of", dates or str(AS_OF), "--output", str(output))
    return measured(workbench("--threads", str(options.threads), *what, *more), workspace)


def show(what: str, transactions: int, memory: str, used: Used) -> Used:
    """Print a row of the table."""
    cells = [
        what, f"{transactions:,}", memory, f"{used.seconds:.0f}", f"{used.cpu_seconds:.0f}", f"{used.gigabytes:.2f} GB",
    ]  # fmt: skip
    print(f"| {' | '.join(cells)} |", flush=True)
    return used


def compare(ours: Path, theirs: Path) -> None:
    """End with the first indicator that differs by more than 1e-9 relative."""
    first = pd.read_parquet(ours).set_index("customer_id").drop(columns="as_of")
    second = pd.read_parquet(theirs)
    second = second.set_index("customer_id") if "customer_id" in second else second
    second = second.reindex(index=first.index, columns=first.columns)
    for name in first:
        same = same_values(first[name], second[name])
        if not same.all():
            sys.exit(
                f"{name}: {int((~same).sum())} of {len(first):,} customers differ, such as {first.index[~same][0]}"
            )


if __name__ == "__main__":
    main()
