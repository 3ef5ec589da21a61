from dataclasses import dataclass, field, fields

import numpy as np
import pytest
import torch

from sim.meshes import street
from sim.meshes.library import Model
from sim.meshes.street import Street
from sim.rendering.forecourts import pave_fronts
from sim.rendering.ground import CELL_M, UNIT_M, rasterise_ground
from sim.rendering.planting import Items
from sim.rendering.roadside import plant
from sim.rendering.scenery import build_scenery
from sim.rendering.terrain import raise_ground
from sim.roadgen.generate import generate_road
from sim.types import Semantic


@dataclass
class StraightLane:
    """A lane along x between two borders."""

    right_y: float
    left_y: float
    kind: str = "driving"
    length_m: float = 200.0
    road: str = "1"
    section: int = 0
    junction: str | None = None

    @property
    def left_xy_world_m(self) -> np.ndarray:
        x = np.arange(0.0, self.length_m + 1.0)
        return np.column_stack([x, np.full_like(x, self.left_y)])

    @property
    def right_xy_world_m(self) -> np.ndarray:
        x = np.arange(0.0, self.length_m + 1.0)
        return np.column_stack([x, np.full_like(x, self.right_y)])

    @property
    def left_z_world_m(self) -> np.ndarray:
        return np.zeros(len(self.left_xy_world_m))

    right_z_world_m = left_z_world_m


@dataclass
class Line:
    xy_world_m: np.ndarray
    width_m: float = 0.15
    color: str = "white"
    dash_m: float = 3.0
    gap_m: float = 6.0


@dataclass
class Straight:
    name: str = "straight"
    lanes: list = field(default_factory=lambda: [StraightLane(-3.5, 0.0), StraightLane(0.0, 3.5)])
    lines: list = field(default_factory=lambda: [Line(np.column_stack([np.arange(0.0, 201.0), np.zeros(201)]))])
    roads: dict = field(default_factory=dict)
    signals: tuple = ()
    controllers: tuple = ()
    objects: tuple = ()

    def strips(self, step_m: float = 1.0) -> list:
        return self.lanes

    def markings(self, step_m: float = 1.0) -> list:
        return self.lines


def town_street() -> Straight:
    walks = [StraightLane(-6.0, -3.5, "sidewalk"), StraightLane(3.5, 6.0, "sidewalk")]
    return Straight("street", [*Straight().lanes, *walks])


def test_distances_of_a_straight_road_are_those_to_its_borders():
    ground = rasterise_ground(town_street().strips())
    rows, columns = np.mgrid[: ground.road_m.shape[0], : ground.road_m.shape[1]]
    x, y = (ground.origin_world_m[:, None, None] + np.stack([columns, rows]) * CELL_M).reshape(2, *rows.shape)
    middle = (x > 20) & (x < 180)
    close = middle & (np.abs(np.abs(y) - 3.5) < 2.0)
    np.testing.assert_allclose(ground.road_m[close], (3.5 - np.abs(y))[close], atol=0.16)
    close = middle & (np.abs(np.abs(y) - 6.0) < 1.5)
    np.testing.assert_allclose(ground.sidewalk_m[close], (6.0 - np.abs(y))[close], atol=0.16)


def test_packed_distances_keep_both_values():
    ground = rasterise_ground(town_street().strips())
    packed = ground.packed()
    np.testing.assert_allclose((packed >> 16) * UNIT_M, np.clip(ground.road_m, -8, 8), atol=UNIT_M)
    np.testing.assert_allclose(((packed << 16) >> 16) * UNIT_M, np.clip(ground.sidewalk_m, -8, 8), atol=UNIT_M)


BUILDINGS = [m for m, semantic in street.SEMANTIC.items() if semantic == Semantic.BUILDING]
FAR = (street.Street.FAR_TOWN, street.Street.FAR_WOOD)


def covered(pose: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Points (n, 2) all over an item's footprint."""
    unit = np.stack(np.meshgrid(np.linspace(-0.5, 0.5, 9), np.linspace(-0.5, 0.5, 9)), -1).reshape(-1, 2)
    cos, sin = pose[2:]
    return pose[:2] + (unit * size[:2]) @ np.array([[cos, sin], [-sin, cos]])


POSTS = (Model.LAMP_POST, street.Street.PARK_LAMP, street.Street.POST, street.Street.BOLLARD, *street._FACES)


def foot(model: np.ndarray, pose: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Where items (n,) touch the ground, (n, 2): lamp posts at the back of the box that their arm spans."""
    return pose[:, :2] - pose[:, 2:] * np.where(model == Model.LAMP_POST, 0.45 * size[:, 0], 0.0)[:, None]


def test_nothing_but_posts_stands_on_sidewalks_nothing_on_roads_and_houses_do_not_overlap():
    network = town_street()
    scenery, ground = build_scenery([network], 3), rasterise_ground(network.strips())
    model, pose, size = (t.numpy() for t in (scenery.item_model, scenery.item_pose, scenery.item_size_m))
    houses = np.isin(model, [m for m in BUILDINGS if m not in FAR and m != street.Street.BUS_SHELTER])
    lamps = np.isin(model, [Model.LAMP_POST, street.Street.PARK_LAMP])
    assert houses.sum() >= 8 and lamps.sum() >= 8 and np.isin(model, list(street._PLANTS)).sum() >= 8
    posts = np.isin(model, POSTS)
    at = foot(model, pose, size)
    # The kerb lies 3.5 m beside the middle.
    assert np.abs(at[posts, 1]).min() > 3.75 and (lamps & (np.abs(at[:, 1]) < 4.5)).sum() >= 8
    for i in np.flatnonzero(~posts):
        trunk = covered(pose[i], size[i]) if houses[i] else pose[i : i + 1, :2]
        assert ground.paved_m(trunk).max() < 0.0, street.Street(model[i])
    # Cornices and eaves of a row overlap by some centimetres, walls never do.
    taken = [covered(pose[i], size[i] - 1.2) for i in np.flatnonzero(houses)]
    for n, i in enumerate(np.flatnonzero(houses)):
        cos, sin = pose[i, 2:]
        for m, points in enumerate(taken):
            if m != n:
                local = (points - pose[i, :2]) @ np.array([[cos, -sin], [sin, cos]])
                assert (np.abs(local) > 0.5 * (size[i, :2] - 1.2)).any(axis=1).all()


@pytest.mark.parametrize("kind", ["urban", "roundabout", "hills", "motorway"])
def test_generated_roads_are_clear_of_all_that_stands_beside_them(kind):
    network = generate_road(kind, 5)
    strips = network.strips(1.0)
    ground = rasterise_ground(strips)
    items, _ = plant(network, strips, ground, np.random.default_rng(2))
    size, model, yaw = np.array(items.size_m), np.array(items.model), np.array(items.yaw_world_rad)
    xy = foot(model, np.column_stack([items.xy_world_m, np.cos(yaw), np.sin(yaw)]), size)
    above = np.array(items.base_m) > 2.0  # hangs over the road, or lies beside a road that is so high
    high = np.isin(model, [street.Street.MAST_ARM, street.Street.GANTRY, street.Street.SIGNAL_HEAD])
    at = np.rint((xy - ground.origin_world_m) / CELL_M).astype(int)
    inside = (at >= 0).all(1) & (at[:, 0] < ground.road_m.shape[1]) & (at[:, 1] < ground.road_m.shape[0])
    assert (ground.road_m[at[inside, 1], at[inside, 0]][~(above | high)[inside]] < 0.3).all()
    assert len(items.model) > 500 and (size > 0.0).all()


def test_the_land_carries_what_stands_on_it():
    network = generate_road("hills", 3)
    strips = network.strips(1.0)
    heights = raise_ground(strips, np.random.default_rng(0))
    items, _ = plant(network, strips, rasterise_ground(strips), np.random.default_rng(2))
    z, xy, on_ground = items.z_m(heights), np.array(items.xy_world_m), np.array(items.on_ground)
    small = on_ground & (np.array(items.size_m)[:, :2].max(axis=1) < 6.0)
    np.testing.assert_allclose(z[small], heights.at(xy[small]) + np.array(items.base_m)[small], atol=1e-9)
    assert (z[on_ground] <= heights.at(xy[on_ground]) + np.array(items.base_m)[on_ground] + 1e-9).all()
    assert np.ptp(z) > 3.0


def test_a_map_looks_the_same_whatever_its_neighbours():
    first, second = town_street(), Straight()
    alone, both = build_scenery([second], 5), build_scenery([first, second], 5)
    start = int(both.item_first[1])
    for name in ("item_pose", "item_size_m", "item_model", "item_tint", "item_z_m", "item_detail"):
        assert torch.equal(getattr(both, name)[start:], getattr(alone, name))
    assert torch.equal(both.ground_distance[int(both.ground_first[1]) :], alone.ground_distance)
    pieces = len(both.mark_line) - len(alone.mark_line)
    assert torch.equal(both.mark_line[pieces:], alone.mark_line)
    cells = int(both.code_first[1]) + 1
    base = both.mark_first[cells]
    assert torch.equal(both.mark_first[cells:] - base, alone.mark_first)
    assert torch.equal(both.mark_item[base:] - pieces, alone.mark_item)


def test_the_same_seed_gives_the_same_scenery():
    one, two, other = (build_scenery([town_street()], seed) for seed in (1, 1, 2))
    for f in fields(one):
        if isinstance(getattr(one, f.name), torch.Tensor):
            assert torch.equal(getattr(one, f.name), getattr(two, f.name)), f.name
    assert len(other.item_pose) != len(one.item_pose) or not torch.equal(one.item_pose, other.item_pose)


def test_a_map_without_a_road_is_refused():
    with pytest.raises(ValueError, match="no lane that is paved"):
        build_scenery([Straight("lawn", [StraightLane(0.0, 3.0, "none")])], 0)
    with pytest.raises(ValueError, match="at least one map"):
        build_scenery([], 0)


def test_streets_are_paved_up_to_near_fronts_but_not_to_far_ones_nor_around_trunks():
    ground, items = rasterise_ground(town_street().strips()), Items()
    edge = 6.0
    items.add(np.array([50.0, edge + 3.0 + 5.5]), 0.0, (30.0, 11.0, 10.0), Street.TOWN_HOUSE)
    items.add(np.array([120.0, edge + 8.0 + 5.5]), 0.0, (30.0, 11.0, 10.0), Street.TOWN_HOUSE)
    items.add(np.array([50.0, edge + 1.5]), 0.0, (4.0, 4.0, 8.0), Street.OAK)
    paved = pave_fronts(ground, items)
    points = np.array([[45.0, edge + 1.5], [50.0, edge + 1.5], [120.0, edge + 2.0]])
    before, after = (np.round(g.raised_m(points), 2) > 0.0 for g in (ground, paved))
    assert not before.any() and after.tolist() == [True, False, False]
    np.testing.assert_array_equal(paved.road_m, ground.road_m)
