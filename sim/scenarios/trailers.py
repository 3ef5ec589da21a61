"""Trailers: each follows the hitch of what pulls it, at the length of its drawbar, without slipping sideways.

After a tick the coupling point is at the hitch; the trailer's reference point keeps its direction from there and comes
to the drawbar's length. Where a train is put somewhere, it stands straight.
"""

import math

import numpy as np

from sim.roads.geometry import wrap_rad
from sim.scenarios.motions import Bodies
from sim.scenarios.road_tables import Bools


class Trailers:
    """The pairs of who pulls and who is pulled, from the front. ValueError where a coupling is not told."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies
        self.pairs: list[tuple[int, int, np.ndarray, np.ndarray]] = []  # tractor, trailer, hitch and drawbar (B,)
        for e, entity in enumerate(bodies.entities):
            trailer = entity.trailer
            if trailer is None:
                continue
            if entity.hitch_x is None or trailer.coupler_x is None:
                raise ValueError(
                    f"{entity.where}: trailer {trailer.name!r} of {entity.name!r} lacks a <TrailerHitch> or "
                    "<TrailerCoupler>; add what is missing"
                )
            hitch, bar = entity.hitch_x.numbers(bodies.draw), trailer.coupler_x.numbers(bodies.draw)
            self.pairs.append((e, bodies.names.index(trailer.name), hitch, bar))
        self.pulled = {trailer for _, trailer, _, _ in self.pairs}

    def align(self, tractor: int, runs: Bools) -> None:
        """Put the trailers behind a tractor straight, in some runs (B,)."""
        bodies, front = self.bodies, {tractor}
        heading = bodies.heading_rad[tractor]
        for pulling, trailer, hitch, bar in self.pairs:
            if pulling in front:
                front.add(trailer)
                reach = hitch - bar
                x = bodies.x_m[pulling] + reach * np.cos(heading)
                y = bodies.y_m[pulling] + reach * np.sin(heading)
                self._stand(trailer, runs, x, y, heading)
                bodies.jumped[trailer] |= runs

    def follow(self, live: Bools) -> None:
        """Let all trailers follow, in the runs (B,) that go on."""
        bodies = self.bodies
        for pulling, trailer, hitch, bar in self.pairs:
            x = bodies.x_m[pulling] + hitch * np.cos(bodies.heading_rad[pulling])
            y = bodies.y_m[pulling] + hitch * np.sin(bodies.heading_rad[pulling])
            dx, dy = bodies.x_m[trailer] - x, bodies.y_m[trailer] - y
            away = np.hypot(dx, dy)
            share = bar / np.where(away > 0.0, away, 1.0)
            self._stand(trailer, live, x + dx * share, y + dy * share, np.arctan2(dy, dx) + math.pi)
            bodies.speed_mps[trailer] = np.where(live, bodies.speed_mps[pulling], bodies.speed_mps[trailer])
            bodies.valid[trailer] = np.where(live, bodies.valid[pulling], bodies.valid[trailer])

    def _stand(self, trailer: int, runs: Bools, x: np.ndarray, y: np.ndarray, heading: np.ndarray) -> None:
        bodies = self.bodies
        for name, column in (("x_m", x), ("y_m", y), ("heading_rad", wrap_rad(heading))):
            getattr(bodies, name)[trailer] = np.where(runs, column, getattr(bodies, name)[trailer])
        bodies.loose[trailer] |= runs
        bodies.moved[trailer] |= runs
        if bodies.tables is not None and not bodies.tables.flat.all():
            rows = bodies.rows(trailer, runs)
            bodies.find(rows)
            bodies.lift(rows)
