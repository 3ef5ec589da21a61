"""The results of a suite: one row per run, gathered from its chunks, and summed up per scenario file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.scenario_runs import REFUSED
from pipelines.scenario_scores import Columns, nothing
from pipelines.suite_plan import Plan

DISCARDED = "outside constraints"
OUTSIDE = "outside"  # in the column `constraints`


@dataclass(frozen=True)
class Results:
    """Rows in the order of files and their runs; `columns` are named as in results.csv."""

    columns: dict[str, NDArray[Any]]
    variation: NDArray[np.int64]  # of each row
    parameters: tuple[tuple[str, ...], ...]  # that each variation varies

    @property
    def played(self) -> NDArray[np.bool_]:
        """Which rows were played, and not discarded or refused."""
        return (self.columns["end_reason"] != DISCARDED) & ~self.refused

    @property
    def refused(self) -> NDArray[np.bool_]:
        """Which rows could not be played."""
        return np.array([reason.startswith(REFUSED) for reason in self.columns["end_reason"]], dtype=bool)


def gather(plan: Plan, parts: Sequence[Columns]) -> Results:
    """Put the chunks' columns in the order of the runs; discarded runs have rows too, unless the suite is a sample."""
    rows = [_rows(plan, index) for index in range(len(plan.variations))]
    variation = np.repeat(np.arange(len(rows)), [len(runs) for runs in rows])
    starts = np.cumsum([0, *(len(runs) for runs in rows)])
    fullest = sorted(parts, key=len, reverse=True)  # refused runs have few columns
    known = {name: column for part in fullest for name, column in part.items()}
    measured = {name: nothing(column, len(variation)) for name, column in known.items()}
    measured["end_reason"][:] = DISCARDED
    for chunk, columns in zip(plan.chunks, parts, strict=True):
        where = starts[chunk.variation] + np.searchsorted(rows[chunk.variation], chunk.runs)
        for name, column in columns.items():
            measured[name][where] = column
    files = np.array([v.file.name for v in plan.variations], dtype=object)
    met = np.concatenate([v.allowed[runs] for v, runs in zip(plan.variations, rows, strict=True)])
    columns = {"file": files[variation], "run": np.concatenate(rows)} | _parameters(plan, rows)
    columns |= {"constraints": np.where(met, "met", OUTSIDE)} | measured
    return Results(columns, variation, tuple(tuple(v.draw.values) for v in plan.variations))


def _rows(plan: Plan, index: int) -> NDArray[np.int64]:
    """The runs of a variation that have a row."""
    if plan.request.sample is None:
        return np.arange(plan.variations[index].draw.size)
    runs = [chunk.runs for chunk in plan.chunks if chunk.variation == index]
    return np.sort(np.concatenate(runs)) if runs else np.zeros(0, dtype=np.int64)


def _parameters(plan: Plan, rows: list[NDArray[np.int64]]) -> Columns:
    """A column for every parameter of any variation; empty in the rows of files that do not vary it."""
    names = dict.fromkeys(name for variation in plan.variations for name in variation.draw.values)
    columns: Columns = {}
    for name in names:
        values = [
            variation.draw.values[name][runs].astype(object)
            if name in variation.draw.values
            else np.full(len(runs), "", dtype=object)
            for variation, runs in zip(plan.variations, rows, strict=True)
        ]
        columns[name] = np.concatenate(values)
    return columns


def summary(plan: Plan, results: Results) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Counts and extremes of every scenario file, and of all together."""
    rows = []
    for index, variation in enumerate(plan.variations):
        mask = results.variation == index
        discarded = variation.discarded if plan.request.constrained else 0
        rows.append(
            {"scenario": variation.file.stem, "expands to": variation.draw.size} | _counts(results, mask, discarded)
        )
    everything = np.ones(len(results.variation), dtype=bool)
    size = sum(variation.draw.size for variation in plan.variations)
    discarded = sum(variation.discarded for variation in plan.variations) if plan.request.constrained else 0
    return rows, {"scenario": "all", "expands to": size} | _counts(results, everything, discarded)


def _counts(results: Results, mask: NDArray[np.bool_], discarded: int) -> dict[str, Any]:
    refused = int((mask & results.refused).sum())
    columns, mask = results.columns, mask & results.played
    verdict = columns["verdict"][mask]
    return {
        "discarded": discarded,
        "refused": refused,
        "played": int(mask.sum()),
        "collisions": int(columns["collision"][mask].sum()),
        "avoidable": int((verdict == "avoidable").sum()),
        "unavoidable": int((verdict == "unavoidable").sum()),
        "at fault": int(columns["at_fault"][mask].sum()),
        "time limit": int((columns["end_reason"][mask] == "time limit").sum()),
        "least TTC s": _finite(columns["min_ttc_s"][mask], np.min),
        "hardest impact m/s": _finite(columns["impact_mps"][mask], np.max),
    }


def _finite(values: NDArray[Any], choose: Any) -> float | None:
    finite = values[np.isfinite(values)]
    return float(choose(finite)) if len(finite) else None
