"""Lane sections, lanes and road marks, as OpenDRIVE files write them."""

import math

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from sim.mapfiles.opendrive_xml import Reader
from sim.roads.network import DASH_M, GAP_M, MARK_WIDTH_M, Lane, LaneSection, MarkLine, RoadMark

_MPS_FROM = {"": 1.0, "m/s": 1.0, "km/h": 1.0 / 3.6, "mph": 0.44704}
_COLORS = {"standard": "white"}
_LINE_KINDS = {"solid": 0.0, "broken": GAP_M, "botts": GAP_M}
_MAX_LANES = 255  # of a side


def read_sections(read: Reader, lanes: etree._Element, length_m: float) -> tuple[LaneSection, ...]:
    """The lane sections of a road, by their start."""
    elements = sorted(lanes.findall("laneSection"), key=lambda e: read.number(e, "s"))
    starts = [read.number(e, "s") for e in elements]
    if starts != [read.number(e, "s") for e in lanes.findall("laneSection")]:
        read.warn(lanes, "lists its sections out of order; they are sorted by s")
    sides = [_sides(e) for e in elements]
    # A section ends where the next one that speaks about the same side starts.
    ends, after = [], {"left": length_m, "right": length_m}
    for start, spoken in zip(reversed(starts), reversed(sides)):
        ends.append(dict(after))
        after.update(dict.fromkeys(spoken, min(start, length_m)))
    sections = []
    for element, start, end, spoken in zip(elements, starts, reversed(ends), sides):
        if not -1e-6 <= start <= length_m + 1e-3:
            raise read.error(element, f"starts at s={start:g}, outside its road of {length_m:g} m")
        sections.append(LaneSection(start, end["left"], end["right"], _lanes(read, element), spoken))
    return tuple(sections)


def speed_mps(read: Reader, element: etree._Element) -> float | None:
    """The limit in m/s; None where it says that there is none or that it is unknown."""
    if read.text(element, "max") in ("no limit", "undefined", ""):
        return None
    unit = read.choice(element, "unit", tuple(_MPS_FROM)) if element.get("unit") is not None else ""
    value = read.number(element, "max") * _MPS_FROM[unit]
    if value < 0.0:
        read.warn(element, f"has max={element.get('max')!r}, which is negative; the limit counts as unknown")
    return value if value > 0.0 else None


def _sides(section: etree._Element) -> tuple[str, ...]:
    if section.get("singleSide") in ("true", "1"):
        return tuple(side for side in ("left", "right") if section.find(side) is not None)
    return ("left", "right")


def _lanes(read: Reader, section: etree._Element) -> dict[int, Lane]:
    lanes: dict[int, Lane] = {}
    for element in section.iterfind("*/lane"):
        lane = _lane(read, element)
        if lane.id in lanes:
            raise read.error(element, f"repeats the lane id {lane.id}")
        lanes[lane.id] = lane
    for sign in (1, -1):
        count = sum(id * sign > 0 for id in lanes)
        if count > _MAX_LANES:
            raise read.error(section, f"has {count} lanes on one side", f"{_MAX_LANES} are the most")
        missing = next((sign * n for n in range(1, count + 1) if sign * n not in lanes), None)
        if missing is not None:
            raise read.error(section, f"lacks lane {missing}", "lane ids of a side must count up from the middle")
    return dict(sorted(lanes.items(), reverse=True))


def _lane(read: Reader, element: etree._Element) -> Lane:
    id = read.integer(element, "id")
    borders, widths = element.findall("border"), element.findall("width")
    link = element.find("link")
    ids = {
        key: tuple(read.integer(e, "id") for e in (link.findall(key) if link is not None else ()))
        for key in ("predecessor", "successor")
    }
    speeds = ((read.number(e, "sOffset", 0.0), speed_mps(read, e)) for e in element.findall("speed"))
    heights = (
        (read.number(e, "sOffset", 0.0), read.number(e, "inner", 0.0), read.number(e, "outer", 0.0))
        for e in element.findall("height")
    )
    if id and element.get("direction", "standard") not in ("standard", ""):
        read.warn(element, f"{id} has direction={element.get('direction')[:20]!r}, which is not followed")
    return Lane(
        id=id,
        kind=read.text(element, "type", "none"),
        width=read.cubics(widths, "sOffset"),
        border=read.cubics(borders, "sOffset") if borders and not widths else None,
        predecessors=ids["predecessor"],
        successors=ids["successor"],
        marks=_marks(read, element, id),
        speeds=tuple((s, limit) for s, limit in sorted(speeds, key=lambda row: row[0]) if limit is not None),
        heights=tuple(sorted(heights)),
    )


def _marks(read: Reader, lane: etree._Element, id: int) -> tuple[RoadMark, ...]:
    marks: dict[float, RoadMark] = {}
    for element in lane.findall("roadMark"):
        s = max(0.0, read.number(element, "sOffset", 0.0))
        if s not in marks:
            color = read.text(element, "color", "standard")
            kind = element.get("type", "none").strip()
            marks[s] = RoadMark(s, kind, _COLORS.get(color, color), _mark_lines(read, element, id))
    return tuple(sorted(marks.values(), key=lambda mark: mark.s_offset_m))


def _mark_lines(read: Reader, mark: etree._Element, lane: int) -> tuple[MarkLine, ...]:
    """The lines of a mark: those that the file draws one by one, else its pattern, else what its type means."""
    kinds = [kind for kind in mark.get("type", "none").split() if kind in _LINE_KINDS]
    bold = 2.0 if mark.get("weight") == "bold" else 1.0
    default = read.number(mark, "width", 0.0)
    default = default if default > 0.0 else MARK_WIDTH_M * bold
    explicit = [_explicit_line(read, e, default) for e in mark.findall("explicit/line")]
    lines = [_pattern_line(read, e, default) for e in mark.findall("type/line")]
    if explicit or (lines and kinds):
        return tuple(explicit or lines)
    # Read from the inside of the lane to its outside; on lane 0 from left to right.
    outward = 1.0 if lane > 0 else -1.0
    offsets = [0.0] if len(kinds) == 1 else [-outward * default, outward * default]
    return tuple(MarkLine(t, default, DASH_M, _LINE_KINDS[kind]) for t, kind in zip(offsets, kinds))


def _pattern_line(read: Reader, element: etree._Element, default_m: float) -> MarkLine:
    """A line that repeats itself; what paints nothing or leaves no gap is drawn through."""
    dash, gap = read.number(element, "length", 0.0), max(0.0, read.number(element, "space", 0.0))
    return MarkLine(
        t_m=read.number(element, "tOffset", 0.0),
        width_m=_line_width(read, element, default_m),
        dash_m=dash if dash > 0.0 else DASH_M,
        gap_m=gap,
        start_m=max(0.0, read.number(element, "sOffset", 0.0)) if gap > 0.0 else 0.0,
    )


def _explicit_line(read: Reader, element: etree._Element, default_m: float) -> MarkLine:
    """One stroke of a given length, at its place in the mark."""
    start = max(0.0, read.number(element, "sOffset", 0.0))
    end = start + max(0.0, read.number(element, "length", math.inf))
    width = _line_width(read, element, default_m)
    return MarkLine(read.number(element, "tOffset", 0.0), width, DASH_M, 0.0, start_m=start, end_m=end)


def _line_width(read: Reader, element: etree._Element, default_m: float) -> float:
    width = read.number(element, "width", default_m)
    return width if width > 0.0 else default_m
