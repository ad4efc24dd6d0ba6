"""The project's own files: locks, environment, notebooks, import contracts, set-up."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ["requirements.lock", "requirements-test.lock", "requirements-setup.lock"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==([^\s;\\]+)(?:\s*;\s*([^\\]*?))?\s*\\?$")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def name_of(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement).group()).lower()  # type: ignore[union-attr]


def pins(lock: str) -> dict[tuple[str, str], str]:
    """Return version by name and marker."""
    found = [PIN.match(line) for line in (ROOT / lock).read_text("utf-8").splitlines()]
    return {(name_of(pin.group(1)), (pin.group(3) or "").strip()): pin.group(2) for pin in found if pin}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_each_pin_and_no_address(lock: str) -> None:
    lines = [
        line for line in (ROOT / lock).read_text("utf-8").splitlines() if line and not line.lstrip().startswith("#")
    ]
    text = "\n".join(lines)
    assert not re.search(r"https?:|index-url|find-links|trusted-host|\bfile:|@ ", text)
    blocks = re.split(r"\n(?=\S)", text)
    for block in blocks:
        head, *hashes = block.splitlines()
        assert PIN.match(head), head
        assert hashes, head
        assert all(re.fullmatch(r"\s+--hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes), head
    assert len(blocks) == len(pins(lock))


def test_the_page_of_the_tables_is_that_of_the_contract() -> None:
    scope: dict[str, Any] = {"__name__": "tables"}
    exec((ROOT / ".ci" / "tables.py").read_text("utf-8"), scope)
    found = (ROOT / "docs" / "books" / "tables.md").read_text("utf-8")
    assert found == scope["catalogue"](), "run: python .ci/tables.py"


def test_the_page_of_the_indicators_is_that_of_the_registry() -> None:
    scope: dict[str, Any] = {"__name__": "catalogue", "__file__": str(ROOT / ".ci" / "catalogue.py")}
    exec((ROOT / ".ci" / "catalogue.py").read_text("utf-8"), scope)
    assert (ROOT / "docs" / "indicators.md").read_text("utf-8") == scope["page"](), "run: python .ci/catalogue.py"


def test_every_direct_dependency_is_locked() -> None:
    core = {name_of(requirement) for requirement in project()["dependencies"]}
    extras = project()["optional-dependencies"]
    assert (
        f"{project()['name']}[{','.join(sorted(extras.keys() - {'test'}))}]" in extras["test"]
    )  # the tests use all of them
    wanted = {name_of(requirement) for extra in extras.values() for requirement in extra} - {project()["name"]}
    assert core <= {name for name, _marker in pins("requirements.lock")}
    assert core | wanted <= {name for name, _marker in pins("requirements-test.lock")}


def test_the_tests_run_on_the_versions_that_users_get() -> None:
    core, test = pins("requirements.lock"), pins("requirements-test.lock")
    names = {name for name, _marker in core}
    assert {key: version for key, version in test.items() if key[0] in names} == core


def test_this_interpreter_has_the_locked_versions() -> None:
    from importlib.metadata import version

    locked = {name: found for (name, marker), found in pins("requirements.lock").items() if not marker}
    for requirement in project()["dependencies"]:
        name = name_of(requirement)
        if name in locked:
            assert version(name) == locked[name], name


def test_environment_yml_gives_the_versions_of_the_lock() -> None:
    written = runpy.run_path(str(ROOT / ".ci" / "environment.py"))["environment"]()
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert text == written, "run: python .ci/environment.py"
    listed = re.findall(r'^      - "?([\w.-]+)(?:\[[\w,-]+\])?==([^\s;"]+)(?:; ([^"]+))?"?$', text, flags=re.MULTILINE)
    assert {(name_of(name), marker): version for name, version, marker in listed} == pins("requirements.lock")


def notebook(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    for cell in notebook(path)["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
        assert "execution" not in cell["metadata"]
        assert "papermill" not in cell["metadata"]
    assert "papermill" not in notebook(path)["metadata"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_what_it_is_for_and_declares_its_parameters(path: Path) -> None:
    first, second, *rest = notebook(path)["cells"]
    text = "".join(first["source"])
    assert first["cell_type"] == "markdown"
    for word in ("# ", "**Question:**", "**Reader:**", "**In:**", "**Out:**"):
        assert word in text
    assert second["metadata"].get("tags") == ["parameters"]
    assert not [cell for cell in rest if "parameters" in cell["metadata"].get("tags", [])]
    source = "".join(second["source"])
    lines = source.splitlines()
    for statement in ast.parse(source).body:
        assert isinstance(statement, ast.AnnAssign), ast.unparse(statement)
        assert statement.value is not None
        assert re.search(r"\S  # \S", lines[statement.end_lineno - 1]), lines[statement.end_lineno - 1]  # type: ignore[operator]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_nothing(path: Path) -> None:
    for cell in notebook(path)["cells"]:
        if cell["cell_type"] == "code":
            kinds = {type(node) for node in ast.walk(ast.parse("".join(cell["source"])))}
            assert not kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}, "move it into the package"


def test_the_import_contracts_hold(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--cache-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9]\d* kept, 0 broken", done.stdout)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Return a folder with what the set-up reads, and a `bin` with nothing but the tools that it calls."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "setup", tmp_path / ".ci" / "setup")
    for name in (*LOCKS, "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "cat", "cut", "date", "dirname", "du", "env", "grep", "rm", "sha256sum"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))  # type: ignore[arg-type]
    return tmp_path


def set_up(bare: Path, what: str = "core", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(bare / "bin" / "bash"), str(bare / ".ci" / "setup"), what],
        cwd=bare,
        env={"PATH": str(bare / "bin"), "HOME": os.environ.get("HOME", "/"), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fake_python(bare: Path, name: str, version: str) -> Path:
    path = bare / "bin" / name
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "Python {version}"; exit 0; }}\nexit 1\n')
    path.chmod(0o755)
    return path


def test_set_up_says_what_to_do_where_python_is_too_old(bare: Path) -> None:
    fake_python(bare, "python3", "3.9.2")
    done = set_up(bare)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Python 3.11, 3.12 or 3.13 is needed; python3 here is: Python 3.9.2" in done.stderr
    assert "apt-get install python3" in done.stderr
    assert "PYTHON=/path/to/python3" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert not (bare / ".venv").exists()


def test_set_up_says_what_to_do_where_there_is_no_python(bare: Path) -> None:
    done = set_up(bare, "test")
    assert done.returncode == 2
    assert "is needed; python3 here is:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bare / ".venv").exists()


def test_a_python_that_is_named_but_too_old_is_refused(bare: Path) -> None:
    done = set_up(bare, PYTHON=str(fake_python(bare, "old", "3.10.1")))
    assert done.returncode == 2
    assert not (bare / ".venv").exists()


@pytest.mark.parametrize(("what", "stamp"), [("core", "core"), ("core", "test"), ("test", "test")])
def test_set_up_skips_what_is_up_to_date(what: str, stamp: str, bare: Path) -> None:
    lock = {"core": "requirements.lock", "test": "requirements-test.lock"}[stamp]
    content = b"".join((bare / name).read_bytes() for name in ("requirements-setup.lock", lock, "pyproject.toml"))
    (bare / ".venv").mkdir()
    (bare / ".venv" / f".setup-{stamp}").write_text(hashlib.sha256(content).hexdigest() + "\n")
    done = set_up(bare, what)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (bare / "pyproject.toml").write_bytes(content + b"\n")
    assert set_up(bare, what).returncode == 2  # something changed: it would install, but finds no Python here


def test_set_up_knows_core_and_test_only(bare: Path) -> None:
    done = set_up(bare, "everything")
    assert done.returncode == 2
    assert "usage: .ci/setup core|test" in done.stderr


def test_each_make_target_is_there_and_helped() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    for target in ("demo", "test", "lab", "lint", "format", "bench", "lock", "clean"):
        assert re.search(rf"^{target}:", text, flags=re.MULTILINE)
        assert re.search(rf"@echo .*make {target}\b", text), target
