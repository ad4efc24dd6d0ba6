"""A scorecard in every form that can run here gives what the kernel gives, on every oddity; the others parse."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.database import Database
from workbench.core.errors import ModelError, ParameterError
from workbench.models.bins import Bins
from workbench.models.export import DIALECTS
from workbench.models.export.pmml import NO_REASON, scorecard_pmml
from workbench.models.export.python import scorecard_python
from workbench.models.export.sql import REASONS, scorecard_sql
from workbench.models.scorecard import Scaling, Scorecard, scaled
from workbench.models.table_file import MISSING

from .oddities import odd_rows, random_scorecard

ROOT = Path(__file__).resolve().parents[2]
ROWS = int(os.environ.get("PROOF_ROWS", "20000"))  # make proofs: 200,000


def case(seed: int, rows: int) -> tuple[Scorecard, pd.DataFrame, pd.DataFrame]:
    """Return a scorecard, rows with ids, and their scores by the kernel."""
    card = random_scorecard(seed)
    table = odd_rows(card, seed, rows)
    table.insert(0, "row id", np.arange(rows).astype(str))
    return card, table, card.score(table)


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Scores to the bit, PDs within 1e-9, grades and reasons the same."""
    found = found.iloc[np.argsort(found["row id"].astype(int).to_numpy())]
    assert (found["score"].to_numpy(float) == expected["score"].to_numpy()).all()
    assert np.abs(found["pd"].to_numpy(float) - expected["pd"].to_numpy()).max() < 1e-9
    assert (found["grade"].to_numpy() == expected["grade"].astype(str).to_numpy()).all()
    reasons = [[name for name in row if isinstance(name, str)] for row in found[list(REASONS)].to_numpy().tolist()]
    assert reasons == expected["reason_codes"].tolist()


def by_duckdb(card: Scorecard, table: pd.DataFrame) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.register("rows", as_arrow(card, table))
        query = scorecard_sql(card, dialect="duckdb", table="rows", ids=["row id"], version="7")
        return connection.execute(query).df()


def as_arrow(card: Scorecard, table: pd.DataFrame) -> pa.Table:
    """Return the rows with NaN as NaN and not as null, and text also where all is missing."""
    kinds = {"row id": "text", **card.inputs}
    return pa.table(
        {
            name: pa.array(table[name].tolist(), pa.string())
            if kind == "text"
            else pa.array(table[name].to_numpy(), pa.float64(), from_pandas=False)
            for name, kind in kinds.items()
        }
    )


@given(seed=st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_random_scorecards_by_duckdb(seed: int) -> None:
    card, table, expected = case(seed, 300)
    same(by_duckdb(card, table), expected)


def test_duckdb_on_many_rows() -> None:
    card, table, expected = case(2, ROWS)
    found = by_duckdb(card, table)
    same(found, expected)
    assert set(found["model"]) == {card.name}
    assert set(found["version"]) == {"7"}


@pytest.mark.parametrize("seed", [0, 5])
def test_sqlite(seed: int) -> None:
    card, table, expected = case(seed, (ROWS if ROWS > 20_000 else 5000) if seed else 2000)
    with sqlite3.connect(":memory:") as connection:
        table.to_sql("rows", connection, index=False)
        same(pd.read_sql(scorecard_sql(card, dialect="sqlite", table="rows", ids=["row id"]), connection), expected)
    connection.close()


@pytest.mark.xdist_group("database")
@pytest.mark.parametrize("seed", [3, 4])
def test_postgres(seed: int, database: Database) -> None:
    card, table, expected = case(seed, ROWS if seed == 3 else 2000)
    columns = ", ".join(
        f"{quoted(name)} {'double precision' if card.inputs.get(name) == 'number' else 'text'}" for name in table
    )
    query = scorecard_sql(card, dialect="postgres", table="odd rows", ids=["row id"])
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f'drop table if exists "odd rows"; create table "odd rows" ({columns})')
        with cursor.copy('copy "odd rows" from stdin') as copy:
            for row in table.itertuples(index=False):
                copy.write_row(row)
        cursor.execute(query)
        found = pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
        cursor.execute('drop table "odd rows"')
    same(found, expected)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.slow
@pytest.mark.xdist_group("spark")
def test_spark(spark: None, tmp_path: Path) -> None:
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    session.conf.set("spark.sql.variable.substitute", "false")  # docs/scoring.md: or ${x} is no category
    for seed, rows in ((1, ROWS), (6, 2000)):
        card, table, expected = case(seed, rows)
        pq.write_table(as_arrow(card, table), tmp_path / f"{seed}.parquet")
        session.read.parquet(str(tmp_path / f"{seed}.parquet")).createOrReplaceTempView("odd_rows")
        query = scorecard_sql(card, dialect="spark", table="odd_rows", ids=["row id"])
        same(session.sql(query).toPandas(), expected)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_parses_and_reads_one_table(dialect: str) -> None:
    for seed in range(4):
        card = random_scorecard(seed)
        if dialect == "bigquery":  # it takes letters, digits and underscores, and Ibis would change the others
            with pytest.raises(ParameterError, match="bigquery has no way to write the column"):
                scorecard_sql(card, dialect=dialect, table="rows", ids=["row id"])
            card = with_plain_names(card)
        ids = ["row_id"] if dialect == "bigquery" else ["row id"]
        tree = sqlglot.parse_one(scorecard_sql(card, dialect=dialect, table="rows", ids=ids), dialect=dialect)
        assert [table.name for table in tree.find_all(sqlglot.exp.Table)] == ["rows"]
        assert tree.named_selects == [ids[0], "score", "pd", "grade", *REASONS, "model", "version"]
        read = {column.name for column in tree.find_all(sqlglot.exp.Column)}
        assert {*card.inputs, *ids} <= read


def with_plain_names(card: Scorecard) -> Scorecard:
    return replace(
        card,
        variables=tuple(replace(v, bins=replace(v.bins, name=f"x_{i}")) for i, v in enumerate(card.variables)),
    )


def test_no_name_and_no_category_becomes_sql() -> None:
    # A table beside, which a statement hidden in a name or a category would drop.
    for seed in range(6):
        card, table, expected = case(seed, 50)
        with duckdb.connect() as connection:
            connection.execute("create table beside as select 1 as x")
            connection.register("rows", as_arrow(card, table))
            query = scorecard_sql(
                card, dialect="duckdb", table="rows", ids=["row id"], version="'; drop table beside; --"
            )
            same(connection.execute(query).df(), expected)
            assert connection.execute("select x from beside").fetchall() == [(1,)]


def test_what_the_sql_refuses() -> None:
    card = random_scorecard(1)
    with pytest.raises(ParameterError, match=r"unknown dialect 'postgre'\. Did you mean 'postgres'"):
        scorecard_sql(card, dialect="postgre")
    with pytest.raises(ParameterError, match="cannot be an id as well"):
        scorecard_sql(card, dialect="duckdb", ids=[next(iter(card.inputs))])


# --- PMML -------------------------------------------------------------------------------------------------------------

EVALUATE = """
import sys
import pandas as pd
from jpmml_evaluator import make_evaluator
for pmml, rows, scores in zip(*[iter(sys.argv[1:])] * 3):
    table = pd.read_pickle(rows).astype(object)
    found = make_evaluator(pmml, backend="jpype").evaluateAll(table.where(table.notna(), None))
    found.iloc[:, 1:].to_pickle(scores)
"""


def test_pmml_by_the_reference_evaluator(spark: None, tmp_path: Path) -> None:  # Spark, because it is where Java is
    cases, files = [], []
    for seed in range(8):
        card, table, expected = case(seed, ROWS if seed == 1 else 1000)
        (tmp_path / f"{seed}.pmml").write_text(scorecard_pmml(card, version="7"), encoding="utf-8")
        table[list(card.inputs)].to_pickle(tmp_path / f"{seed}.rows")
        cases.append((table, expected, tmp_path / f"{seed}.scores"))
        files += [tmp_path / f"{seed}.{kind}" for kind in ("pmml", "rows", "scores")]
    subprocess.run(
        [sys.executable, "-c", EVALUATE, *map(str, files)], check=True, capture_output=True
    )  # a JVM of its own
    for table, expected, scores in cases:
        found = pd.read_pickle(scores).assign(**{"row id": table["row id"].to_numpy()})
        found[list(REASONS)] = found[list(REASONS)].replace(NO_REASON, None)
        same(found, expected)


def test_pmml_refuses_what_xml_cannot_hold() -> None:
    card = random_scorecard(1)
    first = card.variables[0]
    odd = replace(first, bins=replace(first.bins, name="a\x00b"))
    with pytest.raises(ParameterError, match="a character that XML cannot"):
        scorecard_pmml(replace(card, variables=(odd, *card.variables[1:])))


# --- one Python file ---------------------------------------------------------------------------------------------------


def loaded(text: str) -> Any:
    found = types.ModuleType("card")
    exec(compile(text, "card.py", "exec"), found.__dict__)
    return found


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_python_file_scores_as_the_kernel(seed: int) -> None:
    card, table, expected = case(seed, 200)
    alone = loaded(scorecard_python(card, version="7"))
    chinese = card.score(table, lang="zh")["reasons"]
    for place, row in enumerate(table.to_dict("records")):
        found, by_kernel = alone.score(row), expected.iloc[place]
        assert found["score"] == by_kernel["score"]
        assert abs(found["pd"] - by_kernel["pd"]) < 1e-14
        assert found["grade"] == by_kernel["grade"]
        assert found["reason_codes"] == by_kernel["reason_codes"]
        assert found["reasons"] == by_kernel["reasons"]
        assert alone.score(row, lang="zh")["reasons"] == chinese.iloc[place]


def test_the_python_file_on_many_rows() -> None:
    card, table, expected = case(7, ROWS)
    alone = loaded(scorecard_python(card))
    found = [alone.score(row) for row in table.to_dict("records")]
    for name in ("score", "grade", "reason_codes"):
        assert [row[name] for row in found] == expected[name].tolist()


def test_the_python_file_needs_nothing_and_takes_a_csv(tmp_path: Path) -> None:
    card, table, _ = case(3, 60)
    (tmp_path / "card.py").write_text(scorecard_python(card, version="7"), encoding="utf-8")
    written = table.replace({np.inf: 1e300, -np.inf: -1e300})
    written.to_csv(tmp_path / "rows.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-I", "-S", tmp_path / "card.py"], stdin=(tmp_path / "rows.csv").open(encoding="utf-8"),
        capture_output=True, text=True, check=True, encoding="utf-8", cwd=tmp_path, env={"PYTHONUTF8": "1"},
    )  # fmt: skip
    (tmp_path / "scores.csv").write_text(done.stdout, encoding="utf-8")
    found = pd.read_csv(
        tmp_path / "scores.csv", dtype={"row id": str}, keep_default_na=False, float_precision="round_trip"
    )
    expected = card.score(
        written.map(lambda value: None if value in MISSING else value)
    )  # as `workbench score` reads it
    assert found["score"].tolist() == expected["score"].tolist()
    assert found["grade"].tolist() == expected["grade"].tolist()
    assert found["reason_codes"].tolist() == ["; ".join(names) for names in expected["reason_codes"]]


def test_the_python_file_says_what_is_wrong() -> None:
    card, table, _ = case(4, 1)
    alone, row = loaded(scorecard_python(card)), table.to_dict("records")[0]
    number = next(name for name, kind in card.inputs.items() if kind == "number")
    with pytest.raises(TypeError, match="is no number"):
        alone.score({**row, number: "12"})
    with pytest.raises(KeyError, match="no column"):
        alone.score({name: value for name, value in row.items() if name != number})


def piped(card: Scorecard, content: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "card.py").write_text(scorecard_python(card), encoding="utf-8")
    return subprocess.run([sys.executable, "-I", folder / "card.py"], input=content, capture_output=True, text=True,
                          encoding="utf-8", cwd=folder, check=False)  # fmt: skip


def test_the_python_file_refuses_a_broken_csv(tmp_path: Path) -> None:
    card = plain_card()
    good = piped(card, "\ufeffx,job\n0.2,clerk\n,NA\n", tmp_path)
    assert good.returncode == 0, good.stderr
    scores = [float(line.split(",")[2]) for line in good.stdout.splitlines()[1:]]
    assert scores == card.score(pd.DataFrame({"x": [0.2, None], "job": ["clerk", None]}))["score"].tolist()
    for content, message in (
        ("x,job\n0.2,clerk\n5\n", "line 3: found 1 cells, expected 2"),
        ("x,job\n0.2,clerk,zzz\n", "line 2: found 3 cells"),
        ("x,job,x\n1,clerk,2\n", "expected each once"),
        ("", "expected each once"),
        ("x,job\n1_000,clerk\n", "line 2, x: '1_000' is no number"),
        ("x,job\ntrue,clerk\n", "line 2, x: 'true' is no number"),
    ):
        done = piped(card, content, tmp_path)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def plain_card() -> Scorecard:
    number = Bins(
        "x", (0.1, 0.3, 100.0), (), (100, 200, 300, 400, 50, 60), (50, 40, 30, 20, 10, 30), None, ((-1.0, "none"),)
    )
    words = Bins("job", (), (("clerk", "01"), ("boss",)), (400, 300, 100, 10), (50, 60, 40, 5))
    made = [scaled(bins, -0.8, Scaling(), label={"en": bins.name}, reason={"en": f"{bins.name} {{value}}"})
            for bins in (number, words)]  # fmt: skip
    factor, offset = Scaling().factor, Scaling().offset
    return Scorecard("card", {"window_months": 12}, tuple(made), -1.0, Scaling(), (offset / factor, -1 / factor),
                     (("A", 0.05), ("B", 1.0)))  # fmt: skip


@pytest.mark.parametrize("value", ["unknown", "", "2024-01-01", "12%", b"x"])
def test_the_sql_of_sqlite_refuses_text_among_numbers(value: object) -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table input (x real, job text)")
        connection.executemany("insert into input values (?, ?)", [(0.2, "clerk"), (None, "boss"), (3, None)])
        query = scorecard_sql(plain_card(), dialect="sqlite")
        assert len(connection.execute(query).fetchall()) == 3
        connection.execute("insert into input values (?, 'clerk')", [value])
        with pytest.raises(sqlite3.Error, match="integer overflow"):
            connection.execute(query).fetchall()
    connection.close()


def test_names_of_results_and_of_the_query_are_no_ids() -> None:
    for ids in (["score"], ["reason_1"], ["wb__bin_0"], ["a", "a"]):
        with pytest.raises(ParameterError, match="is the name of a result, or given twice"):
            scorecard_sql(plain_card(), dialect="duckdb", ids=ids)
    for table in ("", "a.b.c.d", "a..b", 'a"b'):
        with pytest.raises(ParameterError, match=r"expected TABLE, SCHEMA\.TABLE"):
            scorecard_sql(plain_card(), dialect="duckdb", table=table)
    assert 'FROM "crm"."rows"' in scorecard_sql(plain_card(), dialect="postgres", table="crm.rows")
    assert "DOUBLE PRECISION" not in scorecard_sql(plain_card(), dialect="oracle")


# --- JSON --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found = json.loads((ROOT / "docs" / "scorecard.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_the_json_keeps_to_its_schema_and_comes_back_to_the_bit(seed: int, schema: dict[str, Any]) -> None:
    text = random_scorecard(seed).to_json()
    jsonschema.validate(json.loads(text), schema)
    assert Scorecard.from_json(text).to_json() == text
    for wrong in ({"grades": [["A", 2]]}, {"calibration": [1, 0.1]}, {"reference": "mean"}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**json.loads(text), **wrong}, schema)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["calibration"], [0, 0.5], "b must be below 0"),
        (["calibration"], [0, 0], "b must be below 0"),
        (["intercept"], float("nan"), "not finite"),
        (["scaling", "pdo"], float("inf"), "not finite"),
        (["variables"], [], "at least one"),
        (["reference"], "foo", "reference is"),
        (["integer_points"], "false", "true or false"),
        (["variables", 0, "points", 0], float("nan"), "not finite"),
        (["variables", 0, "bins", "goods", 0], -1, "below 0"),
        (["variables", 0, "dtype"], "date", "is said to be 'date'"),
        (["variables", 0, "reason", "en"], "{nope}", "cannot be filled"),
        (["variables", 0, "reason", "en"], "{value.__class__}", "cannot be filled"),
    ],
)
def test_damaged_json_is_refused(path: list[str | int], value: object, message: str) -> None:
    data = json.loads(plain_card().to_json())
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises((ModelError, ParameterError), match=message):
        Scorecard.from_json(json.dumps(data))
    twice = json.loads(plain_card().to_json())
    twice["variables"].append(twice["variables"][0])
    with pytest.raises(ModelError, match="none twice"):
        Scorecard.from_json(json.dumps(twice))


def test_version_1_is_read_and_a_later_one_says_who_wrote_it() -> None:
    card = random_scorecard(2)
    data = json.loads(card.to_json())
    for variable in data["variables"]:
        del variable["dtype"], variable["unit"]
    rows = odd_rows(card, 1, 50)
    assert Scorecard.from_json(json.dumps({**data, "schema_version": 1})).score(rows).equals(card.score(rows))
    later = {**data, "schema_version": 3, "provenance": {"workbench": "9.1"}}
    with pytest.raises(
        ModelError, match=r"schema version 3, this workbench reads 1 to 2\. It was written by workbench 9\.1"
    ):
        Scorecard.from_json(json.dumps(later))
