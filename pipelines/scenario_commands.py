"""The commands `roadloop scenario` and `roadloop suite`; what they do loads when they run."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import tyro

from pipelines.startup import import_quickly


def _arg(metavar: str) -> Any:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


Folders = tyro.conf.UseAppendAction[Annotated[list[Path], _arg("DIR")]]


@dataclasses.dataclass(kw_only=True)
class Playing:
    """What both commands ask."""

    agent: Annotated[str, _arg("none|reg157|cc_human|rss|fsm|classical|ppo|PATH")] = "none"
    """Who drives the ego: the file's own actions (none), a performance model, or a driving agent."""
    perception: Annotated[str, _arg("oracle|detector|PATH")] = "oracle"
    """What a driving agent sees with: true boxes, or the camera with the shipped or another detector."""
    dt: Annotated[float, _arg("S")] = 0.05
    """Time step."""
    road_path: Folders = dataclasses.field(default_factory=list)
    """Folder to look for road networks in, where the path in the file leads nowhere; may be repeated."""
    debug: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show the traceback of an error."""


@dataclasses.dataclass(kw_only=True)
class Scenario(Playing):
    """Play one scenario, OpenSCENARIO XML, our own YAML or a CommonRoad recording, and tell how it went."""

    file: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|NAME", help_behavior_hint="")] = None
    """OpenSCENARIO (.xosc), our own (.yaml) or CommonRoad (.xml) file, or the name of a scenario of the library."""
    set: tyro.conf.UseAppendAction[Annotated[list[str], _arg("NAME=VALUE")]] = dataclasses.field(default_factory=list)
    """One parameter of the scenario; may be repeated."""
    trace: Annotated[Path | None, _arg("OUT.csv")] = None
    """Where to write the position and speed of every entity at every step."""
    seconds: Annotated[float, _arg("S")] = 4000.0
    """End after this much simulated time, should the storyboard not end before."""
    film: Annotated[Path | None, _arg("OUT.mp4")] = None
    """Where to film what a driving agent sees and does."""
    unconstrained: tyro.conf.FlagCreatePairsOff[bool] = False
    """Play it though its parameters do not meet its own constraints."""
    list: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print the scenarios that come with Roadloop."""

    def run(self) -> None:
        job = import_quickly("pipelines.scenario_job")
        if self.list:
            job.list_library()
            return
        if self.file is None:
            raise ValueError("name a scenario file, or one of those that --list prints")
        terms = job.Terms(
            agent=self.agent, perception=self.perception, film=self.film, dt_s=self.dt, seconds=self.seconds,
            road_paths=tuple(self.road_path), constrained=not self.unconstrained,
        )  # fmt: skip
        job.play_scenario(self.file, self.set, self.trace, terms)


@dataclasses.dataclass(kw_only=True)
class Suite(Playing):
    """Play whole parameter variations and folders of scenarios, and report the outcomes."""

    paths: Annotated[list[Path], tyro.conf.Positional, tyro.conf.arg(metavar="PATH")]
    """Parameter variations, scenarios with sweeps, or folders of them."""
    sample: Annotated[int | None, _arg("N")] = None
    """Play only so many runs, drawn at random (the same for the same --seed)."""
    seed: Annotated[int, _arg("N")] = 0
    """Seed of the sample."""
    constrained: tyro.conf.FlagCreatePairsOff[bool] = False
    """Leave out the runs outside their scenario's own constraints; else they are played as they are and marked."""
    scores: tyro.conf.FlagCreatePairsOff[bool] = False
    """Also score every run: CARLA 2.0 and 2.1, nuPlan, PDMS, EPDMS and criticality, as columns of results.csv."""
    workers: Annotated[int, _arg("N")] = 0
    """Ray workers; 0 plays in this process."""
    seconds: Annotated[float, _arg("S")] = 60.0
    """End a run after this much simulated time, unless its storyboard says by time when it ends (up to 400 s)."""
    out: Annotated[Path | None, _arg("DIR")] = None
    """Folder for the results (default runs/suite-...); an interrupted suite given the same folder goes on."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on with the suite in --out, or with the last one in runs/."""

    def run(self) -> None:
        job = import_quickly("pipelines.suite_job")
        request = job.Request(
            paths=tuple(self.paths), agent=self.agent, perception=self.perception, dt_s=self.dt,
            seconds=self.seconds, sample=self.sample, seed=self.seed, road_paths=tuple(self.road_path),
            constrained=self.constrained, scores=self.scores,
        )  # fmt: skip
        job.play_suite(request, self.workers, self.out, self.resume)
