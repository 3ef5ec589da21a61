"""Which lanes follow which: the links of lanes, roads and junctions of a network, resolved into directed pairs.

OpenDRIVE links are written from either side, sometimes from one only. Every link is read as "this end of this lane
meets that end of that lane"; the directions of travel then say which lane leads into which.
"""

from collections.abc import Iterator

from sim.roads.network import DRIVING_KINDS, Connection, Lane, Road, RoadLink, RoadNetwork

LaneKey = tuple[str, int, int]  # road, section index, lane id
_Meeting = tuple[LaneKey, str, LaneKey, str]  # lane, its end ("start" or "end" of s), the other lane, its end


def join_lanes(network: RoadNetwork) -> dict[LaneKey, set[LaneKey]]:
    """The lanes that follow each driving lane in the direction of travel.

    Links between lanes of opposite directions, or to lanes that do not exist or are not for driving, join nothing.
    """
    follows: dict[LaneKey, set[LaneKey]] = {}
    for a, a_end, b, b_end in _meetings(network):
        if not (_is_driving(network, a) and _is_driving(network, b)):
            continue
        a_leaves = network.roads[a[0]].forward(a[2]) == (a_end == "end")
        b_leaves = network.roads[b[0]].forward(b[2]) == (b_end == "end")
        if a_leaves and not b_leaves:
            follows.setdefault(a, set()).add(b)
        elif b_leaves and not a_leaves:
            follows.setdefault(b, set()).add(a)
    return follows


def _is_driving(network: RoadNetwork, key: LaneKey) -> bool:
    lane = network.roads[key[0]].sections[key[1]].lanes.get(key[2])
    return lane is not None and lane.kind in DRIVING_KINDS


def _meetings(network: RoadNetwork) -> Iterator[_Meeting]:
    for road in network.roads.values():
        for index, section in enumerate(road.sections):
            for lane in section.lanes.values():
                yield from _lane_meetings(network, road, index, lane)
    for junction, connections in network.junctions.items():
        for connection in connections:
            yield from _connection_meetings(network, junction, connection)


def _lane_meetings(network: RoadNetwork, road: Road, index: int, lane: Lane) -> Iterator[_Meeting]:
    """Where the links of one lane lead: the next and previous section, or the road's neighbours."""
    if lane.id == 0:
        return
    key: LaneKey = (road.id, index, lane.id)
    after, before = _next_section(road, index, lane.id, 1), _next_section(road, index, lane.id, -1)
    if after is not None:
        for id in lane.successors:
            yield key, "end", (road.id, after, id), "start"
    else:
        yield from _road_meetings(network, key, "end", road.successor, lane.successors)
    if before is not None:
        for id in lane.predecessors:
            yield key, "start", (road.id, before, id), "end"
    else:
        yield from _road_meetings(network, key, "start", road.predecessor, lane.predecessors)


def _road_meetings(
    network: RoadNetwork, key: LaneKey, end: str, link: RoadLink | None, ids: tuple[int, ...]
) -> Iterator[_Meeting]:
    if link is not None and link.element == "road" and link.contact:  # not amid a road, as in a virtual junction
        other = network.roads[link.id]
        for id in ids:
            yield key, end, (other.id, _end_section(other, id, link.contact), id), link.contact


def _connection_meetings(network: RoadNetwork, junction: str, connection: Connection) -> Iterator[_Meeting]:
    incoming, connecting = network.roads[connection.incoming], network.roads[connection.connecting]
    for end in _junction_ends(incoming, junction, connecting, connection.contact):
        for a, b in connection.lane_links:
            from_key: LaneKey = (incoming.id, _end_section(incoming, a, end), a)
            to_key: LaneKey = (connecting.id, _end_section(connecting, b, connection.contact), b)
            yield from_key, end, to_key, connection.contact


def _junction_ends(incoming: Road, junction: str, connecting: Road, contact: str) -> list[str]:
    """Which ends of the incoming road meet the connecting road: at most one, if the connecting road says which."""
    links = {"start": incoming.predecessor, "end": incoming.successor}
    ends = [
        end for end, link in links.items() if link is not None and (link.element, link.id) == ("junction", junction)
    ]
    back = connecting.predecessor if contact == "start" else connecting.successor
    if len(ends) == 2 and back is not None and (back.element, back.id) == ("road", incoming.id):
        return [back.contact]
    return ends


def _end_section(road: Road, lane: int, contact: str) -> int:
    """The section at an end of the road that holds the lane's side."""
    indices = range(len(road.sections)) if contact == "start" else range(len(road.sections) - 1, -1, -1)
    return next((i for i in indices if any(id * lane > 0 for id in road.sections[i].lanes)), 0)


def _next_section(road: Road, index: int, lane: int, step: int) -> int | None:
    """The next section before or after that holds the lane's side, None at the road's end."""
    indices = range(index + step, len(road.sections) if step > 0 else -1, step)
    single = (i for i in indices if any(id * lane > 0 for id in road.sections[i].lanes))
    return next(single, None)
