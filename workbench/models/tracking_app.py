"""MLflow's own server behind a token: `mlflow server --app-name workbench-token`, as `workbench mlflow` starts it.

A browser brings the token once, as `/?token=...`, and then carries it as a cookie; a client sends it as a bearer token
(`MLFLOW_TRACKING_TOKEN`). MLflow's basic-auth app would need a password database and further packages.
"""

from __future__ import annotations

import hmac
import os
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

TOKEN_VARIABLE = "MLFLOW_WORKBENCH_TOKEN"  # noqa: S105 -- the name of the variable, not a token
COOKIE = "workbench_token"


class TokenGuard:
    """ASGI middleware: a request passes with the token in its query, cookie or authorization header, else 401."""

    def __init__(self, app: Any, token: str) -> None:
        if not token:
            raise RuntimeError(f"{TOKEN_VARIABLE} is not set; start the server with: workbench mlflow")
        self.app = app
        self.token = token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, refuse it, or turn the token of the query into a cookie."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and self._right(given):
            cookie = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict"
            answer = [(b"location", b"/"), (b"set-cookie", cookie.encode())]
            await _answer(send, 303, answer, b"")
        elif self._right(_cookie(headers)) or self._right(headers.get("authorization", "").removeprefix("Bearer ")):
            await self.app(scope, receive, send)
        else:
            await _answer(
                send, 401, [(b"content-type", b"text/plain")], b"Open the address that `workbench mlflow` printed.\n"
            )

    def _right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())


def _cookie(headers: dict[str, str]) -> str:
    found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    return found.value if found else ""


async def _answer(send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def app() -> TokenGuard:
    """Return MLflow's app behind the guard; the token comes from the environment."""
    from mlflow.server.fastapi_app import app as mlflow_app

    return TokenGuard(mlflow_app, os.environ.get(TOKEN_VARIABLE, ""))
