"""Launches that follow each other, recorded once and replayed in one call."""

import time
from collections.abc import Sequence
from typing import Any

import warp as wp


class Program:
    """Launches in order.

    On the CPU they are captured as a graph that native code replays: a launch from Python costs 5 to 10 microseconds,
    one from the graph less than one.
    """

    def __init__(self, launches: Sequence[Any], device: Any) -> None:
        self._launches = list(launches)
        self._graph = None
        if device.is_cpu and self._launches:
            wp.capture_begin(device=device)
            try:
                self.run()
            finally:
                self._graph = wp.capture_end(device=device)

    def run(self) -> None:
        """All launches once."""
        if self._graph is not None:
            wp.capture_launch(self._graph)
            return
        for launch in self._launches:
            launch.launch()

    def seconds(self) -> dict[str, float]:
        """Run once, launch by launch: CPU seconds by kernel, in order; the cost of launching from Python included."""
        spent: dict[str, float] = {}
        for launch in self._launches:
            start_s = time.thread_time()
            launch.launch()
            name = launch.kernel.key
            spent[name] = spent.get(name, 0.0) + time.thread_time() - start_s
        return spent
