"""`roadloop bench sim`: agent-steps per core-second by worlds, actors and maps, what a reset costs, where time goes.

An agent-step is one valid actor through one tick with everything on: traffic, signals, people, motion, collisions,
off-road and an observation of every actor.
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from configs.schema import Experiment
from pipelines.bench_others import Measure, highway_vehicle_steps
from pipelines.tables import print_table
from pipelines.worlds import Worlds, make_worlds
from sim.simulator import Simulator

HEADLINE = (64, 32)  # worlds, actors
GRID_WORLDS = (1, 16, 64, 256, 1024, 4096)
GRID_ACTORS = (8, 32, 64)
AGENT_STEPS = 60_000  # of one repeat
# Floating-point operations of an agent-step in free traffic, counted in the kernels: path points 250, nearest others
# 350, their rows 130, motion 80, car following 120, collisions 60, boxes and entries 40, 6 trigonometric calls 120.
OPERATIONS = 1150
OPERATIONS_PER_CYCLE = 2
Figure = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """What all cases share."""

    experiment: Experiment
    device: str
    measure: Measure
    repeats: int


def bench_sim(bench: Bench, worlds: int, actors: int, beside: tuple[Path, ...], grid: bool) -> Figure:
    """Print and return the figures: headline, table by size (if `grid`), maps, reset, kernels and the floor."""
    headline, simulator = _rate(bench, worlds, actors)
    other = highway_vehicle_steps(bench.repeats)
    rows = [{"case": f"{headline['map']}, {worlds} x {actors}"} | _shown(headline)]
    if other:
        rows.append({"case": "highway-env (fast), vehicle-steps"} | _shown(other))
        headline["times_highway_env"] = headline["value"] / other["value"]
    print_table(rows, "Simulation, agent-steps per core-second")
    if other:
        print(f"{headline['times_highway_env']:,.0f} times highway-env in the same run")
    figures = headline | {"beside": {"highway-env": other or "not installed"}}
    if bench.device == "cpu":
        figures["where_the_time_goes_ns"] = _kernels(simulator)
    figures["reset"] = _reset(simulator, bench)
    figures["floor"] = _floor(simulator, headline["value"])
    figures["by_map"] = _by_map(bench, worlds, actors, headline, beside)
    if grid:
        figures["by_size"] = _by_size(bench)
    return {"agent_steps_per_core_second": figures}


def _rate(bench: Bench, worlds: int, actors: int, map_file: Path | None = None) -> tuple[Figure, Simulator]:
    """The rate of one case and its simulator, warmed up."""
    sized = sized_experiment(bench.experiment, worlds, actors)
    if map_file is not None:
        sized = sized.model_copy(update={"road": sized.road.model_copy(update={"map": map_file})})
    batch = make_worlds(sized, range(worlds))
    simulator = _uncontrolled(sized, batch, bench.device)
    action = simulator.action
    ticks = max(2, AGENT_STEPS // (worlds * actors))

    def work() -> float:
        for _ in range(ticks):
            simulator.step(action)
            simulator.observe_all()
        return float(simulator.state.valid.sum()) * ticks

    figure = bench.measure(work) | {
        "worlds": worlds,
        "actors": actors,
        "map": batch.places[0] if sized.road.map is not None else f"generated {sized.road.kind}",
        "maps": len(batch.maps.networks),
        "lanes": len(batch.maps.lanes.length_m),
        "counts": "valid actors times ticks",
    }
    return figure, simulator


def _uncontrolled(sized: Experiment, batch: Worlds, device: str) -> Simulator:
    # Nobody is controlled, so that the ego drives in traffic like everybody and every step is an ordinary one.
    nobody = torch.zeros(sized.sim.actors, dtype=torch.bool)
    return Simulator(batch.maps.lanes, sized.sim, batch.seeds, batch.map_index, device, nobody)


def sized_experiment(experiment: Experiment, worlds: int, actors: int) -> Experiment:
    """The experiment with another batch size; at most an eighth of the actors are people."""
    people = min(experiment.sim.pedestrians, max(actors // 8, 0))
    sim = experiment.sim.model_copy(update={"worlds": worlds, "actors": actors, "pedestrians": people})
    return experiment.model_copy(update={"sim": sim})


def _by_map(bench: Bench, worlds: int, actors: int, headline: Figure, beside: tuple[Path, ...]) -> dict[str, Figure]:
    """The headline's size on other maps: those given and, where the headline is a map file, generated roads."""
    found = {headline["map"]: headline}
    for path in beside:
        figure, _ = _rate(bench, worlds, actors, path)
        found[figure["map"]] = figure
    if bench.experiment.road.map is not None:
        road = bench.experiment.road.model_copy(update={"map": None})
        generated = Bench(
            bench.experiment.model_copy(update={"road": road}), bench.device, bench.measure, bench.repeats
        )
        figure, _ = _rate(generated, worlds, actors)
        found[figure["map"]] = figure
    rows = [
        {"map": name, "lanes": f["lanes"]} | _shown(f) | {"of the headline": f["value"] / headline["value"]}
        for name, f in found.items()
    ]
    print_table(rows, f"By map, {worlds} x {actors}")
    return {name: {k: f[k] for k in ("value", "lowest", "highest", "lanes")} for name, f in found.items()}


def _by_size(bench: Bench) -> list[Figure]:
    rows = []
    for worlds in GRID_WORLDS:
        row: Figure = {"worlds": worlds}
        for actors in GRID_ACTORS:
            figure, _ = _rate(bench, worlds, actors)
            row[f"{actors} actors"] = figure["value"]
        rows.append(row)
    print_table([{k: f"{v:,.0f}" for k, v in row.items()} for row in rows], "Agent-steps per core-second by size")
    return rows


def _kernels(simulator: Simulator, ticks: int = 40) -> Figure:
    """Nanoseconds per agent-step of each kernel, launched one by one: the median over ticks."""
    spent: dict[str, list[float]] = {}
    for _ in range(ticks):
        for name in ("step", "observe"):
            for kernel, seconds in simulator.programs[name].seconds().items():
                spent.setdefault(kernel, []).append(seconds)
    agents = float(simulator.state.valid.sum())
    each = {kernel: 1e9 * sorted(times)[len(times) // 2] / agents for kernel, times in spent.items()}
    total = sum(each.values())
    rows = [{"kernel": k, "ns": ns, "share": f"{100.0 * ns / total:.0f} %"} for k, ns in each.items()]
    print_table(rows, "Where the time goes, per agent-step (launched one by one)")
    return each


def _reset(simulator: Simulator, bench: Bench) -> Figure:
    """Cost of starting all worlds anew in place, in steps of all worlds with their observations."""
    everyone, seeds = torch.ones(simulator.worlds, dtype=torch.bool), simulator.world.seed.clone()

    def step() -> float:
        simulator.step(simulator.action)
        simulator.observe_all()
        return 1.0

    def reset() -> float:
        simulator.reset(everyone, seeds)
        return 1.0

    steps = bench.measure(step)["value"] / bench.measure(reset)["value"]
    print(f"A reset in place costs as much as {steps:.1f} steps of the same worlds.")
    return {"steps": steps}


def _floor(simulator: Simulator, rate: float) -> Figure:
    """What an agent-step cannot do without: its buffers through memory once, its operations through the core."""
    slots = simulator.worlds * simulator.actors
    size = sum(tensor.nbytes for tensor in simulator.save().tensors.values()) / slots
    seen = simulator.observe_all().nbytes / slots
    block = torch.ones(2**24)
    start_s = time.thread_time()
    for _ in range(4):
        block.clone()
    bandwidth = 4 * 2 * block.nbytes / (time.thread_time() - start_s)
    figure: Figure = {
        "bytes_of_state": size,
        "bytes_of_observation": seen,
        "operations": OPERATIONS,
        "memory_bytes_per_second": bandwidth,
        "memory_ns": 1e9 * (size + seen) / bandwidth,
        "measured_ns": 1e9 / rate,
    }
    text = f"Floor: {size:.0f} bytes of state and {seen:.0f} of observation per agent-step, "
    text += f"{figure['memory_ns']:.0f} ns at {bandwidth / 1e9:.1f} GB/s"
    clock = _clock_hz()
    if clock is not None:
        figure["operations_ns"] = 1e9 * OPERATIONS / (OPERATIONS_PER_CYCLE * clock)
        text += f"; {OPERATIONS} operations, {figure['operations_ns']:.0f} ns at {OPERATIONS_PER_CYCLE} a cycle"
    print(f"{text}. Measured: {figure['measured_ns']:.0f} ns.")
    return figure


def _clock_hz() -> float | None:
    """Of the first core; None where the system does not tell."""
    try:
        found = re.search(r"cpu MHz\s*:\s*([\d.]+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        return None
    return float(found[1]) * 1e6 if found else None


def _shown(figure: Figure) -> Figure:
    spread = f"{figure['lowest']:,.0f} to {figure['highest']:,.0f}"
    return {"steps/s, median": f"{figure['value']:,.0f}", "spread": spread}
