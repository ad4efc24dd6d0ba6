"""Private values: hidden from every stage; pseudonyms against RFC 4231 and a hash made by hand; the key's file."""

from __future__ import annotations

import hashlib
import multiprocessing
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from workbench.book.access import masked, read_rows
from workbench.book.book import Book
from workbench.book.private import create_key, key_file, keyed_hash, load_key, pseudonym
from workbench.book.schema import TABLES
from workbench.core.errors import InputError, ParameterError
from workbench.core.settings import Settings
from workbench.core.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes(range(32))
PRIVATE = {table: [c.name for c in schema.columns if c.role == "private"] for table, schema in TABLES.items()}


def of(values: list[str | None], field: str, key: bytes = KEY) -> list[str | None]:
    found: list[str | None] = pseudonym(pa.array(values, pa.string()), key=key, field=field).to_pylist()
    return found


@pytest.mark.parametrize(
    ("key", "message", "expected"),
    [  # RFC 4231, test cases 1, 2, 3 and 6
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_the_hash_is_that_of_the_rfc(key: bytes, message: bytes, expected: str) -> None:
    assert keyed_hash(message, key=key) == expected


def test_a_pseudonym_by_hand() -> None:
    # RFC 2104: H(K xor opad, H(K xor ipad, text)), the key filled with zeros to SHA-256's block of 64 bytes
    block = KEY.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + b"name\0greta juniper").digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).hexdigest()
    assert of(["Greta Juniper"], "name") == [outer[:16]]


def test_one_person_has_one_pseudonym_a_field() -> None:
    assert len(set(of(["Greta Juniper", " greta  JUNIPER\n", "Ｇreta Juniper", "Greta\u3000Juniper"], "name"))) == 1
    assert len(set(of(["Zo\u00eb Ivywood", "Zoe\u0308 Ivywood"], "name"))) == 1  # composed and decomposed
    assert len(set(of(["+00 555 1234567", "+00-555-1234567", "+005551234567"], "phone"))) == 1
    assert len(set(of(["ZZ 000.012-345", "zz000012345"], "national_id"))) == 1
    assert len(set(of(["Greta Juniper", "Greta Junipers", "GretaJuniper", "王伟", "王芳"], "name"))) == 5
    assert of(["a@example.com"], "email") != of(["a@example.com"], "name")
    assert of(["a@example.com"], "email") != of(["a@example.com"], "email", key=KEY[::-1])
    many = of([f"person {number}" for number in range(20_000)], "name")
    assert len(set(many)) == 20_000
    assert all(re.fullmatch("[0-9a-f]{16}", found or "") for found in many)


def test_null_and_blank_stay_null() -> None:
    assert of([None, "", " \t", "a"], "name")[:3] == [None, None, None]
    assert of([None, None], "name") == [None, None]
    assert of([], "name") == []
    assert of(["-", " / "], "phone") == [None, None]
    chunks = pa.chunked_array([["a", None], [], ["b", "a"]], pa.string())
    found = pseudonym(chunks, key=KEY, field="name").to_pylist()
    assert found == of(["a", None, "b", "a"], "name")
    assert found[0] == found[3] != found[2]


def test_every_stage_reads_null(small_book: Book) -> None:
    as_of = small_book.last_month_end
    assert PRIVATE["customers"] == ["name", "phone", "email", "national_id"]
    for table, columns in PRIVATE.items():
        if table not in small_book.tables or not columns:
            continue
        assert small_book.private_columns(table) == columns
        seen = small_book.as_known(table, as_of=as_of)
        assert seen.columns == tuple(column.name for column in TABLES[table].columns)
        rows = seen.select(*columns).to_pyarrow()
        assert len(rows) > 100
        assert all(rows[name].null_count == len(rows) and rows[name].type == pa.string() for name in columns)
        shown = small_book.as_known(table, as_of=as_of, private=True).to_pyarrow()
        assert any(shown[name].null_count == 0 for name in columns)  # there was something to hide


def test_display_hides_what_is_private_and_shows_the_rest_of_today(small_book: Book) -> None:
    rows = small_book.customers_now(as_of=small_book.last_month_end).to_pyarrow()
    assert rows["officer_id"].null_count == 0
    assert all(rows[name].null_count == len(rows) for name in PRIVATE["customers"])
    shown = small_book.customers_now(as_of=small_book.last_month_end, private=True).to_pyarrow()
    assert all(shown[name].null_count == 0 for name in PRIVATE["customers"])


def test_a_mapping_adds_private_columns_and_takes_none_away(make_book: Callable[..., Book]) -> None:
    people = pd.DataFrame({"customer_id": ["C1"], "birth_date": date(1980, 2, 29), "name": "Greta Juniper"})
    loans = pd.DataFrame({"loan_id": ["L1"], "customer_id": "C1", "opened_on": date(2024, 1, 10)})
    roles = {"customers": {"birth_date": "private", "name": "feature", "customer_id": "private"}}
    book = make_book({"customers": people, "loans": loans}, roles=roles)
    assert book.private_columns("customers") == ["birth_date", *PRIVATE["customers"]]
    assert book.private_columns("loans") == []
    rows = book.as_known("customers", as_of=date(2024, 6, 30)).to_pyarrow()
    assert rows.select(["customer_id", "birth_date", "name"]).to_pylist() == [
        {"customer_id": "C1", "birth_date": None, "name": None}  # a key joins tables and is no name
    ]
    shown = masked(read_rows(book, "customers", as_of=date(2024, 6, 30)), ["birth_date"], key=KEY)
    assert shown["birth_date"].to_pylist() == of(["1980-02-29"], "birth_date")


def test_access_alone_asks_for_private_values() -> None:
    files = [*(ROOT / "workbench").rglob("*.py"), *(ROOT / "notebooks").glob("*.ipynb")]
    asking = {path.name for path in files if re.search(r"private\s*=\s*(True|private)", path.read_text("utf-8"))}
    assert asking == {"access.py", "book.py"}  # book.py: `customers_now` hands on what it was given


@pytest.fixture
def within(tmp_path: Path) -> Callable[[str], Workspace]:
    root = tmp_path / "repo" / "workspace"
    root.mkdir(parents=True)
    return lambda file: Workspace(root, Settings(pseudonym_key_file=file))


def test_the_key_lies_outside_workspace_and_repository(
    within: Callable[[str], Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    default = Settings().pseudonym_key_file
    assert key_file(within(default)) == tmp_path / "home/.config/loan-risk-workbench/pseudonym.key"
    assert key_file(within("../other/k")) == tmp_path / "repo/other/k"
    (tmp_path / "link").symlink_to(tmp_path / "repo" / "workspace")
    for inside in ("k", "data/k", str(tmp_path / "repo/workspace/k"), str(tmp_path / "link" / "k")):
        with pytest.raises(ParameterError, match=r"expected a file outside it.*WORKBENCH_PSEUDONYM_KEY_FILE"):
            key_file(within(inside))
    (tmp_path / "repo" / ".git").mkdir()
    with pytest.raises(ParameterError, match=re.escape(f"found {tmp_path}/repo/other/k, in {tmp_path}/repo;")):
        key_file(within("../other/k"))


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "pseudonym.key"
    assert create_key(path)
    key = load_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert not create_key(path)
    assert load_key(path) == key
    assert [found.name for found in path.parent.iterdir()] == ["pseudonym.key"]
    assert create_key(tmp_path / "other")
    assert load_key(tmp_path / "other") != key


def test_many_processes_make_one_key(tmp_path: Path) -> None:
    path = tmp_path / "pseudonym.key"
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.map(create_key, [path] * 12, chunksize=1)
    assert sum(made) == 1
    assert [found.name for found in tmp_path.iterdir()] == ["pseudonym.key"]
    assert len(load_key(path)) == 32


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o610])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "k"
    create_key(path)
    path.chmod(mode)
    with pytest.raises(InputError, match=rf"found mode {mode:04o}, expected 0600.*chmod 600"):
        load_key(path)


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "zz" * 32, "secret words", "\0" * 64])
def test_what_is_no_key_is_refused_and_not_quoted(text: str, tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(InputError, match="expected 64 hexadecimal digits") as caught:
        load_key(path)
    assert not text or text not in str(caught.value)


def test_a_missing_key_and_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_key(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written: .*Set WORKBENCH_PSEUDONYM_KEY_FILE"):
        create_key(tmp_path / "file" / "k")
