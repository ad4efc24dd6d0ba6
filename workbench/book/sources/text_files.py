"""Text files as they really come: inspected in one pass, and rewritten as clean UTF-8 lines where a reader would stumble."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.core.errors import ParameterError

MAX_LINE = 1 << 20  # bytes; a longer line is no record but a lost quote or a broken export
EXCERPT = 200  # characters of a rejected line that are kept
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_GUESSES = ("utf-8", "gb18030", "cp1250", "cp1252")


@dataclass(frozen=True)
class TextFacts:
    """What one pass over a file found."""

    sha256: str
    size: int
    lines: int  # ended by a newline, or begun at the end of the file
    crlf: int
    lone_cr: int
    nuls: int
    bom: str  # the encoding that a byte order mark names; "" without one
    utf8: bool
    long_lines: bool
    ends_open: bool  # the last line has no newline: it may have been cut


@dataclass(frozen=True)
class RejectedLine:
    """A line that holds no record."""

    file: str
    line: int
    reason: str
    excerpt: str


@dataclass(frozen=True)
class CleanText:
    """A rewritten file, what was mended on the way, and the lines that could not be."""

    path: Path
    repairs: list[str]
    rejected: list[RejectedLine] = field(default_factory=list)


def inspect(path: Path) -> TextFacts:
    """Read a file once and tell what a reader must know about it."""
    digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    size = newlines = returns = crlf = nuls = since = 0
    utf8, long_lines, last, bom, pending = True, False, b"", "", False
    with path.open("rb") as stream:
        while chunk := stream.read(MAX_LINE):
            if not size:
                bom = next((name for mark, name in _BOMS if chunk.startswith(mark)), "")
            digest.update(chunk)
            size += len(chunk)
            newlines += chunk.count(b"\n")
            returns += chunk.count(b"\r")
            crlf += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
            nuls += chunk.count(b"\0")
            first = chunk.find(b"\n")
            since += len(chunk) if first < 0 else first
            long_lines = long_lines or since > MAX_LINE
            if first >= 0:
                since = len(chunk) - chunk.rfind(b"\n") - 1
            if utf8 and (pending or not chunk.isascii()):
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    utf8 = False
                pending = bool(decoder.getstate()[0])
            last = chunk[-1:]
    ends_open = size > 0 and last not in (b"\n", b"\r")
    return TextFacts(
        digest.hexdigest(), size, newlines + ends_open, crlf, returns - crlf, nuls, bom, utf8 and not pending,
        long_lines, ends_open,
    )  # fmt: skip


def needs_cleaning(facts: TextFacts, *, encoding: str, header: bool) -> bool:
    """Return whether the file must be rewritten before a CSV reader that splits at one kind of newline may have it."""
    mixed = facts.lone_cr or facts.crlf not in (0, facts.lines, facts.lines - facts.ends_open)
    other = codecs.lookup(encoding).name != "utf-8" or facts.bom not in ("", "utf-8") or (facts.bom and not header)
    return bool(mixed or other or facts.nuls or facts.long_lines)


def clean_copy(path: Path, out: Path, *, encoding: str, facts: TextFacts) -> CleanText:
    """Write the file to `out` as UTF-8 with plain newlines, without NUL bytes, without lines that hold no record.

    Raises
    ------
    ParameterError
        If the encoding is unknown.
    """
    actual = facts.bom or _known(encoding)
    repairs = []
    if codecs.lookup(actual).name != codecs.lookup(encoding).name:
        repairs.append(f"its byte order mark says {actual}, the mapping {encoding}: read as {actual}")
    if facts.nuls and not facts.bom.startswith(("utf-16", "utf-32")):
        repairs.append(f"{facts.nuls:,} NUL bytes removed")
    if facts.lone_cr or facts.crlf not in (0, facts.lines, facts.lines - facts.ends_open):
        repairs.append("mixed or old newlines made one")
    rejected: list[RejectedLine] = []
    with out.open("w", encoding="utf-8", newline="\n") as stream:
        for number, line in enumerate(_lines(path, actual), start=1):
            if line is None:
                rejected.append(RejectedLine(path.name, number, f"longer than {MAX_LINE >> 20} MB", ""))
            elif "�" in line:
                reason = f"holds bytes that are no {actual}"
                rejected.append(RejectedLine(path.name, number, reason, line[:EXCERPT]))
            else:
                stream.write(line.replace("\0", "") + "\n")
    return CleanText(out, repairs, rejected)


def guess_encoding(path: Path) -> str:
    """Return the first usual encoding that reads the beginning of a file without error, or ''."""
    with path.open("rb") as stream:
        head = stream.read(MAX_LINE)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    for name in _GUESSES:
        try:
            codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        return name
    return ""


def _known(encoding: str) -> str:
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ParameterError(
            f"encoding {encoding!r} is unknown; expected a name such as utf-8, gb18030, cp1250 or latin-1."
        ) from None
    return encoding


def _lines(path: Path, encoding: str) -> Iterator[str | None]:
    """Yield lines without their newline; None for one that is too long."""
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)(errors="replace")
    tail, too_long = "", False
    with path.open("rb") as stream:
        while True:
            chunk = stream.read(MAX_LINE)
            text = tail + decoder.decode(chunk, final=not chunk)
            held = "\r" if text.endswith("\r") and chunk else ""  # its newline may come with the next chunk
            if held:
                text = text[:-1]
            *lines, tail = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            for line in lines:
                yield None if too_long or len(line) > MAX_LINE else line
                too_long = False
            tail += held
            if len(tail) > MAX_LINE:
                tail, too_long = "", True
            if not chunk:
                if tail or too_long:
                    yield None if too_long else tail
                return
