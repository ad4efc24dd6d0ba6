"""One self-contained page from an executed notebook: no script, no request, nothing shown that a block did not make."""

from __future__ import annotations

import base64
import re
from functools import cache
from pathlib import Path
from typing import Any

from workbench.core.errors import InputError
from workbench.core.languages import LANGUAGES, language, say
from workbench.reporting.blocks import TEMPLATE_DIR
from workbench.reporting.markup import Html, escape, join
from workbench.reporting.style import GRID, INK, MUTED, css_colours

CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
CSP_META = Html(f'<meta http-equiv="Content-Security-Policy" content="{CSP}">')
# A cell with one of these tags says nothing to a reader of the report.
LEFT_OUT = {"parameters", "injected-parameters", "notebook-only"}

_LIGHT = f"--wb-page: #fdfdfc; --wb-ink: {INK}; --wb-muted: {MUTED}; --wb-line: {GRID}; --wb-card: #ffffff;"
_DARK = "--wb-page: #12171e; --wb-ink: #e6eaf0; --wb-muted: #a9b4c2; --wb-line: #303a47; --wb-card: #1a212b;"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LAB_STYLE = re.compile(r'\A<style class="wb-lab">.*?</style>', re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


@cache
def page_css() -> Html:
    """Return the whole style of a page: colours for light, dark and print, the blocks, the page."""
    colours = (
        f":root {{ color-scheme: light dark; {_LIGHT} {css_colours(dark=False)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_DARK} {css_colours(dark=True)} }} }}\n"
    )
    files = ("blocks.css", "page.css")
    return Html(colours + "".join((TEMPLATE_DIR / name).read_text(encoding="utf-8") for name in files))


def _markdown(contents: list[tuple[int, str, str]], *, has_header: bool) -> Any:
    """Return a markdown renderer that shows raw HTML as text and notes each heading in `contents`."""
    import mistune

    class Renderer(mistune.HTMLRenderer):
        def heading(self, text: str, level: int, **_: Any) -> str:
            if level == 1 and not contents:
                if has_header:
                    return ""  # the header block says the title; the notebook's own is for who opens the notebook
                contents.append((1, text, "report-title"))
                return f"<h1>{text}</h1>\n"
            level = max(level, 2)
            anchor = f"s{len(contents) + 1}"
            contents.append((level, text, anchor))
            return f'<h{level} id="{anchor}">{text}</h{level}>\n'

        def image(self, text: str, url: str, title: str | None = None) -> str:
            if not url.startswith(("data:image/png;base64,", "data:image/jpeg;base64,", "data:image/svg+xml;base64,")):
                return say("[image: {text}]", text=text)  # a page fetches nothing
            return super().image(text, url, title)

    return mistune.create_markdown(escape=True, renderer=Renderer(escape=True), plugins=["table", "strikethrough"])


def _as_text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _output(output: Any, cell: Any) -> Html | None:
    """Return one output as markup: a block as it is, an image as data, all else as escaped text; None for nothing."""
    pre = Html("<pre>{text}</pre>")
    if output.output_type == "stream":
        text = _ANSI.sub("", _as_text(output.text)).rstrip()
        return pre.fill(text=text) if output.name == "stdout" and text else None
    if output.output_type == "error":
        return Html('<div class="error"><p><strong>{words}</strong></p><pre>{text}</pre></div>').fill(
            words=say("This cell failed: {name}", name=output.ename), text=_ANSI.sub("", _as_text(output.evalue))
        )
    data, metadata = output.data, output.get("metadata", {})
    own = metadata.get("text/html", {})
    if "text/html" in data and isinstance(own, dict) and own.get("workbench_block"):
        return Html(_LAB_STYLE.sub("", _as_text(data["text/html"])))
    alt = cell.metadata.get("alt") or say("Chart without a description")
    image = Html('<img src="data:{mime};base64,{data}" alt="{alt}">')
    if "image/svg+xml" in data:
        coded = base64.b64encode(_as_text(data["image/svg+xml"]).encode()).decode("ascii")
        return image.fill(mime="image/svg+xml", data=coded, alt=alt)
    for mime in ("image/png", "image/jpeg"):
        if mime in data and _BASE64.fullmatch(coded := _as_text(data[mime])):
            return image.fill(mime=mime, data="".join(coded.split()), alt=alt)
    return pre.fill(text=_ANSI.sub("", _as_text(data["text/plain"]))) if "text/plain" in data else None


def _take_header(cells: list[Any]) -> Html:
    """Take the first header block out of the cells and return its markup, which opens the page."""
    for cell in cells:
        for output in cell.get("outputs", []):
            block = output.get("metadata", {}).get("text/html", {})
            if isinstance(block, dict) and block.get("workbench_block") == "header":
                cell.outputs.remove(output)
                return _output(output, cell) or Html("")
    return Html("")


def _answers_first(cells: list[Any]) -> list[Any]:
    """Put the cells tagged `answer` before all others: a modeller works towards the answer, a reader begins with it."""
    answers = [cell for cell in cells if "answer" in cell.metadata.get("tags", [])]
    return [*answers, *(cell for cell in cells if cell not in answers)]


def _fill_cells(cells: list[Any], *, has_header: bool) -> list[tuple[int, str, str]]:
    """Set `report_html` on every markdown cell and every output; return the headings found."""
    contents: list[tuple[int, str, str]] = []
    markdown = _markdown(contents, has_header=has_header)
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.report_html = markdown(say(str(cell.source)))
        elif cell.cell_type == "code":
            shown = [(output, _output(output, cell)) for output in cell.outputs]
            cell.outputs = [output for output, html in shown if html is not None]
            for output, html in shown:
                if html is not None:  # a second header block is a section of the page: a page has one h1
                    output.report_html = re.sub(r"(</?)h1>", r"\1h2>", html)
    return contents


def html_lang(lang: str | None = None) -> str:
    """Return a language, by default the one in use, as HTML names it: `en-GB`, `zh-CN`."""
    return LANGUAGES[lang or language()].replace("_", "-")


def _contents_list(contents: list[tuple[int, str, str]]) -> Html:
    item = Html('<li class="level-{level}"><a href="#{anchor}">{text}</a></li>')
    entries = [(level, re.sub(r"<[^>]*>", "", text), anchor) for level, text, anchor in contents if 2 <= level <= 3]
    items = [item.fill(level=level, anchor=anchor, text=Html(text)) for level, text, anchor in entries]
    return Html("<ul>{items}</ul>").fill(items=join(items)) if len(items) > 1 else Html("")


def render_report(notebook_path: Path, *, title: str) -> str:
    """Return an executed notebook as one HTML page that needs nothing else, in the language in use.

    Inputs are hidden apart from cells tagged `show-code`; cells tagged `parameters`, `injected-parameters` or
    `notebook-only`, and stderr, are left out. A header block opens the page and cells tagged
    `answer` follow it, wherever they stand in the notebook.

    Parameters
    ----------
    notebook_path : Path
        The executed notebook.
    title : str
        Title of the page (and its first heading, where there is no header block).

    Raises
    ------
    InputError
        If the file is no notebook.
    """
    import nbformat
    from nbconvert import HTMLExporter

    try:
        notebook = nbformat.read(notebook_path, as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise InputError(f"{notebook_path}: not a readable notebook ({error}). Run it again.") from error
    notebook.cells = [cell for cell in notebook.cells if not LEFT_OUT & set(cell.metadata.get("tags", []))]
    head = _take_header(notebook.cells)
    notebook.cells = _answers_first(notebook.cells)
    contents = _fill_cells(notebook.cells, has_header=bool(head))
    if not head and not any(level == 1 for level, _, _ in contents):
        head = Html("<h1>{title}</h1>").fill(title=title)
    exporter = HTMLExporter(template_name="report", extra_template_basedirs=[str(TEMPLATE_DIR.parent)])
    exporter.register_filter("highlight_code", escape)
    exporter.register_filter("filter_data_type", lambda data: list(data))
    report = {
        "title": escape(title),
        "lang": html_lang(),
        "contents_word": say("Contents"),
        "skip_words": say("Skip to the report"),
        "csp": CSP_META,
        "css": page_css(),
        "head": head,
        "contents": _contents_list(contents),
    }
    # HTMLExporter's own from_notebook_node reads and writes the page once more (BeautifulSoup); its parent's does not.
    page, _ = super(HTMLExporter, exporter).from_notebook_node(notebook, {"report": report})
    return str(page)
