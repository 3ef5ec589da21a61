"""One kernel source: a GPU drives and draws what the CPU does. Skipped where there is no CUDA device."""

from dataclasses import fields

import pytest
import torch

from configs.schema import CameraConfig, RadarConfig, SimConfig
from sim.painting.textures import procedural_textures
from sim.rendering.camera import camera_from_config
from sim.rendering.lidar import LIDARS, Lidar
from sim.rendering.radar import Radar
from sim.rendering.render import Renderer
from sim.rendering.scenery import build_scenery
from sim.rendering.weather import Weather, weather_by_name
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.simulator import Simulator
from sim.types import GroundTruth, SensorFrame, State

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; torch finds none here"),
]
WORLDS, ACTORS = 8, 20
SEEDS, MAP_INDEX = torch.arange(WORLDS), torch.arange(WORLDS, dtype=torch.int32) % 2


@pytest.fixture(scope="module")
def networks():
    return [generate_road("town", 3), generate_road("rural", 4)]


def simulate(networks, device: str, ticks: int) -> Simulator:
    config = SimConfig(actors=ACTORS, pedestrians=4)
    simulator = Simulator(compile_lanes(networks), config, SEEDS, MAP_INDEX, device)
    for _ in range(ticks):
        simulator.step(simulator.action)
    return simulator


def draw(networks, device: str) -> tuple[SensorFrame, GroundTruth]:
    simulator = simulate(networks, device, 20)
    camera = camera_from_config(CameraConfig(width_px=160, height_px=96))
    renderer = Renderer(
        build_scenery(networks, 1), procedural_textures(2, 1), camera, WORLDS, ACTORS, supersample=2, device=device
    )
    weather = weather_by_name("any", WORLDS, SEEDS)
    weather = Weather(**{f.name: getattr(weather, f.name).to(device) for f in fields(Weather)})
    return renderer.render(simulator.world, simulator.state, weather, simulator.ego_state(), simulator.boxes_3d())


def test_a_hundred_ticks_agree(networks):
    on_cpu, on_gpu = (simulate(networks, device, 100).state for device in ("cpu", "cuda"))
    for field in fields(State):
        expected, actual = getattr(on_cpu, field.name), getattr(on_gpu, field.name).cpu()
        if expected.is_floating_point():
            torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-3, msg=field.name)
        else:
            assert torch.equal(actual, expected), field.name


def test_pictures_and_labels_agree(networks):
    (frame, truth), (gpu_frame, gpu_truth) = draw(networks, "cpu"), draw(networks, "cuda")
    off = (frame.rgb.int() - gpu_frame.rgb.cpu().int()).abs().amax(dim=-1)
    assert (off <= 1).float().mean() >= 0.999
    for name in ("semantic", "instance"):
        same = getattr(truth, name) == getattr(gpu_truth, name).cpu()
        assert same.float().mean() >= 0.999, name
    assert gpu_frame.rgb.is_cuda and gpu_truth.depth_m.is_cuda


def test_scans_agree(networks):
    simulators = [simulate(networks, device, 20) for device in ("cpu", "cuda")]
    lidars, radars = [], []
    for simulator, device in zip(simulators, ("cpu", "cuda"), strict=True):
        camera = camera_from_config(CameraConfig(width_px=16, height_px=16))
        scenery, textures = build_scenery(networks, 1), procedural_textures(2, 1)
        renderer = Renderer(scenery, textures, camera, WORLDS, ACTORS, device=device)
        weather = weather_by_name("rain", WORLDS, SEEDS)
        weather = Weather(**{f.name: getattr(weather, f.name).to(device) for f in fields(Weather)})
        lidars.append(Lidar(renderer, LIDARS["hdl32"]).scan(simulator.world, simulator.state, weather))
        radars.append(Radar(renderer, RadarConfig()).scan(simulator.world, simulator.state, weather))
    (scan, labels), (gpu_scan, gpu_labels) = lidars
    for name in ("semantic", "instance"):
        assert (getattr(labels, name) == getattr(gpu_labels, name).cpu()).float().mean() >= 0.999, name
    assert (scan.valid == gpu_scan.valid.cpu()).float().mean() >= 0.999
    assert ((scan.xyz_ego_m - gpu_scan.xyz_ego_m.cpu()).abs().amax(dim=-1) < 0.01).float().mean() >= 0.998
    assert (radars[0][0].valid.sum() - radars[1][0].valid.cpu().sum()).abs() <= 0.02 * radars[0][0].valid.sum()
