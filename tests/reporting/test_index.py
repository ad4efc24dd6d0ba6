from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.core.errors import ParameterError
from workbench.reporting.html import CSP
from workbench.reporting.index import write_index

from .samples import ATTACKS, Tags


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
    table = page.split("All 3 runs of demo")[1]
    assert table.index("06:03") < table.index("06:02") < table.index("06:01")
    assert table.count("(current)") == 1
    cards = page.split("<h2>demo")[1].split("<details")[0]
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
        )
        run |= {"folder": "f/" + text.replace("/", ""), "files": [text.replace("/", "") + ".html"]}
        return Tags(write_index(tmp_path, [run]).read_text(encoding="utf-8"))

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
