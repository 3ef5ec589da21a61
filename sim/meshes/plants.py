"""Trees, hedges, bushes and edges of woods, in metres: crowns of ragged blobs with gaps that let the sky through."""

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor, blob

Point = tuple[float, float, float]


def _leaves(
    sculptor: Sculptor,
    rng: np.random.Generator,
    center: Point,
    radius: Point,
    level: int,
    spikes: float = 0.16,
    sprays: int = 0,
    gaps: float = 0.0,
) -> None:
    """A clump of leaves: an ellipsoid with a few broad bulges, ragged at the scale of its faces, `sprays` about it.

    Its normals point away from below its middle: the light rolls off towards its underside.
    """
    corners = blob((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), level, spikes, rng)
    waves, phase = rng.normal(0.0, 2.6, (4, 3)), rng.uniform(0.0, 2.0 * np.pi, 4)
    unit = corners / np.linalg.norm(corners, axis=-1, keepdims=True)
    corners = corners * (1.0 + 0.06 * np.sin(unit @ waves.T + phase).sum(axis=-1))[..., None]
    corners = corners[rng.random(len(corners)) >= gaps]
    anchor = np.array(center) - (0.0, 0.0, 0.25 * radius[2])
    sculptor.add(corners * np.array(radius) + np.array(center), Material.FOLIAGE, anchor)
    if sprays:
        _fringe(sculptor, rng, center, radius, sprays)


def _fringe(sculptor: Sculptor, rng: np.random.Generator, center: Point, radius: Point, count: int) -> None:
    """Sprays of leaves that stand out of a clump, each seen from one side: they break up its outline.

    Each answers light a little differently from the clump.
    """
    toward = rng.normal(size=(count, 3))
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    size = rng.uniform(0.2, 0.4, (count, 1, 1))
    spray = (toward * rng.uniform(0.8, 1.0, (count, 1)))[:, None] + size * rng.uniform(-1.0, 1.0, (count, 3, 3))
    spray = spray * np.array(radius) + np.array(center)
    anchor = np.array(center) + np.array(radius) * rng.normal(0.0, 0.3, (count, 3))
    sculptor.add(spray, Material.FOLIAGE, anchor)


def _crown(
    sculptor: Sculptor,
    rng: np.random.Generator,
    center: Point,
    radius: Point,
    level: int,
    clumps: int,
    share: float = 0.42,
    sprays: int = 44,
    lean: float = 1.0,
) -> None:
    """A crown as an ellipsoid: near by clumps of `share` of its size all over it, farther away one ragged blob.

    Clumps grow smaller towards the top where `lean` is below 1.
    """
    if level:
        _leaves(sculptor, rng, center, radius, 2 - level, 0.2, 26 if level == 1 else 8)
        return
    golden = np.pi * (3.0 - np.sqrt(5.0))
    for k in range(clumps):
        z = 1.0 - 2.0 * (k + 0.5) / clumps
        turn = golden * k + rng.uniform(-0.5, 0.5)
        wide = np.sqrt(1.0 - z * z) * (lean if z > 0.3 else 1.0)
        out = np.array([wide * np.cos(turn), wide * np.sin(turn), z]) * (1.0 - 0.8 * share) * rng.uniform(0.85, 1.15)
        grown = share * rng.uniform(0.75, 1.2) * np.array(radius)
        at = np.array(center) + out * np.array(radius)
        _leaves(sculptor, rng, tuple(at), tuple(grown * (1.0, 1.0, 0.85)), 0, 0.2, sprays)


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
    """A round crown."""
    sculptor, rng = Sculptor(), np.random.default_rng(11)
    _trunk(sculptor, 3.4, 0.2, level, 3)
    _crown(sculptor, rng, (0.0, 0.0, 5.4), (2.6, 2.5, 2.8), level, 13)
    return sculptor.mesh()


def oak(level: int) -> Mesh:
    """A wide, low crown that spreads over strong limbs."""
    sculptor, rng = Sculptor(), np.random.default_rng(21)
    _trunk(sculptor, 3.0, 0.34, level, 4)
    _crown(sculptor, rng, (0.0, 0.0, 5.2), (4.0, 3.8, 2.6), level, 14, 0.38)
    return sculptor.mesh()


def maple(level: int) -> Mesh:
    """An egg-shaped street tree with a clean stem."""
    sculptor, rng = Sculptor(), np.random.default_rng(22)
    _trunk(sculptor, 3.2, 0.15, level, 2)
    _crown(sculptor, rng, (0.0, 0.0, 5.2), (1.8, 1.75, 2.7), level, 12, 0.44, lean=0.8)
    return sculptor.mesh()


def birch(level: int) -> Mesh:
    """A slim, loose crown on a white stem."""
    sculptor, rng = Sculptor(), np.random.default_rng(23)
    _trunk(sculptor, 6.0, 0.13, level, 2, Material.BIRCH_BARK)
    if level:
        _leaves(sculptor, rng, (0.0, 0.0, 5.8), (1.5, 1.45, 3.2), 2 - level, 0.2, 26 if level == 1 else 8, 0.06)
        return sculptor.mesh()
    for x, y, z, r, h in (
        (0.1, 0.1, 8.0, 0.6, 1.0), (-0.3, -0.3, 6.8, 0.7, 0.9), (0.5, 0.3, 6.1, 0.7, 0.8), (-0.6, 0.5, 5.4, 0.7, 0.8),
        (0.5, -0.6, 4.8, 0.7, 0.8), (0.3, 0.8, 4.2, 0.7, 0.7), (-0.6, -0.4, 3.9, 0.7, 0.7), (0.8, 0.1, 3.3, 0.6, 0.5),
    ):  # fmt: skip
        _leaves(sculptor, rng, (x, y, z), (r, r, h), 0, 0.25, 60)
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
        _leaves(sculptor, rng, (0.0, 0.0, 8.2), (2.2, 2.1, 1.6), 2 - level, 0.2, 26 if level == 1 else 8)
        return sculptor.mesh()
    for x, y, z, r in ((0.2, 0.0, 9.0, 1.6), (-1.1, 0.6, 8.0, 1.3), (1.2, 0.4, 7.7, 1.3), (0.0, -1.2, 8.2, 1.2)):
        _leaves(sculptor, rng, (x, y, z), (r, r, 0.6 * r), 1, 0.2, 34)
    return sculptor.mesh()


def poplar(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(13)
    sculptor.tube((0, 0, 0), (0, 0, 2.5), (0.18, 0.12), 3 if level else 5, Material.BARK)
    _crown(sculptor, rng, (0.0, 0.0, 6.0), (1.35, 1.3, 4.6), level, 14, 0.36, 40, 0.75)
    return sculptor.mesh()


def bush(level: int) -> Mesh:
    sculptor, rng = Sculptor(), np.random.default_rng(14)
    if level:
        sculptor.add(blob((0, 0, 0.5), (1.0, 0.9, 0.7), 0, 0.15, rng), Material.FOLIAGE)
    else:
        for x, y, z, r in ((0.0, 0.0, 0.55, 0.75), (0.6, 0.3, 0.4, 0.5), (-0.5, -0.35, 0.42, 0.55)):
            _leaves(sculptor, rng, (x, y, z), (r, r, 0.8 * r), 1, 0.16, 24)
    mesh = sculptor.mesh()
    return Mesh(np.maximum(mesh.corners_m, [-9.0, -9.0, 0.0]), mesh.material, mesh.anchor_m)


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
        aside = np.array([-np.sin(turn), np.cos(turn)]) * (0.014, 0.03, 0.05)[level]
        tip = (*(foot + lean * np.array([np.cos(turn), np.sin(turn)])), rng.uniform(0.3, 0.75))
        blade = np.array([(*(foot - aside), 0.0), (*(foot + aside), 0.0), tip])
        sculptor.add(np.array([blade, blade[::-1] + (0.0, 0.0, 1e-3)]), Material.TUFT)
    return sculptor.mesh()


def wood_edge(level: int) -> Mesh:
    """Thirty metres of a wood's edge along x: crowns of all heights over bushes, and the dark between the stems."""
    sculptor, rng = Sculptor(), np.random.default_rng(27)
    sculptor.box((-14.0, -0.9, 0.0), (14.0, 0.9, 4.0), Material.FOLIAGE)
    for row, (count, sprays) in enumerate((((6, 4, 2)[level], 6), ((9, 6, 3)[level], 26), ((9, 6, 3)[level], 26))):
        for at in np.linspace(-13.0, 13.0, count) + rng.uniform(-0.9, 0.9, count):
            wide = (1.7, 2.3, 2.2)[row] * rng.uniform(0.75, 1.3) * (1.0, 1.4, 2.0)[level]
            high = (1.2, 2.3, 2.5)[row] * rng.uniform(0.7, 1.3)
            middle = (0.9, 3.4, 5.6)[row] + rng.normal(0.0, (0.1, 0.6, 0.8)[row])
            aside = (1.5, 0.9, 0.0)[row] * rng.uniform(-1.0, 1.0)
            radius = (wide, min(wide, 2.4), high)
            _leaves(sculptor, rng, (at, aside, middle), radius, 0, 0.2, sprays if level == 0 else 6)
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
