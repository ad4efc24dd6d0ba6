"""YAML files under `params/`: read, checked against a pydantic model, errors in one clear line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from workbench.core.errors import ParameterError, nearest

Model = TypeVar("Model", bound=BaseModel)
LONGEST_SHOWN = 200  # characters of a wrong value that a message repeats


class _OnceOnly(yaml.SafeLoader):
    """A safe loader that refuses a name that stands twice: plain YAML would take the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
                seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    ParameterError
        If the file is missing, is no YAML, or holds something else than a mapping.
    """
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_OnceOnly)  # noqa: S506, a SafeLoader
    except FileNotFoundError:
        known = sorted(found.name for found in path.parent.glob("*.yaml"))
        hint = nearest(path.name, known)
        raise ParameterError(
            f"{path}: no such file.{hint} Create it, or name one of: {', '.join(known) or 'none'}."
        ) from None
    except yaml.YAMLError as error:
        raise ParameterError(f"{path}: not valid YAML: {error}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ParameterError(f"{path}: found a {type(loaded).__name__}, expected a mapping of names to values.")
    return loaded


def check_mapping(model: type[Model], values: dict[str, Any], *, source: str) -> Model:
    """Check `values` against `model` and return it.

    Raises
    ------
    ParameterError
        If a key is unknown (the nearest known one is named) or a value has the wrong type.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ParameterError(describe(error, model, source=source)) from None


def describe(error: ValidationError, model: type[BaseModel], *, source: str) -> str:
    """Put a pydantic error into one line per finding: where, what was found, what was expected."""
    lines = []
    for finding in error.errors():
        place = ".".join(str(part) for part in finding["loc"])
        if finding["type"] == "extra_forbidden":
            *path, name = finding["loc"]
            fields = _model_at(model, path).model_fields
            hint = nearest(str(name), fields)
            lines.append(f"{source}: unknown name {place!r}.{hint} Known: {', '.join(sorted(fields))}.")
        elif finding["type"] == "missing":
            lines.append(f"{source}: {place!r} is missing; add it.")
        elif (
            finding["type"] == "value_error"
        ):  # a check of our own: it says what it found, and may have a reason not to
            lines.append(
                f"{source}: {f'{place}: ' if place else ''}{finding['msg'].removeprefix('Value error, ').rstrip('.')}."
            )
        else:
            reason = finding["msg"][:1].lower() + finding["msg"][1:]
            lines.append(f"{source}: {place or 'the whole'}: found {_shown(finding['input'])}: {reason}.")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    """Return a value that a message can hold: a short one; of a longer one, what it is."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN and not isinstance(value, dict) else f"a {type(value).__name__}"


def _model_at(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    """Return the model in which pydantic found something, `path` being the way there from `model`."""
    for name in path:
        field = model.model_fields.get(str(name))
        model = model if field is None else next(_models_in(field.annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def load_params(model: type[Model], path: Path) -> Model:
    """Read a YAML file and check it against `model`."""
    return check_mapping(model, read_yaml(path), source=str(path))
