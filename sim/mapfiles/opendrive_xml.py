"""OpenDRIVE as untrusted XML: parsed without entities, read with typed attributes, errors and warnings by line.

An error is a ValueError (an OSError for the file itself) of one line that names file, line, element, value and remedy.
A warning says what was amiss in the same way, and reading goes on.
"""

import math
from collections import Counter
from pathlib import Path

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from sim.roads.geometry import Cubics
from sim.untrusted_xml import XMLSyntaxError, declared_dtd, read_root

MAX_ROAD_M = 1e6
_MAX_NUMBER = 1e12
_MAX_WARNINGS = 10_000


class Reader:
    """Typed attribute access that knows the file for its errors and collects warnings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warnings: list[str] = []

    def error(self, element: etree._Element, problem: str, remedy: str = "correct the file") -> ValueError:
        return ValueError(f"{self.path}, line {element.sourceline}: <{element.tag}> {problem}; {remedy}")

    def warn(self, element: etree._Element, problem: str) -> None:
        if len(self.warnings) < _MAX_WARNINGS:
            self.warnings.append(f"line {element.sourceline}: <{element.tag}> {problem}")

    def text(self, element: etree._Element, key: str, default: str | None = None) -> str:
        value = element.get(key, default)
        if value is None:
            raise self.error(element, f"lacks the attribute {key}")
        return value.strip()

    def number(self, element: etree._Element, key: str, default: float | None = None) -> float:
        text = element.get(key)
        if text is None:
            if default is None:
                raise self.error(element, f"lacks the attribute {key}")
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= _MAX_NUMBER or "_" in text:
            raise self.error(element, f"has {key}={text[:40]!r}, which is not a finite number up to {_MAX_NUMBER:g}")
        return value

    def four(self, element: etree._Element, keys: list[str]) -> tuple[float, float, float, float]:
        a, b, c, d = (self.number(element, key) for key in keys)
        return a, b, c, d

    def integer(self, element: etree._Element, key: str) -> int:
        text = self.text(element, key)
        if len(text) > 12 or not text.lstrip("+-").isdecimal():
            raise self.error(element, f"has {key}={text[:40]!r}, which is not an integer")
        return int(text)

    def length(self, element: etree._Element, key: str = "length") -> float:
        value = self.number(element, key)
        if not 0.0 <= value <= MAX_ROAD_M:
            raise self.error(element, f"has {key}={value:g}, which is not between 0 and {MAX_ROAD_M:g} m")
        return value

    def choice(self, element: etree._Element, key: str, allowed: tuple[str, ...]) -> str:
        value = self.text(element, key)
        if value not in allowed:
            raise self.error(element, f"has {key}={value[:40]!r}", f"use one of {', '.join(filter(None, allowed))}")
        return value

    def cubics(self, elements: list[etree._Element], start: str = "s", keys: str = "abcd") -> Cubics:
        rows = [[self.number(e, start, 0.0)] + [self.number(e, k, 0.0) for k in keys] for e in elements]
        rows.sort(key=lambda row: row[0])  # stable: of equal starts the last one counts, as in the file
        table = np.array(rows, dtype=np.float64).reshape(-1, 5)
        return Cubics(table[:, 0].copy(), table[:, 1:].copy())


def parse(path: Path) -> etree._Element:
    """The root element, <OpenDRIVE>, of a file, its tags without namespaces."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name an OpenDRIVE file (.xodr)")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; name an OpenDRIVE file (.xodr)")
    data = path.read_bytes()
    try:
        root = read_root(data)
    except (XMLSyntaxError, ValueError) as error:
        reason = " ".join(str(getattr(error, "msg", None) or error).split())
        raise ValueError(f"{path} is not well-formed XML: {reason}; is the file complete?") from None
    dtd = declared_dtd(root)
    if dtd is not None:
        doctype = " ".join(dtd.split())[:80]
        raise ValueError(f"{path} declares a DTD ({doctype}), which maps do not need; remove it and its entities")
    if root.tag != "OpenDRIVE":
        raise ValueError(f"{path} is not an OpenDRIVE map: its root element is <{root.tag[:40]}>, not <OpenDRIVE>")
    return root


# Elements that are read, or that only hold such.
_READ = frozenset(
    {
        *("OpenDRIVE", "header", "road", "link", "predecessor", "successor", "type", "speed", "planView", "geometry"),
        *("line", "spiral", "arc", "poly3", "paramPoly3", "elevationProfile", "elevation", "lateralProfile"),
        *("superelevation", "shape", "crossfall", "lanes", "laneOffset", "laneSection", "left", "center", "right"),
        *("lane", "width", "border", "height", "roadMark", "explicit", "objects", "object", "outlines", "outline"),
        *("cornerRoad", "cornerLocal", "repeat", "parkingSpace", "validity", "bridge", "tunnel", "signals", "signal"),
        *("signalReference", "positionRoad", "positionInertial", "semantics", "priority", "controller", "control"),
        *("junction", "connection", "laneLink", "markings", "marking", "cornerReference"),
    }
)
_EMPTY = frozenset({"surface", "lateralProfile", "objects", "signals"})  # often written without saying anything


def ignored_features(root: etree._Element) -> dict[str, int]:
    """Names and counts of the elements that are not read, as parent/element; those inside them are not counted."""
    found: Counter[str] = Counter()
    for element in root.iter(etree.Element):
        tag, parent = element.tag, element.getparent()
        if parent is None or tag in _READ or parent.tag not in _READ or (tag in _EMPTY and not len(element)):
            continue
        found[f"{parent.tag}/{tag}"] += 1
    return dict(sorted(found.items()))
