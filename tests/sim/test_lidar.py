"""Lidar against closed forms, against every triangle one by one, and against itself in other batches and weathers."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_scene import BARE, SCENERY, TEXTURES, Actor, kerbed, make_world

from configs.schema import CameraConfig, LidarConfig
from sim.meshes.library import mesh_library
from sim.rendering.camera import camera_from_config
from sim.rendering.lidar import LIDARS, Lidar, LidarSpec, lidar_from_config
from sim.rendering.render import Renderer
from sim.rendering.scenery import Scenery, build_scenery
from sim.rendering.terrain import HeightRaster
from sim.rendering.weather import weather_by_name
from sim.roadgen.generate import generate_road
from sim.types import ActorKind, LidarLabels, LidarScan, Semantic, State, World

CLEAN = LidarSpec(tuple(np.linspace(-24.0, 8.0, 33)), 720, 120.0, 1e3, (1.0, 0.0, 1.8), noise_m=0.0, nearest_m=0.0)


def scanned(
    world: World, state: State, spec: LidarSpec = CLEAN, scenery: Scenery = BARE, weather: str = "clear"
) -> tuple[LidarScan, LidarLabels, Lidar]:
    count, actors = world.kind.shape
    camera = camera_from_config(CameraConfig(width_px=16, height_px=16))
    lidar = Lidar(Renderer(scenery, TEXTURES, camera, count, actors), spec)
    light = weather_by_name(weather, count, world.seed)  # type: ignore[arg-type]
    return *lidar.scan(world, state, light), lidar


def rays(scan: LidarScan) -> np.ndarray:
    """Unit directions (R, A, 3) in the sensor's axes."""
    up, side = np.meshgrid(scan.elevation_rad.double(), scan.azimuth_rad.double(), indexing="ij")
    return np.stack([np.cos(up) * np.cos(side), np.cos(up) * np.sin(side), np.sin(up)], axis=-1)


def test_rings_on_flat_ground_lie_where_the_height_over_the_tangent_says():
    scan, labels, _ = scanned(*make_world([[]]))
    down = scan.elevation_rad.double() < -math.radians(1.5)
    want = 1.8 / np.tan(-scan.elevation_rad.double()[down])
    xy = scan.xyz_ego_m[0, down].double()
    assert torch.allclose(torch.hypot(xy[..., 0] - 1.0, xy[..., 1]), want[:, None].expand(-1, 720), rtol=1e-5)
    assert xy[..., 2].abs().max() < 1e-4
    up = scan.elevation_rad > 0.0
    assert not scan.valid[0, up].any() and torch.isinf(labels.range_m[0, up]).all()
    on_road = labels.semantic[0, down] == Semantic.ROAD
    paved = ((xy[..., 1] - 1.75).abs() < 3.5) & (xy[..., 0] > -40.0)
    near_edge = ((xy[..., 1] - 1.75).abs() - 3.5).abs() < 0.05
    assert torch.equal(on_road | near_edge, paved | near_edge)


@pytest.mark.parametrize("kerb_m", [0.12, 0.3])
def test_beams_meet_kerbs_and_the_walks_that_they_carry(kerb_m: float):
    """Road at 0, an upright face 3.5 m beside its middle, and the walk above, as cameras draw them."""
    spec = replace(CLEAN, elevation_deg=tuple(np.linspace(-30.0, -4.0, 131)))
    scan, labels, _ = scanned(*make_world([[]]), spec=spec, scenery=kerbed(BARE, kerb_m))
    valid = scan.valid[0]
    x, side, height = scan.xyz_ego_m[0][valid].double().unbind(-1)
    side, semantic = (side - 1.75).abs(), labels.semantic[0][valid]
    near = torch.hypot(x, side) < 25.0  # kerbs far away sink
    road, walk, face = side < 3.4, (side > 3.6) & (side < 5.9), (side - 3.5).abs() < 0.04
    assert height[near & road].abs().max() < 1e-3 and (semantic[near & road] == Semantic.ROAD).all()
    assert (height[near & walk] - kerb_m).abs().max() < 1e-3 and (semantic[near & walk] == Semantic.SIDEWALK).all()
    between = near & face & (height > 0.02) & (height < kerb_m - 0.02)
    assert between.sum() > 20 and (semantic[between] == Semantic.SIDEWALK).all()
    assert (height > -1e-3).all() and (height[near] < kerb_m + 1e-3).all()


def test_a_wall_at_ten_metres_is_ten_metres_away_at_every_azimuth_it_covers():
    """The back of a lorry whose box ends 10 m ahead of the sensor: its rear face is flat."""
    truck = Actor(ActorKind.TRUCK, 1.0 + 10.0 + 4.2, -1.75)
    scan, labels, _ = scanned(*make_world([[truck]]))
    seen = labels.instance[0] == 2
    ahead = rays(scan)[..., 0]
    forward = labels.range_m[0].numpy() * ahead
    side = labels.range_m[0].numpy() * rays(scan)[..., 1]
    middle = seen.numpy() & (np.abs(side) < 1.0) & (np.abs(scan.xyz_ego_m[0, ..., 2].numpy() - 2.4) < 0.8)
    assert middle.sum() > 60
    assert np.abs(forward[middle] - 10.0).max() < 0.12  # hinges stand out of the doors
    assert np.median(np.abs(forward[middle] - 10.0)) < 0.02


def test_points_of_an_actor_lie_on_its_box_and_fill_it():
    car = Actor(ActorKind.CAR, 14.0, 2.0, yaw=0.6)
    scan, labels, _ = scanned(*make_world([[car]]))
    p = scan.xyz_ego_m[0][labels.instance[0] == 2].double().numpy() - [14.0, 2.0 + 1.75, 0.0]
    c, s = math.cos(0.6), math.sin(0.6)
    along, across = p[:, 0] * c + p[:, 1] * s, p[:, 1] * c - p[:, 0] * s
    assert len(p) > 100
    assert np.abs(along).max() < 2.3 + 1e-3
    assert np.abs(across).max() < 0.925 + 1e-3
    assert p[:, 2].min() > -1e-3 and p[:, 2].max() < 1.5 + 1e-3
    assert along.min() < -2.1 and across.max() - across.min() > 1.2


def nearest_by_brute_force(lidar: Lidar, rays_of_column: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The slow twin: distances (n,) along unit rays (n, 3) in sensor axes to the nearest of all listed triangles, by
    Moeller and Trumbore's test; `columns` (n,) tell when each was shot."""
    spin, near, mesh = lidar._spin, lidar._spin._near, mesh_library()
    share = np.zeros(len(columns))
    if spin.rays.spin_s > 0.0:
        share = (columns + 0.5) / len(spin.rays.azimuth_rad) - 1.0
    best = np.full(len(columns), np.inf)
    for slot in range(near.count.numpy()[0]):
        first, count = near.triangles.numpy()[0, slot]
        corners = mesh.corner[first : first + count].astype(float) @ near.axes.numpy()[0, slot].T.astype(float)
        corners += near.shift.numpy()[0, slot]
        a, u, v = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        for n, ray in enumerate(rays_of_column):
            from_a = near.drift.numpy()[0, slot] * share[n] - a
            h = np.cross(ray, v)
            det = np.einsum("ti,ti->t", u, h)
            det = np.where(det > 1e-12, det, np.inf)  # the near side alone
            s = np.einsum("ti,ti->t", from_a, h) / det
            q = np.cross(from_a, u)
            t = q @ ray / det
            distance = np.einsum("ti,ti->t", v, q) / det
            met = (s >= 0.0) & (t >= 0.0) & (s + t <= 1.0) & (distance > 0.05)
            best[n] = min(best[n], distance[met].min(initial=np.inf))
    return best


@pytest.mark.parametrize("spin_s", [0.0, 0.1])
def test_rays_meet_the_nearest_of_all_triangles(spin_s: float):
    actors = [
        Actor(ActorKind.CAR, 11.0, 1.5, 0.4),
        Actor(ActorKind.TRUCK, -9.0, 1.0),
        Actor(ActorKind.BICYCLE, 3.0, -5),
    ]
    world, state = make_world([actors])
    state.speed_mps[0] = torch.tensor([15.0, 12.0, -8.0, 4.0])
    state.yaw_rate_radps[0, 0] = 0.4
    scan, labels, lidar = scanned(world, state, replace(CLEAN, spin_s=spin_s), SCENERY)
    rng = np.random.default_rng(0)
    things = np.argwhere((labels.semantic[0].numpy() > 8) & (labels.semantic[0].numpy() != Semantic.TERRAIN))
    picked = np.concatenate([things[rng.integers(len(things), size=50)], np.argwhere(~scan.valid[0].numpy())[::700]])
    ring, column = picked.T
    aim = lidar._spin.place.aim.numpy()[0, column].astype(float)
    up = scan.elevation_rad.double().numpy()[ring, None]
    ray = np.concatenate([aim * np.cos(up), np.sin(up)], axis=1)
    want = nearest_by_brute_force(lidar, ray, column)
    found = labels.range_m[0].numpy()[ring, column]
    assert np.isfinite(found).sum() >= 50
    assert (np.abs(np.where(want < 120.0, want, 0.0) - np.where(np.isfinite(found), found, 0.0)) < 2e-3).all()


@pytest.mark.parametrize("weather", ["heavy_rain", "fog", "snow"])
def test_weather_changes_what_is_reported_but_no_label(weather: str):
    actors = [[Actor(ActorKind.CAR, 20.0, 1.0), Actor(ActorKind.PEDESTRIAN, 12.0, -4.0)]]
    spec = LIDARS["hdl32"]
    clear, labels, _ = scanned(*make_world(actors), spec, SCENERY)
    bad, same, _ = scanned(*make_world(actors), spec, SCENERY, weather)
    for name in ("range_m", "semantic", "instance"):
        assert torch.equal(getattr(labels, name), getattr(same, name))
    assert not labels.from_air.any() and same.from_air.any()
    both = clear.valid & bad.valid & ~same.from_air
    assert torch.equal(clear.range_m[both], bad.range_m[both])
    assert torch.equal(clear.xyz_ego_m[both], bad.xyz_ego_m[both])
    assert bad.intensity[both].mean() != clear.intensity[both].mean()
    lost = clear.valid & ~bad.valid
    assert lost.any()
    assert (bad.range_m[same.from_air] < same.range_m[same.from_air]).all()


def test_fog_takes_what_koschmieder_says():
    wall = [[Actor(ActorKind.TRUCK, 30.0, -1.75)]]
    world, state = make_world(wall)
    clear, labels, lidar = scanned(world, state, CLEAN)
    light = weather_by_name("clear", 1, world.seed)
    before = clear.intensity.clone()
    lidar.scan(world, state, replace(light, visibility_m=torch.tensor([300.0])))
    light = weather_by_name("clear", 1, world.seed)
    near = (labels.instance[0] == 2) & (before[0] > 0.05) & (before[0] < 0.9) & ~labels.from_air[0]
    share = clear.intensity[0][near] / before[0][near]
    thin = 3.0 / 300.0 - 3.0 / light.visibility_m[0]
    want = torch.exp(-2.0 * thin * labels.range_m[0][near])
    assert near.sum() > 30
    assert torch.allclose(share, want, rtol=0.01)


def test_a_world_is_the_same_alone_and_in_a_batch():
    worlds = [[Actor(ActorKind.CAR, 20.0 + 3 * b, 1.0), Actor(ActorKind.BUS, 40.0, -1.75)] for b in range(3)]
    spec = replace(LIDARS["hdl32"], azimuths=256)
    many = scanned(*make_world(worlds), spec, SCENERY, "rain")
    one = scanned(*make_world([worlds[2]], seeds=[2]), spec, SCENERY, "rain")
    for whole, part in zip(many[:2], one[:2], strict=True):
        for name, tensor in vars(part).items():
            if tensor.dim() > 2:
                assert torch.equal(getattr(whole, name)[2:], tensor), name


def test_noise_has_the_deviation_asked_for_and_changes_with_the_tick_alone():
    world, state = make_world([[]])
    spec = replace(CLEAN, noise_m=0.05)
    scan, labels, lidar = scanned(world, state, spec)
    first = scan.range_m.clone()
    away = (scan.range_m - labels.range_m)[scan.valid]
    assert abs(float(away.std()) - 0.05) < 0.002
    assert abs(float(away.mean())) < 0.002
    light = weather_by_name("clear", 1, world.seed)
    lidar.scan(world, state, light)
    assert torch.equal(first, scan.range_m)
    state.tick += 1
    lidar.scan(world, state, light)
    assert not torch.equal(first, scan.range_m)


def test_rays_meet_hilly_ground_where_a_slow_march_does():
    scenery = build_scenery([generate_road("hills", 1)], 0)
    raster = HeightRaster(
        scenery.height_origin_world_m[0].numpy(), float(scenery.height_cell_m[0]),
        scenery.height_m.reshape(*scenery.height_shape[0].tolist()[::-1]).numpy(), False,
    )  # fmt: skip
    strip = max(generate_road("hills", 1).strips(1.0), key=lambda s: len(s.s_m))
    x, y, z = strip.center_xyz_world_m[len(strip.s_m) // 2]
    world, state = make_world([[]], ego=(x, y, 0.4))
    state.z_world_m[:] = z
    state.pitch_rad[:] = 0.05
    cells = torch.zeros_like(scenery.item_cell_first)
    scan, labels, _ = scanned(world, state, CLEAN, replace(scenery, item_cell_first=cells))
    c, s, cp, sp = math.cos(0.4), math.sin(0.4), math.cos(0.05), math.sin(0.05)
    body = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    ray = (rays(scan) @ body.T)[::3, ::24].reshape(-1, 3)
    found = labels.range_m[0, ::3, ::24].reshape(-1).double().numpy()
    eye = np.array([x, y, z]) + body @ [1.0, 0.0, 1.8]
    steps = np.arange(0.0, 110.0, 0.05)
    point = eye + ray[:, None] * steps[None, :, None]
    below = point[..., 2] < raster.at(point.reshape(-1, 3)[:, :2]).reshape(len(ray), -1)
    want = np.where(below.any(axis=1), steps[below.argmax(axis=1)], np.inf)
    both = np.isfinite(want) & np.isfinite(found)
    assert both.sum() > 100
    grazing = np.abs(found[both] - want[both]) > 0.06 + 0.002 * want[both]
    assert grazing.mean() < 0.02
    assert (np.isfinite(want) != np.isfinite(found))[want < 100.0].mean() < 0.02


def test_a_rolling_spin_bends_the_world_and_compensation_unbends_it():
    truck = Actor(ActorKind.TRUCK, 20.0, 4.0)
    world, state = make_world([[truck]])
    state.speed_mps[:, 0], state.yaw_rate_radps[:, 0] = 20.0, 0.5
    frozen, labels, _ = scanned(world, state)
    box = frozen.xyz_ego_m[0][labels.instance[0] == 2]
    rolling = replace(CLEAN, spin_s=0.1)
    right, seen, _ = scanned(world, state, rolling)
    raw, raw_seen, _ = scanned(world, state, replace(rolling, compensated=False))
    assert torch.equal(seen.instance, raw_seen.instance)
    assert torch.equal(right.range_m, raw.range_m)
    own, bent = right.xyz_ego_m[0][seen.instance[0] == 2], raw.xyz_ego_m[0][seen.instance[0] == 2]
    assert (own.amin(dim=0) - box.amin(dim=0)).abs().max() < 0.2
    assert (own.amax(dim=0) - box.amax(dim=0)).abs().max() < 0.2
    assert (bent.amin(dim=0) - box.amin(dim=0)).abs().max() > 0.5
    flat = right.valid[0] & (seen.semantic[0] == Semantic.ROAD)
    assert right.xyz_ego_m[0][flat][:, 2].abs().max() < 2e-3
    assert right.time_s[0] < -0.09 and right.time_s[-1] > -0.001


def test_a_passing_car_is_smeared_by_its_own_motion_alone():
    car = Actor(ActorKind.CAR, 16.0, 0.0)
    world, state = make_world([[car]])
    state.speed_mps[:, 1] = 20.0
    still_scan, labels, _ = scanned(world, state)
    scan, seen, _ = scanned(world, state, replace(CLEAN, spin_s=0.1))
    # Ahead is shot half a spin before the tick: the car was 1 m farther back then.
    now = still_scan.xyz_ego_m[0][labels.instance[0] == 2][:, 0].min()
    then = scan.xyz_ego_m[0][seen.instance[0] == 2][:, 0].min()
    assert abs(float(now - then) - 1.0) < 0.1


def test_presets_and_what_is_given_in_their_place():
    spec = lidar_from_config(LidarConfig(like="hdl32", azimuths=500, z_ego_m=2.5, rolling=True), 0.05)
    assert (spec.azimuths, spec.xyz_ego_m[2], spec.spin_s) == (500, 2.5, 0.05)
    assert spec.elevation_deg == LIDARS["hdl32"].elevation_deg
    assert [len(LIDARS[name].elevation_deg) for name in ("hdl64", "hdl32", "waymo", "ouster128")] == [64, 32, 64, 128]
    assert all((np.diff(s.elevation_deg) > 0).all() for s in LIDARS.values())
    with pytest.raises(ValueError, match="ascending"):
        scanned(*make_world([[]]), replace(CLEAN, elevation_deg=(3.0, 1.0)))
