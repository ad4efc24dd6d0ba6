"""Hostile text in every place that shows text: whole pages, the index and lists, in a browser and in spreadsheets."""

from __future__ import annotations

import csv
import html
import re
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from workbench.book.frames import canonical_table
from workbench.book.simulated import simulate_book
from workbench.book.store import BookFacts, current_generation, store_book
from workbench.core.languages import in_language, say, say_count
from workbench.core.workspace import Workspace
from workbench.reporting import blocks, plots
from workbench.reporting.blocks import ColumnFormat, Tile
from workbench.reporting.html import render_report
from workbench.reporting.index import write_index
from workbench.reporting.lists import safe_text, write_list
from workbench.runs.run import run_notebook

from .samples import Tags, code, markdown

MARKUP = [
    "<script>window.hacked=1;alert(1)</script>",
    "<img src=x onerror=window.hacked=1>",
    "<img src=https://evil.example/x.png>",
    '"><svg onload=window.hacked=1>',
    "' onmouseover='window.hacked=1' x='",
    '" autofocus onfocus="window.hacked=1',
    "</style><script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    "</title><script>window.hacked=1</script>",
    "</textarea></table></main></body></html><h1>out",
    "<!-- <b>",
    "--><b>x</b>",
    "<![CDATA[<b>",
    "]]><b>x</b>",
    "<style>*{display:none}</style>",
    "<style>@import 'https://evil.example/x.css'</style>",
    "background:url(https://evil.example/x)",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<iframe src=//evil.example></iframe>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<form action=//evil.example><input name=x><button>go",
    "<details open ontoggle=window.hacked=1>",
    "<a href='javascript:window.hacked=1'>x</a>",
    "javascript:window.hacked=1",
    "data:text/html,<script>alert(1)</script>",
    "&lt;script&gt; &amp; &#60;b&#62; &nbsp",
    "<div class='wb wb-finding' data-status='pass'>forged</div>",
]
FORMULAS = [
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\x00=1+1",
    "\ufeff=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    "x;=1+1",
    "x\t=1+1",
    'x";=1+1;"',
    'x",=1+1,"',
    'x;"=1+1;y',
    "x\n=1+1",
]
TEMPLATES = [
    "{{7*7}}",
    "{% raw %}{{ resources }}",
    "${7*7}",
    "#{7*7}",
    "%s %d %(name)s %",
    "{0} {name} {count:,} {text}",
    "{value.__class__}",
    "{!r}",
    "{",
    "}",
    "$\\frac{1}{0}$ $x$ x_y^z",
]
WORDS = [
    "[x](javascript:window.hacked=1)",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "# heading",
    "**bold** `code` | a | b |",
    "a,\"b\",'c'",
    "line\nbreak",
    "line\r\nbreak",
    "a\rb",
    "../../etc/passwd",
    "file:///etc/passwd",
    "'; DROP TABLE customers; --",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07x",
]
CHARACTERS = [
    "1,000\u202e000,9\u2066",
    "a\u200eb\u200fc\u2069\u202cd",
    "שלום עולם (abc) 123",
    "مرحبا بالعالم 123",
    "王小明，“客户”",
    "👨‍👩‍👧‍👦 🇪🇺 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽 1️⃣ 🏦",
    "Z" + "\u0335\u0301\u0323" * 40 + "algo e\u0301",
    "".join(map(chr, [*range(32), 127, *range(128, 160)])) + "controls",
    "\ud800 lone \udfff surrogates \udc00\ud800",
    "\ufffe\uffff\ufdd0\U0001fffe not characters",
    "\u2028\u2029\u200b\u3000 spaces",
    "ﷺ ﬃ Ǆ ℡ \ue000",
    "N" * 10_000,
    "王" * 10_000,
    "W " * 5_000,
    "🏦" * 2_000,
]
ATTACKS = [*MARKUP, *FORMULAS, *TEMPLATES, *WORDS, *CHARACTERS]
STORED = [re.sub("[\ud800-\udfff]", "\ufffd", attack) for attack in ATTACKS]  # what a file of UTF-8 can hold
FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def as_shown(text: str) -> str:
    """Return what a page shows of a text: control characters made visible, spaces as a browser folds them."""
    text = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)
    text = re.sub("[\u202a-\u202e\u2066-\u2069]", "\ufffd", text)
    return folded(text)


def folded(text: str) -> str:
    return re.sub(r"[ \t\r\n]+", " ", text).strip()


class Watched:
    """A page in a browser, and everything that it should not have done."""

    def __init__(self, browser: Any, *, width: int, policy: bool) -> None:
        self.context = browser.new_context(bypass_csp=not policy, viewport={"width": width, "height": 900})
        self.page = self.context.new_page()
        self.done: list[str] = []
        self.page.on("console", lambda line: self.done.append(f"console: {line.text[:200]}"))
        self.page.on("pageerror", lambda error: self.done.append(f"error: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("popup", lambda page: self.done.append(f"popup: {page.url}"))
        self.page.on("request", self._request)

    def _dialog(self, dialog: Any) -> None:
        self.done.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:image/")):
            self.done.append(f"request: {request.url[:200]}")

    def open(self, path: Path) -> str:
        """Open a page, check that it is only what it should be, and return its text."""
        self.page.goto(path.as_uri())
        self.page.wait_for_load_state("networkidle")
        assert self.page.url == path.as_uri()
        assert self.page.evaluate("window.hacked") is None
        assert self.page.evaluate("document.scripts.length") == 0
        assert self.page.evaluate("document.querySelectorAll('iframe, object, embed, form, base, link').length") == 0
        assert self.page.evaluate("document.querySelectorAll('main').length") == 1
        assert self.page.evaluate(HANDLERS) == []
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        targets = set(self.page.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href') || '')"))
        assert not [href for href in targets if not href.startswith(("#", "./", "https://evil.example"))]
        assert self.page.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth).length") == 0
        return str(self.page.evaluate("document.body.textContent"))


HANDLERS = """[...document.querySelectorAll('*')].flatMap(e => [...e.attributes])
  .filter(a => a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value) && a.name != 'alt' && a.name != 'aria-label')
  .map(a => a.name + '=' + a.value)"""


@pytest.fixture(params=[(375, True), (1440, False)], ids=["narrow", "wide, without the page's policy"])
def watched(request: pytest.FixtureRequest, browser: Any) -> Iterator[Watched]:
    """Return a watched page; without its content security policy, it is the escaping alone that holds."""
    width, policy = request.param
    made = Watched(browser, width=width, policy=policy)
    yield made
    made.context.close()


@pytest.fixture(params=["en", "zh"])
def lang(request: pytest.FixtureRequest) -> Iterator[str]:
    """Say everything in each language."""
    with in_language(request.param):
        yield request.param


def table_of(texts: list[str], *, caption: str = "Values", label: str = "Value", unit: str = "") -> blocks.Block:
    frame = pd.DataFrame({"text": pd.Series(texts, dtype=object), "n": range(len(texts))})
    frame["many"] = pd.Series([[text, None, text] for text in texts], dtype=object)
    frame["status"] = pd.Series(texts, dtype=object)
    columns = {
        "text": ColumnFormat(label, unit=unit),
        "n": ColumnFormat("Number", "integer", unit=unit),
        "many": ColumnFormat("Reasons"),
        "status": ColumnFormat("Status", "status"),
    }
    return blocks.table(frame, caption=caption, columns=columns, total=True)


def chart(names: list[str], title: str) -> Any:
    frame = pd.DataFrame({"bucket": pd.Series(names, dtype=object), "customers": range(1, len(names) + 1)})
    return plots.plot_delinquency(frame, title=title)


def cells_of(texts: list[str]) -> list[Any]:
    """Return cells that show every text in every block."""
    made = [
        code(blocks.header(texts[0], texts[1], {f"{n} {text}": text for n, text in enumerate(texts)})),
        code(
            *[blocks.finding(text, status) for text, status in zip(texts, ["pass", "red"] * len(texts), strict=False)]
        ),
        code(blocks.tiles([Tile(text, text, text, "amber", text) for text in texts])),
        code(*[blocks.chip("info", text) for text in texts]),
        code(blocks.definitions({f"{n} {text}": [text, {text: text}] for n, text in enumerate(texts)})),
        code(*[blocks.not_assessed(text) for text in texts]),
        code(*[blocks.footnote(text) for text in texts]),
        code(table_of(texts)),
        code(*[table_of(["x"], caption=text, label=text, unit=text) for text in texts]),
    ]
    short = [text for text in texts if text.strip() and len(text) < 200 and text in STORED]  # as frames and fonts
    for text in texts:
        if text.strip():
            made.append(code(blocks.figure(Figure(figsize=(0.2, 0.1)), alt=text, caption=text)))
    for start in range(0, len(short), 8):
        names = short[start : start + 8]
        made.append(code(blocks.figure(chart(names, names[-1]), alt="Names of buckets")))
    return made


def plain_cells_of(texts: list[str]) -> list[Any]:
    """Return cells with what a notebook may hold besides blocks."""
    made = []
    for text in texts:
        outputs = [
            nbformat.v4.new_output("stream", name="stdout", text=text + "\n."),
            nbformat.v4.new_output("error", ename=text, evalue=text, traceback=[text]),
        ]
        for kind in ("text/html", "text/markdown", "text/latex", "application/javascript"):
            outputs.append(nbformat.v4.new_output("display_data", data={kind: text, "text/plain": text}))
        made.append(nbformat.v4.new_code_cell(text, outputs=outputs, metadata={"tags": ["show-code"]}))
        made.append(markdown(f"## {text}\n\n{text}\n\n- {text}"))
    return made


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that renders the page of all blocks in a language, once."""
    folder, made = tmp_path_factory.mktemp("attack"), {}

    def page(lang: str) -> Path:
        if lang not in made:
            with in_language(lang), warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # no font has every glyph
                cells = cells_of(ATTACKS)
                notebook = folder / f"{lang}.ipynb"
                notebook.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)), encoding="utf-8")
                made[lang] = folder / f"{lang}.html"
                made[lang].write_text(render_report(notebook, title=ATTACKS[0]), encoding="utf-8")
        return made[lang]

    return page


@pytest.mark.browser
@pytest.mark.slow
def test_a_page_of_every_block(watched: Watched, lang: str, pages: Callable[[str], Path]) -> None:
    text = folded(watched.open(pages(lang)))
    assert watched.done == []
    assert watched.page.title() == ATTACKS[0]
    for attack in ATTACKS:
        assert text.count(as_shown(attack)) >= 15, attack[:80]
    alts = watched.page.evaluate("[...document.images].map(image => image.alt)")
    assert {as_shown(attack) for attack in ATTACKS if attack.strip()} <= {folded(alt) for alt in alts}


@pytest.mark.browser
def test_a_page_of_other_outputs_and_markdown(
    watched: Watched, write_notebook: Callable[..., Path], tmp_path: Path
) -> None:
    page = render_report(write_notebook(*plain_cells_of(STORED)), title="{0} {name}")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    text = folded(watched.open(tmp_path / "page.html"))
    assert watched.done == []
    for attack in (*MARKUP, *TEMPLATES):
        assert text.count(as_shown(attack)) >= 5, attack
    assert "javascript:" not in "".join(watched.page.evaluate("[...document.links].map(link => link.href)"))


HOSTILE_COLUMNS = (
    "region", "segment", "branch_id", "officer_id", "occupation", "education", "product", "gender", "marital_status",
    "channel", "category",
)  # fmt: skip


def hostile_book(workspace: Workspace, name: str) -> None:
    """Store a small simulated book whose customer ids and text columns are attacks."""
    told = simulate_book(workspace, "harmless", customers=150, months=14, seed=7, start=date(2023, 1, 1)).facts
    folder, _manifest = current_generation(workspace, "harmless")
    texts = [text for text in STORED if text.strip() and len(text) < 200]

    def write(out: Path) -> BookFacts:
        frames = {path.stem: pq.read_table(path).to_pandas() for path in folder.glob("*.parquet")}
        ids = sorted(frames["customers"]["customer_id"].unique())
        new = {one: f"{texts[n % len(texts)]}{n // len(texts) or ''}" for n, one in enumerate(ids)}
        for table, frame in frames.items():
            if "customer_id" in frame:
                frame["customer_id"] = frame["customer_id"].map(new)
            for column in [name for name in HOSTILE_COLUMNS if name in frame]:
                values = sorted(frame[column].dropna().unique())
                other = {value: texts[(7 * n + len(column)) % len(texts)] for n, value in enumerate(values)}
                frame[column] = frame[column].map(other)
            pq.write_table(canonical_table(table, frame), out / f"{table}.parquet")
        return BookFacts(
            first_day=told.first_day,
            last_day=told.last_day,
            time_zone=told.time_zone,
            currency=told.currency,
            current_only=told.current_only,
            source=f"{texts[0]} {{0}} {{name}}",
        )

    store_book(workspace, name, write)


@pytest.mark.browser
@pytest.mark.slow
def test_pages_of_a_hostile_book(browser: Any, new_workspace: Callable[..., Workspace]) -> None:
    made = new_workspace(lang="zh")
    hostile_book(made, "hostile")
    runs = [run_notebook(made, name, book="hostile") for name in ("10_data_quality", "60_risk_report")]
    pages = [made.reports / "index.html", *[run.folder / f"{run.run_id.split('-')[0]}.html" for run in runs]]
    for width, policy in ((375, True), (1440, False)):
        watched = Watched(browser, width=width, policy=policy)
        texts = [folded(watched.open(path)) for path in pages]
        watched.context.close()
        assert watched.done == []
        assert as_shown(f"{ATTACKS[0]} {{0}} {{name}}") in texts[1]  # the book's source
        assert sum(as_shown(attack) in texts[1] for attack in STORED if attack.strip() and len(attack) < 200) >= 10
    for path in (file for run in runs for file in run.folder.glob("*.xlsx")):
        cells = [cell for sheet in openpyxl.load_workbook(path) for row in sheet.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n", "d", "b"}, path
        assert not [cell for cell in cells if str(cell.value or "").startswith(FORMULA_START) and cell.data_type == "s"]


def hostile_runs(texts: list[str]) -> list[dict[str, Any]]:
    runs = []
    for number, text in enumerate(texts):
        run = {
            "run_id": f"r{number}{text}",
            "book": text if number % 3 else None,
            "sample": text,
            "as_of": text if number % 2 else "2026-06-30",
            "notebook": text,
            "kind": text,
            "title": text,
            "lang": text if number % 5 else "zh",
            "status": ["failed", "done", text][number % 3],
            "reason": text,
            "started_at": f"2026-07-01T06:{number % 60:02d}:00Z" if number % 7 else text,
            "seconds": 1.5,
            "folder": f"runs/{text}",
            "files": [text, f"{text}.html", f"{text}.xlsx", text.replace("/", "") + ".csv"],
            "sizes": {f"{text}.html": 12_000},
            "current": number % 2 == 0,
            "summary": {"headline": [text, {text: text}]},
        }
        runs.append(run)
    return runs


@pytest.mark.browser
def test_the_index(watched: Watched, lang: str, tmp_path: Path) -> None:
    path = write_index(tmp_path, hostile_runs(ATTACKS))
    text = folded(watched.open(path))
    for attack in ATTACKS:
        assert text.count(as_shown(attack)) >= 3, attack[:80]
    watched.page.locator("details.all summary").click()
    assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for href in watched.page.evaluate("[...document.links].map(link => link.href)"):
        assert href.startswith(tmp_path.as_uri() + "/runs/"), href[:200]
    assert watched.done == []


def test_no_page_has_a_tag_or_attribute_more_than_a_harmless_one(tmp_path: Path, lang: str) -> None:
    harmless = Tags(write_index(tmp_path, hostile_runs(["harmless"] * 1)).read_text("utf-8"))
    for attack in ATTACKS:
        clean = attack.replace("/", "").replace("..", "") or "x"  # a path that leads out is text and not a link
        hostile = Tags(write_index(tmp_path, hostile_runs([clean])).read_text("utf-8"))
        assert (hostile.tags, hostile.attributes) == (harmless.tags, harmless.attributes), attack[:80]


def test_a_value_passes_through_words_unchanged(lang: str) -> None:
    for attack in ATTACKS:
        assert attack in say("{stage}: not assessed: stage not run", stage=attack)
        assert attack in say("{name}: {value}", name="x", value=attack)
        assert attack in say_count(2, "{count} {what}", "{count} {what}s", what=attack)
        assert say(attack) == attack
        block = blocks.not_assessed(attack)
        assert as_shown(attack) in folded(html.unescape(str(block.html)))


csv.field_size_limit(1_000_000)


def read(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


@pytest.mark.parametrize("disposition", [True, False])
def test_lists_hold_no_formula(tmp_path: Path, lang: str, disposition: bool) -> None:
    frame = pd.DataFrame({f"{n}{attack}": pd.Series(ATTACKS, dtype=object) for n, attack in enumerate(ATTACKS[:40])})
    frame.columns = [attack if n else "id" for n, attack in enumerate(ATTACKS[: frame.shape[1]])]
    frame["many"] = [[attack, attack] for attack in ATTACKS]
    frame["group"] = pd.Categorical(STORED)
    formats = {str(name): ColumnFormat(str(name), unit=str(name)) for name in frame.columns}
    paths = write_list(frame, tmp_path, "attack", columns=formats, disposition=disposition)
    book = openpyxl.load_workbook(paths[1])
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert len(cells) > len(ATTACKS) * len(formats)
    assert {cell.data_type for cell in cells} == {"s"}
    assert [cell.coordinate for cell in cells if str(cell.value).startswith(FORMULA_START)] == []
    assert [cell.coordinate for cell in cells if cell.hyperlink] == []
    shown = {cell.value for cell in cells}
    assert [attack for attack in STORED if safe_text(attack) not in shown] == []
    assert len(read(paths[0])) == len(ATTACKS) + 1
    for delimiter in ",;\t":  # spreadsheets split at what their country uses
        found = [cell for row in read(paths[0], delimiter) for cell in row]
        assert [cell[:40] for cell in found if cell.startswith(FORMULA_START)] == []
    stored = pd.read_parquet(paths[2])
    assert stored["id"].tolist() == STORED
