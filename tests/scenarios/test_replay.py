"""Recorded traffic: CommonRoad files as roads and scenarios, their obstacles replayed, and what is wrong with files."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cli import main
from pipelines.scenario_runs import Terms, play_runs
from sim.mapfiles.commonroad import is_commonroad, read_commonroad
from sim.mapfiles.lanelets import biarcs, lanelet_network, lanelet_rows, resampled
from sim.roads.lanegraph import compile_lanes
from sim.scenarios.goals import goal_xy_world_m
from sim.scenarios.player import Player, record
from sim.scenarios.reading import declared_parameters, network_of, read_scenario
from sim.scenarios.suites import expand
from sim.scenarios.values import Draw

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "commonroad" / "USA_US101-3_1_T-1.xml"
real_file = pytest.mark.skipif(not REAL.is_file(), reason="needs the recording in ../shared/data/commonroad")
WHEELBASE_M = 2.579

# --- A small file, written by hand: two lanelets of 200 m side by side along x, or one after the other ---


def points(xy):
    return "".join(f"<point><x>{x}</x><y>{y}</y></point>" for x, y in xy)


def lanelet(id, left, right, more=""):
    bounds = f"<leftBound>{points(left)}</leftBound><rightBound>{points(right)}</rightBound>"
    return f'<lanelet id="{id}">\n{bounds}{more}</lanelet>\n'


def straight(id, y, more="", x=(0.0, 200.0)):
    return lanelet(id, [(x[0], y), (x[1], y)], [(x[0], y - 3.5), (x[1], y - 3.5)], more)


BESIDE = straight(1, 3.5, '<adjacentRight ref="2" drivingDir="same"/>') + straight(
    2, 0.0, '<adjacentLeft ref="1" drivingDir="same"/><speedLimit>20</speedLimit>'
)


def exact(tag, value):
    return f"<{tag}><exact>{value}</exact></{tag}>"


def state(tag, step, x, y, heading=0.0, speed: float | None = 10.0):
    velocity = "" if speed is None else exact("velocity", speed)
    place = f"<position><point><x>{x}</x><y>{y}</y></point></position>"
    return f"<{tag}>{place}{exact('orientation', heading)}{exact('time', step)}{velocity}</{tag}>\n"


BOX = "<rectangle><length>4.0</length><width>2.0</width></rectangle>"


def obstacle(states, id=10, kind="car", shape=BOX, version="2018b"):
    """states: (step, x, y, heading, speed), the first initial; one alone is static."""
    static = len(states) == 1
    body = f"<type>{kind}</type><shape>{shape}</shape>" + state("initialState", *states[0])
    if not static:
        body += "<trajectory>" + "".join(state("state", *row) for row in states[1:]) + "</trajectory>"
    role = "static" if static else "dynamic"
    if version == "2018b":
        return f'<obstacle id="{id}"><role>{role}</role>{body}</obstacle>\n'
    return f'<{role}Obstacle id="{id}">{body}</{role}Obstacle>\n'


def cruise(first=0, last=40, x=50.0, y=1.75, speed=10.0):
    """Constant speed along x: it is at `x` at time 0."""
    return [(step, round(x + 0.1 * speed * step, 9), y, 0.0, speed) for step in range(first, last + 1)]


GOAL_TIME = "<time><intervalStart>20</intervalStart><intervalEnd>40</intervalEnd></time>"
CENTRED = BOX.replace("</rectangle>", "<center><x>48</x><y>-1.75</y></center></rectangle>")
GOAL = f"<goalState><position>{CENTRED}</position>{GOAL_TIME}</goalState>"


def problem(step=0, x=20.0, y=-1.75, heading=0.0, speed: float | None = 8.0, goal=GOAL):
    start = state("initialState", step, x, y, heading, speed)
    return f'<planningProblem id="99">\n{start}{goal}</planningProblem>\n'


def small(lanelets=BESIDE, obstacles=None, ego=None, version="2018b", dt="0.1"):
    obstacles = obstacle(cruise(), version=version) if obstacles is None else obstacles
    ego = problem() if ego is None else ego
    head = f'<commonRoad benchmarkID="small" commonRoadVersion="{version}" timeStepSize="{dt}">'
    return f'<?xml version="1.0"?>\n{head}\n{lanelets}{obstacles}{ego}</commonRoad>\n'


def write(folder, text=None, name="small.xml"):
    path = Path(folder) / name
    path.write_text(small() if text is None else text, encoding="utf-8")
    return path


def played(path, dt_s=0.1, size=1, endless=False):
    """The trace, and its scenario; `endless`: on to the last recorded step, whatever the ego reaches."""
    draw = Draw(size)
    tree = read_scenario(path, draw)
    if endless:
        tree = replace(tree, stop=None)
    return record(Player(tree, draw, network_of(tree, draw), dt_s), 60.0), tree


def column(trace, name, values):
    return getattr(trace, values)[0, :, trace.names.index(name)].numpy()


# --- Playing ---


@pytest.mark.parametrize("version", ["2018b", "2020a"])
def test_a_hand_written_file_plays_as_computed(tmp_path, version):
    trace, tree = played(write(tmp_path, small(version=version)), 0.05, endless=True)
    time = np.arange(int(trace.ticks[0])) * 0.05
    assert trace.names == ("Ego", "car_10") and time[-1] == pytest.approx(4.0) and trace.end_reason == ("duration",)
    car, ego = column(trace, "car_10", "xyz_world_m"), column(trace, "Ego", "xyz_world_m")
    np.testing.assert_allclose(car[:, 0], 50.0 + 10.0 * time, atol=1e-9)
    np.testing.assert_allclose(car[:, 1], 1.75, atol=1e-12)
    np.testing.assert_allclose(column(trace, "car_10", "speed_mps"), 10.0, atol=1e-12)
    # The ego's reference point is its rear axle, half a wheelbase behind the point that the file tells.
    np.testing.assert_allclose(ego[:, 0], 20.0 - 0.5 * WHEELBASE_M + 8.0 * time, atol=1e-6)
    np.testing.assert_allclose(ego[:, 1], -1.75, atol=1e-6)
    assert tree.ego == "Ego" and [c.name for c in tree.criteria] == ["no_collision", "reach_goal", "finish_before_s"]
    assert goal_xy_world_m(tree, Draw(1), network_of(tree, Draw(1))) == pytest.approx(np.array([[48.0, -1.75]]))


@real_file
def test_the_real_recording_is_replayed_to_the_millimetre():
    file = read_commonroad(REAL)
    trace, _ = played(REAL, 0.1, endless=True)
    half, _ = played(REAL, 0.05, endless=True)
    assert int(trace.ticks[0]) == 81 and len(file.tracks) == 35
    for track in file.tracks:
        name, steps = f"car_{track.id}", np.arange(len(track.xy_world_m)) + track.first_step
        for run, every in ((trace, 1), (half, 2)):
            there = column(run, name, "xyz_world_m")[steps * every, :2]
            assert np.hypot(*(there - track.xy_world_m).T).max() < 1e-3
            assert np.abs(column(run, name, "speed_mps")[steps * every] - track.speed_mps).max() < 1e-9
            turned = column(run, name, "hpr_rad")[steps * every, 0] - track.heading_rad
            assert np.abs(np.remainder(turned + math.pi, 2.0 * math.pi) - math.pi).max() < 1e-9
            seen = np.zeros(run.valid.shape[1], dtype=bool)
            seen[steps[0] * every : steps[-1] * every + 1] = True
            np.testing.assert_array_equal(column(run, name, "valid"), seen)
        between = column(half, name, "xyz_world_m")[2 * steps[:-1] + 1, :2]
        middle = 0.5 * (track.xy_world_m[1:] + track.xy_world_m[:-1])
        assert np.abs(between - middle).max(initial=0.0) < 1e-3


def test_entities_appear_and_vanish_on_time(tmp_path):
    trace, _ = played(write(tmp_path, small(obstacles=obstacle(cruise(5, 20)))), 0.05, endless=True)
    seen = column(trace, "car_10", "valid")
    assert np.flatnonzero(seen).tolist() == list(range(10, 41))
    assert column(trace, "car_10", "xyz_world_m")[10, 0] == pytest.approx(55.0)


def test_a_time_step_that_does_not_divide_the_recording_is_interpolated(tmp_path):
    trace, _ = played(write(tmp_path), 0.03, endless=True)
    time = np.arange(int(trace.ticks[0])) * 0.03
    inside = time <= 4.0 + 1e-9
    np.testing.assert_allclose(column(trace, "car_10", "xyz_world_m")[inside, 0], 50.0 + 10.0 * time[inside], atol=1e-9)
    np.testing.assert_array_equal(column(trace, "car_10", "valid"), inside)


def test_headings_turn_the_short_way(tmp_path):
    rows = [(step, 50.0, 1.75, 3.0 + 0.1 * step, 0.0) for step in range(5)]
    trace, _ = played(write(tmp_path, small(obstacles=obstacle(rows))), 0.05, endless=True)
    heading = np.unwrap(column(trace, "car_10", "hpr_rad")[:9, 0])
    np.testing.assert_allclose(heading - heading[0], 0.05 * np.arange(9), atol=1e-9)


def test_a_run_has_the_same_bits_alone_and_in_a_batch(tmp_path):
    path = write(tmp_path, small(obstacles=obstacle(cruise()) + obstacle(cruise(3, 30, 80.0), 11, "truck")))
    alone, batch = played(path)[0], played(path, size=3)[0]
    for run in range(3):
        for name in ("xyz_world_m", "hpr_rad", "speed_mps", "valid"):
            assert torch.equal(getattr(alone, name)[0], getattr(batch, name)[run])


def test_time_starts_with_the_ego(tmp_path):
    trace, _ = played(write(tmp_path, small(ego=problem(step=10))), endless=True)
    assert int(trace.ticks[0]) == 31
    assert column(trace, "car_10", "xyz_world_m")[[0, 30], 0].tolist() == pytest.approx([60.0, 90.0])


def test_speeds_that_a_file_lacks_are_those_of_its_positions(tmp_path):
    rows = [(step, 50.0 - 0.5 * step, 1.75, 0.0, None) for step in range(6)]  # in reverse
    track = read_commonroad(write(tmp_path, small(obstacles=obstacle(rows)))).tracks[0]
    np.testing.assert_allclose(track.speed_mps, -5.0)


SHAPES = [
    (BOX, 0.0, (4.0, 2.0), (0.0, 0.0)),
    ("<circle><radius>0.4</radius></circle>", 0.0, (0.8, 0.8), (0.0, 0.0)),
    (f"<polygon>{points([(-1, 0), (3, 0), (3, 1), (-1, 1)])}</polygon>", 0.0, (4.0, 1.0), (1.0, 0.5)),
    (
        "<rectangle><length>4</length><width>2</width><orientation>1.5707963267948966</orientation>"
        "<center><x>1</x><y>0.5</y></center></rectangle>",
        math.pi / 2.0, (4.0, 2.0), (0.5, -1.0),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "turned", "size", "middle"), SHAPES)
def test_static_obstacles_stand_with_their_shape(tmp_path, shape, turned, size, middle):
    path = write(tmp_path, small(obstacles=obstacle([(0, 70.0, 1.75, 0.0, 0.0)], shape=shape, kind="unknown")))
    trace, tree = played(path, endless=True)
    place = column(trace, "unknown_10", "xyz_world_m")
    assert (place[:, :2] == [70.0, 1.75]).all() and column(trace, "unknown_10", "valid").all()
    np.testing.assert_allclose(column(trace, "unknown_10", "hpr_rad")[:, 0], turned)
    entity = tree.entities[1]
    numbers = [value.numbers(Draw(1))[0] for value in (entity.length, entity.width, entity.center_x, entity.center_y)]
    assert numbers == pytest.approx([*size, *middle])


# --- The ego ---


def test_who_drives_decides_whether_a_slower_car_is_hit(tmp_path):
    slow = obstacle(cruise(0, 100, 60.0, -1.75, 3.0))
    path = write(tmp_path, small(obstacles=slow, ego=problem(speed=12.0, goal="")))
    alone, model = (play_runs(path, Draw(1), Terms(agent=agent)) for agent in ("none", "reg157"))
    # Between the bumpers are 40 m less half of both lengths, closed at 9 m/s.
    hit_s = (40.0 - 2.0 - 0.5 * 4.508) / 9.0
    assert bool(alone["collision"][0]) and alone["collision_s"][0] == pytest.approx(hit_s, abs=0.05)
    assert alone["collision_with"][0] == "car_10" and alone["verdict"][0] == "avoidable"
    assert not model["collision"][0] and model["min_gap_m"][0] > 0.5


def test_the_run_ends_at_the_goal_in_its_time(tmp_path):
    path = write(tmp_path)
    columns = play_runs(path, Draw(1), Terms())
    # 8 m/s from 20 m: within 4 m of 48 m for the rear axle after 3.2 s, but not before step 20.
    assert columns["end_reason"][0] == "stop trigger" and columns["criteria"][0] == "passed"
    assert columns["duration_s"][0] == pytest.approx((48.0 - 4.0 + 0.5 * WHEELBASE_M - 20.0) / 8.0, abs=0.11)


def test_a_goal_may_be_a_lanelet_or_a_time_alone(tmp_path):
    place = f'<goalState><position><lanelet ref="1"/></position>{GOAL_TIME}</goalState>'
    tree = read_scenario(write(tmp_path, small(ego=problem(goal=place))), Draw(1))
    assert goal_xy_world_m(tree, Draw(1), network_of(tree, Draw(1))) == pytest.approx(np.array([[100.0, 1.75]]))
    tree = read_scenario(write(tmp_path, small(ego=problem(goal=f"<goalState>{GOAL_TIME}</goalState>"))), Draw(1))
    assert tree.ego_goal is None and [c.name for c in tree.criteria] == ["no_collision"]


@real_file
@pytest.mark.parametrize("agent", ["none", "reg157"])
def test_the_real_recording_is_driven_without_a_collision(agent):
    columns = play_runs(REAL, Draw(1), Terms(agent=agent, dt_s=0.1))
    assert not columns["collision"][0] and columns["duration_s"][0] == pytest.approx(8.0)
    assert columns["min_gap_m"][0] > 10.0


def test_the_command_writes_a_trace_and_suites_find_recordings(tmp_path, capsys):
    path, out = write(tmp_path), tmp_path / "out.csv"
    write(tmp_path, "<OpenSCENARIO/>", "other.xml")
    main(["scenario", str(path), "--dt", "0.1", "--trace", str(out)])
    assert "passed" in capsys.readouterr().out
    rows = [row for row in csv.DictReader(out.open()) if row["name"] == "car_10"]
    assert [float(row["x"]) for row in rows[:3]] == [50.0, 51.0, 52.0]
    assert [variation.file for variation in expand([tmp_path])] == [path]
    assert declared_parameters(path) == ()
    with pytest.raises(ValueError, match="declares no parameter 'v'"):
        read_scenario(path, Draw(1, {"v": np.ones(1)}))


# --- Roads ---


def test_lanelets_side_by_side_are_one_road(tmp_path):
    network = network_of(read_scenario(write(tmp_path), Draw(1)), Draw(1))
    assert network is not None and list(network.roads) == ["1"]
    road = network.roads["1"]
    assert road.length_m == pytest.approx(200.0) and road.driving_lanes == (-2, -1)
    t, width, _ = road.lane_t(-2, np.linspace(0.0, 200.0, 9))
    np.testing.assert_allclose(t, -5.25, atol=1e-9)
    np.testing.assert_allclose(width, 3.5, atol=1e-9)
    lanes = compile_lanes([network])
    assert lanes.has_right.tolist() == [True, False] or lanes.has_left.tolist() == [True, False]
    assert 20.0 in lanes.speed_limit_mps.tolist()
    kinds = [road.sections[0].lanes[id].marks[0].kind for id in (0, -1, -2)]
    assert kinds == ["solid", "broken", "solid"]


def test_the_lanes_of_a_bend_have_the_bounds_of_the_file(tmp_path):
    angle = np.linspace(0.0, math.pi / 2.0, 40)
    circles = [np.column_stack((r * np.sin(angle), 30.0 - r * np.cos(angle))) for r in (23.0, 26.5, 30.0)]
    beside = ('<adjacentRight ref="2" drivingDir="same"/>', '<adjacentLeft ref="1" drivingDir="same"/>')
    text = "".join(lanelet(i + 1, circles[i], circles[i + 1], beside[i]) for i in range(2))
    ego = problem(x=0.0, y=5.25)
    network = network_of(read_scenario(write(tmp_path, small(text, "", ego)), Draw(1)), Draw(1))
    assert network is not None
    for strip in network.strips():
        radius = (23.0, 26.5, 30.0)[-strip.lane - 1]
        for side, wanted in ((strip.left_xy_world_m, radius), (strip.right_xy_world_m, radius + 3.5)):
            np.testing.assert_allclose(np.hypot(side[:, 0], side[:, 1] - 30.0), wanted, atol=0.03)


@pytest.mark.parametrize("radii", [(0.2, 3.7), (1.0, 4.5), (6.0, 9.5)])
@pytest.mark.parametrize("side", [1, -1])
def test_tight_turns_keep_their_bounds_too(tmp_path, radii, side):
    angle = np.linspace(0.0, math.pi / 2.0, 25)
    inner, outer = (np.column_stack((r * np.sin(angle), side * (40.0 - r * np.cos(angle)))) for r in radii)
    left, right = (inner, outer)[::side]
    ego = problem(x=0.0, y=side * (40.0 - 0.5 * sum(radii)), goal="")
    network = lanelet_network(read_commonroad(write(tmp_path, small(lanelet(1, left, right), "", ego))))
    for strip in network.strips(0.5):
        for points, radius in zip((strip.left_xy_world_m, strip.right_xy_world_m), radii[::side], strict=True):
            np.testing.assert_allclose(np.hypot(points[:, 0], points[:, 1] - side * 40.0), radius, atol=0.01)


def test_arcs_through_points_of_a_circle_are_the_circle():
    angle = np.linspace(0.3, 2.0, 7)
    plan, length = biarcs(10.0 * np.column_stack((np.cos(angle), np.sin(angle))))
    assert length == pytest.approx(17.0)
    np.testing.assert_allclose(plan.at(plan.starts_m)[2], 0.1, atol=1e-9)
    xy, heading, _ = plan.at(np.linspace(0.0, length, 50))
    np.testing.assert_allclose(np.hypot(*xy.T), 10.0, atol=1e-9)
    np.testing.assert_allclose(heading, np.linspace(0.3, 2.0, 50) + math.pi / 2.0, atol=1e-9)


def test_lanelets_one_after_the_other_are_linked_and_forks_meet_in_a_junction(tmp_path):
    one = straight(1, 0.0, '<successor ref="2"/>', (0.0, 50.0)) + straight(2, 0.0, "", (50.0, 90.0))
    network = lanelet_network(read_commonroad(write(tmp_path, small(one))))
    assert compile_lanes([network]).successor.tolist() == [1] and not network.junctions
    branch = lanelet(3, [(50.0, 0.0), (90.0, 10.0)], [(50.0, -3.5), (90.0, 6.5)], '<predecessor ref="1"/>')
    network = lanelet_network(read_commonroad(write(tmp_path, small(one + branch))))
    lanes = compile_lanes([network])
    assert sorted(lanes.successor.tolist()) == [1, 2] and len(network.junctions) == 1


def test_the_ego_goes_on_from_lanelet_to_lanelet(tmp_path):
    pieces = "".join(
        straight(i, 0.0, f'<successor ref="{i + 1}"/>' if i < 4 else "", (20.0 * i, 20.0 * i + 20.0)) for i in range(5)
    )
    trace, _ = played(write(tmp_path, small(pieces, ego=problem(goal=""))), endless=True)
    ego = column(trace, "Ego", "xyz_world_m")
    np.testing.assert_allclose(np.diff(ego[:, 0]), 0.8, atol=1e-6)
    np.testing.assert_allclose(ego[:, 1], -1.75, atol=1e-6)


@real_file
def test_the_real_roads_have_the_bounds_of_the_file():
    file = read_commonroad(REAL)
    network, rows = lanelet_network(file), lanelet_rows(file)
    assert [len(row) for row in rows] == [6, 5, 1]
    members = {str(row[0].id): row for row in rows}
    for strip in network.strips():
        here = members[strip.road][-1 - strip.lane]
        for side, bound in (
            (strip.left_xy_world_m, here.left_xy_world_m),
            (strip.right_xy_world_m, here.right_xy_world_m),
        ):
            fine = resampled(bound, 2000)
            away = np.sqrt(((side[2:-2, None] - fine[None]) ** 2).sum(axis=2)).min(axis=1)
            assert away.max() < 0.1
    lanes = compile_lanes([network])
    assert len(lanes.length_m) == 12 and len(lanes.successor) == 6 and int(lanes.has_left.sum()) == 9


# --- What is wrong with files ---

SIGN = '<trafficSign id="7"><trafficSignElement><trafficSignID>274</trafficSignID><additionalValue>{}</additionalValue>'
WRONG = {
    "a gap in time": (small(obstacles=obstacle(cruise()[:5] + cruise()[6:])), r":\d+: <state> is at time step 6, b"),
    "time backwards": (small(obstacles=obstacle(cruise()[::-1])), r"<state> is at time step 39, but 41 comes next"),
    "a broken step": (small().replace(exact("time", 3), exact("time", 3.5)), r":\d+: <time> is 3.5"),
    "no time": (small().replace(exact("time", 3), ""), r":\d+: <state> lacks <time>"),
    "no heading": (small().replace(exact("orientation", 0.0), ""), r"lacks <orientation>"),
    "not a number": (small().replace("<x>53.0</x>", "<x>NaN</x>"), r":\d+: <x> holds 'NaN', which is not a finite"),
    "infinite": (small().replace("<x>53.0</x>", "<x>1e999</x>"), r":\d+: <x> holds '1e999'"),
    "an empty value": (small().replace("<x>53.0</x>", "<x/>"), r":\d+: <x> holds ''"),
    "an unknown neighbour": (small().replace('ref="2"', 'ref="77"'), r":\d+: <adjacentRight> refers to lanelet 77"),
    "an unknown successor": (
        small(straight(1, 0.0, '\n<successor ref="9"/>')), r":5: <successor> refers to lanelet 9, which does not exist"
    ),
    "an unknown goal": (
        small(ego=problem(goal='<goalState><position><lanelet ref="5"/></position></goalState>')), "lanelet 5, which"
    ),
    "a circle of neighbours": (
        small(BESIDE.replace('lanelet id="1">', 'lanelet id="1"><adjacentLeft ref="2" drivingDir="same"/>').replace(
            'lanelet id="2">', 'lanelet id="2"><adjacentRight ref="1" drivingDir="same"/>')),
        r":3: <lanelet> 1 lies beside itself"
    ),
    "one point": (small(lanelet(1, [(0, 0), (0, 0)], [(0, -3), (9, -3)])), r":4: <leftBound> has 1 different points"),
    "a long bound": (small().replace("<x>200.0</x>", "<x>2e8</x>"), r":4: <leftBound> is 200000000 m long"),
    "no bound": (small().replace("leftBound", "middle"), r":3: <lanelet> lacks <leftBound>"),
    "two of an id": (small(straight(1, 0.0) + straight(1, 3.5)), r":\d+: <lanelet> repeats the id 1"),
    "two obstacles of an id": (small(obstacles=2 * obstacle(cruise())), r"<obstacle> repeats the id 10"),
    "no id": (small().replace('lanelet id="1"', "lanelet"), r":3: <lanelet> has id='', which is not a whole number"),
    "no lanelets": (small(""), r":2: <commonRoad> has no <lanelet>"),
    "no ego": (small(ego="\n"), r":2: <commonRoad> has no <planningProblem>"),
    "an ego without speed": (small(ego=problem(speed=None)), r":\d+: <initialState> lacks <velocity>"),
    "no shape": (small(obstacles=obstacle(cruise(), shape="<blob/>")), r":\d+: <blob> is no shape"),
    "two shapes": (small(obstacles=obstacle(cruise(), shape=BOX + BOX)), r"<shape> holds 2 shapes"),
    "a flat shape": (
        small(obstacles=obstacle(cruise(), shape=BOX.replace("2.0", "0"))), r"<rectangle> measures 4 x 0 m"
    ),
    "an occupancy set": (small().replace("<trajectory>", "<occupancySet/><trajectory>"), r"<occupancySet> is not supp"),
    "a speed limit": (small().replace("<speedLimit>20", "<speedLimit>-1"), r"<lanelet> has a speed limit of -1 m/s"),
    "a sign": (small(SIGN.format("fast") + "</trafficSignElement></trafficSign>" + BESIDE), r":3: <additionalValue>"),
    "no time step": (small(dt="0"), r":2: <commonRoad> has timeStepSize=0; it must be"),
    "another version": (small(version="2017a"), r":2: <commonRoad> has commonRoadVersion='2017a'; versions 2018b"),
    "cut off": (small()[:-200], r":\d+: not well-formed XML: .*; is the file complete\?"),
    "a bomb": (
        small().replace("<commonRoad", '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>\n<commonRoad', 1).replace(
            "<x>53.0</x>", "<x>&c;</x>"),
        r":1: declares a DTD"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path, case):
    text, told = WRONG[case]
    with pytest.raises(ValueError, match=told) as caught:
        read_scenario(write(tmp_path, text), Draw(1))
    assert str(caught.value).startswith("small.xml:") and "\n" not in str(caught.value)


def test_files_are_told_apart_by_their_root(tmp_path):
    assert is_commonroad(write(tmp_path))
    assert is_commonroad(write(tmp_path, "<!-- <OpenSCENARIO> -->" + small()[21:], "commented.xml"))
    assert not is_commonroad(write(tmp_path, "<OpenSCENARIO/>", "other.xml"))
    assert not is_commonroad(tmp_path / "none.xml")


SMALL = small(obstacles=obstacle(cruise(0, 4)))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_is_refused_in_one_line_or_plays(tmp_path_factory, data):
    text = bytearray(SMALL, "utf-8")
    for _ in range(data.draw(st.integers(1, 3))):
        first = data.draw(st.integers(120, len(text) - 1))
        last = min(first + data.draw(st.integers(0, 8)), len(text))
        text[first:last] = data.draw(st.binary(max_size=4) | st.sampled_from([b"-", b"9", b"nan", b"<", b"/>", b"e9"]))
    path = tmp_path_factory.mktemp("damage") / "small.xml"
    path.write_bytes(bytes(text))
    try:
        tree = read_scenario(path, Draw(1))
        Player(tree, Draw(1), network_of(tree, Draw(1)), 0.1).step()
    except ValueError as error:
        assert "small.xml" in str(error) and "\n" not in str(error)
