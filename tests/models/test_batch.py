"""Files larger than memory, in blocks: the rows' scores are those of one frame; whole or not at all; odd inputs are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.database import Database
from workbench.core.errors import InputError, ModelError, SampleError
from workbench.models import batch
from workbench.models.batch import Limits, Seen, input_files, read_blocks, score_files, strange_input, write_scores
from workbench.models.bins import Bins, Merge
from workbench.models.engines import score_by_engine
from workbench.models.scorecard import Scaling, Scorecard, scaled
from workbench.models.tracking import ModelVersion

VERSION = ModelVersion("card", "3", "run")
LIMITS = Limits(max_missing_rise=0.2, max_unseen=0.05, max_csi=1.0, min_rows=200)


def scorecard() -> Scorecard:
    number = Bins("income", (1000.0, 2000.0), (), (100, 300, 500, 50), (60, 50, 30, 10), "lower")
    words = Bins("job", (), (("01", "02"), ("A1",)), (400, 300, 100, 0), (50, 60, 40, 0))
    made = [scaled(bins, -0.8, Scaling(), label={"en": bins.name}, reason={"en": f"{bins.name} {{value}}"})
            for bins in (number, words)]  # fmt: skip
    factor, offset = Scaling().factor, Scaling().offset
    return Scorecard("card", {"window_months": 12}, tuple(made), -1.0, Scaling(), (offset / factor, -1 / factor),
                     (("A", 0.05), ("B", 1.0)))  # fmt: skip


def rows(count: int = 2500) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    income = np.where(rng.random(count) < 0.06, np.nan, rng.gamma(4, 500, count))
    return pd.DataFrame({
        "customer_id": [f"{i:06d}" for i in range(count)],
        "income": income,
        "job": rng.choice(["01", "02", "A1", None], count, p=[0.4, 0.2, 0.3, 0.1]),
        "other": "x",
    })  # fmt: skip


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "BLOCK_ROWS", 700)


def scored(paths: list[Path], out: Path, **options: bool) -> tuple[pd.DataFrame, Seen]:
    seen = Seen()
    write_scores(score_files(scorecard(), VERSION, paths, seen=seen, **options), out)
    return (pd.read_parquet(out) if out.suffix == ".parquet" else pd.read_csv(out, dtype={"customer_id": str})), seen


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_blocks_files_and_one_frame_are_the_same(kind: str, tmp_path: Path) -> None:
    table, expected = rows(), scorecard().score(rows())
    for part, start in enumerate((0, 900, 1600)):
        some = table.iloc[start : (900, 1600, 2500)[part]]
        path = tmp_path / f"in-{part}.{kind}"
        some.to_parquet(path) if kind == "parquet" else some.to_csv(path, index=False)
    paths = input_files(str(tmp_path / f"in-*.{kind}"))
    assert len(paths) == 3
    found, seen = scored(paths, tmp_path / "out.parquet")
    assert found["customer_id"].tolist() == table["customer_id"].tolist()
    for column in ("score", "pd"):
        assert found[column].tolist() == expected[column].tolist()
    assert found["grade"].tolist() == expected["grade"].tolist()
    assert [list(said) for said in found["reasons"]] == expected["reasons"].tolist()
    assert (found["model"] + found["version"] + found["pd_window"]).unique().tolist() == ["card312 months"]
    assert seen.rows == 2500
    assert seen.counts[0].tolist() == np.bincount(scorecard().variables[0].bins.assign(table["income"])).tolist()
    text, _ = scored(paths, tmp_path / "out.csv", reasons=False)
    assert text["score"].tolist() == found["score"].tolist()
    assert "reasons" not in text


def test_duckdb_over_files_gives_the_same(tmp_path: Path) -> None:
    table, expected = rows(), scorecard().score(rows())
    folder = tmp_path / "income=5" / "a[1]"  # neither a partition nor a pattern
    folder.mkdir(parents=True)
    table.to_parquet(folder / "in.parquet")
    found, seen = by_engine("duckdb", [folder / "in.parquet"], tmp_path)
    found = found.sort_values("customer_id", ignore_index=True)
    assert found["customer_id"].tolist() == table["customer_id"].tolist()
    assert found["score"].tolist() == expected["score"].tolist()
    assert [list(codes) for codes in found["reason_codes"]] == expected["reason_codes"].tolist()
    _, by_kernel = scored([folder / "in.parquet"], tmp_path / "kernel.parquet")
    assert seen.rows == by_kernel.rows == 2500
    assert [counts.tolist() for counts in seen.counts] == [counts.tolist() for counts in by_kernel.counts]
    bare, _ = by_engine("duckdb", [folder / "in.parquet"], tmp_path, reasons=False)
    assert "reason_codes" not in bare


def by_engine(
    engine: str, files: list[Path], folder: Path, *, table: str | None = None, url: str | None = None, **options: Any
) -> tuple[pd.DataFrame, Seen]:
    seen, out = Seen(), folder / "by-engine.parquet"
    blocks = score_by_engine(scorecard(), VERSION, engine, files=files, table=table, url=url, root=folder, environment={},
                             seen=seen, told=lambda _rows: None, **options)  # fmt: skip
    write_scores(blocks, out)
    return pd.read_parquet(out), seen


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_files_that_an_engine_would_read_otherwise_are_refused(engine: str, tmp_path: Path) -> None:
    rows(5).to_parquet(tmp_path / "a.parquet")
    others = {
        "whole numbers": rows(5).assign(income=[1, 2, 3, 4, 5]),
        "other ids": rows(5).assign(customer_id=[1, 2, 3, 4, 5]),
        "no ids": rows(5).drop(columns="customer_id"),
    }
    for name, other in others.items():
        other.to_parquet(tmp_path / "b.parquet")
        with pytest.raises(InputError, match="is not alike in all files"):
            by_engine(engine, [tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path)
        assert name
    rows(5).drop(columns="income").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ModelError, match="no column 'income'"):
        by_engine(engine, [tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path)
    rows(5).to_csv(tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"reads \.parquet files"):
        by_engine(engine, [tmp_path / "a.csv"], tmp_path)
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-50])
    with pytest.raises(InputError, match="cannot be read as parquet"):
        by_engine(engine, [tmp_path / "a.parquet"], tmp_path)


def test_a_table_without_rows_and_one_in_a_schema(tmp_path: Path) -> None:
    import duckdb

    table = rows()
    with duckdb.connect(str(tmp_path / "lender.db")) as connection:
        connection.register("rows", table)
        connection.execute("create schema crm; create table crm.people as select * from rows; "
                           'create table "odd.name" as select * from rows limit 0')  # fmt: skip
    url = f"duckdb://{tmp_path}/lender.db"
    found, _ = by_engine("duckdb", [], tmp_path, table="crm.people", url=url)
    found = found.sort_values("customer_id", ignore_index=True)
    assert found["score"].tolist() == scorecard().score(table)["score"].tolist()
    nothing, seen = by_engine("duckdb", [], tmp_path, table='"odd.name"', url=url)
    assert nothing.columns.tolist() == found.columns.tolist()
    assert (len(nothing), seen.rows) == (0, 0)
    with pytest.raises(InputError, match=r"has no such table"):
        by_engine("duckdb", [], tmp_path, table="crm.peopel", url=url)


def test_sqlite_with_text_among_numbers_is_refused(tmp_path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(tmp_path / "crm.sqlite")
    rows(3).assign(income=[1.0, 2.0, None]).to_sql("people", connection, index=False)
    connection.execute("insert into people values ('x', 'unknown', '01', 'x')")
    connection.commit()
    connection.close()
    with pytest.raises(ModelError, match="income: found the text 'unknown', expected numbers"):
        by_engine("sqlite", [], tmp_path, table="people", url=f"sqlite://{tmp_path}/crm.sqlite")


def test_decimals_are_the_nearest_doubles_by_every_way(tmp_path: Path) -> None:
    from decimal import Decimal

    values = [Decimal(n).scaleb(-4) + Decimal("999.9999") for n in range(0, 4000, 3)]
    edge = replace(scorecard().variables[0].bins, splits=(float(values[100]), float(values[700])))
    card = replace(
        scorecard(), variables=(scaled(edge, -0.8, Scaling(), label={"en": "i"}, reason={"en": "i {value}"}),)
    )
    expected = card.score(pd.DataFrame({"income": [float(value) for value in values]}))["score"].tolist()
    table = pa.table(
        {"customer_id": [f"{i:05d}" for i in range(len(values))], "income": pa.array(values, pa.decimal128(18, 4))}
    )
    pq.write_table(table, tmp_path / "in.parquet")
    for blocks in (
        score_files(card, VERSION, [tmp_path / "in.parquet"], seen=Seen()),
        score_by_engine(card, VERSION, "duckdb", files=[tmp_path / "in.parquet"], table=None, url=None, root=tmp_path,
                        environment={}, seen=Seen(), told=lambda _: None),
    ):  # fmt: skip
        found = pa.concat_tables(blocks).to_pandas().sort_values("customer_id")
        assert found["score"].tolist() == expected


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("income", pa.array([0], pa.date32()), "dates where numbers belong"),
        ("income", pa.array([0], pa.timestamp("us", "UTC")), "dates where numbers belong"),
        ("income", pa.array([0], pa.duration("s")), "durations where numbers belong"),
        ("job", pa.array([b"01"]), "binary where text belongs"),
        ("job", pa.array([["01"]]), "list.* where text belongs"),
    ],
)
@pytest.mark.parametrize("engine", [None, "duckdb"])
def test_types_that_cannot_be_scored_are_refused(
    name: str, values: pa.Array, message: str, engine: str | None, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"income": [1.0], "job": ["01"]} | {name: values}), tmp_path / "in.parquet")
    with pytest.raises(ModelError, match=message):
        by_engine(engine, [tmp_path / "in.parquet"], tmp_path) if engine else scored(
            [tmp_path / "in.parquet"], tmp_path / "out.parquet"
        )


def test_ids_come_back_as_they_were(tmp_path: Path) -> None:
    from decimal import Decimal

    long = [110101199003071234, 110101199003071235, None]
    for values in (
        pa.array(long, pa.int64()),
        pa.array([None if v is None else Decimal(v) for v in long], pa.decimal128(38, 0)),
    ):
        pq.write_table(pa.table({"customer_id": values, "client no": ["a", "b", "c"], "income": [1.0] * 3, "job": ["01"] * 3}),
                       tmp_path / "in.parquet")  # fmt: skip
        for out in ("out.parquet", "out.csv"):
            blocks = score_files(scorecard(), VERSION, [tmp_path / "in.parquet"], ids=["client no"], seen=Seen())
            write_scores(blocks, tmp_path / out)
        assert pq.read_table(tmp_path / "out.parquet")["customer_id"].to_pylist() == values.to_pylist()
        lines = (tmp_path / "out.csv").read_text().splitlines()
        assert [line.split(",")[0] for line in lines[1:]] == ["110101199003071234", "110101199003071235", ""]
        assert [line.split(",")[1] for line in lines] == ["client no", "a", "b", "c"]
    with pytest.raises(InputError, match="--id: unknown column 'client_no'"):
        list(score_files(scorecard(), VERSION, [tmp_path / "in.parquet"], ids=["client_no"], seen=Seen()))


def test_whole_numbers_that_are_categories_keep_their_digits_beside_a_missing_one(tmp_path: Path) -> None:
    words = replace(scorecard().variables[1].bins, groups=(("9007199254740993",), ("A1",)))
    card = replace(
        scorecard(), variables=(scaled(words, -0.8, Scaling(), label={"en": "i"}, reason={"en": "i {value}"}),)
    )
    pq.write_table(pa.table({"job": pa.array([9007199254740993, None])}), tmp_path / "in.parquet")
    found = pa.concat_tables(score_files(card, VERSION, [tmp_path / "in.parquet"], seen=Seen()))["score"].to_pylist()
    assert found == card.score(pd.DataFrame({"job": ["9007199254740993", None]}))["score"].tolist()


@pytest.mark.parametrize("rest", ["2,5", "2", '2,5,"01', "2,5,01,x"])
def test_a_csv_that_was_cut_off_is_refused(rest: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(f"customer_id,income,job\n1,500,01\n{rest}")
    with pytest.raises(SampleError, match=r"line 3 has . cells, the first 3: was it cut off|EOF inside string"):
        scored([tmp_path / "in.csv"], tmp_path / "out.csv")


def test_csv_files_with_other_ids_are_not_written_one_under_the_other(tmp_path: Path) -> None:
    rows(5).to_csv(tmp_path / "a-1.csv", index=False)
    rows(5).drop(columns="customer_id").to_csv(tmp_path / "a-2.csv", index=False)
    with pytest.raises(InputError, match="differ in their ids"):
        scored([tmp_path / "a-1.csv", tmp_path / "a-2.csv"], tmp_path / "out.csv")


def test_damaged_pages_and_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    rows().to_parquet(tmp_path / "in.parquet")
    data = bytearray((tmp_path / "in.parquet").read_bytes())
    data[200:2200] = bytes(2000)
    (tmp_path / "bad.parquet").write_bytes(data)
    with pytest.raises(InputError, match="cannot be read as parquet"):
        scored([tmp_path / "bad.parquet"], tmp_path / "out.parquet")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        scored([tmp_path / "in.parquet"], tmp_path / "file" / "out.parquet")


def test_a_table_of_a_database_file(tmp_path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(tmp_path / "crm.sqlite")
    rows().to_sql("people", connection, index=False)
    connection.close()
    options = {"files": [], "url": f"sqlite://{tmp_path}/crm.sqlite", "root": tmp_path, "environment": {}}
    blocks = score_by_engine(
        scorecard(), VERSION, "sqlite", table="people", **options, seen=Seen(), told=lambda _: None
    )
    write_scores(blocks, tmp_path / "out.parquet")
    assert pd.read_parquet(tmp_path / "out.parquet")["score"].tolist() == scorecard().score(rows())["score"].tolist()
    for engine, table, message in (
        ("postgres", "people", "found sqlite, expected postgres"),
        ("sqlite", "nobody", "nobody"),  # no such table
        ("sqlite", None, "reads no files"),
    ):
        blocks = score_by_engine(scorecard(), VERSION, engine, table=table, **options, seen=Seen(), told=lambda _: None)
        with pytest.raises(Exception, match=message):
            list(blocks)


@pytest.mark.xdist_group("database")
def test_a_table_of_postgresql(database: Database, tmp_path: Path) -> None:
    table = rows()
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists people; create table people "
                       "(customer_id text, income double precision, job text, other text)")  # fmt: skip
        with cursor.copy("copy people from stdin") as copy:
            for row in table.astype(object).where(table.notna(), None).itertuples(index=False):
                copy.write_row(row)
    blocks = score_by_engine(scorecard(), VERSION, "postgres", files=[], table="people", url=database.url(),
                             root=tmp_path, environment={}, seen=Seen(), told=lambda _: None)  # fmt: skip
    write_scores(blocks, tmp_path / "out.parquet")
    found = pd.read_parquet(tmp_path / "out.parquet").sort_values("customer_id", ignore_index=True)
    expected = scorecard().score(table)
    assert found["score"].tolist() == expected["score"].tolist()
    assert [list(codes) for codes in found["reason_codes"]] == expected["reason_codes"].tolist()


@pytest.mark.slow
@pytest.mark.xdist_group("spark")
def test_spark_over_files(spark: None, tmp_path: Path) -> None:
    rows().to_parquet(tmp_path / "in.parquet")
    blocks = score_by_engine(scorecard(), VERSION, "spark", files=[tmp_path / "in.parquet"], table=None, url=None,
                             root=tmp_path, environment={}, seen=Seen(), told=lambda _: None)  # fmt: skip
    write_scores(blocks, tmp_path / "out.parquet")
    found = pd.read_parquet(tmp_path / "out.parquet").sort_values("customer_id", ignore_index=True)
    assert found["score"].tolist() == scorecard().score(rows())["score"].tolist()


@pytest.mark.usefixtures("small_blocks")
def test_what_is_wrong_late_in_a_file_leaves_the_old_output(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_text("old")
    table = rows().astype({"income": object})
    table.loc[2400, "income"] = "a lot"
    table.to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(ModelError, match=r"in.csv, after 2,100 rows: income: .* such as 'a lot'"):
        scored([tmp_path / "in.csv"], out)
    with (tmp_path / "in.csv").open("a") as file:
        file.write("1,2,3,4,5,6\n")
    with pytest.raises(SampleError, match="cannot be read as csv"):
        scored([tmp_path / "in.csv"], out)
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.parquet"]


def test_what_cannot_be_scored_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    for change, message in (
        (lambda table: table.drop(columns="income"), "no column 'income'"),
        (lambda table: table.rename(columns={"income": "incomes"}), "Did you mean 'incomes'"),
        (lambda table: table.assign(income="text"), "not numbers"),
    ):
        change(rows(5)).to_parquet(path)
        with pytest.raises(ModelError, match=message):
            scored([path], tmp_path / "out.parquet")
    rows(5).to_parquet(tmp_path / "a.parquet")
    rows(5).drop(columns="customer_id").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"first customer_id \(.*string\), then none"):
        scored([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "out.parquet")
    path.write_text("no parquet")
    with pytest.raises(InputError, match="cannot be read as parquet"):
        scored([path], tmp_path / "out.parquet")
    with pytest.raises(InputError, match="no such file"):
        input_files(str(tmp_path / "none-*.csv"))
    (tmp_path / "a.csv").touch()
    with pytest.raises(InputError, match="one kind"):
        input_files(str(tmp_path / "*"))


def test_rows_are_read_with_ids_as_text(tmp_path: Path) -> None:
    table = rows(2).assign(customer_id=["001", "002"])
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        found = pa.concat_tables(read_blocks(tmp_path / name, scorecard()), promote_options="permissive")
        assert found["customer_id"].to_pylist() == ["001", "002"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no such file"),
        ("a.xlsx", b"x", r"found \.xlsx, expected \.parquet or \.csv"),
        ("a", b"x", r"found no suffix, expected"),
        ("a.parquet", b"no parquet", "cannot be read"),
        ("a.csv", b"", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        scored(input_files(str(tmp_path / name)), tmp_path / "out.parquet")


def test_a_merged_value_is_no_odd_input(tmp_path: Path) -> None:
    card = scorecard()
    number = card.variables[0]
    goods, bads = (100, 300, 550, 0), (60, 50, 40, 0)  # the missing went to ">= 2000"
    bins = replace(number.bins, goods=goods, bads=bads, merges=(Merge("missing", ">= 2000", "no salary is known"),))
    seen, gone = Seen(), rows().assign(income=lambda table: table["income"].where(np.arange(2500) % 4 > 0))
    gone.to_parquet(tmp_path / "in.parquet")
    merged = replace(card, variables=(replace(number, bins=bins), *card.variables[1:]))
    write_scores(score_files(merged, VERSION, [tmp_path / "in.parquet"], seen=seen), tmp_path / "out.parquet")
    assert strange_input(merged, seen, LIMITS) == []


def strange(table: pd.DataFrame, tmp_path: Path, limits: Limits = LIMITS) -> list[str]:
    table.to_parquet(tmp_path / "in.parquet")
    return strange_input(
        scorecard(), scored([tmp_path / "in.parquet"], tmp_path / "out.parquet", reasons=False)[1], limits
    )


def test_other_units_missing_and_unseen_values_are_told(tmp_path: Path) -> None:
    assert strange(rows(), tmp_path) == []
    units = strange(rows().assign(income=lambda table: table["income"] / 1000), tmp_path)
    assert len(units) == 1
    assert units[0].startswith("income: '< 1000' holds 100% of the known values, 15% in development (CSI ")
    gone = strange(rows().assign(income=lambda table: table["income"].where(np.arange(2500) < 1500)), tmp_path)
    assert gone == ["income: missing in 44% of the rows, 5% in development."] or gone[0].startswith(
        "income: missing in 4"
    )
    codes = strange(rows().assign(job="B7"), tmp_path)
    assert codes[0] == "job: 2,500 of 2,500 rows hold a category that development never saw."
    assert strange(rows(150).assign(job="B7"), tmp_path) == []
    assert strange(rows().assign(job="B7"), tmp_path, LIMITS.model_copy(update={"max_unseen": 1.0})) == []


KILLED = """
import sys
from pathlib import Path
from tests.models.test_batch import VERSION, scorecard
from workbench.models.batch import Seen, score_files, write_scores
source, out = map(Path, sys.argv[1:])
print("ready", flush=True)
write_scores(score_files(scorecard(), VERSION, [source] * 400, seen=Seen(), reasons=False), out)
"""


def test_killed_while_writing_the_old_file_stands_and_nothing_else(tmp_path: Path) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.Table.from_pandas(rows(25_000)), source)  # 10M scores in all
    scored([source], out, reasons=False)
    before = out.read_bytes()
    root = Path(__file__).resolve().parents[2]
    for seconds in (0.3, 0.8):
        child = subprocess.Popen([sys.executable, "-c", KILLED, source, out], stdout=subprocess.PIPE, cwd=root,
                                 env={**os.environ, "PYTHONPATH": str(root)})  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        assert out.read_bytes() == before
        assert len(list(tmp_path.glob(".out.parquet.*"))) > 0  # it was at it, under another name
        for left in tmp_path.glob(".out.parquet.*"):
            left.unlink()
    assert scored([source], out, reasons=False)[1].rows == 25_000
