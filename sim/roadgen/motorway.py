"""A motorway: two carriageways with on-ramps, off-ramps, acceleration and deceleration lanes, and lane drops.

Each carriageway is a chain of one-way roads along the middle of the median (the other one along the same line turned
round), all lanes to its right. Where a ramp joins or leaves, lanes just begin or end: a direct junction. Where a lane
begins or ends beside the others it slides over from or to its neighbour in a junction of two connecting roads, so that
every lane leads on and the one that slides gives way.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from sim.roadgen.build import Path, lay_road
from sim.roadgen.signals import Furniture
from sim.roads.geometry import Cubics, blend, constant
from sim.roads.network import Connection, Lane, MarkLine, RoadLink, RoadMark, RoadNetwork

_MERGE_M = 120.0  # over which a lane slides into its neighbour; at 120 km/h this takes 0.9 m/s^2 to the side
_DIVERGE_M = 90.0
_NOSE_M = 80.0  # over which the shoulder between ramp and carriageway grows to its width


@dataclass(frozen=True)
class _Style:
    width_m: float
    median_m: float  # per carriageway
    shoulder_m: float
    speed_mps: float
    ramp_mps: float
    ramp_radius_m: float
    color: str  # of the inner edge line
    dash_m: float
    gap_m: float

    def inner_m(self, lanes: int) -> float:
        """From the reference line to the outer edge of the given number of lanes."""
        return self.median_m + lanes * self.width_m


def motorway(rng: np.random.Generator, seed: int) -> RoadNetwork:
    """The network; carriageways and ramps end at the edge of the map."""
    dash = ((3.0, 9.0), (6.0, 12.0))[rng.integers(2)]
    style = _Style(
        width_m=rng.uniform(3.5, 3.75), median_m=rng.uniform(2.0, 4.0), shoulder_m=rng.uniform(2.5, 3.0),
        speed_mps=float(rng.choice((80.0, 100.0, 120.0))) / 3.6, ramp_mps=float(rng.choice((50.0, 60.0))) / 3.6,
        ramp_radius_m=rng.uniform(90.0, 150.0), color=str(rng.choice(("white", "yellow"))),
        dash_m=dash[0], gap_m=dash[1],
    )  # fmt: skip
    path = _line(rng)
    network, furniture = RoadNetwork("", {}), Furniture()
    for way in (path, path.turned_round()):
        carriageway = _Carriageway(network, furniture, way, style)
        _lay_out(rng, carriageway, int(rng.choice((2, 3))))
    return furniture.furnish(network)


def _line(rng: np.random.Generator) -> Path:
    """Straight where the ramps are; one or two long curves in between."""
    path = Path(0.0, 0.0, rng.uniform(-math.pi, math.pi))
    path.line(280.0)
    left, side = rng.uniform(750.0, 900.0), float(rng.choice((-1.0, 1.0)))
    for share in (0.5, 0.5) if rng.random() < 0.5 else (1.0,):
        bend, radius = share * left, rng.uniform(600.0, 1500.0)
        path.spiral(0.3 * bend, 0.0, side / radius)
        path.arc(0.4 * bend, side / radius)
        path.spiral(0.3 * bend, side / radius, 0.0)
        side = -side
    path.line(280.0)
    return path


def _lay_out(rng: np.random.Generator, way: "_Carriageway", lanes: int) -> None:
    """An on-ramp, what lies between, and an off-ramp: either one lane joins both, or each has its own."""
    entry, exit = rng.uniform(200.0, 240.0), way.path.length_m - rng.uniform(200.0, 240.0)
    way.stretch(entry, lanes, ending=True)
    way.join_ramp(lanes)
    if rng.random() < 0.3:
        way.stretch(exit, lanes, aux="driving")  # from ramp to ramp: traffic weaves
    else:
        way.stretch(entry + rng.uniform(200.0, 260.0), lanes, aux="entry")
        way.slide(lanes + 1, lanes)
        drop = lanes == 3 and rng.random() < 0.5
        if drop:
            way.stretch(way.at_m + 60.0, lanes)
            way.slide(lanes, lanes - 1)
            lanes -= 1
        way.stretch(exit - rng.uniform(140.0, 170.0) - _DIVERGE_M, lanes)
        way.slide(lanes, lanes + 1)
        way.stretch(exit, lanes, aux="exit")
    way.leave_ramp(lanes)


class _Carriageway:
    """One direction of travel, laid from its start to its end."""

    def __init__(self, network: RoadNetwork, furniture: Furniture, path: Path, style: _Style) -> None:
        self.network, self.furniture, self.path, self.style = network, furniture, path, style
        self.at_m = 0.0
        self._last = ""  # the stretch laid last
        self._link: RoadLink | None = None  # of the next stretch's start
        self._pending: list[Connection] = []  # of the junction in between, without the road that follows
        self._slide: tuple[int, int] | None = None
        self._ramp = ""  # joins where the next stretch starts

    def stretch(self, to_m: float, lanes: int, aux: str | None = None, ending: bool = False) -> None:
        """Lay the road up to `to_m` with main lanes and perhaps an auxiliary one, and join it to what came before."""
        path = self.path.part(self.at_m, to_m)
        nose = self._link is not None and self._slide is None and aux is None
        shoulder = _shoulder(self.style.shoulder_m, path.length_m, nose, ending)
        road = self._add(path, _lanes(self.style, lanes, aux, shoulder), None, self._link, None)
        if self._slide is not None:
            self._connect_slide(road)
        elif self._link is not None:
            self._connect_direct(road, lanes)
        if not self._last:
            self._limit(road, lanes)
        self.at_m, self._last, self._link, self._slide = to_m, road, None, None

    def slide(self, lanes_from: int, lanes_to: int) -> None:
        """A junction in which the outermost lane leaves its neighbour, or merges into it and gives way."""
        junction = self._open_junction()
        self._slide, self._link = (lanes_from, lanes_to), RoadLink("junction", junction, "")
        self._start_m = self.at_m
        self.at_m += _MERGE_M if lanes_from > lanes_to else _DIVERGE_M
        if lanes_from > lanes_to:
            road, t = self.network.roads[self._last], -self.style.inner_m(lanes_from) - self.style.shoulder_m - 0.6
            self.furniture.add_sign(road, "yield", road.length_m, t, True, (-1 - lanes_from,))

    def join_ramp(self, lanes: int) -> None:
        """An on-ramp ends here, beside the outermost lane."""
        junction = self._open_junction()
        start = self.path.beside(self.at_m, -self.style.inner_m(lanes))
        start.heading_rad += math.pi
        path = _ramp(start, self.style, 1.0).turned_round()
        lane = _ramp_lanes(self.style, "onRamp", path.length_m)
        link = RoadLink("junction", junction, "")
        self._ramp = self._add(path, lane, None, None, link, self.style.ramp_mps)
        self._link = link

    def leave_ramp(self, lanes: int) -> None:
        """An off-ramp begins here, in the auxiliary lane; the main lanes go on to the end of the map."""
        junction = self._open_junction()
        link, before = RoadLink("junction", junction, ""), self._last
        path = _ramp(self.path.beside(self.at_m, -self.style.inner_m(lanes)), self.style, -1.0)
        ramp = self._add(path, _ramp_lanes(self.style, "offRamp", path.length_m), None, link, None, self.style.ramp_mps)
        sign = -self.style.width_m - self.style.shoulder_m - 0.6
        self.furniture.add_sign(self.network.roads[ramp], "speed_limit", 30.0, sign, True, value=self.style.ramp_mps)
        self._link = link
        self.stretch(self.path.length_m, lanes)
        self.network.junctions[junction] += (Connection(before, ramp, "start", ((-2 - lanes, -1),)),)

    def _open_junction(self) -> str:
        junction = f"j{len(self.network.junctions)}"
        self.network.junctions[junction] = ()
        last = self.network.roads[self._last]
        self.network.roads[self._last] = replace(last, successor=RoadLink("junction", junction, ""))
        return junction

    def _connect_direct(self, road: str, lanes: int) -> None:
        assert self._link is not None
        links = tuple((id, id) for id in range(-2, -2 - lanes, -1))
        joined = [Connection(self._last, road, "start", links)]
        if self._ramp:
            joined.append(Connection(self._ramp, road, "start", ((-1, -2 - lanes),)))
            self._ramp = ""
        self.network.junctions[self._link.id] += tuple(joined)

    def _connect_slide(self, road: str) -> None:
        """The connecting roads: one for all lanes that go straight on, one for the lane that slides."""
        assert self._link is not None and self._slide is not None
        style, junction, before, (n, m) = self.style, self._link.id, self._last, self._slide
        path = self.path.part(self._start_m, self.at_m)
        ends = RoadLink("road", before, "end"), RoadLink("road", road, "start")
        through = self._add(path, _through_lanes(style, min(n, m), path.length_m, n > m), junction, *ends)
        extra = [
            Lane(-1, "driving", constant(style.width_m), None, (-1 - n,), (-1 - m,), (_solid("white"),)),
            Lane(-2, "shoulder", constant(style.shoulder_m), None, (-2 - n,), (-2 - m,)),
        ]
        sliding = self._add(path, extra, junction, *ends)
        offset = blend(-style.inner_m(n - 1), -style.inner_m(m - 1), path.length_m)
        self.network.roads[sliding] = replace(self.network.roads[sliding], lane_offset=offset)
        links = tuple((id, id) for id in range(-2, -2 - min(n, m), -1))
        self.network.junctions[junction] = (
            Connection(before, through, "start", links),
            Connection(before, sliding, "start", ((-1 - n, -1),)),
        )

    def _add(
        self,
        path: Path,
        lanes: list[Lane],
        junction: str | None,
        before: RoadLink | None,
        after: RoadLink | None,
        speed_mps: float | None = None,
    ) -> str:
        return lay_road(self.network, path, lanes, speed_mps or self.style.speed_mps, junction, before, after)

    def _limit(self, id: str, lanes: int) -> None:
        road, t = self.network.roads[id], -self.style.inner_m(lanes) - self.style.shoulder_m - 0.6
        self.furniture.add_sign(road, "speed_limit", 0.3 * road.length_m, t, True, value=self.style.speed_mps)


# --- Lanes ---


def _solid(color: str, s_m: float = 0.0) -> RoadMark:
    return RoadMark(s_m, "solid", color, (MarkLine(0.0, 0.15, 3.0, 0.0),))


def _broken(style: _Style, block: bool = False, s_m: float = 0.0) -> RoadMark:
    """The line between lanes; block marking beside lanes that begin or end."""
    line = MarkLine(0.0, 0.3, 6.0, 6.0) if block else MarkLine(0.0, 0.15, style.dash_m, style.gap_m)
    return RoadMark(s_m, "broken", "white", (line,))


def _lanes(style: _Style, lanes: int, aux: str | None, shoulder: Cubics) -> list[Lane]:
    """Median, main lanes, perhaps an auxiliary lane, shoulder."""
    found = [
        Lane(-1, "median", constant(style.median_m), marks=(_solid(style.color),)),
    ]
    for k in range(lanes):
        last = _broken(style, block=aux != "driving") if aux else _solid("white")
        marks = (_broken(style) if k < lanes - 1 else last,)
        found.append(Lane(-2 - k, "driving", constant(style.width_m), marks=marks))
    if aux:
        found.append(Lane(-2 - lanes, aux, constant(style.width_m), marks=(_solid("white"),)))
    found.append(Lane(found[-1].id - 1, "shoulder", shoulder))
    return found


def _through_lanes(style: _Style, lanes: int, length_m: float, merging: bool) -> list[Lane]:
    """What goes straight on where a lane slides; the line beside that lane ends (or starts) halfway."""
    found = _lanes(style, lanes, None, constant(0.0))[:-1]
    half, none = 0.5 * length_m, RoadMark(0.0, "none", "white", ())
    beside = (_broken(style, True), replace(none, s_offset_m=half)) if merging else (none, _broken(style, True, half))
    found[-1] = replace(found[-1], marks=beside)
    return [replace(lane, predecessors=(lane.id,), successors=(lane.id,)) for lane in found]


def _shoulder(width_m: float, length_m: float, growing: bool, ending: bool) -> Cubics:
    """The shoulder's width: nothing where it lies in the nose between a ramp and the carriageway."""
    start, nose = 0.25 * _NOSE_M, 0.75 * _NOSE_M
    if growing:
        rise = blend(0.0, width_m, nose).abcd[0]
        return Cubics(np.array([0.0, start, start + nose]), np.array([[0.0] * 4, rise, [width_m, 0.0, 0.0, 0.0]]))
    if ending:
        fall, at = blend(width_m, 0.0, nose).abcd[0], length_m - start - nose
        return Cubics(np.array([0.0, at, at + nose]), np.array([[width_m, 0.0, 0.0, 0.0], fall, [0.0] * 4]))
    return constant(width_m)


# --- Ramps ---


def _ramp_lanes(style: _Style, kind: str, length_m: float) -> list[Lane]:
    """A lane and a shoulder that is as wide as the carriageway's where the ramp meets it."""
    wide, narrow, over = style.shoulder_m, 1.5, 60.0
    if kind == "offRamp":
        start, rows = [0.0, over], [blend(wide, narrow, over).abcd[0], constant(narrow).abcd[0]]
    else:
        start, rows = [0.0, length_m - over], [constant(narrow).abcd[0], blend(narrow, wide, over).abcd[0]]
    narrowing = Cubics(np.array(start), np.array(rows))
    return [
        Lane(0, "none", constant(0.0), marks=(_solid("white"),)),
        Lane(-1, kind, constant(style.width_m), marks=(_solid("white"),)),
        Lane(-2, "shoulder", narrowing),
    ]


def _ramp(start: Path, style: _Style, side: float) -> Path:
    """Away from the carriageway: a clothoid that opens the nose gently, a bend, and a straight to the map's edge."""
    path, curvature = start.copy(), side / style.ramp_radius_m
    path.spiral(70.0, 0.0, curvature)
    path.arc(0.25 * style.ramp_radius_m, curvature)
    path.spiral(60.0, curvature, 0.0)
    path.line(70.0)
    return path
