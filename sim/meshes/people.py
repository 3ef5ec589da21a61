"""People: sixteen bodies that walk in eight phases of a stride or stand, with their joints, in metres."""

import functools
import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor

WALK_PHASES = 8
POSES = 9  # the phases of a stride, and standing
_M = Material
_SKULL = (0.165, 0.138, 0.14)  # height of a head over that of the body, by Age
_LEVEL_SIDES = (8, 5, 4)  # of torso and limbs


class Sex(IntEnum):
    FEMALE = 0
    MALE = 1


class Age(IntEnum):
    CHILD = 0
    ADULT = 1
    OLD = 2


@dataclass(frozen=True)
class Person:
    """One body. `girth` 1 is average; the rest is what it wears and carries."""

    height: float
    sex: Sex
    age: Age
    girth: float = 1.0
    hair: Literal["short", "long", "bun", "bald"] = "short"
    legs: Literal["trousers", "shorts", "skirt"] = "trousers"
    sleeves: bool = True
    coat: bool = False
    hood: bool = False
    hat: bool = False
    pack: Literal["none", "backpack", "bag"] = "none"


PEOPLE = (
    Person(1.15, Sex.MALE, Age.CHILD, legs="shorts", sleeves=False),
    Person(1.22, Sex.FEMALE, Age.CHILD, hair="long", legs="skirt", sleeves=False),
    Person(1.32, Sex.MALE, Age.CHILD, hood=True, pack="backpack"),
    Person(1.28, Sex.FEMALE, Age.CHILD, hair="bun", pack="backpack"),
    Person(1.80, Sex.MALE, Age.ADULT, 0.90),
    Person(1.76, Sex.MALE, Age.ADULT, 1.28, hair="bald"),
    Person(1.79, Sex.MALE, Age.ADULT, coat=True, pack="bag"),
    Person(1.82, Sex.MALE, Age.ADULT, 0.95, legs="shorts", sleeves=False, pack="backpack"),
    Person(1.77, Sex.MALE, Age.ADULT, 1.05, hood=True, hat=True),
    Person(1.67, Sex.FEMALE, Age.ADULT, 0.88, hair="long", pack="bag"),
    Person(1.66, Sex.FEMALE, Age.ADULT, 0.92, hair="long", legs="skirt", sleeves=False),
    Person(1.69, Sex.FEMALE, Age.ADULT, coat=True, hair="bun", pack="bag"),
    Person(1.64, Sex.FEMALE, Age.ADULT, 1.25, hair="short"),
    Person(1.70, Sex.FEMALE, Age.ADULT, 0.95, hair="bun", legs="skirt", pack="backpack"),
    Person(1.72, Sex.MALE, Age.OLD, 1.12, hat=True, coat=True),
    Person(1.60, Sex.FEMALE, Age.OLD, 1.10, hair="bun", legs="skirt", coat=True, pack="bag"),
)
BODIES = len(PEOPLE)
KEYPOINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
             "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
             "right_knee", "left_ankle", "right_ankle")  # fmt: skip


@functools.cache
def joints(body: int, pose: int) -> dict[str, np.ndarray]:
    """Where the joints of a body are, by name: KEYPOINTS, and toes, neck, head and pelvis."""
    p = PEOPLE[body]
    h, old = p.height, p.age == Age.OLD
    head = h * _SKULL[p.age]  # height of the skull
    leg, stands = 0.475 * h, pose == WALK_PHASES
    hip_y, shoulder_y = 0.052 * h * (0.85 + 0.15 * p.girth), 0.108 * h * (0.94 if p.sex == Sex.FEMALE else 1.04)
    turn = 2.0 * math.pi * pose / WALK_PHASES
    lean = 0.17 if old else 0.03
    at: dict[str, np.ndarray] = {}
    for name, side, shift in (("left", 1.0, 0.0), ("right", -1.0, math.pi)):
        swing = math.sin(turn + shift)
        lift = max(0.0, math.cos(turn + shift))
        reach = 0.0 if stands else (0.18 if old else 0.25)
        thigh = 0.02 * side if stands else reach * swing + 0.06 * lift + 0.04
        bend = 0.04 if stands else 0.10 + 0.85 * reach / 0.25 * lift * (1.0 - 0.35 * swing)
        hip = np.array([0.0, side * hip_y, leg])
        knee = hip + 0.50 * leg * np.array([math.sin(thigh), 0.0, -math.cos(thigh)])
        ankle = knee + 0.42 * leg * np.array([math.sin(thigh - bend), 0.0, -math.cos(thigh - bend)])
        sole = max(-0.55, min(0.35, 0.55 * (thigh - bend) + 0.10)) if not stands else 0.0
        toe = ankle + 0.095 * h * np.array([math.cos(sole), 0.12 * side, math.sin(sole) - 0.12])
        at |= {f"{name}_hip": hip, f"{name}_knee": knee, f"{name}_ankle": ankle, f"{name}_toe": toe}
        arm = 0.03 if stands else -0.8 * reach * swing
        up = lean + arm
        shoulder = np.array([0.335 * h * math.sin(lean), side * shoulder_y, leg + 0.335 * h * math.cos(lean)])
        elbow = shoulder + 0.165 * h * np.array([math.sin(up), 0.09 * side, -math.cos(up)])
        fold = up + (0.18 if stands else 0.38 + 0.25 * max(0.0, -swing))
        wrist = elbow + 0.145 * h * np.array([math.sin(fold), -0.04 * side, -math.cos(fold)])
        at |= {f"{name}_shoulder": shoulder, f"{name}_elbow": elbow, f"{name}_wrist": wrist}
    neck = np.array([0.36 * h * math.sin(lean), 0.0, leg + 0.362 * h * math.cos(lean)])
    middle = neck + np.array([0.02 * h + 0.1 * lean * head, 0.0, h - leg - 0.362 * h - 0.5 * head])
    at |= {
        "pelvis": np.array([0.0, 0.0, leg]),
        "neck": neck,
        "head": middle,
        "nose": middle + (0.58 * head, 0, -0.1 * head),
    }
    for name, side in (("left", 1.0), ("right", -1.0)):
        at[f"{name}_eye"] = middle + np.array([0.50 * head, 0.145 * side * head, 0.05 * head])
        at[f"{name}_ear"] = middle + np.array([0.0, 0.33 * side * head, -0.02 * head])
    # The lowest foot stands on the ground.
    foot = min(float(min(at[f"{s}_ankle"][2] - 0.042 * h, at[f"{s}_toe"][2] - 0.012 * h)) for s in ("left", "right"))
    return {name: point - (0.0, 0.0, foot) for name, point in at.items()}


def _chain(
    sculptor: Sculptor, points: list[np.ndarray], radii: list[float], materials: list[Material], sides: int
) -> None:
    """A limb through points with a radius at each, closed at both ends."""
    rings = []
    for k, point in enumerate(points):
        along = points[min(k + 1, len(points) - 1)] - points[max(k - 1, 0)]
        along = along / np.linalg.norm(along)
        u = np.array([0.0, 1.0, 0.0]) - along * along[1]
        u /= np.linalg.norm(u)
        v = np.cross(along, u)
        turn = np.arange(sides) * 2.0 * np.pi / sides
        rings.append(point + radii[k] * (np.cos(turn)[:, None] * u + np.sin(turn)[:, None] * v))
    material = np.repeat(np.array([int(m) for m in materials])[:, None], sides, axis=1)
    sculptor.loft(np.array(rings), material)
    sculptor.cap(rings[-1], materials[-1])
    sculptor.cap(rings[0][::-1], materials[0])


def _stack(
    sculptor: Sculptor, rows: list[tuple[np.ndarray, float, float]], materials: list[Material], sides: int
) -> None:
    """Ovals on top of each other, upwards: (middle, half depth, half width)."""
    turn = np.arange(sides) * 2.0 * np.pi / sides + np.pi / sides
    rings = [m + np.stack([d * np.cos(turn), w * np.sin(turn), np.zeros(sides)], 1) for m, d, w in rows]
    material = np.repeat(np.array([int(m) for m in materials])[:, None], sides, axis=1)
    sculptor.loft(np.array(rings), material)
    sculptor.cap(rings[-1], materials[-1])
    sculptor.cap(rings[0][::-1], materials[0])


def _leg(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], name: str, level: int) -> None:
    h, g = p.height, math.sqrt(p.girth)
    hip, knee, ankle, toe = (at[f"{name}_{j}"] for j in ("hip", "knee", "ankle", "toe"))
    cloth = _M.TROUSERS
    bare = _M.SKIN if p.legs != "trousers" else cloth
    upper = _M.SKIN if p.legs == "skirt" else cloth
    loose = 1.0 if bare == _M.SKIN else 1.22
    sides = max(_LEVEL_SIDES[level] - 2, 4)
    if level == 0:
        calf = knee + 0.35 * (ankle - knee) - (0.006 * h, 0.0, 0.0)
        points = [hip + (0, 0, 0.02 * h), hip + 0.45 * (knee - hip), knee, calf, ankle]
        radii = [0.060 * h * g, 0.052 * h * g, 0.036 * h * g, 0.034 * h * loose * g, 0.024 * h * loose]
        _chain(sculptor, points, radii, [cloth, upper, bare, bare], sides)
    else:
        _chain(sculptor, [hip, knee, ankle], [0.056 * h * g, 0.038 * h, 0.027 * h * loose], [upper, bare], 4)
    heel = ankle - 0.35 * (toe - ankle)
    heel = np.array([heel[0], ankle[1], min(heel[2], ankle[2]) - 0.018 * h])
    ball = ankle + 0.55 * (toe - ankle)
    ball[2] = 0.5 * (heel[2] + toe[2]) + 0.008 * h
    radii = [0.022 * h, 0.026 * h, 0.014 * h]
    _chain(sculptor, [heel, ball, toe], radii, [_M.SHOE, _M.SHOE], 5 if level == 0 else 3)


def _arm(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], name: str, level: int) -> None:
    h, g = p.height, math.sqrt(p.girth)
    shoulder, elbow, wrist = (at[f"{name}_{j}"] for j in ("shoulder", "elbow", "wrist"))
    lower = _M.SHIRT if p.sleeves else _M.SKIN
    thick = 1.15 if p.sleeves else 1.0
    if level:
        _chain(sculptor, [shoulder, elbow, wrist], [0.030 * h * g, 0.026 * h, 0.018 * h], [_M.SHIRT, lower], 3)
        return
    hand = wrist + 0.058 * h * (wrist - elbow) / np.linalg.norm(wrist - elbow)
    middle = 0.5 * (shoulder + elbow)
    _chain(
        sculptor,
        [shoulder - (0, 0.1 * shoulder[1], 0.004 * h), middle, elbow, wrist, 0.5 * (wrist + hand), hand],
        [0.030 * h * g * thick, 0.031 * h * g * thick, 0.025 * h * thick, 0.018 * h * thick, 0.022 * h, 0.012 * h],
        [_M.SHIRT, lower, lower, _M.SKIN, _M.SKIN],
        6,
    )


def _torso(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], level: int) -> None:
    h, g = p.height, p.girth
    pelvis, neck = at["pelvis"], at["neck"]
    female = p.sex == Sex.FEMALE
    rise = neck - pelvis
    # Deeper than people are: boxes of people are as a rule short for their stride, and squeeze it.
    hips, waist, chest, shoulders = (0.102, 0.082, 0.098, 0.116) if female else (0.099, 0.094, 0.108, 0.130)
    shares = [(-0.10, 0.090, 0.084), (0.06, 0.108, hips), (0.38, 0.098, waist)]
    shares += [(0.68, 0.114, chest), (0.91, 0.090, shoulders), (1.02, 0.046, 0.045)]
    belly = 0.02 * h * max(0.0, g - 1.0) * 4.0
    thick = 1.12 if p.coat or p.hood else 1.0
    rows = []
    for share, deep, wide in shares:
        push = belly if 0.0 < share < 0.5 else 0.0
        stretch = g if share < 0.8 else math.sqrt(g)
        middle = pelvis + share * rise + (0.4 * push + (0.006 * h if female and share == 0.66 else 0.0), 0.0, 0.0)
        rows.append((middle, deep * h * stretch * thick + 0.6 * push, wide * h * stretch * thick))
    materials = [_M.TROUSERS, _M.SHIRT, _M.SHIRT, _M.SHIRT, _M.SHIRT]
    if level:
        rows, materials = [rows[k] for k in (0, 1, 3, 4, 5)], [_M.TROUSERS, _M.SHIRT, _M.SHIRT, _M.SHIRT]
    _stack(sculptor, rows, materials, _LEVEL_SIDES[level] + 2 * (level == 0))
    if p.coat or p.legs == "skirt":
        _hem(sculptor, p, at, level)


def _hem(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], level: int) -> None:
    """Skirt or coat, down to about the knees and as wide as the stride needs."""
    h, pelvis = p.height, at["pelvis"]
    material = _M.SHIRT if p.coat else _M.TROUSERS
    knees = [at["left_knee"], at["right_knee"]]
    low = min(k[2] for k in knees) + (-0.02 if p.coat else 0.03) * h
    ahead, behind = max(k[0] for k in knees), min(k[0] for k in knees)
    middle = np.array([0.5 * (ahead + behind), 0.0, low])
    deep = max(0.5 * (ahead - behind) + 0.065 * h, 0.085 * h)
    waist = pelvis + 0.30 * (at["neck"] - pelvis)
    g = h * p.girth
    rows = [(middle, deep, 0.108 * g), (pelvis, 0.094 * g, 0.108 * g), (waist, 0.084 * g, 0.088 * g)]
    _stack(sculptor, rows, [material] * 2, _LEVEL_SIDES[level])


def _head(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], level: int) -> None:
    """Skull and face, hair around its back and top, neck."""
    middle, neck = at["head"], at["neck"]
    size = 0.5 * p.height * _SKULL[p.age]
    sides = (10, 6, 4)[level]
    heights = (-1.0, -0.72, -0.25, 0.30, 0.72, 1.0) if level == 0 else (-0.95, 0.0, 0.95)
    widths = (0.30, 0.55, 0.72, 0.77, 0.55, 0.16) if level == 0 else (0.35, 0.78, 0.35)
    turn = np.arange(sides) * 2.0 * np.pi / sides + np.pi / sides
    rings = []
    for z, wide in zip(heights, widths, strict=True):
        shift = 0.10 if z < -0.6 else 0.0
        ring = [wide * 1.40 * np.cos(turn) + shift, wide * 0.92 * np.sin(turn), np.full(sides, z)]
        rings.append(middle + size * np.stack(ring, 1))
    material = np.full((len(heights) - 1, sides), int(_M.FACE))
    facing = np.cos(turn + np.pi / sides)
    if p.hair != "bald":
        material[-1] = _M.HAIR
        material[-2, facing < 0.75 if level == 0 else facing < 0.3] = _M.HAIR
        if level == 0:
            material[-3, facing < 0.1] = _M.HAIR
            material[-4, facing < (-0.2 if p.hair == "short" else 0.0)] = _M.HAIR
    grey = (0.0, 0.0, p.height if p.age == Age.OLD else 0.0)
    for row in range(len(rings) - 1):
        band = np.array([rings[row], rings[row + 1]])
        for kind, anchor in ((_M.FACE, middle), (_M.HAIR, grey)):
            mask = material[row] == kind
            a, d = band[0], band[1]
            b, c = np.roll(a, -1, axis=0), np.roll(d, -1, axis=0)
            quads = np.stack([np.stack([a, b, c], 1), np.stack([a, c, d], 1)], 1)[mask]
            sculptor.add(quads.reshape(-1, 3, 3), kind, anchor)
    top = np.array([[rings[-1][0], rings[-1][i], rings[-1][i + 1]] for i in range(1, sides - 1)])
    sculptor.add(top, _M.FACE if p.hair == "bald" else _M.HAIR, middle if p.hair == "bald" else grey)
    sculptor.cap(rings[0][::-1], _M.SKIN)
    if level == 0:
        low = neck - (0.0, 0.0, 0.02 * p.height)
        high = middle + (-0.1 * size, 0.0, -0.75 * size)
        _chain(sculptor, [low, high], [0.036 * p.height, 0.030 * p.height], [_M.SKIN], 6)
        _hair(sculptor, p, middle, size, grey)
    if p.hat and level < 2:
        rows = [
            (middle + (0, 0, 0.40 * size), 1.30 * size, 0.88 * size),
            (middle + (0, 0, 1.12 * size), 0.95 * size, 0.66 * size),
        ]
        _stack(sculptor, rows, [_M.BAG], sides)


def _hair(sculptor: Sculptor, p: Person, middle: np.ndarray, size: float, grey: tuple) -> None:
    if p.hair == "long":
        length = 2.1 if p.age == Age.ADULT else 1.7
        ovals = [(-0.82, -length, 0.22, 0.62), (-0.80, -0.6, 0.42, 0.80), (-0.50, 0.5, 0.50, 0.62)]
    elif p.hair == "bun":
        ovals = [(-1.20, -0.1, 0.20, 0.16), (-1.28, 0.25, 0.44, 0.36), (-1.20, 0.62, 0.18, 0.14)]
    else:
        return
    box = Sculptor()
    rows = [(middle + (x * size, 0, z * size), deep * size, wide * size) for x, z, deep, wide in ovals]
    _stack(box, rows, [_M.HAIR] * 2, 6)
    sculptor.add(box.mesh().corners_m, _M.HAIR, grey)


def _luggage(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], level: int) -> None:
    h, neck = p.height, at["neck"]
    if p.hood and level == 0:
        rows = [
            (neck + (-0.045 * h, 0, -0.035 * h), 0.05 * h, 0.075 * h),
            (neck + (-0.035 * h, 0, 0.02 * h), 0.045 * h, 0.06 * h),
        ]
        _stack(sculptor, rows, [_M.SHIRT], 6)
    if p.pack == "backpack":
        back = at["pelvis"] + 0.62 * (neck - at["pelvis"]) - (0.135 * h, 0.0, 0.0)
        rows = [
            (back + (0, 0, dz * h), d * h, w * h)
            for dz, d, w in ((-0.11, 0.045, 0.075), (0.02, 0.052, 0.085), (0.10, 0.03, 0.06))
        ]
        _stack(sculptor, rows, [_M.BAG] * 2, 8 if level == 0 else 4)
    elif p.pack == "bag":
        hand = at["right_wrist"]
        low, high = hand + (-0.085 * h, -0.02 * h, -0.23 * h), hand + (0.085 * h, 0.02 * h, -0.08 * h)
        sculptor.box(tuple(low), tuple(high), _M.BAG)


def _far(p: Person, at: dict[str, np.ndarray]) -> Mesh:
    """A person a few pixels high: legs, trunk, head."""
    sculptor, h = Sculptor(), p.height
    pelvis, neck = at["pelvis"], at["neck"]
    shin = _M.SKIN if p.legs != "trousers" else _M.TROUSERS
    for name in ("left", "right"):
        _chain(sculptor, [at[f"{name}_hip"], at[f"{name}_ankle"] - (0, 0, 0.04 * h)], [0.055 * h, 0.03 * h], [shin], 3)
    rows = [(pelvis - (0, 0, 0.04 * h), 0.085 * h, 0.13 * h * p.girth), (neck - (0, 0, 0.04 * h), 0.09 * h, 0.17 * h)]
    if p.coat or p.legs == "skirt":
        hem = (pelvis - (0, 0, 0.22 * h), 0.12 * h, 0.15 * h)
        _stack(sculptor, [hem, rows[0]], [_M.SHIRT if p.coat else _M.TROUSERS], 4)
    _stack(sculptor, rows, [_M.SHIRT], 4)
    skull = ((-0.10, 0.035), (0.0, 0.066), (0.064, 0.03))
    _stack(sculptor, [(at["head"] + (0, 0, dz * h), r * h, r * h) for dz, r in skull], [_M.SKIN, _M.HAIR], 4)
    return sculptor.mesh()


@functools.cache
def person(body: int, pose: int, level: int) -> Mesh:
    """A body in a phase of its stride, or standing where `pose` is WALK_PHASES."""
    p, at = PEOPLE[body], joints(body, pose)
    if level == 2:
        return _far(p, at)
    sculptor = Sculptor()
    _torso(sculptor, p, at, level)
    for name in ("left", "right"):
        _leg(sculptor, p, at, name, level)
        _arm(sculptor, p, at, name, level)
    _head(sculptor, p, at, level)
    _luggage(sculptor, p, at, level)
    mesh = sculptor.mesh()
    return Mesh(np.maximum(mesh.corners_m, [-9.0, -9.0, 0.0]), mesh.material, mesh.anchor_m)
