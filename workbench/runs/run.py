"""One notebook run: checked, executed in its own process under a time limit, published whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psutil

import workbench
from workbench.book.book import Book
from workbench.core import errors, outputs
from workbench.core.errors import InputError, NotebookError, ParameterError
from workbench.core.files import locked, read_json, staging_folder, write_json
from workbench.core.languages import in_language, mark, say
from workbench.core.workspace import Workspace
from workbench.models.sample_table import load_sample
from workbench.reporting.index import write_index
from workbench.runs.parameters import check_parameters, notebook_path

Progress = Callable[[str], None]

TITLES = {
    "10_data_quality": mark("Data quality"),
    "20_indicators": mark("Indicators"),
    "30_scorecard": mark("Scorecard"),
    "32_anomaly": mark("Anomalies"),
    "40_monitoring": mark("Early warning"),
    "50_strategy": mark("Proposed actions"),
    "60_risk_report": mark("Risk report"),
    "61_customer": mark("Customer"),
}


@dataclass(frozen=True)
class RunResult:
    """A run that is done: its folder and what it noted."""

    run_id: str
    folder: Path
    seconds: float
    summary: dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """What a run is about: a book at a date, or a flat sample; with the generation of its data."""

    book: str
    sample: str
    as_of: date | None
    generation: str

    @property
    def words(self) -> tuple[str, ...]:
        """What names it: the book and the date, or the sample."""
        return ("sample", self.sample) if self.sample else (self.book, str(self.as_of))

    @property
    def facts(self) -> dict[str, Any]:
        """What `run.json` says of it."""
        kind = "sample" if self.sample else "book"
        return {
            "book": self.book or None,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            f"{kind}_generation": self.generation,
            **({"sample": self.sample} if self.sample else {}),
        }

    @property
    def parameters(self) -> dict[str, Any]:
        """What the notebook is given of it."""
        if self.sample:
            return {"book": "", "sample": self.sample}
        return {"book": self.book, "as_of": str(self.as_of)}


def run_notebook(
    workspace: Workspace,
    notebook: str,
    *,
    book: str = "",
    sample: str = "",
    as_of: str | date | None = None,
    parameters: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Run one notebook on a book, or on the flat table of `params/samples/SAMPLE.yaml`, and publish its outputs.

    Raises
    ------
    InputError
        If a parameter, the book, sample or date is wrong, or the notebook found its input wrong; no page is published then.
    NotebookError
        If the notebook raised anything else, or ran longer than `notebook_minutes`. The executed copy is kept.
    """
    path = notebook_path(workspace, notebook)
    if bool(book) == bool(sample):
        found = f"both {book!r} and {sample!r}" if book else "neither"
        raise ParameterError(f"{notebook}: found {found}; expected one of --book NAME and --sample NAME.")
    checked = check_parameters(workspace, notebook, book=book, sample=sample, given=parameters or {})
    subject = _open(workspace, book=book, sample=sample, as_of=as_of)
    started = datetime.now(UTC)
    run_id = f"{notebook}-{'-'.join(subject.words)}-{started:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    clock = time.monotonic()
    with in_language(workspace.settings.lang):
        title = _kind(notebook)
        about = [say("sample {name}", name=sample)] if sample else [*subject.words]
    facts = {
        "schema_version": outputs.SCHEMA_VERSION,
        "run_id": run_id,
        "notebook": notebook,
        "title": title,
        "lang": workspace.settings.lang,
        **subject.facts,
        "parameters": checked,
        "started_at": started.isoformat(timespec="seconds"),
        "workbench_version": workbench.__version__,
    }
    with staging_folder(workspace.reports / "runs") as staging:
        job = {
            "notebook": notebook,
            "path": str(path),
            "lang": workspace.settings.lang,
            "folder": str(staging),
            "cwd": str(workspace.notebooks),
            "title": " · ".join([title, *about]),
            "parameters": {**checked, **subject.parameters, "output_dir": str(staging)},
        }
        failure = _in_own_process(workspace, job, progress or (lambda _text: None))
        seconds = round(time.monotonic() - clock, 1)
        if failure is not None:
            raise _keep_failure(workspace, staging, facts, failure, seconds)
        summary = read_json(staging / "summary.json") or {}
        files = sorted(file.name for file in staging.iterdir() if file.name not in {"summary.json", "job.json"})
        (staging / "job.json").unlink(missing_ok=True)
        write_json(
            staging / "run.json", {**facts, "status": "done", "seconds": seconds, "files": files, "summary": summary}
        )
        folder = workspace.reports / "runs" / run_id
        staging.rename(folder)
    pointer = outputs.pointer_path(workspace, notebook, book=book, sample=sample, as_of=subject.as_of)
    write_json(pointer, {"run_id": run_id})
    rebuild_index(workspace)
    return RunResult(run_id, folder, seconds, summary)


def _kind(notebook: str) -> str:
    """Return what a notebook is called in the language in use."""
    return say(TITLES.get(notebook, notebook))


def _open(workspace: Workspace, *, book: str, sample: str, as_of: str | date | None) -> Subject:
    if not sample:
        opened = Book.open(workspace, book)
        return Subject(book, "", opened.check_as_of(as_of), opened.manifest.generation)
    if as_of is not None:
        raise ParameterError(f"as_of: found {as_of} for sample {sample!r}, which is read as it is; leave --as-of out.")
    if (workspace.books / sample).exists() or (workspace.params / "books" / f"{sample}.yaml").exists():
        raise ParameterError(
            f"sample {sample!r}: a book has this name too, and both would register {sample}_scorecard. "
            f"Rename params/samples/{sample}.yaml."
        )
    return Subject("", sample, None, load_sample(workspace, sample).generation)


def rebuild_index(workspace: Workspace) -> Path:
    """Write `reports/index.html` anew from the runs that there are."""
    lock, seconds = workspace.reports / ".index.lock", workspace.settings.lock_seconds
    with locked(lock, seconds=seconds, what="reports/index.html"), in_language(workspace.settings.lang):
        runs = [
            {
                **run,
                "folder": f"runs/{run['run_id']}",
                "kind": _kind(run["notebook"]),
                "sizes": _sizes(workspace.reports / "runs" / run["run_id"], run.get("files", [])),
            }
            for run in outputs.all_runs(workspace)
        ]
        return write_index(workspace.reports, runs)


def _sizes(folder: Path, names: list[str]) -> dict[str, int]:
    """Return the bytes of each file that is still there, by name."""
    return {name: (folder / name).stat().st_size for name in names if (folder / name).is_file()}


def _keep_failure(
    workspace: Workspace, staging: Path, facts: dict[str, Any], failure: dict[str, Any], seconds: float
) -> InputError | NotebookError:
    """Publish only the failed copy of the notebook and the reason; return the error to raise."""
    kept = {f"{facts['notebook']}.ipynb"}
    for file in staging.iterdir():
        if file.name not in kept and file.is_file():
            file.unlink()
    reason = f"{failure['ename']}: {failure['evalue']}"
    files = sorted(file.name for file in staging.iterdir())
    write_json(
        staging / "run.json",
        {**facts, "status": "failed", "reason": reason, "seconds": seconds, "files": files, "summary": {}},
    )
    folder = workspace.reports / "runs" / str(facts["run_id"])
    staging.rename(folder)
    rebuild_index(workspace)
    known = getattr(errors, failure["ename"], None)
    if isinstance(known, type) and issubclass(known, InputError):
        return known(failure["evalue"])
    return NotebookError(
        f"notebook {facts['notebook']} failed{_at(failure)}: {reason}\n"
        f"Its copy up to there: {folder / (str(facts['notebook']) + '.ipynb')}. No page and no list was published."
    )


def _at(failure: dict[str, Any]) -> str:
    return f" in cell {failure['cell']}" if "cell" in failure else ""


def _in_own_process(workspace: Workspace, job: dict[str, Any], progress: Progress) -> dict[str, Any] | None:
    job_path = Path(job["folder"]) / "job.json"
    write_json(job_path, job)
    environment = {**os.environ, "WORKBENCH_HOME": str(workspace.root), "DO_NOT_TRACK": "1", "MPLBACKEND": "agg"}
    for name, source in workspace.sources.items():
        if source == "flag":
            environment[f"WORKBENCH_{name.upper()}"] = str(getattr(workspace.settings, name))
    log_path = Path(job["folder"]) / "stderr.log"
    with log_path.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "workbench.runs.execute", str(job_path)],
            stdin=subprocess.PIPE,  # held open: when this process dies, the child sees it closed and ends too
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    limit = workspace.settings.notebook_minutes * 60
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
        end_tree(child.pid)

    timer = threading.Timer(limit, stop)
    timer.start()
    try:
        last = _follow(child, progress)
    finally:
        timer.cancel()
        end_tree(child.pid)
        child.wait()
    errors_printed = log_path.read_text("utf-8", errors="replace").strip().splitlines()
    log_path.unlink()
    if timed_out.is_set():
        return {
            "ename": "TimeLimit",
            "evalue": f"stopped after {limit / 60:g} minutes (notebook_minutes in params/workbench.yaml)",
        }
    if last is None:
        return {
            "ename": "ProcessEnded",
            "evalue": errors_printed[-1] if errors_printed else f"exit code {child.returncode}",
        }
    failure: dict[str, Any] | None = last["failure"]
    return failure


def _follow(child: subprocess.Popen[bytes], progress: Progress) -> dict[str, Any] | None:
    for line in child.stdout or ():
        try:
            said: Any = json.loads(line)
        except ValueError:
            continue  # a library printed something
        if not isinstance(said, dict):
            continue
        if "cell" in said:
            progress(f"cell {said['cell']} of {said['cells']}")
        elif "step" in said:
            progress(said["step"])
        elif said.get("done"):
            return said
    return None


def end_tree(pid: int) -> None:
    """Kill a process that this one started, and everything that it started."""
    try:
        parent = psutil.Process(pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
