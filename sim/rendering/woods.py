"""Plants: avenue trees, groves and single trees, edges of woods, hedges between fields, weeds on verges, skylines."""

import numpy as np

from sim.meshes.library import Model
from sim.meshes.street import Street
from sim.rendering.buildings import model_size_m
from sim.rendering.planting import Items, Run, Site, rectangle

# (model, height in m, width as a share of it)
_KINDS = (
    (Model.BROADLEAF, 8.5, 0.68), (Street.OAK, 9.5, 0.95), (Street.BIRCH, 9.5, 0.36), (Model.CONIFER, 11.0, 0.42),
    (Street.MAPLE, 7.5, 0.52), (Street.PINE, 11.0, 0.5), (Model.POPLAR, 12.0, 0.26), (Model.BUSH, 1.6, 1.5),
)  # fmt: skip
_GROVES = ((0, 0, 1, 4, 7), (1, 0, 7, 7, 4), (2, 2, 0, 7, 3), (3, 3, 5, 3, 2), (6, 6, 0, 7, 4), (5, 3, 5, 2, 7))
_RING = np.column_stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)])


def _wave(xy: np.ndarray, span_m: float) -> np.ndarray:
    """A slow wave over the map in [-1, 1]."""
    return np.sin(xy[..., 0] / span_m + 0.7) * np.cos(xy[..., 1] / (1.2 * span_m))


def _plant(items: Items, site: Site, xy: np.ndarray, rng: np.random.Generator, kind: int, reach: float = 1.0) -> None:
    """One plant, if nothing stands within `reach` of its half-width."""
    model, height, wide = _KINDS[kind]
    height *= rng.uniform(0.7, 1.3)
    wide *= height * rng.uniform(0.85, 1.2)
    ring = xy + 0.5 * wide * reach * _RING
    if site.free(np.concatenate([ring, xy[None]])):
        size = (wide, wide * rng.uniform(0.88, 1.12), height)
        items.add(xy, rng.uniform(-np.pi, np.pi), size, model, tint=int(rng.integers(65521)))
        site.take(xy + 0.5 * (ring - xy))


def plant_avenues(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Rows of equal trees behind the sidewalks of some streets and along some country roads."""
    for run in runs:
        if run.is_highway or run.is_junction or run.length_m < 25.0 or rng.random() > (0.7 if run.is_sidewalk else 0.3):
            continue
        kind = int(rng.choice([4, 4, 0, 2] if run.is_sidewalk else [0, 4, 6, 1]))
        model, height, wide = _KINDS[kind]
        height *= rng.uniform(0.8, 1.1)
        away, spacing = (1.9 if run.is_sidewalk else 4.5), rng.uniform(8.0, 14.0)
        points, out = run.at(np.arange(rng.uniform(3.0, 9.0), run.length_m - 3.0, spacing))
        for xy in (points + away * out)[site.each_free(points + away * out)]:
            across = wide * height * rng.uniform(0.9, 1.1)
            size = (across, across, height * rng.uniform(0.9, 1.1))
            items.add(xy, rng.uniform(-np.pi, np.pi), size, model, tint=int(rng.integers(65521)))
            site.take(xy + 0.35 * across * _RING)


def plant_edges_of_woods(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Woods beside country roads: near ones as walls of crowns with trees in front, far ones that close the view."""
    x, y, z = model_size_m(Street.WOOD_EDGE)
    for run in runs:
        if run.is_sidewalk or run.is_junction:
            continue
        for near in (True, False):
            points, out = run.at(np.arange(14.0, run.length_m - 8.0, 27.0))
            for xy, away in zip(points, out):
                wave = float(_wave(xy, 61.0 if near else 97.0))
                if (near and wave < 0.15) or (not near and rng.random() < 0.25):
                    continue
                back = (
                    (9.0 + 9.0 * rng.random() + (9.0 if run.is_highway else 0.0)) if near else rng.uniform(70.0, 150.0)
                )
                _wood(items, site, xy + back * away, np.array([-away[1], away[0]]), rng, (x, y, z))


def _wood(items: Items, site: Site, xy: np.ndarray, axis: np.ndarray, rng: np.random.Generator, size: tuple) -> None:
    turn = rng.normal(0.0, 0.08)
    axis = np.array([axis[0] * np.cos(turn) - axis[1] * np.sin(turn), axis[0] * np.sin(turn) + axis[1] * np.cos(turn)])
    if site.free(rectangle(xy, axis, 28.0, 6.0, True)[::3]):
        site.take(rectangle(xy, axis, 26.0, 5.0, False))
        yaw = float(np.arctan2(axis[1], axis[0])) + (np.pi if rng.random() < 0.5 else 0.0)
        high = size[2] * rng.uniform(0.8, 1.35)
        items.add(
            xy, yaw, (size[0] * rng.uniform(0.95, 1.15), size[1], high), Street.WOOD_EDGE, tint=int(rng.integers(65521))
        )


def plant_trees(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Groves beside the roads, gardens behind houses, and a sparse wood all around."""
    for run in runs:
        step = 5.0 if run.is_sidewalk else 6.5
        points, out = run.at(np.arange(rng.uniform(0.0, step), run.length_m, step))
        wave = _wave(points, 33.0)
        dense = np.full(len(points), 0.42) if run.is_sidewalk else 0.22 + 0.5 * np.maximum(0.0, wave)
        nearest = 1.5 if run.is_sidewalk else (8.0 if run.is_highway else 4.5)
        for xy, away, w, chance in zip(points, out, wave, dense):
            if rng.random() < chance:
                back = nearest + 1.5 + rng.exponential(7.0 if run.is_sidewalk else 14.0)
                sway = rng.normal(0.0, 2.0)
                grove = _GROVES[int(abs(w) * 5.99)]
                point = xy + away * back + sway * np.array([-away[1], away[0]])
                _plant(items, site, point, rng, grove[int(rng.integers(5))], 0.7)
    count = int(site.extent_m[0] * site.extent_m[1] / 800.0)
    points = site.origin + rng.random((count, 2)) * site.extent_m
    wave = _wave(points, 43.0)
    grows = (rng.random(count) < 0.3 + 0.7 * wave) & site.each_free(points)
    for xy, w in zip(points[grows], wave[grows]):
        _plant(items, site, xy, rng, _GROVES[int(abs(w) * 5.99)][int(rng.integers(5))])


def plant_field_hedges(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Lines of bushes and fences around meadows, some along the road and some away from it."""
    x, y, z = model_size_m(Street.FIELD_FENCE)
    for run in runs:
        if run.is_sidewalk or run.is_junction or run.is_highway or run.length_m < 40.0:
            continue
        s = rng.uniform(0.0, 60.0)
        while s < run.length_m - 30.0:
            long, away = rng.uniform(30.0, 90.0), rng.uniform(3.6, 6.0)
            points, out = run.at(np.arange(s, min(s + long, run.length_m), 4.0))
            middle = points + away * out
            for xy, direction in zip(middle[site.each_free(middle)], out[site.each_free(middle)]):
                items.add(xy, float(np.arctan2(direction[0], -direction[1])), (x, y, z), Street.FIELD_FENCE)
            s += long + rng.uniform(40.0, 160.0)


def plant_weeds(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Tall grass in tufts on the verges."""
    for run in runs:
        step = 9.0 if run.is_sidewalk else 4.0
        points, out = run.at(np.arange(rng.uniform(0.0, step), run.length_m, step))
        away = rng.uniform(0.5, 3.0, len(points))
        spots = points + out * away[:, None] + rng.normal(0.0, 0.8, points.shape)
        open_ground = site.ground.paved_m(spots) < -0.35
        for xy in spots[open_ground & (rng.random(len(spots)) < 0.5)]:
            size = rng.uniform(0.6, 1.1)
            items.add(
                xy,
                rng.uniform(-np.pi, np.pi),
                (size, size, rng.uniform(0.3, 0.75)),
                Street.TUFT,
                tint=int(rng.integers(65521)),
            )


def raise_skyline(items: Items, site: Site, rng: np.random.Generator, town: bool) -> None:
    """Distant woods, in towns roofs and towers, in a ring around the map, and hills beyond."""
    middle, half = site.origin + 0.5 * site.extent_m, 0.5 * site.extent_m
    for out, step, high, wooded in (
        (-12.0, 110.0, (0.7, 1.3), False),
        (70.0, 160.0, (1.0, 1.7), True),
        (480.0, 330.0, (2.4, 4.5), True),
    ):
        corners = middle + (half + out) * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
        model = Street.FAR_WOOD if wooded or not town else Street.FAR_TOWN
        x, y, z = model_size_m(model)
        for a, b in zip(corners, np.roll(corners, -1, axis=0)):
            gone, axis = float(np.hypot(*(b - a))), (b - a) / np.hypot(*(b - a))
            for s in np.arange(0.3 * step, gone, step):
                yaw = float(np.arctan2(axis[1], axis[0])) + rng.normal(0.0, 0.07)
                long = x if model == Street.FAR_TOWN else 1.5 * step
                size = (long * rng.uniform(0.9, 1.25), y, z * rng.uniform(*high))
                spot = a + axis * s + rng.uniform(-15.0, 15.0) * np.array([-axis[1], axis[0]])
                items.add(spot, yaw, size, model, tint=int(rng.integers(65521)), above_m=-0.5)
