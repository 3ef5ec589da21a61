"""The lane graph: samples, links, neighbours, conflicts and look-ups, on tiny maps, generated ones and real files."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from sim.mapfiles.opendrive import read_opendrive
from sim.roadgen.build import Arm, Profile, add_junction, add_road
from sim.roadgen.build import Path as Track
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes, map_lanes, to_device
from sim.roads.lanemaps import edge_map
from sim.roads.network import RoadNetwork

OPENDRIVE = Path(__file__).resolve().parents[3] / "shared" / "data" / "opendrive"
real_maps = pytest.mark.skipif(not OPENDRIVE.is_dir(), reason="needs the real maps in ../shared/data/opendrive")


def crossroads(arms=4, first_rad=0.0):
    """Two-way roads of 60 m that end 14 m from a common centre, at right angles."""
    network, profile, ends = RoadNetwork("cross", {}), Profile(lanes=1, width_m=3.5, speed_mps=10.0), []
    for i in range(arms):
        out = first_rad + i * math.pi / 2
        track = Track(14.0 * math.cos(out), 14.0 * math.sin(out), out)
        track.line(60.0)
        ends.append(Arm(add_road(network, track, profile), "start", profile))
    add_junction(network, ends)
    return network


def straight(lanes=3, heading_rad=0.0, length_m=60.0):
    network, track = RoadNetwork("straight", {}), Track(0.0, 0.0, heading_rad)
    track.line(length_m)
    add_road(network, track, Profile(lanes=lanes, width_m=3.5, speed_mps=10.0))
    return network


def row(first, values, i):
    return values[int(first[i]) : int(first[i + 1])].tolist()


def check_contract(graph):
    """What every compiled graph promises."""
    first = graph.sample_first.long()
    count = torch.diff(first)
    assert first[0] == 0 and first[-1] == len(graph.width_m) and (count >= 2).all()
    torch.testing.assert_close(graph.length_m, graph.step_m * (count - 1))
    inside = torch.diff(graph.sample_lane) == 0
    gap = torch.linalg.norm(torch.diff(graph.xy_world_m, dim=0), dim=1)
    step = graph.step_m[graph.sample_lane[:-1].long()]
    assert (torch.abs(gap - step)[inside] < 0.01).all()  # chords of tight bends
    assert (torch.diff(graph.yaw_world_rad)[inside].abs() < 0.5).all()
    assert ((graph.step_m > 0.0) & (graph.step_m < 1.5)).all()
    for here, there in (("successor", "predecessor"), ("predecessor", "successor")):
        for lane in range(len(graph.length_m)):
            for other in row(getattr(graph, f"{here}_first"), getattr(graph, here), lane):
                assert lane in row(getattr(graph, f"{there}_first"), getattr(graph, there), other)
    check_links_meet(graph)
    check_neighbours(graph)
    check_conflicts(graph)


def check_links_meet(graph):
    for lane in range(len(graph.length_m)):
        for other in row(graph.successor_first, graph.successor, lane):
            end, start = int(graph.sample_first[lane + 1]) - 1, int(graph.sample_first[other])
            assert torch.linalg.norm(graph.xy_world_m[end] - graph.xy_world_m[start]) < 0.01
            turn = float(graph.yaw_world_rad[end] - graph.yaw_world_rad[start])
            assert abs(math.remainder(turn, 2 * math.pi)) < 0.02


def check_neighbours(graph):
    for lane in range(len(graph.length_m)):
        for has, neighbour, sign in ((graph.has_left, graph.left_lane, 1), (graph.has_right, graph.right_lane, -1)):
            if has[lane]:
                middle = int(graph.sample_first[lane] + graph.sample_first[lane + 1]) // 2
                a, b = graph.sample_first[int(neighbour[lane])], graph.sample_first[int(neighbour[lane]) + 1]
                beside = graph.xy_world_m[int(a) : int(b)] - graph.xy_world_m[middle]
                nearest = beside[torch.linalg.norm(beside, dim=1).argmin()]
                yaw = graph.yaw_world_rad[middle]
                assert sign * (torch.cos(yaw) * nearest[1] - torch.sin(yaw) * nearest[0]) > 0.0
            else:
                assert neighbour[lane] == lane


def check_conflicts(graph):
    """Every conflict has its mirror image, spans lie on the lanes, and exactly one side yields."""
    seen = {}
    for lane in range(len(graph.length_m)):
        for e in range(int(graph.conflict_first[lane]), int(graph.conflict_first[lane + 1])):
            span = graph.conflict_span_m[e].tolist()
            other = int(graph.conflict_lane[e])
            assert 0.0 <= span[0] <= span[1] <= float(graph.length_m[lane]) + 1e-3
            assert 0.0 <= span[2] <= span[3] <= float(graph.length_m[other]) + 1e-3
            seen[lane, other] = (span, bool(graph.conflict_yields[e]))
    for (a, b), (span, yields) in seen.items():
        mirror, other_yields = seen[b, a]
        assert mirror == [span[2], span[3], span[0], span[1]] and yields != other_yields


def test_a_crossroads():
    network = crossroads()
    graph = compile_lanes([network])
    check_contract(graph)
    lanes = map_lanes(network)
    assert len(lanes.keys) == 4 * 2 + 12
    incoming = [i for i, key in enumerate(lanes.keys) if key[0] in "0123" and key[2] == 1]
    assert [len(lanes.successors[i]) for i in incoming] == [3, 3, 3, 3]
    assert graph.is_junction.sum() == 12 and set(graph.speed_limit_mps.tolist()) == {10.0}


def between(network, graph, a, b):
    """The connecting lane from road a to road b."""
    keys = [key for road in network.roads.values() for key in [road.id] if road.junction]
    found = [r for r in keys if (network.roads[r].predecessor.id, network.roads[r].successor.id) == (a, b)]
    index = {key[0]: i for i, key in enumerate(map_lanes(network).keys) if network.roads[key[0]].junction}
    return index[found[0]]


def yields(graph, lane, other):
    for e in range(int(graph.conflict_first[lane]), int(graph.conflict_first[lane + 1])):
        if int(graph.conflict_lane[e]) == other:
            return bool(graph.conflict_yields[e])
    return None


def test_right_of_way_at_a_crossroads():
    """Roads 0..3 leave to the east, north, west, south."""
    network = crossroads()
    graph = compile_lanes([network])
    west_to_east, east_to_west = between(network, graph, "2", "0"), between(network, graph, "0", "2")
    left_turn = between(network, graph, "0", "3")  # from the east, turning south across the oncoming lane
    right_turn = between(network, graph, "2", "3")  # from the west, turning south
    assert yields(graph, left_turn, west_to_east) is True  # left turn gives way to oncoming straight
    assert yields(graph, left_turn, right_turn) is True  # and to the oncoming right turn into the same road
    assert yields(graph, right_turn, between(network, graph, "1", "3")) is True  # turning gives way to straight
    assert yields(graph, west_to_east, east_to_west) is None  # opposite lanes do not touch
    assert yields(graph, west_to_east, between(network, graph, "2", "1")) is None  # lanes that only diverge


@pytest.mark.parametrize("first_rad", [0.0, 0.4, 2.0])
def test_right_before_left_where_an_approach_is_missing(first_rad):
    """A T junction without straight-on from its stem: the two left turns meet; who comes from the right goes first."""
    network = crossroads(arms=3, first_rad=first_rad)  # arms to the east, north and west
    graph = compile_lanes([network])
    from_north, from_west = between(network, graph, "1", "0"), between(network, graph, "2", "1")
    assert yields(graph, from_north, from_west) is True  # heading south, the west arm is on the right-hand side


def test_right_of_way_has_no_circle():
    """The four straight lanes of a crossroads must not wait for each other in a ring."""
    network = crossroads(first_rad=0.3)
    graph = compile_lanes([network])
    waits = {lane: set() for lane in range(len(graph.length_m))}
    for lane in waits:
        for e in range(int(graph.conflict_first[lane]), int(graph.conflict_first[lane + 1])):
            if graph.conflict_yields[e]:
                waits[lane].add(int(graph.conflict_lane[e]))
    while free := [lane for lane, others in waits.items() if not others]:
        for lane in free:
            del waits[lane]
        for others in waits.values():
            others.difference_update(free)
    assert not waits


def test_neighbours_need_a_broken_line():
    graph = compile_lanes([straight(lanes=3)])
    check_contract(graph)
    assert graph.has_left.sum() == 4 and graph.has_right.sum() == 4  # broken between lanes, nothing across the middle


def test_curvature_of_a_circle():
    network, track = RoadNetwork("arc", {}), Track(0.0, 0.0, 0.0)
    track.arc(120.0, 1 / 60)
    add_road(network, track, Profile(lanes=1, width_m=4.0, speed_mps=10.0))
    graph = compile_lanes([network])
    left, right = sorted(map_lanes(network).keys, key=lambda key: -key[2])
    curvature = {key: graph.curvature_1pm[graph.sample_lane == i] for i, key in enumerate(map_lanes(network).keys)}
    torch.testing.assert_close(curvature[right], torch.full_like(curvature[right], 1 / 62), atol=1e-5, rtol=0)
    torch.testing.assert_close(curvature[left], torch.full_like(curvature[left], -1 / 58), atol=1e-5, rtol=0)


@pytest.mark.parametrize("heading_rad", [0.0, 0.3, math.pi / 4, 1.2])
def test_edge_distance_beside_a_straight_road(heading_rad):
    network = straight(lanes=1, heading_rad=heading_rad)
    edge = edge_map(network, 0.5)
    rows, columns = np.mgrid[: edge.distance_m.shape[0], : edge.distance_m.shape[1]]
    xy = np.stack((columns, rows), axis=-1) * 0.5 + edge.origin_world_m
    along = xy @ [math.cos(heading_rad), math.sin(heading_rad)]
    beside = np.abs(xy @ [-math.sin(heading_rad), math.cos(heading_rad)])
    check = (along > 12.0) & (along < 48.0)
    error = edge.distance_m - np.clip(3.5 - beside, -8.0, 8.0)
    assert np.abs(error[check & (beside < 5.5)]).max() < 0.18  # pixels of 0.125 m
    assert np.abs(error[check].mean()) < 0.03
    assert np.abs(error[check]).max() < 0.35  # the chamfer metric's 2 % at 8 m, and the pixels
    assert edge.distance_m.min() >= -8.0 and edge.distance_m.max() <= 8.0


def test_a_junction_has_no_holes():
    network = crossroads()
    graph = compile_lanes([network])
    origin, (columns, rows) = graph.edge_origin_world_m[0], graph.edge_shape[0].tolist()
    distance = graph.edge_distance_m.reshape(rows, columns)
    column, line = ((torch.zeros(2) - origin) / graph.edge_cell_m).round().int().tolist()
    assert (distance[line - 8 : line + 9, column - 8 : column + 9] > 0.0).all()  # 4 m around the centre


def test_the_grid_finds_what_a_search_through_all_samples_finds():
    graph = compile_lanes([generate_road("town", 3), generate_road("rural", 2)])
    rng = np.random.default_rng(0)
    for m in range(2):
        lanes = range(int(graph.lane_first[m]), int(graph.lane_first[m + 1]))
        a, b = int(graph.sample_first[lanes[0]]), int(graph.sample_first[lanes[-1] + 1])
        xy = graph.xy_world_m[a:b].numpy()
        origin, (columns, rows) = graph.grid_origin_world_m[m].numpy(), graph.grid_shape[m].tolist()
        for _ in range(300):
            i = rng.integers(len(xy))
            point = xy[i] + rng.uniform(-3.0, 3.0, 2)
            reach = np.hypot(
                0.5 * graph.width_m[a:b].numpy(), 0.5 * graph.step_m[graph.sample_lane[a:b].long()].numpy()
            )
            near = set((np.flatnonzero(np.hypot(*(xy - point).T) < reach + 1.99) + a).tolist())
            column, line = np.floor((point - origin) / graph.grid_cell_m).astype(int)
            if near:
                assert 0 <= column < columns and 0 <= line < rows
                cell = int(graph.grid_first[m]) + line * columns + column
                assert near <= set(row(graph.cell_first, graph.cell_sample, cell))


def test_maps_stacked_are_the_maps_alone():
    networks = [generate_road("rural", 0), generate_road("town", 1), straight()]
    whole, alone = compile_lanes(networks), [compile_lanes([network]) for network in networks]
    check_contract(whole)
    assert whole.lane_first.tolist() == np.cumsum([0] + [len(g.length_m) for g in alone]).tolist()
    for name in ("xy_world_m", "curvature_1pm", "speed_limit_mps", "conflict_span_m", "edge_distance_m", "has_left"):
        torch.testing.assert_close(getattr(whole, name), torch.cat([getattr(g, name) for g in alone]), atol=0, rtol=0)
    shift, lane = int(whole.lane_first[1]), 5
    assert row(whole.successor_first, whole.successor, shift + lane) == [
        other + shift for other in row(alone[1].successor_first, alone[1].successor, lane)
    ]
    assert whole.edge_first.tolist() == np.cumsum([0] + [len(g.edge_distance_m) for g in alone[:-1]]).tolist()


def test_to_device_and_empty_input():
    graph = compile_lanes([straight()])
    torch.testing.assert_close(to_device(graph, "cpu").xy_world_m, graph.xy_world_m)
    with pytest.raises(ValueError, match="no maps"):
        compile_lanes([])
    with pytest.raises(ValueError, match="no driving lanes"):
        compile_lanes([RoadNetwork("empty", {})])


@real_maps
@pytest.mark.parametrize(
    ("name", "lanes", "dead_ends", "neighbours"),
    [("carla/Town01", 124, 0, 0), ("carla/Town04", 463, 0, 95), ("esmini/fabriksgatan", 20, 4, 0),
     ("esmini/e6mini", 6, 6, 4), ("esmini/two_plus_one", 17, 5, 7), ("esmini/multi_intersections", 86, 2, 2)],
)  # fmt: skip
def test_real_maps_compile(name, lanes, dead_ends, neighbours):
    graph = compile_lanes([read_opendrive(OPENDRIVE / f"{name}.xodr")])
    check_contract(graph)
    assert len(graph.length_m) == lanes
    assert int((torch.diff(graph.successor_first) == 0).sum()) == dead_ends
    assert int(graph.has_left.sum()) == int(graph.has_right.sum()) == neighbours
