"""Import and check of a large book against plain DuckDB COPY of the same files; an append of 0.5 % new rows; reading as known.

Run: .venv/bin/python -m bench.load [customers] [runs]
130,000 customers and 36 months give 6M instalments; transactions are cut to 20M. Needs 12 GB of disk and some 15 minutes.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import yaml

from bench._scratch import measured, scratch_workspace, workbench
from workbench.book.book import Book
from workbench.book.schema import TABLES
from workbench.book.simulated import simulate_book
from workbench.book.store import current_generation, table_files
from workbench.core.workspace import Workspace, open_workspace

TRANSACTIONS = 20_000_000
MONTHS = 36
APPENDED = 0.005
PLAIN = """
import duckdb, pathlib, sys
connection = duckdb.connect(config={"threads": int(sys.argv[3]), "memory_limit": sys.argv[4]})
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.csv")):
    connection.execute(f"COPY (FROM read_csv('{path}')) TO '{sys.argv[2]}/{path.stem}.parquet' (COMPRESSION zstd)")
"""


def main(customers: int, runs: int) -> None:
    with scratch_workspace() as workspace:
        full, new = workspace.root / "full", workspace.root / "new"
        made = subprocess.run(  # in a process of its own: a child's peak memory counts from what its parent holds
            [sys.executable, "-m", "bench.load", "deliver", str(customers), str(workspace.root)],
            check=True,
            capture_output=True,
            text=True,
        )
        rows: dict[str, int] = json.loads(made.stdout)
        print("rows: " + ", ".join(f"{table} {count:,}" for table, count in rows.items()))
        print(f"csv: {sum(path.stat().st_size for path in full.glob('*.csv')) / 1e9:.2f} GB")
        write_mapping(workspace, rows)
        plain, ours = [], []
        for run in range(runs):
            copied = workspace.root / f"copied-{run}"
            copied.mkdir()
            settings = (str(workspace.settings.threads), workspace.settings.memory)
            plain.append(measured([sys.executable, "-c", PLAIN, str(full), str(copied), *settings], workspace))
            ours.append(measured(workbench("book", "import", f"load{run}", "--from", str(full)), workspace))
            print(f"run {run + 1}: COPY {plain[-1][0]:.1f} s {plain[-1][1]:.2f} GB, import and check {ours[-1][0]:.1f} s "
                  f"{ours[-1][1]:.2f} GB, ratio {ours[-1][0] / plain[-1][0]:.2f}")  # fmt: skip
        print(f"median ratio {statistics.median(one[0] / other[0] for one, other in zip(ours, plain, strict=True)):.2f}, "
              f"peak memory {max(one[1] for one in ours):.2f} GB")  # fmt: skip
        appended = measured(workbench("book", "import", "load0", "--append", "--from", str(new)), workspace)
        again = measured(workbench("book", "import", "load0", "--append", "--from", str(new)), workspace)
        print(f"append of {APPENDED:.1%}: {appended[0]:.1f} s, {appended[0] / ours[0][0]:.1%} of the full import, "
              f"{appended[1]:.2f} GB; the same again: {again[0]:.1f} s")  # fmt: skip
        print(
            "added: " + ", ".join(f"{table} {load['rows_out']:,}" for table, load in record(workspace, "load0").items())
        )
        as_known(workspace)


def deliver(workspace: Workspace, customers: int, full: Path, new: Path) -> dict[str, int]:
    """Write a simulated book as CSV files: all of it, and apart the newest 0.5 % of each moving table."""
    simulate_book(workspace, "whole", customers=customers, months=MONTHS, seed=7)
    folder, manifest = current_generation(workspace, "whole")
    full.mkdir()
    new.mkdir()
    connection = duckdb.connect()
    rows = {}
    for table in manifest.tables:
        source = f"read_parquet({[str(file) for file in table_files(folder, table)]})"
        if table == "transactions":
            share = min(1.0, TRANSACTIONS * (1 + APPENDED) / manifest.tables[table].rows)
            source = f"(SELECT * FROM {source} WHERE hash(transaction_id) / 18446744073709551615 < {share})"
        moment = TABLES[table].occurred if table not in ("loans", "instalments") else None
        cut = "true"
        if moment is not None:
            edge = connection.execute(f"SELECT quantile_disc(known_at, {1 - APPENDED}) FROM {source}").fetchall()[0][0]
            cut = f"known_at < TIMESTAMP '{edge}'"
        connection.execute(f"COPY (FROM {source} WHERE {cut}) TO '{full / table}.csv'")
        connection.execute(f"COPY (FROM {source} WHERE NOT ({cut})) TO '{new / table}.csv'")
        rows[table] = connection.execute(f"SELECT count(*) FROM {source} WHERE {cut}").fetchall()[0][0]
    return rows


def write_mapping(workspace: Workspace, rows: dict[str, int]) -> None:
    """Describe the files as books `load0`, `load1`, ...: every column under its own name."""
    tables = {
        table: {
            "from": table,
            "columns": {column.name: column.name for column in TABLES[table].columns},
            "known_at": "known_at",
        }
        for table in rows
    }
    mapping = {
        "source": "a simulated book as CSV files", "time_zone": "UTC", "currency": "EUR", "from": ".",
        "sources": {table: {"files": f"{table}.csv"} for table in rows}, "tables": tables,
    }  # fmt: skip
    for number in range(9):
        (workspace.params / "books" / f"load{number}.yaml").write_text(
            yaml.safe_dump(mapping, sort_keys=False), "utf-8"
        )


def record(workspace: Workspace, name: str) -> dict[str, dict[str, int]]:
    """Return what the last append of a book did, by table."""
    loads = [json.loads(path.read_text("utf-8")) for path in sorted((workspace.books / name / "loads").glob("*.json"))]
    tables: dict[str, dict[str, int]] = [load for load in loads if load["status"] == "done"][-1]["tables"]
    return tables


def as_known(workspace: Workspace) -> None:
    """Read a table with three versions a key as known at a date, against reading all its rows."""
    folder, _manifest = current_generation(workspace, "load0")
    source = f"read_parquet('{folder}/performance.parquet')"
    out = workspace.root / "versions"
    out.mkdir()
    duckdb.connect().execute(
        f"COPY (SELECT * REPLACE (known_at + to_days(version * 10) AS known_at, balance + version AS balance) FROM {source}, "
        f"range(3) r(version) ORDER BY loan_id, month_end, known_at) TO '{out}/performance.parquet' (COMPRESSION zstd)"
    )
    book = Book.open(workspace, "load0")
    facts = book.manifest.tables["performance"]
    versioned = facts.model_copy(update={"rows": facts.rows * 3, "files": {"performance.parquet": ""}})
    for table in book.tables - {"performance"}:
        for file in table_files(folder, table):
            (out / file.name).symlink_to(file)
    tables = {**book.manifest.tables, "performance": versioned}
    three = Book(out, book.manifest.model_copy(update={"tables": tables}), workspace, book.definitions)
    seconds: dict[str, list[float]] = {"raw": [], "as known": []}
    day = three.manifest.facts.last_day
    for _run in range(5):
        for what in seconds:
            rows = (
                three.versions("performance", as_of=day) if what == "raw" else three.as_known("performance", as_of=day)
            )
            sums = rows.aggregate(**{name: rows[name].max() for name in rows.columns})  # every column is read
            started = time.perf_counter()
            three.connection.to_pyarrow(sums)
            seconds[what].append(time.perf_counter() - started)
    raw, known = (statistics.median(seconds[what]) for what in seconds)
    print(
        f"{facts.rows * 3:,} rows, three versions a key: all rows {raw:.2f} s, as known {known:.2f} s, ratio {known / raw:.2f}"
    )


if __name__ == "__main__" and sys.argv[1:2] == ["deliver"]:
    root = Path(sys.argv[3])
    json.dump(deliver(open_workspace(root), int(sys.argv[2]), root / "full", root / "new"), sys.stdout)
elif __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 130_000, int(sys.argv[2]) if len(sys.argv) > 2 else 2)
