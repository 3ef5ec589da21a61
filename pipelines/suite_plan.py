"""What a suite has to play: its runs, cut into chunks whose runs share one scenario tree."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.scenario_runs import Terms, limit_s, roads_by, sees_models
from sim.scenarios.batches import one_by_one, uniform
from sim.scenarios.distributions import Variation
from sim.scenarios.reading import read_scenario
from sim.scenarios.suites import expand
from sim.scenarios.values import Draw

CHUNK_RUNS = 8192
SEEING_RUNS = {"oracle": 128}  # of driving agents, by perception; whoever has a camera:
CAMERA_RUNS = 8
SCORED_RUNS = 128  # whose every tick is kept
TIMED_SECONDS = 400.0  # at most, of runs whose storyboard says by time when it ends
TICK_RUNS = 1500  # runs that cost as much per tick as the tick itself


@dataclass(frozen=True)
class Request:
    """What the user asked for; together with the files it decides every result."""

    paths: tuple[Path, ...]
    agent: str = "none"
    perception: str = "oracle"
    dt_s: float = 0.05
    seconds: float = 60.0
    sample: int | None = None
    seed: int = 0
    road_paths: tuple[Path, ...] = ()
    constrained: bool = False  # leave out the runs outside their scenario's own constraints
    scores: bool = False  # those of CARLA, nuPlan and NAVSIM, and criticality, as columns

    @property
    def terms(self) -> Terms:
        return Terms(
            agent=self.agent,
            perception=self.perception,
            dt_s=self.dt_s,
            seconds=self.seconds,
            timed_seconds=max(self.seconds, TIMED_SECONDS),
            road_paths=self.road_paths,
            scores=self.scores,
            constrained=self.constrained,
        )


@dataclass(frozen=True)
class Chunk:
    """Runs that are played together."""

    variation: int
    runs: NDArray[np.int64]  # in the variation's order
    allowed: NDArray[np.bool_]  # (runs,) within the constraints; others may turn out not to be playable
    cost: float  # of playing them, at most, to compare chunks by

    @property
    def size(self) -> int:
        return len(self.runs)


@dataclass(frozen=True)
class Plan:
    """All runs of a suite."""

    request: Request
    variations: tuple[Variation, ...]
    chunks: tuple[Chunk, ...]
    notes: tuple[str, ...]  # files found elsewhere

    @property
    def runs(self) -> int:
        """How many runs are played."""
        return sum(chunk.size for chunk in self.chunks)

    def settings(self) -> dict[str, Any]:
        """What decides the results, to tell whether a folder holds results of the same suite."""
        request = self.request
        return {
            "format": 1,
            "agent": request.agent,
            "perception": request.perception,
            "dt_s": request.dt_s,
            "seconds": request.seconds,
            "sample": request.sample,
            "seed": request.seed,
            "constrained": request.constrained,
            "files": {str(v.file): [v.draw.size, v.discarded, _digest(v)] for v in self.variations},
            **({"scores": True} if request.scores else {}),
            "chunks": [chunk.size for chunk in self.chunks],
        }


def make_plan(request: Request) -> Plan:
    """Expand, sample, and read every scenario once, so that what cannot be read is refused before the first run."""
    if request.sample is not None and request.sample < 1:
        raise ValueError(f"--sample: {request.sample} runs are too few; play at least one")
    variations = tuple(expand(list(request.paths)))
    notes: dict[str, None] = {}
    chunks: list[Chunk] = []
    for index, (variation, runs) in enumerate(zip(variations, _chosen(variations, request), strict=True)):
        for group, expected_s in _groups(variation, runs, request, notes):
            for cut in _parts(expected_s, _most_runs(request)):
                part, cost = np.sort(group[cut]), float(expected_s[cut].max()) * (len(cut) + TICK_RUNS)
                chunks.append(Chunk(index, part, variation.allowed[part], cost))
    if not chunks:
        raise ValueError(f"{', '.join(map(str, request.paths))}: no run meets the constraints of its scenario")
    return Plan(request, variations, tuple(chunks), tuple(notes))


def _chosen(variations: tuple[Variation, ...], request: Request) -> list[NDArray[np.int64]]:
    """The runs of each variation that are played: all, or those that its constraints allow, or a sample of these."""
    meant = [np.flatnonzero(variation.allowed | (not request.constrained)) for variation in variations]
    total = sum(map(len, meant))
    if request.sample is None or request.sample >= total:
        return meant
    picked = np.zeros(total, dtype=bool)
    picked[np.random.default_rng(request.seed).choice(total, request.sample, replace=False)] = True
    masks = np.split(picked, np.cumsum([len(runs) for runs in meant])[:-1])
    return [runs[mask] for runs, mask in zip(meant, masks, strict=True)]


def _groups(
    variation: Variation, runs: NDArray[np.int64], request: Request, notes: dict[str, None]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Runs that share a tree, and for how long each of them is expected to play; of no account where none can."""

    def read(draw: Draw) -> NDArray[np.float64]:
        merge = not sees_models(request.agent)
        scenario = read_scenario(variation.scenario, draw, request.road_paths, merge, request.constrained)
        roads_by(request.terms, scenario, draw)
        notes.update(dict.fromkeys(scenario.notes))
        return limit_s(scenario, draw, request.terms)

    outside = runs[~variation.allowed[runs]]
    for part, found in one_by_one(variation.draw.take(outside), lambda draw: uniform(draw, read)):
        if isinstance(found, str):
            yield outside[part], np.zeros(len(part))
            runs = np.setdiff1d(runs, outside[part])
    for group, expected_s in uniform(variation.draw.take(runs), read):
        yield runs[group], expected_s


def _most_runs(request: Request) -> int:
    """Runs of one chunk at most."""
    if not sees_models(request.agent):
        return SCORED_RUNS if request.scores else CHUNK_RUNS
    return SEEING_RUNS.get(request.perception, CAMERA_RUNS)


def _parts(expected_s: NDArray[np.float64], most: int) -> list[NDArray[np.int64]]:
    """Cut runs into chunks of like length and at most `most` runs, so that few wait for the longest of their chunk.

    Runs are sorted by length and halved, at the place that saves most, as long as that saves time: a chunk's tick costs
    as much as `TICK_RUNS` runs before any of them moves.
    """
    left, done = [np.argsort(expected_s, kind="stable")], []
    while left:
        part = left.pop()
        length = expected_s[part]  # ascending
        before = np.arange(1, len(part))
        whole = length[-1] * (len(part) + TICK_RUNS)
        halves = length[:-1] * (before + TICK_RUNS) + length[-1] * (len(part) - before + TICK_RUNS)
        if len(halves) and halves.min() < whole:
            cut = int(halves.argmin()) + 1
        elif len(part) > most:
            cut = len(part) // 2
        else:
            done.append(part)
            continue
        left += [part[cut:], part[:cut]]
    return done


def _digest(variation: Variation) -> str:
    """Of the files that a variation consists of, catalogs and roads excepted."""
    content = variation.file.read_bytes() + variation.scenario.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]
