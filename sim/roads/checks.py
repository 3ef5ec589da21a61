"""What is amiss in a road network that can be read all the same: gaps, missing links, lanes without width.

Each finding is one line that names the element by its id. A map without findings joins every driving lane to the next
within a hand's breadth.
"""

import math
from collections.abc import Iterator

import numpy as np

from sim.roads.geometry import Floats, wrap_rad
from sim.roads.lanelinks import LaneKey, join_lanes
from sim.roads.network import DRIVING_KINDS, Lane, Road, RoadNetwork

GAP_M = 0.1  # between lanes that are joined, and between pieces of a reference line
_KINK_RAD = math.radians(10.0)
_FAR_M = 1e5  # from here on the simulator's 32-bit positions are coarser than a centimetre


def check_network(network: RoadNetwork) -> list[str]:
    """Findings about a network, roads in file order, then joints between lanes, then junctions."""
    found = [finding for road in network.roads.values() for finding in _road_findings(network, road)]
    joined = join_lanes(network)
    found.extend(_joint_findings(network, joined))
    found.extend(_dead_ends(network, joined))
    found.extend(_junction_findings(network))
    return found


def _road_findings(network: RoadNetwork, road: Road) -> Iterator[str]:
    name = f"road {road.id!r}"
    if road.length_m <= 1e-6:
        yield f"{name} has no length ({road.length_m:g} m)"
    if np.abs(road.plan.at(np.array([0.0]))[0]).max() > _FAR_M:
        yield f"{name} is over {_FAR_M / 1000:g} km away from the origin, where the simulator is coarse; shift the map"
    yield from (f"{name} {finding}" for finding in _reference_line(road))
    for index, part in enumerate(road.sections):
        for side, sign in (("left", 1), ("right", -1)):
            if side in part.sides and part.end_m(sign) - part.s_m <= 1e-6 < road.length_m:
                yield f"{name}, section {index}: has no length on its {side}"
        for lane in part.lanes.values():
            yield from (
                f"{name}, section {index}, lane {lane.id}: {text}" for text in _lane_findings(road, index, lane)
            )
            yield from (f"{name}, section {index}, lane {lane.id}: {text}" for text in _dangling(road, index, lane))


def _reference_line(road: Road) -> Iterator[str]:
    """Where the pieces of a plan view do not meet."""
    starts = road.plan.starts_m[1:]
    if len(starts) == 0:
        return
    before, heading_before, _ = road.plan.at(starts - 1e-7)
    after, heading_after, _ = road.plan.at(starts)
    gap, turn = np.hypot(*(after - before).T), np.abs(wrap_rad(heading_after - heading_before))
    for s, off, kink in zip(starts, gap, turn):
        if off > GAP_M:
            yield f"has a gap of {off:.3g} m in its reference line at s={s:g}"
        elif kink > _KINK_RAD:
            yield f"has a kink of {math.degrees(kink):.3g} degrees in its reference line at s={s:g}"


def _lane_findings(road: Road, index: int, lane: Lane) -> Iterator[str]:
    part = road.sections[index]
    length = part.end_m(lane.id) - part.s_m
    if lane.id == 0 or length <= 1e-6:
        return
    inside = lane.width.start_m[lane.width.start_m < length]
    ds = np.unique(np.concatenate((np.linspace(0.0, length - min(1e-6, 0.5 * length), 9), inside[inside >= 0.0])))
    if lane.border is None:
        width = lane.width.at(ds)[0]
    else:
        inner, _, outer, _ = road.borders(index, lane.id, part.s_m + ds)
        width = (outer - inner) * (1.0 if lane.id > 0 else -1.0)
    if width.min() < -0.01:
        yield f"has a width of {width.min():.3g} m {ds[np.argmin(width)]:.4g} m after the section's start, read as 0"
    elif lane.kind in DRIVING_KINDS and width.max() <= 0.0:
        yield "is for driving but has no width"


def _dangling(road: Road, index: int, lane: Lane) -> Iterator[str]:
    """Links to lanes that the section before or after on the same road lacks."""
    for word, ids, step in (("successor", lane.successors, 1), ("predecessor", lane.predecessors, -1)):
        if 0 <= index + step < len(road.sections) and lane.id:
            for id in ids:
                if not any(id in part.lanes for part in road.sections[index + step :: step][:2]):
                    yield f"names lane {id} as its {word}, which the next section lacks"


# --- Joints ---


def _joint_findings(network: RoadNetwork, joined: dict[LaneKey, set[LaneKey]]) -> Iterator[str]:
    for key, followers in joined.items():
        leaving = _end(network, key, leaving=True)
        for other in sorted(followers):
            entering = _end(network, other, leaving=False)
            # Lanes open and close by widening on one side: one common edge, or the centre, is enough.
            apart = np.hypot(*(leaving[0] - entering[0]).T).min()
            step, turn = abs(leaving[1] - entering[1]), abs(float(wrap_rad(np.array(leaving[2] - entering[2]))))
            if apart > GAP_M:
                yield f"{_named(key)}: ends {apart:.3g} m away from {_named(other)}, which follows it"
            elif step > GAP_M:
                yield f"{_named(key)}: ends {step:.3g} m above or below {_named(other)}, which follows it"
            elif turn > _KINK_RAD:
                yield f"{_named(key)}: turns by {math.degrees(turn):.3g} degrees into {_named(other)}"


def _named(key: LaneKey) -> str:
    return f"road {key[0]!r}, section {key[1]}, lane {key[2]}"


def _end(network: RoadNetwork, key: LaneKey, leaving: bool) -> tuple[Floats, float, float]:
    """Left edge, centre and right edge (3, 2) of a lane where traffic leaves or enters it, height and heading there."""
    road, (_, index, lane) = network.roads[key[0]], key
    part = road.sections[index]
    at_end = road.forward(lane) == leaving
    s = np.array([max(part.s_m, part.end_m(lane) - 1e-6) if at_end else part.s_m])
    xyz, yaw, _, _ = road.lane_at(index, lane, s)
    inner, _, outer, _ = road.borders(index, lane, s)
    stations = road.stations(s)
    left, right = (inner, outer) if road.right_hand else (outer, inner)
    return np.concatenate((stations.xy(left), xyz[:, :2], stations.xy(right))), float(xyz[0, 2]), float(yaw[0])


def _dead_ends(network: RoadNetwork, joined: dict[LaneKey, set[LaneKey]]) -> Iterator[str]:
    """Driving lanes that nothing follows or precedes although the road goes on there."""
    followed = {lane for lanes in joined.values() for lane in lanes}
    for road in network.roads.values():
        for index, part in enumerate(road.sections):
            for lane in part.lanes.values():
                if lane.id == 0 or lane.kind not in DRIVING_KINDS:
                    continue
                key = (road.id, index, lane.id)
                for present, leaving, word in (
                    (key in joined, True, "follows"),
                    (key in followed, False, "leads into"),
                ):
                    if not present and _goes_on(road, index, lane.id, road.forward(lane.id) == leaving):
                        yield f"{_named(key)}: nothing {word} it although the road goes on there"


def _goes_on(road: Road, index: int, lane: int, at_end: bool) -> bool:
    """Whether a lane meets another section or a linked road, and is not tapered to nothing there."""
    part = road.sections[index]
    last = index == len(road.sections) - 1 if at_end else index == 0
    if last and (road.successor if at_end else road.predecessor) is None:
        return False
    s = np.array([max(part.s_m, part.end_m(lane) - 1e-6) if at_end else part.s_m])
    inner, _, outer, _ = road.borders(index, lane, s)
    return bool(abs(outer[0] - inner[0]) > 0.5)


def _junction_findings(network: RoadNetwork) -> Iterator[str]:
    connected: set[str] = set()
    for id, connections in network.junctions.items():
        for connection in connections:
            connected.add(connection.connecting)
            for word, road, lanes in (
                ("incoming", connection.incoming, [a for a, _ in connection.lane_links]),
                ("connecting", connection.connecting, [b for _, b in connection.lane_links]),
            ):
                has = {lane for part in network.roads[road].sections for lane in part.lanes}
                for lane in sorted(set(lanes) - has):
                    yield f"junction {id!r}: links lane {lane} of the {word} road {road!r}, which has no such lane"
    for road in network.roads.values():
        if road.junction is not None and road.id not in connected and road.driving_lanes:
            yield f"road {road.id!r}: belongs to junction {road.junction!r}, none of whose connections names it"
