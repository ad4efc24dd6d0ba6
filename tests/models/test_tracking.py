import datetime as dt
import os
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from workbench.core.errors import GateError, ModelError
from workbench.models import tracking
from workbench.models.anomaly import fit_anomaly

GATES = {
    "scorecard": {"gini_out_of_time": {"min": 0.3}, "psi_score": {"max": 0.25}},
    "anomaly": {"features": {"min": 3}},
}
PASSING = {"gini_out_of_time": 0.4, "psi_score": 0.1}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlruns")
    return {"tracking_uri": f"sqlite:///{folder}/mlflow.db", "artifact_root": folder / "artifacts"}


@pytest.fixture(scope="module")
def log(registry, fitted):
    def log_one(model=fitted.scorecard, name="pd", metrics=PASSING):
        figure = Figure()
        figure.add_subplot().plot([0, 1])
        return tracking.log_candidate(
            model,
            model_name=name,
            experiment="scorecards",
            params={"seed": 5},
            metrics=metrics,
            tables={"points": fitted.scorecard.points_table()},
            figures={"roc": figure},
            tags={"book": "demo"},
            **registry,
        )

    return log_one


@pytest.fixture(scope="module")
def uri(registry, log):
    """The address of a registry that holds pd@1 (good) and pd@2 (weak)."""
    log()
    log(metrics={"gini_out_of_time": 0.1})
    return registry["tracking_uri"]


@pytest.mark.parametrize("ref", ["pd@1", "pd@2", "pd@candidate", "pd", "pd@9", "no"])
def test_registry_read_without_mlflow_answers_as_mlflow_does(uri, ref, monkeypatch):
    def answer():
        try:
            model, version = tracking.load_model(ref, tracking_uri=uri)
        except ModelError as error:
            return str(error)
        return model, version, tracking.aliases_of(version.name, tracking_uri=uri)

    quick = answer()
    monkeypatch.setattr(tracking, "stored_version", lambda *_: None)
    monkeypatch.setattr(tracking, "stored_aliases", lambda *_: None)
    assert answer() == quick


def test_scorecard_of_a_local_registry_is_loaded_without_mlflow(uri):
    script = f"""
        import sys
        from workbench.models import tracking
        print(tracking.load_model("pd@1", tracking_uri={uri!r})[1], "mlflow" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pd@1", "False"]


def test_reading_creates_no_registry(tmp_path):
    empty = f"sqlite:///{tmp_path}/none/mlflow.db"
    assert tracking.list_models(tracking_uri=empty).empty
    with pytest.raises(ModelError, match=r"unknown model 'pd'\. Known: none"):
        tracking.load_model("pd", tracking_uri=empty)
    assert list(tmp_path.iterdir()) == []


def test_the_model_comes_back_with_the_same_bits(uri, fitted, sample):
    model, version = tracking.load_model("pd@1", tracking_uri=uri)
    assert model == fitted.scorecard
    assert str(version) == "pd@1"
    pd.testing.assert_frame_equal(model.score(sample[0]), fitted.scorecard.score(sample[0]), check_exact=True)
    assert tracking.load_model("pd@candidate", tracking_uri=uri)[1].version == "2"


def test_the_run_holds_its_evidence(uri):
    import mlflow

    client = mlflow.MlflowClient(uri, registry_uri=uri)
    run_id = tracking.load_model("pd@1", tracking_uri=uri)[1].run_id
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == PASSING
    assert run.data.params == {"seed": "5"}
    assert [f.path for f in client.list_artifacts(run_id, "tables")] == ["tables/points.csv"]
    assert [f.path for f in client.list_artifacts(run_id, "figures")] == ["figures/roc.png"]


def test_mlflow_serves_what_the_scorecard_scores(uri, fitted, sample, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    served = mlflow.pyfunc.load_model("models:/pd/1").predict(sample[0][list(fitted.scorecard.inputs)].head(20))
    pd.testing.assert_frame_equal(served, fitted.scorecard.score(sample[0].head(20)), check_exact=True)


def test_the_process_keeps_its_own_mlflow_settings(uri, log):
    import mlflow

    before = (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), os.environ.get("MLFLOW_TRACKING_URI"))
    log(name="other")
    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri(), os.environ.get("MLFLOW_TRACKING_URI")) == before
    assert mlflow.active_run() is None


def test_a_champion_passes_every_gate(uri):
    with pytest.raises(ModelError, match=r"unknown alias 'champion'.*Promote its candidate"):
        tracking.load_model("pd", tracking_uri=uri)
    with pytest.raises(GateError, match=r"pd@2 failed 2 of 2 gates: gini_out_of_time: 0\.1.*psi_score: not measured"):
        tracking.promote("pd", gates=GATES, override=None, author=None, tracking_uri=uri)
    results = tracking.promote("pd@1", gates=GATES, override=None, author="Ana", tracking_uri=uri)
    assert all(result.passed for result in results)
    assert tracking.load_model("pd", tracking_uri=uri)[1].version == "1"


def test_an_override_is_recorded_with_its_author(uri):
    tracking.promote("pd@1", gates=GATES, override=None, author="Ana", tracking_uri=uri)
    with pytest.raises(ModelError, match="a reason and its author"):
        tracking.promote("pd@2", gates=GATES, override="pilot", author=None, tracking_uri=uri)
    when = dt.datetime(2026, 3, 2, 9, 30, tzinfo=dt.UTC)
    tracking.promote("pd@2", gates=GATES, override="pilot branch", author="Ben", tracking_uri=uri, promoted_at=when)
    approval = tracking.model_card("pd", tracking_uri=uri)["approval"]
    assert (approval["override"], approval["author"]) == ("pilot branch", "Ben")
    assert approval["promoted_at"] == "2026-03-02T09:30:00+00:00"
    assert approval["former_champion"] == "1"
    assert '"passed": false' in approval["gates"]
    # A clean promotion later leaves no stale override behind.
    tracking.promote("pd@1", gates=GATES, override="not needed", author="Ana", tracking_uri=uri)
    assert "override" not in tracking.model_card("pd", tracking_uri=uri)["approval"]


def test_the_list_and_the_card(uri, fitted):
    table = tracking.list_models(tracking_uri=uri)
    assert table.loc[table["model"] == "pd", "version"].tolist() == [1, 2]
    assert table.loc[(table["model"] == "pd") & (table["version"] == 2), "aliases"].item().startswith("candidate")
    card = tracking.model_card("pd@1", tracking_uri=uri)
    assert (card["model"], card["version"], card["kind"]) == ("pd", 1, "scorecard")
    assert card["metrics"] == PASSING
    assert card["tags"]["book"] == "demo"
    assert card["target"] == fitted.scorecard.target


def test_an_anomaly_model_has_gates_of_its_own(uri, log, sample):
    model = fit_anomaly(sample[0], ["dpd", "income", "use"], seed=1)
    log(model, "anomaly", {"features": 3, "reference_rows": 4000})
    tracking.promote("anomaly", gates=GATES, override=None, author=None, tracking_uri=uri)
    assert tracking.load_model("anomaly", tracking_uri=uri)[0] == model


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("pdd", "unknown model 'pdd'. Did you mean 'pd'"),
        ("pd@7", "unknown version '7'"),
        ("pd@champ", "unknown alias 'champ'. Did you mean"),
        ("", "unknown model ''"),
        ("x'; drop", "unknown model"),
    ],
)
def test_an_unknown_reference_names_the_nearest(uri, ref, message):
    with pytest.raises(ModelError, match=message):
        tracking.load_model(ref, tracking_uri=uri)


def test_names_that_no_reference_could_hold(log):
    with pytest.raises(ModelError, match="use letters"):
        log(name="pd@1")


def test_a_run_that_fails_registers_nothing(uri, log):
    with pytest.raises(ValueError, match="could not convert"):
        log(metrics={"gini_out_of_time": "high"})
    assert tracking.load_model("pd@candidate", tracking_uri=uri)[1].version == "2"


def test_a_changed_artefact_is_noticed(registry, log):
    version = log(name="tampered")
    changed = [f for f in registry["artifact_root"].rglob("model.json") if f.stat().st_mtime]
    newest = max(changed, key=lambda f: f.stat().st_mtime_ns)
    newest.write_text(newest.read_text().replace('"base_score": 600.0', '"base_score": 700.0'))
    with pytest.raises(ModelError, match="sha256 differs"):
        tracking.load_model(str(version), tracking_uri=registry["tracking_uri"])


REGISTER = """
import sys
from pathlib import Path
from workbench.models import tracking
from workbench.models.scorecard import Scorecard
model = Scorecard.from_json(Path(sys.argv[2]).read_text())
tracking.log_candidate(model, model_name="pd", experiment="first", params={}, metrics={}, tables={}, figures={},
                       tags={}, tracking_uri=f"sqlite:///{sys.argv[1]}/mlflow.db", artifact_root=Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_two_processes_open_a_fresh_registry_at_once(tmp_path, fitted):
    card = tmp_path / "card.json"
    card.write_text(fitted.scorecard.to_json())
    command = [sys.executable, "-c", textwrap.dedent(REGISTER), str(tmp_path / "runs"), str(card)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=180) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said == [("", ""), ("", "")]  # no chatter of MLflow or Alembic
    listed = tracking.list_models(tracking_uri=f"sqlite:///{tmp_path}/runs/mlflow.db")
    assert listed["version"].tolist() == [1, 2]
    assert np.isin(["candidate"], listed["aliases"]).all()
