"""Roads over roads: what lies on the ground, what is carried, and how closely decks follow the lanes."""

import numpy as np

from sim.meshes.street import Street
from sim.rendering.bridges import GIRDER_M, STEP_M, Part, span_bridges, storeys
from sim.rendering.ground import rasterise_ground
from sim.rendering.planting import Items
from sim.rendering.terrain import HeightRaster, raise_ground


def lane(name: str, along_x: bool, z: np.ndarray) -> Part:
    """A lane 4 m wide through the origin, 200 m long, with heights per metre."""
    s = np.arange(-100.0, 101.0)
    left, right = (np.column_stack([s, np.full_like(s, d)]) for d in (2.0, -2.0))
    if not along_x:
        left, right = left[:, ::-1] * (-1.0, 1.0), right[:, ::-1] * (-1.0, 1.0)
    return Part(name, 0, "driving", None, left, right, z, z)


def crossing() -> tuple[list[Part], HeightRaster]:
    """A level road below one that rises to 6 m above it."""
    s = np.arange(-100.0, 101.0)
    strips = [lane("low", True, np.full_like(s, 0.5)), lane("high", False, 0.5 + 6.0 * np.exp(-0.5 * (s / 35.0) ** 2))]
    return strips, raise_ground(strips, np.random.default_rng(0))


def test_the_ground_takes_the_lower_road_and_the_rest_is_carried():
    strips, heights = crossing()
    assert abs(heights.at(np.zeros((1, 2)))[0] - 0.5) < 0.02
    low, high = storeys(strips, heights)
    assert {p.road for p in high} == {"high"} and {p.road for p in low} == {"low", "high"}
    length = sum(np.hypot(*np.diff(p.left_xy_world_m, axis=0).T).sum() for p in high)
    assert 4.0 < length < 40.0  # the approaches are embankments
    over = np.concatenate([p.left_xy_world_m for p in high])
    assert np.abs(over[:, 1]).min() < 1.0


def test_decks_lie_under_wheels_and_have_rims_and_girders():
    strips, heights = crossing()
    low, high = storeys(strips, heights)
    items = Items()
    span_bridges(items, high, rasterise_ground(low), heights)
    model, xy, size = np.array(items.model), np.array(items.xy_world_m), np.array(items.size_m)
    top = np.array(items.base_m) + size[:, 2]
    decks = model == Street.DECK
    want = 0.5 + 6.0 * np.exp(-0.5 * (xy[:, 1] / 35.0) ** 2)
    assert decks.sum() >= 1 and np.abs(top - want)[decks].max() < STEP_M + 0.02
    np.testing.assert_allclose(size[decks, 1], 4.0, atol=0.01)
    girders = (model == Street.GIRDER) & (size[:, 1] > 3.0)
    assert girders.sum() == decks.sum() and np.abs(size[girders, 2] - GIRDER_M).max() < 1e-9
    rims = (model == Street.GIRDER) & (size[:, 1] < 0.4)
    assert rims.sum() == 2 * decks.sum() and np.abs(np.abs(xy[rims, 0]) - 2.0).max() < 0.01
    assert not np.array(items.on_ground).any()


def test_maps_on_one_storey_need_no_bridge():
    s = np.arange(-100.0, 101.0)
    strips = [lane("hill", True, 3.0 * np.sin(0.03 * s))]
    heights = raise_ground(strips, np.random.default_rng(0))
    low, high = storeys(strips, heights)
    assert not high and low == strips
    items = Items()
    span_bridges(items, high, rasterise_ground(low), heights)
    assert not items.model
