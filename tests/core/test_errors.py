"""The error tree: exit codes, and the nearest name."""

from __future__ import annotations

import pytest

from workbench.core import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.WorkbenchError, 1),
        (errors.InputError, 2),
        (errors.ParameterError, 2),
        (errors.BookError, 2),
        (errors.SampleError, 2),
        (errors.ModelError, 2),
        (errors.GateError, 2),
        (errors.NotebookError, 3),
    ],
)
def test_exit_codes_are_those_of_the_command_line(error: type[errors.WorkbenchError], code: int) -> None:
    assert issubclass(error, errors.WorkbenchError)
    assert error.exit_code == code


def test_the_nearest_name_is_found_whatever_holds_the_names() -> None:
    expected = "unknown book 'dmo'. Did you mean 'demo'? Known: aart, demo."
    for names in (["demo", "aart"], {"demo": 1, "aart": 2}, iter(["demo", "aart"]), map(str, ["demo", "aart"])):
        assert errors.unknown("book", "dmo", names) == expected
    assert errors.unknown("book", "demo", []) == "unknown book 'demo'. Known: none."
