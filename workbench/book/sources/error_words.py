"""Errors of other libraries in words that may be shown: names stay, values, which may be a customer's, are hidden."""

from __future__ import annotations

import re

import duckdb

_NAMES_ALONE = {  # these speak of tables, columns, servers and SQL, never of a row
    "duckdb.BinderException", "duckdb.CatalogException", "duckdb.ParserException",
    "psycopg.OperationalError", "psycopg.ProgrammingError", "ibis.IbisError", "builtins.OSError",
}  # fmt: skip
_QUOTED = re.compile(r"""(?<!\w)(['"]).*\1(?!\w)|(?<!\w)['"].*""", re.DOTALL)  # greedy: a value may hold quotes itself
_NUMBER = re.compile(r"(?<=\bvalue )-?\d\S*")


def first_line(error: Exception) -> str:
    """Return the first line of an error, without the values in it.

    >>> first_line(ValueError("Could not convert string 'O'Brien, 850101' to INT64"))
    "Could not convert string '...' to INT64"
    """
    return next(iter(words_of(error).splitlines()), type(error).__name__).rstrip(".")


def words_of(error: Exception) -> str:
    """Return all words of an error that may be shown; of one that may quote a value, the first line alone."""
    text = str(error).strip()
    if _speaks_of_names(error):
        return text
    text = _NUMBER.sub("...", _QUOTED.sub("'...'", text))
    return next(iter(text.splitlines()), "")


def _speaks_of_names(error: Exception) -> bool:
    kinds = {f"{kind.__module__.partition('.')[0].lstrip('_')}.{kind.__name__}" for kind in type(error).__mro__}
    return not kinds.isdisjoint(_NAMES_ALONE)


def no_room(error: duckdb.Error) -> bool:
    """Return whether it is the scratch database that cannot be written, and no source that cannot be read."""
    kinds = (duckdb.IOException, duckdb.TransactionException)
    return isinstance(error, kinds) and re.search(r"write|space left|too large|quota", str(error)) is not None
