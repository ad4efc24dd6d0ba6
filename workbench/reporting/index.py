"""`reports/index.html`: every run, by book and date or by sample, with its status and what it left.

A reader narrows them by book or sample, notebook, date and status (facets.py).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from workbench.core.errors import ParameterError
from workbench.core.files import whole_file
from workbench.core.languages import LANGUAGES, day_text, listed, mark, say, say_count
from workbench.reporting.blocks import TEMPLATE_DIR, chip, header
from workbench.reporting.facets import Facet, classes, counted, form, hiding
from workbench.reporting.formats import named, plain_text
from workbench.reporting.html import CSP_META, html_lang, page_css
from workbench.reporting.markup import Html, escape, join

Run = Mapping[str, Any]

_REQUIRED = ("run_id", "book", "as_of", "notebook", "status", "folder")
_FILE_WORDS = {
    ".html": mark("Report"),
    ".pdf": "PDF",
    ".ipynb": mark("Notebook"),
    ".xlsx": "Excel",
    ".csv": "CSV",
    ".json": "JSON",
}
_FILE_ORDER = [*_FILE_WORDS, ".parquet"]
_OWN_NAMES = {"en": "English", "zh": "中文"}  # of languages, each in itself
_STATUSES = {"done": ("pass", mark("Done")), "failed": ("fail", mark("Failed"))}
_PAGE = Html(
    '<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8">{csp}'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark">'
    '<meta name="referrer" content="no-referrer"><title>{title}</title><style>\n{css}\n</style></head>'
    '<body><div class="page no-toc"><main>{head}{body}</main></div></body></html>\n'
)


def write_index(reports_root: Path, runs: Sequence[Run]) -> Path:
    """Write `reports_root/index.html` in the language in use, whole or not at all, and return its path.

    Parameters
    ----------
    reports_root : Path
        The folder of the reports; links in the page are relative to it.
    runs : sequence of mapping
        One a run: `run_id, book, as_of, notebook, status ('done' or 'failed'), folder` and, where known, `title, kind`
        (what its notebook is called in the language in use), `lang, reason, started_at, seconds, files, sizes` (bytes by
        file name), `current, summary, sample`. On a flat sample, book and as_of are None.

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
    facts = {
        say("Books and samples"): listed(subjects) or say("none"),
        say("Runs"): f"{len(runs):,}",
        say("Failed"): f"{failed:,}",
    }
    if newest and newest[0].get("started_at"):
        facts[say("Latest run")] = _moment(newest[0])
    head = header(say("Reports"), say("Every run of every notebook, newest first"), facts).html
    facets = _facets(newest)
    body = join([form(facets) if len(runs) > 1 else Html(""), _latest(newest, facets), _all(newest, facets)])
    if not runs:
        sentence = escape(say("No run yet. {command} makes a first one."))
        body = Html("<p>{text}</p>").fill(text=sentence.fill(command=Html("<code>workbench demo</code>")))
    page = _PAGE.fill(
        lang=html_lang(),
        csp=CSP_META,
        title=say("Reports"),
        css=Html(
            page_css() + (TEMPLATE_DIR / "index.css").read_text(encoding="utf-8") + hiding(facets, within=("k", "s"))
        ),
        head=head,
        body=body,
    )
    path = reports_root / "index.html"
    with whole_file(path) as temporary:
        temporary.write_text(page, "utf-8")
    return path


def _facets(runs: list[Run]) -> list[Facet]:
    """Return the ways to narrow the runs: by what they are about, notebook, date and status."""
    days = sorted({_day(run) for run in runs}, reverse=True)
    found = sorted({str(run["status"]) for run in runs})
    statuses = {status: say(_STATUSES.get(status, ("", ""))[1]) or status for status in found}
    if any(run.get("current") for run in runs):
        statuses["current"] = say("Current run")
    kinds = {str(run["notebook"]): str(run.get("kind") or run["notebook"]) for run in runs}
    return [
        Facet("b", say("Book or sample"), {_subject(run): _subject(run) for run in runs}),
        Facet("k", say("Kind of page"), dict(sorted(kinds.items()))),
        Facet("d", say("As of"), {day: _date_words(day, "short") if day else say("The whole sample") for day in days}),
        Facet("s", say("Status"), statuses),
    ]


def _classes(run: Run, facets: list[Facet]) -> str:
    """Return the classes by which a run is found."""
    values = (_subject(run), str(run["notebook"]), _day(run), str(run["status"]))
    found = classes(zip(facets, values, strict=True))
    return f"{found} {facets[-1].names['current']}" if run.get("current") else found


def _latest(runs: list[Run], facets: list[Facet]) -> Html:
    """Return by book or sample and date the current runs, and the latest failure since."""
    groups: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        groups.setdefault(_subject(run), {}).setdefault(_day(run), []).append(run)
    section = Html(
        '<section class="group entry {classes}"><h2>{subject} <small>{day}</small></h2>'
        '<div class="runs">{cards}</div></section>'
    )
    sections, count = [], 0
    for subject, days in groups.items():
        for day in sorted(days, reverse=True):
            latest = {str(run["notebook"]): run for run in reversed(days[day])}
            shown = [run for run in days[day] if run.get("current") or run is latest[str(run["notebook"])]]
            shown.sort(key=lambda run: str(run["notebook"]))
            count += len(shown)
            sections.append(
                section.fill(
                    classes=" ".join(dict.fromkeys(" ".join(_classes(run, facets) for run in shown).split())),
                    subject=subject,
                    day=say("As of {day}", day=_date_words(day, "long")) if day else say("The whole sample"),
                    cards=join([_card(run, _classes(run, facets)) for run in shown]),
                )
            )
    return counted(join(sections), count)


def _all(runs: list[Run], facets: list[Facet]) -> Html:
    """Return every run in one table, folded."""
    row = Html(
        '<tr class="entry {classes}"><td class="wb-short">{started}</td><td>{subject}</td><td class="wb-short">{day}</td>'
        "<td>{notebook} {spoken}{current}</td><td>{chip}{reason}</td>"
        "<td class='wb-num'>{seconds}</td><td class='wb-text'>{files}</td></tr>"
    )
    rows = join(
        [
            row.fill(
                classes=_classes(run, facets),
                started=_moment(run),
                subject=_subject(run),
                day=_day(run),
                notebook=run["notebook"],
                spoken=_spoken(run),
                current=Html(" <strong>{word}</strong>").fill(word=say("current run")) if run.get("current") else "",
                chip=_status(run),
                reason=Html(" {text}").fill(text=_reason(run)) if run["status"] == "failed" else "",
                seconds=_seconds(run),
                files=_files(run),
            )
            for run in runs
        ]
    )
    words = (say("Started"), say("Book or sample"), say("As of"), say("Notebook"), say("Status"))
    head = join([Html("<th scope='col'>{word}</th>").fill(word=word) for word in words])
    table = Html(
        '<div class="wb wb-table"><div class="wb-scroll" tabindex="0" role="region" aria-label="{title}"><table>'
        "<thead><tr>{head}<th scope='col' class='wb-num'>{seconds}</th><th scope='col'>{files}</th></tr></thead>"
        "<tbody>{rows}</tbody></table></div></div>"
    )
    title = say_count(len(runs), "The one run", "All {count:,} runs")
    table = table.fill(title=title, head=head, seconds=say("Seconds"), files=say("Files"), rows=rows)
    return Html('<details class="all"><summary>{title}</summary>{table}</details>').fill(
        title=title, table=counted(table, len(runs))
    )


def _card(run: Run, classes: str) -> Html:
    facts = run.get("summary") or {}
    words = plain_text(facts.get("headline", ""))
    lang = _lang(run)
    reason = Html('<p class="failed">{text}</p>').fill(text=_reason(run)) if run["status"] == "failed" else ""
    told: dict[str, Any] = {"notebook": run["notebook"], "moment": _moment(run)}
    return Html(
        '<article class="run entry {classes}"><h3{titled}>{title}</h3><p>{chip} {current} {spoken}</p>'
        '<p class="meta">{meta}</p>{reason}{facts}<div class="files">{files}</div></article>'
    ).fill(
        classes=classes,
        titled="" if run.get("kind") else lang,  # the kind is told in the language of this page, a title in the run's
        title=run.get("kind") or run.get("title") or run["notebook"],
        chip=_status(run),
        current=Html('<span class="meta">{word}</span>').fill(word=say("current run")) if run.get("current") else "",
        spoken=_spoken(run),
        meta=say("{notebook}, started {moment}", **told)
        if run.get("seconds") is None
        else say("{notebook}, started {moment}, {seconds:,.1f} s", seconds=float(run["seconds"]), **told),
        reason=reason,
        facts=Html('<p class="facts"{lang}>{text}</p>').fill(lang=lang, text=words) if words else "",
        files=_files(run),
    )


def _lang(run: Run) -> Html:
    """Return the attribute that says a run's language, where it is known."""
    code = run.get("lang")
    return Html(' lang="{code}"').fill(code=html_lang(code)) if code in LANGUAGES else Html("")


def _spoken(run: Run) -> Html:
    name = _OWN_NAMES.get(str(run.get("lang")))
    return Html('<span class="meta"{lang}>{name}</span>').fill(lang=_lang(run), name=name) if name else Html("")


def _subject(run: Run) -> str:
    """Return what a run is about: its book, or its flat sample."""
    return say("sample {name}", name=run.get("sample")) if run["book"] is None else str(run["book"])


def _day(run: Run) -> str:
    return "" if run["as_of"] is None else plain_text(run["as_of"])


def _date_words(text: str, form: str) -> str:
    try:
        return day_text(dt.date.fromisoformat(text), form)
    except ValueError:
        return text


def _status(run: Run) -> Html:
    look, word = _STATUSES.get(str(run["status"]), ("info", ""))
    return chip(look, say(word) or str(run["status"])).html


def _reason(run: Run) -> str:
    return str(run.get("reason") or say("no reason recorded"))


def _moment(run: Run) -> str:
    """Return a run's start to the minute; stored times are UTC."""
    text = plain_text(run.get("started_at")).replace("T", " ")
    return f"{text[:16]} UTC" if text.endswith(("Z", "+00:00")) else text


def _seconds(run: Run) -> str:
    return say("n/a") if run.get("seconds") is None else f"{float(run['seconds']):,.1f}"


def _files(run: Run) -> Html:
    """Return links to the run's files, with their sizes, those for machines folded.

    A name that leads out of the reports' folder is text, no link.
    """
    link = Html('<span><a href="./{href}">{word}</a>{size}</span> ')
    links: list[Html] = []
    folded: list[Html] = []
    for name in sorted(map(str, run.get("files") or []), key=_file_order):
        path = PurePosixPath(str(run["folder"])) / name
        suffix = path.suffix.lower()
        word = say(_FILE_WORDS.get(suffix, "")) or suffix.lstrip(".") or name
        word = named(word, path.stem) if suffix in (".xlsx", ".csv", ".parquet") else word
        size = (run.get("sizes") or {}).get(name)
        told = "" if size is None else Html("&nbsp;<small>{text}</small>").fill(text=_size_text(size))
        shown = (
            Html("<span>{name}</span> ").fill(name=name)
            if path.is_absolute() or ".." in path.parts
            else link.fill(href=quote(str(path), errors="replace"), word=word, size=told)
        )
        (folded if suffix in (".parquet", ".json") else links).append(shown)
    if folded:
        words = say_count(len(folded), "{count} file for machines", "{count} files for machines")
        links.append(
            Html("<details><summary>{words}</summary>{folded}</details>").fill(words=words, folded=join(folded))
        )
    return join(links)


def _size_text(size: int) -> str:
    """Return bytes as a person reads them.

    >>> _size_text(12), _size_text(345_678), _size_text(4_560_000)
    ('1 kB', '346 kB', '4.6 MB')
    """
    return f"{size / 1e6:,.1f} MB" if size >= 999_500 else f"{max(size / 1e3, 1):,.0f} kB"


def _file_order(name: str) -> tuple[int, str]:
    suffix = PurePosixPath(name).suffix.lower()
    return (_FILE_ORDER.index(suffix) if suffix in _FILE_ORDER else len(_FILE_ORDER), name)
