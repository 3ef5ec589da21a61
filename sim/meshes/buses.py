"""City buses and coaches, in metres."""

import numpy as np

from sim.meshes.cars import plate
from sim.meshes.lorries import panel, side_panel
from sim.meshes.sculpt import Material, Mesh, Sculptor
from sim.meshes.wheels import wheel

_M = Material
_HALF = 1.27


def _shell(
    sculptor: Sculptor, length: float, levels: list[tuple[float, float, float]], level: int, coach: bool
) -> None:
    """Skin between heights: (height, how far the ends lie back, half-width) from the skirt to the roof."""
    ends, bays = 0.5 * length, 2 if level else 7
    xs = np.linspace(1.0, -1.0, bays + 1)
    across = np.array([-1.0, -0.86, 0.86, 1.0])
    front = np.array(
        [[(ends - back - (0.12 if abs(y) > 0.9 else 0.0), y * wide, z) for y in across] for z, back, wide in levels]
    )
    rear = front * (-1.0, 1.0, 1.0) + np.array([[[0.4 * back, 0.0, 0.0]] for _, back, _ in levels])
    rows = len(levels) - 1
    face, tail = np.full((rows, 3), int(_M.LIVERY)), np.full((rows, 3), int(_M.LIVERY))
    face[0], tail[0] = _M.BLACK, _M.BLACK
    face[2, 1] = _M.GLASS  # windscreen
    face[2, [0, 2]] = _M.GLASS
    tail[2, 1] = _M.GLASS
    sculptor.grid(front, face)
    sculptor.grid(rear[:, ::-1], tail[:, ::-1])
    for side in (1.0, -1.0):
        edge = np.array(
            [
                [(x * (front[k, 3, 0] if x > 0 else -rear[k, 3, 0]), side * front[k, 3, 1], front[k, 3, 2]) for x in xs]
                for k in range(rows + 1)
            ]
        )
        skin = np.full((rows, bays), int(_M.LIVERY))
        skin[0] = _M.BLACK if coach else _M.LIVERY
        skin[2] = _M.GLASS
        sculptor.grid(edge if side > 0 else edge[:, ::-1], skin)
    wide, top = levels[-1][2], levels[-1][0]
    a, b = front[-1, 3, 0], rear[-1, 3, 0]
    sculptor.quad((a, -wide, top), (a, wide, top), (b, wide, top), (b, -wide, top), _M.LIVERY)
    roof = [(front[-1, 0, 0], -wide), (front[-1, 1, 0], -0.86 * wide), (front[-1, 2, 0], 0.86 * wide), (a, wide)]
    sculptor.cap(np.array([(x, y, top) for x, y in roof]), _M.LIVERY)
    tail_roof = [(b, wide), (rear[-1, 2, 0], 0.86 * wide), (rear[-1, 1, 0], -0.86 * wide), (b, -wide)]
    sculptor.cap(np.array([(x, y, top) for x, y in tail_roof]), _M.LIVERY)


def _windows(sculptor: Sculptor, length: float, z: tuple[float, float], doors: tuple[float, ...], coach: bool) -> None:
    """Pillars between the windows, and doors on the right."""
    reach = 0.5 * length - 0.35
    y = _HALF + 0.004
    for x in np.linspace(-reach, reach, 8 if coach else 7):
        for side in (y, -y):
            side_panel(sculptor, (x - 0.045, x + 0.045), side, z, _M.BLACK)
    for x in doors:
        side_panel(sculptor, (x - 0.62, x + 0.62), -y - 0.004, (0.36, z[1]), _M.GLASS)
        for edge in (x - 0.62, x, x + 0.62):
            side_panel(sculptor, (edge - 0.035, edge + 0.035), -y - 0.008, (0.36, z[1]), _M.BLACK)


def bus(variant: int, level: int) -> Mesh:
    """Variants 0 and 1 are city buses, 2 and 3 coaches; about 12 m long."""
    coach = variant >= 2
    length, top = 12.0, (3.55 if coach else 3.08) + 0.08 * (variant % 2)
    belt = 1.75 if coach else 1.12 + 0.1 * variant
    brow = top - 0.42
    if level == 2:
        return _far(length, top, belt, brow)
    sculptor = Sculptor()
    lean = 0.30 if coach else 0.10
    levels = [(0.30, 0.05, _HALF - 0.03), (0.72, 0.0, _HALF), (belt if coach else belt - 0.05, 0.02, _HALF)]
    levels += [(brow, lean, _HALF - 0.02), (top - 0.10, lean + 0.12, _HALF - 0.06), (top, lean + 0.32, _HALF - 0.22)]
    _shell(sculptor, length, levels, level, coach)
    axles, radius = ((3.25, -3.0) if not coach else (3.4, -2.6, -3.9)), 0.49
    for x in axles:
        for side in (_HALF + 0.005, -_HALF - 0.005):
            wheel(sculptor, (x, side, radius), radius, 0.4, level, 0.58)
    front, rear = 0.5 * length + 0.01, -0.5 * length - 0.01
    for y in (0.92, -0.92):
        panel(sculptor, front, (y - 0.2, y + 0.2), (0.62, 0.80), _M.HEAD_LAMP)
        panel(sculptor, rear, (y - 0.14, y + 0.14), (0.80, 1.25), _M.TAIL_LAMP)
    if level == 0:
        _windows(sculptor, length, (belt, brow), (5.0,) if coach else (5.0, 0.3), coach)
        if not coach:
            panel(sculptor, front - lean + 0.02, (-0.95, 0.95), (brow - 0.02, brow + 0.26), _M.DISPLAY)
        plate(sculptor, 1.0, front, 0.50)
        plate(sculptor, -1.0, -rear, 0.62)
        for side in (1.0, -1.0):
            inner, outer = sorted((side * (_HALF - 0.15), side * (_HALF + 0.03)))
            sculptor.box((front - 0.1, inner, 1.9), (front + 0.12, outer, 2.3), _M.BLACK)
        panel(sculptor, rear - 0.002, (-0.55, 0.55), (0.75, 1.3), _M.GRILLE)
        sculptor.box((-3.0, -0.8, top), (2.0, 0.8, top + 0.16), _M.LIVERY)
    return sculptor.mesh()


def _far(length: float, top: float, belt: float, brow: float) -> Mesh:
    """A bus a few pixels wide."""
    sculptor, end = Sculptor(), 0.5 * length
    sculptor.box((-end, -_HALF, 0.3), (end, _HALF, top), _M.LIVERY)
    for y in (_HALF + 0.01, -_HALF - 0.01):
        side_panel(sculptor, (-end + 0.2, end - 0.1), y, (belt, brow), _M.GLASS)
        for x in (3.25, -3.0):
            side_panel(sculptor, (x - 0.5, x + 0.5), y, (0.0, 0.95), _M.TYRE)
    panel(sculptor, end + 0.01, (-1.2, 1.2), (belt, brow), _M.GLASS)
    panel(sculptor, end + 0.01, (-1.1, 1.1), (0.62, 0.80), _M.HEAD_LAMP)
    panel(sculptor, -end - 0.01, (-1.1, 1.1), (0.8, 1.1), _M.TAIL_LAMP)
    return sculptor.mesh()
