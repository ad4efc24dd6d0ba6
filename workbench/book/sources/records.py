"""Records of a paged list: one line of JSON each, the newest copy of each key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import IO, Any, NamedTuple

from workbench.book.sources.redaction import Redactor
from workbench.core.errors import BookError

MISSING = object()


class _Copy(NamedTuple):
    line: int
    digest: bytes
    version: Any


class RecordSpool:
    """Takes records as they come and keeps, of each key, the newest copy.

    Lines go to `stream` at once; only a digest a key stays in memory. `write_to` leaves out the lines that a newer copy
    replaced.

    Attributes
    ----------
    duplicates : int
        Records that came again unchanged.
    changed : set of str
        Keys that came again with other content.
    repaired : int
        Records in which a broken character (half a surrogate pair) became U+FFFD.
    cursor : str or None
        The highest value of the `since` field so far, as the source wrote it, and not below `reached`.
    """

    def __init__(
        self,
        stream: IO[bytes],
        *,
        key: Sequence[str],
        version: str = "",
        since: str = "",
        reached: str | None = None,
        redactor: Redactor,
        what: str,
    ) -> None:
        self._stream, self._key, self._version, self._since = stream, tuple(key), version, since
        self._redactor, self._what = redactor, what
        self._copies: dict[str, _Copy] = {}
        self._replaced: set[int] = set()
        self._lines = 0
        self._highest: Any = reached
        self.duplicates = 0
        self.changed: set[str] = set()
        self.repaired = 0

    @property
    def rows(self) -> int:
        """Return how many keys came."""
        return len(self._copies)

    @property
    def cursor(self) -> str | None:
        """Return the highest value of the `since` field, or None where no record has one."""
        return None if self._highest is None else str(self._highest)

    def add(self, record: Any) -> bytes:
        """Take one record; return a digest of its content.

        Raises
        ------
        BookError
            If it is no JSON object, lacks a field that the source names, or holds NaN or an infinite number.
        """
        if not isinstance(record, dict):
            raise BookError(
                f"{self._what}: found a {type(record).__name__} in the list, expected objects. Mend `records`."
            )
        key = json.dumps([self._scalar(record, name, "key") for name in self._key], ensure_ascii=True)
        version = self._scalar(record, self._version, "version", optional=True) if self._version else None
        if self._since:
            reached = self._scalar(record, self._since, "since.from", optional=True)
            if reached is not None and (self._highest is None or is_newer(str(reached), str(self._highest))):
                self._highest = reached
        line = self._line(record)
        digest = blake2b(line, digest_size=16).digest()
        known = self._copies.get(key)
        if known and known.digest == digest:
            self.duplicates += 1
            return digest
        if known:
            self.changed.add(key)
            if is_newer(known.version, version):
                return digest
            self._replaced.add(known.line)
        self._copies[key] = _Copy(self._lines, digest, version)
        self._stream.write(line)
        self._lines += 1
        return digest

    def write_to(self, out: IO[bytes]) -> None:
        """Copy the newest lines to `out`, in the order in which they came."""
        self._stream.seek(0)
        for number, line in enumerate(self._stream):
            if number not in self._replaced:
                out.write(line)

    def _line(self, record: dict[str, Any]) -> bytes:
        try:
            text = json.dumps(record, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except ValueError:
            text = ""
        if not text:
            raise BookError(f"{self._what}: a record holds NaN or Infinity, which is no JSON. Have the CRM send null.")
        if self._redactor.found_in(text):
            masked = self._redactor.value(record)
            text = json.dumps(masked, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        try:
            return text.encode("utf-8") + b"\n"
        except UnicodeEncodeError:
            self.repaired += 1
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode("utf-8") + b"\n"

    def _scalar(self, record: dict[str, Any], name: str, role: str, *, optional: bool = False) -> Any:
        value = field(record, name)
        if value is MISSING or isinstance(value, (dict, list)) or (value is None and not optional):
            found = "no such field" if value is MISSING else "null" if value is None else f"a {type(value).__name__}"
            names = ", ".join(sorted(record)[:30]) or "none"
            raise BookError(
                f"{self._what}: {role}: {name!r}: found {found} in record {self._lines + 1}, expected a value in every "
                f"record. Its fields: {names}."
            )
        return value


def field(record: dict[str, Any], name: str) -> Any:
    """Return a field by its name or, with dots, by the way to it; `MISSING` where there is none.

    >>> field({"audit": {"changed": 3}}, "audit.changed")
    3
    """
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return MISSING
        value = value[part]
    return value


def is_newer(version: Any, other: Any) -> bool:
    """Say whether `version` is later than `other`; False where the two cannot be compared.

    Numbers compare as numbers, also in text, ISO 8601 times as instants (one without offset as UTC), other texts by character.

    >>> is_newer("2025-03-01T10:00:00+02:00", "2025-03-01T09:00:00Z"), is_newer("10", "9"), is_newer(1, None)
    (False, True, False)
    """
    if type(version) is not type(other) and not {type(version), type(other)} <= {int, float}:
        return False
    if not isinstance(version, str):
        return version is not None and bool(version > other)
    for read in (_number, _instant):
        one, two = read(version), read(other)
        if one is not None and two is not None:
            return bool(one > two)
    return bool(version > other)


def _number(text: str) -> Any:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _instant(text: str) -> Any:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
