"""A book as it was known: the one place from which any stage reads a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis
from ibis import _

from workbench.book.attached import is_attached, open_attached
from workbench.book.definitions import Definitions
from workbench.book.engines import ENGINES, Engine, duckdb_engine, spark_engine
from workbench.book.schema import TABLES, TableSchema
from workbench.book.store import BookManifest, current_generation, table_files
from workbench.core.dates import day_end, last_month_end, parse_date
from workbench.core.errors import BookError, ParameterError, unknown
from workbench.core.workspace import Workspace
from workbench.core.yaml_files import load_params


class Book:
    """One generation of one book, read through Ibis: on DuckDB, unless `connect` gives another engine.

    A book object is a snapshot: a load that ends meanwhile does not change what it reads.
    """

    def __init__(
        self,
        folder: Path,
        manifest: BookManifest,
        workspace: Workspace,
        definitions: Definitions,
        *,
        connect: Callable[[], Engine] | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.workspace = workspace
        self.definitions = definitions
        self._connect = connect or self._duckdb
        self._attached = connect is not None and is_attached(folder)
        self._part: tuple[int, int] | None = None
        self._once: dict[str, ibis.Table] = {}
        self._known: dict[tuple[str, date, bool], ibis.Table] = {}
        self._days: dict[tuple[str, date], tuple[frozenset[date], ibis.Table]] = {}

    @classmethod
    def open(cls, workspace: Workspace, name: str, *, engine: str = "") -> Book:
        """Open the current generation of a book.

        Parameters
        ----------
        engine
            duckdb (by default) or spark, for a stored book; an attached book is read where it lies, on postgres.

        Raises
        ------
        BookError
            If there is no such book, or the engine is missing.
        """
        if engine and engine not in ENGINES:
            raise ParameterError(unknown("engine", engine, ENGINES))
        folder, manifest = current_generation(workspace, name)
        definitions = load_params(Definitions, workspace.params / "definitions.yaml")
        if is_attached(folder):
            if engine not in ("", "postgres"):
                raise ParameterError(
                    f"engine {engine}: book {name!r} is attached and is read where it lies, on PostgreSQL."
                )
            folder, manifest, database = open_attached(workspace, folder, manifest)
            return cls(folder, manifest, workspace, definitions, connect=lambda: database)
        if engine == "postgres":
            raise ParameterError(
                f"engine postgres: book {name!r} is stored here. Copy it into the database and attach that: workbench book "
                "attach."
            )
        return cls(folder, manifest, workspace, definitions).on(engine or "duckdb")

    def on(self, engine: str) -> Book:
        """Return the same snapshot of a stored book, read on `duckdb` or `spark`."""
        found = Book(self.folder, self.manifest, self.workspace, self.definitions)
        if engine == "spark":
            found._connect = found._spark
        return found

    @property
    def name(self) -> str:
        """Name of the book."""
        return self.manifest.name

    @property
    def tables(self) -> frozenset[str]:
        """Names of the tables that the book has."""
        return frozenset(self.manifest.tables)

    @property
    def last_month_end(self) -> date:
        """The last month end that the book covers in full: the default observation date."""
        return last_month_end(self.manifest.facts.last_day)

    @cached_property
    def _engine(self) -> Engine:
        return self._connect()

    def _duckdb(self) -> Engine:
        return duckdb_engine(self._files, settings=self.workspace.settings, scratch=self.workspace.scratch)

    def _spark(self) -> Engine:
        return spark_engine(self._files, settings=self.workspace.settings, scratch=self.workspace.scratch)

    @property
    def _files(self) -> dict[str, list[Path]]:
        return {table: table_files(self.folder, table) for table in self.tables}

    @property
    def connection(self) -> Any:
        """The Ibis connection on which this book's expressions run."""
        return self._engine.connection

    def part(self, number: int, of: int) -> Book:
        """Return the same snapshot with the customers of part `number` (from 0) of `of` alone, and what belongs to them.

        Every customer is in one part; which one, is told by a hash that the engine chooses.
        """
        found = Book(self.folder, self.manifest, self.workspace, self.definitions, connect=lambda: self._engine)
        found._part, found._once = (number, of), self._once
        return found

    def keep(self, rows: ibis.Table) -> ibis.Table:
        """Return `rows`, computed once and kept in the engine for as long as the result is used."""
        # Ibis 12 leaves this out on Spark, which then misses the tables in memory
        self.connection._run_pre_execute_hooks(rows)
        kept = rows.cache()
        # PostgreSQL plans joins by statistics, and takes none of a temporary table by itself
        if self.connection.name == "postgres":
            self.connection.raw_sql(f'ANALYZE "{kept.op().name}"').close()
        return kept

    def check_as_of(self, as_of: str | date | None) -> date:
        """Return the observation date, by default the last month end.

        Raises
        ------
        ParameterError
            If it is no date, or lies outside the book.
        """
        if not as_of:
            return self.last_month_end
        day = parse_date(as_of)
        facts = self.manifest.facts
        if not facts.first_day <= day <= facts.last_day:
            raise ParameterError(
                f"as_of: found {day}, but book {self.name!r} covers {facts.first_day} to {facts.last_day}. "
                "Choose a date in between."
            )
        return day

    def day_end(self, day: date) -> datetime:
        """Return the first UTC instant after business day `day` in the book's time zone."""
        return day_end(day, self.manifest.facts.time_zone)

    def as_known(self, table: str, *, as_of: date, private: bool = False) -> ibis.Table:
        """Return `table` as it was known by the end of `as_of`: no later row, version or date, no `current_only` value.

        Private columns read as null, so that nothing a stage makes can hold them; `private` shows them, which
        `access.py` alone asks for.

        Raises
        ------
        BookError
            If the book has no such table.
        """
        if (table, as_of, private) not in self._known:
            self._known[table, as_of, private] = self._named(self._seen(table, as_of, private=private))
        return self._known[table, as_of, private]

    def _seen(self, table: str, as_of: date, *, private: bool) -> ibis.Table:
        known = self._of_part(self._latest(table, as_of), as_of)
        seen = self._hide_future(known, TABLES[table], as_of)
        hidden = [] if private else self.private_columns(table)
        return seen.mutate(**{name: ibis.null().cast(seen[name].type()) for name in hidden}) if hidden else seen

    def _named(self, rows: ibis.Table) -> ibis.Table:
        """Return `rows` as a view where the database is our own: Ibis then need not walk through their making at each use."""
        own = self.connection.name == "duckdb"
        return self.connection.create_view(ibis.util.gen_name("known"), rows) if own else rows

    def _latest(self, table: str, as_of: date) -> ibis.Table:
        """Return the latest version of each key that was known by the end of `as_of`.

        Few keys have several versions: they are found once, so that the rows of all others pass without being grouped.
        """
        known, key = self.versions(table, as_of=as_of), list(TABLES[table].key)
        if not self.manifest.tables[table].keys_versioned:
            return known
        if self._attached:
            return self._newest(known, key)
        rows = self._engine.tables[table]
        several = self.once(
            f"{table} of several versions", lambda: rows.group_by(*key).having(_.count() > 1).aggregate()
        )
        return ibis.union(known.anti_join(several, key), self._newest(known.semi_join(several, key), key))

    def _newest(self, rows: ibis.Table, key: list[str]) -> ibis.Table:
        latest = rows.group_by(*key).aggregate(known_at=_.known_at.max())
        return rows.semi_join(latest, [*key, "known_at"])  # a key is known once at an instant

    def once(self, name: str, make: Callable[[], ibis.Table]) -> ibis.Table:
        """Return a table that does not depend on a date, made once and kept; in a database of others, made each time."""
        if self._attached:
            return make()
        if name not in self._once:
            self._once[name] = self.keep(make())
        return self._once[name]

    def remember(self, name: str, as_of: date, days: Iterable[date], make: Callable[[], ibis.Table]) -> None:
        """Keep a table with the column `month_end` for its days; in a database of others nothing is kept."""
        if not self._attached:
            self._days[name, as_of] = (frozenset(days), self.keep(make()))

    def remembered(self, name: str, as_of: date, days: Iterable[date]) -> ibis.Table | None:
        """Return the rows of these days of a table that was kept, or None where it was not, or not for all of them."""
        known, table = self._days.get((name, as_of), (frozenset(), None))
        wanted = frozenset(days)
        if table is None or not wanted <= known:
            return None
        return table if wanted == known else table.filter(table.month_end.isin(sorted(wanted)))

    def _of_part(self, rows: ibis.Table, as_of: date) -> ibis.Table:
        """Return the rows of the part's customers, or of the loans that were ever known as theirs."""
        if self._part is None:
            return rows
        number, of = self._part
        if "customer_id" not in rows.columns:
            loans = self._of_part(self.versions("loans", as_of=as_of), as_of)
            return rows.semi_join(loans, "loan_id")
        return rows.filter((rows.customer_id.hash() % of + of) % of == number)

    def private_columns(self, table: str) -> list[str]:
        """Return the columns of `table` that identify a person, in their order: the contract's, and those a mapping adds."""
        roles, key = self.manifest.facts.roles.get(table, {}), TABLES[table].key
        named = {name for name, role in roles.items() if role == "private" and name not in key}
        return [column.name for column in TABLES[table].columns if column.role == "private" or column.name in named]

    def versions(self, table: str, *, as_of: date) -> ibis.Table:
        """Return every version of every row that was known by the end of `as_of`, with `known_at`: for checks alone.

        Raises
        ------
        BookError
            If the book has no such table.
        """
        if table not in TABLES:
            raise BookError(unknown("table", table, TABLES))
        if table not in self.tables:
            raise BookError(f"book {self.name!r} has no table {table!r}; it has {', '.join(sorted(self.tables))}.")
        return self._engine.tables[table].filter(_.known_at < self.day_end(as_of))

    def _hide_future(self, rows: ibis.Table, schema: TableSchema, as_of: date) -> ibis.Table:
        if schema.occurred is not None:
            rows = rows.filter(self._happened(rows[schema.occurred], schema.column(schema.occurred).dtype, as_of))
        hidden: dict[str, Any] = {}
        for column in schema.columns:
            if column.dated:
                happened = self._happened(rows[column.name], column.dtype, as_of)
                hidden[column.name] = happened.ifelse(rows[column.name], ibis.null())
            if column.name in self.manifest.facts.current_only.get(schema.name, []):
                hidden[column.name] = ibis.null().cast(rows[column.name].type())
        if schema.name == "loans":
            closed = hidden["closed_on"].notnull() | hidden["written_off_on"].notnull()
            hidden["close_reason"] = closed.ifelse(rows.close_reason, ibis.null())
        if schema.name == "applications":
            decided = hidden["decided_at"].notnull()  # without a day, nobody knows since when
            for name in ("decision", "decline_reason", "loan_id"):
                hidden[name] = decided.ifelse(rows[name], ibis.null())
        return rows.mutate(**hidden).drop("known_at") if hidden else rows.drop("known_at")

    def _happened(self, column: Any, dtype: str, as_of: date) -> Any:
        return column < self.day_end(as_of) if dtype == "timestamp" else column <= as_of

    def customers_now(self, *, as_of: date, private: bool = False) -> ibis.Table:
        """Return customers as known at `as_of` with today's value of the `current_only` columns: for display alone."""
        hidden = [] if private else self.private_columns("customers")
        columns = [name for name in self.manifest.facts.current_only.get("customers", []) if name not in hidden]
        rows = self._engine.tables["customers"]
        newest = rows.group_by("customer_id").aggregate(
            **{column: rows[column].argmax(rows.known_at) for column in columns}
        )
        known = self.as_known("customers", as_of=as_of, private=private).drop(*columns)
        return known.left_join(newest, "customer_id").drop("customer_id_right") if columns else known
