# ruff: noqa: E501 - XML does not break well
"""Reading OpenSCENARIO XML: the real files, older spellings, scopes of parameters, refusals with file and line."""

from pathlib import Path

import numpy as np
import pytest
from small_scenarios import CAR, STEP, after, condition, event, parameter, place, scenario, speed, write

from sim.scenarios.batches import uniform
from sim.scenarios.behaviours import (
    ActivateController,
    FollowTrajectory,
    LaneChange,
    SetVariable,
    SpeedChange,
    Teleport,
)
from sim.scenarios.conditions import Distance, ElementState, TimeHeadway, VariableCondition
from sim.scenarios.values import Draw, Mixed
from sim.scenarios.xosc import read_parameters, read_xosc
from sim.scenarios.xosc_xml import parse_xml

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "openscenario"
real_files = pytest.mark.skipif(not DATA.is_dir(), reason="needs the real scenarios in ../shared/data/openscenario")
SCENARIOS = sorted(path for path in DATA.rglob("*.xosc") if parse_xml(path).find("Storyboard") is not None)
WITHOUT_ROAD = "highway_merge.xosc"  # soderleden.xodr did not come with it


def read(tmp_path, text, **values):
    columns = {name: np.atleast_1d(np.array(value)) for name, value in values.items()}
    size = max((len(column) for column in columns.values()), default=1)
    return read_xosc(write(tmp_path, text), Draw(size, columns))


def number(value, draw=None):
    return value.numbers(draw or Draw(1))[0]


# --- Real files ---


@real_files
@pytest.mark.parametrize("path", [p for p in SCENARIOS if p.name != WITHOUT_ROAD], ids=lambda p: p.name)
def test_every_real_scenario_reads_with_its_own_values(path):
    found = read_xosc(path, Draw(1))
    assert found.entities and found.init and found.stories
    assert found.road_file is not None and found.road_file.is_file()
    assert all(entity.length.numbers(Draw(1))[0] > 0 for entity in found.entities)


@real_files
def test_the_data_folder_holds_scenarios_of_all_three_origins():
    assert len(SCENARIOS) == 33


@real_files
def test_a_road_that_did_not_come_with_the_scenario_is_an_error_that_tells_how_to_find_it():
    with pytest.raises(
        FileNotFoundError, match=r"highway_merge.xosc:23: <LogicFile> filepath.*soderleden.*--road-path"
    ):
        read_xosc(DATA / "esmini" / WITHOUT_ROAD, Draw(1))


@real_files
def test_files_found_elsewhere_are_noted():
    found = read_xosc(DATA / "esmini" / "cut-in.xosc", Draw(1))
    assert found.road_file.parts[-3:] == ("opendrive", "esmini", "e6mini.xodr")
    assert len(found.notes) == 2 and all("took" in note for note in found.notes)


@real_files
def test_catalog_parameters_are_assigned_in_the_scenarios_terms():
    found = read_xosc(
        DATA / "ncap2026/OpenSCENARIO/NCAP/CA-FC_2026/CCFtap.xosc", Draw(2, {"Trajectory_R2": np.array([9.0, 12.0])})
    )
    spline = next(action.body for _, action in found.init if isinstance(action.body, FollowTrajectory)).trajectory.shape
    draw = Draw(2, {"Trajectory_R2": np.array([9.0, 12.0])})
    assert spline.segments[1].curvature_end.numbers(draw) == pytest.approx([1 / 9, 1 / 12])
    assert number(spline.segments[0].start.s) == pytest.approx(250 - 10 / 3.6 * 15)


@real_files
def test_vehicles_that_differ_by_run_share_a_tree_and_differ_in_size():
    path = DATA / "alks/logical_scenarios/concrete_scenarios/alks_scenario_4_4_1_cut_in_no_collision_template.xosc"
    draw = Draw(3, {"CutInVehicle_Model": np.array(["truck", "car", "truck"], dtype=object)})
    found = read_xosc(path, draw)
    alone = [read_xosc(path, draw.take(np.array([run]))).entities[1] for run in range(3)]
    assert found.entities[1].category == "truck|car"
    assert found.entities[1].length.numbers(draw).tolist() == [number(entity.length) for entity in alone]
    half = draw.take(np.array([1]))
    assert found.entities[1].rear_axle.wheel_diameter.numbers(half) == number(alone[1].rear_axle.wheel_diameter)
    with pytest.raises(Mixed, match="CutInVehicle_Model"):
        read_xosc(path, draw, merge_models=False)


@real_files
def test_trailers_come_with_their_tractor(tmp_path):
    entities = (
        '<ScenarioObject name="Ego"><CatalogReference catalogName="VehicleCatalog" entryName="{}"/></ScenarioObject>'
    )
    catalogs = f'<VehicleCatalog><Directory path="{DATA}/esmini/Catalogs/Vehicles"/></VehicleCatalog>'
    more = f"<CatalogLocations>{catalogs}</CatalogLocations>"
    found = read(tmp_path, scenario(entities=entities.format("semi_truck_with_extra_trailer"), more=more))
    assert [entity.name for entity in found.entities] == ["Ego", "Ego+", "Ego++"]
    assert found.entities[0].trailer.name == "Ego+"
    assert found.entities[1].trailer.name == "Ego++"
    assert number(found.entities[0].hitch_x) == 1.0 and number(found.entities[1].coupler_x) == 7.0
    alone = read(tmp_path, scenario(entities=entities.format("car_white"), more=more))
    assert alone.entities[0].trailer is None  # its TrailerRef is empty


# --- Structure ---


def test_a_small_scenario_reads_whole(tmp_path):
    found = read(tmp_path, scenario())
    (story,) = found.stories
    (event_read,) = story.acts[0].groups[0].maneuvers[0].events
    assert [type(action.body) for _, action in found.init] == [Teleport, SpeedChange]
    assert event_read.priority == "override" and story.acts[0].start is None
    assert number(event_read.actions[0].body.value) == 20.0
    assert found.road_file == tmp_path / "road.xodr" and found.notes == ()


def test_byte_order_mark_namespace_and_comments_do_not_matter(tmp_path):
    path = write(tmp_path, scenario())
    text = path.read_text().replace("<OpenSCENARIO>", '<OpenSCENARIO xmlns="http://asam.net/x"><!-- hello -->')
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_xosc(path, Draw(1)).entities[0].name == "Ego"


def test_older_spellings_are_understood(tmp_path):
    overwrite = event(speed()).replace('priority="override"', 'priority="overwrite"')
    headway = condition(
        '<ByEntityCondition><TriggeringEntities triggeringEntitiesRule="any"><EntityRef entityRef="Ego"/>'
        '</TriggeringEntities><EntityCondition><TimeHeadwayCondition entityRef="Ego" value="1" freespace="true" '
        'alongRoute="true" rule="lessThan"/></EntityCondition></ByEntityCondition>'
    )
    far = headway.replace("TimeHeadwayCondition", "RelativeDistanceCondition").replace(
        'alongRoute="true"', 'relativeDistanceType="cartesianDistance"'
    )
    found = read(tmp_path, scenario(events=overwrite, stop=headway + far, minor=0))
    assert found.stories[0].acts[0].groups[0].maneuvers[0].events[0].priority == "override"
    first, second = (group[0].test for group in found.stop)
    assert isinstance(first, TimeHeadway) and (first.kind, first.coordinates) == ("euclidian", "road")
    assert isinstance(second, Distance) and (second.kind, second.coordinates) == ("euclidian", "entity")


def test_controller_actions_of_1_0_may_carry_an_override_of_nothing(tmp_path):
    action = (
        '<PrivateAction><ControllerAction><AssignControllerAction><Controller name="c"><Properties>'
        '<Property name="esminiController" value="ACCController"/></Properties></Controller></AssignControllerAction>'
        '<OverrideControllerValueAction><Throttle value="0" active="{}"/></OverrideControllerValueAction>'
        "</ControllerAction></PrivateAction>"
    )
    found = read(tmp_path, scenario(events=event(action.format("false"))))
    body = found.stories[0].acts[0].groups[0].maneuvers[0].events[0].actions[0].body
    assert isinstance(body, ActivateController)
    assert body.controller.properties == {"esminiController": "ACCController"} and body.lateral is None
    with pytest.raises(ValueError, match="<OverrideControllerValueAction> is not supported"):
        read(tmp_path, scenario(events=event(action.format("true"))))


def test_lane_changes_to_a_lane_and_relative(tmp_path):
    change = (
        '<PrivateAction><LateralAction><LaneChangeAction targetLaneOffset="0.5">'
        + STEP.replace("SpeedAction", "LaneChangeAction").replace("step", "sinusoidal")
        + "<LaneChangeTarget>{}</LaneChangeTarget></LaneChangeAction></LateralAction></PrivateAction>"
    )
    relative = change.format('<RelativeTargetLane entityRef="Ego" value="-1"/>')
    absolute = change.format('<AbsoluteTargetLane value="-2"/>')
    found = read(tmp_path, scenario(events=event(relative, "one") + event(absolute, "two")))
    one, two = (item.actions[0].body for item in found.stories[0].acts[0].groups[0].maneuvers[0].events)
    assert isinstance(one, LaneChange) and isinstance(two, LaneChange)
    assert one.entity.text(Draw(1)) == "Ego" and two.entity is None
    assert (number(one.target), number(two.target), number(one.offset)) == (-1, -2, 0.5)


def test_an_empty_trigger_is_told_from_a_missing_one_which_starts_with_its_parent(tmp_path):
    text = scenario().replace(f"<StartTrigger>{after()}</StartTrigger>", "<StartTrigger/>")
    found = read(tmp_path, text)
    assert found.stories[0].acts[0].groups[0].maneuvers[0].events[0].start == ()
    assert found.stories[0].acts[0].start is None


# --- Parameters and scopes ---


def test_numbers_stay_open_for_the_batch(tmp_path):
    text = scenario(parameter("v", "10"), init=f'<Private entityRef="Ego">{place("${10 * $v}")}{speed("$v")}</Private>')
    draw = Draw(3, {"v": np.array([1.0, 2.0, 3.0])})
    found = read_xosc(write(tmp_path, text), draw)
    assert found.init[0][1].body.position.s.numbers(draw).tolist() == [10, 20, 30]
    assert found.init[0][1].body.position.s.numbers(Draw(1)).tolist() == [100]


def test_a_story_parameter_hides_the_scenarios_and_is_not_drawn(tmp_path):
    own = f"<ParameterDeclarations>{parameter('v', '${$w + 1}')}</ParameterDeclarations>"
    text = scenario(parameter("v", "10") + parameter("w", "5"), events=event(speed("$v")), story_parameters=own)
    draw = Draw(1, {"v": np.array([99.0]), "w": np.array([7.0])})
    found = read_xosc(write(tmp_path, text), draw)
    assert number(found.stories[0].acts[0].groups[0].maneuvers[0].events[0].actions[0].body.value, draw) == 8.0


def test_references_to_entities_may_be_parameters(tmp_path):
    owner = f"<ParameterDeclarations>{parameter('owner', 'Ego', 'string')}</ParameterDeclarations>"
    text = scenario(story_parameters=owner).replace(
        '<Actors selectTriggeringEntities="false"><EntityRef entityRef="Ego"/>',
        '<Actors selectTriggeringEntities="false"><EntityRef entityRef="$owner"/>',
    )
    assert read(tmp_path, text).stories[0].acts[0].groups[0].actors[0].text(Draw(1)) == "Ego"


def test_texts_that_shape_the_tree_split_the_batch(tmp_path):
    text = scenario(
        parameter("who", "Ego", "string") + parameter("v", "1"),
        entities=f'<ScenarioObject name="Ego">{CAR}</ScenarioObject><ScenarioObject name="Other">{CAR}</ScenarioObject>',
        init=f'<Private entityRef="$who">{speed("$v")}</Private>',
    )
    path = write(tmp_path, text)
    draw = Draw(4, {"who": np.array(["Ego", "Other", "Ego", "Other"], dtype=object), "v": np.arange(4.0)})
    with pytest.raises(Mixed, match="who"):
        read_xosc(path, draw)
    groups = uniform(draw, lambda part: read_xosc(path, part).init[0][0])
    assert [(runs.tolist(), name) for runs, name in groups] == [([0, 2], "Ego"), ([1, 3], "Other")]


def test_variables_and_monitors_may_be_set_and_tested(tmp_path):
    declared = (
        '<VariableDeclarations><VariableDeclaration name="hit" variableType="boolean" value="false"/>'
        '</VariableDeclarations><MonitorDeclarations><MonitorDeclaration name="ok" value="true"/></MonitorDeclarations>'
    )
    setting = (
        '<GlobalAction><VariableAction variableRef="hit"><SetAction value="true"/></VariableAction></GlobalAction>'
    )
    adding = (
        '<GlobalAction><ParameterAction parameterRef="p"><ModifyAction><Rule><AddValue value="2"/></Rule>'
        "</ModifyAction></ParameterAction></GlobalAction>"
    )
    monitor = '<GlobalAction><SetMonitorAction monitorRef="ok" value="false"/></GlobalAction>'
    test = condition(
        '<ByValueCondition><VariableCondition variableRef="hit" rule="equalTo" value="true"/></ByValueCondition>'
    )
    events = event(setting, "one") + event(adding, "two") + event(monitor, "three")
    found = read(tmp_path, scenario(parameter("p", "1"), events=events, stop=test, more=declared))
    one, two, three = (item.actions[0].body for item in found.stories[0].acts[0].groups[0].maneuvers[0].events)
    assert (one.name, one.operator, one.of_parameter) == ("hit", "set", False)
    assert isinstance(two, SetVariable) and (two.operator, two.of_parameter) == ("add", True)
    assert three.name == "ok" and set(found.variables) == {"hit", "ok"}
    assert isinstance(found.stop[0][0].test, VariableCondition)


def test_parameters_have_types_and_constraints(tmp_path):
    low = '<ConstraintGroup><ValueConstraint rule="lessThan" value="0"/></ConstraintGroup>'
    high = (
        '<ConstraintGroup><ValueConstraint rule="greaterThan" value="${2 * $b}"/>'
        '<ValueConstraint rule="lessOrEqual" value="20"/></ConstraintGroup>'
    )
    text = scenario(parameter("a", "15", constraints=low + high) + parameter("b", "5"))
    path = write(tmp_path, text)
    assert [item.kind for item in read_parameters(path)] == ["double", "double"]
    for good in (-1.0, 11.0, 20.0):
        read_xosc(path, Draw(1, {"a": np.array([good])}))
    with pytest.raises(
        ValueError, match=r"a=10 is outside.*lessThan 0 or greaterThan \$\{2 \* \$b\} = 10 and lessOrEqual 20"
    ):
        read_xosc(path, Draw(2, {"a": np.array([-1.0, 10.0])}))
    read_xosc(path, Draw(1, {"a": np.array([10.0]), "b": np.array([4.0])}))


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ("int", "1.5", "is 1.5, which is no int"),
        ("integer", "3000000000", "no int"),
        ("unsignedShort", "-1", "no unsignedShort"),
        ("unsignedInt", "-1", "no unsignedInt"),
        ("double", "fast", "'fast' is not a number"),
        ("double", "nan", "finite number"),
        ("boolean", "perhaps", "true or false is needed"),
        ("dateTime", "yesterday", "a time like"),
        ("colour", "red", "use one of double"),
    ],
)
def test_values_of_the_wrong_type_are_refused(tmp_path, kind, value, problem):
    with pytest.raises(ValueError, match=rf"scene.xosc:4: .*{problem}"):
        read(tmp_path, scenario(parameter("p", value, kind)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [("int", "-3"), ("unsignedInt", "4000000000"), ("boolean", "true"), ("boolean", "0"), ("string", ""),
     ("dateTime", "2026-07-01T12:00:00.5+02:00"), ("double", "1e-3")],
)  # fmt: skip
def test_values_of_the_right_type_are_taken(tmp_path, kind, value):
    read(tmp_path, scenario(parameter("p", value, kind)))


# --- Refusals ---

SWARM = "<GlobalAction><TrafficAction><TrafficSwarmAction/></TrafficAction></GlobalAction>"
CUSTOM = '<UserDefinedAction><CustomCommandAction type="x"/></UserDefinedAction>'
LIGHTS = "<GlobalAction><InfrastructureAction/></GlobalAction>"
NURBS = (
    '<PrivateAction><RoutingAction><FollowTrajectoryAction><TrajectoryRef><Trajectory name="t" closed="false"><Shape>'
    '<Nurbs order="3"/></Shape></Trajectory></TrajectoryRef><TrajectoryFollowingMode followingMode="follow"/>'
    "</FollowTrajectoryAction></RoutingAction></PrivateAction>"
)
GEO = '<PrivateAction><TeleportAction><Position><GeoPosition latitudeDeg="1" longitudeDeg="2"/></Position></TeleportAction></PrivateAction>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (scenario(events=event(SWARM)), r"scene.xosc:9: <TrafficAction> in <GlobalAction> is not supported"),
        (scenario(events=event(CUSTOM)), r":9: <UserDefinedAction> in <Action> is not supported"),
        (scenario(events=event(LIGHTS)), r"<InfrastructureAction> in <GlobalAction> is not supported"),
        (scenario(events=event(NURBS)), r"<Nurbs> in <Shape> is not supported.*Polyline"),
        (scenario(events=event(GEO)), r"<GeoPosition> in <Position> is not supported"),
        (scenario(stop=condition('<ByValueCondition><TrafficSignalCondition/></ByValueCondition>')),
         r":10: <TrafficSignalCondition> in <ByValueCondition> is not supported"),
        (scenario(init='<UserDefinedAction/>'), r"<UserDefinedAction> in <Actions> is not supported"),
        (scenario(init='<Private entityRef="Nobody"/>'), r":8: <Private> has entityRef='Nobody', which is no entity; there are: Ego"),
        (scenario(entities=f'<ScenarioObject name="Ego">{CAR}</ScenarioObject>' * 2), r":7: <ScenarioObject> repeats the name 'Ego'"),
        (scenario(events=event(speed()) * 2), r"the event 'story::act::group::maneuver::event' exists twice"),
        (scenario(events=event(speed("$v"))), r"parameter \$v is not declared"),
        (scenario(events=event(speed("${1 +}"))), r"cannot evaluate '1 \+'"),
        (scenario(events=event(speed("${1 / 0}"))), r"finite number"),
        (scenario(events=event(speed("${sqrt(-1)}"))), r"finite number"),
        (scenario(events=event(speed("nan"))), r"<AbsoluteTargetSpeed> value: 'nan' is nan"),
        (scenario(parameter("v", "1") * 2), r":4: <ParameterDeclaration> declares the parameter 'v' again"),
        (scenario().replace('dynamicsShape="step"', 'dynamicsShape="jump"'), r"'jump' is not supported; use one of step, linear"),
        (scenario().replace('dynamicsShape="step" ', ""), r"<SpeedActionDynamics> lacks the attribute dynamicsShape"),
        (scenario().replace(' s="50"', ""), r"<LanePosition> lacks the attribute s"),
        (scenario().replace('width="2"', 'width="-2"'), r"<Dimensions> has width='-2' = -2, which is negative"),
        (scenario(road="nowhere.xodr"), r":6: <LogicFile> filepath: the road 'nowhere.xodr' does not exist"),
        (scenario(road=""), r"'' is no path"),
        (scenario(group='<CatalogReference catalogName="m" entryName="e"/>'), r"names catalog 'm'; add <CatalogLocations>"),
        (scenario().replace("revMajor=\"1\"", "revMajor=\"0\""), r"OpenSCENARIO 0.x; versions 1.0 to 1.3"),
        (scenario(stop=condition('<ByValueCondition><StoryboardElementStateCondition storyboardElementType="action" '
                                 'storyboardElementRef="gone" state="endTransition"/></ByValueCondition>')),
         r":10: <Condition> waits for action 'gone', which does not exist; there are: eventAction"),
        (scenario(stop=condition('<ByValueCondition><VariableCondition variableRef="x" rule="equalTo" value="1"/></ByValueCondition>')),
         r"variableRef='x', which is not declared"),
        (scenario().replace("<Storyboard>", "<Storyboard><Surprise/>"), r"<Surprise> in <Storyboard> is not supported"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_not_supported_is_refused_with_its_place(tmp_path, text, message):
    with pytest.raises((ValueError, OSError), match=message):
        read(tmp_path, text)


def test_harmless_elements_are_ignored(tmp_path):
    text = (
        scenario()
        .replace("<Storyboard>", "<Storyboard><Properties/>")
        .replace("<RoadNetwork>", '<RoadNetwork><SceneGraphFile filepath="gone.osgb"/>')
    )
    read(
        tmp_path,
        text.replace("<FileHeader", "<FileHeader").replace(
            'author="us"/>', 'author="us"><License name="x"/></FileHeader>'
        ),
    )


def test_references_to_elements_may_be_paths(tmp_path):
    for element in ("event", "maneuver::event", "act::group::maneuver::event"):
        stop = condition(
            f'<ByValueCondition><StoryboardElementStateCondition storyboardElementType="event" '
            f'storyboardElementRef="{element}" state="completeState"/></ByValueCondition>'
        )
        found = read(tmp_path, scenario(stop=stop))
        assert isinstance(found.stop[0][0].test, ElementState)


def test_a_draw_may_only_name_declared_parameters(tmp_path):
    with pytest.raises(ValueError, match="declares no parameter 'speed'; it has: v"):
        read(tmp_path, scenario(parameter("v", "1")), speed=[1.0])


def test_catalogs_and_variations_are_no_scenarios(tmp_path):
    path = write(tmp_path, "<OpenSCENARIO><Catalog name='x'/></OpenSCENARIO>")
    with pytest.raises(ValueError, match="is a catalog: it has no <Storyboard>"):
        read_xosc(path, Draw(1))
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_xosc(tmp_path, Draw(1))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_xosc(tmp_path / "gone.xosc", Draw(1))


# --- Files ---


def test_roads_are_looked_for_in_a_fixed_order(tmp_path):
    inner = tmp_path / "a" / "scenes"
    inner.mkdir(parents=True)
    path = write(inner, scenario(road="../gone/far.xodr"))
    road = (inner / "road.xodr").read_text()
    above, given = tmp_path / "XODR", tmp_path / "given"
    for folder in (above, given):
        folder.mkdir()
        (folder / "far.xodr").write_text(road)
    assert read_xosc(path, Draw(1)).road_file == above / "far.xodr"
    assert read_xosc(path, Draw(1), (given,)).road_file == given / "far.xodr"
    (inner / "far.xodr").write_text(road)
    assert read_xosc(path, Draw(1)).road_file == inner / "far.xodr"


def test_catalogs_are_found_by_their_name_whatever_the_file_is_called(tmp_path):
    folder = tmp_path / "Catalogs" / "Cars"
    folder.mkdir(parents=True)
    entry = (
        CAR.replace("<Vehicle ", "<Vehicle ", 1)
        .replace('length="5"', 'length="$long"')
        .replace(
            "<BoundingBox>", f"<ParameterDeclarations>{parameter('long', '4')}</ParameterDeclarations><BoundingBox>"
        )
    )
    (folder / "SOMETHING.XOSC").write_text(f"<OpenSCENARIO><Catalog name='cars'>{entry}</Catalog></OpenSCENARIO>")
    assigned = (
        '<ParameterAssignments><ParameterAssignment parameterRef="{}" value="${{2 * $l}}"/></ParameterAssignments>'
    )
    entity = '<ScenarioObject name="Ego"><CatalogReference catalogName="cars" entryName="{}">{}</CatalogReference></ScenarioObject>'
    more = '<CatalogLocations><VehicleCatalog><Directory path="../elsewhere/Catalogs/Cars"/></VehicleCatalog></CatalogLocations>'

    def text(entry="car", parameters=""):
        return scenario(parameter("l", "3"), entities=entity.format(entry, parameters), more=more)

    draw = Draw(2, {"l": np.array([3.0, 4.0])})
    found = read_xosc(write(tmp_path, text(parameters=assigned.format("long"))), draw)
    assert found.entities[0].length.numbers(draw).tolist() == [6.0, 8.0]
    assert number(read(tmp_path, text()).entities[0].length) == 4.0
    with pytest.raises(ValueError, match="names entry 'bus' of 'cars'; it has: car"):
        read(tmp_path, text("bus"))
    with pytest.raises(ValueError, match="assigns 'short', which 'car' does not declare; it has: long"):
        read(tmp_path, text(parameters=assigned.format("short")))
    with pytest.raises(ValueError, match=r"names catalog 'boats'.*searched: \.\./elsewhere/Catalogs/Cars"):
        read(tmp_path, text().replace('catalogName="cars"', 'catalogName="boats"'))


def test_a_changed_file_is_read_again(tmp_path):
    assert len(read(tmp_path, scenario()).init) == 2
    assert len(read(tmp_path, scenario(init=f'<Private entityRef="Ego">{place()}</Private>')).init) == 1
