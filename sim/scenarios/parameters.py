"""Checks of a batch's parameter values: types, ranges of types and constraint groups, vectorised over the runs."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.scenarios.conditions import COMPARISONS
from sim.scenarios.model import Parameter
from sim.scenarios.values import Draw, Value

Mask = NDArray[np.bool_]

TYPES = {
    "double": "double", "int": "int", "integer": "int", "unsignedInt": "unsignedInt", "unsignedShort": "unsignedShort",
    "boolean": "boolean", "string": "string", "dateTime": "dateTime",
}  # fmt: skip
NUMERIC = frozenset({"double", "int", "unsignedInt", "unsignedShort"})
_RANGES = {"int": (-(2**31), 2**31 - 1), "unsignedInt": (0, 2**32 - 1), "unsignedShort": (0, 2**16 - 1)}
_DATE_TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")


def check_types(parameters: tuple[Parameter, ...], draw: Draw) -> None:
    """ValueError where a parameter's value is not of its declared type in some run."""
    for parameter in parameters:
        _check_type(parameter, _drawn(parameter, draw), draw)


def allowed(parameters: tuple[Parameter, ...], draw: Draw) -> Mask:
    """Which runs (B,) meet the constraints of every parameter."""
    mask = np.ones(draw.size, dtype=bool)
    for parameter in parameters:
        mask &= _meets(parameter, draw)
    return mask


def check_constraints(parameters: tuple[Parameter, ...], draw: Draw) -> None:
    """ValueError that names the constraints of the first parameter that a run does not meet."""
    for parameter in parameters:
        wrong = ~_meets(parameter, draw)
        if wrong.any():
            value = _drawn(parameter, draw).texts(draw)[np.argmax(wrong)]
            raise ValueError(
                f"{parameter.value.where}: {parameter.name}={value} is outside its constraints: "
                f"{constraint_text(parameter, draw, int(np.argmax(wrong)))}"
            )


def constraint_text(parameter: Parameter, draw: Draw, run: int = 0) -> str:
    """The constraint groups of a parameter as a reader wants them, bounds evaluated for one run."""

    def bound(value: Value) -> str:
        try:
            evaluated = str(value.texts(draw)[run])
        except ValueError:
            return value.source
        return value.source if value.source == evaluated else f"{value.source} = {evaluated}"

    groups = [" and ".join(f"{rule} {bound(value)}" for rule, value in group) for group in parameter.constraints]
    return " or ".join(groups)


def _drawn(parameter: Parameter, draw: Draw) -> Value:
    """The parameter's value as anybody who refers to it sees it."""
    return Value(f"${parameter.name}", parameter.value.where, parameter.value.scope)


def _check_type(parameter: Parameter, value: Value, draw: Draw) -> None:
    where = f"{parameter.value.where}: parameter {parameter.name}"
    if parameter.kind in NUMERIC:
        numbers = value.numbers(draw)
        low, high = _RANGES.get(parameter.kind, (-np.inf, np.inf))
        whole = parameter.kind == "double" or numbers == np.round(numbers)
        wrong = ~(whole & (numbers >= low) & (numbers <= high))
        if wrong.any():
            raise ValueError(f"{where} is {numbers[np.argmax(wrong)]:g}, which is no {parameter.kind}; correct it")
        return
    if parameter.kind == "string":
        value.texts(draw)
        return
    for text in dict.fromkeys(str(text).strip() for text in value.texts(draw)):
        if parameter.kind == "boolean" and text.lower() not in ("true", "false", "1", "0"):
            raise ValueError(f"{where} is {text!r}; true or false is needed")
        if parameter.kind == "dateTime" and not _DATE_TIME.fullmatch(text):
            raise ValueError(f"{where} is {text!r}; a time like 2026-07-01T12:00:00 is needed")


def _meets(parameter: Parameter, draw: Draw) -> Mask:
    """One of the groups must hold, a group when all of its constraints do; a parameter without any is free."""
    if not parameter.constraints:
        return np.ones(draw.size, dtype=bool)
    value, numeric = _drawn(parameter, draw), parameter.kind in NUMERIC
    mask = np.zeros(draw.size, dtype=bool)
    for group in parameter.constraints:
        held = np.ones(draw.size, dtype=bool)
        for rule, bound in group:
            held &= _compare(value, rule, bound, numeric, draw)
        mask |= held
    return mask


def _compare(value: Value, rule: str, bound: Value, numeric: bool, draw: Draw) -> Mask:
    left: Any = value.numbers(draw) if numeric else value.texts(draw).astype(str)
    right: Any = bound.numbers(draw) if numeric else bound.texts(draw).astype(str)
    return np.asarray(COMPARISONS[rule](left, right), dtype=bool)
