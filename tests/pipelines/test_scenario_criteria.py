"""Criteria of scenarios that play: what the library's runs are told, with and without a driver."""

import numpy as np
import pytest

from pipelines.scenario_runs import Terms, play_runs
from sim.roadgen.generate import generate_road
from sim.scenarios.goals import goal_xy_world_m
from sim.scenarios.library import find_scenario
from sim.scenarios.player import Player, record
from sim.scenarios.reading import network_of
from sim.scenarios.values import Draw
from sim.scenarios.yaml_scenarios import read_yaml


def test_who_does_not_brake_fails_and_who_does_passes():
    draw = Draw(2, {"gap": np.array([10.0, 50.0])})
    alone = play_runs(find_scenario("cut_in"), draw, Terms(seconds=20.0))
    assert alone["criteria"].tolist() == ["failed", "failed"]
    assert all(text.startswith("no_collision 1 (0); min_ttc_s 0 (0.5)") for text in alone["failed"])
    driven = play_runs(find_scenario("cut_in"), draw, Terms(agent="fsm", seconds=20.0))
    assert driven["criteria"].tolist()[1] == "passed"
    assert driven["failed"].tolist()[1] == ""


def test_staying_on_the_road_and_reaching_the_goal_are_judged():
    columns = play_runs(find_scenario("road_edge_departure"), Draw(1), Terms(seconds=60.0))
    assert columns["end_reason"].tolist() == ["stop trigger"]
    assert "stay_on_road" not in columns["failed"][0]
    assert "reach_goal" not in columns["failed"][0]


@pytest.mark.parametrize("name", ["left_turn_across", "roundabout_entry", "motorway_exit"])
def test_goals_lie_on_the_road_and_on_the_ego_s_way(name):
    scenario = read_yaml(find_scenario(name), Draw(1))
    network = network_of(scenario, Draw(1))
    goal = goal_xy_world_m(scenario, Draw(1), network)
    assert goal.shape == (1, 2)
    centres = np.concatenate(
        [s.center_xyz_world_m[:, :2] for s in network.strips(0.5) if "amp" in s.kind or s.kind == "driving"]
    )
    assert np.hypot(*(centres - goal[0]).T).min() < 0.3
    if name != "motorway_exit":  # there the way to the goal needs lane changes, which only an agent makes
        trace = record(Player(scenario, Draw(1), network, 0.1), 40.0)
        assert np.hypot(*(trace.xyz_world_m[0, :, 0, :2].numpy() - goal[0]).T).min() < 5.0


def test_scenarios_without_a_goal_have_none():
    scenario = read_yaml(find_scenario("lead_stopped"), Draw(1))
    assert goal_xy_world_m(scenario, Draw(1), generate_road("rural", 0)) is None
