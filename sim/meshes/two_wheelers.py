"""Bicycles and motorcycles with their riders, in metres: x forward, y left, z up, standing on z = 0."""

import math
from functools import partial

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor, blob
from sim.meshes.wheels import see_through_wheel

_Point = tuple[float, float, float]
PEDAL_PHASES = 4  # of a turn of the pedals
BICYCLES = (24, 68, 69, 70)  # models of the variants, pedals in their first phase
TURNED = 244  # from here on: the other phases of each variant
_CRANK, _PEDAL_M, _THIGH_M, _SHIN_M = (-0.05, 0.30), 0.17, 0.45, 0.46


def _limbs(sculptor: Sculptor, joints: list[_Point], radii: list[float], materials: list[Material], sides: int) -> None:
    """Tubes from joint to joint on the left, and their mirror images on the right."""
    for side in (1.0, -1.0):
        for k, material in enumerate(materials):
            (x0, y0, z0), (x1, y1, z1) = joints[k], joints[k + 1]
            sculptor.tube((x0, side * y0, z0), (x1, side * y1, z1), (radii[k], radii[k + 1]), sides, material)


def _torso(sculptor: Sculptor, hip: _Point, neck: _Point, sides: int) -> None:
    """From the hip to the shoulders, wider than deep, leaning as the two points say."""
    around = np.arange(sides) * 2.0 * np.pi / sides
    shares = ((0.0, 0.15, 0.11), (0.45, 0.15, 0.11), (0.86, 0.20, 0.12), (1.0, 0.09, 0.07))
    rings = [
        np.stack(
            [
                hip[0] + share * (neck[0] - hip[0]) + deep * np.cos(around),
                wide * np.sin(around),
                np.full(sides, hip[2] + share * (neck[2] - hip[2])),
            ],
            1,
        )
        for share, wide, deep in shares
    ]
    sculptor.loft(np.array(rings), np.full((3, sides), Material.RIDER_SHIRT))
    sculptor.cap(rings[-1], Material.RIDER_SHIRT)
    sculptor.cap(rings[0][::-1], Material.RIDER_TROUSERS)


def _head(sculptor: Sculptor, middle: _Point, closed: bool, level: int) -> None:
    """A head with a helmet, which a motorcyclist's hides but for the visor."""
    x, y, z = middle
    fine = 0 if level else 1
    if closed:
        sculptor.add(blob((x, y, z), (0.145, 0.125, 0.15), fine, 0.0, None), Material.RIDER_HELMET)
        sculptor.box((x + 0.07, -0.09, z - 0.03), (x + 0.15, 0.09, z + 0.05), Material.GLASS)
        return
    sculptor.add(blob((x, y, z), (0.095, 0.08, 0.115), fine, 0.0, None), Material.RIDER_SKIN)
    sculptor.add(blob((x - 0.03, y, z + 0.06), (0.125, 0.095, 0.09), 0, 0.0, None), Material.RIDER_HELMET)


def _far(length: float, wheels: float, hip: _Point, neck: _Point, head: _Point, fat: float) -> Mesh:
    """Either machine a few pixels high: wheels, frame, legs, trunk, head."""
    sculptor, reach = Sculptor(), 0.5 * length - wheels
    for x in (reach, -reach):
        turn = np.arange(5) * 2.0 * np.pi / 5 + 0.3
        for y in (0.5 * fat, -0.5 * fat):
            ring = np.stack([x + wheels * np.cos(turn), np.full(5, y), wheels + wheels * np.sin(turn)], 1)
            sculptor.cap(ring[::-1] if y > 0 else ring, Material.TYRE)
    sculptor.box((-reach, -0.6 * fat, 0.45), (reach, 0.6 * fat, 0.45 + 2.0 * fat), Material.PAINT)
    sculptor.tube(hip, (0.05, 0.0, 0.25), (0.14, 0.09), 3, Material.RIDER_TROUSERS)
    sculptor.tube(hip, neck, (0.16, 0.19), 4, Material.RIDER_SHIRT)
    sculptor.tube(
        (head[0], 0.0, head[2] - 0.13), (head[0], 0.0, head[2] + 0.12), (0.09, 0.10), 4, Material.RIDER_HELMET
    )
    sculptor.tube((neck[0], 0.3, neck[2] - 0.1), (0.34, 0.3, 1.04), (0.05, 0.04), 3, Material.RIDER_SHIRT)
    sculptor.tube((neck[0], -0.3, neck[2] - 0.1), (0.34, -0.3, 1.04), (0.05, 0.04), 3, Material.RIDER_SHIRT)
    return sculptor.mesh()


def _leg_joints(turn: float, side: float) -> list[_Point]:
    """Hip, knee and ankle of a leg whose pedal stands at an angle; the knee lies ahead of both."""
    hip = (-0.19, 0.96)
    ankle = (_CRANK[0] + _PEDAL_M * math.cos(turn) - 0.05, _CRANK[1] + _PEDAL_M * math.sin(turn) + 0.08)
    way = (ankle[0] - hip[0], ankle[1] - hip[1])
    reach = math.hypot(*way)
    share = (reach**2 + _THIGH_M**2 - _SHIN_M**2) / (2.0 * reach)
    out = math.sqrt(_THIGH_M**2 - share**2)
    knee = (
        hip[0] + (share * way[0] - out * way[1]) / reach,
        hip[1] + (share * way[1] + out * way[0]) / reach,
    )
    return [(hip[0], 0.10 * side, hip[1]), (knee[0], 0.13 * side, knee[1]), (ankle[0], 0.11 * side, ankle[1])]


def bicycle(variant: int, phase: int, level: int) -> Mesh:
    """A bicycle and its rider, whose pedals turn: 0 trekking, 1 city with a basket, 2 racing, 3 with panniers."""
    racing, city = variant == 2, variant == 1
    neck = (0.20, 0.0, 1.36) if racing else (0.08 - 0.06 * city, 0.0, 1.48)
    skull = (neck[0] + 0.06, 0.0, neck[2] + 0.12)
    if level == 2:
        return _far(1.75, 0.34, (-0.20, 0.0, 0.92), neck, skull, 0.045)
    sculptor, sides = Sculptor(), 4 if level else 6
    for x in (0.53, -0.53):
        see_through_wheel(sculptor, x, 0.34, 0.05, 0.045, 8 if level else 14, False)
    rear, front, crank = (-0.53, 0.0, 0.34), (0.53, 0.0, 0.34), (-0.05, 0.0, 0.30)
    head, seat = (0.37, 0.0, 0.86), (-0.19, 0.0, 0.84)
    low = (-0.10, 0.0, 0.52) if city else seat
    tubes = ((head, crank), (head, low), (seat, crank), (rear, crank), (rear, seat), (front, head))
    for start, end in tubes:
        sculptor.tube(start, end, (0.024, 0.024), 3 if level else 4, Material.PAINT)
    bar = (0.46, 0.94) if racing else (0.33, 1.04)
    sculptor.tube(head, (bar[0], 0.0, bar[1]), (0.018, 0.018), 3, Material.METAL)
    sculptor.tube((bar[0], -0.30, bar[1]), (bar[0], 0.30, bar[1]), (0.018, 0.018), 4, Material.DARK)
    sculptor.box((-0.34, -0.09, 0.88), (-0.06, 0.09, 0.95), Material.DARK)
    sculptor.box((-0.60, -0.04, 0.62), (-0.56, 0.04, 0.70), Material.REFLECTOR)
    sculptor.box((0.43, -0.04, 0.80), (0.49, 0.04, 0.88), Material.HEAD_LAMP)
    if city:
        sculptor.box((0.42, -0.17, 0.88), (0.72, 0.17, 1.08), Material.METAL)
    if variant == 3:
        for y in (0.06, -0.20):
            sculptor.box((-0.78, y, 0.42), (-0.42, y + 0.14, 0.76), Material.BAG)
    for side, half in ((1.0, 0.0), (-1.0, math.pi)):
        joints = _leg_joints(half - 2.0 * math.pi * (phase + 0.5) / PEDAL_PHASES, side)
        lower = Material.RIDER_SKIN if racing else Material.RIDER_TROUSERS
        for k, radii in enumerate(((0.09, 0.065), (0.065, 0.045))):
            sculptor.tube(joints[k], joints[k + 1], radii, sides, lower if k else Material.RIDER_TROUSERS)
        x, y, z = joints[2]
        sculptor.tube((x - 0.08, y, z - 0.05), (x + 0.18, y, z - 0.06), (0.045, 0.04), 4, Material.RIDER_SHOE)
    hand = (bar[0] + 0.01, 0.26, bar[1] + 0.02)
    shoulder = (neck[0] - 0.02, 0.21, neck[2] - 0.10)
    elbow = (0.5 * (shoulder[0] + hand[0]), 0.28, 0.5 * (shoulder[2] + hand[2]) - 0.05)
    forearm = Material.RIDER_SKIN if racing or variant == 0 else Material.RIDER_SHIRT
    _limbs(sculptor, [shoulder, elbow, hand], [0.055, 0.045, 0.035], [Material.RIDER_SHIRT, forearm], max(sides - 1, 4))
    _torso(sculptor, (-0.20, 0.0, 0.92), neck, sides + 2)
    throat = (neck[0] - 0.03, 0.0, neck[2] - 0.04)
    sculptor.tube(throat, skull, (0.06, 0.05), sides, Material.RIDER_SKIN)
    _head(sculptor, skull, False, level)
    if city and level == 0:  # no helmet: long hair
        sculptor.add(blob((skull[0] - 0.06, 0.0, skull[2] - 0.06), (0.07, 0.085, 0.16), 0, 0.0, None), Material.HAIR)
    return sculptor.mesh()


def motorcycle(variant: int, level: int) -> Mesh:
    """A motorcycle and its rider in a closed helmet: 0 street machine, 1 scooter, 2 with cases, 3 sporting."""
    scooter, sporting = variant == 1, variant == 3
    neck = (0.16, 0.0, 1.28) if sporting else ((-0.06 if scooter else 0.0), 0.0, 1.38)
    skull = (neck[0] + 0.06, 0.0, neck[2] + 0.10)
    radius = 0.25 if scooter else 0.31
    if level == 2:
        return _far(2.08, radius, (-0.28, 0.0, 0.84), neck, skull, 0.15)
    sculptor, sides = Sculptor(), 4 if level else 6
    fine = 0 if level else 1
    for x in (0.72, -0.70):
        see_through_wheel(sculptor, x, radius, 0.11, 0.15, 8 if level else 14, True)
    for y in (0.11, -0.11):
        sculptor.tube((0.72, y, radius), (0.45, y, 0.92), (0.03, 0.03), 4, Material.METAL)
        sculptor.tube((-0.70, y, radius), (-0.10, y, 0.42), (0.035, 0.045), 4, Material.DARK)
    if scooter:
        shield = [(0.50, 0.30), (0.62, 0.45), (0.50, 0.98), (0.44, 0.98), (0.40, 0.30)]
        rings = np.array([[(x, y, z) for x, z in shield] for y in (-0.22, 0.22)])
        sculptor.loft(rings[:, ::-1], np.full((1, 5), int(Material.PAINT)))
        sculptor.cap(rings[1][::-1], Material.PAINT)
        sculptor.cap(rings[0], Material.PAINT)
        sculptor.box((-0.30, -0.17, 0.24), (0.42, 0.17, 0.36), Material.DARK)
        sculptor.add(blob((-0.42, 0.0, 0.58), (0.46, 0.19, 0.22), fine, 0.0, None), Material.PAINT)
    else:
        sculptor.box((-0.28, -0.17, 0.24), (0.36, 0.17, 0.62), Material.METAL)
        sculptor.tube((-0.15, -0.21, 0.34), (-0.85, -0.23, 0.46), (0.05, 0.06), sides, Material.CHROME)
        sculptor.add(blob((0.18, 0.0, 0.80), (0.36, 0.19, 0.17), fine, 0.0, None), Material.PAINT)
        sculptor.add(blob((0.50, 0.0, 0.84), (0.20, 0.17, 0.20), 0, 0.0, None), Material.PAINT)
    sculptor.box((-0.62, -0.14, 0.72), (-0.02, 0.14, 0.84), Material.DARK)
    tail = [[(-0.55, -0.12, 0.60), (-0.55, 0.12, 0.60), (-0.55, 0.12, 0.80), (-0.55, -0.12, 0.80)]]
    tail.append([(-1.00, -0.06, 0.80), (-1.00, 0.06, 0.80), (-1.00, 0.06, 0.92), (-1.00, -0.06, 0.92)])
    rings = np.array(tail)[:, ::-1]
    sculptor.loft(rings, np.full((1, 4), Material.PAINT))
    sculptor.cap(rings[1], Material.TAIL_LAMP)
    sculptor.quad(
        (-1.0, 0.10, 0.56), (-1.0, -0.10, 0.56), (-1.0, -0.10, 0.74), (-1.0, 0.10, 0.74), Material.NUMBER_PLATE
    )
    sculptor.box((0.66, -0.09, 0.78), (0.72, 0.09, 0.94), Material.HEAD_LAMP)
    sculptor.tube((0.42, -0.37, 1.00), (0.42, 0.37, 1.00), (0.022, 0.022), 4, Material.DARK)
    if level == 0 and not sporting:
        for y in (0.30, -0.40):
            sculptor.box((0.40, y, 1.06), (0.44, y + 0.10, 1.14), Material.BLACK)
    if variant == 2:
        for y in (0.16, -0.40):
            sculptor.box((-0.95, y, 0.52), (-0.50, y + 0.24, 0.88), Material.BLACK)
        sculptor.box((-1.04, -0.22, 0.92), (-0.62, 0.22, 1.24), Material.BLACK)
    if sporting:
        sculptor.box((0.40, -0.16, 0.95), (0.62, 0.16, 1.12), Material.GLASS)
    foot = (0.22, 0.36) if scooter else (-0.10, 0.36)
    leg = [(-0.25, 0.13, 0.90), (0.16, 0.22, 0.74), (foot[0], 0.22, foot[1])]
    _limbs(sculptor, leg, [0.10, 0.075, 0.055], [Material.RIDER_TROUSERS] * 2, sides)
    shoe = [(foot[0] - 0.08, 0.22, foot[1] - 0.04), (foot[0] + 0.22, 0.22, foot[1] - 0.05)]
    _limbs(sculptor, shoe, [0.05, 0.045], [Material.RIDER_SHOE], 4)
    arm = [(neck[0] - 0.02, 0.22, neck[2] - 0.08), (0.5 * neck[0] + 0.16, 0.31, 1.08), (0.40, 0.30, 1.02)]
    _limbs(sculptor, arm, [0.065, 0.055, 0.045], [Material.RIDER_SHIRT] * 2, max(sides - 1, 4))
    _torso(sculptor, (-0.28, 0.0, 0.84), neck, sides + 2)
    _head(sculptor, skull, True, level)
    return sculptor.mesh()


MAKERS = {number: partial(bicycle, variant, 0) for variant, number in enumerate(BICYCLES)}
MAKERS |= {
    TURNED + (PEDAL_PHASES - 1) * variant + phase - 1: partial(bicycle, variant, phase)
    for variant in range(len(BICYCLES))
    for phase in range(1, PEDAL_PHASES)
}
MAKERS[25] = partial(motorcycle, 0)
MAKERS |= {70 + variant: partial(motorcycle, variant) for variant in (1, 2, 3)}
