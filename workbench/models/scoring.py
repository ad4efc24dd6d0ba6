"""Scores: a panel under one model version, kept in the book's append-only history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.book.book import Book
from workbench.core.errors import ModelError
from workbench.core.files import read_json, whole_file
from workbench.core.languages import mark
from workbench.core.workspace import Workspace
from workbench.indicators.stored import load_panel
from workbench.models.bin_files import BinRule, Counted, counted_of
from workbench.models.reasons import spoken_language
from workbench.models.scorecard import Scorecard
from workbench.models.tracking import ModelVersion, aliases_of, load_model

SCORE_COLUMNS = ["customer_id", "model", "version", "as_of", "score", "pd", "grade"]


def load_scorecard(workspace: Workspace, ref: str) -> tuple[Scorecard, ModelVersion, str]:
    """Return a scorecard and its standing: `champion`, or `candidate, not approved` where there is no champion yet.

    Raises
    ------
    ModelError
        If there is neither, the champion is damaged (a candidate never stands in for it), or the model is no scorecard.
    """
    name, at, alias = ref.partition("@")
    if at and not alias:
        raise ModelError(
            f"model {ref!r}: nothing follows the @. Write NAME for the champion, NAME@alias or NAME@version."
        )
    if not alias:
        alias = mark("champion") if has_alias(workspace, name, "champion") else "candidate"
    model, version = load_model(f"{name}@{alias}", tracking_uri=workspace.mlflow_uri)
    standing = mark("candidate, not approved") if alias == "candidate" else alias
    if not isinstance(model, Scorecard):
        raise ModelError(f"model {ref}: found a model of kind {model.kind!r}, expected a scorecard.")
    return model, version, standing


def has_alias(workspace: Workspace, name: str, alias: str) -> bool:
    """Return whether a version of the model `name` carries the alias, as `champion`."""
    return alias in aliases_of(name, tracking_uri=workspace.mlflow_uri)


def earlier_bins(
    workspace: Workspace, name: str, rules: Mapping[str, BinRule], file: str
) -> tuple[dict[str, dict[str, Counted]], str]:
    """Return the bins to compare a fit with, and what they are called: those drawn by hand, else the model's last version's.

    Nothing where there are neither.
    """
    if any(rule.counted for rule in rules.values()):
        return {name: rule.counted for name, rule in rules.items()}, f"params/bins/{file}.yaml"
    if not has_alias(workspace, name, "candidate"):
        return {}, ""
    scorecard, version, _standing = load_scorecard(workspace, f"{name}@candidate")
    return {variable.name: counted_of(variable.bins) for variable in scorecard.variables}, str(version)


def rescore_history(book: Book, scorecard: Scorecard, version: ModelVersion) -> list[date]:
    """Score every date that the book's history holds of this model under a new version; return the dates.

    So that a later score drop is measured under one version. No rule is run: a promotion raises no alert.
    """
    folder = book.workspace.books / book.name / "scores" / version.name
    days = sorted(
        {date.fromisoformat(path.name[:10]) for path in folder.glob(f"v*/*-{book.manifest.generation}.parquet")}
    )
    for day in days:
        keep_scores(book, score_panel(scorecard, version, load_panel(book, as_of=day).frame, reasons=False))
    return days


def score_panel(
    scorecard: Scorecard, version: ModelVersion, panel: pd.DataFrame, *, reasons: bool = True
) -> pd.DataFrame:
    """Return `SCORE_COLUMNS`, then, if wanted, reason_codes and reasons, for each row of a panel.

    Reasons are in the language in use, or in English where the scorecard does not speak it.
    """
    lang = spoken_language(variable.reason for variable in scorecard.variables)
    scored = scorecard.score(panel, lang=lang, reasons=reasons)
    rows = pd.DataFrame(
        {
            "customer_id": panel["customer_id"],
            "model": version.name,
            "version": version.version,
            "as_of": panel["as_of"],
            "score": scored["score"],
            "pd": scored["pd"],
            "grade": scored["grade"].astype(object),
        }
    )
    return rows.assign(reason_codes=scored["reason_codes"], reasons=scored["reasons"]) if reasons else rows


def score_customers(
    book: Book, scorecard: Scorecard, version: ModelVersion, *, as_of: date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the panel at a date, and its customers scored, with exposure and dpd_now, who is already bad marked.

    Without reasons: `score_panel` gives those of the customers who are shown.
    """
    panel = load_panel(book, as_of=as_of).frame
    scored = score_panel(scorecard, version, panel, reasons=False).merge(
        panel[["customer_id", "exposure", "dpd_now"]], on="customer_id"
    )
    worst = scorecard.grades[-1][0]
    return panel, mark_defaulted(scored, bad_dpd=book.definitions.target.bad_dpd, worst_grade=worst)


def mark_defaulted(scored: pd.DataFrame, *, bad_dpd: int, worst_grade: str) -> pd.DataFrame:
    """Return `scored` (pd, grade, dpd_now, ...) with PD = 1 and the worst grade for customers who are already bad.

    They are no part of the PD's sample: their model PD means nothing.
    """
    bad = scored["dpd_now"] >= bad_dpd
    return scored.assign(pd=scored["pd"].mask(bad, 1.0), grade=scored["grade"].mask(bad, worst_grade))


def keep_scores(book: Book, scores: pd.DataFrame) -> list[Path]:
    """Add scores to the book's history: one file a model version, date and book generation, written whole.

    The same scores again change nothing. Returns the files.
    """
    paths = []
    for key, rows in scores.groupby(["model", "version", "as_of"]):
        model, version, as_of = key
        path = _score_path(book, str(model), str(version), pd.Timestamp(str(as_of)).date())
        table = pa.Table.from_pandas(rows[SCORE_COLUMNS].sort_values("customer_id"), preserve_index=False)
        with whole_file(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        paths.append(path)
    return paths


def kept_scores(book: Book, version: ModelVersion, *, as_of: date) -> pd.DataFrame | None:
    """Return the scores that the history keeps of a date under a model version: of the book as it is, else the latest kept.

    None where it keeps none.
    """
    path = _score_path(book, version.name, version.version, as_of)
    kept = [path] if path.exists() else list(path.parent.glob(f"{as_of}-*.parquet"))
    return pd.read_parquet(max(kept, key=lambda one: one.stat().st_mtime)) if kept else None


def _score_path(book: Book, model: str, version: str, as_of: date) -> Path:
    folder = book.workspace.books / book.name / "scores" / model / f"v{version}"
    return folder / f"{as_of}-{book.manifest.generation}.parquet"


def text_inputs(scorecard: Scorecard) -> list[str]:
    """Return the categorical inputs: read as they are written, so that 01 stays 01 whatever rows a file holds."""
    return [name for name, kind in scorecard.inputs.items() if kind == "text"]


def id_columns(scorecard: Scorecard, more: Sequence[str] = ()) -> list[str]:
    """Return the columns that say whose row it is, and are no measure: they come back beside the scores."""
    own = scorecard.provenance.get("id")
    return list(dict.fromkeys(["customer_id", "as_of", *([str(own)] if own else []), *more]))


def keep_panel_scores(workspace: Workspace, source: Path, scored: Path, version: ModelVersion) -> str | None:
    """Add scores to the history of the book whose panel `source` is; return the book, or None where it is no current panel.

    A panel lies where the workbench keeps them, and has its manifest beside it; one of an earlier generation of its book is
    none.
    """
    folder = source.resolve().parent
    if folder.parent != workspace.panels.resolve() or scored.suffix != ".parquet":
        return None
    about = read_json(source.with_suffix(".json"))
    book = Book.open(workspace, folder.name)
    if about is None or book.manifest.generation != about["generation"]:
        return None
    keep_scores(book, pd.read_parquet(scored, columns=SCORE_COLUMNS))
    return book.name
