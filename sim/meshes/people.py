"""People, in metres."""

import math

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor, blob

WALK_PHASES = 8
POSES = 9  # the phases of a stride, and standing
BODIES = 1


def _limb(sculptor: Sculptor, points: list[tuple], radii: list[float], materials: list[Material], sides: int) -> None:
    for i, material in enumerate(materials):
        sculptor.tube(points[i], points[i + 1], (radii[i], radii[i + 1]), sides, material)


def person(body: int, phase: int, level: int) -> Mesh:
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
    sculptor.add(blob((0.02, 0.0, 1.63), (0.095, 0.08, 0.115), 0 if level else 1, 0.0, None), Material.SKIN)
    sculptor.add(blob((-0.012, 0.0, 1.665), (0.098, 0.088, 0.105), 0, 0.0, None), Material.HAIR)
    return sculptor.mesh()
