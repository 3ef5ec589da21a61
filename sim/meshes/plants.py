"""Trees, hedges, bushes and edges of woods, in metres: crowns of ragged blobs with gaps that let the sky through."""

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor, blob

_GAPS = 0.05  # share of a crown's faces that are left out; as back faces are not drawn one sees through them


def _leaves(
    sculptor: Sculptor,
    rng: np.random.Generator,
    center: tuple[float, float, float],
    radius: tuple[float, float, float],
    level: int,
    spikes: float = 0.16,
    gaps: float = _GAPS,
    material: Material = Material.FOLIAGE,
) -> None:
    """A lump of leaves: an ellipsoid with a few broad bulges, ragged at the scale of its faces."""
    corners = blob((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), level, spikes, rng)
    waves, phase = rng.normal(0.0, 2.6, (4, 3)), rng.uniform(0.0, 2.0 * np.pi, 4)
    unit = corners / np.linalg.norm(corners, axis=-1, keepdims=True)
    corners = corners * (1.0 + 0.055 * np.sin(unit @ waves.T + phase).sum(axis=-1))[..., None]
    kept = rng.random(len(corners)) >= (gaps if level > 1 else 0.0)
    sculptor.add(corners[kept] * np.array(radius) + np.array(center), material)
    if level > 1:
        _fringe(sculptor, rng, center, radius, 90, material)


def _fringe(
    sculptor: Sculptor,
    rng: np.random.Generator,
    center: tuple[float, float, float],
    radius: tuple[float, float, float],
    count: int,
    material: Material,
) -> None:
    """Sprays of leaves that stand out of a crown's surface, seen from both sides: they break up its outline."""
    toward = rng.normal(size=(count, 3))
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    foot = toward * rng.uniform(0.86, 1.02, (count, 1))
    size = rng.uniform(0.10, 0.22, (count, 1, 1))
    spray = foot[:, None] + size * rng.normal(0.0, 0.75, (count, 3, 3)) + 0.35 * size * toward[:, None]
    spray = spray * np.array(radius) + np.array(center)
    sculptor.add(np.concatenate([spray, spray[:, ::-1]]), material)


def _trunk(
    sculptor: Sculptor, height: float, radius: float, level: int, forks: int, material: Material = Material.BARK
) -> None:
    """A trunk and, near by, a few limbs that fork from its upper half."""
    sculptor.tube((0, 0, 0), (0.12, 0.05, height), (radius, 0.55 * radius), 3 if level else 6, material)
    for k in range(0 if level else forks):
        turn = 2.4 * k + 0.5
        start = (0.08, 0.03, height * (0.55 + 0.1 * k))
        end = (0.08 + 1.3 * np.cos(turn), 1.3 * np.sin(turn), height * (1.05 + 0.06 * k))
        sculptor.tube(start, end, (0.5 * radius, 0.2 * radius), 3, material)


def broadleaf(level: int) -> Mesh:
    """A round crown of about four lumps."""
    sculptor, rng = Sculptor(), np.random.default_rng(11)
    _trunk(sculptor, 3.4, 0.2, level, 3)
    if level:
        _leaves(sculptor, rng, (0.0, 0.0, 5.3), (2.6, 2.5, 2.8), 2 - level, 0.14)
        return sculptor.mesh()
    _leaves(sculptor, rng, (0.0, 0.0, 5.6), (2.1, 2.1, 2.4), 2, 0.11)
    for x, y, z, r in ((1.5, 0.7, 4.6, 1.3), (-1.4, 1.0, 4.9, 1.25), (-0.4, -1.6, 4.5, 1.3)):
        _leaves(sculptor, rng, (x, y, z), (r, r, 0.85 * r), 1, 0.17)
    return sculptor.mesh()


def oak(level: int) -> Mesh:
    """A wide, low crown that spreads over strong limbs."""
    sculptor, rng = Sculptor(), np.random.default_rng(21)
    _trunk(sculptor, 3.0, 0.34, level, 4)
    if level:
        _leaves(sculptor, rng, (0.0, 0.0, 5.2), (4.0, 3.8, 2.6), 2 - level, 0.16)
        return sculptor.mesh()
    _leaves(sculptor, rng, (0.2, 0.0, 5.9), (2.9, 2.8, 2.1), 2, 0.12)
    for x, y, z, r in ((2.6, 0.5, 4.6, 1.6), (-2.4, 1.3, 4.8, 1.7), (-1.0, -2.5, 4.5, 1.6), (1.2, 2.4, 4.6, 1.5)):
        _leaves(sculptor, rng, (x, y, z), (r, r, 0.75 * r), 1, 0.17)
    return sculptor.mesh()


def maple(level: int) -> Mesh:
    """An egg-shaped street tree with a clean stem."""
    sculptor, rng = Sculptor(), np.random.default_rng(22)
    _trunk(sculptor, 3.2, 0.15, level, 2)
    if level:
        _leaves(sculptor, rng, (0.0, 0.0, 5.2), (1.8, 1.75, 2.7), 2 - level, 0.15)
        return sculptor.mesh()
    _leaves(sculptor, rng, (0.0, 0.0, 5.3), (1.75, 1.7, 2.65), 2, 0.11)
    _leaves(sculptor, rng, (0.6, 0.5, 4.0), (1.2, 1.2, 1.0), 1, 0.17)
    _leaves(sculptor, rng, (-0.6, -0.4, 4.3), (1.2, 1.2, 1.1), 1, 0.17)
    return sculptor.mesh()


def birch(level: int) -> Mesh:
    """A slim, loose crown on a white stem."""
    sculptor, rng = Sculptor(), np.random.default_rng(23)
    _trunk(sculptor, 6.0, 0.13, level, 2, Material.BIRCH_BARK)
    if level:
        _leaves(sculptor, rng, (0.0, 0.0, 5.8), (1.5, 1.45, 3.2), 2 - level, 0.2)
        return sculptor.mesh()
    for x, y, z, r, h in ((0.2, 0.1, 7.2, 1.1, 1.7), (-0.5, 0.4, 5.2, 1.25, 1.4), (0.6, -0.4, 4.2, 1.15, 1.1)):
        _leaves(sculptor, rng, (x, y, z), (r, r, h), 2 if z > 6.0 else 1, 0.16, 0.1)
    return sculptor.mesh()


def conifer(level: int) -> Mesh:
    """A spruce: tiers of drooping branches with ragged ends."""
    sculptor, rng = Sculptor(), np.random.default_rng(12)
    sculptor.tube((0, 0, 0), (0, 0, 1.5), (0.2, 0.15), 3 if level else 5, Material.BARK)
    tiers, sides = ((8, 13), (3, 6), (2, 5))[level]
    for k in range(tiers):
        share = k / tiers
        low, radius = 0.9 + 7.2 * share, 2.05 * (1.0 - share) ** 0.85 + 0.25
        high = min(low + 7.2 / tiers * 1.9 + 0.4, 9.2 if k == tiers - 1 else 9.0)
        turn = np.arange(sides) * 2.0 * np.pi / sides + 1.3 * k
        reach = radius * (rng.uniform(0.6, 1.15, sides) if not level else rng.uniform(0.85, 1.1, sides))
        ring = np.stack([reach * np.cos(turn), reach * np.sin(turn), low + rng.uniform(-0.25, 0.2, sides)], 1)
        tip = np.repeat([[0.0, 0.0, high]], sides, axis=0)
        sculptor.loft(np.array([ring, tip]), np.full((1, sides), Material.FOLIAGE))
        if k < (1 if level else 4):
            sculptor.cap(ring[::-1], Material.FOLIAGE)
    return sculptor.mesh()


def pine(level: int) -> Mesh:
    """A long bare stem under a flat, tufted crown."""
    sculptor, rng = Sculptor(), np.random.default_rng(24)
    _trunk(sculptor, 7.5, 0.2, level, 3)
    if level:
        _leaves(sculptor, rng, (0.0, 0.0, 8.2), (2.2, 2.1, 1.6), 2 - level, 0.2)
        return sculptor.mesh()
    for x, y, z, r in ((0.2, 0.0, 9.0, 1.6), (-1.1, 0.6, 8.0, 1.3), (1.2, 0.4, 7.7, 1.3), (0.0, -1.2, 8.2, 1.2)):
        _leaves(sculptor, rng, (x, y, z), (r, r, 0.6 * r), 1, 0.2)
    return sculptor.mesh()


def poplar(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(13)
    sculptor.tube((0, 0, 0), (0, 0, 2.5), (0.18, 0.12), 3 if level else 5, Material.BARK)
    _leaves(sculptor, rng, (0, 0, 6.0), (1.35, 1.3, 4.6), 2 - level, 0.1)
    return sculptor.mesh()


def bush(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(14)
    if level:
        sculptor.add(blob((0, 0, 0.5), (1.0, 0.9, 0.7), 0, 0.15, rng), Material.FOLIAGE)
    else:
        for x, y, z, r in ((0.0, 0.0, 0.55, 0.75), (0.6, 0.3, 0.4, 0.5), (-0.5, -0.35, 0.42, 0.55)):
            _leaves(sculptor, rng, (x, y, z), (r, r, 0.8 * r), 1, 0.16)
    mesh = sculptor.mesh()
    return Mesh(np.maximum(mesh.corners_m, [-9.0, -9.0, 0.0]), mesh.material)


def hedge(level: int) -> Mesh:
    """Four metres of clipped hedge along x, a little uneven."""
    sculptor, rng = Sculptor(), np.random.default_rng(25)
    stations = np.linspace(2.0, -2.0, 2 if level else 9)
    profile = np.array([(0.36, 0.0), (0.4, 0.75), (0.3, 1.25), (-0.3, 1.25), (-0.4, 0.75), (-0.36, 0.0)])
    if level:
        profile = profile[[0, 2, 3, 5]]
    rings = np.array([np.column_stack([np.full(len(profile), x), profile]) for x in stations])
    if not level:
        rings[:, 1:-1] += rng.normal(0.0, 0.05, rings[:, 1:-1].shape) * (0.3, 1.0, 1.0)
    sculptor.loft(rings[:, ::-1], np.full((len(stations) - 1, len(profile)), Material.HEDGE))
    sculptor.cap(rings[0], Material.HEDGE)
    sculptor.cap(rings[-1][::-1], Material.HEDGE)
    return sculptor.mesh()


def tuft(level: int) -> Mesh:
    """Tall grass and weeds: thin blades that lean out, seen from both sides."""
    sculptor, rng = Sculptor(), np.random.default_rng(26)
    for _ in range((26, 9, 5)[level]):
        turn, lean = rng.uniform(0, 2 * np.pi), rng.uniform(0.03, 0.3)
        foot = rng.normal(0.0, 0.2, 2)
        aside = np.array([-np.sin(turn), np.cos(turn)]) * (0.028, 0.06, 0.09)[level]
        tip = (*(foot + lean * np.array([np.cos(turn), np.sin(turn)])), rng.uniform(0.3, 0.75))
        blade = np.array([(*(foot - aside), 0.0), (*(foot + aside), 0.0), tip])
        sculptor.add(np.array([blade, blade[::-1] + (0.0, 0.0, 1e-3)]), Material.TUFT)
    return sculptor.mesh()


def wood_edge(level: int) -> Mesh:
    """Thirty metres of a wood's edge along x: crowns side by side over the dark between the stems."""
    sculptor, rng = Sculptor(), np.random.default_rng(27)
    sculptor.box((-14.0, -0.9, 0.0), (14.0, 0.9, 4.5), Material.FOLIAGE)
    count = (9, 6, 3)[level]
    for k in range(count):
        x = -13.0 + 26.0 * k / (count - 1)
        wide, high = 26.0 / (count - 1) * rng.uniform(0.62, 0.85), rng.uniform(3.2, 5.2)
        at = (x, rng.uniform(-1.3, 1.3), high * rng.uniform(0.85, 1.25))
        _leaves(sculptor, rng, at, (wide, min(wide, 2.6), high), 1 if level == 0 else 0, 0.13)
    mesh = sculptor.mesh()
    return Mesh(np.maximum(mesh.corners_m, (-99.0, -99.0, 0.0)), mesh.material, mesh.anchor_m)


def far_wood(level: int) -> Mesh:
    """Two hundred metres of distant woods on rising ground, seen from +y."""
    return _far(np.random.default_rng(28), (28, 16, 9)[level], (9.0, 17.0), Material.FAR_WOOD)


def far_town(level: int) -> Mesh:
    """A hundred metres of distant roofs and a few towers."""
    sculptor, rng = Sculptor(), np.random.default_rng(29)
    for k in range(6 if level else 9):
        x = rng.uniform(-45.0, 45.0)
        wide, high = (
            rng.uniform(4.0, 9.0),
            rng.choice([9.0, 11.0, 13.0, 16.0, 26.0, 34.0], p=[0.3, 0.25, 0.2, 0.15, 0.06, 0.04]),
        )
        sculptor.box((x - wide, -2.0 - 0.1 * k, 0.0), (x + wide, 2.0 + 0.1 * k, high), Material.FAR_TOWN)
    return sculptor.mesh()


def _far(rng: np.random.Generator, count: int, height: tuple[float, float], material: Material) -> Mesh:
    """A ragged band along x, 200 m long, that is only seen from its front, +y."""
    sculptor = Sculptor()
    x = np.linspace(100.0, -100.0, count)
    swell = 0.5 + 0.5 * np.sin(np.linspace(0.0, 7.0, count) + rng.uniform(0, 6.28))
    top = height[0] + (height[1] - height[0]) * (0.65 * swell + 0.35 * rng.random(count))
    top[[0, -1]] = 0.0
    for k in range(count - 1):
        front = np.array([(x[k], 2.0, 0.0), (x[k + 1], 2.0, 0.0), (x[k + 1], 0.0, top[k + 1]), (x[k], 0.0, top[k])])
        sculptor.cap(front, material)
    return sculptor.mesh()
