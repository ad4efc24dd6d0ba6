"""Runs and the model registry in MLflow: the only library module that talks to it.

MLflow is imported on first use (it takes seconds), its telemetry and its chatter are off, and every URI is an argument.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlparse
from urllib.request import url2pathname

import pandas as pd
from filelock import FileLock, Timeout

from workbench import __version__
from workbench.core.errors import GateError, ModelError, unknown
from workbench.models.gates import GateResult, GateSpec, check_gates, gates_for
from workbench.models.provenance import code_sha256, installed_packages
from workbench.models.registered import RegisteredModel, model_from_json
from workbench.models.registry_file import StoredVersion, stored_aliases, stored_version

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CANDIDATE, CHAMPION = "candidate", "champion"
LOCK_SECONDS = 120.0
_MODEL_FILE = "model.json"
_NAME = re.compile(r"[\w][\w.-]*")
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class ModelVersion(NamedTuple):
    """Which version of a registered model, and the run that made it."""

    name: str
    version: str
    run_id: str

    def __str__(self) -> str:
        """Return the reference NAME@VERSION that loads it again."""
        return f"{self.name}@{self.version}"


def log_candidate(
    model: RegisteredModel,
    *,
    model_name: str,
    experiment: str,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Figure],
    tags: Mapping[str, str],
    tracking_uri: str,
    artifact_root: Path,
    gates: str | None = None,
    texts: Mapping[str, str] | None = None,
    example: pd.DataFrame | None = None,
) -> ModelVersion:
    """Record a run with its evidence and register its model as the `candidate`.

    Parameters
    ----------
    model : Scorecard or AnomalyModel
    model_name, experiment : names in the registry and among the experiments
    params, metrics, tags : what the run was given, and what it found; gates read the metrics
    tables, figures : evidence, stored as tables/NAME.csv and figures/NAME.png
    tracking_uri : str
        `sqlite:///...` or a server's address.
    artifact_root : Path
        A new experiment's artefacts go to a folder of its name below it.
    gates : str or None
        The section of `params/gates.yaml` that this version must clear; by default that of its kind.
    texts : mapping of file name to text, optional
        Further artefacts, as the bins.
    example : DataFrame, optional
        A few rows that the model can score: their inputs become MLflow's input example.

    Raises
    ------
    ModelError
        A name that no reference could hold, or another process that kept the registry locked for 120 s.
    """
    _check_name("model", model_name)
    text = model.to_json()
    evidence = Evidence(params, metrics, tables, figures, {**tags, "kind": model.kind}, texts or {})
    with (
        _locked(tracking_uri),
        _client(tracking_uri) as client,
        _run(client, model_name, experiment, evidence, artifact_root) as run_id,
    ):
        version = _register(client, model, text, model_name, run_id, tracking_uri, example)
        if gates is not None:
            client.set_model_version_tag(model_name, version, "gates", gates)
        client.set_registered_model_alias(model_name, CANDIDATE, version)
    return ModelVersion(model_name, version, run_id)


class Evidence(NamedTuple):
    """What a run keeps: see `log_candidate`."""

    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tables: Mapping[str, pd.DataFrame]
    figures: Mapping[str, Figure]
    tags: Mapping[str, str]
    texts: Mapping[str, str]


def log_evidence(evidence: Evidence, *, name: str, experiment: str, tracking_uri: str, artifact_root: Path) -> str:
    """Record a run that registers no model, as a comparison of two; return its id."""
    with (
        _locked(tracking_uri),
        _client(tracking_uri) as client,
        _run(client, name, experiment, evidence, artifact_root) as run_id,
    ):
        return run_id


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ModelError(f"{what} name {name!r}: use letters, digits, '_', '-' and '.' only.")


@contextlib.contextmanager
def _run(client: Any, name: str, experiment: str, evidence: Evidence, artifact_root: Path) -> Iterator[str]:
    """Make a run, log the evidence, and end it: as failed, where what follows fails."""
    _check_name("experiment", experiment)
    found = client.get_experiment_by_name(experiment)
    location = (artifact_root / experiment).absolute().as_uri()
    experiment_id = found.experiment_id if found else client.create_experiment(experiment, location)
    tags = {str(key): str(value) for key, value in evidence.tags.items()} | {
        "code_sha256": code_sha256(),
        "packages_sha256": hashlib.sha256(installed_packages().encode()).hexdigest(),
    }
    run_id = client.create_run(experiment_id, tags=tags, run_name=name).info.run_id
    try:
        for key, value in evidence.params.items():
            client.log_param(run_id, key, value)
        for key, number in evidence.metrics.items():
            client.log_metric(run_id, key, float(number))
        with tempfile.TemporaryDirectory() as folder:
            _write_evidence(Path(folder), evidence.tables, evidence.figures)
            for file, content in {**evidence.texts, "packages.txt": installed_packages()}.items():
                (Path(folder) / file).write_text(content, encoding="utf-8")
            client.log_artifacts(run_id, folder)
        yield run_id
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


def load_model(ref: str, *, tracking_uri: str) -> tuple[RegisteredModel, ModelVersion]:
    """Return a registered model, read from its JSON alone, and which version it is.

    Parameters
    ----------
    ref : str
        NAME (its champion), NAME@alias or NAME@version.
    tracking_uri : str

    Raises
    ------
    ModelError
        No such model, alias or version (the nearest names are given), or a damaged artefact.
    """
    name, _, which = ref.partition("@")
    file = _sqlite_file(tracking_uri)
    stored = stored_version(file, name, which or CHAMPION) if file else None
    if stored is None:
        with _client(tracking_uri) as client:
            found = _resolve(client, ref, CHAMPION, tracking_uri)
            location = client.get_model_version_download_uri(found.name, found.version)
        stored = StoredVersion(found.name, str(found.version), found.run_id, location, found.tags.get("sha256"))
    text = _artifact(stored.location, tracking_uri)
    if stored.sha256 and hashlib.sha256(text.encode()).hexdigest() != stored.sha256:
        raise ModelError(f"model {ref}: its artefact is not what was registered (sha256 differs). Register it again.")
    return model_from_json(text), ModelVersion(stored.name, stored.version, stored.run_id)


def aliases_of(name: str, *, tracking_uri: str) -> set[str]:
    """Return the aliases that versions of a model carry, as champion; empty where there is no such model."""
    file = _sqlite_file(tracking_uri)
    stored = stored_aliases(file, name) if file else None
    if stored is not None:
        return stored
    models = list_models(tracking_uri=tracking_uri)
    return {alias for said in models.loc[models["model"] == name, "aliases"] for alias in said.split(", ") if alias}


def list_models(*, tracking_uri: str) -> pd.DataFrame:
    """Return every registered version: model, version, kind, aliases, run_id, created_at (UTC), newest version last."""
    rows = []
    if not _nothing_yet(tracking_uri):
        with _client(tracking_uri) as client:
            aliases = {model.name: model.aliases for model in _all(client.search_registered_models)}
            for found in _all(client.search_model_versions):
                names = sorted(a for a, v in aliases.get(found.name, {}).items() if str(v) == str(found.version))
                created = pd.Timestamp(found.creation_timestamp, unit="ms", tz="UTC")
                kind = found.tags.get("kind", "unknown")
                rows.append((found.name, int(found.version), kind, ", ".join(names), found.run_id, created))
    columns = ["model", "version", "kind", "aliases", "run_id", "created_at"]
    return pd.DataFrame(rows, columns=columns).sort_values(["model", "version"], ignore_index=True)


def model_card(ref: str, *, tracking_uri: str) -> dict[str, Any]:
    """Return what `model show` prints: version, aliases, parameters, metrics, approval, and the model's own data.

    `approval` holds the gates, override and author of a promotion, and is empty before one. `ref` as in `load_model`.
    """
    model, version = load_model(ref, tracking_uri=tracking_uri)
    with _client(tracking_uri) as client:
        found = client.get_model_version(version.name, version.version)
        aliases = client.get_registered_model(version.name).aliases
        run = client.get_run(version.run_id)
    data = json.loads(model.to_json())
    prefix = "approval."
    return {
        "model": version.name,
        "version": int(version.version),
        "kind": model.kind,
        "aliases": sorted(alias for alias, v in aliases.items() if str(v) == version.version),
        "run_id": version.run_id,
        "created_at": pd.Timestamp(found.creation_timestamp, unit="ms", tz="UTC").isoformat(),
        "params": dict(run.data.params),
        "metrics": dict(run.data.metrics),
        "tags": {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")},
        "approval": {key.removeprefix(prefix): v for key, v in found.tags.items() if key.startswith(prefix)},
        "inputs": model.inputs,
    } | {
        key: data[key]
        for key in ("target", "scaling", "calibration", "grades", "left_out", "provenance")
        if key in data
    }


def promote(
    ref: str,
    *,
    gates: Mapping[str, Mapping[str, GateSpec]],
    override: str | None,
    author: str | None,
    tracking_uri: str,
    promoted_at: datetime | None = None,
) -> list[GateResult]:
    """Make a version champion if it passes every gate of its kind, or for a recorded reason.

    Gate results, reason, author, time and the former champion are kept as `approval.*` tags of the version.

    Parameters
    ----------
    ref : str
        NAME (its candidate), NAME@alias or NAME@version.
    gates : mapping
        `params/gates.yaml` as loaded: gates by kind of model.
    override, author : str or None
        Why failed gates are passed over, and who says so; an override needs both.
    tracking_uri : str
    promoted_at : datetime or None
        Recorded as given.

    Raises
    ------
    GateError
        Gates failed and there is no override; the message names each.
    ModelError
        An unknown model, or an override without its author.
    """
    if override is not None and not (override.strip() and author and author.strip()):
        raise ModelError("promote: an override needs a reason and its author.")
    if _nothing_yet(tracking_uri):  # or the lock below would let a registry be made for nothing
        raise ModelError(unknown("model", ref.partition("@")[0], []))
    with _locked(tracking_uri), _client(tracking_uri) as client:
        found = _resolve(client, ref, CANDIDATE, tracking_uri)
        metrics = client.get_run(found.run_id).data.metrics
        section = found.tags.get("gates") or found.tags.get("kind", "unknown")
        results = check_gates(metrics, gates_for(gates, section))
        failed = [str(result) for result in results if not result.passed]
        if failed and override is None:
            raise GateError(
                f"{found.name}@{found.version} failed {len(failed)} of {len(results)} gates: {'; '.join(failed)}. "
                "Improve it, or override with a reason and an author."
            )
        before = client.get_registered_model(found.name).aliases.get(CHAMPION)
        record = {
            "gates": json.dumps([result._asdict() for result in results]),
            "failed": str(len(failed)),
            "override": override if failed else None,
            "author": author,
            "promoted_at": promoted_at.isoformat() if promoted_at else None,
            "former_champion": str(before) if before is not None else None,
        }
        for key, value in record.items():
            tag = f"approval.{key}"
            if value is not None:
                client.set_model_version_tag(found.name, found.version, tag, value)
            elif tag in found.tags:
                client.delete_model_version_tag(found.name, found.version, tag)
        client.set_registered_model_alias(found.name, CHAMPION, found.version)
    return results


def _register(
    client: Any,
    model: RegisteredModel,
    text: str,
    model_name: str,
    run_id: str,
    tracking_uri: str,
    example: pd.DataFrame | None,
) -> str:
    """Log the model from code with its JSON, register it, and return the new version."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    types = {"number": "double", "text": "string"}
    inputs = Schema([ColSpec(types[kind], name, required=False) for name, kind in model.inputs.items()])
    with tempfile.TemporaryDirectory() as folder, _active_run(run_id, tracking_uri):
        path = Path(folder) / _MODEL_FILE
        path.write_text(text, encoding="utf-8")
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("served.py")),
            artifacts={"model": str(path)},
            signature=ModelSignature(inputs=inputs),
            input_example=None if example is None else _as_inputs(example, model),
            pip_requirements=[f"loan-risk-workbench=={__version__}"],
        )
        with contextlib.suppress(_mlflow_exception()):  # exists from the second version on
            client.create_registered_model(model_name)
        made = client.create_model_version(
            model_name,
            source=f"models:/{logged.model_id}",
            run_id=run_id,
            model_id=logged.model_id,
            tags={"kind": model.kind, "sha256": hashlib.sha256(text.encode()).hexdigest()},
        )
    return str(made.version)


def _as_inputs(rows: pd.DataFrame, model: RegisteredModel) -> pd.DataFrame:
    """Return the columns that a model reads, in the types of its signature."""
    return pd.DataFrame(
        {
            name: rows[name].astype("float64") if kind == "number" else rows[name].astype(object)
            for name, kind in model.inputs.items()
        }
    )


def _write_evidence(folder: Path, tables: Mapping[str, pd.DataFrame], figures: Mapping[str, Figure]) -> None:
    for kind in ("tables", "figures"):
        (folder / kind).mkdir()
    for name, table in tables.items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    for name, figure in figures.items():
        # Without the software's name and version, the same figure is the same file.
        figure.savefig(folder / "figures" / f"{name}.png", metadata={"Software": None})


def _resolve(client: Any, ref: str, default: str, tracking_uri: str) -> Any:
    """Return MLflow's record of NAME, NAME@alias or NAME@version."""
    name, _, which = ref.partition("@")
    which = which or default
    known = [] if _nothing_yet(tracking_uri) else [model.name for model in _all(client.search_registered_models)]
    if name not in known:
        raise ModelError(unknown("model", name, known))
    aliases = client.get_registered_model(name).aliases
    if which.isdecimal():
        versions = [str(found.version) for found in _all(client.search_model_versions, f"name = '{name}'")]
        if which not in versions:
            raise ModelError(f"model {name}: {unknown('version', which, versions)}")
        return client.get_model_version(name, which)
    if which not in aliases:
        hint = f" Promote its candidate first: workbench model promote {name}." if which == CHAMPION else ""
        raise ModelError(f"model {name}: {unknown('alias', which, aliases)}{hint}")
    return client.get_model_version(name, str(aliases[which]))


def _artifact(uri: str, tracking_uri: str) -> str:
    """Return the text of the model's JSON artefact; from a local registry without MLflow's downloader."""
    uri = f"{uri.rstrip('/')}/artifacts/{_MODEL_FILE}"
    parsed = urlparse(uri)
    try:
        if parsed.scheme in ("", "file"):
            return Path(url2pathname(parsed.path)).read_text(encoding="utf-8")
        import mlflow

        with tempfile.TemporaryDirectory() as folder:
            found = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder, tracking_uri=tracking_uri)
            return Path(found).read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(
            f"model: its artefact {uri} cannot be read ({error}). Was mlruns/ moved or cleaned?"
        ) from error


def _all(search: Any, query: str | None = None) -> Iterator[Any]:
    """Yield every page of an MLflow search."""
    token = None
    while True:
        page = search(filter_string=query, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _sqlite_file(tracking_uri: str) -> Path | None:
    return Path(tracking_uri.removeprefix("sqlite:///")) if tracking_uri.startswith("sqlite:///") else None


def _nothing_yet(tracking_uri: str) -> bool:
    file = _sqlite_file(tracking_uri)
    return file is not None and not file.exists()


@contextlib.contextmanager
def _locked(tracking_uri: str) -> Iterator[None]:
    """Let one process at a time create or change a SQLite registry; a server looks after itself."""
    file = _sqlite_file(tracking_uri)
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{file}.lock", timeout=LOCK_SECONDS, is_singleton=True)
    try:
        lock.acquire()
    except Timeout as error:
        raise ModelError(
            f"registry {file}: another process has kept it locked for {LOCK_SECONDS:.0f} s. "
            "Wait for that run, or end it, and try again."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _client(tracking_uri: str) -> Iterator[Any]:
    """Yield a client of this registry; a new SQLite file gets its tables under the lock."""
    if _nothing_yet(tracking_uri) and not _holds_lock(tracking_uri):
        yield None  # a reader must not create an empty registry
        return
    with _quietly():
        from mlflow import MlflowClient

        with _locked(tracking_uri):
            client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
            client.search_registered_models(max_results=1)
        yield client


def _holds_lock(tracking_uri: str) -> bool:
    return FileLock(f"{_sqlite_file(tracking_uri)}.lock", timeout=LOCK_SECONDS, is_singleton=True).is_locked


@contextlib.contextmanager
def _active_run(run_id: str, tracking_uri: str) -> Iterator[None]:
    """Let MLflow's fluent functions act on this run, and leave the process's own URIs and run as they were."""
    import mlflow

    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    registry = mlflow.get_registry_uri() if mlflow.get_registry_uri() != mlflow.get_tracking_uri() else None
    inherited = os.environ.get("MLFLOW_REGISTRY_URI")
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(tracking_uri)
    try:
        with mlflow.start_run(run_id=run_id, nested=True):
            yield
    finally:
        mlflow.set_tracking_uri(before)
        mlflow.set_registry_uri(registry)
        # MLflow hands a registry URI on to child processes, and does not take it back.
        if inherited is None:
            os.environ.pop("MLFLOW_REGISTRY_URI", None)
        else:
            os.environ["MLFLOW_REGISTRY_URI"] = inherited


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Import MLflow with telemetry off, and keep its and Alembic's progress lines out of the logs."""
    for key, value in _QUIET.items():
        os.environ.setdefault(key, value)
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")  # of tqdm, in red in every notebook
        import mlflow  # noqa: F401 - its import sets the levels that are raised here

    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"mlflow\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _mlflow_exception() -> type[Exception]:
    from mlflow.exceptions import MlflowException

    found: type[Exception] = MlflowException
    return found
