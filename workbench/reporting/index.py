"""`reports/index.html`: every run, by book and date or by sample, with its status and what it left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from workbench.core.errors import ParameterError
from workbench.core.files import whole_file
from workbench.reporting.blocks import TEMPLATE_DIR, chip, header
from workbench.reporting.formats import plain_text
from workbench.reporting.html import CSP_META, page_css
from workbench.reporting.markup import Html, escape, join

_REQUIRED = ("run_id", "book", "as_of", "notebook", "status", "folder")
_FILE_WORDS = {".html": "Report", ".pdf": "PDF", ".ipynb": "Notebook", ".xlsx": "Excel", ".csv": "CSV", ".json": "JSON"}
_FILE_ORDER = [*_FILE_WORDS, ".parquet"]
_PAGE = Html(
    '<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8">{csp}'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark">'
    '<meta name="referrer" content="no-referrer"><title>{title}</title><style>\n{css}\n</style></head>'
    '<body><div class="page no-toc"><main>{head}{body}</main></div></body></html>\n'
)


def write_index(reports_root: Path, runs: Sequence[Mapping[str, Any]]) -> Path:
    """Write `reports_root/index.html`, whole or not at all, and return its path.

    Parameters
    ----------
    reports_root : Path
        The folder of the reports; links in the page are relative to it.
    runs : sequence of mapping
        One a run: `run_id, book, as_of, notebook, status ('done' or 'failed'), folder` and, where known,
        `title, reason, started_at, seconds, files, current, summary, sample`. On a flat sample, book and as_of are None.

    Raises
    ------
    ParameterError
        If a run lacks one of the required keys.
    """
    for run in runs:
        if missing := [key for key in _REQUIRED if key not in run]:
            raise ParameterError(f"write_index: run {run.get('run_id', '?')!r} lacks {', '.join(missing)}.")
    newest = sorted(runs, key=lambda run: (plain_text(run.get("started_at") or ""), str(run["run_id"])), reverse=True)
    subjects = list(dict.fromkeys(_subject(run) for run in newest))
    failed = sum(run["status"] == "failed" for run in runs)
    facts = {"Books and samples": ", ".join(subjects) or "none", "Runs": f"{len(runs):,}", "Failed": f"{failed:,}"}
    if newest and newest[0].get("started_at"):
        facts["Latest run"] = _moment(newest[0])
    head = header("Reports", "Every run of every notebook, newest first", facts).html
    body = join([_section(subject, [run for run in newest if _subject(run) == subject]) for subject in subjects])
    if not runs:
        body = Html("<p>No run yet. <code>workbench demo</code> makes a first one.</p>")
    page = _PAGE.fill(
        lang="en",
        csp=CSP_META,
        title="Reports",
        css=Html(page_css() + (TEMPLATE_DIR / "index.css").read_text(encoding="utf-8")),
        head=head,
        body=body,
    )
    path = reports_root / "index.html"
    with whole_file(path) as temporary:
        temporary.write_text(page, "utf-8")
    return path


def _subject(run: Mapping[str, Any]) -> str:
    """Return what a run is about: its book, or its flat sample."""
    return f"sample {run.get('sample')}" if run["book"] is None else str(run["book"])


def _date(run: Mapping[str, Any]) -> str:
    return "" if run["as_of"] is None else plain_text(run["as_of"])


def _section(subject: str, runs: list[Mapping[str, Any]]) -> Html:
    """Return the section of a book or sample: by date its current runs (and the latest failure since), then all, folded."""
    parts = []
    for as_of in sorted({_date(run) for run in runs}, reverse=True):
        of_day = [run for run in runs if _date(run) == as_of]
        latest = {str(run["notebook"]): run for run in reversed(of_day)}
        shown = [run for run in of_day if run.get("current") or run is latest[str(run["notebook"])]]
        shown.sort(key=lambda run: str(run["notebook"]))
        cards = join([_card(run) for run in shown])
        title = f"As of {as_of}" if as_of else "The whole sample"
        fold = Html('<h3>{title}</h3><div class="runs">{cards}</div>').fill(title=title, cards=cards)
        parts.append(fold)
    row = Html(
        "<tr><td>{started}</td><td>{as_of}</td><td class='wb-text'>{notebook}{current}</td><td>{chip}{reason}</td>"
        "<td class='wb-num'>{seconds}</td><td>{files}</td></tr>"
    )
    rows = join(
        [
            row.fill(
                started=_moment(run),
                as_of=_date(run),
                notebook=run["notebook"],
                current=Html(" <strong>(current)</strong>") if run.get("current") else "",
                chip=_status(run),
                reason=Html(" {text}").fill(text=_reason(run)) if run["status"] == "failed" else "",
                seconds=_seconds(run),
                files=_files(run),
            )
            for run in runs
        ]
    )
    return Html(
        '<section><h2>{book}</h2>{days}<details class="all"><summary>All {count} runs of {book}</summary>'
        '<div class="wb wb-table">'
        '<div class="wb-scroll" tabindex="0" role="region" aria-label="All runs of {book}"><table>'
        "<thead><tr><th scope='col'>Started</th><th scope='col'>As of</th><th scope='col'>Notebook</th>"
        "<th scope='col'>Status</th><th scope='col' class='wb-num'>Seconds</th><th scope='col'>Files</th></tr></thead>"
        "<tbody>{rows}</tbody></table></div></div></details></section>"
    ).fill(book=subject, days=join(parts), count=f"{len(runs):,}", rows=rows)


def _card(run: Mapping[str, Any]) -> Html:
    facts = run.get("summary") or {}
    words = plain_text(facts.get("headline", ""))
    reason = Html('<p class="failed">{text}</p>').fill(text=_reason(run)) if run["status"] == "failed" else ""
    seconds = f", {_seconds(run)} s" if run.get("seconds") is not None else ""
    return Html(
        '<article class="run"><h3>{title}</h3><p>{chip} {current}</p>'
        '<p class="meta">{notebook}, started {started}{seconds}</p>{reason}{facts}'
        '<div class="files">{files}</div></article>'
    ).fill(
        title=run.get("title") or run["notebook"],
        chip=_status(run),
        current=Html('<span class="meta">current</span>') if run.get("current") else "",
        notebook=run["notebook"],
        started=_moment(run),
        seconds=seconds,
        reason=reason,
        facts=Html('<p class="facts">{text}</p>').fill(text=words) if words else "",
        files=_files(run),
    )


def _status(run: Mapping[str, Any]) -> Html:
    words = {"done": ("pass", "Done"), "failed": ("fail", "Failed")}
    return chip(*words.get(str(run["status"]), ("info", str(run["status"])))).html


def _reason(run: Mapping[str, Any]) -> str:
    return str(run.get("reason") or "no reason recorded")


def _moment(run: Mapping[str, Any]) -> str:
    """Return a run's start to the minute; stored times are UTC."""
    text = plain_text(run.get("started_at") or "n/a").replace("T", " ")
    return f"{text[:16]} UTC" if text.endswith(("Z", "+00:00")) else text


def _seconds(run: Mapping[str, Any]) -> str:
    return "n/a" if run.get("seconds") is None else f"{float(run['seconds']):,.1f}"


def _files(run: Mapping[str, Any]) -> Html:
    """Return links to the run's files; a name that leads out of the reports' folder is text, not a link."""
    link, links = Html('<a href="./{href}">{word}</a> '), []
    for name in sorted(map(str, run.get("files") or []), key=_file_order):
        path = PurePosixPath(str(run["folder"])) / name
        suffix = path.suffix.lower()
        word = _FILE_WORDS.get(suffix, suffix.lstrip(".") or name)
        word = f"{word}: {path.stem}" if suffix in (".xlsx", ".csv", ".parquet") else word
        if path.is_absolute() or ".." in path.parts:
            links.append(escape(name))
        else:
            links.append(link.fill(href=quote(str(path), errors="replace"), word=word))
    return join(links)


def _file_order(name: str) -> tuple[int, str]:
    suffix = PurePosixPath(name).suffix.lower()
    return (_FILE_ORDER.index(suffix) if suffix in _FILE_ORDER else len(_FILE_ORDER), name)
