"""Ways and places on generated roads of many seeds: connected, where they should be, a function of the road alone."""

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from sim.roadgen.generate import generate_road
from sim.scenarios.meetings import crossing_m
from sim.scenarios.places import PLACES, JunctionChoice, approaches, main_approach, place, sign_of
from sim.scenarios.ways import Streets, Unfit

SEEDS = range(10)
KINDS = ("rural", "highway", "town", "crossing", "motorway", "roundabout", "urban")
ALWAYS = {  # places that every road of a kind has
    "rural": ("road",),
    "highway": ("road",),
    "town": ("road", "approach"),
    "crossing": ("road", "approach"),
    "motorway": ("road", "off_ramp"),
    "roundabout": ("road", "approach", "ring"),
    "urban": ("road", "approach", "crosswalk", "parking"),
}


@lru_cache(maxsize=128)
def streets(kind, seed):
    return Streets(generate_road(kind, seed))


def follows(at, way):
    """Whether each lane of a way is a successor of the one before."""
    return all(b in at.after[a] for a, b in pairwise(way.lanes))


def point(at, spot):
    """World position (2,) and direction of travel of a spot."""
    index = spot.way.index_at(spot.at_m)
    key = spot.way.lanes[index]
    s = np.array([at.road_s(key, min(spot.at_m - spot.way.starts_m[index], at.length_m[key] - 1e-6))])
    xyz, yaw, _, _ = at.network.roads[key[0]].lane_at(key[1], key[2], s)
    return xyz[0, :2], float(yaw[0])


@pytest.mark.parametrize("kind", KINDS)
def test_places_are_on_connected_ways_and_those_of_the_kind_are_always_there(kind):
    for seed in SEEDS:
        at = streets(kind, seed)
        for name in PLACES:
            try:
                spot = place(at, name)
            except Unfit:
                assert name not in ALWAYS[kind], (kind, seed, name)
                continue
            assert follows(at, spot.way), (kind, seed, name)
            assert -1e-6 <= spot.at_m <= spot.way.length_m + 1e-6, (kind, seed, name)


@pytest.mark.parametrize("kind", ["motorway", "roundabout", "crossing"])
def test_places_are_a_function_of_the_road_alone(kind):
    for seed in range(3):
        one, other = Streets(generate_road(kind, seed)), Streets(generate_road(kind, seed))
        for name in ALWAYS[kind]:
            assert place(one, name) == place(other, name)


@pytest.mark.parametrize("kind", ["highway", "motorway", "rural"])
def test_the_longest_road_is_at_least_as_long_as_any_way_on_its_side(kind):
    for seed in SEEDS:
        at = streets(kind, seed)
        spot = place(at, "road")
        assert spot.at_m == pytest.approx(0.0)
        assert spot.way.length_m > {"highway": 900.0, "motorway": 900.0, "rural": 300.0}[kind]


def test_arms_lie_where_their_names_say():
    found = {name: 0 for name in ("from_left", "from_right", "from_ahead")}
    for kind in ("crossing", "roundabout", "town", "urban"):
        for seed in SEEDS:
            at = streets(kind, seed)
            own, heading = point(at, place(at, "approach"))
            for name in found:
                try:
                    other, _ = point(at, place(at, name))
                except Unfit:
                    continue
                found[name] += 1
                ahead, left = math.cos(heading), math.sin(heading)
                to = other - own
                beside = -to[0] * left + to[1] * ahead
                forward = to[0] * ahead + to[1] * left
                assert forward > 0.0, (kind, seed, name)
                if name != "from_ahead":
                    assert (beside > 0.0) == (name == "from_left"), (kind, seed, name)
    assert min(found.values()) > 10


def test_turns_change_the_heading_as_they_say():
    turned = {"left": 0, "straight": 0, "right": 0}
    for kind in ("crossing", "roundabout", "urban"):
        for seed in range(6):
            at = streets(kind, seed)
            for approach in approaches(at):
                for turn in turned:
                    try:
                        spot_way, index = at.way(approach.lanes[0], [turn])
                    except Unfit:
                        continue
                    behind = next(k for k in spot_way.lanes[index + 1 :] if not at.inside(k))
                    change = math.remainder(
                        at.yaw_rad(behind, False) - at.yaw_rad(approach.lanes[0], True), 2.0 * math.pi
                    )
                    expected = {"left": math.pi / 2, "straight": 0.0, "right": -math.pi / 2}[turn]
                    assert abs(math.remainder(change - expected, 2.0 * math.pi)) < math.radians(61.0)
                    turned[turn] += 1
    assert min(turned.values()) > 20


def test_signs_and_arms_choose_the_junction():
    for sign in ("light", "stop", "yield", "priority"):
        fits = 0
        for seed in SEEDS:
            at = streets("crossing", seed)
            for arms in (3, 4):
                try:
                    approach = main_approach(at, JunctionChoice(arms, sign), ())
                except Unfit:
                    continue
                fits += 1
                assert sign_of(at, approach) == sign
                assert sum(a.junction == approach.junction for a in approaches(at)) == arms
        assert fits > 1, sign


def test_ramps_and_drops_end_beside_what_they_join():
    seeds = [seed for seed in SEEDS if _has(seed, "on_ramp")]  # elsewhere one lane joins both ramps, and nobody merges
    assert len(seeds) > 6
    for seed in seeds:
        at = streets("motorway", seed)
        (ramp, heading), (merge, along) = point(at, place(at, "on_ramp")), point(at, place(at, "merge"))
        assert abs(math.remainder(heading - along, 2 * math.pi)) < 0.05
        assert 3.0 < np.hypot(*(ramp - merge)) < 5.0
        way = place(at, "on_ramp").way
        kinds = [at.kind(key) for key in way.lanes]
        assert kinds.index("onRamp") < kinds.index("entry") < len(kinds) - 1 - kinds[::-1].index("driving")
        way = place(at, "off_ramp").way
        assert [at.kind(key) for key in way.lanes][-1] == "offRamp"
    drops = [place(streets("motorway", seed), "lane_drop") for seed in range(40) if _has(seed, "lane_drop")]
    assert drops


def _has(seed, name):
    try:
        place(streets("motorway", seed), name)
    except Unfit:
        return False
    return True


def test_lanes_count_from_the_right():
    for seed in SEEDS:
        at = streets("highway", seed)
        right, second, left = (place(at, "road", lane) for lane in ("right", "2", "left"))
        (a, heading), (b, _), (c, _) = (point(at, spot) for spot in (right, second, left))
        side = np.array([-math.sin(heading), math.cos(heading)])
        assert 3.0 < (b - a) @ side < 4.0
        assert 6.0 < (c - a) @ side < 8.0
        with pytest.raises(Unfit, match="no lane 7"):
            place(at, "road", "7")


def test_crossing_ways_meet_inside_the_junction():
    met = 0
    for seed in SEEDS:
        at = streets("crossing", seed)
        try:
            own = place(at, "approach", turns=["straight"], choice=JunctionChoice(sides=frozenset(["from_right"])))
            other = place(at, "from_right", turns=["straight"], choice=JunctionChoice(sides=frozenset(["from_right"])))
        except Unfit:
            continue
        start = own.way.index_at(own.at_m - 5.0), other.way.index_at(other.at_m - 5.0)
        a_m, b_m = crossing_m(at, own.way, start[0], other.way, start[1])
        (a, _), (b, _) = point(at, type(own)(own.way, a_m)), point(at, type(own)(other.way, b_m))
        assert np.hypot(*(a - b)) < 1.0
        assert 0.0 < a_m - own.at_m < 40.0
        assert 0.0 < b_m - other.at_m < 40.0
        met += 1
    assert met > 2


def test_unknown_places_are_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"ringg.*there are road, approach"):
        place(streets("crossing", 0), "ringg")
