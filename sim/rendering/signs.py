"""Signs, signals and objects where the road network says, each part an item of its own: post, face, head.

A sign's face looks against the traffic that it is for. What the file says wrongly or not at all (a size of zero, a foot
below the road) gets a usual value; what is painted on the road is no sign.
"""

import math
from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np

from sim.meshes.library import Model
from sim.meshes.street import Street
from sim.painting.signs import FACES, LIMITS_KMH, LIMITS_MPH, face_index
from sim.rendering.buildings import model_size_m
from sim.rendering.planting import Items, Site
from sim.roads.lanegraph import map_lanes
from sim.roads.network import Road, RoadNetwork, RoadObject, Signal, SignalController
from sim.roads.signals import lane_rules

_PAINTED = frozenset({"stop_line", "yield_line", "arrow"})
_LIGHTS = frozenset({"light", "pedestrian_light", "bicycle_light"})
_SHAPES = {
    "stop": Street.FACE_OCTAGON, "yield": Street.FACE_YIELD, "priority": Street.FACE_DIAMOND,
    "priority_end": Street.FACE_DIAMOND,
}  # fmt: skip
_TRIANGLES = ("warning", "priority_next", "yield_right", "bend_right", "bend_left", "lights_ahead", "children", "works")
_SQUARES = (
    "plain", "one_way", "crossing", "parking", "town", "town_end", "motorway", "motorway_end", "expressway",
    "expressway_end", "street_name", "priority_oncoming", "level_crossing", "chevron_right", "chevron_left", "lanes",
)  # fmt: skip
_PLATE_M = {"town": (1.2, 0.8), "town_end": (1.2, 0.8), "one_way": (0.8, 0.3), "street_name": (0.9, 0.2)}
_HEAD_M, _WALK_M = (0.41, 0.3, 0.92), (0.41, 0.3, 0.62)
_MAST_M = 6.2
_OVER_ROAD_M = 5.0  # clear height under what hangs over a lane


class Furnished(Protocol):
    """What signs need of a map."""

    @property
    def roads(self) -> dict[str, Road]: ...
    @property
    def signals(self) -> Sequence[Signal]: ...
    @property
    def controllers(self) -> Sequence[SignalController]: ...
    @property
    def objects(self) -> Sequence[RoadObject]: ...


def face_of(signal: Signal) -> str:
    """The name of the face that a sign shows; a plain one where its kind is not known."""
    if signal.kind == "speed_limit" and signal.value:
        if signal.country.lower() in ("us", "usa", "gb", "uk", "gbr"):
            return f"limit_mph_{min(LIMITS_MPH, key=lambda v: abs(v - signal.value / 0.44704))}"  # type: ignore[operator]
        return f"limit_{min(LIMITS_KMH, key=lambda v: abs(v - signal.value * 3.6))}"  # type: ignore[operator]
    if signal.kind in FACES:
        return signal.kind
    return "plain_round" if signal.kind.startswith("no_") or "limit" in signal.kind else "plain"


def plate_of(face: str) -> Street:
    """The model of a face's plate."""
    if face in _SHAPES:
        return _SHAPES[face]
    if face in _TRIANGLES:
        return Street.FACE_TRIANGLE
    return Street.FACE_SQUARE if face in _SQUARES or face.startswith(("board", "limit_mph")) else Street.FACE_ROUND


def add_sign(
    items: Items, xy: np.ndarray, yaw_rad: float, face: str, size_m: tuple[float, float], lower_m: float, **base: float
) -> None:
    """A post and a face on it; `yaw_rad` is where the face looks. `base` may give the foot's `base_world_m`."""
    wide, high = size_m
    look = np.array([math.cos(yaw_rad), math.sin(yaw_rad)])
    foot = base.get("base_world_m")
    posts = (0.0,) if wide < 1.6 else (-0.35 * wide, 0.35 * wide)
    for aside in posts:
        at = xy - 0.05 * look + aside * np.array([-look[1], look[0]])
        thick = 0.06 if wide < 1.6 else 0.11
        items.add(at, yaw_rad, (thick, thick, lower_m + 0.9 * high), Street.POST, base_world_m=foot)
    plate, above = (0.04, wide, high), None if foot is None else foot + lower_m
    items.add(xy + 0.01 * look, yaw_rad, plate, plate_of(face), face_index(face), above_m=lower_m, base_world_m=above)


def signal_groups(network: Furnished) -> dict[str, int]:
    """The group of every light: its own, else that of its controller's others, else of the nearest light."""
    lights = [s for s in network.signals if s.kind in _LIGHTS and not s.reference]
    if not lights:
        return {}
    lanes = map_lanes(cast(RoadNetwork, network))
    known = lane_rules(cast(RoadNetwork, network), lanes, np.full(len(lanes.keys), 14.0)).group_of_signal
    groups = dict(known)
    controller = {id: c.id for c in network.controllers for id in c.signals}
    of_controller = {controller[id]: group for id, group in known.items() if id in controller}
    placed = {s.id: place_of(network, s) for s in network.signals if s.kind in _LIGHTS}
    for light in lights:
        if light.id in groups:
            continue
        near = min(known, key=lambda id: float(np.hypot(*(placed[id] - placed[light.id])[:2])), default=None)
        groups[light.id] = of_controller.get(controller.get(light.id, ""), known[near] if near is not None else 0)
    return groups


def place_of(network: Furnished, signal: Signal) -> np.ndarray:
    """The point (3,) of the road's surface under a signal, or the place that the file gives it."""
    pose = network.roads[signal.road].pose(np.array([signal.s_m]), np.array([signal.t_m]))
    xyz = pose.xyz_world_m[0]
    if signal.stands_at_world_m is not None:
        xyz = np.array([*signal.stands_at_world_m[:2], xyz[2]])
    return xyz


def _beside_road(site: Site, xy: np.ndarray, yaw_rad: float) -> np.ndarray:
    """The place itself, or the nearest one across the way that is not on the carriageway."""
    aside = np.array([-math.sin(yaw_rad), math.cos(yaw_rad)])
    for away in np.arange(0.0, 7.0, 0.25):
        for spot in (xy - away * aside, xy + away * aside):
            if site.road_m(spot[None])[0] < 0.05:
                return spot
    return xy


def _lower_m(signal: Signal, height: float, usual: float) -> float:
    """Height of a signal's lower edge above the road; files that count from the ground include the post."""
    if signal.z_m > 1.0:
        return signal.z_m
    return signal.height_m - height if signal.height_m > 1.8 else usual


def place_signals(items: Items, site: Site, network: Furnished) -> None:
    """Posts, faces and heads of every signal that stands somewhere."""
    groups = signal_groups(network)
    for signal in network.signals:
        painted = signal.kind in _PAINTED or signal.type == "1000003" or "stencil" in signal.name.lower()
        if signal.reference or painted:
            continue
        xyz = place_of(network, signal)
        spot = _beside_road(site, xyz[:2], signal.yaw_rad)
        if signal.kind in _LIGHTS:
            _light(items, site, network, signal, xyz, spot, groups.get(signal.id, 0))
            continue
        face = face_of(signal)
        usual = _PLATE_M.get(face, (0.65, 0.65) if plate_of(face) != Street.FACE_YIELD else (0.9, 0.8))
        size = (signal.width_m, signal.height_m) if 0.2 < min(signal.width_m, signal.height_m) < 4.0 else usual
        add_sign(
            items,
            spot,
            signal.yaw_rad + math.pi,
            face,
            size,
            _lower_m(signal, size[1], 2.1),
            base_world_m=float(xyz[2]),
        )


def _light(
    items: Items, site: Site, network: Furnished, signal: Signal, xyz: np.ndarray, spot: np.ndarray, group: int
) -> None:
    """A post with a head, one for people below it, and a second head over the lanes of wide approaches."""
    face, z = signal.yaw_rad + math.pi, float(xyz[2])
    look = np.array([math.cos(face), math.sin(face)])
    walk = signal.kind == "pedestrian_light"
    model, size = (Street.WALK_HEAD, _WALK_M) if walk else (Street.SIGNAL_HEAD, _HEAD_M)
    lower = _lower_m(signal, size[2], 2.5)
    if lower > 4.4:
        _hang(items, site, xyz[:2], spot, face, z, group)
        return
    items.add(spot - 0.17 * look, face, (0.13, 0.13, lower + 0.8 * size[2]), Street.SIGNAL_POST, base_world_m=z)
    items.add(spot + 0.04 * look, face, size, model, group, base_world_m=z + lower)
    if walk:
        return
    road = network.roads[signal.road]
    wide = len(signal.lanes) > 1 or sum(1 for lane in road.driving_lanes if road.forward(lane) == signal.forward) > 1
    across = np.array([-look[1], look[0]])
    inward = (
        across if site.road_m((spot + 3.0 * across)[None])[0] > site.road_m((spot - 3.0 * across)[None])[0] else -across
    )
    if any(o.kind == "crosswalk" and o.road == signal.road for o in network.objects):
        yaw = math.atan2(inward[1], inward[0])
        items.add(spot - 0.17 * look + 0.12 * inward, yaw, _WALK_M, Street.WALK_HEAD, group, base_world_m=z + 2.15)
    if wide:
        _hang(items, site, spot + 5.0 * inward, spot - 0.35 * inward, face, z, group)


def _hang(items: Items, site: Site, over: np.ndarray, foot: np.ndarray, face: float, z: float, group: int) -> None:
    """A mast at `foot` whose arm carries a head over the lanes, towards `over`."""
    reach = over - foot
    long = max(float(np.hypot(*reach)), 2.0)
    yaw = math.atan2(reach[1], reach[0]) - 0.5 * math.pi
    along = reach / max(float(np.hypot(*reach)), 1e-6)
    x, _, height = model_size_m(Street.MAST_ARM)
    # The mast stands 0.13 m from one end of its box, the arm's tip is the other end.
    items.add(foot + along * (0.5 * long - 0.11), yaw, (x, long, height), Street.MAST_ARM, base_world_m=z)
    look = np.array([math.cos(face), math.sin(face)])
    items.add(
        foot + along * (long - 0.5) + 0.2 * look,
        face,
        _HEAD_M,
        Street.SIGNAL_HEAD,
        group,
        base_world_m=z + _OVER_ROAD_M,
    )


# --- Objects ---

# kind or word in the name: model, usual size in m; None: not drawn, for it is paint or ground or drawn elsewhere
_OBJECTS: dict[str, tuple[int, tuple[float, float, float]]] = {
    "tree": (Model.BROADLEAF, (6.0, 6.0, 8.0)), "hedge": (Street.HEDGE, (4.0, 0.9, 1.3)),
    "vegetation": (Model.BUSH, (2.2, 2.2, 1.6)), "building": (Street.PLAIN_BUILDING, (10.0, 8.0, 7.0)),
    "pole": (Street.PLAIN_POLE, (0.1, 0.1, 3.0)), "streetlamp": (Model.LAMP_POST, (1.99, 0.28, 7.9)),
    "guide-post": (Model.DELINEATOR, (0.12, 0.12, 1.0)), "rail-pole": (Street.PLAIN_POLE, (0.1, 0.1, 0.8)),
    "railing": (Model.GUARD_RAIL, (4.0, 0.2, 0.75)), "guardrail": (Model.GUARD_RAIL, (4.0, 0.2, 0.75)),
    "fence": (Street.FIELD_FENCE, (4.0, 0.15, 1.2)), "barrier": (Street.CONCRETE_BARRIER, (4.0, 0.6, 0.85)),
    "wall": (Street.PLAIN_WALL, (4.0, 0.3, 1.5)), "cone": (Street.CONE, (0.38, 0.38, 0.72)),
    "bench": (Street.BENCH, (0.55, 1.8, 0.9)), "bin": (Street.BIN, (0.68, 0.6, 1.06)),
    "trafficIsland": (Street.KERB_ISLAND, (6.0, 1.6, 0.14)), "gantry": (Street.GANTRY, (0.4, 16.4, 7.4)),
    "obstacle": (Street.PLAIN_BOX, (0.6, 0.6, 1.0)), "pylon": (Street.CONE, (0.38, 0.38, 0.72)),
}  # fmt: skip
_LONG = (Model.GUARD_RAIL, Street.FIELD_FENCE, Street.HEDGE, Street.CONCRETE_BARRIER, Street.PLAIN_WALL)


def _drawn_as(thing: RoadObject) -> tuple[int, tuple[float, float, float]] | None:
    words = f"{thing.name} {thing.kind}".lower()
    return next((drawn for word, drawn in _OBJECTS.items() if word.lower() in words), None)


def place_objects(items: Items, site: Site, network: Furnished) -> None:
    """Objects of the network that rise above the ground, as large as the file says."""
    for thing in network.objects:
        drawn = _drawn_as(thing)
        if drawn is None:
            continue
        model, usual = drawn
        said = (thing.length_m, thing.width_m, thing.height_m)
        if len(thing.outline_xyz_world_m) >= 3:
            _outlined(items, site, thing, model, usual)
            continue
        size = tuple(min(s, 80.0) if s > 0.03 else u for s, u in zip(said, usual))
        xyz = network.roads[thing.road].pose(np.array([thing.s_m]), np.array([thing.t_m])).xyz_world_m[0]
        items.add(xyz[:2], thing.yaw_world_rad, size, model, base_world_m=float(xyz[2]) + thing.z_m)  # type: ignore[arg-type]
        site.take(xyz[:2] + 0.5 * max(size[:2]) * np.array([(1, 0), (0, 1), (-1, 0), (0, -1)]))


def _outlined(items: Items, site: Site, thing: RoadObject, model: int, usual: tuple[float, float, float]) -> None:
    """A thing with an outline: as pieces along it where it is long and thin, else as one in its smallest rectangle."""
    points = thing.outline_xyz_world_m[:, :2]
    high = thing.height_m if thing.height_m > 0.03 else usual[2]
    middle = points.mean(axis=0)
    axes = np.linalg.svd(points - middle, full_matrices=False)[2]
    local = (points - middle) @ axes.T
    low, top = local.min(axis=0), local.max(axis=0)
    middle = middle + 0.5 * (low + top) @ axes
    long, wide = (float(v) for v in np.maximum(top - low, 0.1))
    yaw, z = math.atan2(axes[0, 1], axes[0, 0]), float(thing.outline_xyz_world_m[:, 2].min())
    pieces = max(1, round(long / 4.0)) if model in _LONG and long < 400.0 else 1
    for k in range(pieces):
        at = middle + axes[0] * long * ((k + 0.5) / pieces - 0.5)
        items.add(at, yaw, (long / pieces, max(wide, 0.1), high), model, base_world_m=z)
    corners = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * 0.5 * (long, wide)
    site.take(middle + corners @ axes)
