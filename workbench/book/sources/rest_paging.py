"""Reading a list page by page; import only where the extra `ingest` is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    HeaderLinkPaginator,
    JSONLinkPaginator,
    JSONResponseCursorPaginator,
    OffsetPaginator,
    PageNumberPaginator,
    SinglePagePaginator,
)
from requests import RequestException, Response

from workbench.book.sources.rest_model import RestSource
from workbench.book.sources.rest_protocol import PageClient
from workbench.core.errors import BookError, ParameterError, WorkbenchError


class Page(NamedTuple):
    """The records of one page and the number of all records, where the page says it."""

    records: list[Any]
    total: int | None


class _LinkPaginator(JSONLinkPaginator):
    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        super().update_state(response, data)
        self._next_reference = self._next_reference or None  # an empty link ends the list too


def read_pages(client: PageClient, hooks: dict[str, Any], params: dict[str, Any]) -> Iterator[Page]:
    """Read the list once, from its first page.

    Raises
    ------
    BookError
        If the server fails, refuses, loops, or sends what is no page.
    """
    source, traffic = client.source, client.traffic
    traffic.page = 0
    size = {source.paging.size_param: source.paging.page_size} if source.paging.size_param else {}
    asked: set[tuple[str, str]] = {
        (f"{source.url.rstrip('/')}/{source.resource.lstrip('/')}", repr(sorted(params.items())))
    }
    pages = client.paginate(
        source.resource,
        params={**params, **size},
        paginator=_paginator(source),
        data_selector=source.records or "$",
        hooks=dict(hooks),
    )
    short = False
    while True:
        problem: WorkbenchError | None = None
        try:
            page = next(pages, None)
        except RequestException as error:
            problem = BookError(
                f"{traffic.here()}: no whole answer after {source.max_retries} retries ({type(error).__name__}). Check that "
                "the server is up and its certificate good, then load again, or raise max_retries or timeout_seconds."
            )
        except ValueError as error:  # dlt's, which repeats the body
            del error
            problem = BookError(
                f"{traffic.here()}: found no usable value where `paging` says (has_more: {source.paging.has_more!r}, "
                f"total_pages: {source.paging.total_pages!r}). Mend these paths, or leave them out."
            )
        if problem:
            raise problem  # outside of `except`, so that the foreign error and its addresses do not travel along
        if page is None:
            return
        if short and page:
            raise BookError(
                f"{traffic.here()}: there are records behind a page shorter than page_size {source.paging.page_size}, so "
                "offsets skip records. Set page_size to what the server hands out at most, or name `total`."
            )
        paging = source.paging
        short = paging.kind == "offset" and not paging.total and len(page) < (paging.page_size or 0)
        traffic.page += 1
        traffic.pages += 1
        yield Page(list(page), _total(page.response, paging.total, first=traffic.page == 1, where=traffic.what))
        if page.paginator.has_next_page:
            upcoming_params: Any = page.request.params or {}
            upcoming = (str(page.request.url), repr(sorted(upcoming_params.items())))
            if upcoming in asked:
                raise BookError(
                    f"{traffic.here()}: the server leads back to a page that was read already, so the list has no end. "
                    "Check `paging`: the kind, the parameter and the path to the next cursor or link."
                )
            asked.add(upcoming)


def check_paths(source: RestSource) -> None:
    """Refuse a JSON path that cannot be read.

    Raises
    ------
    ParameterError
        Naming the path.
    """
    paging = source.paging
    paths = {"records": source.records, "paging.has_more": paging.has_more, "paging.total": paging.total}
    paths |= {"paging.next": paging.next, "paging.total_pages": paging.total_pages}
    for name, path in paths.items():
        try:
            jsonpath.compile_path(path or "$")
        except Exception:  # jsonpath-ng raises bare Exception from its lexer
            problem = ParameterError(f"{name}: {path!r} is no JSON path; expected one such as data.items or meta.next.")
        else:
            continue
        raise problem


def _paginator(source: RestSource) -> BasePaginator:
    paging = source.paging
    has_more, total = paging.has_more or None, paging.total_pages or None
    if paging.kind == "page":
        first = 1 if paging.first is None else paging.first
        return PageNumberPaginator(
            base_page=first, page_param=paging.param or "page", total_path=total, has_more_path=has_more
        )
    if paging.kind == "offset":
        return OffsetPaginator(
            limit=paging.page_size or 1,
            offset=paging.first or 0,
            offset_param=paging.param or "offset",
            limit_param=paging.size_param or "limit",
            total_path=None,  # the list ends with an empty page; the total is checked, not trusted
            has_more_path=has_more,
        )
    if paging.kind == "cursor":
        return JSONResponseCursorPaginator(
            cursor_path=paging.next, cursor_param=paging.param or "cursor", has_more_path=has_more
        )
    if paging.kind == "next_link":
        return _LinkPaginator(next_url_path=paging.next)
    if paging.kind == "header_link":
        return HeaderLinkPaginator(links_next_key=paging.rel)
    return SinglePagePaginator()


def _total(response: Response, path: str, *, first: bool, where: str) -> int | None:
    if not path:
        return None
    found = jsonpath.find_values(path, response.json())
    if len(found) == 1 and str(found[0]).isdecimal():
        return int(found[0])
    if first and response.status_code != 204:
        raise BookError(
            f"{where}: paging.total: {path!r} leads to no number in the first page. Mend the path, or leave it out."
        )
    return None
