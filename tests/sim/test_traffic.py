"""Traffic: IDM against its equilibrium, orders and speeds against slow twins, junctions, lane changes, people."""

import numpy as np
import pytest
import torch
from lane_graphs import crossing, ring, straight

from configs.schema import SimConfig
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.simulator import Simulator
from sim.types import LaneGraph


def traffic(lanes: LaneGraph, worlds: int = 1, actors: int = 8, people: int = 0, maps: int = 1) -> Simulator:
    """Worlds in which the traffic model moves everybody, the ego included."""
    config = SimConfig(actors=actors, pedestrians=people)
    index = (torch.arange(worlds) % maps).int()
    return Simulator(lanes, config, torch.arange(worlds), index, controlled=[False] * actors)


def equalise(sim: Simulator) -> None:
    """Give everybody the same car and temper."""
    world = sim.world
    world.size_m[:] = torch.tensor([4.5, 1.8, 1.5])
    world.wheelbase_m[:] = 2.7
    for field, value in (("desired_speed_factor", 1.0), ("time_gap_s", 1.5), ("max_accel_mps2", 1.5)):
        getattr(world, field)[:] = value
    world.comfort_decel_mps2[:] = 2.0


def run(sim: Simulator, ticks: int) -> None:
    for _ in range(ticks):
        sim.step(sim.action)


def test_a_ring_of_equal_cars_settles_at_the_idm_equilibrium_gap() -> None:
    """Treiber et al. 2000, eq. 7: gap = (s0 + v T) / sqrt(1 - (v / v0)^4)."""
    radius, limit = 40.0, 9.0
    sim = traffic(ring(radius, limit), actors=9)
    equalise(sim)
    run(sim, 3000)
    count = int(sim.state.valid.sum())
    assert count >= 7
    gap = 2 * np.pi * radius / count - 4.5
    speeds = np.linspace(0.0, limit - 1e-3, 200000)
    equilibrium = speeds[np.argmin(np.abs((2.0 + 1.5 * speeds) / np.sqrt(1 - (speeds / limit) ** 4) - gap))]
    found = sim.state.speed_mps[sim.state.valid]
    assert found.numpy() == pytest.approx(np.full(count, equilibrium), abs=0.03)


def test_a_free_car_settles_at_its_desired_speed() -> None:
    sim = traffic(ring(200.0, 12.0), actors=1)
    sim.world.desired_speed_factor[:] = 0.9
    run(sim, 600)
    assert float(sim.state.speed_mps[0, 0]) == pytest.approx(10.8, abs=0.02)


def test_curves_are_taken_at_the_lateral_acceleration_limit() -> None:
    sim = traffic(ring(20.0, 30.0), actors=1)
    run(sim, 400)
    assert float(sim.state.speed_mps[0, 0]) == pytest.approx(np.sqrt(2.5 * 20.0), abs=0.05)


@pytest.fixture(scope="module")
def town() -> LaneGraph:
    return compile_lanes([generate_road("town", 11)])


def test_orders_equal_a_plain_sort_and_curve_speeds_equal_a_slow_scan(town: LaneGraph) -> None:
    sim = traffic(town, worlds=4, actors=32, people=6)
    run(sim, 137)
    private = sim._private
    for key, order, rank in (("entry_key", "sorted_key", "rank"), ("x_key", "sorted_x", "rank_x")):
        expected = torch.sort(private[key], dim=1).values
        assert torch.equal(private[order], expected)
        back = torch.gather(private[order], 1, private[rank].long())
        assert torch.equal(back, private[key])
    first, step = town.sample_first.numpy(), town.step_m.numpy()
    found = sim._lanes.curve_speed_mps.numpy()
    for lane in range(0, len(step), 7):
        allowed = np.inf
        for k in range(first[lane + 1] - 1, first[lane] - 1, -1):
            here = 2.5 / max(abs(float(town.curvature_1pm[k])), 1e-4)
            allowed = min(here, allowed + 2 * 1.5 * step[lane])
            assert found[k] == pytest.approx(min(np.sqrt(allowed), 1000.0), rel=1e-3)


def test_lane_entries_are_where_the_actors_are(town: LaneGraph) -> None:
    sim = traffic(town, worlds=4, actors=32, people=6)
    run(sim, 83)
    state, key, entry = sim.state, sim._private["entry_key"], sim._private["entry"]
    vehicles = sim.first_person
    lane, slot = key >> 39, key & 4095
    assert torch.equal(slot, torch.arange(64).expand(4, 64))
    for b, i in state.valid[:, :vehicles].nonzero().tolist():
        assert int(lane[b, i]) == int(state.path_lane[b, i, 0])
        assert float(entry[b, i, 0]) == float(state.lane_s_m[b, i])
        reach = float(entry[b, i, 2] + entry[b, i, 3])
        assert reach == pytest.approx(float(sim.world.size_m[b, i, 0]), abs=1e-4)
    assert (lane[:, :vehicles][~state.valid[:, :vehicles]] == 2**23).all()


def test_two_roads_cross_without_touching_and_both_get_through() -> None:
    sim = traffic(crossing(), worlds=32, actors=10)
    through = torch.zeros(2)
    touched = 0
    before = sim.state.path_lane[:, :, 0].clone()
    for _ in range(900):
        sim.step(sim.action)
        now = sim.state.path_lane[:, :, 0]
        for road, (inside, after) in enumerate(((1, 2), (4, 5))):
            through[road] += ((before == inside) & (now == after) & sim.state.valid).sum()
        before = now.clone()
        touched += int(sim.state.collided.sum())
    assert touched == 0
    # 32 worlds x 90 s; each road brings about one vehicle every 10 s.
    assert through.min() > 100, through


def test_who_gives_way_waits_for_who_has_priority() -> None:
    sim = traffic(crossing(), actors=2)
    equalise(sim)
    state = sim.state
    state.valid[:] = True
    lanes, along = torch.tensor([3, 0]), 100.0
    for i, lane in enumerate(lanes.tolist()):
        state.path_lane[0, i] = torch.tensor([lane, lane + 1, lane + 2, lane + 2])
        state.path_valid[0, i] = torch.tensor([True, True, True, False])
        state.lane_s_m[0, i] = along
    sim.world.route_lane[0, :3] = torch.tensor([3, 4, 5])
    sim.world.route_valid[0, :3], sim.world.route_valid[0, 3:] = True, False
    state.route_index[:] = 0
    state.speed_mps[:] = 10.0
    entered = {}
    for tick in range(300):
        sim.step(sim.action)
        assert not state.collided.any()
        for i in range(2):
            if int(state.path_lane[0, i, 0]) in (1, 4):
                entered.setdefault(i, tick)
    assert entered[1] < entered[0]


def test_a_faster_car_changes_lanes_smoothly_and_passes() -> None:
    sim = traffic(straight(1500.0, lanes=2, limit_mps=20.0), actors=3)
    equalise(sim)
    state = sim.state
    state.valid[:] = True
    sim.world.desired_speed_factor[0] = torch.tensor([0.1, 1.0, 0.3])
    state.path_lane[:] = 0
    state.path_lane[0, 0] = 1
    state.lane_s_m[0] = torch.tensor([5.0, 150.0, 180.0])
    state.xy_world_m[0] = torch.tensor([[5.0, 3.5], [150.0, 0.0], [180.0, 0.0]])
    state.yaw_world_rad[:] = 0.0
    state.speed_mps[0] = torch.tensor([2.0, 10.0, 6.0])
    y = [0.0]
    for _ in range(250):
        sim.step(sim.action)
        assert not state.collided.any()
        y.append(float(state.xy_world_m[0, 1, 1]))
    steps = np.diff(y)
    assert float(state.xy_world_m[0, 1, 0]) > float(state.xy_world_m[0, 2, 0]) + 10.0
    assert max(y) == pytest.approx(3.5, abs=0.02)
    # Minimum jerk over 3 s and 3.5 m: at most 1.875 x 3.5 / 3 m/s sideways.
    assert np.abs(steps).max() < 1.875 * 3.5 / 3.0 * 0.1 + 0.01


def test_who_changes_lanes_indicates_that_side_and_nobody_else_does() -> None:
    sim = traffic(straight(2000.0, lanes=2), actors=14)
    seen: set[float] = set()
    for _ in range(300):
        before = sim.state.lane_lateral_m.clone()
        sim.step(sim.action)
        state = sim.state
        changing = state.valid & (sim._private["change_start_m"] != 0.0)
        assert torch.equal(state.indicator[state.valid] != 0.0, changing[state.valid])
        going = changing & (before.sign() == state.lane_lateral_m.sign()) & (before.abs() > state.lane_lateral_m.abs())
        assert (state.indicator[going] == -before[going].sign()).all()
        seen |= set(state.indicator[going].tolist())
    assert seen


def test_who_turns_at_a_junction_indicates_before_and_in_it(town: LaneGraph) -> None:
    sim = traffic(town, worlds=2, actors=24)
    used = torch.zeros(2, 24)  # ticks with an indicator on
    kept = turned = 0
    for _ in range(500):
        sim.step(sim.action)
        state = sim.state
        driven = state.valid & (sim._private["change_start_m"] == 0.0) & (state.speed_mps > 1.0)
        bends = driven & (state.yaw_rate_radps.abs() > 0.25) & (state.indicator != 0.0)
        turned += int(bends.sum())
        kept += int((state.yaw_rate_radps.sign() == state.indicator)[bends].sum())
        used += state.indicator.abs()
    assert turned > 100 and kept > 0.9 * turned and (used < 500.0).all()  # nobody forgets it on


def test_vehicles_that_leave_an_open_map_come_back() -> None:
    sim = traffic(straight(300.0, lanes=2), worlds=4, actors=8)
    came_back, before = 0, sim.state.lane_s_m.clone()
    for _ in range(600):
        sim.step(sim.action)
        came_back += int((sim.state.valid & (sim.state.lane_s_m < before - 100.0)).sum())
        before = sim.state.lane_s_m.clone()
    assert came_back > 20
    assert sim.state.valid[:, 1:].float().mean() > 0.5
    assert not torch.isnan(sim.state.xy_world_m).any()


def test_people_cross_and_traffic_lets_them() -> None:
    sim = traffic(straight(600.0), worlds=16, actors=10, people=4)
    state, world, first = sim.state, sim.world, sim.first_person
    length = (world.walk_to_world_m - world.walk_from_world_m).norm(dim=2)[:, first:]
    crossed, hit = torch.zeros_like(length), 0
    was_back = state.walk_s_m[:, first:] >= length
    for _ in range(900):
        sim.step(sim.action)
        back = state.walk_s_m[:, first:] >= length
        crossed += (back != was_back).float()
        was_back = back
        hit += int(state.collided[:, first:].sum())
    placed = state.valid[:, first:]
    assert placed.float().mean() > 0.9
    assert (crossed[placed] > 0).float().mean() > 0.95
    assert hit == 0


def test_manners_are_drawn_per_driver_from_a_stream_of_their_own(town: LaneGraph) -> None:
    sim, lone = traffic(town, worlds=8, actors=16), traffic(town, worlds=1, actors=4)
    for field, low, high in (("patience_s", 2.5, 7.5), ("politeness", 0.0, 0.5)):
        drawn = getattr(sim.world, field)
        assert (drawn >= low).all() and (drawn < high).all()
        assert float(drawn.mean()) == pytest.approx(0.5 * (low + high), rel=0.15)
        assert len(drawn.unique()) == drawn.numel()
        assert torch.equal(getattr(lone.world, field), drawn[:1, :4])


def test_an_impatient_driver_takes_the_gap_before_a_standing_one_sooner() -> None:
    """The major road's car stands 6 m before the junction and might go; who gives way waits for its patience."""
    left = []
    for patience in (2.0, 6.0):
        sim = traffic(crossing(), actors=2)
        equalise(sim)
        state = sim.state
        sim.world.patience_s[:] = patience
        sim.world.controlled[0, 0] = True  # coasts: it stands where it is
        state.valid[:] = True
        for i, (lane, s, xy, yaw) in enumerate(((0, 134.0, (-16.0, 0.0), 0.0), (3, 138.0, (0.0, -12.0), np.pi / 2))):
            state.path_lane[0, i] = torch.tensor([lane, lane + 1, lane + 2, lane + 2])
            state.path_valid[0, i] = torch.tensor([True, True, True, False])
            state.lane_s_m[0, i], state.yaw_world_rad[0, i] = s, yaw
            state.xy_world_m[0, i] = torch.tensor(xy)
        state.speed_mps[:] = 0.0
        tick = 0
        while int(state.path_lane[0, 1, 0]) != 4 and tick < 200:
            sim.step(sim.action)
            tick += 1
        left.append(0.1 * tick)
    assert left[1] - left[0] == pytest.approx(4.0, abs=0.3), left


def test_a_polite_driver_stays_where_moving_over_would_brake_another() -> None:
    """MOBIL: 0.4 m/s2 or so won against 1.5 m/s2 lost by the follower on the other lane."""
    changed = []
    for politeness in (0.0, 0.5):
        sim = traffic(straight(1500.0, lanes=2, limit_mps=20.0), actors=3)
        equalise(sim)
        state = sim.state
        sim.world.politeness[:] = politeness
        state.valid[:] = True
        sim.world.controlled[0, 0] = True
        state.path_lane[:] = 0
        state.path_lane[0, 0] = 1  # the follower on the left lane coasts
        state.lane_s_m[0] = torch.tensor([115.0, 150.0, 190.0])
        state.xy_world_m[0] = torch.tensor([[115.0, 3.5], [150.0, 0.0], [190.0, 0.0]])
        state.yaw_world_rad[:] = 0.0
        state.speed_mps[0] = torch.tensor([15.0, 12.0, 11.0])
        run(sim, 10)
        changed.append(bool(state.path_lane[0, 1, 0] == 1))
    assert changed == [True, False]


def test_a_polite_driver_makes_way_towards_the_kerb_only() -> None:
    """A slow car with a fast one close behind and both lanes free: it leaves the left lane, but not the right one."""
    changed = []
    for lane, politeness in ((1, 0.0), (1, 0.5), (0, 0.5)):
        sim = traffic(straight(1500.0, lanes=2, limit_mps=20.0), actors=3)
        equalise(sim)
        state = sim.state
        sim.world.politeness[:] = politeness
        sim.world.desired_speed_factor[0] = torch.tensor([0.1, 1.0, 0.5])
        state.valid[:] = True
        state.path_lane[0] = torch.tensor([[1 - lane], [lane], [lane]])
        state.lane_s_m[0] = torch.tensor([5.0, 130.0, 150.0])
        y = 3.5 * lane
        state.xy_world_m[0] = torch.tensor([[5.0, 3.5 - y], [130.0, y], [150.0, y]])
        state.yaw_world_rad[:] = 0.0
        state.speed_mps[0] = torch.tensor([2.0, 14.0, 10.0])
        run(sim, 9)  # the slow one looks first
        changed.append(int(state.path_lane[0, 2, 0]) != lane)
    assert changed == [False, True, False]
