"""Every page that the pipeline leaves, in a browser: phone, tablet, desk; light, dark, print; by axe-core and by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from tests.pipeline import Lender
from workbench.runs.pipeline import STAGES

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
PAGES = [*STAGES, "index"]


def page_path(lender: Lender, name: str) -> Path:
    return lender.home / "reports/index.html" if name == "index" else lender.folder(name) / f"{name}.html"


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_a_page_on_every_screen(lender: Lender, browser: Any, name: str) -> None:
    context = browser.new_context(bypass_csp=True)  # for axe alone: the page's own policy forbids every script
    page, messages = context.new_page(), []
    page.on("console", lambda line: messages.append(line.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else messages.append(r.url))
    try:
        page.goto(page_path(lender, name).as_uri())
        for width in (375, 768, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
            assert page.evaluate(OVERLAPS) == [], width
        page.evaluate(AXE)
        for scheme, rules in (("light", "{}"), ("dark", "{runOnly: ['color-contrast']}")):  # nothing else differs
            page.emulate_media(color_scheme=scheme)
            found = page.evaluate(f"axe.run({rules})")["violations"]
            assert [
                (v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")
            ] == []
        page.emulate_media(media="print", color_scheme="dark")
        page.set_viewport_size({"width": 690, "height": 900})  # A4 less its margins
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert messages == []
    finally:
        context.close()


OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll('.wb-tile, .wb-finding, .wb-figure, .wb-table, main h2, main h3')]
    .filter(e => e.offsetParent).map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()]);
  const found = [];
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const [a, b] = [boxes[i][1], boxes[j][1]];
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
      found.push([boxes[i][0], boxes[j][0]]);
  }
  return found;
}"""


@pytest.mark.browser
def test_the_keyboard_reaches_every_link_and_every_wide_table(lender: Lender, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(page_path(lender, "60_risk_report").as_uri())
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')].filter(e => e.offsetParent).length"
    )
    reached = set()
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    page.close()
    assert wanted > 15
    assert len(reached - {-1}) >= wanted
