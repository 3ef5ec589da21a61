"""Heights of the ground against the roads' own surface, and rays against a slow march."""

from pathlib import Path

import numpy as np
import pytest
import torch
import warp as wp
from tiny_scene import StraightRoad

from configs.schema import CameraConfig
from sim.mapfiles.opendrive import read_opendrive
from sim.painting.textures import procedural_textures
from sim.render_kernels import terrain as kernels
from sim.rendering.camera import camera_from_config
from sim.rendering.render import Renderer
from sim.rendering.scenery import build_scenery
from sim.rendering.terrain import STOREY_M, HeightRaster, raise_ground
from sim.roadgen.generate import generate_road
from sim.roads.network import DRIVING_KINDS, RoadNetwork

MAPS = Path(__file__).parents[3] / "shared" / "data" / "opendrive"


@wp.kernel
def ask(
    # In
    ground: kernels.Ground,
    eye: wp.array(dtype=wp.vec3),
    toward: wp.array(dtype=wp.vec3),
    # Out
    height_out: wp.array(dtype=wp.float32),
    normal_out: wp.array(dtype=wp.vec3),
    hit_out: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    if ground.flat[0] == 0:  # flat maps have no heights
        height_out[i] = kernels.surface_at(ground, 0, eye[i][0], eye[i][1])[0]
    normal_out[i] = kernels.normal_at(ground, 0, eye[i][0], eye[i][1])
    hit_out[i] = kernels.hit(ground, 0, eye[i], toward[i])


def asked(network: object, eye: np.ndarray, toward: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heights, normals and hits (n,) of the ground that a renderer draws of a map."""
    scenery = build_scenery([network], 0)  # type: ignore[list-item]
    camera = camera_from_config(CameraConfig(width_px=16, height_px=16))
    ground = Renderer(scenery, procedural_textures(1, 0, 8, (8, 16)), camera, 1, 1)._ground
    n = len(eye)
    out = [wp.zeros(n, dtype=kind, device="cpu") for kind in (wp.float32, wp.vec3, wp.float32)]
    inputs = [ground, *(wp.array(a.astype(np.float32), dtype=wp.vec3, device="cpu") for a in (eye, toward))]
    wp.launch(ask, n, inputs, out, device="cpu")
    height, normal, hit = (a.numpy() for a in out)
    return height, normal, hit


def raised(network: RoadNetwork) -> HeightRaster:
    return raise_ground(network.strips(1.0), np.random.default_rng(0))


def lane_points(network: RoadNetwork) -> np.ndarray:
    """Points (n, 3) on the middle of driving lanes, where wheels are, on the lower storey; off the samples."""
    points = np.concatenate(
        [s.center_xyz_world_m for s in network.strips(0.7) if s.kind in DRIVING_KINDS and len(s.s_m) > 1]
    )
    cells = np.floor(points[:, :2] / 4.0).astype(int)
    _, cell = np.unique(cells, axis=0, return_inverse=True)
    lowest = np.full(cell.max() + 1, np.inf)
    np.minimum.at(lowest, cell.ravel(), points[:, 2])
    return points[points[:, 2] < lowest[cell.ravel()] + 0.5 * STOREY_M]


@pytest.mark.parametrize("seed", range(3))
def test_generated_hills_are_drawn_where_wheels_are(seed: int):
    network = generate_road("hills", seed)
    points = lane_points(network)
    assert np.abs(raised(network).at(points[:, :2]) - points[:, 2]).max() < 0.03


@pytest.mark.parametrize("name", ["esmini/curves_elevation", "esmini/crest-curve", "esmini/e6mini", "carla/Town04"])
def test_real_maps_are_drawn_where_wheels_are(name: str):
    path = MAPS / f"{name}.xodr"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    network = read_opendrive(path)
    points = lane_points(network)
    error = np.abs(raised(network).at(points[:, :2]) - points[:, 2])
    # Roads that cross in a junction may disagree about its height; the ground lies between them.
    assert np.quantile(error, 0.97) < 0.03
    assert np.median(error) < 0.005


def test_banked_curves_lean_as_the_road_does():
    network = generate_road("hills", 1)
    road = next(iter(network.roads.values()))
    s = np.linspace(20.0, road.length_m - 20.0, 200)
    for t in (-2.5, 2.5):
        xyz = road.pose(s, np.full_like(s, t)).xyz_world_m
        assert np.abs(raised(network).at(xyz[:, :2]) - xyz[:, 2]).max() < 0.03


def test_land_beyond_the_roads_is_smooth_and_rolls():
    raster = raised(generate_road("hills", 0))
    assert 3.0 < np.ptp(raster.height_m) < 60.0
    steps = np.concatenate([np.abs(np.diff(raster.height_m, axis=axis)).ravel() for axis in (0, 1)])
    assert steps.max() / raster.cell_m < 0.9


def test_flat_maps_keep_the_exact_plane():
    eye = np.array([[3.0, 1.0, 1.5], [3.0, 1.0, 1.5], [0.0, 0.0, 1.2]])
    toward = np.array([[1.0, 0.0, -0.1], [1.0, 0.0, 0.1], [0.3, 1.0, -0.25]])
    _, normal, hit = asked(StraightRoad(), eye, toward)
    assert (normal == [0.0, 0.0, 1.0]).all()
    np.testing.assert_allclose(hit, [15.0, 0.0, 4.8], rtol=1e-6)
    assert bool(build_scenery([StraightRoad()], 0).ground_flat.all())
    assert torch.equal(build_scenery([StraightRoad()], 0).height_m, torch.zeros(1))


def marched(raster: HeightRaster, eye: np.ndarray, toward: np.ndarray) -> float:
    """The first of many small steps that is below the ground, narrowed by halving; 0 where there is none."""
    t = np.concatenate([np.arange(0.0, 60.0, 0.05), 60.0 * 1.002 ** np.arange(1600)])
    points = eye + t[:, None] * toward
    under = points[:, 2] < raster.at(points[:, :2])
    if not under.any():
        return 0.0
    high = int(under.argmax())
    low, high = t[max(high - 1, 0)], t[high]
    for _ in range(30):
        middle = 0.5 * (low + high)
        point = eye + middle * toward
        low, high = (low, middle) if point[2] < raster.at(point[None, :2])[0] else (middle, high)
    return high


def test_rays_meet_the_ground_where_a_slow_march_does():
    network = generate_road("hills", 2)
    seed = np.random.default_rng(4)
    places = lane_points(network)[:: len(lane_points(network)) // 40]
    scenery = build_scenery([network], 0)
    rows, columns = scenery.height_shape[0].tolist()[::-1]
    raster = HeightRaster(
        scenery.height_origin_world_m[0].numpy().astype(float),
        2.0,
        scenery.height_m.numpy().reshape(rows, columns),
        False,
    )
    eye = np.repeat(places + [0.0, 0.0, 1.5], 20, axis=0)
    yaw, dip = seed.uniform(0, 2 * np.pi, len(eye)), seed.uniform(-0.08, 0.4, len(eye))
    toward = np.column_stack([np.cos(yaw), np.sin(yaw), -dip])
    height, normal, hit = asked(network, eye, toward)
    np.testing.assert_allclose(height, raster.at(eye[:, :2]), atol=1e-3)
    assert (normal[:, 2] > 0.6).all() and np.abs(np.linalg.norm(normal, axis=1) - 1.0).max() < 1e-5
    want = np.array([marched(raster, e, d) for e, d in zip(eye, toward)])
    found = (want > 0.0) & (hit > 0.0)
    assert found.mean() > 0.6
    # Rays that graze a crest may pass on one side of it or the other, by less than a pixel.
    assert ((want > 0.0) != (hit > 0.0)).mean() < 0.01
    # The height where a ray ends is the ground's, and almost no ray passes through a crest.
    ends = eye[found] + hit[found, None] * toward[found]
    assert np.abs(ends[:, 2] - raster.at(ends[:, :2])).max() < 0.02
    assert (np.abs(hit - want)[found] > 0.02 * want[found] + 0.05).mean() < 0.01
