"""Transitions of actions, one per run: how a speed or an offset goes from a start to a target over a time or distance.

With a the start, b the change and c the range, at x in [0, c]: linear a + b x/c; sinusoidal a - b (cos(pi x/c) - 1)/2;
cubic a + b (3 (x/c)^2 - 2 (x/c)^3); step jumps at once. A rate is the peak of the slope, so that the range follows
from it: |b|/rate, pi |b|/(2 rate) and 3 |b|/(2 rate). A sinusoidal or cubic of peak second derivative q has the range
pi sqrt(|b|/(2 q)) or sqrt(6 |b|/q); a linear one, whose bends are sharp, takes the cubic's.
"""

import math

import numpy as np

from sim.roads.geometry import Floats
from sim.scenarios.road_tables import Bools

SHAPES = ("step", "linear", "sinusoidal", "cubic")
_SMALL = 1e-6
_LARGE = 1e10


class Transition:
    """Transitions of B runs of one shape; `over` says what the given range means: time, distance or rate."""

    def __init__(self, shape: str, over: str, size: int) -> None:
        self.shape, self.over = shape, over
        self.start, self.target, self.at = np.zeros((3, size))
        self.range = np.zeros(size)
        self.rate = np.zeros(size)
        self.stretch = np.ones(size)  # slowed down by this factor, to respect a greatest rate

    def begin(self, runs: Bools, start: Floats, target: Floats, given: Floats) -> None:
        """Start it in some runs, with the given range or rate (B,)."""
        self.start, self.target = np.where(runs, start, self.start), np.where(runs, target, self.target)
        self.at, self.stretch = np.where(runs, 0.0, self.at), np.where(runs, 1.0, self.stretch)
        if self.over == "rate":
            self.rate = np.where(runs, np.abs(given), self.rate)
            self._range_of_rate(runs)
        else:
            self.range = np.where(runs, given, self.range)

    def aim(self, runs: Bools, target: Floats) -> None:
        """Change the target on the way."""
        self.target = np.where(runs, target, self.target)
        if self.over == "rate":
            self._range_of_rate(runs)

    def limit(self, runs: Bools, max_rate: Floats) -> None:
        """Slow down where the peak slope would exceed `max_rate` (B,)."""
        peak = self.peak
        slow = runs & (peak > max_rate)
        self.stretch = np.where(slow, peak / np.where(slow, np.maximum(max_rate, _SMALL), 1.0), self.stretch)

    @property
    def instant(self) -> Bools:
        """Where it is a jump."""
        if self.shape == "step":
            return np.ones(self.at.shape, dtype=bool)
        return np.zeros(self.at.shape, dtype=bool) if self.over == "rate" else self.range < _SMALL

    @property
    def peak(self) -> Floats:
        """The greatest slope, as a magnitude."""
        if self.over == "rate":
            return self.rate
        factor = {"step": 1.0, "linear": 1.0, "sinusoidal": 0.5 * math.pi, "cubic": 1.5}[self.shape]
        slope = factor * np.abs(self.target - self.start) / np.maximum(self.range, _SMALL)
        return np.where(self.instant, _LARGE, slope)

    @property
    def slope(self) -> Floats:
        """The slope here, signed, before slowing down."""
        change, span = self.target - self.start, np.maximum(self.range, _SMALL)
        if self.shape == "sinusoidal":
            found = 0.5 * math.pi * change * np.sin(math.pi * self.at / span) / span
        elif self.shape == "cubic":
            part = self.at / span
            found = 6.0 * change * (1.0 - part) * part / span
        else:
            found = change / span
        return np.where(self.instant, _LARGE * np.where(change < 0.0, -1.0, 1.0), found)

    def value(self, shape: str | None = None) -> Floats:
        """The value here."""
        change, part = self.target - self.start, self.at / np.maximum(self.range, _SMALL)
        shape = shape or self.shape
        if shape == "sinusoidal":
            found = self.start - 0.5 * change * (np.cos(math.pi * part) - 1.0)
        elif shape == "cubic":
            found = self.start + change * part * part * (3.0 - 2.0 * part)
        else:
            found = self.start + change * part
        return np.where(self.instant, self.target, found)

    def step(self, runs: Bools, amount: Floats | float) -> None:
        """Go on by some of the range."""
        self.at = np.where(runs, np.clip(self.at + amount / self.stretch, 0.0, self.range), self.at)

    @property
    def complete(self) -> Bools:
        """Where the whole range has been covered."""
        return self.at > self.range - _SMALL

    def reached(self, value: Floats) -> Bools:
        """Where it is over: the range covered, or the value at its target or past it."""
        off = value - self.target
        passed = (self.at > 0.0) & ((off < 0.0) != (self.start - self.target < 0.0))
        return self.complete | (np.abs(off) < _SMALL) | passed

    def range_of_peak_curvature(self, peak: Floats) -> Floats:
        """The range (B,) whose greatest second derivative is `peak` (B,)."""
        change = np.abs(self.target - self.start)
        if self.shape == "step":
            return np.zeros_like(change)
        if self.shape == "sinusoidal":
            return math.pi * np.sqrt(change / (2.0 * peak))
        return np.sqrt(6.0 * change / peak)

    def _range_of_rate(self, runs: Bools) -> None:
        change = np.abs(self.target - self.start)
        factor = {"step": 0.0, "linear": 1.0, "sinusoidal": 0.5 * math.pi, "cubic": 1.5}[self.shape]
        at_rest = self.rate <= 0.0  # a rate of zero gets nowhere
        span = factor * change / np.where(at_rest, 1.0, self.rate)
        span = np.where(at_rest & (change > 0.0), _LARGE, np.maximum(span, _SMALL))
        self.range = np.where(runs, span, self.range)
