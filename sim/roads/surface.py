"""The surface of a road in 3-D: cross-sections along its reference line, and the relief across it.

A cross-section stands upright over the reference line. Superelevation tilts it about the line (positive where the left
side is higher), so t runs in the tilted plane and appears a little shorter from above. Reliefs add heights vertically,
which moves nothing in plan view. Definitions follow ASAM OpenDRIVE 1.8, "Road elevation methods"; crossfall 1.4.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from sim.roads.geometry import Cubics, Floats, PlanView, wrap_rad


class RoadPose(NamedTuple):
    """Places on a road's surface, (n, 3) and (n,): where they are and how the surface lies there.

    The heading is that of the reference line. Pitch and roll complete it to the rotation R_z(heading) R_y(pitch)
    R_x(roll), right-handed about forward, left, up: pitch is positive downhill, roll where the left side is higher.
    """

    xyz_world_m: Floats
    heading_world_rad: Floats
    pitch_rad: Floats
    roll_rad: Floats


class Relief(Protocol):
    """A height above the plane of a road."""

    def at(self, s_m: Floats, t_m: Floats) -> tuple[Floats, Floats, Floats]:
        """Height (n,) in metres and its slopes (n,) along s and along t."""
        ...


@dataclass(frozen=True)
class LateralShape:
    """Cross-profiles at stations along the road, linear in s between them; the outer ones hold beyond the stations.

    `s_m` (k,) ascending; one piecewise cubic over t for each. Outside its first record a profile stays level.
    """

    s_m: Floats
    profiles: tuple[Cubics, ...]

    def at(self, s_m: Floats, t_m: Floats) -> tuple[Floats, Floats, Floats]:
        height, along, across = np.zeros_like(s_m), np.zeros_like(s_m), np.zeros_like(s_m)
        before = np.clip(np.searchsorted(self.s_m, s_m, side="right") - 1, 0, len(self.s_m) - 1)
        after = np.minimum(before + 1, len(self.s_m) - 1)
        gap = np.where(after > before, self.s_m[after] - self.s_m[before], 1.0)
        share = np.where(after > before, np.clip((s_m - self.s_m[before]) / gap, 0.0, 1.0), 0.0)
        for stations, weight, sign in ((before, 1.0 - share, -1.0), (after, share, 1.0)):
            for k in np.unique(stations):
                rows = stations == k
                first = self.profiles[k].start_m[0]
                value, slope = self.profiles[k].at(np.maximum(t_m[rows], first))
                height[rows] += weight[rows] * value
                across[rows] += weight[rows] * np.where(t_m[rows] < first, 0.0, slope)
                along[rows] += sign * value / gap[rows]
        along[(after == before) | (s_m < self.s_m[0])] = 0.0
        return height, along, across


@dataclass(frozen=True)
class Crossfall:
    """Angles (rad) by which the two sides fall away from the reference line, positive downwards, for OpenDRIVE 1.4."""

    left: Cubics
    right: Cubics

    def at(self, s_m: Floats, t_m: Floats) -> tuple[Floats, Floats, Floats]:
        (left, left_rate), (right, right_rate) = self.left.at(s_m), self.right.at(s_m)
        on_left = t_m > 0.0
        angle, rate = np.where(on_left, left, right), np.where(on_left, left_rate, right_rate)
        out = np.abs(t_m)
        return -out * np.sin(angle), -out * np.cos(angle) * rate, -np.where(on_left, 1.0, -1.0) * np.sin(angle)


class Stations:
    """Cross-sections of a road at s (n,), evaluated once for everything that lies on them."""

    def __init__(
        self, plan: PlanView, elevation: Cubics, superelevation: Cubics, reliefs: tuple[Relief, ...], s_m: Floats
    ) -> None:
        self.s_m = s_m
        self.xy_world_m, self.heading_rad, self.curvature_1pm = plan.at(s_m)
        self._left = np.column_stack((-np.sin(self.heading_rad), np.cos(self.heading_rad)))
        self._height, self._rise = elevation.at(s_m)
        bank, self._bank_rate = superelevation.at(s_m)
        self._cos, self._sin = np.cos(bank), np.sin(bank)
        self._reliefs = reliefs

    def xy(self, t_m: Floats) -> Floats:
        """Points (n, 2) at t (n,), seen from above."""
        return self.xy_world_m + (t_m * self._cos)[:, None] * self._left

    def z(self, t_m: Floats) -> Floats:
        """Heights (n,) of the surface at t (n,)."""
        z = self._height + t_m * self._sin
        for relief in self._reliefs:
            z = z + relief.at(self.s_m, t_m)[0]
        return z

    def t(self, beside_m: Floats) -> Floats:
        """The t (n,) of points so far (n,) to the left of the line, seen from above."""
        return beside_m / self._cos

    def course(self, t_m: Floats, slope: Floats) -> tuple[Floats, Floats]:
        """Direction (n,) of a line along t(s) with dt/ds = slope, in rad, and its plan-view length per metre of s."""
        beside, slope = t_m * self._cos, slope * self._cos - t_m * self._sin * self._bank_rate
        # d(P + b N)/ds = (1 - kappa b) T + b' N, so a lane that widens or shifts has a direction of its own.
        along = 1.0 - self.curvature_1pm * beside
        return self.heading_rad + np.arctan2(slope, along), np.hypot(along, slope)

    def slopes(self, t_m: Floats) -> tuple[Floats, Floats]:
        """Rise (n,) per metre of plan view at t (n,): along the line's heading and to its left."""
        rise, across = self._rise + t_m * self._cos * self._bank_rate, self._sin
        for relief in self._reliefs:
            _, along_s, along_t = relief.at(self.s_m, t_m)
            rise, across = rise + along_s, across + along_t
        left = across / self._cos
        # So far `rise` is at constant t; at a constant distance b from the line, t = b / cos(bank) changes with s.
        along = 1.0 - self.curvature_1pm * t_m * self._cos
        along = np.where(np.abs(along) < 1e-6, 1e-6, along)  # the centre of a curve, where a road has no surface
        return (rise + left * t_m * self._sin * self._bank_rate) / along, left

    def pose(self, t_m: Floats) -> RoadPose:
        """The surface at t (n,)."""
        xyz = np.column_stack((self.xy(t_m), self.z(t_m)))
        return RoadPose(xyz, wrap_rad(self.heading_rad), *attitude(*self.slopes(t_m)))


def attitude(ahead: Floats, left: Floats) -> tuple[Floats, Floats]:
    """Pitch and roll (n,) in rad of a surface that rises by these slopes ahead of and to the left of a heading."""
    pitch = -np.arctan(ahead)
    return pitch, np.arctan(left * np.cos(pitch))
