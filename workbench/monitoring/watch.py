"""Two dates under one model version: who moved, and by how much."""

from __future__ import annotations

import pandas as pd

from workbench.core.errors import InputError
from workbench.core.languages import by_language, mark, say
from workbench.indicators.registry import select


def compare_scores(now: pd.DataFrame, before: pd.DataFrame, *, grades: list[str]) -> pd.DataFrame:
    """Return what changed for each customer of `now`.

    Parameters
    ----------
    now, before
        customer_id, model, version, score, pd, grade; `before` may lack customers, which leaves their change null.
    grades
        From the safest to the riskiest.

    Returns
    -------
    DataFrame
        customer_id, score, pd, grade, previous_score, previous_grade, score_drop (points lost, positive = worse),
        grade_steps (steps towards the riskiest).

    Raises
    ------
    InputError
        If the two were not scored by one version of one model: a drop would then mix the model with the customer.
    """
    versions = pd.concat([now[["model", "version"]], before[["model", "version"]]]).drop_duplicates()
    if len(versions) > 1:
        found = ", ".join(f"{row.model} v{row.version}" for row in versions.itertuples())
        raise InputError(f"scores of two dates: found {found}, expected one model version. Score both dates with one.")
    previous = before[["customer_id", "score", "grade"]].rename(
        columns={"score": "previous_score", "grade": "previous_grade"}
    )
    moved = now[["customer_id", "score", "pd", "grade"]].merge(previous, on="customer_id", how="left")
    order = {grade: step for step, grade in enumerate(grades)}
    moved["score_drop"] = moved["previous_score"] - moved["score"]
    moved["grade_steps"] = moved["grade"].map(order) - moved["previous_grade"].map(order)
    return moved


WATCHED = {
    "score": mark("score"),
    "previous_score": mark("previous score"),
    "score_drop": mark("score drop"),
    "pd": mark("pd"),
    "grade": mark("grade"),
    "previous_grade": mark("previous grade"),
    "grade_steps": mark("grade steps"),
    "anomaly_score": mark("anomaly score"),
}
"""What rules may name beside the indicators, and how it reads."""


def column_labels() -> dict[str, str]:
    """Return how each column that rules may name reads in the language in use."""
    own = {name: say(label) for name, label in WATCHED.items()}
    return own | {found.name: by_language(found.label) for found in select()}


def watch(panel: pd.DataFrame, moved: pd.DataFrame, anomalies: pd.DataFrame | None) -> pd.DataFrame:
    """Return one row a customer with everything that rules may name: the panel, the movement, the anomaly score.

    Where the anomaly stage has not run, there is no anomaly column at all, so that no rule can mistake it for a zero.
    """
    watched = panel.merge(moved, on="customer_id", how="left", validate="1:1")
    if anomalies is not None:
        watched = watched.merge(
            anomalies[["customer_id", "anomaly_score"]], on="customer_id", how="left", validate="1:1"
        )
    return watched
