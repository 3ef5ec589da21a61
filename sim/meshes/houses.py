"""Buildings in metres; x runs along the street, the front looks along +y. Storeys are 3 m, over shops from 4 m on.

Windows are drawn by the shading kernel; cornices, roofs, balconies, dormers, chimneys, doors and awnings are geometry.
"""

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor

SHOP_M = 4.0  # height of a ground floor with shops


def _walls(
    sculptor: Sculptor, wide: float, deep: float, low: float, high: float, front: Material, side: Material
) -> None:
    """Four walls: front and back of one kind, both sides of another."""
    ring = 0.5 * np.array([(wide, -deep), (wide, deep), (-wide, deep), (-wide, -deep)])
    rings = np.array([np.column_stack([ring, np.full(4, z)]) for z in (low, high)])
    sculptor.loft(rings, np.array([[side, front, side, front]]))


def _band(sculptor: Sculptor, wide: float, deep: float, low: float, high: float, out: float) -> None:
    """A cornice all around that juts out by `out`."""
    half = np.array([(1, -1), (1, 1), (-1, 1), (-1, -1)]) * 0.5
    sizes, heights = (0.0, out, out, 0.0), (low - out, low, high, high)
    rings = np.array(
        [np.column_stack([half * (wide + 2 * o, deep + 2 * o), np.full(4, z)]) for o, z in zip(sizes, heights)]
    )
    sculptor.loft(rings, np.full((3, 4), Material.STONE))


def _flat_top(sculptor: Sculptor, wide: float, deep: float, z: float, level: int) -> None:
    """A flat roof behind a parapet, with a stair head and a vent."""
    half = np.array([(1, -1), (1, 1), (-1, 1), (-1, -1)]) * 0.5
    ring = np.column_stack([half * (wide, deep), np.full(4, z)])
    if level:
        sculptor.cap(ring, Material.CONCRETE)
        return
    inner = np.column_stack([half * (wide - 0.6, deep - 0.6), np.full(4, z)])
    sculptor.loft(np.array([ring, inner, inner - (0, 0, 0.5)]), np.full((2, 4), Material.STONE))
    sculptor.cap(inner - (0, 0, 0.5), Material.CONCRETE)
    sculptor.box((-2.0, -2.6, z - 0.5), (1.0, 0.0, z + 1.9), Material.CONCRETE)
    sculptor.box((0.28 * wide, -1.0, z - 0.5), (0.28 * wide + 1.2, 0.2, z + 0.7), Material.METAL)


def _gable(
    sculptor: Sculptor,
    wide: float,
    deep: float,
    eave: float,
    ridge: float,
    over: float,
    level: int,
    thick: float = 0.18,
) -> None:
    """A ridge along x between gables of blind wall; eaves reach out by `over`, with gutters near by."""
    w, d = 0.5 * wide, 0.5 * deep
    drop = (ridge - eave) / d * over
    for sign in (1.0, -1.0):
        sculptor.add(
            np.array([[(sign * w, -sign * d, eave), (sign * w, sign * d, eave), (sign * w, 0, ridge)]]),
            Material.BLIND_WALL,
        )
    low = eave - drop
    a, b, c, e = (w, d + over, low), (-w, d + over, low), (-w, 0.0, ridge + thick), (w, 0.0, ridge + thick)
    sculptor.quad(a, b, c, e, Material.ROOF)
    sculptor.quad((-w, -d - over, low), (w, -d - over, low), e, c, Material.ROOF)
    if level > 1:
        return
    for sign in (1.0, -1.0):
        y = sign * (d + over)
        sculptor.quad(
            *(
                (-sign * w, y, low),
                (sign * w, y, low),
                (sign * w, y - 0.4 * sign, low),
                (-sign * w, y - 0.4 * sign, low),
            ),
            Material.STONE,
        )
        verge = np.array([(sign * w, -d - over, low), (sign * w, 0.0, ridge - 0.02), (sign * w, 0.0, ridge + thick)])
        sculptor.add(np.array([verge if sign > 0 else verge[::-1]]), Material.STONE)
        verge = verge * (1.0, -1.0, 1.0)
        sculptor.add(np.array([verge if sign < 0 else verge[::-1]]), Material.STONE)
    if level == 0:
        sculptor.box((-w, d + over, low - 0.02), (w, d + over + 0.12, low + 0.1), Material.METAL)


def _hip(sculptor: Sculptor, wide: float, deep: float, eave: float, ridge: float, over: float) -> None:
    """A roof that slopes to all four sides."""
    w, d, half = 0.5 * wide + over, 0.5 * deep + over, max(0.5 * (wide - deep), 0.4)
    a, b, c, e = (w, -d, eave), (w, d, eave), (-w, d, eave), (-w, -d, eave)
    front, back = (half, 0.0, ridge), (-half, 0.0, ridge)
    sculptor.quad(b, c, back, front, Material.ROOF)
    sculptor.quad(e, a, front, back, Material.ROOF)
    sculptor.add(np.array([[a, b, front], [c, e, back]]), Material.ROOF)
    sculptor.quad(a, e, c, b, Material.STONE)


def _dormer(sculptor: Sculptor, x: float, y: float, z: float, back: float) -> None:
    """A window in the roof under a small gable; it runs back into the roof by `back`."""
    w = 0.75
    front = [(x + w, y, z), (x - w, y, z), (x - w, y, z + 1.25), (x, y, z + 1.85), (x + w, y, z + 1.25)]
    sculptor.cap(np.array(front), Material.STONE)
    sculptor.quad(
        (x + 0.5, y + 0.02, z + 0.2),
        (x - 0.5, y + 0.02, z + 0.2),
        (x - 0.5, y + 0.02, z + 1.2),
        (x + 0.5, y + 0.02, z + 1.2),
        Material.GLASS,
    )
    for sign in (1.0, -1.0):
        side = [(x + sign * w, y, z), (x + sign * w, y, z + 1.25), (x + sign * w, y - back, z + 1.25)]
        sculptor.add(np.array([side if sign < 0 else side[::-1]]), Material.STONE)
        eave, top = (x + sign * (w + 0.12), y + 0.15, z + 1.17), (x, y + 0.15, z + 1.95)
        slope = [eave, top, (x, y - back - 0.6, z + 1.95), (x + sign * (w + 0.12), y - back - 0.6, z + 1.17)]
        sculptor.quad(*(slope if sign > 0 else slope[::-1]), Material.ROOF)  # type: ignore[arg-type]


def _door(sculptor: Sculptor, x: float, y: float, wide: float = 1.1) -> None:
    """A door in a stone frame above two steps, on a front at `y`."""
    sculptor.box((x - 0.5 * wide - 0.18, y - 0.1, 0.0), (x + 0.5 * wide + 0.18, y + 0.1, 2.55), Material.STONE)
    z = 0.3
    sculptor.quad(
        (x + 0.5 * wide, y + 0.11, z),
        (x - 0.5 * wide, y + 0.11, z),
        (x - 0.5 * wide, y + 0.11, 2.4),
        (x + 0.5 * wide, y + 0.11, 2.4),
        Material.DOOR,
    )
    sculptor.box((x - 0.8, y + 0.1, 0.0), (x + 0.8, y + 0.45, 0.28), Material.STONE)


def _balconies(sculptor: Sculptor, x: float, y: float, floors: range, wide: float) -> None:
    """One balcony above the other: a slab and a parapet around it."""
    for floor in floors:
        z, w = 3.0 * floor, 0.5 * wide
        ring = np.array([(x + w, y), (x + w, y + 1.25), (x - w, y + 1.25), (x - w, y)])
        low, high = (np.column_stack([ring, np.full(4, at)]) for at in (z - 0.18, z + 1.0))
        sculptor.cap(low[::-1], Material.STONE)
        for k in range(3):
            sculptor.cap(np.array([low[k], low[k + 1], high[k + 1], high[k]]), Material.STONE)


def _awnings(sculptor: Sculptor, wide: float, y: float, parts: int) -> None:
    """Cloth awnings over the windows of a shop, and a name board along the front above them."""
    span = wide / parts
    sculptor.box((-0.5 * wide + 0.2, y, 3.05), (0.5 * wide - 0.2, y + 0.12, 3.75), Material.POSTER)
    for k in range(parts):
        if k % 2 == 0:
            left, right = -0.5 * wide + (k + 0.92) * span, -0.5 * wide + (k + 0.08) * span
            top, low = (y + 0.1, 3.0), (y + 1.35, 2.45)
            sculptor.quad((left, *low), (right, *low), (right, *top), (left, *top), Material.AWNING)
            sculptor.quad((left, *top), (right, *top), (right, *low), (left, *low), Material.AWNING)
            sculptor.quad((left, low[0], 2.25), (right, low[0], 2.25), (right, *low), (left, *low), Material.AWNING)


def town_house(floors: int, wide: float, shop: bool, mansard: bool, level: int) -> Mesh:
    """A house of an old street, to stand in a row: cornices, dormers or a mansard roof, chimneys, perhaps a shop."""
    sculptor, deep = Sculptor(), 11.0
    base = SHOP_M if shop else 0.0
    eave = base + 3.0 * (floors - (1 if shop else 0)) + 0.35
    y = 0.5 * deep
    if shop:
        _walls(sculptor, wide, deep, 0.0, base, Material.SHOP, Material.BLIND_WALL)
    _walls(sculptor, wide, deep, base, eave, Material.WALL_ABOVE if shop else Material.FACADE, Material.BLIND_WALL)
    if level < 2:
        _band(sculptor, wide - 0.02, deep, eave - 0.3, eave, 0.28)
        if base:
            _band(sculptor, wide - 0.02, deep, base - 0.22, base, 0.12)
    if mansard:
        half = np.array([(1, -1), (1, 1), (-1, 1), (-1, -1)]) * 0.5
        sizes = ((wide, deep + 0.3), (wide - 0.02, deep - 2.4), (wide - 0.04, 3.0))
        rings = np.array(
            [np.column_stack([half * size, np.full(4, eave + up)]) for size, up in zip(sizes, (0.0, 2.8, 3.9))]
        )
        sculptor.loft(rings, np.array([[Material.BLIND_WALL, Material.ROOF] * 2] * 2))
        sculptor.cap(rings[-1], Material.ROOF)
    else:
        _gable(sculptor, wide, deep, eave, eave + 4.2, 0.45, level)
    if level == 0:
        for x in np.linspace(-0.5 * wide, 0.5 * wide, round(wide / 3.0) + 1)[:-1] + 0.5 * wide / round(wide / 3.0):
            _dormer(
                sculptor,
                float(x),
                y - (0.75 if mansard else 1.6),
                eave + (0.55 if mansard else 1.05),
                1.0 if mansard else 2.0,
            )
        if shop:
            _awnings(sculptor, wide, y, max(2, round(wide / 3.0)))
        else:
            _door(sculptor, 0.5 * wide - 1.6, y)
    if level < 2:
        for x in (-0.5 * wide + 0.6, 0.5 * wide - 1.4):
            sculptor.box((x, -1.6, eave + 1.0), (x + 0.8, -0.9, eave + 5.2), Material.BRICK)
    return sculptor.mesh()


def flats(floors: int, wide: float, deep: float, level: int) -> Mesh:
    """A block of flats: flat roof, columns of balconies, two doors."""
    sculptor, high = Sculptor(), 3.0 * floors
    _walls(sculptor, wide, deep, 0.0, high + 0.5, Material.FACADE, Material.FACADE)
    _flat_top(sculptor, wide, deep, high + 0.9, level)
    if level < 2:
        _band(sculptor, wide, deep, high + 0.5, high + 0.9, 0.12)
        for x in (-0.31 * wide, 0.31 * wide):
            _balconies(sculptor, x, 0.5 * deep, range(1, floors) if not level else range(0), 3.0)
    if level == 0:
        for x in (-0.02 * wide, 0.44 * wide):
            _door(sculptor, x, 0.5 * deep, 1.5)
    return sculptor.mesh()


def offices(floors: int, wide: float, deep: float, level: int) -> Mesh:
    """Glass between floors, a lobby set back under the second storey, plant on the roof."""
    sculptor, high = Sculptor(), SHOP_M + 3.4 * (floors - 1)
    _walls(sculptor, wide - 1.2, deep - 1.2, 0.0, SHOP_M, Material.SHOP, Material.SHOP)
    _walls(sculptor, wide, deep, SHOP_M, high, Material.CURTAIN_WALL, Material.CURTAIN_WALL)
    half = np.array([(1, -1), (1, 1), (-1, 1), (-1, -1)]) * 0.5
    sculptor.cap(np.column_stack([half * (wide, deep), np.full(4, SHOP_M)])[::-1], Material.STONE)
    _flat_top(sculptor, wide, deep, high, level)
    if level < 2:
        for x in np.linspace(-0.5 * wide + 0.4, 0.5 * wide - 0.4, 4):
            sculptor.box((x - 0.25, 0.5 * deep - 0.6, 0.0), (x + 0.25, 0.5 * deep - 0.1, SHOP_M), Material.CONCRETE)
        sculptor.box((-0.25 * wide, -0.25 * deep, high - 0.5), (0.2 * wide, 0.2 * deep, high + 2.6), Material.SHEET)
    return sculptor.mesh()


def villa(hipped: bool, level: int) -> Mesh:
    """A suburban house of two storeys with a porch, chimney, dormer and garage."""
    sculptor, wide, deep, eave = Sculptor(), 10.0, 8.5, 5.6
    _walls(sculptor, wide, deep, 0.0, eave, Material.FACADE, Material.FACADE)
    if hipped:
        _hip(sculptor, wide, deep, eave - 0.1, eave + 3.0, 0.55)
    else:
        _gable(sculptor, wide, deep, eave, eave + 3.6, 0.55, level)
    sculptor.box((0.5 * wide, -3.0, 0.0), (0.5 * wide + 3.4, 3.0, 2.7), Material.BLIND_WALL)
    x = 0.5 * wide + 1.7
    sculptor.quad(
        (x + 1.25, 3.02, 0.0), (x - 1.25, 3.02, 0.0), (x - 1.25, 3.02, 2.2), (x + 1.25, 3.02, 2.2), Material.SHEET
    )
    if level < 2:
        sculptor.box((-2.6, -1.9, eave + 0.8), (-1.8, -1.1, eave + 4.1), Material.BRICK)
    if level == 0:
        _door(sculptor, 0.4, 0.5 * deep)
        sculptor.box((-1.0, 0.5 * deep, 2.6), (1.8, 0.5 * deep + 1.4, 2.78), Material.STONE)
        for post in (-0.85, 1.6):
            sculptor.box((post, 0.5 * deep + 1.2, 0.0), (post + 0.12, 0.5 * deep + 1.32, 2.6), Material.WOOD)
        if not hipped:
            _dormer(sculptor, -2.4, 0.5 * deep - 1.0, eave + 0.6, 1.7)
            _dormer(sculptor, 2.4, 0.5 * deep - 1.0, eave + 0.6, 1.7)
    return sculptor.mesh()


def barn(level: int) -> Mesh:
    """A farm building: boards under a long tiled roof."""
    sculptor = Sculptor()
    _walls(sculptor, 18.0, 9.0, 0.0, 4.2, Material.WOOD, Material.WOOD)
    _gable(sculptor, 18.0, 9.0, 4.2, 8.2, 0.4, max(level, 1))
    sculptor.quad((2.2, 4.52, 0.0), (-2.2, 4.52, 0.0), (-2.2, 4.52, 3.5), (2.2, 4.52, 3.5), Material.DOOR)
    return sculptor.mesh()


def hall(level: int) -> Mesh:
    """An industrial hall of ribbed metal with roller gates, a strip of windows and an office wing."""
    sculptor = Sculptor()
    _walls(sculptor, 36.0, 20.0, 0.0, 7.6, Material.SHEET, Material.SHEET)
    _flat_top(sculptor, 36.0, 20.0, 7.6, max(level, 1))
    sculptor.box((9.5, 10.0, 0.0), (17.5, 14.0, 6.6), Material.FACADE)
    if level < 2:
        for x in (-14.0, -8.0, -2.0):
            sculptor.quad(
                (x + 2.0, 10.03, 0.0),
                (x - 2.0, 10.03, 0.0),
                (x - 2.0, 10.03, 4.2),
                (x + 2.0, 10.03, 4.2),
                Material.STONE,
            )
        sculptor.quad((8.0, 10.03, 5.4), (-17.0, 10.03, 5.4), (-17.0, 10.03, 6.3), (8.0, 10.03, 6.3), Material.GLASS)
        sculptor.box((-6.0, 10.0, 6.4), (4.0, 10.2, 7.5), Material.POSTER)
    return sculptor.mesh()


def petrol_station(level: int) -> Mesh:
    """A canopy on posts over pumps, with a shop behind."""
    sculptor = Sculptor()
    _walls(sculptor, 14.0, 7.0, 0.0, 3.6, Material.SHOP, Material.BLIND_WALL)
    sculptor.cap(np.array([(7, -3.5, 3.6), (7, 3.5, 3.6), (-7, 3.5, 3.6), (-7, -3.5, 3.6)], float), Material.CONCRETE)
    sculptor.box((-9.0, 5.5, 4.6), (9.0, 14.5, 5.5), Material.BOX_YELLOW)
    sculptor.box((-9.02, 5.48, 4.75), (9.02, 14.52, 5.0), Material.STONE)
    for x in (-6.0, 6.0):
        sculptor.box((x - 0.2, 9.8, 0.0), (x + 0.2, 10.2, 4.6), Material.METAL)
        if level < 2:
            sculptor.box((x - 2.0, 9.6, 0.0), (x + 2.0, 10.4, 0.18), Material.CONCRETE)
            for pump in (x - 1.3, x + 0.7):
                sculptor.box((pump, 9.75, 0.18), (pump + 0.6, 10.25, 1.75), Material.POSTER)
    return sculptor.mesh()


def church(level: int) -> Mesh:
    """A nave and a tower with a pointed spire."""
    sculptor = Sculptor()
    _walls(sculptor, 22.0, 10.0, 0.0, 8.0, Material.BLIND_WALL, Material.BLIND_WALL)
    _gable(sculptor, 22.0, 10.0, 8.0, 14.5, 0.4, max(level, 1))
    ring = np.array([(2.8, -2.8), (2.8, 2.8), (-2.8, 2.8), (-2.8, -2.8)]) + (-11.5, 0.0)
    rings = np.array([np.column_stack([ring, np.full(4, z)]) for z in (0.0, 19.0)])
    sculptor.loft(rings, np.full((1, 4), Material.BLIND_WALL))
    spire = np.array([rings[1], np.repeat([[-11.5, 0.0, 33.0]], 4, axis=0)])
    sculptor.loft(spire, np.full((1, 4), Material.ROOF))
    if level < 2:
        for x in np.linspace(-6.5, 9.5, 6):
            for sign in (1.0, -1.0):
                window = np.array(
                    [(x + 0.6, 0, 2.6), (x - 0.6, 0, 2.6), (x - 0.6, 0, 5.6), (x, 0, 6.6), (x + 0.6, 0, 5.6)]
                )
                window = window * (1, 1, 1) + (0, sign * 5.02, 0)
                sculptor.cap(window if sign > 0 else window[::-1], Material.GLASS)
        for sign in (1.0, -1.0):
            x = np.array([-11.5 + 0.8, -11.5 - 0.8])
            gap = [
                (x[0], sign * 2.83, 14.5),
                (x[1], sign * 2.83, 14.5),
                (x[1], sign * 2.83, 17.5),
                (x[0], sign * 2.83, 17.5),
            ]
            sculptor.quad(*(gap if sign > 0 else gap[::-1]), Material.DARK)  # type: ignore[arg-type]
    return sculptor.mesh()
