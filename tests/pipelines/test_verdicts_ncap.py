"""Euro NCAP 2026: our colour bands against the constants and against the official calculator, and its points."""

import math
import sys

import pytest
import torch
from verdict_traces import moving, trace_of

from pipelines.verdicts import ncap
from pipelines.verdicts.fault import collisions
from pipelines.verdicts.ncap import Colour

POINTS = {
    "CCRs": (1.2, 0.15),
    "CCRm": (2.4, 0.3),
    "CCRb": (1.6, 0.2),
    "CCFhos": (2.0, 0.25),
    "CCFhol": (2.0, 0.25),
    "CCFtap": (4.0, 0.5),
    "CCCscp": (6.0, 0.75),
    "CMRs": (1.2, 0.15),
    "CMRb": (1.6, 0.2),
    "CMFtap": (4.0, 0.5),
    "CMCscp": (6.0, 0.75),
    "CPLA day": (1.0, 0.125),
    "CPLA night": (1.0, 0.125),
    "CBLA": (2.0, 0.25),
    "CPTAfs & CPTAns": (1.0, 0.125),
    "CBTAfo & CBTAno": (1.0, 0.125),
    "CPNA day": (0.5, 0.0625),
    "CPFA night": (0.5, 0.0625),
    "CPNCO day": (1.0, 0.125),
    "CBNA": (1.0, 0.125),
    "CBFA": (1.0, 0.125),
    "CBNAO": (2.0, 0.25),
}
SPEEDS = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 130.0)
VALUES = (0.0, 0.01, 1.69, 1.7, 5.0, 9.99, 10.0, 10.01, 19.99, 20.0, 20.01, 29.99, 30.0, 30.01, 45.0)


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def names(colours):
    return [Colour(int(colour)).name.lower() for colour in colours]


@pytest.mark.parametrize(
    "speed,expected",
    [
        (10, "green red red red red red red red"),
        (20, "green red red red red red red red"),
        (30, "green brown brown red red red red red"),
        (40, "green orange orange brown brown red red red"),
        (50, "green yellow yellow orange orange brown brown red"),
        (80, "green yellow yellow orange orange brown brown red"),
    ],
)
def test_bands_of_relative_impact_speed(speed, expected):
    value = numbers(0.0, 0.1, 9.9, 10.0, 19.9, 20.0, 29.9, 30.0)
    assert names(ncap.band_colours("CCRs", value * 0 + speed, value)) == expected.split()


def test_bands_of_the_other_quantities():
    at = numbers(*[30.0] * 4)
    assert names(ncap.band_colours("CCFtap", at, numbers(0.0, 0.1, 5.0, 50.0))) == ["green", "red", "red", "red"]
    reduction = ncap.band_colours("CCFhos", at, numbers(10.0, 10.1, 20.0, 20.1))
    assert names(reduction) == ["red", "orange", "orange", "green"]
    assert names(ncap.band_colours("CPLA day", at[:2], numbers(1.7, 1.69), function="FCW")) == ["green", "red"]


def test_colours_are_worth_quarters():
    assert [colour / 4 for colour in Colour] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_what_is_measured():
    expected = {"CCRs": "v_rel_impact", "CMCscp": "v_impact", "CCFhol": "v_reduction", "CBTAfs & CBTAns": "v_impact"}
    assert {scenario: ncap.measured_quantity(scenario) for scenario in expected} == expected
    assert ncap.measured_quantity("CBLA", "FCW") == "fcw_ttc"


def test_values_of_runs():
    """A car at 50 km/h against one that stands and one that crosses at 5 km/h, and one that brakes and stops before."""
    kph = 3.6
    crossing = moving((30, -0.5), 5 / kph, yaw=math.pi / 2, ticks=31)
    crossing[:, 1] = 0.0  # held in the way, so that the moment of contact is known
    runs = [
        [moving((0, 0), 50 / kph), moving((30, 0), 0.0)],
        [moving((0, 0), 50 / kph), crossing],
        [moving((0, 0), 50 / kph, accel=-6.0), moving((30, 0), 0.0)],
        [moving((0, 0), 50 / kph, accel=-2.0), moving((30, 0), 50 / kph, yaw=math.pi)],
    ]
    trace = trace_of(*runs)
    hits = collisions(trace)
    assert ncap.measured_values("CCRs", trace, hits).tolist()[:3] == pytest.approx([50.0, 50.0, 0.0])
    assert ncap.measured_values("CCFtap", trace, hits).tolist()[:3] == pytest.approx([50.0, 50.0, 0.0])
    reduction = ncap.measured_values("CCFhos", trace, hits)
    assert float(reduction[3]) == pytest.approx(2.0 * 0.1 * (int(hits.tick[3, 1]) - 1) * kph)
    assert float(reduction[2]) == pytest.approx(50.0)
    with pytest.raises(ValueError, match="warning"):
        ncap.measured_values("CBLA", trace, hits, function="FCW")


def test_names_of_scenarios():
    assert [ncap.scenario_name(name) for name in ("CPNA", "CPTAns", "CCRs")] == ["CPNA day", "CPTAfs & CPTAns", "CCRs"]
    assert ncap.scenario_name("CPNA", night=True) == "CPNA night"
    with pytest.raises(ValueError, match="CCRx"):
        ncap.scenario_name("CCRx")


def test_what_cannot_be_coloured_is_refused():
    with pytest.raises(ValueError, match="v_rel_impact = nan"):
        ncap.band_colours("CCRs", numbers(50.0), numbers(math.nan))
    with pytest.raises(ValueError, match=r"v_rel_impact = -1"):
        ncap.band_colours("CCRs", numbers(50.0), numbers(-1.0))
    with pytest.raises(ValueError, match=r"test speed 45\.0 km/h has no colour bands"):
        ncap.band_colours("CCRs", numbers(45.0), numbers(0.0))
    with pytest.raises(ValueError, match="function 'FCW'"):
        ncap.band_colours("CCRs", numbers(50.0), numbers(0.0), function="FCW")
    with pytest.raises(ValueError, match=r"CPNA'.*scenario_name"):
        ncap.band_colours("CPNA", numbers(50.0), numbers(0.0))


@pytest.mark.parametrize("scenario", ncap.SCENARIOS)
def test_bands_agree_with_the_calculator(scenario):
    pytest.importorskip("euroncap_rating_2026", reason="the extra ncap is not installed")
    functions = ("AEB", "FCW") if scenario in ncap.WARNED else ("AEB",)
    for function in functions:
        for speed in SPEEDS:
            ours = ncap.band_colours(scenario, torch.full((len(VALUES),), speed).double(), numbers(*VALUES), function)
            theirs = [ncap.official_colour(scenario, speed, value, function) for value in VALUES]
            assert ours.tolist() == theirs, (scenario, function, speed)


def test_points_of_the_calculator():
    pytest.importorskip("euroncap_rating_2026", reason="the extra ncap is not installed")
    for scenario, (standard, extended) in POINTS.items():
        best = 25.0 if scenario in ncap.MITIGATION else 0.0
        score = ncap.ncap_score(scenario, [50.0, 60.0], [best, best], extended=[False, True])
        assert (score.standard, score.extended) == pytest.approx((standard, extended)), scenario
        assert (score.standard_available, score.extended_available) == pytest.approx((standard, extended))


def test_points_are_the_mean_weight_and_the_extended_range_counts_in_steps():
    pytest.importorskip("euroncap_rating_2026", reason="the extra ncap is not installed")
    speeds, values = [50.0] * 5, [0.0, 5.0, 15.0, 25.0, 35.0]
    score = ncap.ncap_score("CCRs", speeds, values)
    assert score.colours == [Colour.GREEN, Colour.YELLOW, Colour.ORANGE, Colour.BROWN, Colour.RED]
    assert score.standard == pytest.approx(1.2 * 0.5) and score.extended == 0.0
    outside = [True] * 4
    for values, share in [([0, 0, 0, 40], 0.75), ([0, 0, 40, 40], 0.5), ([0, 40, 40, 40], 0.0), ([25] * 4, 1.0)]:
        score = ncap.ncap_score("CCRs", [50.0] * 4, [float(value) for value in values], outside)
        assert score.extended == pytest.approx(0.15 * share)


def test_a_scenario_without_runs_has_no_score():
    with pytest.raises(ValueError, match="give one of each"):
        ncap.ncap_score("CCRs", [], [])
    with pytest.raises(ValueError, match="give one of each"):
        ncap.ncap_score("CCRs", [50.0], [0.0, 0.0])


def test_without_the_calculator_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "euroncap_rating_2026.crash_avoidance", None)
    with pytest.raises(ImportError, match=r"pip install 'roadloop\[ncap\]'"):
        ncap.official_colour("CCRs", 50.0, 0.0)
