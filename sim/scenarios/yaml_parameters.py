"""Parameters, derived values and constraints of scenario YAML, and the values that a sweep gives the parameters."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.scenarios.model import Parameter
from sim.scenarios.values import Draw, Value
from sim.scenarios.yaml_tree import Entry
from sim.scenarios.yaml_values import Reading, inner, unit_factor

MAX_PARAMETERS = 100
MAX_VALUES = 100_000
_STEP_TOLERANCE = Decimal("1e-9")
_RELATION = re.compile(r"(.+?)(<=|>=|==|!=|<|>)(.+)", re.DOTALL)
_RELATIONS: dict[str, Callable[[Any, Any], NDArray[np.bool_]]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@dataclass(frozen=True)
class Declared:
    """A parameter with what a sweep does to it."""

    parameter: Parameter
    unit: str
    values: tuple[str, ...]  # that a sweep takes; one where it is not varied
    note: str = ""


@dataclass(frozen=True)
class Constraint:
    """A relation between two expressions that every run must keep."""

    source: str
    left: Value
    relation: str
    right: Value

    def holds(self, draw: Draw) -> NDArray[np.bool_]:
        """Which runs (B,) keep it."""
        return _RELATIONS[self.relation](self.left.numbers(draw), self.right.numbers(draw))


def read_parameters(found: dict[str, Entry], reading: Reading) -> tuple[Declared, ...]:
    """The declarations of a file, entered into the reading's scope."""
    items = found["parameters"].items() if "parameters" in found else {}
    if len(items) > MAX_PARAMETERS:
        raise found["parameters"].error(f"{len(items)} parameters; there may be {MAX_PARAMETERS}")
    declared = tuple(_parameter(name, entry, reading) for name, entry in items.items())
    for name, entry in (found["let"].items() if "let" in found else {}).items():
        if not _is_name(name) or name in reading.scope.names:
            raise entry.error(f"{name!r} is no new name; use letters, digits and _, each name once")
        reading.scope.names[name] = Value("${" + _formula(entry, reading) + "}", entry.where, reading.scope)
    return declared


def _parameter(name: str, entry: Entry, reading: Reading) -> Declared:
    if not _is_name(name):
        raise entry.error(f"{name!r} is no name for a parameter; use letters, digits and _")
    found = entry.mapping(("value",), ("range", "step", "values", "unit", "note")) if entry.is_mapping else None
    value = entry if found is None else found["value"]
    number = _as_decimal(value)
    if found is not None and "unit" in found:
        if number is None:
            raise found["unit"].error(f"{value.text()!r} is no number and has no unit")
        reading.factors[name] = unit_factor(found["unit"])
    written = Value(value.text(), value.where, reading.scope)
    reading.scope.names[name] = written
    parameter = Parameter(name, "string" if number is None else "double", written)
    values = _sweep_values(found, number is not None) if found is not None else None
    unit = found["unit"].text() if found is not None and "unit" in found else ""
    note = found["note"].text() if found is not None and "note" in found else ""
    return Declared(parameter, unit, values or (value.text(),), note)


def _sweep_values(found: dict[str, Entry], numeric: bool) -> tuple[str, ...] | None:
    if "values" in found:
        if "range" in found or "step" in found:
            raise found["values"].error("stands beside a range; give one of them")
        entries = found["values"].sequence()
        if not entries:
            raise found["values"].error("no values; list at least one")
        for entry in entries:
            if numeric != (_as_decimal(entry) is not None):
                raise entry.error(f"{entry.text()!r} is not of the kind of the parameter's value")
        return tuple(entry.text() for entry in entries)
    if "range" not in found and "step" not in found:
        return None
    if not numeric or "range" not in found or "step" not in found:
        raise found["value"].error("a range needs a number for `value`, two for `range` and one for `step`")
    return _steps(found["range"], found["step"])


def _steps(range_entry: Entry, step_entry: Entry) -> tuple[str, ...]:
    """From the lower limit up, added in decimal, the upper limit included where a step meets it."""
    limits = [_as_decimal(entry) for entry in range_entry.sequence()]
    step = _as_decimal(step_entry)
    if len(limits) != 2 or limits[0] is None or limits[1] is None or step is None:
        raise range_entry.error("two numbers and a step are needed, as in `range: [5, 60], step: 5`")
    low, high = limits[0], limits[1]
    if step <= 0 or high < low:
        raise range_entry.error(f"from {low} to {high} by {step}; the step must be positive, the lower limit first")
    if (high - low) / step > MAX_VALUES:
        raise range_entry.error(f"more than {MAX_VALUES} values; use larger steps")
    count = int((high - low) / step + _STEP_TOLERANCE) + 1
    return tuple(str(low + i * step) for i in range(count))


def _as_decimal(entry: Entry) -> Decimal | None:
    """A plain finite number, or None."""
    text = entry.text()
    if not re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?", text):
        return None
    number = Decimal(text)
    if abs(number) > 10**9:
        raise entry.error(f"{text} is too large; numbers go up to 1e9")
    return number


def read_constraints(found: dict[str, Entry], reading: Reading) -> tuple[Constraint, ...]:
    """The relations that all runs must keep, in SI."""
    return tuple(
        _constraint(entry, reading) for entry in (found["constraints"].sequence() if "constraints" in found else ())
    )


def _constraint(entry: Entry, reading: Reading) -> Constraint:
    parts = _RELATION.fullmatch(entry.text())
    if parts is None:
        raise entry.error(f'{entry.text()!r} is no relation; write it as in "$v_cut < $v_ego"')
    left, right = (
        Value("${" + reading.in_si(side.strip()) + "}", entry.where, reading.scope) for side in parts.group(1, 3)
    )
    for side in (left, right):
        side.numbers(Draw(1))
    return Constraint(entry.text(), left, parts[2], right)


def check_constraints(constraints: tuple[Constraint, ...], draw: Draw) -> None:
    """ValueError where a run does not keep one."""
    for constraint in constraints:
        wrong = np.flatnonzero(~constraint.holds(draw))
        if len(wrong):
            run = int(wrong[0])
            values = ", ".join(f"{name}={column[run]}" for name, column in draw.values.items())
            raise ValueError(
                f"{constraint.left.where}: {constraint.source} does not hold"
                f"{' for ' + values if values else ''}; choose other values"
            )


def _formula(entry: Entry, reading: Reading) -> str:
    """An expression or a number with its unit, of whatever quantity, as an expression."""
    for quantity in ("speed", "length", "time", "acceleration", "angle"):
        try:
            return inner(reading.number(entry, quantity))
        except ValueError as error:
            if "unit of this quantity" not in str(error):
                raise
    raise entry.error(f"{entry.text()!r} has no known unit")


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None and len(name) <= 60
