"""From the actions of a storyboard to what they do: the moving ones are elsewhere, here is the rest, done at once.

Whatever cannot be played is refused here, before the run, with its place in the file.
"""

from collections.abc import Callable, Sequence

import numpy as np

from sim.scenarios import behaviours as kinds
from sim.scenarios.controllers import Controllers
from sim.scenarios.following import Meet, TakeRoute, Trace, Tracks
from sim.scenarios.lateral import BOTH, ChangeLane, KeepAside, ShiftOffset
from sim.scenarios.longitudinal import ChangeSpeed, FollowProfile, KeepDistance
from sim.scenarios.model import Action
from sim.scenarios.replay import Recorded
from sim.scenarios.road_tables import Bools
from sim.scenarios.storyboard import Deed, Stage
from sim.scenarios.trailers import Trailers

_GLOBAL = (kinds.SetVariable, kinds.SetEnvironment, kinds.AddEntity, kinds.DeleteEntity)
_WITHOUT_MOTION = (kinds.Visibility, kinds.LightState, kinds.SetEnvironment)


class _AtOnce:
    """Something that is done when it starts, and over in the same tick."""

    def __init__(self, entity: int, do: Callable[[Bools], None], domains: frozenset[str] = frozenset()) -> None:
        self.entity, self.domains, self._do = entity, domains, do

    def start(self, runs: Bools) -> Bools:
        self._do(runs)
        return np.zeros_like(runs)

    def step(self, runs: Bools, dt_s: float) -> Bools:
        return runs


class Deeds:
    """Makes deeds of actions."""

    def __init__(self, stage: Stage, controllers: Controllers, trailers: Trailers) -> None:
        self.stage, self.controllers, self.trailers = stage, controllers, trailers
        self.tracks = Tracks({}, {}, {})
        self.activated: set[int] = set()

    def whom(self, action: Action, actors: Sequence[int]) -> Sequence[int]:
        """The entities that do an action of an event: its group's actors, or the world once."""
        if isinstance(action.body, _GLOBAL):
            return (-1,)
        if not actors:
            raise ValueError(f"{action.where}: action {action.name!r} has no actors; name them in its <ManeuverGroup>")
        return actors

    def deed(self, action: Action, entity: int) -> Deed:
        """What an action does. ValueError where it cannot be done."""
        body, stage = action.body, self.stage
        bodies = stage.bodies
        if isinstance(body, _WITHOUT_MOTION):
            return _AtOnce(entity, lambda runs: None)
        if isinstance(body, _GLOBAL):
            return self._global(action)
        if entity in self.trailers.pulled:
            raise ValueError(f"{action.where}: {bodies.names[entity]!r} is a trailer; let its tractor act instead")
        if isinstance(body, kinds.Teleport):
            return _AtOnce(entity, lambda runs: self._teleport(entity, body, runs), BOTH)
        if isinstance(body, kinds.ActivateController):
            return self._activation(action, body, entity)
        if isinstance(body, kinds.SpeedChange):
            return ChangeSpeed(body, entity, bodies)
        if isinstance(body, kinds.SpeedProfile):
            if body.following == "follow":
                raise ValueError(f"{action.where}: followingMode 'follow' of speeds is not supported; use position")
            return FollowProfile(body, entity, bodies)
        if isinstance(body, kinds.LongitudinalDistance):
            return KeepDistance(body, entity, bodies, stage.distances)
        if isinstance(body, kinds.LaneChange):
            return ChangeLane(body, entity, bodies)
        if isinstance(body, kinds.LaneOffset):
            return ShiftOffset(body, entity, bodies)
        if isinstance(body, kinds.LateralDistance):
            return KeepAside(body, entity, bodies, stage.distances)
        if isinstance(body, kinds.FollowTrajectory):
            return Trace(body, entity, bodies, stage.places, self.tracks)
        if isinstance(body, kinds.Replay):
            return Recorded(body, entity, bodies)
        if isinstance(body, kinds.AssignRoute | kinds.AcquirePosition):
            return TakeRoute(body, entity, bodies, stage.places)
        if isinstance(body, kinds.Synchronize):
            return Meet(body, entity, bodies, stage.places, stage.distances, self.tracks)
        raise ValueError(f"{action.where}: action {action.name!r} ({type(body).__name__}) is not supported; remove it")

    def _global(self, action: Action) -> Deed:
        body, stage = action.body, self.stage
        if isinstance(body, kinds.SetVariable):
            return _AtOnce(-1, lambda runs: stage.variables.set(body, runs))
        assert isinstance(body, kinds.AddEntity | kinds.DeleteEntity)
        entity = stage.bodies.index(body.entity)
        valid = stage.bodies.valid
        if isinstance(body, kinds.DeleteEntity):

            def delete(runs: Bools) -> None:
                valid[entity] &= ~runs

            return _AtOnce(-1, delete)

        def add(runs: Bools) -> None:
            valid[entity] |= runs
            stage.places.put(entity, stage.places.spot(body.position, entity), runs)
            self.trailers.align(entity, runs)

        return _AtOnce(-1, add)

    def _teleport(self, entity: int, body: kinds.Teleport, runs: Bools) -> None:
        bodies = self.stage.bodies
        runs = runs & ~(bodies.lateral_taken[entity] | bodies.speed_taken[entity])
        if runs.any():
            self.stage.places.put(entity, self.stage.places.spot(body.position, entity), runs)
            bodies.moved[entity] |= runs
            self.trailers.align(entity, runs)

    def _activation(self, action: Action, body: kinds.ActivateController, entity: int) -> Deed:
        if body.lateral or body.longitudinal:
            self.controllers.check(entity, body.controller, action.where)
            self.activated.add(entity)

        def switch(runs: Bools) -> None:
            self.controllers.activate(entity, runs, body.lateral, body.longitudinal)

        return _AtOnce(entity, switch)
