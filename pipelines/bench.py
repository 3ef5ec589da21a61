"""`roadloop bench`: what one core does, beside what else is installed, measured in the same run.

On the CPU the process is pinned to one core and figures are per second of CPU time, so that a busy machine blurs them
little; on a GPU they are per second of wall time. Each figure is the median of several repeats after a warm-up, with
the lowest and highest of them and what it was measured on.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from configs.schema import Experiment
from pipelines import bench_camera, bench_sim
from pipelines.rollout import rollout
from pipelines.runs import check_file_target, machine, versions, write_json
from pipelines.sight import make_sight
from pipelines.tables import show
from pipelines.worlds import make_simulator, make_worlds
from sim.simulator import Simulator

REPEATS = 5
TRAIN_ROLLOUTS = 6
Figure = dict[str, Any]


@dataclass(frozen=True)
class Clock:
    """Seconds as this device counts them."""

    device: str

    def seconds(self) -> float:
        """CPU seconds of the process, or wall seconds once the GPU has finished."""
        if self.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    @property
    def unit(self) -> str:
        return "CPU seconds, one pinned core" if self.device == "cpu" else "wall seconds"


def bench(
    what: str,
    experiment: Experiment,
    device: str,
    json_file: Path | None,
    sized_worlds: bool,
    sized_actors: bool,
    beside: tuple[Path, ...] = (),
) -> None:
    """Measure `what` (or all) and print it; write JSON where asked. ValueError or OSError on bad input.

    `beside` names maps on which the simulation is measured too.
    """
    if device not in ("cpu", "cuda"):
        raise ValueError(f"--device {device}: cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: torch finds no CUDA device here")
    if json_file is not None:
        check_file_target(json_file)
    worlds = experiment.sim.worlds if sized_worlds else None
    actors = experiment.sim.actors if sized_actors else None
    jobs: dict[str, Callable[[], Figure]] = {
        "sim": lambda: _simulation(experiment, device, worlds, actors, beside),
        "camera": lambda: bench_camera.bench_camera(_shared(experiment, device), worlds, actors),
        "loop": lambda: bench_loop(experiment, device),
        "train": lambda: bench_train(experiment),
    }
    figures: Figure = {}
    with _one_core(device == "cpu"):
        for name in jobs if what == "all" else (what,):
            figures |= jobs[name]()
    if json_file is not None:
        write_json(json_file, figures | {"machine": machine(), "versions": versions(), "device": device})
        print(f"figures {json_file}")


def _simulation(
    experiment: Experiment, device: str, worlds: int | None, actors: int | None, beside: tuple[Path, ...]
) -> Figure:
    """Agent-steps per core-second; the table by size where no size is asked for."""
    shared = _shared(experiment, device)
    size = worlds or bench_sim.HEADLINE[0], actors or bench_sim.HEADLINE[1]
    return bench_sim.bench_sim(shared, *size, beside, grid=worlds is None and actors is None)


def _shared(experiment: Experiment, device: str) -> bench_sim.Bench:
    clock = Clock(device)
    return bench_sim.Bench(experiment, device, lambda work: _measure(work, clock), REPEATS)


def bench_loop(experiment: Experiment, device: str) -> Figure:
    """Closed-loop ticks per core-second: camera, detector, tracker, classical driver and simulation."""
    from agents.contract import make_agent

    rows: Figure = {}
    for percept in ("oracle", "detector"):
        worlds = make_worlds(experiment, [experiment.seed])
        ticks = 400 if percept == "oracle" else 40
        try:
            sight = make_sight(percept, experiment, worlds, device)
        except ValueError as error:  # no shipped weights in this checkout
            rows[percept] = f"not measured: {error}"
            continue
        simulator, agent = make_simulator(experiment, worlds, device), make_agent("classical", 1, device)

        def work(simulator: Simulator = simulator, sight: Any = sight, agent: Any = agent, ticks: int = ticks) -> float:
            everyone = torch.ones(1, dtype=torch.bool)
            simulator.reset(everyone, simulator.world.seed.clone())
            return float(sum(1 for _ in rollout(simulator, agent, sight, ticks)))

        size = f"{experiment.camera.width_px}x{experiment.camera.height_px}" if percept == "detector" else "none"
        rows[percept] = _measure(work, Clock(device)) | {
            "worlds": 1,
            "actors": experiment.sim.actors,
            "camera": size,
            "agent": "classical",
            "road": experiment.road.kind,
        }
    _table(
        "Closed loop, ticks per core-second",
        [[name, _number(row) if isinstance(row, dict) else row] for name, row in rows.items()],
        ("percept", "ticks/s"),
    )
    main = rows["detector"] if isinstance(rows["detector"], dict) else {"value": rows["detector"]}
    return {"ticks_per_core_second": main | {"with_oracle": rows["oracle"]}}


def bench_train(experiment: Experiment) -> Figure:
    """PPO environment steps per wall second, end to end: driving, learning and bookkeeping."""
    from agents.training import train_agent

    settings = experiment.train.agent
    per_rollout = settings.worlds * settings.rollout
    settings = settings.model_copy(update={"steps": per_rollout * (TRAIN_ROLLOUTS + 1)})
    marks: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        train_agent(
            settings,
            experiment.road,
            experiment.sim,
            Path(folder),
            experiment.seed,
            report=lambda figures: marks.append((time.perf_counter(), figures["step"])),
        )
    rates = [(s1 - s0) / (t1 - t0) for (t0, s0), (t1, s1) in pairwise(marks)]
    if not rates:
        raise ValueError("bench train: too few rollouts to measure; lower train.agent.worlds or train.agent.rollout")
    row = _spread(rates) | {
        "worlds": settings.worlds,
        "actors": experiment.sim.actors,
        "rollout": settings.rollout,
        "minibatch": settings.minibatch,
        "epochs": settings.epochs,
        "road": experiment.road.kind,
        "seconds": "wall seconds",
        "threads": torch.get_num_threads(),
    }
    _table(
        "PPO training, environment steps per second, end to end",
        [[f"{settings.worlds}", _number(row)]],
        ("worlds", "steps/s"),
    )
    return {"env_steps_per_second": row}


def _measure(work: Callable[[], float], clock: Clock) -> Figure:
    """Rate of `work`, which returns how much it did: median, lowest, highest of the repeats after one warm-up."""
    work()
    rates = []
    for _ in range(REPEATS):
        start_s = clock.seconds()
        done = work()
        rates.append(done / (clock.seconds() - start_s))
    return _spread(rates) | {"seconds": clock.unit}


def _spread(rates: list[float]) -> Figure:
    return {"value": statistics.median(rates), "lowest": min(rates), "highest": max(rates), "repeats": len(rates)}


@contextmanager
def _one_core(active: bool) -> Iterator[None]:
    """Pin this process and torch to one core while the block runs."""
    if not active or not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores, threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, {max(cores)})
    torch.set_num_threads(1)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        torch.set_num_threads(threads)


def _number(row: Figure) -> str:
    return f"{row['value']:,.0f}  ({row['lowest']:,.0f} to {row['highest']:,.0f})"


def _table(title: str, rows: list[list[str]], columns: tuple[str, str]) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column(columns[0])
    table.add_column(f"{columns[1]}, median (spread)", justify="right")
    for row in rows:
        table.add_row(*row)
    show(table)
