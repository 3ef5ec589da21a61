"""Spreads tasks over Ray workers: bounded work in flight, tasks that are alike kept together, dead workers replaced.

Ray is started here and nowhere else. With `workers=0` the same function runs in this process.
Tasks and results cross process borders, so they hold plain values and NumPy arrays, never torch tensors.
"""

import json
import logging
import os
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.runs import write_text
from pipelines.startup import import_quickly

IN_FLIGHT_PER_WORKER = 2
RETRIES = 2
OBJECT_STORE_BYTES = 256 * 2**20
WORKER_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}

# Ray reads these when it is imported, which somebody else may do before a session starts.
os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"  # each worker would otherwise run uv again
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "180")  # a busy machine needs more than the usual 60


def fan_out(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    workers: int,
    done: Callable[[int], None] | None = None,
) -> Iterator[Any]:
    """Yield `function(task)` for every task, in the order of the tasks; `function` is defined at module level.

    `done` is told how many tasks are finished. An error that `function` raises is raised here as it was; a worker that
    dies is replaced and its tasks repeated up to twice.
    """
    if workers == 0 or not tasks:
        for index, task in enumerate(tasks):
            yield function(task)
            if done is not None:
                done(index + 1)
        return
    with ray_session(workers):
        yield from _Fan(function, tasks, min(workers, len(tasks)), done).results()


def fan_out_unordered(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    workers: int,
    alike: Callable[[Any], Hashable] | None = None,
) -> Iterator[tuple[int, Any]]:
    """Yield the number of a task and its result, as soon as there is one; otherwise as `fan_out`.

    A worker gets tasks that are `alike` one after the other, as long as there are any: what it made for one of them
    serves the next.
    """
    if workers == 0 or not tasks:
        for index, task in enumerate(tasks):
            yield index, function(task)
        return
    with ray_session(workers):
        yield from _Fan(function, tasks, min(workers, len(tasks)), None, alike).finished()


def fan_out_to_files(
    function: Callable[[Any], Any],
    tasks: dict[str, Any],
    parts: Path,
    workers: int,
    done: Callable[[int], None],
    alike: Callable[[Any], Hashable] | None = None,
) -> list[Path]:
    """Run all named tasks, each result kept as `parts`/NAME.json and found there by a later run; the files, in order.

    Results are plain values that JSON holds, written as soon as they are there. `done` is told how many tasks are
    finished, earlier ones included. Tasks that are `alike` go to the same worker where they can.
    """
    parts.mkdir(parents=True, exist_ok=True)
    missing = [name for name in tasks if not (parts / f"{name}.json").exists()]
    ready = len(tasks) - len(missing)
    done(ready)
    results = fan_out_unordered(function, [tasks[name] for name in missing], workers, alike)
    for count, (index, result) in enumerate(results, ready + 1):
        write_text(parts / f"{missing[index]}.json", json.dumps(result, allow_nan=False))
        done(count)
    return [parts / f"{name}.json" for name in tasks]


def fan_out_resumable(
    function: Callable[[Any], Any],
    tasks: dict[str, Any],
    parts: Path,
    workers: int,
    done: Callable[[int], None],
) -> list[Any]:
    """The results of `fan_out_to_files`, read back, all at once."""
    files = fan_out_to_files(function, tasks, parts, workers, done)
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


@contextmanager
def ray_session(workers: int) -> Iterator[None]:
    """Ray, started for this job and stopped after it; an address in RAY_ADDRESS joins that cluster instead."""
    import ray

    if ray.is_initialized():  # a caller's session, which the caller ends
        yield
        return
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if "RAY_ADDRESS" not in os.environ:
        options |= {"num_cpus": workers, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    ray.init(runtime_env={"env_vars": WORKER_ENVIRONMENT}, **options)
    try:
        yield
    finally:
        ray.shutdown()


class _Worker:
    """Runs inside a Ray actor."""

    def __init__(self, module: str) -> None:
        """`module` has the function that it will run, sent by name if it is one of ours."""
        if module.startswith("pipelines."):
            import_quickly(module)

    def run(self, function: Callable[[Any], Any], task: Any) -> Any:
        import torch

        torch.set_num_threads(1)
        return function(task)


class _Queue:
    """Tasks that wait, in their order; alike ones are kept together for one worker."""

    def __init__(self, groups: Sequence[Hashable]) -> None:
        self._waiting: dict[Hashable, deque[int]] = {}
        for task, group in enumerate(groups):
            self._waiting.setdefault(group, deque()).append(task)
        self._last: dict[int, Hashable] = {}  # worker -> the group of its last task

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def take(self, worker: int) -> int:
        """The next task for a worker: like its last, else the first like nobody's, else of what most is left of."""
        taken = set(self._last.values())
        group = self._last.get(worker)
        if group not in self._waiting:
            free = (other for other in self._waiting if other not in taken)
            most = max(self._waiting, key=lambda other: len(self._waiting[other]))
            group = next(free, most)
        self._last[worker] = group
        task = self._waiting[group].popleft()
        if not self._waiting[group]:
            del self._waiting[group]
        return task


class _Fan:
    """The tasks of one fan-out and the actors that work on them."""

    def __init__(
        self,
        function: Callable,
        tasks: Sequence[Any],
        workers: int,
        done: Callable[[int], None] | None,
        alike: Callable[[Any], Hashable] | None = None,
    ) -> None:
        import ray

        self._ray = ray
        self._actor_class = ray.remote(num_cpus=1)(_Worker)
        self._function, self._tasks = function, tasks
        self._done = done
        self._queue = _Queue([alike(task) if alike else None for task in tasks])
        self._actors = [self._actor_class.remote(self._function.__module__) for _ in range(workers)]
        self._load = [0] * workers
        self._flight: dict[Any, tuple[int, int]] = {}  # reference -> task, actor
        self._attempts = [0] * len(tasks)
        self._count = 0

    def results(self) -> Iterator[Any]:
        """Results in the order of the tasks; only a bounded window runs ahead of the one that is waited for."""
        window = 4 * IN_FLIGHT_PER_WORKER * len(self._actors)
        early: dict[int, Any] = {}
        submitted = 0
        for wanted in range(len(self._tasks)):
            while wanted not in early:
                while submitted < min(len(self._tasks), wanted + window) and (actor := self._free_actor()) is not None:
                    self._submit(self._queue.take(actor), actor)
                    submitted += 1
                early |= self._collect()
            yield early.pop(wanted)

    def finished(self) -> Iterator[tuple[int, Any]]:
        """Numbers of tasks and their results as they come."""
        while self._queue or self._flight:
            while self._queue and (actor := self._free_actor()) is not None:
                self._submit(self._queue.take(actor), actor)
            yield from self._collect().items()

    def _free_actor(self) -> int | None:
        actor = min(range(len(self._load)), key=self._load.__getitem__)
        return actor if self._load[actor] < IN_FLIGHT_PER_WORKER else None

    def _submit(self, task: int, actor: int) -> None:
        self._attempts[task] += 1
        self._load[actor] += 1
        self._flight[self._actors[actor].run.remote(self._function, self._tasks[task])] = (task, actor)

    def _collect(self) -> dict[int, Any]:
        """Wait for one task in flight: its number and result, or nothing where its worker died and was replaced."""
        from ray.exceptions import RayActorError, RayTaskError

        (reference, *_), _ = self._ray.wait(list(self._flight), num_returns=1)
        task, actor = self._flight.pop(reference)
        self._load[actor] -= 1
        try:
            result = self._ray.get(reference)
        except RayTaskError as error:
            raise error.cause from error
        except RayActorError as error:
            if self._attempts[task] > RETRIES:
                raise RuntimeError(f"task {task} ended its worker {self._attempts[task]} times; giving up") from error
            self._replace(actor, task)
            return {}
        self._count += 1
        if self._done is not None:
            self._done(self._count)
        return {task: result}

    def _replace(self, actor: int, task: int) -> None:
        """Start a new worker in place of one that died at `task`, once for all the tasks that died with it."""
        dead = self._actors[actor]
        lost = [reference for reference, (_, owner) in self._flight.items() if owner == actor]
        self._actors[actor] = self._actor_class.remote(self._function.__module__)
        others = [self._flight.pop(reference)[0] for reference in lost]
        self._load[actor] = 0
        self._ray.kill(dead)  # type: ignore[arg-type]
        self._submit(task, actor)
        for other in others:
            self._attempts[other] -= 1  # it may not even have started
            self._submit(other, actor)
