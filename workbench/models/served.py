"""What MLflow runs when it serves a registered model: the JSON artefact and this file, no pickle (models from code)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from workbench.models.registered import RegisteredModel, model_from_json


class ServedModel(PythonModel):  # type: ignore[misc]  # mlflow is untyped
    """Scores a frame with the scorecard or anomaly model in `artifacts["model"]`."""

    model: RegisteredModel

    def load_context(self, context: Any) -> None:
        """Read the JSON artefact."""
        self.model = model_from_json(Path(context.artifacts["model"]).read_text(encoding="utf-8"))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Return the model's own `score` of each row."""
        return self.model.score(model_input)


set_model(ServedModel())
