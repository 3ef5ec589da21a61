import gc
import math
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
import warp as wp
from test_labels import EYE, FOCAL, crowd, mesh_of, models_of, placed
from tiny_scene import BARE, SCENERY, TEXTURES, Actor, make_world, nobody, shoot

from configs.schema import CameraConfig
from sim.painting.textures import Textures, procedural_textures
from sim.render_kernels import appearance, paving, shade, terrain
from sim.rendering.camera import camera_from_config
from sim.rendering.conditions import NAMES
from sim.rendering.film import film_curve
from sim.rendering.render import Renderer
from sim.rendering.scenery import SKYLINE
from sim.rendering.texels import linear, mip_chain
from sim.rendering.weather import Weather, weather_by_name
from sim.types import ActorKind


@wp.kernel
def cover_points(
    # In
    ground: terrain.Ground,
    point: wp.array(dtype=wp.vec2),
    across: wp.vec2,
    along: wp.vec2,
    # Out
    cover_out: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    cell = terrain.cell_of(terrain.plot_of(ground, 0), point[i][0], point[i][1])
    _below, paint = paving.decals_at(ground, 0, cell, point[i][0], point[i][1], across, along, 0.0)
    cover_out[i] = paint[3]


@wp.kernel
def close_to_library(
    # In
    x: wp.array(dtype=wp.float32),
    # Out
    exp_out: wp.array(dtype=wp.float32),
    log2_out: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    exp_out[i] = appearance.exp_of(-x[i])
    log2_out[i] = appearance.log2_of(x[i])


@wp.kernel
def show_light(
    # In
    curve: wp.array(dtype=wp.uint8),
    x: wp.array(dtype=wp.float32),
    # Out
    byte_out: wp.array(dtype=wp.uint8),
):
    i = wp.tid()
    byte_out[i] = shade.byte_of(curve, x[i])


@wp.kernel
def sample_points(
    # In
    texel: wp.array(dtype=wp.uint32),
    log2: wp.int32,
    uv: wp.array(dtype=wp.vec2),
    # Out
    rgb_out: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    rgb_out[i] = appearance.sample(texel, 0, log2, 0, uv[i][0], uv[i][1], 0.0)


FLAT = Textures(*(torch.full((1, 8, 8, 3), 120, dtype=torch.uint8) for _ in range(5)))


def test_a_worlds_picture_is_the_same_wherever_it_lies_in_the_batch():
    worlds, seeds = [crowd(), crowd()[2:], [], crowd()[:3]], [11, 12, 13, 14]
    order = [2, 0, 3, 1]
    results = []
    for pick in (list(range(4)), order):
        world, state = make_world([worlds[i] for i in pick], seeds=[seeds[i] for i in pick])
        results.append(shoot(world, state, scenery=SCENERY, weather="any", supersample=2))
    alone = shoot(*make_world([worlds[0]], seeds=[11]), scenery=SCENERY, weather="any", supersample=2)
    (frame, truth, _), (other, other_truth, _) = results
    assert torch.equal(alone[0].rgb[0], frame.rgb[0])
    for to, origin in enumerate(order):
        assert torch.equal(frame.rgb[origin], other.rgb[to])
        assert torch.equal(truth.depth_m[origin], other_truth.depth_m[to])
        assert torch.equal(truth.boxes_2d.amodal_px[origin], other_truth.boxes_2d.amodal_px[to])
        assert torch.equal(truth.boxes_2d.occlusion[origin], other_truth.boxes_2d.occlusion[to])


def test_calls_overwrite_their_output_and_repeat_exactly():
    world, state = make_world([crowd()])
    frame, truth, renderer = shoot(world, state, scenery=SCENERY)
    first, depth = frame.rgb.clone(), truth.depth_m.clone()
    state.xy_world_m[0, 0, 0] += 3.0
    weather = weather_by_name("clear", 1, world.seed)
    again, _ = renderer.render(world, state, weather, *nobody(1, world.kind.shape[1] - 1))
    assert again.rgb.data_ptr() == frame.rgb.data_ptr()
    assert not torch.equal(again.rgb, first)
    state.xy_world_m[0, 0, 0] -= 3.0
    again, truth = renderer.render(world, state, weather, *nobody(1, world.kind.shape[1] - 1))
    assert torch.equal(again.rgb, first) and torch.equal(truth.depth_m, depth)


def filmed(x: np.ndarray) -> np.ndarray:
    """sRGB shares of light: a toe at 0.012, then Reinhard's curve that is white at an exposed light of 3."""
    y = 1.7 * x / (1.0 + 0.012 / np.maximum(x, 1e-9))
    y = np.clip((y + y * y / 9.0) / (1.0 + y), 0.0, 1.0)
    return np.where(y <= 0.0031308, 12.92 * y, 1.055 * np.maximum(y, 0.0031308) ** (1 / 2.4) - 0.055)


def developed(rgb: np.ndarray, weather: Weather) -> np.ndarray:
    """Bytes (..., 3) of scene light: veil, exposure, film."""
    x = (rgb + weather.veil_rgb[0].numpy()) * float(weather.exposure[0])
    grey = (x @ np.array([0.2126, 0.7152, 0.0722]))[..., None]
    x = grey + (x - grey) * 0.88
    return np.rint(filmed(x) * 255.0).astype(np.uint8)


def test_the_colour_of_flat_grass_follows_the_light_equation():
    world, state = make_world([[]])
    weather = weather_by_name("clear", 1, world.seed)
    frame, truth, _ = shoot(world, state, weather=weather, textures=FLAT)
    row, column = 56, 3
    assert int(truth.semantic[0, 0, row, column]) == 22
    v, u = (row + 0.5 - 48.0) / FOCAL, (column + 0.5 - 80.0) / FOCAL
    toward = np.array([1.0, -u, -v])
    distance = 1.5 / v * np.linalg.norm(toward)
    toward = toward / np.linalg.norm(toward)
    elevation, azimuth = float(weather.sun_elevation_rad[0]), float(weather.sun_azimuth_rad[0])
    sun = np.array(
        [math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation)]
    )
    albedo = np.full(3, ((120 / 255 + 0.055) / 1.055) ** 2.4 * 0.9)  # blades shade each other
    light = weather.sun_rgb[0].numpy() * sun[2] + weather.ambient_rgb[0].numpy()
    glow = weather.glow_rgb[0].numpy() * 0.25 * max(toward @ sun, 0.0) ** 24
    clear = math.exp(-3.0 / float(weather.visibility_m[0]) * distance)
    rgb = (albedo * light) * clear + (weather.fog_rgb[0].numpy() + glow) * (1 - clear)
    want = developed(rgb + glow * 0.08, weather)
    np.testing.assert_allclose(frame.rgb[0, 0, row, column].numpy().astype(int), want.astype(int), atol=2)


def test_fog_takes_contrast_by_koschmieders_law():
    world, state = make_world([[]])
    weather = weather_by_name("fog", 1, world.seed)
    weather = replace(weather, visibility_m=torch.full((1,), 40.0), exposure=torch.full((1,), 0.4))
    frame, truth, _ = shoot(world, state, weather=weather, textures=FLAT, height=160)
    far = frame.rgb[0, 0, 81:83].float()  # beyond the visibility
    fog = developed(weather.fog_rgb[0].numpy(), weather)
    assert (far - torch.tensor(fog).float()).abs().max() < 6.0
    assert (truth.depth_m[0, 0, 81:83] > 40.0).all()


def test_clear_sky_has_the_colour_of_the_air_and_overcast_that_of_its_clouds():
    world, state = make_world([[]])
    blue = replace(FLAT, sky=torch.tensor([40, 90, 200], dtype=torch.uint8).expand(1, 8, 8, 3).contiguous())
    clear = weather_by_name("clear", 1, world.seed)
    clear = replace(clear, glow_rgb=torch.zeros(1, 3), visibility_m=torch.full((1,), 1e9), exposure=torch.ones(1))
    clear = replace(clear, sunward_rgb=torch.zeros(1, 3), cloud=torch.zeros(1))
    frame, _, _ = shoot(world, state, weather=clear, textures=blue)
    row, column = np.mgrid[:40, :160]
    toward = np.stack([np.ones(row.shape), (80 - column - 0.5) / FOCAL, (48 - row - 0.5) / FOCAL], axis=-1)
    low = (1.0 - toward[..., 2] / np.linalg.norm(toward, axis=-1)) ** 2
    zenith, horizon = clear.zenith_rgb[0].numpy(), clear.horizon_rgb[0].numpy()
    want = developed(zenith + (horizon - zenith) * (low * (0.2 + 0.8 * low))[..., None], clear)
    assert np.abs(frame.rgb[0, 0, :40].numpy().astype(int) - want).max() <= 2
    grey = replace(clear, cloud=torch.ones(1))
    frame, _, _ = shoot(world, state, weather=grey, textures=blue)
    up = toward[..., 2] / np.linalg.norm(toward, axis=-1)
    want = developed(clear.cloud_rgb[0].numpy() * (1.0 + 0.35 * (up - 0.4))[..., None], grey)
    assert np.abs(frame.rgb[0, 0, :40].numpy().astype(int) - want).max() <= 2


def markings_seen(x: float, supersample: int = 1) -> np.ndarray:
    """Luminance of the picture from x with nothing but road and flat textures."""
    world, state = make_world([[]], ego=(x, -1.75, 0.0))
    frame, _, _ = shoot(world, state, textures=FLAT, supersample=supersample, width=320, height=192)
    return frame.rgb[0, 0].float().mean(-1).numpy()


def test_far_lane_markings_do_not_crawl():
    # Rows that show the ground 45 to 75 m ahead; the camera moves a third of a metre a frame.
    first = 96 + int(1.5 * 160 / 75.0)
    rows = slice(first, 96 + int(1.5 * 160 / 45.0) + 1)
    frames = np.stack([markings_seen(0.3 * i)[rows] for i in range(31)])
    road = np.median(frames)
    assert (frames.max(axis=(0, 1)) - road).max() > 8.0  # the lines are there
    step = np.abs(np.diff(frames, axis=0))
    assert step.max() < 6.0
    # 0.3 m x 30 = one dash and one gap: the picture comes back.
    assert np.abs(frames[0] - frames[30]).max() < 1.5


def test_a_line_covers_what_its_width_says_at_any_distance():
    with_lines, without = (
        shoot(*make_world([[]]), scenery=scenery, textures=FLAT, width=320, height=192)[0]
        .rgb[0, 0]
        .float()
        .mean(-1)
        .numpy()
        for scenery in (BARE, replace(BARE, mark_first=torch.zeros_like(BARE.mark_first)))
    )
    excess = with_lines - without
    near = None
    for row in (106, 110, 118, 130):
        z = 1.5 * 160 / (row + 0.5 - 96)
        left = 160 - (3.3 + 1.75) * 160 / z  # the solid line at y = 3.3
        span = slice(max(int(left) - 8, 0), int(left) + 9)
        width_px = 0.12 * 160 / z
        share = excess[row, span].sum() / width_px
        near = near or share
        assert share == pytest.approx(near, rel=0.35)


def test_markings_twin():
    """The kernel's coverage against a brute-force count over the footprint."""
    world, state = make_world([[]])
    _, _, renderer = shoot(world, state)
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(20, 60, 200), rng.uniform(-0.4, 0.4, 200)]).astype(np.float32)
    across, along = np.array([0.0, 0.11], np.float32), np.array([0.7, 0.0], np.float32)
    out = wp.zeros(200, dtype=wp.float32, device="cpu")
    inputs = [renderer._ground, wp.array(points, dtype=wp.vec2, device="cpu"), wp.vec2(*across), wp.vec2(*along)]
    wp.launch(cover_points, 200, inputs=inputs, outputs=[out], device="cpu")
    grid = (np.arange(60) + 0.5) / 60 - 0.5
    for point, got in zip(points, out.numpy()):
        x = point[0] + grid * along[0]
        y = point[1] + grid * across[1]
        painted = (((x + 40.0) % 9.0 < 3.0)[:, None] & (np.abs(y) < 0.075)[None, :]).mean()
        assert got == pytest.approx(painted, abs=0.03)


def test_shadows_fall_where_the_sun_is_hidden():
    world, state = make_world([[Actor(ActorKind.BUS, 16.0, -1.75, 0.3)]])
    weather = weather_by_name("clear", 1, world.seed)
    weather = replace(weather, sun_azimuth_rad=torch.tensor([1.2]), sun_elevation_rad=torch.tensor([0.7]))
    _, truth, renderer = shoot(world, state, weather=weather)
    stencil = renderer._buffers.stencil[0].numpy()
    sun = np.array([math.cos(0.7) * math.cos(1.2), math.cos(0.7) * math.sin(1.2), math.sin(0.7)])
    mesh = mesh_of(models_of(renderer)[0], 1).reshape(-1, 3)
    corners = placed(Actor(ActorKind.BUS, 16.0, -1.75, 0.3), mesh).reshape(-1, 3, 3)
    differ = shadowed = 0
    for row in range(56, 90, 3):
        for column in range(0, 160, 5):
            if int(truth.instance[0, 0, row, column]) or stencil[row, column] == 2:
                continue
            z = float(truth.depth_m[0, 0, row, column])
            point = EYE + z * np.array([1.0, -(column + 0.5 - 80) / FOCAL, -(row + 0.5 - 48) / FOCAL])
            hit = any_hit(point, sun, corners)
            shadowed += hit
            differ += hit != (stencil[row, column] == 1)
    assert shadowed > 10 and differ <= 2


def any_hit(origin: np.ndarray, direction: np.ndarray, corners: np.ndarray) -> bool:
    """Moeller-Trumbore over all triangles."""
    e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    h = np.cross(direction, e2)
    a = np.einsum("ti,ti->t", h, e1)
    s = origin - corners[:, 0]
    q = np.cross(s, e1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v, t = np.einsum("ti,ti->t", s, h) / a, q @ direction / a, np.einsum("ti,ti->t", q, e2) / a
    return bool(((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-6)).any())


def test_supersampling_smooths_edges_but_not_the_mean():
    world, state = make_world([crowd()])
    one, truth_one, _ = shoot(world, state)
    two, truth_two, _ = shoot(world, state, supersample=2)
    four, _, _ = shoot(world, state, supersample=4)
    assert torch.equal(truth_one.instance, truth_two.instance)
    errors = [(image.rgb.float() - four.rgb.float()).abs().mean() for image in (one, two)]
    assert errors[1] < 0.75 * errors[0]
    assert float(two.rgb.float().mean()) == pytest.approx(float(four.rgb.float().mean()), abs=0.5)


def test_weathers_differ_and_any_draws_all_of_them():
    world, state = make_world([crowd()])
    mean = {n: float(shoot(world, state, scenery=SCENERY, weather=n)[0].rgb.float().mean()) for n in NAMES}
    assert len({round(value, 2) for value in mean.values()}) > 8
    assert max(mean["night"], mean["night_rain"]) < 0.75 * min(mean[n] for n in NAMES if "night" not in n)
    drawn = weather_by_name("any", 200, torch.arange(200))
    named = torch.cat([weather_by_name(name, 1, torch.zeros(1, dtype=torch.int64)).lamps for name in NAMES])
    assert drawn.lamps.min() == named.min() == 0.0 and drawn.lamps.max() == 1.0
    with pytest.raises(ValueError, match="unknown name 'sleet'"):
        weather_by_name("sleet", 1, torch.zeros(1, dtype=torch.int64))  # type: ignore[arg-type]


def test_cost_and_picture_do_not_depend_on_what_lies_beyond_the_range():
    world, state = make_world([crowd()])
    frame, truth, renderer = shoot(world, state, scenery=SCENERY)
    drawn = int(renderer._drawn.count.numpy()[0])
    far = replace(SCENERY, item_pose=SCENERY.item_pose.clone())
    skyline = torch.isin(SCENERY.item_model, torch.tensor([int(model) for model in SKYLINE], dtype=torch.int32))
    beyond = (SCENERY.item_pose[:, 0] > 280.0) & ~skyline
    assert beyond.sum() > 10
    far.item_size_m = torch.where(beyond[:, None], SCENERY.item_size_m * 0.5, SCENERY.item_size_m)
    other, other_truth, second = shoot(world, state, scenery=far)
    assert int(second._drawn.count.numpy()[0]) == drawn
    assert torch.equal(frame.rgb, other.rgb) and torch.equal(truth.depth_m, other_truth.depth_m)


def test_textures_are_averaged_down_in_linear_light():
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[0, 0] = 255
    words = mip_chain(image)
    assert len(words) == 5
    root = round(0.5**0.5 * int(appearance.TEXEL_ONE))
    assert int(words[4]) == sum(root << shift for shift in (0, 10, 20))


def test_texels_are_mixed_bilinearly_in_every_channel():
    image = np.random.default_rng(5).integers(0, 256, (1, 8, 8, 3), np.uint8)
    image[0, 2:5] = 255  # all bits of all channels
    uv = np.random.default_rng(6).uniform(-1.0, 2.0, (4000, 2)).astype(np.float32)
    found = wp.zeros(len(uv), dtype=wp.vec3, device="cpu")
    inputs = [wp.array(mip_chain(image), dtype=wp.uint32, device="cpu"), 3, wp.array(uv, dtype=wp.vec2, device="cpu")]
    wp.launch(sample_points, len(uv), inputs, [found], device="cpu")
    at = (uv - np.floor(uv)) * 8.0 - 0.5
    low = np.floor(at).astype(int)
    fx, fy = ((at - low)[:, axis, None] for axis in (0, 1))
    x, y, light = low[:, 0], low[:, 1], linear(image[0])
    top = light[y % 8, x % 8] * (1 - fx) + light[y % 8, (x + 1) % 8] * fx
    bottom = light[(y + 1) % 8, x % 8] * (1 - fx) + light[(y + 1) % 8, (x + 1) % 8] * fx
    np.testing.assert_allclose(found.numpy(), top * (1 - fy) + bottom * fy, atol=0.002)


def test_exponentials_and_logarithms_without_the_library_are_close():
    x = np.concatenate([np.geomspace(1e-6, 80.0, 2000), [1e-30, 1.0, 2.0, 4.0, 1e4]]).astype(np.float32)
    exp, log2 = (wp.zeros(len(x), dtype=wp.float32, device="cpu") for _ in range(2))
    wp.launch(close_to_library, len(x), [wp.array(x, device="cpu")], [exp, log2], device="cpu")
    np.testing.assert_allclose(exp.numpy()[:2000], np.exp(-x[:2000]), rtol=2e-5)
    assert exp.numpy()[-1] < 1e-30
    np.testing.assert_allclose(log2.numpy(), np.log2(x), atol=2e-4)


def test_procedural_textures_repeat_by_seed_and_refuse_none():
    one, two, other = (
        procedural_textures(2, 4, 16, (8, 16)),
        procedural_textures(2, 4, 16, (8, 16)),
        procedural_textures(2, 5),
    )
    assert all(torch.equal(a, b) for a, b in zip(vars(one).values(), vars(two).values()))
    assert one.grass.shape == (2, 16, 16, 3) and not torch.equal(one.grass[0], one.grass[1])
    assert other.sky.float().std() > 10
    with pytest.raises(ValueError, match="at least 1"):
        procedural_textures(0, 0)
    with pytest.raises(ValueError, match="grass"):
        replace(TEXTURES, grass=torch.zeros(1, 10, 10, 3, dtype=torch.uint8))


def test_sizes_that_do_not_fit_are_refused():
    camera = camera_from_config(CameraConfig(width_px=32, height_px=16))
    with pytest.raises(ValueError, match="worlds=0"):
        Renderer(BARE, TEXTURES, camera, 0, 4)
    renderer = Renderer(BARE, TEXTURES, camera, 2, 4)
    world, state = make_world([crowd()])
    with pytest.raises(ValueError, match="want \\(2, 4\\)"):
        renderer.render(world, state, weather_by_name("clear", 1, world.seed), *nobody(1, 8))


def test_the_table_from_light_to_bytes_is_the_filmic_curve():
    curve = film_curve()
    assert len(curve) == int(shade.CURVE_STEPS) and curve[0] == 0 and curve[-1] == 255
    assert (np.diff(curve.astype(int)) >= 0).all()
    x = np.random.default_rng(0).uniform(0.001, 12.0, 3000).astype(np.float32)
    want = 255.0 * filmed(x.astype(np.float64))
    shown = wp.zeros(len(x), dtype=wp.uint8, device="cpu")
    wp.launch(show_light, len(x), [wp.array(curve, device="cpu"), wp.array(x, device="cpu")], [shown], device="cpu")
    assert np.abs(shown.numpy() - want).max() < 1.0


def test_a_renderer_is_freed_with_its_last_user():
    """Without the garbage collector: a job that goes from map to map would hold the memory of many."""
    world, state = make_world([[Actor(ActorKind.CAR, 14.0, 0.0)]])
    gc.disable()
    try:
        frame, _, renderer = shoot(world, state)
        left = weakref.ref(renderer)
        del frame, renderer
        assert left() is None
    finally:
        gc.enable()
