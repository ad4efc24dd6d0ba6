"""`write_delivery`: a simulated lender as the files that a CRM and a core banking system would deliver, with their mapping."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from workbench.book.simulation.delivery.crm import customers
from workbench.book.simulation.delivery.database import URL_VARIABLE, CoreSchema, core_schema, is_reference
from workbench.book.simulation.delivery.desk import Desk, Section
from workbench.book.simulation.delivery.faults import Planted
from workbench.book.simulation.delivery.loans import instalments, loans, restructurings
from workbench.book.simulation.delivery.mapping_text import mapping_text
from workbench.book.simulation.delivery.origination import applications, bureau
from workbench.book.simulation.delivery.payments import payments
from workbench.book.simulation.delivery.streams import events, month_ends, transactions
from workbench.book.sources.error_words import first_line
from workbench.book.store import BookFacts
from workbench.core.errors import InputError
from workbench.core.files import staging_folder
from workbench.core.workspace import check_name

LOCAL_ZONE = "Europe/Berlin"
"""Time zone of the offices of a lender whose business days are in UTC."""
WRITERS: dict[str, Callable[[Desk], Section]] = {
    "customers": customers, "loans": loans, "instalments": instalments, "payments": payments,
    "restructurings": restructurings, "performance": month_ends, "transactions": transactions, "events": events,
    "applications": applications, "bureau": bureau,
}  # fmt: skip


@dataclass(frozen=True)
class WrittenDelivery:
    """What was written.

    Attributes
    ----------
    files
        Size in bytes of each file, by its path below the folder.
    planted
        What is wrong with the files, and what an import must make of it; also in `truth/delivery.json`.
    schema
        Of the database with the core banking tables; "" without one.
    variable
        The environment variable that an import finds the database's address in, where `url` was an address; else "".
    """

    folder: Path
    mapping: Path
    files: dict[str, int]
    planted: list[Planted]
    schema: str = ""
    variable: str = ""


def write_delivery(
    folder: Path,
    out: Path,
    *,
    name: str,
    facts: BookFacts,
    seed: int,
    url: str | None = None,
    root: Path = Path(),
    threads: int = 2,
    memory: str = "3GB",
    progress: Callable[[str], None] = lambda _text: None,
) -> WrittenDelivery:
    """Write the lender whose canonical tables lie in `folder` as a delivery to `out`, whole or not at all.

    The same tables and seed give the same bytes of every text file. What is wrong with the files stands in
    `truth/delivery.json`; the lender's own `truth/` goes beside it.

    Parameters
    ----------
    folder
        The tables as Parquet, named as in a generation of a book.
    out
        Folder that is not there yet, or empty.
    name
        Of the book that the mapping `out/NAME.yaml` will describe.
    url
        PostgreSQL for loans, schedules, payments and restructurings: an address without a password, or `env:NAME` or
        `file:PATH` of a whole one. The schema is `NAME_core`.
    root
        Folder of the workspace, below which a relative `file:PATH` lies.

    Raises
    ------
    InputError
        If `out` is not empty, a table that a book needs is missing, or the database refuses.
    """
    check_name("book", name)
    refuse_filled(out)
    for table in ("customers", "loans"):
        if not (folder / f"{table}.parquet").exists():
            raise InputError(f"{folder}: found no {table}.parquet, expected the tables of a lender. Simulate it first.")
    schema = core_name(name)
    moved = False
    try:
        with (
            staging_folder(out.parent) as staging,
            _core(url, schema, root) as core,
            _scratch(staging, threads, memory) as sql,
        ):
            target = staging / "delivery"
            target.mkdir()
            zone = LOCAL_ZONE if facts.time_zone == "UTC" else facts.time_zone
            desk = Desk(sql, folder, target, seed, zone, facts.currency, core, progress)
            sections = [write(desk) for table, write in WRITERS.items() if desk.has(table)]
            (target / f"{name}.yaml").write_text(mapping_text(name, facts, sections, desk.planted), "utf-8")
            _write_truth(desk)
            files = {
                str(path.relative_to(target)): path.stat().st_size
                for path in sorted(target.rglob("*"))
                if path.is_file()
            }
            _move(target, out)
            moved = True
    except BaseException:
        if moved:  # the database refused in the last moment
            shutil.rmtree(out, ignore_errors=True)
        raise
    if url is None:
        return WrittenDelivery(out, out / f"{name}.yaml", files, desk.planted)
    variable = "" if is_reference(url) else URL_VARIABLE
    return WrittenDelivery(out, out / f"{name}.yaml", files, desk.planted, schema, variable)


def core_name(name: str) -> str:
    """Return the schema of the core banking tables of a book.

    >>> core_name("my-bank")
    'my_bank_core'
    """
    return f"{name.replace('-', '_')}_core"


def refuse_filled(out: Path) -> None:
    """Refuse a place for a delivery that holds something already.

    Raises
    ------
    InputError
        If it is a file, or a folder that is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        found = "a folder with files in it" if out.is_dir() else "a file"
        raise InputError(
            f"{out}: found {found}, expected an empty folder or none. Name another one, or remove it first."
        )


@contextmanager
def _core(url: str | None, schema: str, root: Path) -> Iterator[CoreSchema | None]:
    if url is None:
        yield None
        return
    with core_schema(url, schema, root=root) as core:
        yield core


@contextmanager
def _scratch(staging: Path, threads: int, memory: str) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(
        config={
            "threads": threads,
            "memory_limit": memory,
            "temp_directory": str(staging),
            "autoinstall_known_extensions": False,
        }
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise InputError(
            f"delivery: broke off, nothing was written: {first_line(error)}. Make room on the disk, or raise memory in "
            "params/workbench.yaml."
        ) from None
    finally:
        connection.close()


def _write_truth(desk: Desk) -> None:
    truth = desk.folder / "truth"
    if (desk.lender / "truth").is_dir():
        shutil.copytree(desk.lender / "truth", truth)
    truth.mkdir(exist_ok=True)
    rows = [asdict(found) for found in desk.planted]
    text = "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"
    (truth / "delivery.json").write_text(text, "utf-8")


def _move(target: Path, out: Path) -> None:
    """Make the folder appear under its name in one step; an empty folder there gives way, a filled one does not."""
    try:
        target.rename(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be made: {error.strerror}. Name another folder.") from None
