"""Lights away from junctions: who halts where, how they switch, and that drivers and people obey them."""

import numpy as np
import pytest
import torch
from tiny_maps import line, read, road, section

from configs.schema import SimConfig
from sim.roads.lanegraph import compile_lanes, map_lanes
from sim.roads.signals import lane_rules
from sim.simulator import Simulator
from sim.types import SignalPhase

LIGHT = '<signal id="{id}" type="1000001" dynamic="yes" s="{s}" t="4" orientation="{way}">{rest}</signal>'
ZEBRA = """<objects><object type="crosswalk" id="z" s="203" t="0" length="4" width="6"><outline>
    <cornerRoad s="201" t="-3"/><cornerRoad s="205" t="-3"/><cornerRoad s="205" t="3"/><cornerRoad s="201" t="3"/>
    </outline></object></objects>"""


def light(id: str, s: float, way: str, rest: str = "") -> str:
    return LIGHT.format(id=id, s=s, way=way, rest=rest)


def street(tmp_path, *lights: str, controllers: str = "", extra: str = ""):
    """One road of 400 m along x with one lane each way."""
    body = road(geometry=line(0, 0, length=400), length=400, after=f"{extra}<signals>{''.join(lights)}</signals>")
    return read(tmp_path, body + controllers)


def rules_of(network):
    lanes = map_lanes(network)
    return lanes, lane_rules(network, lanes, np.full(len(lanes.keys), 12.0))


def halts_of(network) -> dict[int, list[tuple[float, int]]]:
    """Stop lines and groups by lane id."""
    lanes, rules = rules_of(network)
    return {
        key[2]: [
            (round(float(rules.halt_m[h]), 3), int(rules.halt_group[h]))
            for h in range(rules.halt_first[lane], rules.halt_first[lane + 1])
        ]
        for lane, key in enumerate(lanes.keys)
    }


def test_each_way_halts_at_its_light_and_one_place_has_one_group(tmp_path):
    network = street(tmp_path, light("a", 200, "+"), light("b", 208, "-"), light("c", 320, "none"))
    assert halts_of(network) == {-1: [(200.0, 0), (320.0, 1)], 1: [(80.0, 1), (192.0, 0)]}
    _, rules = rules_of(network)
    assert rules.junction.tolist() == [0, 1]  # each place has its own clock
    assert not rules.control.any()
    assert rules.plan_s[0].tolist() == pytest.approx([12 + 3 + 2 + 10, 0, 12, 3])


def test_controllers_join_lights_and_validity_picks_lanes(tmp_path):
    control = "".join(f'<control signalId="{id}"/>' for id in "ac")
    network = street(
        tmp_path,
        light("a", 100, "+"),
        light("b", 120, "none", '<validity fromLane="1" toLane="1"/>'),
        light("c", 300, "+"),
        light("d", 310, "-", '<validity fromLane="0" toLane="0"/>'),
        controllers=f'<controller id="k">{control}</controller>',
    )
    assert halts_of(network) == {-1: [(100.0, 0), (300.0, 0)], 1: [(280.0, 1)]}


def test_halts_are_found_per_section(tmp_path):
    sections = section(0) + section(150)
    body = road(
        geometry=line(0, 0, length=400), length=400, lanes=sections, after=f"<signals>{light('a', 200, '+')}</signals>"
    )
    lanes, rules = rules_of(read(tmp_path, body))
    (halting,) = np.flatnonzero(np.diff(rules.halt_first))
    assert lanes.keys[halting] == ("1", 1, -1)
    assert rules.halt_m.tolist() == pytest.approx([50.0])


def test_drivers_halt_for_red_and_go_on_green(tmp_path):
    lanes = compile_lanes([street(tmp_path, light("a", 200, "none"))])
    worlds, actors = 16, 10
    sim = Simulator(
        lanes,
        SimConfig(actors=actors, pedestrians=0),
        torch.arange(worlds),
        torch.zeros(worlds, dtype=torch.int32),
        controlled=[False] * actors,
    )
    first, line_m = sim.world.lanes.halt_first.long(), sim.world.lanes.halt_m

    def past() -> torch.Tensor:
        front = 0.5 * (sim.world.size_m[..., 0] + sim.world.wheelbase_m)
        return sim.state.lane_s_m + front - line_m[first[sim.state.path_lane[..., 0].long()]]

    went, stood, before, was_valid = {phase: 0 for phase in SignalPhase}, 0, past(), sim.state.valid.clone()
    for _ in range(900):
        phase = sim.state.signal_phase[:, 0].clone()
        sim.step(sim.action)
        now = past()
        crossing = was_valid & sim.state.valid & (before <= 0.0) & (now > 0.0) & (now < 5.0)
        for b in crossing.nonzero()[:, 0].tolist():
            went[SignalPhase(int(phase[b]))] += 1
        stood += int(((now > -3.0) & (now < 0.0) & sim.state.valid & (sim.state.speed_mps < 0.1)).sum())
        before, was_valid = now, sim.state.valid.clone()
        assert not sim.state.collided.any()
    assert went[SignalPhase.GREEN] > 100
    assert went[SignalPhase.RED] == 0, went
    assert stood > 1000


def test_people_cross_while_the_lights_of_their_crosswalk_are_red(tmp_path):
    lanes = compile_lanes([street(tmp_path, light("a", 199, "+"), light("b", 207, "-"), extra=ZEBRA)])
    worlds = torch.zeros(12, dtype=torch.int32)
    sim = Simulator(lanes, SimConfig(actors=9, pedestrians=5), torch.arange(12), worlds, controlled=[False] * 9)
    state, first = sim.state, sim.first_person
    length = (sim.world.walk_to_world_m - sim.world.walk_from_world_m).norm(dim=2)[:, first:]
    on_zebra = (sim._private["walk_style"] == 1) & state.valid[:, first:]
    assert on_zebra.any()
    starts_by_phase = torch.zeros(3)
    for _ in range(900):
        waited = (state.walk_s_m[:, first:] == 0.0) | (state.walk_s_m[:, first:] == length)
        phase = state.signal_phase[:, 0].clone()
        sim.step(sim.action)
        starts = waited & (state.speed_mps[:, first:] > 0.0) & on_zebra
        starts_by_phase += torch.bincount(phase[starts.nonzero()[:, 0]], minlength=3)
        assert not (state.collided[:, first:] & on_zebra).any()
    assert starts_by_phase[SignalPhase.RED] > 20
    assert starts_by_phase[[SignalPhase.GREEN, SignalPhase.YELLOW]].sum() == 0
