# ruff: noqa: E501 - XML does not break well
"""Triggers: when each condition fires, edges, delays and states of elements; on a straight road along x."""

import numpy as np
import pytest
from small_scenarios import CAR, after, condition, event, parameter, place, scenario, speed, write

from sim.mapfiles.opendrive import read_opendrive
from sim.scenarios.player import Player
from sim.scenarios.values import Draw
from sim.scenarios.xosc import read_xosc

TWO = f'<ScenarioObject name="Ego">{CAR}</ScenarioObject><ScenarioObject name="Other">{CAR}</ScenarioObject>'
INIT = f'<Private entityRef="Ego">{place("50")}{speed("10")}</Private><Private entityRef="Other">{place("100")}{speed("4")}</Private>'


def ends(folder, stop, events="", draw=None, init=INIT, seconds=20.0, **more):
    """The times at which the runs stop."""
    draw = draw or Draw(1)
    tree = read_xosc(write(folder, scenario(entities=TWO, init=init, events=events, stop=stop, **more)), draw)
    player = Player(tree, draw, read_opendrive(tree.road_file))
    while not bool(player.done.all()):
        player.step()
        assert player.time_s < seconds, "the trigger has not fired"
    return [round(tick * player.dt_s, 3) for tick in player.end_tick.tolist()]


def by_entity(test, who="Ego", rule="any"):
    names = "".join(f'<EntityRef entityRef="{name}"/>' for name in who.split())
    return condition(
        f'<ByEntityCondition><TriggeringEntities triggeringEntitiesRule="{rule}">{names}</TriggeringEntities>'
        f"<EntityCondition>{test}</EntityCondition></ByEntityCondition>"
    )


def by_value(test, edge="none", delay="0"):
    inner = f"<ByValueCondition>{test}</ByValueCondition>"
    return f'<ConditionGroup><Condition name="c" delay="{delay}" conditionEdge="{edge}">{inner}</Condition></ConditionGroup>'


def time(value, rule="greaterThan"):
    return f'<SimulationTimeCondition value="{value}" rule="{rule}"/>'


@pytest.mark.parametrize(("rule", "expected"), [("greaterThan", 1.05), ("greaterOrEqual", 1.0)])
def test_time(tmp_path, rule, expected):
    assert ends(tmp_path, by_value(time(1, rule))) == [expected]


def test_delay_counts_from_the_moment_the_condition_held(tmp_path):
    assert ends(tmp_path, by_value(time(1, "greaterOrEqual"), delay="0.5")) == [1.5]
    assert ends(tmp_path, by_value(time(1, "greaterOrEqual"), "rising", "0.5")) == [1.5]


def test_what_holds_from_the_start_has_not_risen(tmp_path):
    both = by_value(time(0, "greaterOrEqual"), "rising") + by_value(time(3))
    assert ends(tmp_path, both) == [3.05]
    assert ends(tmp_path, by_value(time(2, "lessThan"), "falling")) == [2.0]
    assert ends(tmp_path, by_value(time(2), "risingOrFalling")) == [2.05]


def test_groups_are_alternatives_and_their_conditions_must_all_hold(tmp_path):
    early, late = by_value(time(1)), by_value(time(2))
    assert ends(tmp_path, late + early) == [1.05]
    assert ends(tmp_path, early.replace("</ConditionGroup>", "") + late.replace("<ConditionGroup>", "")) == [2.05]


SPACE = 'relativeDistanceType="longitudinal" coordinateSystem="{}" rule="lessThan" freespace="{}"'


@pytest.mark.parametrize("system", ["entity", "road", "lane"])
@pytest.mark.parametrize(("free", "expected"), [("true", 5.05), ("false", 5.05)])
def test_relative_distance_closes(tmp_path, system, free, expected):
    # 50 m between reference points, 45 m between bumpers, closing at 6 m/s: 30.3 s after 5 s are left 20 m (15 m).
    value = 14.8 if free == "true" else 19.8
    test = f'<RelativeDistanceCondition entityRef="Other" value="{value}" {SPACE.format(system, free)}/>'
    assert ends(tmp_path, by_entity(test)) == [expected]


def test_headway_and_time_to_collision(tmp_path):
    headway = f'<TimeHeadwayCondition entityRef="Other" value="1.49" {SPACE.format("entity", "true")}/>'
    assert ends(tmp_path, by_entity(headway)) == [5.05]  # (45 - 6 t)/10
    target = '<TimeToCollisionConditionTarget><EntityRef entityRef="Other"/></TimeToCollisionConditionTarget>'
    collision = (
        f'<TimeToCollisionCondition value="2.49" {SPACE.format("entity", "true")}>{target}</TimeToCollisionCondition>'
    )
    assert ends(tmp_path, by_entity(collision)) == [5.05]  # (45 - 6 t)/6


def test_positions_are_reached_and_approached(tmp_path):
    position = '<Position><LanePosition roadId="1" laneId="-1" s="80"/></Position>'
    reach = f'<ReachPositionCondition tolerance="1.2">{position}</ReachPositionCondition>'
    assert ends(tmp_path, by_entity(reach)) == [2.9]
    near = f'<DistanceCondition value="9.8" {SPACE.format("road", "false")}>{position}</DistanceCondition>'
    assert ends(tmp_path, by_entity(near)) == [2.05]


def test_ways_travelled_standing_and_the_end_of_the_road(tmp_path):
    assert ends(tmp_path, by_entity('<TraveledDistanceCondition value="24.9"/>')) == [2.5]
    init = INIT.replace('value="4"', 'value="0"')
    assert ends(tmp_path, by_entity('<StandStillCondition duration="1"/>', "Other"), init=init)[0] == pytest.approx(
        1.05, abs=0.051
    )
    init = INIT.replace('s="50"', 's="480"')
    assert ends(tmp_path, by_entity('<EndOfRoadCondition duration="0.5"/>'), init=init)[0] == pytest.approx(
        2.55, abs=0.051
    )


def test_conditions_of_one_tick_see_the_same_end_of_the_road(tmp_path):
    """Two events wait for it; the first puts the car back, the second still starts, and the car drives again."""
    end = by_entity('<EndOfRoadCondition duration="0.5"/>')
    events = event(place("100"), "back", end) + event(speed("20"), "go", end).replace("override", "parallel")
    init = INIT.replace('s="50"', 's="490"')
    stop = by_entity('<TraveledDistanceCondition value="60"/>')
    assert ends(tmp_path, stop, events, init=init, group="")[0] == pytest.approx(1.0 + 0.6 + 50.0 / 20.0, abs=0.11)


def test_an_empty_start_trigger_fires_at_once(tmp_path):
    events = event(speed("20")).replace(after(), "")
    assert ends(tmp_path, by_entity('<TraveledDistanceCondition value="39.9"/>'), events) == [2.0]


def test_speeds(tmp_path):
    events = event(
        speed("20")
        .replace('"step"', '"linear"')
        .replace('dynamicsDimension="time" value="0"', 'dynamicsDimension="rate" value="5"'),
        start=by_value(time(0)),
    )
    assert ends(tmp_path, by_entity('<SpeedCondition value="14.9" rule="greaterThan"/>'), events) == [1.05]
    relative = '<RelativeSpeedCondition entityRef="Other" value="11.1" rule="greaterOrEqual"/>'
    assert ends(tmp_path, by_entity(relative), events) == [1.1]
    hard = '<AccelerationCondition value="4.9" rule="greaterThan"/>'
    assert ends(tmp_path, by_entity(hard), events)[0] <= 0.2


def test_any_or_all_of_the_entities(tmp_path):
    test = '<TraveledDistanceCondition value="9.9"/>'
    assert ends(tmp_path, by_entity(test, "Ego Other")) == [1.0]
    assert ends(tmp_path, by_entity(test, "Ego Other", "all")) == [2.5]


def test_collisions_of_boxes(tmp_path):
    assert ends(tmp_path, by_entity('<CollisionCondition><EntityRef entityRef="Other"/></CollisionCondition>')) == [7.5]
    assert ends(tmp_path, by_entity('<CollisionCondition><ByType type="vehicle"/></CollisionCondition>')) == [7.5]


def test_headings(tmp_path):
    angle = '<AngleCondition angle="0" angleTolerance="0.01" angleType="heading"/>'
    assert ends(tmp_path, by_entity(angle)) == [0.0]


def state(kind, name, wanted, edge="none", delay="0"):
    test = f'<StoryboardElementStateCondition storyboardElementType="{kind}" storyboardElementRef="{name}" state="{wanted}"/>'
    return by_value(test, edge, delay)


def test_states_and_transitions_of_elements(tmp_path):
    ramp = (
        speed("20")
        .replace('"step"', '"linear"')
        .replace('dynamicsDimension="time" value="0"', 'dynamicsDimension="time" value="1"')
    )
    events = event(ramp, start=by_value(time(1)))
    # Begun in the tick at 1.05 s and over in the one at 2.0 s; seen at the tick after.
    assert ends(tmp_path, state("action", "eventAction", "runningState"), events) == [1.1]
    assert ends(tmp_path, state("event", "event", "startTransition"), events) == [1.1]
    assert ends(tmp_path, state("action", "eventAction", "completeState"), events) == [2.05]
    assert ends(tmp_path, state("event", "story::act::group::maneuver::event", "endTransition"), events) == [2.05]
    assert ends(tmp_path, state("act", "act", "completeState", "rising", "0.5"), events) == [2.55]


def test_elements_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing"):
        ends(tmp_path, state("event", "nothing", "completeState"))


def test_variables_and_parameters(tmp_path):
    more = '<VariableDeclarations><VariableDeclaration name="seen" variableType="double" value="0"/></VariableDeclarations>'
    action = '<GlobalAction><VariableAction variableRef="seen"><SetAction value="7"/></VariableAction></GlobalAction>'
    events = event(action, start=by_value(time(1)))
    test = by_value('<VariableCondition variableRef="seen" value="6.5" rule="greaterThan"/>')
    assert ends(tmp_path, test, events, more=more) == [1.1]
    test = by_value('<ParameterCondition parameterRef="p" value="3" rule="equalTo"/>')
    assert ends(tmp_path, test, parameters=parameter("p", "3")) == [0.0]


def test_runs_fire_each_at_their_own_time(tmp_path):
    draw = Draw(4, {"wait": np.array([0.5, 2.0, 1.0, 0.5]), "delay": np.array([0.0, 0.0, 0.5, 1.0])})
    stop = by_value(time("$wait", "greaterOrEqual"), "rising", "$delay")
    declared = parameter("wait", "1") + parameter("delay", "0")
    assert ends(tmp_path, stop, draw=draw, parameters=declared) == [0.5, 2.0, 1.5, 1.5]
