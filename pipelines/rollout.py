"""The closed loop: look, decide, step. Everything that drives, evaluates or draws consumes its ticks."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from agents.contract import EGO, Agent, empty_action, fill_action
from agents.episodes import GOAL_M, OFFROUTE_M
from pipelines.sight import Sight, View
from sim.simulator import Simulator
from sim.types import Action, Boxes3D, EgoState, Route


@dataclass
class Outcome:
    """What came of a step, per world (B,)."""

    collided: torch.Tensor
    hit_kind: torch.Tensor  # int32 ActorKind; valid where collided
    offroad: torch.Tensor  # a corner beyond the drivable surface
    offroute: torch.Tensor  # at the step's start beside its route, if on some road
    arrived: torch.Tensor
    progress_m: torch.Tensor

    @property
    def ended(self) -> torch.Tensor:
        return self.collided | self.offroad | self.offroute | self.arrived


@dataclass
class Tick:
    """One step of a rollout: what was, was seen and decided at its start, and what came of it.

    Its tensors are the simulator's own and change with the next tick: whoever keeps them clones them.
    """

    index: int
    active: torch.Tensor  # (B,) bool: the episode was still running at the start of this tick
    ego: EgoState
    ego_xy_world_m: torch.Tensor  # (B, 2) a copy, from before the step
    ego_yaw_world_rad: torch.Tensor  # (B,) likewise
    route: Route
    boxes: Boxes3D  # the truth
    view: View
    action: Action  # (B, 1)
    outcome: Outcome


def rollout(simulator: Simulator, agent: Agent, sight: Sight, ticks: int) -> Iterator[Tick]:
    """Drive every world until all episodes ended (collision, off the road or route, arrival) or `ticks` passed."""
    state, world = simulator.state, simulator.world
    active = torch.ones(len(world.seed), dtype=torch.bool, device=world.seed.device)
    action = empty_action(*world.kind.shape, device=world.seed.device)
    agent.reset(active, world.seed)
    sight.reset(active)
    for index in range(ticks):
        ego, route, boxes = simulator.ego_state(), simulator.route(), simulator.boxes_3d()
        view = sight.look(simulator, ego, boxes)
        decided = agent.act(view.percept, route, ego)
        fill_action(action, decided)
        xy, yaw = state.xy_world_m[:, EGO].clone(), state.yaw_world_rad[:, EGO].clone()
        simulator.step(action)
        outcome = outcome_of(simulator, route)
        yield Tick(index, active, ego, xy, yaw, route, boxes, view, decided, outcome)
        active = active & ~outcome.ended
        if not bool(active.any()):
            return


def outcome_of(simulator: Simulator, route: Route) -> Outcome:
    """How the ego of each world fares after the last step; `route` is what it was shown before it."""
    state, world = simulator.state, simulator.world
    other = state.collided_with[:, EGO].long().clamp(0, world.kind.shape[1] - 1)
    return Outcome(
        collided=state.collided[:, EGO].clone(),
        hit_kind=world.kind.gather(1, other[:, None])[:, 0],
        offroad=state.offroad[:, EGO].clone(),
        offroute=route.lateral_m.abs() > OFFROUTE_M,
        arrived=world.route_length_m - state.progress_m <= GOAL_M,
        progress_m=state.progress_m.clone(),
    )
