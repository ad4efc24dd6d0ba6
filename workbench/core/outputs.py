"""What runs left behind: a folder a run, and a pointer to the current run of each notebook, book and date, or sample."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.core.files import read_json, write_json
from workbench.core.workspace import Workspace

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Outputs:
    """Where the notebook that runs now puts its files, and where it finds those of earlier stages.

    `folder` is the run's own; under papermill it becomes visible only when the whole run is done. In JupyterLab it is
    `reports/interactive/BOOK/DATE/NOTEBOOK/`, and what a person ran there goes before what papermill published. A run is
    about a book at a date, or about a flat sample, which has no book and no date.
    """

    workspace: Workspace
    folder: Path
    book: str
    as_of: date | None
    generation: str
    interactive: bool
    sample: str = ""

    def note(self, **facts: Any) -> None:
        """Add facts to the run's summary: what the index, the demo and machines read."""
        path = self.folder / "summary.json"
        write_json(path, {**(read_json(path) or {}), **facts})

    def keep(self, name: str, frame: pd.DataFrame) -> Path:
        """Write a table for later stages as parquet."""
        path = self.folder / f"{name}.parquet"
        frame.to_parquet(path, index=False)
        return path

    def earlier(self, notebook: str, table: str) -> pd.DataFrame | None:
        """Return a table that another notebook kept for this book generation and date; None where it has not run."""
        folder = self._stage(notebook)
        path = None if folder is None else folder / f"{table}.parquet"
        return pd.read_parquet(path) if path is not None and path.exists() else None

    def earlier_summary(self, notebook: str) -> dict[str, Any] | None:
        """Return what another notebook noted for this book generation and date; None where it has not run."""
        folder = self._stage(notebook)
        return None if folder is None else read_json(folder / "summary.json") or {}

    def earlier_run(self, notebook: str) -> str | None:
        """Return the name of the run that `earlier` reads; None where it has not run."""
        folder = self._stage(notebook)
        return None if folder is None else folder.name

    def _stage(self, notebook: str) -> Path | None:
        book, sample, as_of = self.book, self.sample, self.as_of
        by_hand = _interactive(self.workspace, notebook, book=book, sample=sample, as_of=as_of)
        if self.interactive and (read_json(by_hand / "summary.json") or {}).get("generation") == self.generation:
            return by_hand
        return current_run(self.workspace, notebook, book=book, sample=sample, as_of=as_of, generation=self.generation)


def open_outputs(
    workspace: Workspace,
    notebook: str,
    output_dir: str,
    *,
    generation: str,
    book: str = "",
    as_of: date | None = None,
    sample: str = "",
) -> Outputs:
    """Open the outputs of a notebook; an empty `output_dir` means that a person runs it in JupyterLab."""
    by_hand = _interactive(workspace, notebook, book=book, sample=sample, as_of=as_of)
    folder = Path(output_dir) if output_dir else by_hand
    if not output_dir and folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    outputs = Outputs(workspace, folder, book, as_of, generation, interactive=not output_dir, sample=sample)
    outputs.note(generation=generation)
    return outputs


def add_file(folder: Path, name: str) -> None:
    """Add a file that was made after a run to what its `run.json` lists."""
    path = folder / "run.json"
    facts = read_json(path)
    if facts is not None:
        write_json(path, {**facts, "files": sorted({*facts.get("files", []), name})})


def _interactive(workspace: Workspace, notebook: str, *, book: str, sample: str, as_of: date | None) -> Path:
    return workspace.reports / "interactive" / subject_folder(book=book, sample=sample, as_of=as_of) / notebook


def subject_folder(*, book: str = "", sample: str = "", as_of: date | str | None = None) -> Path:
    """Return the folder of what a run is about: BOOK/DATE, or samples/NAME (a name never looks like a date).

    >>> subject_folder(book="demo", as_of="2025-06-30").as_posix(), subject_folder(sample="german").as_posix()
    ('demo/2025-06-30', 'samples/german')
    """
    return Path("samples", sample) if sample else Path(book, str(as_of))


def pointer_path(
    workspace: Workspace, notebook: str, *, book: str = "", sample: str = "", as_of: date | str | None = None
) -> Path:
    """Return the pointer file that names the current run of a notebook for a book and date, or for a flat sample."""
    return workspace.reports / "current" / subject_folder(book=book, sample=sample, as_of=as_of) / f"{notebook}.json"


def current_run(
    workspace: Workspace,
    notebook: str,
    *,
    generation: str,
    book: str = "",
    sample: str = "",
    as_of: date | str | None = None,
) -> Path | None:
    """Return the folder of the current run of a notebook for a book and date, or for a flat sample, or None.

    A run on another generation of the book or sample is none: its customers may be others.
    """
    pointer = read_json(pointer_path(workspace, notebook, book=book, sample=sample, as_of=as_of))
    if pointer is None:
        return None
    folder = workspace.reports / "runs" / pointer["run_id"]
    run = read_json(folder / "run.json")
    found = run and run["sample_generation" if sample else "book_generation"]
    return folder if found == generation else None


def all_runs(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the `run.json` of every run, newest first, each marked whether it is the current one.

    A run on an older generation of its book is never current. Of a flat sample, whose file is not hashed for this, it is
    the latest run.
    """
    current = {read_json(path)["run_id"] for path in (workspace.reports / "current").glob("*/*/*.json")}
    generations = {
        path.parent.name: (read_json(path) or {}).get("generation") for path in workspace.books.glob("*/current.json")
    }
    runs = [read_json(path) for path in (workspace.reports / "runs").glob("[!.]*/run.json")]
    found = [
        {
            **run,
            "current": run["run_id"] in current
            and (bool(run.get("sample")) or run["book_generation"] == generations.get(run["book"])),
        }
        for run in runs
        if run
    ]
    return sorted(found, key=lambda run: (run["started_at"], run["run_id"]), reverse=True)
