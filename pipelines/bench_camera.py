"""`roadloop bench camera`: frames per core-second in a busy town, where the time goes and what it grows with.

The worlds are the busiest of a few candidates, each with at least LEAST_SEEN actors in its picture. Everything is on:
colour, shadows, depth, semantic and instance images, 2-D and 3-D boxes. Costs by kernel are those of single launches.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from configs.schema import CameraConfig, Experiment
from pipelines.bench_others import car_racing_frames
from pipelines.bench_sim import Bench
from pipelines.tables import print_table
from pipelines.worlds import TEXTURE_SEED, Worlds, make_simulator, make_weather, make_worlds, textures
from sim.rendering.camera import camera_from_config
from sim.rendering.render import Renderer
from sim.rendering.scenery import Scenery, build_scenery
from sim.rendering.weather import Weather
from sim.simulator import Simulator
from sim.types import Boxes3D, EgoState, GroundTruth, State, World

ACTORS, WORLDS = 160, 8
CANDIDATES, MAPS = 64, 8
LEAST_SEEN = 20  # actors with a pixel in the picture of 320 x 192
SIZES = ((128, 72), (320, 192), (800, 450))
GROWTH_SIZE = (320, 192)
TILES = (1, 4, 9)  # times the town
CROWDS = (10, 20, 40, 80, 160)  # actors
PIXELS = 3_000_000  # of one repeat
KERNEL_REPEATS = 7
Figure = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """Some worlds and what draws them."""

    worlds: Worlds
    simulator: Simulator
    renderer: Renderer
    pixels: int  # of one frame
    light: Weather
    ego: EgoState
    boxes: Boxes3D

    def draw(self) -> GroundTruth:
        """Every world's frame; returns the labels."""
        return self.renderer.render(*self._inputs())[1]

    def seconds(self) -> dict[str, float]:
        """CPU seconds a frame of each kernel: the lowest of a few."""
        found: dict[str, float] = {}
        for _ in range(KERNEL_REPEATS):
            for name, spent in self.renderer.seconds(*self._inputs()).items():
                found[name] = min(found.get(name, spent), spent)
        return {name: spent / len(self.worlds.seeds) for name, spent in found.items()}

    def _inputs(self) -> tuple[World, State, Weather, EgoState, Boxes3D]:
        return self.simulator.world, self.simulator.state, self.light, self.ego, self.boxes


class TiledTown:
    """A map that goes on: copies of one's roads and lines side by side, the first where it was."""

    def __init__(self, network: Any, times: int) -> None:
        self._network, self._times = network, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def _copies(self, parts: Sequence[Any]) -> list[Any]:
        points = np.concatenate([s.left_xy_world_m for s in self._network.strips(1.0)])
        pace = np.ptp(points, axis=0) + 60.0
        side = round(self._times**0.5)
        copies = []
        for k in range(self._times):
            shift = pace * (k % side, k // side)
            for part in parts:
                moved = {name: value + shift for name, value in vars(part).items() if name.endswith("_xy_world_m")}
                if hasattr(part, "xy_world_m"):
                    moved["xy_world_m"] = part.xy_world_m + shift
                copies.append(replace(part, **moved))
        return copies

    def strips(self, step_m: float = 1.0) -> list[Any]:
        return self._copies(self._network.strips(step_m))

    def markings(self, step_m: float = 1.0) -> list[Any]:
        return self._copies(self._network.markings(step_m))


def bench_camera(bench: Bench, worlds: int | None, actors: int | None) -> Figure:
    """Print and return the figures; `worlds` and `actors` are those of the headline where not given here."""
    town = _town(bench.experiment, actors or ACTORS)
    seeds, in_view = _busiest(town, bench.device, worlds or WORLDS)
    print(f"{len(seeds)} worlds of {town.sim.actors} actors; in the pictures of 320 x 192 of each: {in_view}")
    rates = {_name(*case): _rate(bench, town, seeds, *case) for case in _cases()}
    other = car_racing_frames(bench.repeats)
    rows = [{"case": name} | _shown(row) for name, row in rates.items()]
    print_table([*rows, *([{"case": "CarRacing-v3 96x96, no labels"} | _shown(other)] if other else [])], "Frames/s")
    figures: Figure = rates | {"in_view": in_view, "road": town.road.kind, "actors": town.sim.actors}
    figures["beside"] = {"CarRacing-v3": other or "not installed"}
    if bench.device == "cpu":
        figures["where_the_time_goes"] = _kernels(town, seeds)
    figures["by_town_size"] = _by_town_size(bench, town, seeds)
    figures["by_actors"] = _by_actors(bench, town, seeds)
    figures["first_frame_s"] = _first_frames(bench.device)
    return {"frames_per_core_second": figures}


def _cases() -> list[tuple[int, int, int]]:
    return [(*size, samples) for samples in (1, 2) for size in SIZES]


def _name(width: int, height: int, supersample: int) -> str:
    return f"{width}x{height}" + (f" supersample {supersample}" if supersample > 1 else "")


def _shown(figure: Figure) -> Figure:
    return {key: f"{figure[key]:,.0f}" for key in ("value", "lowest", "highest")}


def _town(experiment: Experiment, actors: int) -> Experiment:
    """The experiment on town roads, unless it has a map of its own, with so many actors; a quarter of them people."""
    kind = experiment.road.kind if experiment.road.map is not None else "town"
    road = experiment.road.model_copy(update={"kind": kind, "pool": MAPS})
    sim = experiment.sim.model_copy(update={"actors": actors, "pedestrians": actors // 4})
    return experiment.model_copy(update={"road": road, "sim": sim})


def _scene(
    town: Experiment,
    device: str,
    seeds: Sequence[int],
    size: tuple[int, int],
    supersample: int = 1,
    scenery: Scenery | None = None,
) -> Scene:
    camera = town.camera.model_copy(update={"width_px": size[0], "height_px": size[1], "supersample": supersample})
    worlds = make_worlds(town, seeds)
    renderer = Renderer(
        scenery or worlds.maps.scenery,
        textures(town.appearance),
        camera_from_config(CameraConfig(**camera.model_dump())),
        len(seeds),
        town.sim.actors,
        supersample,
        device,
    )
    simulator = make_simulator(town, worlds, device)
    ego, boxes = simulator.ego_state(), simulator.boxes_3d()
    return Scene(worlds, simulator, renderer, size[0] * size[1], make_weather(worlds), ego, boxes)


def _busiest(town: Experiment, device: str, worlds: int) -> tuple[list[int], list[int]]:
    """Seeds of up to `worlds` candidates that see most actors, each LEAST_SEEN of ACTORS, and how many each sees.

    Raises ValueError where none does.
    """
    truth = _scene(town, device, range(CANDIDATES), GROWTH_SIZE).draw()
    seen = (truth.boxes_2d.visible_pixels > 0).sum(-1).flatten().tolist()
    seeds = sorted(range(CANDIDATES), key=lambda seed: (-seen[seed], seed))[:worlds]
    if town.sim.actors >= ACTORS:
        seeds = [seed for seed in seeds if seen[seed] >= LEAST_SEEN]
    if not seeds:
        raise ValueError(f"bench camera: no world sees {LEAST_SEEN} of its {town.sim.actors} actors; want more actors")
    return seeds, [seen[seed] for seed in seeds]


def _rate(bench: Bench, town: Experiment, seeds: Sequence[int], width: int, height: int, supersample: int) -> Figure:
    scene = _scene(town, bench.device, seeds, (width, height), supersample)
    return _frames(bench, scene) | {"supersample": supersample, "worlds": len(seeds)}


def _frames(bench: Bench, scene: Scene) -> Figure:
    """Frames per second of the device."""
    count = len(scene.worlds.seeds)
    rounds = max(2, PIXELS // (scene.pixels * count))

    def work() -> float:
        for _ in range(rounds):
            scene.draw()
        return float(rounds * count)

    return bench.measure(work)


def _kernels(town: Experiment, seeds: Sequence[int]) -> Figure:
    """Nanoseconds per pixel of each kernel by size, and of drawing per triangle of the instances in view."""
    found: Figure = {}
    for size in SIZES:
        scene = _scene(town, "cpu", seeds, size)
        each = {kernel: 1e9 * spent / scene.pixels for kernel, spent in scene.seconds().items()}
        triangles = scene.renderer.triangles_drawn() / len(seeds)
        each["all"] = sum(each.values())
        each["draw, per triangle"] = each["draw"] * scene.pixels / triangles
        each["triangles"] = triangles
        found[_name(*size, 1)] = each
    rows = [
        {"kernel": kernel} | {name: each[kernel] for name, each in found.items()}
        for kernel in next(iter(found.values()))
    ]
    print_table(rows, "Where the time goes, nanoseconds per pixel (launched one by one)")
    return found


def _by_town_size(bench: Bench, town: Experiment, seeds: Sequence[int]) -> list[Figure]:
    """The same streets as part of larger towns: what is not seen should cost nothing."""
    rows = []
    for times in TILES:
        networks = make_worlds(town, seeds).maps.networks
        scenery = build_scenery([TiledTown(n, times) for n in networks], TEXTURE_SEED)  # type: ignore[list-item]
        scene = _scene(town, bench.device, seeds, GROWTH_SIZE, scenery=scenery)
        rate = _frames(bench, scene)
        rows.append(
            {"items": len(scenery.item_model), "triangles": scene.renderer.triangles_drawn() / len(seeds)}
            | _shown(rate)
        )
    print_table(rows, f"By size of the towns, {GROWTH_SIZE[0]}x{GROWTH_SIZE[1]}, frames/s")
    return rows


def _by_actors(bench: Bench, town: Experiment, seeds: Sequence[int]) -> list[Figure]:
    rows = []
    for actors in CROWDS:
        scene = _scene(_town(town, actors), bench.device, seeds, GROWTH_SIZE)
        seen = (scene.draw().boxes_2d.visible_pixels > 0).sum().item() / len(seeds)
        rows.append({"actors": actors, "in the picture": seen} | _shown(_frames(bench, scene)))
    print_table(rows, f"By actors, {GROWTH_SIZE[0]}x{GROWTH_SIZE[1]}, frames/s")
    return rows


def _first_frames(device: str) -> Figure:
    """Seconds from a fresh process to its first frame: with all to compile and make, and with both in the caches.

    Such a process may use all cores, even where this one is pinned to one of them to time frames; what one core would
    take is its CPU time.
    """
    with tempfile.TemporaryDirectory() as cache:
        found = {name: _first_frame(device, cache) for name in ("cold", "warm")}
    print_table([{"kernels": name} | row for name, row in found.items()], "Seconds to the first frame of a new process")
    return found


def _first_frame(device: str, cache: str) -> Figure:
    code = "import os; hasattr(os, 'sched_setaffinity') and os.sched_setaffinity(0, range(os.cpu_count())); "
    code += "from pipelines.startup import import_quickly; "
    code += f"import_quickly('pipelines.bench_camera').first_frame({device!r})"
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # modules' bytecode
    start_s = time.time()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | {"WARP_CACHE_PATH": cache, "XDG_CACHE_HOME": cache},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    row = json.loads(done.stdout.splitlines()[-1])
    return {"wall": row.pop("at") - start_s} | row


def first_frame(device: str) -> None:
    """Draw one frame of one world as a new process would; print seconds of CPU time and those after importing."""
    imported_s, clock_s = time.process_time(), time.perf_counter()
    _scene(_town(Experiment(), 32), device, [0], GROWTH_SIZE).draw()
    print(
        json.dumps(
            {
                "at": time.time(),  # nobody waits for the process to end
                "of it CPU time": time.process_time(),
                "wall after imports": time.perf_counter() - clock_s,
                "of that CPU time": time.process_time() - imported_s,
            }
        )
    )
