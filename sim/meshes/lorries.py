"""Lorries: rigid ones with box, tipper, tank or flatbed, and tractors with semitrailers, in metres."""

import numpy as np

from sim.meshes.cars import plate
from sim.meshes.sculpt import Material, Mesh, Sculptor
from sim.meshes.wheels import wheel

_M = Material
BODIES = ("box", "tanker", "tipper", "curtain")


def panel(sculptor: Sculptor, x: float, y: tuple[float, float], z: tuple[float, float], material: Material) -> None:
    """An upright rectangle across the vehicle that faces forward (x > 0) or backward."""
    left, right = (y[0], y[1]) if x > 0 else (y[1], y[0])
    sculptor.quad((x, left, z[0]), (x, right, z[0]), (x, right, z[1]), (x, left, z[1]), material)


def side_panel(
    sculptor: Sculptor, x: tuple[float, float], y: float, z: tuple[float, float], material: Material
) -> None:
    """An upright rectangle along the vehicle, from the rear x[0] to the front x[1], that faces outward."""
    a, b = (x[0], x[1]) if y < 0 else (x[1], x[0])
    sculptor.quad((a, y, z[0]), (b, y, z[0]), (b, y, z[1]), (a, y, z[1]), material)


def _cab(sculptor: Sculptor, front: float, depth: float, roof: float, level: int) -> None:
    """A cab-over-engine cab whose face stands at x = `front`."""
    half, low, belt, brow = 1.22, 0.42, 1.62, roof - 0.42
    levels = [  # height, setback of the face, half-width
        (low, 0.06, half - 0.03),
        (1.0, 0.0, half),
        (belt, 0.02, half),
        (brow, 0.22, half - 0.05),
        (roof, 0.55, half - 0.16),
    ]
    across = np.array([-1.0, -0.84, 0.84, 1.0])
    face = np.array(
        [[(front - back - (0.10 if abs(y) > 0.9 else 0.0), y * wide, z) for y in across] for z, back, wide in levels]
    )
    material = np.full((4, 3), int(_M.PAINT))
    material[2, 1] = _M.GLASS
    material[0, 1] = _M.GRILLE
    sculptor.grid(face, material)
    rear = front - depth
    for side in (1.0, -1.0):
        edge = face[:, 3] * (1.0, side, 1.0)
        middle = edge.copy()
        middle[:, 0] = front - 0.62 * depth
        back = edge.copy()
        back[:, 0] = rear
        rows = np.stack([edge, middle, back], axis=1)
        marks = np.full((4, 2), int(_M.PAINT))
        marks[2, 0] = _M.GLASS
        anchor = np.zeros((4, 2, 3))
        anchor[:2] = (front - 0.62 * depth, half, 1.45)
        if side > 0:
            sculptor.grid(rows, marks, anchor)
        else:
            sculptor.grid(rows[:, ::-1], marks[:, ::-1], anchor[:, ::-1])
    wide = levels[-1][2]
    sculptor.quad(
        (front - 0.55, -wide, roof), (front - 0.55, wide, roof), (rear, wide, roof), (rear, -wide, roof), _M.PAINT
    )
    ring = [
        (rear, y * w, z)
        for y, w, z in (
            (1, half, low),
            (-1, half, low),
            (-1, half, belt),
            (-1, wide, roof),
            (1, wide, roof),
            (1, half, belt),
        )
    ]
    sculptor.cap(np.array(ring), _M.PAINT)
    for y in (0.88, -0.88):
        panel(sculptor, front + 0.012, (y - 0.2, y + 0.2), (0.62, 0.84), _M.HEAD_LAMP)
    plate(sculptor, 1.0, front + 0.014, 0.55)
    if level == 0:
        for side in (1.0, -1.0):
            inner, outer = sorted((side * (half - 0.08), side * (half + 0.05)))
            sculptor.box((front - 0.16, inner, 1.75), (front - 0.04, outer, 2.35), _M.BLACK)
        sculptor.box((front - 0.28, -half + 0.1, brow + 0.02), (front - 0.02, half - 0.1, brow + 0.10), _M.BLACK)
        panel(sculptor, front + 0.010, (-1.1, 1.1), (0.40, 0.60), _M.BLACK)


def _wheels(sculptor: Sculptor, axles: tuple[float, ...], radius: float, level: int) -> None:
    for x in axles:
        for side in (1.235, -1.235):
            wheel(sculptor, (x, side, radius), radius, 0.5, level, 0.56)


def _tail(sculptor: Sculptor, rear: float, level: int) -> None:
    """Lamps, number plate and bumper at the rear end."""
    for y in (0.95, -0.95):
        panel(sculptor, rear - 0.012, (y - 0.22, y + 0.22), (0.80, 1.0), _M.TAIL_LAMP)
        if level == 0:
            panel(sculptor, rear - 0.006, (y - 0.27, y + 0.27), (0.70, 1.04), _M.BLACK)
            panel(sculptor, rear - 0.004, (y - 0.24, y + 0.24), (0.24, 0.70), _M.DARK)  # mudguards
    plate(sculptor, -1.0, 0.012 - rear, 0.90)
    if level == 0:
        sculptor.box((rear, -1.15, 0.48), (rear + 0.08, 1.15, 0.62), _M.METAL)


def _chassis(sculptor: Sculptor, rear: float, front: float, level: int, guards: tuple[float, float] | None) -> None:
    sculptor.box((rear + 0.05, -0.45 - 0.3 * (level == 1), 0.6), (front, 0.45 + 0.3 * (level == 1), 1.12), _M.DARK)
    if guards and level == 0:
        for y in (1.16, -1.19):
            sculptor.box((guards[0], y, 0.5), (guards[1], y + 0.03, 0.95), _M.METAL)


def _rounded(x: float, half: float, low: float, high: float, sides: int) -> np.ndarray:
    """An oval across the vehicle, counter-clockwise seen from the front."""
    turn = np.arange(sides) * 2.0 * np.pi / sides + np.pi / sides
    middle, tall = 0.5 * (low + high), 0.5 * (high - low)
    return np.stack([np.full(sides, x), half * np.cos(turn), middle + tall * np.sin(turn)], 1)


def _rear_doors(sculptor: Sculptor, rear: float, floor: float, roof: float) -> None:
    """Two leaves in a frame of dark metal, with hinges, bars that lock them, their handles, and lamps above."""
    for y in (-1.2, 1.2):
        panel(sculptor, rear - 0.004, (y - 0.05, y + 0.05), (floor, roof), _M.METAL)
        for z in np.linspace(floor + 0.25, roof - 0.35, 4):
            panel(sculptor, rear - 0.010, (y - 0.10, y + 0.10), (float(z) - 0.035, float(z) + 0.035), _M.BLACK)
        panel(sculptor, rear - 0.010, (y - 0.05, y + 0.05), (roof - 0.11, roof - 0.05), _M.TAIL_LAMP)
    panel(sculptor, rear - 0.004, (-1.2, 1.2), (roof - 0.14, roof), _M.METAL)
    panel(sculptor, rear - 0.004, (-1.2, 1.2), (floor, floor + 0.12), _M.METAL)
    panel(sculptor, rear - 0.006, (-0.025, 0.025), (floor, roof - 0.14), _M.DARK)
    for y in (-0.85, -0.3, 0.3, 0.85):
        panel(sculptor, rear - 0.012, (y - 0.028, y + 0.028), (floor + 0.02, roof - 0.10), _M.RIM)
        panel(sculptor, rear - 0.014, (y - 0.03, y + 0.22 * float(np.sign(-y))), (floor + 0.62, floor + 0.69), _M.BLACK)
        for z in (floor + 0.10, floor + 0.95, roof - 0.25):
            panel(sculptor, rear - 0.013, (y - 0.06, y + 0.06), (z - 0.05, z + 0.05), _M.BLACK)


def _body(sculptor: Sculptor, kind: str, rear: float, front: float, floor: float, roof: float, level: int) -> None:
    """What is carried, between x = rear and front."""
    if kind in ("box", "curtain"):
        side = _M.CARGO if kind == "box" else _M.CURTAIN
        sculptor.box((rear, -1.25, floor), (front, 1.25, roof), side)
        if level == 0:
            for y in (1.25, -1.25):
                side_panel(sculptor, (rear, front), y * 1.003, (floor - 0.09, floor + 0.05), _M.METAL)
                side_panel(sculptor, (rear, front), y * 1.003, (roof - 0.06, roof), _M.METAL)
            _rear_doors(sculptor, rear, floor, roof)
    elif kind == "tanker":
        sides = 8 if level else 14
        ends = ((rear, 0.72), (rear + 0.22, 1.0), (front - 0.22, 1.0), (front, 0.72))
        high = min(roof, floor + 2.2)
        mid, tall = 0.5 * (floor + high), 0.5 * (high - floor)
        rings = np.array([_rounded(x, 1.22 * r, mid - tall * r, mid + tall * r, sides) for x, r in ends])
        sculptor.loft(rings, np.full((3, sides), int(_M.TANK)))
        sculptor.cap(rings[-1], _M.TANK)
        sculptor.cap(rings[0][::-1], _M.TANK)
        sculptor.box((rear + 0.8, -0.3, high - 0.05), (front - 0.8, 0.3, high + 0.12), _M.METAL)
        sculptor.box((rear + 0.1, -1.24, floor - 0.12), (front - 0.1, 1.24, floor + 0.10), _M.DARK)
    else:
        wall = floor + 1.25
        sculptor.loft(
            np.array([_oblong(rear, front, 1.05, floor), _oblong(rear, front, 1.25, wall)]),
            np.full((1, 4), int(_M.LIVERY)),
        )
        sculptor.loft(
            np.array(
                [
                    _oblong(rear, front, 1.25, wall),
                    _oblong(rear + 0.12, front - 0.12, 1.15, wall),
                    _oblong(rear + 0.12, front - 0.12, 1.1, wall - 0.35),
                ]
            ),
            np.full((2, 4), int(_M.LIVERY)),
        )
        sculptor.cap(_oblong(rear + 0.12, front - 0.12, 1.1, wall - 0.35), _M.BARK)
        sculptor.cap(_oblong(rear, front, 1.05, floor)[::-1], _M.DARK)
        sculptor.box((front - 0.1, -1.25, wall), (front + 0.9, 1.25, wall + 0.12), _M.LIVERY)
        if level == 0:
            _ribs(sculptor, rear, front, floor, wall)


def _ribs(sculptor: Sculptor, rear: float, front: float, floor: float, wall: float) -> None:
    """What stiffens a tipper: posts along its sides, posts, rails and hinges on its tailboard."""
    for x in np.linspace(rear + 0.5, front - 0.5, 6):
        for y in (1.0, -1.0):
            low, high = sorted((y * 1.10, y * 1.25))
            sculptor.box((x - 0.05, low, floor), (x + 0.05, high, wall - 0.02), _M.LIVERY)
    for y in (-1.04, -0.52, 0.0, 0.52, 1.04):
        sculptor.box((rear - 0.06, y - 0.05, floor + 0.05), (rear, y + 0.05, wall - 0.1), _M.LIVERY)
        panel(sculptor, rear - 0.004, (y + 0.05, y + 0.10), (floor + 0.05, wall - 0.1), _M.DARK)  # their shade
    for z in (floor + 0.02, wall - 0.12):
        sculptor.box((rear - 0.07, -1.12, z), (rear, 1.12, z + 0.10), _M.METAL)
        panel(sculptor, rear - 0.005, (-1.1, 1.1), (z - 0.05, z), _M.DARK)
    for y in (-0.95, 0.95):
        panel(sculptor, rear - 0.075, (y - 0.07, y + 0.07), (wall - 0.18, wall + 0.04), _M.BLACK)
        panel(sculptor, rear - 0.075, (y - 0.06, y + 0.06), (floor - 0.02, floor + 0.16), _M.BLACK)


def _oblong(rear: float, front: float, half: float, z: float) -> np.ndarray:
    """A rectangle, counter-clockwise seen from above."""
    return np.array([(front, -half, z), (front, half, z), (rear, half, z), (rear, -half, z)])


def _far(
    front: float, rear: float, cab: float, floor: float, cab_roof: float, roof: float, kind: str, axles: tuple
) -> Mesh:
    """A lorry a few pixels wide."""
    sculptor = Sculptor()
    material = {"box": _M.CARGO, "curtain": _M.CURTAIN, "tanker": _M.TANK, "tipper": _M.LIVERY}[kind]
    sculptor.box((rear, -1.25, floor), (cab - 0.1, 1.25, roof), material)
    sculptor.box((cab, -1.22, 0.42), (front, 1.22, cab_roof), _M.PAINT)
    panel(sculptor, front + 0.02, (-1.1, 1.1), (1.6, cab_roof - 0.4), _M.GLASS)
    panel(sculptor, front + 0.02, (-1.1, 1.1), (0.62, 0.84), _M.HEAD_LAMP)
    panel(sculptor, rear - 0.02, (-1.1, 1.1), (floor - 0.2, floor), _M.TAIL_LAMP)
    for x in (axles[0], axles[-1]):
        for y in (1.24, -1.24):
            side_panel(sculptor, (x - 0.5, x + 0.5), y, (0.0, 1.0), _M.TYRE)
    return sculptor.mesh()


def lorry(kind: str, level: int) -> Mesh:
    """A rigid lorry of three axles, 8.4 m long, with one of BODIES."""
    axles, floor, roof, cab_roof = (2.95, -1.75, -3.05), 1.15, 3.35, 2.85
    if kind == "tipper":
        roof = 2.4
    if level == 2:
        return _far(4.2, -4.2, 2.5, 1.0, cab_roof, roof, kind, axles)
    sculptor = Sculptor()
    _cab(sculptor, 4.19, 1.65, cab_roof, level)
    _chassis(sculptor, -4.2, 4.0, level, (-1.1, 1.9))
    _body(sculptor, kind, -4.19, 2.38, floor, roof, level)
    _wheels(sculptor, axles, 0.5, level)
    _tail(sculptor, -4.19, level)
    return sculptor.mesh()


def articulated(kind: str, level: int) -> Mesh:
    """A tractor with a semitrailer, 16.5 m long."""
    front, rear, axles = 8.25, -8.25, (6.85, 3.1, -4.2, -5.5, -6.8)
    if level == 2:
        return _far(front, rear, 6.1, 1.05, 3.4, 4.0, kind, (6.85, -5.5))
    sculptor = Sculptor()
    _cab(sculptor, front - 0.01, 2.15, 3.55, level)
    _chassis(sculptor, 2.3, front - 0.2, level, (4.1, 5.6))
    _chassis(sculptor, rear, 4.0, level, (-3.2, 1.6))
    _body(sculptor, kind, rear + 0.01, 5.55, 1.22, 4.0, level)
    _wheels(sculptor, axles, 0.5, level)
    _tail(sculptor, rear + 0.01, level)
    return sculptor.mesh()


def trailer(level: int) -> Mesh:
    """A semitrailer alone, 13.6 m long."""
    sculptor = Sculptor()
    axles = (-3.2, -4.5, -5.8)
    if level < 2:
        _chassis(sculptor, -6.8, 6.0, level, (-2.2, 4.0))
        _body(sculptor, "curtain", -6.79, 6.8, 1.22, 4.0, level)
        _wheels(sculptor, axles, 0.5, level)
        _tail(sculptor, -6.79, level)
        sculptor.box((3.4, -0.7, 0.0), (3.55, 0.7, 1.2), _M.DARK)
        return sculptor.mesh()
    sculptor.box((-6.8, -1.25, 0.95), (6.8, 1.25, 4.0), _M.CURTAIN)
    panel(sculptor, -6.82, (-1.1, 1.1), (0.8, 0.95), _M.TAIL_LAMP)
    for y in (1.2, -1.2):
        side_panel(sculptor, (-6.2, -2.8), y, (0.0, 1.0), _M.TYRE)
    return sculptor.mesh()
