"""Posts, rails, fences, signals and street furniture, in metres. Faces of signs and signal heads look along +x."""

import numpy as np

from sim.meshes.sculpt import Material, Mesh, Sculptor

# --- Signs ---

_FACES = {
    "round": (np.arange(20) + 0.5) * np.pi / 10,
    "octagon": (np.arange(8) + 0.5) * np.pi / 4,
    "triangle": np.array([0.5, 7.0 / 6.0, 11.0 / 6.0]) * np.pi,
    "yield": np.array([1.5, 1.0 / 6.0, 5.0 / 6.0]) * np.pi,
    "square": (np.arange(4) + 0.5) * np.pi / 2,
    "diamond": np.arange(4) * np.pi / 2,
}


def sign_face(shape: str, level: int) -> Mesh:
    """A plate that fills its box across and in height: a picture in front, bare metal behind."""
    sculptor = Sculptor()
    turn = _FACES[shape]
    if level > 1 and shape == "round":
        turn = (np.arange(12) + 0.5) * np.pi / 6
    points = np.column_stack([np.cos(turn), np.sin(turn)])
    points = (points - points.min(axis=0)) / (points.max(axis=0) - points.min(axis=0)) - (0.5, 0.0)
    front = np.column_stack([np.full(len(turn), 0.02), points])
    back = front - (0.04, 0.0, 0.0)
    sculptor.cap(front, Material.SIGN_FACE)
    sculptor.cap(back[::-1], Material.SIGN_BACK)
    sculptor.loft(np.array([back, front]), np.full((1, len(turn)), Material.SIGN_BACK))
    return sculptor.mesh()


def post(level: int) -> Mesh:
    """A round post of 6 cm by 3 m."""
    sculptor = Sculptor()
    sculptor.tube((0, 0, 0), (0, 0, 3.0), (0.03, 0.03), 3 if level else 6, Material.METAL)
    return sculptor.mesh()


def gantry(level: int) -> Mesh:
    """Two legs and a lattice beam across a motorway, 16 m along y and 7.4 m high."""
    sculptor = Sculptor()
    for y in (-8.0, 8.0):
        sculptor.box((-0.2, y - 0.2, 0.0), (0.2, y + 0.2, 7.4), Material.METAL)
    for z in (6.2, 7.2):
        sculptor.box((-0.12, -8.0, z), (0.12, 8.0, z + 0.2), Material.METAL)
    for k in range(0 if level else 10):
        y = -8.0 + 1.6 * k
        sculptor.tube((0, y, 6.3), (0, y + 0.8, 7.3), (0.06, 0.06), 3, Material.METAL)
        sculptor.tube((0, y + 0.8, 7.3), (0, y + 1.6, 6.3), (0.06, 0.06), 3, Material.METAL)
    return sculptor.mesh()


# --- Signals ---


def _lamp(sculptor: Sculptor, z: float, radius: float, material: Material, level: int) -> None:
    """A lens just before the housing and a visor over it."""
    turn = np.arange(6 if level else 12) * 2.0 * np.pi / (6 if level else 12)
    lens = np.column_stack([np.full(len(turn), 0.115), radius * np.cos(turn), z + radius * np.sin(turn)])
    sculptor.cap(lens, material)
    if level:
        return
    arch = np.linspace(-0.15, np.pi + 0.15, 7)
    rim = np.column_stack([np.full(7, 0.11), 1.12 * radius * np.cos(arch), z + 1.12 * radius * np.sin(arch)])
    reach = np.where(np.sin(arch) > 0.3, 0.2, 0.1)[:, None] * (1.0, 0.0, 0.0)
    for k in range(6):
        a, b, c, d = rim[k], rim[k + 1], rim[k + 1] + reach[k + 1], rim[k] + reach[k]
        sculptor.quad(tuple(a), tuple(d), tuple(c), tuple(b), Material.HOUSING)
        sculptor.quad(tuple(a), tuple(b), tuple(c), tuple(d), Material.HOUSING)


def signal_head(level: int) -> Mesh:
    """Three lamps of 20 cm in a housing 0.3 m wide and 0.9 m high."""
    sculptor = Sculptor()
    sculptor.box((-0.1, -0.15, 0.0), (0.11, 0.15, 0.92), Material.HOUSING)
    for z, lamp in ((0.77, Material.SIGNAL_RED), (0.46, Material.SIGNAL_YELLOW), (0.15, Material.SIGNAL_GREEN)):
        _lamp(sculptor, z, 0.105, lamp, level)
    return sculptor.mesh()


def walk_head(level: int) -> Mesh:
    """Two lamps for those who cross on foot: they go while the group of the traffic in their way is red."""
    sculptor = Sculptor()
    sculptor.box((-0.1, -0.15, 0.0), (0.11, 0.15, 0.62), Material.HOUSING)
    for z, lamp in ((0.46, Material.WALK_RED), (0.15, Material.WALK_GREEN)):
        _lamp(sculptor, z, 0.105, lamp, level)
    return sculptor.mesh()


def signal_post(level: int) -> Mesh:
    """A post of 13 cm by 3.5 m with a control box at its foot."""
    sculptor = Sculptor()
    sculptor.tube((0, 0, 0), (0, 0, 3.5), (0.065, 0.065), 3 if level else 6, Material.METAL)
    if not level:
        sculptor.box((-0.12, -0.09, 0.9), (-0.05, 0.09, 1.25), Material.PLASTIC)
    return sculptor.mesh()


def mast_arm(level: int) -> Mesh:
    """A mast of 6.2 m whose arm reaches 5 m along +y."""
    sculptor, sides = Sculptor(), 3 if level else 6
    sculptor.tube((0, 0, 0), (0, 0, 6.2), (0.13, 0.09), sides, Material.METAL)
    sculptor.tube((0, 0, 5.9), (0, 5.0, 6.1), (0.075, 0.05), sides, Material.METAL)
    return sculptor.mesh()


# --- Lights and wires ---


def lamp_post(level: int) -> Mesh:
    """The arm reaches along +x."""
    sculptor, sides = Sculptor(), 3 if level else 6
    sculptor.tube((-0.9, 0, 0), (-0.9, 0, 7.6), (0.1, 0.06), sides, Material.METAL)
    sculptor.tube((-0.9, 0, 7.55), (0.6, 0, 7.85), (0.05, 0.04), 3, Material.METAL)
    sculptor.box((0.35, -0.14, 7.74), (1.0, 0.14, 7.9), Material.LANTERN)
    return sculptor.mesh()


def double_lamp(level: int) -> Mesh:
    """A tall mast for a median: one lantern to either side along x."""
    sculptor = Sculptor()
    sculptor.tube((0, 0, 0), (0, 0, 10.0), (0.11, 0.07), 3 if level else 6, Material.METAL)
    for x in (-1.0, 1.0):
        sculptor.tube((0, 0, 9.8), (1.1 * x, 0, 10.1), (0.05, 0.04), 3, Material.METAL)
        sculptor.box((min(0.8 * x, 1.5 * x), -0.14, 10.0), (max(0.8 * x, 1.5 * x), 0.14, 10.16), Material.LANTERN)
    return sculptor.mesh()


def park_lamp(level: int) -> Mesh:
    """A low lamp with a glowing head on a slim post."""
    sculptor, sides = Sculptor(), 3 if level else 6
    sculptor.tube((0, 0, 0), (0, 0, 0.9), (0.11, 0.07), sides, Material.HOUSING)
    sculptor.tube((0, 0, 0.9), (0, 0, 3.6), (0.06, 0.05), sides, Material.HOUSING)
    sculptor.tube((0, 0, 3.6), (0, 0, 4.05), (0.13, 0.2), sides, Material.LANTERN)
    sculptor.tube((0, 0, 4.05), (0, 0, 4.25), (0.26, 0.04), sides, Material.HOUSING)
    return sculptor.mesh()


def utility_pole(level: int) -> Mesh:
    """A wooden pole of 9 m with a crossarm along y and insulators."""
    sculptor = Sculptor()
    sculptor.tube((0, 0, 0), (0, 0, 9.0), (0.14, 0.09), 3 if level else 6, Material.BARK)
    sculptor.box((-0.06, -1.1, 8.2), (0.06, 1.1, 8.34), Material.BARK)
    for y in (-1.0, 0.0, 1.0):
        sculptor.box((-0.04, y - 0.04, 8.34), (0.04, y + 0.04, 8.52), Material.PLATE)
    return sculptor.mesh()


def wires(level: int) -> Mesh:
    """Three wires that sag by 0.7 m over a span of 36 m along x; the lowest point is the foot of the box."""
    sculptor = Sculptor()
    x = np.linspace(-18.0, 18.0, (9, 5, 3)[level])
    z = 0.7 * (x / 18.0) ** 2
    for y in (-1.0, 0.0, 1.0):
        for k in range(len(x) - 1):
            sculptor.tube((x[k], y, z[k]), (x[k + 1], y, z[k + 1]), (0.016, 0.016), 3, Material.DARK)
    return sculptor.mesh()


# --- Rails, fences and walls: pieces of four metres along x, front to -y ---


def _posts(sculptor: Sculptor, x: tuple[float, ...], high: float, wide: float, y: float, material: Material) -> None:
    for at in x:
        sculptor.box((at - wide, y - wide, 0.0), (at + wide, y + wide, high), material)


def guard_rail(level: int) -> Mesh:
    """Four metres of W-beam on two posts, along x."""
    sculptor = Sculptor()
    profile = np.array([(-0.05, 0.45), (0.03, 0.53), (-0.02, 0.60), (0.03, 0.67), (-0.05, 0.75)])
    if level:
        profile = profile[[0, 2, 4]] if level < 2 else profile[[0, 4]]
    section = np.concatenate([profile, [(-0.07, 0.75), (-0.07, 0.45)]])[::-1]
    rings = np.array([np.concatenate([np.full((len(section), 1), x), section], 1) for x in (2.0, -2.0)])
    sculptor.loft(rings, np.full((1, len(section)), Material.METAL))
    for x in (-1.0, 1.0) if level < 2 else (0.0,):
        sculptor.box((x - 0.05, -0.15, 0.0), (x + 0.05, -0.06, 0.72), Material.METAL)
    return sculptor.mesh()


def picket_fence(level: int) -> Mesh:
    """Slats on two rails."""
    sculptor = Sculptor()
    _posts(sculptor, (-1.95, 1.95), 1.05, 0.05, -0.05, Material.WOOD)
    for z in (0.3, 0.75):
        sculptor.box((-2.0, -0.02, z), (2.0, 0.02, z + 0.1), Material.WOOD)
    if level:
        sculptor.box((-2.0, 0.02, 0.1), (2.0, 0.05, 0.95), Material.WOOD)
        return sculptor.mesh()
    for x in np.arange(-1.85, 1.9, 0.2):
        sculptor.box((x - 0.05, 0.02, 0.06), (x + 0.05, 0.05, 1.0), Material.WOOD)
    return sculptor.mesh()


def field_fence(level: int) -> Mesh:
    """Posts and four boards, as around paddocks."""
    sculptor = Sculptor()
    _posts(sculptor, (-1.0, 1.0), 1.2, 0.06, 0.0, Material.BARK)
    # From afar two wide boards cover as much as four.
    for z, half in (
        ((0.22, 0.08), (0.51, 0.08), (0.8, 0.08), (1.09, 0.08)) if level < 2 else ((0.36, 0.15), (0.95, 0.15))
    ):
        sculptor.box((-2.0, 0.05, z - half), (2.0, 0.09, z + half), Material.BARK)
    return sculptor.mesh()


def bar_fence(level: int) -> Mesh:
    """A metal fence of thin upright bars, or a railing at a kerb."""
    sculptor = Sculptor()
    _posts(sculptor, (-1.97, 0.0, 1.97), 1.1, 0.03, 0.0, Material.HOUSING)
    for z in (0.15, 1.0):
        sculptor.box((-2.0, -0.015, z), (2.0, 0.015, z + 0.05), Material.HOUSING)
    for x in np.arange(-1.8, 1.81, 0.2) if not level else np.arange(-1.5, 1.51, 0.6):
        sculptor.box((x - 0.012, -0.012, 0.15), (x + 0.012, 0.012, 1.02), Material.HOUSING)
    return sculptor.mesh()


def garden_wall(level: int) -> Mesh:
    """A brick wall with a coping."""
    sculptor = Sculptor()
    sculptor.box((-2.0, -0.12, 0.0), (2.0, 0.12, 1.1), Material.BRICK)
    if level < 2:
        sculptor.box((-2.0, -0.17, 1.1), (2.0, 0.17, 1.2), Material.STONE)
    return sculptor.mesh()


def noise_barrier(level: int) -> Mesh:
    """Panels of 3.4 m between posts of steel."""
    sculptor = Sculptor()
    sculptor.box((-2.0, -0.07, 0.0), (2.0, 0.07, 3.4), Material.PANEL)
    if level < 2:
        _posts(sculptor, (-2.0,), 3.5, 0.12, 0.0, Material.METAL)
    return sculptor.mesh()


def concrete_barrier(level: int) -> Mesh:
    """A step barrier of concrete."""
    sculptor = Sculptor()
    section = np.array(
        [(-0.3, 0.0), (0.3, 0.0), (0.27, 0.1), (0.12, 0.3), (0.08, 0.85), (-0.08, 0.85), (-0.12, 0.3), (-0.27, 0.1)]
    )
    if level > 1:
        section = section[[0, 1, 4, 5]]
    rings = np.array([np.concatenate([np.full((len(section), 1), x), section], 1) for x in (-2.0, 2.0)])
    sculptor.loft(rings, np.full((1, len(section)), Material.CONCRETE))
    sculptor.cap(rings[1], Material.CONCRETE)
    sculptor.cap(rings[0][::-1], Material.CONCRETE)
    return sculptor.mesh()


# --- Small things ---


def delineator(level: int) -> Mesh:
    """A white roadside post with a dark band; faces both ways."""
    sculptor, sides = Sculptor(), 3 if level else 5
    sculptor.tube((0, 0, 0), (0, 0, 0.72), (0.06, 0.06), sides, Material.PLATE)
    sculptor.tube((0, 0, 0.72), (0, 0, 0.92), (0.061, 0.061), sides, Material.DARK)
    sculptor.tube((0, 0, 0.92), (0, 0, 1.0), (0.06, 0.05), sides, Material.PLATE)
    return sculptor.mesh()


def bollard(level: int) -> Mesh:
    sculptor, sides = Sculptor(), 3 if level else 6
    sculptor.tube((0, 0, 0), (0, 0, 0.95), (0.075, 0.065), sides, Material.HOUSING)
    sculptor.tube((0, 0, 0.72), (0, 0, 0.82), (0.078, 0.078), sides, Material.PLATE)
    return sculptor.mesh()


def bin(level: int) -> Mesh:
    """A wheeled bin with a lid."""
    sculptor = Sculptor()
    low = [(0.22, -0.22, 0.06), (0.22, 0.22, 0.06), (-0.22, 0.22, 0.06), (-0.22, -0.22, 0.06)]
    high = [(0.3, -0.28, 0.95), (0.3, 0.28, 0.95), (-0.3, 0.28, 0.95), (-0.3, -0.28, 0.95)]
    sculptor.loft(np.array([low, high]), np.full((1, 4), Material.PLASTIC))
    sculptor.box((-0.36, -0.3, 0.95), (0.32, 0.3, 1.06), Material.PLASTIC)
    if not level:
        sculptor.box((-0.3, -0.26, 0.0), (-0.1, 0.26, 0.2), Material.DARK)
    return sculptor.mesh()


def bench(level: int) -> Mesh:
    """A seat and a back along y; one looks along +x."""
    sculptor = Sculptor()
    sculptor.box((-0.22, -0.9, 0.42), (0.25, 0.9, 0.48), Material.WOOD)
    sculptor.box((-0.3, -0.9, 0.55), (-0.24, 0.9, 0.9), Material.WOOD)
    for y in (-0.7, 0.7) if level < 2 else ():
        sculptor.box((-0.28, y - 0.04, 0.0), (0.22, y + 0.04, 0.42), Material.HOUSING)
    return sculptor.mesh()


def bus_shelter(level: int) -> Mesh:
    """A roof over a glazed back, a side with a poster and a bench; open to +x."""
    sculptor = Sculptor()
    sculptor.box((-0.7, -2.1, 2.4), (0.9, 2.1, 2.52), Material.HOUSING)
    sculptor.box((-0.7, -2.0, 0.25), (-0.66, 2.0, 2.3), Material.PANE)
    sculptor.box((-0.6, 1.95, 0.3), (0.6, 2.05, 2.2), Material.POSTER)
    for x in (-0.68, 0.6) if level < 2 else (-0.68,):
        for y in (-2.0, 2.0):
            sculptor.box((x - 0.04, y - 0.04, 0.0), (x + 0.04, y + 0.04, 2.4), Material.HOUSING)
    if not level:
        sculptor.box((-0.6, -1.4, 0.45), (-0.25, 1.4, 0.52), Material.WOOD)
    return sculptor.mesh()


def mail_box(level: int) -> Mesh:
    sculptor = Sculptor()
    sculptor.box((-0.05, -0.05, 0.0), (0.05, 0.05, 0.75), Material.METAL)
    sculptor.box((-0.2, -0.26, 0.75), (0.2, 0.26, 1.4), Material.BOX_YELLOW)
    return sculptor.mesh()


def cabinet(level: int) -> Mesh:
    """A grey box of the telephone or power company."""
    sculptor = Sculptor()
    sculptor.box((-0.22, -0.6, 0.0), (0.22, 0.6, 0.12), Material.CONCRETE)
    sculptor.box((-0.2, -0.58, 0.12), (0.2, 0.58, 1.25), Material.SIGN_BACK)
    return sculptor.mesh()


def billboard(level: int) -> Mesh:
    """A poster of 3.8 m by 2.8 m on two legs; looks along +x."""
    sculptor = Sculptor()
    for y in (-1.3, 1.3):
        sculptor.box((-0.18, y - 0.07, 0.0), (-0.05, y + 0.07, 2.0), Material.METAL)
    sculptor.box((-0.1, -1.95, 1.5), (0.0, 1.95, 4.4), Material.HOUSING)
    sculptor.quad((0.02, -1.85, 1.6), (0.02, 1.85, 1.6), (0.02, 1.85, 4.3), (0.02, -1.85, 4.3), Material.POSTER)
    return sculptor.mesh()


def cone(level: int) -> Mesh:
    sculptor, sides = Sculptor(), 4 if level else 8
    sculptor.box((-0.19, -0.19, 0.0), (0.19, 0.19, 0.04), Material.HOUSING)
    for low, high, material in (
        (0.04, 0.3, Material.ORANGE),
        (0.3, 0.48, Material.PLATE),
        (0.48, 0.72, Material.ORANGE),
    ):
        radius = [0.15 * (0.8 - z) / 0.76 for z in (low, high)]
        sculptor.tube((0, 0, low), (0, 0, high), (radius[0], radius[1]), sides, material)
    return sculptor.mesh()


def barrier(level: int) -> Mesh:
    """A red and white board of road works on two feet, across x."""
    sculptor = Sculptor()
    for y in (-0.8, 0.8):
        sculptor.box((-0.25, y - 0.05, 0.0), (0.25, y + 0.05, 0.08), Material.HOUSING)
        sculptor.box((-0.03, y - 0.03, 0.08), (0.03, y + 0.03, 1.05), Material.METAL)
    sculptor.box((-0.04, -1.0, 0.72), (0.04, 1.0, 1.0), Material.STRIPES)
    return sculptor.mesh()


def _hoop(sculptor: Sculptor, x: float, level: int) -> None:
    """A bicycle's wheel, seen from both sides."""
    turn = np.arange(10 if level else 16) * 2.0 * np.pi / (10 if level else 16)
    circle = np.column_stack([np.cos(turn), np.zeros(len(turn)), np.sin(turn)])
    outer, inner = 0.34 * circle + (x, 0.0, 0.34), 0.29 * circle + (x, 0.0, 0.34)
    for sign in (1.0, -1.0):
        rings = np.array([outer, inner]) + (0.0, 0.015 * sign, 0.0)
        sculptor.loft(rings if sign < 0 else rings[::-1], np.full((1, len(turn)), Material.TYRE))


def parked_bicycle(level: int) -> Mesh:
    """A bicycle along x that leans on a hoop of steel."""
    sculptor = Sculptor()
    if level > 1:
        for low, high in (((-0.86, -0.03, 0.0), (-0.2, 0.03, 0.68)), ((0.2, -0.03, 0.0), (0.86, 0.03, 0.68))):
            sculptor.box(low, high, Material.TYRE)
        sculptor.box((-0.3, -0.26, 0.7), (0.4, 0.26, 1.01), Material.PAINT)
        return sculptor.mesh()
    for x in (-0.52, 0.52):
        _hoop(sculptor, x, level)
    frame = [
        ((-0.52, 0.34), (-0.1, 0.32)),
        ((-0.1, 0.32), (-0.22, 0.85)),
        ((-0.22, 0.78), (0.36, 0.8)),
        ((-0.1, 0.32), (0.36, 0.75)),
        ((0.52, 0.34), (0.34, 0.98)),
    ]
    for (x0, z0), (x1, z1) in frame:
        sculptor.tube((x0, 0, z0), (x1, 0, z1), (0.02, 0.02), 3, Material.PAINT)
    sculptor.tube((0.34, -0.26, 1.0), (0.34, 0.26, 1.0), (0.015, 0.015), 3, Material.DARK)
    sculptor.box((-0.34, -0.07, 0.86), (-0.1, 0.07, 0.92), Material.DARK)
    for x in (-0.3, 0.3):
        sculptor.box((x - 0.02, 0.12, 0.0), (x + 0.02, 0.16, 0.75), Material.METAL)
    return sculptor.mesh()


def kerb_island(level: int) -> Mesh:
    """A traffic island of kerb stones, 6 m by 1.6 m and 14 cm high."""
    sculptor = Sculptor()
    turn = np.arange(6 if level else 12) * 2.0 * np.pi / (6 if level else 12)
    ring = np.column_stack([3.0 * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.4, 0.8 * np.sin(turn)])
    rings = np.array([np.column_stack([ring * k, np.full(len(turn), z)]) for k, z in ((1.0, 0.0), (0.97, 0.14))])
    sculptor.loft(rings, np.full((1, len(turn)), Material.STONE))
    sculptor.cap(rings[1], Material.CONCRETE)
    return sculptor.mesh()


def box(material: Material, level: int) -> Mesh:
    """A plain cuboid."""
    sculptor = Sculptor()
    sculptor.box((-0.5, -0.5, 0.0), (0.5, 0.5, 1.0), material)
    return sculptor.mesh()
