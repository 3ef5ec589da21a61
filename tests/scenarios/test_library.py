"""The scenario library: every file reads, sweeps, plays, and shows what its name says."""

import numpy as np
import pytest
import torch

from sim.scenarios.batches import uniform
from sim.scenarios.library import FOLDER, find_scenario, library
from sim.scenarios.player import Player, record
from sim.scenarios.reading import network_of
from sim.scenarios.suites import sweep
from sim.scenarios.values import Draw
from sim.scenarios.yaml_scenarios import read_yaml

NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
DT_S = 0.1
# An ego that just drives on with the values of the file hits somebody, or is hit.
DANGERS = {
    "accident_ahead", "backing_up", "blocked_intersection", "bus_stop", "car_pulls_out", "construction_zone",
    "crosswalk_group", "cut_in", "cut_out", "cyclist_along", "cyclist_crossing", "debris", "hard_brake",
    "double_parked_van", "lead_decelerating", "lead_slower", "lead_stopped", "left_turn_across", "oncoming_turns_left",
    "parked_vehicle_in_lane", "pedestrian_along_road", "pedestrian_at_turn", "pedestrian_behind_parked_cars",
    "red_light_runner", "right_turn_into_path", "stop_and_go", "stop_sign_runner", "straight_crossing_paths",
    "tail_of_jam",
}  # fmt: skip


def player_of(name, draw=None):
    draw = draw or Draw(1)
    scenario = read_yaml(FOLDER / f"{name}.yaml", draw)
    return scenario, Player(scenario, draw, network_of(scenario, draw), DT_S)


def test_the_library_lists_itself():
    entries = library()
    assert [entry.name for entry in entries] == NAMES
    assert len(entries) >= 30
    for entry in entries:
        assert entry.description.endswith("."), entry.name
        assert entry.source, entry.name
        assert 10 <= entry.runs <= 1000, (entry.name, entry.runs)
        assert entry.parameters, entry.name
    assert {entry.road for entry in entries} >= {"rural", "highway", "motorway", "crossing", "roundabout", "urban"}


def test_scenarios_are_found_by_name_and_by_path(tmp_path):
    assert find_scenario("cut_in") == FOLDER / "cut_in.yaml"
    assert find_scenario("cut_in.yaml") == FOLDER / "cut_in.yaml"
    mine = tmp_path / "cut_in.yaml"
    mine.write_text("description: mine", encoding="utf-8")
    assert find_scenario(mine) == mine
    with pytest.raises(FileNotFoundError, match="did you mean cut_in"):
        find_scenario("cutin")


@pytest.mark.parametrize("name", NAMES)
def test_scenarios_play_and_show_what_they_say(name):
    scenario, player = player_of(name)
    assert scenario.criteria
    assert not bool(player.collisions("ego").any()), "somebody stands in the ego at the start"
    hit = torch.zeros(1, len(player.entities.names), dtype=torch.bool)
    while not bool(player.done.all()) and player.time_s < 20.0:
        player.step()
        hit |= player.collisions("ego")
    assert bool(torch.isfinite(player.state.x_m).all())
    assert float(player.state.travelled_m[0, 0]) > 20.0
    assert bool(hit.any()) or name not in DANGERS


@pytest.mark.parametrize("name", NAMES)
def test_sweeps_read_and_start_at_their_ends(name):
    """The first, the last and some runs between of a sweep are read, split and put on the road."""
    runs = sweep(FOLDER / f"{name}.yaml")
    rows = np.flatnonzero(runs.allowed)[np.linspace(0, int(runs.allowed.sum()) - 1, 9).astype(int)]

    def build(draw):
        return player_of(name, draw)[1]

    groups = uniform(runs.draw.take(rows), build)
    assert sorted(np.concatenate([members for members, _ in groups]).tolist()) == list(range(9))
    for _, player in groups:
        assert bool(torch.isfinite(player.state.x_m).all())
        assert not bool(player.collisions("ego").any())


def test_runs_are_the_same_alone_and_in_a_batch():
    runs = sweep(FOLDER / "cut_in.yaml")
    rows = np.flatnonzero(runs.allowed)[[3, 50, 200]]

    def trace(draw):
        scenario = read_yaml(FOLDER / "cut_in.yaml", draw)
        return record(Player(scenario, draw, network_of(scenario, draw), DT_S), 6.0)

    whole = trace(runs.draw.take(rows))
    for i, row in enumerate(rows):
        alone = trace(runs.draw.take(np.array([row])))
        assert torch.equal(alone.xyz_world_m[0], whole.xyz_world_m[i])
