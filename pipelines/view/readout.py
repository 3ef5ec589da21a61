"""What the page writes and draws beside the picture, and the clock that the world runs by."""

import time
from typing import Any

from agents.contract import EGO
from pipelines.view.drivers import Wheel
from pipelines.view.running import Running
from sim.types import ActorKind

LONGEST_GAP_S = 0.25  # of real time that is made up for after a slow picture


class Clock:
    """How many ticks are due: real time times the pace, as long as the world runs."""

    def __init__(self, dt_s: float) -> None:
        self.dt_s, self.pace, self.running = dt_s, 1.0, True
        self.restart()

    def restart(self) -> None:
        """Back to time 0."""
        self.ticks, self._owed_s = 0, 0.0
        self._last = self._last_frame = time.monotonic()
        self._rate, self._since, self._since_s = 1.0, self._last, 0.0

    @property
    def time_s(self) -> float:
        """Of the world."""
        return self.ticks * self.dt_s

    @property
    def rate(self) -> float:
        """Seconds of the world in one of ours, lately."""
        now = time.monotonic()
        if now - self._since > 1.0:
            self._rate = (self.time_s - self._since_s) / (now - self._since)
            self._since, self._since_s = now, self.time_s
        return self._rate

    def owe(self, seconds: float) -> None:
        """Let the world go on by so much, running or not."""
        self._owed_s += seconds

    def forgive(self) -> None:
        """Do not make up for what could not be done in time."""
        self._owed_s = 0.0

    def pause(self) -> None:
        """Nobody watches: time does not count."""
        self._last = self._last_frame = time.monotonic()

    def due(self) -> int:
        """Ticks that are due now; they count as done."""
        now = time.monotonic()
        if self.running:
            self._owed_s += min(now - self._last, LONGEST_GAP_S) * self.pace
        self._last = now
        ticks = int(self._owed_s / self.dt_s + 1e-6)
        self._owed_s -= ticks * self.dt_s
        return ticks

    def frame_s(self) -> float:
        """Real time since the last picture."""
        now = time.monotonic()
        passed, self._last_frame = now - self._last_frame, now
        return passed


def readout(running: Running, clock: Clock, wheel: Wheel) -> dict[str, Any]:
    """Numbers of the moment: the clock, the ego, everybody's place on the map, the lights."""
    senses = running.senses
    world, state, route = senses.world, senses.state, senses.route()
    valid = state.valid[0].nonzero()[:, 0].tolist()
    xy, yaw = state.xy_world_m[0].tolist(), state.yaw_world_rad[0].tolist()
    base, size, kind = world.wheelbase_m[0].tolist(), world.size_m[0].tolist(), world.kind[0].tolist()
    speed = state.speed_mps[0].tolist()
    return {
        "tick": clock.ticks,
        "time_s": round(clock.time_s, 3),
        "playing": clock.running,
        "pace": clock.pace,
        "rate": round(clock.rate, 2),
        "seed": running.seed,
        "place": running.worlds.places[0],
        "movable": running.movable,
        "over": running.over,
        "driver": wheel.name,
        "ego": {
            "x": round(xy[EGO][0], 2),
            "y": round(xy[EGO][1], 2),
            "z": round(float(state.z_world_m[0, EGO]), 2),
            "yaw": round(yaw[EGO], 4),
            "speed_mps": round(speed[EGO], 2),
            "limit_mps": round(float(route.speed_limit_mps[0, 0]), 2),
            "accel_mps2": round(float(state.accel_mps2[0, EGO]), 2),
            "steer_rad": round(float(state.steer_rad[0, EGO]), 4),
            "progress_m": round(float(state.progress_m[0]), 1),
        },
        "route": [[round(v, 1) for v in point] for point in route.xy_ego_m[0][route.valid[0]].tolist()],
        "actors": [
            {
                "n": i,
                "kind": ActorKind(kind[i]).name.lower(),
                "at": [round(xy[i][0], 2), round(xy[i][1], 2), round(yaw[i], 3)],
                "size": [round(size[i][0], 2), round(size[i][1], 2), round(base[i] / 2, 2)],
                "speed_mps": round(speed[i], 1),
            }
            for i in valid
        ],
        "signals": state.signal_phase[0].tolist(),
    }
