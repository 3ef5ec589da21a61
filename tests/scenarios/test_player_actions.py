# ruff: noqa: E501 - XML does not break well
"""Actions against closed forms, on a straight road along x with lanes 3.5 m wide at y = -1.75 and -5.25."""

import math

import numpy as np
import pytest
import torch
from small_scenarios import CAR, after, event, parameter, place, scenario, speed, write

from sim.mapfiles.opendrive import read_opendrive
from sim.scenarios.player import Player, record
from sim.scenarios.values import Draw
from sim.scenarios.xosc import read_xosc

TWO = f'<ScenarioObject name="Ego">{CAR}</ScenarioObject><ScenarioObject name="Other">{CAR}</ScenarioObject>'
DT = 0.05
BEGIN = 1.05  # what waits for more than 1 s starts in the tick that ends here, plus one


def run(folder, text, seconds=8.0, draw=None):
    path, draw = write(folder, text), draw or Draw(1)
    tree = read_xosc(path, draw)
    return record(Player(tree, draw, read_opendrive(tree.road_file), DT), seconds)


def private(inner):
    return f"<PrivateAction>{inner}</PrivateAction>"


def lateral(inner):
    return private(f"<LateralAction>{inner}</LateralAction>")


def longitudinal(inner):
    return private(f"<LongitudinalAction>{inner}</LongitudinalAction>")


def change_speed(shape, value, dimension, target="20", relative=""):
    goal = relative or f'<AbsoluteTargetSpeed value="{target}"/>'
    dynamics = f'<SpeedActionDynamics dynamicsShape="{shape}" value="{value}" dynamicsDimension="{dimension}"/>'
    return longitudinal(f"<SpeedAction>{dynamics}<SpeedActionTarget>{goal}</SpeedActionTarget></SpeedAction>")


def change_lane(shape, value, dimension, target='<AbsoluteTargetLane value="-2"/>', offset=""):
    dynamics = f'<LaneChangeActionDynamics dynamicsShape="{shape}" value="{value}" dynamicsDimension="{dimension}"/>'
    return lateral(
        f"<LaneChangeAction {offset}>{dynamics}<LaneChangeTarget>{target}</LaneChangeTarget></LaneChangeAction>"
    )


def at(trace, time, entity=0):
    tick = round(time / DT)
    return (*trace.xyz_world_m[0, tick, entity, :2].tolist(), trace.speed_mps[0, tick, entity].item())


def with_event(action, **more):
    return scenario(events=event(action, start=after("1")), stop=after("30"), **more)


@pytest.mark.parametrize(
    ("shape", "curve"),
    [
        ("linear", lambda u: u),
        ("sinusoidal", lambda u: (1 - math.cos(math.pi * u)) / 2),
        ("cubic", lambda u: 3 * u**2 - 2 * u**3),
    ],
)
def test_speed_changes_in_shapes_over_time(tmp_path, shape, curve):
    trace = run(tmp_path, with_event(change_speed(shape, 4, "time")))
    for elapsed in (0.0, 0.5, 1.0, 2.0, 3.5, 4.0, 5.0):
        assert at(trace, BEGIN + elapsed)[2] == pytest.approx(10 + 10 * curve(min(elapsed / 4, 1.0)))


def test_speed_changes_by_rate_and_over_a_distance(tmp_path):
    trace = run(tmp_path, with_event(change_speed("linear", 2, "rate")))
    assert at(trace, BEGIN + 2.5)[2] == pytest.approx(15.0)
    assert at(trace, BEGIN + 6.0)[2] == pytest.approx(20.0)
    trace = run(tmp_path, with_event(change_speed("linear", 60, "distance")))
    # 60 m at 15 m/s on average
    assert at(trace, BEGIN + 2.0)[2] == pytest.approx(15.0)
    assert at(trace, BEGIN + 4.0)[2] == pytest.approx(20.0)


def test_speed_sets_the_way_of_the_same_tick(tmp_path):
    trace = run(tmp_path, with_event(change_speed("step", 0, "time")))
    assert at(trace, 1.05)[0] == pytest.approx(50 + 10.5)
    assert at(trace, 1.10)[0] == pytest.approx(50 + 10.5 + 20 * DT)


def test_speed_respects_the_vehicles_limits(tmp_path):
    trace = run(tmp_path, with_event(change_speed("linear", 0.1, "time", "90")))
    assert at(trace, BEGIN + 3.0)[2] == pytest.approx(10 + 3 * 10.0, abs=0.6)
    assert at(trace, 7.9)[2] == pytest.approx(70.0)


@pytest.mark.parametrize("kind", ["delta", "factor"])
def test_speed_relative_to_another_entity_follows_it(tmp_path, kind):
    value = {"delta": -2.0, "factor": 0.8}[kind]
    relative = (
        f'<RelativeTargetSpeed entityRef="Other" value="{value}" speedTargetValueType="{kind}" continuous="true"/>'
    )
    init = f'<Private entityRef="Ego">{place("50")}{speed("10")}</Private><Private entityRef="Other">{place("90")}{speed("10")}</Private>'
    text = scenario(
        entities=TWO,
        init=init,
        events=event(change_speed("linear", 1, "time", relative=relative), start=after("1")),
        stop=after("9"),
    )
    assert at(run(tmp_path, text), 4.0)[2] == pytest.approx(8.0)


def test_lane_change_in_a_sine_over_time(tmp_path):
    trace = run(tmp_path, with_event(change_lane("sinusoidal", 3, "time")))
    for elapsed in (0.6, 1.5, 2.4):
        y = -1.75 - 3.5 * (1 - math.cos(math.pi * elapsed / 3)) / 2
        assert at(trace, BEGIN + elapsed)[1] == pytest.approx(y, abs=1e-9)
    assert at(trace, BEGIN + 3.5)[1] == pytest.approx(-5.25)
    # The way over ground is speed times time: what goes across is missing along.
    steps = torch.linalg.vector_norm(torch.diff(trace.xyz_world_m[0, :, 0, :2], dim=0), dim=1)
    assert steps.tolist() == pytest.approx([10 * DT] * len(steps), rel=1e-3)


def test_a_rate_of_a_sine_is_its_greatest_lateral_speed(tmp_path):
    trace = run(tmp_path, with_event(change_lane("sinusoidal", 1.5, "rate")))
    across = torch.diff(trace.xyz_world_m[0, :, 0, 1]) / DT
    assert across.abs().max().item() == pytest.approx(1.5, rel=1e-3)
    duration = math.pi * 3.5 / (2 * 1.5)
    assert at(trace, BEGIN + 0.5 * round(duration / DT) * DT)[1] == pytest.approx(-3.5, abs=0.05)


def test_lane_change_over_a_distance_and_to_an_offset(tmp_path):
    trace = run(tmp_path, with_event(change_lane("cubic", 40, "distance", offset='targetLaneOffset="0.5"')))
    assert at(trace, 7.0)[1] == pytest.approx(-4.75)
    rows = trace.xyz_world_m[0, :, 0]
    moving = (rows[:, 1] < -1.76) & (rows[:, 1] > -4.74)
    assert (rows[moving, 0].max() - rows[moving, 0].min()).item() == pytest.approx(40.0, rel=0.12)


def test_lane_changes_count_from_the_other_entity(tmp_path):
    relative = '<RelativeTargetLane entityRef="Ego" value="-1"/>'
    trace = run(tmp_path, with_event(change_lane("linear", 2, "time", relative)))
    assert at(trace, 5.0)[1] == pytest.approx(-5.25)


def test_lane_offset_by_its_greatest_acceleration(tmp_path):
    dynamics = '<LaneOffsetActionDynamics dynamicsShape="sinusoidal" maxLateralAcc="2"/>'
    target = '<LaneOffsetTarget><AbsoluteTargetLaneOffset value="1"/></LaneOffsetTarget>'
    trace = run(
        tmp_path, with_event(lateral(f'<LaneOffsetAction continuous="false">{dynamics}{target}</LaneOffsetAction>'))
    )
    duration = math.pi * math.sqrt(1 / (2 * 2.0))
    for elapsed in (0.3, 0.8, 1.2):
        y = -1.75 + (1 - math.cos(math.pi * elapsed / duration)) / 2
        assert at(trace, 1.10 + elapsed)[1] == pytest.approx(y, abs=1e-9)
    assert at(trace, 5.0)[1] == pytest.approx(-0.75)
    assert at(trace, 5.0)[0] == pytest.approx(50 + 50.0)  # at full speed along the lane


def test_distance_is_kept_by_a_spring_and_by_a_bar(tmp_path):
    def text(constraints):
        keep = f'<LongitudinalDistanceAction entityRef="Other" distance="20" freespace="true" continuous="true" displacement="trailingReferencedEntity" coordinateSystem="entity">{constraints}</LongitudinalDistanceAction>'
        init = f'<Private entityRef="Ego">{place("50")}{speed("10")}</Private><Private entityRef="Other">{place("90")}{speed("12")}</Private>'
        return scenario(entities=TWO, init=init, events=event(longitudinal(keep), start=after("1")), stop=after("30"))

    soft = '<DynamicConstraints maxAcceleration="3" maxDeceleration="3" maxSpeed="30"/>'
    trace = run(tmp_path, text(soft), 20.0)
    gap = trace.xyz_world_m[0, -1, 1, 0] - trace.xyz_world_m[0, -1, 0, 0] - 5.0
    assert gap.item() == pytest.approx(20.0, abs=0.7) and at(trace, 19.5)[2] == pytest.approx(12.0, abs=0.05)
    assert torch.diff(trace.speed_mps[0, :, 0]).max().item() <= 3 * DT + 1e-9
    assert at(trace, 1.1)[2] == 10.0 and at(trace, 1.15)[2] > 10.1  # nothing in the tick of its start
    trace = run(tmp_path, text(""), 3.0)
    gap = trace.xyz_world_m[0, 24:, 1, 0] - trace.xyz_world_m[0, 24:, 0, 0] - 5.0
    assert gap.tolist() == pytest.approx([20.0] * len(gap), abs=0.1)


def vertex(x, y, time=None, heading=""):
    stamp = "" if time is None else f' time="{time}"'
    return f'<Vertex{stamp}><Position><WorldPosition x="{x}" y="{y}" {heading}/></Position></Vertex>'


def follow(shape, timing="<None/>", mode="follow", offset=""):
    trajectory = (
        f'<TrajectoryRef><Trajectory name="way" closed="false"><Shape>{shape}</Shape></Trajectory></TrajectoryRef>'
    )
    return private(
        f"<RoutingAction><FollowTrajectoryAction {offset}>{trajectory}<TimeReference>{timing}</TimeReference>"
        f'<TrajectoryFollowingMode followingMode="{mode}"/></FollowTrajectoryAction></RoutingAction>'
    )


def test_a_polyline_is_followed_at_ones_own_speed(tmp_path):
    line = f"<Polyline>{vertex(60, -5)}{vertex(80, -5)}{vertex(80, 30)}</Polyline>"
    init = f'<Private entityRef="Ego">{place("50")}{speed("10")}{follow(line)}</Private>'
    trace = run(tmp_path, scenario(init=init, events="", stop=after("9")))
    assert at(trace, 0.0)[:2] == pytest.approx((60, -5))
    assert at(trace, 1.0)[:2] == pytest.approx((70, -5))
    assert at(trace, 3.0)[:2] == pytest.approx((80, 5))
    assert at(trace, 5.5)[1] == pytest.approx(30.0)
    assert trace.hpr_rad[0, 60, 0, 0].item() == pytest.approx(math.pi / 2)


@pytest.mark.parametrize("mode", ["position", "follow"])
def test_timing_rules_the_place_on_a_trajectory(tmp_path, mode):
    line = f"<Polyline>{vertex(60, -5, 0)}{vertex(80, -5, 2)}{vertex(140, -5, 5)}</Polyline>"
    timing = '<Timing domainAbsoluteRelative="relative" scale="1" offset="0"/>'
    trace = run(tmp_path, with_event(follow(line, timing, mode)))
    x, _, v = at(trace, BEGIN + 1.0)
    if mode == "position":
        assert (x, v) == pytest.approx((70.0, 10.0))
        assert at(trace, BEGIN + 3.0)[::2] == pytest.approx((100.0, 20.0))
    else:  # an even acceleration in each segment, from 10 m/s: 0 m/s2, then 60 = 10 * 3 + a 9/2
        assert (x, v) == pytest.approx((70.0, 10.0))
        assert at(trace, BEGIN + 4.0)[0] == pytest.approx(80 + 10 * 2 + 20 / 3 * 4 / 2)


def test_a_clothoid_spline_turns_by_its_curvatures(tmp_path):
    start = '<PositionStart><WorldPosition x="100" y="-5" h="0"/></PositionStart>'
    spline = (
        f'<ClothoidSpline><ClothoidSplineSegment curvatureStart="0" curvatureEnd="0.05" length="20">{start}</ClothoidSplineSegment>'
        '<ClothoidSplineSegment curvatureStart="0.05" curvatureEnd="0.05" length="20"/></ClothoidSpline>'
    )
    trace = run(
        tmp_path,
        scenario(
            init=f'<Private entityRef="Ego">{place("50")}{speed("10")}{follow(spline)}</Private>',
            events="",
            stop=after("9"),
        ),
        4.0,
    )
    for way in (10.0, 20.0, 30.0, 39.0):
        heading = 0.05 * way**2 / 40 if way <= 20 else 0.5 + 0.05 * (way - 20)
        assert trace.hpr_rad[0, round(way / 10 / DT), 0, 0].item() == pytest.approx(heading, abs=1e-9)
    s = (np.arange(20000) + 0.5) / 1000
    x = 100 + np.cos(0.05 * s**2 / 40).sum() / 1000
    assert at(trace, 2.0)[0] == pytest.approx(x, abs=1e-4)


def meet(final):
    master, own = (
        f'<{tag}><LanePosition roadId="1" laneId="-1" s="{s}"/></{tag}>'
        for tag, s in (("TargetPositionMaster", 200), ("TargetPosition", 150))
    )
    return private(f'<SynchronizeAction masterEntityRef="Other">{master}{own}{final}</SynchronizeAction>')


@pytest.mark.parametrize("lead", ["", '<TargetDistanceSteadyState distance="20"/>'])
def test_entities_meet_in_time_with_the_final_speed(tmp_path, lead):
    init = f'<Private entityRef="Ego">{place("50")}{speed("5")}</Private><Private entityRef="Other">{place("100", "-2")}{speed("10")}</Private>'
    final = f'<FinalSpeed><AbsoluteSpeed value="12">{lead}</AbsoluteSpeed></FinalSpeed>'
    text = scenario(entities=TWO, init=init, events=event(meet(final), start=after("0")), stop=after("12"))
    trace = run(tmp_path, text, 12.0)
    tick = int((trace.xyz_world_m[0, :, 1, 0] - 200.0).abs().argmin())
    assert trace.xyz_world_m[0, tick, 0, 0].item() == pytest.approx(150.0, abs=1.0)
    assert trace.speed_mps[0, tick, 0].item() == pytest.approx(12.0, abs=0.3)


def test_variables_parameters_and_entities_come_and_go(tmp_path):
    delete = '<GlobalAction><EntityAction entityRef="Other"><DeleteEntityAction/></EntityAction></GlobalAction>'
    init = f'<Private entityRef="Ego">{place("50")}{speed("5")}</Private><Private entityRef="Other">{place("100")}{speed("10")}</Private>'
    trace = run(tmp_path, scenario(entities=TWO, init=init, events=event(delete, start=after("1")), stop=after("3")))
    assert trace.valid[0, :, 1].tolist() == [tick <= 21 for tick in range(trace.valid.shape[1])]


def test_an_event_that_overrides_ends_the_other(tmp_path):
    first, second = change_speed("linear", 1, "rate", "30"), change_speed("linear", 1, "rate", "5")
    text = scenario(events=event(first, "first", after("1")) + event(second, "second", after("3")), stop=after("30"))
    trace = run(tmp_path, text)
    assert at(trace, 3.05)[2] == pytest.approx(12.0)
    assert at(trace, 5.05)[2] == pytest.approx(10.0)


def test_a_batch_of_lane_changes_has_each_its_own_rate(tmp_path):
    rates = np.array([0.5, 1.0, 2.0])
    text = with_event(change_lane("sinusoidal", "$rate", "rate"), parameters=parameter("rate", "1"))
    trace = run(tmp_path, text, draw=Draw(3, {"rate": rates}))
    across = (torch.diff(trace.xyz_world_m[:, :, 0, 1], dim=1) / DT).abs().max(dim=1).values
    assert across.tolist() == pytest.approx(rates.tolist(), rel=2e-3)
