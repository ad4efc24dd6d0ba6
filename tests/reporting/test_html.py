from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from PIL import Image

from workbench.core.errors import InputError
from workbench.reporting import blocks, plots
from workbench.reporting.html import CSP, render_report

from .samples import ATTACKS, Tags, code, customers, markdown, report_cells

Write = Callable[..., Path]


def body(page: str) -> str:
    return page.split("<main", 1)[1]


def test_the_whole_page(write_notebook: Write) -> None:
    page = render_report(write_notebook(*report_cells()), title="Risk <report>")
    tags = Tags(page)
    assert page.startswith("<!DOCTYPE html>")
    assert '<html lang="en-GB">' in page
    assert f'content="{CSP}"' in page
    assert "<title>Risk &lt;report&gt;</title>" in page
    assert tags.tags.count("h1") == 1
    assert not {"script", "iframe", "object", "link", "base", "form", "embed"} & set(tags.tags)
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert not re.search(r"""(src|srcset|action|data|poster)\s*=\s*["']?\s*https?:""", page)
    assert "url(" not in page
    assert "@import" not in page
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == 16
    assert all(re.search(r' alt="[^"]+"', image) and ' src="data:image/' in image for image in images)
    assert "hidden_source" not in page
    assert "as_of = " not in page
    assert "shown_source()" in page
    assert page.index("<h1>Risk report") < page.index('<h2 id="s1">The answer')
    assert page.count('href="#s1"') == 2  # wide and narrow contents
    assert "wb-lab" not in page


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_hostile_text_everywhere(write_notebook: Write, attack: str) -> None:
    text = attack.replace("\ud800", "")  # a notebook file is UTF-8

    def cells(value: str) -> list[Any]:
        stream = nbformat.v4.new_output("stream", name="stdout", text=value + "\n.")
        error = nbformat.v4.new_output("error", ename=value, evalue=value, traceback=[value])
        html = nbformat.v4.new_output("display_data", data={"text/html": f"<b>{value}</b>", "text/plain": value})
        latex = nbformat.v4.new_output("display_data", data={"text/latex": value, "text/plain": value})
        script = nbformat.v4.new_output("display_data", data={"application/javascript": value})
        png = nbformat.v4.new_output("display_data", data={"image/png": "iVBORw0KGgo="})
        cell = nbformat.v4.new_code_cell(value, outputs=[stream, error, html, latex, script, png])
        cell.metadata.update(tags=["show-code"], alt=value)
        raw = nbformat.v4.new_raw_cell(value, metadata={"raw_mimetype": "text/html"})
        return [cell, raw, code(pd.DataFrame({"a": [value]})), markdown(f"## Heading\n\n{value}")]

    hostile = Tags(render_report(write_notebook(*cells(text)), title=text))
    harmless = Tags(render_report(write_notebook(*cells("harmless")), title="harmless"))
    assert hostile.tags == harmless.tags
    assert hostile.attributes == harmless.attributes


def test_only_blocks_keep_their_html(write_notebook: Write) -> None:
    forged = blocks.finding("forged", "pass").html + "<script>1</script>"
    output = nbformat.v4.new_output("display_data", data={"text/html": str(forged), "text/plain": "plain"})
    page = render_report(
        write_notebook(nbformat.v4.new_code_cell("x", outputs=[output]), code(customers(2)), code(blocks.chip("pass"))),
        title="t",
    )
    assert "forged" not in page
    assert "<pre>plain</pre>" in page
    assert "<pre>  customer_id" in page
    assert "dataframe" not in page
    assert "wb-chip" in body(page)


def test_markdown_neither_runs_html_nor_fetches(write_notebook: Write) -> None:
    text = (
        "## A <script>x</script> & B\n\n<img src=x onerror=y> [bad](javascript:alert) [good](https://example.org)\n\n"
        "![logo](https://example.org/logo.png)\n\n| a |\n|---|\n| <b>1</b> |\n\n[data](data:text/html,hi)\n\n## Second"
    )
    page = body(render_report(write_notebook(markdown(text)), title="t"))
    assert not {"script", "img", "b"} & set(Tags(page).tags)
    assert 'href="javascript' not in page
    assert 'href="data:' not in page
    assert '<a href="https://example.org">good</a>' in page
    assert "[image: logo]" in page


def test_stderr_and_left_out_cells(write_notebook: Write) -> None:
    outputs = [
        nbformat.v4.new_output("stream", name=name, text=f"{name} \x1b[31mred\x1b[0m text")
        for name in ("stdout", "stderr")
    ]
    page = render_report(
        write_notebook(
            nbformat.v4.new_code_cell("a = 1", outputs=outputs),
            code("injected value", tags=("injected-parameters",)),
            code("author only", tags=("notebook-only",)),
        ),
        title="t",
    )
    assert "stdout red text" in page
    assert "stderr" not in page
    assert "injected value" not in page
    assert "author only" not in page


def test_one_h1_whatever_the_notebook_has(write_notebook: Write) -> None:
    head = blocks.header("Header", "s", {})
    cases: dict[str, list[Any]] = {
        "The title": [markdown("text")],
        "Own": [markdown("# Own\n\n# Two")],
        "Header": [markdown("# Own"), code(head), code(head), markdown("# Third")],
    }
    for title, cells in cases.items():
        page = render_report(write_notebook(*cells), title="The title")
        assert re.findall(r"<h1[^>]*>(.*?)</h1>", page) == [title]


def test_the_input_notebook_cannot_smuggle_rendered_html(write_notebook: Write) -> None:
    cell = markdown("fine")
    cell.metadata["report_html"] = "<script>1</script>"
    cell["report_html"] = "<script>1</script>"
    path = write_notebook(markdown("x"))
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [cell]
    path.write_text(nbformat.v4.writes_json(notebook), encoding="utf-8")
    assert "<script" not in render_report(path, title="t")


def test_not_a_notebook(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    for content in ("", "{}", "not json"):
        path.write_text(content)
        with pytest.raises(InputError, match="not a readable notebook"):
            render_report(path, title="t")
    with pytest.raises(InputError, match="not a readable notebook"):
        render_report(tmp_path / "none.ipynb", title="t")


def test_nbconvert_is_imported_only_when_a_page_is_rendered() -> None:
    program = "import sys, workbench.reporting.html, workbench.reporting.index; sys.exit('nbconvert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(browser: Any, write_notebook: Write, tmp_path: Path, width: int, scheme: str) -> None:
    (tmp_path / "page.html").write_text(
        render_report(write_notebook(*report_cells()), title="Risk report"), encoding="utf-8"
    )
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("requestfailed", lambda request: messages.append(request.url[:100]))
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else messages.append(f"request {r.url}"))
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.title() == "Risk report"  # the attacks would have changed it
    images = page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
    assert images == [True] * 16
    assert page.locator(".toc-wide").is_visible() == (width >= 1100)
    assert page.locator(".toc-narrow").is_visible() == (width < 1100)
    edges = (
        "[...document.querySelectorAll('.wb-tile, .wb-finding, .wb-figure, h1, h2')]"
        ".map(e => e.getBoundingClientRect().right)"
    )
    assert max(page.evaluate(edges)) <= width
    assert messages == []
    page.close()


@pytest.mark.browser
def test_print_is_black_on_white_where_the_screen_is_dark(browser: Any, write_notebook: Write, tmp_path: Path) -> None:
    frame = pd.DataFrame({"bucket": ["current"], "customers": [1]})
    figure = blocks.figure(plots.plot_delinquency(frame, title="I" * 40), alt="One bucket")
    (tmp_path / "page.html").write_text(render_report(write_notebook(code(figure)), title="t"), encoding="utf-8")
    page = browser.new_page(viewport={"width": 700, "height": 800}, color_scheme="dark")
    page.goto((tmp_path / "page.html").as_uri())
    darkest = {}
    for media in ("screen", "print"):
        page.emulate_media(media=media, color_scheme="dark")
        with Image.open(io.BytesIO(page.locator("figure img").screenshot())) as image:
            darkest[media] = image.convert("L").getextrema()
    page.close()
    assert darkest["screen"][1] > 200  # light ink on slate
    assert darkest["print"][0] < 60  # dark ink on paper
