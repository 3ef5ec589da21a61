"""Who holds the wheel: an agent on true boxes, the person at the keyboard, or nobody."""

import math
from pathlib import Path

import torch

from agents.contract import EGO, Agent, make_agent
from perception.oracle import oracle_percept
from pipelines.view.requests import DRIVERS, Hands
from pipelines.view.running import Running
from sim.types import Action

DECISION_S = 0.1  # agents were trained at ten decisions a second
GAS_MPS2, BRAKE_MPS2, ROLL_MPS2 = 3.2, -6.5, -0.35
FASTEST_MPS = 60.0
SIDE_MPS2 = 4.5  # what a careful hand asks of the tyres
MOST_STEER_RAD = 0.5
STEER_RADPS, STRAIGHTEN_RADPS = 0.55, 0.9


def check_driver(name: str) -> None:
    """ValueError where nobody of that name can drive."""
    if name not in DRIVERS:
        make_agent(name, 1)


class Wheel:
    """Turns what the driver wants into the ego's commands."""

    def __init__(self, name: str, running: Running, fov_deg: float) -> None:
        """Raises ValueError where there is no such driver."""
        self.name, self._running, self._fov_deg = name, running, fov_deg
        self._agent: Agent | None = None if name in ("you", "none") else make_agent(name, 1)
        self._hold = max(round(DECISION_S / running.senses.world.dt_s), 1)
        self._ticks, self._steer_rad = 0, 0.0
        self._action = Action(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool))
        if self._agent is not None:
            self._agent.reset(torch.ones(1, dtype=torch.bool), running.senses.world.seed)

    @property
    def label(self) -> str:
        """What the page calls the driver."""
        return Path(self.name).stem

    def command(self, hands: Hands) -> Action:
        """The ego's command (1, 1) for the coming tick."""
        if self._agent is not None:
            if self._ticks % self._hold == 0:
                senses = self._running.senses
                ego, route, boxes = senses.ego_state(), senses.route(), senses.boxes_3d()
                percept = oracle_percept(boxes, ego.time_s, fov_deg=self._fov_deg)
                self._action = self._agent.act(percept, route, ego)
        elif self.name == "you":
            self._steer(hands)
        else:
            self._action.accel_mps2.fill_(-3.0)
            self._action.steer_rad.copy_(self._running.senses.state.steer_rad[:, :1])
        self._ticks += 1
        return self._action

    def _steer(self, hands: Hands) -> None:
        """Keys are on or off; hands and feet are not: the wheel turns at a rate, and less far at speed."""
        senses = self._running.senses
        speed, dt_s = float(senses.state.speed_mps[0, EGO]), senses.world.dt_s
        base_m = float(senses.world.wheelbase_m[0, EGO])
        most = min(MOST_STEER_RAD, math.atan(base_m * SIDE_MPS2 / max(speed, 1.0) ** 2))
        wanted = most * (hands.left - hands.right)
        rate = STEER_RADPS if abs(wanted) > abs(self._steer_rad) else STRAIGHTEN_RADPS
        self._steer_rad += max(-rate * dt_s, min(rate * dt_s, wanted - self._steer_rad))
        accel = BRAKE_MPS2 if hands.brake else GAS_MPS2 * (1.0 - speed / FASTEST_MPS) if hands.gas else ROLL_MPS2
        self._action.accel_mps2.fill_(accel)
        self._action.steer_rad.fill_(self._steer_rad)
