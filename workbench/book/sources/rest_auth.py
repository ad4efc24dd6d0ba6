"""Credentials of a REST source as dlt's authenticators; import only where the extra `ingest` is installed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

from dlt.sources.helpers.rest_client.auth import (
    APIKeyAuth,
    BearerTokenAuth,
    HttpBasicAuth,
    OAuth2ClientCredentials,
)
from requests import RequestException, Session
from requests.auth import AuthBase

from workbench.book.sources.redaction import Redactor
from workbench.book.sources.rest_model import RestSource
from workbench.core.errors import BookError, ParameterError
from workbench.core.secrets import REFERENCE, resolve_secret

DEFAULT_LIFE_SECONDS = 3600  # of a token whose server does not say


class RenewableAuth(OAuth2ClientCredentials):
    """OAuth 2 client credentials; each token that it fetches is masked from then on."""

    redactor: Redactor

    def obtain_token(self) -> None:
        """Fetch a token.

        Raises
        ------
        BookError
            If the token server refuses, does not answer, or hands out no usable token.
        """
        status: int | str
        try:
            response = self.session.post(self.access_token_url, **self.build_access_token_request())
            status, answer = response.status_code, response.json() if response.status_code == 200 else {}
        except (RequestException, ValueError, RecursionError) as error:
            status, answer = type(error).__name__, {}
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not is_sendable(token):
            raise BookError(
                f"auth.token_url: found no token in the answer (status {status}), expected 200 and JSON with access_token. "
                "Check token_url and scope, and the secrets that client_id and client_secret refer to."
            )
        self.redactor.learn(token, what="auth.token_url")
        self.access_token = token
        self.token_expiry = self.token_expiry.now(UTC).add(seconds=self._life(answer))

    @staticmethod
    def _life(answer: dict[str, Any]) -> int:
        try:
            return max(0, int(answer.get("expires_in", DEFAULT_LIFE_SECONDS)))
        except (TypeError, ValueError):
            return DEFAULT_LIFE_SECONDS


def open_auth(
    source: RestSource, *, root: Path, environment: Mapping[str, str], session: Session, redactor: Redactor
) -> AuthBase | None:
    """Return what signs the requests of `source`, or None where nothing does; its secrets are masked from now on.

    Raises
    ------
    ParameterError
        If a secret cannot be read, is too short to mask, or cannot stand in a header.
    """
    auth = source.auth
    if auth is None:
        return None

    def secret(name: str, *, header: bool = False) -> str:
        reference = getattr(auth, name)
        value = resolve_secret(reference, root=root, environment=environment).get_secret_value()
        if header and not is_sendable(value):
            raise ParameterError(
                f"auth.{name}: the secret at {reference} holds a blank, a line break or a character outside ASCII, and "
                "cannot stand in a header. Store the token alone."
            )
        redactor.learn(value, what=f"auth.{name}")
        return value

    def name_or_secret(name: str) -> str:
        return secret(name) if REFERENCE.fullmatch(getattr(auth, name)) else str(getattr(auth, name))

    if auth.kind == "bearer":
        return BearerTokenAuth(token=secret("token", header=True))
    if auth.kind == "api_key":
        in_header = auth.location == "header"
        return APIKeyAuth(name=auth.name, api_key=secret("token", header=in_header), location=auth.location)
    if auth.kind == "basic":
        password = secret("password") if auth.password else ""
        username = name_or_secret("username")
        redactor.learn(f"{username}:{password}", what="auth.username")
        return HttpBasicAuth(username=username, password=password)
    renewable = RenewableAuth(
        access_token_url=auth.token_url,
        client_id=name_or_secret("client_id"),
        client_secret=secret("client_secret"),
        access_token_request_data={"scope": auth.scope} if auth.scope else {},
        session=session,
    )
    renewable.redactor = redactor
    return renewable


def is_sendable(token: str) -> bool:
    """Say whether a token can stand in a header as it is."""
    return bool(token) and token.isascii() and token.isprintable() and " " not in token
