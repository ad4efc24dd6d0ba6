"""Simulate a lender and write its book."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from workbench.book.simulation.block import WRITTEN_TABLES, write_block
from workbench.book.simulation.economy import draw_economy
from workbench.book.simulation.story import Story
from workbench.book.simulation.truth.hidden import economy_columns
from workbench.book.simulation.truth.schemas import SCHEMAS
from workbench.book.simulation.world import blocks, check_arguments
from workbench.book.simulation.writing.arrow import TableWriter
from workbench.book.simulation.writing.customers import CURRENT_ONLY
from workbench.core.errors import InputError

START = date(2021, 1, 1)
DEFAULT_CUSTOMERS, DEFAULT_MONTHS, DEFAULT_SEED = 20_000, 60, 7


@dataclass(frozen=True)
class SimulatedBook:
    """What was written, and how to read it."""

    first_day: date
    last_day: date
    rows: dict[str, int]
    current_only: tuple[str, ...] = CURRENT_ONLY  # columns of customers
    time_zone: str = "UTC"
    currency: str = "EUR"


def simulate(
    out: Path,
    *,
    customers: int = DEFAULT_CUSTOMERS,
    months: int = DEFAULT_MONTHS,
    seed: int = DEFAULT_SEED,
    start: date = START,
    story: Story | None = None,
    threads: int = 1,
    on_month: Callable[[int, int], None] | None = None,
) -> SimulatedBook:
    """Simulate a lender and write its tables to `out/<table>.parquet`, the truth to `out/truth/`.

    The same arguments give the same bytes, whatever the number of threads. A longer run begins with the same rows as a
    shorter one, apart from the `current_only` columns; a larger book with the same customers. Memory is that of a block of
    10,000 customers a thread, whatever the size of the book; each block writes one more file a table.

    Parameters
    ----------
    out
        Folder to write to; it is made where there is none, and files of earlier runs are replaced.
    customers, months
        Size of the book; `months` are the written ones, after 24 of burn-in. Of the customers 70 % are there before the
        first written month, the others join in months 1 to 60.
    seed
        0 or more.
    start
        First day of the first written month.
    story
        What happens, and which treatments have which effect; the default story where it is not given.
    threads
        Blocks that are simulated at a time.
    on_month
        Called with the months done and all months, burn-in included, over all blocks.

    Raises
    ------
    InputError
        If an argument is out of range, or `out` is a file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     book = simulate(Path(folder), customers=50, months=2)
    >>> book.last_day
    datetime.date(2021, 2, 28)
    """
    calendar = check_arguments(customers, months, seed, start)
    if out.exists() and not out.is_dir():
        raise InputError(f"simulation: {out} is a file, expected a folder. Name a folder to write the book to.")
    (out / "truth").mkdir(parents=True, exist_ok=True)
    for name, folder in [*((table, out) for table in WRITTEN_TABLES), *((table, out / "truth") for table in SCHEMAS)]:
        for left in folder.glob(f"{name}+*.parquet"):
            left.unlink()
    told = story or Story()
    economy = draw_economy(seed, calendar.total, told)
    with TableWriter(out / "truth" / "economy.parquet", SCHEMAS["economy"]) as writer:
        writer.write(economy_columns(economy, calendar))
    parts = blocks(customers)
    done, counting = 0, threading.Lock()

    def count() -> None:
        nonlocal done
        with counting:
            done += 1
            if on_month is not None:
                on_month(done, calendar.total * len(parts))

    rows = dict.fromkeys(WRITTEN_TABLES, 0)
    with ThreadPoolExecutor(max_workers=max(1, min(threads, len(parts)))) as pool:
        futures = [pool.submit(write_block, out, part, calendar, economy, told, seed, on_month=count) for part in parts]
        try:
            for future in futures:
                for name, written in future.result().items():
                    rows[name] += written
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    last_day = date.fromisoformat(str(calendar.last_day(calendar.total - 1)))
    return SimulatedBook(start, last_day, rows)
