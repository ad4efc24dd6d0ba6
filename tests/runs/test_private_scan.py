"""Nothing that the demo left outside the book itself holds a customer's name, phone, email or national id."""

from __future__ import annotations

import html
import json
import re
import shutil
import sqlite3
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import nbformat
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from workbench.book.schema import TABLES

from ..pipeline import Lender

pytestmark = pytest.mark.slow
PRIVATE = [column.name for column in TABLES["customers"].columns if column.role == "private"]
PLAIN = {".csv", ".html", ".log", ".lock", ".md", ".py", ".txt", ".yaml", ".yml", ".png", ".svg", ""}
HEAD = 6  # characters by which values are looked up


def private_values(home: Path) -> list[str]:
    """Return every private value of every version of every customer, straight from the files."""
    found: set[str] = set()
    for path in home.glob("data/books/*/generations/*/customers*.parquet"):
        for column in pq.read_table(path, columns=PRIVATE).columns:
            found.update(value for value in column.unique().to_pylist() if value)
    return sorted(found)


def spellings(value: str) -> set[str]:
    """Return how a value may stand in a file: as it is, escaped, or a number without its spaces."""
    bare = re.sub(r"\W", "", value) if value.startswith("+") else value
    return {text.casefold() for text in (value, json.dumps(value)[1:-1], quote(value), bare)}


class Scan:
    """Finds any of many values in a text, in one pass."""

    def __init__(self, values: list[str]) -> None:
        self.short: dict[str, str] = {}
        self.by_head: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for value in values:
            for text in spellings(value):
                (self.short if len(text) < HEAD else self.by_head[text[:HEAD]])[text] = value

    def values_in(self, text: str) -> set[str]:
        """Return the values that the text holds, in any spelling and case."""
        text = text.casefold()
        found = {value for short, value in self.short.items() if short in text}
        for at in range(len(text) - HEAD + 1):
            longer = self.by_head.get(text[at : at + HEAD])
            if longer:
                found.update(value for spelling, value in longer.items() if text.startswith(spelling, at))
        return found

    def found_below(self, folder: Path) -> dict[str, set[str]]:
        """Return the values found by file, the book's own tables apart."""
        found = {}
        for path in sorted(folder.rglob("*")):
            own = path.match("data/books/*/generations/*/*.parquet") or path.parent.name == "truth"
            if path.is_file() and not own:
                name = str(path.relative_to(folder))
                values = self.values_in(name).union(*(self.values_in(text) for text in texts(path)))
                if values:
                    found[name] = values
        return found


def texts(path: Path) -> Iterator[str]:
    """Yield everything a file says; fails for a kind that this cannot read, since it would pass unseen."""
    raw = path.read_bytes()
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        yield str(file.schema_arrow.metadata)
        for column in file.read().columns:
            yield "\n".join({str(value) for value in column.to_pylist()})
    elif path.suffix in (".xlsx", ".zip"):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield html.unescape(archive.read(name).decode("utf-8", "replace"))
    elif raw.startswith(b"SQLite format 3\0"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
                for row in connection.execute(f'select * from "{table}"'):
                    yield "\n".join(map(str, row))
        yield raw.decode("utf-8", "replace")  # and what was deleted
    elif path.suffix in (".json", ".ipynb"):
        yield "\n".join(strings(json.loads(raw)))
    else:
        readable = path.suffix in PLAIN or path.name.endswith(("-wal", "-shm", "-journal"))
        assert readable or path.name.startswith("MLmodel"), f"{path}: this test cannot read such a file; teach it to"
        text = raw.decode("utf-8", "replace")
        yield html.unescape(text) if path.suffix == ".html" else text


def strings(value: object) -> Iterator[str]:
    """Yield every text in a JSON value, keys as well; lines of one cell as one text."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from strings(item)
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield "".join(value)
        for item in value:
            yield from strings(item)
    else:
        yield str(value)


@pytest.fixture(scope="module")
def values(lender: Lender) -> list[str]:
    found = private_values(lender.home)
    assert len(found) > 3_000  # 1,000 customers; phones, emails and ids are their own
    return found


def test_nothing_outside_the_book_holds_a_private_value(lender: Lender, values: list[str]) -> None:
    scan = Scan(values)
    assert scan.found_below(lender.home) == {}
    for place in ("reports/index.html", "mlruns/mlflow.db", "data/panels/demo"):
        assert (lender.home / place).exists()  # where it looked, there was something


def test_nothing_that_was_said_holds_a_private_value(lender: Lender, values: list[str]) -> None:
    scan = Scan(values)
    assert len(lender.ended.out + lender.ended.err) > 500
    assert scan.values_in(lender.ended.out + lender.ended.err) == set()
    lender.again.join()
    assert scan.values_in("".join(done.out + done.err for done in lender.again.ended.values())) == set()


def in_text(path: Path, value: str) -> None:
    path.write_text(path.read_text("utf-8") + f"...{value.upper()}...", "utf-8")


def in_page(path: Path, value: str) -> None:
    escaped = "".join(f"&#{ord(char)};" for char in value)
    path.write_text(path.read_text("utf-8").replace("</body>", f"<p>{escaped}</p></body>"), "utf-8")


def in_parquet(path: Path, value: str) -> None:
    frame = pd.read_parquet(path)
    frame.assign(note=[f"ask {value}", *[None] * (len(frame) - 1)]).to_parquet(path)


def in_sheet(path: Path, value: str) -> None:
    book = openpyxl.load_workbook(path)
    book.worksheets[-1].cell(3, 7).value = f"<{value}>"
    book.save(path)


def in_output(path: Path, value: str) -> None:
    notebook = nbformat.read(path, 4)
    notebook.cells[-1] = nbformat.v4.new_code_cell(
        outputs=[nbformat.v4.new_output("stream", text=f"customer\n{value}")]
    )
    path.write_text(json.dumps(notebook), "utf-8")  # with Chinese as \u escapes


def in_database(path: Path, value: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update experiments set name = name || ?", (value,))


PLANTS: dict[str, Callable[[Path, str], None]] = {
    "reports/**/alerts.csv": in_text,
    "reports/**/60_risk_report.html": in_page,
    "reports/**/alerts.parquet": in_parquet,
    "data/panels/**/*.parquet": in_parquet,
    "reports/**/alerts.xlsx": in_sheet,
    "reports/**/40_monitoring.ipynb": in_output,
    "mlruns/mlflow.db": in_database,
    "mlruns/**/MLmodel": in_text,
    "data/books/demo/access.log": in_text,
}


@pytest.mark.parametrize("column", PRIVATE)
def test_the_scan_finds_what_is_planted(column: str, lender: Lender, values: list[str], tmp_path: Path) -> None:
    (path,) = lender.home.glob("data/books/demo/generations/*/customers.parquet")
    own = [value for value in pq.read_table(path)[column].unique().to_pylist() if value]
    own = [value for value in own if not value.isascii()][:3] + own  # Chinese names first, where there are any
    expected = {}
    for name, (pattern, plant) in zip(own, PLANTS.items(), strict=False):
        source = next(lender.home.glob(pattern), None)
        target = tmp_path / (source.relative_to(lender.home) if source else pattern)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target) if source else target.touch()
        plant(target, name)
        expected[str(target.relative_to(tmp_path))] = {name}
    assert len(expected) == len(PLANTS)
    assert Scan(values).found_below(tmp_path) == expected


def test_the_scan_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "model.pkl.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(AssertionError, match="cannot read such a file"):
        Scan(["Greta Juniper"]).found_below(tmp_path)
