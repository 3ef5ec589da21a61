"""The player: batches, driven entities, what a driver sees, collisions, ends, and what it refuses."""

import math
import re

import numpy as np
import pytest
import torch
from small_scenarios import CAR, ROAD, after, event, parameter, place, scenario, speed, write

from sim.mapfiles.opendrive import read_opendrive
from sim.scenarios.player import EgoCommand, Player, play, record
from sim.scenarios.reading import network_of, roads_of
from sim.scenarios.values import Draw, Mixed
from sim.scenarios.xosc import read_xosc

TWO = f'<ScenarioObject name="Ego">{CAR}</ScenarioObject><ScenarioObject name="Other">{CAR}</ScenarioObject>'


def player(folder, text, draw=None, driven=(), dt_s=0.05):
    path = write(folder, text)
    draw = draw or Draw(1)
    tree = read_xosc(path, draw)
    assert tree.road_file is not None
    return Player(tree, draw, read_opendrive(tree.road_file), dt_s, driven)


def two(lane="-1", events=""):
    ego, other = place("50") + speed("10"), place("80", lane) + speed("5")
    init = f'<Private entityRef="Ego">{ego}</Private><Private entityRef="Other">{other}</Private>'
    return scenario(entities=TWO, init=init, events=events)


LANE_CHANGE = (
    "<PrivateAction><LateralAction><LaneChangeAction>"
    '<LaneChangeActionDynamics dynamicsShape="sinusoidal" value="$rate" dynamicsDimension="rate"/>'
    '<LaneChangeTarget><AbsoluteTargetLane value="-2"/></LaneChangeTarget>'
    "</LaneChangeAction></LateralAction></PrivateAction>"
)
VARIED = {
    "parameters": parameter("rate", "1") + parameter("v", "10") + parameter("start", "1"),
    "init": f'<Private entityRef="Ego">{place("20")}{speed("$v")}</Private>',
    "events": event(LANE_CHANGE, start=after("$start")) + event(speed("${$v / 3}"), "slower", after("${$start + 2}")),
}


def varied(size, seed):
    rng = np.random.default_rng(seed)
    ranges = {"rate": (0.5, 2.0), "v": (5.0, 30.0), "start": (0.2, 2.0)}
    return Draw(size, {name: rng.uniform(*limits, size) for name, limits in ranges.items()})


def test_runs_on_several_maps_have_the_same_bits_as_each_on_its_own(tmp_path):
    text = scenario(**VARIED | {"parameters": VARIED["parameters"] + parameter("road", "", "string")}, road="$road")
    path = write(tmp_path, text)
    (tmp_path / "curve.xodr").write_text(ROAD.replace("<line/>", '<arc curvature="0.004"/>'), encoding="utf-8")
    names = np.array(["road.xodr", "curve.xodr", "curve.xodr"] * 4, dtype=object)
    draw = Draw(12, dict(varied(12, 2).values) | {"road": names})
    tree = read_xosc(path, draw)
    batch = record(Player(tree, draw, roads_of(tree, draw)), 6.0)
    ends = batch.xyz_world_m[range(12), batch.ticks - 1, 0]
    assert (ends[names == "curve.xodr", 1] > ends[names == "road.xodr", 1].max() + 1.0).all()
    for run in range(12):
        alone = draw.take(np.array([run]))
        own = read_xosc(path, alone)
        assert own.road_file == tmp_path / names[run]
        trace = record(Player(own, alone, network_of(own, alone)), 6.0)
        for name in ("xyz_world_m", "hpr_rad", "speed_mps"):
            assert torch.equal(getattr(trace, name)[0], getattr(batch, name)[run]), name
    with pytest.raises(Mixed, match="road"):
        network_of(tree, draw)


def test_a_run_has_the_same_bits_alone_and_in_a_batch(tmp_path):
    draw = varied(100, 1)
    batch = record(player(tmp_path, scenario(**VARIED), draw), 6.0)
    for run in (0, 13, 57, 99):
        alone = record(player(tmp_path, scenario(**VARIED), draw.take(np.array([run]))), 6.0)
        assert int(alone.ticks[0]) == int(batch.ticks[run])
        for name in ("xyz_world_m", "hpr_rad", "speed_mps"):
            assert torch.equal(getattr(alone, name)[0], getattr(batch, name)[run]), name


def test_a_batch_may_be_cut_anywhere(tmp_path):
    draw = varied(10, 2)
    whole = record(player(tmp_path, scenario(**VARIED), draw), 6.0)
    for rows in (np.arange(3), np.arange(3, 10)):
        part = record(player(tmp_path, scenario(**VARIED), draw.take(rows)), 6.0)
        assert torch.equal(part.xyz_world_m, whole.xyz_world_m[rows])


def test_the_stop_trigger_ends_a_run_and_its_state_stays(tmp_path):
    draw = Draw(2, {"end": np.array([1.0, 2.0])})
    text = scenario(parameters=parameter("end", "1"), events="", stop=after("$end"))
    play_both = player(tmp_path, text, draw)
    while not bool(play_both.done.all()):
        play_both.step()
    # greaterThan 1 s shows at the tick after 1 s.
    assert play_both.end_tick.tolist() == [21, 41]
    assert play_both.end_reason == ("stop trigger", "stop trigger")
    assert play_both.state.x_m[:, 0].tolist() == pytest.approx([50 + 10.5, 50 + 20.5])
    before = play_both.tick
    play_both.step()
    assert play_both.tick == before


def test_play_is_the_simple_case(tmp_path):
    trace = play(write(tmp_path, scenario(events="")), seconds=1.0)
    assert trace.names == ("Ego",) and int(trace.ticks[0]) == 21 and trace.end_reason == ("",)
    assert trace.xyz_world_m[0, -1, 0].tolist() == pytest.approx([60.0, -1.75, 0.0])


def test_driven_entity_follows_its_command(tmp_path):
    drive = player(tmp_path, scenario(events=""), Draw(2), driven=("Ego",))
    assert bool(drive.driving.all())
    for _ in range(20):
        drive.step(EgoCommand(torch.tensor([[2.0], [-20.0]], dtype=torch.float64)))
    speeds = drive.state.speed_mps[:, 0].tolist()
    assert speeds == pytest.approx([12.0, 0.0])
    # x = v t + a t^2/2; the other stops within 0.5 s: v^2/(2 a)
    assert drive.state.x_m[:, 0].tolist() == pytest.approx([50 + 11.0, 50 + 2.5])


def test_driven_entity_steers_on_a_circle(tmp_path):
    drive = player(tmp_path, scenario(events=""), driven=("Ego",))
    steer = torch.tensor([[0.2]], dtype=torch.float64)
    for _ in range(40):
        drive.step(EgoCommand(torch.zeros(1, 1, dtype=torch.float64), steer))
    radius = 2.98 / math.tan(0.2)
    angle = 20.0 / radius
    assert drive.state.heading_rad[0, 0].item() == pytest.approx(angle)
    assert drive.state.x_m[0, 0].item() == pytest.approx(50 + radius * math.sin(angle))
    assert drive.state.y_m[0, 0].item() == pytest.approx(-1.75 + radius * (1 - math.cos(angle)))


ACTIVATE = (
    '<PrivateAction><ControllerAction><ActivateControllerAction lateral="true" longitudinal="true"/>'
    "</ControllerAction></PrivateAction>"
)


def test_a_driven_entity_waits_for_its_activation(tmp_path):
    drive = player(tmp_path, scenario(events=event(ACTIVATE, start=after("0.5"))), driven=("Ego",))
    command = EgoCommand(torch.full((1, 1), -5.0, dtype=torch.float64))
    for _ in range(20):
        drive.step(command)
    # Activated in the tick after 0.5 s: 9 ticks of braking at 5 m/s2.
    assert drive.state.speed_mps[0, 0].item() == pytest.approx(10 - 5 * 9 * 0.05)


def test_a_driven_entity_needs_commands(tmp_path):
    drive = player(tmp_path, scenario(events=""), driven=("Ego",))
    with pytest.raises(ValueError, match="Ego needs a command"):
        drive.step()
    with pytest.raises(ValueError, match=r"command.accel_mps2 must hold .* finite"):
        drive.step(EgoCommand(torch.full((1, 1), math.nan)))


def test_gaps_along_the_lane(tmp_path):
    drive = player(tmp_path, two("-2"))
    seen = drive.gaps("Ego")
    assert seen.valid.tolist() == [[False, True]]
    assert seen.gap_m[0, 1].item() == pytest.approx(30.0 - 5.0)
    assert seen.lateral_offset_m[0, 1].item() == pytest.approx(-3.5)
    assert seen.lateral_gap_m[0, 1].item() == pytest.approx(1.5)
    assert seen.speed_mps[0, 1].item() == pytest.approx(5.0)
    assert not bool(seen.in_lane_overlap[0, 1])
    assert seen.lane_width_m[0].item() == pytest.approx(3.5)
    assert seen.ego_speed_mps[0].item() == pytest.approx(10.0)


def test_collisions_are_of_boxes(tmp_path):
    crash = player(tmp_path, two())
    hits = []
    while not bool(crash.done.all()):
        hits.append(bool(crash.collisions("Ego")[0, 1]))
        crash.step()
    # 25 m between bumpers close at 5 m/s: at 5 s they touch, and the run ends just after.
    assert sum(hits) <= 2 and not any(hits[:100])


def test_the_batch_splits_where_the_structure_differs(tmp_path):
    text = scenario(parameters=parameter("who", "Ego", "string"), events="", init='<Private entityRef="$who"/>')
    path = write(tmp_path, text)
    with pytest.raises(Mixed):
        read_xosc(path, Draw(2, {"who": np.array(["Ego", "Nobody"], dtype=object)}))


CONTROLLER = (
    '<ObjectController><Controller name="mine"><Properties><Property name="esminiController" '
    'value="InteractiveController"/></Properties></Controller></ObjectController>'
)


def test_unknown_controllers_are_refused_where_they_are_activated(tmp_path):
    entities = f'<ScenarioObject name="Ego">{CAR}{CONTROLLER}</ScenarioObject>'
    with pytest.raises(ValueError, match=re.escape("controller 'mine' of 'Ego' (InteractiveController)")):
        player(tmp_path, scenario(entities=entities, events=event(ACTIVATE)))
    with pytest.warns(UserWarning, match="never activated"):
        player(tmp_path, scenario(entities=entities, events=""))


def test_the_cruise_control_closes_up_but_never_above_its_set_speed(tmp_path):
    """Behind a faster lead with room: it keeps what was set, and goes down at once with what an action sets."""
    cruise = CONTROLLER.replace("InteractiveController", "ACCController")
    entities = TWO.replace(f"{CAR}</ScenarioObject>", f"{CAR}{cruise}</ScenarioObject>", 1)
    ego, other = place("50") + speed("5") + ACTIVATE, place("90") + speed("6")
    init = f'<Private entityRef="Ego">{ego}</Private><Private entityRef="Other">{other}</Private>'
    events = event(speed("4"), start=after("1"))
    trace = record(player(tmp_path, scenario(entities=entities, init=init, events=events)), 3.0)
    speeds = trace.speed_mps[0, :, 0]
    assert speeds[:22].tolist() == pytest.approx([5.0] * 22) and speeds[23:].tolist() == pytest.approx([4.0] * 38)


@pytest.mark.parametrize("lane", ["-3", "1"])
def test_a_lane_that_is_not_there_is_an_error_with_its_place(tmp_path, lane):
    with pytest.raises(ValueError, match=rf"scene.xosc:\d+: .*no lane {lane}"):
        player(tmp_path, scenario(init=f'<Private entityRef="Ego">{place("50", lane)}</Private>'))


def test_time_steps_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="dt_s"):
        player(tmp_path, scenario(), dt_s=0.0)


def test_whoever_comes_to_the_end_of_the_road_stops(tmp_path):
    trace = record(player(tmp_path, scenario(init=f'<Private entityRef="Ego">{place("495")}{speed()}</Private>')), 2.0)
    assert trace.xyz_world_m[0, -1, 0, 0].item() == pytest.approx(500.0)
    assert trace.speed_mps[0, -1, 0].item() == 0.0
