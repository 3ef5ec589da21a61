"""A scenario's batch in the shared types: the same scene as the player's, in the ego's frame, whatever the batch."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.contract import make_agent
from perception.oracle import oracle_percept
from sim.roads.lanegraph import compile_lanes
from sim.scenarios.library import find_scenario
from sim.scenarios.player import Player
from sim.scenarios.reading import network_of, read_scenario
from sim.scenarios.stage import Stage, surface_edge_m
from sim.scenarios.values import Draw

CUT_IN = find_scenario(Path("cut_in"))


def stage_of(draw):
    scenario = read_scenario(CUT_IN, draw)
    network = network_of(scenario, draw)
    ego = scenario.ego or scenario.entities[0].name
    player = Player(scenario, draw, network, 0.05, driven=(ego,))
    return Stage(player, compile_lanes([network]), ego)


def drive(stage, ticks):
    agent = make_agent("classical", len(stage.world.seed))
    seen = []
    for _ in range(ticks):
        ego = stage.ego_state()
        action = agent.act(oracle_percept(stage.boxes_3d(), ego.time_s), stage.route(), ego)
        stage.step(action)
        seen.append(torch.cat((stage.state.xy_world_m.flatten(1), stage.state.speed_mps), dim=1).clone())
    return torch.stack(seen, dim=1)


def test_boxes_lie_where_the_player_has_its_entities():
    stage = stage_of(Draw(1))
    drive(stage, 40)
    state, boxes = stage.player.state, stage.boxes_3d()
    ego = stage.player.entities.index(stage.names[0])
    heading = float(state.heading_rad[0, ego])
    for k, name in enumerate(stage.names[1:]):
        e = stage.player.entities.index(name)
        ahead = float(stage.player.entities.centre_offset_m[0, e])
        yaw = float(state.heading_rad[0, e])
        dx = float(state.x_m[0, e]) + ahead * math.cos(yaw) - float(stage.state.xy_world_m[0, 0, 0])
        dy = float(state.y_m[0, e]) + ahead * math.sin(yaw) - float(stage.state.xy_world_m[0, 0, 1])
        expected = (math.cos(heading) * dx + math.sin(heading) * dy, math.cos(heading) * dy - math.sin(heading) * dx)
        assert boxes.center_ego_m[0, k, :2].tolist() == pytest.approx(expected, abs=2e-3)
        assert boxes.size_m[0, k].tolist() == pytest.approx(stage.player.entities.size_m[0, e].tolist(), rel=1e-6)


def test_the_route_starts_beside_the_ego_and_runs_on_every_two_metres():
    stage = stage_of(Draw(1))
    drive(stage, 30)
    route = stage.route()
    steps = route.xy_ego_m[0, 1:] - route.xy_ego_m[0, :-1]
    assert torch.allclose(steps.norm(dim=1), torch.full((len(steps),), 2.0), atol=0.02)
    assert abs(float(route.lateral_m[0])) < 0.3 and abs(float(route.xy_ego_m[0, 0, 0])) < 0.05
    assert float(route.xy_ego_m[0, 0, 1]) == pytest.approx(-float(route.lateral_m[0]), abs=0.02)


def test_a_run_is_the_same_alone_and_among_others():
    names = [p.name for p in read_scenario(CUT_IN, Draw(1)).parameters]
    gap = next(name for name in names if "gap" in name)
    values = np.array([12.0, 18.0, 25.0])
    together = drive(stage_of(Draw(3, {gap: values})), 60)
    for run in range(3):
        alone = drive(stage_of(Draw(1, {gap: values[run : run + 1]})), 60)
        assert torch.equal(alone[0], together[run])


def test_the_edge_of_the_road_is_where_the_lanes_end():
    stage = stage_of(Draw(1))
    lanes = stage.world.lanes
    middle = lanes.xy_world_m[len(lanes.xy_world_m) // 2].double()
    assert float(surface_edge_m(lanes, middle[None])) > 1.0
    assert float(surface_edge_m(lanes, middle[None] + 1.0e4)) == -8.0
