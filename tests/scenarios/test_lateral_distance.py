"""LateralDistanceAction against closed forms, on lanes 3.5 m wide at y = -1.75 and -5.25; cars are 2 m wide."""

import math
from itertools import pairwise

import pytest
from small_scenarios import after, event, place, scenario, speed
from test_player_actions import BEGIN, TWO, at, change_lane, lateral, run


def beside(*attributes: str, limits: str = ""):
    """Plays: the ego keeps a lateral distance to a car 40 m ahead of it."""
    keys = {"freespace": "false", "continuous": "false"} | dict(a.split("=") for a in attributes)
    text = " ".join(f'{key}="{value}"' for key, value in keys.items())
    inner = f"<DynamicConstraints {limits}/>" if limits else ""
    action = lateral(f'<LateralDistanceAction entityRef="Other" {text}>{inner}</LateralDistanceAction>')
    init = (
        f'<Private entityRef="Ego">{place("50")}{speed("10")}</Private>'
        f'<Private entityRef="Other">{place("90", "-2")}{speed("10")}</Private>'
    )
    return scenario(entities=TWO, init=init, events=event(action, start=after("1")), stop=after("8"))


@pytest.mark.parametrize(
    ("attributes", "y"),
    [
        (("distance=2",), -3.25),  # it stays on the side where it is
        (("distance=2", "freespace=true"), -1.25),  # 2 m between two cars of 2 m
        (("distance=1", "displacement=rightToReferencedEntity"), -6.25),
        (("distance=1", "displacement=leftToReferencedEntity", "coordinateSystem=road"), -4.25),
        ((), -1.75),  # the present one
    ],
)
def test_without_limits_the_distance_holds_at_once(tmp_path, attributes, y):
    trace = run(tmp_path, beside(*attributes))
    assert at(trace, 1.0)[1] == pytest.approx(-1.75)
    for time in (1.1, 2.0, 7.0):
        assert at(trace, time)[1] == pytest.approx(y, abs=1e-6)
    assert at(trace, 7.0)[0] == pytest.approx(50 + 70.0, abs=1e-3)


def test_with_limits_the_speed_across_is_a_trapezoid(tmp_path):
    """2 m at 1 m/s2 up to 0.5 m/s and down again: 0.125 + 1.75 + 0.125 m in 4.5 s."""
    limits = 'maxAcceleration="1" maxDeceleration="1" maxSpeed="0.5"'
    trace = run(tmp_path, beside("distance=1.5", limits=limits))
    y = [at(trace, BEGIN + t)[1] for t in (0.0, 0.5, 2.25, 4.0, 4.6)]
    assert y == pytest.approx([-1.75, -1.875, -2.75, -3.625, -3.75], abs=0.05)
    rates = [(at(trace, t + 0.05)[1] - at(trace, t)[1]) / 0.05 for t in (0.05 * k for k in range(20, 140))]
    assert max(abs(rate) for rate in rates) == pytest.approx(0.5, abs=1e-6)
    assert max(abs(b - a) / 0.05 for a, b in pairwise(rates)) < 1.0 + 1e-3 + 0.1
    heading = trace.hpr_rad[0, round((BEGIN + 2.0) / 0.05), 0, 0].item()
    assert math.remainder(heading, 2 * math.pi) == pytest.approx(math.atan2(-0.5, 10.0), abs=1e-3)


@pytest.mark.parametrize("continuous", ["true", "false"])
def test_only_a_continuous_one_goes_on_when_the_other_moves(tmp_path, continuous):
    text = beside("distance=2", f"continuous={continuous}")
    target = '<AbsoluteTargetLane value="-1"/>'
    mover = (
        '<ManeuverGroup name="other" maximumExecutionCount="1"><Actors selectTriggeringEntities="false">'
        '<EntityRef entityRef="Other"/></Actors><Maneuver name="m2">'
        + event(change_lane("linear", 1, "time", target), name="over", start=after("3"))
        + "</Maneuver></ManeuverGroup></Act>"
    )
    trace = run(tmp_path, text.replace("</Act>", mover))
    assert at(trace, 2.0)[1] == pytest.approx(-3.25)
    end = {"true": -1.75 + 2.0, "false": -3.25}[continuous]
    assert at(trace, 7.0, entity=1)[1] == pytest.approx(-1.75, abs=1e-6)
    assert at(trace, 7.0)[1] == pytest.approx(end, abs=1e-3)
