"""What roads collect with age, drawn from a seed: patches, seams, cracks, covers, gullies, stains, coloured lanes."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sim.rendering.decals import Decal, DecalKind, paint_of
from sim.rendering.ground import ROLLED_KINDS, SIDEWALK_KINDS, GroundRaster, PaintedLine, Strip

KERB_M = 0.12  # height of sidewalks above the road


@dataclass(frozen=True)
class Style:
    """How the ground of a map looks: a draw from its seed."""

    asphalt_tone: float
    asphalt_warmth: float
    walk: int  # 0 concrete panels, 1 slabs, 2 grey pavers, 3 asphalt, 4 reddish pavers
    slab_m: float
    dry: float  # of grass
    gravel_m: float  # width of the unpaved shoulder
    fields: float  # 1 where land far from roads is farmed
    kerb_tone: float
    age: float  # of roads and paint, 0..1
    kerb_m: float  # height of kerbs
    cycle: DecalKind | None  # colour of cycle lanes
    bays: DecalKind | None  # surface of parking lanes

    def row(self) -> list[float]:
        """What kernels read (9,)."""
        return [
            *(self.asphalt_tone, self.asphalt_warmth, float(self.walk), self.slab_m),
            *(self.dry, self.gravel_m, self.fields, self.kerb_tone, self.kerb_m),
        ]


def draw_style(rng: np.random.Generator, town: bool) -> Style:
    """One of many looks; `town` where the map has sidewalks."""
    cycle = (None, DecalKind.RED_LANE, DecalKind.GREEN_LANE)[rng.integers(3)]
    return Style(
        asphalt_tone=float(np.exp(np.clip(rng.normal(-0.15, 0.2), -0.5, 0.15))),
        asphalt_warmth=float(rng.normal(0.0, 0.6)),
        walk=int(rng.choice(5, p=(0.10, 0.66, 0.09, 0.05, 0.10))), slab_m=float(rng.choice((0.3, 0.4, 0.5))),
        dry=float(rng.uniform(0.0, 1.0)), gravel_m=0.0 if town else float(rng.uniform(0.1, 0.5)),
        fields=0.0 if town else 1.0, kerb_tone=float(rng.uniform(0.85, 1.2)), age=float(rng.beta(1.6, 1.4)),
        kerb_m=KERB_M if town else 0.0,
        cycle=cycle, bays=(None, DecalKind.SETTS, DecalKind.PALE)[rng.integers(3)],
    )  # fmt: skip


class _Lane:
    """A strip as coordinates: s along its middle, d to the left of it."""

    def __init__(self, strip: Strip) -> None:
        self.left, self.right = strip.left_xy_world_m, strip.right_xy_world_m
        middle = 0.5 * (self.left + self.right)
        self.s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(middle, axis=0).T))])
        self.width = np.hypot(*(self.left - self.right).T)
        self.length_m, self.width_m = float(self.s[-1]), float(np.median(self.width))

    def at(self, s: np.ndarray, d: np.ndarray) -> np.ndarray:
        """Points (n, 2)."""
        share = 0.5 - d / max(self.width_m, 0.1)
        a, b = (np.column_stack([np.interp(s, self.s, edge[:, k]) for k in (0, 1)]) for edge in (self.left, self.right))
        return a + share[:, None] * (b - a)

    def along(self, start: float, end: float, d: float, step_m: float = 2.0) -> np.ndarray:
        s = np.linspace(start, end, max(2, int((end - start) / step_m) + 1))
        return self.at(s, np.full(len(s), d))


def road_decals(
    strips: Sequence[Strip], lines: Sequence[PaintedLine], ground: GroundRaster, style: Style, seed: int
) -> list[Decal]:
    """Everything that lies on a map's roads, what is below first: a function of the roads' names and the seed."""
    town = any(s.kind in SIDEWALK_KINDS for s in strips)
    below, above = [], []
    for strip in strips:
        if len(strip.left_xy_world_m) < 2:
            continue
        name = f"{strip.road} {strip.section} {float(strip.left_xy_world_m[0].sum()):.2f}"
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        road = np.random.default_rng([seed, zlib.crc32(strip.road.encode()), 1])
        age = float(np.clip(style.age + road.normal(0.0, 0.2), 0.05, 1.0))
        lane = _Lane(strip)
        below += _areas(strip, lane, style)
        if strip.kind in ROLLED_KINDS and lane.length_m > 6.0 and lane.width_m > 2.0:
            above += [*_patches(rng, lane, age), *_seams(rng, lane, age), *_cracks(rng, lane, age)]
            above += _spots(rng, lane, town, strip.junction is not None)
        if strip.kind in SIDEWALK_KINDS:
            above += _gullies(rng, strip, ground)
    rng = np.random.default_rng([seed, 7])
    paint = [
        Decal(
            line.xy_world_m, line.width_m, paint_of(line.color), line.dash_m, line.gap_m,
            float(np.clip(0.75 * style.age + rng.normal(0.0, 0.12), 0.02, 0.9)),
        )
        for line in lines
        if len(line.xy_world_m) > 1
    ]  # fmt: skip
    return below + above + paint


def _areas(strip: Strip, lane: _Lane, style: Style) -> Iterator[Decal]:
    """The surface of cycle and parking lanes, piece by piece as wide as they are."""
    kind = {"biking": style.cycle, "parking": style.bays}.get(strip.kind)
    if kind is None:
        return
    for k in range(0, len(lane.s) - 1, 4):
        end = min(k + 4, len(lane.s) - 1)
        wide = float(lane.width[k : end + 1].mean())
        if wide > 0.3:
            middle = 0.5 * (lane.left[[k, end]] + lane.right[[k, end]])
            yield Decal(middle, wide, kind)


def _patches(rng: np.random.Generator, lane: _Lane, age: float) -> Iterator[Decal]:
    """Where the road was opened and closed: trenches along and across, some with sealed rims."""
    for _ in range(rng.poisson(lane.length_m / 90.0 * (0.3 + 1.5 * age))):
        start = rng.uniform(0.0, lane.length_m)
        end = min(start + np.exp(rng.normal(1.3, 0.8)), lane.length_m)
        wide = min(rng.uniform(0.7, 2.4), 0.92 * lane.width_m)
        d = rng.uniform(-0.5, 0.5) * (lane.width_m - wide)
        if end - start > 0.6:
            kind = DecalKind.FRESH if rng.random() < 0.7 else DecalKind.PALE
            yield Decal(lane.along(start, end, d), wide, kind)
            if rng.random() < 0.5:
                for side in (-0.5, 0.5):
                    yield Decal(lane.along(start, end, d + side * wide), rng.uniform(0.03, 0.07), DecalKind.SEAL)


def _seams(rng: np.random.Generator, lane: _Lane, age: float) -> Iterator[Decal]:
    """The paver's joint along the lane's edge, and joints across."""
    if rng.random() < 0.4 + 0.4 * age:
        s = np.arange(0.0, lane.length_m, 3.0)
        if len(s) > 1:
            d = 0.5 * lane.width_m - rng.uniform(0.1, 0.3) + 0.02 * rng.standard_normal(len(s))
            kind, wide = (DecalKind.SEAL, 0.06) if rng.random() < 0.4 else (DecalKind.CRACK, 0.022)
            yield Decal(lane.at(s, d), wide, kind)
    for _ in range(rng.poisson(lane.length_m / 120.0)):
        s = rng.uniform(0.0, lane.length_m)
        ends = lane.at(np.array([s, s]), np.array([-0.5, 0.5]) * lane.width_m)
        yield Decal(ends, rng.uniform(0.02, 0.06), DecalKind.SEAL)


def _cracks(rng: np.random.Generator, lane: _Lane, age: float) -> Iterator[Decal]:
    """Wandering lines: across as the road shrank, along the wheel tracks as it bent; some are sealed."""
    for _ in range(rng.poisson(lane.length_m / 16.0 * age * age)):
        across = rng.random() < 0.55
        count = int(rng.integers(5, 9) if across else rng.integers(6, 22))
        walk = np.cumsum(rng.normal(0.0, 0.09, count))
        s0 = rng.uniform(0.0, lane.length_m)
        if across:
            d = np.linspace(-0.5, 0.5, count) * lane.width_m * rng.uniform(0.5, 1.0)
            s = s0 + walk
        else:
            s = s0 + 0.45 * np.arange(count)
            d = rng.choice((-0.9, 0.9)) + 0.6 * walk
        inside = (s > 0.0) & (s < lane.length_m)
        if inside.sum() > 2:
            kind, wide = (DecalKind.SEAL, 0.07) if rng.random() < 0.35 else (DecalKind.CRACK, rng.uniform(0.010, 0.025))
            yield Decal(lane.at(s[inside], d[inside]), wide, kind)


def _spots(rng: np.random.Generator, lane: _Lane, town: bool, junction: bool) -> Iterator[Decal]:
    """Manholes with their collars, and what engines drip, most where they wait."""
    for _ in range(rng.poisson(lane.length_m / 55.0) if town else 0):
        at = lane.at(rng.uniform(0.0, lane.length_m, 1), rng.uniform(-0.3, 0.3, 1) * lane.width_m)
        if rng.random() < 0.5:
            yield Decal(at, rng.uniform(0.95, 1.2), DecalKind.FRESH)
        yield Decal(at, 0.64, DecalKind.IRON)
    for _ in range(rng.poisson(lane.length_m / 45.0)):
        back = rng.exponential(10.0) if not junction and rng.random() < 0.6 else rng.uniform(0.0, lane.length_m)
        at = lane.at(np.array([max(lane.length_m - back, 0.0)]), rng.normal(0.0, 0.25, 1))
        wide = rng.uniform(0.25, 0.9)
        yield Decal(at, wide, DecalKind.STAIN, soft_m=0.6 * wide)


def _gullies(rng: np.random.Generator, strip: Strip, ground: GroundRaster) -> Iterator[Decal]:
    """Grates in the gutter, every few houses; on the side of a sidewalk where the road is."""
    lane = _Lane(strip)
    if lane.length_m < 12.0:
        return
    s = np.arange(rng.uniform(4.0, 20.0), lane.length_m - 2.0, rng.uniform(22.0, 36.0))
    edges = [lane.at(s, np.full(len(s), side * 0.5 * lane.width_m)) for side in (1.0, -1.0)]
    inward = edges[0] - edges[1]
    inward /= np.maximum(np.hypot(*inward.T), 1e-6)[:, None]
    for edge, way in ((edges[0], inward), (edges[1], -inward)):
        at = edge + 0.30 * way
        kerb = np.abs(ground.road_distance_m(at) - 0.30) < 0.35
        for place, out in zip(at[kerb], way[kerb]):
            turned = np.array([-out[1], out[0]])
            yield Decal(np.stack([place - 0.24 * turned, place + 0.24 * turned]), 0.42, DecalKind.IRON)
