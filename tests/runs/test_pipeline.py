"""Every notebook on a small lender, run by `workbench demo`: pages, lists, pointers, and the same again."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import nbformat
import openpyxl
import pandas as pd
import pytest

from workbench.book.simulation.truth.schemas import SCHEMAS
from workbench.book.store import current_generation
from workbench.core import outputs
from workbench.models.tracking import list_models, load_model
from workbench.runs.pipeline import FIT, STAGES

from ..commands import Finished
from ..pipeline import LAST, Lender

pytestmark = pytest.mark.slow
LISTS = {
    "10_data_quality": "findings",
    "40_monitoring": "alerts",
    "50_strategy": "actions",
    "60_risk_report": "high_risk",
}
FETCH = re.compile(
    r"""(?:src|href|srcset|data|poster|action|background)\s*=\s*["']?\s*(?:https?:)?//|url\(\s*["']?\s*(?:https?:)?//|@import""",
    re.IGNORECASE,
)


def words(html: str) -> str:
    """Return the text of a page."""
    body = re.sub(r"<(style|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_demo_ends_with_what_it_found(lender: Lender) -> None:
    done = lender.ended
    assert done.code == 4, done.err  # --fail-on yellow, and there are alerts
    assert "Traceback" not in done.err
    alerts = json.loads((lender.folder("40_monitoring") / "run.json").read_text())["summary"]["alerts"]
    card = json.loads((lender.folder("30_scorecard") / "run.json").read_text())["summary"]
    active = len(pd.read_parquet(lender.folder("20_indicators") / "panel.parquet"))
    assert f"book demo at {LAST}: {active:,} active customers" in done.out
    assert f"bad rate {card['bad_rate']:.1%}" in done.out
    assert f"Gini {card['gini_oot']:.3f} ({card['gini_oot_low']:.3f} to {card['gini_oot_high']:.3f})" in done.out
    assert f"KS {card['ks_oot']:.3f}" in done.out
    assert ", ".join(f"{count} {severity}" for severity, count in alerts.items()) in done.out
    for file in ("60_risk_report.html", "alerts.xlsx"):
        assert file in done.out
    assert str(lender.home / "reports" / "index.html") in done.out
    assert "next:" in done.out
    for notebook in STAGES:
        assert re.search(rf"{notebook}: \d+\.\d s", done.err), notebook


@pytest.mark.parametrize("notebook", STAGES)
def test_a_stage_left_its_whole_folder(notebook: str, lender: Lender) -> None:
    folder = lender.folder(notebook)
    run = json.loads((folder / "run.json").read_text("utf-8"))
    assert run["run_id"] == folder.name
    assert (run["status"], run["book"], run["as_of"], run["notebook"]) == ("done", "demo", LAST, notebook)
    assert run["book_generation"] == current_generation(lender.workspace, "demo")[1].generation
    assert run["schema_version"] == outputs.SCHEMA_VERSION
    assert run["seconds"] > 0
    assert run["summary"]
    present = {path.name for path in folder.iterdir()}
    assert {f"{notebook}.ipynb", f"{notebook}.html"} <= set(run["files"]) <= present
    assert present - set(run["files"]) <= {"run.json", "summary.json"}  # no job, no log, no temporary file
    executed = nbformat.read(folder / f"{notebook}.ipynb", as_version=4)
    cells = [cell for cell in executed.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in cells)
    assert not [output for cell in cells for output in cell.outputs if output.output_type in {"error", "stream"}]


@pytest.mark.parametrize("notebook", STAGES)
def test_a_page_stands_alone(notebook: str, lender: Lender) -> None:
    html = lender.page(notebook)
    assert "<script" not in html.lower()
    assert not FETCH.search(html), FETCH.search(html)
    assert not re.search(r"\son\w+\s*=", re.sub(r">[^<]*<", "><", html))  # no event handler in any tag
    assert "<h1" in html
    assert "Traceback" not in html
    assert "Warning:" not in html
    assert str(lender.home) not in html
    assert "not assessed: stage not run" not in html  # here every stage has run


def test_nothing_is_half_published(lender: Lender) -> None:
    reports = lender.home / "reports"
    assert {path.stem for path in (reports / "current" / "demo" / LAST).iterdir()} == set(STAGES)
    hidden = [path for path in reports.rglob(".*") if path.suffix != ".lock"]
    assert hidden == []
    assert {path.name for path in (reports / "runs").iterdir()} == {lender.folder(stage).name for stage in STAGES}


def test_the_index_links_every_run(lender: Lender) -> None:
    page = (lender.home / "reports" / "index.html").read_text("utf-8")
    links = set(re.findall(r'href="\./([^"]+)"', page))
    assert links
    for link in links:
        assert (lender.home / "reports" / link).is_file(), link
    for notebook in STAGES:
        run = f"runs/{lender.folder(notebook).name}"
        assert {f"{run}/{notebook}.html", f"{run}/{notebook}.ipynb"} <= links
    assert "<script" not in page
    assert not FETCH.search(page)


@pytest.mark.parametrize("notebook", LISTS)
def test_a_list_is_the_same_in_each_format(notebook: str, lender: Lender) -> None:
    folder, name = lender.folder(notebook), LISTS[notebook]
    stored = pd.read_parquet(folder / f"{name}.parquet")
    text = pd.read_csv(folder / f"{name}.csv", dtype="str")
    sheet = openpyxl.load_workbook(folder / f"{name}.xlsx", read_only=True).worksheets[0]
    rows = [row for row in sheet.iter_rows(values_only=True) if any(value is not None for value in row)]
    assert len(stored) > 0
    assert len(text) == len(stored)
    if "customer_id" in stored:
        assert list(text["customer_id"]) == list(stored["customer_id"])
        cells = {value for row in rows for value in row}
        assert set(stored["customer_id"]) <= cells


def test_an_alert_says_who_how_bad_and_why(lender: Lender) -> None:
    alerts = pd.read_parquet(lender.folder("40_monitoring") / "alerts.parquet")
    assert {"customer_id", "score", "score_drop", "reasons", "severity", "pd"} <= set(alerts.columns)
    assert alerts["customer_id"].is_unique
    assert set(alerts["severity"]) <= {"red", "orange", "yellow"}
    assert (alerts["reasons"].str.len() > 0).all()
    drop = alerts["previous_score"] - alerts["score"]
    pd.testing.assert_series_equal(alerts["score_drop"], drop, check_names=False)
    run = json.loads((lender.folder("40_monitoring") / "run.json").read_text())
    assert sum(run["summary"]["alerts"].values()) == len(alerts)


def test_each_stage_takes_up_what_the_one_before_left(lender: Lender) -> None:
    alerts = pd.read_parquet(lender.folder("40_monitoring") / "alerts.parquet")
    actions = pd.read_parquet(lender.folder("50_strategy") / "actions.parquet")
    listed = pd.read_parquet(lender.folder("60_risk_report") / "high_risk.parquet")
    assert set(actions["customer_id"]) <= set(alerts["customer_id"])
    severity = alerts.set_index("customer_id")["severity"]
    assert list(actions["severity"]) == list(severity[actions["customer_id"]])
    shown = listed.set_index("customer_id")["alert"]
    assert shown.equals(severity.reindex(shown.index).fillna("none").rename("alert"))
    assert set(actions["status"]) == {"proposed"}
    text = words(lender.page("60_risk_report"))
    assert f"{len(alerts):,} customers carry an alert" in text
    assert f"{len(actions):,} actions are proposed" in text


# the same again, in another workspace, without network where this machine can cut it


def test_the_same_seed_gives_the_same_book(lender: Lender) -> None:
    folder, manifest = current_generation(lender.workspace, "demo")
    other = lender.again.said("simulate")
    assert other == json.loads(manifest.model_dump_json())
    again = lender.again.home / "data" / "books" / "demo" / "generations" / other["generation"]
    tables = sorted(path.name for path in folder.glob("*.parquet"))
    assert tables == sorted(path.name for path in again.glob("*.parquet"))
    assert len(tables) >= 7
    for name in tables:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_the_same_book_gives_the_same_scores(lender: Lender) -> None:
    folder, again = lender.folder("30_scorecard"), lender.again.folder("30_scorecard")
    for name in ("points", "validation"):
        pd.testing.assert_frame_equal(
            pd.read_parquet(folder / f"{name}.parquet"), pd.read_parquet(again / f"{name}.parquet"), check_exact=True
        )
    model, _version = load_model("demo_scorecard@1", tracking_uri=lender.workspace.mlflow_uri)
    other, _version = load_model("demo_scorecard@1", tracking_uri=f"sqlite:///{lender.again.home}/mlruns/mlflow.db")
    assert model.to_json() == other.to_json()
    scores = "data/books/demo/scores/demo_scorecard/v1"
    kept = sorted((lender.home / scores).glob("*.parquet"))
    generation = current_generation(lender.workspace, "demo")[1].generation
    assert [path.stem for path in kept] == [f"2025-08-31-{generation}", f"{LAST}-{generation}"]
    for path in kept:
        pd.testing.assert_frame_equal(
            pd.read_parquet(path), pd.read_parquet(lender.again.home / scores / path.name), check_exact=True
        )
    anomalies = [
        pd.read_parquet(f / "anomalies.parquet")
        for f in (lender.folder("32_anomaly"), lender.again.folder("32_anomaly"))
    ]
    pd.testing.assert_frame_equal(anomalies[0], anomalies[1], check_exact=True)


def test_the_same_scores_give_the_same_alert_list(lender: Lender) -> None:
    first = (lender.folder("40_monitoring") / "alerts.csv").read_bytes()
    assert first.count(b"\n") > 10
    assert (lender.again.folder("40_monitoring") / "alerts.csv").read_bytes() == first


def test_no_stage_reads_the_truth(lender: Lender) -> None:
    folder, manifest = current_generation(lender.workspace, "demo")
    there = {path.name for path in (folder / "truth").iterdir()}
    assert {Path(name).stem for name in there} == set(SCHEMAS)
    assert {"latent", "episodes", "defaults", "incidents", "treatments"}.isdisjoint(manifest.tables)
    lender.again.join()  # there it was removed before the first stage, and everything a stage leaves is the same
    assert lender.again.removed == there
    assert not list(lender.again.home.glob("data/books/demo/generations/*/truth"))
    assert {done.code for done in lender.again.ended.values()} == {0}


@pytest.mark.parametrize("notebook", STAGES)
def test_without_the_truth_a_stage_leaves_the_same_tables_and_the_same_page(notebook: str, lender: Lender) -> None:
    folder, again = lender.folder(notebook), lender.again.folder(notebook)
    names = {path.name for path in folder.iterdir()}
    assert names == {path.name for path in again.iterdir()}
    tables = sorted(name for name in names if name.endswith((".parquet", ".csv")))
    assert any(name.endswith(".parquet") for name in tables)
    for name in tables:
        if name.endswith(".csv"):
            assert (folder / name).read_bytes() == (again / name).read_bytes(), name
        else:
            ours, other = (pd.read_parquet(place / name) for place in (folder, again))
            pd.testing.assert_frame_equal(ours, other, check_exact=True)
    if STAGES.index(notebook) <= STAGES.index(FIT) or "not promoted" in lender.ended.out:  # there nobody promotes
        pages = [words(lender.page(notebook)), words((again / f"{notebook}.html").read_text("utf-8"))]
        ours, other = (re.sub(r"\d{8}T\d{6}-[0-9a-f]{4}", "RUN", page) for page in pages)  # runs that it names
        assert ours == other


def test_run_tells_a_program_what_it_did(lender: Lender) -> None:
    said = {notebook: lender.again.said(notebook) for notebook in STAGES}
    for notebook, facts in said.items():
        assert facts["run_id"].startswith(f"{notebook}-demo-{LAST}-")
        assert facts["seconds"] > 0
    assert said["30_scorecard"]["model"] == "demo_scorecard@1"
    assert set(said["40_monitoring"]["alerts"]) == {"red", "orange", "yellow"}


def test_everything_passes_without_network(lender: Lender) -> None:
    if not lender.again.cut:
        pytest.skip("network cut: `unshare --net` and `ip` do not work here (they need root and iproute2)")
    lender.again.join()
    assert {step: done.code for step, done in lender.again.ended.items()} == dict.fromkeys(("simulate", *STAGES), 0)
    said: list[Finished] = list(lender.again.ended.values())
    assert not [done.err for done in said if re.search(r"resolution|unreachable|retry", done.err, re.IGNORECASE)]


def test_a_candidate_is_registered_and_nothing_else(lender: Lender) -> None:
    models = list_models(tracking_uri=f"sqlite:///{lender.again.home}/mlruns/mlflow.db")
    assert list(zip(models["model"], models["version"], models["aliases"], strict=True)) == [
        ("demo_anomaly", 1, "candidate"),
        ("demo_scorecard", 1, "candidate"),
    ]
