"""`workbench model`, `score` and `report open` on the small lender."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from workbench.book.store import current_generation
from workbench.models.scorecard import Scorecard
from workbench.models.scoring import has_alias, load_scorecard
from workbench.runs.servers import free_port

from ..commands import Finished, published
from ..pipeline import LAST, Lender

Typed = Callable[..., Finished]
pytestmark = pytest.mark.slow
NAMES = ["customer_id", "as_of", "score", "pd", "pd_window", "grade", "reason_codes", "reasons", "model", "version"]


@pytest.fixture(scope="module")
def panel(lender: Lender) -> pd.DataFrame:
    return pd.read_parquet(lender.folder("20_indicators") / "panel.parquet")


def score(
    typed: Typed, lender: Lender, source: Path, target: Path, model: str = "demo_scorecard@candidate"
) -> Finished:
    return typed("score", "--model", model, "--input", source, "--output", target, home=lender.home)


def test_score_of_csv_and_parquet_is_the_same(
    lender: Lender, panel: pd.DataFrame, typed: Typed, tmp_path: Path
) -> None:
    panel.to_parquet(tmp_path / "in.parquet")
    panel.to_csv(tmp_path / "in.csv", index=False)
    for source, target in [("parquet", "parquet"), ("parquet", "csv"), ("csv", "pq.parquet")]:
        done = score(typed, lender, tmp_path / f"in.{source}", tmp_path / f"out-{source}.{target}")
        assert done.code == 0, done.err
        assert f"{len(panel):,} rows scored by demo_scorecard version 1" in done.out
    stored = pd.read_parquet(tmp_path / "out-parquet.parquet")
    assert list(stored.columns) == NAMES
    assert list(stored["customer_id"]) == list(panel["customer_id"])
    text = pd.read_csv(tmp_path / "out-parquet.csv", dtype={"customer_id": "str"})
    from_text = pd.read_parquet(tmp_path / "out-csv.pq.parquet")
    for name in ("score", "pd"):
        pd.testing.assert_series_equal(text[name], stored[name], check_exact=True)
        pd.testing.assert_series_equal(from_text[name], stored[name], check_exact=True)
    assert list(text["grade"]) == list(stored["grade"]) == list(from_text["grade"])
    assert [list(codes) for codes in stored["reason_codes"]] == [list(codes) for codes in from_text["reason_codes"]]
    assert list(text["reasons"].fillna("")) == ["; ".join(reasons) for reasons in stored["reasons"]]
    generation = current_generation(lender.workspace, "demo")[1].generation
    kept = pd.read_parquet(lender.home / f"data/books/demo/scores/demo_scorecard/v1/{LAST}-{generation}.parquet")
    expected = stored.set_index("customer_id").loc[kept["customer_id"], "score"]
    assert list(expected) == list(kept["score"])  # the scores of the monitoring stage


def test_a_row_alone_scores_as_in_the_crowd(lender: Lender, panel: pd.DataFrame, typed: Typed, tmp_path: Path) -> None:
    panel.to_parquet(tmp_path / "all.parquet")
    score(typed, lender, tmp_path / "all.parquet", tmp_path / "scored.parquet")
    everyone = pd.read_parquet(tmp_path / "scored.parquet")
    for row in (0, len(panel) // 2, len(panel) - 1):
        for kind, write in (("parquet", pd.DataFrame.to_parquet), ("csv", pd.DataFrame.to_csv)):
            write(panel.iloc[[row]], tmp_path / f"one.{kind}", index=False)
            done = score(typed, lender, tmp_path / f"one.{kind}", tmp_path / "one-scored.parquet")
            assert done.code == 0, done.err
            alone = pd.read_parquet(tmp_path / "one-scored.parquet")
            for name in NAMES[2:6]:
                assert alone[name].tolist() == everyone[name].iloc[[row]].tolist(), (row, kind, name)
            assert list(alone["reasons"].iloc[0]) == list(everyone["reasons"].iloc[row])


def refused(done: Finished, target: Path, *words: str) -> None:
    assert done.code == 2, done.err
    for word in words:
        assert word in done.message()
    assert not target.exists()


def test_bad_input_to_score(lender: Lender, panel: pd.DataFrame, typed: Typed, tmp_path: Path) -> None:
    before, target = published(lender.home), tmp_path / "out.csv"
    card = json.loads(typed("model", "show", "demo_scorecard@1", "--json", home=lender.home).out)
    number = next(name for name, kind in card["inputs"].items() if kind == "number")
    source = tmp_path / "in.csv"

    panel.drop(columns=number).to_csv(source, index=False)
    refused(score(typed, lender, source, target), target, f"the input has no column '{number}'", "It reads:")
    panel.drop(columns=number).assign(**{number + "x": 1.0}).to_csv(source, index=False)
    refused(score(typed, lender, source, target), target, f"Did you mean '{number}x'?")
    panel.assign(**{number: "many"}).to_csv(source, index=False)
    refused(score(typed, lender, source, target), target, number, "many")
    refused(score(typed, lender, tmp_path / "none.csv", target), target, "none.csv: no such file")
    (tmp_path / "in.xlsx").write_bytes(b"x")
    refused(score(typed, lender, tmp_path / "in.xlsx", target), target, "expected .parquet or .csv")
    (tmp_path / "in.parquet").write_bytes(b"no parquet")
    refused(score(typed, lender, tmp_path / "in.parquet", target), target, "in.parquet: cannot be read")
    (tmp_path / "empty.csv").write_bytes(b"")
    refused(score(typed, lender, tmp_path / "empty.csv", target), target, "empty.csv: cannot be read")
    (tmp_path / "latin.csv").write_bytes(b"customer_id,x\n\xe9\xff,1\n")
    refused(score(typed, lender, tmp_path / "latin.csv", target), target, "latin.csv: cannot be read")
    refused(score(typed, lender, tmp_path, target), target, "expected .parquet or .csv")

    panel.to_csv(source, index=False)
    refused(score(typed, lender, source, target, "demo_scorcard"), target, "Did you mean 'demo_scorecard'?")
    refused(score(typed, lender, source, target, "demo_scorecard@9"), target, "unknown version '9'")
    refused(score(typed, lender, source, target, "demo_scorecard@champoin"), target, "unknown alias 'champoin'")
    refused(score(typed, lender, source, target, "demo_anomaly@candidate"), target, "expected a scorecard")
    target.write_text("old\n")
    assert score(typed, lender, tmp_path / "none.csv", target).code == 2
    assert target.read_text() == "old\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert published(lender.home) == before


def test_a_name_alone_means_the_champion(lender: Lender, typed: Typed, tmp_path: Path) -> None:
    home = lender.again.folder("30_scorecard").parents[2]  # there nobody promoted anything
    pd.DataFrame({"customer_id": ["1"]}).to_csv(tmp_path / "in.csv", index=False)
    command = ("score", "--model", "demo_scorecard", "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    refused(typed(*command, home=home), tmp_path / "out.csv", "no champion yet", "demo_scorecard@candidate")
    done = typed("model", "show", "demo_scorecard", home=home)
    assert done.code == 2
    assert "workbench model promote demo_scorecard" in done.message()


def test_a_file_without_rows(lender: Lender, panel: pd.DataFrame, typed: Typed, tmp_path: Path) -> None:
    panel.head(0).to_parquet(tmp_path / "in.parquet")
    done = score(typed, lender, tmp_path / "in.parquet", tmp_path / "out.csv")
    assert done.code == 0, done.err
    assert (tmp_path / "out.csv").read_text() == ",".join(NAMES) + "\n"


def test_model_list_and_show(lender: Lender, typed: Typed) -> None:
    rows = json.loads(typed("model", "list", "--json", home=lender.home).out)
    assert [(row["model"], row["version"], row["kind"]) for row in rows] == [
        ("demo_anomaly", 1, "anomaly"),
        ("demo_scorecard", 1, "scorecard"),
    ]
    assert "demo_scorecard" in typed("model", "list", home=lender.home).out
    card = json.loads(typed("model", "show", "demo_scorecard@candidate", "--json", home=lender.home).out)
    assert card["version"] == 1
    assert card["params"]["book"] == "demo"
    assert 0 < card["metrics"]["gini_out_of_time"] < 1
    assert card["target"]["window_months"] == 12
    text = typed("model", "show", "demo_scorecard@1", home=lender.home).out
    assert "gini_out_of_time" in text
    done = typed("model", "show", "demo_scorecard@2", home=lender.home)
    assert done.code == 2
    assert "unknown version '2'. Known: 1" in done.message()


def test_report_open_prints_the_page(lender: Lender, typed: Typed) -> None:
    page = lender.folder("60_risk_report") / "60_risk_report.html"
    assert typed("report", "open", "--book", "demo", "--print", home=lender.home).out == f"{page}\n"
    alerts = typed("report", "open", "--book", "demo", "--notebook", "40_monitoring", "--print", home=lender.home)
    assert alerts.out == f"{lender.folder('40_monitoring') / '40_monitoring.html'}\n"
    other = typed("report", "open", "--book", "demo", "--as-of", "2025-08-31", "--print", home=lender.home)
    assert other.code == 2
    assert "not run yet" in other.message()


def test_bins_are_written_edited_and_fitted_with(lender: Lender, typed: Typed, tmp_path: Path) -> None:
    home = tmp_path / "home"  # a copy: others read the runs of the lender
    for name in ("data", "mlruns", "notebooks", "params"):
        shutil.copytree(lender.home / name, home / name)
    path = home / "params" / "bins" / "mine.yaml"
    done = typed("model", "bins", "demo_scorecard@candidate", "--save", "mine", home=home)
    assert done.code == 0, done.err
    assert f"{path}: the bins of" in done.out
    again = typed("model", "bins", "demo_scorecard@candidate", "--save", "mine", home=home)
    assert again.code == 2
    assert "exists already" in again.message()
    wrong = typed("model", "bins", "demo_anomaly@candidate", "--save", "other", home=home)
    assert wrong.code == 2
    assert "expected a scorecard" in wrong.message()
    assert typed("model", "bins", "demo_scorecard@candidate", "--save", "../x", home=home).code == 2
    first = (lender.folder("30_scorecard") / "scorecard.json").read_text("utf-8")
    kept = path.read_text("utf-8")
    path.write_text(kept.replace("splits: [", "splits: [1e9, ", 1), "utf-8")
    refused_run = typed("run", "30_scorecard", "--book", "demo", "-p", "bins=mine", home=home)
    assert refused_run.code == 2
    assert "do not ascend" in refused_run.message()
    path.write_text(kept, "utf-8")
    given = ("bins=mine", "integer_points=true", "calibrate_to=long_run", "register_candidate=false")
    options = [word for one in given for word in ("-p", one)]
    done = typed("run", "30_scorecard", "--book", "demo", *options, "--json", home=home)
    assert done.code == 0, done.err
    folder = Path(json.loads(done.out)["folder"])
    before, now = (
        {v["bins"]["name"]: v["bins"] for v in json.loads(text)["variables"]}
        for text in (first, (folder / "scorecard.json").read_text("utf-8"))
    )
    assert now == before
    card = json.loads((folder / "scorecard.json").read_text("utf-8"))
    assert card["integer_points"]
    assert all(points == round(points) for variable in card["variables"] for points in variable["points"])
    assert card["provenance"]["bins"] == "mine"
    page = (folder / "30_scorecard.html").read_text("utf-8")
    assert "bins by hand" in page
    assert "What whole points cost" in page
    assert "calibrated to a mean of" in page


def test_gates_that_fail_make_no_champion_until_somebody_says_so(lender: Lender, typed: Typed) -> None:
    """The last here: it changes the registry."""
    gates = lender.home / "params" / "gates.yaml"
    kept = gates.read_text("utf-8")
    assert not has_alias(lender.workspace, "demo_anomaly", "champion")
    strict = kept.replace("reference_rows: {min: 200}", "reference_rows: {min: 1000000}")
    assert strict != kept
    gates.write_text(strict, "utf-8")
    promote = ("model", "promote", "demo_anomaly")
    try:
        done = typed(*promote, home=lender.home)
        assert done.code == 2
        assert "demo_anomaly@1 failed 1 of 2 gates: reference_rows:" in done.message()
        assert "expected >= 1e+06: failed" in done.message()
        assert typed(*promote, "--override", "a trial", home=lender.home).code == 2  # nobody says so
        assert typed(*promote, "--override", " ", "--author", "I", home=lender.home).code == 2  # no reason
        assert not has_alias(lender.workspace, "demo_anomaly", "champion")
        done = typed(*promote, "--override", "a trial run", "--author", "Ana Lima", "--json", home=lender.home)
        assert done.code == 0, done.err
        assert [(row["name"], row["passed"]) for row in json.loads(done.out)] == [
            ("reference_rows", False),
            ("features", True),
        ]
    finally:
        gates.write_text(kept, "utf-8")
    assert has_alias(lender.workspace, "demo_anomaly", "champion")
    approval = json.loads(typed("model", "show", "demo_anomaly", "--json", home=lender.home).out)["approval"]
    assert (approval["override"], approval["author"], approval["failed"]) == ("a trial run", "Ana Lima", "1")
    assert approval["promoted_at"]
    done = typed(*promote, home=lender.home)  # now the gates are as they were, and it passes them
    assert done.code == 0, done.err
    assert done.out.endswith("demo_anomaly: champion\n")
    approval = json.loads(typed("model", "show", "demo_anomaly", "--json", home=lender.home).out)["approval"]
    assert approval["failed"] == "0"
    assert "override" not in approval


def test_mlflow_serves_the_same_bits_over_http(lender: Lender, panel: pd.DataFrame) -> None:
    card, _, _ = load_scorecard(lender.workspace, "demo_scorecard@candidate")
    port, scripts = free_port(5101), Path(sys.executable).parent
    command = [
        scripts / "mlflow",
        "models",
        "serve",
        "-m",
        "models:/demo_scorecard@candidate",
        "--env-manager",
        "local",
    ]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": lender.workspace.mlflow_uri,
                   "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}  # fmt: skip
    server = subprocess.Popen([*command, "-h", "127.0.0.1", "-p", str(port)], env=environment, start_new_session=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    rows = panel[list(card.inputs)].head(60)
    body = {"columns": list(rows), "data": rows.astype(object).where(rows.notna(), None).to_numpy().tolist()}
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps({"dataframe_split": body}).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        until = time.monotonic() + 120
        while True:
            try:
                with direct.open(f"http://127.0.0.1:{port}/ping", timeout=5):
                    break
            except OSError:
                assert server.poll() is None, "the server ended"
                assert time.monotonic() < until, "the server does not answer"
                time.sleep(0.5)
        with direct.open(asked, timeout=60) as answer:
            found = pd.DataFrame(json.load(answer)["predictions"])
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    expected = card.score(rows)
    for column in ("score", "pd", "reason_codes", "reasons"):
        assert found[column].tolist() == expected[column].tolist()
    assert found["grade"].tolist() == expected["grade"].tolist()


def test_an_odd_input_is_told_and_refused_when_asked(
    lender: Lender, panel: pd.DataFrame, typed: Typed, tmp_path: Path
) -> None:
    card, _, _ = load_scorecard(lender.workspace, "demo_scorecard@candidate")
    odd = next(name for name, kind in card.inputs.items() if kind == "number")
    panel.assign(**{odd: None}).astype({odd: "float64"}).to_parquet(tmp_path / "in.parquet")
    done = score(typed, lender, tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert done.code == 0
    assert f"warning: {odd}: missing in 100% of the rows" in done.err
    (tmp_path / "out.parquet").unlink()
    refused = typed("score", "--model", "demo_scorecard@candidate", "--input", tmp_path / "in.parquet", "--output",
                    tmp_path / "out.parquet", "--strict", home=lender.home)  # fmt: skip
    assert refused.code == 2
    assert "params/scoring.yaml" in refused.message()
    assert not (tmp_path / "out.parquet").exists()
    by_engine = typed("score", "--model", "demo_scorecard@candidate", "--input", tmp_path / "in.parquet", "--output",
                      tmp_path / "out.parquet", "--strict", "--engine", "duckdb", home=lender.home)  # fmt: skip
    assert by_engine.code == 2
    assert by_engine.message() == refused.message()


def test_what_would_lose_something_is_refused_or_told(
    lender: Lender, panel: pd.DataFrame, typed: Typed, tmp_path: Path
) -> None:
    source = tmp_path / "in.parquet"
    panel.rename(columns={"customer_id": "client"}).drop(columns="as_of").to_parquet(source)
    before = source.read_bytes()
    done = score(typed, lender, source, source)
    assert done.code == 2
    assert "the output is an input" in done.message()
    assert source.read_bytes() == before
    nameless = score(typed, lender, source, tmp_path / "out.csv")
    assert nameless.code == 0
    assert "warning: the scores say nothing of whose they are" in nameless.err
    named = typed("score", "--model", "demo_scorecard@candidate", "--id", "client", "--input", source, "--output",
                  tmp_path / "out.parquet", home=lender.home)  # fmt: skip
    assert named.code == 0, named.err
    assert pd.read_parquet(tmp_path / "out.parquet")["client"].tolist() == panel["customer_id"].tolist()
    empty = typed(
        "score", "--model", "demo_scorecard@", "--input", source, "--output", tmp_path / "x.csv", home=lender.home
    )
    assert empty.code == 2
    assert "nothing follows the @" in empty.message()
    url = typed("score", "--model", "demo_scorecard@candidate", "--url", "sqlite://x", "--input", source, "--output",
                tmp_path / "x.csv", home=lender.home)  # fmt: skip
    assert url.code == 2
    assert "expected --table too" in url.message()


def test_a_panel_of_the_book_is_kept_in_it(lender: Lender, typed: Typed, tmp_path: Path) -> None:
    stored = sorted((lender.home / "data/panels/demo").glob("*.parquet"))[0]
    before = set((lender.home / "data/books/demo/scores").rglob("*.parquet"))
    done = typed("score", "--model", "demo_scorecard@candidate", "--input", stored, "--output", tmp_path / "out.parquet",
                 "--json", home=lender.home)  # fmt: skip
    said = json.loads(done.out)
    assert said["kept_in"] == "demo"
    assert said["rows"] == len(pd.read_parquet(stored))
    generation = current_generation(lender.workspace, "demo")[1].generation
    kept = lender.home / f"data/books/demo/scores/demo_scorecard/v1/{stored.name[:10]}-{generation}.parquet"
    assert len(pd.read_parquet(kept)) == said["rows"]
    for path in set((lender.home / "data/books/demo/scores").rglob("*.parquet")) - before:
        path.unlink()  # other tests look at what the pipeline left


def test_a_scorecard_leaves_as_data_sql_and_python(
    lender: Lender, panel: pd.DataFrame, typed: Typed, tmp_path: Path
) -> None:
    expected = load_scorecard(lender.workspace, "demo_scorecard@candidate")[0].score(panel)
    for form, name in (("json", "card.json"), ("sql", "card.sql"), ("python", "card.py"), ("pmml", "card.pmml")):
        done = typed("model", "export", "demo_scorecard@candidate", "--format", form, "--id", "customer_id", "--table", "panel",
                     "--output", tmp_path / name, home=lender.home)  # fmt: skip
        assert done.code == 0, done.err
    assert Scorecard.from_json((tmp_path / "card.json").read_text("utf-8")).score(panel).equals(expected)
    with duckdb.connect() as connection:
        connection.register("panel", panel)
        found = connection.execute((tmp_path / "card.sql").read_text("utf-8")).df().set_index("customer_id")
    assert found.loc[panel["customer_id"], "score"].tolist() == expected["score"].tolist()
    alone = runpy.run_path(str(tmp_path / "card.py"))
    assert [alone["score"](row)["score"] for row in panel.to_dict("records")] == expected["score"].tolist()
    wrong = typed(
        "model", "export", "demo_scorecard@candidate", "--format", "sql", "--dialect", "db2", home=lender.home
    )
    assert wrong.code == 2
    assert "unknown dialect 'db2'" in wrong.message()
