"""How `params/books/NAME.yaml` describes one resource of a REST CRM; no message here repeats what may be a secret."""

from __future__ import annotations

from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from workbench.core.errors import ParameterError
from workbench.core.secrets import check_reference

PLACE = "{from}"  # at the beginning of a url: the address that an import names
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SECRET_NAMES = frozenset(  # names under which interfaces expect secrets, in lower case without - and _
    "accesstoken apikey apitoken authorization authtoken clientsecret cookie key passwd password pwd secret token "
    "xapikey xapitoken xauthtoken".split()
)
PAGING_NEEDS = {
    "none": (),
    "page": (),
    "offset": ("page_size",),
    "cursor": ("next",),
    "next_link": ("next",),
    "header_link": (),
}
PAGING_TAKES = {
    "none": {"total"},
    "page": {"param", "first", "size_param", "page_size", "has_more", "total", "total_pages"},
    "offset": {"param", "first", "size_param", "page_size", "has_more", "total"},
    "cursor": {"param", "next", "size_param", "page_size", "has_more", "total"},
    "next_link": {"next", "size_param", "page_size", "total"},
    "header_link": {"rel", "size_param", "page_size", "total"},
}
AUTH_TAKES = {
    "bearer": {"token"},
    "api_key": {"token", "name", "location"},
    "basic": {"username", "password"},
    "oauth2_client": {"token_url", "client_id", "client_secret", "scope"},
}
AUTH_NEEDS = {
    "bearer": ("token",),
    "api_key": ("token",),
    "basic": ("username",),
    "oauth2_client": ("token_url", "client_id", "client_secret"),
}


def _given(model: BaseModel) -> set[str]:
    fields = type(model).model_fields
    return {name for name, field in fields.items() if name != "kind" and getattr(model, name) != field.default}


class Paging(BaseModel):
    """How the interface hands out a list in pages; `next`, `has_more`, `total`, `total_pages` are JSON paths."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["none", "page", "offset", "cursor", "next_link", "header_link"] = "none"
    param: str = Field("", description="parameter that carries the page, offset or cursor; empty: the kind's name")
    first: int | None = Field(None, ge=0, description="the first page (default 1) or offset (default 0)")
    size_param: str = Field("", description="parameter that carries page_size; empty: `limit` for offsets, else none")
    page_size: int | None = Field(None, ge=1, description="records a page to ask for")
    next: str = Field("", description="where a page has the next cursor or link")
    rel: str = Field("next", description="relation of the Link header that leads to the next page")
    has_more: str = Field("", description="where a page says true or false: more to come")
    total: str = Field("", description="where a page has the number of all records; checked against what came")
    total_pages: str = Field("", description="where a page has the number of all pages")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        given = _given(self)
        if extra := sorted(given - PAGING_TAKES[self.kind]):
            takes = ", ".join(sorted(PAGING_TAKES[self.kind]))
            raise ValueError(f"kind {self.kind!r} takes no {', '.join(extra)}; it takes {takes}")
        if missing := [name for name in PAGING_NEEDS[self.kind] if not getattr(self, name)]:
            raise ValueError(f"kind {self.kind!r} needs {', '.join(missing)}; add it")
        if self.kind != "offset" and bool(self.page_size) != bool(self.size_param):
            raise ValueError("page_size and size_param go together: the size, and the parameter that carries it")
        return self


class Auth(BaseModel):
    """How requests prove who sends them; secrets are references, `env:NAME` or `file:PATH`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["bearer", "api_key", "basic", "oauth2_client"]
    token: str = Field("", description="reference to the token or key (bearer, api_key)")
    name: str = Field("X-API-Key", description="header or parameter that carries the key (api_key)")
    location: Literal["header", "query"] = Field("header", description="where the key goes (api_key)")
    username: str = Field("", description="user name, or a reference to one (basic)")
    password: str = Field("", description="reference to the password; empty where none is asked for (basic)")
    token_url: str = Field("", description="where tokens are handed out (oauth2_client)")
    client_id: str = Field("", description="the client's id, or a reference to one (oauth2_client)")
    client_secret: str = Field("", description="reference to the client's secret (oauth2_client)")
    scope: str = Field("", description="scope to ask for, if any (oauth2_client)")

    @model_validator(mode="before")
    @classmethod
    def _references_only(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            raise ParameterError("auth: expected a mapping (kind, and what it takes). The value found is not shown.")
        for name in ("token", "password", "client_secret"):
            if values.get(name, "") != "":
                check_reference(values[name], what=f"auth.{name}")
        if unreadable := [name for name, value in values.items() if not isinstance(value, str)]:
            raise ParameterError(f"auth: expected text for {', '.join(map(str, unreadable))}; put it in quotes.")
        return values

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        given = _given(self)
        if extra := sorted(given - AUTH_TAKES[self.kind]):
            takes = ", ".join(sorted(AUTH_TAKES[self.kind]))
            raise ParameterError(f"auth: kind {self.kind!r} takes no {', '.join(extra)}; it takes {takes}.")
        if missing := [name for name in AUTH_NEEDS[self.kind] if not getattr(self, name)]:
            raise ParameterError(f"auth: kind {self.kind!r} needs {', '.join(missing)}; add it.")
        if self.token_url:
            check_url(self.token_url, what="auth.token_url")
        return self


class Since(BaseModel):
    """What asks for changed records only, and which of their fields tells how far a load came."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    param: str = Field(min_length=1, description="parameter that asks for records changed since a value")
    source: str = Field(alias="from", min_length=1, description="field of a record that holds this value")


class RestSource(BaseModel):
    """One list of records behind a REST interface."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="the interface's address, or {from} for the import's")
    resource: str = Field(min_length=1, description="path of the list under url")
    params: dict[str, str | bool | int | float] = Field(default_factory=dict, description="further parameters")
    headers: dict[str, str] = Field(default_factory=dict, description="further headers, such as a tenant's")
    records: str = Field("", description="JSON path to the list; empty: the body, or its only list")
    paging: Paging = Paging()
    auth: Auth | None = None
    key: tuple[str, ...] = Field(min_length=1, description="field, or fields, that name a record")
    version: str = Field("", description="field that tells which of two copies of a record is newer")
    since: Since | None = None
    requests_per_second: float | None = Field(None, gt=0, description="at most so many requests a second")
    max_retries: int = Field(5, ge=0, le=20, description="how often a request is sent again")
    backoff_seconds: float = Field(1.0, ge=0, description="first wait before a retry; each next one doubles")
    max_wait_seconds: float = Field(
        300, gt=0, description="no single wait is longer; a server that asks for more fails"
    )
    timeout_seconds: float = Field(60, gt=0, description="longest silence of the server")
    max_pages: int = Field(100_000, ge=1, description="a list with more pages is refused")
    max_records: int = Field(20_000_000, ge=1, description="a list with more records is refused")
    rereads: int = Field(2, ge=0, le=10, description="how often the list is read anew if records were missed")
    allow_http: bool = Field(False, description="send secrets without TLS to another machine")

    @field_validator("key", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("params", "headers", mode="before")
    @classmethod
    def _no_secrets(cls, values: Any) -> Any:
        for name in values if isinstance(values, dict) else ():
            if str(name).lower().replace("-", "").replace("_", "") in SECRET_NAMES:
                raise ParameterError(
                    f"params, headers: found {name!r}, which names a secret. Use auth: for a key in a header or "
                    "parameter, kind: api_key with name, location and token: env:NAME or file:PATH."
                )
        return values

    @model_validator(mode="after")
    def _safe_addresses(self) -> Self:
        url = self.url.replace(PLACE, "https://place.invalid", 1) if self.url.startswith(PLACE) else self.url
        check_url(url, what="url")
        if urlsplit(self.resource).scheme or "?" in self.resource or self.resource.startswith("//"):
            raise ParameterError("resource: expected a path under url, without parameters; those go into params.")
        for address in (url, self.auth.token_url) if self.auth else ():
            parts = urlsplit(address)
            if parts.scheme == "http" and parts.hostname not in LOOPBACK and not self.allow_http:
                raise ParameterError(
                    f"url, auth.token_url: http://{parts.hostname} would carry the secret unencrypted. Use https, or "
                    "say allow_http: true where the way there is protected otherwise."
                )
        return self


def check_url(url: str, *, what: str) -> None:
    """Refuse an address that is no plain http(s) one, or that carries a user, a password or parameters.

    Raises
    ------
    ParameterError
        Without the address, which may hold a secret.
    """
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        plain = False
    if not plain or "@" in parts.netloc or parts.query or parts.fragment:
        raise ParameterError(
            f"{what}: expected https://HOST/PATH (or http://) without user, password, ? or #. Secrets go into auth, "
            "parameters into params. The address found is not shown."
        )
