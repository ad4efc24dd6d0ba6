"""A CRM on loopback: a real HTTP server that pages, counts, limits, expires, breaks and changes as CRMs do.

`Crm.plan` holds one fault for each coming request of the list, None for none; `Crm.after_page` changes the records behind a
page that was served. What was asked is in `Crm.asked`.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

LIST = "/api/v2/customers"
TOKEN = "/oauth/token"


@dataclass(frozen=True)
class Fault:
    """An answer instead of the page; `cut` sends half of the page, `drop` closes the connection without a word."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    cut: str = ""  # "length": fewer bytes than Content-Length says; "silent": no Content-Length at all
    drop: bool = False


@dataclass
class Crm:
    """What the server holds and how it behaves."""

    records: list[dict[str, Any]]
    style: str = "page"  # page, offset, cursor, next_link, header_link, all
    largest_page: int = 1000
    plan: list[Fault | None] = field(default_factory=list)
    after_page: dict[int, Callable[[Crm], None]] = field(default_factory=dict)
    bearer: set[str] | None = None
    api_key: str = ""
    basic: str = ""
    clients: dict[str, str] = field(default_factory=dict)
    expires_in: Any = 3600
    counts: bool = True
    last_link: str | None = None
    loop: bool = False
    links_to: str = ""
    moved: bool = False
    echoes: bool = False  # the next link repeats the credentials
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    served: int = 0
    url: str = ""

    def page(self, query: dict[str, str]) -> tuple[dict[str, Any], str | None]:
        """Return the body of a page and the query of the next one."""
        records = [r for r in self.records if r.get("updated_at", "") >= query.get("updated_since", "")]
        size = min(int(query.get("limit", 100)), self.largest_page)
        start = {
            "page": (int(query.get("page", 1)) - 1) * size,
            "offset": int(query.get("offset", 0)),
            "cursor": int(query.get("cursor", "c0")[1:]),
        }.get(self.style, int(query.get("from", 0)))
        if self.style == "all":
            start, size = 0, len(records)
        items, stop = records[start : start + size], start + size
        more = stop < len(records)
        body: dict[str, Any] = {"data": {"items": items}, "meta": {"has_more": more}}
        if self.counts:
            body["meta"]["total"] = len(records)
        if self.style == "cursor":
            body["meta"]["next"] = f"c{start if self.loop else stop}" if more else None
        if self.style == "next_link":
            link = f"{self.links_to or self.url}{LIST}?{urlencode({**query, 'from': stop})}"
            body["meta"]["next"] = link if more else self.last_link
        return body, urlencode({**query, "from": stop}) if more else None


@contextmanager
def serve(crm: Crm) -> Iterator[Crm]:
    """Serve `crm` on a free port of 127.0.0.1 until the block ends."""

    class Handler(_Handler):
        state = crm

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    crm.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield crm
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    state: Crm
    protocol_version = "HTTP/1.1"
    timeout = 10
    wbufsize = 1 << 16  # head and body in one packet

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        crm = self.state
        form = {k: v[0] for k, v in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()}
        crm.asked.append((self.path, form, dict(self.headers)))
        if self.path != TOKEN or crm.clients.get(form.get("client_id", "")) != form.get("client_secret"):
            self._send(401, {"error": "invalid_client", "you_sent": form})
            return
        token = f"issued-token-{len(crm.issued) + 1}-xyz"
        crm.issued.append(token)
        crm.bearer = {token}
        self._send(200, {"access_token": token, "token_type": "bearer", "expires_in": crm.expires_in})

    def do_GET(self) -> None:
        crm = self.state
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        crm.asked.append((parts.path, query, dict(self.headers)))
        if crm.moved and parts.path == LIST:
            self._answer(Fault(308, {"Location": f"{LIST}/?{parts.query}"}, b""))
            return
        if parts.path.rstrip("/") != LIST:
            self._send(404, {"error": "no such list"})
            return
        fault = crm.plan.pop(0) if crm.plan else None
        if fault and not fault.cut:
            self._answer(fault)
            return
        if not self._allowed(query):
            self._send(401, {"error": "token refused", "you_sent": [self.path, self.headers.get("Authorization")]})
            return
        if crm.echoes:
            query["echo"] = self.headers.get("Authorization", "")
        body, following = crm.page(query)
        link = {"Link": f'<{LIST}?{following}>; rel="next"'} if following and crm.style == "header_link" else {}
        self._send(200, body, link, cut=fault.cut if fault else "")
        crm.served += 1
        crm.after_page.pop(crm.served, lambda _: None)(crm)

    def _allowed(self, query: dict[str, str]) -> bool:
        crm = self.state
        if crm.api_key:
            return crm.api_key in (query.get("api_key"), self.headers.get("X-API-Key"))
        if crm.basic:
            return self.headers.get("Authorization") == "Basic " + base64.b64encode(crm.basic.encode()).decode()
        return crm.bearer is None or self.headers.get("Authorization", "").removeprefix("Bearer ") in crm.bearer

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None, *, cut: str = "") -> None:
        self._answer(Fault(status, headers or {}, json.dumps(body).encode(), cut=cut))

    def _answer(self, fault: Fault) -> None:
        if fault.drop:
            self.close_connection = True
            return
        content = fault.body or b""
        self.send_response(fault.status)
        self.send_header("Content-Type", fault.content_type)
        for name, value in fault.headers.items():
            self.send_header(name, value)
        if fault.cut == "silent":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fault.cut else content)
        self.wfile.flush()
        self.close_connection = self.close_connection or bool(fault.cut)
