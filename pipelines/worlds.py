"""From configuration and seeds to worlds: which map, weather and look each seed drives in.

A world is a function of the configuration and its own seed, never of the worlds beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

import torch

from agents.episodes import kind_of_seed
from configs.schema import CameraConfig, Experiment, RoadKind, WeatherConfig, WeatherName
from pipelines.kept import kept
from sim.mapfiles.opendrive import read_opendrive
from sim.meshes.assets import with_assets
from sim.painting.gan import gan_textures
from sim.painting.textures import Textures, procedural_textures
from sim.rendering.cameras import Cameras
from sim.rendering.conditions import DRY_FRICTION, Forecast, conditions_of, drawn_conditions
from sim.rendering.rigs import rig_from_config
from sim.rendering.scenery import Scenery, build_scenery
from sim.rendering.sensor import sensor_from_config
from sim.rendering.weather import Weather, weather_of
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.roads.network import RoadNetwork
from sim.simulator import Simulator
from sim.types import ExtraLabel, LaneGraph

if TYPE_CHECKING:
    from sim.rendering.lidar import LidarSpec

WEATHERS: tuple[WeatherName, ...] = get_args(WeatherName)
SEEDS_PER_BLOCK = 1_000_000  # training and evaluation use different blocks of seeds and so of maps
TEXTURE_VARIANTS = 4
TEXTURE_SEED = 1
Made = TypeVar("Made", LaneGraph, Scenery)


@dataclass(frozen=True, eq=False)
class Maps:
    """The maps of a batch, compiled and planted when first asked for, or found as an earlier process left them.

    `key` tells all that the maps depend on besides the source; None for maps that are not to be kept.
    """

    make: Callable[[], tuple[RoadNetwork, ...]]
    key: tuple[object, ...] | None = None

    @cached_property
    def networks(self) -> tuple[RoadNetwork, ...]:
        return self.make()

    @cached_property
    def lanes(self) -> LaneGraph:
        return self._kept(LaneGraph, lambda: compile_lanes(list(self.networks)))

    @cached_property
    def scenery(self) -> Scenery:
        return self._kept(Scenery, lambda: build_scenery(list(self.networks), TEXTURE_SEED))

    def _kept(self, kind: type[Made], made: Callable[[], Made]) -> Made:
        return made() if self.key is None else kept(kind, (*self.key, TEXTURE_SEED), made)


@dataclass(frozen=True)
class Worlds:
    """The worlds of one batch."""

    maps: Maps
    map_index: torch.Tensor  # (B,) int32 into the maps
    seeds: torch.Tensor  # (B,) int64
    places: tuple[str, ...]  # per world: kind of road, or the map file's name
    weathers: tuple[WeatherName, ...]  # per world: the name, or what the numbers are like
    forecasts: tuple[Forecast, ...]  # per world


def make_worlds(experiment: Experiment, seeds: Sequence[int], pooled: bool = True) -> Worlds:
    """The worlds of `seeds`: their maps (from a pool of `road.pool` a block of seeds, or their own) and weather."""
    maps = [map_key(experiment, seed, pooled) for seed in seeds]
    distinct = sorted(set(maps))
    return Worlds(
        maps=_maps(experiment.road.map, tuple(distinct)),
        map_index=torch.tensor([distinct.index(key) for key in maps], dtype=torch.int32),
        seeds=torch.tensor(list(seeds), dtype=torch.int64),
        places=tuple(kind for kind, _ in maps),
        weathers=tuple(weather_of_seed(experiment, seed) for seed in seeds),
        forecasts=tuple(forecast_of_seed(experiment, seed) for seed in seeds),
    )


def check_inputs(experiment: Experiment) -> None:
    """Read the map and the textures that a job will need; ValueError or OSError here, before it writes anything."""
    if experiment.road.map is not None:
        read_opendrive(experiment.road.map)
    textures(experiment.appearance)
    with_assets(experiment.assets)


def batches_by_map(experiment: Experiment, first_seed: int, count: int, size: int) -> list[list[int]]:
    """Numbers 0..count-1 of the worlds `first_seed` + number, in batches of `size` that share maps where they can.

    Compiling a map and planting its scenery costs more than drawing a frame of it: maps with half a batch and more have
    batches of their own, of sizes that differ by one at most; what others have goes together.
    """
    of_map: dict[tuple[str, int], list[int]] = {}
    for number in range(count):
        of_map.setdefault(map_key(experiment, first_seed + number), []).append(number)
    batches: list[list[int]] = []
    small: list[int] = []
    for _, numbers in sorted(of_map.items()):
        if 2 * len(numbers) >= size:
            pieces = -(-len(numbers) // size)
            edges = [len(numbers) * piece // pieces for piece in range(pieces + 1)]
            batches += [numbers[start:end] for start, end in pairwise(edges)]
            continue
        if len(small) + len(numbers) > size:
            batches.append(small)
            small = []
        small = small + numbers
    return [*batches, small] if small else batches


def weather_of_seed(experiment: Experiment, seed: int) -> WeatherName:
    """The configured weather, one drawn by the seed, or what the configured numbers (at first) are like."""
    if isinstance(experiment.weather, tuple):
        return experiment.weather[0].like
    if isinstance(experiment.weather, WeatherConfig):
        return experiment.weather.like
    return WEATHERS[(seed // 2) % len(WEATHERS)] if experiment.weather == "any" else experiment.weather


def forecast_of_seed(experiment: Experiment, seed: int) -> Forecast:
    """How the weather of the seed's world goes on. ValueError where keyframes are not in order of time."""
    if isinstance(experiment.weather, str):
        return Forecast((0.0,), (drawn_conditions(weather_of_seed(experiment, seed), seed),))
    frames = experiment.weather if isinstance(experiment.weather, tuple) else (experiment.weather,)
    times = tuple(frame.at_s for frame in frames)
    if list(times) != sorted(set(times)):
        raise ValueError(f"weather: keyframes at {times} s; want each at_s later than the one before")
    return Forecast(times, tuple(conditions_of(frame, seed) for frame in frames))


def make_simulator(experiment: Experiment, worlds: Worlds, device: str = "cpu") -> Simulator:
    """The batch, spawned; wet and snowy roads grip less than `sim.road_friction` says of dry ones."""
    simulator = Simulator(worlds.maps.lanes, experiment.sim, worlds.seeds, worlds.map_index, device)
    _grip(simulator, experiment, worlds)
    return simulator


def restart(simulator: Simulator, experiment: Experiment, worlds: Worlds) -> None:
    """Spawn other worlds on the same maps in a simulator, the same bits as in one that `make_simulator` makes."""
    simulator.reset(torch.ones(simulator.worlds, dtype=torch.bool), worlds.seeds, worlds.map_index)
    _grip(simulator, experiment, worlds)


def _grip(simulator: Simulator, experiment: Experiment, worlds: Worlds) -> None:
    grip = [forecast.at(0.0).friction() / DRY_FRICTION for forecast in worlds.forecasts]
    simulator.world.friction.copy_(experiment.sim.road_friction * torch.tensor(grip))


def _lidar(experiment: Experiment) -> LidarSpec | None:
    if experiment.lidar is None:
        return None
    from sim.rendering.lidar import lidar_from_config  # as in sim.rendering.cameras

    return lidar_from_config(experiment.lidar, experiment.sim.dt_s)


def make_renderer(
    experiment: Experiment,
    worlds: Worlds,
    camera: CameraConfig | None = None,
    device: str = "cpu",
    labels: tuple[ExtraLabel, ...] = (),
) -> Cameras:
    """The configured rig with its lidar and radar in the worlds, or another camera, with the configured sensor."""
    whole = camera is None
    rig = rig_from_config(experiment.camera, experiment.rig) if camera is None else rig_from_config(camera)
    camera = camera or experiment.camera
    return Cameras(
        worlds.maps.scenery,
        textures(experiment.appearance),
        rig,
        sensor_from_config(experiment.sensor),
        len(worlds.seeds),
        experiment.sim.actors,
        camera.supersample,
        device,
        labels,
        library=with_assets(experiment.assets),
        lidar=_lidar(experiment) if whole else None,
        radar=experiment.radar if whole else None,
    )


def make_weather(worlds: Worlds, time_s: float = 0.0) -> Weather:
    """Weather of every world, each by its own forecast and seed, at a time of the drive."""
    return weather_of([forecast.at(time_s) for forecast in worlds.forecasts])


def current_weather(worlds: Worlds, weather: Weather, time_s: torch.Tensor) -> Weather:
    """Each world's weather at its own time (B,): `weather` itself, unless some forecast changes."""
    if all(len(forecast.at_s) == 1 for forecast in worlds.forecasts):
        return weather
    return weather_of([forecast.at(t) for forecast, t in zip(worlds.forecasts, time_s.tolist(), strict=True)])


@lru_cache(maxsize=3)
def textures(appearance: str) -> Textures:
    """What surfaces and sky look like; `any` holds both kinds, so that a world's seed picks one."""
    key = (appearance, TEXTURE_VARIANTS, TEXTURE_SEED)
    if appearance == "procedural":
        return kept(Textures, key, lambda: procedural_textures(TEXTURE_VARIANTS, TEXTURE_SEED))
    if appearance == "gan":
        return kept(Textures, key, lambda: gan_textures(None, TEXTURE_VARIANTS, TEXTURE_SEED))
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


@lru_cache(maxsize=2)
def _maps(map_file: Path | None, keys: tuple[tuple[RoadKind, int], ...]) -> Maps:
    """Kept for the next batch: neighbouring ones of a job often share theirs, and maps cost more than a frame."""
    identity = keys if map_file is None else (*keys, hashlib.sha256(map_file.read_bytes()).hexdigest())
    return Maps(lambda: tuple(_network(map_file, *key) for key in keys), identity)
