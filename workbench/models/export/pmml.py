"""A scorecard as PMML 4.4: the standard's own `Scorecard` element, with PD and grade as outputs.

Standard: https://dmg.org/pmml/v4-4-1/Scorecard.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce
from xml.etree import ElementTree as ET

from workbench import __version__
from workbench.core.errors import ParameterError
from workbench.models.scorecard import MAX_REASONS, Scorecard, Variable

NO_REASON = "none"
"""The reason code of a bin that loses no points; evaluators rank these last."""
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def scorecard_pmml(scorecard: Scorecard, *, version: str = "") -> str:
    """Return a PMML document: outputs score, pd, grade and reason_1 to reason_4 (names of variables, or `NO_REASON`).

    Numbers are written so that they are read back to the bit. NaN is missing only where the evaluator has it so: hand over
    nulls. A number's type is double, a category's string.

    Raises
    ------
    ParameterError
        A name or a category with a character that XML cannot hold.
    """
    root = ET.Element("PMML", {"xmlns": "http://www.dmg.org/PMML-4_4", "version": "4.4"})
    header = ET.SubElement(root, "Header", description=f"{scorecard.name} {version}".strip())
    ET.SubElement(header, "Application", name="Loan Risk Workbench", version=__version__)
    fields = ET.SubElement(root, "DataDictionary")
    model = ET.SubElement(root, "Scorecard", {
        "modelName": scorecard.name, "functionName": "regression", "initialScore": repr(scorecard.base_points),
        "useReasonCodes": "true", "reasonCodeAlgorithm": "pointsBelow", "baselineMethod": "other",
    })  # fmt: skip
    schema = ET.SubElement(model, "MiningSchema")
    for name, kind in scorecard.inputs.items():
        about = {"optype": "continuous", "dataType": "double"}
        if kind == "text":
            about = {"optype": "categorical", "dataType": "string"}
        ET.SubElement(fields, "DataField", {"name": name, **about})
        ET.SubElement(schema, "MiningField", name=name, invalidValueTreatment="asIs")
    _outputs(ET.SubElement(model, "Output"), scorecard)
    characteristics = ET.SubElement(model, "Characteristics")
    for variable in scorecard.variables:
        _characteristic(characteristics, scorecard, variable)
    for element in root.iter():
        for text in element.attrib.values():
            if _NO_XML.search(text):
                raise ParameterError(f"export: {text!r} holds a character that XML cannot. Rename it before the fit.")
    ET.indent(root, " ")
    return ET.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _characteristic(parent: ET.Element, scorecard: Scorecard, variable: Variable) -> None:
    best = variable.average_points if scorecard.reference == "average" else variable.best_points
    own = ET.SubElement(parent, "Characteristic", {
        "name": variable.name, "reasonCode": variable.name, "baselineScore": repr(float(best)),
    })  # fmt: skip
    losses = scorecard.losses(variable)
    for code, predicate in _predicates(variable):  # the first that holds counts
        reason = variable.name if losses[code] > 0 else NO_REASON
        attribute = ET.SubElement(own, "Attribute", partialScore=repr(variable.points[code]), reasonCode=reason)
        attribute.append(predicate)


def _predicates(variable: Variable) -> Iterator[tuple[int, ET.Element]]:
    bins, name = variable.bins, variable.name
    yield bins.missing_code, ET.Element("SimplePredicate", field=name, operator="isMissing")
    for place, (special, _) in enumerate(bins.specials, start=bins.special_code):
        yield place, _compared(name, "equal", str(special) if bins.categorical else repr(float(special)))
    if bins.categorical:
        for code, group in enumerate(bins.groups):
            one = [_compared(name, "equal", category) for category in group]
            if len(one) > 1:
                either = ET.Element("CompoundPredicate", booleanOperator="or")
                either.extend(one)
                one = [either]
            yield code, one[0]
        yield bins.missing_code + 1, ET.Element("True")
        return
    for code, split in enumerate(bins.splits):
        yield code, _compared(name, "lessThan", repr(float(split)))
    yield len(bins.splits), ET.Element("True")


def _compared(name: str, operator: str, value: str) -> ET.Element:
    return ET.Element("SimplePredicate", field=name, operator=operator, value=value)


def _outputs(parent: ET.Element, scorecard: Scorecard) -> None:
    number = {"optype": "continuous", "dataType": "double"}
    word = {"optype": "categorical", "dataType": "string"}
    ET.SubElement(parent, "OutputField", {"name": "score", **number, "feature": "predictedValue"})
    a, b = scorecard.calibration
    odds = _apply("exp", _apply("-", _number(-a), _apply("*", _number(b), _score())))
    chance = ET.SubElement(parent, "OutputField", {"name": "pd", **number, "feature": "transformedValue"})
    chance.append(_apply("/", _number(1.0), _apply("+", _number(1.0), odds)))
    letters = [letter for letter, _ in scorecard.grades]
    grades = list(zip(scorecard.grade_cuts, letters, strict=False))
    grade = ET.SubElement(parent, "OutputField", {"name": "grade", **word, "feature": "transformedValue"})
    grade.append(
        reduce(
            lambda rest, own: _apply("if", _apply("greaterOrEqual", _score(), _number(own[0])), _text(own[1]), rest),
            reversed(grades),
            _text(letters[-1]),
        )
    )
    for rank in range(1, min(MAX_REASONS, len(scorecard.variables)) + 1):
        about = {"name": f"reason_{rank}", **word, "feature": "reasonCode", "rank": str(rank)}
        ET.SubElement(parent, "OutputField", about)


def _apply(function: str, *inner: ET.Element) -> ET.Element:
    made = ET.Element("Apply", function=function)
    made.extend(inner)
    return made


def _score() -> ET.Element:
    return ET.Element("FieldRef", field="score")


def _number(value: float) -> ET.Element:
    made = ET.Element("Constant", dataType="double")
    made.text = repr(float(value))
    return made


def _text(value: str) -> ET.Element:
    made = ET.Element("Constant", dataType="string")
    made.text = value
    return made
