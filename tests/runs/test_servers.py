"""JupyterLab and the MLflow page: on 127.0.0.1 alone, behind a token, and gone when they are told to go."""

from __future__ import annotations

import re
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from workbench.core.errors import InputError
from workbench.core.workspace import Workspace
from workbench.runs.servers import free_port

from ..commands import Running, left, running


class Stay(urllib.request.HTTPRedirectHandler):
    """Shows a redirect instead of following it."""

    def redirect_request(self, *_args: object) -> None:
        """Follow nothing."""


def ask(address: str, *, jar: CookieJar | None = None, **headers: str) -> tuple[int, str, str]:
    """Return status, location and text of an answer."""
    handlers: list[urllib.request.BaseHandler] = [Stay(), urllib.request.ProxyHandler({})]
    if jar is not None:
        handlers.append(urllib.request.HTTPCookieProcessor(jar))
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            return answer.status, "", answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Location", ""), error.read().decode("utf-8", "replace")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, "", ""


def listeners(family: set[psutil.Process]) -> set[tuple[str, int]]:
    """Return the addresses and ports on which these processes listen."""
    found = set()
    for process in family:
        try:
            connections = process.net_connections(kind="inet")
        except psutil.NoSuchProcess:
            continue
        found |= {(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN}
    return found


def address_of(started: Running, what: str) -> tuple[str, str]:
    """Wait for the address that the command prints and until it answers; return its root and the token."""
    found = started.until(lambda: re.search(rf"{what}: (http://\S+)", started.out), "telling its address")
    parts = urlsplit(found.group(1))
    root = f"{parts.scheme}://{parts.netloc}"
    started.until(lambda: ask(root)[0], "answering", seconds=90)
    return root, parse_qs(parts.query)["token"][0]


@pytest.fixture
def port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(params=["lab", "mlflow"])
def server(request: pytest.FixtureRequest, new_workspace: Callable[..., Workspace], port: int) -> Iterator[tuple]:
    """Start a server on a free port; give its name, the command, its root address and its token."""
    command = {"lab": ["lab", "--no-browser"], "mlflow": ["mlflow"]}[request.param]
    with running(*command, "--port", str(port), home=new_workspace().root) as started:
        root, token = address_of(started, {"lab": "JupyterLab", "mlflow": "MLflow"}[request.param])
        assert root == f"http://127.0.0.1:{port}"
        yield request.param, started, root, token


def test_a_server(server: tuple[str, Running, str, str]) -> None:
    name, started, root, token = server
    # nothing but loopback, neither the server nor what it started
    time.sleep(0.5)
    addresses = listeners(started.family())
    assert (urlsplit(root).hostname, urlsplit(root).port) in addresses
    assert {host for host, _port in addresses} == {"127.0.0.1"}
    assert len(token) >= 32
    # nothing without the token, or with another
    if name == "lab":
        refused = [ask(f"{root}/lab"), ask(f"{root}/lab?token=wrong")]
        assert all(code == 302 and location.startswith("/login") for code, location, _text in refused)
        assert ask(f"{root}/api/contents")[0] == 403
        assert ask(f"{root}/api/kernels", Authorization="token wrong")[0] == 403
        assert ask(f"{root}/api/contents/notebooks", Authorization=f"token {token}")[0] == 200
        code, _location, text = ask(f"{root}/lab?token={token}")
        assert code == 200
        assert "JupyterLab" in text
    else:
        for path in ("/", "/?token=wrong", "/api/2.0/mlflow/experiments/search?max_results=1", "/static-files/x.js"):
            assert ask(f"{root}{path}")[0] == 401, path
        assert ask(f"{root}/", Authorization="Bearer wrong")[0] == 401
        assert ask(f"{root}/", Cookie="workbench_token=wrong")[0] == 401
        jar = CookieJar()
        code, location, _text = ask(f"{root}/?token={token}", jar=jar)
        assert (code, location) == (303, "/")
        (cookie,) = jar
        assert cookie.value == token
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert ask(f"{root}/", jar=jar)[0] == 200
        code, _location, text = ask(
            f"{root}/api/2.0/mlflow/experiments/search?max_results=1", Authorization=f"Bearer {token}"
        )
        assert code == 200
        assert "experiments" in text
    # the token is on no command line, where every user of the machine could read it
    assert not [p for p in started.family() if p.is_running() and token in " ".join(p.cmdline())]
    # told to go, it goes, with all that it started
    family = started.family()
    assert len(family) >= 2
    started.process.send_signal(signal.SIGTERM)
    assert started.wait(20).code == 143
    assert left(family) == []
    assert ask(root)[0] == 0


def test_a_port_in_use_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert port < free_port(port) < port + 50


def test_no_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    class Taken(socket.socket):
        def bind(self, _address: object) -> None:
            raise OSError

    monkeypatch.setattr(socket, "socket", Taken)
    with pytest.raises(InputError, match=r"ports 8888 to 8937 are in use on 127\.0\.0\.1; name a free one with --port"):
        free_port(8888)
