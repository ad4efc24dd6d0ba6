"""The panel: one row an active customer and date, kept by the content it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import _

import workbench.book
import workbench.core
import workbench.indicators
from workbench.book.book import Book
from workbench.book.performance import states_dpd
from workbench.core.errors import InputError
from workbench.core.files import whole_file
from workbench.indicators.bases import BASES, Snapshot
from workbench.indicators.registry import PANEL, REGISTRY, At, Indicator, select

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Panel:
    """A panel and what could not be part of it.

    Attributes
    ----------
    frame
        customer_id, as_of, then the indicators, in total order by customer.
    left_out
        Indicator name to the tables that the book lacks for it.
    """

    frame: pd.DataFrame
    left_out: dict[str, list[str]]


def build_panel(book: Book, *, as_of: date, only: Sequence[str] | None = None) -> Panel:
    """Compute the indicators of every active customer as known at `as_of`.

    Raises
    ------
    InputError
        If an indicator fails; it is named, with the engine's message.
    """
    wanted = select(list(only) if only else None)
    at = At(as_of)
    available = [found for found in wanted if not _missing_tables(book, found)]
    left_out = {found.name: _missing_tables(book, found) for found in wanted if _missing_tables(book, found)}
    if only:
        available = _with_inputs(available)
    snapshot = Snapshot(book, at)
    panel = snapshot.active
    for base_name, (base, _tables) in BASES.items():
        of_base = [found for found in available if found.base == base_name]
        if of_base:
            table = base(snapshot)
            values = {found.name: _expression(found, table, at) for found in of_base}
            by_customer = table.group_by("customer_id").aggregate(**values)
            panel = panel.left_join(by_customer, "customer_id").drop("customer_id_right")
            zeros = {found.name: found.absent for found in of_base if found.absent is not None}
            panel = panel.mutate(**{name: panel[name].fill_null(value) for name, value in zeros.items()})
    combined = [found for found in available if found.base == PANEL]
    frame = _run(snapshot, panel, combined)
    names = [found.name for found in wanted if found.name in frame.columns]
    frame.insert(1, "as_of", pd.Timestamp(as_of).as_unit("ms"))  # the unit that comes back from parquet
    return Panel(frame[["customer_id", "as_of", *names]].sort_values("customer_id", ignore_index=True), left_out)


def _run(snapshot: Snapshot, panel: ibis.Table, combined: list[Indicator]) -> pd.DataFrame:
    book, at = snapshot.book, snapshot.at
    try:
        with_combined = panel.mutate(**{found.name: _expression(found, panel, at) for found in combined})
        arrow = book.connection.to_pyarrow(with_combined.order_by(_.customer_id))
    except InputError:
        raise
    except Exception as error:
        culprit = _culprit(snapshot)
        raise InputError(f"indicators: {culprit}: {error}") from error
    frame: pd.DataFrame = arrow.to_pandas()
    return frame


def _expression(found: Indicator, table: ibis.Table, at: At) -> ibis.Value:
    try:
        return found.expression(table, at).cast(found.dtype)
    except Exception as error:
        raise InputError(f"indicator {found.name!r} is no valid expression over {found.base!r}: {error}") from error


def _culprit(snapshot: Snapshot) -> str:
    """Find the indicator that fails, by running each alone; only ever called when something failed."""
    book, at = snapshot.book, snapshot.at
    for found in select():
        if _missing_tables(book, found) or found.base == PANEL:
            continue
        table = BASES[found.base][0](snapshot)
        try:
            book.connection.to_pyarrow(table.group_by("customer_id").aggregate(value=_expression(found, table, at)))
        except Exception:
            return f"indicator {found.name!r} failed on {book.connection.name}"
    return f"the panel failed on {book.connection.name}"


def _missing_tables(book: Book, found: Indicator) -> list[str]:
    if found.base == PANEL:
        return sorted({table for needed in _inputs(found) for table in _missing_tables(book, needed)})
    needs = set(BASES[found.base][1])
    if "loans" in needs and not states_dpd(book.tables):
        needs |= {"instalments", "payments"}
    return sorted(needs - book.tables)


@cache
def _names_used(found_name: str) -> frozenset[str]:
    """Return the registered names that a combining indicator's code mentions as attributes."""
    by_name = {found.name: found for found in select()}
    return frozenset(by_name[found_name].expression.__code__.co_names) & frozenset(by_name)


def _inputs(found: Indicator) -> list[Indicator]:
    return [other for other in select() if other.name in _names_used(found.name)]


def _with_inputs(available: list[Indicator]) -> list[Indicator]:
    extra = {needed.name: needed for found in available if found.base == PANEL for needed in _inputs(found)}
    return [*available, *(needed for name, needed in extra.items() if name not in {found.name for found in available})]


def panel_path(book: Book, as_of: date) -> Path:
    """Return where the panel of this book, date and code belongs."""
    code = _code_hash(tuple(found.name for found in select()))
    made_from = hashlib.sha256(
        f"{SCHEMA_VERSION}{book.manifest.generation}{as_of}{book.definitions.model_dump_json()}{code}".encode()
    ).hexdigest()[:12]
    return book.workspace.panels / book.name / f"{as_of}-{made_from}.parquet"


@cache
def _code_hash(registered: tuple[str, ...]) -> str:
    """Return the hash of the code that makes a panel: our files, and what else is registered."""
    digest = hashlib.sha256()
    for folder in (workbench.core, workbench.book, workbench.indicators):
        for path in sorted(Path(str(folder.__file__)).parent.glob("*.py")):
            digest.update(path.read_bytes())
    for name in registered:
        code = REGISTRY[name].expression.__code__
        digest.update(f"{name}{code.co_code.hex()}{code.co_consts}{code.co_names}".encode())
    return digest.hexdigest()


def load_panel(book: Book, *, as_of: date) -> Panel:
    """Return the panel of all indicators at a date: the stored one, or a new one that is then stored.

    A stored panel is used only if it was made from the same book generation, definitions and code.
    """
    path = panel_path(book, as_of)
    left_out = {found.name: _missing_tables(book, found) for found in select() if _missing_tables(book, found)}
    try:
        return Panel(pq.read_table(path).to_pandas(), left_out)
    except FileNotFoundError:
        pass  # not made yet, or another run has just replaced it
    panel = build_panel(book, as_of=as_of)
    with whole_file(path) as temporary:
        pq.write_table(pa.Table.from_pandas(panel.frame, preserve_index=False), temporary, compression="zstd")
    for older in path.parent.glob(f"{as_of}-*.parquet"):
        if older != path:
            older.unlink(missing_ok=True)
    return panel
