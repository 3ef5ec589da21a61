"""A bicycle and a motorcycle with their riders, in metres: x forward, y left, z up, standing on z = 0."""

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor, blob

_Point = tuple[float, float, float]


def _wheel(sculptor: Sculptor, x: float, radius: float, depth: float, width: float, sides: int) -> None:
    """A tyre one can see through: a ring about the axle at height `radius`, `depth` from tread to rim."""
    turn = np.arange(sides) * 2.0 * np.pi / sides

    def ring(r: float, y: float) -> np.ndarray:
        return np.stack([x + r * np.cos(turn), np.full(sides, y), radius + r * np.sin(turn)], 1)

    inner, half = radius - depth, 0.5 * width
    rings = [ring(radius, half), ring(radius, -half), ring(inner, -half), ring(inner, half), ring(radius, half)]
    material = np.full((4, sides), Material.TYRE)
    material[2] = Material.RIM
    sculptor.loft(np.array(rings), material)


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
    sculptor.loft(np.array(rings), np.full((3, sides), Material.SHIRT))
    sculptor.cap(rings[-1], Material.SHIRT)
    sculptor.cap(rings[0][::-1], Material.TROUSERS)


def bicycle(level: int) -> Mesh:
    """A diamond frame, an upright handlebar, and a rider with one pedal up and one down."""
    sculptor, sides = Sculptor(), 4 if level else 6
    for x in (0.53, -0.53):
        _wheel(sculptor, x, 0.34, 0.05, 0.045, 8 if level else 16)
    rear, front, crank = (-0.53, 0.0, 0.34), (0.53, 0.0, 0.34), (-0.05, 0.0, 0.30)
    head, seat = (0.37, 0.0, 0.86), (-0.19, 0.0, 0.84)
    for start, end in ((head, crank), (head, seat), (seat, crank), (rear, crank), (rear, seat), (front, head)):
        sculptor.tube(start, end, (0.024, 0.024), 4, Material.PAINT)
    sculptor.tube(head, (0.33, 0.0, 1.04), (0.018, 0.018), 4, Material.METAL)
    sculptor.tube((0.33, -0.30, 1.04), (0.33, 0.30, 1.04), (0.018, 0.018), 4, Material.DARK)
    sculptor.box((-0.34, -0.09, 0.88), (-0.06, 0.09, 0.95), Material.DARK)
    sculptor.box((-0.60, -0.04, 0.62), (-0.56, 0.04, 0.70), Material.TAIL_LAMP)
    sculptor.box((0.43, -0.04, 0.80), (0.49, 0.04, 0.88), Material.HEAD_LAMP)
    for side, knee, foot in ((1.0, (0.17, 0.60), (-0.02, 0.20)), (-1.0, (0.24, 0.84), (0.02, 0.46))):
        joints = [(-0.19, 0.10 * side, 0.96), (knee[0], 0.12 * side, knee[1]), (foot[0], 0.11 * side, foot[1])]
        for k, radii in enumerate(((0.09, 0.065), (0.065, 0.045))):
            sculptor.tube(joints[k], joints[k + 1], radii, sides, Material.TROUSERS)
        x, y, z = joints[2]
        sculptor.tube((x - 0.08, y, z - 0.05), (x + 0.18, y, z - 0.06), (0.045, 0.04), 4, Material.DARK)
    arm = [(0.06, 0.21, 1.38), (0.20, 0.27, 1.16), (0.34, 0.26, 1.06)]
    _limbs(sculptor, arm, [0.055, 0.045, 0.035], [Material.SHIRT, Material.SKIN], max(sides - 1, 4))
    _torso(sculptor, (-0.20, 0.0, 0.92), (0.08, 0.0, 1.48), sides + 2)
    sculptor.add(blob((0.13, 0.0, 1.60), (0.095, 0.08, 0.115), 0 if level else 1, 0.0, None), Material.SKIN)
    sculptor.add(blob((0.10, 0.0, 1.66), (0.125, 0.095, 0.09), 0, 0.0, None), Material.PAINT)
    return sculptor.mesh()


def motorcycle(level: int) -> Mesh:
    """A street machine: fat tyres, engine, tank and tail, and a rider in a closed helmet."""
    sculptor, sides = Sculptor(), 4 if level else 6
    for x in (0.72, -0.70):
        _wheel(sculptor, x, 0.31, 0.11, 0.15, 8 if level else 14)
    for y in (0.11, -0.11):
        sculptor.tube((0.72, y, 0.31), (0.45, y, 0.92), (0.03, 0.03), 4, Material.METAL)
        sculptor.tube((-0.70, y, 0.31), (-0.10, y, 0.42), (0.035, 0.045), 4, Material.DARK)
    sculptor.box((-0.28, -0.17, 0.24), (0.36, 0.17, 0.62), Material.METAL)
    sculptor.tube((-0.15, -0.21, 0.34), (-0.85, -0.23, 0.46), (0.05, 0.06), sides, Material.RIM)
    sculptor.add(blob((0.18, 0.0, 0.80), (0.36, 0.19, 0.17), 0 if level else 1, 0.0, None), Material.PAINT)
    sculptor.add(blob((0.50, 0.0, 0.84), (0.20, 0.17, 0.20), 0, 0.0, None), Material.PAINT)
    sculptor.box((-0.62, -0.14, 0.72), (-0.02, 0.14, 0.84), Material.DARK)
    tail = [[(-0.55, -0.12, 0.60), (-0.55, 0.12, 0.60), (-0.55, 0.12, 0.80), (-0.55, -0.12, 0.80)]]
    tail.append([(-1.00, -0.06, 0.80), (-1.00, 0.06, 0.80), (-1.00, 0.06, 0.92), (-1.00, -0.06, 0.92)])
    rings = np.array(tail)[:, ::-1]
    sculptor.loft(rings, np.full((1, 4), Material.PAINT))
    sculptor.cap(rings[1], Material.TAIL_LAMP)
    sculptor.box((-0.98, -0.10, 0.56), (-0.96, 0.10, 0.74), Material.PLATE)
    sculptor.box((0.66, -0.09, 0.78), (0.72, 0.09, 0.94), Material.HEAD_LAMP)
    sculptor.tube((0.42, -0.37, 1.00), (0.42, 0.37, 1.00), (0.022, 0.022), 4, Material.DARK)
    leg = [(-0.25, 0.13, 0.90), (0.16, 0.22, 0.74), (-0.10, 0.22, 0.36)]
    _limbs(sculptor, leg, [0.10, 0.075, 0.055], [Material.TROUSERS] * 2, sides)
    _limbs(sculptor, [(-0.18, 0.22, 0.32), (0.12, 0.22, 0.31)], [0.05, 0.045], [Material.DARK], 4)
    arm = [(-0.02, 0.22, 1.28), (0.16, 0.31, 1.08), (0.40, 0.30, 1.02)]
    _limbs(sculptor, arm, [0.065, 0.055, 0.045], [Material.SHIRT, Material.SHIRT], max(sides - 1, 4))
    _torso(sculptor, (-0.28, 0.0, 0.84), (0.00, 0.0, 1.36), sides + 2)
    sculptor.add(blob((0.05, 0.0, 1.46), (0.145, 0.125, 0.15), 0 if level else 1, 0.0, None), Material.PAINT)
    sculptor.box((0.13, -0.09, 1.43), (0.20, 0.09, 1.51), Material.GLASS)
    return sculptor.mesh()


MAKERS = {24: bicycle, 25: motorcycle}
