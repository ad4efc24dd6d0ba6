"""Connections to SQL databases: secrets kept out, the session's clock at UTC, failures told in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ibis

from workbench.book.sources.error_words import words_of
from workbench.core.errors import BookError, ParameterError, unknown
from workbench.core.secrets import resolve_secret

SCHEMES = {"postgresql": "postgres", "postgres": "postgres", "sqlite": "sqlite", "duckdb": "duckdb"}
CONNECT_SECONDS = 10
_PASSWORD = re.compile(r"://.*:.*@|[?&](password|sslpassword)=", re.DOTALL | re.IGNORECASE)
_REFERENCES = ("env:", "file:")


def check_url(url: str) -> str:
    """Return `url` if it may be kept in a file: an address without a password, or a reference to where the address is.

    >>> check_url("postgresql://analyst@crm.bank/crm"), check_url("env:CRM_URL")
    ('postgresql://analyst@crm.bank/crm', 'env:CRM_URL')

    Raises
    ------
    ParameterError
        If it holds a password, which the message does not repeat, or is no address of a database that can be read.
    """
    if url.startswith(_REFERENCES):
        return url
    if _PASSWORD.search(url):
        raise ParameterError(
            "url: found a password in it (not repeated here), expected none: it would be kept in a file. Give it in "
            "PGPASSWORD or ~/.pgpass, or put the whole url into a variable and write env:NAME; change it if others saw it."
        )
    scheme, found, _rest = url.partition("://")
    if not found:
        raise ParameterError(
            "url: found no '://' in it, expected postgresql://user@host/database, sqlite://FILE, duckdb://FILE or env:NAME."
        )
    if scheme not in SCHEMES:
        raise ParameterError(f"url: {unknown('database', scheme, SCHEMES)}")
    return url


def open_database(reference: str, *, root: Path, environment: Mapping[str, str]) -> Any:
    """Return an Ibis connection to the database at `reference` (an address, or `env:NAME` or `file:PATH` of one).

    SQLite and DuckDB files are opened read-only; a relative path is one under `root`.

    Raises
    ------
    ParameterError
        If the reference is wrong.
    BookError
        If the database cannot be reached or refuses.
    """
    url = check_url(reference)
    if url.startswith(_REFERENCES):
        url = resolve_secret(url, root=root, environment=environment).get_secret_value().strip()
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise ParameterError(
            f"{reference}: found no address of a database, expected one such as postgresql://user@host/db."
        )
    kind = SCHEMES[scheme]
    if kind == "postgres":
        return _postgres(url, reference, environment)
    path = root / re.sub("^/+", "/", url.partition("://")[2])
    if not path.is_file():
        raise BookError(f"{reference}: no such file: {path}. Mend the path; sqlite:///FILE is an absolute one.")
    with told(reference):
        if kind == "duckdb":
            connection = ibis.duckdb.connect(path, read_only=True, autoinstall_known_extensions=False)
            connection.raw_sql("SET TimeZone = 'UTC'")
            return connection
        import sqlite3

        return ibis.sqlite.from_connection(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True))


def _postgres(url: str, reference: str, environment: Mapping[str, str]) -> Any:
    try:
        import psycopg
    except ImportError:
        raise BookError(
            "PostgreSQL: the package psycopg is missing. Install it with: pip install 'loan-risk-workbench[postgres]'"
        ) from None
    with told(reference, secret_url=url):
        try:
            asked = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # its message may repeat the password
            raise BookError(
                f"{_shown(reference)}: found no valid address, expected postgresql://user@host:5432/database. Letters such as "
                "@ : / # in a name or password are written %40 %3A %2F %23."
            ) from None
        defaults: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, "application_name": "workbench"}
        if "password" not in asked and environment.get("PGPASSWORD"):
            defaults["password"] = environment["PGPASSWORD"]
        connection = psycopg.connect(**{**defaults, **asked}, autocommit=True)
    return ibis.postgres.from_connection(connection)  # sets the session's clock to UTC


@contextmanager
def told(reference: str, *, secret_url: str = "") -> Iterator[None]:
    """Turn what a database refuses in the block into one `BookError` of one line, without the password or values of rows.

    Raises
    ------
    BookError
        With the database's own words, and what to do.
    """
    try:
        yield
    except (BookError, ParameterError):
        raise
    except Exception as error:
        words = re.sub(r"\s+", " ", words_of(error)) or type(error).__name__
        password = urlsplit(secret_url).password if secret_url.count("@") == 1 else None
        if secret_url and password and password in words:
            words = words.replace(password, "***")
        raise BookError(f"{_shown(reference)}: {words[:400]}. {_remedy(error)}") from None


def _shown(reference: str) -> str:
    return reference.partition("?")[0]


def _remedy(error: Exception) -> str:
    name, text = type(error).__name__, str(error)
    if "password" in text or name == "InvalidPassword":
        return "Set PGPASSWORD, or a line in ~/.pgpass, to the password of this user."
    if name == "InsufficientPrivilege" or "permission denied" in text:
        return "Ask the owner of the database for the right to read these tables, and to make temporary ones."
    if name in ("OperationalError", "ConnectionTimeout"):
        return "Check that the server runs, and host, port, user and database."
    return "Check the name of the table, the query and the schema."
