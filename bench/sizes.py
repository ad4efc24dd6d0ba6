"""Time, memory and size of a simulated lender, as `workbench book simulate` makes it: each size in a process of its own.

Run: .venv/bin/python -m bench.sizes [--customers 20000 200000] [--months 60] [--threads 1 2]
"""

from __future__ import annotations

import argparse
import hashlib

import duckdb

from bench._scratch import measured, scratch_workspace, workbench
from workbench.book.store import current_generation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    print("| customers | threads | seconds | CPU seconds | peak memory | size on disk | rows | rows a second | bytes |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for customers in options.customers:
        for threads in options.threads:
            print(one_size(customers, options.months, threads), flush=True)


def one_size(customers: int, months: int, threads: int) -> str:
    """Return a row of the table; the last cell is a digest of all files, to be the same for any number of threads."""
    size = ("--customers", str(customers), "--months", str(months))
    with scratch_workspace() as workspace:
        used = measured(workbench("--threads", str(threads), "book", "simulate", "lender", *size), workspace)
        files = sorted(current_generation(workspace, "lender")[0].rglob("*.parquet"))
        rows = duckdb.execute("select sum(num_rows) from parquet_file_metadata($1)", [[str(file) for file in files]])
        count = int(rows.fetchall()[0][0])
        volume = sum(file.stat().st_size for file in files)
        digest = hashlib.sha256()
        for file in files:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    cells = [
        f"{customers:,}", f"{threads}", f"{used.seconds:.0f}", f"{used.cpu_seconds:.0f}",
        f"{used.gigabytes:.2f} GB", f"{volume / 1e9:.2f} GB", f"{count:,}", f"{count / used.seconds:,.0f}",
        digest.hexdigest()[:12],
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
