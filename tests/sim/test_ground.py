"""Decals, codes of cells and the look of the ground against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import warp as wp
from tiny_scene import BARE, SCENERY, StraightRoad, kerbed, make_world, shoot

from sim.meshes.library import Model
from sim.render_kernels import paving, terrain
from sim.rendering.decals import CELL_M, DECAL_RGB, Decal, DecalKind, DecalRaster, rasterise_decals
from sim.rendering.ground import rasterise_ground
from sim.rendering.lamplight import ONE, lamp_pools
from sim.rendering.land import lay_land
from sim.rendering.lane_cells import DECAL_FLAG, EDGE_FLAG, FAR_FLAG, LANE_MASK, lane_cells
from sim.rendering.planting import Items
from sim.rendering.scenery import build_scenery
from sim.rendering.weather import weather_by_name
from sim.roadgen.generate import generate_road

ORIGIN, SHAPE = np.array([-10.0, -10.0]), (100, 60)


@wp.kernel
def cover_grid(
    # In
    ground: terrain.Ground,
    point: wp.array(dtype=wp.vec2),
    side_m: wp.float32,
    # Out
    below_out: wp.array(dtype=wp.float32),
    paint_out: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    plot = terrain.Plot()  # this ground has codes alone
    plot.west_m = ground.origin[0][0]
    plot.south_m = ground.origin[0][1]
    plot.code_columns = ground.code_shape[0][0]
    plot.code_rows = ground.code_shape[0][1]
    plot.codes_per_m = 1.0 / ground.code_cell_m
    cell = terrain.cell_of(plot, point[i][0], point[i][1])
    below, paint = paving.decals_at(
        ground, 0, cell, point[i][0], point[i][1], wp.vec2(0.0, side_m), wp.vec2(side_m, 0.0), 0.0
    )
    below_out[i] = below[3]
    paint_out[i] = paint[3]


def ground_of(raster: DecalRaster) -> terrain.Ground:
    """Nothing but decals."""
    ground = terrain.Ground()

    def array(values: object, dtype: type) -> wp.array:
        return wp.array(np.asarray(values), dtype=dtype, device="cpu")

    ground.origin, ground.code_cell_m = array([ORIGIN], wp.vec2), CELL_M
    ground.code_shape, ground.code_first = array([SHAPE], wp.vec2i), array([0], wp.int32)
    ground.code = array(np.zeros(SHAPE[0] * SHAPE[1]), wp.int32)
    ground.mark_first, ground.mark_item = array(raster.first, wp.int32), array(raster.item, wp.int32)
    ground.mark_line, ground.mark_shape_m = array(raster.line, wp.vec4), array(raster.shape_m, wp.vec4)
    ground.mark_paint, ground.mark_rgb = array(raster.paint, wp.vec4), array(DECAL_RGB, wp.vec3)
    ground.mark_thin = array([raster.thin], wp.int32)
    return ground


def areas(decals: list[Decal], side_m: float) -> tuple[float, float]:
    """Square metres below paint and of paint, summed over footprints that tile the map."""
    x, y = np.meshgrid(np.arange(-8.0, 60.0, side_m), np.arange(-8.0, 40.0, side_m))
    points = np.column_stack([x.ravel(), y.ravel()]) + 0.5 * side_m
    out = [wp.zeros(len(points), dtype=wp.float32, device="cpu") for _ in range(2)]
    inputs = [ground_of(rasterise_decals(decals, ORIGIN, SHAPE)), wp.array(points, dtype=wp.vec2, device="cpu"), side_m]
    wp.launch(cover_grid, len(points), inputs, out, device="cpu")
    below, paint = (float(o.numpy().sum()) * side_m**2 for o in out)
    return below, paint


@pytest.mark.parametrize("side_m", [0.05, 0.4])
def test_decals_cover_the_area_of_their_shape(side_m: float):
    line = np.array([[0.0, 0.0], [30.0, 0.0]])
    assert areas([Decal(line, 0.2, DecalKind.WHITE)], side_m)[1] == pytest.approx(6.0, rel=0.01)
    assert areas([Decal(line, 0.2, DecalKind.YELLOW, 3.0, 6.0)], side_m)[1] == pytest.approx(2.4, rel=0.01)
    slanted = line @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    assert areas([Decal(slanted, 2.0, DecalKind.FRESH)], side_m)[0] == pytest.approx(60.0, rel=0.06)
    disc = Decal(np.array([[5.3, 4.1]]), 1.6, DecalKind.IRON)
    assert areas([disc], side_m)[0] == pytest.approx(np.pi * 0.64, rel=0.08 if side_m < 0.1 else 0.6)


def test_thin_decals_are_left_out_of_wide_pixels():
    crack = Decal(np.array([[0.0, 0.0], [30.0, 0.0]]), 0.02, DecalKind.CRACK)
    assert areas([crack], 0.04)[0] == pytest.approx(0.6, rel=0.02)
    assert areas([crack], 0.4)[0] == 0.0


def test_cells_list_every_piece_that_comes_near_them():
    turn = np.linspace(0.0, 1.2, 60)
    curve = Decal(np.column_stack([40.0 * np.cos(turn), 40.0 * np.sin(turn)]), 0.15, DecalKind.WHITE)
    wide = Decal(np.array([[0.0, 3.0], [50.0, 3.0]]), 2.4, DecalKind.FRESH)
    raster = rasterise_decals([curve, wide], ORIGIN, SHAPE)
    rng = np.random.default_rng(0)
    for _ in range(400):
        piece = rng.integers(len(raster.line))
        way, (length, width) = raster.line[piece, 2:], raster.shape_m[piece, :2]
        aside = rng.uniform(-1.0, 1.0) * (0.5 * width + 0.35)
        point = raster.line[piece, :2] + rng.random() * length * way + aside * np.array([-way[1], way[0]])
        cell = np.floor((point - ORIGIN) / CELL_M).astype(int)
        at = cell[1] * SHAPE[0] + cell[0]
        assert piece in raster.item[raster.first[at] : raster.first[at + 1]]


def test_pieces_follow_a_curve_and_keep_its_length():
    turn = np.linspace(0.0, 1.2, 200)
    curve = Decal(np.column_stack([40.0 * np.cos(turn), 40.0 * np.sin(turn)]), 0.15, DecalKind.WHITE)
    raster = rasterise_decals([curve], ORIGIN, SHAPE)
    assert raster.shape_m[:, 0].sum() == pytest.approx(48.0, abs=0.1)
    middle = raster.line[:, :2] + 0.5 * raster.line[:, 2:] * raster.shape_m[:, :1]
    assert np.abs(np.hypot(*middle.T) - 40.0).max() < 0.03
    np.testing.assert_allclose(raster.shape_m[1:, 2], np.cumsum(raster.shape_m[:-1, 0]), atol=1e-9)


def test_codes_tell_class_edge_and_lane():
    strips = StraightRoad().strips()
    ground = rasterise_ground(strips)
    cells = lane_cells(strips, ground, 0)

    def code(x: float, y: float) -> int:
        column, row = np.floor((np.array([x, y]) - ground.origin_world_m) / CELL_M).astype(int)
        return int(cells.code[row, column])

    assert (code(100.0, 1.6) >> 20) & 3 == 1 and not code(100.0, 1.6) & EDGE_FLAG
    assert code(100.0, 3.4) & EDGE_FLAG and code(100.0, -5.9) & EDGE_FLAG
    assert (code(100.0, 10.0) >> 20) & 3 == 0 and not code(100.0, 10.0) & (EDGE_FLAG | LANE_MASK)
    assert code(100.0, 17.5) & FAR_FLAG and not code(100.0, 8.0) & FAR_FLAG
    for y, half in ((1.7, 1.75), (-1.7, 1.75), (4.9, 1.25)):
        piece = (code(100.0, y) & LANE_MASK) - 1
        middle = cells.line[piece, 1] + (100.0 - cells.line[piece, 0]) * cells.line[piece, 3]
        assert abs(middle - y) < half and cells.shape_m[piece, 1] == pytest.approx(half, abs=0.01)
        assert cells.shape_m[piece, 0] + (100.0 - cells.line[piece, 0]) == pytest.approx(140.0, abs=0.01)


def test_every_kind_of_road_is_worn_differently_and_repeatably():
    for kind in ("town", "motorway"):
        network = generate_road(kind, 4)  # type: ignore[arg-type]
        one, two, other = (
            lay_land(network.name, network.strips(), network.markings(), seed).decals for seed in (1, 1, 2)
        )
        assert all(np.array_equal(getattr(one, f), getattr(two, f)) for f in ("first", "item", "line", "paint"))
        assert len(one.line) != len(other.line)
        kinds = {int(k) for k in one.paint[:, 1]}
        assert DecalKind.WHITE in kinds and kinds & {DecalKind.SEAL, DecalKind.CRACK, DecalKind.FRESH}


def road_and_verge(**weather: float) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Mean colour of the road's and the verge's pixels, and the labels, under a weather's fields."""
    world, state = make_world([[]], ego=(0.0, -1.75, 0.0))
    light = weather_by_name("clear", 1, world.seed)
    light = replace(light, **{name: torch.full((1,), value) for name, value in weather.items()})
    frame, truth, _ = shoot(world, state, weather=light, scenery=BARE)
    rgb, semantic = frame.rgb[0, 0].double(), truth.semantic[0, 0]
    near = torch.arange(rgb.shape[0])[:, None] > 70
    return *(rgb[near & (semantic == k)].mean(0).numpy() for k in (7, 22)), semantic


def test_water_darkens_and_snow_whitens_the_ground_but_no_label():
    dry, wet, snow = road_and_verge(), road_and_verge(wet=1.0), road_and_verge(snow=1.0)
    assert wet[0].mean() < 0.9 * dry[0].mean() and wet[1].mean() < dry[1].mean()
    assert snow[1].min() > 1.3 * dry[1].max() and snow[0].mean() > 1.1 * dry[0].mean()
    assert torch.equal(dry[2], wet[2]) and torch.equal(dry[2], snow[2])


def test_wet_roads_mirror_the_sky_where_sight_grazes_them():
    world, state = make_world([[]], ego=(0.0, -1.75, 0.0))
    rows = {}
    for wet in (0.0, 1.0):
        light = replace(weather_by_name("clear", 1, world.seed), wet=torch.full((1,), wet))
        frame, _, _ = shoot(world, state, weather=light, scenery=BARE)
        rows[wet] = frame.rgb[0, 0, :, 78:82].double().mean(dim=(1, 2))
    gain = rows[1.0] - rows[0.0]
    assert gain[51] > 10.0 > 0.0 > gain[90]


def test_a_worn_ground_is_the_same_ground():
    world, state = make_world([[]])
    _, new, _ = shoot(world, state, scenery=BARE)
    _, old, _ = shoot(
        world,
        state,
        scenery=kerbed(replace(BARE, mark_paint=SCENERY.mark_paint, ground_style=SCENERY.ground_style), 0.0),
    )
    assert torch.equal(new.semantic, old.semantic) and torch.equal(new.depth_m, old.depth_m)


def test_cells_with_decals_are_flagged():
    scenery = build_scenery([StraightRoad()], 0)
    listed = torch.diff(scenery.mark_first) > 0
    assert torch.equal((scenery.code & DECAL_FLAG) != 0, listed)


def test_lamps_light_the_ground_as_their_height_and_distance_say():
    items = Items()
    items.add(np.array([20.0, 10.0]), 0.0, (2.0, 0.3, 8.0), Model.LAMP_POST)
    pool = lamp_pools(items, np.zeros(2), np.array([60.0, 40.0]))
    rows, columns = np.mgrid[: pool.shape[0], : pool.shape[1]] * 2.0
    away = np.hypot(columns - 20.64, rows - 10.0)
    near = away < 14.0
    np.testing.assert_allclose(pool[near] / ONE, (512.0 / (64.0 + away**2) ** 1.5)[near], atol=0.006)
    assert pool[away > 31.0].max() == 0
    assert lamp_pools(Items(), np.zeros(2), np.array([60.0, 40.0])).max() == 0


def test_street_lamps_brighten_the_road_around_them_at_night():
    world, state = make_world([[]], ego=(0.0, -1.75, 0.0))
    night = weather_by_name("night", 1, world.seed)
    scenes = [BARE, replace(BARE, pool=torch.full_like(BARE.pool, 0))]
    lit, dark = (shoot(world, state, scenery=s, weather=night)[0].rgb.double().mean() for s in scenes)
    assert lit > 1.05 * dark
    dry = weather_by_name("clear", 1, world.seed)
    by_day = [shoot(world, state, scenery=s, weather=dry)[0].rgb for s in scenes]
    assert torch.equal(*by_day)
