from pathlib import Path

import pytest
import yaml

from workbench.core.errors import ParameterError
from workbench.models.gates import NAMES, check_gates, gate_text, gates_for

GATES = yaml.safe_load((Path(__file__).parents[2] / "params/gates.yaml").read_text())
GOOD = {
    "gini_out_of_time": 0.45,
    "gini_out_of_time_low": 0.4,
    "gini_drop": 0.03,
    "calibration_ratio_out_of_time": 1.1,
    "bads_out_of_time": 200,
    "psi_score": 0.05,
    "max_csi": 0.05,
    "max_incomplete_share": 0.01,
    "wrong_signs": 0,
}


def failed(**changes):
    return [r.name for r in check_gates(GOOD | changes, gates_for(GATES, "scorecard")) if not r.passed]


def test_a_good_model_passes_the_shipped_gates():
    assert failed() == []


@pytest.mark.parametrize(
    ("name", "on", "beyond"),
    [
        ("gini_out_of_time", 0.30, 0.299),
        ("gini_out_of_time_low", 0.25, 0.249),
        ("gini_drop", 0.12, 0.121),
        ("calibration_ratio_out_of_time", 2.0, 2.01),
        ("calibration_ratio_out_of_time", 0.5, 0.49),
        ("bads_out_of_time", 30, 29),
        ("psi_score", 0.25, 0.26),
        ("max_csi", 0.25, 0.251),
        ("max_incomplete_share", 0.05, 0.051),
        ("wrong_signs", 0, 1),
        ("gini_drop", -0.5, float("nan")),
    ],
)
def test_each_gate_passes_on_its_bound_and_fails_beyond(name, on, beyond):
    assert failed(**{name: on}) == []
    assert failed(**{name: beyond}) == [name]


def test_what_was_not_measured_failed():
    result = check_gates({}, {"psi_score": {"max": 0.25}})[0]
    assert (result.value, result.passed) == (None, False)
    assert "not measured" in str(result)


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ({}, "none given"),
        ({"gini": {"minimum": 0.3}}, "Did you mean 'min'"),
        ({"gini": {}}, "expected min, max or both"),
        ({"gini": 0.3}, "expected min, max or both"),
        ({"gini": {"min": "high"}}, "expected a number"),
        ({"gini": {"min": float("nan")}}, "expected a number"),
    ],
)
def test_gates_that_do_not_hold(gates, message):
    with pytest.raises(ParameterError, match=message):
        check_gates({"gini": 0.5}, gates)


def test_an_unknown_kind_of_model():
    with pytest.raises(ParameterError, match="Did you mean 'scorecard'"):
        gates_for(GATES, "scorecards")


def test_every_shipped_gate_can_be_said(signs):
    assert set(NAMES) == {name for section in GATES.values() for name in section}
    assert gate_text("max_csi") == "字字字_字字字"
    assert gate_text("of_my_own") == "of_my_own"
