"""`roadloop soak`: hours of mixed traffic in many worlds, watched for what must never happen and for every collision.

Each minute of simulated time: no NaN, everybody on its lane, nobody stuck for five minutes, memory flat. Each tick:
who touches whom, of which kinds and in which situation. Traffic among itself: the ego, whose route ends, is taken out.
"""

import resource
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import torch

from configs.schema import Experiment, RoadKind
from pipelines.progress import progress
from pipelines.runs import check_file_target, machine, versions, write_json
from pipelines.tables import print_table
from sim.mapfiles.opendrive import read_opendrive
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.roads.network import RoadNetwork
from sim.simulator import Simulator
from sim.types import ActorKind

STUCK_S = 300.0
STUCK_MOVE_M = 2.0
SEEDS_PER_KIND = 2
EXAMPLES = 400  # collisions kept in full
FAR_AWAY_M = 1.0e5
OFF_LANE_M = 1.0  # from where lane, arc length and lateral offset say an actor is
Figure = dict[str, Any]


def soak(experiment: Experiment, hours: float, worlds: int, maps: Sequence[Path], json_file: Path | None) -> None:
    """Run `hours` of simulated time in `worlds` worlds over generated roads of every kind and the map files given.

    Prints a table of each map and writes the figures as JSON where asked. ValueError or OSError on bad input.
    """
    if hours <= 0.0 or worlds < 1:
        raise ValueError(f"soak needs hours > 0 and worlds >= 1, got {hours:g} and {worlds}")
    if json_file is not None:
        check_file_target(json_file)
    networks = soak_maps(maps, experiment.seed)
    watch = Watch(soak_simulator(networks, experiment, worlds))
    minutes = max(1, round(hours * 60.0))
    started = time.process_time()
    with progress("soak", "min") as report:
        for minute in range(minutes):
            watch.minute()
            report(minute + 1, minutes, km=float(watch.metres.sum()) / 1000.0, collisions=len(watch.events))
    figures = watch.figures([network.name for network in networks])
    figures |= {"cpu_s": time.process_time() - started, "machine": machine(), "versions": versions()}
    print_table(figures["maps"], f"Soak: {hours:g} simulated hours in {worlds} worlds")
    for name, count in figures["collisions_by_place"].items():
        print(f"  {count:5d}  {name}")
    print(f"collisions per 10,000 km {figures['collisions_per_10000_km']:.2f}, memory {figures['memory_mb']} MB")
    if json_file is not None:
        write_json(json_file, figures)
        print(f"figures {json_file}")


def soak_maps(files: Sequence[Path], seed: int) -> list[RoadNetwork]:
    """Some generated roads of every kind, then the map files."""
    kinds = get_args(RoadKind)
    generated = [generate_road(kind, seed + k) for k in range(SEEDS_PER_KIND) for kind in kinds]
    return [*generated, *(read_opendrive(file) for file in files)]


def soak_simulator(networks: Sequence[RoadNetwork], experiment: Experiment, worlds: int) -> Simulator:
    """World w drives on map w modulo the maps; nobody is controlled, and the ego is far away and gone."""
    index = (torch.arange(worlds) % len(networks)).int()
    seeds = torch.arange(worlds) + experiment.seed
    nobody = torch.zeros(experiment.sim.actors, dtype=torch.bool)
    simulator = Simulator(compile_lanes(list(networks)), experiment.sim, seeds, index, controlled=nobody)
    simulator.state.valid[:, 0] = False
    simulator.state.xy_world_m[:, 0] = FAR_AWAY_M  # so that vehicles come back near where it was, too
    return simulator


@dataclass
class Watch:
    """A running simulation and what was seen of it."""

    simulator: Simulator
    events: list[Figure] = field(default_factory=list)
    by_place: Counter[str] = field(default_factory=Counter)
    memory_mb: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        sim = self.simulator
        self.metres = torch.zeros(sim.worlds, dtype=torch.float64)
        self.vehicle_ticks = torch.zeros(sim.worlds, dtype=torch.float64)
        self.offroad_ticks = torch.zeros(sim.worlds, dtype=torch.float64)
        self.off_lane = torch.zeros(sim.worlds, dtype=torch.int64)
        self.stuck_minutes = torch.zeros(sim.worlds, dtype=torch.float64)
        self.minutes = 0
        self.touching = torch.zeros_like(sim.state.collided)
        self.anchor_xy_m = sim.state.xy_world_m.clone()
        self.anchor_tick = sim.state.tick[:, None].expand(-1, sim.actors).clone()

    def minute(self) -> None:
        """One minute of simulated time, and the checks at its end."""
        sim = self.simulator
        for _ in range(round(60.0 / sim.config.dt_s)):
            sim.step(sim.action)
            self._count()
        self.minutes += 1
        self._check()
        # Linux counts kilobytes.
        self.memory_mb.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0)

    def _count(self) -> None:
        state, vehicles = self.simulator.state, self.simulator.first_person
        valid = state.valid[:, :vehicles]
        self.metres += (state.speed_mps[:, :vehicles] * valid).sum(1, dtype=torch.float64) * self.simulator.config.dt_s
        self.vehicle_ticks += valid.sum(1)
        self.offroad_ticks += (state.offroad[:, :vehicles] & valid).sum(1)
        fresh = state.collided & ~self.touching
        if fresh.any():
            seen = set()
            for world, actor in fresh.nonzero().tolist():
                other = int(state.collided_with[world, actor])
                pair = (world, min(actor, other), max(actor, other))
                if pair not in seen:
                    seen.add(pair)
                    self._note(*pair)
        self.touching.copy_(state.collided)

    def _note(self, world: int, a: int, b: int) -> None:
        """Remember a collision, with what both were about."""
        sim = self.simulator
        both = [self._about(world, actor) for actor in (a, b)]
        place = _place(both)
        kinds = " + ".join(sorted(actor["kind"] for actor in both))
        self.by_place[f"{place}: {kinds}"] += 1
        event = {"world": world, "map": int(sim.world.map_index[world]), "tick": int(sim.state.tick[world])}
        self.events.append(event | ({"place": place, "actors": both} if len(self.events) < EXAMPLES else {}))

    def _about(self, world: int, actor: int) -> Figure:
        sim, state = self.simulator, self.simulator.state
        lane = int(state.path_lane[world, actor, 0])
        ahead = int(state.path_lane[world, actor, 1])
        graph, path = sim.world.lanes, state.path_lane[world, actor].tolist()
        person = actor >= sim.first_person
        return {
            "actor": actor,
            "kind": ActorKind(int(sim.world.kind[world, actor])).name.lower(),
            "speed_mps": round(float(state.speed_mps[world, actor]), 2),
            "path": path,
            "s_m": round(float(state.lane_s_m[world, actor]), 2),
            "lateral_m": round(float(state.lane_lateral_m[world, actor]), 2),
            "xy_world_m": [round(x, 2) for x in state.xy_world_m[world, actor].tolist()],
            "junction": not person and bool(graph.is_junction[lane]),
            "near_junction": not person
            and bool(state.path_valid[world, actor, 1] and graph.is_junction[ahead])
            and float(graph.length_m[lane] - state.lane_s_m[world, actor]) < 15.0,
        }

    def _check(self) -> None:
        """Raise FloatingPointError on NaN; count who is off its lane or has not moved for long."""
        sim, state = self.simulator, self.simulator.state
        vehicles, graph = sim.first_person, sim.world.lanes
        valid = state.valid[:, :vehicles]
        for name in ("xy_world_m", "yaw_world_rad", "speed_mps", "accel_mps2", "lane_s_m", "lane_lateral_m"):
            value = getattr(state, name)
            if not torch.isfinite(value[state.valid]).all():
                raise FloatingPointError(f"state.{name} is not finite after {self.minutes} minutes")
        lane = state.path_lane[:, :vehicles, 0].long()
        share = state.lane_s_m[:, :vehicles] / graph.step_m[lane]
        sample = graph.sample_first[lane] + share.round().long()
        sample = torch.minimum(sample, graph.sample_first[lane + 1].long() - 1)
        away = (graph.xy_world_m[sample] - state.xy_world_m[:, :vehicles]).norm(dim=2)
        beside = state.lane_lateral_m[:, :vehicles].abs() + 0.75 * graph.step_m[lane]
        self.off_lane += ((away > beside + OFF_LANE_M) & valid).sum(1)
        moved = (state.xy_world_m - self.anchor_xy_m).norm(dim=2) > STUCK_MOVE_M
        moved |= ~state.valid
        self.anchor_xy_m = torch.where(moved[..., None], state.xy_world_m, self.anchor_xy_m)
        now = state.tick[:, None].expand_as(self.anchor_tick)
        self.anchor_tick = torch.where(moved, now, self.anchor_tick)
        stuck = (now - self.anchor_tick) * sim.config.dt_s >= STUCK_S
        self.stuck_minutes += (stuck[:, :vehicles] & valid).sum(1) / valid.sum(1).clamp(min=1)

    def figures(self, names: Sequence[str]) -> Figure:
        """What was seen, by map and altogether."""
        sim, map_of = self.simulator, self.simulator.world.map_index.long()

        def by_map(values: torch.Tensor) -> list[float]:
            return torch.zeros(len(names), dtype=torch.float64).index_add(0, map_of, values.double()).tolist()

        worlds, km = by_map(torch.ones(sim.worlds)), [metres / 1000.0 for metres in by_map(self.metres)]
        ticks, offroad = by_map(self.vehicle_ticks), by_map(self.offroad_ticks)
        stuck, off_lane = by_map(self.stuck_minutes), by_map(self.off_lane)
        hits = Counter(event["map"] for event in self.events)
        rows = [
            {
                "map": name,
                "worlds": int(worlds[m]),
                "km": km[m],
                "mean_speed_mps": km[m] * 1000.0 / max(ticks[m] * sim.config.dt_s, 1e-9),
                "collisions": hits[m],
                "stuck_share": stuck[m] / (worlds[m] * self.minutes),
                "offroad_share": offroad[m] / max(ticks[m], 1.0),
                "off_lane": int(off_lane[m]),
            }
            for m, name in enumerate(names)
            if worlds[m] > 0
        ]
        return {
            "simulated_hours": self.minutes / 60.0,
            "worlds": sim.worlds,
            "actors": sim.actors,
            "km": sum(km),
            "collisions": len(self.events),
            "collisions_per_10000_km": len(self.events) / max(sum(km), 1e-9) * 10_000.0,
            "collisions_by_place": dict(self.by_place.most_common()),
            "stuck_share": float(self.stuck_minutes.sum()) / (sim.worlds * self.minutes),
            "offroad_share": sum(offroad) / max(sum(ticks), 1.0),
            "off_lane": int(self.off_lane.sum()),
            "memory_mb": [round(self.memory_mb[0]), round(self.memory_mb[-1])],
            "maps": rows,
            "examples": self.events[:EXAMPLES],
        }


def _place(both: list[Figure]) -> str:
    """In which situation two actors touched."""
    if any(actor["kind"] == ActorKind.PEDESTRIAN.name.lower() for actor in both):
        return "pedestrian"
    if any(actor["junction"] for actor in both):
        return "junction"
    if any(abs(actor["lateral_m"]) > 0.3 for actor in both):
        return "lane change"
    if any(actor["near_junction"] for actor in both):
        return "before a junction"
    return "following" if both[0]["path"][0] == both[1]["path"][0] else "between lanes"
