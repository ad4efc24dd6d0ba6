"""Settings: flag over environment over file over default, and where a workspace is."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.core.errors import InputError, ParameterError
from workbench.core.settings import Settings, resolve_settings
from workbench.core.workspace import Workspace, check_name, open_workspace


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKBENCH_HOME", *(f"WORKBENCH_{field.upper()}" for field in Settings.model_fields)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "params").mkdir()
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def in_file(root: Path, text: str) -> None:
    (root / "params" / "workbench.yaml").write_text(text)


def test_each_source_wins_over_the_next(root: Path) -> None:
    in_file(root, "threads: 2\nmemory: 2GB\nlock_seconds: 7\n")
    environment = {"WORKBENCH_THREADS": "3", "WORKBENCH_MEMORY": "4 GB", "PATH": "/bin"}
    settings, sources = resolve_settings(root, flags={"threads": 5, "memory": None}, environment=environment)
    assert (settings.threads, settings.memory, settings.lock_seconds, settings.mlflow_uri) == (5, "4 GB", 7, "")
    assert sources == {
        "threads": "flag",
        "memory": "environment",
        "lock_seconds": "params/workbench.yaml",
        "notebook_minutes": "default",
        "mlflow_uri": "default",
        "pseudonym_key_file": "default",
        "real_data": "default",
        "lang": "default",
    }


def test_without_a_file_the_defaults_hold(root: Path) -> None:
    assert resolve_settings(root)[0] == Settings()
    in_file(root, "# nothing\n")
    assert resolve_settings(root)[0] == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "thread: 2",
            r"params/workbench\.yaml: unknown name 'thread'\. Did you mean 'threads'\? Known: lang, lock_seconds",
        ),
        ("threads: many", r"params/workbench\.yaml: threads: found 'many'"),
        ("threads: 0", r"threads: found 0: input should be greater than or equal to 1"),
        ("memory: 3 GigaBytes", r"memory: found '3 GigaBytes'"),
        ("- threads", r"found a list, expected a mapping of names to values"),
        ("threads: [1", r"not valid YAML"),
    ],
)
def test_a_wrong_file_is_told(text: str, message: str, root: Path) -> None:
    in_file(root, text)
    with pytest.raises(ParameterError, match=message):
        resolve_settings(root)


def test_a_wrong_variable_is_answered_with_the_nearest(root: Path) -> None:
    with pytest.raises(ParameterError, match=r"unknown variable 'WORKBENCH_THREAD'\. Did you mean 'WORKBENCH_THREADS'"):
        resolve_settings(root, environment={"WORKBENCH_THREAD": "2"})
    with pytest.raises(ParameterError, match="environment: threads: found 'two'"):
        resolve_settings(root, environment={"WORKBENCH_THREADS": "two"})
    with pytest.raises(ParameterError, match=r"flag: unknown name 'memry'\. Did you mean 'memory'"):
        resolve_settings(root, flags={"memry": "1GB"})


def test_a_workspace_is_found_from_a_folder_inside_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "notebooks" / "deep").mkdir()
    assert open_workspace(root / "notebooks" / "deep").root == root.resolve()
    monkeypatch.chdir(root / "notebooks")
    assert open_workspace().root == root.resolve()


def test_the_home_variable_wins_and_is_taken_as_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(root))
    monkeypatch.setenv("WORKBENCH_LOCK_SECONDS", "9")
    found = open_workspace(Path("/"))
    assert (found.root, found.settings.lock_seconds, found.sources["lock_seconds"]) == (
        root.resolve(),
        9,
        "environment",
    )
    monkeypatch.setenv("WORKBENCH_HOME", str(root / "notebooks"))
    with pytest.raises(InputError, match=r"notebooks: no workspace here: .* or set WORKBENCH_HOME"):
        open_workspace(root)


def test_no_workspace_above(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no workspace here: expected a folder with params/ and notebooks/"):
        open_workspace(tmp_path)


def test_every_path_lies_under_the_root(root: Path) -> None:
    workspace = Workspace(root)
    for name in ("params", "notebooks", "books", "panels", "scratch", "reports", "mlruns"):
        assert getattr(workspace, name).is_relative_to(root), name
    assert workspace.mlflow_uri == f"sqlite:///{root}/mlruns/mlflow.db"
    assert Workspace(root, Settings(mlflow_uri="http://127.0.0.1:5000")).mlflow_uri == "http://127.0.0.1:5000"


@pytest.mark.parametrize("name", ["a", "demo", "a-b_c9", "x" * 40])
def test_names_that_may_be_folders(name: str) -> None:
    assert check_name("book", name) == name


@pytest.mark.parametrize("name", ["", "A", "9a", "a/b", "..", "a b", "é", "x" * 41, "a\n"])
def test_names_that_may_not(name: str) -> None:
    with pytest.raises(ParameterError, match="book name"):
        check_name("book", name)
