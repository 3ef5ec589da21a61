"""What the driver of one entity sees of the others along its lane: gaps, offsets and speeds, for all runs at once.

Distances along the lane are distances along the road's s, as long as the ego's own lane is at the ego's place; boxes
are measured by their extents along and across the lane. Left and right are those of the ego's travel.
"""

import math

import numpy as np
import torch

from sim.roads.geometry import Floats
from sim.scenarios.distances import FAR_M, Distances
from sim.scenarios.motions import Bodies
from sim.scenarios.playing import Gaps
from sim.scenarios.road_tables import Bools


def see(bodies: Bodies, distances: Distances, ego: int) -> Gaps:
    """Everybody else from the ego's place. ValueError where there are no roads."""
    if bodies.tables is None:
        raise ValueError("gaps along a lane need a map; name its file in the scenario")
    along = distances.along_all(ego)
    there = along.found & bodies.valid & bodies.valid[ego]
    there[ego] = False
    ahead = np.where(np.abs(bodies.turn_rad[ego]) <= 0.5 * math.pi, 1.0, -1.0)
    own_t, own_width, beside = _in_lane(bodies, ego, along.dt_m, ahead)
    stretch = np.maximum(1.0 - bodies.curvature_1pm[ego] * own_t, 0.1)
    cos, sin = np.cos(bodies.turn_rad), np.sin(bodies.turn_rad)
    half, centre = _extents(bodies, cos, sin), _centre(bodies, cos, sin)
    speed, left = _velocity(bodies, ahead)
    offset = ahead * (bodies.offset_m[ego] + centre[1][ego])
    # The other's s may run against the ego's where roads are joined head on; within a road it does not.
    way = np.where(there, along.ds_m * stretch, FAR_M) + ahead * (centre[0] - centre[0][ego])
    across = np.where(there, beside + ahead * centre[1], FAR_M)
    seen: dict[str, Floats | Bools] = {
        "gap_m": way - half[0][ego] - half[0],
        "lateral_gap_m": np.maximum(np.abs(across - offset) - half[1][ego] - half[1], 0.0),
        "lateral_offset_m": across,
        "lateral_speed_mps": np.where(across > 0.0, -left, left),
        "speed_mps": speed,
        "accel_mps2": bodies.accel_mps2 * (cos * ahead),
        "in_lane_overlap": there & (np.abs(across) - half[1] < 0.5 * own_width),
        "valid": there,
    }
    alone = {
        "ego_speed_mps": speed[ego],
        "ego_lateral_mps": left[ego],
        "ego_offset_m": offset,
        "lane_width_m": own_width,
    }
    return Gaps(**{name: torch.from_numpy(value.T) for name, value in (seen | alone).items()})


def _in_lane(bodies: Bodies, ego: int, dt: Floats, ahead: Floats) -> tuple[Floats, Floats, Floats]:
    """The ego's lane at the ego, t of its middle and width (B,), and everybody (E, B) to the left of its middle.

    Who is on the ego's road is compared with the lane where it is, `dt` (E, B) away from the ego others.
    """
    tables, shape = bodies.tables, bodies.shape
    assert tables is not None
    same = bodies.road[ego] == bodies.road
    s = np.where(same, bodies.s_m, bodies.s_m[ego]).ravel()
    road, lane, from_s = (
        np.broadcast_to(row, shape).ravel()
        for row in (np.maximum(bodies.road[ego], 0), bodies.lane[ego], bodies.s_m[ego])
    )
    place = tables.lane(road, tables.carried(road, lane, from_s, s), s)
    t, width, valid = (column.reshape(shape) for column in (place.t_m, place.width_m, place.valid))
    beside = np.where(same & valid, bodies.t_m - t, dt + bodies.offset_m[ego])
    return t[ego], width[ego], ahead * beside


def _velocity(bodies: Bodies, ahead: Floats) -> tuple[Floats, Floats]:
    """Speeds (E, B) along the road in the direction of the ego's travel, and to its left."""
    course = bodies.heading_rad - bodies.turn_rad
    cos, sin = np.cos(course), np.sin(course)
    vx, vy = bodies.vx_mps, bodies.vy_mps
    return ahead * (vx * cos + vy * sin), ahead * (vy * cos - vx * sin)


def _extents(bodies: Bodies, cos: Floats, sin: Floats) -> tuple[Floats, Floats]:
    """Half of what boxes (E, B) take along and across their roads, by the cosine and sine of their turn."""
    length, width, cos, sin = 0.5 * bodies.length_m, 0.5 * bodies.width_m, np.abs(cos), np.abs(sin)
    return length * cos + width * sin, length * sin + width * cos


def _centre(bodies: Bodies, cos: Floats, sin: Floats) -> tuple[Floats, Floats]:
    """The boxes' centres (E, B) from the reference points, along s and to the left of it."""
    x, y = bodies.centre_x_m, bodies.centre_y_m
    return x * cos - y * sin, x * sin + y * cos
