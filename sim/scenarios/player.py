"""Plays a scenario for a batch of runs at once: one tree, B draws of its parameters, one storyboard walked per tick.

    player = Player(scenario, draw, network, dt_s=0.05, driven=("Ego",))
    while not bool(player.done.all()):
        player.step(EgoCommand(accel_mps2))

Everything is elementwise over runs, so a run's bits do not depend on its batch. A run that is done stays as it is.

A tick: triggers see the world as it is; actions that run set speeds and offsets, or move their entities themselves;
time goes on by dt; entities that no action has moved go along their lanes at their speed; then driven entities,
built-in controllers (whose speeds count from the next tick on) and trailers. The first state, at time 0, is that after
the initial actions and one such tick of no length.
"""

from collections.abc import Sequence
from dataclasses import replace
from operator import is_
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sim.mapfiles.opendrive import read_opendrive
from sim.roads.network import RoadNetwork
from sim.scenarios.actions import Deeds
from sim.scenarios.controllers import Controllers, warn_unused
from sim.scenarios.model import Scenario
from sim.scenarios.motions import SMALL, Bodies
from sim.scenarios.playing import EgoCommand, Entities, Gaps, State, Trace
from sim.scenarios.road_tables import Atlas, Bools, RoadTables
from sim.scenarios.sights import see
from sim.scenarios.storyboard import Stage, Storyboard
from sim.scenarios.trailers import Trailers
from sim.scenarios.values import Draw, Mixed
from sim.scenarios.xosc import read_xosc

STOPPED, TIMED_OUT = "stop trigger", "duration"
_DECIMALS = 6  # of expressions, as players hand them on as text: what sits on a trigger's edge depends on it
_tables: list[RoadTables] = []  # of the last few maps
_KEPT = 8


class Player:
    """B runs of one scenario. ValueError, with its place in the file, for anything it cannot play."""

    entities: Entities
    dt_s: float
    tick: int  # 0 after construction: time 0, initial actions done

    def __init__(
        self,
        scenario: Scenario,
        draw: Draw,
        network: RoadNetwork | Atlas | None,
        dt_s: float = 0.05,
        driven: Sequence[str] = (),
    ) -> None:
        """Raises Mixed where the structure differs by run: split the draw by its parameters and try again.

        `driven` entities obey commands from the moment the file activates their controller; from the start where it
        never does. Their controllers in the file, and its actions on them from then on, do nothing. Runs may be on
        different maps, as an atlas says.
        """
        if not dt_s > 0.0:
            raise ValueError(f"dt_s = {dt_s}: the time step must be positive")
        draw = replace(draw, decimals=_DECIMALS)
        self.scenario, self.draw, self.dt_s, self.tick = scenario, draw, dt_s, 0
        self.network = None if isinstance(network, Atlas) else network  # where all runs are on the same
        self.has_roads = network is not None
        self._clock_s = 0.0  # time as conditions see it: summed up tick by tick, as players do
        atlas = network if isinstance(network, Atlas) else None
        networks = network.networks if isinstance(network, Atlas) else (network,) if network is not None else ()
        tables = _tabled(*networks) if networks else None
        self._bodies = bodies = Bodies(scenario.entities, draw, tables, atlas)
        bodies.loose[:] = True
        self.entities = _cast(bodies)
        self._driven = tuple(self.entities.index(name) for name in driven)
        self._stage = stage = Stage(scenario, bodies)
        self._trailers = Trailers(bodies)
        self._controllers = Controllers(bodies, stage.distances, self._driven)
        deeds = Deeds(stage, self._controllers, self._trailers)
        self._storyboard = Storyboard(stage, deeds)
        warn_unused(bodies, self._driven, deeds.activated)
        self._ended = np.zeros(draw.size, dtype=bool)
        self._end_tick = np.zeros(draw.size, dtype=np.int64)
        self._reason = np.full(draw.size, "", dtype=object)
        self._limit_s = np.full(draw.size, np.inf)
        if scenario.duration_s is not None:
            self._limit_s = scenario.duration_s.numbers(draw)
        self._begin(deeds)

    def _begin(self, deeds: Deeds) -> None:
        everyone = np.ones(self.draw.size, dtype=bool)
        self._bodies.begin_tick()
        self._storyboard.start(everyone)
        for which, entity in enumerate(self._driven):
            if entity not in deeds.activated:
                self._controllers.drive(which, everyone, True)
        live = self._storyboard.step(everyone, 0.0)
        self._stop(everyone & ~live, STOPPED)
        self._controllers.step(live, 0.0)
        self._trailers.follow(live)
        self._bodies.end_tick(live, 0.0, 0.0)

    # --- Shown ---

    @property
    def time_s(self) -> float:
        """Time of the state."""
        return self.tick * self.dt_s

    @property
    def done(self) -> Tensor:
        """(B,) bool: the run is over; its state stays."""
        return torch.from_numpy(self._ended)

    @property
    def end_tick(self) -> Tensor:
        """(B,) int64: the last tick of a run that is done."""
        return torch.from_numpy(self._end_tick)

    @property
    def end_reason(self) -> tuple[str, ...]:
        """Why each run is over: 'stop trigger' or 'duration'; '' while it goes on."""
        return tuple(self._reason)

    @property
    def driving(self) -> Tensor:
        """(B, D) bool: which driven entities obey commands now."""
        return torch.from_numpy(self._controllers.driving.T)

    @property
    def state(self) -> State:
        """The state now; entities that have left the road's lanes are looked up on it."""
        bodies = self._bodies
        bodies.find(np.arange(bodies.road.size))
        standing_s = np.where(bodies.standing, self._clock_s - bodies.stood_since_s, 0.0)
        names = (
            "x_m", "y_m", "z_m", "heading_rad", "pitch_rad", "roll_rad", "speed_mps", "accel_mps2", "valid", "road",
            "lane", "s_m", "offset_m", "travelled_m",
        )  # fmt: skip
        return State(
            **{name: torch.from_numpy(getattr(bodies, name).T) for name in names},
            standstill_s=torch.from_numpy(standing_s.T),
        )

    def poses(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Places (B, E, 3), heading, pitch and roll (B, E, 3), speeds and who takes part (B, E), as copies."""
        bodies = self._bodies
        columns = [
            np.stack([getattr(bodies, name).T for name in names], axis=-1)
            for names in (("x_m", "y_m", "z_m"), ("heading_rad", "pitch_rad", "roll_rad"))
        ]
        columns += [bodies.speed_mps.T.copy(), bodies.valid.T.copy()]
        places, angles, speeds, valid = map(torch.from_numpy, columns)
        return places, angles, speeds, valid

    def gaps(self, ego: str) -> Gaps:
        """What a driver of `ego` sees along its lane."""
        return see(self._bodies, self._stage.distances, self.entities.index(ego))

    def collisions(self, ego: str) -> Tensor:
        """(B, E) bool: whose box overlaps the ego's, seen from above, at about the same height."""
        bodies, e = self._bodies, self.entities.index(ego)
        hit = np.zeros(bodies.shape, dtype=bool)
        for other in range(len(bodies.names)):
            if other != e:
                hit[other] = self._stage.distances.overlap(e, other) & bodies.valid[other] & bodies.valid[e]
        return torch.from_numpy(hit.T)

    # --- Moving ---

    def step(self, command: EgoCommand | None = None) -> None:
        """One tick: conditions see the state as it is, then actions and drivers move it on by dt."""
        live = ~self._ended
        if not live.any():
            return
        bodies, stage, dt = self._bodies, self._stage, self.dt_s
        stage.time_s = self._clock_s
        bodies.begin_tick()
        going = self._storyboard.step(live, dt)
        self._stop(live & ~going, STOPPED)
        if not going.any():
            return
        self._cruise(going)
        self._obey(going, command)
        self._controllers.step(going, dt)
        self._trailers.follow(going)
        self.tick += 1
        self._clock_s += dt
        bodies.end_tick(going, self._clock_s, dt)
        self._stop(going & (self.time_s > self._limit_s - SMALL), TIMED_OUT)

    def _cruise(self, live: Bools) -> None:
        """Move whom nobody else moves along their lanes."""
        bodies = self._bodies
        free = live & bodies.valid & ~bodies.moved & ~bodies.speed_taken & (np.abs(bodies.speed_mps) > SMALL)
        for trailer in self._trailers.pulled:
            free[trailer] = False
        # Whoever has stood at a road's end for a tick gives up.
        stuck = free & bodies.at_end & (self._clock_s - bodies.ended_since_s > self.dt_s - SMALL)
        bodies.speed_mps[stuck] = 0.0
        rows = np.flatnonzero(free & ~stuck)
        if len(rows):
            bodies.advance(rows, bodies.speed_mps.ravel()[rows] * self.dt_s)

    def _obey(self, live: Bools, command: EgoCommand | None) -> None:
        if not (self._driven and self._controllers.driving.any()):
            return
        if command is None:
            raise ValueError(f"{', '.join(self.entities.names[e] for e in self._driven)} needs a command every tick")
        accel = np.ascontiguousarray(command.accel_mps2.detach().cpu().numpy().T, dtype=np.float64)
        steer = command.steer_rad
        wheel = None if steer is None else np.ascontiguousarray(steer.detach().cpu().numpy().T, dtype=np.float64)
        shape = self._controllers.driving.T.shape
        for name, values in (("accel_mps2", accel), ("steer_rad", wheel)):
            if values is not None and (values.T.shape != shape or not np.isfinite(values).all()):
                raise ValueError(f"command.{name} must hold {shape} finite numbers, got shape {values.T.shape}")
        self._controllers.obey(live, accel, wheel, self.dt_s)

    def _stop(self, runs: Bools, reason: str) -> None:
        self._ended = self._ended | runs
        self._end_tick[runs] = self.tick
        self._reason[runs] = reason


def _tabled(*networks: RoadNetwork) -> RoadTables:
    """The tables of networks, kept for the next player on them."""
    for tables in _tables:
        if len(tables.networks) == len(networks) and all(map(is_, tables.networks, networks)):
            return tables
    _tables.append(RoadTables(*networks))
    del _tables[:-_KEPT]
    return _tables[-1]


def _cast(bodies: Bodies) -> Entities:
    size = np.stack([bodies.length_m.T, bodies.width_m.T, bodies.height_m.T], axis=-1)
    return Entities(
        names=bodies.names,
        kinds=tuple(entity.kind for entity in bodies.entities),
        categories=tuple(entity.category for entity in bodies.entities),
        size_m=torch.from_numpy(size),
        centre_offset_m=torch.from_numpy(bodies.centre_x_m.T.copy()),
        centre_left_m=torch.from_numpy(bodies.centre_y_m.T.copy()),
        wheelbase_m=torch.from_numpy(bodies.wheelbase_m.T.copy()),
    )


def record(player: Player, seconds: float) -> Trace:
    """Play to the end, or for at most so many seconds, without an outside driver, and keep every tick."""
    frames = [player.poses()]
    while not bool(player.done.all()) and player.time_s < seconds - SMALL:
        before = player.tick
        player.step()
        if player.tick > before:
            frames.append(player.poses())
    xyz, hpr, speed, valid = (torch.stack(column, dim=1) for column in zip(*frames))
    ticks = torch.where(player.done, player.end_tick, player.tick) + 1
    return Trace(player.entities.names, player.dt_s, ticks, player.end_reason, xyz, hpr, speed, valid)


def play(path: Path, draw: Draw | None = None, dt_s: float = 0.05, seconds: float = 600.0) -> Trace:
    """Read a scenario file and play it to its end, or for at most so many seconds.

    Raises Mixed where runs of the draw differ in structure, ValueError where the file cannot be played.
    """
    draw = draw or Draw(1)
    scenario = read_xosc(Path(path), draw)
    if scenario.road_files is not None:
        raise Mixed(scenario.road_files.name.parameters(draw))
    network = None if scenario.road_file is None else read_opendrive(scenario.road_file)
    return record(Player(scenario, draw, network, dt_s), seconds)
