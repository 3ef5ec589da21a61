"""The types that cross folders. Axes: B worlds, N actors, L lanes, P points, C cameras, H W pixels, K boxes (padded).

All are dataclasses of torch tensors (float32 unless said), batch first. Every padded axis has a `valid` mask.
Frames and units are in the names; `sim/frames.py` defines them.
"""

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Literal

import torch

PATH_LANES = 4  # lanes an actor plans ahead, its own included


class ActorKind(IntEnum):
    """What an actor is; riders belong to their bicycles and motorcycles."""

    CAR = 0
    TRUCK = 1
    BUS = 2
    PEDESTRIAN = 3
    BICYCLE = 4
    MOTORCYCLE = 5


# The detector's classes, in this order; the other kinds it neither has to find nor is blamed for finding.
DETECTED_KINDS = (ActorKind.CAR, ActorKind.TRUCK, ActorKind.BUS, ActorKind.PEDESTRIAN)


class Semantic(IntEnum):
    """Cityscapes label ids, the subset that Roadloop draws."""

    UNLABELED = 0
    EGO_VEHICLE = 1
    STATIC = 4
    DYNAMIC = 5
    ROAD = 7
    SIDEWALK = 8
    BUILDING = 11
    WALL = 12
    FENCE = 13
    GUARD_RAIL = 14
    BRIDGE = 15
    POLE = 17
    TRAFFIC_LIGHT = 19
    TRAFFIC_SIGN = 20
    VEGETATION = 21
    TERRAIN = 22
    SKY = 23
    PERSON = 24
    RIDER = 25
    CAR = 26
    TRUCK = 27
    BUS = 28
    MOTORCYCLE = 32
    BICYCLE = 33


class LaneControl(IntEnum):
    """What rules the way into a junction. A light outranks signs."""

    NONE = 0
    LIGHT = 1
    STOP = 2
    YIELD = 3


class SignalPhase(IntEnum):
    """What a group of lights shows."""

    RED = 0
    YELLOW = 1
    GREEN = 2


SEMANTIC_OF_KIND = {
    ActorKind.CAR: Semantic.CAR,
    ActorKind.TRUCK: Semantic.TRUCK,
    ActorKind.BUS: Semantic.BUS,
    ActorKind.PEDESTRIAN: Semantic.PERSON,
    ActorKind.BICYCLE: Semantic.BICYCLE,
    ActorKind.MOTORCYCLE: Semantic.MOTORCYCLE,
}


@dataclass
class LaneGraph:
    """The driving lanes of one or more maps as flat arrays: constant, shared by all worlds that drive on them.

    Maps lie one behind the other in the lane axis; lane and sample indices are global, so only look-ups by position
    need to know the map. Ragged lists are CSR: `x_first` has one entry more than the rows and bounds each row's slice
    of `x`.
    A lane's samples are equally spaced by `step_m` (about 1 m) and include both ends, in the direction of travel.
    """

    # Samples (P,)
    xy_world_m: torch.Tensor  # (P, 2) lane centre
    z_world_m: torch.Tensor  # (P,)
    yaw_world_rad: torch.Tensor  # (P,) direction of travel, continuous along a lane
    curvature_1pm: torch.Tensor  # (P,) left positive
    width_m: torch.Tensor  # (P,)
    cycle_m: torch.Tensor  # (P,) middle of the cycle lane beside, left of the lane's centre; 0 where there is none
    sample_lane: torch.Tensor  # (P,) int32
    # Lanes (L,)
    sample_first: torch.Tensor  # (L + 1,) int32
    length_m: torch.Tensor  # (L,)
    step_m: torch.Tensor  # (L,)
    speed_limit_mps: torch.Tensor  # (L,)
    is_junction: torch.Tensor  # (L,) bool: a connecting lane inside a junction
    left_lane: torch.Tensor  # (L,) int32 neighbour of the same direction to change to; valid where has_left
    has_left: torch.Tensor  # (L,) bool
    right_lane: torch.Tensor  # (L,) int32
    has_right: torch.Tensor  # (L,) bool
    successor_first: torch.Tensor  # (L + 1,) int32
    successor: torch.Tensor  # int32
    predecessor_first: torch.Tensor  # (L + 1,) int32
    predecessor: torch.Tensor  # int32
    # Conflicts: other lanes of the same junction whose corridors overlap this lane's, with both overlaps' extents
    conflict_first: torch.Tensor  # (L + 1,) int32
    conflict_lane: torch.Tensor  # (E,) int32
    conflict_span_m: torch.Tensor  # (E, 4) own start, own end, other start, other end
    conflict_yields: torch.Tensor  # (E,) bool: this lane gives way to the other one
    # Brushes: other lanes on which bodies touch in tight bends; arc lengths of rear axles
    brush_first: torch.Tensor  # (L + 1,) int32
    brush_lane: torch.Tensor  # (F,) int32
    brush_span_m: torch.Tensor  # (F, 4) own start, own end, other start, other end
    brush_kind: torch.Tensor  # (F,) int32: 1 if it needs the own vehicle to be long, plus 2 the other one; else short
    diverge_m: torch.Tensor  # (L,) how far a lane overlaps with others that follow the same lane
    # Control of the lanes that lead into a junction; groups of lights are numbered within their map
    control: torch.Tensor  # (L,) int32 LaneControl
    signal_group: torch.Tensor  # (L,) int32; valid where the control is a light
    kerb_side: torch.Tensor  # (L,) where slow traffic keeps: -1 on the right of its lane, 1 on the left
    stop_m: torch.Tensor  # (L,) stop line from the lane's start, 0 or before it; valid where there is a control
    signal_first: torch.Tensor  # (M + 1,) int32 bounds of each map's groups of lights
    signal_plan_s: torch.Tensor  # (G, 4) cycle, start of green, green, yellow
    signal_junction: torch.Tensor  # (G,) int32 the group's junction in its map: groups of one share their clock
    # Lights away from junctions: where on their lanes traffic stops for them
    halt_first: torch.Tensor  # (L + 1,) int32
    halt_m: torch.Tensor  # (H,) stop line from the lane's start, ascending within a lane
    halt_group: torch.Tensor  # (H,) int32 group of lights within its map
    # Crosswalks
    crosswalk_first: torch.Tensor  # (M + 1,) int32
    crosswalk_world: torch.Tensor  # (C, 4) centre x, y and walking direction cos, sin
    # Parking spaces beside lanes
    parking_first: torch.Tensor  # (M + 1,) int32
    parking_world: torch.Tensor  # (K, 4) centre x, y and heading cos, sin of a car in it
    # Maps (M,)
    lane_first: torch.Tensor  # (M + 1,) int32
    # Position look-up: a grid of square cells per map; each lists the lane samples within its reach
    grid_cell_m: float
    grid_origin_world_m: torch.Tensor  # (M, 2) lower left corner
    grid_shape: torch.Tensor  # (M, 2) int32 columns (x), rows (y)
    grid_first: torch.Tensor  # (M,) int32 index of the map's first cell; cells are row-major in y, then x
    cell_first: torch.Tensor  # (cells + 1,) int32
    cell_sample: torch.Tensor  # int32
    # Drivable surface: signed distance to its edge (inside positive), sampled at cell corners
    edge_cell_m: float
    edge_origin_world_m: torch.Tensor  # (M, 2)
    edge_shape: torch.Tensor  # (M, 2) int32 columns, rows
    edge_first: torch.Tensor  # (M,) int32
    edge_distance_m: torch.Tensor  # flat, clipped to +-8 m


@dataclass
class World:
    """What stays constant during an episode."""

    lanes: LaneGraph
    map_index: torch.Tensor  # (B,) int32 which of the graph's maps
    seed: torch.Tensor  # (B,) int64: a world's episode is a function of its seed and its map alone
    dt_s: float
    friction: torch.Tensor  # (B,) of tyres on the road, as the dynamic bicycle feels it: dry 0.95, wet 0.6, snow 0.3
    kind: torch.Tensor  # (B, N) int32 ActorKind
    size_m: torch.Tensor  # (B, N, 3) length, width, height
    wheelbase_m: torch.Tensor  # (B, N); 0 for people. The box centre lies wheelbase/2 ahead of the rear axle.
    appearance_id: torch.Tensor  # (B, N) int32 picks body shape and paint
    desired_speed_factor: torch.Tensor  # (B, N) of the speed limit; for cyclists and people their speed in m/s
    time_gap_s: torch.Tensor  # (B, N) IDM headway
    max_accel_mps2: torch.Tensor  # (B, N)
    comfort_decel_mps2: torch.Tensor  # (B, N)
    patience_s: torch.Tensor  # (B, N) how long a driver waits at a junction before it takes shorter gaps
    politeness: torch.Tensor  # (B, N) MOBIL's p: what others' acceleration counts beside one's own in lane changes
    controlled: torch.Tensor  # (B, N) bool: moved by Action instead of by the traffic model
    route_lane: torch.Tensor  # (B, R) int32 the ego's lanes, first to last
    route_valid: torch.Tensor  # (B, R) bool
    route_length_m: torch.Tensor  # (B,) from the ego's start to the goal
    walk_from_world_m: torch.Tensor  # (B, N, 2) people walk between these two points
    walk_to_world_m: torch.Tensor  # (B, N, 2)


@dataclass
class State:
    """What a step changes; preallocated and stepped in place."""

    tick: torch.Tensor  # (B,) int64
    valid: torch.Tensor  # (B, N) bool
    xy_world_m: torch.Tensor  # (B, N, 2) rear-axle centre (body centre for people)
    z_world_m: torch.Tensor  # (B, N) of the road under it
    pitch_rad: torch.Tensor  # (B, N) of the road along its heading, nose down positive
    yaw_world_rad: torch.Tensor  # (B, N)
    speed_mps: torch.Tensor  # (B, N)
    lateral_mps: torch.Tensor  # (B, N) sideways, half way between the axles, left positive: dynamic bicycles alone
    accel_mps2: torch.Tensor  # (B, N)
    steer_rad: torch.Tensor  # (B, N)
    yaw_rate_radps: torch.Tensor  # (B, N)
    path_lane: torch.Tensor  # (B, N, PATH_LANES) int32: the lane it is on and those it will take
    path_valid: torch.Tensor  # (B, N, PATH_LANES) bool
    lane_s_m: torch.Tensor  # (B, N) along path_lane[0]
    lane_lateral_m: torch.Tensor  # (B, N) left of its centre
    walk_s_m: torch.Tensor  # (B, N) people: along their walk
    indicator: torch.Tensor  # (B, N) vehicles on rails: 1 where they indicate left, -1 right, else 0
    door_s: torch.Tensor  # (B, N) parked cars: how long the door on the road's side stays open, 0 where it is shut
    route_index: torch.Tensor  # (B,) int32 index of the ego's current lane in its route
    progress_m: torch.Tensor  # (B,) the ego's furthest progress along its route
    collided: torch.Tensor  # (B, N) bool, this tick
    collided_with: torch.Tensor  # (B, N) int32 lowest index of the other actor; valid where collided
    offroad: torch.Tensor  # (B, N) bool, this tick: a corner is off the drivable surface
    signal_phase: torch.Tensor  # (B, G) int32 SignalPhase of the map's groups of lights
    signal_valid: torch.Tensor  # (B, G) bool: G is the most that any map has


@dataclass
class Action:
    """Commands for the controlled actors; rows that are not valid coast (zero acceleration, steering held)."""

    accel_mps2: torch.Tensor  # (B, N)
    steer_rad: torch.Tensor  # (B, N)
    valid: torch.Tensor  # (B, N) bool


@dataclass
class Route:
    """Where to go, as the car knows it: points along the planned lanes ahead, in the ego frame."""

    xy_ego_m: torch.Tensor  # (B, P, 2) every ROUTE_STEP_M, the first beside the rear axle
    speed_limit_mps: torch.Tensor  # (B, P)
    valid: torch.Tensor  # (B, P) bool: false beyond the end of the route
    lateral_m: torch.Tensor  # (B,) ego left of the lane centre
    heading_rad: torch.Tensor  # (B,) ego yaw minus lane yaw
    remaining_m: torch.Tensor  # (B,)


ROUTE_STEP_M = 2.0
ROUTE_POINTS = 32


@dataclass
class EgoState:
    """What the car's own sensors say about itself (odometry)."""

    speed_mps: torch.Tensor  # (B,)
    accel_mps2: torch.Tensor  # (B,)
    steer_rad: torch.Tensor  # (B,)
    yaw_rate_radps: torch.Tensor  # (B,)
    wheelbase_m: torch.Tensor  # (B,)
    size_m: torch.Tensor  # (B, 3)
    time_s: torch.Tensor  # (B,)


@dataclass(frozen=True)
class Lens:
    """How a lens bends a pinhole's picture: the models of OpenCV, coefficients in its order."""

    model: Literal["pinhole", "brown_conrady", "fisheye"] = "pinhole"
    k: tuple[float, ...] = ()  # k1, k2, p1, p2, k3 or k1 to k4 (Kannala-Brandt); those left out are 0


@dataclass
class CameraModel:
    """Cameras of one rig, the same in every world: pinholes, unless they have lenses."""

    width_px: int
    height_px: int
    focal_px: torch.Tensor  # (C,) square pixels
    center_px: torch.Tensor  # (C, 2) principal point (u, v)
    ego_from_camera: torch.Tensor  # (C, 4, 4)
    lenses: tuple[Lens, ...] = ()  # one for each camera, or none


@dataclass
class LidarScan:
    """What a lidar reports of one spin: `R` rings from the lowest up, `A` columns in the order they were shot.

    Rays without an echo are not valid, and 0. Intensity is that of a white matt surface at the same place and angle,
    as sensors report it that correct for distance: 0 none, 1 white or a reflector.
    """

    xyz_ego_m: torch.Tensor  # (B, R, A, 3)
    range_m: torch.Tensor  # (B, R, A) from the sensor
    intensity: torch.Tensor  # (B, R, A) 0..1
    valid: torch.Tensor  # (B, R, A) bool
    elevation_rad: torch.Tensor  # (R,) ascending
    azimuth_rad: torch.Tensor  # (A,) counter-clockwise from ahead, descending from behind over left, ahead and right
    time_s: torch.Tensor  # (A,) when each column was shot, from the tick, 0 or before it
    ego_from_lidar: torch.Tensor  # (4, 4)


@dataclass
class RadarScan:
    """Detections of a radar in each world, the strongest first; rows that are not valid are 0."""

    range_m: torch.Tensor  # (B, K) from the sensor
    azimuth_rad: torch.Tensor  # (B, K) counter-clockwise from the sensor's axis
    radial_mps: torch.Tensor  # (B, K) measured: relative to the moving sensor, approaching negative
    rcs_dbsm: torch.Tensor  # (B, K)
    valid: torch.Tensor  # (B, K) bool
    ego_from_radar: torch.Tensor  # (4, 4)


@dataclass
class SensorFrame:
    """All the car may know of one tick."""

    rgb: torch.Tensor  # (B, C, H, W, 3) uint8
    camera: CameraModel
    ego: EgoState
    lidar: LidarScan | None = None  # where one is configured
    radar: RadarScan | None = None


@dataclass
class Boxes2D:
    """Labels in pixels, corners (u_min, v_min, u_max, v_max), sorted by actor index.

    Both boxes are tight: the visible one around the object's pixels in `instance`, the amodal one around the outline
    of its drawn body (not of its 3-D box), as if nothing stood before it and the image had no borders.
    """

    amodal_px: torch.Tensor  # (B, C, K, 4) the whole silhouette, hidden parts too, not clipped by the image
    visible_px: torch.Tensor  # (B, C, K, 4) whole pixels, what is seen alone; all zero where nothing is
    visible_pixels: torch.Tensor  # (B, C, K) int32
    occlusion: torch.Tensor  # (B, C, K) share of the silhouette inside the image that others hide
    truncation: torch.Tensor  # (B, C, K) share of the amodal box outside the image
    kind: torch.Tensor  # (B, C, K) int32 ActorKind
    actor: torch.Tensor  # (B, C, K) int32 index of the actor, as in `instance` - 1
    valid: torch.Tensor  # (B, C, K) bool: in front of the camera and at least one pixel of it inside the image


@dataclass
class Boxes3D:
    """Boxes in the ego frame: the same type for labels and for estimates."""

    center_ego_m: torch.Tensor  # (B, K, 3) box centre
    size_m: torch.Tensor  # (B, K, 3) length, width, height
    yaw_ego_rad: torch.Tensor  # (B, K)
    velocity_ego_mps: torch.Tensor  # (B, K, 2) over ground, in ego axes
    kind: torch.Tensor  # (B, K) int32 ActorKind
    score: torch.Tensor  # (B, K) 1 for labels
    track_id: torch.Tensor  # (B, K) int32 actor index for labels
    valid: torch.Tensor  # (B, K) bool


@dataclass
class Keypoints:
    """Joints of people, in COCO's order (nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, the left one
    first); row k is actor k + 1, and 0 for all but people."""

    uv_px: torch.Tensor  # (B, C, K, 17, 2) 0 where not in the image
    visibility: torch.Tensor  # (B, C, K, 17) uint8 as COCO: 0 not in the image, 1 hidden by anything, 2 seen
    xyz_camera_m: torch.Tensor  # (B, C, K, 17, 3) also of those outside of the image
    sex: torch.Tensor  # (B, K) int32 meshes.people.Sex
    age: torch.Tensor  # (B, K) int32 meshes.people.Age
    body: torch.Tensor  # (B, K) int32 row of meshes.people.PEOPLE
    stands: torch.Tensor  # (B, K) int32 1 standing, 0 in a stride
    valid: torch.Tensor  # (B, C, K) bool: a person with a joint in the image


ExtraLabel = Literal["normals", "flow", "things", "keypoints"]


@dataclass
class ExtraLabels:
    """Labels that a renderer adds when asked to; None for those not asked for.

    Flow leads from a pixel to where the camera saw the same point of the same thing at the image before, also where
    that lies outside of the image; the sky is infinitely far. It is not valid, and 0, where nothing was there to see:
    in a world's first image, at the first one after a reset, for actors that have come or been put elsewhere since, and
    for points that were behind the camera.
    """

    normal_camera: torch.Tensor | None = None  # (B, C, H, W, 3) unit, of the surface's facets; 0 in the sky
    flow_px: torch.Tensor | None = None  # (B, C, H, W, 2) u and v before, less those now
    flow_valid: torch.Tensor | None = None  # (B, C, H, W) bool
    # (B, C, H, W) int32: actor index + 1, from N + 1 on what stands still on the map, 0 for ground and sky
    thing: torch.Tensor | None = None
    keypoints: Keypoints | None = None


class RoadBit(IntFlag):
    """What a piece of road is, as bits."""

    DRIVABLE = 1
    EGO_LANE = 2  # the lane that the ego is on, and those it will take
    LINE = 4  # paint of a line along a lane
    CROSSWALK = 8


@dataclass
class RoadLabels:
    """Lanes in the images, from above, and as polylines; L lines (padded) of P points, the nearest lines first.

    From above, cells of 0.25 m: row 0 lies 40 m ahead of the ego, row 199 10 m behind it, column 0 25 m to its left.
    Bits of a cell are those of its middle, whatever stands on it.
    """

    seen: torch.Tensor  # (B, C, H, W) uint8 RoadBit of the road's pixels, 0 for all others
    bird: torch.Tensor  # (B, 200, 200) uint8 RoadBit
    line_ego_m: torch.Tensor  # (B, L, P, 3) about 1 m apart; gaps of dashed lines are passed over
    line_px: torch.Tensor  # (B, C, L, P, 2) u, v; 0 behind the camera
    line_visible: torch.Tensor  # (B, C, L, P) bool: in the image, with nothing before it
    line_solid: torch.Tensor  # (B, L) bool
    line_yellow: torch.Tensor  # (B, L) bool
    valid: torch.Tensor  # (B, L, P) bool


@dataclass
class LidarLabels:
    """What each ray would meet in clear air: all but `from_air` are the same in any weather. Rays that meet nothing
    within the lidar's range have an infinite one, and 0."""

    range_m: torch.Tensor  # (B, R, A) without noise
    semantic: torch.Tensor  # (B, R, A) uint8 Semantic
    instance: torch.Tensor  # (B, R, A) int16: actor index + 1; 0 for everything else
    from_air: torch.Tensor  # (B, R, A) bool: what was reported is an echo of rain, fog or snow in front of it


@dataclass
class RadarLabels:
    """Where detections come from."""

    instance: torch.Tensor  # (B, K) int32: actor index + 1; 0 for what stands still on the map
    semantic: torch.Tensor  # (B, K) uint8 Semantic
    ghost: torch.Tensor  # (B, K) bool: a second echo of what is nearer


@dataclass
class RoadsideBoxes:
    """Signal heads and signs in the images, K to an image (padded), in the order of their items."""

    item: torch.Tensor  # (B, C, K) int32 of the map; `thing` - N - 1
    semantic: torch.Tensor  # (B, C, K) uint8 TRAFFIC_LIGHT or TRAFFIC_SIGN
    shows: torch.Tensor  # (B, C, K) int32 SignalPhase of a head, face of a sign
    visible_px: torch.Tensor  # (B, C, K, 4) corners (u_min, v_min, u_max, v_max) of what is seen
    visible_pixels: torch.Tensor  # (B, C, K) int32
    valid: torch.Tensor  # (B, C, K) bool


@dataclass
class GroundTruth:
    """Labels of one tick: another object than SensorFrame, so that nothing can peek."""

    depth_m: torch.Tensor  # (B, C, H, W) along the optical axis; `inf` in the sky
    semantic: torch.Tensor  # (B, C, H, W) uint8 Semantic
    instance: torch.Tensor  # (B, C, H, W) int16: actor index + 1; 0 for everything else
    boxes_2d: Boxes2D
    boxes_3d: Boxes3D  # every valid actor except the ego, in actor order
    extra: ExtraLabels = field(default_factory=ExtraLabels)
    lidar: LidarLabels | None = None
    radar: RadarLabels | None = None


@dataclass
class Percept:
    """What the car believes."""

    objects: Boxes3D
    time_s: torch.Tensor  # (B,)
