"""Furniture along the edges of roads: lamps, rails, wires, bins, shelters, gantries, signs without effect."""

import math

import numpy as np

from sim.meshes.library import Model
from sim.meshes.street import Street
from sim.painting.signs import face_index
from sim.rendering.buildings import model_size_m
from sim.rendering.planting import Items, Run, Site
from sim.rendering.signs import add_sign

_LAMP_M, _RAIL_M, _POST_M, _POLE_M, _GANTRY_M = 28.0, 4.0, 33.0, 36.0, 480.0
# (model, size, from the middle of its box back to its post)
_LAMPS = (
    (Model.LAMP_POST, (1.99, 0.28, 7.9), 0.9), (Model.LAMP_POST, (1.7, 0.26, 6.4), 0.77),
    (Street.PARK_LAMP, (0.52, 0.45, 4.25), 0.0),
)  # fmt: skip
_KERBSIDE_M = 0.6  # about so far behind the kerb stand posts: mirrors of lorries pass them
_STANDING = ("parking", "no_parking", "no_stopping")
_SMALL = (Street.BIN, Street.BENCH, Street.MAIL_BOX, Street.CABINET, Street.PARKED_BICYCLE, Street.BIN, Street.BOLLARD)


def _yaws(out: np.ndarray) -> tuple[float, float]:
    """Headings towards the road and along it (with the road on the left of the latter)."""
    return math.atan2(-out[1], -out[0]), math.atan2(out[0], -out[1])


def _steps(run: Run, spacing: float, start: float) -> np.ndarray:
    return np.arange(start, run.length_m - 0.5, spacing)


def furnish_streets(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Lamp posts, signs and bollards along the kerb, small things behind sidewalks, now and then a bus stop."""
    kind = int(rng.choice(len(_LAMPS), p=(0.55, 0.3, 0.15)))
    for run in runs:
        if not run.is_sidewalk or run.is_junction:
            continue
        model, size, back = _LAMPS[kind]
        for s in _steps(run, _LAMP_M if kind < 2 else 20.0, rng.uniform(6.0, 12.0)):
            xy, out = run.at(s)
            # The lantern hangs over the road; without a kerb near by, over the sidewalk.
            post = _kerbside(site, xy, out)
            items.add((xy if post is None else post) - out * back, _yaws(out)[0], size, model)
        _line_kerb(items, site, run, rng)
        for s in _steps(run, 17.0, rng.uniform(3.0, 15.0)):
            xy, out = run.at(s + rng.uniform(-4.0, 4.0))
            if rng.random() < 0.55:
                _stand_back(items, site, xy, out, int(rng.choice(_SMALL)), rng)
        if run.length_m > 55.0 and rng.random() < 0.3:
            _bus_stop(items, site, run, run.length_m * rng.uniform(0.4, 0.6))
        if run.length_m > 25.0 and rng.random() < 0.6:
            xy, out = run.at(2.0)
            add_sign(items, xy + 0.2 * out, _yaws(out)[0], "street_name", (0.9, 0.22), 2.4)


def _kerbside(site: Site, xy: np.ndarray, out: np.ndarray) -> np.ndarray | None:
    """The point a little behind the kerb, inwards from the far edge of a sidewalk; None where no road is near."""
    line = xy - np.arange(0.4, 7.0, 0.1)[:, None] * out
    near = site.road_m(line) > -_KERBSIDE_M
    return line[int(np.argmax(near))] if near.any() else None


def _line_kerb(items: Items, site: Site, run: Run, rng: np.random.Generator) -> None:
    """Signs about standing and parking each 30 m or so, and here and there a row of bollards."""
    for s in _steps(run, rng.uniform(24.0, 36.0), rng.uniform(4.0, 20.0)):
        xy, out = run.at(s)
        post = _kerbside(site, xy, out)
        if post is not None and rng.random() < 0.7:
            add_sign(items, post, _yaws(out)[1] + math.pi, str(rng.choice(_STANDING)), (0.6, 0.6), 2.1)
    if run.length_m < 30.0 or rng.random() > 0.35:
        return
    start = rng.uniform(2.0, run.length_m - 20.0)
    for s in np.arange(start, start + rng.uniform(8.0, 18.0), rng.uniform(1.5, 2.2)):
        xy, out = run.at(s)
        post = _kerbside(site, xy, out)
        if post is not None:
            items.add(post, _yaws(out)[0], model_size_m(Street.BOLLARD), Street.BOLLARD)


def _stand_back(
    items: Items, site: Site, xy: np.ndarray, out: np.ndarray, model: int, rng: np.random.Generator
) -> None:
    """A small thing just behind the sidewalk, one or a few of it, looking at the street."""
    size = model_size_m(model)
    yaw = _yaws(out)[0] if model != Street.PARKED_BICYCLE else _yaws(out)[0] + rng.normal(0.0, 0.1)
    count = int(rng.integers(2, 5)) if model in (Street.PARKED_BICYCLE, Street.BIN) else 1
    along = np.array([-out[1], out[0]])
    for k in range(count):
        spot = xy + out * (0.5 * max(size[:2]) + 0.12) + along * (0.75 * k)
        if site.ground.paved_m(spot[None])[0] < -0.1:
            items.add(spot, yaw, size, model, tint=int(rng.integers(65521)))


def _bus_stop(items: Items, site: Site, run: Run, s_m: float) -> None:
    xy, out = run.at(s_m)
    size = model_size_m(Street.BUS_SHELTER)
    center = xy + out * (0.5 * size[0] + 0.15)
    yaw = _yaws(out)[0]
    items.add(center, yaw, size, Street.BUS_SHELTER)
    along = np.array([-out[1], out[0]])
    site.take(center + np.array([(2.2, 0.8), (-2.2, 0.8), (-2.2, -0.8), (2.2, -0.8)]) @ np.array([along, out]))
    add_sign(items, xy + 0.2 * out + 3.0 * along, _yaws(out)[1] + math.pi, "bus_stop", (0.55, 0.55), 2.3)


def furnish_highways(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Guard rails, noise barriers behind them for a while, gantries and boards."""
    since = 0.5 * _GANTRY_M
    for run in runs:
        if not run.is_highway or run.is_junction:
            continue
        points, outs = run.at(_steps(run, _RAIL_M, 2.0))
        for xy, out in zip(points, outs):
            items.add(xy + out * 0.9, _yaws(out)[1] + math.pi, (4.05, 0.2, 0.75), Model.GUARD_RAIL)
        _noise_barriers(items, site, points, outs, rng)
        since += run.length_m
        if since > _GANTRY_M and run.length_m > 60.0:
            since = 0.0
            _boards(items, site, run, run.length_m * rng.uniform(0.3, 0.7))


def _noise_barriers(items: Items, site: Site, points: np.ndarray, outs: np.ndarray, rng: np.random.Generator) -> None:
    """Where a slow wave says so, panels 4 m behind the rail, on open ground only."""
    spots = points + 4.2 * outs
    wanted = (np.sin(points[:, 0] / 130.0 + 2.0) * np.cos(points[:, 1] / 110.0) > 0.45) & site.each_free(spots)
    tint = int(rng.integers(65521))
    for xy, out in zip(spots[wanted], outs[wanted]):
        items.add(xy, _yaws(out)[1], (4.12, 0.24, 3.5), Street.NOISE_BARRIER, tint=tint)
        site.take(xy + 2.0 * np.array([(1, 0), (0, 1), (-1, 0), (0, -1)]))


def _boards(items: Items, site: Site, run: Run, s_m: float) -> None:
    """A direction board beside the road, or on a gantry over the lanes where the other leg finds room."""
    xy, out = run.at(s_m)
    foot, inward = xy + 1.6 * out, -out
    reach = next(
        (w for w in np.arange(10.0, 26.0, 0.5) if site.ground.paved_m((foot + w * inward)[None])[0] < -0.6), None
    )
    along = np.array([-out[1], out[0]])
    facing = math.atan2(along[1], along[0])
    if reach is None:
        for yaw in (facing, facing + math.pi):
            add_sign(items, xy + 3.0 * out, yaw, "board_exit", (3.0, 2.2), 1.6)
            break
        return
    middle = foot + 0.5 * reach * inward
    items.add(middle, facing, (0.4, float(reach) + 0.4, 7.4), Street.GANTRY)
    look = np.array([math.cos(facing), math.sin(facing)])
    for aside, face, size in ((0.22, "board_blue", (4.6, 3.0)), (-0.22, "board_exit", (3.6, 2.6))):
        for side in (1.0, -1.0):
            at = middle + aside * reach * inward * side + 0.24 * side * look
            plate = (0.06, size[0], size[1])
            items.add(
                at, facing + (0.0 if side > 0 else math.pi), plate, Street.FACE_SQUARE, face_index(face), above_m=5.6
            )


def furnish_country(items: Items, site: Site, runs: list[Run], rng: np.random.Generator) -> None:
    """Delineators, poles with wires on one side, chevrons outside of tight bends, boards before junctions."""
    for run in runs:
        if run.is_sidewalk or run.is_highway or run.is_junction:
            continue
        points, outs = run.at(_steps(run, _POST_M, 5.0))
        for xy, out in zip(points, outs):
            items.add(xy + out * 0.6, _yaws(out)[0], (0.12, 0.12, 1.0), Model.DELINEATOR)
        _bends(items, run)
        if run.length_m > 90.0 and rng.random() < 0.2:
            _works(items, site, run, float(rng.uniform(45.0, run.length_m - 30.0)))
        if run.length_m > 120.0:
            if rng.random() < 0.55:
                _wires(items, site, run, rng)
            xy, out = run.at(run.length_m - 40.0)
            add_sign(
                items,
                xy + 2.2 * out,
                _yaws(out)[1] + math.pi,
                str(rng.choice(["board_yellow", "board_white"])),
                (1.9, 1.1),
                1.3,
            )
            if rng.random() < 0.4:
                xy, out = run.at(run.length_m * rng.uniform(0.3, 0.6))
                yaw = math.atan2(*(0.5 * (-out[::-1]) + np.array([out[0], -out[1]]))[::-1])
                _billboard(items, site, xy + 7.0 * out, yaw, rng)


def _works(items: Items, site: Site, run: Run, s_m: float) -> None:
    """Road works on the verge: a warning before them, barriers at both ends and cones between."""
    xy, out = run.at(s_m - 40.0)
    add_sign(items, xy + 1.2 * out, _yaws(out)[1] + math.pi, "works", (0.9, 0.8), 1.7)
    for k in range(6):
        xy, out = run.at(s_m + 2.5 * k)
        end = k in (0, 5)
        spot = xy + (1.6 if end else 0.55) * out
        if site.ground.paved_m(spot[None])[0] < -0.2:
            model = Street.BARRIER if end else Street.CONE
            items.add(spot, _yaws(out)[1], model_size_m(model), model)
    xy, out = run.at(s_m + 6.0)
    items.add(xy + 2.6 * out, _yaws(out)[1], (2.2, 1.3, 0.9), Street.PLAIN_BOX)


def _billboard(items: Items, site: Site, xy: np.ndarray, yaw: float, rng: np.random.Generator) -> None:
    if site.free(xy + 2.0 * np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])):
        items.add(xy, yaw, model_size_m(Street.BILLBOARD), Street.BILLBOARD, tint=int(rng.integers(65521)))


def _bends(items: Items, run: Run) -> None:
    """On the outside of bends: guard rails below 180 m radius, chevrons below 110 m."""
    s = _steps(run, 14.0, 10.0)
    if len(s) < 3:
        return
    points, outs = run.at(s)
    heading = np.unwrap(np.arctan2(outs[:, 1], outs[:, 0]))
    turn = np.gradient(heading) / 14.0
    for k, (xy, out, rate) in enumerate(zip(points, outs, turn)):
        if abs(rate) > 1.0 / 180.0 and _fans_out(points, outs, k):
            rails, aways = run.at(s[k] + np.array([-4.67, 0.0, 4.67]))
            for rail, away in zip(rails, aways):
                items.add(rail + 1.1 * away, _yaws(away)[1] + math.pi, (4.75, 0.2, 0.75), Model.GUARD_RAIL)
        if abs(rate) > 1.0 / 110.0 and _fans_out(points, outs, k):
            face = "chevron_right" if rate > 0 else "chevron_left"
            add_sign(items, xy + 1.9 * out, math.atan2(-out[1], -out[0]), face, (0.75, 0.75), 0.9)


def _fans_out(points: np.ndarray, outs: np.ndarray, k: int) -> bool:
    """Whether point k lies on the outside of a bend: outward directions diverge there."""
    a, b = max(k - 1, 0), min(k + 1, len(points) - 1)
    inner = np.hypot(*(points[b] - points[a]))
    outer = np.hypot(*(points[b] + 5.0 * outs[b] - points[a] - 5.0 * outs[a]))
    return bool(outer > inner)


def _wires(items: Items, site: Site, run: Run, rng: np.random.Generator) -> None:
    """Poles each 36 m with sagging wires between neighbours."""
    back = rng.uniform(5.0, 8.0)
    points, outs = run.at(_steps(run, _POLE_M, 8.0))
    spots = points + back * outs
    free = site.each_free(spots)
    size = model_size_m(Street.UTILITY_POLE)
    for k in range(len(spots)):
        if not free[k]:
            continue
        gap = spots[k] - spots[k - 1] if k and free[k - 1] else outs[k][::-1] * (-1.0, 1.0)
        yaw = math.atan2(gap[1], gap[0])
        items.add(spots[k], yaw, size, Street.UTILITY_POLE)
        site.take(spots[k] + 0.6 * np.array([(1, 0), (0, 1), (-1, 0), (0, -1)]))
        if k and free[k - 1]:
            long = float(np.hypot(*gap))
            items.add(0.5 * (spots[k] + spots[k - 1]), yaw, (long, 2.03, 0.72), Street.WIRES, above_m=7.8)
