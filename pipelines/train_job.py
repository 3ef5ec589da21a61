"""`roadloop train detector|agent|gan`: in this process, or as a Ray Train job with N data-parallel workers.

The training loops live beside what they train; here is what they have in common: run folder, progress, TensorBoard,
resuming and the report of a run. With Ray, a worker that dies restarts all of them from the last checkpoint.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from configs.schema import Experiment
from perception.data import ANNOTATIONS
from pipelines.fanout import ray_session
from pipelines.progress import Report, progress
from pipelines.render_job import render_scenes
from pipelines.report import BLUE, Card, figure_html, lines, page
from pipelines.runs import default_folder, run_folder, write_config, write_text
from pipelines.worlds import check_inputs
from sim.mapfiles.opendrive import read_opendrive

LOG = "progress.jsonl"
CHECKPOINTS = ("checkpoint.safetensors", "checkpoint.pt")
RESTARTS = 2
Figures = dict[str, Any]


def train(what: str, experiment: Experiment, out: Path | None, resume: Path | None) -> None:
    """Train `what`; `resume` is the run folder to go on with (also `out`, where that is not given)."""
    if resume is not None and checkpoint_in(resume) is None:
        raise ValueError(f"--resume {resume}: holds no checkpoint ({' or '.join(CHECKPOINTS)}) to go on from")
    with run_folder(out or resume or default_folder(f"train-{what}")) as folder:
        if resume is None and (folder / LOG).exists():
            raise ValueError(
                f"{folder} already holds a training run; go on with --resume {folder} or choose another --out"
            )
        _check(what, experiment)
        write_config(folder, experiment)
        experiment = _with_data(what, experiment, folder)
        weights = (
            _in_ray(what, experiment, folder, resume) if experiment.workers else _here(what, experiment, folder, resume)
        )
        write_training_report(what, folder)
    print(f"weights {weights}\nreport  {folder / 'report.html'}\nlogs    tensorboard --logdir {folder / 'tensorboard'}")


def _check(what: str, experiment: Experiment) -> None:
    """Look at what the training will read, before it writes anything. ValueError or OSError where that fails."""
    if what == "detector":
        for data in experiment.train.detector.data:
            if not (data / ANNOTATIONS).is_file():
                raise FileNotFoundError(
                    f"train.detector.data: {data} holds no {ANNOTATIONS}; make it with roadloop render"
                )
        if not experiment.train.detector.data:
            check_inputs(experiment)
    if what == "agent" and experiment.road.map is not None:
        read_opendrive(experiment.road.map)


def checkpoint_in(folder: Path) -> Path | None:
    """The last checkpoint of a run, if it has one."""
    return next((folder / name for name in CHECKPOINTS if (folder / name).is_file()), None)


def run_training(
    what: str, experiment: Experiment, folder: Path, resume: Path | None, report: Callable[[Figures], None]
) -> Path:
    """The training loop itself, in this process; returns the weights file."""
    training = experiment.train
    if what == "detector":
        from perception.training import train_detector

        return train_detector(training.detector, training.detector.data, folder, experiment.seed, resume, report)
    if what == "agent":
        from agents.training import train_agent

        return train_agent(
            training.agent, experiment.road, experiment.sim, folder, experiment.seed, resume=resume, report=report
        )
    from sim.painting.gan_training import train_gan

    return train_gan(training.gan, folder, experiment.seed, resume, report)


def _with_data(what: str, experiment: Experiment, folder: Path) -> Experiment:
    """For the detector: make sure that there is data, rendering it into the run folder where none was named."""
    settings = experiment.train.detector
    if what != "detector" or settings.data:
        return experiment
    data = folder / "data"
    data.mkdir(exist_ok=True)
    scenes = experiment.model_copy(update={"render": experiment.render.model_copy(update={"scenes": settings.scenes})})
    with progress("render training data", "scenes") as report:
        render_scenes(scenes, data, report)
    detector = settings.model_copy(update={"data": (data,)})
    return experiment.model_copy(update={"train": experiment.train.model_copy(update={"detector": detector})})


def _here(what: str, experiment: Experiment, folder: Path, resume: Path | None) -> Path:
    with progress(f"train {what}", "steps") as bar, _log(folder) as write:

        def report(figures: Figures) -> None:
            write(figures)
            _show(bar, what, experiment, figures)

        return run_training(what, experiment, folder, resume, report)


def _in_ray(what: str, experiment: Experiment, folder: Path, resume: Path | None) -> Path:
    """The same loop on N Ray Train workers; this process only watches their log."""
    with ray_session(experiment.workers), progress(f"train {what}", "steps") as bar:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        settings = {
            "what": what,
            "experiment": experiment,
            "folder": str(folder.resolve()),
            "resume": resume and str(resume.resolve()),
        }
        trainer = TorchTrainer(
            _ray_worker,
            train_loop_config=settings,
            torch_config=TorchConfig(backend="gloo", timeout_s=120),
            scaling_config=ScalingConfig(num_workers=experiment.workers, use_gpu=False),
            run_config=RunConfig(
                name="workers",
                storage_path=str((folder / ".ray").resolve()),
                failure_config=FailureConfig(max_failures=RESTARTS),
            ),
        )
        with _watched(folder / LOG, lambda figures: _show(bar, what, experiment, figures)):
            trainer.fit()
    return Path(json.loads((folder / ".ray" / "weights.json").read_text())["weights"])


def _ray_worker(settings: dict[str, Any]) -> None:
    """Runs on every worker. After a restart it goes on from the run's own last checkpoint."""
    torch.set_num_threads(1)
    folder = Path(settings["folder"])
    restarted = checkpoint_in(folder)
    resume = folder if restarted is not None else Path(settings["resume"]) if settings["resume"] else None
    first = dist.get_rank() == 0
    with _log(folder, first) as write:
        weights = run_training(settings["what"], settings["experiment"], folder, resume, write)
    if first:
        write_text(folder / ".ray" / "weights.json", json.dumps({"weights": str(weights)}))


@contextmanager
def _log(folder: Path, active: bool = True) -> Iterator[Callable[[Figures], None]]:
    """Yield a function that writes figures to progress.jsonl and TensorBoard, or does nothing where not active."""
    if not active:
        yield lambda figures: None
        return
    from torch.utils.tensorboard.writer import SummaryWriter

    with SummaryWriter(str(folder / "tensorboard")) as board, (folder / LOG).open("a", encoding="utf-8") as log:
        step = 0.0

        def write(figures: Figures) -> None:
            nonlocal step
            step = float(figures.get("step", step))
            numbers = {"step": step} | {key: float(value) for key, value in figures.items()}
            log.write(json.dumps(numbers) + "\n")
            log.flush()
            for key, value in numbers.items():
                if key != "step":
                    board.add_scalar(key, value, int(step))

        yield write


@contextmanager
def _watched(path: Path, show: Callable[[Figures], None]) -> Iterator[None]:
    """Show each line that workers append to the log, while the block runs."""
    stop = threading.Event()
    seen = path.stat().st_size if path.exists() else 0

    def watch() -> None:
        nonlocal seen
        while not stop.wait(0.5):
            if not path.exists():
                continue
            with path.open(encoding="utf-8") as log:
                log.seek(seen)
                for line in iter(log.readline, ""):
                    if not line.endswith("\n"):
                        break
                    seen = log.tell()
                    show(json.loads(line))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _show(bar: Report, what: str, experiment: Experiment, figures: Figures) -> None:
    total = figures.get("steps") or {"agent": experiment.train.agent.steps, "gan": experiment.train.gan.steps}.get(
        what, 0
    )
    shown = {
        k: v for k, v in figures.items() if k in ("loss", "reward", "success", "completion", "epoch", "held_out_map50")
    }
    if "step" in figures:
        bar(float(figures["step"]), float(total), **shown)


def write_training_report(what: str, folder: Path) -> None:
    """report.html: every figure of the log over the steps."""
    rows = [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
    keys = [
        key
        for key in dict.fromkeys(key for row in rows for key in row)
        if key not in ("step", "steps", "seconds", "epochs")
    ]
    plots = []
    for key in keys:
        with_key = [row for row in rows if key in row]
        figure = lines([row["step"] for row in with_key], (key, [row[key] for row in with_key], BLUE, "solid"))
        plots.append(figure_html(figure, key.replace("_", " "), "step", ""))
    last = rows[-1] if rows else {}
    cards = [Card(f"{last.get('step', 0):.0f}", "steps")]
    cards += [Card(f"{last[key]:.3g}", key.replace("_", " ")) for key in keys[:5] if key in last]
    write_text(
        folder / "report.html",
        page(f"Training of the {what}", str(folder), cards, ['<div class="pair">', *plots, "</div>"]),
    )
