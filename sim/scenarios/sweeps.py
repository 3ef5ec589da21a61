"""Sweeps of Roadloop's own scenarios: every combination of the values that its parameters' ranges and lists hold.

Runs are in the order of nested loops over the parameters as the file declares them, the first outermost. Combinations
that a constraint excludes are runs too, counted but not `allowed`, as in variations of OpenSCENARIO.
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.scenarios.distributions import MAX_RUNS, Variation
from sim.scenarios.values import Draw
from sim.scenarios.yaml_parameters import Constraint, Declared
from sim.scenarios.yaml_scenarios import read_declarations


@dataclass(frozen=True)
class Sweep(Variation):
    """All runs of a scenario file."""

    constraints: tuple[Constraint, ...] = ()

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """Which runs (B,) keep the file's constraints."""
        mask = np.ones(self.draw.size, dtype=bool)
        for constraint in self.constraints:
            mask &= constraint.holds(self.draw)
        return mask


def read_sweep(path: Path) -> Sweep:
    """The runs that a scenario file's ranges and lists make; one where it has none.

    Raises ValueError where the file's declarations are wrong or make too many runs, OSError where it cannot be read.
    """
    path = Path(path)
    _, _, declared, constraints = read_declarations(path)
    parameters = tuple(d.parameter for d in declared)
    return Sweep(path, path, _product(path, declared), parameters, constraints)


def _product(path: Path, declared: tuple[Declared, ...]) -> Draw:
    varied = [d for d in declared if len(d.values) > 1]
    size = prod(len(d.values) for d in varied)
    if size > MAX_RUNS:
        raise ValueError(f"{path.name} makes {size} runs; up to {MAX_RUNS} are played, so use fewer or larger steps")
    columns: dict[str, NDArray[Any]] = {}
    inner = size
    for d in varied:
        inner //= len(d.values)
        rows = np.tile(np.repeat(np.arange(len(d.values)), inner), size // (len(d.values) * inner))
        columns[d.parameter.name] = column(d)[rows]
    return Draw(size, columns)


def column(declared: Declared) -> NDArray[Any]:
    """The values (n,) that a sweep gives a parameter: float64, or objects where they are words."""
    numeric = declared.parameter.kind == "double"
    return np.array(declared.values, dtype=object).astype(np.float64 if numeric else object)
