"""What the doctor finds, and what it says of it."""

from __future__ import annotations

import importlib.metadata
import shutil
import socket
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from workbench.core.workspace import Workspace
from workbench.runs import doctor
from workbench.runs.doctor import Check, examine


def checks(workspace: Workspace) -> dict[str, Check]:
    return {check.what: check for check in examine(workspace)}


def test_a_machine_that_runs_the_tests_has_what_it_needs(workspace: Workspace) -> None:
    found = checks(workspace)
    assert {"Python", "mlflow", "disk", "browser", "Java", "Chinese font", "port of JupyterLab"} <= found.keys()
    assert [check.what for check in found.values() if check.verdict == "missing"] == []
    assert found["pandas"].found == importlib.metadata.version("pandas")
    assert all(check.mend for check in found.values() if check.verdict != "ok")


def test_an_old_python(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        version_info = (3, 9, 2)

    monkeypatch.setattr(doctor, "sys", Old)
    found = checks(workspace)["Python"]
    assert (found.verdict, found.found, found.mend) == ("missing", "3.9.2", "install Python 3.11 or later")


def test_a_package_that_is_not_there(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("pandas", "no-such-package-here"))
    found = checks(workspace)["no-such-package-here"]
    assert found.verdict == "missing"
    assert "make demo" in found.mend


def test_a_full_disk(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**10, 9 * 10**9, 10**9))
    found = checks(workspace)["disk"]
    assert (found.verdict, found.found, found.mend) == ("missing", "1.0 GB free", "free 3 GB")


def test_no_browser_and_no_java(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = checks(workspace)
    assert (found["browser"].verdict, found["Java"].verdict) == ("optional", "optional")
    assert "apt-get install chromium" in found["browser"].mend
    assert "Java 17" in found["Java"].mend


def test_a_port_in_use(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: Any = taken.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {"JupyterLab": port})
        found = checks(workspace)["port of JupyterLab"]
    assert found.found == f"127.0.0.1:{port} in use"
    assert found.verdict == "optional"
