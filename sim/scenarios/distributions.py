"""Parameter variations: OpenSCENARIO files that say which values a scenario's parameters take, expanded to all runs.

`<Deterministic>` distributions are multiplied: every combination of their values is a run. Runs are in the order of
nested loops over the distributions as the file lists them, the first outermost; a set counts as listed, a range from
its lower limit up, the upper one included where a step meets it (to 1e-9 of a step; steps are added in decimal, so that
0.1 and 0.2 make 0.3). Combinations that the scenario's own constraint groups exclude are runs too, counted but not
`allowed`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.scenarios.model import Parameter
from sim.scenarios.parameters import NUMERIC, allowed, check_types
from sim.scenarios.values import Draw, Scope, Value
from sim.scenarios.xosc import check_draw, read_parameters
from sim.scenarios.xosc_xml import Book, Element, Reader, parse_xml

MAX_RUNS = 5_000_000
_STEP_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Variation:
    """All runs that a file makes of a scenario."""

    file: Path
    scenario: Path
    draw: Draw  # of all runs
    parameters: tuple[Parameter, ...]  # that the scenario declares
    allowed: NDArray[np.bool_]  # (B,) runs that meet the scenario's constraints

    @property
    def discarded(self) -> int:
        """How many runs do not meet them."""
        return int((~self.allowed).sum())


def is_variation(path: Path) -> bool:
    """Whether an OpenSCENARIO file says how to vary another one."""
    return parse_xml(Path(path)).find("ParameterValueDistribution") is not None


def read_variation(path: Path) -> Variation:
    """The runs that a ParameterValueDistribution file makes of its scenario.

    Raises ValueError where it is wrong, random, too large or sets what the scenario does not declare, OSError where it
    or the scenario cannot be read.
    """
    path = Path(path)
    root = parse_xml(path).find("ParameterValueDistribution")
    if root is None:
        raise ValueError(f"{path} has no <ParameterValueDistribution>; name a parameter variation file")
    read = Reader(path, Scope(), Draw(1), Book(path))
    scenario = _scenario_file(read, root)
    parameters = read_parameters(scenario)
    columns = _product(read, root, {parameter.name: parameter for parameter in parameters})
    size = len(next(iter(columns.values()))) if columns else 1
    draw = Draw(size, columns)
    check_draw(scenario, parameters, draw)
    check_types(parameters, draw)
    return Variation(path, scenario, draw, parameters, allowed(parameters, draw))


def _scenario_file(read: Reader, root: Element) -> Path:
    element = read.child(root, "ScenarioFile")
    written = read.text(element, "filepath")
    path = (read.path.parent / written.replace("\\", "/")).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"{read.where(element)} names {written!r}, which does not exist; correct the path")
    return path


def _product(read: Reader, root: Element, known: dict[str, Parameter]) -> dict[str, NDArray[Any]]:
    """The values of every parameter that is varied, by run."""
    blocks = list(_blocks(read, root, known))
    names = [name for block in blocks for name in block]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{read.path}: the parameter {name!r} has two distributions; keep one of them")
    columns = [{name: _column(known[name], values) for name, values in block.items()} for block in blocks]
    return nested_loops(columns, read.path)


def nested_loops(blocks: list[dict[str, NDArray[Any]]], file: Path) -> dict[str, NDArray[Any]]:
    """The cross product of blocks of columns, the first block outermost. ValueError where it is too large."""
    lengths = [len(next(iter(block.values()))) for block in blocks]
    size = math.prod(lengths)
    if size > MAX_RUNS:
        raise ValueError(f"{file} makes {size} runs; up to {MAX_RUNS} are played, so use fewer or larger steps")
    columns: dict[str, NDArray[Any]] = {}
    inner = size
    for block, length in zip(blocks, lengths, strict=True):
        inner //= length
        rows = np.tile(np.repeat(np.arange(length), inner), size // (length * inner))
        columns |= {name: values[rows] for name, values in block.items()}
    return columns


def _column(parameter: Parameter, values: list[Value]) -> NDArray[Any]:
    one = Draw(1)
    if parameter.kind in NUMERIC:
        return np.array([value.numbers(one)[0] for value in values])
    return np.array([value.text(one) for value in values], dtype=object)


def _blocks(read: Reader, root: Element, known: dict[str, Parameter]) -> Iterator[dict[str, list[Value]]]:
    """For each distribution the parameters that it varies together, with their values."""
    stochastic = root.find("Stochastic")
    if stochastic is not None:
        raise read.error(stochastic, "is not supported", "deterministic distributions are")
    kinds = ("DeterministicSingleParameterDistribution", "DeterministicMultiParameterDistribution")
    for element in read.children(read.child(root, "Deterministic"), *kinds):
        if element.tag == kinds[0]:
            yield {_known(read, element, "parameterName", known): read.one(element, _SINGLE)}
        else:
            sets = read.one(element, {"ValueSetDistribution": lambda read, e: _value_sets(read, e, known)})
            yield from [sets] if sets else []


def _known(read: Reader, element: Element, key: str, known: dict[str, Parameter]) -> str:
    name = read.text(element, key).removeprefix("$")
    if name not in known:
        raise read.error(
            element, f"varies {name!r}, which the scenario does not declare", f"it declares: {', '.join(known)}"
        )
    return name


def _value_sets(read: Reader, element: Element, known: dict[str, Parameter]) -> dict[str, list[Value]]:
    """Values that go together; what a set leaves out keeps the scenario's value."""
    rows = [
        {
            _known(read, assignment, "parameterRef", known): read.value(assignment, "value")
            for assignment in read.children(row, "ParameterAssignment")
        }
        for row in read.children(element, "ParameterValueSet")
    ]
    if not rows:
        raise read.error(element, "has no <ParameterValueSet>")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, known[name].value) for row in rows] for name in names}


def _set(read: Reader, element: Element) -> list[Value]:
    values = [read.value(child, "value") for child in read.children(element, "Element")]
    if not values:
        raise read.error(element, "has no <Element>")
    return values


def _range(read: Reader, element: Element) -> list[Value]:
    limits = read.child(element, "Range")
    low, high = (_decimal(read, limits, key) for key in ("lowerLimit", "upperLimit"))
    step = _decimal(read, element, "stepWidth")
    if step <= 0:
        raise read.error(element, f"has stepWidth={step}, which is not positive")
    if high < low:
        raise read.error(limits, f"goes from {low} to {high}", "the lower limit must come first")
    count = int((high - low) / step + Decimal(_STEP_TOLERANCE)) + 1
    if count > MAX_RUNS:
        raise read.error(element, f"has {count} steps; up to {MAX_RUNS} runs are played", "use larger steps")
    where = read.where(element)
    return [Value(str(low + i * step), where) for i in range(count)]


def _decimal(read: Reader, element: Element, key: str) -> Decimal:
    return Decimal(repr(float(read.number(element, key).numbers(read.draw)[0])))


_SINGLE = {"DistributionSet": _set, "DistributionRange": _range}
