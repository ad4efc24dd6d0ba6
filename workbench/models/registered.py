"""The kinds of model that the registry holds, read back from their JSON."""

from __future__ import annotations

import json

from workbench.core.errors import ModelError, unknown
from workbench.models.anomaly import AnomalyModel
from workbench.models.scorecard import Scorecard

RegisteredModel = Scorecard | AnomalyModel
_KINDS: dict[str, type[Scorecard] | type[AnomalyModel]] = {"scorecard": Scorecard, "anomaly": AnomalyModel}


def model_from_json(text: str) -> RegisteredModel:
    """Return the scorecard or anomaly model that a `to_json` wrote.

    Raises
    ------
    ModelError
        Not JSON, an unknown kind, another schema version, or damaged.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ModelError(f"model: not JSON ({error}).") from error
    kind = str(data.get("kind")) if isinstance(data, dict) else "nothing"
    if kind not in _KINDS:
        raise ModelError(f"model: {unknown('kind', kind, _KINDS)}")
    return _KINDS[kind].from_json(text)
