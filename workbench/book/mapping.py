"""The mapping of a book: `params/books/NAME.yaml` says how sources become the canonical tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from workbench.book.schema import REQUIRED_TABLES, TABLES, Role
from workbench.book.sources.rest import RestSource
from workbench.book.sources.sql import SqlSource
from workbench.book.store import Lowered
from workbench.core.errors import BookError, ParameterError, unknown
from workbench.core.workspace import Workspace, check_name
from workbench.core.yaml_files import check_mapping, read_yaml

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".asc": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".xlsx": "excel", ".xlsm": "excel", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip


_NAME = re.compile(r"[A-Za-z]\w*")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


Texts = Annotated[list[str], BeforeValidator(_listed)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Unpivot(_Strict):
    """Columns of one row, a month each, become rows: `{}` in a pattern stands for each item of `over`."""

    name: str = Field(description="the new column that holds the item")
    over: list[str | int] = Field(min_length=1)
    values: dict[str, str] = Field(min_length=1, description="new column: pattern of the old ones, such as BILL_AMT{}")


class Source(_Strict):
    """One source: files by glob, a SQL table or query, or a REST resource, and how its values are written."""

    files: Texts | None = None
    sql: SqlSource | None = None
    rest: RestSource | None = None
    format: Literal["csv", "parquet", "excel", "jsonl"] | None = None  # by the file's ending where it is not given
    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', max_length=1)
    encoding: str = "utf-8"
    header: bool = True
    columns: list[str] | None = None  # names, where the files have no header
    sheet: str | None = None  # of Excel files; the first where it is not given
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    dates: Texts = []  # such as "%d.%m.%Y"; ISO where none is given
    timestamps: Texts = []
    multiline: bool = False  # texts in quotes may go on over several lines
    missing: list[str] = []  # texts that mean "no value", beside the empty one
    time_zone: str | None = None  # of its local times; the book's where it is not given
    unpivot: Unpivot | None = None
    optional: bool = False  # an append may come without its files

    @property
    def is_excel(self) -> bool:
        """Whether its files are Excel's."""
        ending = Path((self.files or [""])[0]).suffix.lower()
        return (self.format or FORMATS.get(ending)) == "excel"

    @model_validator(mode="after")
    def _one_kind(self) -> Source:
        given = [name for name in ("files", "sql", "rest") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of files, sql, rest; found {', '.join(given) or 'none'}")
        if self.thousands and self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}")
        if self.files is not None and self.header == (self.columns is not None):
            raise ValueError(
                "header: false needs columns, the names of the columns in order"
                if self.columns is None
                else "columns names the columns where there is no header line: write header: false, or leave columns out"
            )
        if self.time_zone is not None:
            _zone(self.time_zone)
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ValueError(
                f"encoding {self.encoding!r} is unknown; expected a name such as utf-8, gb18030, cp1250 or latin-1"
            ) from None
        return self


class ColumnMapping(_Strict):
    """One canonical column: a DuckDB SQL expression over source columns, and perhaps a code table."""

    sql: str
    codes: dict[str, str | int | float | bool] | str | None = None  # a table, or the name of one under `codes`
    otherwise: Literal["invalid", "null", "keep"] = "invalid"  # for a value that the code table lacks


def _column(value: Any) -> Any:
    return {"sql": str(value)} if isinstance(value, str | int | float) else value


class Part(_Strict):
    """Rows of one canonical table from one source or view, perhaps joined with others."""

    source: str = Field(alias="from")
    joins: dict[str, str] = {}  # source or view: condition; a left join each
    where: str | None = None
    columns: dict[str, Annotated[ColumnMapping, BeforeValidator(_column)]]
    known_at: str | None = None  # expression; where it is not given: when the row happened
    currency: str | None = None  # expression; rows in another currency than the book's are rejected


class Mapping(_Strict):
    """All of `params/books/NAME.yaml`."""

    source: str
    time_zone: str
    currency: str = Field(pattern="^[A-Z]{3}$")
    base: str = Field(".", alias="from", description="folder or address of the delivery; --from replaces it")
    first_day: date | None = None
    last_day: date | None = None
    max_reject_share: float = Field(0.01, ge=0, le=1)
    codes: dict[str, dict[str, str | int | float | bool]] = {}
    sources: dict[str, Source] = Field(min_length=1)
    views: dict[str, str] = {}  # a SELECT over sources and earlier views each
    tables: dict[str, Annotated[list[Part], BeforeValidator(_listed)]]
    current_only: dict[str, list[str]] = {}
    roles: dict[str, dict[str, Role]] = {}
    severities: dict[str, Lowered] = {}
    parameters: dict[str, dict[str, Any]] = {}  # of the notebooks; read by the runs

    @model_validator(mode="after")
    def _names(self) -> Mapping:
        _zone(self.time_zone)
        wide = [f"{name}__wide" for name, source in self.sources.items() if source.unpivot is not None]
        _plain_names("sources and views", [*self.sources, *self.views, *wide])
        _plain_names("codes", self.codes)
        for table, parts in self.tables.items():
            _known("table", table, TABLES)
            for part in parts:
                for name in (part.source, *part.joins):
                    _known(f"source in tables.{table}", name, [*self.sources, *self.views])
                for column, mapped in part.columns.items():
                    _known(f"column in tables.{table}", column, [found.name for found in TABLES[table].columns])
                    if isinstance(mapped.codes, str):
                        _known(f"code table in tables.{table}.{column}", mapped.codes, self.codes)
                lacking = [c.name for c in TABLES[table].columns if c.required and c.name not in part.columns]
                if lacking:
                    raise ValueError(f"tables.{table} lacks {', '.join(lacking)}, without which a row means nothing")
                if part.known_at is None and TABLES[table].occurred is None:
                    raise ValueError(
                        f"tables.{table}: known_at is missing: an expression for when the source first knew the row, or "
                        "delivered_at where it keeps no history"
                    )
        for what, named in (("current_only", self.current_only), ("roles", self.roles)):
            for table, columns in named.items():
                _known(f"table in {what}", table, TABLES)
                for column in columns:
                    _known(f"column in {what}.{table}", column, [found.name for found in TABLES[table].columns])
                    found = TABLES[table].column(column)
                    if found.role == "key" and (found.required or what == "roles"):  # an officer may change unseen
                        raise ValueError(
                            f"{what}.{table}.{column} is a key: without it rows belong to nobody; leave it out"
                        )
        absent = [table for table in REQUIRED_TABLES if table not in self.tables]
        if absent:
            raise ValueError(f"tables lacks {' and '.join(absent)}; {' and '.join(REQUIRED_TABLES)} are required")
        return self


def _known(what: str, name: str, known: Any) -> None:
    if name not in known:
        raise ValueError(unknown(what, name, known))


def _plain_names(what: str, names: Iterable[str]) -> None:
    """Refuse names that SQL could not hold without quotes, or would take for one."""
    seen: dict[str, str] = {}
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{what}: found the name {name!r}, expected a letter, then letters, digits and underscores"
            )
        if name.lower() in seen:
            raise ValueError(
                f"{what}: found the names {seen[name.lower()]!r} and {name!r}, expected each once, in whatever case: rename one"
            )
        seen[name.lower()] = name


def _zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"unknown time zone {name!r}; expected a name such as Europe/Prague") from None


def described_books(workspace: Workspace) -> list[str]:
    """Return the names of the books that `params/books/` describes, sorted."""
    return sorted(path.stem for path in (workspace.params / "books").glob("*.yaml"))


def mapping_path(workspace: Workspace, name: str) -> Path:
    """Return the file of a book's mapping.

    Raises
    ------
    BookError
        If no file describes the book; the nearest name is given.
    """
    check_name("book", name)
    path = workspace.params / "books" / f"{name}.yaml"
    if not path.exists():
        raise BookError(f"{path}: no such file. {unknown('book', name, described_books(workspace))}")
    return path


def load_mapping(workspace: Workspace, name: str) -> Mapping:
    """Read and check the mapping of a book.

    Raises
    ------
    BookError
        If no file describes the book.
    ParameterError
        If the file holds an unknown name or a value of the wrong type; names come with the nearest known one.
    """
    path = mapping_path(workspace, name)
    values = read_yaml(path)
    if "tables" not in values:
        raise ParameterError(
            f"{path}: 'tables' is missing: for each canonical table its source and columns (docs/books/mapping.md)."
        )
    return check_mapping(Mapping, values, source=str(path))
