"""Variables and parameters that a storyboard tests and sets while it runs, one value per run."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.scenarios.behaviours import SetVariable
from sim.scenarios.conditions import COMPARISONS, VariableCondition
from sim.scenarios.model import Scenario
from sim.scenarios.road_tables import Bools
from sim.scenarios.values import Draw, as_number

_SMALL = 1e-6


class Variables:
    """Values by name, texts (B,); parameters and variables apart."""

    def __init__(self, scenario: Scenario, draw: Draw) -> None:
        self.draw = draw
        self.variables = {name: value.texts(draw).copy() for name, value in scenario.variables.items()}
        self.parameters = {p.name: _drawn(p.name, p.value.texts(draw), draw) for p in scenario.parameters}

    def test(self, condition: VariableCondition) -> Callable[[Bools], Bools]:
        """A test of a variable or parameter against a value; one that there is not does not hold."""
        wanted = condition.value.texts(self.draw)
        rule = COMPARISONS[condition.rule]

        def holds(runs: Bools) -> Bools:
            known = (self.parameters if condition.of_parameter else self.variables).get(condition.name)
            found = np.zeros(len(runs), dtype=bool)
            if known is None:
                return found
            for i in np.flatnonzero(runs):
                found[i] = _compare(rule, str(known[i]), str(wanted[i]))
            return found

        return holds

    def set(self, action: SetVariable, runs: Bools) -> None:
        """Set, add to or multiply one in some runs."""
        known = (self.parameters if action.of_parameter else self.variables).setdefault(
            action.name, np.full(self.draw.size, "0", dtype=object)
        )
        given = action.value.texts(self.draw)
        for i in np.flatnonzero(runs):
            known[i] = _applied(action, known[i], given[i])


def _applied(action: SetVariable, old: Any, given: Any) -> str:
    if action.operator == "set":
        return str(given)
    a, b = as_number(str(old)), as_number(str(given))
    if a is None or b is None:
        raise ValueError(
            f"{action.value.where}: cannot {action.operator} {given!r} to {action.name} = {old!r}; numbers are needed"
        )
    return repr(a + b if action.operator == "add" else a * b)


def _drawn(name: str, texts: NDArray[Any], draw: Draw) -> NDArray[Any]:
    column = draw.values.get(name)
    return texts.copy() if column is None else np.array([str(x) for x in column], dtype=object)


def _compare(rule: Callable[[Any, Any], bool], text: str, wanted: str) -> bool:
    a, b = as_number(text), as_number(wanted)
    if a is None or b is None:
        return rule(text, wanted)
    return rule(b if abs(a - b) <= _SMALL else a, b)
