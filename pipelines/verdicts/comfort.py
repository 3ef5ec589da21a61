"""Comfort of the ego: accelerations, jerks and yaw rates, smoothed and within bounds.

Bounds are nuPlan's `ego_is_comfortable`. Rates come from local parabolas (Savitzky-Golay filters of order 2) over as
many samples as nuPlan uses at 10 Hz, here as a length of time: 0.8 s for accelerations, 1.5 s for what is derived.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.verdicts.trace import EGO, Trace

MAX_LONGITUDINAL_ACCEL_MPS2 = 2.40
MIN_LONGITUDINAL_ACCEL_MPS2 = -4.05
MAX_LATERAL_ACCEL_MPS2 = 4.89
MAX_YAW_RATE_RADPS = 0.95
MAX_YAW_ACCEL_RADPS2 = 1.93
MAX_LONGITUDINAL_JERK_MPS3 = 4.13
MAX_JERK_MPS3 = 8.37

ACCEL_WINDOW_S = 0.8
RATE_WINDOW_S = 1.5


@dataclass(frozen=True)
class Comfort:
    """The worst of each run, (B,), and whether every bound was kept."""

    max_longitudinal_accel_mps2: Tensor
    min_longitudinal_accel_mps2: Tensor
    max_lateral_accel_mps2: Tensor  # these are magnitudes
    max_yaw_rate_radps: Tensor
    max_yaw_accel_radps2: Tensor
    max_longitudinal_jerk_mps3: Tensor
    max_jerk_mps3: Tensor

    def comfortable(self) -> Tensor:
        """Runs (B,) bool within all bounds."""
        return (
            (self.max_longitudinal_accel_mps2 <= MAX_LONGITUDINAL_ACCEL_MPS2)
            & (self.min_longitudinal_accel_mps2 >= MIN_LONGITUDINAL_ACCEL_MPS2)
            & (self.max_lateral_accel_mps2 <= MAX_LATERAL_ACCEL_MPS2)
            & (self.max_yaw_rate_radps <= MAX_YAW_RATE_RADPS)
            & (self.max_yaw_accel_radps2 <= MAX_YAW_ACCEL_RADPS2)
            & (self.max_longitudinal_jerk_mps3 <= MAX_LONGITUDINAL_JERK_MPS3)
            & (self.max_jerk_mps3 <= MAX_JERK_MPS3)
        )


def comfort(trace: Trace) -> Comfort:
    """Comfort of the ego over each run.

    Lateral acceleration is speed x yaw rate; `jerk` is the rate of change of the acceleration's magnitude.

    Raises:
        ValueError: a run without three ticks, or one whose ego appears late or comes back.
    """
    ticks, accel, yaw = ego_ticks(trace), trace.accel_mps2[:, :, EGO], unwrapped(trace.yaw_world_rad[:, :, EGO])
    dt_s = trace.dt_s
    yaw_rate = parabola(yaw, ticks, dt_s, RATE_WINDOW_S, 1)
    lateral = parabola(trace.speed_mps[:, :, EGO] * yaw_rate, ticks, dt_s, ACCEL_WINDOW_S, 0)
    longitudinal = parabola(accel, ticks, dt_s, ACCEL_WINDOW_S, 0)
    magnitude = torch.hypot(longitudinal, lateral)
    valid = trace.valid[:, :, EGO]
    return Comfort(
        max_longitudinal_accel_mps2=_worst(longitudinal, valid),
        min_longitudinal_accel_mps2=-_worst(-longitudinal, valid),
        max_lateral_accel_mps2=_worst(lateral.abs(), valid),
        max_yaw_rate_radps=_worst(yaw_rate.abs(), valid),
        max_yaw_accel_radps2=_worst(parabola(yaw, ticks, dt_s, RATE_WINDOW_S, 2).abs(), valid),
        max_longitudinal_jerk_mps3=_worst(parabola(longitudinal, ticks, dt_s, RATE_WINDOW_S, 1).abs(), valid),
        max_jerk_mps3=_worst(parabola(magnitude, ticks, dt_s, RATE_WINDOW_S, 1).abs(), valid),
    )


def ego_ticks(trace: Trace) -> Tensor:
    """How many ticks each run lasts (B,): the ego is there from the first on, then no more.

    Raises:
        ValueError: a run whose ego appears late, comes back or never is.
    """
    valid = trace.valid[:, :, EGO]
    ticks = valid.sum(dim=1)
    expected = torch.arange(trace.ticks, device=valid.device)[None] < ticks[:, None]
    broken = ((valid != expected).any(dim=1) | (ticks == 0)).nonzero()
    if len(broken):
        raise ValueError(f"run {int(broken[0])}: the ego must be valid from the first tick on without gaps")
    return ticks


def parabola(values: Tensor, ticks: Tensor, dt_s: float, window_s: float, derivative: int) -> Tensor:
    """Value or derivative (B, T) at every tick of the least-squares parabola over the window around it.

    Windows have an odd number of samples and stay inside the run's first `ticks` (B,); towards its ends the tick moves
    off the window's middle. Runs shorter than a window use all they have.

    Raises:
        ValueError: a run of fewer than three ticks.
    """
    samples = max(2 * math.floor(window_s / dt_s / 2) + 1, 3)
    if int(ticks.min()) < 3:
        run = int(ticks.argmin())
        raise ValueError(f"run {run} has {int(ticks[run])} ticks: rates of change need at least three")
    result = torch.zeros_like(values)
    lengths = ticks.clamp(max=samples)
    for length in sorted(set(lengths.tolist())):
        rows = (lengths == length).nonzero().squeeze(1)
        result[rows] = _fit(values[rows], ticks[rows], int(length), dt_s, derivative)
    return result


def _fit(values: Tensor, ticks: Tensor, samples: int, dt_s: float, derivative: int) -> Tensor:
    """As `parabola`, for runs that all use windows of the same number of samples, none longer than the run."""
    weights = _weights(samples, dt_s, derivative).to(values)
    middle, windows = samples // 2, values.shape[1] - samples + 1
    result = torch.zeros_like(values)
    inside = torch.zeros_like(values[:, :windows])
    for sample in range(samples):
        inside += weights[middle, sample] * values[:, sample : sample + windows]
    result[:, middle : middle + windows] = inside
    # The first and the last window also serve the ticks between their middles and the ends of the run.
    sample = torch.arange(samples, device=values.device)[None]
    for start, places in [(torch.zeros_like(ticks), range(middle)), (ticks - samples, range(middle + 1, samples))]:
        window = values.gather(1, start[:, None] + sample)
        for place in places:
            # Summed in order, sample by sample: a matrix product's bits would depend on the number of runs.
            fitted = torch.zeros_like(window[:, 0])
            for each in range(samples):
                fitted += weights[place, each] * window[:, each]
            result.scatter_(1, (start + place)[:, None], fitted[:, None])
    return result


def _weights(samples: int, dt_s: float, derivative: int) -> Tensor:
    """Row p: what to multiply the window's samples with for the derivative of its parabola at sample p."""
    time_s = torch.arange(samples, dtype=torch.float64) * dt_s
    rows = []
    for at in range(samples):
        powers = (time_s - time_s[at])[:, None] ** torch.arange(3, dtype=torch.float64)
        rows.append(torch.linalg.pinv(powers)[derivative] * math.factorial(derivative))
    return torch.stack(rows)


def unwrapped(yaw_rad: Tensor) -> Tensor:
    """Angles (B, T) without jumps by full turns."""
    step = torch.diff(yaw_rad, dim=1)
    step = step - 2 * math.pi * torch.round(step / (2 * math.pi))
    return torch.cat([yaw_rad[:, :1], yaw_rad[:, :1] + step.cumsum(dim=1)], dim=1)


def _worst(values: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid, values, -math.inf).amax(dim=1)
