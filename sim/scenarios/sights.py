"""What the driver of one entity sees of the others along its lane: gaps, offsets and speeds, for all runs at once.

Distances along the lane are distances along the road's s, as long as the ego's own lane is at the ego's place; boxes
are measured by their extents along and across the lane. Left and right are those of the ego's travel.
"""

import math

import numpy as np
import torch

from sim.geometry import Floats
from sim.scenarios.distances import FAR_M, Distances
from sim.scenarios.motions import Bodies
from sim.scenarios.playing import Gaps
from sim.scenarios.road_tables import Bools


def see(bodies: Bodies, distances: Distances, ego: int) -> Gaps:
    """Everybody else from the ego's place. ValueError where there are no roads."""
    tables = bodies.tables
    if tables is None:
        raise ValueError("gaps along a lane need a map; name its file in the scenario")
    bodies.find(np.arange(bodies.road.size))
    size = bodies.shape[1]
    road, lane = np.maximum(bodies.road[ego], 0), bodies.lane[ego]
    own = tables.lane(road, lane, bodies.s_m[ego])
    ahead = np.where(np.abs(bodies.turn_rad[ego]) <= 0.5 * math.pi, 1.0, -1.0)
    curvature = tables.line(road, bodies.s_m[ego])[3]
    stretch = np.maximum(1.0 - curvature * own.t_m, 0.1)
    along_ego, left_ego = _velocity(bodies, ego, ahead)
    half, centre = _extents(bodies, ego), _centre(bodies, ego)
    offset = ahead * (bodies.offset_m[ego] + centre[1])
    columns: dict[str, list[np.ndarray]] = {}
    for other in range(len(bodies.names)):
        seen = _one(bodies, distances, ego, other, ahead, stretch, half, centre, offset, own.width_m)
        for name, value in seen.items():
            columns.setdefault(name, []).append(value)
    seen = {name: torch.from_numpy(np.stack(values, axis=1)) for name, values in columns.items()}
    alone = (along_ego, left_ego, offset, own.width_m + np.zeros(size))
    names = ("ego_speed_mps", "ego_lateral_mps", "ego_offset_m", "lane_width_m")
    return Gaps(**seen, **{name: torch.from_numpy(value) for name, value in zip(names, alone)})


def _one(
    bodies: Bodies,
    distances: Distances,
    ego: int,
    other: int,
    ahead: Floats,
    stretch: Floats,
    half: tuple[Floats, Floats],
    centre: tuple[Floats, Floats],
    offset: Floats,
    lane_width: Floats,
) -> dict[str, Floats | Bools]:
    """One of the others, each (B,)."""
    along = distances.along_roads(ego, other)
    there = along.found & bodies.valid[other] & bodies.valid[ego] & (other != ego)
    its_half, its_centre = _extents(bodies, other), _centre(bodies, other)
    # The other's s may run against the ego's where roads are joined head on; within a road it does not.
    way = np.where(there, along.ds_m * stretch, FAR_M) + ahead * (its_centre[0] - centre[0])
    across = _offset_in_lane(bodies, ego, other, along.dt_m, ahead)
    across = np.where(there, across + ahead * its_centre[1], FAR_M)
    speed, left = _velocity(bodies, other, ahead)
    free = np.maximum(np.abs(across - offset) - half[1] - its_half[1], 0.0)
    cos = np.cos(bodies.turn_rad[other]) * ahead
    return {
        "gap_m": way - half[0] - its_half[0],
        "lateral_gap_m": free,
        "lateral_offset_m": across,
        "lateral_speed_mps": np.where(across > 0.0, -left, left),
        "speed_mps": speed,
        "accel_mps2": bodies.accel_mps2[other] * cos,
        "in_lane_overlap": there & (np.abs(across) - its_half[1] < 0.5 * lane_width),
        "valid": there,
    }


def _offset_in_lane(bodies: Bodies, ego: int, other: int, dt: Floats, ahead: Floats) -> Floats:
    """The other's reference point to the left of the middle of the ego's lane."""
    tables = bodies.tables
    assert tables is not None
    road = np.maximum(bodies.road[ego], 0)
    same = bodies.road[ego] == bodies.road[other]
    s = np.where(same, bodies.s_m[other], bodies.s_m[ego])
    lane = tables.carried(road, bodies.lane[ego], bodies.s_m[ego], s)
    place = tables.lane(road, lane, s)
    return ahead * np.where(same & place.valid, bodies.t_m[other] - place.t_m, dt + bodies.offset_m[ego])


def _velocity(bodies: Bodies, e: int, ahead: Floats) -> tuple[Floats, Floats]:
    """Speed along the road in the direction of the ego's travel, and to its left."""
    course = bodies.heading_rad[e] - bodies.turn_rad[e]
    cos, sin = np.cos(course), np.sin(course)
    vx, vy = bodies.vx_mps[e], bodies.vy_mps[e]
    return ahead * (vx * cos + vy * sin), ahead * (vy * cos - vx * sin)


def _extents(bodies: Bodies, e: int) -> tuple[Floats, Floats]:
    """Half of what a box takes along and across its road."""
    cos, sin = np.abs(np.cos(bodies.turn_rad[e])), np.abs(np.sin(bodies.turn_rad[e]))
    length, width = 0.5 * bodies.length_m[e], 0.5 * bodies.width_m[e]
    return length * cos + width * sin, length * sin + width * cos


def _centre(bodies: Bodies, e: int) -> tuple[Floats, Floats]:
    """The box's centre from the reference point, along s and to the left of it."""
    cos, sin = np.cos(bodies.turn_rad[e]), np.sin(bodies.turn_rad[e])
    x, y = bodies.centre_x_m[e], bodies.centre_y_m[e]
    return x * cos - y * sin, x * sin + y * cos
