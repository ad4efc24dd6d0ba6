"""A scorecard as data (bins, points, scaling, calibration, grades, reasons, provenance) and how it scores a frame."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import ModelError, nearest, unknown
from workbench.core.languages import mark, say
from workbench.models.bins import Bins
from workbench.models.columns import Floats
from workbench.models.grades import Bands, check_bands
from workbench.models.kernel import blocks, coder, score_columns
from workbench.models.reasons import Texts, check_templates, reason_texts

SCHEMA_VERSION = 2
"""docs/scorecard-format.md; version 1 had neither `dtype` nor `unit` of a variable, and is read too."""
MAX_REASONS = 4
"""At most four reasons: the number that Regulation B's commentary (12 CFR 1002.9(b)(2)) calls enough."""
BASE, EVERYBODY = mark("(base)"), mark("every customer")


@dataclass(frozen=True)
class Scaling:
    """Points to double the odds: `base_score` at `base_odds` good:bad, `pdo` points for each doubling.

    Siddiqi, "Credit Risk Scorecards" (2006), chapter 6.

    >>> scaling = Scaling()
    >>> round(scaling.factor, 4), round(scaling.offset, 3)
    (28.8539, 487.123)
    """

    base_score: float = 600.0
    base_odds: float = 50.0
    pdo: float = 20.0

    def __post_init__(self) -> None:
        if not (self.base_odds > 0 and self.pdo > 0 and math.isfinite(self.base_score)):
            raise ModelError(f"scaling: {self}; expected base_odds and pdo above 0.")

    @property
    def factor(self) -> float:
        """Points for one unit of ln(odds): pdo / ln 2."""
        return self.pdo / math.log(2)

    @property
    def offset(self) -> float:
        """The score at even odds."""
        return self.base_score - self.factor * math.log(self.base_odds)


@dataclass(frozen=True)
class Variable:
    """One variable of a scorecard: its bins, its coefficient in P(bad) on WOE, points and words."""

    bins: Bins
    coefficient: float
    points: tuple[float, ...]
    label: Texts
    reason: Texts
    unit: str = ""

    @property
    def name(self) -> str:
        """The column it reads."""
        return self.bins.name

    @property
    def average_points(self) -> float:
        """Mean points in the development sample."""
        count = np.asarray(self.bins.goods) + np.asarray(self.bins.bads)
        return float(np.dot(count, self.points) / count.sum())

    @property
    def best_points(self) -> float:
        """The most points of a bin that somebody of the development sample was in."""
        held = zip(self.points, self.bins.goods, self.bins.bads, strict=True)
        return max(points for points, goods, bads in held if goods + bads > 0)


@dataclass(frozen=True)
class Scorecard:
    """A scorecard, as data only; `to_json` is what the registry stores and all that scoring reads.

    Attributes
    ----------
    name : str
    target : mapping
        What bad means: definition, window and how it was sampled.
    variables : tuple of Variable
    intercept : float
        Of the log-odds of bad.
    scaling : Scaling
    calibration : (a, b)
        PD = 1 / (1 + exp(-(a + b score))), b < 0.
    grades : tuple of (grade, highest PD)
    provenance : mapping
        Sample, dates, seeds, versions.
    reference : 'average' or 'best'
        What reasons are measured against: the mean points of the development sample, or those of the best bin.
    integer_points : bool
        Whether points, and with them the score, are whole numbers.
    """

    name: str
    target: Mapping[str, Any]
    variables: tuple[Variable, ...]
    intercept: float
    scaling: Scaling
    calibration: tuple[float, float]
    grades: Bands
    provenance: Mapping[str, Any] = field(default_factory=dict)
    reference: Literal["average", "best"] = "average"
    integer_points: bool = False
    schema_version: int = SCHEMA_VERSION
    kind: Literal["scorecard"] = "scorecard"

    @property
    def base_points(self) -> float:
        """Points that every customer starts with: base + points of the bins is the score."""
        points = self.scaling.offset - self.scaling.factor * self.intercept
        return float(round(points)) if self.integer_points else points

    @property
    def window(self) -> str:
        """The window that the PD speaks of, in words: '12 months', or 'unknown'."""
        months = self.target.get("window_months")
        return f"{months} month{'s' if months != 1 else ''}" if isinstance(months, int) else "unknown"

    @property
    def inputs(self) -> dict[str, str]:
        """The columns that scoring reads, each 'number' or 'text'."""
        return {variable.name: "text" if variable.bins.categorical else "number" for variable in self.variables}

    def calibrated(self, a: float, b: float) -> Scorecard:
        """Return the same scorecard with PD = 1 / (1 + exp(-(a + b score))).

        Raises
        ------
        ModelError
            b is not below 0: the PD would rise with the score.
        """
        if not (math.isfinite(a) and math.isfinite(b) and b < 0):
            raise ModelError(
                f"calibration: a = {a:g}, b = {b:g}; b must be below 0, or a higher score has a higher PD."
            )
        return replace(self, calibration=(float(a), float(b)))

    def rounded(self) -> Scorecard:
        """Return the same scorecard with whole points; calibrate it anew, and see `validation.rounding_loss`."""
        variables = tuple(
            replace(variable, points=tuple(float(round(points)) for points in variable.points))
            for variable in self.variables
        )
        return replace(self, variables=variables, integer_points=True)

    def pd_of(self, score: npt.ArrayLike) -> Floats:
        """Return the calibrated PD of each score."""
        a, b = self.calibration
        return np.asarray(1 / (1 + np.exp(-(a + b * np.asarray(score, dtype=np.float64)))), dtype=np.float64)

    @cached_property
    def grade_cuts(self) -> list[float]:
        """The least score of each grade but the last, the best grade first: descending.

        The scores at which the calibrated PD, as computed, reaches each band's upper end: so that a comparison of scores
        gives the grade in any language, whatever its exponential function rounds to.
        """
        return [self._least_score(upper) for _, upper in self.grades[:-1]]

    def _least_score(self, upper: float) -> float:
        a, b = self.calibration
        near, step = (math.log(upper / (1 - upper)) - a) / b, 1e-9
        while self.pd_of(near - step) <= upper or self.pd_of(near + step) > upper:
            step *= 2
        low, high = near - step, near + step
        while low < (middle := low + (high - low) / 2) < high:
            low, high = (low, middle) if self.pd_of(middle) <= upper else (middle, high)
        return high

    def columns(self, frame: pd.DataFrame) -> list[pd.Series]:
        """Return the columns that scoring reads, in the order of `variables`; `ModelError` where one is missing or doubled."""
        for variable in self.variables:
            found = int((frame.columns == variable.name).sum())
            if found != 1:
                what = "has no column" if not found else f"has {found} columns named"
                hint = nearest(variable.name, [str(column) for column in frame.columns]) if not found else ""
                raise ModelError(
                    f"scorecard {self.name}: the input {what} {variable.name!r}.{hint} "
                    f"It reads: {', '.join(self.inputs)}."
                )
        return [frame[variable.name] for variable in self.variables]

    def score(self, frame: pd.DataFrame, *, lang: str = "en", reasons: bool = True, threads: int = 1) -> pd.DataFrame:
        """Score each row.

        Parameters
        ----------
        frame : DataFrame
            Holds every column of `inputs`; others are ignored.
        lang : str
            Language of the reasons, a key of the variables' texts.
        reasons : bool
            Also say why points were lost; without it scoring is many times faster.
        threads : int
            The bits are the same for any number.

        Returns
        -------
        DataFrame indexed like `frame` with score (float64, higher is safer), pd, grade (ordered categories, the
        safest first) and, with reasons, reason_codes
        (list of variable names) and reasons (list of texts): at most four factors with fewer points than the
        `reference`, the largest loss first, never padded.

        Raises
        ------
        ModelError
            A missing or doubled column, text where numbers belong, an unknown language.
        """
        columns = self.columns(frame)
        found = score_columns(self, columns, rows=len(frame), threads=threads)
        grade = pd.Categorical.from_codes(found.grade, pd.Index([letter for letter, _ in self.grades]), ordered=True)
        values = {"score": found.score, "pd": found.pd, "grade": grade}
        scored = pd.DataFrame(values, index=frame.index, copy=False)
        if reasons:
            names, texts = self.reasons(frame, lang=lang)
            scored["reason_codes"] = pd.Series(names, index=frame.index, dtype=object)
            scored["reasons"] = pd.Series(texts, index=frame.index, dtype=object)
        return scored

    def losses(self, variable: Variable) -> Floats:
        """Return the points that each bin of a variable loses against the `reference`; a loss of rounding size is none."""
        best = variable.average_points if self.reference == "average" else variable.best_points
        lost = best - np.asarray(variable.points)
        return np.where(lost > 1e-9, lost, 0.0)

    def reasons(self, frame: pd.DataFrame, *, lang: str = "en") -> tuple[list[list[str]], list[list[str]]]:
        """Return the names and the words of the factors that lost points, as `score` has them, a list a row."""
        for variable in self.variables:
            if lang not in variable.reason:
                raise ModelError(f"scorecard {self.name}: {unknown('language', lang, variable.reason)}")
        columns, rows = self.columns(frame), len(frame)
        names = [variable.name for variable in self.variables]
        losses = [self.losses(variable) for variable in self.variables]
        coders = [coder(variable.bins, column) for variable, column in zip(self.variables, columns, strict=True)]
        codes: list[list[str]] = []
        texts: list[list[str]] = []
        for first, last in blocks(0, rows):
            lost = np.column_stack(
                [
                    np.zeros((last - first, 0)),
                    *(own[code(first, last)] for own, code in zip(losses, coders, strict=True)),
                ]
            )
            order = np.argsort(-lost, axis=1, kind="stable")[:, :MAX_REASONS]
            told = np.take_along_axis(lost, order, axis=1) > 0
            said = np.empty(lost.shape, dtype=object)
            for i, (variable, column) in enumerate(zip(self.variables, columns, strict=True)):
                which = np.flatnonzero(((order == i) & told).any(axis=1))
                said[which, i] = reason_texts(
                    column.iloc[first + which],
                    variable.reason,
                    variable.label,
                    lang,
                    categorical=variable.bins.categorical,
                    specials=dict(variable.bins.specials),
                )
            for row, (places, number) in enumerate(zip(order.tolist(), told.sum(axis=1).tolist(), strict=True)):
                codes.append([names[i] for i in places[:number]])
                texts.append([said[row, i] for i in places[:number]])
        return codes, texts

    def points_table(self, *, said: bool = False) -> pd.DataFrame:
        """Return the scorecard as people read it: one row a bin, after a row with the base points.

        Columns: variable, label, count, goods, bads, bad_rate, woe, iv, evidence, points. Counts are whole numbers of
        rows, or sums of their weights where the sample has weights. Words are English, as they are kept, or `said` in the
        language in use.
        """
        words = [say(text) if said else text for text in (BASE, EVERYBODY)]
        base = pd.DataFrame({"variable": words[:1], "label": words[1:], "points": [self.base_points]})
        tables = [
            variable.bins.table(said=said).assign(variable=variable.name, points=variable.points)
            for variable in self.variables
        ]
        columns = ["variable", "label", "count", "goods", "bads", "bad_rate", "woe", "iv", "evidence", "points"]
        whole = all(isinstance(count, int) for v in self.variables for count in (*v.bins.goods, *v.bins.bads))
        table = pd.concat([base, *tables], ignore_index=True)[columns]
        return table.astype(dict.fromkeys(columns[2:5], "Int64" if whole else "Float64"))

    def to_json(self) -> str:
        """Return the scorecard as JSON; `from_json` gives back the same bits."""
        data = asdict(self)
        data["variables"] = [
            asdict(variable) | {"dtype": self.inputs[variable.name], "bins": variable.bins.to_dict()}
            for variable in self.variables
        ]
        return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Scorecard:
        """Return the scorecard that `to_json` wrote.

        Raises
        ------
        ModelError
            Not a scorecard, another schema version, or parts that do not fit together.
        """
        try:
            data = json.loads(text)
            if not isinstance(data, dict) or data.get("kind") != "scorecard":
                raise ModelError("scorecard: the JSON holds no scorecard (kind is not 'scorecard').")
            if data["schema_version"] not in range(1, SCHEMA_VERSION + 1):
                raise ModelError(
                    f"scorecard: schema version {data['schema_version']}, this workbench reads 1 to {SCHEMA_VERSION}. "
                    f"It was written by workbench {data['provenance'].get('workbench', 'of a later version')}: score with that."
                )
            variables = tuple(_variable(item) for item in data["variables"])
            names = [variable.name for variable in variables]
            if not names or len(set(names)) < len(names):
                raise ModelError(f"scorecard: found the variables {names}, expected at least one, and none twice.")
            if data["reference"] not in ("average", "best") or not isinstance(data.get("integer_points", False), bool):
                raise ModelError("scorecard: reference is 'average' or 'best', and integer_points true or false.")
            _all_finite("intercept and scaling", data["intercept"], *data["scaling"].values())
            made = cls(
                name=data["name"],
                target=data["target"],
                variables=variables,
                intercept=float(data["intercept"]),
                scaling=Scaling(**data["scaling"]),
                calibration=(float(data["calibration"][0]), float(data["calibration"][1])),
                grades=check_bands(data["grades"]),
                provenance=data["provenance"],
                reference=data["reference"],
                integer_points=data.get("integer_points", False),
            )
            return made.calibrated(*made.calibration)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelError(f"scorecard: damaged JSON ({error!r}). Read it from Scorecard.to_json.") from error


def _all_finite(what: str, *values: Any) -> None:
    if not all(math.isfinite(float(value)) for value in values):
        raise ModelError(f"scorecard: {what} hold a value that is not finite.")


def _variable(data: Mapping[str, Any]) -> Variable:
    bins = Bins.from_dict(data["bins"])
    points = tuple(float(point) for point in data["points"])
    codes = [] if bins.categorical else [code for code, _ in bins.specials]
    _all_finite(f"points, counts and special codes of {bins.name}", *points, *bins.goods, *bins.bads, *codes)
    if min(*bins.goods, *bins.bads) < 0 or not sum(bins.goods) or not sum(bins.bads):
        raise ModelError(f"scorecard: goods and bads of {bins.name} are below 0, or there are none.")
    if data.get("dtype", kind := "text" if bins.categorical else "number") != kind:
        raise ModelError(f"scorecard: {bins.name} is said to be {data['dtype']!r}, and its bins are of a {kind}.")
    check_templates(data["reason"], name=bins.name, categorical=bins.categorical)
    if len(points) != len(bins.goods):
        raise ModelError(f"scorecard: {len(points)} points for {len(bins.goods)} bins of {bins.name}.")
    return Variable(
        bins, float(data["coefficient"]), points, dict(data["label"]), dict(data["reason"]), str(data.get("unit", ""))
    )


def scaled(
    bins: Bins,
    coefficient: float,
    scaling: Scaling,
    *,
    label: Mapping[str, str],
    reason: Mapping[str, str],
    unit: str = "",
) -> Variable:
    """Return a variable with the points of its bins: - factor x coefficient x WOE, so that they sum to the score."""
    points = -scaling.factor * coefficient * bins.woe
    return Variable(bins, float(coefficient), tuple(float(point) for point in points), dict(label), dict(reason), unit)
