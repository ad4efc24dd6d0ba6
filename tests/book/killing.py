"""Imports that are killed: the book must be the old or the new one, whole, and the next load must find nothing in its way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal

import yaml

from workbench.book.book import Book
from workbench.book.loading.record import list_loads, read_history
from workbench.book.store import current_generation, file_sha256
from workbench.core.workspace import Workspace

from ..commands import environment
from .crm_delivery import CRM, clean_rows, write_delivery

Tables = dict[str, str]
# The checks of the content take most of a load's time and write nothing: without them kills fall where files are written.
UNCHECKED = """
from workbench.book.loading import load
load._Load._check = lambda *_: None
from workbench.cli import main
main()
"""
NAME = CRM.name


class Scene:
    """A workspace with two deliveries; loads of them run as commands, and some are killed."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.home = workspace, workspace.books / NAME
        self.at = 0  # the delivery that was loaded last
        text = yaml.safe_dump(CRM.mapping(max_reject_share=0.1), allow_unicode=True, sort_keys=False)
        (workspace.params / "books" / f"{NAME}.yaml").write_text(text, "utf-8")
        rows = clean_rows(CRM)
        write_delivery(workspace.root / "delivery-0", CRM, rows)
        for row in rows["customers"][:9]:
            row["income"] += Decimal(100)
        rows["payments"][0]["amount"] = "nonsense"  # so that rejects are written too
        write_delivery(workspace.root / "delivery-1", CRM, rows)

    def arguments(self, delivery: int, *, append: bool) -> list[str]:
        """Return the command that loads a delivery."""
        more = ["--append", "--delivered", "2024-03-12"] if append else ["--delivered", "2024-03-11"]
        return ["book", "import", NAME, "--from", str(self.workspace.root / f"delivery-{delivery}"), *more]

    def command(self, delivery: int, *, append: bool) -> list[str]:
        """Return the command that loads a delivery without the checks of the content."""
        return [sys.executable, "-c", UNCHECKED, *self.arguments(delivery, append=append)]

    def load(self, delivery: int, *, append: bool = False) -> tuple[Tables, float]:
        """Load a delivery to its end; return the book's tables, and how long it took."""
        started = time.monotonic()
        done = subprocess.run(
            self.command(delivery, append=append),
            cwd=self.workspace.root,
            env=environment(self.workspace.root),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.at = delivery
        return self.tables(), time.monotonic() - started

    def killed(
        self, delivery: int, after: float, *, append: bool = False, until: Callable[[], bool] | None = None
    ) -> tuple[float, bool]:
        """Start a load and kill it after some seconds, counted from when `until` holds; return when, and if it still ran."""
        process = subprocess.Popen(
            self.command(delivery, append=append), cwd=self.workspace.root,
            env=environment(self.workspace.root), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started = time.monotonic()
        while until is not None and process.poll() is None and not until():
            time.sleep(0.001)
        try:
            process.wait(after)
            return time.monotonic() - started, False
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return time.monotonic() - started, True

    def nearly_done(self) -> bool:
        """Return whether a load has written everything and is about to make it current."""
        try:
            return any(self.home.glob(".staging-*/load.json")) or any(self.home.glob(".staging-*/.load.json.*"))
        except FileNotFoundError:  # the folder has moved on while we looked
            return True

    def tables(self) -> Tables:
        """Return the hash of every table of the book, from its files; fails where the book is not whole."""
        folder, manifest = current_generation(self.workspace, NAME)
        for facts in manifest.tables.values():
            for file, sha256 in facts.files.items():
                assert file_sha256(folder / file) == sha256, f"{file} is damaged"
        assert read_history(folder).loads, "the generation does not know its loads"
        book = Book.open(self.workspace, NAME)
        rows = book.connection.to_pyarrow(book.as_known("customers", as_of=book.last_month_end).count()).as_py()
        assert rows == manifest.tables["customers"].keys
        return {table: facts.sha256 for table, facts in manifest.tables.items()}

    def check_clean(self) -> None:
        """Fail where a load has left something behind, or loads and rejects do not belong together."""
        left = [path.name for path in (*self.home.glob(".*"), *self.home.glob("*/.*"))]
        assert not left, f"left behind: {left}"
        assert len(list((self.home / "generations").iterdir())) <= 2
        listed = {record.load_id: record for record in list_loads(self.home)}
        folders = {path.name for path in (self.home / "rejects").iterdir()}
        assert folders <= listed.keys(), f"rejects of loads that nobody lists: {folders - listed.keys()}"
        for load_id, record in listed.items():
            if record.rejects and record in sorted(listed.values(), key=lambda found: found.load_id)[-20:]:
                assert load_id in folders, f"the rejects of {load_id} are gone"
        known = read_history(current_generation(self.workspace, NAME)[0]).loads
        assert {record.load_id for record in known} <= listed.keys(), "a load of the book is not listed"
