"""HTTP as CRMs speak it, by dlt's REST client; import this module only where the extra `ingest` is installed.

What is ours: nothing leaves for another host, waits have jitter and an upper bound, a token that ran out is renewed once,
and what is not a page is an error instead of an empty page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dlt.common import jsonpath
from dlt.common.configuration.specs import RuntimeConfiguration
from dlt.sources.helpers.requests import Client
from dlt.sources.helpers.rest_client.client import RESTClient
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ConnectionError, SSLError, Timeout  # noqa: A004
from tenacity import RetryCallState, stop_any, wait_combine, wait_random

from workbench.book.sources.redaction import Redactor
from workbench.book.sources.rest_answers import (
    RETRIED_STATUS,
    asked_to_wait,
    check_status,
    find_records,
    parse_body,
    refused,
)
from workbench.book.sources.rest_auth import RenewableAuth, open_auth
from workbench.book.sources.rest_model import RestSource
from workbench.core.errors import BookError


@dataclass
class Traffic:
    """What one run sent and met."""

    what: str
    redactor: Redactor
    progress: Callable[[str], None]
    requests: int = 0
    retries: int = 0
    pages: int = 0
    page: int = 0  # of the present reading of the list

    def here(self) -> str:
        """Name the page that is being read."""
        return f"{self.what}, page {self.page + 1}"


class PageClient(RESTClient):
    """A REST client for which a page is a list that it has found, or an error."""

    source: RestSource
    traffic: Traffic

    def extract_response(self, response: Response, data_selector: jsonpath.TJsonPath) -> list[Any]:
        """Return the records of a page.

        Raises
        ------
        BookError
            If the server refused, the body is no JSON, or it has no list under `data_selector`.
        """
        page = self.traffic.here()
        if response.status_code in (401, 403):
            raise BookError(f"{page}: {refused(response.status_code, self.source, late=self.traffic.page > 0)}")
        check_status(response, page=page)
        body = parse_body(response, page=page)
        response.json = lambda **_: body  # type: ignore[method-assign]  # the paginators need not parse it again
        return find_records(body, str(data_selector), page=page) if response.status_code != 204 else []


def open_client(
    source: RestSource, *, root: Path, environment: Mapping[str, str], traffic: Traffic
) -> tuple[PageClient, dict[str, Any]]:
    """Return a client for `source` and the hooks that each of its requests needs."""
    session = _session(source, traffic)
    auth = open_auth(source, root=root, environment=environment, session=session, redactor=traffic.redactor)
    client = PageClient(
        source.url,
        headers=dict(source.headers) | {"Accept": "application/json"},
        auth=auth,
        session=session,
        config=RuntimeConfiguration(),  # as is: nothing is read from a .dlt folder or the environment
    )
    client.source, client.traffic = source, traffic

    def renew(response: Response, **sending: Any) -> Response:
        if response.status_code != 401 or not isinstance(auth, RenewableAuth):
            return response
        traffic.progress(f"{traffic.what}: the token ran out; fetching a new one")
        _ = response.content  # the connection is free for the next request
        auth.obtain_token()
        auth(response.request)  # in place, so that a retry carries the new token too
        adapter: HTTPAdapter = session.get_adapter(response.request.url or "")  # type: ignore[assignment]
        return adapter.send(response.request, **sending)

    return client, {"response": [renew]}


class _GuardedAdapter(HTTPAdapter):
    """Counts and paces requests, and sends none to a host that the source does not name."""

    def __init__(self, source: RestSource, traffic: Traffic) -> None:
        super().__init__()
        self._source, self._traffic, self._last = source, traffic, float("-inf")

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        token_url = self._source.auth.token_url if self._source.auth else ""
        to_token = bool(token_url) and request.method == "POST" and request.url == token_url
        if not to_token and (request.method != "GET" or origin(request.url) != origin(self._source.url)):
            raise BookError(
                f"{self._traffic.what}: the server leads to {origin(request.url)}, by a redirect or a link to the next "
                f"page; expected {origin(self._source.url)}. Nothing was sent there, since the credentials would go along. "
                "If it is the right one, write it into `url`."
            )
        if self._source.requests_per_second:
            due = self._last + 1 / self._source.requests_per_second
            time.sleep(max(0.0, due - time.monotonic()))
            self._last = time.monotonic()
        self._traffic.requests += 1
        return super().send(request, *args, **kwargs)


def _session(source: RestSource, traffic: Traffic) -> Session:
    client = Client(
        request_timeout=source.timeout_seconds,
        raise_for_status=False,
        status_codes=RETRIED_STATUS,
        exceptions=(),
        retry_condition=[_dropped, _cut_short],
        request_max_attempts=source.max_retries + 1,
        request_backoff_factor=source.backoff_seconds,
        request_max_retry_delay=source.max_wait_seconds,
    )
    session: Session = client.session
    adapter = _GuardedAdapter(source, traffic)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.auth = _as_is  # or requests would look for a password in ~/.netrc
    session.rebuild_auth = lambda *_: None  # type: ignore[method-assign]  # the same, on a redirect within the host
    retrying = session.send.retry  # type: ignore[attr-defined]  # tenacity's, set by dlt
    retrying.wait = wait_combine(retrying.wait, wait_random(0, source.backoff_seconds))

    def waits_too_long(state: RetryCallState) -> bool:
        return (asked_to_wait(_response(state)) or 0) > source.max_wait_seconds

    def count(state: RetryCallState) -> None:
        response, wait = _response(state), state.upcoming_sleep
        met = f"status {response.status_code}" if response is not None else "no whole answer"
        traffic.retries += 1
        traffic.progress(f"{traffic.what}: {met}; retry {state.attempt_number} of {source.max_retries} in {wait:.2f} s")

    retrying.stop = stop_any(retrying.stop, waits_too_long)  # type: ignore[arg-type]
    retrying.before_sleep = count
    return session


def _as_is(request: PreparedRequest) -> PreparedRequest:
    return request


def _response(state: RetryCallState) -> Response | None:
    outcome = state.outcome
    return outcome.result() if outcome is not None and not outcome.failed else None


def _dropped(_: Response | None, error: BaseException | None) -> bool:
    return isinstance(error, (ConnectionError, Timeout, ChunkedEncodingError)) and not isinstance(error, SSLError)


def _cut_short(response: Response | None, _: BaseException | None) -> bool:
    """Say whether a JSON body lacks its end: a server that fails while it writes has sent its 200 already."""
    if response is None or response.status_code != 200 or "json" not in response.headers.get("Content-Type", ""):
        return False
    return not response.content.rstrip().endswith((b"}", b"]", b"null"))


def origin(url: str | None) -> str:
    """Return scheme, host and port of an address, and nothing that may be a secret.

    >>> origin("https://user:pw@crm.example/api?key=1")
    'https://crm.example:443'
    """
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.hostname}:{parts.port or {'http': 80, 'https': 443}.get(parts.scheme, 0)}"
