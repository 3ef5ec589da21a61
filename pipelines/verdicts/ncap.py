"""Euro NCAP 2026 crash avoidance, frontal collisions: colours of runs and points of scenarios.

`band_colours` is our own reading of the colour bands, vectorised over runs. Points come from Euro NCAP's own
calculator, the package `euroncap-rating-2026` (the extra `ncap`), which `official_colour` asks too; tests hold the two
against each other. What is measured depends on the scenario: the relative impact speed (km/h, 0 without a contact), the
speed reduction of the head-on ones, the impact speed of turning and crossing ones, or the TTC of a warning.

Points are those of a car whose maker had predicted exactly these colours; what a laboratory takes off for wrong
predictions and adds for robustness layers claimed is not part of a simulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor

from pipelines.verdicts.fault import Collisions
from pipelines.verdicts.trace import EGO, Trace


class Colour(IntEnum):
    """Colours from worst to best, in quarters of a point."""

    RED = 0
    BROWN = 1
    ORANGE = 2
    YELLOW = 3
    GREEN = 4


TURNING_PEOPLE = ("CPTAfs & CPTAns", "CPTAfo & CPTAno", "CBTAfs & CBTAns", "CBTAfo & CBTAno")
AVOIDANCE = ("CCFtap", "CMFtap", "CCCscp", "CMCscp", *TURNING_PEOPLE)
MITIGATION = ("CCFhos", "CCFhol")
CARS_AND_BIKES = ("CCRs", "CCRm", "CCRb", "CMRs", "CMRb", "CBLA", "CBNA", "CBFA", "CBNAO")
DAY_AND_NIGHT = ("CPLA", "CPNA", "CPFA", "CPNCO")
IMPACT = (*CARS_AND_BIKES, *(f"{name} {light}" for name in DAY_AND_NIGHT for light in ("day", "night")))
WARNED = ("CPLA day", "CPLA night", "CBLA")  # where a warning may count instead of braking
SCENARIOS = (*IMPACT, *AVOIDANCE, *MITIGATION)

MPS_TO_KPH = 3.6
FCW_TTC_S = 1.7
BAND_KPH = 10.0
# The colour of the band right above 0, by test speed; each band of 10 km/h after it is one colour worse.
FIRST_BAND = {10.0: Colour.RED, 20.0: Colour.RED, 30.0: Colour.BROWN, 40.0: Colour.ORANGE, 50.0: Colour.YELLOW}
TOP_BAND_KPH = 50.0  # and faster


@dataclass(frozen=True)
class NcapScore:
    """Points of one scenario."""

    scenario: str
    colours: list[Colour]  # of each run, by the calculator
    standard: float
    standard_available: float
    extended: float
    extended_available: float


def scenario_name(name: str, night: bool = False) -> str:
    """The calculator's name of a scenario: CPNA is `CPNA day`, CPTAfs is `CPTAfs & CPTAns`.

    Raises:
        ValueError: there is no such scenario among the frontal collisions.
    """
    known = {scenario: scenario for scenario in SCENARIOS}
    known |= {base: f"{base} {'night' if night else 'day'}" for base in DAY_AND_NIGHT}
    known |= {part: pair for pair in SCENARIOS if " & " in pair for part in pair.split(" & ")}
    if name not in known:
        raise ValueError(f"Euro NCAP scenario {name!r}: there is none of that name; choose from {', '.join(known)}")
    return known[name]


def measured_quantity(scenario: str, function: str = "AEB") -> str:
    """What a run of a scenario is scored by: v_rel_impact, v_impact, v_reduction (km/h) or fcw_ttc (s)."""
    name = _checked(scenario, function)
    if function == "FCW":
        return "fcw_ttc"
    return "v_impact" if name in AVOIDANCE else "v_reduction" if name in MITIGATION else "v_rel_impact"


def measured_values(
    scenario: str, trace: Trace, hits: Collisions, target: int = EGO + 1, function: str = "AEB"
) -> Tensor:
    """What runs (B,) of a scenario with the VUT as ego are scored by, in km/h, from their collisions with the target.

    The relative impact speed is the closing speed along the VUT's heading. The speed reduction is that from the first
    tick to the contact, or to the least speed where there is none.

    Raises:
        ValueError: no such scenario, or one scored by a warning, which a trace does not show.
    """
    quantity = measured_quantity(scenario, function)
    if quantity == "fcw_ttc":
        raise ValueError(
            f"{scenario}: a trace does not show when the driver was given a warning; pass its TTC yourself"
        )
    if quantity == "v_rel_impact":
        return MPS_TO_KPH * hits.closing_mps[:, target].clamp(min=0.0)
    if quantity == "v_impact":
        return MPS_TO_KPH * hits.ego_speed_mps[:, target]
    speed = torch.where(trace.valid[:, :, EGO], trace.speed_mps[:, :, EGO].abs(), torch.inf)
    last = torch.where(hits.hit[:, target], hits.ego_speed_mps[:, target], speed.amin(dim=1))
    return MPS_TO_KPH * (speed[:, 0] - last).clamp(min=0.0)


def band_colours(scenario: str, vut_kph: Tensor, value: Tensor, function: str = "AEB") -> Tensor:
    """Colours (B,) int64 `Colour` of runs of one scenario at test speeds (B,) km/h with measured values (B,).

    The bands of the relative impact speed are half-open, [0, 10), [10, 20) ..., and Green is exactly 0. In the head-on
    scenarios a reduction by at most 10 km/h is Red, 20 Orange, 30 Green; the calculator makes more than 30 Red again.

    Raises:
        ValueError: no such scenario, a test speed that has no bands, or a value that is NaN, infinite or negative.
    """
    quantity = measured_quantity(scenario, function)
    wrong = ~(torch.isfinite(value) & (value >= 0))
    if wrong.any():
        raise ValueError(f"{scenario}: {quantity} = {float(value[wrong][0])}: it must be a number of at least 0")
    green, red = torch.tensor(int(Colour.GREEN)), torch.tensor(int(Colour.RED))
    if quantity == "fcw_ttc":
        return torch.where(value >= FCW_TTC_S, green, red)
    if quantity == "v_impact":
        return torch.where(value == 0, green, red)
    if quantity == "v_reduction":
        orange = (value > BAND_KPH) & (value <= 2 * BAND_KPH)
        colour = torch.where(orange, int(Colour.ORANGE), red)
        return torch.where((value > 2 * BAND_KPH) & (value <= 3 * BAND_KPH), green, colour)
    first = torch.zeros_like(value, dtype=torch.int64)
    known = torch.zeros_like(value, dtype=torch.bool)
    for speed, colour in FIRST_BAND.items():
        at = vut_kph >= speed if speed == TOP_BAND_KPH else vut_kph == speed
        first = torch.where(at, int(colour), first)
        known |= at
    if not bool(known.all()):
        raise ValueError(
            f"{scenario}: test speed {float(vut_kph[~known][0])} km/h has no colour bands; "
            f"there are some for 10, 20, 30, 40 and from 50 km/h on"
        )
    banded = (first - torch.floor(value / BAND_KPH).to(torch.int64)).clamp(min=0)
    return torch.where(value == 0, green, banded)


def official_colour(
    scenario: str, vut_kph: float, value: float, function: str = "AEB", target_kph: float | None = None
) -> Colour:
    """The colour that Euro NCAP's calculator gives one measured run, without tolerance towards a prediction.

    Raises:
        ValueError: no such scenario or test speed.
        ImportError: the calculator is not installed.
    """
    _checked(scenario, function)
    band_colours(scenario, torch.tensor([float(vut_kph)]), torch.tensor([float(value)]), function)
    calculator = _calculator()
    point = _point(calculator, vut_kph, function, target_kph, "green", False)
    computed = calculator.ComputedTestPoint(point, scenario, float(value))
    return Colour[computed.measured_color.name]


def ncap_score(
    scenario: str,
    vut_kph: Sequence[float],
    value: Sequence[float],
    extended: Sequence[bool] | None = None,
    function: str = "AEB",
) -> NcapScore:
    """Colours and points of a scenario's runs by the calculator, which averages colours over each range.

    `extended` says which runs belong to the extended range (none if left out). Points of the extended range count in
    steps: below half of them 0, then half, three quarters, all.

    Raises:
        ValueError: no such scenario or test speed, no runs, or lists of different lengths.
        ImportError: the calculator is not installed.
    """
    outside = [False] * len(vut_kph) if extended is None else list(extended)
    if not len(vut_kph) == len(value) == len(outside) or not outside:
        raise ValueError(f"{scenario}: {len(vut_kph)} speeds, {len(value)} values: give one of each for every run")
    calculator = _calculator()
    from euroncap_rating_2026.crash_avoidance import data_model, test_info

    colours = [official_colour(scenario, speed, v, function) for speed, v in zip(vut_kph, value, strict=True)]
    points = [
        _point(calculator, speed, function, None, colour.name.lower(), beyond)
        for speed, colour, beyond in zip(vut_kph, colours, outside, strict=True)
    ]
    standard, beyond = test_info.compute_predicted_score(scenario, points)
    available = data_model.TOTAL_SCORES[scenario]
    return NcapScore(
        scenario=scenario,
        colours=colours,
        standard=float(standard),
        standard_available=float(available["Standard"]),
        extended=float(beyond),
        extended_available=float(available["Extended"]),
    )


def _checked(scenario: str, function: str) -> str:
    if scenario not in SCENARIOS:
        raise ValueError(f"Euro NCAP scenario {scenario!r}: choose from {', '.join(SCENARIOS)}, or see scenario_name")
    if function not in ("AEB", "FCW") or (function == "FCW" and scenario not in WARNED):
        raise ValueError(f"{scenario}: function {function!r}: choose AEB, or FCW in {', '.join(WARNED)}")
    return scenario


def _point(
    calculator: Any, vut_kph: float, function: str, target_kph: float | None, colour: str, extended: bool
) -> Any:
    """A test point of the calculator; row 0 of ten, where braking is scored as such and not as a warning."""
    from euroncap_rating_2026.common import PredictionColor

    attributes = {"VUT speed": f"{float(vut_kph):g} km/h", "Function": function}
    if target_kph is not None:
        attributes["Target speed"] = f"{float(target_kph):g} km/h"
    test_range = calculator.TestRange.EXTENDED if extended else calculator.TestRange.STANDARD
    return calculator.TestPoint(
        row=0, col=0, color=PredictionColor(colour), test_range=test_range, attributes=attributes, total_rows=10
    )


def _calculator() -> Any:
    """The module of the calculator that colours test points."""
    try:
        from euroncap_rating_2026.crash_avoidance import matrix_processing
    except ImportError as error:
        raise ImportError("Euro NCAP points need its calculator: pip install 'roadloop[ncap]'") from error
    return matrix_processing
