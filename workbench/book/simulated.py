"""A simulated lender as a book."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from workbench.book.simulation import Story, simulate
from workbench.book.simulation.run import DEFAULT_CUSTOMERS, DEFAULT_MONTHS, DEFAULT_SEED, START
from workbench.book.store import BookFacts, BookManifest, store_book
from workbench.core.workspace import Workspace

__all__ = ["DEFAULT_CUSTOMERS", "DEFAULT_MONTHS", "DEFAULT_SEED", "START", "simulate_book", "simulated_lender"]


def simulated_lender(
    *,
    customers: int = DEFAULT_CUSTOMERS,
    months: int = DEFAULT_MONTHS,
    seed: int = DEFAULT_SEED,
    start: date = START,
    story: Story | None = None,
    threads: int = 1,
    on_month: Callable[[int, int], None] | None = None,
) -> Callable[[Path], BookFacts]:
    """Return what writes a simulated lender into a folder and tells the facts of its book.

    The truth about the customers lies in `truth/` beside the tables; no stage reads it.
    """
    told = story or Story()
    differs = f", switched {told.told()}" if told.told() else ""

    def write(out: Path) -> BookFacts:
        made = simulate(
            out,
            customers=customers,
            months=months,
            seed=seed,
            start=start,
            story=told,
            threads=threads,
            on_month=on_month,
        )
        return BookFacts(
            first_day=made.first_day,
            last_day=made.last_day,
            time_zone=made.time_zone,
            currency=made.currency,
            current_only={"customers": list(made.current_only)},
            source=f"simulated: {customers} customers, {months} months, seed {seed}{differs}",
        )

    return write


def simulate_book(
    workspace: Workspace,
    name: str,
    *,
    customers: int = DEFAULT_CUSTOMERS,
    months: int = DEFAULT_MONTHS,
    seed: int = DEFAULT_SEED,
    start: date = START,
    story: Story | None = None,
    on_month: Callable[[int, int], None] | None = None,
) -> BookManifest:
    """Simulate a lender and make it the current generation of the book `name`.

    The same arguments give the same bytes.

    Raises
    ------
    InputError
        If an argument is out of range.
    """
    lender = simulated_lender(
        customers=customers, months=months, seed=seed, start=start, story=story,
        threads=workspace.settings.threads, on_month=on_month,
    )  # fmt: skip
    return store_book(workspace, name, lender)
