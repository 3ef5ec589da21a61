"""What a run of a scenario may be judged by: the names, what their bounds mean, and which way they bound."""

from dataclasses import dataclass

from sim.scenarios.model import Criterion
from sim.scenarios.values import constant
from sim.scenarios.yaml_tree import Entry, hint
from sim.scenarios.yaml_values import Reading


@dataclass(frozen=True)
class Kind:
    """A criterion. `quantity` is None where the file says true; `at_least` tells which side of the bound passes."""

    meaning: str
    quantity: str | None = None
    at_least: bool = False
    high: float = 0.0  # largest bound that makes sense


CRITERIA = {
    "no_collision": Kind("the ego touches nobody"),
    "no_at_fault_collision": Kind("no collision is the ego's fault"),
    "stay_on_road": Kind("the ego's box stays on the paved surface"),
    "reach_goal": Kind("the ego comes to the task's goal"),
    "finish_before_s": Kind("the ego is at the goal by then", "time", high=3600.0),
    "stop_before_s": Kind("the ego stands still at some time up to then", "time", high=3600.0),
    "min_ttc_s": Kind("smallest time to collision", "time", True, 60.0),
    "min_gap_m": Kind("smallest distance between the ego's box and another", "length", True, 1000.0),
    "min_headway_s": Kind("smallest time to where the vehicle in front is now", "time", True, 60.0),
    "max_decel_mps2": Kind("hardest braking", "acceleration", high=20.0),
    "max_lateral_accel_mps2": Kind("hardest cornering", "acceleration", high=20.0),
    "max_speed_mps": Kind("highest speed", "speed", high=100.0),
    "min_speed_mps": Kind("lowest speed", "speed", True, 100.0),
    "min_mean_speed_mps": Kind("speed on average", "speed", True, 100.0),
}


def read_criteria(entry: Entry, reading: Reading, has_goal: bool) -> tuple[Criterion, ...]:
    """The criteria of a file in its order. ValueError where a name is not known or needs a goal that is not there."""
    return tuple(_criterion(name, item, reading, has_goal) for name, item in entry.items().items())


def _criterion(name: str, entry: Entry, reading: Reading, has_goal: bool) -> Criterion:
    if name not in CRITERIA:
        raise entry.error(f"no criterion is called {name!r}{hint(name, CRITERIA)}")
    if name in ("reach_goal", "finish_before_s") and not has_goal:
        raise entry.error("the task has no goal; give it one, as in `task: {goal: {ahead_of: ego, by: 200}}`")
    kind = CRITERIA[name]
    if kind.quantity is None:
        if not entry.boolean():
            raise entry.error("only true makes sense here; leave the criterion out instead")
        return Criterion(name, "equalTo", constant(1.0, entry.where), entry.where)
    value = reading.number(entry, kind.quantity, 0.0, kind.high)
    return Criterion(name, "greaterOrEqual" if kind.at_least else "lessOrEqual", value, entry.where)
