"""YAML files: one clear line for each thing that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from workbench.core.errors import ParameterError
from workbench.core.yaml_files import load_params, read_yaml


class Step(BaseModel):
    model_config = ConfigDict(extra="forbid")

    horizon_months: int = Field(ge=1)


class Plan(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    steps: list[Step] = []
    by_name: dict[str, Step] = {}
    last: Step | None = None


def load(tmp_path: Path, text: str) -> Plan:
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return load_params(Plan, path)


def test_a_right_file(tmp_path: Path) -> None:
    plan = load(tmp_path, "name: 计划\nsteps: [{horizon_months: 3}]\n")
    assert (plan.name, plan.steps[0].horizon_months) == ("计划", 3)


def test_a_missing_file_is_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "default.yaml").touch()
    with pytest.raises(
        ParameterError, match=r"no such file\. Did you mean 'default\.yaml'\?.*name one of: default\.yaml"
    ):
        read_yaml(tmp_path / "defualt.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nme: a\nname: b", "unknown name 'nme'. Did you mean 'name'? Known: by_name, last, name, steps."),
        ("steps: []", "'name' is missing; add it."),
        ("name: a\nsteps: [{horizon_months: 0}]", "steps.0.horizon_months: found 0: input should be greater"),
        ("name: a\nsteps: [{horizon: 3, horizon_months: 3}]", "unknown name 'steps.0.horizon'. Did you mean 'horizon_months'?"),
        ("name: a\nby_name: {x: {month: 3}}", "unknown name 'by_name.x.month'. Did you mean 'horizon_months'?"),
        ("name: a\nlast: {horizon_month: 3}", "unknown name 'last.horizon_month'. Did you mean 'horizon_months'?"),
        ("[1, 2]", "found a list, expected a mapping"),
        ("a: b: c", "not valid YAML"),
    ],
)  # fmt: skip
def test_a_wrong_file(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert "plan.yaml" in str(caught.value)


def test_each_finding_has_its_line(tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        load(tmp_path, "nam: a\nsteps: 3\n")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all("plan.yaml" in line for line in lines)


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="not valid YAML"):
        load(tmp_path, "name: !!python/object/apply:os.getcwd []\n")
