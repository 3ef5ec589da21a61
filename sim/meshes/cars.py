"""Bodies of cars: a shell from bonnet to boot, two flanks with wheel arches, a face and a tail, in metres.

All patches meet in shared points. A seam between panels is drawn by shading: the anchor of a painted quad names the
nearest one, as (x of a seam across the car, y of one along it, height of the door handle before it).
"""

from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sim.meshes.car_shapes import CarShape
from sim.meshes.sculpt import Material, Mesh, Sculptor
from sim.meshes.wheels import wheel

_UPRIGHT_LAMP_M = 0.3  # taller tail lamps stand upright at the corners
_COLUMNS = np.array([-1.0, -0.82, -0.60, -0.30, 0.0, 0.30, 0.60, 0.82, 1.0])  # of face and tail, right to left
_ROUND = np.abs(_COLUMNS) ** 2.6  # how a rounded end falls back towards its corners
_RISE = np.array([0.0, 0.50, 0.80, 0.97, 1.0, 0.97, 0.80, 0.50, 0.0])  # of a bonnet from its edge to its middle
_SPAN = 0.055  # from the widest line of the flanks in to the belt
_SEAM_ONLY = 0.02  # height of a handle that is not there
_PAINT, _GLASS, _BLACK = Material.PAINT, Material.GLASS, Material.BLACK


class _Station(NamedTuple):
    """A row of nine points from the right belt over the top to the left belt, and what follows it."""

    points: np.ndarray
    side: Material  # of the side windows up to the next station
    top: Material
    rank: int  # levels of detail up to this one keep it


def _mirrored(half: list[tuple[float, float, float]]) -> np.ndarray:
    """Nine points from five, of which the last lies in the middle."""
    right = np.array(half)
    return np.concatenate([right, (right * (1.0, -1.0, 1.0))[-2::-1]])


class Body:
    """The points of one car's body at a level of detail."""

    def __init__(self, shape: CarShape, level: int) -> None:
        self.shape, self.level, self.half = shape, level, 0.5 * shape.width
        self.columns = [0, 2, 6, 8] if level else list(range(9))
        self.rows = [1, 3, 4] if level else list(range(5))
        # The ends are rounded no further than to the wheel arches.
        reach = shape.tyre + 0.16
        behind = shape.length - shape.overhang - shape.wheelbase
        self.nose_depth = min(shape.nose_depth, shape.overhang - reach - 0.10)
        self.tail_depth = min(shape.tail_depth, behind - reach - 0.08)
        self.stations = [s for s in self._stations() if s.rank >= level]
        for one, other in zip(self.stations[-2::-1], self.stations[:0:-1], strict=True):
            for column in (0, 1, 7, 8):  # the belt runs forward
                one.points[column, 0] = max(one.points[column, 0], other.points[column, 0] + 0.02)
        self.shell = np.array([s.points for s in self.stations])

    def x(self, d: float) -> float:
        """Of a distance from the front bumper."""
        return 0.5 * self.shape.length - d

    def belt(self, d: float) -> float:
        """Height of the windows' lower edge."""
        s = self.shape
        return s.belt_z + s.belt_rise * float(np.clip((d - s.cowl_d) / (s.length - s.cowl_d), 0.0, 1.0))

    def _lid(self, d: float, edge: float, middle: float, wide: float, bow: float) -> np.ndarray:
        """Points across bonnet or boot; `bow` is how far the corners fall back."""
        return np.stack([self.x(d) - bow * _ROUND, wide * _COLUMNS, edge + (middle - edge) * _RISE], 1)

    def _cabin(self, d: float, lean: float, roof: float, bow: float = 0.0) -> np.ndarray:
        """Points over the cabin; the belt lies `lean` behind the roof."""
        wide = self.half - _SPAN
        top = wide * self.shape.tumble
        half = [
            (self.x(d + lean), -wide, self.belt(d + lean)),
            (self.x(d + 0.1 * lean), -(top + 0.035), roof - 0.075),
            (self.x(d), -(top - 0.045), roof - 0.022),
            (self.x(d) + 0.7 * bow, -0.5 * top, roof + 0.004),
            (self.x(d) + bow, 0.0, roof + 0.012),
        ]
        return _mirrored(half)

    def _foot(self, d: float, middle: float, bow: float) -> np.ndarray:
        """Points at the foot of windscreen or rear window, whose middle lies `bow` ahead."""
        wide, edge = self.half - _SPAN, self.belt(d)
        shares = ((0.0, 0.0, 0.0), (0.05, 0.1, 0.25), (0.13, 0.3, 0.55))
        half = [(self.x(d) + b * bow, y - wide, edge + z * (middle - edge)) for y, b, z in shares]
        half += [(self.x(d) + 0.8 * bow, -0.5 * wide, middle - 0.008), (self.x(d) + bow, 0.0, middle)]
        return _mirrored(half)

    def _stations(self) -> list[_Station]:
        s = self.shape
        nose, tail, lift = 0.10, s.length - 0.05, s.cowl_z - s.nose_z
        edge = s.nose_z - 0.05
        rows = [_Station(self._lid(nose, edge, s.nose_z, 0.93 * self.half, self.nose_depth), _PAINT, _PAINT, 2)]
        for share, rise, bow in ((0.28, 0.46, 0.12), (0.66, 0.82, 0.05)):
            d = nose + share * (s.cowl_d - nose)
            side = edge + (s.belt_z - edge) * (0.25 + 0.75 * share)
            lid = self._lid(d, side, max(s.nose_z + rise * lift, side + 0.03), self.half - _SPAN + 0.01, bow)
            rows.append(_Station(lid, _PAINT, _PAINT, 0))
        rear = _GLASS if s.quarter and not s.blind else _PAINT
        middle = _PAINT if s.blind else _GLASS
        high, front = s.height - 0.012, s.roof_front_d
        b = min(s.b_pillar_d, s.roof_rear_d - 0.45)
        c = max(min(s.c_pillar_d, s.roof_rear_d - 0.2), b + 0.15)
        share = (c - b) / (s.roof_rear_d - b)
        at_c = high + (s.roof_rear_z - high) * share**2
        lean = min(0.14, 0.5 * (s.rear_base_d - s.roof_rear_d))
        pillar = _BLACK if s.quarter and not s.blind else _PAINT
        rows += [
            _Station(self._foot(s.cowl_d, s.cowl_z, 0.14), _GLASS, _GLASS, 2),
            _Station(
                self._cabin(front, -0.05, high - 0.04, 0.08), middle if self.level else _GLASS, _PAINT, 2
            ),
            _Station(self._cabin(front + 0.5 * (b - front), 0.0, high), _GLASS, _PAINT, 0),
            _Station(self._cabin(b, 0.0, high), _BLACK, _PAINT, 0),
            _Station(self._cabin(b + 0.09, 0.0, high), middle, _PAINT, 0),
            _Station(self._cabin(c, 0.7 * lean, at_c), pillar, _PAINT, 0),
            _Station(self._cabin(c + 0.10, 0.85 * lean, at_c + (s.roof_rear_z - at_c) * 0.3), rear, _PAINT, 0),
            _Station(self._cabin(s.roof_rear_d, lean, s.roof_rear_z, -0.05), _PAINT, _GLASS, 2),
            _Station(
                self._foot(s.rear_base_d, max(s.rear_base_z, self.belt(s.rear_base_d) + 0.01), -0.07),
                _PAINT, _BLACK if s.bed else _PAINT, 2,
            ),
            _Station(
                self._lid(tail, min(self.belt(tail), s.tail_z) - 0.02, s.tail_z, 0.94 * self.half, -self.tail_depth),
                _PAINT, _PAINT, 2,
            ),
        ]  # fmt: skip
        return rows

    @cached_property
    def face(self) -> np.ndarray:
        return self._end(self.shell[0], 1.0, self.nose_depth, self.shape.lamp_h, (0.10, 0.03, 0.0, 0.035))

    @cached_property
    def tail(self) -> np.ndarray:
        s = self.shape
        return self._end(self.shell[-1], -1.0, self.tail_depth, s.tail_lamp_h, (0.08, 0.02, 0.0, 0.02))

    def _end(self, top: np.ndarray, sign: float, depth: float, lamp: float, insets: tuple) -> np.ndarray:
        """Points (5, 9, 3) of face or tail: lip, skirt, bumper, foot of the lamps, and the shell's end."""
        low, line = self.shape.clearance + 0.03, float(top[0, 2]) - lamp
        heights = (low, low + 0.13, low + 0.6 * (line - low), line)
        rows = []
        for z, inset in zip(heights, insets, strict=True):
            x = sign * (0.5 * self.shape.length - inset - depth * _ROUND)
            wide = (0.93 if z == low else 0.97) * self.half
            rows.append(np.stack([x, wide * _COLUMNS, np.full(9, z)], 1))
        return np.array([*rows, top])

    # ------------------------------------------------------------------------------------------------------- flanks

    @cached_property
    def axles(self) -> tuple[float, float]:
        s = self.shape
        return self.x(s.overhang), self.x(s.overhang + s.wheelbase)

    @cached_property
    def seams(self) -> list[tuple[float, float]]:
        """(x, height of the handle before it) of the doors' edges, front to rear."""
        s = self.shape
        arch = s.overhang + s.wheelbase - s.tyre - 0.09
        handle = self.belt(s.b_pillar_d) - 0.12
        edges = [(self.x(max(s.cowl_d + 0.12, s.overhang + s.tyre + 0.1)), _SEAM_ONLY)]
        edges.append((self.x(s.b_pillar_d + 0.05), handle))
        if s.doors == 4:
            edges.append((self.x(min(s.c_pillar_d + 0.08, arch)), handle + 0.02))
        return edges

    def flank(self) -> np.ndarray:
        """Points (5, A, 3) of the left flank, front to rear."""
        ends = self.face[:, -1], self.tail[:, -1]
        if self.level:
            xs = np.array([(x, 0.0) for x in self.shell[1:-1, 0, 0]])
        else:
            edges = [x for x, _ in self.seams]
            between = [(0.5 * (p + q), 0.0) for p, q in pairwise(edges)]
            arches = [self._arch(axle) for axle in self.axles]
            rear = [(x, 0.0) for x in self.shell[-3:-1, -1, 0] if x < arches[1][-1][0] - 0.02]
            xs = np.array([*arches[0], *between, *arches[1], *rear])
        outline = self.shell[:, -1][::-1]
        inward = np.array([0.09, 0.022, 0.0, 0.008])
        columns = [ends[0]]
        for x, lowest in xs:
            share = (ends[0][:4, 0] - x) / (ends[0][:4, 0] - ends[1][:4, 0])
            z = ends[0][:4, 2] + share * (ends[1][:4, 2] - ends[0][:4, 2])
            belt = [np.interp(x, outline[:, 0], outline[:, k]) for k in (1, 2)]
            side = np.stack([np.full(4, x), self.half - inward, np.maximum(z, lowest)], 1)
            # A narrow lip over the belt hides that the shell's points lie elsewhere along it.
            columns.append(np.array([*side, (x, belt[0] + 0.006, belt[1] + 0.012)]))
        return np.stack([*columns, ends[1]], axis=1)

    def _arch(self, axle: float) -> list[tuple[float, float]]:
        """(x, height) along a wheel's arch, front to rear, from the sill up and back down to it."""
        turn, reach = np.linspace(0.0, np.pi, 7), self.shape.tyre + 0.06
        curve = [(axle + reach * np.cos(t), self.shape.tyre + reach * np.sin(t)) for t in turn]
        return [(curve[0][0], 0.0), *curve, (curve[-1][0], 0.0)]


def _add_shell(sculptor: Sculptor, body: Body) -> None:
    points = body.shell[:, body.columns]
    quads = points.shape[1] - 1
    rail = 2 if body.level == 0 else 1  # first column of the top
    material = np.full((len(points) - 1, quads), int(_PAINT))
    anchor = np.zeros((len(points) - 1, quads, 3))
    for i, station in enumerate(body.stations[:-1]):
        material[i, rail : quads - rail] = station.top
        material[i, [0, quads - 1]] = station.side
        lid = station.top == _PAINT and (i < 2 or i == len(points) - 2)
        if lid and body.level == 0:
            anchor[i] = (0.0, 0.80 * body.half, _SEAM_ONLY)
    sculptor.grid(points, material, anchor)


def _add_end(sculptor: Sculptor, body: Body, front: bool) -> None:
    """Lamps in the upper corners, the grille between them or below, black skirts."""
    s, points = body.shape, body.face if front else body.tail
    material, anchor = np.full((4, 8), int(_PAINT)), np.zeros((4, 8, 3))
    wide = 1 if not front and s.tail_lamp_h > _UPRIGHT_LAMP_M else 2  # columns
    for first in (0, 8 - wide):
        material[3, first : first + wide] = Material.HEAD_LAMP if front else Material.TAIL_LAMP
        anchor[3, first : first + wide] = points[3:5, first : first + wide + 1].reshape(-1, 3).mean(axis=0)
    material[0] = _BLACK
    if s.cladding:
        material[1] = _BLACK
    if front:
        material[0, 1:7] = Material.GRILLE
        material[2 if s.grille_tall else 3, 2:6] = Material.GRILLE
        if s.grille_tall:
            material[3, 2:6] = Material.GRILLE
    rows, columns = body.rows, body.columns
    grid = points[np.ix_(rows, columns)]
    material, anchor = material[np.ix_(rows[:-1], columns[:-1])], anchor[np.ix_(rows[:-1], columns[:-1])]
    if front:
        sculptor.grid(grid, material, anchor)
    else:
        sculptor.grid(grid[:, ::-1], material[:, ::-1], anchor[:, ::-1])
    low, high = points[1, 4], points[2, 4]
    z = (
        float(0.5 * (low[2] + high[2]))
        if front or s.tail_lamp_h > 0.3
        else float(0.5 * (points[3, 4, 2] + points[4, 4, 2]))
    )
    plate(sculptor, 1.0 if front else -1.0, 0.5 * s.length + 0.004, z)


def plate(sculptor: Sculptor, sign: float, x: float, z: float, wide: float = 0.26) -> None:
    """A number plate that faces forward (sign 1) or backward (-1) at a distance x from the middle."""
    a, b = (-wide, wide) if sign > 0 else (wide, -wide)
    x = sign * x
    corners = ((x, a, z - 0.057), (x, b, z - 0.057), (x, b, z + 0.057), (x, a, z + 0.057))
    sculptor.quad(*corners, Material.NUMBER_PLATE)


def _add_flanks(sculptor: Sculptor, body: Body) -> None:
    points = body.flank()[body.rows if body.level == 0 else [1, 4]]
    shape = (points.shape[0] - 1, points.shape[1] - 1)
    material, anchor = np.full(shape, int(_PAINT)), np.zeros((*shape, 3))
    if body.level == 0:
        material[: 2 if body.shape.cladding else 1] = _BLACK
        middles = 0.5 * (points[2, :-1, 0] + points[2, 1:, 0])
        halves = 0.5 * np.abs(np.diff(points[2, :, 0])) + 0.24
        for x, handle in body.seams:
            anchor[:, np.abs(middles - x) < halves] = (x, body.half, handle)
    sculptor.grid(points, material, anchor)
    sculptor.grid((points * (1.0, -1.0, 1.0))[:, ::-1], material[:, ::-1], anchor[:, ::-1])


def _add_running_gear(sculptor: Sculptor, body: Body) -> None:
    """Wheels, the dark inside of their arches, and the floor."""
    s, half = body.shape, body.half
    out = half - 0.025 if body.level == 0 else half + 0.004
    for axle in body.axles:
        for side in (1.0, -1.0):
            wheel(sculptor, (axle, side * out, s.tyre), s.tyre, 0.21, body.level)
    deep = half - (0.06 if body.level else 0.31)
    low, high = (
        (-0.5 * s.length + 0.3, -deep, s.clearance),
        (0.5 * s.length - 0.4, deep, min(2.0 * s.tyre, s.nose_z - 0.12)),
    )
    sculptor.box(low, high, Material.DARK)
    if body.level:
        return
    for axle in body.axles:
        arch = np.array(body._arch(axle)[1:-1])
        for side in (1.0, -1.0):
            edge = np.stack([arch[:, 0], np.full(len(arch), side * (half - 0.01)), arch[:, 1]], 1)
            inner = edge * (1.0, 0.0, 1.0) + (0.0, side * deep, 0.0)
            rows = np.array([inner, edge]) if side > 0 else np.array([edge, inner])
            sculptor.grid(rows[:, ::-1], np.full((1, len(arch) - 1), int(Material.DARK)))


def _add_extras(sculptor: Sculptor, body: Body) -> None:
    """Mirrors, roof rails, spoiler."""
    s, half = body.shape, body.half
    x, z = body.x(s.cowl_d + 0.40), body.belt(s.cowl_d) + 0.03
    for side in (1.0, -1.0):
        inner, outer = sorted((side * (half - 0.14), side * (half + 0.045)))
        sculptor.box((x - 0.05, inner, z), (x + 0.07, outer, z + 0.13), _BLACK if s.cladding else _PAINT)
    if s.rails:
        y = (half - _SPAN) * s.tumble - 0.05
        ends = body.x(s.roof_front_d + 0.15), body.x(s.roof_rear_d - 0.1)
        for side in (1.0, -1.0):
            low, high = (ends[1], side * y - 0.02, s.roof_rear_z - 0.01), (ends[0], side * y + 0.02, s.height + 0.03)
            sculptor.box(low, high, Material.CHROME)
    if s.spoiler:
        d, z, wide = (s.roof_rear_d, s.roof_rear_z, (half - _SPAN) * s.tumble - 0.05)
        if s.rear_base_d - s.roof_rear_d > 0.5:
            d, z, wide = s.length - 0.16, s.tail_z, 0.7 * half
        sculptor.box((body.x(d + 0.14), -wide, z - 0.02), (body.x(d - 0.06), wide, z + 0.022), _PAINT)
        if s.rear_base_d - s.roof_rear_d <= 0.5:
            x = body.x(d + 0.144)
            corners = [(x, y, z + h) for y, h in ((0.2, -0.015), (-0.2, -0.015), (-0.2, 0.012), (0.2, 0.012))]
            sculptor.cap(np.array(corners), Material.TAIL_LAMP)


def _far(body: Body) -> Mesh:
    """A car a few pixels wide: lower body, cabin, dark wheels, lamps."""
    sculptor, s = Sculptor(), body.shape
    nose, cowl, front, rear, base, tail = body.shell[:, [0, 2, 6, 8]]
    low = s.clearance + 0.03
    floor = [np.array([p[0], p[1], low]) for p in (nose[3], tail[3])]
    side = [floor[0], nose[3], cowl[3], base[3], tail[3], floor[1]]
    for flip in (1.0, -1.0):
        ring = np.array(side)[::-1] * (1.0, flip, 1.0)
        sculptor.cap(ring if flip > 0 else ring[::-1], _PAINT)
        window = np.array([cowl[3], front[2], rear[2], base[3]])[::-1] * (1.0, flip, 1.0)
        sculptor.cap(window if flip > 0 else window[::-1], _PAINT if s.blind else _GLASS)
        for axle in body.axles:
            y, r = flip * (body.half + 0.004), s.tyre
            square = np.array([(axle + r, y, 0.0), (axle - r, y, 0.0), (axle - r, y, 2.0 * r), (axle + r, y, 2.0 * r)])
            sculptor.cap(square if flip > 0 else square[::-1], Material.TYRE)
    edges = np.array([nose[[0, 3]], cowl[[0, 3]], front[[1, 2]], rear[[1, 2]], base[[0, 3]], tail[[0, 3]]])
    sculptor.grid(edges, np.array([[int(m)] for m in (_PAINT, _GLASS, _PAINT, _GLASS, _PAINT)]))
    for end, corner, lamp in ((nose, floor[0], Material.HEAD_LAMP), (tail, floor[1], Material.TAIL_LAMP)):
        line = 0.65 * end[0][2] + 0.35 * low
        low_right, low_left = corner * (1.0, -1.0, 1.0), corner
        mid_right, mid_left = (np.array([end[k][0], end[k][1], line]) for k in (0, 3))
        rows = np.array([[low_right, low_left], [mid_right, mid_left], [end[0], end[3]]])
        rows = rows if end is nose else rows[:, ::-1]
        sculptor.grid(rows, np.array([[int(_PAINT)], [int(lamp)]]))
    return sculptor.mesh()


def car(shape: CarShape, level: int) -> Mesh:
    """A car at a level of detail."""
    body = Body(shape, level)
    if level == 2:
        return _far(body)
    sculptor = Sculptor()
    _add_shell(sculptor, body)
    for front in (True, False):
        _add_end(sculptor, body, front)
    _add_flanks(sculptor, body)
    _add_running_gear(sculptor, body)
    if level == 0:
        _add_extras(sculptor, body)
    return sculptor.mesh()
