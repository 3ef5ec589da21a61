"""The compact scenario format: what it means, what it refuses and how it says so, on any tree whatever."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenarios.behaviours import AssignRoute, FollowTrajectory, LaneChange, SpeedChange, Synchronize, Teleport
from sim.scenarios.conditions import Distance, ElementState
from sim.scenarios.player import Player, record
from sim.scenarios.reading import network_of
from sim.scenarios.suites import sweep
from sim.scenarios.values import Draw, Mixed
from sim.scenarios.yaml_scenarios import read_yaml
from sim.scenarios.yaml_tree import MAX_DEPTH

BASE = {
    "description": "A test.",
    "road": {"kind": "highway", "seed": 0},
    "parameters": {"gap": {"value": 20, "range": [10, 40], "step": 10}, "v": {"value": 90, "unit": "km/h"}},
    "actors": {
        "ego": {"kind": "car", "at": {"on": "road", "lane": "right", "after": 50}, "speed": "$v"},
        "other": {"kind": "van", "at": {"ahead_of": "ego", "gap": "$gap", "lane": "left"}, "speed": "$v - 5"},
    },
}


def changed(**changes):
    """The base tree with some top-level keys replaced."""
    return {**BASE, **changes}


def written(folder, tree, name="test.yaml"):
    path = folder / name
    path.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return path


def read(folder, tree, draw=None):
    return read_yaml(written(folder, tree), draw or Draw(1))


def refusal(folder, tree, draw=None):
    """The message that a file is refused with: one line that starts with file and line."""
    with pytest.raises(ValueError) as caught:
        read(folder, tree, draw)
    message = str(caught.value)
    assert message.startswith("test.yaml")
    assert "\n" not in message
    return message


def bodies(scenario, name, kind):
    return [action.body for who, action in scenario.init if who == name and isinstance(action.body, kind)]


def story_bodies(scenario, kind):
    events = [e for s in scenario.stories for a in s.acts for g in a.groups for m in g.maneuvers for e in m.events]
    return [action.body for event in events for action in event.actions if isinstance(action.body, kind)]


# --- Meaning ---


def test_gap_is_from_bumper_to_bumper(tmp_path):
    draw = Draw(3, {"gap": np.array([10.0, 20.0, 40.0])})
    scenario = read(tmp_path, BASE, draw)
    player = Player(scenario, draw, network_of(scenario, draw), 0.05)
    e, o = player.entities.index("ego"), player.entities.index("other")
    s = player.state.s_m
    apart = (s[:, o] - s[:, e]).abs()
    ego_front, other_rear = 1.35 + 4.5 / 2, 5.4 / 2 - 1.65
    assert (apart - ego_front - other_rear).tolist() == pytest.approx([10.0, 20.0, 40.0])


def test_left_is_left_of_travel_on_either_side_of_the_road(tmp_path):
    """A car on the left lane stands to the left of the ego, wherever its road's s runs."""
    for seed in range(4):
        scenario = read(tmp_path, changed(road={"kind": "highway", "seed": seed}))
        state = Player(scenario, Draw(1), network_of(scenario, Draw(1)), 0.05).state
        heading = state.heading_rad[0, 0]
        dx, dy = state.x_m[0, 1] - state.x_m[0, 0], state.y_m[0, 1] - state.y_m[0, 0]
        assert 3.0 < float(dy * heading.cos() - dx * heading.sin()) < 4.5
        assert float(dx * heading.cos() + dy * heading.sin()) > 20.0


def test_units_are_converted_once(tmp_path):
    scenario = read(tmp_path, BASE, Draw(2, {"v": np.array([36.0, 72.0])}))
    speeds = [bodies(scenario, name, SpeedChange)[0].value for name in ("ego", "other")]
    draw = Draw(2, {"v": np.array([36.0, 72.0])})
    assert speeds[0].numbers(draw) == pytest.approx([10.0, 20.0])
    assert speeds[1].numbers(draw) == pytest.approx([5.0, 15.0])


@pytest.mark.parametrize(("text", "mps"), [("50 km/h", 50 / 3.6), ("12", 12.0), ("12 m/s", 12.0), ("${3*4}", 12.0)])
def test_speeds_are_plain_or_with_a_unit(tmp_path, text, mps):
    text = text.removeprefix("${").removesuffix("}")
    actors = {**BASE["actors"], "ego": {**BASE["actors"]["ego"], "speed": text}}
    scenario = read(tmp_path, changed(actors=actors))
    assert bodies(scenario, "ego", SpeedChange)[0].value.numbers(Draw(1)) == pytest.approx([mps])


def test_derived_values_are_in_si(tmp_path):
    tree = changed(let={"way": "$v * 2 + 1"})
    tree["actors"] = {**BASE["actors"], "other": {"kind": "car", "at": {"ahead_of": "ego", "by": "$way"}}}
    scenario = read(tmp_path, tree)
    player = Player(scenario, Draw(1), network_of(scenario, Draw(1)), 0.05)
    s = player.state.s_m[0]
    assert float((s[1] - s[0]).abs()) == pytest.approx(51.0)


def test_lists_follow_each_other_and_mappings_are_at_once(tmp_path):
    actions = [
        {"speed": {"to": 15, "in_s": 1}, "change_lane": {"to": "right", "in_s": 1}},
        {"wait": 1.5},
        {"brake": 5},
    ]
    scenario = read(tmp_path, changed(story=[{"name": "first", "do": {"other": actions}}]))
    events = scenario.stories[0].acts[0].groups[0].maneuvers[0].events
    assert [len(event.actions) for event in events] == [2, 1]
    (condition,) = events[1].start[0]
    assert isinstance(condition.test, ElementState)
    assert condition.test.element == events[0].name
    assert condition.delay.numbers(Draw(1)).tolist() == [1.5]
    trace = record(Player(scenario, Draw(1), network_of(scenario, Draw(1)), 0.05), 3.0)
    speed = trace.speed_mps[0, :, 1]
    assert float(speed[23]) == pytest.approx(15.0)
    assert float(speed[48]) == pytest.approx(15.0)
    assert float(speed[60]) < 14.0


def test_conditions_combine_by_all_and_any(tmp_path):
    when = {"all": [{"any": [{"time": 1}, {"gap": ["other", "ego"], "below": "$gap"}]}, {"speed": "ego", "above": 3}]}
    scenario = read(tmp_path, changed(story=[{"when": when, "do": {"other": {"brake": 4}}}]))
    groups = scenario.stories[0].acts[0].start
    assert [len(group) for group in groups] == [2, 2]
    assert isinstance(groups[1][0].test, Distance)


def test_actors_may_refer_to_later_ones(tmp_path):
    actors = {
        "last": {"kind": "car", "at": {"behind": "middle", "gap": 5}},
        "middle": {"kind": "car", "at": {"behind": "ego", "gap": 5}},
        "ego": BASE["actors"]["ego"],
    }
    scenario = read(tmp_path, changed(actors=actors))
    assert [entity.name for entity in scenario.entities] == ["ego", "last", "middle"]


def test_long_queues_stay_short_expressions(tmp_path):
    """Each car of a queue stands relative to the one before; expressions have a bounded length."""
    actors = {"ego": {"kind": "car", "at": {"on": "road", "lane": "right", "after": 10}}}
    for i in range(50):
        actors[f"car_{i}"] = {"kind": "car", "at": {"ahead_of": f"car_{i - 1}" if i else "ego", "gap": "$gap / 4"}}
    scenario = read(tmp_path, changed(actors=actors))
    s = Player(scenario, Draw(1), network_of(scenario, Draw(1)), 0.05).state.s_m[0]
    assert float((s[50] - s[0]).abs()) == pytest.approx(50 * (4.5 + 5.0))


def test_turns_make_a_route_through_the_junction(tmp_path):
    actors = {"ego": {"kind": "car", "at": {"on": "approach", "before": 30}, "speed": 10, "turns": "left"}}
    tree = changed(road={"kind": "crossing", "pick": 0, "arms": 4}, actors=actors, task={"seconds": 9})
    scenario = read(tmp_path, tree)
    assert bodies(scenario, "ego", AssignRoute)
    trace = record(Player(scenario, Draw(1), network_of(scenario, Draw(1)), 0.05), 20.0)
    heading = trace.hpr_rad[0, :, 0, 0].numpy()
    turned = np.unwrap(heading)[int(trace.ticks[0]) - 1] - heading[0]
    assert 0.8 < turned < 2.4


def test_walkers_cross_to_the_other_kerb_and_stop(tmp_path):
    actors = {
        "ego": {"kind": "car", "at": {"on": "road", "after": 10}},
        "walker": {"kind": "pedestrian", "at": {"ahead_of": "ego", "by": 30, "roadside": "right", "off": 1}},
    }
    tree = changed(road={"kind": "rural", "seed": 1}, actors=actors, story=[{"do": {"walker": {"cross": 1.5}}}])
    scenario = read(tmp_path, tree)
    assert story_bodies(scenario, FollowTrajectory)
    trace = record(Player(scenario, Draw(1), network_of(scenario, Draw(1)), 0.05), 12.0)
    way = trace.xyz_world_m[0, -1, 1] - trace.xyz_world_m[0, 0, 1]
    wide = network_of(scenario, Draw(1)).roads["0"].edges(np.array([40.0]))
    assert float(way.norm()) == pytest.approx(float(wide[1][0] - wide[0][0]) + 2.0, abs=0.05)
    assert float(trace.speed_mps[0, -1, 1]) == 0.0


def test_arriving_with_the_ego_means_meeting_it(tmp_path):
    actors = {
        "ego": {"kind": "car", "at": {"on": "approach", "before": 60}, "speed": 12, "turns": "straight"},
        "other": {"kind": "car", "at": {"on": "from_left", "before": 50}, "speed": 8, "turns": "straight"},
    }
    tree = changed(
        road={"kind": "crossing", "pick": 0}, actors=actors, task={"seconds": 9},
        story=[{"do": {"other": {"arrive": {"with": "ego", "speed": 8}}}}],
    )  # fmt: skip
    scenario = read(tmp_path, tree)
    assert len(story_bodies(scenario, Synchronize)) == 1
    trace = record(Player(scenario, Draw(1), network_of(scenario, Draw(1)), 0.05), 20.0)
    apart = (trace.xyz_world_m[0, :, 0, :2] - trace.xyz_world_m[0, :, 1, :2]).norm(dim=-1)
    assert float(apart.min()) < 1.5


def test_runs_on_different_lanes_ask_to_be_split(tmp_path):
    tree = changed(parameters={"lane": {"value": "left", "values": ["left", "right"]}, "v": 20, "gap": 9})
    tree["actors"] = {**BASE["actors"], "ego": {"kind": "car", "at": {"on": "road", "lane": "$lane", "after": 50}}}
    tree["actors"]["other"] = {"kind": "car", "at": {"ahead_of": "ego", "gap": 9}}
    with pytest.raises(Mixed) as caught:
        read(tmp_path, tree, Draw(2, {"lane": np.array(["left", "right"], dtype=object)}))
    assert caught.value.parameters == {"lane"}


def test_map_files_are_driven_by_their_ids(tmp_path):
    town = Path(__file__).resolve().parents[3] / "shared" / "data" / "opendrive" / "esmini"
    maps = sorted(town.glob("straight_500m.xodr")) or sorted(town.glob("*.xodr"))
    if not maps:
        pytest.skip(f"no maps in {town}")
    (tmp_path / "map.xodr").write_bytes(maps[0].read_bytes())
    actors = {
        "ego": {"kind": "car", "at": {"road": 1, "lane": -1, "s": 50}, "speed": 10},
        "other": {"kind": "car", "at": {"oncoming_to": "ego", "ahead": 100}, "speed": 10},
    }
    scenario = read(tmp_path, changed(road={"map": "map.xodr"}, actors=actors))
    player = Player(scenario, Draw(1), network_of(scenario, Draw(1)), 0.05)
    assert player.state.s_m[0].tolist() == pytest.approx([50.0, 150.0])
    assert player.state.lane[0].tolist() == [-1, 1]


def test_picked_roads_differ_and_have_what_is_asked_for(tmp_path):
    actors = {"ego": {"kind": "car", "at": {"on": "approach", "before": 40}, "turns": "left"}}
    seeds = [
        int(
            read(
                tmp_path, changed(road={"kind": "crossing", "pick": k, "sign": "stop"}, actors=actors)
            ).road_seed.source
        )
        for k in range(4)
    ]
    assert len(set(seeds)) == 4
    assert seeds == sorted(seeds)


# --- Sweeps ---


def test_sweeps_are_nested_loops_less_constraints(tmp_path):
    parameters = {
        "a": {"value": 0, "range": [0, 0.3], "step": 0.1},
        "b": {"value": "x", "values": ["x", "y"]},
        "v": 20,
        "gap": {"value": 10, "values": [10, 20]},
    }
    runs = sweep(written(tmp_path, changed(parameters=parameters, constraints=["$a * 100 < $gap"])))
    assert runs.draw.size == 16
    assert runs.draw.values["a"][:5].tolist() == [0, 0, 0, 0, 0.1]
    assert sorted(set(runs.draw.values["a"].tolist())) == [0, 0.1, 0.2, 0.3]
    assert runs.draw.values["b"][:4].tolist() == ["x", "x", "y", "y"]
    assert int(runs.allowed.sum()) == 4 + 2 + 0 + 0


# --- Refusals ---


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"storry": []}, ["storry", "did you mean story"]),
        ({"road": {"kind": "highwy", "seed": 0}}, ["highwy", "did you mean highway", "road.kind"]),
        ({"road": {"kind": "highway"}}, ["seed", "pick"]),
        ({"road": {"map": "nowhere.xodr"}}, ["nowhere.xodr", "does not exist"]),
        ({"actors": {"other": BASE["actors"]["ego"]}}, ["no actor is called 'ego'"]),
        ({"actors": {"ego": {"kind": "car"}}}, ["actors.ego", "at missing"]),
        ({"actors": {"ego": {"kind": "cone", "at": {"on": "road"}}}}, ["the ego must be a vehicle"]),
        ({"actors": {"ego": {"kind": "car", "at": {"on": "raod"}}}}, ["raod", "did you mean road"]),
        ({"actors": {"ego": {"kind": "car", "at": {"on": "ring"}}}}, ["no junction", "three arms"]),
        ({"actors": {"ego": {"kind": "car", "at": {"on": "road", "after": 99999}}}}, ["99999", "m long"]),
        ({"actors": {"ego": {"kind": "car", "at": {"on": "road"}, "speed": "50 kmh"}}}, ["50 kmh", "km/h"]),
        ({"actors": {"ego": {"kind": "car", "at": {"on": "road"}, "speed": "fast"}}}, ["fast"]),
        ({"actors": {"ego": {"kind": "car", "at": {"on": "road"}, "speed": "$w"}}}, ["$w", "not declared", "$v"]),
        ({"actors": {"ego": {"kind": "car", "at": {"on": "road"}, "speed": 4000}}}, ["4000", "100 m/s"]),
        ({"actors": {"ego": {"kind": "car", "at": {"behind": "ego", "gap": 3}}}}, ["circle"]),
        ({"actors": {"ego": {"kind": "car", "at": {"behind": "egon", "gap": 3}}}}, ["egon", "did you mean ego"]),
        ({"story": [{"do": {"other": {"brakke": 3}}}]}, ["brakke", "did you mean brake"]),
        ({"story": [{"do": {"other": {"brake": -3}}}]}, ["-3", "more than 0"]),
        ({"story": [{"do": {"nobody": {"brake": 3}}}]}, ["nobody"]),
        ({"story": [{"when": {"tme": 3}, "do": {"other": {"brake": 3}}}]}, ["tme", "did you mean time"]),
        ({"story": [{"when": {"after": "x"}, "do": {"other": {"brake": 3}}}]}, ["'x'", "step_1"]),
        ({"story": [{"when": {"gap": ["ego"], "below": 3}, "do": {"other": {"brake": 3}}}]}, ["two actors"]),
        ({"story": [{"when": {"gap": ["ego", "other"]}, "do": {"other": {"brake": 3}}}]}, ["above", "below"]),
        ({"story": [{"do": {"other": {"wait": 3}}}]}, ["nothing to do after the wait"]),
        ({"story": [{"do": {"other": {"change_lane": {"to": "left"}}}}]}, ["in_s, in_m and rate"]),
        ({"story": [{"do": {"other": {"cross": 1}}}]}, ["does not stand beside the road"]),
        ({"criteria": {"polite": True}}, ["polite", "no_collision"]),
        ({"criteria": {"reach_goal": True}}, ["no goal"]),
        ({"criteria": {"min_ttc_s": "soon"}}, ["criteria.min_ttc_s", "soon"]),
        ({"parameters": {"gap": {"value": 3, "range": [5, 1], "step": 1}, "v": 1}}, ["lower limit first"]),
        ({"parameters": {"gap": {"value": 3, "range": [1, 5], "step": 0}, "v": 1}}, ["step"]),
        ({"parameters": {"gap": {"value": 3, "unit": "furlong"}, "v": 1}}, ["furlong", "km/h"]),
        ({"constraints": ["$gap"]}, ["no relation"]),
        ({"constraints": ["$gap > 30"]}, ["$gap > 30", "does not hold"]),
        ({"weather": {"friction": 7}}, ["weather.friction", "7"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, changes, words):
    message = refusal(tmp_path, changed(**changes))
    assert all(word in message for word in words), message
    assert message.split(":")[1].isdigit()


def test_lines_are_those_of_the_file(tmp_path):
    text = "description: x\nroad: {kind: highway, seed: 0}\nactors:\n  ego:\n    kind: car\n    at: {on: road}\n"
    text += "    sped: 3\n"
    assert refusal(tmp_path, text).startswith("test.yaml:7: actors.ego.sped: unknown key 'sped'; did you mean speed?")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x\n", "alias"),
        ("a: {b: [}\n", "not valid YAML"),
        ("a: 1\na: 2\n", "twice"),
        ("- 1\n", "keys and values"),
        ("", "empty"),
        ("!!python/object/apply:os.system ['true']\n", "keys and values"),
        ("description: !!python/name:os.system x\nroad: {kind: rural, seed: 1}\nactors: {}\n", "no actor"),
        ("? [a]\n: 1\n", "a name is needed"),
        ("[" * (MAX_DEPTH + 2), "nested deeper"),
        ("a: 1\n--- \nb: 2\n", "not valid YAML"),
    ],
)
def test_files_that_are_no_plain_trees_are_refused(tmp_path, text, words):
    assert words in refusal(tmp_path, text)


def test_binary_and_huge_files_are_refused(tmp_path):
    path = tmp_path / "test.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="UTF-8"):
        read_yaml(path, Draw(1))
    path.write_bytes(b"a" * 2_000_000)
    with pytest.raises(ValueError, match="bytes"):
        read_yaml(path, Draw(1))


def test_unknown_parameters_of_a_draw_are_refused(tmp_path):
    message = refusal(tmp_path, BASE, Draw(1, {"speed": np.array([1.0])}))
    assert "declares no parameter 'speed'; it has: gap, v" in message


# --- Anything whatever ---

WORDS = [
    "ego", "other", "kind", "car", "at", "on", "road", "approach", "before", "speed", "to", "in_s", "gap", "ahead_of",
    "left", "$gap", "$v * 2", "50 km/h", "story", "do", "when", "name", "after", "time", "all", "any", "value", "range",
    "step", "values", "unit", "m", "cross", "walk", "lane", "s", "${", "$", "-", "1e999", "nan", "..", "roadside",
]  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.integers(-5, 200),
    st.floats(allow_nan=True),
    st.booleans(),
    st.none(),
    st.text(max_size=6),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = ["description", "road", "actors", "parameters", "let", "constraints", "weather", "story", "task", "criteria"]


def paths(tree, prefix=()):
    """All places in a tree."""
    yield prefix
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield from paths(value, (*prefix, key))


def with_graft(tree, path, value):
    """The tree with something else at a place."""
    if not path:
        return value
    if isinstance(tree, dict):
        return {k: with_graft(v, path[1:], value) if k == path[0] else v for k, v in tree.items()}
    return [with_graft(v, path[1:], value) if i == path[0] else v for i, v in enumerate(tree)]


FULL = changed(
    let={"start": "$gap * 2"},
    constraints=["$gap > 1"],
    weather={"visibility_m": 100, "sun": {"elevation_deg": 5}},
    story=[
        {"name": "a", "when": {"any": [{"gap": ["other", "ego"], "below": "$gap"}, {"time": 2, "delay": 1}]},
         "do": {"other": [{"change_lane": {"to": "ego", "in_s": 3}}, {"wait": 1, "brake": {"rate": 3, "to": 2}}]}},
        {"when": {"after": "a"},
         "do": {"other": {"keep": {"to": "ego", "gap": 5}}, "world": {"weather": {"friction": 1}}}},
    ],
    task={"goal": {"ahead_of": "ego", "by": 100}, "seconds": 9, "end": {"collision": "ego"}},
    criteria={"no_collision": True, "min_ttc_s": 1},
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_tree_is_read_or_refused(tmp_path_factory, data):
    """A valid file with anything at all in one or two of its places."""
    tree = FULL
    for _ in range(data.draw(st.integers(1, 2))):
        tree = with_graft(tree, data.draw(st.sampled_from(list(paths(tree)))), data.draw(TREES))
    path = written(tmp_path_factory.getbasetemp(), tree, "fuzz.yaml")
    try:
        read_yaml(path, Draw(1))
    except (ValueError, Mixed) as error:
        assert not isinstance(error, ValueError) or "fuzz.yaml" in str(error), repr(error)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"bytes\.yaml"):
        read_yaml(path, Draw(1))


def test_the_full_example_of_the_fuzz_is_valid(tmp_path):
    scenario = read(tmp_path, FULL)
    assert story_bodies(scenario, LaneChange)
    assert bodies(scenario, "ego", Teleport)
