"""The car's eyes: images in, percept out. Detector, lifting and tracker in a row, for a batch of worlds."""

from dataclasses import fields
from typing import TypeVar

import torch

from perception.decode import Detections, decode
from perception.detector import Detector, images_to_input
from perception.lifting import lift
from perception.tracker import Tracker, TrackerConfig
from sim.types import Boxes3D, CameraModel, Percept, SensorFrame

Batch = TypeVar("Batch", Detections, Boxes3D)


class Perceiver:
    """Perceives `worlds` worlds every `dt_s` seconds through the front camera (the rig's first).

    On the CPU the network sees one image at a time, because a convolution's rounding depends on the batch: so a world's
    percepts are the same bits whatever it is batched with. On CUDA it sees the batch.

    After a call, `detections` (pixels, before tracking), `attention` (B, H / 8, W / 8), `self_attention`
    (B, H / 32, W / 32) and `semantic_logits` (B, classes, H / 8, W / 8) hold what was seen in that frame, for overlays.
    """

    detections: Detections
    attention: torch.Tensor
    self_attention: torch.Tensor
    semantic_logits: torch.Tensor

    def __init__(
        self,
        detector: Detector,
        camera: CameraModel,
        worlds: int,
        dt_s: float,
        *,
        min_score: float = 0.25,
        tracker: TrackerConfig | None = None,
    ) -> None:
        self.device = next(detector.parameters()).device
        self.detector = detector.fused()
        self.camera = camera
        self.worlds = worlds
        self.min_score = min_score
        self.tracker = Tracker(worlds, dt_s, tracker, self.device)

    @property
    def detections_px(self) -> Detections:
        """The last frame's detections in the image."""
        return self.detections

    @torch.inference_mode()  # as the call below: its tensors cannot be changed outside
    def reset(self, mask: torch.Tensor) -> None:
        """Forget the tracks of the worlds where `mask` (B,) is true, at the start of their episodes."""
        self.tracker.reset(mask)

    @torch.inference_mode()
    def __call__(self, frame: SensorFrame) -> Percept:
        """Percept (B worlds) of one tick; ValueError for another number of worlds than announced."""
        if len(frame.rgb) != self.worlds:
            raise ValueError(f"the perceiver was made for {self.worlds} worlds and got images of {len(frame.rgb)}")
        images = frame.rgb[:, 0].to(self.device)
        seen = [self._see(images)] if images.is_cuda else [self._see(images[i : i + 1]) for i in range(len(images))]
        self.detections = join([s[0] for s in seen])
        self.attention = torch.cat([s[1] for s in seen])
        self.self_attention = torch.cat([s[2] for s in seen])
        self.semantic_logits = torch.cat([s[3] for s in seen])
        boxes = [lift(s[0], self.camera) for s in seen]
        return self.tracker(join(boxes), frame.ego)

    def _see(self, images: torch.Tensor) -> tuple[Detections, torch.Tensor, torch.Tensor, torch.Tensor]:
        output = self.detector(images_to_input(images))
        return decode(output, min_score=self.min_score), output.attention, output.self_attention, output.semantic


def join(parts: list[Batch]) -> Batch:
    """Batches of the same dataclass of tensors, one behind the other."""
    first = parts[0]
    values = {f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(first)}  # type: ignore[arg-type]
    return type(first)(**values)
