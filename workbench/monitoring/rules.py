"""Warning rules: `params/rules/NAME.yaml`, each a condition with a severity, thresholds that users set, and words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from string import Formatter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.core.conditions import Condition, compile_condition
from workbench.core.errors import ParameterError, unknown
from workbench.core.languages import mark
from workbench.core.yaml_files import load_params

Severity = Literal["yellow", "orange", "red"]
SEVERITY_WORDS: dict[Severity, str] = {"yellow": mark("yellow"), "orange": mark("orange"), "red": mark("red")}
SEVERITIES = tuple(SEVERITY_WORDS)  # least first


class Rule(BaseModel):
    """One rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    severity: Severity
    when: str
    thresholds: dict[str, float | str] = {}
    reason: str
    title: str = Field("", description="the rule's name for people; empty means `name`, with spaces")
    horizon_months: int = Field(ge=1, description="within how many months a bad outcome makes the alert a true one")

    def words(self) -> str:
        """Return the rule's name for people, in English."""
        return self.title or self.name.replace("_", " ")

    def condition(self, known: Iterable[str] | None = None) -> Condition:
        """Compile `when` with the rule's thresholds."""
        return compile_condition(self.when, known=known, thresholds=self.thresholds)

    def columns(self) -> set[str]:
        """Return the columns that the condition and the reason need."""
        shown = (field for _text, field, _spec, _conversion in Formatter().parse(self.reason) if field)
        return {*self.condition().columns, *shown}


class RuleSet(BaseModel):
    """A file of rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: list[Rule] = Field(min_length=1)


def load_rules(path: Path, *, known: Iterable[str]) -> list[Rule]:
    """Read and check a rule file.

    Raises
    ------
    ParameterError
        If the file is wrong, two rules have one name, or a condition or a reason names an unknown column.
    """
    columns = list(known)
    rules = load_params(RuleSet, path).rules
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"{path}: two rules are called {name!r}; give one of them another name.")
    for rule in rules:
        try:
            rule.condition(columns)
            rule.reason.format_map(_Zeros(columns))
        except _UnknownColumnError as error:
            raise ParameterError(f"{path}: rule {rule.name!r}: reason {rule.reason!r}: {error}") from None
        except ParameterError as error:
            raise ParameterError(f"{path}: rule {rule.name!r}: {error}") from None
        except (AttributeError, ValueError, IndexError) as error:
            raise ParameterError(f"{path}: rule {rule.name!r}: reason {rule.reason!r} does not fit: {error}.") from None
    return rules


class _UnknownColumnError(ParameterError):
    pass


class _Zeros(dict[str, float]):
    """A row of zeros to try a reason on."""

    def __init__(self, columns: Iterable[str]) -> None:
        super().__init__(dict.fromkeys(columns, 0.0))

    def __missing__(self, name: str) -> float:
        raise _UnknownColumnError(unknown("column", name, self))


def usable_rules(rules: Iterable[Rule], columns: Iterable[str]) -> tuple[list[Rule], dict[str, list[str]]]:
    """Return the rules whose columns are all there, and the others with the columns that they lack."""
    there, rules = set(columns), list(rules)
    lacking = {rule.name: sorted(rule.columns() - there) for rule in rules}
    return [rule for rule in rules if not lacking[rule.name]], {name: gaps for name, gaps in lacking.items() if gaps}
