"""Generated roads: networks of the same primitives as map files, a pure function of kind and seed.

rural    a curving two-way road of lines, clothoids and arcs, sometimes with a T or X junction
highway  two curving one-way carriageways of three lanes with a median and shoulders
town     streets on a jittered grid with T and X junctions, bends, sidewalks, often an avenue; no street leads out
crossing one T or X junction with signals, stop or yield signs by the seed
motorway two carriageways with ramps, acceleration and deceleration lanes and lane drops
roundabout a ring of one or two lanes whose three to five arms yield
urban    blocks of a city: signals, priority and stop signs, parking, cycle lanes, sidewalks, zebra crossings
hills    a country road with crests and superelevated curves
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from configs.schema import RoadKind
from sim.roadgen.build import (
    Arm,
    Path,
    Profile,
    add_junction,
    add_road,
)
from sim.roadgen.crossing import crossing
from sim.roadgen.hills import hills
from sim.roadgen.motorway import motorway
from sim.roadgen.paths import clear_of_each_other, wandering_path
from sim.roadgen.roundabout import roundabout
from sim.roadgen.signals import Furniture
from sim.roadgen.streets import lay_streets, street_plan
from sim.roadgen.urban import urban
from sim.roads.network import Road, RoadNetwork

_STREAM = {"rural": 1, "highway": 2, "town": 3, "crossing": 4, "motorway": 5, "roundabout": 6, "urban": 7, "hills": 8}


def generate_road(kind: RoadKind, seed: int) -> RoadNetwork:
    """The road network of a kind and a seed >= 0: always the same bits, visibly different from seed to seed."""
    if kind not in _STREAM:
        raise ValueError(f"road kind {kind!r} is unknown; use one of {', '.join(_STREAM)}")
    if seed < 0:
        raise ValueError(f"road seed {seed} is negative; use 0 or more")
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, _STREAM[kind]])))
    network = _BUILDERS[kind](rng, seed)
    return replace(network, name=f"{kind}-{seed}")


# --- Curving roads ---


def _highway(rng: np.random.Generator, seed: int) -> RoadNetwork:
    width, dash = rng.uniform(3.5, 3.75), ((3.0, 9.0), (6.0, 12.0), (6.0, 6.0))[rng.integers(3)]
    profile = Profile(
        lanes=3, width_m=width, speed_mps=rng.choice((80.0, 100.0, 120.0)) / 3.6, median_m=rng.uniform(2.0, 6.0),
        shoulder_m=rng.uniform(2.2, 3.0), dash_m=dash[0], gap_m=dash[1], mark_width_m=0.15, edge_lines=True,
        inner_color=str(rng.choice(("white", "yellow"))),
    )  # fmt: skip
    start = Path(0.0, 0.0, rng.uniform(-math.pi, math.pi))
    path = wandering_path(rng, start, rng.uniform(1000.0, 1300.0), (250.0, 700.0), math.radians(70.0), 80.0)
    network = RoadNetwork("", {})
    add_road(network, path, profile)
    return network


def _rural(rng: np.random.Generator, seed: int) -> RoadNetwork:
    profile = Profile(
        lanes=1, width_m=rng.uniform(3.0, 3.6), speed_mps=rng.choice((60.0, 70.0, 80.0, 90.0)) / 3.6,
        edge_lines=bool(rng.random() < 0.8), inner_color=str(rng.choice(("white", "yellow"), p=(0.7, 0.3))),
    )  # fmt: skip
    radius, swing = (70.0, 220.0), math.radians(rng.uniform(50.0, 100.0))
    network = RoadNetwork("", {})
    heading = rng.uniform(-math.pi, math.pi)
    arms = int(rng.choice((0, 3, 4), p=(0.4, 0.35, 0.25)))
    if arms == 0:
        path = wandering_path(rng, Path(0.0, 0.0, heading), rng.uniform(650.0, 850.0), radius, swing, 40.0)
        add_road(network, path, profile)
        return network
    while True:
        turns = [0.0, math.pi, rng.uniform(1.25, 1.89), -rng.uniform(1.25, 1.89)][:arms]
        lengths = [rng.uniform(320.0, 450.0), rng.uniform(320.0, 450.0), *rng.uniform(180.0, 320.0, 2)]
        paths = []
        for turn, length in zip(turns, lengths):
            out = heading + turn
            start = Path(14.0 * math.cos(out), 14.0 * math.sin(out), out)
            start.line(25.0)
            paths.append(wandering_path(rng, start, length, radius, swing, 40.0))
        if clear_of_each_other([path.points(5.0) for path in paths], 40.0, 60.0):
            break
    add_junction(network, [Arm(add_road(network, path, profile), "start", profile) for path in paths])
    return Furniture().furnish(network)


# --- Town ---


def _town(rng: np.random.Generator, seed: int) -> RoadNetwork:
    streets = street_plan(rng, (80.0, 115.0))
    width, speed = rng.uniform(3.2, 3.6), rng.choice((30.0, 40.0, 50.0)) / 3.6
    color, edges = str(rng.choice(("white", "yellow"))), bool(rng.random() < 0.4)
    street = Profile(
        lanes=1, width_m=width, speed_mps=speed, sidewalk_m=2.0, edge_lines=edges, inner_color=color, solid_m=18.0
    )
    avenue = Profile(
        lanes=2, width_m=width, speed_mps=max(speed, 50.0 / 3.6), sidewalk_m=2.0, edge_lines=edges, inner_color=color,
        solid_m=18.0, double_line=True,
    )  # fmt: skip
    network = RoadNetwork("", {})
    joined = lay_streets(rng, network, streets, street, avenue)
    furniture = Furniture()
    for members in joined.values():
        add_junction(network, members)
        for arm in members:
            _crossing_paint(furniture, network.roads[arm.road], arm, zebra=bool(rng.random() < 0.6))
    return furniture.furnish(network)


def _crossing_paint(furniture: Furniture, road: Road, arm: Arm, zebra: bool) -> None:
    """A stop line across the incoming lanes of an arm and, before the junction, a zebra crossing."""
    inward = 1.0 if arm.contact == "end" else -1.0
    end = road.length_m if arm.contact == "end" else 0.0
    half = arm.profile.driven_m
    # Incoming lanes lie to the right of the way in.
    furniture.add_line(road, end - inward * (5.2 if zebra else 0.6), (-0.05 * inward, (0.05 - half) * inward), 0.4)
    if zebra:
        furniture.add_line(road, end - inward * 2.6, (0.25 - half, half - 0.25), 3.0, gap_m=0.5)


_BUILDERS: dict[str, Callable[[np.random.Generator, int], RoadNetwork]] = {
    "rural": _rural,
    "highway": _highway,
    "town": _town,
    "crossing": crossing,
    "motorway": motorway,
    "roundabout": roundabout,
    "urban": urban,
    "hills": hills,
}
