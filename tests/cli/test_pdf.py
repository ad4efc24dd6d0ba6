"""A page as a PDF, by the Chromium of this machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline import Lender
from workbench.runs.run import rebuild_index

from ..commands import Finished

Typed = Callable[..., Finished]


def test_the_page_as_a_pdf(lender: Lender, browser: Any, typed: Typed, tmp_path: Path) -> None:
    done = typed("report", "pdf", "--book", "demo", "--output", tmp_path / "report.pdf", home=lender.home)
    assert done.code == 0, done.err
    data = (tmp_path / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    assert b"/StructTreeRoot" in data  # tagged
    assert b"/Outlines" in data
    assert len(re.findall(rb"/Type\s*/Page\b", data)) > 3
    run, about = lender.folder("60_risk_report").name, lender.folder("60_risk_report") / "run.json"
    kept = about.read_text("utf-8")
    again = typed("report", "pdf", run, home=lender.home)
    assert again.code == 0, again.err
    assert "60_risk_report.pdf" in (lender.home / "reports/index.html").read_text("utf-8")
    (lender.folder("60_risk_report") / "60_risk_report.pdf").unlink()
    about.write_text(kept, "utf-8")  # other tests look at what the run left
    rebuild_index(lender.workspace)
    for words, message in (
        (("report", "pdf", "no-such-run"), "unknown run 'no-such-run'"),
        (("report", "pdf"), "expected either RUN"),
        (("report", "pdf", run, "--output", tmp_path / "report.pdf" / "x.pdf"), "cannot be written"),
    ):
        wrong = typed(*words, home=lender.home)
        assert wrong.code == 2
        assert message in wrong.message()


def test_without_a_browser_the_pdf_says_what_to_install(
    lender: Lender, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.runs.pdf.find_browser", lambda: None)
    done = typed("report", "pdf", "--book", "demo", home=lender.home)
    assert done.code == 2
    assert "apt-get install chromium" in done.message()
