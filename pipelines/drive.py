"""`roadloop drive`: one car, one world, closed loop; a film, a report and the scores."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from agents.contract import make_agent
from configs.schema import Experiment
from pipelines.detection_log import DetectionLog
from pipelines.film import Film
from pipelines.progress import progress
from pipelines.recorder import Recorder, expert_drive, is_expert
from pipelines.report import write_drive_report
from pipelines.rollout import Tick, rollout
from pipelines.runs import default_folder, finite_or_none, machine, run_folder, versions, write_config, write_json
from pipelines.score_tables import score_rows
from pipelines.scores import Scorer
from pipelines.sight import DetectorSight, Sight, View, make_sight
from pipelines.tables import print_table
from pipelines.worlds import Worlds, make_simulator, make_worlds
from sim.simulator import Simulator
from sim.types import Boxes3D, EgoState


@dataclass
class Trace:
    """Columns of the drive, one entry a tick, for the report's plots."""

    columns: dict[str, list[float | None]] = field(default_factory=dict)

    def add(self, tick: Tick, ttc_s: float, detections: dict[str, float]) -> None:
        """Append one tick."""
        row = {
            "time_s": float(tick.ego.time_s[0]),
            "speed_mps": float(tick.ego.speed_mps[0]),
            "limit_mps": float(tick.route.speed_limit_mps[0, 0]),
            "accel_mps2": float(tick.action.accel_mps2[0, 0]),
            "steer_rad": float(tick.action.steer_rad[0, 0]),
            "lateral_m": float(tick.route.lateral_m[0]),
            "progress_m": float(tick.outcome.progress_m[0]),
            "ttc_s": finite_or_none(ttc_s),
            **detections,
        }
        for key, value in row.items():
            self.columns.setdefault(key, []).append(value)


class _Filmed:
    """A sight that also exposes the film before each step, so that both show the same moment."""

    def __init__(self, sight: Sight, film: Film) -> None:
        self._sight, self._film = sight, film

    def reset(self, mask: torch.Tensor) -> None:
        self._sight.reset(mask)

    def look(self, simulator: Simulator, ego: EgoState, boxes: Boxes3D) -> View:
        self._film.shoot(ego, boxes)
        return self._sight.look(simulator, ego, boxes)


def drive(experiment: Experiment, out: Path | None) -> None:
    """Drive and write drive.mp4, report.html, metrics.json and config.yaml. ValueError or OSError on bad input."""
    started_s = time.monotonic()
    with run_folder(out or default_folder("drive")) as folder:
        worlds = make_worlds(experiment, [experiment.seed], pooled=False)
        simulator = make_simulator(experiment, worlds)
        agent = make_agent(experiment.drive.agent, 1)
        sight = make_sight(experiment.drive.perception, experiment, worlds)
        film = Film(experiment, worlds, simulator, sight)
        scorer, recorder, trace, detections = (
            Scorer(1, experiment.sim.dt_s),
            Recorder(simulator),
            Trace(),
            DetectionLog(worlds.weathers[0], experiment.seed),
        )
        ticks = max(round(experiment.sim.seconds / experiment.sim.dt_s), 1)
        with progress("drive", "ticks") as report, film.recording(folder / "drive.mp4"):
            loop_s = time.monotonic()
            for tick in rollout(simulator, agent, _Filmed(sight, film), ticks):
                film.add(tick)
                recorder.add(tick)
                seen = _compare(detections, tick, sight)
                trace.add(tick, float(scorer.add(tick)[0]), seen)
                report(tick.index + 1, ticks, speed_kmh=trace.columns["speed_mps"][-1] * 3.6)  # type: ignore[operator]
            loop_s = time.monotonic() - loop_s
        (score,) = scorer.scores(worlds.seeds, worlds.places, worlds.weathers, simulator.world.route_length_m)
        metrics: dict[str, Any] = score.row()
        metrics["agent"], metrics["perception"] = experiment.drive.agent, experiment.drive.perception
        metrics["detection"] = detections.scores() if isinstance(sight, DetectorSight) else None
        metrics["scores"] = _scores(experiment, worlds, recorder)
        metrics["ticks"] = len(trace.columns["time_s"])
        metrics["ticks_per_second"] = metrics["ticks"] / loop_s
        metrics["total_seconds"] = time.monotonic() - started_s
        metrics |= {"dt_s": experiment.sim.dt_s, "versions": versions(), "machine": machine()}
        write_json(folder / "metrics.json", metrics)
        write_config(folder, experiment)
        write_drive_report(folder, metrics, trace.columns)
    print_table(score_rows(metrics["scores"]), "Scores")
    print(_summary(metrics, folder))


def _scores(experiment: Experiment, worlds: Worlds, recorder: Recorder) -> dict[str, Any]:
    """The scores of others' rules: values, the terms they are made of, and why some are absent."""
    own = is_expert(experiment.drive.agent, experiment.drive.perception)
    (card,) = recorder.scorecards(recorder.expert() if own else expert_drive(experiment, worlds))
    return asdict(card)


def _compare(log: DetectionLog, tick: Tick, sight: Sight) -> dict[str, float]:
    """Counts of this tick's detections against the truth; nothing where the oracle sees."""
    if not isinstance(sight, DetectorSight):
        return {}
    assert tick.view.frame is not None and tick.view.truth is not None
    return log.add(tick.view.frame, tick.view.truth, sight.perceiver.detections_px)


def _summary(metrics: dict[str, Any], folder: Path) -> str:
    ended = {
        "time": "drove to the end of the time",
        "arrived": "arrived",
        "off road": "left the road",
        "off route": "left its route",
    }
    how = ended.get(metrics["ended"], f"hit a {metrics['hit_kind']}")
    ttc = "none" if metrics["min_ttc_s"] is None else f"{metrics['min_ttc_s']:.1f} s"
    return (
        f"{metrics['place']}, {metrics['weather']}: {how} after {metrics['seconds']:.1f} s "
        f"and {metrics['distance_m']:.0f} m; "
        f"route {metrics['route_completion']:.0%}, lowest TTC {ttc}, driving score {metrics['driving_score']:.2f}\n"
        f"{metrics['ticks_per_second']:.1f} ticks/s, {metrics['total_seconds']:.0f} s in all\n"
        f"film    {folder / 'drive.mp4'}\nreport  {folder / 'report.html'}"
    )
