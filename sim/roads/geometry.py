"""Plan-view geometry of roads, evaluated exactly by arc length: line, arc, spiral, poly3, paramPoly3, piecewise cubics.

Everything is vectorised float64 NumPy. A primitive answers in its own frame: it starts at the origin heading along u
(the polynomials may start elsewhere, as their coefficients say), v is left. `PlanView` chains primitives into a road's
reference line in the world frame. Definitions follow ASAM OpenDRIVE 1.8, chapter "Geometry".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_NODES, _WEIGHTS = 0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS  # on [0, 1]


class Primitive(Protocol):
    """A piece of a reference line."""

    def at(self, s_m: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Points at arc lengths (n,): u_m, v_m, heading_rad, curvature_1pm, each (n,)."""
        ...


@dataclass(frozen=True)
class Line:
    """A straight line."""

    def at(self, s_m: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        zero = np.zeros_like(s_m)
        return s_m, zero, zero, zero


@dataclass(frozen=True)
class Arc:
    """A circle of constant curvature, left positive."""

    curvature_1pm: float

    def at(self, s_m: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        curvature = np.full_like(s_m, self.curvature_1pm)
        return *_along_arc(s_m, curvature), curvature


def _along_arc(s_m: Floats, curvature_1pm: Floats) -> tuple[Floats, Floats, Floats]:
    """Points u, v and headings (n,) at arc lengths (n,) of circles (n,)."""
    heading = curvature_1pm * s_m
    # s sinc(kappa s / 2) is the chord: no cancellation, and a straight line at zero curvature.
    chord = s_m * np.sinc(heading / (2.0 * math.pi))
    return chord * np.cos(0.5 * heading), chord * np.sin(0.5 * heading), heading


@dataclass(frozen=True)
class Spiral:
    """A clothoid: curvature changes linearly from start to end over `length_m`."""

    curvature_start_1pm: float
    curvature_end_1pm: float
    length_m: float

    def at(self, s_m: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        k, c = self.curvature_start_1pm, self._rate
        heading = k * s_m + 0.5 * c * s_m * s_m
        fraction, weight = self._rule
        at = s_m[:, None] * fraction
        phase = at * (k + 0.5 * c * at)
        # Sums by row, not a matrix product, whose rounding would depend on how many points are asked for together.
        u, v = (np.sum(f(phase) * weight, axis=1) for f in (np.cos, np.sin))
        return s_m * u, s_m * v, heading, k + c * s_m

    @property
    def _rate(self) -> float:
        return (self.curvature_end_1pm - self.curvature_start_1pm) / self.length_m

    @cached_property
    def _rule(self) -> tuple[Floats, Floats]:
        """Composite Gauss-Legendre on [0, 1]: 16 nodes per 2 rad that the spiral turns leave about 1e-15 of s."""
        turned = (abs(self.curvature_start_1pm) + 0.5 * abs(self._rate) * self.length_m) * self.length_m
        panels = 1 + int(turned / 2.0)
        return ((np.arange(panels)[:, None] + _NODES) / panels).ravel(), np.tile(_WEIGHTS, panels) / panels


@dataclass(frozen=True)
class ParamPoly3:
    """A parametric cubic (u(p), v(p)) for p in [0, p_end], walked by arc length.

    p is the polynomial's own parameter. Real files are not exactly parametrised by arc length even where they say
    pRange="arcLength", so the arc length is inverted: p solves  integral_0^p |(u', v')| dp = s.  `u` and `v` hold the
    coefficients a, b, c, d. Poly3, v(u), is the case u(p) = p.
    """

    u: tuple[float, float, float, float]
    v: tuple[float, float, float, float]
    p_end: float
    length_m: float

    @cached_property
    def _table(self) -> tuple[Floats, Floats]:
        """Knots of p (m,) and the arc length at each (m,)."""
        panels = int(min(max(8, math.ceil(self.length_m)), 4096))
        p = np.linspace(0.0, self.p_end, panels + 1)
        s = np.concatenate(([0.0], np.cumsum(self._arc_length(p[:-1], p[1:]))))
        return p, s

    def full_length_m(self) -> float:
        """The arc length from p = 0 to p_end."""
        return float(self._table[1][-1])

    def _rate(self, p: Floats) -> Floats:
        (_, bu, cu, du), (_, bv, cv, dv) = self.u, self.v
        return np.hypot(bu + p * (2.0 * cu + p * 3.0 * du), bv + p * (2.0 * cv + p * 3.0 * dv))

    def _arc_length(self, p0: Floats, p1: Floats) -> Floats:
        """Arc lengths (n,) between parameters (n,) and (n,)."""
        span = p1 - p0
        return span * np.sum(self._rate(p0[:, None] + span[:, None] * _NODES) * _WEIGHTS, axis=1)

    def _parameter(self, s_m: Floats) -> Floats:
        """The parameters (n,) at arc lengths (n,), by Newton's method from a table."""
        knots, lengths = self._table
        index = np.clip(np.searchsorted(lengths, s_m, side="right") - 1, 0, len(knots) - 2)
        p0, s0 = knots[index], lengths[index]
        p = p0 + (s_m - s0) * (knots[index + 1] - p0) / np.maximum(lengths[index + 1] - s0, 1e-12)
        for _ in range(4):
            p = p - (s0 + self._arc_length(p0, p) - s_m) / np.maximum(self._rate(p), 1e-9)
        return p

    def at(self, s_m: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        p = self._parameter(s_m)
        (au, bu, cu, du), (av, bv, cv, dv) = self.u, self.v
        u, v = au + p * (bu + p * (cu + p * du)), av + p * (bv + p * (cv + p * dv))
        u1, v1 = bu + p * (2.0 * cu + p * 3.0 * du), bv + p * (2.0 * cv + p * 3.0 * dv)
        u2, v2 = 2.0 * cu + p * 6.0 * du, 2.0 * cv + p * 6.0 * dv
        curvature = (u1 * v2 - v1 * u2) / np.maximum(u1 * u1 + v1 * v1, 1e-18) ** 1.5
        return u, v, np.arctan2(v1, u1), curvature


def poly3(a: float, b: float, c: float, d: float, length_m: float) -> ParamPoly3:
    """The cubic v(u) = a + b u + c u^2 + d u^3 as a parametric one; its arc length is at least u, so p_end = length."""
    return ParamPoly3((0.0, 1.0, 0.0, 0.0), (a, b, c, d), length_m, length_m)


@dataclass(frozen=True)
class Piece:
    """One primitive placed in the world at arc length `s_m` of its road."""

    s_m: float
    x_world_m: float
    y_world_m: float
    heading_world_rad: float
    length_m: float
    shape: Primitive


class _Pieces(NamedTuple):
    """The pieces of a plan view as arrays (k,)."""

    start_m: Floats
    xy_world_m: Floats  # (k, 2)
    heading_rad: Floats
    cos: Floats
    sin: Floats
    curvature_1pm: Floats  # of lines and arcs
    general: NDArray[np.bool_]  # neither line nor arc


def _bend(shape: Primitive) -> float | None:
    """The curvature of a line or an arc, None of other shapes."""
    return 0.0 if isinstance(shape, Line) else shape.curvature_1pm if isinstance(shape, Arc) else None


@dataclass(frozen=True)
class PlanView:
    """A road's reference line: pieces sorted by their start."""

    pieces: tuple[Piece, ...]

    @cached_property
    def _table(self) -> _Pieces:
        pieces = self.pieces
        heading = np.array([piece.heading_world_rad for piece in pieces])
        bends = [_bend(piece.shape) for piece in pieces]
        return _Pieces(
            start_m=np.array([piece.s_m for piece in pieces]),
            xy_world_m=np.array([(piece.x_world_m, piece.y_world_m) for piece in pieces]),
            heading_rad=heading,
            cos=np.cos(heading),
            sin=np.sin(heading),
            curvature_1pm=np.array([0.0 if bend is None else bend for bend in bends]),
            general=np.array([bend is None for bend in bends]),
        )

    @property
    def starts_m(self) -> Floats:
        """Where the pieces start (k,), ascending."""
        return self._table.start_m

    def at(self, s_m: Floats) -> tuple[Floats, Floats, Floats]:
        """World points (n, 2), headings (n,) and curvatures (n,) at arc lengths (n,).

        A joint belongs to the piece that starts there. Beyond the ends the first and last pieces continue.
        """
        s_m, table = np.asarray(s_m, dtype=np.float64), self._table
        index = np.maximum(np.searchsorted(table.start_m, s_m, side="right") - 1, 0)
        ds, curvature = s_m - table.start_m[index], table.curvature_1pm[index]
        u, v, turn = _along_arc(ds, curvature)  # lines and arcs all at once
        if table.general.any():
            for i, rows in groups(index, table.general[index]):
                u[rows], v[rows], turn[rows], curvature[rows] = self.pieces[i].shape.at(ds[rows])
        cos, sin = table.cos[index], table.sin[index]
        xy = table.xy_world_m[index] + np.column_stack((cos * u - sin * v, sin * u + cos * v))
        return xy, table.heading_rad[index] + turn, curvature


def groups(index: NDArray[np.int64], kept: NDArray[np.bool_] | None = None) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Values of `index` (n,) and the rows that hold each, of the rows that are kept."""
    rows = np.arange(len(index)) if kept is None else np.flatnonzero(kept)
    rows = rows[np.argsort(index[rows], kind="stable")]
    values, first = np.unique(index[rows], return_index=True)
    for value, members in zip(values, np.split(rows, first[1:])):
        yield int(value), members


@dataclass(frozen=True)
class Cubics:
    """Piecewise cubics a + b ds + c ds^2 + d ds^3, ds from each record's start; zero where there are no records.

    `start_m` (m,) ascending; `abcd` (m, 4). Before the first record the first one holds, as readers do. A record holds
    from a tenth of a micrometre before its start: files round the starts of things that begin together differently.
    """

    start_m: Floats
    abcd: Floats

    def __post_init__(self) -> None:
        if len(self.start_m) == 0:  # one zero record keeps every look-up free of special cases
            object.__setattr__(self, "start_m", np.zeros(1))
            object.__setattr__(self, "abcd", np.zeros((1, 4)))

    def at(self, s_m: Floats) -> tuple[Floats, Floats]:
        """Values (n,) and slopes (n,) at (n,)."""
        if len(self.start_m) == 1:
            (a, b, c, d), ds = self.abcd[0], s_m - self.start_m[0]
        else:
            index = np.maximum(np.searchsorted(self.start_m, s_m + 1e-7, side="right") - 1, 0)
            (a, b, c, d), ds = self.abcd[index].T, s_m - self.start_m[index]
        return a + ds * (b + ds * (c + ds * d)), b + ds * (2.0 * c + ds * 3.0 * d)


def constant(value: float) -> Cubics:
    """A cubic that is `value` everywhere."""
    return Cubics(np.zeros(1), np.array([[value, 0.0, 0.0, 0.0]]))


def blend(start: float, end: float, length_m: float) -> Cubics:
    """A cubic from `start` to `end` over `length_m` that leaves and arrives with zero slope."""
    rise = end - start
    return Cubics(np.zeros(1), np.array([[start, 0.0, 3.0 * rise / length_m**2, -2.0 * rise / length_m**3]]))


def wrap_rad(angle_rad: Floats) -> Floats:
    """Wrap angles of any shape into [-pi, pi)."""
    return np.remainder(angle_rad + math.pi, 2.0 * math.pi) - math.pi
