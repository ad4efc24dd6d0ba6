"""A book is a row of blocks: the same bytes for any number of threads; a larger or longer book begins with a smaller one."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.book.book import Book
from workbench.book.schema import TABLES
from workbench.book.simulated import simulate_book
from workbench.book.simulation import SimulatedBook, simulate, true_pd, world
from workbench.book.simulation.block import WRITTEN_TABLES
from workbench.book.simulation.truth.schemas import SCHEMAS
from workbench.book.simulation.world import BURN_IN_MONTHS
from workbench.book.simulation.writing import faults
from workbench.book.store import table_files
from workbench.core.errors import InputError
from workbench.core.workspace import Workspace

START = date(2023, 1, 1)
SMALL = 150
"""Customers a block, here."""


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a block be of 150 customers."""
    monkeypatch.setattr(world, "BLOCK_CUSTOMERS", SMALL)


def digests(folder: Path) -> dict[str, str]:
    """Return the hash of each file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


def rows_of(folder: Path, table: str) -> pd.DataFrame:
    """Return the rows of all files of a table."""
    files = table_files(folder, table)
    return pa.concat_tables([pq.read_table(file) for file in files]).to_pandas(types_mapper=pd.ArrowDtype)


# bytes


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate(tmp_path / name, customers=400, months=3, seed=seed)
    first, again, other = (digests(tmp_path / name) for name in "abc")
    assert {Path(name).stem for name in first} == set(WRITTEN_TABLES) | set(SCHEMAS)
    assert len(first) == len(WRITTEN_TABLES) + len(SCHEMAS)
    assert first == again
    assert all(first[name] != other[name] for name in first)


@pytest.mark.usefixtures("small_blocks")
def test_threads_and_later_blocks_change_no_byte_of_the_first_blocks(tmp_path: Path) -> None:
    for name, blocks, threads in (("alone", 2, 1), ("threads", 2, 2), ("more", 3, 5)):
        simulate(tmp_path / name, customers=blocks * SMALL, months=3, seed=4, threads=threads)
    alone, threads, more = (digests(tmp_path / name) for name in ("alone", "threads", "more"))
    assert {"payments.parquet", "payments+0001.parquet", "truth/treatments+0001.parquet"} <= set(alone)
    assert threads == alone
    assert {name: more[name] for name in alone} == alone
    assert {Path(name).stem.partition("+")[2] for name in more.keys() - alone.keys()} == {"0002"}


@pytest.mark.usefixtures("small_blocks")
def test_a_smaller_book_takes_the_place_of_a_larger_one(tmp_path: Path) -> None:
    simulate(tmp_path, customers=SMALL + 50, months=1, seed=4)
    simulate(tmp_path, customers=SMALL, months=1, seed=4)
    assert not [path.name for path in tmp_path.rglob("*+0001.parquet")]


# blocks together


@pytest.fixture(scope="module")
def two_blocks(workspace: Workspace) -> Book:
    """Return a stored book of two blocks, in which many are registered twice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "BLOCK_CUSTOMERS", SMALL)
        patch.setattr(faults, "REGISTERED_TWICE", 0.05)
        simulate_book(workspace, "two-blocks", customers=2 * SMALL, months=14, seed=9, start=START)
    return Book.open(workspace, "two-blocks")


@pytest.mark.parametrize("name", WRITTEN_TABLES)
def test_keys_of_two_blocks_never_meet(name: str, two_blocks: Book) -> None:
    key = list(TABLES[name].key)
    first, second = (pq.read_table(file).to_pandas() for file in table_files(two_blocks.folder, name))
    assert len(first) > 0
    assert len(second) > 0
    assert not set(map(tuple, first[key].to_numpy())) & set(map(tuple, second[key].to_numpy()))
    for column in {"customer_id", "loan_id", "account_id", "national_id", "email"} & set(first.columns):
        assert not set(first[column].dropna()) & set(second[column].dropna()), column
    assert not first.drop(columns=key).equals(second.drop(columns=key).head(len(first)))


def test_blocks_share_the_economy_alone(two_blocks: Book) -> None:
    assert [path.name for path in sorted((two_blocks.folder / "truth").glob("economy*"))] == ["economy.parquet"]
    first, second = (pq.read_table(file).to_pandas() for file in table_files(two_blocks.folder / "truth", "customers"))
    assert set(first["vulnerability"]).isdisjoint(second["vulnerability"])


def test_a_book_of_two_blocks_opens_as_one(two_blocks: Book) -> None:
    day = two_blocks.manifest.facts.last_day
    for name in ("loans", "payments", "performance"):
        keys = rows_of(two_blocks.folder, name).drop_duplicates(list(TABLES[name].key))
        assert two_blocks.as_known(name, as_of=day).count().to_pyarrow().as_py() == len(keys)


@pytest.mark.parametrize("name", WRITTEN_TABLES)
def test_the_facts_of_a_book_are_those_of_all_its_blocks(name: str, two_blocks: Book) -> None:
    facts, rows = two_blocks.manifest.tables[name], rows_of(two_blocks.folder, name)
    assert set(facts.files) == {f"{name}.parquet", f"{name}+0001.parquet"}
    assert facts.rows == len(rows)
    assert facts.keys == len(rows.drop_duplicates(list(TABLES[name].key)))


def test_true_pds_of_two_blocks_are_those_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "BLOCK_CUSTOMERS", SMALL)
    wanted = {"months": 2, "seed": 6, "start": START, "month": 1, "branches": 2}
    two, one = (true_pd(customers=customers, **wanted) for customers in (2 * SMALL, SMALL))
    pd.testing.assert_frame_equal(two.head(len(one)), one)
    assert two["customer_id"].is_unique
    assert len(two) > len(one)


# time


@pytest.fixture(scope="module")
def shorter_and_longer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, SimulatedBook]:
    """Return a book of 16 months, the same of 22, and what was said of the first; people registered twice in both."""
    folders = tmp_path_factory.mktemp("short"), tmp_path_factory.mktemp("long")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, "REGISTERED_TWICE", 0.05)
        made = [
            simulate(folder, customers=500, months=months, seed=11, start=START)
            for folder, months in zip(folders, (16, 22), strict=True)
        ]
    return *folders, made[0]


@pytest.mark.parametrize("name", WRITTEN_TABLES)
def test_a_longer_run_begins_with_the_same_rows(
    name: str, shorter_and_longer: tuple[Path, Path, SimulatedBook]
) -> None:
    short, longer, made = shorter_and_longer
    now, later = rows_of(short, name), rows_of(longer, name)
    later = later[later["known_at"] < pd.Timestamp(made.last_day) + pd.Timedelta(days=1)].reset_index(drop=True)
    unversioned = list(made.current_only) if name == "customers" else []
    assert len(now) > 0
    pd.testing.assert_frame_equal(now.drop(columns=unversioned), later.drop(columns=unversioned))


@pytest.mark.parametrize(
    ("name", "moment", "said_later"),
    [
        ("latent", "known_at", ["next_worst_dpd"]),
        ("customers", "joined_on", []),
        ("defaults", "month_end", []),
        ("economy", "month_end", []),
        ("episodes", "began", ["ended", "worst_dpd", "defaulted"]),
        ("incidents", "start", ["end", "defaulted_12m"]),
        ("applications", "applied_on", ["worst_dpd_12m", "bad_12m", "months_seen"]),
        ("treatments", "decided_on", ["worst_dpd_12m", "worst_dpd_12m_otherwise", "bad_12m", "bad_12m_otherwise", "complete"]),
    ],
)  # fmt: skip
def test_the_truth_of_a_longer_run_begins_with_the_same_rows(
    name: str, moment: str, said_later: list[str], shorter_and_longer: tuple[Path, Path, SimulatedBook]
) -> None:
    short, longer, made = shorter_and_longer
    now, later = rows_of(short / "truth", name), rows_of(longer / "truth", name)
    until = pd.Timestamp(made.last_day) + pd.Timedelta(days=1)
    early = pd.to_datetime(later[moment].astype("datetime64[us]")) < until
    later = later[early].reset_index(drop=True)
    order = list(now.columns.difference(said_later))
    if name == "economy":
        now, later = (frame.sort_values(order, ignore_index=True) for frame in (now, later))
    assert len(now) > 0
    if name == "episodes":  # of those who join later too
        later = later.merge(now[["customer_id"]].drop_duplicates(), on="customer_id")
    pd.testing.assert_frame_equal(now[order], later[order])


def test_outcomes_seen_to_their_end_are_final(shorter_and_longer: tuple[Path, Path, SimulatedBook]) -> None:
    short, longer, _made = shorter_and_longer
    for name, key, whole in (
        ("treatments", "customer_id", lambda frame: frame["complete"]),
        ("applications", "application_id", lambda frame: frame["months_seen"] == 12),
        ("incidents", "incident_id", lambda frame: frame["defaulted_12m"].notna()),
    ):
        now = rows_of(short / "truth", name)
        now = now[whole(now)].drop(columns=["end"], errors="ignore")
        later = rows_of(longer / "truth", name).set_index(key).loc[now[key]].reset_index()[now.columns]
        assert len(now) > 5, name
        pd.testing.assert_frame_equal(now.reset_index(drop=True), later)


# what is asked and said


def test_what_is_returned(shorter_and_longer: tuple[Path, Path, SimulatedBook]) -> None:
    folder, _longer, book = shorter_and_longer
    assert (book.first_day, book.last_day) == (START, date(2024, 4, 30))
    assert (book.time_zone, book.currency) == ("UTC", "EUR")
    assert book.rows == {name: len(rows_of(folder, name)) for name in WRITTEN_TABLES}
    assert all(count > 0 for count in book.rows.values())
    assert set(book.current_only) <= {column.name for column in TABLES["customers"].columns}


@pytest.mark.usefixtures("small_blocks")
def test_progress_counts_up_to_all_months_of_all_blocks(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulate(
        tmp_path,
        customers=SMALL + 50,
        months=2,
        threads=2,
        on_month=lambda done, total: seen.append((done, total)),
    )
    total = 2 * (BURN_IN_MONTHS + 2)
    assert seen == [(i + 1, total) for i in range(total)]


@pytest.mark.usefixtures("small_blocks")
def test_whoever_is_told_may_stop_it(tmp_path: Path) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path, customers=4 * SMALL, months=2, threads=2, on_month=stop)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"customers": 49}, "customers is 49, expected 50"),
        ({"customers": 9_000_000}, "customers is 9000000, expected 50 to 8999999"),
        ({"months": 0}, "months is 0, expected 1"),
        ({"months": 601}, "months is 601, expected 1 to 600"),
        ({"seed": -1}, "seed is -1, expected 0"),
        ({"start": date(2023, 1, 15)}, "expected the first day of a month. Use 2023-01-01"),
        ({"start": date(1949, 12, 1)}, "expected a year from 1950"),
    ],
)
def test_bad_arguments_say_what_to_do(arguments: dict[str, object], found: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=found):
        simulate(tmp_path / "x", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "book").write_text("")
    with pytest.raises(InputError, match="is a file, expected a folder"):
        simulate(tmp_path / "book", customers=50, months=1)
