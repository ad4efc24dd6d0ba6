"""One list of a REST CRM as a file of JSON lines: whole, each record once, in its newest copy."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from workbench.book.sources.records import RecordSpool
from workbench.book.sources.redaction import Redactor, masked_logs
from workbench.book.sources.rest_model import PLACE, Auth, Paging, RestSource, Since
from workbench.core.errors import BookError, InputError, ParameterError, WorkbenchError
from workbench.core.files import whole_file

__all__ = ["Auth", "Paging", "RestFacts", "RestSource", "Since", "fetch_rest"]

SAME_PAGES = 3  # so many equal pages in a row: the server does not heed the paging parameter


@dataclass(frozen=True)
class RestFacts:
    """What a fetch did.

    Attributes
    ----------
    rows : int
        Records written, one a key.
    requests, retries, pages : int
        HTTP requests sent, those of them sent again, and pages read, of all readings and with token requests.
    changed_between_pages : int
        Keys that came again with other content while the list was read; the newest copy was kept.
    duplicates : int
        Records that came again unchanged and were dropped.
    rereads : int
        Times that the list was read anew because records had been missed.
    repaired : int
        Records in which half a character became U+FFFD.
    cursor : str or None
        What to give as `since` next time.
    """

    rows: int
    requests: int
    retries: int
    pages: int
    changed_between_pages: int
    duplicates: int
    rereads: int
    repaired: int
    cursor: str | None


def fetch_rest(
    source: RestSource,
    *,
    out: Path,
    root: Path,
    environment: Mapping[str, str],
    progress: Callable[[str], None],
    since: str | None = None,
) -> RestFacts:
    """Read the whole list, or what changed `since`, and write one line of JSON a record to `out`, whole or not at all.

    Parameters
    ----------
    source : RestSource
        The list and how to ask for it.
    out : Path
        The file to write: UTF-8, names in alphabetical order, readable by its owner only.
    root : Path
        The workspace, in which references to files of secrets lie.
    environment : mapping of str to str
        The variables of the environment, for references to secrets.
    progress : callable
        Takes one line of text at each page, wait and renewed token.
    since : str, optional
        The cursor of an earlier fetch.

    Raises
    ------
    InputError
        If the extra `ingest` is not installed.
    ParameterError
        If the source, or a secret it refers to, is not usable.
    BookError
        If the server fails beyond the retries, refuses, leads elsewhere, loops, or keeps back records that it counts.
    """
    if since is not None and source.since is None:
        raise ParameterError(
            "rest: `since` was given, but the source does not say how to ask. Add since: {param: ..., from: ...}."
        )
    source = RestSource.model_validate(source.model_dump())  # a copy with another url has not been checked yet
    if PLACE in source.url:
        raise ParameterError(f"rest: url: found {PLACE}, but no address was given. Import with --from URL.")
    dlt = _load_dlt()
    redactor = Redactor()
    problem: WorkbenchError
    try:
        with masked_logs(redactor):
            return _fetch(
                dlt, source, out, root, environment, lambda text: progress(redactor.text(text)), since, redactor
            )
    except WorkbenchError as error:
        problem = type(error)(redactor.text(str(error)))
    raise problem  # anew: without the chain of foreign errors, whose texts hold addresses


def _fetch(
    dlt: tuple[Any, Any],
    source: RestSource,
    out: Path,
    root: Path,
    environment: Mapping[str, str],
    progress: Callable[[str], None],
    since: str | None,
    redactor: Redactor,
) -> RestFacts:
    protocol, paging = dlt
    paging.check_paths(source)
    what = f"rest: {source.resource}"
    traffic = protocol.Traffic(what=what, redactor=redactor, progress=progress)
    client, hooks = protocol.open_client(source, root=root, environment=environment, traffic=traffic)
    params = {name: str(value).lower() if isinstance(value, bool) else value for name, value in source.params.items()}
    if source.since and since is not None:
        params[source.since.param] = since
    out.parent.mkdir(parents=True, exist_ok=True)
    for reading in range(source.rereads + 1):
        with tempfile.TemporaryFile(dir=out.parent) as stream:
            spool = _new_spool(source, stream, since, redactor, what)
            missed = _read_list(spool, paging.read_pages(client, hooks, params), source, traffic)
            if missed:
                progress(f"{what}: {missed}")
                continue
            with whole_file(out) as temporary:
                temporary.chmod(0o600)  # people's data, before any masking
                with temporary.open("wb") as lines:
                    spool.write_to(lines)
        if spool.repaired:
            progress(f"{what}: half characters became U+FFFD in {spool.repaired} records")
        return RestFacts(
            rows=spool.rows,
            requests=traffic.requests,
            retries=traffic.retries,
            pages=traffic.pages,
            changed_between_pages=len(spool.changed),
            duplicates=spool.duplicates,
            rereads=reading,
            repaired=spool.repaired,
            cursor=spool.cursor,
        )
    raise BookError(
        f"{what}: {missed}, in each of {source.rereads + 1} readings; expected every record that the server counts. Use a "
        "cursor or an order by a field that never changes if the CRM offers one, load when it is quiet, or raise `rereads`."
    )


def _read_list(spool: RecordSpool, pages: Any, source: RestSource, traffic: Any) -> str:
    """Read the pages into `spool`; return what shows that records were missed, or ''."""
    first_total = lowest_total = None
    previous, equal = b"", 1
    for page in pages:
        content = blake2b(b"".join(spool.add(record) for record in page.records)).digest() if page.records else b""
        equal = equal + 1 if content and content == previous else 1
        previous = content
        if equal == SAME_PAGES:
            raise BookError(
                f"{traffic.what}: {SAME_PAGES} pages in a row are the same. The server does not heed the paging parameter; "
                "check `paging`."
            )
        if page.total is not None:
            first_total = page.total if first_total is None else first_total
            lowest_total = page.total if lowest_total is None else min(lowest_total, page.total)
        traffic.progress(f"{traffic.what}: page {traffic.page}, {spool.rows:,} records")
        if spool.rows > source.max_records or traffic.page > source.max_pages:
            raise BookError(
                f"{traffic.what}: {spool.rows:,} records on {traffic.page:,} pages, more than max_records "
                f"{source.max_records:,} or max_pages {source.max_pages:,}. Ask for less (params, since), or raise the limit."
            )
    if first_total is None or lowest_total is None:
        return ""
    if spool.rows < first_total:
        return f"{spool.rows:,} different records came, but the server counted {first_total:,}"
    if lowest_total < first_total:
        return f"records were removed during the reading (from {first_total:,} to {lowest_total:,}), so others moved unread"
    return ""


def _new_spool(source: RestSource, stream: IO[bytes], since: str | None, redactor: Redactor, what: str) -> RecordSpool:
    field = source.since.source if source.since else ""
    return RecordSpool(
        stream, key=source.key, version=source.version, since=field, reached=since, redactor=redactor, what=what
    )


def _load_dlt() -> tuple[Any, Any]:
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")  # dlt reads it from there alone
    try:
        from workbench.book.sources import rest_paging, rest_protocol
    except ModuleNotFoundError as error:
        missing = error.name
    else:
        return rest_protocol, rest_paging
    raise InputError(
        f"rest: the package {missing!r} is not installed; REST sources need it. Install the extra ingest: "
        "pip install 'loan-risk-workbench[ingest]'."
    )
