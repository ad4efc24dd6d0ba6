"""The bars that a model must clear before it may become champion, as written in `params/gates.yaml`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from workbench.core.errors import ParameterError, unknown
from workbench.core.languages import mark, say

GateSpec = Mapping[str, float]
NAMES = (
    mark("gini_out_of_time"),
    mark("gini_out_of_time_low"),
    mark("gini_drop"),
    mark("calibration_ratio_out_of_time"),
    mark("bads_out_of_time"),
    mark("psi_score"),
    mark("max_csi"),
    mark("max_incomplete_share"),
    mark("wrong_signs"),
    mark("gini_test"),
    mark("gini_test_low"),
    mark("gini_drop_test"),
    mark("calibration_ratio_test"),
    mark("bads_test"),
    mark("psi_score_test"),
    mark("reference_rows"),
    mark("features"),
)
"""The gates that are shipped: what each measures can be said."""


class GateResult(NamedTuple):
    """One gate: what was measured (None where it was not), the bound in words, and whether it is met."""

    name: str
    value: float | None
    bound: str
    passed: bool

    def __str__(self) -> str:
        """Say the result as one line of a report."""
        found = "not measured" if self.value is None else f"{self.value:.4g}"
        return f"{self.name}: {found}, expected {self.bound}: {'passed' if self.passed else 'failed'}"


def gate_text(name: str) -> str:
    """Return what a gate is called in the language in use; one that is not shipped keeps its name."""
    return say(name) if name in NAMES else name


def check_gates(metrics: Mapping[str, float], gates: Mapping[str, GateSpec]) -> list[GateResult]:
    """Return each gate with its measured value; a metric that is absent or not finite is a failed gate.

    Parameters
    ----------
    metrics : mapping of metric name to value
    gates : mapping of metric name to {min: bound} or {max: bound} or both; bounds belong to the passing side

    Raises
    ------
    ParameterError
        No gate at all, an unknown key, or a bound that is not a number.

    Examples
    --------
    >>> [str(r) for r in check_gates({"gini": 0.4}, {"gini": {"min": 0.3}, "psi": {"max": 0.25}})]
    ['gini: 0.4, expected >= 0.3: passed', 'psi: not measured, expected <= 0.25: failed']
    """
    if not gates:
        raise ParameterError("gates: none given. A model without gates cannot be promoted; see params/gates.yaml.")
    results = []
    for name, spec in gates.items():
        if not isinstance(spec, Mapping) or not spec:
            raise ParameterError(f"gates: {name} is {spec!r}; expected min, max or both, such as {{min: 0.3}}.")
        for key, bound in spec.items():
            if key not in ("min", "max"):
                raise ParameterError(f"gates: {name}: {unknown('key', str(key), ('min', 'max'))}")
            if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
                raise ParameterError(f"gates: {name}: {key} is {bound!r}; expected a number.")
        low, high = spec.get("min", -math.inf), spec.get("max", math.inf)
        wanted = say(" and ").join(
            f"{'>=' if key == 'min' else '<='} {spec[key]:g}" for key in ("min", "max") if key in spec
        )
        value = metrics.get(name)
        if value is None or not math.isfinite(value):
            results.append(GateResult(name, None, wanted, passed=False))
        else:
            results.append(GateResult(name, float(value), wanted, passed=low <= value <= high))
    return results


def gates_for(gates: Mapping[str, Mapping[str, GateSpec]], kind: str) -> Mapping[str, GateSpec]:
    """Return the section of `params/gates.yaml` for a kind of model (`scorecard`, `scorecard_undated`, `anomaly`).

    >>> gates_for({"scorecard": {"wrong_signs": {"max": 0}}}, "scorecard")
    {'wrong_signs': {'max': 0}}
    """
    if kind not in gates:
        raise ParameterError(f"gates: {unknown('kind of model', kind, gates)}")
    return gates[kind]
