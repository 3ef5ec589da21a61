"""Records closed-loop episodes as the traces that verdicts read, and scores them.

    recorder = Recorder(simulator)
    for tick in rollout(simulator, agent, sight, ticks):
        recorder.add(tick)
    cards = recorder.scorecards(expert_drive(experiment, worlds))

The expert that nuPlan and NAVSIM measure progress by is the classical driver on true boxes in the same episodes.
"""

import torch

from agents.contract import make_agent
from configs.schema import Experiment
from pipelines.rollout import Tick, rollout
from pipelines.sight import make_sight
from pipelines.verdicts.road import STOREY_M, Road
from pipelines.verdicts.scorecard import Expert, Scorecard, expert_of, scorecards
from pipelines.verdicts.trace import EGO, Trace
from pipelines.worlds import Worlds, make_simulator
from sim.simulator import Simulator

EXPERT, EXPERT_SEES = "classical", "oracle"
CONTACT_MARGIN_M = 0.02  # boxes that the simulator calls overlapping do so in the verdicts' arithmetic too
_SERIES = ("xy_world_m", "z_world_m", "yaw_world_rad", "speed_mps", "accel_mps2", "valid", "signal_phase")


class Recorder:
    """The episodes of a simulator from now on; B worlds, each until its episode ends."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._ticks = [self._now()]
        self._lived = [torch.ones(simulator.worlds, dtype=torch.bool)]
        self._collided, self._arrived = (torch.zeros(simulator.worlds, dtype=torch.bool) for _ in range(2))

    def add(self, tick: Tick) -> None:
        """What came of one tick of the rollout."""
        active, outcome = tick.active.cpu(), tick.outcome
        self._ticks.append(self._now())
        self._lived.append(active.clone())
        self._collided |= active & outcome.collided.cpu()
        spoilt = outcome.collided | outcome.offroad | outcome.offroute
        self._arrived |= active & (outcome.arrived & ~spoilt).cpu()

    def trace(self) -> Trace:
        """Everybody's motion; those on another storey than the ego are not there for it."""
        series, world = self._series(), self._simulator.world
        z = series["z_world_m"]
        level = (z - z[:, :, EGO : EGO + 1]).abs() < STOREY_M
        size = world.size_m.cpu().double()
        size = size + CONTACT_MARGIN_M * self._collided[:, None, None]
        return Trace(
            dt_s=world.dt_s,
            xy_world_m=series["xy_world_m"].double(),
            yaw_world_rad=series["yaw_world_rad"].double(),
            speed_mps=series["speed_mps"].double(),
            accel_mps2=series["accel_mps2"].double(),
            valid=series["valid"] & level & torch.stack(self._lived, dim=1)[..., None],
            size_m=size,
            centre_offset_m=0.5 * world.wheelbase_m.cpu().double(),
            kind=world.kind.cpu(),
        )

    def road(self) -> Road:
        """The lanes, routes and lights of the episodes."""
        series, world = self._series(), self._simulator.world
        lanes, there = world.route_lane.cpu(), world.route_valid.cpu()
        return Road(
            lanes=world.lanes,
            map_index=world.map_index.cpu(),
            ego_z_world_m=series["z_world_m"][:, :, EGO],
            route=tuple(tuple(lanes[b][there[b]].tolist()) for b in range(len(lanes))),
            route_length_m=world.route_length_m.cpu(),
            signal_phase=series["signal_phase"],
        )

    def expert(self) -> Expert:
        """These episodes as those of the expert."""
        trace = self.trace()
        return expert_of(trace, _no_things(trace), self.road())

    def scorecards(self, expert: Expert) -> list[Scorecard]:
        """All scores of every episode."""
        trace = self.trace()
        return scorecards(trace, _no_things(trace), self.road(), expert, self._arrived)

    def _now(self) -> dict[str, torch.Tensor]:
        return {name: getattr(self._simulator.state, name).cpu().clone() for name in _SERIES}

    def _series(self) -> dict[str, torch.Tensor]:
        return {name: torch.stack([tick[name] for tick in self._ticks], dim=1) for name in _SERIES}


def is_expert(agent: str, perception: str) -> bool:
    """Whether a driver is the expert itself."""
    return (agent, perception) == (EXPERT, EXPERT_SEES)


def expert_drive(experiment: Experiment, worlds: Worlds) -> Expert:
    """The expert's drive of the same episodes."""
    simulator = make_simulator(experiment, worlds)
    recorder = Recorder(simulator)
    agent, sight = make_agent(EXPERT, len(worlds.seeds)), make_sight(EXPERT_SEES, experiment, worlds)
    for tick in rollout(simulator, agent, sight, max(round(experiment.sim.seconds / experiment.sim.dt_s), 1)):
        recorder.add(tick)
    return recorder.expert()


def _no_things(trace: Trace) -> torch.Tensor:
    """The simulator's actors are vehicles and people."""
    return torch.zeros(trace.runs, trace.actors, dtype=torch.bool)
