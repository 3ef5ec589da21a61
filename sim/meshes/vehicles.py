"""Cars, a truck, a bus and people, in metres."""

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor

# A station of a body: x, then heights of bottom, belt line and top, then half-widths at bottom, belt and top, in
# metres, then whether the part of the glasshouse behind it (to the next station) is a pillar.
SALOON = [
    (2.35, 0.28, 0.58, 0.62, 0.66, 0.70, 0.58, 0),
    (2.18, 0.22, 0.68, 0.72, 0.84, 0.85, 0.70, 0),
    (1.45, 0.20, 0.82, 0.88, 0.90, 0.91, 0.76, 0),
    (0.80, 0.20, 0.90, 0.97, 0.91, 0.91, 0.74, 0),
    (0.02, 0.20, 0.93, 1.39, 0.91, 0.91, 0.60, 0),
    (-0.46, 0.20, 0.94, 1.43, 0.91, 0.91, 0.60, 1),
    (-0.56, 0.20, 0.94, 1.43, 0.91, 0.91, 0.60, 0),
    (-1.15, 0.20, 0.96, 1.38, 0.91, 0.91, 0.58, 0),
    (-1.78, 0.22, 0.99, 1.07, 0.90, 0.90, 0.70, 0),
    (-2.22, 0.26, 0.98, 1.04, 0.86, 0.87, 0.70, 0),
    (-2.35, 0.32, 0.86, 0.92, 0.76, 0.79, 0.64, 0),
]
HATCHBACK = [
    (2.05, 0.28, 0.60, 0.64, 0.62, 0.67, 0.55, 0),
    (1.90, 0.22, 0.70, 0.75, 0.80, 0.82, 0.66, 0),
    (1.30, 0.20, 0.84, 0.91, 0.86, 0.88, 0.72, 0),
    (0.85, 0.20, 0.92, 1.00, 0.88, 0.88, 0.72, 0),
    (0.15, 0.20, 0.95, 1.44, 0.88, 0.88, 0.60, 0),
    (-0.40, 0.20, 0.97, 1.48, 0.88, 0.88, 0.60, 1),
    (-0.50, 0.20, 0.97, 1.48, 0.88, 0.88, 0.60, 0),
    (-1.30, 0.20, 1.00, 1.45, 0.88, 0.88, 0.58, 1),
    (-1.62, 0.22, 1.02, 1.40, 0.87, 0.87, 0.56, 0),
    (-1.98, 0.26, 0.98, 1.03, 0.82, 0.84, 0.70, 0),
    (-2.05, 0.32, 0.80, 0.84, 0.74, 0.77, 0.64, 0),
]
SUV = [
    (2.30, 0.36, 0.74, 0.80, 0.70, 0.76, 0.64, 0),
    (2.14, 0.28, 0.86, 0.93, 0.88, 0.90, 0.74, 0),
    (1.40, 0.26, 1.00, 1.08, 0.93, 0.94, 0.78, 0),
    (0.90, 0.26, 1.06, 1.14, 0.94, 0.94, 0.77, 0),
    (0.28, 0.26, 1.09, 1.64, 0.94, 0.94, 0.66, 0),
    (-0.35, 0.26, 1.10, 1.69, 0.94, 0.94, 0.66, 1),
    (-0.46, 0.26, 1.10, 1.69, 0.94, 0.94, 0.66, 0),
    (-1.40, 0.26, 1.12, 1.67, 0.94, 0.94, 0.65, 1),
    (-1.52, 0.26, 1.12, 1.67, 0.94, 0.94, 0.65, 0),
    (-2.00, 0.30, 1.14, 1.60, 0.92, 0.92, 0.62, 0),
    (-2.28, 0.36, 1.06, 1.12, 0.86, 0.89, 0.76, 0),
    (-2.32, 0.42, 0.86, 0.92, 0.80, 0.84, 0.74, 0),
]
VAN = [
    (2.45, 0.34, 0.78, 0.84, 0.74, 0.80, 0.68, 0),
    (2.30, 0.28, 0.94, 1.02, 0.90, 0.92, 0.78, 0),
    (1.80, 0.26, 1.10, 1.20, 0.96, 0.97, 0.84, 0),
    (1.05, 0.26, 1.18, 1.86, 0.97, 0.97, 0.80, 0),
    (0.30, 0.26, 1.18, 1.96, 0.97, 0.97, 0.82, 1),
    (-0.90, 0.26, 1.18, 1.98, 0.97, 0.97, 0.83, 1),
    (-2.10, 0.26, 1.18, 1.97, 0.97, 0.97, 0.83, 1),
    (-2.38, 0.30, 1.18, 1.94, 0.95, 0.95, 0.82, 1),
    (-2.45, 0.36, 1.14, 1.88, 0.90, 0.92, 0.80, 0),
]
_CROWN_M = 0.03


def _station_ring(station: tuple, coarse: bool) -> np.ndarray:
    """Right side up, over the roof and down the left: counter-clockwise about -x, the direction to the next station."""
    x, bottom, belt, top, wide_bottom, wide_belt, wide_top, _ = station
    half = [
        (wide_bottom * 0.90, bottom),
        (wide_bottom, bottom + 0.10),
        (wide_belt, 0.5 * (bottom + belt)),
        (wide_belt * 0.985, belt),
        (wide_top, top),
        (0.5 * wide_top, top + _CROWN_M),
    ]
    if coarse:
        half = [half[0], half[2], half[3], (wide_top, top + 0.5 * _CROWN_M)]
    right = [(x, -y, z) for y, z in half]
    left = [(x, y, z) for y, z in reversed(half)]
    return np.array(right + left)


def _body(sculptor: Sculptor, stations: list[tuple], coarse: bool) -> None:
    """Loft a car body; bands above the belt line are glass where there is a glasshouse, pillars aside."""
    if coarse:
        stations = [s for s in stations if not s[7] or s is stations[-1]]
    rings = np.array([_station_ring(s, coarse) for s in stations])
    points = rings.shape[1]
    belt = 2 if coarse else 3
    material = np.full((len(stations) - 1, points), int(Material.PAINT))
    material[:, points - 1] = Material.DARK
    cabin = [s[3] - s[2] > 0.25 for s in stations]
    for i in range(len(stations) - 1):
        if cabin[i] != cabin[i + 1]:  # windscreen or rear window
            material[i, belt : points - 1 - belt] = Material.GLASS
        elif cabin[i] and not stations[i][7]:
            material[i, [belt, points - 2 - belt]] = Material.GLASS
    sculptor.loft(rings, material)
    sculptor.cap(rings[0][::-1], Material.PAINT)
    sculptor.cap(rings[-1], Material.PAINT)


def _wheel(sculptor: Sculptor, center: tuple[float, float], side: float, radius: float, coarse: bool) -> None:
    """A wheel's tread and outer face, and the dark arch behind it; `side` is the signed y of the outer face."""
    x, y = center[0], side
    sides = 6 if coarse else 10
    turn = np.arange(sides) * 2.0 * np.pi / sides * np.sign(side)
    outer = np.stack([x + radius * np.cos(turn), np.full(sides, y), radius + radius * np.sin(turn)], 1)[::-1]
    inner = outer - np.array([0.0, 0.24 * np.sign(side), 0.0])
    sculptor.loft(np.array([inner, outer]), np.full((1, sides), Material.TYRE))
    hub = np.array([x, y, radius])
    rim = hub + 0.62 * (outer - hub)
    if coarse:
        sculptor.cap(outer, Material.TYRE)
        return
    sculptor.loft(np.array([outer, rim]), np.full((1, sides), Material.TYRE))
    sculptor.cap(rim, Material.RIM)
    arch = np.linspace(0.0, np.pi, 7) if side > 0 else np.linspace(np.pi, 0.0, 7)
    wide = radius + 0.08
    fan = np.stack([x + wide * np.cos(arch), np.full(7, y - 0.006 * np.sign(side)), radius + wide * np.sin(arch)], 1)
    sculptor.cap(fan[::-1], Material.DARK)


def _plate_quad(
    sculptor: Sculptor, x: float, y: tuple[float, float], z: tuple[float, float], material: Material
) -> None:
    """An upright quad across the car that faces forward (x > 0) or backward."""
    left, right = (y[0], y[1]) if x > 0 else (y[1], y[0])
    sculptor.quad((x, left, z[0]), (x, right, z[0]), (x, right, z[1]), (x, left, z[1]), material)


def _fittings(sculptor: Sculptor, ends: tuple[float, float], half_width: float, z_lamp: float, coarse: bool) -> None:
    """Lamps, grille, number plates and bumpers at the front (x = ends[0]) and rear (x = ends[1])."""
    front, rear = ends
    inset = 0.74 * half_width
    for y in (inset, -inset):
        if coarse:
            _plate_quad(sculptor, front, (y - 0.17, y + 0.17), (z_lamp - 0.08, z_lamp + 0.08), Material.HEAD_LAMP)
            _plate_quad(sculptor, rear, (y - 0.15, y + 0.15), (z_lamp + 0.02, z_lamp + 0.2), Material.TAIL_LAMP)
        else:
            low, high = (front - 0.28, y - 0.17, z_lamp - 0.07), (front, y + 0.17, z_lamp + 0.06)
            sculptor.box(low, high, Material.HEAD_LAMP)
            sculptor.box((rear, y - 0.16, z_lamp + 0.02), (rear + 0.2, y + 0.16, z_lamp + 0.18), Material.TAIL_LAMP)
    _plate_quad(
        sculptor, front - 0.001, (-0.5 * half_width, 0.5 * half_width), (z_lamp - 0.24, z_lamp - 0.02), Material.DARK
    )
    _plate_quad(sculptor, front, (-0.26, 0.26), (z_lamp - 0.26, z_lamp - 0.14), Material.PLATE)
    _plate_quad(sculptor, rear, (-0.26, 0.26), (z_lamp + 0.02, z_lamp + 0.14), Material.PLATE)
    wide = 0.86 * half_width
    _plate_quad(sculptor, rear + 0.002, (-wide, wide), (z_lamp - 0.32, z_lamp - 0.14), Material.DARK)


def car(stations: list[tuple], axles: tuple[float, float], radius: float, level: int) -> Mesh:
    coarse = level > 0
    sculptor = Sculptor()
    _body(sculptor, stations, coarse)
    half_width = max(s[5] for s in stations)
    for x in axles:
        for side in (half_width + 0.012, -half_width - 0.012):
            _wheel(sculptor, (x, 0.0), side, radius, coarse)
    ends = (stations[0][0] + 0.02, stations[-1][0] - 0.02)
    _fittings(sculptor, ends, half_width, stations[0][2] + 0.02, coarse)
    if not coarse:
        cowl = next(i for i, s in enumerate(stations) if s[3] - s[2] > 0.25) - 1
        x, z = stations[cowl][0] - 0.25, stations[cowl][2] + 0.02
        for y in (half_width - 0.16, -half_width):
            sculptor.box((x - 0.1, y, z), (x + 0.06, y + 0.16, z + 0.13), Material.DARK)
    return sculptor.mesh()


def truck(level: int) -> Mesh:
    """A rigid box truck: cab, cargo box, chassis, three axles."""
    sculptor, coarse = Sculptor(), level > 0
    cab = [
        (4.20, 0.55, 1.35, 1.40, 1.12, 1.16, 1.12, 0),
        (4.02, 0.50, 1.38, 2.55, 1.20, 1.20, 1.10, 0),
        (3.30, 0.50, 1.38, 2.75, 1.20, 1.20, 1.12, 0),
        (2.75, 0.50, 1.38, 2.80, 1.20, 1.20, 1.12, 1),
        (2.45, 0.50, 1.38, 2.80, 1.20, 1.20, 1.12, 0),
    ]
    _body(sculptor, cab, False)
    sculptor.box((-4.2, -1.25, 1.05), (2.35, 1.25, 3.35), Material.CARGO)
    sculptor.box((-4.1, -0.55, 0.55), (2.5, 0.55, 1.05), Material.DARK)
    if not coarse:
        for y in (-1.22, 1.19):
            sculptor.box((-1.7, y, 0.45), (1.5, y + 0.03, 0.95), Material.METAL)
    for x in (3.15, -1.9, -3.1):
        for side in (1.235, -1.235):
            _wheel(sculptor, (x, 0.0), side, 0.5, coarse)
    _plate_quad(sculptor, 4.212, (-0.7, 0.7), (0.85, 1.25), Material.DARK)
    for y in (0.9, -0.9):
        _plate_quad(sculptor, 4.214, (y - 0.2, y + 0.2), (0.65, 0.85), Material.HEAD_LAMP)
        _plate_quad(sculptor, -4.205, (y - 0.2, y + 0.2), (0.72, 0.95), Material.TAIL_LAMP)
    _plate_quad(sculptor, -4.205, (-0.26, 0.26), (0.75, 0.9), Material.PLATE)
    _plate_quad(sculptor, -4.206, (-1.2, 1.2), (0.5, 0.7), Material.METAL)
    return sculptor.mesh()


def bus(level: int) -> Mesh:
    """A city bus: one long window band with pillars, flat front and rear."""
    sculptor, coarse = Sculptor(), level > 0
    doors = np.linspace(5.5, -5.4, 4 if coarse else 8)
    stations = [(5.98, 0.35, 1.0, 1.05, 1.18, 1.20, 1.12, 0), (5.9, 0.32, 1.02, 2.75, 1.24, 1.25, 1.12, 0)]
    for x in doors:
        stations.append((x + 0.12, 0.32, 1.15, 3.02, 1.25, 1.25, 1.16, 1))
        stations.append((x, 0.32, 1.15, 3.02, 1.25, 1.25, 1.16, 0))
    stations += [(-5.85, 0.35, 1.2, 2.95, 1.22, 1.24, 1.12, 1), (-5.98, 0.4, 1.2, 2.85, 1.18, 1.2, 1.08, 0)]
    if coarse:
        stations = [(*s[:7], 0) for s in stations if not s[7]]
    _body(sculptor, stations, False)
    for x in (3.3, -3.0):
        for side in (1.265, -1.265):
            _wheel(sculptor, (x, 0.0), side, 0.48, coarse)
    _plate_quad(sculptor, 6.0, (-0.9, 0.9), (0.42, 0.62), Material.DARK)
    for y in (0.95, -0.95):
        _plate_quad(sculptor, 6.0, (y - 0.18, y + 0.18), (0.7, 0.9), Material.HEAD_LAMP)
        _plate_quad(sculptor, -6.0, (y - 0.14, y + 0.14), (0.75, 1.15), Material.TAIL_LAMP)
    _plate_quad(sculptor, -6.0, (-0.85, 0.85), (1.75, 2.6), Material.GLASS)
    _plate_quad(sculptor, -5.999, (-0.26, 0.26), (0.6, 0.75), Material.PLATE)
    return sculptor.mesh()


MAKERS = {
    0: lambda level: car(SALOON, (1.42, -1.38), 0.33, level),
    1: lambda level: car(HATCHBACK, (1.28, -1.27), 0.31, level),
    2: lambda level: car(SUV, (1.40, -1.38), 0.37, level),
    3: lambda level: car(VAN, (1.60, -1.60), 0.35, level),
    4: truck,
    5: bus,
}
