"""Blocks of a city: streets with parking spaces, cycle lanes and sidewalks, signalled and signed junctions, zebras."""

import math

import numpy as np

from sim.roadgen.build import Arm, Profile, add_junction, outward, parking_spans_m, turn_between_rad
from sim.roadgen.signals import Control, Furniture, add_crosswalk, control_junction
from sim.roadgen.streets import lay_streets, street_plan
from sim.roads.network import Road, RoadNetwork

_SPACE_M = 5.7  # along the kerb


def urban(rng: np.random.Generator, seed: int) -> RoadNetwork:
    """The network; no street leads out of it."""
    street, avenue = _profiles(rng)
    network, furniture = RoadNetwork("", {}), Furniture()
    joined = lay_streets(rng, network, street_plan(rng, (105.0, 135.0)), street, avenue)
    ends = {(arm.road, arm.contact): arm for arms in joined.values() for arm in arms}
    for arms in joined.values():
        major = _major(network, arms)
        junction = add_junction(network, arms)
        control_junction(network, furniture, junction, arms, major, _control(rng, arms))
    for (road, contact), arm in ends.items():
        if contact == "start":
            _kerbside(rng, furniture, network.roads[road], arm.profile)
    return furniture.furnish(network)


def _profiles(rng: np.random.Generator) -> tuple[Profile, Profile]:
    """Of the ordinary streets and of the avenues, which have two lanes a direction and no parking."""
    width, kmh, color = rng.uniform(3.1, 3.4), float(rng.choice((30.0, 50.0))), str(rng.choice(("white", "yellow")))
    bike = rng.uniform(1.5, 1.9)
    cycling = bool(rng.random() < 0.6)

    def profile(lanes: int, kmh: float, parking_m: float, bike_m: float) -> Profile:
        return Profile(
            lanes=lanes, width_m=width, speed_mps=kmh / 3.6, sidewalk_m=2.2, inner_color=color, solid_m=22.0,
            edge_lines=False, double_line=lanes > 1, bike_m=bike_m, parking_m=parking_m, clear_m=5.4,
        )  # fmt: skip

    return profile(1, kmh, rng.uniform(2.0, 2.3), bike if cycling else 0.0), profile(2, 50.0, 0.0, bike)


def _control(rng: np.random.Generator, arms: list[Arm]) -> Control:
    """Busy junctions have signals more often."""
    busy = len(arms) == 4 or any(arm.profile.lanes > 1 for arm in arms)
    names: tuple[Control, ...] = ("signals", "yield", "stop", "all_way_stop")
    if any(arm.profile.lanes > 1 for arm in arms):
        return names[int(rng.choice(4, p=(0.7, 0.2, 0.1, 0.0)))]
    return names[int(rng.choice(4, p=(0.4, 0.35, 0.15, 0.1) if busy else (0.2, 0.5, 0.3, 0.0)))]


def _major(network: RoadNetwork, arms: list[Arm]) -> set[int]:
    """The two arms with priority: the widest ones, and of equals those that face each other best."""
    pairs = [(a, b) for b in range(len(arms)) for a in range(b)]

    def rank(pair: tuple[int, int]) -> tuple[int, float]:
        a, b = (arms[i] for i in pair)
        turn = turn_between_rad(outward(network, a)[1], outward(network, b)[1])
        return -a.profile.lanes - b.profile.lanes, round(abs(turn), 6)

    return set(min(pairs, key=rank))


def _kerbside(rng: np.random.Generator, furniture: Furniture, road: Road, profile: Profile) -> None:
    """Parking spaces along both kerbs and, between them in long blocks, perhaps a zebra crossing."""
    spans = parking_spans_m(road.length_m) if profile.parking_m else []
    for start, end in spans:
        count = math.floor((end - start) / _SPACE_M)
        first = start + 0.5 * (end - start - count * _SPACE_M)
        for sign in (1, -1):
            _parking_row(rng, furniture, road, profile, first, count, sign)
    if len(spans) == 2 and rng.random() < 0.6:
        middle, edge = 0.5 * road.length_m, profile.carriageway_m
        add_crosswalk(road, furniture, middle, edge)
        for sign in (1, -1):
            furniture.add_sign(road, "crossing", middle - sign * 2.0, -sign * (edge + 0.6), sign > 0, (-sign,))


def _parking_row(
    rng: np.random.Generator, furniture: Furniture, road: Road, profile: Profile, first_m: float, count: int, sign: int
) -> None:
    """Spaces one behind the other on one side, some missing where somebody drives in, and the lines between them."""
    inner, wide = profile.carriageway_m, profile.parking_m
    lane = sign * (profile.first_driving + profile.lanes + (1 if profile.bike_m else 0))
    for k in range(count + 1):
        s = first_m + k * _SPACE_M
        furniture.add_line(road, s, (sign * (inner + 0.05), sign * (inner + wide - 0.05)), 0.1)
        if k < count and rng.random() < 0.9:
            furniture.add_object(
                road, "parking", s + 0.5 * _SPACE_M, sign * (inner + 0.5 * wide), _SPACE_M, wide, (lane,)
            )
