"""What recorded entities do: they are where their recording says, evenly between its steps, and nowhere else.

Their speed is the recorded one, not that of the positions, which real recordings round. They react to nobody.
"""

import math

import numpy as np

from sim.roads.geometry import Floats, wrap_rad
from sim.scenarios.behaviours import Replay
from sim.scenarios.lateral import BOTH
from sim.scenarios.motions import SMALL, Bodies
from sim.scenarios.road_tables import Bools


class Recorded:
    """The deed of a `Replay`, by the clock of the scenario."""

    domains = BOTH

    def __init__(self, body: Replay, entity: int, bodies: Bodies) -> None:
        self.entity, self.body, self.bodies = entity, body, bodies
        self.end_s = body.first_s + (len(body.x_m) - 1) * body.step_s

    def start(self, runs: Bools) -> Bools:
        self._show(runs, self.bodies.clock_s)
        return np.zeros_like(runs)

    def step(self, runs: Bools, dt_s: float) -> Bools:
        time_s = self.bodies.clock_s + dt_s
        self._show(runs, time_s)
        return runs & (time_s > self.end_s + SMALL)

    def _show(self, runs: Bools, time_s: float) -> None:
        """Put the body where it is at a time; before it appears it waits, out of sight, where it will."""
        bodies, e, body = self.bodies, self.entity, self.body
        seen = bool(body.first_s - SMALL <= time_s <= self.end_s + SMALL)
        bodies.jumped[e] |= runs & ~bodies.valid[e]
        bodies.valid[e] = np.where(runs, seen, bodies.valid[e])
        bodies.moved[e] |= runs
        bodies.loose[e] |= runs
        i, j, share = self._between(time_s)
        turn = float(wrap_rad(body.heading_rad[j] - body.heading_rad[i]))
        heading = float(wrap_rad(body.heading_rad[i] + share * turn))
        for name, value in (("x_m", _mixed(body.x_m, i, j, share)), ("y_m", _mixed(body.y_m, i, j, share)),
                            ("heading_rad", heading), ("speed_mps", _mixed(body.speed_mps, i, j, share))):  # fmt: skip
            column = getattr(bodies, name)
            column[e] = np.where(runs, value, column[e])

    def _between(self, time_s: float) -> tuple[int, int, float]:
        """The recorded steps around a time, and how far it is from the first of them to the other."""
        at = min(max((time_s - self.body.first_s) / self.body.step_s, 0.0), len(self.body.x_m) - 1.0)
        if abs(at - round(at)) < SMALL:  # a clock that sums up ticks is not exact
            at = float(round(at))
        i = math.floor(at)
        return i, min(i + 1, len(self.body.x_m) - 1), at - i


def _mixed(values: Floats, i: int, j: int, share: float) -> float:
    return float((1.0 - share) * values[i] + share * values[j])
