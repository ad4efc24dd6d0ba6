from pathlib import Path

import numpy as np
import pytest
import yaml

from workbench.core.errors import ParameterError
from workbench.models.grades import check_bands, grade

ROOT = Path(__file__).parents[2]


def test_the_shipped_bands_hold_and_run_from_a_to_g():
    bands = check_bands(yaml.safe_load((ROOT / "params/grades.yaml").read_text())["pd_upper"])
    assert "".join(letter for letter, _ in bands) == "ABCDEFG"


def test_a_bound_belongs_to_the_safer_grade():
    bands = {"A": 0.01, "B": 0.1, "C": 1.0}
    assert grade([0, 0.01, np.nextafter(0.01, 1), 0.1, 1, np.nan], bands).tolist() == ["A", "A", "B", "B", "C", None]


@pytest.mark.parametrize(
    ("bands", "message"),
    [
        ({}, "expected A, B, C"),
        ({"A": 0.1, "C": 1.0}, "expected A, B, C"),
        ({"A": 0.1, "B": 0.1, "C": 1.0}, "the upper PD of B"),
        ({"A": 0.1, "B": 0.5}, "must end at 1.0"),
        ({"A": "low", "B": 1.0}, "not a number"),
        ({"A": float("nan"), "B": 1.0}, "the upper PD of A"),
    ],
)
def test_bands_that_do_not_hold(bands, message):
    with pytest.raises(ParameterError, match=message):
        check_bands(bands)


def test_a_pd_outside_0_to_1():
    with pytest.raises(ParameterError, match=r"1 PDs lie outside 0 to 1, such as 1\.5"):
        grade([0.2, 1.5], {"A": 1.0})
