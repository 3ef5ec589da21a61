"""What a map uses and what is amiss in it, as `roadloop map` prints it."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from sim.roads.checks import check_network
from sim.roads.geometry import Arc, Cubics, Line, ParamPoly3, Spiral
from sim.roads.network import DRIVING_KINDS, LaneStrip, Road, RoadNetwork

_MAX_FINDINGS = 20
_PRIMITIVES = {Line: "line", Arc: "arc", Spiral: "spiral", ParamPoly3: "polynomial"}


def report(network: RoadNetwork) -> Iterator[str]:
    """The report's lines: what the map uses, what of it is not read, and what is amiss."""
    yield f"{network.name}: {_version(network)}, {_hands(network)}"
    for title, text in _rows(network, network.strips(2.0)):
        yield f"  {title:<12} {text}"
    findings = [*network.source.warnings, *check_network(network)]
    yield f"  {'warnings':<12} {len(findings) or 'none'}"
    yield from (f"    {finding}" for finding in findings[:_MAX_FINDINGS])
    if len(findings) > _MAX_FINDINGS:
        yield f"    ... and {len(findings) - _MAX_FINDINGS} more"


def _version(network: RoadNetwork) -> str:
    return f"OpenDRIVE {network.source.version}" if network.source.version else "no version"


def _hands(network: RoadNetwork) -> str:
    hands = sorted({"right" if road.right_hand else "left" for road in network.roads.values()})
    return f"{' and '.join(hands)}-hand traffic"


def _rows(network: RoadNetwork, strips: list[LaneStrip]) -> Iterator[tuple[str, str]]:
    roads = list(network.roads.values())
    inside = [road for road in roads if road.junction is not None]
    length = sum(road.length_m for road in roads)
    yield "roads", f"{len(roads)} ({len(inside)} in junctions), {length / 1000:.3f} km"
    yield "sections", str(sum(len(road.sections) for road in roads))
    yield "lanes", _lanes(strips)
    yield "extent", _extent(strips)
    pieces = [piece for road in roads for piece in road.plan.pieces]
    yield "geometry", _counts(_PRIMITIVES.get(type(piece.shape), "other") for piece in pieces)
    yield "junctions", _junctions(network)
    yield "elevation", _elevation(roads)
    yield "banking", _banking(roads)
    yield "limits", _limits(roads)
    yield "signals", _signals(network)
    yield "controllers", str(len(network.controllers) or "none")
    yield "objects", _counts(thing.kind for thing in network.objects)
    yield "markings", _counts(mark.kind for road in roads for part in road.sections for lane in part.lanes.values()
                              for mark in lane.marks if mark.kind != "none")  # fmt: skip
    ignored = network.source.ignored
    yield "not read", ", ".join(f"{count} {name}" for name, count in ignored.items()) or "nothing"


def _counts(kinds: Iterable[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in Counter(kinds).most_common()) or "none"


def _lanes(strips: list[LaneStrip]) -> str:
    """Length by kind, the longest first, driving lanes before all."""
    length: dict[str, float] = {}
    for strip in strips:
        length[strip.kind] = length.get(strip.kind, 0.0) + float(
            np.hypot(*np.diff(strip.center_xyz_world_m[:, :2], axis=0).T).sum()
        )
    order = sorted(length, key=lambda kind: (kind not in DRIVING_KINDS, -length[kind]))
    return ", ".join(f"{length[kind] / 1000:.3f} km {kind}" for kind in order) or "none"


def _extent(strips: list[LaneStrip]) -> str:
    points = np.concatenate([strip.center_xyz_world_m[:, :2] for strip in strips]) if strips else np.zeros((1, 2))
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    return f"x {west:.1f} to {east:.1f} m, y {south:.1f} to {north:.1f} m"


def _junctions(network: RoadNetwork) -> str:
    kinds = (network.junction_info[id].kind if id in network.junction_info else "default" for id in network.junctions)
    return _counts(kinds)


def _profile(cubics: Cubics, road: Road) -> tuple[np.ndarray, np.ndarray]:
    starts = cubics.start_m[(cubics.start_m > 0.0) & (cubics.start_m < road.length_m)]
    return cubics.at(np.concatenate((np.linspace(0.0, road.length_m, 33), starts)))


def _elevation(roads: list[Road]) -> str:
    height, slope = (np.concatenate(column) for column in zip(*(_profile(r.elevation, r) for r in roads), strict=True))
    if not height.any() and not slope.any():
        return "level"
    return f"{height.min():.2f} to {height.max():.2f} m, slope up to {100 * np.abs(slope).max():.1f} %"


def _banking(roads: list[Road]) -> str:
    bank = np.degrees(np.concatenate([_profile(road.superelevation, road)[0] for road in roads]))
    reliefs = Counter(type(relief).__name__ for road in roads for relief in road.reliefs)
    told = [f"superelevation {bank.min():.2f} to {bank.max():.2f} degrees"] if bank.any() else []
    return ", ".join([*told, *(f"{count} {name}" for name, count in reliefs.items())]) or "none"


def _limits(roads: list[Road]) -> str:
    told = [limit for road in roads for _, limit in road.speeds]
    told += [limit for r in roads for part in r.sections for lane in part.lanes.values() for _, limit in lane.speeds]
    known = sorted({round(3.6 * limit) for limit in told if limit is not None})
    return ", ".join(map(str, known)) + " km/h" if known else "none"


def _signals(network: RoadNetwork) -> str:
    own = _counts(signal.kind for signal in network.signals if not signal.reference)
    references = sum(signal.reference for signal in network.signals)
    return f"{own}; {references} references" if references else own
