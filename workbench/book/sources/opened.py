"""What every kind of file shares: the source as a view, its files looked through, and names and texts as SQL."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.book.mapping import Source
from workbench.book.sources.text_files import CleanText, RejectedLine, TextFacts, clean_copy, inspect, needs_cleaning
from workbench.core.errors import BookError, nearest

FILE_COLUMN = "_file"


@dataclass
class Opened:
    """A source that is a view by now: what it is made of, and what was noticed on the way.

    `lines` counts the records that the files hold by their newlines; None where the format counts them itself.
    """

    name: str
    files: list[dict[str, Any]] = field(default_factory=list)  # path, size, sha256
    lines: int | None = None
    repairs: list[str] = field(default_factory=list)
    rejected: list[RejectedLine] = field(default_factory=list)
    has_file_column: bool = False
    structure: str = ""  # of JSON objects

    @property
    def rejects_table(self) -> str:
        """Table in which DuckDB notes the lines of this source that it could not read; a mapping's names need no quotes."""
        return f"_lines_{self.name}"

    @property
    def rejects_options(self) -> str:
        """Options of `read_csv` that note unreadable lines there."""
        return (
            f"store_rejects = true, rejects_table = '{self.rejects_table}', rejects_scan = '{self.rejects_table}_scan', "
            "rejects_limit = 0"
        )

    def note_file(self, path: Path) -> None:
        """Note a file that the source is made of."""
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self.files.append({"path": str(path), "size": path.stat().st_size, "sha256": sha256})

    def note_lacking(self, columns: Mapping[Path, Collection[str]]) -> None:
        """Note which files lack columns that other files of the source have; upper and lower case are one."""
        lower = {path: {name.lower() for name in names} for path, names in columns.items()}
        everywhere = set().union(*lower.values())
        for path, names in lower.items():
            if lacking := len(everywhere - names):
                what = f"{lacking} columns that other files of this source have are missing: left empty"
                self.repairs.append(f"{path.name}: {what}")


@dataclass(frozen=True)
class Readable:
    """A delivered file, and the path to read in its place: its own, or that of a text made from it."""

    delivered: Path
    path: Path
    facts: TextFacts

    @property
    def is_copy(self) -> bool:
        """Whether another file is read in place of the delivered one."""
        return self.path != self.delivered


def looked_through(
    opened: Opened,
    delivered: Path,
    source: Source,
    folder: Path,
    *,
    text: Path | None = None,
    newline_only: bool = False,
) -> Readable:
    """Inspect a file, or the `text` that was made of it; write a clean copy of the same name where a reader would stumble.

    Parameters
    ----------
    folder
        Folder of this file alone for the copy.
    newline_only
        Whether the reader takes no other line end than a newline.

    Raises
    ------
    BookError
        If the file is empty.
    """
    path = text or delivered
    facts = inspect(path)
    if text is None:
        opened.files.append({"path": str(delivered), "size": facts.size, "sha256": facts.sha256})
    if not facts.size:
        raise BookError(f"{delivered}: the file is empty. Deliver it again, or take it out of sources.{opened.name}.")
    if facts.ends_open:
        opened.repairs.append(f"{delivered.name}: the last line has no newline: the file may have been cut")
    if facts.bom == "utf-8":
        opened.repairs.append(f"{delivered.name}: a byte order mark was skipped")
    if not needs_cleaning(facts, encoding=source.encoding, header=source.header) and not (newline_only and facts.crlf):
        return Readable(delivered, path, facts)
    copy = folder / "clean" / delivered.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    clean: CleanText = clean_copy(path, copy, encoding=source.encoding, facts=facts)
    opened.repairs += [f"{delivered.name}: {repair}" for repair in clean.repairs]
    opened.rejected += clean.rejected
    if facts.bom.startswith(("utf-16", "utf-32")) or facts.lone_cr or not facts.lines:
        facts = TextFacts(**{**vars(facts), "lines": inspect(copy).lines + len(clean.rejected)})
    return Readable(delivered, copy, facts)


def delivered_name(files: Sequence[Readable]) -> str:
    """Return SQL for the path of the delivered file that a row came from, where DuckDB tells the path that it read."""
    whens = [f"WHEN {literal(str(file.path))} THEN {literal(str(file.delivered))}" for file in files if file.is_copy]
    return f"CASE {FILE_COLUMN} {' '.join(whens)} ELSE {FILE_COLUMN} END" if whens else FILE_COLUMN


def quoted(name: str) -> str:
    """Return a name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def listed(paths: Sequence[Path]) -> str:
    """Return paths as a SQL list."""
    return "[" + ", ".join(literal(str(path)) for path in paths) + "]"


def refuse_doubled(path: Path, names: Sequence[str], *, remedy: str) -> None:
    """Refuse a file in which two columns have one name; the names may be a customer's values, so they are not shown.

    Raises
    ------
    BookError
        With the places of the two columns.
    """
    seen: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        if name.lower() in seen:
            raise BookError(
                f"{path}: columns {seen[name.lower()]} and {place} have the same name; expected each column once. {remedy}"
            )
        seen[name.lower()] = place


def unknown_column(name: str, columns: Sequence[str], *, words: str) -> str:
    """Return the sentence for a column that a source lacks; `words` are the names that the mapping uses.

    Where they are not among the columns, the file may have no header, and its columns be called as a customer is.
    """
    used = {word.lower() for word in re.findall(r"\w+", words)}
    known = [column for column in columns if column.lower() in used]
    if len(known) >= 2 or 2 * len(known) >= len(columns):
        return f"unknown column {name!r}.{nearest(name, columns)} The source has: {', '.join(columns)}."
    return (
        f"unknown column {name!r}. The source has {len(columns)} columns, and their names are not those that the mapping "
        "uses. Mend delimiter or encoding in the mapping; where the file has no header line, set header: false and columns."
    )
