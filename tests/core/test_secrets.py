"""Secrets by reference."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workbench.core.errors import ParameterError
from workbench.core.secrets import check_reference, resolve_secret

SECRET = "sEcr3t-T0ken"


def store(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_from_the_environment(tmp_path: Path) -> None:
    secret = resolve_secret("env:CRM_TOKEN", root=tmp_path, environment={"CRM_TOKEN": SECRET})
    assert secret.get_secret_value() == SECRET
    assert SECRET not in f"{secret} {secret!r}"


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_from_a_file_without_its_line_end(ending: bytes, tmp_path: Path) -> None:
    path = store(tmp_path / "token", f" {SECRET}\n{SECRET}".encode() + ending)
    for reference in ("file:token", f"file:{path}"):
        assert resolve_secret(reference, root=tmp_path, environment={}).get_secret_value() == f" {SECRET}\n{SECRET}"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("env:CRM_TOKN", r"env:CRM_TOKN: no such variable in the environment. Did you mean 'CRM_TOKEN'\?"),
        ("env:EMPTY", "env:EMPTY: found nothing but blanks"),
        ("file:none", "file:none: cannot read .*none: No such file or directory. Put the secret into that file"),
        ("file:.", "file:.: cannot read .*: Is a directory"),
        ("file:blank", "found nothing but blanks"),
        ("file:binary", "is not UTF-8 text"),
        ("file:large", "holds more than 64 KB"),
    ],
)
def test_what_is_not_there(reference: str, message: str, tmp_path: Path) -> None:
    store(tmp_path / "blank", b"\n")
    store(tmp_path / "binary", b"\xff\xfe\x00")
    store(tmp_path / "large", b"x" * 70_000)
    with pytest.raises(ParameterError, match=message) as caught:
        resolve_secret(reference, root=tmp_path, environment={"CRM_TOKEN": SECRET, "EMPTY": " "})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602])
def test_a_file_of_ours_is_closed_to_others(mode: int, tmp_path: Path) -> None:
    store(tmp_path / "token", SECRET.encode(), mode)
    with pytest.raises(ParameterError, match=rf"has the mode {mode:03o}, .* expected 600. Run `chmod 600 ") as caught:
        resolve_secret("file:token", root=tmp_path, environment={})
    assert SECRET not in str(caught.value)


def test_a_mounted_file_of_somebody_else_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(tmp_path / "token", SECRET.encode(), 0o444)
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert resolve_secret("file:token", root=tmp_path, environment={}).get_secret_value() == SECRET


@pytest.mark.parametrize(
    "literal", [SECRET, f"env:{SECRET}", "env:", "file:", "file: ", "", f"Bearer {SECRET}", f"env:A\n{SECRET}"]
)
def test_a_literal_is_refused_and_not_repeated(literal: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="expected env:NAME") as caught:
        resolve_secret(literal, root=tmp_path, environment={})
    assert SECRET not in str(caught.value)
    with pytest.raises(ParameterError, match=r"^auth.token: found a value that refers to no secret"):
        check_reference(literal, what="auth.token")


def test_other_types_are_refused() -> None:
    for value in (None, 12345678, ["env:A"]):
        with pytest.raises(ParameterError, match="expected env:NAME") as caught:
            check_reference(value, what="auth.token")
        assert "12345678" not in str(caught.value)
