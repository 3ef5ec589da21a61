"""CommonRoad files as XML: hardened parsing, and values of elements with the file and line at hand for errors."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from sim.untrusted_xml import XMLSyntaxError, declared_dtd, read_root

Element = Any  # of lxml, which has no types
MAX_BYTES = 256 * 2**20
_MAX_NUMBER = 1e9


def parse(path: Path) -> Element:
    """The root element, <commonRoad>, of a file. ValueError where it is not well-formed or declares a DTD."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path} has {size} bytes; files of up to {MAX_BYTES} bytes are read")
    try:
        root = read_root(path.read_bytes())
    except XMLSyntaxError as error:
        reason = " ".join(str(error.msg).split())
        raise ValueError(f"{path.name}:{error.lineno}: not well-formed XML: {reason}; is the file complete?") from None
    if declared_dtd(root) is not None:
        raise ValueError(f"{path.name}:1: declares a DTD, which recordings do not need; remove it and its entities")
    if root.tag != "commonRoad":
        raise ValueError(
            f"{path.name}:{root.sourceline}: <{root.tag[:40]}> is not <commonRoad>; name a CommonRoad file"
        )
    return root


class Reader:
    """Typed access to the elements of one file. Errors are ValueError with file and line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def error(self, element: Element, problem: str, remedy: str = "correct the file") -> ValueError:
        return ValueError(f"{self.path.name}:{element.sourceline}: <{element.tag}> {problem}; {remedy}")

    def child(self, element: Element, tag: str) -> Element:
        found = element.find(tag)
        if found is None:
            raise self.error(element, f"lacks <{tag}>")
        return found

    # ---------------------------------------------------------------- attributes and texts

    def attribute(self, element: Element, key: str) -> float:
        text = element.get(key)
        if text is None:
            raise self.error(element, f"lacks the attribute {key}")
        return self._finite(element, text, key)

    def id(self, element: Element, key: str = "id") -> int:
        text = element.get(key, "").strip()
        if not (0 < len(text) <= 18 and text.removeprefix("-").isdecimal()):
            raise self.error(element, f"has {key}={text[:40]!r}, which is not a whole number")
        return int(text)

    def word(self, element: Element, key: str, allowed: tuple[str, ...]) -> str:
        text = element.get(key, "").strip()
        if text not in allowed:
            raise self.error(element, f"has {key}={text[:40]!r}", f"use one of {', '.join(allowed)}")
        return text

    def text(self, element: Element, tag: str) -> str:
        found = self.child(element, tag)
        text = (found.text or "").strip()
        if not text:
            raise self.error(found, "is empty")
        return text

    def number(self, element: Element) -> float:
        """The number that an element holds."""
        return self._finite(element, (element.text or "").strip(), "")

    def _finite(self, element: Element, text: str, key: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= _MAX_NUMBER or "_" in text:
            told = f"has {key}={text[:40]!r}" if key else f"holds {text[:40]!r}"
            raise self.error(element, f"{told}, which is not a finite number up to {_MAX_NUMBER:g}")
        return value

    # ---------------------------------------------------------------- quantities

    def quantity(self, element: Element, tag: str) -> float:
        """The value of a child: as it is, <exact>, or the middle of an interval."""
        low, high = self.span(element, tag)
        return 0.5 * (low + high)

    def span(self, element: Element, tag: str) -> tuple[float, float]:
        """The least and the greatest value of a child."""
        found = self.child(element, tag)
        if found.find("intervalStart") is not None:
            return tuple(self.number(self.child(found, key)) for key in ("intervalStart", "intervalEnd"))  # type: ignore[return-value]
        exact = found.find("exact")
        value = self.number(found if exact is None else exact)
        return value, value

    def point(self, element: Element) -> tuple[float, float]:
        return self.number(self.child(element, "x")), self.number(self.child(element, "y"))

    def position(self, state: Element) -> tuple[float, float]:
        """Where a state is: a point, or the middle of the shape that it is in."""
        place = self.child(state, "position")
        for tag in ("point", "rectangle", "circle", "polygon"):
            found = place.find(tag)
            if found is None:
                continue
            if tag == "polygon":
                corners = np.array([self.point(e) for e in found.findall("point")]).reshape(-1, 2)
                if not len(corners):
                    raise self.error(found, "has no points")
                low, high = corners.min(axis=0), corners.max(axis=0)
                return float(0.5 * (low[0] + high[0])), float(0.5 * (low[1] + high[1]))
            return self.point(found if tag == "point" else self.child(found, "center"))
        raise self.error(place, "is given by neither <point>, <rectangle>, <circle> nor <polygon>")
