"""H.264 video that browsers play: frames go through a pipe into ffmpeg, the file appears whole at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import cv2
import imageio_ffmpeg
import numpy as np

from pipelines.runs import written_whole


class AddFrame(Protocol):
    """Takes one picture (H, W, 3) uint8 RGB."""

    def __call__(self, frame: np.ndarray) -> None: ...


@contextmanager
def video_writer(path: Path, width_px: int, height_px: int, fps: float) -> Iterator[AddFrame]:
    """Yield a function that appends frames of exactly this size; both sides must be even (yuv420p)."""
    if width_px % 2 or height_px % 2:
        raise ValueError(f"video of {width_px}x{height_px}: both sides must be even")
    with written_whole(path) as part:
        sink = imageio_ffmpeg.write_frames(
            str(part),
            (width_px, height_px),
            fps=fps,  # type: ignore[arg-type]  # fractions are passed on to ffmpeg
            codec="libx264",
            pix_fmt_in="rgb24",
            macro_block_size=2,
            ffmpeg_log_level="error",
            output_params=["-crf", "20", "-preset", "veryfast", "-movflags", "+faststart"],
        )
        sink.send(None)

        def add(frame: np.ndarray) -> None:
            if frame.shape != (height_px, width_px, 3) or frame.dtype != np.uint8:
                raise ValueError(f"frame of {frame.shape} {frame.dtype}; expected ({height_px}, {width_px}, 3) uint8")
            sink.send(np.ascontiguousarray(frame))

        try:
            yield add
        finally:
            sink.close()


def fit(image: np.ndarray, height_px: int) -> np.ndarray:
    """Scale a picture to `height_px`, keeping its aspect; the width comes out even."""
    width_px = 2 * round(height_px * image.shape[1] / image.shape[0] / 2)
    enlarge = height_px > image.shape[0]
    return cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_CUBIC if enlarge else cv2.INTER_AREA)
