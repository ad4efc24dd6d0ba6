"""`workbench book simulate --as-delivery` as a user types it."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.core.workspace import Workspace

from ..commands import Finished

Typed = Callable[..., Finished]
SMALL = ("--customers", "50", "--months", "2")


@pytest.fixture
def home(new_workspace: Callable[..., Workspace]) -> Path:
    return new_workspace().root


def test_the_commands_that_are_told_import_the_delivery(home: Path, typed: Typed) -> None:
    done = typed("book", "simulate", "shop", *SMALL, "--as-delivery", "deliveries/shop", home=home)
    assert done.code == 0, done.err
    assert "crm/customers.csv" in done.out
    assert "truth/delivery.json" in done.out
    assert not (home / "data" / "books").exists()
    copy, load = [line.strip() for line in done.out.partition("next:\n")[2].splitlines()]
    assert (copy, load) == (
        "cp deliveries/shop/shop.yaml params/books/", "workbench book import shop --from deliveries/shop",
    )  # fmt: skip
    subprocess.run(shlex.split(copy), cwd=home, check=True)
    loaded = typed(*shlex.split(load)[1:], home=home)
    assert loaded.code == 0, loaded.err
    assert "rows rejected: amount is missing" in loaded.out


def test_a_program_reads_what_was_written(home: Path, typed: Typed, tmp_path: Path) -> None:
    away = tmp_path / "of f"
    done = typed("book", "simulate", "shop", *SMALL, "--as-delivery", "out", "--json", home=home, cwd=tmp_path)
    told = json.loads(done.out)
    assert told["mapping"] == "out/shop.yaml"
    assert {"file", "table", "fault", "rows", "effect", "told"} == told["planted"][0].keys()
    assert told["next"][1] == f"workbench book import shop --from {tmp_path / 'out'}"
    done = typed("book", "simulate", "shop", *SMALL, "--as-delivery", away, "--json", home=home, cwd=tmp_path)
    copy = shlex.split(json.loads(done.out)["next"][0])
    assert copy == ["cp", f"{away}/shop.yaml", f"{home / 'params' / 'books'}/"]


def test_what_is_wrong_is_one_message(home: Path, typed: Typed) -> None:
    (home / "full").mkdir()
    (home / "full" / "a.txt").touch()
    done = typed("book", "simulate", "shop", *SMALL, "--as-delivery", "full", home=home)
    assert done.code == 2
    assert "found a folder with files in it, expected an empty folder or none" in done.message()
    done = typed("book", "simulate", "shop", *SMALL, "--url", "env:CORE", home=home)
    assert done.code == 2
    assert "add --as-delivery DIR" in done.message()
