"""Stored panels: one file a date, kept by the content that it was made from, with a manifest beside it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import workbench.book
import workbench.core
import workbench.indicators
import workbench.indicators.bases
from workbench import __version__
from workbench.book.book import Book
from workbench.core.files import whole_file, write_json
from workbench.indicators.own import load_own, own_files
from workbench.indicators.panel import Panel, build_panel, missing_tables
from workbench.indicators.registry import select

SCHEMA_VERSION = 1


def panel_path(book: Book, as_of: date) -> Path:
    """Return where the panel of this book, date and code belongs."""
    load_own(book.workspace)
    made_from = hashlib.sha256(
        f"{SCHEMA_VERSION}{book.manifest.generation}{as_of}{book.definitions.model_dump_json()}{code_hash(book)}".encode()
    ).hexdigest()[:12]
    return book.workspace.panels / book.name / f"{as_of}-{made_from}.parquet"


def code_hash(book: Book) -> str:
    """Return the hash of the code that makes a panel: our files, those of the workspace, and what else is registered."""
    digest = hashlib.sha256(_files_hash().encode())
    for path in own_files(book.workspace):
        digest.update(path.read_bytes())
    for found in select():
        digest.update(f"{found.name}{_fingerprint(found.expression.__code__)}".encode())
    return digest.hexdigest()


@cache
def _files_hash() -> str:
    digest = hashlib.sha256()
    for module in (workbench.core, workbench.book, workbench.indicators, workbench.indicators.bases):
        for path in sorted(Path(str(module.__file__)).parent.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _fingerprint(code: CodeType) -> str:
    constants = [_fingerprint(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return f"{code.co_code.hex()}{constants}{code.co_names}"


def load_panel(book: Book, *, as_of: date, told: Callable[[int, int], None] = lambda _done, _all: None) -> Panel:
    """Return the panel of all indicators at a date: the stored one, or a new one that is then stored.

    A stored panel is used only if it was made from the same book generation, definitions and code.
    """
    path = panel_path(book, as_of)
    left_out = {found.name: missing for found in select() if (missing := missing_tables(book, found))}
    try:
        return Panel(pq.read_table(path).to_pandas(), left_out)
    except FileNotFoundError:
        pass  # not made yet, or another run has just replaced it
    panel = build_panel(book, as_of=as_of, told=told)
    write_panel(book, panel, path, as_of=as_of)
    for older in path.parent.glob(f"{as_of}-*"):
        if older.stem != path.stem:
            older.unlink(missing_ok=True)
    return panel


def stored_panel(book: Book, *, as_of: date, columns: Sequence[str]) -> pd.DataFrame | None:
    """Return these columns of the panel that is stored of a date, those that it has; None where none is stored."""
    path = panel_path(book, as_of)
    try:
        there = pq.read_schema(path).names
        frame: pd.DataFrame = pq.read_table(path, columns=[name for name in columns if name in there]).to_pandas()
    except FileNotFoundError:
        return None
    return frame


def write_panel(book: Book, panel: Panel, path: Path, *, as_of: date) -> None:
    """Write a panel with its manifest beside it, whole or not at all."""
    write_panels(book, [panel], path, as_of=as_of)


def write_panels(book: Book, panels: Iterable[Panel], path: Path, *, as_of: date | Sequence[date]) -> int:
    """Write panels into one file, one after the other, with their manifest beside it; return how many rows.

    Each is written before the next is asked for. Whole or not at all.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = _Facts()
    with whole_file(path) as temporary, ExitStack() as ends:
        writer = None
        for panel in panels:
            table = pa.Table.from_pandas(panel.frame, schema=_schema(panel.frame), preserve_index=False)
            writer = writer or ends.enter_context(pq.ParquetWriter(temporary, table.schema, compression="zstd"))
            writer.write_table(table)
            facts.add(panel)
        write_json(path.with_suffix(".json"), _manifest(book, facts, as_of))
    return facts.rows


def _schema(frame: pd.DataFrame) -> pa.Schema:
    """Return the types of a panel's columns: those declared, also where every value is null."""
    types = {"customer_id": pa.string(), "as_of": pa.timestamp("ms")}
    types |= {found.name: pa.string() if found.dtype == "string" else pa.float64() for found in select()}
    return pa.schema([(name, types[name]) for name in frame.columns])


@dataclass
class _Facts:
    """What is told of the panels of a file."""

    rows: int = 0
    indicators: int = 0
    left_out: dict[str, list[str]] = field(default_factory=dict)
    oddities: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    nulls: Counter[str] = field(default_factory=Counter)

    def add(self, panel: Panel) -> None:
        self.rows += len(panel.frame)
        self.indicators = len(panel.frame.columns) - 2
        self.left_out = panel.left_out
        for name, counts in panel.oddities.items():
            self.oddities[name] += Counter(counts)
        self.nulls += Counter({str(name): int(count) for name, count in panel.frame.iloc[:, 2:].isna().sum().items()})


def _manifest(book: Book, facts: _Facts, as_of: date | Sequence[date]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "workbench": __version__,
        "code": code_hash(book)[:16],
        "book": book.name,
        "generation": book.manifest.generation,
        "engine": book.connection.name,
        "as_of": as_of,
        "rows": facts.rows,
        "indicators": facts.indicators,
        "left_out": facts.left_out,
        "oddities": facts.oddities,
        "share_null": {name: round(count / facts.rows, 6) for name, count in facts.nulls.items() if count},
    }
