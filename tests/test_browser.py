"""A person opens JupyterLab, runs the risk report, and reads the pages: no error, and no request to another host."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest

from .commands import left, running
from .pipeline import ALONE, LAST, Lender

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NOTEBOOK = "60_risk_report"


class Watched:
    """A page, with the hosts that it asked and what its console complained of."""

    def __init__(self, browser: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1400, "height": 1000})
        self.asked: set[str] = set()
        self.complaints: list[str] = []
        self.page = self.context.new_page()
        self.context.on("request", lambda request: self._note(request.url))
        self.page.on("websocket", lambda socket: self._note(socket.url))
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"}:
            self.asked.add(parts.hostname or parts.scheme)


@pytest.fixture
def watched(browser: Any) -> Iterator[Watched]:
    """Return a watched page."""
    made = Watched(browser)
    yield made
    made.context.close()


def code_cells(path: Path) -> list[Any]:
    end = time.monotonic() + 10
    while True:
        try:
            notebook = nbformat.read(path, as_version=4)
        except nbformat.reader.NotJSONError:  # JupyterLab empties the file before it writes it
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return [cell for cell in notebook.cells if cell.cell_type == "code"]


def errors(path: Path) -> list[str]:
    outputs = [output for cell in code_cells(path) for output in cell.outputs]
    return [f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error"]


def test_the_risk_report_runs_in_jupyterlab(lender: Lender, watched: Watched, tmp_path: Path) -> None:
    path = lender.home / "notebooks" / f"{NOTEBOOK}.ipynb"
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ("lab", "--no-browser", "--port", str(port))
    with running(*command, home=lender.home, **ALONE, **own, IPYTHONDIR=str(tmp_path / "ipython")) as started:
        address = started.until(lambda: re.search(r"JupyterLab: (http://\S+)", started.out), "telling its address")
        started.until(lambda: "is running at" in started.err, "running")
        root, token = address.group(1).split("/lab/tree/notebooks?token=")
        page = watched.page
        page.goto(f"{root}/lab/tree/notebooks/{NOTEBOOK}.ipynb?token={token}", timeout=60_000)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        page.wait_for_selector("text=/Python 3.*[|] Idle/", timeout=60_000)  # the kernel is there
        page.click('.lm-MenuBar-item:has-text("Run")')
        page.click('.lm-Menu-item[data-command="runmenu:run-all"]')
        end = time.monotonic() + 120
        while not all(cell.execution_count for cell in code_cells(path)):
            assert not errors(path)
            assert time.monotonic() < end, "the notebook is not done"
            page.wait_for_timeout(500)
            page.keyboard.press("Control+s")
        page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=60_000)
        page.keyboard.press("Control+s")
        page.wait_for_timeout(1000)
        # what the file holds, and what a person sees
        assert errors(path) == []
        kinds = [json.dumps(cell.outputs) for cell in code_cells(path)]
        assert sum("text/html" in kind for kind in kinds) >= 10
        page.locator(".jp-WindowedPanel-outer").first.evaluate("panel => panel.scrollTo(0, 0)")
        header = page.locator(".jp-OutputArea-output .wb-header").first
        header.wait_for(timeout=10_000)
        assert header.locator("h1").inner_text() == "Risk report"
        assert "demo" in header.inner_text()
        assert header.evaluate("box => getComputedStyle(box).display") != "none"
        assert page.locator('.jp-OutputArea-output[data-mime-type*="error"]').count() == 0
        assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
        assert watched.asked == {"127.0.0.1"}
        # what a person runs here is what papermill ran
        list_path = lender.home / "reports" / "interactive" / "demo" / LAST / NOTEBOOK / "high_risk.csv"
        assert list_path.read_bytes() == (lender.folder(NOTEBOOK) / "high_risk.csv").read_bytes()
        # and with the server, the kernel goes
        family = started.family()
        assert any("ipykernel" in " ".join(process.cmdline()) for process in family if process.is_running())
        started.process.send_signal(signal.SIGTERM)
        started.wait(30)
        assert left(family) == []


@pytest.mark.parametrize("name", ["index", NOTEBOOK, "30_scorecard", "40_monitoring"])
def test_a_page_opens_without_error(name: str, lender: Lender, watched: Watched) -> None:
    file = lender.home / "reports" / "index.html" if name == "index" else lender.folder(name) / f"{name}.html"
    watched.page.goto(file.as_uri())
    watched.page.wait_for_load_state("networkidle")
    assert watched.page.locator("h1").first.is_visible()
    assert watched.page.evaluate("document.scripts.length") == 0
    assert watched.complaints == []
    assert watched.asked == {"file"}
    if name != "index":
        sized = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
        assert watched.page.evaluate(sized)
        return
    with watched.page.expect_navigation():
        watched.page.locator(f'a[href$="{NOTEBOOK}.html"]').first.click()
    assert watched.page.locator("h1").first.inner_text() == "Risk report"
    assert watched.complaints == []
    assert watched.asked == {"file"}
