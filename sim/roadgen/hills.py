"""A country road over hills: curves with superelevation, crests that hide what comes, no overtaking on them."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from sim.roadgen.build import Path, Profile, add_road
from sim.roadgen.paths import wandering_path
from sim.roadgen.signals import Furniture
from sim.roads.geometry import Cubics
from sim.roads.network import MarkLine, RoadMark, RoadNetwork

_GRADE_MAX = 0.08
_BANK_MAX_RAD = 0.06
_SOLID_M = 70.0  # to either side of a crest


def hills(rng: np.random.Generator, seed: int) -> RoadNetwork:
    """The network: one road that ends at the edge of the map."""
    profile = Profile(
        lanes=1, width_m=rng.uniform(3.0, 3.5), speed_mps=float(rng.choice((60.0, 70.0, 80.0, 90.0))) / 3.6,
        shoulder_m=rng.uniform(0.3, 1.0), inner_color=str(rng.choice(("white", "yellow"), p=(0.7, 0.3))),
    )  # fmt: skip
    swing = math.radians(rng.uniform(40.0, 90.0))
    start = Path(0.0, 0.0, rng.uniform(-math.pi, math.pi))
    path = wandering_path(rng, start, rng.uniform(800.0, 1100.0), (110.0, 320.0), swing, 50.0)
    network, furniture = RoadNetwork("", {}), Furniture()
    id = add_road(network, path, profile)
    elevation, crests = _elevation(rng, path.length_m)
    network.roads[id] = replace(network.roads[id], elevation=elevation, superelevation=_superelevation(path))
    _mark_crests(network, id, profile, crests)
    for forward, s in ((True, 15.0), (False, path.length_m - 15.0)):
        t = (-1.0 if forward else 1.0) * (profile.carriageway_m + profile.shoulder_m + 0.5)
        furniture.add_sign(network.roads[id], "speed_limit", s, t, forward, value=profile.speed_mps)
    return furniture.furnish(network)


def _elevation(rng: np.random.Generator, length_m: float) -> tuple[Cubics, list[float]]:
    """Heights that rise to crests and fall to sags, level at each, by cubics; and where the crests are."""
    count = max(4, round(length_m / rng.uniform(130.0, 190.0)))
    at = np.concatenate(([0.0], np.sort(_spread(rng, length_m, count)), [length_m]))
    up = bool(rng.random() < 0.5)
    heights, crests = [0.0], []
    for a, b in pairwise(at):
        # Between level ends a cubic is steepest in the middle: 1.5 times the mean grade.
        rise = rng.uniform(0.35, 1.0) * _GRADE_MAX / 1.5 * (b - a)
        heights.append(heights[-1] + (rise if up else -rise))
        if up and b < length_m:
            crests.append(float(b))
        up = not up
    rows = [
        [low, 0.0, 3.0 * (high - low) / (b - a) ** 2, -2.0 * (high - low) / (b - a) ** 3]
        for (a, b), (low, high) in zip(pairwise(at), pairwise(heights))
    ]
    return Cubics(at[:-1].copy(), np.array(rows)), crests


def _spread(rng: np.random.Generator, length_m: float, count: int) -> np.ndarray:
    """Places of turning points, jittered about equal distances."""
    step = length_m / count
    return np.arange(1, count) * step + rng.uniform(-0.25, 0.25, count - 1) * step


def _superelevation(path: Path) -> Cubics:
    """Curves lean inwards in proportion to their curvature, which along lines, arcs and clothoids is linear."""
    s = np.array([piece.s_m for piece in path.pieces])
    ends = s + np.array([piece.length_m for piece in path.pieces])
    bend = np.array([path.plan.at(np.array([a, b - 1e-9]))[2] for a, b in zip(s, ends)])
    bank = -_BANK_MAX_RAD * bend / max(float(np.abs(bend).max()), 1e-9)
    rows = np.zeros((len(s), 4))
    rows[:, 0], rows[:, 1] = bank[:, 0], (bank[:, 1] - bank[:, 0]) / (ends - s)
    return Cubics(s, rows)


def _mark_crests(network: RoadNetwork, id: str, profile: Profile, crests: list[float]) -> None:
    """The middle line is solid where a crest hides the oncoming lane."""
    road = network.roads[id]
    section = road.sections[0]
    broken = section.lanes[0].marks[0]
    line = MarkLine(0.0, profile.mark_width_m, 3.0, 0.0)
    marks = [broken]
    for crest in crests:
        start, end = max(crest - _SOLID_M, 0.0), crest + _SOLID_M
        if start <= marks[-1].s_offset_m:  # goes on from the crest before
            marks.pop()
        else:
            marks.append(RoadMark(start, "solid", profile.inner_color, (line,)))
        if end < road.length_m:
            marks.append(replace(broken, s_offset_m=end))
    lanes = section.lanes | {0: replace(section.lanes[0], marks=tuple(marks))}
    network.roads[id] = replace(road, sections=(replace(section, lanes=lanes),))
