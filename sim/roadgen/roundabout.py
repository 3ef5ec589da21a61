"""A roundabout of one or two lanes with three to five arms, whose entries yield.

The ring is a circle of roads between junctions, one junction an arm. An entry is a straight and an arc that touches the
circle of its ring lane, an exit the mirror image; islands between them and sidewalks around belong to the same roads.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from sim.roadgen.build import Path, lay_road
from sim.roadgen.signals import Furniture, add_crosswalk
from sim.roads.geometry import Cubics, blend, constant
from sim.roads.network import Connection, Lane, MarkLine, RoadLink, RoadMark, RoadNetwork

_ISLAND_M = 30.0  # over which the island of an arm grows
_APRON_M = 1.0  # paved inside of the ring, for long vehicles
_SWING_M = 1.8  # paved beside entries and exits, for the same
_RING_MPS, _ENTRY_MPS = 30.0 / 3.6, 25.0 / 3.6
_YIELD_S_M, _ZEBRA_S_M = 0.8, 7.5
_SOLID = (RoadMark(0.0, "solid", "white", (MarkLine(0.0, 0.12, 3.0, 0.0),)),)
_BROKEN = (RoadMark(0.0, "broken", "white", (MarkLine(0.0, 0.12, 3.0, 3.0),)),)
_NONE = (RoadMark(0.0, "none", "white", ()),)


@dataclass(frozen=True)
class _Plan:
    """Measures of the whole roundabout; lane 0 is the innermost one."""

    lanes: int
    outer_m: float  # radius of the outermost lane's centre
    ring_width_m: float
    arm_width_m: float
    island_m: float  # per direction, where the arm meets the ring
    sidewalk_m: float
    turn_m: float  # radius of entries and exits
    speed_mps: float

    def radius_m(self, lane: int) -> float:
        return self.outer_m - (self.lanes - 1 - lane) * self.ring_width_m

    def aside_m(self, lane: int) -> float:
        """From an arm's middle to the centre of one of its lanes."""
        return self.island_m + (lane + 0.5) * self.arm_width_m

    def touch_rad(self, lane: int) -> float:
        """Angle at the centre between an arm and where its lane's arc touches the ring."""
        return math.asin((self.aside_m(lane) + self.turn_m) / (self.radius_m(lane) + self.turn_m))

    def arc_start_m(self, lane: int) -> float:
        """How far from the centre the arc of an arm's lane begins."""
        return (self.radius_m(lane) + self.turn_m) * math.cos(self.touch_rad(lane))

    @property
    def span_rad(self) -> float:
        """Half of the ring that an arm's junction takes."""
        return max(self.touch_rad(lane) for lane in range(self.lanes)) + 0.02

    @property
    def reach_m(self) -> float:
        """From the centre to the arms."""
        return max(self.arc_start_m(lane) for lane in range(self.lanes)) + 1.0


def roundabout(rng: np.random.Generator, seed: int) -> RoadNetwork:
    """The network; arms end at the edge of the map."""
    arms, two = int(rng.integers(3, 6)), bool(rng.random() < 0.4)
    plan = _Plan(
        lanes=2 if two else 1, outer_m=rng.uniform(15.0, 20.0) + 1.5 * arms * (1 if not two else 1.6),
        ring_width_m=rng.uniform(3.9, 4.2) if two else rng.uniform(4.6, 5.4), arm_width_m=rng.uniform(3.3, 3.6),
        island_m=rng.uniform(0.9, 1.5), sidewalk_m=2.0 if rng.random() < 0.6 else 0.0, turn_m=rng.uniform(12.0, 15.0),
        speed_mps=float(rng.choice((50.0, 60.0, 70.0))) / 3.6,
    )  # fmt: skip
    headings = _arm_headings(rng, arms, 2.0 * plan.span_rad + 6.0 / plan.radius_m(0))
    network, furniture = RoadNetwork("", {}), Furniture()
    junctions = [f"j{i}" for i in range(arms)]
    for heading, junction in zip(headings, junctions):
        _arm(rng, network, furniture, plan, heading, junction)
    ring = [
        _segment(network, plan, a + plan.span_rad, b - plan.span_rad, junctions[i], junctions[(i + 1) % arms])
        for i, (a, b) in enumerate(zip(headings, [*headings[1:], headings[0] + 2.0 * math.pi]))
    ]
    for i, (heading, junction) in enumerate(zip(headings, junctions)):
        _join(network, plan, heading, junction, str(i), ring[i - 1], ring[i])
    return furniture.furnish(network)


def _arm_headings(rng: np.random.Generator, arms: int, apart_rad: float) -> list[float]:
    """Directions of the arms, ascending, each at least `apart_rad` from the next."""
    spare = 2.0 * math.pi - arms * apart_rad
    share = rng.dirichlet(np.full(arms, 3.0)) * spare
    return list(rng.uniform(-math.pi, math.pi) + np.concatenate(([0.0], np.cumsum(apart_rad + share)[:-1])))


def _point(radius_m: float, angle_rad: float, heading_rad: float) -> Path:
    return Path(radius_m * math.cos(angle_rad), radius_m * math.sin(angle_rad), heading_rad)


# --- Arms ---


def _arm(
    rng: np.random.Generator, network: RoadNetwork, furniture: Furniture, plan: _Plan, heading: float, junction: str
) -> None:
    """A two-way road outwards with an island at the ring, yield signs and lines, often a zebra crossing."""
    path = _point(plan.reach_m, heading, heading)
    path.line(45.0)
    radius, turn = rng.uniform(150.0, 300.0), rng.uniform(0.05, 0.25)
    curvature = float(rng.choice((-1.0, 1.0))) / radius
    path.spiral(0.3 * turn * radius, 0.0, curvature)
    path.arc(0.7 * turn * radius, curvature)
    path.spiral(0.3 * turn * radius, curvature, 0.0)
    path.line(rng.uniform(70.0, 110.0))
    lanes = [Lane(0, "none", constant(0.0), marks=_arm_middle())]
    for sign in (1, -1):
        lanes.append(Lane(sign, "median", _island_width(plan.island_m)))
        for k in range(plan.lanes):
            marks = _BROKEN if k < plan.lanes - 1 else _SOLID
            lanes.append(Lane(sign * (k + 2), "driving", constant(plan.arm_width_m), marks=marks))
        if plan.sidewalk_m:
            lanes.append(Lane(sign * (plan.lanes + 2), "sidewalk", constant(plan.sidewalk_m)))
    id = lay_road(network, path, lanes, plan.speed_mps, before=RoadLink("junction", junction, ""))
    _arm_furniture(network, furniture, plan, id, zebra=plan.sidewalk_m > 0.0)


def _island_width(width_m: float) -> Cubics:
    """Full for the last metres before the ring, then tapering to nothing."""
    full = 10.0
    rows = [constant(width_m).abcd[0], blend(width_m, 0.0, _ISLAND_M - full).abcd[0], np.zeros(4)]
    return Cubics(np.array([0.0, full, _ISLAND_M]), np.array(rows))


def _bump(width_m: float, length_m: float) -> Cubics:
    """From nothing to a width halfway and back."""
    half = 0.5 * length_m
    rows = [blend(0.0, width_m, half).abcd[0], blend(width_m, 0.0, half).abcd[0]]
    return Cubics(np.array([0.0, half]), np.array(rows))


def _arm_middle() -> tuple[RoadMark, ...]:
    """No paint on the island, a solid line behind it, then a broken one."""
    solid = RoadMark(_ISLAND_M, "solid", "white", _SOLID[0].lines)
    return (*_NONE, solid, RoadMark(_ISLAND_M + 20.0, "broken", "white", (MarkLine(0.0, 0.12, 3.0, 6.0),)))


def _arm_furniture(network: RoadNetwork, furniture: Furniture, plan: _Plan, id: str, zebra: bool) -> None:
    road, edge = network.roads[id], plan.island_m + plan.lanes * plan.arm_width_m
    aside = edge + 0.6
    incoming = tuple(k + 2 for k in range(plan.lanes))
    furniture.add_sign(road, "yield", _YIELD_S_M, aside, False, incoming)
    furniture.add_line(road, _YIELD_S_M - 0.2, (plan.island_m + 0.05, edge - 0.05), 0.4, gap_m=0.25)
    furniture.add_sign(road, "speed_limit", road.length_m - 10.0, aside - plan.island_m, False, value=plan.speed_mps)
    if zebra:
        add_crosswalk(road, furniture, _ZEBRA_S_M, edge)
        furniture.add_sign(road, "crossing", _ZEBRA_S_M + 2.0, aside, False, incoming)
        furniture.add_sign(road, "crossing", _ZEBRA_S_M - 2.0, -aside, True, tuple(-id for id in incoming))


# --- Ring ---


def _ring_lanes(plan: _Plan, through: bool) -> list[Lane]:
    """Outwards from the ring's inner edge: apron to the left, lanes and between junctions the sidewalk to the right."""
    lanes = [Lane(1, "shoulder", constant(_APRON_M)), Lane(0, "none", constant(0.0), marks=_SOLID)]
    for k in range(plan.lanes):
        edge = _NONE if through else _SOLID
        marks = _BROKEN if k < plan.lanes - 1 else edge
        lanes.append(Lane(-1 - k, "driving", constant(plan.ring_width_m), marks=marks))
    if through:
        return [replace(lane, predecessors=(lane.id,), successors=(lane.id,)) if lane.id else lane for lane in lanes]
    if plan.sidewalk_m:
        lanes.append(Lane(-1 - plan.lanes, "sidewalk", constant(plan.sidewalk_m)))
    return lanes


def _ring_path(plan: _Plan, start_rad: float, end_rad: float) -> Path:
    radius = plan.radius_m(0) - 0.5 * plan.ring_width_m
    path = _point(radius, start_rad, start_rad + 0.5 * math.pi)
    path.arc(radius * (end_rad - start_rad), 1.0 / radius)
    return path


def _segment(network: RoadNetwork, plan: _Plan, start_rad: float, end_rad: float, before: str, after: str) -> str:
    """The ring between two arms."""
    links = RoadLink("junction", before, ""), RoadLink("junction", after, "")
    path = _ring_path(plan, start_rad, end_rad)
    return lay_road(network, path, _ring_lanes(plan, False), _RING_MPS, None, *links)


def _join(
    network: RoadNetwork, plan: _Plan, heading: float, junction: str, arm: str, ring_in: str, ring_out: str
) -> None:
    """The junction of one arm: around, out of the ring lane by lane, and into it."""
    span = plan.span_rad
    path, ends = _ring_path(plan, heading - span, heading + span), (_end(ring_in), _start(ring_out))
    through = lay_road(network, path, _ring_lanes(plan, True), _RING_MPS, junction, *ends)
    links = tuple((-1 - k, -1 - k) for k in range(plan.lanes))
    connections = [Connection(ring_in, through, "start", links)]
    for k in range(plan.lanes):
        connections.append(_slip(network, plan, heading, k, junction, arm, ring_out, entering=True))
        connections.append(_slip(network, plan, heading, k, junction, arm, ring_in, entering=False))
    network.junctions[junction] = tuple(connections)


def _start(road: str) -> RoadLink:
    return RoadLink("road", road, "start")


def _end(road: str) -> RoadLink:
    return RoadLink("road", road, "end")


def _entry_path(plan: _Plan, heading: float, k: int) -> Path:
    """The centre of the way from an arm's lane into the ring lane k: straight, right around an arc, along the ring."""
    side = plan.aside_m(k)
    along = math.atan2(side, plan.reach_m)
    path = _point(math.hypot(side, plan.reach_m), heading + along, heading + math.pi)
    path.line(plan.reach_m - plan.arc_start_m(k))
    touch = plan.touch_rad(k)
    path.arc(plan.turn_m * (0.5 * math.pi - touch), -1.0 / plan.turn_m)
    path.arc(plan.radius_m(k) * (plan.span_rad - touch), 1.0 / plan.radius_m(k))
    return path


def _exit_path(plan: _Plan, heading: float, k: int) -> Path:
    """The centre of the way from the ring lane k to an arm's lane: the entry's mirror image, turned round."""
    entry = _entry_path(plan, 0.0, k)
    path = _point(plan.radius_m(k), heading - plan.span_rad, heading - plan.span_rad + 0.5 * math.pi)
    for piece in reversed(entry.pieces):  # the mirror image of a curve driven backwards bends the same way
        path.extend(piece.shape, piece.length_m)
    return path


def _island_marks(plan: _Plan, path: Path, entering: bool) -> tuple[RoadMark, ...]:
    """The line to the left of an entry or exit, where that is not on the ring."""
    s = np.linspace(0.0, path.length_m, 100)
    xy, heading, _ = path.plan.at(s)
    left = xy + 0.5 * plan.ring_width_m * np.column_stack((-np.sin(heading), np.cos(heading)))
    on_ring = s[np.hypot(*left.T) < plan.outer_m + 0.5 * plan.ring_width_m]
    if entering:
        return (*_SOLID, replace(_NONE[0], s_offset_m=float(on_ring[0])))
    return (*_NONE, replace(_SOLID[0], s_offset_m=float(on_ring[-1])))


def _slip(
    network: RoadNetwork, plan: _Plan, heading: float, k: int, junction: str, arm: str, ring: str, entering: bool
) -> Connection:
    """An entry or exit: one lane around its centre line, the outermost one with its edge line and the sidewalk."""
    outermost = k == plan.lanes - 1
    if entering:
        ids, walks, links = (k + 2, -1 - k), (k + 3, -2 - k), (_start(arm), _start(ring))
        widths, path = (plan.arm_width_m, plan.ring_width_m), _entry_path(plan, heading, k)
    else:
        ids, walks, links = (-1 - k, -2 - k), (-2 - k, -3 - k), (_end(ring), _start(arm))
        widths, path = (plan.ring_width_m, plan.arm_width_m), _exit_path(plan, heading, k)
    edge = _SOLID if outermost else _NONE
    lanes = [
        Lane(0, "none", constant(0.0), marks=_island_marks(plan, path, entering) if k == 0 else ()),
        Lane(-1, "driving", blend(widths[0], widths[1], path.length_m), None, (ids[0],), (ids[1],), edge),
    ]
    if k == 0:  # long vehicles swing out over the rim of the island
        lanes.append(Lane(1, "shoulder", _bump(_SWING_M, path.length_m)))
    if not outermost:  # asphalt where the lanes part and meet again
        lanes.append(Lane(-2, "shoulder", _bump(1.6, path.length_m)))
    if outermost and plan.sidewalk_m:
        lanes.append(Lane(-2, "sidewalk", constant(plan.sidewalk_m), None, (walks[0],), (walks[1],)))
    offset = blend(0.5 * widths[0], 0.5 * widths[1], path.length_m)
    road = lay_road(network, path, lanes, _ENTRY_MPS, junction, links[0], links[1], offset)
    return Connection(links[0].id, road, "start", ((ids[0], -1),))
