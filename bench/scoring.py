"""How fast a scorecard scores: in memory beside optbinning, toad and scorecardpy, file to file beside DuckDB, and by SQL.

CPU seconds of one process, medians of paired runs. Every peer is fitted on the same table and scores the same rows. toad and
scorecardpy are measured where they can be imported; neither is a dependency.
Run: .venv/bin/python -m bench.scoring [--rows 1000000 10000000] [--file-rows 50000000] [--engine-rows 1000000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.core.workspace import open_workspace
from workbench.models.export.sql import scorecard_sql
from workbench.models.fitting import Candidate, FitOptions, fit_scorecard
from workbench.models.scorecard import Scorecard
from workbench.models.tracking import log_candidate

COLUMNS = 12
FITTED_ROWS = 50_000
BANDS = (("A", 0.01), ("B", 0.03), ("C", 0.1), ("D", 1.0))
Scorer = Callable[[pd.DataFrame], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--file-rows", type=int, default=50_000_000, help="0 leaves the files out")
    parser.add_argument("--engine-rows", type=int, default=1_000_000, help="0 leaves the engines out")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    train, outcome = table(FITTED_ROWS, seed=1)
    card = ours(train, outcome)
    scorers: dict[str, Scorer] = {"ours": lambda rows: card.score(rows, reasons=False)["score"].to_numpy()}
    scorers |= peers(train, outcome)
    print(f"{len(card.variables)} variables, {sum(v.bins.size for v in card.variables)} bins\n")
    for rows in options.rows:
        in_memory(card, scorers, rows, options.repeats)
    reasons(card)
    with tempfile.TemporaryDirectory() as folder:
        if options.file_rows:
            file_to_file(card, Path(folder), options.file_rows, options.repeats)
        if options.engine_rows:
            engines(card, Path(folder), options.engine_rows, options.repeats)
        first_row(card, Path(folder))


def table(rows: int, *, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return numbers of several shapes, some missing, and an outcome that they tell of."""
    draw = np.random.default_rng(seed)
    risk, values = draw.normal(size=rows), {}
    for number in range(COLUMNS):
        base = 0.35 * risk + draw.normal(size=rows)
        shape = (base, np.exp(base), np.floor(3 * np.exp(base)), np.where(draw.random(rows) < 0.1, np.nan, base))[
            number % 4
        ]
        values[f"x{number:02d}"] = np.round(shape, 3)
    return pd.DataFrame(values), (draw.random(rows) < 1 / (1 + np.exp(3 - risk))).astype(int)


def ours(train: pd.DataFrame, outcome: np.ndarray) -> Scorecard:
    return fit_scorecard(
        train, outcome, candidates={name: Candidate("higher") for name in train},
        options=FitOptions(grades=BANDS, max_variables=COLUMNS), name="bench_scorecard", provenance={},
        target={"window_months": 12},
    ).scorecard  # fmt: skip


def peers(train: pd.DataFrame, outcome: np.ndarray) -> dict[str, Scorer]:
    from optbinning import BinningProcess
    from optbinning import Scorecard as Theirs
    from sklearn.linear_model import LogisticRegression

    theirs = Theirs(
        binning_process=BinningProcess(list(train)), estimator=LogisticRegression(), scaling_method="pdo_odds",
        scaling_method_params={"pdo": 20, "odds": 50, "scorecard_points": 600},
    )  # fmt: skip
    theirs.fit(train, outcome)
    found: dict[str, Scorer] = {"optbinning": theirs.score}
    try:
        import toad

        combiner = toad.transform.Combiner().fit(train.assign(y=outcome), y="y", method="quantile", n_bins=5)
        transformer = toad.transform.WOETransformer()
        woe = transformer.fit_transform(combiner.transform(train.assign(y=outcome)), outcome, exclude=["y"])
        card = toad.ScoreCard(combiner=combiner, transer=transformer)
        card.fit(woe[list(train)], outcome)
        found["toad"] = card.predict
    except Exception as error:
        print(f"toad: not measured ({type(error).__name__}: {error!s:.120})")
    try:
        import scorecardpy as sc

        bins = sc.woebin(train.assign(y=outcome), y="y", no_cores=1, print_info=False)
        woe = sc.woebin_ply(train.assign(y=outcome), bins, no_cores=1)
        model = LogisticRegression().fit(woe[[f"{name}_woe" for name in train]], outcome)
        points = sc.scorecard(bins, model, [f"{name}_woe" for name in train])
        found["scorecardpy"] = lambda rows: sc.scorecard_ply(rows, points, print_step=0)["score"].to_numpy()
    except Exception as error:
        print(f"scorecardpy: not measured ({type(error).__name__}: {error!s:.120})")
    return found


def in_memory(card: Scorecard, scorers: dict[str, Scorer], rows: int, repeats: int) -> None:
    frame, _ = table(rows, seed=2)
    seconds: dict[str, list[float]] = {name: [] for name in scorers}
    for _ in range(repeats):
        for name, score in scorers.items():
            started = time.process_time()
            score(frame)
            seconds[name].append(time.process_time() - started)
            gc.collect()
    tracemalloc.start()
    scored = card.score(frame, reasons=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    away = 0.0
    for start in range(0, rows, 1_000_000):  # the definition, from the bins
        some = frame.iloc[start : start + 1_000_000]
        by_hand = card.base_points + sum(np.asarray(v.points)[v.bins.assign(some[v.name])] for v in card.variables)
        away = max(away, float(np.abs(by_hand - scored["score"].iloc[start : start + 1_000_000]).max()))
    own = median(seconds["ours"])
    print(f"## In memory, {rows:,} rows x {COLUMNS}, medians of {repeats}\n")
    print("| scorer | CPU s | times ours |\n|---|---|---|")
    for name, taken in seconds.items():
        print(f"| {name} | {median(taken):.3f} | {median(taken) / own:.1f} |")
    print(
        f"\nExtra memory of ours at its peak, result and all: {peak / 1e6:.0f} MB. "
        f"Largest distance from the definition: {away:g}.\n"
    )


def reasons(card: Scorecard, rows: int = 200_000) -> None:
    frame, _ = table(rows, seed=3)
    taken = []
    for with_reasons in (False, True):
        started = time.process_time()
        card.score(frame, reasons=with_reasons)
        taken.append(time.process_time() - started)
    print(
        f"## Reasons\n\n{rows:,} rows: {taken[0]:.3f} CPU s without, {taken[1]:.3f} with "
        f"({taken[1] / rows * 1e6:.1f} us a row).\n"
    )


def registered(card: Scorecard, folder: Path) -> dict[str, str]:
    """Register the scorecard in a workspace of its own; return the environment in which a command finds it."""
    root = Path(__file__).resolve().parent.parent
    home = folder / "workspace"
    if not home.exists():
        home.mkdir()
        for name in ("params", "notebooks"):
            (home / name).symlink_to(root / name)
        workspace = open_workspace(home)
        rows, _ = table(5, seed=4)
        log_candidate(
            card, model_name=card.name, experiment=card.name, params={}, metrics={}, tables={}, example=rows, figures={},
            tags={}, tracking_uri=workspace.mlflow_uri, artifact_root=workspace.mlruns, gates="scorecard",
        )  # fmt: skip
    return {**os.environ, "WORKBENCH_HOME": str(home), "PYTHONPATH": str(root)}


def file_to_file(card: Scorecard, folder: Path, rows: int, repeats: int) -> None:
    source, block = folder / "rows.parquet", 1_000_000
    with pq.ParquetWriter(source, pa.Schema.from_pandas(table(5, seed=5)[0], preserve_index=False)) as writer:
        for number in range(rows // block):
            writer.write_table(pa.Table.from_pandas(table(block, seed=100 + number)[0], preserve_index=False))
    environment = registered(card, folder)
    workbench = str(Path(sys.executable).parent / "workbench")
    command = [
        workbench, "score", "--model", f"{card.name}@candidate", "--no-reasons", "--json",
        "--input", str(source), "--output", str(folder / "scores.parquet"),
    ]  # fmt: skip
    sums = ", ".join(f"sum({name})" for name in card.inputs)
    reading = [
        sys.executable,
        "-c",
        f"import duckdb; duckdb.sql(\"set threads=1; select {sums} from '{source}'\").fetchall()",
    ]
    taken: dict[str, list[tuple[float, float, float]]] = {"workbench score": [], "DuckDB, sums": []}
    for _ in range(repeats):
        for name, line in (("workbench score", command), ("DuckDB, sums", reading)):
            taken[name].append(_child(line, environment))
    print(f"## File to file, {rows:,} rows x {COLUMNS}, {source.stat().st_size / 1e9:.1f} GB, medians of {repeats}\n")
    print("| what | CPU s | seconds | peak memory MB |\n|---|---|---|---|")
    middle = {name: [median(column) for column in zip(*found, strict=True)] for name, found in taken.items()}
    for name, (cpu, seconds, memory) in middle.items():
        print(f"| {name} | {cpu:.1f} | {seconds:.1f} | {memory / 1e6:.0f} |")
    ratio = middle["workbench score"][0] / middle["DuckDB, sums"][0]
    print(f"\n{ratio:.2f} times the CPU of DuckDB reading and summing the same columns on one thread.\n")


def _child(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Run a command; return its CPU seconds, its seconds and its peak memory in bytes."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    peak = 0.0
    while child.poll() is None:
        status = Path(f"/proc/{child.pid}/status").read_text("utf-8")
        peak = max([peak, *(float(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.2)
    if child.returncode:
        raise SystemExit(f"{command}: ended with {child.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - started, peak


def engines(card: Scorecard, folder: Path, rows: int, repeats: int) -> None:
    """Print the seconds of the generated SQL: of the asking side alone where a server works."""
    frame, _ = table(rows, seed=6)
    source = folder / "engine.parquet"
    frame.to_parquet(source)
    expected = card.score(frame, reasons=False)["score"].to_numpy()
    print(
        f"## By SQL, {rows:,} rows with grade and reasons, seconds, medians of {repeats}\n\n"
        "| engine | seconds | times the kernel |"
    )
    print("|---|---|---|")
    kernel = median(_timed(lambda: card.score(frame, reasons=False), repeats))
    print(f"| kernel, without reasons | {kernel:.2f} | 1 |")
    wanted = "select sum(score), count(reason_1), max(grade) from ({}) as scored"
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        connection.execute(f"create table input as select * from '{source}'")
        query = scorecard_sql(card, dialect="duckdb")
        assert np.allclose(connection.execute(query).df()["score"].sum(), expected.sum(), rtol=1e-12)
        seconds = median(_timed(lambda: connection.execute(wanted.format(query)).fetchall(), repeats))
        print(f"| DuckDB, one thread | {seconds:.2f} | {seconds / kernel:.0f} |", flush=True)
    _postgres(card, frame, wanted, kernel, repeats)
    _spark(card, source, wanted, kernel, repeats)


def _postgres(card: Scorecard, frame: pd.DataFrame, wanted: str, kernel: float, repeats: int) -> None:
    from tests.database import running_database

    with running_database() as server, server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"create table input ({', '.join(f'{name} double precision' for name in frame)})")
        with cursor.copy("copy input from stdin") as copy:
            for row in frame.itertuples(index=False):
                copy.write_row(row)
        cursor.execute("set max_parallel_workers_per_gather = 0")
        query = wanted.format(scorecard_sql(card, dialect="postgres"))
        seconds = median(_timed(lambda: cursor.execute(query).fetchall(), repeats))
        print(f"| PostgreSQL, one process | {seconds:.2f} | {seconds / kernel:.0f} |", flush=True)


def _spark(card: Scorecard, source: Path, wanted: str, kernel: float, repeats: int) -> None:
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    session.read.parquet(str(source)).createOrReplaceTempView("input")
    query = wanted.format(scorecard_sql(card, dialect="spark"))
    seconds = median(_timed(lambda: session.sql(query).collect(), repeats + 1)[1:])  # the first one compiles
    print(f"| Spark, local[1], from parquet | {seconds:.2f} | {seconds / kernel:.0f} |\n", flush=True)
    session.stop()


def _timed(work: Callable[[], object], repeats: int) -> list[float]:
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return taken


FIRST = """
import time, pandas as pd
from pathlib import Path
import workbench.models.scoring as scoring, workbench.models.kernel, workbench.models.tracking, mlflow
from workbench.core.workspace import open_workspace
from workbench.models.scorecard import Scorecard
row = pd.DataFrame({name: [1.0] for name in %r})
taken = []
for load in (lambda: Scorecard.from_json(Path("%s").read_text()),
             lambda: scoring.load_scorecard(open_workspace(), "%s@candidate")[0],
             lambda: scoring.load_scorecard(open_workspace(), "%s@candidate")[0]):
    started = time.perf_counter()
    load().score(row)
    taken.append(time.perf_counter() - started)
print(*taken)
"""


def first_row(card: Scorecard, folder: Path) -> None:
    environment = registered(card, folder)
    (folder / "card.json").write_text(card.to_json(), encoding="utf-8")
    script = FIRST % (list(card.inputs), folder / "card.json", card.name, card.name)
    found = [
        subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(5)
    ]
    file, first, again = (median(float(line.split()[i]) for line in found) for i in range(3))
    print("## First row\n\nAfter import, seconds to load a scorecard and score one row, medians of 5:")
    print(f"{file:.3f} from its JSON, {first:.3f} from the registry for the first time in a process (MLflow then imports its "
          f"store), {again:.3f} for the second.")  # fmt: skip


if __name__ == "__main__":
    main()
