"""Trees, houses and roadside furniture, in metres."""

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor, blob


def broadleaf(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(11)
    sculptor.tube((0, 0, 0), (0.1, 0, 3.4), (0.22, 0.13), 3 if level else 5, Material.BARK)
    if level:
        sculptor.add(blob((0.0, 0.0, 5.2), (2.6, 2.5, 2.9), 0, 0.1, rng), Material.FOLIAGE)
        return sculptor.mesh()
    sculptor.add(blob((0.0, 0.0, 5.4), (2.2, 2.1, 2.6), 1, 0.16, rng), Material.FOLIAGE)
    for x, y, z, r in ((1.3, 0.6, 4.5, 1.4), (-1.2, 0.9, 4.8, 1.35), (-0.3, -1.4, 4.4, 1.4)):
        sculptor.add(blob((x, y, z), (r, r, 0.9 * r), 0 if r < 1.3 else 1, 0.16, rng), Material.FOLIAGE)
    return sculptor.mesh()


def conifer(level: int) -> Mesh:
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


def poplar(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(13)
    sculptor.tube((0, 0, 0), (0, 0, 2.5), (0.18, 0.12), 3 if level else 5, Material.BARK)
    sculptor.add(blob((0, 0, 6.0), (1.35, 1.3, 4.6), 0 if level else 1, 0.13, rng), Material.FOLIAGE)
    return sculptor.mesh()


def bush(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(14)
    sculptor.add(blob((0, 0, 0.5), (1.0, 0.9, 0.7), 0 if level else 1, 0.15, rng), Material.FOLIAGE)
    mesh = sculptor.mesh()
    return Mesh(np.maximum(mesh.corners_m, [-9.0, -9.0, 0.0]), mesh.material)


def block(level: int) -> Mesh:
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


def roofed(ridge_half: float, level: int) -> Mesh:
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


def lamp_post(level: int) -> Mesh:
    """The arm reaches along +x."""
    sculptor, sides = Sculptor(), 3 if level else 5
    sculptor.tube((-0.9, 0, 0), (-0.9, 0, 7.6), (0.09, 0.06), sides, Material.METAL)
    sculptor.tube((-0.9, 0, 7.55), (0.6, 0, 7.85), (0.05, 0.04), sides, Material.METAL)
    sculptor.box((0.35, -0.14, 7.74), (1.0, 0.14, 7.9), Material.LANTERN)
    return sculptor.mesh()


def guard_rail(level: int) -> Mesh:
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


def delineator(level: int) -> Mesh:
    """A white roadside post with a dark band; faces both ways."""
    sculptor, sides = Sculptor(), 3 if level else 5
    sculptor.tube((0, 0, 0), (0, 0, 0.72), (0.06, 0.06), sides, Material.PLATE)
    sculptor.tube((0, 0, 0.72), (0, 0, 0.92), (0.061, 0.061), sides, Material.DARK)
    sculptor.tube((0, 0, 0.92), (0, 0, 1.0), (0.06, 0.05), sides, Material.PLATE)
    return sculptor.mesh()
