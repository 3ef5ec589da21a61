"""From configuration and seeds to worlds: which map, weather and look each seed drives in.

A world is a function of the configuration and its own seed, never of the worlds beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import get_args

import torch

from agents.episodes import kind_of_seed
from configs.schema import CameraConfig, Experiment, RoadKind, WeatherName
from sim.mapfiles.opendrive import read_opendrive
from sim.painting.gan import gan_textures
from sim.painting.textures import Textures, procedural_textures
from sim.rendering.camera import camera_from_config
from sim.rendering.render import Renderer
from sim.rendering.scenery import build_scenery
from sim.rendering.weather import Weather, weather_by_name
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.roads.network import RoadNetwork
from sim.simulator import Simulator
from sim.types import LaneGraph

WEATHERS: tuple[WeatherName, ...] = get_args(WeatherName)
SEEDS_PER_BLOCK = 1_000_000  # training and evaluation use different blocks of seeds and so of maps
TEXTURE_VARIANTS = 4
TEXTURE_SEED = 1


@dataclass(frozen=True)
class Worlds:
    """The worlds of one batch."""

    networks: tuple[RoadNetwork, ...]
    lanes: LaneGraph
    map_index: torch.Tensor  # (B,) int32 into networks
    seeds: torch.Tensor  # (B,) int64
    places: tuple[str, ...]  # per world: kind of road, or the map file's name
    weathers: tuple[WeatherName, ...]  # per world


def make_worlds(experiment: Experiment, seeds: Sequence[int], pooled: bool = True) -> Worlds:
    """The worlds of `seeds`: their maps (from a pool of `road.pool` a block of seeds, or their own) and weather."""
    maps = [map_key(experiment, seed, pooled) for seed in seeds]
    distinct = sorted(set(maps))
    networks = tuple(_network(experiment.road.map, kind, map_seed) for kind, map_seed in distinct)
    return Worlds(
        networks=networks,
        lanes=compile_lanes(list(networks)),
        map_index=torch.tensor([distinct.index(key) for key in maps], dtype=torch.int32),
        seeds=torch.tensor(list(seeds), dtype=torch.int64),
        places=tuple(kind for kind, _ in maps),
        weathers=tuple(weather_of_seed(experiment, seed) for seed in seeds),
    )


def check_inputs(experiment: Experiment) -> None:
    """Read the map and the textures that a job will need; ValueError or OSError here, before it writes anything."""
    if experiment.road.map is not None:
        read_opendrive(experiment.road.map)
    textures(experiment.appearance)


def batches_by_map(experiment: Experiment, first_seed: int, count: int, size: int) -> list[list[int]]:
    """Numbers 0..count-1 of the worlds `first_seed` + number, in batches of `size` that share maps where they can.

    Compiling a map and planting its scenery costs more than drawing a frame of it.
    """
    numbers = sorted(range(count), key=lambda number: (map_key(experiment, first_seed + number), number))
    return [numbers[first : first + size] for first in range(0, count, size)]


def weather_of_seed(experiment: Experiment, seed: int) -> WeatherName:
    """The configured weather, or one drawn by the seed."""
    return WEATHERS[(seed // 2) % len(WEATHERS)] if experiment.weather == "any" else experiment.weather


def make_simulator(experiment: Experiment, worlds: Worlds, device: str = "cpu") -> Simulator:
    """The batch, spawned."""
    return Simulator(worlds.lanes, experiment.sim, worlds.seeds, worlds.map_index, device)


def make_renderer(
    experiment: Experiment, worlds: Worlds, camera: CameraConfig | None = None, device: str = "cpu"
) -> Renderer:
    """A renderer of the worlds through the configured camera, or through another one."""
    camera = camera or experiment.camera
    return Renderer(
        build_scenery(list(worlds.networks), TEXTURE_SEED),
        textures(experiment.appearance),
        camera_from_config(camera),
        len(worlds.seeds),
        experiment.sim.actors,
        camera.supersample,
        device,
    )


def make_weather(worlds: Worlds) -> Weather:
    """Weather of every world, each drawn by its own name and seed."""
    rows = [weather_by_name(name, 1, worlds.seeds[i : i + 1]) for i, name in enumerate(worlds.weathers)]
    return Weather(**{f.name: torch.cat([getattr(row, f.name) for row in rows]) for f in fields(Weather)})


@lru_cache(maxsize=3)
def textures(appearance: str) -> Textures:
    """What surfaces and sky look like; `any` holds both kinds, so that a world's seed picks one."""
    if appearance == "procedural":
        return procedural_textures(TEXTURE_VARIANTS, TEXTURE_SEED)
    if appearance == "gan":
        return gan_textures(None, TEXTURE_VARIANTS, TEXTURE_SEED)
    both = textures("procedural"), textures("gan")
    return Textures(**{f.name: _stacked(*(getattr(kind, f.name) for kind in both)) for f in fields(Textures)})


def _stacked(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Both sets of images (V, H, W, 3) in one, the smaller repeated pixel by pixel to the larger's size."""
    height, width = (max(first.shape[axis], second.shape[axis]) for axis in (1, 2))
    grown = [
        images.repeat_interleave(height // images.shape[1], 1).repeat_interleave(width // images.shape[2], 2)
        for images in (first, second)
    ]
    return torch.cat(grown)


def map_key(experiment: Experiment, seed: int, pooled: bool = True) -> tuple[str, int]:
    """Kind (or file name) and seed of the map that a world drives on."""
    if experiment.road.map is not None:
        return experiment.road.map.stem, 0
    block, offset = divmod(seed, SEEDS_PER_BLOCK)
    map_seed = block * SEEDS_PER_BLOCK + offset % experiment.road.pool if pooled else seed
    return kind_of_seed(experiment.road.kind, map_seed), map_seed


@lru_cache(maxsize=256)
def _network(map_file: Path | None, kind: RoadKind, map_seed: int) -> RoadNetwork:
    return read_opendrive(map_file) if map_file is not None else generate_road(kind, map_seed)
