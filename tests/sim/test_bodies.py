"""What road users look like follows their state, and labels do not see it."""

import math

import torch
from tiny_scene import Actor, make_world, shoot

from sim.types import ActorKind

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
