"""Splitting a batch of runs into uniform ones, whose scenario has the same shape."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sim.scenarios.values import Draw, Mixed

Result = TypeVar("Result")
Runs = NDArray[np.int64]


def one_by_one(draw: Draw, build: Callable[[Draw], Result]) -> list[tuple[Runs, Result | str]]:
    """Build something for all runs of a draw, less those for which it cannot be done: for these, what the error said.

    A batch with a ValueError is halved until the runs that it comes from are alone. Returns (indices of runs, result),
    in order.
    """
    found: list[tuple[Runs, Result | str]] = []
    left = [np.arange(draw.size, dtype=np.int64)] if draw.size else []
    while left:
        runs = left.pop()
        try:
            found.append((runs, build(draw.take(runs))))
        except ValueError as error:
            if len(runs) == 1:
                found.append((runs, str(error)))
            else:
                left += reversed(np.array_split(runs, 2))
    return found


def uniform(draw: Draw, build: Callable[[Draw], Result]) -> list[tuple[Runs, Result]]:
    """Build something for every run of a draw, for as many runs at once as agree on its shape.

    `build` raises Mixed where the runs of its draw differ in what shapes the result; they are then grouped by the
    values of the parameters that it names, and each group is built alone. Returns (indices of runs, result), each run
    in exactly one group; groups in the order of their first run.
    """
    found: list[tuple[Runs, Result]] = []
    left = [np.arange(draw.size, dtype=np.int64)] if draw.size else []
    while left:
        runs = left.pop()
        part = draw.take(runs)
        try:
            found.append((runs, build(part)))
        except Mixed as mixed:
            groups = part.split(mixed.parameters)
            if len(groups) < 2:
                raise RuntimeError(f"{len(runs)} runs differ in {mixed}, but not in those parameters") from None
            left += [runs[group] for group in groups]
    return sorted(found, key=lambda group: group[0][0])
