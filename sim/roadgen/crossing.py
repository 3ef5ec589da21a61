"""One T or X junction of a major and a minor road.

By seed % 4 it has signals, stop signs on the minor road, yield signs on the minor road, or stop signs on every arm.
"""

import math

import numpy as np

from sim.roadgen.build import Arm, Path, Profile, add_junction, add_road, junction_reach_m
from sim.roadgen.signals import CONTROLS, Control, Furniture, control_junction
from sim.roads.network import RoadNetwork


def crossing(rng: np.random.Generator, seed: int) -> RoadNetwork:
    """The network; arms end at the edge of the map."""
    control = CONTROLS[seed % len(CONTROLS)]
    major, minor = _profiles(rng, control)
    heading = rng.uniform(-math.pi, math.pi)
    side = rng.choice((-1.0, 1.0))
    turns = [0.0, math.pi + rng.uniform(-0.12, 0.12), side * rng.uniform(1.2, 1.9), -side * rng.uniform(1.2, 1.9)]
    turns = turns[: 4 if rng.random() < 0.6 else 3]
    profiles = [major, major, minor, minor][: len(turns)]
    reach = junction_reach_m([(profile.half_width_m, heading + turn) for profile, turn in zip(profiles, turns)])
    network, furniture = RoadNetwork("", {}), Furniture()
    arms = []
    for profile, turn in zip(profiles, turns):
        out = heading + turn
        path = Path(reach * math.cos(out), reach * math.sin(out), out)
        path.line(rng.uniform(40.0, 60.0))
        _bend(rng, path)
        arms.append(Arm(add_road(network, path, profile), "start", profile))
    junction = add_junction(network, arms)
    control_junction(network, furniture, junction, arms, {0, 1}, control)
    for arm in arms:
        _limit_sign(network, furniture, arm)
    return furniture.furnish(network)


def _profiles(rng: np.random.Generator, control: Control) -> tuple[Profile, Profile]:
    """Of the major and of the minor road: streets in a built-up area, or country roads, which have no signals here."""
    width, color = rng.uniform(3.2, 3.6), str(rng.choice(("white", "yellow"), p=(0.7, 0.3)))
    built_up = control == "signals" or rng.random() < 0.5
    wide = built_up and control != "all_way_stop" and rng.random() < 0.5
    speed = 50.0 if built_up else float(rng.choice((60.0, 70.0, 80.0)))
    sidewalk = 2.0 if built_up else 0.0

    def profile(lanes: int, kmh: float) -> Profile:
        return Profile(
            lanes=lanes, width_m=width, speed_mps=kmh / 3.6, sidewalk_m=sidewalk, shoulder_m=0.0 if built_up else 0.5,
            edge_lines=not built_up, inner_color=color, solid_m=30.0, double_line=lanes > 1,
            clear_m=5.4 if built_up else 0.8,
        )  # fmt: skip

    return profile(2 if wide else 1, speed), profile(1, min(speed, 30.0 if rng.random() < 0.3 else speed))


def _bend(rng: np.random.Generator, path: Path) -> None:
    """A gentle curve and the straight behind it."""
    radius, turn = rng.uniform(150.0, 400.0), rng.uniform(0.05, 0.35)
    curvature, clothoid = float(rng.choice((-1.0, 1.0))) / radius, 0.3 * turn * radius
    path.spiral(clothoid, 0.0, curvature)
    path.arc(max(turn * radius - clothoid, 5.0), curvature)
    path.spiral(clothoid, curvature, 0.0)
    path.line(rng.uniform(60.0, 110.0))


def _limit_sign(network: RoadNetwork, furniture: Furniture, arm: Arm) -> None:
    """The speed limit, for who comes into the map."""
    road = network.roads[arm.road]
    t = arm.profile.carriageway_m + arm.profile.shoulder_m + 0.6
    furniture.add_sign(road, "speed_limit", road.length_m - 10.0, t, False, value=arm.profile.speed_mps)
