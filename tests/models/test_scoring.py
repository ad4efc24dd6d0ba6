"""Scores of a panel, their history, and which model gives them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.core.errors import ModelError
from workbench.core.workspace import Workspace
from workbench.indicators.panel import Panel
from workbench.models import scoring, tracking
from workbench.models.fitting import FittedScorecard
from workbench.models.scoring import (
    SCORE_COLUMNS,
    keep_scores,
    load_scorecard,
    rescore_history,
    score_panel,
)
from workbench.models.tracking import ModelVersion

JUNE, JULY = pd.Timestamp(2025, 6, 30), pd.Timestamp(2025, 7, 31)
VERSION = ModelVersion("pd", "3", "run")


@pytest.fixture
def panel(sample: tuple[pd.DataFrame, np.ndarray]) -> pd.DataFrame:
    frame = sample[0].head(50)
    return frame.assign(customer_id=[f"C{n:02d}" for n in range(50)][::-1], as_of=JUNE)


@pytest.fixture
def empty_book(make_book: Callable[..., Book]) -> Book:
    people = pd.DataFrame({"customer_id": ["C1"]})
    loans = pd.DataFrame({"loan_id": ["L1"], "customer_id": "C1", "opened_on": [date(2024, 1, 1)]})
    return make_book({"customers": people, "loans": loans})


def test_scores_name_their_model_and_reasons(panel: pd.DataFrame, fitted: FittedScorecard) -> None:
    scores = score_panel(fitted.scorecard, VERSION, panel)
    assert scores.columns.tolist() == [*SCORE_COLUMNS, "reason_codes", "reasons"]
    assert set(zip(scores["model"], scores["version"], strict=True)) == {("pd", "3")}
    alone = fitted.scorecard.score(panel.loc[[panel.index[7]]])
    assert scores.iloc[7]["score"] == alone["score"].item()
    assert scores.iloc[7]["customer_id"] == panel.iloc[7]["customer_id"]
    assert scores["reason_codes"].map(len).between(0, 4).all()
    assert scores["reason_codes"].map(len).max() > 0


def test_scores_are_kept_by_date_version_and_book_generation(
    panel: pd.DataFrame, fitted: FittedScorecard, empty_book: Book
) -> None:
    june = score_panel(fitted.scorecard, VERSION, panel)
    (path,) = keep_scores(empty_book, june)
    before = path.read_bytes()
    both = keep_scores(empty_book, pd.concat([june.assign(as_of=JULY), june]))
    other_version = keep_scores(empty_book, june.assign(version="4"))
    assert path in both
    assert path.read_bytes() == before  # the same again changes nothing
    files = {path, *both, *other_version}
    assert len(files) == 3
    assert all(file.is_relative_to(empty_book.workspace.books / empty_book.name) for file in files)
    assert empty_book.manifest.generation in path.name
    kept = pd.read_parquet(path)
    assert kept.columns.tolist() == SCORE_COLUMNS
    assert kept["customer_id"].is_monotonic_increasing
    assert kept.set_index("customer_id")["score"].to_dict() == june.set_index("customer_id")["score"].to_dict()


def test_a_promotion_scores_every_date_of_the_history_again_and_keeps_the_old(
    panel: pd.DataFrame, fitted: FittedScorecard, empty_book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = score_panel(fitted.scorecard, VERSION, panel)
    files = keep_scores(empty_book, pd.concat([old, old.assign(as_of=JULY)]))
    bytes_before = [path.read_bytes() for path in files]

    def stored(_book: Book, *, as_of: date) -> Panel:
        return Panel(panel.assign(as_of=pd.Timestamp(as_of)), {})

    monkeypatch.setattr(scoring, "load_panel", stored)
    newer = ModelVersion("pd", "4", "run")
    rounded = fitted.scorecard.rounded()
    assert rescore_history(empty_book, rounded, newer) == [JUNE.date(), JULY.date()]
    folder = empty_book.workspace.books / empty_book.name / "scores" / "pd"
    assert sorted(path.name for path in (folder / "v4").iterdir()) == sorted(path.name for path in files)
    again = pd.read_parquet(folder / "v4" / files[0].name).set_index("customer_id")["score"]
    expected = rounded.score(panel, reasons=False)["score"].to_numpy()
    assert again[panel["customer_id"]].tolist() == expected.tolist()
    assert [path.read_bytes() for path in files] == bytes_before
    other = ModelVersion("never_scored", "1", "run")
    assert rescore_history(empty_book, rounded, other) == []


def test_the_champion_scores_and_without_one_the_candidate_says_so(
    new_workspace: Callable[..., Workspace], fitted: FittedScorecard
) -> None:
    home = new_workspace()
    home.mlruns.mkdir()

    def log(version: str) -> None:
        tracking.log_candidate(
            fitted.scorecard, model_name="pd", experiment="x", params={}, metrics={}, tables={}, figures={},
            tags={"book": version}, tracking_uri=home.mlflow_uri, artifact_root=home.mlruns / "artifacts",
        )  # fmt: skip

    with pytest.raises(ModelError, match=r"unknown model 'pd'\. Known: none"):
        load_scorecard(home, "pd")
    log("1")
    _model, version, standing = load_scorecard(home, "pd")
    assert (str(version), standing) == ("pd@1", "candidate, not approved")
    options = {
        "gates": {"scorecard": {"psi_score": {"max": 0.25}}},
        "override": "test",
        "author": "Ana",
        "tracking_uri": home.mlflow_uri,
    }
    tracking.promote("pd@1", **options)
    log("2")
    model, version, standing = load_scorecard(home, "pd")
    assert (str(version), standing) == ("pd@1", "champion")
    assert model.to_json() == fitted.scorecard.to_json()
    assert str(load_scorecard(home, "pd@candidate")[1]) == "pd@2"
    assert load_scorecard(home, "pd@2")[2] == "2"

    # a damaged champion is an error, not a reason to score with a model that nobody approved
    oldest = min(home.mlruns.rglob("model.json"), key=lambda path: path.stat().st_mtime_ns)
    oldest.write_text(oldest.read_text() + " ")
    with pytest.raises(ModelError, match="sha256 differs"):
        load_scorecard(home, "pd")
