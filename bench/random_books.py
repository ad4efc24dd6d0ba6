"""Random books of many time zones and dates: every indicator equals its plain reference, and none sees what comes later.

Run: .venv/bin/python -m bench.random_books [--books 12] [--seed 500]
"""

from __future__ import annotations

import argparse
import random
import time
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from bench._scratch import scratch_workspace
from tests.indicators.comparison import compare
from tests.indicators.leaks import check_no_leak
from tests.indicators.random_book import FIRST_DAY, LAST_DAY, LEAP_DAY, random_book
from workbench.book.book import Book
from workbench.book.frames import canonical_table
from workbench.book.store import BookFacts, store_book
from workbench.core.workspace import Workspace

ZONES = ("UTC", "America/New_York", "Asia/Shanghai", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe")
DAYS = (LEAP_DAY, date(2023, 12, 31), date(2024, 3, 31), date(2023, 10, 29))  # with two at which Berlin's clocks change


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=int, default=12)
    parser.add_argument("--seed", type=int, default=500)
    options = parser.parse_args()
    started = time.perf_counter()
    with scratch_workspace() as workspace:
        for number in range(options.books):
            draw = random.Random(options.seed + number)
            zone = ZONES[number % len(ZONES)]
            anywhere = date(2023, 6, 30) + timedelta(days=draw.randrange(270))
            as_of = draw.choice([*DAYS, anywhere])
            book = _store(workspace, f"random-{number}", seed=options.seed + number, zone=zone)
            compared = len(compare(book, as_of))
            check_no_leak(book, as_of=as_of)
            print(f"book {number + 1}, {zone}, {as_of}: {compared} customers, no difference", flush=True)
    print(f"{options.books} books; {time.perf_counter() - started:.0f} s")


def _store(workspace: Workspace, name: str, *, seed: int, zone: str) -> Book:
    tables = random_book(loans=240, seed=seed, zone=zone)

    def write(out: Path) -> BookFacts:
        for table, frame in tables.items():
            pq.write_table(canonical_table(table, frame), out / f"{table}.parquet")
        return BookFacts(first_day=FIRST_DAY, last_day=LAST_DAY, time_zone=zone)

    store_book(workspace, name, write)
    return Book.open(workspace, name)


if __name__ == "__main__":
    main()
