"""A simulated lender as a book."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from workbench.book.simulation import simulate
from workbench.book.store import BookFacts, BookManifest, store_book
from workbench.core.workspace import Workspace

DEFAULT_CUSTOMERS = 20_000
DEFAULT_MONTHS = 36
DEFAULT_SEED = 7
START = date(2023, 1, 1)


def simulated_lender(
    *,
    customers: int = DEFAULT_CUSTOMERS,
    months: int = DEFAULT_MONTHS,
    seed: int = DEFAULT_SEED,
    on_month: Callable[[int, int], None] | None = None,
) -> Callable[[Path], BookFacts]:
    """Return what writes a simulated lender into a folder and tells the facts of its book.

    The truth about the customers lies in `truth/` beside the tables; no stage reads it.
    """

    def write(out: Path) -> BookFacts:
        made = simulate(out, customers=customers, months=months, seed=seed, start=START, on_month=on_month)
        return BookFacts(
            first_day=made.first_day,
            last_day=made.last_day,
            time_zone=made.time_zone,
            currency=made.currency,
            current_only={"customers": list(made.current_only)},
            source=f"simulated: {customers} customers, {months} months, seed {seed}",
        )

    return write


def simulate_book(
    workspace: Workspace,
    name: str,
    *,
    customers: int = DEFAULT_CUSTOMERS,
    months: int = DEFAULT_MONTHS,
    seed: int = DEFAULT_SEED,
    on_month: Callable[[int, int], None] | None = None,
) -> BookManifest:
    """Simulate a lender and make it the current generation of the book `name`.

    The same arguments give the same bytes.

    Raises
    ------
    InputError
        If an argument is out of range.
    """
    lender = simulated_lender(customers=customers, months=months, seed=seed, on_month=on_month)
    return store_book(workspace, name, lender)
