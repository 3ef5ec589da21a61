"""Wheels of cars, lorries and two-wheelers, in metres."""

import numpy as np

from sim.meshes.sculpt import Material, Sculptor

_SIDES = (12, 6, 4)  # of the tyre at each level of detail


def wheel(
    sculptor: Sculptor, hub: tuple[float, float, float], radius: float, width: float, level: int, rim: float = 0.68
) -> None:
    """A wheel whose outer face lies at the hub's y; it faces away from the vehicle's middle, y = 0."""
    x, y, z = hub
    side, sides = np.sign(y), _SIDES[level]
    turn = np.arange(sides) * 2.0 * np.pi / sides * -side
    circle = np.stack([np.cos(turn), np.zeros(sides), np.sin(turn)], 1)
    face = np.array([x, y, z])
    outer = face + radius * circle
    if level:
        sculptor.cap(outer, Material.TYRE)
        if level == 1:
            sculptor.add(_fan(face + [0.0, 0.004 * side, 0.0] + rim * radius * circle), Material.WHEEL, face)
        return
    shoulder = face + [0.0, -0.02 * side, 0.0] + radius * circle
    edge = face + rim * radius * circle
    inner = shoulder - [0.0, (width - 0.02) * side, 0.0]
    sculptor.loft(np.array([inner, shoulder, edge]), np.full((2, sides), Material.TYRE))
    sculptor.add(_fan(edge - [0.0, 0.012 * side, 0.0]), Material.WHEEL, face)


def _fan(ring: np.ndarray) -> np.ndarray:
    """A convex polygon (P, 3) as triangles."""
    return np.array([[ring[0], ring[i], ring[i + 1]] for i in range(1, len(ring) - 1)])


def see_through_wheel(
    sculptor: Sculptor, x: float, radius: float, depth: float, width: float, sides: int, disc: bool
) -> None:
    """A two-wheeler's tyre on y = 0: a ring about the axle at height `radius`, `depth` from tread to rim.

    With `disc` a face on either side carries the spokes of a cast wheel.
    """
    turn = np.arange(sides) * 2.0 * np.pi / sides

    def ring(r: float, y: float) -> np.ndarray:
        return np.stack([x + r * np.cos(turn), np.full(sides, y), radius + r * np.sin(turn)], 1)

    inner, half = radius - depth, 0.5 * width
    rings = [ring(radius, half), ring(radius, -half), ring(inner, -half), ring(inner, half), ring(radius, half)]
    material = np.full((4, sides), Material.TYRE)
    material[2] = Material.RIM
    sculptor.loft(np.array(rings), material)
    if disc:
        hub = (x, 0.0, radius)
        sculptor.add(_fan(ring(inner, -0.3 * half)), Material.WHEEL, hub)
        sculptor.add(_fan(ring(inner, 0.3 * half)[::-1]), Material.WHEEL, hub)
