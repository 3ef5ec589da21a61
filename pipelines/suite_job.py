"""`roadloop suite`: play all runs of parameter variations in batches, keep what is done, report the outcomes.

Results are kept chunk by chunk in parts/, each file written whole, so that an interrupted suite goes on where it
stopped. They depend on the files and the request alone, not on workers, chunks or interruptions.
"""

import csv
import io
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.fanout import fan_out
from pipelines.progress import Report, progress
from pipelines.runs import default_folder, machine, prepare_folder, versions, write_json, write_text, written_whole
from pipelines.scenario_drivers import check_agent, check_perception
from pipelines.scenario_runs import JUDGED_S, Terms, play_able
from pipelines.scenario_scores import Columns
from pipelines.suite_ncap import ncap_table
from pipelines.suite_plan import Chunk, Plan, Request, make_plan
from pipelines.suite_report import write_suite_report
from pipelines.suite_results import Results, gather, summary
from pipelines.tables import print_table
from sim.scenarios.values import Draw

__all__ = ["Request", "play_suite"]


def play_suite(request: Request, workers: int, out: Path | None, resume: bool) -> None:
    """Play a suite and write results.csv, metrics.json and report.html.

    Raises ValueError where the request or a file is wrong or the folder holds another suite, OSError where files cannot
    be used.
    """
    _check(request, workers)
    folder = prepare_folder(out or (_last_folder() if resume else default_folder("suite")))
    started_s = time.monotonic()
    plan = make_plan(request)
    for note in plan.notes:
        print(note)
    _claim(folder, plan)
    with progress("suite", "%") as report:
        parts = list(_play_missing(plan, folder, workers, report))
    results = gather(plan, parts)
    write_results(folder, results)
    metrics = _metrics(plan, results, time.monotonic() - started_s)
    for note in metrics["notes"][len(plan.notes) :]:
        print(note)
    write_json(folder / "metrics.json", metrics)
    write_suite_report(folder, plan, results, metrics)
    print_table([*metrics["scenarios"], metrics["total"]], f"{plan.runs} runs, driver {request.agent}: {folder}")


def _check(request: Request, workers: int) -> None:
    check_agent(request.agent)
    check_perception(request.perception, request.agent)
    if workers < 0:
        raise ValueError(f"--workers: {workers} is negative; 0 plays in this process")
    if not 0.001 <= request.dt_s <= 1.0:
        raise ValueError(f"--dt: {request.dt_s} is not between 0.001 and 1 s")
    if not request.dt_s <= request.seconds <= 36000.0:
        raise ValueError(f"--seconds: {request.seconds} is not between one step and 36000 s")


def _last_folder() -> Path:
    folders = sorted(path.parent for path in Path("runs").glob("suite-*/suite.json"))
    if not folders:
        raise ValueError("--resume: there is no suite in runs/ to go on with; name its folder with --out")
    return folders[-1]


def _claim(folder: Path, plan: Plan) -> None:
    """Make the folder this suite's; refuse one that holds another's results."""
    path, settings = folder / "suite.json", json.loads(json.dumps(plan.settings()))
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != settings:
        raise ValueError(f"{folder} holds another suite (see its suite.json); choose another folder with --out")
    if not path.exists() and (folder / "parts").exists():
        raise ValueError(f"{folder} already holds parts/ of another origin; choose another folder with --out")
    write_json(path, settings)


# --- Playing ---


def _play_missing(plan: Plan, folder: Path, workers: int, report: Report) -> Iterator[Columns]:
    """The columns of every chunk in order, played unless they are there already."""
    (folder / "parts").mkdir(exist_ok=True)
    paths = [folder / "parts" / f"{index:05d}.npz" for index in range(len(plan.chunks))]
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    missing.sort(key=lambda index: -plan.chunks[index].cost)  # so that in the end no worker is left with a long one
    left = list(missing)

    def tell() -> None:
        """Runs take unlike long, so that the share of the work tells how much time is left."""
        whole = sum(chunk.cost for chunk in plan.chunks) or 1.0  # nothing, where no run can be played
        share = 1.0 - sum(plan.chunks[i].cost for i in left) / whole if left else 1.0
        report(round(100.0 * share, 1), 100.0, runs=plan.runs - sum(plan.chunks[i].size for i in left))

    tell()
    tasks = [_task(plan, plan.chunks[index]) for index in missing]
    for index, columns in zip(missing, fan_out(_play_chunk, tasks, workers), strict=True):
        with written_whole(paths[index]) as part:
            np.savez(part, **columns)
        left.remove(index)
        tell()
    for path, chunk in zip(paths, plan.chunks, strict=True):
        with np.load(path, allow_pickle=False) as part:
            columns = {name: part[name] for name in part.files}
        if any(len(column) != chunk.size for column in columns.values()):
            raise ValueError(f"{path} does not hold the {chunk.size} runs of its chunk; delete it and go on")
        yield columns


def _task(plan: Plan, chunk: Chunk) -> dict[str, Any]:
    """A chunk in plain values and arrays, as it goes to a worker."""
    variation = plan.variations[chunk.variation]
    draw = variation.draw.take(chunk.runs)
    terms = asdict(plan.request.terms)
    return {
        "path": variation.scenario,
        "size": draw.size,
        "values": dict(draw.values),
        "terms": terms,
        "allowed": chunk.allowed,
    }


def _play_chunk(task: dict[str, Any]) -> Columns:
    draw, terms = Draw(task["size"], task["values"]), Terms(**task["terms"])
    columns = play_able(task["path"], draw, terms, task["allowed"])
    return {name: column.astype(str) if column.dtype == object else column for name, column in columns.items()}


# --- Writing ---


def write_results(folder: Path, results: Results) -> None:
    """results.csv: one row per run, parameters and measures; nothing where there was nothing to measure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(results.columns)
    writer.writerows(zip(*([_cell(value) for value in column.tolist()] for column in results.columns.values())))
    write_text(folder / "results.csv", text.getvalue())


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value) if np.isfinite(value) else ""
    return value


def _metrics(plan: Plan, results: Results, wall_s: float) -> dict[str, Any]:
    scenarios, total = summary(plan, results)
    rated, remark = _euro_ncap(plan, results)
    return {
        "settings": plan.settings(),
        "rule": (
            "A run ends at its stop trigger or at the ego's first collision; else after "
            f"{plan.request.seconds:g} s, or after {plan.request.terms.timed_seconds:g} s where it waits for a time. "
            "A collision is avoidable if UN R157's must-avoid line says so, or if one of the performance models avoids "
            "it, driven in the ego's place among the recorded others until "
            f"{JUDGED_S:g} s after the collision. Runs outside the scenario's own constraints are "
            f"{'not played' if plan.request.constrained else 'played as they are and marked in `constraints`'}."
        ),
        "scenarios": scenarios,
        "total": total,
        "euro_ncap": rated,
        "wall_seconds_of_this_call": wall_s,
        "notes": [*plan.notes, *remark],
        "versions": versions(),
        "machine": machine(),
    }


def _euro_ncap(plan: Plan, results: Results) -> tuple[list[dict[str, Any]], list[str]]:
    """Points of the protocol's scenarios; what was played stays worth keeping where the calculator is missing."""
    try:
        return ncap_table(plan, results), []
    except ImportError as error:
        return [], [f"no Euro NCAP points: {error}"]
