"""Building triangle meshes: boxes, prisms, lofts and blobs with materials, and smooth normals."""

import functools
import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

SMOOTH_COS = 0.75  # corners between faces that meet flatter than this share a normal
SOFT_COS = 0.25  # the same for cloth, skin and hair


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
    # Beside the road: 40 and up, coloured by `render_kernels.facades`
    SHOP = 40
    WALL_ABOVE = 41  # facade over a shop, whose storeys start at 4 m
    BLIND_WALL = 42
    CURTAIN_WALL = 43  # glass of offices
    SHEET = 44  # ribbed metal of halls
    STONE = 45  # cornices, sills, balconies, steps
    DOOR = 46
    AWNING = 47
    WOOD = 48
    HEDGE = 49
    SIGN_FACE = 50
    SIGN_BACK = 51
    SIGNAL_RED = 52
    SIGNAL_YELLOW = 53
    SIGNAL_GREEN = 54
    HOUSING = 55  # of signal heads
    WALK_RED = 56
    WALK_GREEN = 57
    STRIPES = 58  # red and white
    ORANGE = 59
    POSTER = 60
    PLASTIC = 61
    BOX_YELLOW = 62
    PANEL = 63  # of noise barriers
    PANE = 64  # thin glass of shelters
    BRICK = 65
    FAR_WOOD = 66
    FAR_TOWN = 67
    BIRCH_BARK = 68
    TUFT = 69
    ROADWAY = 70
    # Riders: what labels may call RIDER lies between RIDER_SKIN and RIDER_SHOE
    RIDER_SKIN = 21
    RIDER_HELMET = 22
    RIDER_SHIRT = 23
    RIDER_TROUSERS = 24
    RIDER_SHOE = 25
    GRILLE = 26
    WHEEL = 27  # a wheel's face; anchor: its hub
    BLACK = 28  # plastic
    CHROME = 29
    INDICATOR = 30
    SHOE = 31
    BAG = 32
    FACE = 33  # skin; anchor: the middle of the head
    LIVERY = 34  # second colour of buses and lorries
    CURTAIN = 35  # tarpaulin of a trailer
    TANK = 36
    INTERIOR = 37
    DISPLAY = 38  # destination of a bus; anchor: its middle
    NUMBER_PLATE = 39  # anchor: its middle


@dataclass(frozen=True)
class Mesh:
    """Triangles in metres: corners (T, 3, 3) counter-clockwise seen from outside, materials (T,).

    `anchor_m` (T, 3), zero if not given, is the point that a triangle's pattern is drawn about (a wheel's hub).
    """

    corners_m: np.ndarray
    material: np.ndarray
    anchor_m: np.ndarray | None = None


class Sculptor:
    """Collects triangles with materials."""

    def __init__(self) -> None:
        self._corners: list[np.ndarray] = []
        self._material: list[np.ndarray] = []
        self._anchor: list[np.ndarray] = []

    def add(
        self, corners_m: np.ndarray, material: Material | np.ndarray, anchor_m: tuple | np.ndarray = (0.0, 0.0, 0.0)
    ) -> None:
        """Triangles (T, 3, 3) whose patterns are drawn about `anchor_m`; those without area will be dropped."""
        corners_m = np.asarray(corners_m, dtype=np.float64).reshape(-1, 3, 3)
        self._corners.append(corners_m)
        self._material.append(np.broadcast_to(np.asarray(material, dtype=np.int32), len(corners_m)))
        self._anchor.append(np.broadcast_to(np.asarray(anchor_m, dtype=np.float64), (len(corners_m), 3)))

    def quad(self, a: tuple, b: tuple, c: tuple, d: tuple, material: Material) -> None:
        """A flat quad, counter-clockwise seen from outside; patterns are drawn about its middle."""
        self.add(np.array([[a, b, c], [a, c, d]]), material, np.mean([a, b, c, d], axis=0))

    def grid(self, points: np.ndarray, material: np.ndarray, anchor_m: np.ndarray | None = None) -> None:
        """Quads between points (R, C, 3): seen from outside, rows go up and columns to the right.

        `material` is (R - 1, C - 1), `anchor_m` (R - 1, C - 1, 3).
        """
        a, b, c, d = points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]
        quads = np.stack([np.stack([a, b, c], 2), np.stack([a, c, d], 2)], 2)
        anchors = np.zeros((*material.shape, 3)) if anchor_m is None else anchor_m
        self.add(
            quads.reshape(-1, 3, 3), np.repeat(material.reshape(-1), 2), np.repeat(anchors.reshape(-1, 3), 2, axis=0)
        )

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
        self.add(ring[_fan(len(ring))], material)

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
        u = cross(axis, helper)
        u /= np.linalg.norm(u)
        v = cross(axis, u)
        turn = np.arange(sides) * 2.0 * np.pi / sides + np.pi / sides
        circle = np.cos(turn)[:, None] * u + np.sin(turn)[:, None] * v
        rings = np.array([start_m + radius[0] * circle, end_m + radius[1] * circle])
        self.loft(rings, np.full((1, sides), material))
        self.cap(rings[1], material)
        self.cap(rings[0][::-1], material)

    def mesh(self) -> Mesh:
        """All that was added and has an area."""
        corners_m = np.concatenate(self._corners)
        kept = np.linalg.norm(face_normals(corners_m), axis=1) > 1e-7
        return Mesh(corners_m[kept], np.concatenate(self._material)[kept], np.concatenate(self._anchor)[kept])


@functools.cache
def _fan(points: int) -> np.ndarray:
    """Triangles (points - 2, 3) between the points of a convex polygon."""
    return np.array([(0, i, i + 1) for i in range(1, points - 1)])


def cross(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """p x q over the last axis; np.cross takes ten times as long for a few."""
    a, b, c = p[..., 0], p[..., 1], p[..., 2]
    d, e, f = q[..., 0], q[..., 1], q[..., 2]
    return np.stack([b * f - c * e, c * d - a * f, a * e - b * d], axis=-1)


def face_normals(corners_m: np.ndarray) -> np.ndarray:
    """Normals (T, 3) of triangles (T, 3, 3), twice as long as their areas."""
    return cross(corners_m[:, 1] - corners_m[:, 0], corners_m[:, 2] - corners_m[:, 0])


_SOFT = (Material.SKIN, Material.HAIR, Material.SHIRT, Material.TROUSERS, Material.FACE, Material.SHOE)
_SOFT += (
    Material.RIDER_SKIN,
    Material.RIDER_HELMET,
    Material.RIDER_SHIRT,
    Material.RIDER_TROUSERS,
    Material.RIDER_SHOE,
)


def smoothing(material: np.ndarray) -> np.ndarray:
    """Cosines (T,) of the smoothing angles of materials (T,)."""
    return np.where(np.isin(material, [int(m) for m in _SOFT]), SOFT_COS, SMOOTH_COS)


def corner_normals(corners_m: np.ndarray, least_cos: float | np.ndarray = SMOOTH_COS) -> np.ndarray:
    """Unit normals (T, 3, 3): a corner averages the faces around its point that lie within its smoothing angle.

    `least_cos` is that angle's cosine, of all or of each triangle (T,).
    """
    face = face_normals(corners_m)
    unit = face / np.linalg.norm(face, axis=1, keepdims=True)
    keys = np.rint(corners_m.reshape(-1, 3) * 1e4).astype(np.int64) + (1 << 20)
    keys = (keys[:, 0] << 42) | (keys[:, 1] << 21) | keys[:, 2]
    order = np.argsort(keys, kind="stable")
    _, start, count = np.unique(keys[order], return_index=True, return_counts=True)
    # All pairs of corners at the same point: the k-th corner of a group with each of its members.
    size = np.repeat(count, count)
    one = np.repeat(order, size)
    shift = np.arange(len(one)) - np.repeat(np.cumsum(size) - size, size)
    other = order[np.repeat(np.repeat(start, count), size) + shift]
    limit = np.broadcast_to(least_cos, len(face))
    near = np.einsum("pi,pi->p", unit[one // 3], unit[other // 3]) > limit[one // 3]
    normals = np.stack(
        [np.bincount(one[near], face[other[near] // 3, k], minlength=3 * len(face)) for k in range(3)], axis=1
    )
    return (normals / np.linalg.norm(normals, axis=1, keepdims=True)).reshape(-1, 3, 3)


@functools.cache
def _icosahedron() -> np.ndarray:
    """Its faces (20, 3, 3), with corners at distance 1 from the middle."""
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
    flip = np.einsum("ti,ti->t", face_normals(corners), corners[:, 0]) < 0
    corners[flip] = corners[flip][:, ::-1]
    return corners


def blob(center: tuple, radius: tuple, level: int, roughness: float, rng: np.random.Generator | None) -> np.ndarray:
    """Triangles of an icosahedron, subdivided `level` times, as an ellipsoid with a rough surface."""
    corners = _icosahedron()
    for _ in range(level):
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        ab, bc, ca = ((p + q) / np.linalg.norm(p + q, axis=1, keepdims=True) for p, q in ((a, b), (b, c), (c, a)))
        corners = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    if rng is not None:
        unique, owner = np.unique(np.round(corners.reshape(-1, 3), 5), axis=0, return_inverse=True)
        swell = 1.0 + roughness * rng.uniform(-1.0, 1.0, len(unique))
        corners = (unique * swell[:, None])[owner.reshape(-1)].reshape(-1, 3, 3)
    return corners * np.array(radius) + np.array(center)
