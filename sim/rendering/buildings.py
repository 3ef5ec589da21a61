"""Houses along the streets: closed rows in towns, flats, offices and shops, villas in gardens, farms and halls."""

import functools

import numpy as np

from sim.meshes.library import build_mesh
from sim.meshes.street import FLAT_SIZES, OFFICE_SIZES, TOWN_HOUSES, Street
from sim.rendering.planting import Items, Run, Site, rectangle

_FENCES = (Street.HEDGE, Street.PICKET_FENCE, Street.GARDEN_WALL, Street.BAR_FENCE)
_OLD, _NEW, _HOMES = (0, 2, 4, 7, 1), (3, 6, 5), (0, 1, 4, 6, 7)  # fronts that suit: numbers of painting.facades.STYLES
_FRONTS = 8


@functools.cache
def model_size_m(model: int) -> tuple[float, float, float]:
    """Length, width and height of a model as it was built."""
    points = build_mesh(model, 0).corners_m.reshape(-1, 3)
    extent = points.max(axis=0) - points.min(axis=0)
    return float(extent[0]), float(extent[1]), float(extent[2])


def _tint(rng: np.random.Generator, fronts: tuple[int, ...]) -> int:
    """A random number whose remainder picks one of the fronts."""
    return int(rng.integers(8000)) * _FRONTS + int(rng.choice(fronts))


def _stand(
    items: Items, site: Site, run: Run, s_m: float, setback_m: float, model: int, pitch_m: float, tint: int,
    size: tuple[float, float, float] | None = None,
) -> bool:  # fmt: skip
    """Put a building with its front to the run, its middle at s; False where there is no room."""
    size = size or model_size_m(model)
    xy, out = run.at(s_m)
    axis = np.array([-out[1], out[0]])
    center = xy + out * (setback_m + 0.5 * size[1])
    # Cells beside what is paved count as taken; the front may come closer.
    inner = rectangle(center + 0.7 * out, axis, pitch_m - 1.2, size[1] - 1.6, True)
    if not site.free(inner) or site.ground.paved_m(rectangle(center, axis, size[0], size[1], True)).max() > -0.1:
        return False
    site.take(rectangle(center, axis, pitch_m - 1.4, size[1] - 1.0, False))
    items.add(center, float(np.arctan2(axis[1], axis[0])), size, model, tint=tint)
    return True


def _row(items: Items, site: Site, run: Run, rng: np.random.Generator, start: float, end: float, grand: float) -> float:
    """A closed row of town houses from `start`; returns where it ends."""
    setback, s = rng.uniform(0.3, 0.9), start
    count, shops = int(rng.integers(3, 9)), rng.random() < 0.35 + 0.5 * grand
    height = rng.choice([2, 3, 3, 4]) if grand < 0.5 else rng.choice([3, 4, 4, 5])
    for _ in range(count):
        kinds = [k for k, kind in enumerate(TOWN_HOUSES) if abs(kind[0] - height) <= 1 and (shops or not kind[2])]
        kind = int(rng.choice(kinds))
        pitch = TOWN_HOUSES[kind][1]
        if s + pitch > end:
            return end
        _stand(items, site, run, s + 0.5 * pitch, setback, Street.TOWN_HOUSE + kind, pitch, _tint(rng, _OLD))
        s += pitch
    return s + (rng.uniform(3.0, 9.0) if rng.random() < 0.4 else 0.0)


def _block(items: Items, site: Site, run: Run, rng: np.random.Generator, s: float, end: float, grand: float) -> float:
    """Flats or offices behind a strip of green or a forecourt."""
    if rng.random() < 0.15 + 0.35 * grand:
        kind = int(rng.integers(len(OFFICE_SIZES)))
        model, pitch, fronts = Street.OFFICES + kind, OFFICE_SIZES[kind][1], _NEW
    else:
        most = 3 if grand < 0.5 else len(FLAT_SIZES)
        kind = int(rng.integers(most))
        model, pitch, fronts = Street.FLATS + kind, FLAT_SIZES[kind][1], _NEW
    if s + pitch > end:
        return end
    _stand(items, site, run, s + 0.5 * pitch, rng.uniform(2.0, 6.0), model, pitch, _tint(rng, fronts))
    return s + pitch + rng.uniform(2.0, 12.0)


def _garden(items: Items, site: Site, run: Run, rng: np.random.Generator, s: float, end: float) -> float:
    """A villa behind a hedge, wall or fence with a gate."""
    plot = rng.uniform(15.0, 21.0)
    if s + plot > end:
        return end
    hipped = rng.random() < 0.4
    model, scale = (Street.VILLA_HIPPED if hipped else Street.VILLA), rng.uniform(0.9, 1.1)
    x, y, z = model_size_m(model)
    size = (x * scale, y * scale, z * rng.uniform(0.92, 1.06))
    if not _stand(
        items, site, run, s + 0.5 * plot, rng.uniform(4.5, 9.0), model, size[0] + 1.0, _tint(rng, _HOMES), size
    ):
        return s + 6.0
    fence = int(rng.choice(_FENCES))
    x, y, z = model_size_m(fence)
    gate = s + plot * rng.uniform(0.25, 0.75)
    tint = int(rng.integers(60000))
    for k in range(int(plot // 4.0)):
        at = s + 2.0 + 4.0 * k
        if abs(at - gate) > 3.0:
            _along(items, site, run, at, 0.75, fence, tint)
    return s + plot


def _along(items: Items, site: Site, run: Run, s_m: float, away_m: float, model: int, tint: int) -> None:
    """A piece of fence parallel to the run, its front to the street."""
    xy, out = run.at(s_m)
    middle = xy + away_m * out
    if site.ground.paved_m(middle + np.outer((-1.9, 0.0, 1.9), (-out[1], out[0]))).max() < -0.3:
        items.add(middle, float(np.arctan2(out[0], -out[1])), model_size_m(model), model, tint=tint)


def line_streets(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Buildings along every sidewalk, in a manner that changes from street to street."""
    streets = [run for run in runs if run.is_sidewalk and not run.is_junction]
    for run in sorted(streets, key=lambda run: -run.length_m):
        middle = run.at(0.5 * run.length_m)[0]
        grand = 0.5 + 0.5 * float(np.sin(middle[0] / 160.0 + 1.0) * np.cos(middle[1] / 140.0))
        manner = float(np.clip(grand + rng.normal(0.0, 0.28), 0.0, 1.0))
        s = rng.uniform(0.0, 2.0)
        while s < run.length_m - 7.0:
            if manner > 0.42:
                s = _row(items, site, run, rng, s, run.length_m, grand)
            elif manner > 0.24:
                s = _block(items, site, run, rng, s, run.length_m, grand)
            else:
                s = _garden(items, site, run, rng, s, run.length_m)
    for run in streets:
        for s in np.arange(rng.uniform(5.0, 25.0), run.length_m, 26.0):
            if rng.random() < 0.45:
                kind = int(rng.integers(len(FLAT_SIZES)))
                size = FLAT_SIZES[kind]
                _stand(
                    items,
                    site,
                    run,
                    float(s),
                    rng.uniform(17.0, 34.0),
                    Street.FLATS + kind,
                    size[1] + 3.0,
                    _tint(rng, _NEW),
                )


def place_landmarks(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Now and then a petrol station, a hall or a church."""
    kinds = (Street.PETROL_STATION, Street.HALL, Street.CHURCH, Street.HALL)
    candidates = [run for run in runs if run.length_m > 45.0 and not run.is_highway and not run.is_junction]
    for k, run in enumerate(candidates[i] for i in rng.permutation(len(candidates))[:8]):
        model = kinds[k % len(kinds)]
        wide = model_size_m(model)[0]
        for s in np.linspace(0.6 * wide, run.length_m - 0.6 * wide, 4):
            back = 2.0 if model == Street.PETROL_STATION else rng.uniform(6.0, 14.0)
            if _stand(items, site, run, float(s), back, model, wide + 2.0, _tint(rng, _NEW)):
                break


def scatter_farms(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Single houses and farms along country roads, with a barn beside some."""
    for run in runs:
        if run.is_sidewalk or run.is_junction or run.length_m < 30.0:
            continue
        for s in np.arange(rng.uniform(20.0, 90.0), run.length_m - 15.0, 120.0):
            if rng.random() > (0.25 if run.is_highway else 0.5):
                continue
            back = rng.uniform(45.0, 110.0) if run.is_highway else rng.uniform(9.0, 60.0)
            model = int(rng.choice([Street.VILLA, Street.VILLA_HIPPED, Street.BARN]))
            placed = _stand(items, site, run, float(s), back, model, model_size_m(model)[0] + 1.0, _tint(rng, _HOMES))
            if placed and rng.random() < 0.6:
                _stand(items, site, run, float(s) + 22.0, back + 4.0, Street.BARN, 19.0, _tint(rng, _HOMES))
