"""What stands between the world and the agent: the oracle, or camera and detector. Both yield a `Percept`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from configs.schema import Experiment
from perception.oracle import oracle_percept
from perception.perceiver import Perceiver
from perception.weights import SHIPPED_DETECTOR, load_detector
from pipelines.worlds import Worlds, current_weather, make_renderer, make_weather
from sim.simulator import Simulator
from sim.types import Boxes3D, EgoState, GroundTruth, Percept, SensorFrame


@dataclass
class View:
    """What one look yields: always a percept; frame and truth only where a camera was drawn."""

    percept: Percept
    frame: SensorFrame | None = None
    truth: GroundTruth | None = None


class Sight(Protocol):
    """Looks at the simulator's present tick."""

    def reset(self, mask: torch.Tensor) -> None:
        """Forget the tracks of the worlds of `mask` (B,)."""
        ...

    def look(self, simulator: Simulator, ego: EgoState, boxes: Boxes3D) -> View:
        """What the car believes now."""
        ...


class OracleSight:
    """True boxes within the camera's field of view and range; draws no picture."""

    def __init__(self, fov_deg: float = 90.0) -> None:
        self._fov_deg = fov_deg

    def reset(self, mask: torch.Tensor) -> None:
        """Nothing to forget."""

    def look(self, simulator: Simulator, ego: EgoState, boxes: Boxes3D) -> View:
        """The labels, cut to what the camera could see."""
        return View(oracle_percept(boxes, ego.time_s, fov_deg=self._fov_deg))


class DetectorSight:
    """Camera, detector, lifting and tracker."""

    def __init__(
        self, experiment: Experiment, worlds: Worlds, weights: Path = SHIPPED_DETECTOR, device: str = "cpu"
    ) -> None:
        count = len(worlds.seeds)
        self.renderer = make_renderer(experiment, worlds, device=device)
        self._worlds, self.weather = worlds, make_weather(worlds)
        detector = load_detector(weights, device)
        self.perceiver = Perceiver(detector, self.renderer.camera, count, experiment.sim.dt_s)

    def reset(self, mask: torch.Tensor) -> None:
        """Forget the tracks of the worlds of `mask` (B,)."""
        self.perceiver.reset(mask)

    def look(self, simulator: Simulator, ego: EgoState, boxes: Boxes3D) -> View:
        """Draw the camera and perceive it; the truth goes to the metrics, never to the car."""
        self.weather = current_weather(self._worlds, self.weather, ego.time_s)
        frame, truth = self.renderer.render(simulator.world, simulator.state, self.weather, ego, boxes)
        return View(self.perceiver(frame), frame, truth)


def make_sight(name: str, experiment: Experiment, worlds: Worlds, device: str = "cpu") -> Sight:
    """`oracle`, `detector` (the shipped weights) or the path of detector weights; ValueError for anything else."""
    if name == "oracle":
        return OracleSight(experiment.camera.fov_deg)
    return DetectorSight(experiment, worlds, detector_weights(name), device)


def detector_weights(name: str) -> Path:
    """The weights file that `name` means; ValueError where there is none."""
    path = SHIPPED_DETECTOR if name == "detector" else Path(name)
    if not path.is_file():
        choices = (
            "neither detector, oracle nor a weights file"
            if name != "detector"
            else f"shipped weights {path} are missing"
        )
        raise ValueError(f"perception: {name!r}: {choices}")
    return path
