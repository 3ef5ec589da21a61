"""What a dataset holds: its scenes, their settings and seeds, cut into batches that share a map.

A plan names values for some settings; every combination of them is a cell, and scenes go round the cells, so that each
gets the same number of frames, give or take one. Without a plan there is one cell: the configuration itself.
"""

import itertools
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from configs.schema import Experiment
from pipelines.config_io import explain
from pipelines.worlds import SEEDS_PER_BLOCK, batches_by_map


@dataclass(frozen=True)
class Batch:
    """Scenes that are drawn together: one cell's settings, and numbers and seeds of the scenes."""

    experiment: Experiment
    cell: dict[str, Any]
    scenes: list[int]
    seeds: list[int]


def plan_batches(experiment: Experiment) -> list[Batch]:
    """All batches of a job, in the order in which they are drawn.

    Raises ValueError where a planned value is not allowed or training seeds would run into the held-out ones.
    """
    total = experiment.render.scenes
    if not experiment.render.plan:
        _check_seeds(experiment.seed, experiment.seed + total - 1)
        numbers = batches_by_map(experiment, experiment.seed, total, experiment.render.batch)
        return [Batch(experiment, {}, group, [experiment.seed + n for n in group]) for group in numbers]
    cells, pool = plan_cells(experiment), experiment.road.pool
    batches: list[Batch] = []
    taken = [0] * pool  # a seed picks its map by its remainder to the pool of maps
    for index, (cell, settings) in enumerate(cells):
        numbers = range(index, total, len(cells))
        for turn, first in enumerate(range(0, len(numbers), settings.render.batch)):
            scenes, of_map = list(numbers[first : first + settings.render.batch]), (index + turn) % pool
            seeds = [experiment.seed + of_map + pool * (taken[of_map] + n) for n in range(len(scenes))]
            taken[of_map] += len(scenes)
            batches.append(Batch(settings, cell, scenes, seeds))
    _check_seeds(experiment.seed, max(seed for batch in batches for seed in batch.seeds))
    # Neighbours share a map, which is then compiled and planted once.
    return sorted(batches, key=lambda b: (b.experiment.road.kind, b.seeds[0] % pool, b.scenes[0]))


def plan_cells(experiment: Experiment) -> list[tuple[dict[str, Any], Experiment]]:
    """Every combination of the planned values, with the configuration that it makes."""
    plan = experiment.render.plan
    cells = []
    for values in itertools.product(*plan.values()):
        cell = dict(zip(plan, values, strict=True))
        tree = experiment.model_dump()
        for key, value in cell.items():
            _replace(tree, key, value)
        try:
            cells.append((cell, Experiment.model_validate(tree)))
        except ValidationError as error:
            raise ValueError(explain(error, Experiment, f"render.plan, cell {cell}")) from error
    return cells


def _check_seeds(first: int, last: int) -> None:
    if first < SEEDS_PER_BLOCK <= last:
        raise ValueError(
            f"seeds {first} to {last} reach into the held-out ones ({SEEDS_PER_BLOCK} on); choose a lower --seed, or "
            "with a plan a smaller road.pool"
        )


def _replace(tree: dict[str, Any], dotted: str, value: Any) -> None:
    """Set one key of a whole tree; ValueError where there is none."""
    *parents, last = dotted.split(".")
    branch = tree
    for parent in parents:
        branch = branch.get(parent) if isinstance(branch, dict) else None  # type: ignore[assignment]
    if not isinstance(branch, dict) or last not in branch:
        raise ValueError(f"render.plan: there is no setting {dotted!r}; name one as --set does, as in sim.actors")
    branch[last] = value
