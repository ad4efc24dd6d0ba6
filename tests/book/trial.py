"""One broken delivery on trial: it must be refused with one clear message, or loaded with every difference accounted for."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from workbench.book.book import Book
from workbench.book.checks import Checked, check_book
from workbench.book.checks.deliveries import Before, load_findings, size_findings
from workbench.book.loading.load import LoadResult, import_book
from workbench.book.loading.record import LoadRecord, list_loads
from workbench.book.store import table_files
from workbench.core.errors import InputError
from workbench.core.workspace import Workspace

from . import oracle
from .crm_delivery import AGAIN, DELIVERED, DIALECTS, Dialect, clean_rows, private_values, write_delivery
from .mutations import Case

_GO_ON = re.compile(r"([\d,]+) (?:blank lines hold|lines go on with)")
Content = dict[str, Counter[tuple[Any, ...]]]


@dataclass
class Verdict:
    """What became of a delivery; `problems` is empty where all is accounted for."""

    outcome: str  # refused, loaded, crashed
    words: str = ""
    problems: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


class Lender:
    """A workspace with the clean book of one dialect in it, which each trial finds as it was."""

    def __init__(self, workspace: Workspace, dialect: Dialect, *, quick: bool = False) -> None:
        """With `quick`, loads are checked by what they say themselves, and not by the checks of the book's content."""
        self.workspace, self.dialect, self.quick = workspace, dialect, quick
        self.clean, self.mutated = (workspace.root / f"{dialect.name}-{name}" for name in ("clean", "mutated"))
        self.rows = clean_rows(dialect)
        write_delivery(self.clean, dialect, self.rows)
        self.describe()
        self.home = workspace.books / dialect.name
        shutil.copytree(self.clean, self.mutated)
        self.load(at=DELIVERED)
        self.kept = workspace.root / f"{dialect.name}-kept"
        shutil.copytree(self.home, self.kept)
        self.content = self.read()
        self.private = private_values(self.rows)
        with (self.mutated / self.dialect.files["customers"]).open("ab") as stream:
            stream.write(b"\n")  # a delivery with the same rows under another hash: what the checks say of it anyway
        self.load()
        self.usual = self._finding_keys()
        assert self.read() == self.content
        self.restore()

    def describe(self, **options: Any) -> None:
        """Write the mapping."""
        text = yaml.safe_dump(self.dialect.mapping(**options), allow_unicode=True, sort_keys=False)
        path = self.workspace.params / "books" / f"{self.dialect.name}.yaml"
        path.write_text(text, "utf-8")

    def _hashes(self) -> dict[str, str]:
        paths = [self.home / "current.json", *sorted((self.home / "generations").rglob("*"))]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()}

    def restore(self) -> None:
        """Put the clean book and a clean delivery back."""
        for folder, origin in ((self.home, self.kept), (self.mutated, self.clean)):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(origin, folder)

    def load(self, *, append: bool = False, at: datetime = AGAIN) -> LoadResult:
        """Load the mutated delivery."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("workbench.book.loading.load.check_book", self._check)
            return import_book(
                self.workspace, self.dialect.name, delivered_at=at, base=str(self.mutated), append=append
            )

    def _check(self, book: Book, *, load: LoadRecord) -> Checked:
        """Check as the load does, and keep what was found."""
        if not self.quick:
            self.checked = check_book(book, load=load)
        else:
            profile = pd.DataFrame({"table": [], "column": []})
            found = [*load_findings(load), *size_findings(book.manifest, Before.read(book.folder))]
            self.checked = Checked(found, profile)
        return self.checked

    def read(self) -> Content:
        """Return all rows of the book, read with pyarrow alone."""
        pointer = json.loads((self.home / "current.json").read_text("utf-8"))
        folder = self.home / "generations" / pointer["generation"]
        found: Content = {}
        for table in self.dialect.files:
            rows: Counter[tuple[Any, ...]] = Counter()
            for path in table_files(folder, table):
                read = pq.ParquetFile(path).read()
                rows.update(
                    zip(*(column.to_pylist() for column in read.select(oracle.names(table)).columns), strict=True)
                )
            found[table] = rows
        return found

    def _finding_keys(self) -> Counter[tuple[str, str, str]]:
        return Counter((finding.table, finding.check, finding.sentence()) for finding in self.checked.findings)

    def trial(self, *, share: float, append: bool = False) -> Verdict:
        """Load the mutated delivery and judge what came of it."""
        self.describe(max_reject_share=share)
        before = self._hashes()
        expected = oracle.expected(self.mutated, self.dialect)
        try:
            result = self.load(append=append)
        except InputError as error:
            return self._refused(error, before)
        except BaseException as error:
            return Verdict("crashed", f"{type(error).__name__}: {error}"[:300], [traceback.format_exc()[-400:]])
        verdict = Verdict("loaded", "unchanged" if result.record.status == "unchanged" else "")
        verdict.problems += self._leaks(result.record.model_dump_json())
        verdict.problems += self._garbage()
        if result.record.status == "unchanged":
            if self.read() != self.content:
                verdict.problems.append("said unchanged, but the book differs")
            return verdict
        if append:
            verdict.problems += self._appended(result, expected)
        else:
            verdict.problems += self._replaced(result, expected)
        new = self._finding_keys() - self.usual
        verdict.findings = [sentence for _table, _check, sentence in new]
        verdict.problems += self._leaks("\n".join(verdict.findings)) + self._silent(new)
        return verdict

    def _silent(self, new: Counter[tuple[str, str, str]]) -> list[str]:
        """Return the tables that lack rows of the clean book without a finding that names them or their source.

        Rows that came are told by the record's own numbers, which must add up to the rows in the files and in the book.
        """
        now, told = self.read(), {name.removesuffix("_file") for name, _check, _sentence in new}
        return [
            f"silent: {table} lost {(rows - now[table]).total()} rows and gained {(now[table] - rows).total()}"
            for table, rows in self.content.items()
            if rows - now[table] and table not in told
        ]

    def _refused(self, error: InputError, before: dict[str, str]) -> Verdict:
        verdict = Verdict("refused", str(error))
        after = self._hashes()
        if after != before:
            verdict.problems.append("refused, but the old book was touched")
        last = list_loads(self.home)[-1]
        if last.status != "refused" or last.reason != str(error):
            verdict.problems.append("refused, but the list of loads does not say so")
        if len(str(error)) < 40:
            verdict.problems.append("the message says too little")
        verdict.problems += self._leaks(str(error)) + self._garbage()
        return verdict

    def _leaks(self, text: str) -> list[str]:
        return [f"private value {value!r} in: {text[:200]}" for value in sorted(self.private) if value in text][:1]

    def _garbage(self) -> list[str]:
        left = [path.name for path in self.home.glob(".*")] + [path.name for path in self.home.glob("*/.*")]
        return [f"left behind: {left}"] if left else []

    def _replaced(self, result: LoadResult, expected: oracle.Expected) -> list[str]:
        problems = []
        now = self.read()
        for table in self.dialect.files:
            load = result.record.tables[table]
            if load.rows_in != load.rejected_rows + load.duplicates + load.conflicts + load.rows_out:
                problems.append(f"{table}: the record does not add up: {load}")
            if now[table].total() != load.rows_out or result.manifest.tables[table].rows != load.rows_out:
                problems.append(f"{table}: {now[table].total()} rows, {load.rows_out} recorded")
            problems += _lines(result, expected, table)
            if table in expected.unknown:
                continue
            for name, there, said in _told(load, expected, table):
                if there != said:
                    problems.append(f"{table}: {name}: the files say {there}, the record {said}")
            if now[table] != expected.rows[table]:
                problems.append(f"{table}: {_difference(expected.rows[table], now[table])}")
        return problems

    def _appended(self, result: LoadResult, expected: oracle.Expected) -> list[str]:
        problems = []
        now = self.read()
        for table in self.dialect.files:
            load = result.record.tables[table]
            told = load.rejected_rows + load.duplicates + load.conflicts + load.unchanged + load.rows_out
            if load.rows_in != told:
                problems.append(f"{table}: the record does not add up: {load}")
            if self.content[table] - now[table]:
                problems.append(f"{table}: an append took rows away")
            if (now[table] - self.content[table]).total() != load.rows_out:
                problems.append(f"{table}: {load.rows_out} rows recorded as added, found {now[table].total()} in all")
            problems += _lines(result, expected, table)
            if table in expected.unknown:
                continue
            if expected.rejected[table] != load.rejected_rows:
                problems.append(f"{table}: {expected.rejected[table]} rows are wrong, rejected {load.rejected_rows}")
            contents = {row[:-1] for row in now[table]}
            lost = [row for row in expected.rows[table] if row[:-1] not in contents]
            if len(lost) > load.conflicts:
                problems.append(f"{table}: {len(lost)} good rows are nowhere in the book: {lost[:1]}")
        return problems


def _lines(result: LoadResult, expected: oracle.Expected, table: str) -> Iterable[str]:
    source = result.record.sources[f"{table}_file"]
    if source.lines is None or table not in expected.lines:
        return
    told = result.record.tables[table].rows_in + sum(source.rejected_lines.values())
    told += sum(int(found[1].replace(",", "")) for found in map(_GO_ON.match, source.repairs) if found)
    fewest, most = expected.lines[table]
    if not fewest <= told <= most:
        yield f"{table}: {fewest} to {most} lines in the files, {told} accounted for: {source.rejected_lines}"


def _told(load: Any, expected: oracle.Expected, table: str) -> Iterable[tuple[str, Any, Any]]:
    yield "rows", expected.rows_in[table], load.rows_in
    yield "rejected", expected.rejected[table], load.rejected_rows
    yield "duplicates", expected.duplicates[table], load.duplicates
    yield "conflicts", expected.conflicts[table], load.conflicts
    emptied: Counter[str] = Counter()
    for reason, count in load.emptied.items():
        emptied[reason.partition(":")[0]] += count
    yield "emptied", +expected.emptied[table], +emptied


def _difference(there: Counter[tuple[Any, ...]], found: Counter[tuple[Any, ...]]) -> str:
    lacking, extra = list((there - found).elements()), list((found - there).elements())
    return f"{len(lacking)} rows lacking, {len(extra)} too many: {lacking[:1]} {extra[:1]}"


def lenders(workspace: Workspace, *, quick: bool = False) -> dict[str, Lender]:
    """Return the lender of each dialect, in one workspace."""
    return {name: Lender(workspace, dialect, quick=quick) for name, dialect in DIALECTS.items()}


def judged(lender: Lender, case: Case) -> Verdict:
    """Load the broken delivery of a case, and judge it by what the case must come to as well."""
    verdict = lender.trial(share=case.share, append=case.append)
    if case.must == "same" and verdict.outcome != "crashed":
        if verdict.outcome != "loaded" or lender.read() != lender.content:
            verdict.problems.append("expected the clean book, mended")
    elif case.must and verdict.outcome not in (case.must, "crashed"):
        verdict.problems.append(f"expected {case.must}")
    return verdict
