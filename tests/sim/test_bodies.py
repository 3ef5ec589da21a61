"""What road users look like follows their state, and labels do not see it."""

import itertools
import math

import pytest
import torch
from tiny_scene import Actor, make_world, shoot

from sim.types import ActorKind, Semantic

CAR, PERSON = ActorKind.CAR, ActorKind.PEDESTRIAN


def pictures(
    actor: Actor, change: str, values: tuple[float, float], weather: str = "clear"
) -> tuple[torch.Tensor, ...]:
    """Two pictures (H, W, 3) that differ in one field of the actor's state, the first's mask, and both depths."""
    frames, truths = [], []
    for value in values:
        world, state = make_world([[actor]])
        getattr(state, change)[0, 1] = value
        frame, truth, _ = shoot(world, state, weather=weather, width=320, height=192)
        frames.append(frame.rgb[0, 0].float())
        truths.append(truth)
    own = truths[0].instance[0, 0] == 2
    return *frames, own, truths[0].depth_m[0, 0], truths[1].depth_m[0, 0]


def test_brake_lamps_light_up_behind_and_labels_stay():
    off, on, own, before, after = pictures(Actor(CAR, 9.0, -1.75), "accel_mps2", (0.0, -3.0))
    brighter = (on - off)[own]
    assert torch.equal(before, after)
    lit = brighter[:, 0] > 25.0
    assert 20 < int(lit.sum()) < 0.2 * len(lit)  # the lamps alone
    assert float(brighter[lit, 0].mean()) > float(brighter[lit, 2].mean())
    assert torch.equal(on[~own], off[~own])


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("yaw", [0.0, math.pi])
def test_indicators_blink_on_their_side(side: float, yaw: float):
    """At 1.5 Hz: of 20 ticks of 0.1 s about half show the lamp, on the side that the driver sees it on."""
    lit = []
    world, state = make_world([[Actor(CAR, 9.0, -1.75, yaw, appearance=3)]] * 21, seeds=[0] * 21)
    state.indicator[:20, 1], state.tick[:20] = side, torch.arange(20)  # the last one does not indicate
    frame, truth, _ = shoot(world, state, width=320, height=192)
    own = (truth.instance[0, 0] == 2).nonzero()[:, 1].float()
    for tick in range(20):
        bright = frame.rgb[tick, 0].float() - frame.rgb[20, 0].float()
        shown = (bright[..., 0] > 25.0).nonzero()[:, 1].float()
        lit.append(len(shown) > 2)
        if lit[-1]:
            left = float(shown.mean()) < 0.5 * float(own.min() + own.max())
            assert left == ((side > 0.0) == (yaw == 0.0))
    assert 8 <= sum(lit) <= 12
    assert 5 <= sum(a != b for a, b in itertools.pairwise(lit)) <= 7


@pytest.mark.parametrize("lateral", [-1.0, 1.0])
def test_an_open_door_of_a_parked_car_is_seen_and_counts_as_the_car(lateral: float):
    """On the side of the road: to the left of a car that stands right of its lane."""
    world, state = make_world([[Actor(CAR, 9.0, -1.75, appearance=3)]])
    state.lane_lateral_m[0, 1] = lateral
    shut_frame, shut, _ = shoot(world, state, width=320, height=192)
    closed = shut.instance[0, 0] == 2
    before, box = shut_frame.rgb.clone(), shut.boxes_2d.visible_px[0, 0, 0].clone()
    state.door_s[0, 1] = 2.0
    frame, truth, _ = shoot(world, state, width=320, height=192)
    added = (truth.instance[0, 0] == 2) & ~closed
    columns = added.nonzero()[:, 1]
    assert int(added.sum()) > 100 and (truth.instance[0, 0][closed] == 2).all()
    wider = truth.boxes_2d.visible_px[0, 0, 0] - box
    if lateral < 0.0:
        assert float(wider[0]) < -10.0 and columns.max() < closed.nonzero()[:, 1].float().mean()
    else:
        assert float(wider[2]) > 10.0 and columns.min() > closed.nonzero()[:, 1].float().mean()
    assert (truth.semantic[0, 0][added] == int(Semantic.CAR)).all()
    assert (truth.depth_m[0, 0][added] - 9.0).abs().max() < 2.5
    assert (frame.rgb[0, 0].float() - before[0, 0].float()).abs().amax(-1)[added].mean() > 8.0


def test_nothing_of_the_brakes_shows_in_front():
    off, on, own, _, _ = pictures(Actor(CAR, 9.0, -1.75, math.pi), "accel_mps2", (0.0, -3.0))
    assert int(own.sum()) > 1000 and torch.equal(on, off)


def test_spokes_turn_with_the_way_rolled():
    still, rolled, own, before, after = pictures(Actor(CAR, 7.0, -1.75, 1.5708), "lane_s_m", (0.1, 0.9))
    assert torch.equal(before, after)
    changed = (still - rolled).abs().amax(-1) > 12.0
    rows = changed.nonzero()[:, 0]
    assert len(rows) > 20 and not changed[~own].any()
    low = own.nonzero()[:, 0].max()
    assert rows.min() > low - 60  # the wheels alone


def test_who_walks_strides_and_who_waits_stands():
    def depth(speed: float, walked: float) -> torch.Tensor:
        world, state = make_world([[Actor(PERSON, 5.0, -1.75, 1.57, walk_s_m=walked)]])
        state.speed_mps[0, 1] = speed
        return shoot(world, state)[1].depth_m

    assert torch.equal(depth(0.0, 0.1), depth(0.0, 0.7))
    assert not torch.equal(depth(1.3, 0.1), depth(1.3, 0.7))
    assert not torch.equal(depth(0.0, 0.1), depth(1.3, 0.1))


def test_knees_of_a_cyclist_turn_with_the_way_rolled_and_the_wheels_stay():
    _, _, own, before, after = pictures(Actor(ActorKind.BICYCLE, 5.0, -1.75, 1.5708), "lane_s_m", (0.5, 1.7))
    moved = own & ((before - after).abs() > 0.02)
    rows, all_rows = moved.nonzero()[:, 0], own.nonzero()[:, 0]
    tall = float(all_rows.max() - all_rows.min())
    assert len(rows) > 30
    assert float(rows.min() - all_rows.min()) > 0.3 * tall  # neither head nor trunk


def test_the_upper_bits_of_appearance_repaint_the_same_body():
    world, state = make_world([[Actor(CAR, 9.0, -1.75, appearance=5)]])
    _, truth, _ = shoot(world, state)
    own, seen, depth = truth.instance[0, 0] == 2, [], truth.depth_m.clone()
    for paint in range(8):
        world.appearance_id[0, 1] = 5 + (paint << 16)
        frame, other, _ = shoot(world, state)
        assert torch.equal(other.depth_m, depth)
        seen.append(frame.rgb[0, 0].float()[own].mean(0))
    assert float(torch.stack(seen).std(0).max()) > 8.0
