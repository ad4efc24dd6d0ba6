from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from workbench.core.errors import ParameterError
from workbench.core.languages import in_language
from workbench.reporting.html import CSP
from workbench.reporting.index import write_index

from .samples import ATTACKS, Tags

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


def a_run(number: int, **changes: Any) -> dict[str, Any]:
    run = {
        "run_id": f"r{number}",
        "book": "demo",
        "as_of": "2026-06-30",
        "notebook": "60_risk_report",
        "title": "Risk report",
        "status": "done",
        "reason": "",
        "started_at": f"2026-07-01T06:{number:02d}:00Z",
        "seconds": 12.34,
        "folder": f"demo/r {number}",
        "files": ["60_risk_report.html", "60_risk_report.ipynb", "alerts.xlsx"],
        "current": number == 2,
        "summary": {"headline": "bad rate 3.4 %"},
    }
    return run | changes


def test_runs_newest_first_with_links_and_reasons(tmp_path: Path) -> None:
    failed = a_run(3, status="failed", reason="NotebookError: cell 7 raised", files=["run.json"], summary={})
    path = write_index(tmp_path, [a_run(1), failed, a_run(2), a_run(4, book="aart", as_of="2013-12-31")])
    page = path.read_text(encoding="utf-8")
    assert path == tmp_path / "index.html"
    assert f'content="{CSP}"' in page
    assert 'href="./demo/r%202/60_risk_report.html"' in page
    assert "NotebookError: cell 7 raised" in page
    assert "Failed" in page
    assert "12.3" in page
    assert page.index("<h2>aart") < page.index("<h2>demo")
    assert "As of 30 June 2026" in page
    table = page.split("<summary>All 4 runs")[1]
    assert table.index("06:04") < table.index("06:03") < table.index("06:02") < table.index("06:01")
    assert table.count("<strong>current run</strong>") == 1
    cards = page.split("<h2>demo")[1].split("<details class=")[0]
    assert cards.count("<article") == 2  # the current run and the failure after it
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_hostile_runs_add_no_tag(tmp_path: Path, attack: str) -> None:
    def pages(text: str) -> Tags:
        run = a_run(
            1,
            status="failed",
            reason=text,
            title=text,
            book=text,
            notebook=text,
            summary={"headline": text},
            run_id=text,
            kind=text,
            lang=text,
            as_of=text,
        )
        run |= {"folder": "f/" + text.replace("/", ""), "files": [text.replace("/", "") + ".html"]}
        runs = [run, a_run(2), run | {"status": text, "book": None, "sample": text}]
        return Tags(write_index(tmp_path, runs).read_text(encoding="utf-8"))

    hostile, harmless = pages(attack), pages("harmless")
    assert (hostile.tags, hostile.attributes) == (harmless.tags, harmless.attributes)


def test_links_stay_inside_the_reports_folder(tmp_path: Path) -> None:
    runs = [a_run(1, folder="../../etc"), a_run(2, folder="/etc"), a_run(3, folder="javascript:alert(1)")]
    page = write_index(tmp_path, runs).read_text(encoding="utf-8")
    assert "etc" not in "".join(part.split('"')[0] for part in page.split('href="')[1:])
    assert 'href="javascript' not in page
    assert 'href="./javascript%3Aalert%281%29/' in page


def test_no_run_yet_and_incomplete_runs(tmp_path: Path) -> None:
    assert "No run yet" in write_index(tmp_path, []).read_text(encoding="utf-8")
    minimal = {key: a_run(1)[key] for key in ("run_id", "book", "as_of", "notebook", "status", "folder")}
    assert "n/a" in write_index(tmp_path, [minimal]).read_text(encoding="utf-8")
    before = (tmp_path / "index.html").read_bytes()
    with pytest.raises(ParameterError, match="lacks as_of, notebook"):
        write_index(tmp_path, [{"run_id": "r", "book": "b", "status": "done", "folder": "f"}])
    assert (tmp_path / "index.html").read_bytes() == before


def test_sizes_stand_beside_the_links(tmp_path: Path) -> None:
    run = a_run(1, sizes={"60_risk_report.html": 528_400, "alerts.xlsx": 2_340_000})
    page = write_index(tmp_path, [run]).read_text(encoding="utf-8")
    assert ">Report</a>&nbsp;<small>528 kB</small>" in page
    assert ">Excel: alerts</a>&nbsp;<small>2.3 MB</small>" in page
    assert ">Notebook</a></span>" in page  # not known


def test_in_chinese_with_runs_of_both_languages(tmp_path: Path) -> None:
    old, new = a_run(1, kind="风险报告"), a_run(2, title="风险报告", lang="zh", kind="风险报告")
    other = a_run(3, book=None, as_of=None, sample="flat", lang="en", notebook="30_scorecard", status="failed")
    with in_language("zh"):
        page = write_index(tmp_path, [old, new, other]).read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in page
    assert "<h3>风险报告</h3>" in page
    assert '<h3 lang="en-GB">Risk report</h3>' in page
    assert "<h3>Risk report</h3>" not in page  # older than the current run of the same notebook
    assert page.count(">中文</span>") == 2  # card and row
    assert page.count("<span>风险报告</span>") == 1  # the choice


def test_a_choice_is_offered_where_there_are_two(tmp_path: Path) -> None:
    page = write_index(tmp_path, [a_run(1)]).read_text(encoding="utf-8")
    assert "<fieldset" not in page
    page = write_index(tmp_path, [a_run(1), a_run(2, book="aart")]).read_text(encoding="utf-8")
    legends = re.findall("<legend>(.*?)</legend>", page)
    assert legends == ["Book or sample", "Status"]
    assert page.count('type="radio"') == (1 + 2) + (1 + 2)


def test_five_hundred_runs_are_a_page_of_moderate_size(tmp_path: Path) -> None:
    runs = [
        a_run(
            i,
            started_at=f"2026-{1 + i // 250:02d}-01T{i % 24:02d}:{i % 60:02d}:00Z",
            as_of=f"{2020 + i % 6}-{1 + i % 12:02d}-28",
            notebook=f"{10 + i % 9}_notebook",
            folder=f"runs/60_risk_report-demo-2026-06-30-20260701T06{i:04d}-ab12",
            current=i % 2 == 0,
        )
        for i in range(500)
    ]
    assert write_index(tmp_path, runs).stat().st_size < 1_000_000


def runs_to_narrow() -> list[dict[str, Any]]:
    return [
        a_run(1, current=True),
        a_run(2, current=True, as_of="2026-05-31"),
        a_run(3, current=True, notebook="30_scorecard", kind="Scorecard"),
        a_run(4, current=False, notebook="30_scorecard", kind="Scorecard", status="failed", reason="ValueError: no"),
        a_run(5, current=True, book="aart"),
        a_run(6, current=True, book=None, as_of=None, sample="flat", notebook="30_scorecard", kind="Scorecard"),
        *[a_run(7 + i, current=False, status="failed", reason=text) for i, text in enumerate(ATTACKS)],
    ]


@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1440])
def test_a_reader_narrows_the_runs_by_mouse_and_by_keyboard(browser: Any, tmp_path: Path, width: int) -> None:
    path = write_index(tmp_path, runs_to_narrow())
    context = browser.new_context(bypass_csp=True, viewport={"width": width, "height": 900})  # for axe alone
    page = context.new_page()
    page.goto(path.as_uri())

    def shown() -> tuple[int, int, int]:
        """Return how many cards, groups and rows a reader sees."""
        counts = [page.locator(f"{what} >> visible=true").count() for what in ("article", ".group", "tr.entry")]
        tree = context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]  # what a screen reader reads
        read = [node["name"]["value"] for node in tree if node.get("role", {}).get("value") == "StaticText"]
        told = [read[place + 1] for place, text in enumerate(read) if text.startswith("Shown:")]
        assert told == [str(counts[0]), str(counts[2])]
        return counts[0], counts[1], counts[2]

    page.locator("details.all summary").click()
    everything = shown()
    assert everything == (7, 4, 6 + len(ATTACKS))
    page.get_by_label("aart", exact=True).check()
    assert shown() == (1, 1, 1)
    page.get_by_role("group", name="Book or sample").get_by_label("All", exact=True).check()
    assert shown() == everything
    # two choices at once, by keyboard alone: the tab goes to each group, the arrows to each choice
    page.locator("details.filter summary").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.parentElement.innerText").strip() == "Scorecard"
    assert shown() == (3, 2, 3)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.parentElement.innerText").strip() == "Failed"
    assert shown() == (1, 1, 1)
    assert page.locator("article >> visible=true").inner_text().count("ValueError: no") == 1
    page.get_by_label("sample flat", exact=True).check()
    assert shown() == (0, 0, 0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate(AXE)
    found = page.evaluate("axe.run()")["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")] == []
    context.close()


@pytest.mark.browser
def test_where_the_browser_cannot_narrow_everything_is_shown(browser: Any, tmp_path: Path) -> None:
    path = write_index(tmp_path, runs_to_narrow())
    path.write_text(path.read_text("utf-8").replace(":has(", ":has-not-here("), "utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.get_by_label("aart", exact=True).check()
    assert page.locator("article >> visible=true").count() == 7
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1440])
def test_in_a_browser(browser: Any, tmp_path: Path, width: int) -> None:
    runs = [
        a_run(i, title=attack.replace("\ud800", ""), reason=attack, status="failed") for i, attack in enumerate(ATTACKS)
    ]
    path = write_index(tmp_path, runs)
    page = browser.new_page(viewport={"width": width, "height": 800})
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else messages.append(r.url))
    page.goto(path.as_uri())
    page.locator("details.all summary").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.title() == "Reports"
    assert messages == []
    page.close()
