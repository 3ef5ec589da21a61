"""Generated roads: reproducible, different, connected, free of self-intersections, long enough to drive."""

from typing import get_args

import numpy as np
import pytest
import torch

from configs.schema import RoadKind
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes

KINDS = ("rural", "highway", "town")
EVERY_KIND = get_args(RoadKind)


def points_of(network):
    return np.concatenate([strip.center_xyz_world_m for strip in network.strips(5.0)])


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_seed_is_a_road(kind):
    first, again, other = (generate_road(kind, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(points_of(first), points_of(again))
    for a, b in zip(first.markings(), again.markings(), strict=True):
        np.testing.assert_array_equal(a.xy_world_m, b.xy_world_m)
    a, b = points_of(first), points_of(other)
    assert len(a) != len(b) or np.abs(a - b).max() > 10.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_no_two_lanes_overlap_outside_junctions(kind, seed):
    """Centres of lanes of different roads, or of one lane apart along it, stay a lane's width apart."""
    strips = [s for s in generate_road(kind, seed).strips(3.0) if s.junction is None]
    xy = np.concatenate([s.center_xyz_world_m[:, :2] for s in strips])
    width = np.concatenate([s.width_m for s in strips])
    road = np.concatenate([np.full(len(s.s_m), int(s.road)) for s in strips])
    s = np.concatenate([s.s_m for s in strips])
    near = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) < 0.45 * (width[:, None] + width[None])
    elsewhere = (road[:, None] != road[None]) | (np.abs(s[:, None] - s[None]) > 15.0)
    assert not (near & elsewhere).any()


@pytest.mark.parametrize("seed", range(12))
def test_nothing_leads_out_of_a_town(seed):
    graph = compile_lanes([generate_road("town", seed)])
    assert (torch.diff(graph.successor_first) > 0).all() and (torch.diff(graph.predecessor_first) > 0).all()
    assert graph.curvature_1pm.abs().max() < 1 / 5.0
    assert graph.is_junction.any()


@pytest.mark.parametrize("seed", range(12))
def test_a_rural_road_ends_only_at_its_ends(seed):
    network = generate_road("rural", seed)
    graph = compile_lanes([network])
    arms = sum(road.junction is None for road in network.roads.values())
    assert int((torch.diff(graph.successor_first) == 0).sum()) == (2 if arms == 1 else arms)
    assert graph.length_m.max() > 300.0


def test_a_highway_is_two_carriageways():
    network = generate_road("highway", 0)
    graph = compile_lanes([network])
    assert len(graph.length_m) == 6 and (graph.length_m > 900.0).all()
    assert graph.has_left.sum() == graph.has_right.sum() == 4
    kinds = {strip.kind for strip in network.strips()}
    assert kinds == {"driving", "median", "shoulder"}


def longest_route_m(graph, lane, enough_m):
    """The length of some way of at least `enough_m` from the lane's start, or of the longest one found."""
    best, stack, seen = 0.0, [(lane, 0.0)], set()
    while stack and best < enough_m:
        here, before = stack.pop()
        if here in seen:
            continue
        seen.add(here)
        after = before + float(graph.length_m[here])
        best = max(best, after)
        first, last = int(graph.successor_first[here]), int(graph.successor_first[here + 1])
        stack.extend((int(other), after) for other in graph.successor[first:last])
    return best


@pytest.mark.parametrize("kind", KINDS)
def test_most_lanes_start_a_route_of_300_m(kind):
    for seed in range(4):
        graph = compile_lanes([generate_road(kind, seed)])
        long = [longest_route_m(graph, lane, 300.0) >= 300.0 for lane in range(len(graph.length_m))]
        assert np.mean(long) > 0.6


def test_towns_have_sidewalks_crossings_and_paint():
    network = generate_road("town", 1)
    assert {"driving", "sidewalk"} <= {strip.kind for strip in network.strips()}
    assert any(marking.width_m == 3.0 and marking.gap_m > 0.0 for marking in network.markings())  # zebra
    assert any(marking.gap_m > 0.0 and marking.width_m < 0.2 for marking in network.markings())


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="road kind 'moon' is unknown; use one of rural, highway, town"):
        generate_road("moon", 0)
    with pytest.raises(ValueError, match="road seed -1 is negative"):
        generate_road("town", -1)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_many_seeds_generate(kind):
    for seed in (*range(100, 125), 2**31 - 1, 10**18):
        assert generate_road(kind, seed).roads
