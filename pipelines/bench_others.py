"""The simulators that `roadloop bench` is measured beside, where they are installed (the dev group brings them).

Imported as strangers through Gymnasium's own registry: no code of theirs is used elsewhere.
"""

import importlib
import importlib.metadata
import importlib.util
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

Figure = dict[str, Any]
Measure = Callable[[Callable[[], float]], Figure]  # the rate of some work that returns how much it did


def highway_vehicle_steps(repeats: int, steps: int = 15) -> Figure | None:
    """Vehicle steps per CPU second of highway-fast-v0 (its own simulation steps); None where it is not installed."""
    if importlib.util.find_spec("highway_env") is None:
        return None
    importlib.import_module("highway_env")
    env = _make("highway-fast-v0")
    env.reset(seed=0)
    inside = env.unwrapped
    ticks = inside.config["simulation_frequency"] // inside.config["policy_frequency"]

    def work() -> float:
        done = 0.0
        for _ in range(steps):
            done += len(inside.road.vehicles) * ticks
            _, _, terminated, truncated, _ = env.step(1)
            if terminated or truncated:
                env.reset(seed=0)
        return done

    figure = _measure(work, repeats)
    env.close()
    version = importlib.metadata.version("highway-env")
    return figure | {"version": version, "environment": "highway-fast-v0", "counts": "vehicles times simulation steps"}


def car_racing_frames(repeats: int, steps: int = 40) -> Figure | None:
    """Frames (96x96 RGB observations) per CPU second of CarRacing-v3; None where Box2D is not installed."""
    if importlib.util.find_spec("Box2D") is None or importlib.util.find_spec("pygame") is None:
        return None
    env = _make("CarRacing-v3", continuous=False)
    env.reset(seed=0)

    def work() -> float:
        for _ in range(steps):
            _, _, terminated, truncated, _ = env.step(3)
            if terminated or truncated:
                env.reset(seed=0)
        return float(steps)

    figure = _measure(work, repeats)
    env.close()
    return figure | {"version": importlib.metadata.version("gymnasium"), "environment": "CarRacing-v3"}


def _make(name: str, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("gymnasium").make(name, **options)


def _measure(work: Callable[[], float], repeats: int) -> Figure:
    work()
    rates = []
    for _ in range(repeats):
        start_s = time.process_time()
        done = work()
        rates.append(done / (time.process_time() - start_s))
    return {"value": statistics.median(rates), "lowest": min(rates), "highest": max(rates), "repeats": repeats}
