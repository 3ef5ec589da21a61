"""Plans of streets: a jittered grid, streets left out of it, and the ways from junction to junction."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sim.roadgen.build import Arm, Profile, add_road, junction_reach_m, polyline_path
from sim.roads.network import RoadNetwork


@dataclass
class Streets:
    """The plan of a town: where its nodes are, which of them streets join, and which of the streets are avenues."""

    xy: np.ndarray  # (n, 2)
    links: list[tuple[int, int]]
    avenue: set[tuple[int, int]]


def street_plan(rng: np.random.Generator, block_m: tuple[float, float]) -> Streets:
    """A jittered grid of streets, turned as a whole, with some streets left out; no street leads out of it."""
    columns, rows = int(rng.integers(3, 5)), int(rng.integers(3, 5))
    x = np.concatenate(([0.0], np.cumsum(rng.uniform(*block_m, columns - 1))))
    y = np.concatenate(([0.0], np.cumsum(rng.uniform(*block_m, rows - 1))))
    xy = np.stack(np.meshgrid(x - x.mean(), y - y.mean()), axis=-1).reshape(-1, 2) + rng.uniform(
        -8.0, 8.0, (rows * columns, 2)
    )
    turn = rng.uniform(-math.pi, math.pi)
    xy = xy @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    node = np.arange(rows * columns).reshape(rows, columns)
    across = [(int(a), int(b)) for a, b in zip(node[:, :-1].ravel(), node[:, 1:].ravel())]
    along = [(int(a), int(b)) for a, b in zip(node[:-1].ravel(), node[1:].ravel())]
    line = node[int(rng.integers(1, rows - 1))] if rng.random() < 0.7 else node[0, :0]
    avenue = {(int(a), int(b)) for a, b in pairwise(line)}
    links = across + along
    for index in rng.permutation(len(links))[: int(rng.integers(1, 4))]:
        link = (across + along)[index]
        rest = [other for other in links if other != link]
        degree = np.bincount(np.array(rest).ravel(), minlength=rows * columns)
        # Leave out streets between junctions only, so that every block stays closed and no bend becomes a dead end.
        if link not in avenue and all(degree[n] >= 3 for n in link):
            links = rest
    return Streets(xy, links, avenue)


def lay_streets(
    rng: np.random.Generator, network: RoadNetwork, streets: Streets, street: Profile, avenue: Profile
) -> dict[int, list[Arm]]:
    """Add a road for every way from junction to junction; returns the arms that meet at each junction's node."""
    chains = _chains(streets)
    bent = [_with_midpoints(rng, streets, chain) for chain in chains]
    profiles = [avenue if (min(c[:2]), max(c[:2])) in streets.avenue else street for c in chains]
    ways: dict[int, list[tuple[float, float]]] = {}  # per node: half width and heading of each way out
    for chain, line, profile in zip(chains, bent, profiles):
        for node, out in ((chain[0], line[1] - line[0]), (chain[-1], line[-2] - line[-1])):
            ways.setdefault(node, []).append((profile.half_width_m, math.atan2(out[1], out[0])))
    reach = {node: junction_reach_m(out) for node, out in ways.items()}
    joined: dict[int, list[Arm]] = {node: [] for node in ways}
    for chain, line, profile in zip(chains, bent, profiles):
        radius = 12.0 + profile.half_width_m, rng.uniform(40.0, 120.0)
        road = add_road(network, polyline_path(line, reach[chain[0]], reach[chain[-1]], *radius), profile)
        joined[chain[0]].append(Arm(road, "start", profile))
        joined[chain[-1]].append(Arm(road, "end", profile))
    return joined


def _chains(streets: Streets) -> list[list[int]]:
    """Streets from junction to junction, through the nodes where just two links meet."""
    near: dict[int, list[int]] = {}
    for a, b in streets.links:
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    chains = []
    for start in sorted(n for n in near if len(near[n]) > 2):
        for step in sorted(near[start]):
            chain = [start, step]
            while len(near[chain[-1]]) == 2:
                chain.append(next(n for n in near[chain[-1]] if n != chain[-2]))
            if chain[0] < chain[-1] or (chain[0] == chain[-1] and chain[1] < chain[-2]):
                chains.append(chain)
    return chains


def _with_midpoints(rng: np.random.Generator, streets: Streets, chain: list[int]) -> np.ndarray:
    """The chain's points (n, 2), some links bent sideways in the middle."""
    points = [streets.xy[chain[0]]]
    for a, b in pairwise(chain):
        p, q = streets.xy[a], streets.xy[b]
        if len(chain) == 2 and rng.random() < 0.7:  # corners need the room themselves
            side = np.array([p[1] - q[1], q[0] - p[0]]) / np.hypot(*(q - p))
            points.append(0.5 * (p + q) + side * rng.choice((-1.0, 1.0)) * rng.uniform(4.0, 11.0))
        points.append(q)
    return np.array(points)
