"""Ways along roads from one place to another: what distances along roads and routes are measured on."""

import heapq
from dataclasses import dataclass

from sim.scenarios.road_tables import END, START, RoadTables, Way

_MOST_ROADS = 400  # looked at before giving up


@dataclass(frozen=True)
class Path:
    """From beyond one end of a road to another road: the roads in order, each with the end where it is entered."""

    roads: tuple[tuple[int, int], ...]  # the last is the target
    between_m: float  # length of the roads on the way
    lane: int | None  # what the lane has become on the target; None: one has to change lanes


class PathFinder:
    """Shortest ways, remembered."""

    def __init__(self, tables: RoadTables) -> None:
        self.tables = tables
        self._found: dict[tuple[int, int, int, int], Path | None] = {}

    def find(self, road: int, lane: int, end: int, target: int) -> Path | None:
        """The shortest way out of a road's end to another road, along the lane as long as it leads on."""
        key = (road, lane, end, target)
        if key not in self._found:
            self._found[key] = self._search(*key)
        return self._found[key]

    def _search(self, road: int, lane: int, end: int, target: int) -> Path | None:
        tables = self.tables
        heap: list[tuple[float, int, int, int, tuple[tuple[int, int], ...]]] = [(0.0, road, lane, end, ())]
        seen: set[tuple[int, int]] = set()
        while heap and len(seen) < _MOST_ROADS:
            far, road, lane, end, roads = heapq.heappop(heap)
            if (road, end) in seen:
                continue
            seen.add((road, end))
            ways = tables.ways(road, lane, end)
            for way in ways:
                if way.road == target:
                    return Path((*roads, (way.road, way.end)), far, way.lane)
            for other in neighbours(tables, road, end):
                if other.road == target:
                    return Path((*roads, (other.road, other.end)), far, None)
            for way in ways:
                out = START if way.end == END else END
                last = _through(tables, way)
                heapq.heappush(
                    heap,
                    (far + float(tables.length_m[way.road]), way.road, last, out, (*roads, (way.road, way.end))),
                )
        return None


def neighbours(tables: RoadTables, road: int, end: int) -> tuple[Way, ...]:
    """The roads beyond a road's end, whatever their lanes."""
    here = tables.roads[road]
    link = here.successor if end == END else here.predecessor
    if link is None:
        return ()
    if link.element == "road":
        return (Way(tables.linked(road, link.id), 0, END if link.contact == "end" else START),)
    return tuple(
        Way(tables.linked(road, c.connecting), 0, END if c.contact == "end" else START)
        for c in tables.connections(road, link.id)
        if c.incoming == here.id
    )


def _through(tables: RoadTables, way: Way) -> int:
    """The lane at the far end of a road that is entered on a way."""
    road = tables.roads[way.road]
    first, last = (0, len(road.sections) - 1) if way.end == START else (len(road.sections) - 1, 0)
    return tables.follow(way.road, way.lane, first, last)
