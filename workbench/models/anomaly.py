"""How unusual a customer is, against one stored reference month: robust distances, learnt without any label.

Ranking the scored rows against each other would make a customer's score depend on who else is scored; here every score
is a rank in the reference month, and one row scored alone is the same row in a batch, to the bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import ModelError, SampleError, nearest
from workbench.core.languages import mark
from workbench.models.columns import Floats, numbers

SCHEMA_VERSION = 1
MIN_ROWS = 50
VARIANCE_KEPT = 0.8
"""Share of variance that the components keep; what they leave is the residual. House choice."""
SCALE_FLOOR = 0.01
"""Least scale of a transformed feature, so that a nearly constant one cannot explode. House choice."""
RESIDUAL_FLOOR = 0.05
"""Least scale of a feature's residual: features that follow each other exactly must not turn rounding into an alarm."""
Z_LIMIT = 20.0
"""Robust z values are cut here: beyond it one value would speak for the whole row. House choice."""
MAD_TO_SIGMA = 1.4826
"""Median absolute deviation to standard deviation for a normal distribution (Hampel, 1974, JASA 69)."""
TOP_FEATURES = 3
NOTABLE = 2.0
"""A feature is named when it deviates by at least this many robust standard deviations. House choice."""
NOTABLE_SHARE = 0.4
"""And by this share of the strongest: one extreme value leaves traces in its neighbours' residuals. House choice."""
_QUANTILES = np.concatenate([np.linspace(0, 0.99, 100), np.linspace(0.991, 1, 10)])


@dataclass(frozen=True)
class AnomalyModel:
    """An anomaly model as data only.

    The raw score adds three parts, each divided by its own 95th percentile in the reference month, so that 1 means "as
    unusual as one customer in twenty":

    - residual distance: root mean square of what the principal components leave of the robust z values, each feature's
      over its usual size; large where a relation between features is broken (after the Q statistic of Jackson and
      Mudholkar, 1979, Technometrics 21);
    - component distance: root mean squared standardised component score; large where a customer lies far out along
      ordinary relations (Hotelling's T squared);
    - the largest single robust z.

    Attributes
    ----------
    features : tuple of str
    centre, scale : tuples of float
        Median and robust scale of the signed log1p of each feature; a missing value counts as the median.
    components : tuple of tuples of float
        Principal directions, one row each; `component_scale` their standard deviations, `residual_scale` that of each
        feature's residual.
    part_scale : (float, float, float)
        95th percentiles of residual distance, component distance, largest z.
    levels, quantiles : tuples of float
        The reference's raw scores.
    left_out : mapping of feature to why it was not used
    provenance : mapping
    """

    features: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    components: tuple[tuple[float, ...], ...]
    component_scale: tuple[float, ...]
    residual_scale: tuple[float, ...]
    part_scale: tuple[float, float, float]
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    name: str = "anomaly"
    schema_version: int = SCHEMA_VERSION
    kind: Literal["anomaly"] = "anomaly"

    @property
    def inputs(self) -> dict[str, str]:
        """The columns that scoring reads, all 'number'."""
        return dict.fromkeys(self.features, "number")

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Score each row against the reference month.

        Returns
        -------
        DataFrame indexed like `frame` with anomaly_score (0 to 1: the reference share that is less unusual; 1 beyond
        all of it), anomaly_raw (at least 0, unbounded enough to rank within the ties at 1), top_features (at most
        three names, the most deviating first) and top_z (their robust z values, signed; a feature that is only
        unusual beside the others may have a small one).

        Raises
        ------
        ModelError
            A missing or doubled column, or text where numbers belong.
        """
        z = _robust_z(frame, self.features, np.asarray(self.centre), np.asarray(self.scale))
        residual, component = _split(
            z, np.asarray(self.components), np.asarray(self.component_scale), np.asarray(self.residual_scale)
        )
        parts = _parts(z, residual, component)
        raw = sum((part / by for part, by in zip(parts, self.part_scale, strict=True)), np.zeros(len(frame)))
        rank = np.interp(raw, self.quantiles, self.levels)
        strength = np.maximum(np.abs(z), np.abs(residual))
        order = np.argsort(-strength, axis=1, kind="stable")[:, :TOP_FEATURES]
        ordered = np.take_along_axis(strength, order, axis=1)
        notable = ordered >= np.maximum(NOTABLE, NOTABLE_SHARE * ordered[:, :1])
        found = [
            [i for i, told in zip(*pair, strict=True) if told] for pair in zip(order.tolist(), notable, strict=True)
        ]
        return pd.DataFrame(
            {
                "anomaly_score": rank,
                "anomaly_raw": raw,
                "top_features": pd.Series(
                    [[self.features[i] for i in row] for row in found], frame.index, dtype=object
                ),
                "top_z": pd.Series(
                    [[float(z[n, i]) for i in row] for n, row in enumerate(found)], frame.index, dtype=object
                ),
            },
            index=frame.index,
        )

    def to_json(self) -> str:
        """Return the model as JSON; `from_json` gives back the same bits."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> AnomalyModel:
        """Return the model that `to_json` wrote; `ModelError` where it is another kind, version or damaged."""
        try:
            data = json.loads(text)
            if not isinstance(data, dict) or data.get("kind") != "anomaly":
                raise ModelError("anomaly: the JSON holds no anomaly model (kind is not 'anomaly').")
            if data["schema_version"] != SCHEMA_VERSION:
                raise ModelError(
                    f"anomaly: schema version {data['schema_version']}, this workbench reads {SCHEMA_VERSION}. "
                    "Score with the version that wrote it, or fit again."
                )
            data["components"] = [tuple(row) for row in data["components"]]
            fields: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
            }
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"anomaly: damaged JSON ({error!r}). Read it from AnomalyModel.to_json.") from error


def fit_anomaly(
    reference: pd.DataFrame,
    features: Sequence[str],
    *,
    seed: int,
    name: str = "anomaly",
    provenance: Mapping[str, Any] | None = None,
    max_rows: int = 200_000,
) -> AnomalyModel:
    """Learn what is usual in one reference month.

    Parameters
    ----------
    reference : DataFrame, one row a customer
    features : columns to watch; those all missing or constant in the reference are left out, and named
    seed : int
        Draws the `max_rows` rows that are learnt from, where there are more.
    name, provenance : stored with the model

    Raises
    ------
    SampleError
        Fewer than 50 rows.
    ModelError
        A column is missing or not numeric, a feature named twice, or none varies.
    """
    if len(reference) < MIN_ROWS:
        raise SampleError(
            f"anomaly: {len(reference)} reference rows; at least {MIN_ROWS} are needed for its quantiles."
        )
    if len(set(features)) != len(features):
        raise ModelError("anomaly: a feature is named twice.")
    if len(reference) > max_rows:
        reference = reference.sample(max_rows, random_state=seed)
    values = _transformed(reference, features)
    left_out, kept, centre, scale = {}, [], [], []
    for i, feature in enumerate(features):
        known = values[~np.isnan(values[:, i]), i]
        if not known.size or known.min() == known.max():
            left_out[feature] = (
                mark("constant in the reference") if known.size else mark("all missing in the reference")
            )
            continue
        middle = float(np.median(known))
        spread = MAD_TO_SIGMA * float(np.median(np.abs(known - middle)))
        # More than half the rows equal (days past due): the deviation of all rows stands in.
        scale.append(max(spread if spread > SCALE_FLOOR else float(known.std()), SCALE_FLOOR))
        kept.append(feature)
        centre.append(middle)
    if not kept:
        raise ModelError(f"anomaly: none of the {len(features)} features varies in the reference month ({left_out}).")
    z = _robust_z(reference, kept, np.asarray(centre), np.asarray(scale))
    components, component_scale = _principal(z, seed)
    plain, _ = _split(z, components, component_scale, np.ones(len(kept)))
    residual_scale = np.maximum(np.sqrt(np.mean(plain**2, axis=0)), RESIDUAL_FLOOR)
    residual, component = _split(z, components, component_scale, residual_scale)
    parts = _parts(z, residual, component)
    by = [max(float(np.quantile(part, 0.95)), 1e-6) for part in parts]
    raw = sum((part / size for part, size in zip(parts, by, strict=True)), np.zeros(len(z)))
    # A share of the reference must not lie at one level twice: interpolation needs ascending quantiles.
    quantiles, first = np.unique(np.quantile(raw, _QUANTILES)[::-1], return_index=True)
    return AnomalyModel(
        features=tuple(kept),
        centre=tuple(centre),
        scale=tuple(scale),
        components=tuple(tuple(row) for row in components.tolist()),
        component_scale=tuple(component_scale.tolist()),
        residual_scale=tuple(residual_scale.tolist()),
        part_scale=(by[0], by[1], by[2]),
        levels=tuple(_QUANTILES[::-1][first].tolist()),
        quantiles=tuple(quantiles.tolist()),
        left_out=left_out,
        provenance={"reference_rows": len(reference), "seed": seed} | dict(provenance or {}),
        name=name,
    )


def _transformed(frame: pd.DataFrame, features: Sequence[str]) -> Floats:
    """Return signed log1p of the features, n by k, NaN for missing."""
    columns = []
    for feature in features:
        found = int((frame.columns == feature).sum())
        if found != 1:
            hint = nearest(feature, [str(column) for column in frame.columns]) if not found else ""
            raise ModelError(f"anomaly: the input has {found or 'no'} column {feature!r}; one is needed.{hint}")
        value = np.nan_to_num(numbers(frame[feature], name=feature), nan=np.nan, posinf=1e15, neginf=-1e15)
        columns.append(np.sign(value) * np.log1p(np.abs(value)))
    return np.column_stack(columns) if columns else np.empty((len(frame), 0))


def _robust_z(frame: pd.DataFrame, features: Sequence[str], centre: Floats, scale: Floats) -> Floats:
    z = (_transformed(frame, features) - centre) / scale
    return np.ascontiguousarray(np.clip(np.nan_to_num(z, nan=0.0), -Z_LIMIT, Z_LIMIT))


def _principal(z: Floats, seed: int) -> tuple[Floats, Floats]:
    """Return the leading directions (rows) about the median, and the root mean square along each."""
    from sklearn.decomposition import PCA

    if z.shape[1] == 1:
        components = np.ones((1, 1))
    else:
        components = np.asarray(PCA(VARIANCE_KEPT, svd_solver="full", random_state=seed).fit(z).components_)
    along = z @ components.T
    return components, np.maximum(np.sqrt(np.mean(along**2, axis=0)), SCALE_FLOOR)


def _split(z: Floats, components: Floats, component_scale: Floats, residual_scale: Floats) -> tuple[Floats, Floats]:
    """Return the residual (n by k) and the component scores (n by p), both standardised, added up column by column.

    A matrix product would be faster, but its last bits depend on how many rows are scored together.
    """
    residual, component = z.copy(), np.zeros((len(z), len(components)))
    for p, direction in enumerate(components):
        for j, weight in enumerate(direction):
            component[:, p] += z[:, j] * weight
    for p, direction in enumerate(components):
        for j, weight in enumerate(direction):
            residual[:, j] -= component[:, p] * weight
    return residual / residual_scale, component / component_scale


def _parts(z: Floats, residual: Floats, component: Floats) -> tuple[Floats, Floats, Floats]:
    return (
        np.sqrt(_row_mean_of_squares(residual)),
        np.sqrt(_row_mean_of_squares(component)),
        np.abs(z).max(axis=1, initial=0.0),
    )


def _row_mean_of_squares(values: npt.NDArray[np.float64]) -> Floats:
    total = np.zeros(len(values))
    for column in values.T:
        total += column * column
    return np.asarray(total / max(values.shape[1], 1), dtype=np.float64)
