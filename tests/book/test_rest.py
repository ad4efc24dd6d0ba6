"""REST sources against a real server on loopback that behaves as CRMs do."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import dlt.common.logger
import pytest
import yaml

from workbench.book.sources.records import is_newer
from workbench.book.sources.redaction import Redactor
from workbench.book.sources.rest import RestFacts, RestSource, fetch_rest
from workbench.core.errors import BookError, InputError, ParameterError
from workbench.core.yaml_files import check_mapping

from .crm_server import LIST, TOKEN, Crm, Fault, serve

SECRET = "sEcr3t/T0ken+with=signs"
BROKEN = Fault(500, body=b"<h1>oops</h1>", content_type="text/html")
PAGINGS: dict[str, dict[str, Any]] = {
    "page": {"kind": "page", "size_param": "limit", "page_size": 10, "total": "meta.total"},
    "offset": {"kind": "offset", "page_size": 10, "total": "meta.total"},
    "cursor": {"kind": "cursor", "next": "meta.next", "size_param": "limit", "page_size": 10, "total": "meta.total"},
    "next_link": {"kind": "next_link", "next": "meta.next", "size_param": "limit", "page_size": 10},
    "header_link": {"kind": "header_link", "size_param": "limit", "page_size": 10},
    "all": {"kind": "none"},
}


def customers(number: int) -> list[dict[str, Any]]:
    return [
        {"customer_id": f"C{i:03}", "name": f"张 {i}", "income": 1000.5 + i, "updated_at": f"2025-01-01T00:{i:02}:00Z"}
        for i in range(number)
    ]


@pytest.fixture(autouse=True)
def _loopback_without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def start() -> Iterator[Callable[..., Crm]]:
    with ExitStack() as stack:
        yield lambda number=25, **how: stack.enter_context(serve(Crm(customers(number), **how)))


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., tuple[RestFacts, list[dict[str, Any]]]]:
    """Return a function that fetches `crm` and returns the facts and the lines; `said` collects the progress."""

    def run(crm: Crm, *, reached: str | None = None, said: list[str] | None = None, **changes: Any) -> Any:
        out = tmp_path / "raw" / "customers.jsonl"
        facts = fetch_rest(
            describe(crm, **changes),
            out=out,
            root=tmp_path,
            environment={"CRM_TOKEN": SECRET, "CRM_ID": "the-client-id", "CRM_SECRET": SECRET},
            progress=(said if said is not None else []).append,
            since=reached,
        )
        return facts, [json.loads(line) for line in out.read_text("utf-8").splitlines()]

    return run


def describe(crm: Crm, **changes: Any) -> RestSource:
    values = {
        "url": f"{crm.url}/api/v2",
        "resource": "customers",
        "records": "data.items",
        "paging": PAGINGS[crm.style],
        "key": "customer_id",
        "version": "updated_at",
        "max_retries": 3,
        "backoff_seconds": 0.01,
        "timeout_seconds": 5,
    }
    return check_mapping(RestSource, {**values, **changes}, source="rest")


# Pages


@pytest.mark.parametrize("style", list(PAGINGS))
def test_every_kind_of_paging_brings_every_record_once(style: str, start: Any, fetch: Any, tmp_path: Path) -> None:
    crm = start(25, style=style)
    facts, rows = fetch(crm)
    assert rows == customers(25)
    assert facts.rows == 25
    assert (facts.duplicates, facts.changed_between_pages, facts.retries, facts.rereads) == (0, 0, 0, 0)
    assert facts.requests == facts.pages == len(crm.asked)
    first = (tmp_path / "raw" / "customers.jsonl").read_text("utf-8").splitlines()[0]
    assert first == '{"customer_id":"C000","income":1000.5,"name":"张 0","updated_at":"2025-01-01T00:00:00Z"}'
    assert (tmp_path / "raw" / "customers.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("style", list(PAGINGS))
def test_an_empty_list_is_an_empty_file(style: str, start: Any, fetch: Any) -> None:
    facts, rows = fetch(start(0, style=style))
    assert (facts.rows, rows, facts.cursor) == (0, [], None)


def test_has_more_saves_the_request_for_an_empty_page(start: Any, fetch: Any) -> None:
    crm = start(20, style="offset")
    assert fetch(crm)[0].requests == 3
    assert fetch(crm, paging={**PAGINGS["offset"], "has_more": "meta.has_more"})[0].requests == 2


def test_an_empty_link_ends_the_list(start: Any, fetch: Any) -> None:
    assert fetch(start(25, style="next_link", last_link=""))[0].rows == 25


def test_the_only_list_of_the_body_is_found_and_a_choice_is_not_guessed(start: Any, fetch: Any) -> None:
    crm = start(3, style="all", plan=[Fault(body=b'{"rows": [{"customer_id": "A", "updated_at": "2025"}], "n": 1}')])
    assert [row["customer_id"] for row in fetch(crm, records="")[1]] == ["A"]
    crm.plan = [Fault(body=b'{"rows": [], "links": []}')]
    with pytest.raises(BookError, match=r"found 2 lists in the body \(links, rows\)"):
        fetch(crm, records="")
    crm.plan = [Fault(body=b"5")]
    with pytest.raises(BookError, match="found 0 lists in the body"):
        fetch(crm, records="", max_retries=0)


def test_parameters_and_headers_reach_the_server(start: Any, fetch: Any) -> None:
    crm = start(5)
    fetch(crm, params={"active": True, "branch": 7}, headers={"X-Tenant": "north"})
    path, query, headers = crm.asked[0]
    assert path == LIST
    assert query == {"active": "true", "branch": "7", "page": "1", "limit": "10"}
    assert headers["X-Tenant"] == "north"


# What moves while it is read


def test_of_a_record_that_changed_between_pages_the_newest_stays(start: Any, fetch: Any) -> None:
    new = {"customer_id": "C009", "name": "new", "income": 1.0, "updated_at": "2025-02-01T00:00:00Z"}
    old = {"customer_id": "C001", "name": "old", "income": 1.0, "updated_at": "2024-02-01T00:00:00Z"}

    def change(crm: Crm) -> None:
        crm.records[10:10] = [new, old]

    facts, rows = fetch(start(25, style="offset", after_page={1: change}))
    by_key = {row["customer_id"]: row for row in rows}
    assert len(rows) == len(by_key) == 25
    assert by_key["C009"] == new
    assert by_key["C001"] == customers(2)[1]
    assert facts.changed_between_pages == 2
    facts, rows = fetch(start(25, style="offset", after_page={1: change}), version="")
    assert {row["customer_id"]: row for row in rows}["C001"] == old  # the last, where no field tells


def test_a_record_inserted_while_paging_doubles_none(start: Any, fetch: Any) -> None:
    crm = start(
        25, style="offset", after_page={1: lambda crm: crm.records.insert(0, {**customers(1)[0], "customer_id": "N"})}
    )
    facts, rows = fetch(crm)
    assert [row["customer_id"] for row in rows] == [f"C{i:03}" for i in range(25)]
    assert (facts.duplicates, facts.rereads) == (1, 0)


def test_a_record_removed_while_paging_hides_none(start: Any, fetch: Any) -> None:
    said: list[str] = []
    facts, rows = fetch(start(25, style="offset", after_page={1: lambda crm: crm.records.pop(0)}), said=said)
    assert [row["customer_id"] for row in rows] == [f"C{i:03}" for i in range(1, 25)]
    assert facts.rereads == 1
    assert "rest: customers: 24 different records came, but the server counted 25" in said


def test_a_removal_that_the_count_alone_would_hide_is_seen(start: Any, fetch: Any) -> None:
    def swap(crm: Crm) -> None:
        crm.records.append({**customers(1)[0], "customer_id": "N"})

    crm = start(25, style="offset", after_page={1: lambda crm: crm.records.pop(0), 2: swap})
    facts, rows = fetch(crm)
    assert facts.rereads == 1
    assert [row["customer_id"] for row in rows] == [*(f"C{i:03}" for i in range(1, 25)), "N"]


def test_a_lasting_shortfall_is_an_error(start: Any, fetch: Any, tmp_path: Path) -> None:
    crm = start(25, style="offset")
    crm.records[20] = dict(crm.records[3])  # the server counts 25, but hands out 24 keys
    with pytest.raises(BookError, match=r"24 different records came, but the server counted 25, in each of 3 readings"):
        fetch(crm)
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_server_with_smaller_pages_than_asked_skips_nothing(start: Any, fetch: Any) -> None:
    crm = start(25, style="offset", largest_page=5, counts=False)
    with pytest.raises(BookError, match=r"page 2: there are records behind a page shorter than page_size 10"):
        fetch(crm, paging={"kind": "offset", "page_size": 10})
    crm.counts = True
    with pytest.raises(BookError, match="15 different records came, but the server counted 25"):
        fetch(crm, rereads=0)


# Faults of the server


def test_errors_and_dropped_connections_are_retried(start: Any, fetch: Any) -> None:
    plan = [None, BROKEN, Fault(503), Fault(drop=True), None, Fault(cut="length"), Fault(cut="silent")]
    said: list[str] = []
    facts, rows = fetch(start(25, plan=plan), said=said)
    assert rows == customers(25)
    assert facts.retries == 5
    assert facts.requests == facts.pages + 5
    assert [line for line in said if "status 500; retry 1 of 3 in 0.0" in line]


def test_retry_after_is_honoured(start: Any, fetch: Any) -> None:
    began = time.monotonic()
    facts, _ = fetch(start(5, plan=[Fault(429, {"Retry-After": "1"})]))
    assert 1 <= time.monotonic() - began < 4
    assert facts.retries == 1


@pytest.mark.parametrize("asked", ["3600", "Wed, 01 Jan 2098 00:00:00 GMT"])
def test_a_wait_beyond_the_limit_is_an_error_at_once(asked: str, start: Any, fetch: Any) -> None:
    began = time.monotonic()
    with pytest.raises(BookError, match=r"page 1: the server still answered 429, which asks to wait \d+ s"):
        fetch(start(5, plan=[Fault(429, {"Retry-After": asked})]))
    assert time.monotonic() - began < 2


def test_waits_double_and_differ(start: Any, fetch: Any) -> None:
    said: list[str] = []
    fetch(start(5, plan=[BROKEN] * 3), backoff_seconds=0.2, said=said)
    waits = [float(line.split()[-2]) for line in said if "retry" in line]
    assert all(low <= wait <= low + 0.2 for wait, low in zip(waits, (0.2, 0.4, 0.8), strict=True))
    assert waits != [0.2, 0.4, 0.8]  # not in step with others who wait


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (BROKEN, r"page 2: the server still answered 500 after the retries"),
        (Fault(drop=True), r"page 2: no whole answer after 3 retries \(ConnectionError\)"),
        (Fault(cut="length"), r"page 2: no whole answer after 3 retries \(ChunkedEncodingError\)"),
        (
            Fault(cut="silent"),
            r"page 2: found \d+ bytes of application/json that are no JSON \(or only its beginning\)",
        ),
        (Fault(body=b"<html>", content_type="text/html"), r"page 2: found 6 bytes of text/html that are no JSON"),
        (
            Fault(body=b'{"data": {"itmes": []}}'),
            r"`records: data.items` leads to nothing, expected a list.*holds: data",
        ),
        (Fault(body=b'{"data": {"items": {"a": 1}}}'), r"`records: data.items` leads to a dict, expected a list"),
        (Fault(body=b'{"data": {"items": [3]}}'), r"found a int in the list, expected objects"),
        (Fault(body=b'{"data": {"items": [{"id": 1}]}}'), r"key: 'customer_id': found no such field .* Its fields: id"),
        (
            Fault(body=b'{"data": {"items": [{"customer_id": "A", "updated_at": 1, "x": NaN}]}}'),
            r"a record holds NaN or Infinity",
        ),
        (Fault(404, body=b"{}"), r"page 2: the server answered 404, expected 200"),
        (Fault(body=b"[" * 100_000 + b"]"), r"page 2: found 100001 bytes of application/json that are no JSON"),
        (Fault(body=b'{"data": "\xff"}'), r"page 2: found 13 bytes of application/json that are no JSON"),
    ],
)
def test_what_is_no_page_is_one_clear_error_and_the_old_file_stays(
    fault: Fault, message: str, start: Any, fetch: Any, tmp_path: Path
) -> None:
    out = tmp_path / "raw" / "customers.jsonl"
    out.parent.mkdir()
    out.write_text("{}\n")
    with pytest.raises(BookError, match=message):
        fetch(start(25, plan=[None, *[fault] * 4]))
    assert out.read_text() == "{}\n"
    assert list(out.parent.iterdir()) == [out]


def test_other_encodings_and_half_characters(start: Any, fetch: Any) -> None:
    latin = '{"data": {"items": [{"customer_id": "é", "updated_at": "2025"}]}}'.encode("latin-1")
    crm = start(1, style="all", plan=[Fault(body=latin, content_type="application/json; charset=iso-8859-1")])
    assert fetch(crm)[1][0]["customer_id"] == "é"
    crm.plan = [Fault(body=b'{"data": {"items": [{"customer_id": "a", "name": "x\\ud83d", "updated_at": "2025"}]}}')]
    facts, rows = fetch(crm)
    assert rows[0]["name"] == "x\ufffd"
    assert facts.repaired == 1
    crm.plan = [Fault(204), Fault(body=b'{"data": {"items": null}}')]
    assert fetch(crm)[0].rows == fetch(crm)[0].rows == 0


def test_a_server_that_is_down(start: Any, fetch: Any) -> None:
    with serve(Crm(customers(1))) as crm:
        pass
    with pytest.raises(BookError, match=r"no whole answer after 1 retries \(ConnectionError\)"):
        fetch(crm, max_retries=1)


def test_silence_is_not_waited_for_longer_than_allowed(start: Any, fetch: Any) -> None:
    crm = start(5, after_page={1: lambda _: time.sleep(1)})
    with pytest.raises(BookError, match=r"page 2: no whole answer after 0 retries \(ReadTimeout\)"):
        fetch(crm, timeout_seconds=0.3, max_retries=0)


def test_loops_end(start: Any, fetch: Any) -> None:
    with pytest.raises(BookError, match="leads back to a page that was read already"):
        fetch(start(25, style="cursor", loop=True))
    with pytest.raises(
        BookError, match=r"3 pages in a row are the same\. The server does not heed the paging parameter"
    ):
        fetch(start(25), paging={**PAGINGS["page"], "param": "seite"})


def test_guards(start: Any, fetch: Any) -> None:
    with pytest.raises(BookError, match="20 records on 2 pages, more than max_records 15"):
        fetch(start(25), max_records=15)
    with pytest.raises(BookError, match="or max_pages 1"):
        fetch(start(25), max_pages=1)


def test_requests_keep_their_distance(start: Any, fetch: Any) -> None:
    began = time.monotonic()
    facts, _ = fetch(start(25), requests_per_second=10)
    assert time.monotonic() - began >= (facts.requests - 1) / 10


def test_totals_and_flags_that_are_not_there(start: Any, fetch: Any) -> None:
    with pytest.raises(BookError, match=r"paging\.total: 'meta.count' leads to no number"):
        fetch(start(25), paging={**PAGINGS["page"], "total": "meta.count"})
    with pytest.raises(BookError, match=r"found no usable value where `paging` says \(has_more: 'meta.more'"):
        fetch(start(25), paging={**PAGINGS["page"], "has_more": "meta.more"})
    with pytest.raises(ParameterError, match=r"records: 'data\[' is no JSON path"):
        fetch(start(25), records="data[")


# Credentials


BEARER = {"kind": "bearer", "token": "env:CRM_TOKEN"}
OAUTH = {"kind": "oauth2_client", "client_id": "env:CRM_ID", "client_secret": "env:CRM_SECRET", "scope": "read"}


def test_each_kind_of_credentials(start: Any, fetch: Any, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("long pass:wörd\n", "utf-8")
    (tmp_path / "password").chmod(0o600)
    assert fetch(start(bearer={SECRET}), auth=BEARER)[0].rows == 25
    key = {"kind": "api_key", "token": "env:CRM_TOKEN"}
    assert fetch(start(api_key=SECRET), auth=key)[0].rows == 25
    in_query = {**key, "location": "query", "name": "api_key"}
    for style in ("page", "next_link"):
        assert fetch(start(api_key=SECRET, style=style), auth=in_query)[0].rows == 25
    basic = {"kind": "basic", "username": "batch", "password": "file:password"}
    assert fetch(start(basic="batch:long pass:wörd"), auth=basic)[0].rows == 25
    by_key = {"kind": "basic", "username": "env:CRM_TOKEN"}
    assert fetch(start(basic=f"{SECRET}:"), auth=by_key)[0].rows == 25


def test_a_token_that_runs_out_in_mid_run_is_renewed(start: Any, fetch: Any) -> None:
    crm = start(25, clients={"the-client-id": SECRET}, bearer=set(), plan=[None, None, BROKEN])
    crm.after_page = {1: lambda crm: crm.bearer.clear()}
    said: list[str] = []
    facts, rows = fetch(crm, auth={**OAUTH, "token_url": crm.url + TOKEN}, said=said)
    assert rows == customers(25)
    assert len(crm.issued) == 2
    assert facts.retries == 1
    assert facts.requests == len(crm.asked)
    assert [form["scope"] for path, form, _ in crm.asked if path == TOKEN] == ["read", "read"]
    assert "rest: customers: the token ran out; fetching a new one" in said


@pytest.mark.parametrize("expires_in", [0, "0", "soon", None])
def test_lives_of_tokens_as_servers_write_them(expires_in: Any, start: Any, fetch: Any) -> None:
    crm = start(25, clients={"the-client-id": SECRET}, bearer=set(), expires_in=expires_in)
    assert fetch(crm, auth={**OAUTH, "token_url": crm.url + TOKEN})[0].rows == 25
    assert (len(crm.issued) == 1) is (expires_in in ("soon", None))


def test_refused_credentials(start: Any, fetch: Any) -> None:
    crm = start(25, bearer={SECRET})
    crm.after_page = {1: lambda crm: crm.bearer.clear()}
    with pytest.raises(
        BookError, match=r"page 2: the server refused the credentials \(401\). They were good .*env:CRM_TOKEN"
    ):
        fetch(crm, auth=BEARER)
    assert len(crm.asked) == 2  # a refusal is not retried
    with pytest.raises(BookError, match=r"asks for credentials \(401\). Describe them in `auth`"):
        fetch(crm)
    with pytest.raises(BookError, match=r"page 1: .* they may not read this \(403\)"):
        fetch(start(plan=[Fault(403)]), auth=BEARER)
    oauth = {**OAUTH, "token_url": crm.url + TOKEN}
    with pytest.raises(BookError, match=r"auth.token_url: found no token in the answer \(status 401\)"):
        fetch(crm, auth=oauth)
    crm = start(25, clients={"the-client-id": SECRET}, plan=[Fault(401)] * 9)
    with pytest.raises(BookError, match=r"page 1: the server refused the credentials \(401\)\. Renew"):
        fetch(crm, auth={**OAUTH, "token_url": crm.url + TOKEN})
    assert len(crm.issued) == 2  # once renewed, and no more


def test_nothing_is_sent_to_another_host(start: Any, fetch: Any) -> None:
    thief = start(25)
    crm = start(25, bearer={SECRET}, plan=[Fault(302, {"Location": f"{thief.url}{LIST}?page=1"})])
    with pytest.raises(BookError, match=rf"the server leads to {thief.url}, .*Nothing was sent there"):
        fetch(crm, auth=BEARER)
    with pytest.raises(BookError, match=rf"the server leads to {thief.url}"):
        fetch(start(25, style="next_link", bearer={SECRET}, links_to=thief.url), auth=BEARER)
    assert thief.asked == []


def test_a_redirect_within_the_host_is_followed_with_the_token_and_without_netrc(
    start: Any, fetch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else-password\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    crm = start(25, bearer={SECRET}, moved=True)
    assert fetch(crm, auth=BEARER)[0].rows == 25
    open_crm = start(25)
    fetch(open_crm)
    assert not [headers for _, _, headers in open_crm.asked if "Authorization" in headers]


# Secrets stay secret


@pytest.mark.parametrize("ending", ["good", "refused", "down"])
@pytest.mark.parametrize("kind", ["bearer", "query", "oauth"])
def test_no_secret_in_errors_logs_progress_or_lines(
    kind: str, ending: str, start: Any, fetch: Any, tmp_path: Path, caplog: Any, capfd: Any
) -> None:
    crm = start(25, style="next_link", clients={"the-client-id": SECRET}, echoes=True)
    for record in crm.records:
        record["self"] = f"{crm.url}{LIST}/{record['customer_id']}?api_key={quote_plus(SECRET)}"
    auth = {
        "bearer": BEARER,
        "query": {"kind": "api_key", "token": "env:CRM_TOKEN", "location": "query", "name": "api_key"},
        "oauth": {**OAUTH, "token_url": crm.url + TOKEN},
    }[kind]
    crm.bearer, crm.api_key = {SECRET}, SECRET if kind == "query" else ""
    crm.plan = [None, BROKEN]
    if ending == "refused":
        crm.plan = [None, *[Fault(401, body=SECRET.encode())] * 9]
    if ending == "down":
        crm.plan = [None, *[Fault(drop=True)] * 9]
    before = list(logging.getLogger("urllib3.connectionpool").filters)  # MLflow, where it is loaded, has one of its own
    caplog.set_level(logging.DEBUG)
    spoken = logging.getLogger("dlt")
    assert dlt.common.logger.LOGGER is spoken
    spoken.setLevel(logging.DEBUG)
    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(handler)
    said: list[str] = []
    error = ""
    try:
        fetch(crm, auth=auth, said=said)
    except BookError as problem:
        error = "".join(traceback.format_exception(problem)) + repr((problem.__cause__, problem.__context__))
    finally:
        logging.getLogger().removeHandler(handler)
        spoken.setLevel(logging.WARNING)
    assert bool(error) is (ending != "good")
    heard = {record.name for record in caplog.records}
    assert {"dlt", "urllib3.connectionpool"} <= heard, heard
    captured = capfd.readouterr()
    lines = "".join(path.read_text("utf-8") for path in tmp_path.rglob("*.jsonl"))
    assert ("?api_key=***" in lines) is (ending == "good")
    everything = "\n".join([error, *said, caplog.text, captured.out, captured.err, lines])
    for secret in (SECRET, *crm.issued, "the-client-id" if kind == "oauth" else SECRET):
        for spelling in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret)):
            assert spelling not in everything
    assert logging.getLogger("urllib3.connectionpool").filters == before


def test_a_secret_written_into_yaml_is_refused_without_being_shown() -> None:
    good = {"url": "https://crm.example/api", "resource": "customers", "key": "id"}
    for wrong in (
        {"auth": {"kind": "bearer", "token": SECRET}},
        {"auth": {"kind": "berer", "token": SECRET}},
        {"auth": {"kind": "basic", "username": "me", "password": SECRET}},
        {"auth": {"kind": "bearer", "tokn": SECRET}},
        {"auth": {"kind": "bearer", "token": "env:A", "client_secret": SECRET}},
        {"auth": f"Bearer {SECRET}"},
        {"auth": {"kind": "bearer", "token": [SECRET]}},
        {"params": {"api_key": SECRET}},
        {"headers": {"Authorization": SECRET}},
        {"headers": {"X-Api-Key": SECRET}},
        {"url": f"https://me:{SECRET}@crm.example/api"},
        {"url": f"https://crm.example/api?key={SECRET}"},
        {"resource": f"customers?token={SECRET}"},
    ):
        with pytest.raises(ParameterError) as caught:
            check_mapping(RestSource, {**good, **wrong}, source="rest")
        assert SECRET not in str(caught.value), wrong
        assert "T0ken" not in str(caught.value), wrong


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"auth": {"kind": "basic", "token": "env:A"}}, "kind 'basic' takes no token; it takes password, username"),
        ({"auth": {"kind": "bearer"}}, "kind 'bearer' needs token; add it"),
        (
            {"url": "http://crm.example/api", "auth": {"kind": "bearer", "token": "env:A"}},
            "would carry the secret unencrypted",
        ),
        ({"paging": {"kind": "cursor"}}, "kind 'cursor' needs next; add it"),
        ({"paging": {"kind": "page", "next": "a"}}, "kind 'page' takes no next; it takes first"),
        ({"paging": {"kind": "page", "page_size": 5}}, "page_size and size_param go together"),
        ({"retries": 3}, r"unknown name 'retries'. Did you mean"),
        ({"paging": {"kind": "page", "parm": "p"}}, r"unknown name 'paging.parm'. Did you mean 'param'"),
        ({"since": {"param": "since"}}, "'since.from' is missing"),
        ({"url": "ftp://crm.example"}, "expected https://HOST/PATH"),
    ],
)
def test_a_wrong_description_says_what_to_do(wrong: dict[str, Any], message: str) -> None:
    good = {"url": "https://crm.example/api", "resource": "customers", "key": "id"}
    assert check_mapping(RestSource, good, source="rest").key == ("id",)
    with pytest.raises(ParameterError, match=message):
        check_mapping(RestSource, {**good, **wrong}, source="rest")


def test_the_example_of_the_docs_is_a_source() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "books" / "rest.md").read_text("utf-8")
    example = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    assert check_mapping(RestSource, example["rest"], source="rest").paging.kind == "cursor"


def test_secrets_that_cannot_be_used(start: Any, tmp_path: Path) -> None:
    source = describe(start(5), auth=BEARER)
    for value, message in (
        ("short", "fewer than 8 characters"),
        ("two words", "holds a blank"),
        ("line\nbreak", "holds a"),
    ):
        with pytest.raises(ParameterError, match=message) as caught:
            fetch_rest(source, out=tmp_path / "x", root=tmp_path, environment={"CRM_TOKEN": value}, progress=len)
        assert value not in str(caught.value)


# Incremental loads and the rest


def test_a_second_load_asks_for_what_changed(start: Any, fetch: Any) -> None:
    crm = start(25)
    since = {"param": "updated_since", "from": "updated_at"}
    assert fetch(crm)[0].cursor is None
    with pytest.raises(ParameterError, match="does not say how to ask"):
        fetch(crm, reached="2025-01-01T00:20:00Z")
    crm.records[3]["updated_at"] = "2025-03-01T00:00:00Z"
    assert fetch(crm, since=since)[0].cursor == "2025-03-01T00:00:00Z"
    facts, rows = fetch(crm, since=since, reached="2025-03-01T00:00:00Z")
    assert [row["customer_id"] for row in rows] == ["C003"]
    assert facts.cursor == "2025-03-01T00:00:00Z"
    assert fetch(crm, since=since, reached="2026-01-01T00:00:00Z")[0].cursor == "2026-01-01T00:00:00Z"


def test_the_address_may_come_with_the_import(start: Any, tmp_path: Path) -> None:
    source = describe(start(3), url="{from}/v2", auth=BEARER)
    keywords: dict[str, Any] = {"root": tmp_path, "environment": {"CRM_TOKEN": SECRET}, "progress": len}
    with pytest.raises(ParameterError, match=r"found \{from\}, but no address was given"):
        fetch_rest(source, out=tmp_path / "x", **keywords)
    for url in ("http://crm.example/v2", f"https://me:{SECRET}@crm.example/v2"):
        with pytest.raises(ParameterError) as caught:
            fetch_rest(source.model_copy(update={"url": url}), out=tmp_path / "x", **keywords)
        assert SECRET not in str(caught.value)
    crm = start(3)
    assert fetch_rest(source.model_copy(update={"url": f"{crm.url}/api/v2"}), out=tmp_path / "x", **keywords).rows == 3


def test_versions_compare_as_what_they_are() -> None:
    assert is_newer("10", "9")
    assert is_newer(10.5, 10)
    assert is_newer("2025-03-01T10:00:00+01:00", "2025-03-01T08:59:00Z")
    assert not is_newer("2025-03-01T10:00:00+02:00", "2025-03-01T08:01:00Z")
    assert is_newer("v2", "v1")
    assert not is_newer(None, "v1")
    assert not is_newer("3", 2)


def test_a_secret_in_any_spelling_is_masked() -> None:
    redactor = Redactor()
    redactor.learn('quote"d & sp ace', what="x")
    for text in ('quote"d & sp ace', "quote%22d%20%26%20sp%20ace", "quote%22d+%26+sp+ace", 'quote\\"d & sp ace'):
        assert redactor.text(f"<{text}>") == "<***>"
    assert redactor.value({"n": 12345678, "a": ['quote"d & sp ace']}) == {"n": 12345678, "a": ["***"]}


def test_without_the_extra_the_message_names_it(start: Any, fetch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("workbench.book.sources.rest_p")]:
        monkeypatch.delitem(sys.modules, name)
    import workbench.book.sources

    for name in ("rest_protocol", "rest_paging"):
        monkeypatch.delattr(workbench.book.sources, name, raising=False)
    monkeypatch.setitem(sys.modules, "dlt", None)
    for name in [name for name in sys.modules if name.startswith("dlt.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InputError, match=r"Install the extra ingest: pip install 'loan-risk-workbench\[ingest\]'"):
        fetch(start(1))


def test_dlt_calls_nobody_and_leaves_nothing_behind(start: Any, tmp_path: Path) -> None:
    """In a fresh process and home: every connection goes to the CRM, no file appears, telemetry is off."""
    crm = start(25)
    code = """
import json, os, socket, sys, threading
from pathlib import Path
peers = []
connect = socket.socket.connect
def watch(self, address):
    peers.append(list(address)[:2] if isinstance(address, tuple) else [str(address)])
    return connect(self, address)
socket.socket.connect = watch
from workbench.book.sources.rest import RestSource, fetch_rest
before = set(sys.modules)
assert not [name for name in before if name.split(".")[0] == "dlt"], "dlt is imported lazily"
source = RestSource.model_validate_json(sys.argv[1])
facts = fetch_rest(source, out=Path("out.jsonl"), root=Path(), environment={}, progress=len)
from dlt.common.configuration import resolve_configuration
from dlt.common.configuration.specs import RuntimeConfiguration
assert resolve_configuration(RuntimeConfiguration()).dlthub_telemetry is False
print(json.dumps([facts.rows, peers, threading.active_count()]))
"""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if "DLT" not in k} | {
        "HOME": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code, describe(crm).model_dump_json()],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows, peers, threads = json.loads(done.stdout)
    assert rows == 25
    assert {tuple(peer) for peer in peers} == {("127.0.0.1", int(crm.url.rpartition(":")[2]))}
    assert threads == 1
    assert list(home.iterdir()) == []
    assert [path.name for path in work.iterdir()] == ["out.jsonl"]
