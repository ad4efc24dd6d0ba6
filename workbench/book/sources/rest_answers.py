"""What an answer of a REST CRM says: its status in words, its body, the list in it."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

from dlt.common import jsonpath
from requests import Response

from workbench.book.sources.rest_model import RestSource
from workbench.core.errors import BookError
from workbench.core.secrets import REFERENCE

RETRIED_STATUS = (408, 425, 429, *range(500, 600))


def asked_to_wait(response: Response | None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, or None where there is none."""
    text = "" if response is None else response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return None


def refused(status: int, source: RestSource, *, late: bool) -> str:
    """Say that the server refused, and which references hold what it refused; `late` after pages that it gave."""
    names = ("token", "username", "password", "client_id", "client_secret")
    given = {name: getattr(source.auth, name) for name in names if source.auth and getattr(source.auth, name)}
    held = ", ".join(f"{name} {value}" for name, value in given.items() if REFERENCE.fullmatch(value))
    if not held:
        return f"the server asks for credentials ({status}). Describe them in `auth`."
    reason = "refused the credentials" if status == 401 else "knows the credentials, but they may not read this"
    expired = " They were good for earlier pages, so they may have run out." if late and status == 401 else ""
    return f"the server {reason} ({status}).{expired} Renew what `auth` refers to ({held}), then load again."


def check_status(response: Response, *, page: str) -> None:
    """Refuse an answer that carries no page.

    Raises
    ------
    BookError
        With the status; never with the body, which may repeat a secret.
    """
    status = response.status_code
    if status < 300:
        return
    if status in RETRIED_STATUS:
        wait = asked_to_wait(response)
        asked = f", which asks to wait {wait:.0f} s" if wait else ""
        raise BookError(
            f"{page}: the server still answered {status}{asked} after the retries. Load again later, or raise max_retries "
            "or max_wait_seconds; requests_per_second keeps a load below the server's limit."
        )
    raise BookError(f"{page}: the server answered {status}, expected 200. Check url, resource and params.")


def parse_body(response: Response, *, page: str) -> Any:
    """Return the body's JSON; an answer 204 has an empty object.

    Raises
    ------
    BookError
        If it is no JSON.
    """
    if response.status_code == 204:
        return {}
    try:
        return json.loads(response.content)  # UTF-8, 16 or 32
    except UnicodeDecodeError:
        with suppress(ValueError, LookupError, RecursionError):
            return json.loads(response.content.decode(response.encoding or "utf-8"))
    except (ValueError, RecursionError):
        pass
    kind = response.headers.get("Content-Type", "no content type").split(";")[0][:60]
    raise BookError(
        f"{page}: found {len(response.content)} bytes of {kind} that are no JSON (or only its beginning), expected JSON. "
        "Check url and resource: a login or maintenance page answers like this."
    )


def find_records(body: Any, selector: str, *, page: str) -> list[Any]:
    """Return the list under `selector`; `$` finds the body or its only list, and null is an empty list.

    Raises
    ------
    BookError
        If there is none, so that a wrong path never looks like an empty CRM.
    """
    names = (
        ", ".join(sorted(map(str, body))[:30]) or "nothing" if isinstance(body, dict) else f"a {type(body).__name__}"
    )
    if selector == "$":
        lists = [body] if isinstance(body, list) else [value for value in _members(body) if isinstance(value, list)]
        if len(lists) == 1:
            return list(lists[0])
        raise BookError(f"{page}: found {len(lists)} lists in the body ({names}). Say in `records` which one it is.")
    found = jsonpath.find_values(selector, body)
    if found == [None]:
        return []
    if len(found) == 1 and isinstance(found[0], list):
        return list(found[0])
    if found and selector.endswith("[*]"):
        return found
    kind = f"a {type(found[0]).__name__}" if found else "nothing"
    raise BookError(f"{page}: `records: {selector}` leads to {kind}, expected a list. The body holds: {names}.")


def _members(body: Any) -> list[Any]:
    return list(body.values()) if isinstance(body, dict) else []
