"""People: sixteen bodies that walk in eight phases of a stride or stand, with their joints, in metres."""

import functools
import itertools
import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor, cross
from sim.meshes.stances import STANCES

WALK_PHASES = 8
POSES = 9  # the phases of a stride, and standing
_M = Material
_SKULL = (0.165, 0.134, 0.136)  # height of a head over that of the body, by Age
_ROUND = 0.85  # 1 would be ellipses, 0 rectangles
# A skull in halves of its height, chin first: height, how far it reaches ahead and back, half width.
_SKULL_ROWS = (
    (-1.00, 0.58, -0.16, 0.30),
    (-0.74, 0.78, 0.22, 0.52),
    (-0.36, 0.85, 0.62, 0.65),
    (0.04, 0.84, 0.84, 0.70),
    (0.42, 0.84, 0.92, 0.71),
    (0.74, 0.68, 0.78, 0.58),
    (0.94, 0.36, 0.44, 0.32),
)
_HAT = ((0.40, 0.98, 0.80), (0.72, 0.94, 0.76), (1.14, 0.50, 0.42))  # height, half depth, half width


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
    """Where the joints of a body are, by name: KEYPOINTS, and toes, neck, head and pelvis.

    Shares of the height are those of anthropometric tables (Drillis and Contini): knees at 0.285, hips at 0.52,
    shoulders at 0.82 of it, arms that end at mid-thigh.
    """
    p = PEOPLE[body]
    h, old = p.height, p.age == Age.OLD
    head = h * _SKULL[p.age]
    leg, stands = (0.485 if p.age == Age.CHILD else 0.515) * h, pose == WALK_PHASES
    spine = 0.975 * (h - leg - head) - 0.01 * h  # from the hips to the foot of the neck
    female = p.sex == Sex.FEMALE
    hip_y = 0.050 * h * (0.8 + 0.2 * p.girth)
    shoulder_y = h * (0.098 if female or p.age == Age.CHILD else 0.110) * (0.8 + 0.2 * p.girth)
    turn = 2.0 * math.pi * pose / WALK_PHASES
    lean = 0.15 if old else 0.04
    stance = STANCES[0 if p.pack == "bag" else body % len(STANCES)]  # the arm with the bag hangs
    at: dict[str, np.ndarray] = {}
    for name, side, shift in (("left", 1.0, 0.0), ("right", -1.0, math.pi)):
        swing = math.sin(turn + shift)
        lift = max(0.0, math.cos(turn + shift))
        reach = 0.0 if stands else (0.20 if old else 0.28)
        thigh = reach * swing + 0.10 * lift + 0.04
        bend = 0.10 + 0.95 * lift * (1.0 - 0.35 * swing)
        apart = -0.03 * side
        if stands:  # on the right leg, the left one ahead
            thigh, bend, apart = (stance.step, 0.10, 0.5 * stance.apart) if side > 0.0 else (-0.10, 0.03, -stance.apart)
        hip = np.array([0.0, side * hip_y, leg])
        knee = hip + 0.475 * leg * np.array([math.sin(thigh), apart, -math.cos(thigh)])
        ankle = knee + 0.445 * leg * np.array([math.sin(thigh - bend), apart, -math.cos(thigh - bend)])
        sole = max(-0.55, min(0.35, 0.55 * (thigh - bend) + 0.10)) if not stands else 0.0
        toe = ankle + 0.090 * h * np.array([math.cos(sole), (0.25 if stands else 0.10) * side, math.sin(sole) - 0.12])
        at |= {f"{name}_hip": hip, f"{name}_knee": knee, f"{name}_ankle": ankle, f"{name}_toe": toe}
        up, out = lean - 0.95 * reach * swing, 0.17
        fold = up + 0.35 + 0.35 * max(0.0, -swing)
        if stands:
            up, bent, out = stance.left if side > 0.0 else stance.right
            fold = up + bent
        shoulder = np.array([0.9 * spine * math.sin(lean), side * shoulder_y, leg + 0.90 * spine * math.cos(lean)])
        elbow = shoulder + 0.175 * h * _along(math.sin(up), out * side, -math.cos(up))
        # Raised hands come together before the chest.
        inward = -0.7 * side * max(0.0, math.sin(fold - 0.5)) if stands else 0.0
        wrist = elbow + 0.140 * h * _along(math.sin(fold), inward, -math.cos(fold))
        at |= {f"{name}_shoulder": shoulder, f"{name}_elbow": elbow, f"{name}_wrist": wrist}
    neck = np.array([spine * math.sin(lean), 0.0, leg + spine * math.cos(lean)])
    middle = np.array([neck[0] + (0.012 + 0.12 * lean) * h, 0.0, h - 0.5 * head])
    at |= {"pelvis": np.array([0.0, 0.0, leg]), "neck": neck, "head": middle}
    at["nose"] = middle + np.array([0.48 * head, 0.0, -0.08 * head])
    for name, side in (("left", 1.0), ("right", -1.0)):
        at[f"{name}_eye"] = middle + np.array([0.41 * head, 0.145 * side * head, 0.05 * head])
        at[f"{name}_ear"] = middle + np.array([0.0, 0.35 * side * head, -0.02 * head])
    # The lowest foot stands on the ground.
    foot = min(float(min(at[f"{s}_ankle"][2] - 0.042 * h, at[f"{s}_toe"][2] - 0.012 * h)) for s in ("left", "right"))
    return {name: point - (0.0, 0.0, foot) for name, point in at.items()}


def _along(x: float, y: float, z: float) -> np.ndarray:
    """The unit vector of a direction."""
    return np.array([x, y, z]) / math.sqrt(x * x + y * y + z * z)


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
        v = cross(along, u)
        turn = np.arange(sides) * 2.0 * np.pi / sides
        rings.append(point + radii[k] * (np.cos(turn)[:, None] * u + np.sin(turn)[:, None] * v))
    material = np.repeat(np.array([int(m) for m in materials])[:, None], sides, axis=1)
    sculptor.loft(np.array(rings), material)
    sculptor.cap(rings[-1], materials[-1])
    sculptor.cap(rings[0][::-1], materials[0])


def _stack(
    sculptor: Sculptor, rows: list[tuple[np.ndarray, float, float]], materials: list[Material], sides: int
) -> None:
    """Rounded rectangles on top of each other, upwards: (middle, half depth, half width)."""
    turn = np.arange(sides) * 2.0 * np.pi / sides + np.pi / sides
    c, s = np.cos(turn), np.sin(turn)
    c, s = np.sign(c) * np.abs(c) ** _ROUND, np.sign(s) * np.abs(s) ** _ROUND
    rings = [m + np.stack([d * c, w * s, np.zeros(sides)], 1) for m, d, w in rows]
    material = np.repeat(np.array([int(m) for m in materials])[:, None], sides, axis=1)
    sculptor.loft(np.array(rings), material)
    sculptor.cap(rings[-1], materials[-1])
    sculptor.cap(rings[0][::-1], materials[0])


def _leg(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], name: str, level: int) -> None:
    h, g = p.height, math.sqrt(p.girth)
    hip, knee, ankle, toe = (at[f"{name}_{j}"] for j in ("hip", "knee", "ankle", "toe"))
    cloth = _M.TROUSERS
    lower = _M.SKIN if p.legs != "trousers" else cloth
    upper = _M.SKIN if p.legs == "skirt" else cloth
    loose = 1.0 if lower == _M.SKIN else 1.25
    calf = knee + 0.32 * (ankle - knee) - (0.006 * h, 0.0, 0.0)
    high, thigh = hip + (0, 0, 0.02 * h), hip + 0.45 * (knee - hip)
    wide = [0.054 * h * g, 0.051 * h * g, 0.035 * h * math.sqrt(loose), 0.034 * h * loose, 0.022 * h * loose]
    if level == 0:
        _chain(sculptor, [high, thigh, knee, calf, ankle], wide, [cloth, upper, lower, lower], 7)
    else:
        _chain(sculptor, [high, knee, ankle], [wide[1], 1.08 * wide[2], 1.15 * wide[4]], [upper, lower], 5)
    along = (toe - ankle) / np.linalg.norm(toe - ankle)
    heel = ankle - 0.030 * h * along
    heel[2] = min(heel[2], ankle[2]) - 0.016 * h
    ball = ankle + 0.55 * (toe - ankle)
    ball[2] = 0.5 * (heel[2] + toe[2]) + 0.006 * h
    _chain(sculptor, [heel, ball, toe], [0.023 * h, 0.025 * h, 0.013 * h], [_M.SHOE] * 2, 6 if level == 0 else 4)


def _arm(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], name: str, level: int) -> None:
    h, g = p.height, math.sqrt(p.girth)
    shoulder, elbow, wrist = (at[f"{name}_{j}"] for j in ("shoulder", "elbow", "wrist"))
    slim = (0.88 if p.sex == Sex.FEMALE else 1.0) * (1.12 if p.coat or p.hood else 1.0)
    lower, sleeve = (_M.SHIRT, 1.14 * slim) if p.sleeves else (_M.SKIN, 0.98 * slim)
    onward = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    palm, tip = wrist + 0.040 * h * onward, wrist + 0.085 * h * onward
    middle = shoulder + 0.5 * (elbow - shoulder)
    inner = shoulder + (0.0, -0.28 * shoulder[1], 0.020 * h)
    if level:
        _chain(
            sculptor,
            [inner, middle, elbow, wrist, tip],
            [0.026 * h, 0.034 * h * g * slim, 0.026 * h * sleeve, 0.020 * h * sleeve, 0.014 * h],
            [_M.SHIRT, lower, lower, _M.SKIN],
            4,
        )
        return
    _chain(
        sculptor,
        [inner, shoulder, middle, elbow, wrist],
        [0.022 * h, 0.033 * h * g * slim, 0.030 * h * g * sleeve, 0.025 * h * sleeve, 0.019 * h * sleeve],
        [_M.SHIRT, _M.SHIRT, lower, lower],
        7,
    )
    _chain(sculptor, [wrist, palm, tip], [0.015 * h, 0.021 * h, 0.008 * h], [_M.SKIN] * 2, 6)


def _torso(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], level: int) -> None:
    h, g = p.height, p.girth
    pelvis, neck = at["pelvis"], at["neck"]
    female = p.sex == Sex.FEMALE
    rise = neck - pelvis
    hips, waist, chest, shoulders = (0.094, 0.073, 0.086, 0.098) if female else (0.090, 0.083, 0.098, 0.112)
    if p.age == Age.CHILD:
        hips, waist, chest, shoulders = 0.088, 0.082, 0.090, 0.098
    # Share of the way from the hips to the neck, half depth, half width, ahead.
    shares = [(-0.17, 0.050, 0.070, 0.0), (-0.04, 0.068, hips, -0.006), (0.10, 0.066, 0.97 * hips, -0.004)]
    shares += [(0.34, 0.058, waist, 0.0), (0.58, 0.064, 0.5 * (waist + chest) + 0.004, 0.003)]
    shares += [(0.74, 0.067, chest, 0.010 if female else 0.004), (0.88, 0.058, shoulders, 0.0)]
    shares += [(0.965, 0.044, 0.78 * shoulders, -0.004), (1.02, 0.032, 0.040, 0.0)]
    materials = [_M.TROUSERS, _M.SHIRT, _M.SHIRT, _M.SHIRT, _M.SHIRT, _M.SHIRT, _M.SHIRT, _M.SHIRT]
    if level:
        keep = (0, 1, 3, 5, 6, 8)
        shares, materials = [shares[k] for k in keep], [materials[0]] + [_M.SHIRT] * 4
    thick = 1.14 if p.coat or p.hood else (1.05 if p.sleeves else 1.0)
    rows = []
    for share, deep, wide, ahead in shares:
        belly = 0.10 * h * max(0.0, g - 1.0) if 0.0 < share < 0.6 else 0.0
        stretch = (g if share < 0.8 else math.sqrt(g)) * (thick if 0.0 < share < 0.95 else 1.0)
        middle = pelvis + share * rise + (ahead * h + 0.5 * belly, 0.0, 0.0)
        rows.append((middle, deep * h * stretch + 0.5 * belly, wide * h * stretch))
    _stack(sculptor, rows, materials, 12 if level == 0 else 8)
    if p.coat or p.legs == "skirt":
        _hem(sculptor, p, at, level)


def _hem(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], level: int) -> None:
    """Skirt or coat, down to about the knees and as wide as the stride needs."""
    h, pelvis = p.height, at["pelvis"]
    material = _M.SHIRT if p.coat else _M.TROUSERS
    knees = [at["left_knee"], at["right_knee"]]
    low = min(k[2] for k in knees) + (0.0 if p.coat else 0.03) * h
    ahead, behind = max(k[0] for k in knees), min(k[0] for k in knees)
    middle = np.array([0.5 * (ahead + behind), 0.0, low])
    deep = max(0.5 * (ahead - behind) + 0.058 * h, 0.080 * h)
    waist = pelvis + 0.32 * (at["neck"] - pelvis)
    g = h * p.girth
    rows = [(middle, deep, 0.100 * g), (pelvis, 0.084 * g, 0.102 * g), (waist, 0.064 * g, 0.082 * g)]
    _stack(sculptor, rows, [material] * 2, 12 if level == 0 else 8)


def _head(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], level: int) -> None:
    """Skull and face, hair on its back and top, neck."""
    middle, neck = at["head"], at["neck"]
    size = 0.5 * p.height * _SKULL[p.age]
    sides = 12 if level == 0 else 8
    turn = np.arange(sides) * 2.0 * np.pi / sides + np.pi / sides
    profile = [_SKULL_ROWS[k] for k in (range(len(_SKULL_ROWS)) if level == 0 else (0, 2, 4, 6))]
    full = 1.0 if p.hair == "bald" else 1.07
    rings = []
    for z, front, back, wide in profile:
        thick = full if z > 0.0 else 1.0
        ahead = np.where(np.cos(turn) > 0.0, front * (thick if z > 0.6 else 1.0), back * thick) * np.cos(turn)
        # The chin lies ahead of the neck: negative backs start the ring in front of the middle.
        rings.append(middle + size * np.stack([ahead, wide * thick * np.sin(turn), np.full(sides, z * full)], 1))
    facing = np.cos(turn + np.pi / sides)
    material = np.full((len(rings) - 1, sides), int(_M.FACE))
    if p.hair != "bald":
        for row, (low, high) in enumerate(itertools.pairwise(profile)):
            height = 0.5 * (low[0] + high[0])
            limit = 2.0 if height > 0.6 else (0.75 if height > 0.4 else 1.1 * height - 0.15)
            if height > -0.62 or p.hair == "long":
                material[row, facing < limit] = _M.HAIR
    grey = (0.0, 0.0, p.height if p.age == Age.OLD else 0.0)
    a, d = np.array(rings[:-1]), np.array(rings[1:])
    b, c = np.roll(a, -1, axis=1), np.roll(d, -1, axis=1)
    quads = np.stack([np.stack([a, b, c], 2), np.stack([a, c, d], 2)], 2)
    for kind, anchor in ((_M.FACE, tuple(middle)), (_M.HAIR, grey)):
        if (material == kind).any():
            sculptor.add(quads[material == kind].reshape(-1, 3, 3), kind, anchor)
    top = np.array([[rings[-1][0], rings[-1][i], rings[-1][i + 1]] for i in range(1, sides - 1)])
    sculptor.add(top, _M.FACE if p.hair == "bald" else _M.HAIR, tuple(middle) if p.hair == "bald" else grey)
    sculptor.cap(rings[0][::-1], _M.SKIN)
    low, high = neck - (0.0, 0.0, 0.02 * p.height), middle + (-0.12 * size, 0.0, -0.55 * size)
    _chain(sculptor, [low, high], [0.034 * p.height, 0.029 * p.height], [_M.SKIN], 8 if level == 0 else 5)
    if level == 0:
        _features(sculptor, middle, size)
    _hair(sculptor, p, middle, size, grey, 8 if level == 0 else 5)
    if p.hat:
        rows = [(middle + (-0.06 * size, 0, z * size), d * size, w * size) for z, d, w in _HAT]
        _stack(sculptor, rows, [_M.BAG] * 2, sides)


def _features(sculptor: Sculptor, middle: np.ndarray, size: float) -> None:
    """Nose and ears."""

    def at(x: float, y: float, z: float) -> np.ndarray:
        return middle + size * np.array([x, y, z])

    bridge, tip = at(0.84, 0.0, 0.10), at(1.02, 0.0, -0.22)
    left, right = at(0.80, 0.14, -0.28), at(0.80, -0.14, -0.28)
    sculptor.add(np.array([[bridge, tip, right], [bridge, left, tip], [tip, left, right]])[:, ::-1], _M.SKIN)
    for side in (1.0, -1.0):
        _chain(sculptor, [at(-0.10, side * 0.66, -0.18), at(-0.16, side * 0.82, 0.14)], [0.10 * size] * 2, [_M.SKIN], 4)


def _hair(sculptor: Sculptor, p: Person, middle: np.ndarray, size: float, grey: tuple, sides: int) -> None:
    if p.hair == "long":
        length = 2.0 if p.age == Age.ADULT else 1.6
        ovals = [(-0.62, -length, 0.16, 0.50), (-0.50, -0.7, 0.42, 0.74), (-0.30, 0.45, 0.66, 0.76)]
    elif p.hair == "bun":
        ovals = [(-0.98, 0.0, 0.18, 0.16), (-1.06, 0.30, 0.34, 0.34), (-0.98, 0.62, 0.16, 0.14)]
    else:
        return
    box = Sculptor()
    rows = [(middle + (x * size, 0, z * size), deep * size, wide * size) for x, z, deep, wide in ovals]
    _stack(box, rows, [_M.HAIR] * 2, sides)
    sculptor.add(box.mesh().corners_m, _M.HAIR, grey)


def _luggage(sculptor: Sculptor, p: Person, at: dict[str, np.ndarray], level: int) -> None:
    h, neck = p.height, at["neck"]
    if p.hood and level == 0:
        rows = [
            (neck + (-0.040 * h, 0, -0.035 * h), 0.030 * h, 0.070 * h),
            (neck + (-0.035 * h, 0, 0.012 * h), 0.034 * h, 0.058 * h),
            (neck + (-0.030 * h, 0, 0.028 * h), 0.018 * h, 0.040 * h),
        ]
        _stack(sculptor, rows, [_M.SHIRT] * 2, 8)
    if p.pack == "backpack":
        back = at["pelvis"] + 0.62 * (neck - at["pelvis"]) - (0.095 * h, 0.0, 0.0)
        shapes = ((-0.12, 0.030, 0.070), (-0.10, 0.045, 0.082), (0.04, 0.046, 0.080), (0.10, 0.022, 0.058))
        rows = [(back + (0, 0, dz * h), d * h, w * h) for dz, d, w in shapes]
        _stack(sculptor, rows, [_M.BAG] * 3, 8)
    elif p.pack == "bag":
        hand = at["right_wrist"] + (0.0, 0.0, -0.075 * h)
        low, high = hand + (-0.070 * h, -0.020 * h, -0.13 * h), hand + (0.070 * h, 0.022 * h, -0.01 * h)
        sculptor.box(tuple(low), tuple(high), _M.BAG)


def _far(p: Person, at: dict[str, np.ndarray]) -> Mesh:
    """A person a few pixels high: legs, arms, trunk, head."""
    sculptor, h = Sculptor(), p.height
    pelvis, neck = at["pelvis"], at["neck"]
    shin = _M.SKIN if p.legs != "trousers" else _M.TROUSERS
    for name in ("left", "right"):
        foot = at[f"{name}_ankle"] - (0, 0, 0.04 * h)
        _chain(sculptor, [at[f"{name}_hip"], foot], [0.056 * h, 0.036 * h], [shin], 3)
        shoulder, wrist = at[f"{name}_shoulder"], at[f"{name}_wrist"]
        _chain(sculptor, [shoulder, wrist], [0.040 * h, 0.026 * h], [_M.SHIRT if p.sleeves else _M.SKIN], 3)
    rows = [
        (pelvis - (0, 0, 0.04 * h), 0.070 * h, 0.094 * h * p.girth),
        (neck - (0, 0, 0.03 * h), 0.060 * h, 0.115 * h),
    ]
    if p.coat or p.legs == "skirt":
        hem = (pelvis - (0, 0, 0.20 * h), 0.09 * h, 0.11 * h)
        _stack(sculptor, [hem, rows[0]], [_M.SHIRT if p.coat else _M.TROUSERS], 4)
    _stack(sculptor, rows, [_M.SHIRT], 4)
    half = 0.5 * _SKULL[p.age]
    skull = ((-half - 0.02, 0.030, 0.030), (-0.3 * half, 0.056, 0.046), (0.4 * half, 0.060, 0.050), (half, 0.03, 0.026))
    rows = [(at["head"] + (0, 0, dz * h), d * h, w * h) for dz, d, w in skull]
    _stack(sculptor, rows, [_M.SKIN, _M.SKIN, _M.HAIR], 4)
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
