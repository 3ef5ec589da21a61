"""The command line: `roadloop drive | view | render | train | evaluate | map | bench | soak | scenario | suite`.

Only light modules are imported here; torch, Warp and Ray load inside the command that needs them.
"""

import contextlib
import dataclasses
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from pipelines.config_io import load_experiment
from pipelines.scenario_commands import Scenario, Suite
from pipelines.startup import import_quickly


def _arg(metavar: str) -> Any:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


Text = Annotated[str | None, _arg("NAME")]
File = Annotated[Path | None, _arg("FILE")]
Folder = Annotated[Path | None, _arg("DIR")]
Whole = Annotated[int | None, _arg("N")]
Seconds = Annotated[float | None, _arg("S")]


@dataclasses.dataclass(kw_only=True)
class Common:
    config: File = None
    """YAML file with the settings that differ, or the name of a preset (smoke, town, ...)."""
    set: tyro.conf.UseAppendAction[Annotated[list[str], _arg("KEY=VALUE")]] = dataclasses.field(default_factory=list)
    """One setting, as in --set sim.actors=12; may be repeated."""
    debug: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show the traceback of an error."""

    def experiment(self, base: dict[str, Any] | None = None, **flags: Any) -> Any:
        """The resolved configuration; a flag's `__` stands for the dot of its key."""
        dotted = {key.replace("__", "."): value for key, value in flags.items()}
        return load_experiment(self.config, self.set, dotted, base)


@dataclasses.dataclass(kw_only=True)
class Drive(Common):
    """Drive one car in closed loop and write drive.mp4, report.html and metrics.json."""

    map: File = None
    """OpenDRIVE file to drive on."""
    road: Annotated[str | None, _arg("KIND")] = None
    """Generated road to drive on: town, urban, rural, hills, highway, motorway, crossing, roundabout, any or all."""
    agent: Annotated[str | None, _arg("ppo|classical|random|PATH")] = None
    """Who drives (default ppo)."""
    perception: Annotated[str | None, _arg("detector|oracle|PATH")] = None
    """What it sees with (default detector)."""
    weather: Text = None
    """clear, fog, dusk or any."""
    appearance: Annotated[str | None, _arg("procedural|gan")] = None
    """How surfaces and sky are painted."""
    seed: Whole = None
    """Picks the road, the traffic and the look (default 0)."""
    seconds: Seconds = None
    """How long to drive (default 20)."""
    out: Folder = None
    """Run folder (default runs/drive-...)."""

    def run(self) -> None:
        if self.map is not None and self.road is not None:
            raise ValueError("--map and --road exclude each other: give a map file or a kind of generated road")
        experiment = self.experiment(
            road__map=self.map,
            road__kind=self.road,
            drive__agent=self.agent,
            drive__perception=self.perception,
            weather=self.weather,
            appearance=self.appearance,
            seed=self.seed,
            sim__seconds=self.seconds,
        )
        _job("drive").drive(experiment, self.out)


@dataclasses.dataclass(kw_only=True)
class View(Common):
    """Look around a running world on a page in your browser: cameras, labels, weather, map, and the wheel."""

    map: File = None
    """OpenDRIVE file to drive on."""
    road: Annotated[str | None, _arg("KIND")] = None
    """Generated road to drive on: town, urban, rural, hills, highway, motorway, crossing or roundabout."""
    scenario: Annotated[Path | None, _arg("FILE|NAME")] = None
    """Scenario to look at: OpenSCENARIO (.xosc), our own (.yaml), CommonRoad (.xml), or a name of the library."""
    agent: Annotated[str | None, _arg("classical|ppo|you|none|PATH")] = None
    """Who drives at first: an agent, you at the keyboard, or nobody (default classical; a scenario's own actions)."""
    weather: Text = None
    """clear, fog, dusk, night, rain, snow, ... or any."""
    seed: Whole = None
    """Picks the road, the traffic and the look (default 0)."""
    port: Annotated[int, _arg("P")] = 8377
    """Port on 127.0.0.1; 0 takes a free one."""
    browser: bool = True
    """Open the page in the browser."""

    def run(self) -> None:
        given = [name for name in ("map", "road", "scenario") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"--{given[0]} and --{given[1]} exclude each other: give one of them")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"--port: {self.port} is not between 0 and 65535")
        base = {"sim.actors": 40, "sim.pedestrians": 10, "sim.cyclists": 3, "sim.motorcycles": 2, "sim.parked": 6}
        base |= {"sim.dt_s": 0.025, "sim.route_m": 4000.0}
        base |= {"camera.width_px": 640, "camera.height_px": 360, "camera.fov_deg": 75.0}
        flags = {"road__map": self.map, "road__kind": self.road, "weather": self.weather, "seed": self.seed}
        driver = self.agent or ("none" if self.scenario is not None else "classical")
        _job("view_job").view(self.experiment(base, **flags), self.scenario, driver, self.port, self.browser)


@dataclasses.dataclass(kw_only=True)
class Render(Common):
    """Render a labelled dataset: images, semantic, instance, depth and annotations.json (COCO), or other layouts."""

    scenes: Whole = None
    """How many scenes."""
    format: Annotated[str | None, _arg("coco|kitti|nuscenes|webdataset")] = None
    """Layout on disk (default coco); more than one with --set "render.format=[coco, kitti]"."""
    out: Folder = None
    """Folder for the scenes; an interrupted job given the same folder goes on where it stopped."""
    workers: Whole = None
    """Ray workers; 0 renders in this process."""
    seed: Whole = None
    """Seed of the first scene; the others count up."""

    def run(self) -> None:
        base = {"road.kind": "all", "weather": "any", "appearance": "any"}
        base |= {"camera.width_px": 640, "camera.height_px": 360}
        if self.config is None and not any(setting.startswith("sim.") for setting in self.set):
            base |= {"sim.actors": 36, "sim.pedestrians": 12, "sim.cyclists": 3, "sim.parked": 6}  # busy streets
        experiment = self.experiment(
            base, render__scenes=self.scenes, render__format=self.format, workers=self.workers, seed=self.seed
        )
        _job("render_job").render(experiment, self.out)


@dataclasses.dataclass(kw_only=True)
class Train(Common):
    """Train the detector, the agent or the GAN; --resume goes on from a run's last checkpoint."""

    what: Annotated[Literal["detector", "agent", "gan"], tyro.conf.Positional]
    workers: Whole = None
    """Workers of the Ray Train job; 0 trains in this process."""
    resume: Annotated[Path | None, _arg("RUN")] = None
    """Run folder of an earlier training to go on with."""
    out: Folder = None
    """Run folder (default runs/train-...)."""
    seed: Whole = None
    """Seed of the training."""

    def run(self) -> None:
        if self.resume is not None and self.config is None:
            self.config = self.resume / "config.yaml"
        base = {"road.kind": "any", "weather": "any", "appearance": "any"}
        experiment = self.experiment(base, workers=self.workers, seed=self.seed)
        _job("train_job").train(self.what, experiment, self.out, self.resume)


@dataclasses.dataclass(kw_only=True)
class Evaluate(Common):
    """Score the detector, or agents in closed loop, on held-out worlds."""

    what: Annotated[Literal["detector", "agent"], tyro.conf.Positional]
    suite: File = None
    """YAML file with settings of the suite: roads, weather, seeds, agents (like --config)."""
    episodes: Whole = None
    """How many held-out episodes (agent) or scenes (detector)."""
    workers: Whole = None
    """Ray workers; 0 evaluates in this process."""
    out: Folder = None
    """Run folder (default runs/evaluate-...); an interrupted job given the same folder goes on."""

    def run(self) -> None:
        if self.suite is not None and self.config is not None:
            raise ValueError("--suite and --config exclude each other: a suite is a configuration file")
        self.config = self.suite or self.config
        base = {
            "agent": {"road.kind": "any", "weather": "any", "sim.seconds": 60.0},
            "detector": {"road.kind": "any", "weather": "any", "appearance": "any"},
        }
        experiment = self.experiment(base[self.what], evaluate__episodes=self.episodes, workers=self.workers)
        _job("evaluate").evaluate(self.what, experiment, self.out)


@dataclasses.dataclass(kw_only=True)
class Map(Common):
    """Say what an OpenDRIVE map uses and what is amiss in it; write its driving lanes as CSV, draw it as PNG."""

    file: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="FILE.xodr")] = None
    road: Annotated[str | None, _arg("KIND")] = None
    """A kind of generated road instead of a file: crossing, motorway, roundabout, urban, ..."""
    seed: Whole = None
    """Which of the generated roads (default 0)."""
    export: File = None
    """Where to write the map as OpenDRIVE 1.8."""
    csv: File = None
    """Where to write the lane centres."""
    png: File = None
    """Where to draw the map."""
    successors: tyro.conf.FlagCreatePairsOff[bool] = False
    """Add to the CSV the lanes that follow where traffic leaves the section: road:section:lane;road:section:lane."""

    def run(self) -> None:
        source = self.file if self.road is None else (self.road, self.seed or 0)
        if (self.file is None) == (self.road is None) or (self.road is None and self.seed is not None):
            raise ValueError("give either a map FILE.xodr or --road KIND, with --seed N where you like")
        _job("map_job").describe_map(source, self.csv, self.png, self.successors, self.export)


@dataclasses.dataclass(kw_only=True)
class Bench(Common):
    """Measure speed on one pinned core (or one GPU), beside what else is installed."""

    what: Annotated[Literal["all", "sim", "camera", "loop", "train"], tyro.conf.Positional] = "all"
    device: Annotated[str, _arg("cpu|cuda")] = "cpu"
    """Where to measure."""
    json: File = None
    """Where to write the figures."""
    worlds: Whole = None
    """Worlds of the headline figure (default: as each benchmark documents)."""
    actors: Whole = None
    """Actors of one world."""
    map: tyro.conf.UseAppendAction[Annotated[list[Path], _arg("FILE")]] = dataclasses.field(default_factory=list)
    """OpenDRIVE map to measure on (default: generated towns); the simulation also on further ones, if repeated."""

    def run(self) -> None:
        first = self.map[0] if self.map else None
        experiment = self.experiment(sim__worlds=self.worlds, sim__actors=self.actors, road__map=first)
        sized = self.worlds is not None, self.actors is not None
        _job("bench").bench(self.what, experiment, self.device, self.json, *sized, tuple(self.map[1:]))


@dataclasses.dataclass(kw_only=True)
class Soak(Common):
    """Let mixed traffic drive for hours in many worlds and count what must not happen: collisions, jams, lost cars."""

    hours: Annotated[float, _arg("H")] = 1.0
    """Simulated hours."""
    worlds: Annotated[int, _arg("N")] = 16
    """How many worlds, shared between the maps."""
    map: tyro.conf.UseAppendAction[Annotated[list[Path], _arg("FILE")]] = dataclasses.field(default_factory=list)
    """OpenDRIVE map to drive on besides the generated ones; may be repeated."""
    json: File = None
    """Where to write the figures."""
    seed: Whole = None
    """Seed of the first world; the others count up."""

    def run(self) -> None:
        experiment = self.experiment({"sim.actors": 32, "sim.pedestrians": 6}, seed=self.seed)
        _job("soak").soak(experiment, self.hours, self.worlds, self.map, self.json)


COMMANDS = {
    "drive": Drive,
    "view": View,
    "render": Render,
    "train": Train,
    "evaluate": Evaluate,
    "map": Map,
    "bench": Bench,
    "soak": Soak,
    "scenario": Scenario,
    "suite": Suite,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; user errors end with one line on stderr and exit code 2."""
    command = _parse(sys.argv[1:] if arguments is None else list(arguments))
    try:
        command.run()
    except (ValueError, OSError) as error:
        if command.debug:
            raise
        _fail(_one_line(error))
    except KeyboardInterrupt:
        print("roadloop: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def _parse(arguments: list[str]) -> Any:
    """The command that the arguments ask for; tyro's boxed complaints become one line."""
    branches = [Annotated[kind, tyro.conf.subcommand(name)] for name, kind in COMMANDS.items()]
    union = branches[0]
    for branch in branches[1:]:
        union = union | branch  # type: ignore[operator]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                union,  # type: ignore[arg-type]
                prog="roadloop",
                description="A closed-loop driving laboratory: rendered frames, trained detectors, scored drives.",
                args=arguments or ["--help"],
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        _fail(_unboxed(said.getvalue()))


def _unboxed(text: str) -> str:
    """The message inside the box that tyro draws, on one line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [line.strip("│| ") for line in text.splitlines() if line[:1] in ("│", "|")]
    return " ".join(line for line in lines if line.strip("─- ")) or " ".join(text.split())


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return " ".join(str(error).split()) or type(error).__name__


def _fail(line: str) -> None:
    print(f"roadloop: error: {line}", file=sys.stderr)
    raise SystemExit(2)


def _job(name: str) -> Any:
    return import_quickly(f"pipelines.{name}")


if __name__ == "__main__":
    main()
