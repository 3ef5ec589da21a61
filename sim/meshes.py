"""Triangle meshes of vehicles, people, trees, buildings and roadside furniture, built from a few profiles.

Each mesh is authored in metres (x forward, y left, z up, standing on z = 0) and stored scaled into the unit box
x, y in [-1/2, 1/2], z in [0, 1]: an instance's size then *is* its 3-D box, and labels stay exact. Every model has two
levels of detail. A person has one model per phase of the stride; all phases share one scale.
"""

import functools
import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from sim.types import Semantic

LEVELS = 2
WALK_PHASES = 8
STRIDE_M = 1.5  # both steps of a walking cycle
SMOOTH_COS = 0.75  # corners between faces that meet flatter than this share a normal


class Material(IntEnum):
    """How a triangle is coloured; the shading kernel knows these numbers."""

    PAINT = 0
    GLASS = 1
    TYRE = 2
    RIM = 3
    DARK = 4
    HEAD_LAMP = 5
    TAIL_LAMP = 6
    PLATE = 7
    CARGO = 8
    SKIN = 9
    HAIR = 10
    SHIRT = 11
    TROUSERS = 12
    FOLIAGE = 13
    BARK = 14
    FACADE = 15
    ROOF = 16
    CONCRETE = 17
    METAL = 18
    LANTERN = 19
    REFLECTOR = 20


class Model(IntEnum):
    """The models of the library; `Model.PERSON` is the first of WALK_PHASES."""

    SALOON = 0
    HATCHBACK = 1
    SUV = 2
    VAN = 3
    TRUCK = 4
    BUS = 5
    PERSON = 6
    BROADLEAF = 14
    CONIFER = 15
    POPLAR = 16
    BUSH = 17
    BLOCK = 18
    GABLED = 19
    HIPPED = 20
    LAMP_POST = 21
    GUARD_RAIL = 22
    DELINEATOR = 23


MODELS = 24
_SEMANTIC = {
    Model.BROADLEAF: Semantic.VEGETATION,
    Model.CONIFER: Semantic.VEGETATION,
    Model.POPLAR: Semantic.VEGETATION,
    Model.BUSH: Semantic.VEGETATION,
    Model.BLOCK: Semantic.BUILDING,
    Model.GABLED: Semantic.BUILDING,
    Model.HIPPED: Semantic.BUILDING,
    Model.LAMP_POST: Semantic.POLE,
    Model.GUARD_RAIL: Semantic.WALL,
    Model.DELINEATOR: Semantic.POLE,
}


@dataclass(frozen=True)
class Mesh:
    """Triangles in metres: corners (T, 3, 3) counter-clockwise seen from outside, materials (T,)."""

    corners_m: np.ndarray
    material: np.ndarray


@dataclass(frozen=True)
class MeshLibrary:
    """All models, flat: `count[model, level]` triangles from `first[model, level]` on."""

    corner: np.ndarray  # (T, 3, 3) float32 in the unit box
    normal: np.ndarray  # (T, 3, 3) float32 corner normals of the unit box; divide by the size to get the real direction
    material: np.ndarray  # (T,) int32
    first: np.ndarray  # (MODELS, LEVELS) int32
    count: np.ndarray  # (MODELS, LEVELS) int32
    semantic: np.ndarray  # (MODELS,) int32, 0 for actors


class Sculptor:
    """Collects triangles with materials."""

    def __init__(self) -> None:
        self._corners: list[np.ndarray] = []
        self._material: list[np.ndarray] = []

    def add(self, corners_m: np.ndarray, material: Material | np.ndarray) -> None:
        """Triangles (T, 3, 3); those without area are dropped."""
        corners_m = np.asarray(corners_m, dtype=np.float64).reshape(-1, 3, 3)
        area = np.linalg.norm(np.cross(corners_m[:, 1] - corners_m[:, 0], corners_m[:, 2] - corners_m[:, 0]), axis=1)
        materials = np.broadcast_to(np.asarray(material, dtype=np.int32), len(corners_m))
        self._corners.append(corners_m[area > 1e-7])
        self._material.append(materials[area > 1e-7])

    def quad(self, a: tuple, b: tuple, c: tuple, d: tuple, material: Material) -> None:
        """A flat quad, counter-clockwise seen from outside."""
        self.add(np.array([[a, b, c], [a, c, d]]), material)

    def box(self, low: tuple, high: tuple, material: Material) -> None:
        """An axis-aligned box from its lowest to its highest corner."""
        ring = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
        base = [(x, y, low[2]) for x, y in ring]
        top = [(x, y, high[2]) for x, y in ring]
        self.loft(np.array([base, top]), np.array([[material] * 4]))
        self.cap(np.array(top), material)
        self.cap(np.array(base[::-1]), material)

    def cap(self, ring: np.ndarray, material: Material) -> None:
        """A convex polygon (P, 3), counter-clockwise seen from outside."""
        self.add(np.array([[ring[0], ring[i], ring[i + 1]] for i in range(1, len(ring) - 1)]), material)

    def loft(self, rings: np.ndarray, material: np.ndarray) -> None:
        """Skin between closed rings (R, P, 3); a ring turns counter-clockwise about the direction to the next one.

        `material` is (R - 1, P): of the quads that start at each ring's points.
        """
        a, d = rings[:-1], rings[1:]
        b, c = np.roll(a, -1, axis=1), np.roll(d, -1, axis=1)
        quads = np.stack([np.stack([a, b, c], 2), np.stack([a, c, d], 2)], 2)
        self.add(quads.reshape(-1, 3, 3), np.repeat(material.reshape(-1), 2))

    def tube(self, start: tuple, end: tuple, radius: tuple[float, float], sides: int, material: Material) -> None:
        """A closed prism with `sides` sides between two points, of one radius at each end."""
        start_m, end_m = np.array(start, dtype=float), np.array(end, dtype=float)
        axis = (end_m - start_m) / np.linalg.norm(end_m - start_m)
        helper = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.8 else np.array([0.0, 1.0, 0.0])
        u = np.cross(axis, helper)
        u /= np.linalg.norm(u)
        v = np.cross(axis, u)
        turn = np.arange(sides) * 2.0 * np.pi / sides + np.pi / sides
        circle = np.cos(turn)[:, None] * u + np.sin(turn)[:, None] * v
        rings = np.array([start_m + radius[0] * circle, end_m + radius[1] * circle])
        self.loft(rings, np.full((1, sides), material))
        self.cap(rings[1], material)
        self.cap(rings[0][::-1], material)

    def mesh(self) -> Mesh:
        return Mesh(np.concatenate(self._corners), np.concatenate(self._material))


def corner_normals(corners_m: np.ndarray) -> np.ndarray:
    """Unit normals (T, 3, 3): a corner averages the faces around its point that lie within the smoothing angle."""
    face = np.cross(corners_m[:, 1] - corners_m[:, 0], corners_m[:, 2] - corners_m[:, 0])
    unit = face / np.linalg.norm(face, axis=1, keepdims=True)
    points, owner = np.unique(np.round(corners_m.reshape(-1, 3), 4), axis=0, return_inverse=True)
    owner = owner.reshape(-1)
    triangle = np.repeat(np.arange(len(corners_m)), 3)
    normals = np.repeat(unit, 3, axis=0)
    for point in range(len(points)):
        at = np.flatnonzero(owner == point)
        near = unit[triangle[at]] @ unit[triangle[at]].T > SMOOTH_COS
        normals[at] = near @ face[triangle[at]]
    return (normals / np.linalg.norm(normals, axis=1, keepdims=True)).reshape(-1, 3, 3)


# ---------------------------------------------------------------------------------------------------------------- cars

# A station of a body: x, then heights of bottom, belt line and top, then half-widths at bottom, belt and top, in
# metres, then whether the part of the glasshouse behind it (to the next station) is a pillar.
_SALOON = [
    (2.35, 0.28, 0.58, 0.62, 0.66, 0.70, 0.58, 0),
    (2.18, 0.22, 0.68, 0.72, 0.84, 0.85, 0.70, 0),
    (1.45, 0.20, 0.82, 0.88, 0.90, 0.91, 0.76, 0),
    (0.80, 0.20, 0.90, 0.97, 0.91, 0.91, 0.74, 0),
    (0.02, 0.20, 0.93, 1.39, 0.91, 0.91, 0.60, 0),
    (-0.46, 0.20, 0.94, 1.43, 0.91, 0.91, 0.60, 1),
    (-0.56, 0.20, 0.94, 1.43, 0.91, 0.91, 0.60, 0),
    (-1.15, 0.20, 0.96, 1.38, 0.91, 0.91, 0.58, 0),
    (-1.78, 0.22, 0.99, 1.07, 0.90, 0.90, 0.70, 0),
    (-2.22, 0.26, 0.98, 1.04, 0.86, 0.87, 0.70, 0),
    (-2.35, 0.32, 0.86, 0.92, 0.76, 0.79, 0.64, 0),
]
_HATCHBACK = [
    (2.05, 0.28, 0.60, 0.64, 0.62, 0.67, 0.55, 0),
    (1.90, 0.22, 0.70, 0.75, 0.80, 0.82, 0.66, 0),
    (1.30, 0.20, 0.84, 0.91, 0.86, 0.88, 0.72, 0),
    (0.85, 0.20, 0.92, 1.00, 0.88, 0.88, 0.72, 0),
    (0.15, 0.20, 0.95, 1.44, 0.88, 0.88, 0.60, 0),
    (-0.40, 0.20, 0.97, 1.48, 0.88, 0.88, 0.60, 1),
    (-0.50, 0.20, 0.97, 1.48, 0.88, 0.88, 0.60, 0),
    (-1.30, 0.20, 1.00, 1.45, 0.88, 0.88, 0.58, 1),
    (-1.62, 0.22, 1.02, 1.40, 0.87, 0.87, 0.56, 0),
    (-1.98, 0.26, 0.98, 1.03, 0.82, 0.84, 0.70, 0),
    (-2.05, 0.32, 0.80, 0.84, 0.74, 0.77, 0.64, 0),
]
_SUV = [
    (2.30, 0.36, 0.74, 0.80, 0.70, 0.76, 0.64, 0),
    (2.14, 0.28, 0.86, 0.93, 0.88, 0.90, 0.74, 0),
    (1.40, 0.26, 1.00, 1.08, 0.93, 0.94, 0.78, 0),
    (0.90, 0.26, 1.06, 1.14, 0.94, 0.94, 0.77, 0),
    (0.28, 0.26, 1.09, 1.64, 0.94, 0.94, 0.66, 0),
    (-0.35, 0.26, 1.10, 1.69, 0.94, 0.94, 0.66, 1),
    (-0.46, 0.26, 1.10, 1.69, 0.94, 0.94, 0.66, 0),
    (-1.40, 0.26, 1.12, 1.67, 0.94, 0.94, 0.65, 1),
    (-1.52, 0.26, 1.12, 1.67, 0.94, 0.94, 0.65, 0),
    (-2.00, 0.30, 1.14, 1.60, 0.92, 0.92, 0.62, 0),
    (-2.28, 0.36, 1.06, 1.12, 0.86, 0.89, 0.76, 0),
    (-2.32, 0.42, 0.86, 0.92, 0.80, 0.84, 0.74, 0),
]
_VAN = [
    (2.45, 0.34, 0.78, 0.84, 0.74, 0.80, 0.68, 0),
    (2.30, 0.28, 0.94, 1.02, 0.90, 0.92, 0.78, 0),
    (1.80, 0.26, 1.10, 1.20, 0.96, 0.97, 0.84, 0),
    (1.05, 0.26, 1.18, 1.86, 0.97, 0.97, 0.80, 0),
    (0.30, 0.26, 1.18, 1.96, 0.97, 0.97, 0.82, 1),
    (-0.90, 0.26, 1.18, 1.98, 0.97, 0.97, 0.83, 1),
    (-2.10, 0.26, 1.18, 1.97, 0.97, 0.97, 0.83, 1),
    (-2.38, 0.30, 1.18, 1.94, 0.95, 0.95, 0.82, 1),
    (-2.45, 0.36, 1.14, 1.88, 0.90, 0.92, 0.80, 0),
]
_CROWN_M = 0.03


def _station_ring(station: tuple, coarse: bool) -> np.ndarray:
    """Right side up, over the roof and down the left: counter-clockwise about -x, the direction to the next station."""
    x, bottom, belt, top, wide_bottom, wide_belt, wide_top, _ = station
    half = [
        (wide_bottom * 0.90, bottom),
        (wide_bottom, bottom + 0.10),
        (wide_belt, 0.5 * (bottom + belt)),
        (wide_belt * 0.985, belt),
        (wide_top, top),
        (0.5 * wide_top, top + _CROWN_M),
    ]
    if coarse:
        half = [half[0], half[2], half[3], (wide_top, top + 0.5 * _CROWN_M)]
    right = [(x, -y, z) for y, z in half]
    left = [(x, y, z) for y, z in reversed(half)]
    return np.array(right + left)


def _body(sculptor: Sculptor, stations: list[tuple], coarse: bool) -> None:
    """Loft a car body; bands above the belt line are glass where there is a glasshouse, pillars aside."""
    if coarse:
        stations = [s for s in stations if not s[7] or s is stations[-1]]
    rings = np.array([_station_ring(s, coarse) for s in stations])
    points = rings.shape[1]
    belt = 2 if coarse else 3
    material = np.full((len(stations) - 1, points), int(Material.PAINT))
    material[:, points - 1] = Material.DARK
    cabin = [s[3] - s[2] > 0.25 for s in stations]
    for i in range(len(stations) - 1):
        if cabin[i] != cabin[i + 1]:  # windscreen or rear window
            material[i, belt : points - 1 - belt] = Material.GLASS
        elif cabin[i] and not stations[i][7]:
            material[i, [belt, points - 2 - belt]] = Material.GLASS
    sculptor.loft(rings, material)
    sculptor.cap(rings[0][::-1], Material.PAINT)
    sculptor.cap(rings[-1], Material.PAINT)


def _wheel(sculptor: Sculptor, center: tuple[float, float], side: float, radius: float, coarse: bool) -> None:
    """A wheel's tread and outer face, and the dark arch behind it; `side` is the signed y of the outer face."""
    x, y = center[0], side
    sides = 6 if coarse else 10
    turn = np.arange(sides) * 2.0 * np.pi / sides * np.sign(side)
    outer = np.stack([x + radius * np.cos(turn), np.full(sides, y), radius + radius * np.sin(turn)], 1)[::-1]
    inner = outer - np.array([0.0, 0.24 * np.sign(side), 0.0])
    sculptor.loft(np.array([inner, outer]), np.full((1, sides), Material.TYRE))
    hub = np.array([x, y, radius])
    rim = hub + 0.62 * (outer - hub)
    if coarse:
        sculptor.cap(outer, Material.TYRE)
        return
    sculptor.loft(np.array([outer, rim]), np.full((1, sides), Material.TYRE))
    sculptor.cap(rim, Material.RIM)
    arch = np.linspace(0.0, np.pi, 7) if side > 0 else np.linspace(np.pi, 0.0, 7)
    wide = radius + 0.08
    fan = np.stack([x + wide * np.cos(arch), np.full(7, y - 0.006 * np.sign(side)), radius + wide * np.sin(arch)], 1)
    sculptor.cap(fan[::-1], Material.DARK)


def _plate_quad(
    sculptor: Sculptor, x: float, y: tuple[float, float], z: tuple[float, float], material: Material
) -> None:
    """An upright quad across the car that faces forward (x > 0) or backward."""
    left, right = (y[0], y[1]) if x > 0 else (y[1], y[0])
    sculptor.quad((x, left, z[0]), (x, right, z[0]), (x, right, z[1]), (x, left, z[1]), material)


def _fittings(sculptor: Sculptor, ends: tuple[float, float], half_width: float, z_lamp: float, coarse: bool) -> None:
    """Lamps, grille, number plates and bumpers at the front (x = ends[0]) and rear (x = ends[1])."""
    front, rear = ends
    inset = 0.74 * half_width
    for y in (inset, -inset):
        if coarse:
            _plate_quad(sculptor, front, (y - 0.17, y + 0.17), (z_lamp - 0.08, z_lamp + 0.08), Material.HEAD_LAMP)
            _plate_quad(sculptor, rear, (y - 0.15, y + 0.15), (z_lamp + 0.02, z_lamp + 0.2), Material.TAIL_LAMP)
        else:
            low, high = (front - 0.28, y - 0.17, z_lamp - 0.07), (front, y + 0.17, z_lamp + 0.06)
            sculptor.box(low, high, Material.HEAD_LAMP)
            sculptor.box((rear, y - 0.16, z_lamp + 0.02), (rear + 0.2, y + 0.16, z_lamp + 0.18), Material.TAIL_LAMP)
    _plate_quad(
        sculptor, front - 0.001, (-0.5 * half_width, 0.5 * half_width), (z_lamp - 0.24, z_lamp - 0.02), Material.DARK
    )
    _plate_quad(sculptor, front, (-0.26, 0.26), (z_lamp - 0.26, z_lamp - 0.14), Material.PLATE)
    _plate_quad(sculptor, rear, (-0.26, 0.26), (z_lamp + 0.02, z_lamp + 0.14), Material.PLATE)
    wide = 0.86 * half_width
    _plate_quad(sculptor, rear + 0.002, (-wide, wide), (z_lamp - 0.32, z_lamp - 0.14), Material.DARK)


def _car(stations: list[tuple], axles: tuple[float, float], radius: float, level: int) -> Mesh:
    coarse = level > 0
    sculptor = Sculptor()
    _body(sculptor, stations, coarse)
    half_width = max(s[5] for s in stations)
    for x in axles:
        for side in (half_width + 0.012, -half_width - 0.012):
            _wheel(sculptor, (x, 0.0), side, radius, coarse)
    ends = (stations[0][0] + 0.02, stations[-1][0] - 0.02)
    _fittings(sculptor, ends, half_width, stations[0][2] + 0.02, coarse)
    if not coarse:
        cowl = next(i for i, s in enumerate(stations) if s[3] - s[2] > 0.25) - 1
        x, z = stations[cowl][0] - 0.25, stations[cowl][2] + 0.02
        for y in (half_width - 0.16, -half_width):
            sculptor.box((x - 0.1, y, z), (x + 0.06, y + 0.16, z + 0.13), Material.DARK)
    return sculptor.mesh()


def _truck(level: int) -> Mesh:
    """A rigid box truck: cab, cargo box, chassis, three axles."""
    sculptor, coarse = Sculptor(), level > 0
    cab = [
        (4.20, 0.55, 1.35, 1.40, 1.12, 1.16, 1.12, 0),
        (4.02, 0.50, 1.38, 2.55, 1.20, 1.20, 1.10, 0),
        (3.30, 0.50, 1.38, 2.75, 1.20, 1.20, 1.12, 0),
        (2.75, 0.50, 1.38, 2.80, 1.20, 1.20, 1.12, 1),
        (2.45, 0.50, 1.38, 2.80, 1.20, 1.20, 1.12, 0),
    ]
    _body(sculptor, cab, False)
    sculptor.box((-4.2, -1.25, 1.05), (2.35, 1.25, 3.35), Material.CARGO)
    sculptor.box((-4.1, -0.55, 0.55), (2.5, 0.55, 1.05), Material.DARK)
    if not coarse:
        for y in (-1.22, 1.19):
            sculptor.box((-1.7, y, 0.45), (1.5, y + 0.03, 0.95), Material.METAL)
    for x in (3.15, -1.9, -3.1):
        for side in (1.235, -1.235):
            _wheel(sculptor, (x, 0.0), side, 0.5, coarse)
    _plate_quad(sculptor, 4.212, (-0.7, 0.7), (0.85, 1.25), Material.DARK)
    for y in (0.9, -0.9):
        _plate_quad(sculptor, 4.214, (y - 0.2, y + 0.2), (0.65, 0.85), Material.HEAD_LAMP)
        _plate_quad(sculptor, -4.205, (y - 0.2, y + 0.2), (0.72, 0.95), Material.TAIL_LAMP)
    _plate_quad(sculptor, -4.205, (-0.26, 0.26), (0.75, 0.9), Material.PLATE)
    _plate_quad(sculptor, -4.206, (-1.2, 1.2), (0.5, 0.7), Material.METAL)
    return sculptor.mesh()


def _bus(level: int) -> Mesh:
    """A city bus: one long window band with pillars, flat front and rear."""
    sculptor, coarse = Sculptor(), level > 0
    doors = np.linspace(5.5, -5.4, 4 if coarse else 8)
    stations = [(5.98, 0.35, 1.0, 1.05, 1.18, 1.20, 1.12, 0), (5.9, 0.32, 1.02, 2.75, 1.24, 1.25, 1.12, 0)]
    for x in doors:
        stations.append((x + 0.12, 0.32, 1.15, 3.02, 1.25, 1.25, 1.16, 1))
        stations.append((x, 0.32, 1.15, 3.02, 1.25, 1.25, 1.16, 0))
    stations += [(-5.85, 0.35, 1.2, 2.95, 1.22, 1.24, 1.12, 1), (-5.98, 0.4, 1.2, 2.85, 1.18, 1.2, 1.08, 0)]
    if coarse:
        stations = [(*s[:7], 0) for s in stations if not s[7]]
    _body(sculptor, stations, False)
    for x in (3.3, -3.0):
        for side in (1.265, -1.265):
            _wheel(sculptor, (x, 0.0), side, 0.48, coarse)
    _plate_quad(sculptor, 6.0, (-0.9, 0.9), (0.42, 0.62), Material.DARK)
    for y in (0.95, -0.95):
        _plate_quad(sculptor, 6.0, (y - 0.18, y + 0.18), (0.7, 0.9), Material.HEAD_LAMP)
        _plate_quad(sculptor, -6.0, (y - 0.14, y + 0.14), (0.75, 1.15), Material.TAIL_LAMP)
    _plate_quad(sculptor, -6.0, (-0.85, 0.85), (1.75, 2.6), Material.GLASS)
    _plate_quad(sculptor, -5.999, (-0.26, 0.26), (0.6, 0.75), Material.PLATE)
    return sculptor.mesh()


# -------------------------------------------------------------------------------------------------------------- people


def _blob(center: tuple, radius: tuple, level: int, roughness: float, rng: np.random.Generator | None) -> np.ndarray:
    """Triangles of an icosahedron, subdivided `level` times, as an ellipsoid with a rough surface."""
    t = (1.0 + math.sqrt(5.0)) / 2.0
    points = np.array([(0, s, r * t) for s in (1, -1) for r in (1, -1)], float)
    points = np.concatenate([np.roll(points, k, axis=1) for k in range(3)])
    points /= np.linalg.norm(points[0])
    near = 1.3
    faces = [
        (i, j, k)
        for i in range(12)
        for j in range(i + 1, 12)
        for k in range(j + 1, 12)
        if max(np.linalg.norm(points[a] - points[b]) for a, b in ((i, j), (j, k), (i, k))) < near
    ]
    corners = points[np.array(faces)]
    flip = (
        np.einsum("ti,ti->t", np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), corners[:, 0]) < 0
    )
    corners[flip] = corners[flip][:, ::-1]
    for _ in range(level):
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        ab, bc, ca = ((p + q) / np.linalg.norm(p + q, axis=1, keepdims=True) for p, q in ((a, b), (b, c), (c, a)))
        corners = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    if rng is not None:
        unique, owner = np.unique(np.round(corners.reshape(-1, 3), 5), axis=0, return_inverse=True)
        swell = 1.0 + roughness * rng.uniform(-1.0, 1.0, len(unique))
        corners = (unique * swell[:, None])[owner.reshape(-1)].reshape(-1, 3, 3)
    return corners * np.array(radius) + np.array(center)


def _limb(sculptor: Sculptor, points: list[tuple], radii: list[float], materials: list[Material], sides: int) -> None:
    for i, material in enumerate(materials):
        sculptor.tube(points[i], points[i + 1], (radii[i], radii[i + 1]), sides, material)


def _person(phase: int, level: int) -> Mesh:
    """A walker at `phase` of WALK_PHASES; thigh, knee and arm angles follow sines of the stride."""
    sculptor, sides = Sculptor(), 4 if level else 6
    turn = 2.0 * math.pi * phase / WALK_PHASES
    for side, shift in ((1.0, 0.0), (-1.0, math.pi)):
        thigh = 0.48 * math.sin(turn + shift)
        knee = 0.15 + 0.55 * max(0.0, math.cos(turn + shift))
        hip = (0.0, 0.095 * side, 0.90)
        middle = (0.42 * math.sin(thigh), 0.095 * side, 0.90 - 0.42 * math.cos(thigh))
        shin = thigh - knee
        foot = (middle[0] + 0.42 * math.sin(shin), 0.10 * side, max(0.06, middle[2] - 0.42 * math.cos(shin)))
        _limb(sculptor, [hip, middle, foot], [0.085, 0.06, 0.045], [Material.TROUSERS] * 2, sides)
        toe = (foot[0] + 0.2, 0.11 * side, max(0.045, foot[2] - 0.03))
        sculptor.tube((foot[0] - 0.06, 0.10 * side, foot[2] - 0.015), toe, (0.045, 0.04), 4, Material.DARK)
        swing = -0.42 * math.sin(turn + shift)
        shoulder = (0.0, 0.21 * side, 1.42)
        elbow = (0.28 * math.sin(swing), 0.245 * side, 1.42 - 0.28 * math.cos(swing))
        hand = (elbow[0] + 0.27 * math.sin(swing + 0.3), 0.24 * side, elbow[2] - 0.27 * math.cos(swing + 0.3))
        _limb(sculptor, [shoulder, elbow, hand], [0.055, 0.045, 0.035], [Material.SHIRT, Material.SKIN], sides - 1)
    torso = [(0.0, 0.15, 0.10, 0.86), (0.01, 0.145, 0.10, 1.05), (0.0, 0.20, 0.12, 1.36), (0.0, 0.09, 0.07, 1.50)]
    around = np.arange(sides + 2) * 2.0 * np.pi / (sides + 2)
    rings = np.array(
        [np.stack([x + dx * np.cos(around), dy * np.sin(around), np.full(len(around), z)], 1) for x, dy, dx, z in torso]
    )
    sculptor.loft(rings, np.full((3, len(around)), Material.SHIRT))
    sculptor.cap(rings[-1], Material.SHIRT)
    sculptor.add(_blob((0.02, 0.0, 1.63), (0.095, 0.08, 0.115), 0 if level else 1, 0.0, None), Material.SKIN)
    sculptor.add(_blob((-0.012, 0.0, 1.665), (0.098, 0.088, 0.105), 0, 0.0, None), Material.HAIR)
    return sculptor.mesh()


# ------------------------------------------------------------------------------------------- trees, houses, furniture


def _broadleaf(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(11)
    sculptor.tube((0, 0, 0), (0.1, 0, 3.4), (0.22, 0.13), 3 if level else 5, Material.BARK)
    if level:
        sculptor.add(_blob((0.0, 0.0, 5.2), (2.6, 2.5, 2.9), 0, 0.1, rng), Material.FOLIAGE)
        return sculptor.mesh()
    sculptor.add(_blob((0.0, 0.0, 5.4), (2.2, 2.1, 2.6), 1, 0.16, rng), Material.FOLIAGE)
    for x, y, z, r in ((1.3, 0.6, 4.5, 1.4), (-1.2, 0.9, 4.8, 1.35), (-0.3, -1.4, 4.4, 1.4)):
        sculptor.add(_blob((x, y, z), (r, r, 0.9 * r), 0 if r < 1.3 else 1, 0.16, rng), Material.FOLIAGE)
    return sculptor.mesh()


def _conifer(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(12)
    sculptor.tube((0, 0, 0), (0, 0, 1.5), (0.2, 0.15), 3 if level else 5, Material.BARK)
    sides = 5 if level else 8
    tiers = [(0.9, 1.9, 9.0)] if level else [(0.9, 2.0, 4.2), (2.9, 1.6, 6.4), (5.0, 1.1, 9.0)]
    for low, radius, high in tiers:
        turn = np.arange(sides) * 2 * np.pi / sides + low
        reach = radius * rng.uniform(0.85, 1.15, sides)
        ring = np.stack([reach * np.cos(turn), reach * np.sin(turn), low + rng.uniform(-0.15, 0.15, sides)], 1)
        tip = np.repeat([[0.0, 0.0, high]], sides, axis=0)
        sculptor.loft(np.array([ring, tip]), np.full((1, sides), Material.FOLIAGE))
        sculptor.cap(ring[::-1], Material.FOLIAGE)
    return sculptor.mesh()


def _poplar(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(13)
    sculptor.tube((0, 0, 0), (0, 0, 2.5), (0.18, 0.12), 3 if level else 5, Material.BARK)
    sculptor.add(_blob((0, 0, 6.0), (1.35, 1.3, 4.6), 0 if level else 1, 0.13, rng), Material.FOLIAGE)
    return sculptor.mesh()


def _bush(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(14)
    sculptor.add(_blob((0, 0, 0.5), (1.0, 0.9, 0.7), 0 if level else 1, 0.15, rng), Material.FOLIAGE)
    mesh = sculptor.mesh()
    return Mesh(np.maximum(mesh.corners_m, [-9.0, -9.0, 0.0]), mesh.material)


def _block(level: int) -> Mesh:
    """A flat-roofed block 12 m x 12 m x 12 m with a parapet and a stair head on the roof."""
    sculptor = Sculptor()
    ring = np.array([(6, -6), (6, 6), (-6, 6), (-6, -6)], float)

    def at(scale: float, z: float) -> np.ndarray:
        return np.concatenate([ring * scale, np.full((4, 1), z)], 1)

    walls = np.full((1, 4), Material.FACADE)
    sculptor.loft(np.array([at(1.0, 0.0), at(1.0, 11.3)]), walls)
    if level:
        sculptor.cap(at(1.0, 11.3), Material.CONCRETE)
        sculptor.box((-2.5, -1.5, 11.3), (0.5, 1.5, 12.0), Material.CONCRETE)
        return sculptor.mesh()
    sculptor.loft(np.array([at(1.0, 11.3), at(0.96, 11.3), at(0.96, 11.0)]), np.full((2, 4), Material.CONCRETE))
    sculptor.cap(at(0.96, 11.0), Material.CONCRETE)
    sculptor.box((-2.5, -1.5, 11.0), (0.5, 1.5, 12.0), Material.CONCRETE)
    return sculptor.mesh()


def _roofed(ridge_half: float, level: int) -> Mesh:
    """A house 10 m x 10 m, walls to 60 % of its height; the ridge runs along x for `ridge_half` each way."""
    sculptor, wall, top, eave = Sculptor(), 5.4, 9.0, 5.2
    ring = np.array([(4.7, -4.7), (4.7, 4.7), (-4.7, 4.7), (-4.7, -4.7)])
    base, head = (np.concatenate([ring, np.full((4, 1), z)], 1) for z in (0.0, wall))
    sculptor.loft(np.array([base, head]), np.full((1, 4), Material.FACADE))
    front, back = (ridge_half, 0.0, top), (-ridge_half, 0.0, top)
    a, b, c, d = (5.0, -5.0, eave), (5.0, 5.0, eave), (-5.0, 5.0, eave), (-5.0, -5.0, eave)
    sculptor.quad(b, c, back, front, Material.ROOF)
    sculptor.quad(d, a, front, back, Material.ROOF)
    if ridge_half < 4.0:
        sculptor.add(np.array([[a, b, front], [c, d, back]]), Material.ROOF)
    else:
        for x, sign in ((4.7, 1.0), (-4.7, -1.0)):
            sculptor.add(
                np.array([[(x, -4.7 * sign, wall), (x, 4.7 * sign, wall), (x, 0.0, top - 0.25)]]), Material.FACADE
            )
    sculptor.quad(a, d, c, b, Material.CONCRETE)
    if not level:
        sculptor.box((1.6, 1.2, 6.5), (2.3, 1.9, 9.2), Material.CONCRETE)
    return sculptor.mesh()


def _lamp_post(level: int) -> Mesh:
    """The arm reaches along +x."""
    sculptor, sides = Sculptor(), 3 if level else 5
    sculptor.tube((-0.9, 0, 0), (-0.9, 0, 7.6), (0.09, 0.06), sides, Material.METAL)
    sculptor.tube((-0.9, 0, 7.55), (0.6, 0, 7.85), (0.05, 0.04), sides, Material.METAL)
    sculptor.box((0.35, -0.14, 7.74), (1.0, 0.14, 7.9), Material.LANTERN)
    return sculptor.mesh()


def _guard_rail(level: int) -> Mesh:
    """Four metres of W-beam on two posts, along x."""
    sculptor = Sculptor()
    profile = np.array([(-0.05, 0.45), (0.03, 0.53), (-0.02, 0.60), (0.03, 0.67), (-0.05, 0.75)])
    if level:
        profile = profile[[0, 2, 4]]
    section = np.concatenate([profile, [(-0.07, 0.75), (-0.07, 0.45)]])[::-1]
    rings = np.array([np.concatenate([np.full((len(section), 1), x), section], 1) for x in (2.0, -2.0)])
    sculptor.loft(rings, np.full((1, len(section)), Material.METAL))
    for x in (-1.0, 1.0):
        sculptor.box((x - 0.05, -0.15, 0.0), (x + 0.05, -0.06, 0.72), Material.METAL)
    return sculptor.mesh()


def _delineator(level: int) -> Mesh:
    """A white roadside post with a dark band; faces both ways."""
    sculptor, sides = Sculptor(), 3 if level else 5
    sculptor.tube((0, 0, 0), (0, 0, 0.72), (0.06, 0.06), sides, Material.PLATE)
    sculptor.tube((0, 0, 0.72), (0, 0, 0.92), (0.061, 0.061), sides, Material.DARK)
    sculptor.tube((0, 0, 0.92), (0, 0, 1.0), (0.06, 0.05), sides, Material.PLATE)
    return sculptor.mesh()


@functools.cache
def build_mesh(model: int, level: int) -> Mesh:
    """The mesh of a `Model` (or Model.PERSON + phase) at a level of detail, in metres."""
    if Model.PERSON <= model < Model.PERSON + WALK_PHASES:
        return _person(model - Model.PERSON, level)
    makers = {
        Model.SALOON: lambda: _car(_SALOON, (1.42, -1.38), 0.33, level),
        Model.HATCHBACK: lambda: _car(_HATCHBACK, (1.28, -1.27), 0.31, level),
        Model.SUV: lambda: _car(_SUV, (1.40, -1.38), 0.37, level),
        Model.VAN: lambda: _car(_VAN, (1.60, -1.60), 0.35, level),
        Model.TRUCK: lambda: _truck(level),
        Model.BUS: lambda: _bus(level),
        Model.BROADLEAF: lambda: _broadleaf(level),
        Model.CONIFER: lambda: _conifer(level),
        Model.POPLAR: lambda: _poplar(level),
        Model.BUSH: lambda: _bush(level),
        Model.BLOCK: lambda: _block(level),
        Model.GABLED: lambda: _roofed(5.0, level),
        Model.HIPPED: lambda: _roofed(2.0, level),
        Model.LAMP_POST: lambda: _lamp_post(level),
        Model.GUARD_RAIL: lambda: _guard_rail(level),
        Model.DELINEATOR: lambda: _delineator(level),
    }
    return makers[Model(model)]()


def _unit_box(meshes: list[Mesh], shared: list[Mesh]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Corners and normals of `meshes` scaled so that `shared` together fill the unit box."""
    points = np.concatenate([m.corners_m.reshape(-1, 3) for m in shared])
    low, high = points.min(axis=0), points.max(axis=0)
    middle, extent = 0.5 * (low + high), high - low
    middle[2], shift = low[2], np.zeros(3)
    scaled = [((m.corners_m - middle) / extent + shift, corner_normals(m.corners_m) * extent) for m in meshes]
    return scaled


@functools.cache
def mesh_library() -> MeshLibrary:
    """Build all models at all levels."""
    corners, normals, material = [], [], []
    first, count = (np.zeros((MODELS, LEVELS), np.int32) for _ in range(2))
    total = 0
    persons = range(Model.PERSON, Model.PERSON + WALK_PHASES)
    for model in range(MODELS):
        for level in range(LEVELS):
            mesh = build_mesh(model, level)
            shared = [build_mesh(p, level) for p in persons] if model in persons else [mesh]
            corner, normal = _unit_box([mesh], shared)[0]
            corners.append(corner)
            normals.append(normal)
            material.append(mesh.material)
            first[model, level], count[model, level] = total, len(corner)
            total += len(corner)
    semantic = np.array([int(_SEMANTIC.get(m, 0)) for m in range(MODELS)], np.int32)  # type: ignore[call-overload]
    return MeshLibrary(
        np.concatenate(corners).astype(np.float32),
        np.concatenate(normals).astype(np.float32),
        np.concatenate(material).astype(np.int32),
        first,
        count,
        semantic,
    )
