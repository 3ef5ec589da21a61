"""Live progress with rate and time left; plain lines where the output is not a terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

PLAIN_INTERVAL_S = 10.0


class Report(Protocol):
    """How a job tells where it is: `done` of `total` units, with a few figures to show beside the bar."""

    def __call__(self, done: float, total: float, **figures: float) -> None: ...


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{rate:.3g} {task.fields['unit']}/s" if rate else "", style="cyan")


@contextmanager
def progress(title: str, unit: str) -> Iterator[Report]:
    """Yield a Report that draws a bar on a terminal and writes a line every ten seconds elsewhere (stderr)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(title, unit)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, TextColumn("{task.fields[figures]}"), console=console) as bar:
        task = bar.add_task(title, total=None, unit=unit, figures="")

        def report(done: float, total: float, **figures: float) -> None:
            bar.update(task, completed=done, total=total, figures=_figures(figures))

        yield report


def _plain(title: str, unit: str) -> Report:
    start_s = time.monotonic()
    last = {"s": start_s, "done": 0.0}

    def report(done: float, total: float, **figures: float) -> None:
        now_s = time.monotonic()
        if now_s - last["s"] < PLAIN_INTERVAL_S and done < total:
            return
        rate = done / max(now_s - start_s, 1e-9)
        left_s = (total - done) / rate if rate > 0 else 0.0
        last.update(s=now_s, done=done)
        line = f"{title}: {done:g}/{total:g} {unit}, {rate:.3g} {unit}/s, {left_s:.0f} s left {_figures(figures)}"
        print(line.rstrip(), file=sys.stderr, flush=True)

    return report


def _figures(figures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
