"""The cut-in of UN R157 on a straight road: who avoids it, and who must.

The other vehicle drives in the next lane at constant speed, `gap_m` ahead bumper to bumper, when it begins to move
sideways at constant speed, until it is in the middle of the ego's lane.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.performance_models import PerformanceModel, Scene
from agents.safety_distances import MUST_AVOID_REACTION_S, must_avoid_ttc_s
from pipelines.verdicts.criticality import ttc_s
from pipelines.verdicts.lane_runs import DriveOutcome, drive

INTRUSION_M = 0.3  # of the front wheel past the marking
LANE_WIDTH_M = 3.5
CAR_LENGTH_M = 4.3
CAR_WIDTH_M = 1.9
MAX_SECONDS = 60.0


@dataclass(frozen=True)
class CutIn:
    """B cut-ins; all (B,) float64."""

    ego_mps: Tensor
    cut_mps: Tensor
    gap_m: Tensor  # bumper to bumper when the lateral movement begins
    lateral_mps: Tensor  # towards the ego's lane, positive
    lane_width_m: float = LANE_WIDTH_M
    length_m: float = CAR_LENGTH_M  # of both
    width_m: float = CAR_WIDTH_M

    def intrusion_s(self) -> Tensor:
        """When (B,) a front wheel is 0.3 m past the marking; the cutting-in car stays parallel to the lane."""
        return (0.5 * self.lane_width_m - 0.5 * self.width_m + INTRUSION_M) / self.lateral_mps

    def ttc_at_intrusion_s(self) -> Tensor:
        """TTC (B,) at that moment if the ego keeps its speed; infinite where it is not faster."""
        closing = self.ego_mps - self.cut_mps
        return ttc_s(self.gap_m - closing * self.intrusion_s(), closing)

    def must_avoid(self, reaction_s: float = MUST_AVOID_REACTION_S) -> Tensor:
        """Which cut-ins (B,) bool the regulation says must be avoided."""
        closing = (self.ego_mps - self.cut_mps).clamp(min=0.0)
        return self.ttc_at_intrusion_s() > must_avoid_ttc_s(closing, reaction_s)


def cut_in_outcome(
    model: PerformanceModel,
    v_ego: Tensor,
    v_cut: Tensor,
    gap_m: Tensor,
    lateral_speed: Tensor,
    dt_s: float = 0.02,
    lane_width_m: float = LANE_WIDTH_M,
    length_m: float = CAR_LENGTH_M,
    width_m: float = CAR_WIDTH_M,
) -> DriveOutcome:
    """Drive cut-ins of speeds (m/s), gaps (m) and lateral speeds (m/s), which broadcast to (B,), in closed loop.

    Raises:
        ValueError: a lateral speed that is not positive, or a value that is not finite.
    """
    values = [torch.as_tensor(value, dtype=torch.float64) for value in (v_ego, v_cut, gap_m, lateral_speed)]
    values = [value.reshape(-1) for value in torch.broadcast_tensors(*values)]
    if not all(bool(torch.isfinite(value).all()) for value in values):
        raise ValueError("cut-in: speeds, gaps and lateral speeds must be finite numbers")
    if not bool((values[3] > 0).all()):
        raise ValueError(f"cut-in: lateral speed {float(values[3].min())} m/s: it must be positive")
    case = CutIn(*values, lane_width_m=lane_width_m, length_m=length_m, width_m=width_m)
    return drive(model, case.ego_mps, _ticks(case, dt_s), dt_s, _scenes(case, dt_s), is_over=_is_over)


def _ticks(case: CutIn, dt_s: float) -> int:
    """Enough to come in, catch up at the present closing speed and brake gently; at most a minute."""
    closing = (case.ego_mps - case.cut_mps).clamp(min=0.0)
    seconds = case.lane_width_m / case.lateral_mps + ttc_s(case.gap_m, closing).clamp(max=MAX_SECONDS) + closing / 2
    return int(float((seconds + 3.0).amax().clamp(max=MAX_SECONDS)) / dt_s) + 1


def _is_over(scene: Scene) -> Tensor:
    """Runs (B,) in which the other is in the lane and not slower, or has been passed."""
    settled = (scene.lateral_offset_m == 0) & (scene.speed_mps >= scene.ego_speed_mps[:, None]) & (scene.gap_m > 0)
    passed = scene.gap_m < -scene.ego_size_m[:, :1] - scene.length_m
    return (settled | passed).all(dim=1)


def _scenes(case: CutIn, dt_s: float):  # noqa: ANN202 - a closure, typed where it is used
    """The scene of an ego that has travelled so far at a tick."""
    zero = torch.zeros_like(case.ego_mps)
    still, column = zero[:, None], torch.ones_like(zero)[:, None]
    everybody = torch.ones_like(column, dtype=torch.bool)
    size = torch.tensor([case.length_m, case.width_m, 1.5]).to(zero).expand(len(zero), 3)

    def scene_of(tick: int, travelled_m: Tensor, speed_mps: Tensor, accel_mps2: Tensor) -> Scene:
        time_s = tick * dt_s
        offset = (case.lane_width_m - case.lateral_mps * time_s).clamp(min=0.0)[:, None]
        gap = case.gap_m + case.cut_mps * time_s - travelled_m
        return Scene(
            ego_speed_mps=speed_mps,
            ego_lateral_mps=zero,
            ego_accel_mps2=accel_mps2,
            ego_size_m=size,
            lane_width_m=zero + case.lane_width_m,
            gap_m=gap[:, None],
            lateral_gap_m=(offset - case.width_m).clamp(min=0.0),
            lateral_offset_m=offset,
            lateral_speed_mps=torch.where(offset > 0, case.lateral_mps[:, None], 0.0),
            speed_mps=case.cut_mps[:, None],
            accel_mps2=still,
            length_m=case.length_m * column,
            width_m=case.width_m * column,
            in_lane_overlap=offset - 0.5 * case.width_m < 0.5 * case.lane_width_m,
            valid=everybody,
        )

    return scene_of
