"""Shapes of CommonRoad obstacles as boxes about the point that their states tell."""

import math
from typing import NamedTuple

import numpy as np

from sim.mapfiles.commonroad_xml import Element, Reader

MAX_SIZE_M = 1000.0


class Shape(NamedTuple):
    """A box: its measures, and where its middle lies and how it is turned in the axes of its state."""

    length_m: float
    width_m: float
    x_m: float = 0.0
    y_m: float = 0.0
    turn_rad: float = 0.0


def read_shape(read: Reader, element: Element) -> Shape:
    """The box of a <shape>; circles and polygons become the boxes around them. ValueError for several shapes."""
    if len(element) != 1:
        raise read.error(element, f"holds {len(element)} shapes", "give exactly one")
    part = element[0]
    readers = {"rectangle": _rectangle, "circle": _circle, "polygon": _polygon}
    if part.tag not in readers:
        raise read.error(part, "is no shape", f"use one of {', '.join(readers)}")
    shape = readers[part.tag](read, part)
    if not (0.0 < shape.length_m <= MAX_SIZE_M and 0.0 < shape.width_m <= MAX_SIZE_M):
        size = f"{shape.length_m:g} x {shape.width_m:g} m"
        raise read.error(part, f"measures {size}", f"sizes are positive and up to {MAX_SIZE_M:g} m")
    return shape


def _rectangle(read: Reader, element: Element) -> Shape:
    turn = read.quantity(element, "orientation") if element.find("orientation") is not None else 0.0
    length, width = read.quantity(element, "length"), read.quantity(element, "width")
    x, y = read.point(element.find("center")) if element.find("center") is not None else (0.0, 0.0)
    # The middle in the box's own axes, which the body then takes over.
    cos, sin = math.cos(turn), math.sin(turn)
    return Shape(length, width, x * cos + y * sin, y * cos - x * sin, turn)


def _circle(read: Reader, element: Element) -> Shape:
    size = 2.0 * read.quantity(element, "radius")
    x, y = read.point(element.find("center")) if element.find("center") is not None else (0.0, 0.0)
    return Shape(size, size, x, y)


def _polygon(read: Reader, element: Element) -> Shape:
    corners = np.array([read.point(e) for e in element.findall("point")]).reshape(-1, 2)
    if len(corners) < 3:
        raise read.error(element, f"has {len(corners)} points", "a polygon needs at least three")
    low, high = corners.min(axis=0), corners.max(axis=0)
    (length, width), (x, y) = high - low, 0.5 * (low + high)
    return Shape(float(length), float(width), float(x), float(y))
