"""SQL for how a delivery writes values: local times, days, amounts, ids and codes."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.book.sources.opened import literal

GERMAN_DAY, GERMAN_MOMENT = "%d.%m.%Y", "%d.%m.%Y %H:%M:%S"


def local_moment(column: str, zone: str, form: str = GERMAN_MOMENT) -> str:
    """Return a UTC time stamp as the text of its local time; in the hour that comes twice in autumn, with its offset."""
    local, after, before = (
        f"(({column}{shift}) AT TIME ZONE 'UTC') AT TIME ZONE {literal(zone)}"
        for shift in ("", " + INTERVAL 1 HOUR", " - INTERVAL 1 HOUR")
    )
    return (
        f"(strftime({local}, {literal(form)}) || CASE WHEN ({after}) = ({local}) OR ({before}) = ({local}) "
        f"THEN {_offset(column, local)} ELSE '' END)"
    )


def moment_with_offset(column: str, zone: str) -> str:
    """Return a UTC time stamp as ISO 8601 with the local offset, such as 2023-07-01T10:00:00+02:00."""
    local = f"(({column}) AT TIME ZONE 'UTC') AT TIME ZONE {literal(zone)}"
    return f"(strftime({local}, '%Y-%m-%dT%H:%M:%S') || {_offset(column, local)})"


def _offset(column: str, local: str) -> str:
    minutes = f"date_diff('minute', {column}, {local})"
    return f"printf('%s%02d:%02d', CASE WHEN {minutes} < 0 THEN '-' ELSE '+' END, abs({minutes}) // 60, abs({minutes}) % 60)"


def utc_moment(column: str) -> str:
    """Return a UTC time stamp as ISO 8601 with a Z."""
    return f"strftime({column}, '%Y-%m-%dT%H:%M:%SZ')"


def day(column: str, form: str, *, other: str = "", flag: str = "") -> str:
    """Return a day in a format, and in another one where the column `flag` says so."""
    usual = f"strftime({column}, {literal(form)})"
    return f"CASE WHEN {flag} THEN strftime({column}, {literal(other)}) ELSE {usual} END" if flag else usual


def cents(column: str) -> str:
    """Return an amount in whole cents."""
    return f"CAST({column} * 100 AS BIGINT)"


def percent(column: str) -> str:
    """Return a rate in percent, to six places."""
    return f"CAST(round({column} * 100, 6) AS DECIMAL(12, 6))"


def grouped(column: str, *, comma: bool = False) -> str:
    """Return an amount with signs between the groups of digits: 1,234.50, or 1.234,50 with a decimal `comma`."""
    english = f"format('{{:,.2f}}', CAST({column} AS DOUBLE))"
    return f"translate({english}, ',.', '.,')" if comma else english


def decimal_comma(column: str) -> str:
    """Return an amount with a decimal comma."""
    return f"replace(CAST({column} AS VARCHAR), '.', ',')"


def cased(column: str, condition: str) -> str:
    """Return a text in small letters where the condition holds."""
    return f"CASE WHEN {condition} THEN lower({column}) ELSE {column} END"


def coded(column: str, codes: Mapping[str, str]) -> str:
    """Return a word as its code; `codes` are codes by word."""
    whens = " ".join(f"WHEN {literal(word)} THEN {literal(code)}" for word, code in codes.items())
    return f"(CASE {column} {whens} END)" if codes else f"CAST({column} AS VARCHAR)"
