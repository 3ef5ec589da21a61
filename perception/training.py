"""Training of the detector: one process, or several in data parallel when torch.distributed is initialised."""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from configs.schema import DetectorTraining
from perception.augment import Augmentation
from perception.data import Frames, Json, read_documents, read_frames
from perception.detector import Detector, DetectorConfig, build_detector, images_to_input
from perception.loss import LossWeights, detector_loss
from perception.metrics import detect_frames, evaluate_detections
from perception.targets import Batch, make_batch, make_targets
from perception.weights import save_detector

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "detector.safetensors"
CLIP_NORM = 10.0
EMA_DECAY = 0.998
WARM_UP_SHARE = 0.05
HELD_OUT_SHARE = 0.05  # of the worlds, for the score after training
MAX_HELD_OUT = 256  # images
REPORT_EVERY = 10  # steps

Report = Callable[[dict[str, float]], None]


def train_detector(
    config: DetectorTraining,
    folders: Sequence[Path],
    out: Path,
    seed: int,
    resume: Path | None = None,
    report: Report | None = None,
    *,
    device: str | torch.device = "cpu",
    architecture: DetectorConfig | None = None,
    bf16: bool | None = None,
) -> Path:
    """Train on the frames in rendered `folders` and return the path of the weights, OUT/detector.safetensors.

    The result depends on the arguments, the data and the number of processes alone. After every epoch
    OUT/checkpoint.pt holds all that is needed to go on: `resume` names a run folder (or its checkpoint) whose schedule
    is then finished as if it had not been stopped. `config.batch` is the batch of one process. `report` gets scalars
    every few steps and the held-out score at the end; it is called in the first process only. `bf16` computes
    convolutions in bfloat16; by default where the CPU has instructions for it. ValueError for data or a checkpoint
    that does not fit.
    """
    device = torch.device(device)
    bf16 = _has_bf16(device) if bf16 is None else bf16
    rank, processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    document = read_documents(folders)
    training_images, held_out_images = split_images(document["images"])
    shard = training_images[rank::processes][: len(training_images) // processes]
    if len(shard) < config.batch:
        counts = f"{len(shard)} training images per process, fewer than one batch of {config.batch}"
        names = ", ".join(map(str, folders))
        raise ValueError(f"{names}: {counts}; render more scenes or lower train.detector.batch")
    frames = read_frames(document, shard)
    run = _Run(config, build_detector(architecture, seed).to(device), len(frames) // config.batch, bf16)
    if resume is not None:
        run.restore(resume, seed)
    for epoch in range(run.epoch, config.epochs):
        _train_epoch(run, frames, seed, rank, report if rank == 0 else None)
        run.epoch = epoch + 1
        if rank == 0:
            run.save(out / CHECKPOINT, seed)
    weights = out / WEIGHTS
    if rank == 0:
        averaged = run.averaged()
        scores = _held_out_scores(averaged, held_out_images, document, report)
        record = {
            "seed": seed,
            "config": config.model_dump(mode="json", exclude={"data"}),
            "processes": processes,
            "held_out": scores,
        }
        save_detector(averaged, weights, record | {"training_images": len(shard) * processes, "bf16": bf16})
    if dist.is_initialized():
        dist.barrier()
    return weights


def split_images(images: list[Json]) -> tuple[list[Json], list[Json]]:
    """Training and held-out images, no world in both; nothing is held out where there are too few worlds."""
    worlds = sorted({image.get("world_seed", 0) for image in images})
    held_out = set(worlds[len(worlds) - int(len(worlds) * HELD_OUT_SHARE) :])
    kept = [image for image in images if image.get("world_seed", 0) not in held_out]
    return kept, [image for image in images if image.get("world_seed", 0) in held_out][:MAX_HELD_OUT]


class _Run:
    """What a training run changes, and how it is saved and restored."""

    def __init__(self, config: DetectorTraining, detector: Detector, steps_per_epoch: int, bf16: bool) -> None:
        self.config = config
        self.detector = detector
        self.bf16 = bf16
        self.model = DistributedDataParallel(detector) if dist.is_initialized() else detector
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = config.epochs * steps_per_epoch
        self.epoch = 0
        self.step = 0
        self.optimizer = torch.optim.AdamW(
            _parameter_groups(detector, config.weight_decay), lr=config.learning_rate, fused=True
        )
        self.average = {k: v.clone() for k, v in detector.state_dict().items()}

    def learning_rate(self) -> float:
        """Linear warm-up, then a cosine down to 2 %."""
        warm_up = max(1, round(WARM_UP_SHARE * self.total_steps))
        if self.step < warm_up:
            return self.config.learning_rate * (self.step + 1) / warm_up
        share = (self.step - warm_up) / max(1, self.total_steps - warm_up)
        return self.config.learning_rate * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * share)))

    def precision(self) -> AbstractContextManager[Any]:
        if not self.bf16:
            return nullcontext()
        return torch.autocast(next(self.detector.parameters()).device.type, torch.bfloat16)

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential moving average of the weights, over few steps at first."""
        decay = min(EMA_DECAY, (1.0 + self.step) / (10.0 + self.step))
        for name, value in self.detector.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1.0 - decay)
            else:
                self.average[name].copy_(value)

    def averaged(self) -> Detector:
        detector = build_detector(self.detector.config)
        detector.load_state_dict(self.average)
        return detector.to(next(self.detector.parameters()).device).eval()

    def save(self, path: Path, seed: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            torch.save(self._facts(seed) | self._tensors(), temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def restore(self, run: Path, seed: int) -> None:
        """Go on from a checkpoint; ValueError of one line where it is missing, corrupt or of another run's settings."""
        path = run / CHECKPOINT if run.is_dir() else run
        try:
            saved = torch.load(path, map_location=next(self.detector.parameters()).device, weights_only=True)
        except Exception as error:  # torch raises whatever the unpickler meets in a damaged file
            reason = " ".join(str(error).split())[:120]
            raise ValueError(f"{path} is not a readable checkpoint ({reason}); resume another run") from None
        facts = self._facts(seed)
        for key in facts.keys() - {"epoch", "step"}:
            if not isinstance(saved, dict) or saved.get(key) != facts[key]:
                found = saved.get(key) if isinstance(saved, dict) else None
                raise ValueError(f"{path} was trained with {key} = {found}, not {facts[key]}; resume with the same")
        try:
            self.detector.load_state_dict(saved["detector"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.average = saved["average"]
            self.epoch, self.step = saved["epoch"], saved["step"]
        except (KeyError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:120]
            raise ValueError(f"{path} does not fit this detector ({reason}); resume another run") from None

    def _facts(self, seed: int) -> dict[str, Any]:
        """What must agree for a resumed run to end as the uninterrupted one."""
        c = self.config
        return {
            "epoch": self.epoch,
            "step": self.step,
            "seed": seed,
            "epochs": c.epochs,
            "batch": c.batch,
            "learning_rate": c.learning_rate,
            "weight_decay": c.weight_decay,
            "steps_per_epoch": self.steps_per_epoch,
            "bf16": self.bf16,
            "architecture": self.detector.config.to_dict(),
        }

    def _tensors(self) -> dict[str, Any]:
        state = self.detector.state_dict()
        return {"detector": state, "optimizer": self.optimizer.state_dict(), "average": self.average}


def _train_epoch(run: _Run, frames: Frames, seed: int, rank: int, report: Report | None) -> None:
    run.model.train()
    started, images = time.perf_counter(), 0
    for batch in _batches(frames, run.config.batch, (seed, run.epoch, rank)):
        loss, terms, norm = _train_step(run, batch)
        images += len(batch.rgb)
        if report is not None and run.step % REPORT_EVERY == 0:
            rate = images / (time.perf_counter() - started)
            scalars = {f"loss_{name}": float(term) for name, term in terms.items()}
            progress = {"step": run.step, "steps": run.total_steps, "epoch": run.epoch, "images_per_s": rate}
            report({"loss": float(loss), "gradient_norm": float(norm), **scalars, **progress})


def _train_step(run: _Run, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
    for group in run.optimizer.param_groups:
        group["lr"] = run.learning_rate()
    device = next(run.detector.parameters()).device
    batch = replace(batch, **{f.name: getattr(batch, f.name).to(device) for f in fields(batch)})
    with run.precision():
        output = run.model(images_to_input(batch.rgb))
    loss, terms = detector_loss(output, make_targets(batch), batch.semantic, LossWeights())
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(run.detector.parameters(), CLIP_NORM)
    run.optimizer.step()
    run.step += 1
    run.update_average()
    return loss.detach(), terms, norm


def _batches(frames: Frames, size: int, key: tuple[int, int, int]) -> Iterator[Batch]:
    """The frames in an order that depends on `key` alone; an incomplete last batch is left out."""
    order = np.random.default_rng(key).permutation(len(frames))
    for first in range(0, len(order) - size + 1, size):
        yield make_batch(frames, order[first : first + size], key, Augmentation())


def _held_out_scores(detector: Detector, images: list[Json], document: Json, report: Report | None) -> dict[str, Any]:
    """Scores on the held-out worlds, empty where there are none."""
    if not images:
        return {}
    frames = read_frames(document, images)
    scores = evaluate_detections(frames.document(), detect_frames(detector, frames)).to_dict()
    if report is not None and scores["map50"] is not None:
        report({"held_out_map50": scores["map50"]})
    return scores


def _parameter_groups(detector: Detector, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels only, not for biases and norms."""
    parameters = list(detector.parameters())
    decayed, plain = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.11 may lack it
    return bool(capabilities.get("avx512_bf16", False))
