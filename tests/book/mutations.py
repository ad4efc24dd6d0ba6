"""Broken deliveries by mutation: each case takes a clean delivery and breaks it in one way, the same way for the same seed.

`must` says what the outcome has to be where it is not open: "refused", "loaded", or "same" (loaded, and the book is the
clean one: what was wrong has been mended).
"""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from .crm_delivery import CRM, DIALECTS, ZH, Dialect, Row, write_table

HUGE_LINE = 100 << 20


class Broken:
    """A delivery to break: its folder, its rows, and chance."""

    def __init__(self, folder: Path, dialect: Dialect, rows: dict[str, list[Row]], rng: random.Random) -> None:
        self.folder, self.dialect, self.rng = folder, dialect, rng
        self.rows = copy.deepcopy(rows)

    def path(self, table: str) -> Path:
        """Return the (first) file of a table."""
        return sorted(self.folder.glob(self.dialect.files[table]))[0]

    def write(self, *tables: str) -> None:
        """Write tables anew from the rows."""
        for table in tables:
            write_table(self.folder, self.dialect, table, self.rows[table])

    def change(self, table: str, column: str, value: Any, *, share: float = 0.05) -> None:
        """Give a column of some rows another value; a function gets the old one."""
        rows = self.rows[table]
        for row in self.rng.sample(rows, max(1, round(share * len(rows)))):
            row[column] = value(row[column]) if callable(value) else value
        self.write(table)

    def bytes(self, table: str, change: Callable[[bytes], bytes]) -> None:
        """Change the bytes of a table's first file."""
        path = self.path(table)
        path.write_bytes(change(path.read_bytes()))

    def lines(self, table: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
        """Change the lines of a table's first file, each with its newline."""
        self.bytes(table, lambda data: b"".join(change(data.splitlines(keepends=True))))


@dataclass(frozen=True)
class Case:
    """One mutation."""

    family: str
    label: str
    dialect: Dialect
    apply: Callable[[Broken], None]
    share: float = 0.6
    must: str = ""
    append: bool = False


def texts(dialect: Dialect, *endings: str) -> list[str]:
    """Return the tables that a dialect writes as files of these endings."""
    return [table for table, name in dialect.files.items() if name.endswith(endings or ("csv", "jsonl"))]


def cases(seed: int = 1) -> list[Case]:
    """Return all cases, in a fixed order."""
    rng = random.Random(seed)
    return [case for family in FAMILIES for case in family(rng)]


def _each(*endings: str) -> Iterator[tuple[Dialect, str]]:
    for dialect in DIALECTS.values():
        for table in texts(dialect, *endings):
            yield dialect, table


def cuts(rng: random.Random) -> Iterator[Case]:
    """Files that end too early."""
    for dialect, table in _each("csv", "jsonl", "parquet", "xlsx"):
        for _turn in range(2):
            at = rng.random()
            yield Case(
                "cut at a random byte", f"{table} at {at:.0%}", dialect,
                lambda broken, table=table, at=at: broken.bytes(table, lambda data: data[: int(at * len(data))]),
                share=rng.choice([0.01, 0.6]),
            )  # fmt: skip
    for dialect, table in ((CRM, "customers"), (ZH, "customers")):
        for which in (3, 20, -1):

            def within(data: bytes, dialect: Dialect = dialect, which: int = which) -> bytes:
                text = data.decode(dialect.encoding)
                places = [at for at, sign in enumerate(text) if ord(sign) > 127]
                return text[: places[which] + 1].encode(dialect.encoding)[:-1]

            yield Case(
                "cut within a character", f"{table} character {which}", dialect,
                lambda broken, table=table, within=within: broken.bytes(table, within),
            )  # fmt: skip
    for dialect, table in _each():
        for keep in (0.5, 0.9):
            yield Case(
                "cut at the end of a line", f"{table} at {keep:.0%}", dialect,
                lambda broken, table=table, keep=keep: broken.lines(table, lambda all_: all_[: int(keep * len(all_))]),
                share=0.01,
            )  # fmt: skip
    for dialect, table in _each("csv", "jsonl", "parquet", "xlsx"):
        yield Case(
            "half of the rows missing", table, dialect,
            lambda broken, table=table: (broken.rows[table].__delitem__(slice(0, None, 2)), broken.write(table))[1],
            share=0.01,
        )  # fmt: skip
        yield Case(
            "one row missing", table, dialect,
            lambda broken, table=table: (broken.rows[table].pop(7), broken.write(table))[1], share=0.01,
        )  # fmt: skip


def encodings(_rng: random.Random) -> Iterator[Case]:
    """Other encodings, marks and newlines than the mapping says."""

    def recoded(encoding: str, mark: bytes = b"") -> Callable[[bytes, str], bytes]:
        return lambda data, was: mark + data.decode(was).encode(encoding, errors="replace")

    marked = {
        "utf-8 with a mark": ("utf-8", b"\xef\xbb\xbf"), "utf-16-le with a mark": ("utf-16-le", b"\xff\xfe"),
        "utf-16-be with a mark": ("utf-16-be", b"\xfe\xff"),
    }  # fmt: skip
    for dialect, table in _each():
        for name, (encoding, mark) in marked.items():
            change = recoded(encoding, mark)
            yield Case(
                "byte order mark", f"{table} {name}", dialect,
                lambda broken, table=table, change=change: broken.bytes(
                    table, lambda data: change(data, broken.dialect.encoding)
                ),
                must="same",
            )  # fmt: skip
    for dialect, table in ((CRM, "customers"), (ZH, "customers"), (CRM, "transactions"), (ZH, "events")):
        for encoding in ("cp1250", "latin-1", "utf-16-le", "gb18030", "utf-8"):
            if encoding != dialect.encoding:
                change = recoded(encoding)
                yield Case(
                    "wrong encoding", f"{table} {encoding}", dialect,
                    lambda broken, table=table, change=change: broken.bytes(
                        table, lambda data: change(data, broken.dialect.encoding)
                    ),
                )  # fmt: skip
    for dialect, table in _each():
        yield Case(
            "bytes of no encoding in a line", table, dialect,
            lambda broken, table=table: broken.lines(
                table, lambda all_: [*all_[:5], all_[5][:12] + b"\xff\xfe\x81" + all_[5][12:], *all_[6:]]
            ),
        )  # fmt: skip
        for name, old, new in (
            ("CRLF", b"\n", b"\r\n"), ("CR", b"\n", b"\r"),
        ):  # fmt: skip
            yield Case(
                "newlines", f"{table} {name}", dialect,
                lambda broken, table=table, old=old, new=new: broken.bytes(table, lambda data: data.replace(old, new)),
                must="same",
            )  # fmt: skip

        def mixed(all_: list[bytes]) -> list[bytes]:
            ends = [b"\n", b"\r\n", b"\r"]
            return [line.rstrip(b"\n") + ends[number % 3] for number, line in enumerate(all_)]

        yield Case(
            "newlines", f"{table} mixed", dialect,
            lambda broken, table=table: broken.lines(table, mixed), must="same",
        )  # fmt: skip
        yield Case(
            "blank lines", table, dialect,
            lambda broken, table=table: broken.lines(
                table, lambda all_: [all_[0], b"\n", *all_[1:9], b"\n\n", *all_[9:], b"\n\n\n"]
            ),
            must="same",
        )  # fmt: skip


def noise(rng: random.Random) -> Iterator[Case]:
    """NUL bytes, flipped bytes, control characters, lines that do not belong."""
    for dialect, table in _each():
        place = rng.randrange(400, 900)
        yield Case(
            "NUL bytes", f"{table} in a row", dialect,
            lambda broken, table=table, place=place: broken.bytes(
                table, lambda data: data[:place] + b"\0\0\0" + data[place:]
            ),
            must="same",
        )  # fmt: skip
        yield Case(
            "NUL bytes", f"{table} a tail of them", dialect,
            lambda broken, table=table: broken.bytes(table, lambda data: data + b"\0" * 4096), must="same",
        )  # fmt: skip
    for dialect, table in _each("csv", "jsonl", "parquet", "xlsx"):
        for _turn in range(2):
            seed = rng.random()

            def flipped(data: bytes, seed: float = seed) -> bytes:
                chance = random.Random(seed)
                changed = bytearray(data)
                for _number in range(5):
                    changed[chance.randrange(len(changed))] = chance.randrange(256)
                return bytes(changed)

            yield Case(
                "flipped bytes", table, dialect,
                lambda broken, table=table, flipped=flipped: broken.bytes(table, flipped),
            )  # fmt: skip
    strays = {
        "a total at the end": lambda all_: [*all_, b"TOTAL 300 rows\n"],
        "a title at the beginning": lambda all_: [b"Export of 2024-03-10\n", *all_],
        "a web page": lambda _all: [b"<html><body>503 Service Unavailable</body></html>\n"],
        "a stray quote": lambda all_: [*all_[:4], all_[4].replace(b"0", b'0"', 1), *all_[5:]],
        "one field too many": lambda all_: [*all_[:4], all_[4].rstrip(b"\n") + b",x;y\n", *all_[5:]],
        "a line torn in two": lambda all_: [*all_[:4], all_[4][:9] + b"\n", all_[4][9:], *all_[5:]],
        "two lines as one": lambda all_: [*all_[:4], all_[4].rstrip(b"\n") + all_[5], *all_[6:]],
        "a line of delimiters": lambda all_: [*all_[:4], b",,,,,;;;;;\n", *all_[4:]],
        "control characters": lambda all_: [*all_[:4], all_[4].replace(b"0", b"\x07\x1b[31m0", 1), *all_[5:]],
    }
    for dialect, table in ((CRM, "customers"), (CRM, "payments"), (CRM, "transactions"), (ZH, "loans"), (ZH, "events")):
        for name, change in strays.items():
            yield Case(
                "stray lines", f"{table} {name}", dialect,
                lambda broken, table=table, change=change: broken.lines(table, change),
                must="refused" if name == "a web page" else "",
            )  # fmt: skip


def quotes(rng: random.Random) -> Iterator[Case]:
    """Quotes that are never closed, and quotes as they should be."""
    for dialect, table in _each("csv"):
        sign = dialect.delimiter.encode()
        for at in (2, rng.randrange(10, 50), -1):

            def opened(all_: list[bytes], at: int = at, sign: bytes = sign) -> list[bytes]:
                changed = list(all_)
                changed[at] = changed[at].replace(sign, sign + b'"', 1)
                return changed

            yield Case(
                "open quote", f"{table} line {at}", dialect,
                lambda broken, table=table, opened=opened: broken.lines(table, opened),
                share=rng.choice([0.01, 0.999]),
            )  # fmt: skip
    for dialect in (CRM, ZH):
        yield Case(
            "line break in quotes", "customers", dialect,
            lambda broken: broken.change("customers", "region", 'two\nlines, "quoted"; and more'), must="loaded",
        )  # fmt: skip


def long_lines(_rng: random.Random) -> Iterator[Case]:
    """One line of 100 MB."""

    def insert(text: bytes, *, at: int = 5, newline: bytes = b"\n") -> Callable[[Broken, str], None]:
        def change(broken: Broken, table: str) -> None:
            path = broken.path(table)
            lines = path.read_bytes().splitlines(keepends=True)
            head, tail = (lines[:at], lines[at:]) if at >= 0 else (lines, [])
            with path.open("wb") as stream:
                stream.write(b"".join(head))
                for _chunk in range(100):
                    stream.write(text * ((1 << 20) // len(text)))
                stream.write(newline + b"".join(tail))

        return change

    for dialect, table, name, change in (
        (CRM, "payments", "garbage", insert(b"x")),
        (CRM, "payments", "delimiters", insert(b",")),
        (CRM, "customers", "within quotes", insert(b'C9999,"xxxxxxxx')),
        (CRM, "instalments", "at the end, cut", insert(b"y", at=-1, newline=b"")),
        (CRM, "transactions", "of JSON", insert(b'{"tx_no": ')),
        (CRM, "transactions", "NUL bytes at the end", insert(b"\0", at=-1, newline=b"")),
        (ZH, "customers", "Chinese", insert("王".encode("gb18030"))),
        (ZH, "loans", "at the end, cut", insert(b"y;", at=-1, newline=b"")),
        (ZH, "events", "in the first place", insert(b"[", at=0)),
        (CRM, "payments", "in the first place", insert(b"h,", at=0)),
    ):
        yield Case(
            "line of 100 MB",
            f"{table} {name}",
            dialect,
            lambda broken, table=table, change=change: change(broken, table),
        )


def headers(_rng: random.Random) -> Iterator[Case]:
    """Headers that are missing, doubled, renamed, moved."""

    def head(change: Callable[[list[str]], list[str]]) -> Callable[[Broken, str], None]:
        def apply(broken: Broken, table: str) -> None:
            sign = broken.dialect.delimiter
            broken.lines(
                table,
                lambda all_: [(sign.join(change(all_[0].decode().strip().split(sign))) + "\n").encode(), *all_[1:]],
            )

        return apply

    for dialect, table in _each("csv"):
        several = "*" in dialect.files[table]  # one file of several: the others may make up for it
        for name, must, change in (
            ("in capitals", "same", head(lambda names: [one.upper() for one in names])),
            ("with blanks around", "same", head(lambda names: [f" {one} " for one in names])),
            ("a blank name", "refused", head(lambda names: ["", *names[1:]])),
            ("a name twice", "refused", head(lambda names: [names[0], *names[:-1]])),
            ("a name mistyped", "refused", head(lambda names: [names[0][:-1], *names[1:]])),
            ("a name too many", "refused", head(lambda names: [*names, "extra"])),
            ("a name too few", "refused", head(lambda names: names[:-1])),
            ("first two swapped", "", head(lambda names: [names[1], names[0], *names[2:]])),
            ("last two swapped", "", head(lambda names: [*names[:-2], names[-1], names[-2]])),
        ):
            yield Case(
                "header", f"{table} {name}", dialect, lambda broken, table=table, change=change: change(broken, table),
                must="" if several and must == "refused" else must,
            )  # fmt: skip
        yield Case(
            "header", f"{table} missing", dialect, lambda broken, table=table: broken.lines(table, lambda all_: all_[1:]),
            must="" if several else "refused",
        )  # fmt: skip
        yield Case(
            "header", f"{table} doubled", dialect,
            lambda broken, table=table: broken.lines(table, lambda all_: [all_[0], *all_]),
        )  # fmt: skip
        yield Case(
            "header", f"{table} again in the middle", dialect,
            lambda broken, table=table: broken.lines(table, lambda all_: [*all_[:20], all_[0], *all_[20:]]),
        )  # fmt: skip
        sign = b";" if dialect.delimiter == "," else b","
        yield Case(
            "wrong delimiter", table, dialect,
            lambda broken, table=table, sign=sign: broken.bytes(
                table, lambda data: data.replace(broken.dialect.delimiter.encode(), sign)
            ),
            must="" if several else "refused",
        )  # fmt: skip


def columns(rng: random.Random) -> Iterator[Case]:
    """Columns that are missing, added, swapped, in any format."""
    for dialect in DIALECTS.values():
        for table, rows in _templates(dialect).items():
            names = list(rows[0])
            one, other = rng.sample(names, 2)

            def swapped(broken: Broken, table: str = table, one: str = one, other: str = other) -> None:
                for row in broken.rows[table]:
                    row[one], row[other] = row[other], row[one]
                broken.write(table)

            def some(broken: Broken, table: str = table, one: str = one, other: str = other) -> None:
                for row in broken.rows[table][::9]:
                    row[one], row[other] = row[other], row[one]
                broken.write(table)

            def without(broken: Broken, table: str = table, one: str = one) -> None:
                broken.rows[table] = [{n: v for n, v in row.items() if n != one} for row in broken.rows[table]]
                broken.write(table)

            def added(broken: Broken, table: str = table) -> None:
                broken.rows[table] = [{"new_one": 1, **row} for row in broken.rows[table]]
                broken.write(table)

            yield Case("columns swapped", f"{table} {one}, {other}", dialect, swapped)
            yield Case("columns swapped in some rows", f"{table} {one}, {other}", dialect, some)
            yield Case("column missing", f"{table} {one}", dialect, without, must="refused")
            yield Case("column added", table, dialect, added, must="same")
        yield Case(
            "columns swapped", "customers region, segment", dialect,
            lambda broken: _swap(broken, "customers", "region", "segment"),
        )  # fmt: skip
        yield Case(
            "columns swapped",
            "performance due, paid",
            dialect,
            lambda broken: _swap(broken, "performance", "due", "paid"),
        )


def _swap(broken: Broken, table: str, one: str, other: str) -> None:
    for row in broken.rows[table]:
        row[one], row[other] = row[other], row[one]
    broken.write(table)


def _templates(dialect: Dialect) -> dict[str, list[Row]]:
    from .crm_delivery import clean_rows

    return clean_rows(dialect, customers=2)


def values(rng: random.Random) -> Iterator[Case]:
    """Values that are none, or mean something else."""
    numbers = [
        "NaN", "inf", "-Infinity", "1e308", "1e17", "-1e17", "1,234.56", "12.345.678,90", "€ 12", "0x10", "--5", "5-",
        "N/A", "-", "#REF!", "１２", "٣", "1e400", "9" * 40, "1/2", "12 CZK", "true", "1.5.2024",
    ]  # fmt: skip
    money = [
        ("customers", "income"), ("loans", "principal"), ("payments", "amount"), ("transactions", "amount"),
        ("performance", "balance"), ("instalments", "amount"), ("loans", "rate"), ("loans", "term"), ("performance", "dpd"),
        ("instalments", "version"),
    ]  # fmt: skip
    for number, text in enumerate(numbers):
        table, column = money[number % len(money)]
        for dialect in (CRM, ZH):
            yield Case(
                "no numbers", f"{table}.{column} {text[:12]}", dialect,
                lambda broken, table=table, column=column, text=text: broken.change(table, column, text),
                append=number % 3 == 0,
            )  # fmt: skip
    for table, column in (
        ("loans", "principal"),
        ("instalments", "amount"),
        ("payments", "amount"),
        ("performance", "balance"),
    ):
        for dialect in (CRM, ZH):
            for share in (0.05, 1.0):
                yield Case(
                    "negative amounts", f"{table}.{column} {share:.0%}", dialect,
                    lambda broken, table=table, column=column, share=share: broken.change(
                        table, column, lambda value: -value, share=share
                    ),
                )  # fmt: skip
        yield Case(
            "amounts in cents", f"{table}.{column}", CRM,
            lambda broken, table=table, column=column: broken.change(table, column, lambda value: value * 100, share=1.0),
        )  # fmt: skip
    for table, column in (
        ("customers", "cust_no"), ("customers", "full_name"), ("customers", "region"), ("loans", "product"),
        ("transactions", "category"), ("events", "kind"), ("payments", "pay_no"),
    ):  # fmt: skip
        for dialect in (CRM, ZH):
            yield Case(
                "formula text", f"{table}.{column}", dialect,
                lambda broken, table=table, column=column: broken.change(
                    table, column, lambda value: f"=cmd|' /C calc'!A{broken.rng.randrange(10**6)}"
                ),
            )  # fmt: skip
    long, odd = "长" * 5000, "a\u202eb\U0001f600\u00a0\u200b'; DROP TABLE loans; --"
    for table, column, text in (
        ("customers", "region", long), ("customers", "cust_no", long), ("transactions", "category", long),
        ("events", "kind", odd), ("customers", "full_name", odd), ("loans", "product", odd), ("payments", "kind", "Scheduled"),
        ("payments", "kind", ""), ("customers", "sex", "X"), ("loans", "reason", "gone"), ("loans", "cust_no", " "),
        ("payments", "pay_no", None), ("customers", "cust_no", None), ("instalments", "number", None),
        ("transactions", "tx_no", "\t"), ("loans", "loan_no", "l0001"),
    ):  # fmt: skip
        for dialect in (CRM, ZH):
            yield Case(
                "odd texts", f"{table}.{column} {str(text)[:10]!r}", dialect,
                lambda broken, table=table, column=column, text=text: broken.change(table, column, text),
            )  # fmt: skip
    del rng


def dates(rng: random.Random) -> Iterator[Case]:
    """Days that never were, in other formats, shifted, and known too early or late."""
    texts_ = [
        "2024-02-30", "0001-01-01", "9999-12-31", "0000-00-00", "45321", "1710000000", "2024-13-01", "tomorrow", "31/12/2023",
        "12-31-2023", "Jan 5, 2024", "infinity", "epoch", "5.1.24", "2024-01-05T10:00:00Z", "20240105", "24-01-05",
    ]  # fmt: skip
    places = [
        ("customers", "birth"), ("loans", "opened"), ("instalments", "due"), ("payments", "paid_at"),
        ("performance", "month_end"), ("transactions", "booked_at"), ("events", "occurred_at"), ("customers", "updated_at"),
        ("loans", "closed"),
    ]  # fmt: skip
    for number, text in enumerate(texts_):
        for dialect in (CRM, ZH):
            table, column = places[(number + (dialect is ZH)) % len(places)]
            yield Case(
                "impossible dates", f"{table}.{column} {text}", dialect,
                lambda broken, table=table, column=column, text=text: broken.change(table, column, text),
                append=number % 4 == 0,
            )  # fmt: skip
    for table, column in places:
        dialect = rng.choice([CRM, ZH])
        yield Case(
            "dates in another format", f"{table}.{column}", dialect,
            lambda broken, table=table, column=column: broken.change(
                table, column, lambda value: value and value.strftime("%m/%d/%Y"), share=1.0
            ),
            share=0.01,
        )  # fmt: skip
    for dialect in (CRM, ZH):
        for days, append in ((31, False), (-31, False), (31, True), (400, False), (-36500, False)):
            yield Case(
                "all dates shifted", f"by {days} days{', append' if append else ''}", dialect,
                lambda broken, days=days: _shift(broken, days), append=append,
            )  # fmt: skip
        yield Case(
            "known in the future", "customers.updated_at", dialect,
            lambda broken: broken.change("customers", "updated_at", datetime(2031, 1, 1)),
        )  # fmt: skip
        yield Case(
            "paid before the loan", "payments", dialect,
            lambda broken: broken.change("payments", "paid_at", datetime(2019, 1, 1, 9)),
        )  # fmt: skip
        yield Case(
            "paid before the loan", "one payment", dialect,
            lambda broken: broken.change("payments", "paid_at", datetime(2019, 1, 1, 9), share=0.0),
        )  # fmt: skip


def _shift(broken: Broken, days: int) -> None:
    for rows in broken.rows.values():
        for row in rows:
            for name, value in row.items():
                if isinstance(value, date):
                    row[name] = value + timedelta(days=days)
    broken.write(*broken.rows)


def keys(rng: random.Random) -> Iterator[Case]:
    """Keys twice, keys of nobody, keys written otherwise."""
    for dialect in DIALECTS.values():
        for table, rows in _templates(dialect).items():
            names = list(rows[0])
            content = {"customers": "region", "loans": "principal", "instalments": "amount", "payments": "amount",
                       "performance": "balance", "transactions": "amount", "events": "kind"}[table]  # fmt: skip

            def doubled(broken: Broken, table: str = table) -> None:
                broken.rows[table] += broken.rng.sample(broken.rows[table], 6)
                broken.write(table)

            def contradicting(broken: Broken, table: str = table, content: str = content) -> None:
                for row in broken.rng.sample(broken.rows[table], 3):
                    other = "other" if isinstance(row[content], str) else row[content] + 1
                    broken.rows[table].append({**row, content: other})
                broken.write(table)

            append = rng.random() < 0.3
            yield Case(
                "rows twice", f"{table}{', append' if append else ''}", dialect, doubled, append=append, must="loaded"
            )
            yield Case(
                "rows contradict", f"{table}{', append' if append else ''}", dialect, contradicting, append=append
            )
            del names
        for table, column in (
            ("loans", "cust_no"), ("payments", "loan_no"), ("instalments", "loan_no"), ("performance", "loan_no"),
            ("transactions", "cust_no"), ("events", "cust_no"),
        ):  # fmt: skip
            for name, change, share in (
                ("unknown", lambda value: f"X{value}", 0.05),
                ("in small letters", str.lower, 1.0),
                ("with blanks", lambda value: f"  {value} ", 1.0),
                ("with a tab and a no-break space", lambda value: f"{value}\u00a0\t", 1.0),
            ):
                yield Case(
                    "orphans", f"{table}.{column} {name}", dialect,
                    lambda broken, table=table, column=column, change=change, share=share: broken.change(
                        table, column, change, share=share
                    ),
                    must="same" if name == "with blanks" else "",
                )  # fmt: skip
        for text, share in (("EUR", 0.05), ("EUR", 1.0), (None, 0.05), ("czk", 0.05)):
            yield Case(
                "currency", f"{text} {share:.0%}", dialect,
                lambda broken, text=text, share=share: broken.change("payments", "ccy", text, share=share),
                share=rng.choice([0.01, 0.6]),
            )  # fmt: skip


def files(_rng: random.Random) -> Iterator[Case]:
    """Files that are none."""

    def directory(path: Path) -> None:
        path.unlink()
        path.mkdir()

    def only_header(path: Path) -> None:
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])

    def other(text: bytes) -> Callable[[Path], None]:
        return lambda path: path.write_bytes(text) and None

    for dialect, table in _each("csv", "jsonl", "parquet", "xlsx"):
        for name, change in (
            ("removed", Path.unlink),
            ("a directory", directory),
            ("empty", other(b"")),
            ("gzip under the old name", lambda path: path.write_bytes(gzip.compress(path.read_bytes())) and None),
            ("blanks only", other(b"  \n \n\n")),
            ("a link to nowhere", lambda path: (path.unlink(), path.symlink_to("nowhere"))[1]),
        ):
            if name == "removed" and "*" in dialect.files[table]:
                continue
            yield Case(
                "no such file", f"{table} {name}", dialect,
                lambda broken, table=table, change=change: change(broken.path(table)),
                must="" if "*" in dialect.files[table] else "refused",
            )  # fmt: skip
    for dialect, table in _each("csv"):
        yield Case(
            "only a header", table, dialect, lambda broken, table=table: only_header(broken.path(table)), share=0.01
        )
    yield Case(
        "two files, other headers", "performance, a column fewer", CRM,
        lambda broken: _other_header(broken, lambda row: {n: v for n, v in row.items() if n != "dpd"}), must="",
    )  # fmt: skip
    yield Case(
        "two files, other headers", "performance, another order", CRM,
        lambda broken: _other_header(broken, lambda row: dict(reversed(row.items()))), must="same",
    )  # fmt: skip
    yield Case(
        "two files, other headers", "performance, a column more", CRM,
        lambda broken: _other_header(broken, lambda row: {**row, "note": "x"}), must="same",
    )  # fmt: skip
    yield Case(
        "two files, the same rows", "performance", CRM,
        lambda broken: (broken.folder / "performance-3.csv").write_bytes(broken.path("performance").read_bytes()) and None,
        must="same",
    )  # fmt: skip
    yield Case(
        "two files, one of another kind", "performance", CRM,
        lambda broken: (broken.folder / "performance-3.csv").write_bytes((broken.folder / "loans.parquet").read_bytes())
        and None,
    )  # fmt: skip


def _other_header(broken: Broken, change: Callable[[Row], Row]) -> None:
    half = len(broken.rows["performance"]) // 2
    rows = [change(row) for row in broken.rows["performance"][half:]]
    write_table(broken.folder, broken.dialect, "performance", rows, "performance-2.csv")


def parquets(_rng: random.Random) -> Iterator[Case]:
    """Parquet files whose columns have other types."""

    def cast(name: str, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
        return lambda table: table.set_column(table.column_names.index(name), name, table[name].cast(kind, safe=False))

    def put(name: str, value: Any) -> Callable[[pa.Table], pa.Table]:
        return lambda table: table.set_column(
            table.column_names.index(name), name, pa.array([value(old) for old in table[name].to_pylist()])
        )

    for name, must, change in (
        ("principal as double", "same", cast("principal", pa.float64())),
        ("principal as text", "same", cast("principal", pa.string())),
        ("principal as decimal(38,10)", "same", cast("principal", pa.decimal128(38, 10))),
        ("principal as float", "", cast("principal", pa.float32())),
        ("opened as timestamp", "same", cast("opened", pa.timestamp("ns"))),
        ("opened as text", "same", cast("opened", pa.string())),
        ("opened as days", "refused", cast("opened", pa.int32())),
        ("opened as seconds, far off", "refused", put("opened", lambda _old: 10**15)),
        ("term as text", "same", cast("term", pa.string())),
        ("term as double", "same", cast("term", pa.float64())),
        ("loan_no as dictionary", "same", lambda t: t.set_column(0, "loan_no", t["loan_no"].dictionary_encode())),
        ("loan_no as binary", "", cast("loan_no", pa.binary())),
        ("loan_no as list", "", put("loan_no", lambda old: [old])),
        ("loan_no as struct", "", put("loan_no", lambda old: {"id": old})),
        ("principal as NaN", "", put("principal", lambda _old: float("nan"))),
        ("principal infinite", "", put("principal", lambda _old: float("inf"))),
        ("rate as 1e308", "", put("rate", lambda _old: 1e308)),
        ("no rows", "refused", lambda table: table.slice(0, 0)),
        ("all null", "refused", lambda table: pa.table({n: pa.nulls(table.num_rows) for n in table.column_names})),
        ("columns in another order", "same", lambda table: table.select(list(reversed(table.column_names)))),
        ("in capitals", "same", lambda table: table.rename_columns([name.upper() for name in table.column_names])),
        ("a name twice", "", lambda table: table.append_column("opened", table["closed"])),
    ):
        yield Case(
            "Parquet", f"loans {name}", CRM,
            lambda broken, change=change: pq.write_table(
                change(pq.read_table(broken.path("loans"))), broken.path("loans")
            ),
            must=must,
        )  # fmt: skip


def sheets(_rng: random.Random) -> Iterator[Case]:
    """Excel files as people make them."""

    def edit(change: Callable[[Any], None]) -> Callable[[Broken, str], None]:
        def apply(broken: Broken, table: str) -> None:
            book = openpyxl.load_workbook(broken.path(table))
            change(book)
            book.save(broken.path(table))

        return apply

    def cell(place: str, value: Any) -> Callable[[Any], None]:
        return lambda book: setattr(book.worksheets[0][place], "value", value)

    def titled(book: Any) -> None:
        book.worksheets[0].insert_rows(1, 2)
        book.worksheets[0]["A1"].value = "Title"

    for dialect, table in ((CRM, "events"), (ZH, "performance")):
        for name, must, change in (
            ("another sheet first", "refused", edit(lambda book: book.create_sheet("cover", 0))),
            ("another sheet last", "same", edit(lambda book: book.create_sheet("notes"))),
            ("title rows above", "refused", edit(titled)),
            ("blank rows between", "same", edit(lambda book: book.worksheets[0].insert_rows(7, 3))),
            ("blank columns after", "same", edit(cell("L500", " "))),
            ("a column inserted", "same", edit(lambda book: book.worksheets[0].insert_cols(2))),
            ("cells merged", "", edit(lambda book: book.worksheets[0].merge_cells("A3:B4"))),
            ("a formula", "", edit(cell("A5", "=A4"))),
            ("an error", "", edit(cell("C5", "#N/A"))),
            ("a number for text", "", edit(cell("A5", 17))),
            ("true for text", "", edit(cell("A5", True))),
            ("a serial for a date", "", edit(cell("C5" if table == "events" else "B5", 45321))),
            ("only a header", "", edit(lambda book: book.worksheets[0].delete_rows(2, 10**4))),
            ("no cell", "refused", edit(lambda book: book.worksheets[0].delete_rows(1, 10**4))),
            ("a name twice", "refused", edit(lambda book: cell("B1", book.worksheets[0]["A1"].value)(book))),
            ("a total below", "", edit(lambda book: book.worksheets[0].append(["Total", None, None, 60]))),
            ("a break in a cell", "", edit(cell("D5", "two\nlines"))),
        ):  # fmt: skip
            yield Case(
                "Excel", f"{table} {name}", dialect, lambda broken, table=table, change=change: change(broken, table),
                must=must,
            )  # fmt: skip


def json_lines(_rng: random.Random) -> Iterator[Case]:
    """JSON lines as systems write them."""

    def row(change: Callable[[Row], Any], at: slice = slice(4, None, 50)) -> Callable[[list[bytes]], list[bytes]]:
        def apply(all_: list[bytes]) -> list[bytes]:
            changed = list(all_)
            for number in range(*at.indices(len(all_))):
                value = change(json.loads(all_[number]))
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
                changed[number] = text.encode() + b"\n"
            return changed

        return apply

    every = slice(None)
    for name, must, change in (
        ("broken objects", "loaded", row(lambda found: json.dumps(found)[:-9])),
        ("arrays", "loaded", row(lambda found: [found])),
        ("numbers as texts", "", row(lambda found: {**found, "amount": str(found["amount"])})),
        ("texts as numbers", "", row(lambda found: {**found, "cust_no": 17})),
        ("objects for numbers", "", row(lambda found: {**found, "amount": {"value": found["amount"], "ccy": "CZK"}})),
        ("lists for texts", "", row(lambda found: {**found, "channel": ["app", "card"]})),
        ("keys missing", "", row(lambda found: {k: v for k, v in found.items() if k != "amount"})),
        ("a key missing everywhere", "refused", row(lambda found: {k: v for k, v in found.items() if k != "balance"}, every)),
        ("keys more", "same", row(lambda found: {**found, "note": {"a": [1]}})),
        ("keys in another order", "same", row(lambda found: dict(reversed(found.items())), every)),
        ("a key twice", "", row(lambda found: json.dumps(found)[:-1] + ', "amount": 1}')),
        ("keys in capitals", "", row(lambda found: {k.upper(): v for k, v in found.items()}, every)),
        ("keys in both cases", "", row(lambda found: {**found, "AMOUNT": 1})),
        ("NaN", "loaded", row(lambda found: {**found, "amount": float("nan")})),
        ("1e400", "", row(lambda found: json.dumps({**found, "amount": 0}).replace('"amount": 0', '"amount": 1e400'))),
        ("30 digits", "", row(lambda found: {**found, "amount": 10**30})),
        ("30 digits everywhere", "", row(lambda found: {**found, "amount": 10**30}, every)),
        ("NUL within", "", row(lambda found: {**found, "channel": "a\0b"})),
        ("half a surrogate", "", row(lambda found: {**found, "channel": "a\ud800b"})),
        ("true for a number", "", row(lambda found: {**found, "amount": True})),
        ("null everywhere", "", row(lambda found: {**found, "channel": None}, every)),
        ("one array", "refused", lambda all_: [b"[\n", b",\n".join(line.strip() for line in all_), b"\n]\n"]),
        ("indented", "refused", lambda all_: [json.dumps(json.loads(line), indent=1).encode() + b"\n" for line in all_]),
        ("deeply nested", "", row(lambda found: '{"tx_no": ' + "[" * 2000 + "]" * 2000 + "}")),
        ("with commas after", "", lambda all_: [line.rstrip(b"\n") + b",\n" for line in all_]),
    ):  # fmt: skip
        yield Case(
            "JSON lines", f"transactions {name}", CRM,
            lambda broken, change=change: broken.lines("transactions", change), must=must,
        )  # fmt: skip


FAMILIES = [
    cuts, encodings, noise, quotes, long_lines, headers, columns, values, dates, keys, files, parquets, sheets, json_lines,
]  # fmt: skip
