"""Whole or not at all."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.core.errors import WorkbenchError
from workbench.core.files import locked, read_json, staging_folder, whole_file, write_json


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "list.csv"
    with whole_file(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("old")

    def write_half() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("full disk")

    with pytest.raises(RuntimeError, match="full disk"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_sorted_readable_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_json(path, {"b": "张", "a": 1})
    assert path.read_text("utf-8") == '{\n "a": 1,\n "b": "张"\n}\n'
    assert read_json(path) == {"a": 1, "b": "张"}
    assert read_json(tmp_path / "none.json") is None
    with pytest.raises(TypeError):
        write_json(path, {"a": 1, 2: 3})  # keys that do not sort
    assert read_json(path) == {"a": 1, "b": "张"}


def test_staging_is_gone_whether_it_was_moved_or_not(tmp_path: Path) -> None:
    with staging_folder(tmp_path / "home") as staging:
        (staging / "table").write_text("x")
        staging.rename(tmp_path / "home" / "final")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["final"]
    with staging_folder(tmp_path / "home") as staging:
        (staging / "table").write_text("x")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["final"]


def test_a_lock_times_out_with_a_clear_word_and_frees_itself(tmp_path: Path) -> None:
    path = tmp_path / "write.lock"
    with locked(path, seconds=1, what="first"):
        started = time.monotonic()
        with (
            pytest.raises(WorkbenchError, match=r"book demo: another process has held .*write\.lock for over 0\.3 s"),
            locked(path, seconds=0.3, what="book demo"),
        ):
            pass
        assert 0.2 < time.monotonic() - started < 5
    with locked(path, seconds=0.3, what="again"):
        pass


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "write.lock"
    code = (
        "import sys, time; from pathlib import Path; from workbench.core.files import locked\n"
        f"with locked(Path({str(path)!r}), seconds=1, what='x'):\n    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(WorkbenchError), locked(path, seconds=0.1, what="second"):
            pass
        process.kill()
        process.wait()
    with locked(path, seconds=2, what="second"):
        pass
