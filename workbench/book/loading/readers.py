"""How the values of a source or view are read: `number`, `local_day` and `moment` within a mapping's expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import duckdb

from workbench.book.loading.expressions import TEXTS, Formats, read_day, read_moment, read_number
from workbench.book.mapping import Mapping
from workbench.book.schema import Column
from workbench.book.sources.files import quoted
from workbench.core.errors import ParameterError

READERS: dict[str, Callable[[Formats], str]] = {"number": read_number, "local_day": read_day, "moment": read_moment}
_CALL = re.compile(rf"'(?:[^']|'')*'|\"[^\"]*\"|(?<![\w.])({'|'.join(READERS)})\s*\(", re.IGNORECASE)
_NUMBERS, _MOMENTS = ("decimal", "thousands"), ("dates", "timestamps")


def create_readers(connection: duckdb.DuckDBPyConnection, name: str, formats: Formats) -> None:
    """Create the macros that read the texts of the source or view `name`; see `with_readers`."""
    for reader, body in READERS.items():
        connection.execute(f"CREATE MACRO {quoted(f'_{reader}_{name}')}(x) AS {body(formats)}")


def with_readers(expression: str, name: str) -> str:
    r"""Return an expression whose calls of `number(...)` and the like read the texts of the source or view `name`.

    >>> with_readers("number(salary) / 12 || 'number (a year)'", "people")
    '"_number_people"(salary) / 12 || \'number (a year)\''
    """
    return _CALL.sub(lambda found: f"{quoted(f'_{found[1].lower()}_{name}')}(" if found[1] else found[0], expression)


def calls_reader(expression: str) -> bool:
    """Return whether an expression calls `number(...)` or the like."""
    return any(found[1] for found in _CALL.finditer(expression))


def sources_of(connection: duckdb.DuckDBPyConnection, mapping: Mapping, name: str) -> list[str]:
    """Return the sources that a source or view is made of, in the mapping's order."""
    if name in mapping.sources:
        return [name]
    named: list[str] = connection.execute(
        "SELECT json_extract_string(json_serialize_sql(?), '$..table_name')", [mapping.views[name]]
    ).fetchall()[0][0]
    lower = {word.lower() for word in named}
    earlier = list(mapping.views)[: list(mapping.views).index(name)]
    below = {source for view in earlier if view.lower() in lower for source in sources_of(connection, mapping, view)}
    return [source for source in mapping.sources if source.lower() in lower or source in below]


def zones_of(connection: duckdb.DuckDBPyConnection, mapping: Mapping, name: str) -> list[str]:
    """Return the time zones of the sources that a source or view is made of, each once; usually that is one."""
    found = [mapping.sources[source].time_zone for source in sources_of(connection, mapping, name)]
    return list(dict.fromkeys(zone or mapping.time_zone for zone in found)) or [mapping.time_zone]


def formats_in_view(
    connection: duckdb.DuckDBPyConnection, mapping: Mapping, view: str, *, expressions: Sequence[str], where: str
) -> Formats:
    """Return the formats in which `number(...)` and the like read the texts of a view: those of its sources.

    Raises
    ------
    ParameterError
        If one of `expressions` calls one of them, and the view's sources are written differently.
    """
    sources = sources_of(connection, mapping, view)
    found = dict.fromkeys(Formats.of(mapping.sources[source]) for source in sources)
    if len(found) > 1 and any(map(calls_reader, expressions)):
        raise ParameterError(
            f"{where}: the sources {', '.join(sources)} of view {view} write numbers or dates differently, so "
            f"{', '.join(READERS)} cannot know how to read. Make a view of each source first, and join those."
        )
    return next(iter(found), Formats())


def refuse_other_writing(
    connection: duckdb.DuckDBPyConnection,
    mapping: Mapping,
    names: Sequence[str],
    *,
    column: Column,
    expression: str,
    kind: str,
    where: str,
) -> None:
    """Refuse a value that is read in the first source's way but comes from a source that writes it in another.

    Parameters
    ----------
    names
        The part's source or view, then those that it joins.
    kind
        DuckDB type of the expression's value: a number, a date or a moment with its offset is the same everywhere.

    Raises
    ------
    ParameterError
        With both sources, and what differs.
    """
    matters = _what_matters(column, expression, kind)
    if not matters:
        return
    ways = {name: _way(connection, mapping, name, matters) for name in names}
    if "time_zone" in matters and "," in str(ways[names[0]].get("time_zone", "")):
        raise ParameterError(
            f"{where}: {expression}: the sources of view {names[0]} have the time zones {ways[names[0]]['time_zone']}, so a "
            "local time of it has none. Give it as a moment there, (...) AT TIME ZONE 'Europe/Prague', or a day as ::DATE."
        )
    alike = [name for name in names if ways[name] == ways[names[0]]]
    if len(alike) == len(names):
        return
    if _binds(connection, with_readers(expression, names[0]), alike):
        return  # what is written otherwise has no part in it
    other = next(name for name in names if name not in alike)
    differing = [key for key in matters if ways[other][key] != ways[names[0]][key]]
    found = "; ".join(f"{key} {ways[other][key] or 'none'}, not {ways[names[0]][key] or 'none'}" for key in differing)
    raise ParameterError(
        f"{where}: {expression}: values of a part are read as its source {names[0]} writes them, and {other} writes "
        f"otherwise: {found}. Make a view of {other} in which the column is a number, a date or a moment already, by "
        f"{' or '.join(f'{reader}(...)' for reader in READERS)}, and join that."
    )


def _binds(connection: duckdb.DuckDBPyConnection, expression: str, names: Sequence[str]) -> bool:
    for also in ([], ["_delivery"]):
        try:
            connection.execute(f"DESCRIBE SELECT {expression} AS x FROM {', '.join(map(quoted, [*names, *also]))}")
        except duckdb.Error:
            continue
        return True
    return False


def _what_matters(column: Column, expression: str, kind: str) -> tuple[str, ...]:
    """Return the keys of a source that decide what a value is."""
    if calls_reader(expression):
        return (*_NUMBERS, *_MOMENTS, "time_zone")
    if column.dtype in ("money", "float", "int"):
        return _NUMBERS if kind in TEXTS else ()
    if column.dtype not in ("date", "timestamp") or kind == "TIMESTAMP WITH TIME ZONE":
        return ()
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return ("time_zone",) if column.dtype == "timestamp" else ()
    return (*_MOMENTS, "time_zone")


def _way(
    connection: duckdb.DuckDBPyConnection, mapping: Mapping, name: str, matters: tuple[str, ...]
) -> dict[str, str]:
    formats = Formats.of(mapping.sources.get(name))
    found = {
        "decimal": formats.decimal,
        "thousands": formats.thousands,
        "dates": ", ".join(formats.dates),
        "timestamps": ", ".join(formats.timestamps),
        "time_zone": ", ".join(zones_of(connection, mapping, name)),
    }
    return {key: found[key] for key in matters}
