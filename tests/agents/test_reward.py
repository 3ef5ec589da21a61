import dataclasses

import pytest
import torch

from agents.episodes import Outcome
from agents.reward import COMFORT_ACCEL_MPS2, INFRACTION, comfort_factor, reward, speed_factor, ttc_factor
from sim.observe import Lead


@pytest.fixture
def quiet(scene):
    """Three worlds in which one metre was made, at 10 m/s, below the limit, on the lane, with nothing ahead."""
    _, route, ego = scene(3)
    route.lateral_m[:], route.speed_limit_mps[:] = 0.0, 14.0
    ego.speed_mps[:], ego.accel_mps2[:], ego.yaw_rate_radps[:] = 10.0, 0.5, 0.0
    no = torch.zeros(3, dtype=torch.bool)
    outcome = Outcome(no, no, no, no, no, no, no, progress_m=torch.ones(3), completion=torch.full((3,), 0.5))
    lead = Lead(torch.zeros(3), torch.full((3,), 60.0), torch.zeros(3), no)
    return outcome, lead, route, ego


def test_an_undisturbed_metre_is_worth_a_tenth(quiet):
    assert reward(*quiet).tolist() == pytest.approx([0.1] * 3)


def test_nothing_is_earned_off_the_lane(quiet):
    quiet[2].lateral_m[:] = torch.tensor([1.0, 1.6, -1.6])
    assert reward(*quiet).tolist() == pytest.approx([0.1, 0.0, 0.0])


def test_infractions_cost_and_arriving_does_not(quiet):
    outcome, *rest = quiet
    yes = torch.tensor([True, True, False])
    ended = dataclasses.replace(outcome, terminated=yes, success=torch.tensor([False, True, False]))
    assert reward(ended, *rest).tolist() == pytest.approx([0.1 - INFRACTION, 0.1, 0.1])


def test_factors_follow_their_closed_forms(quiet):
    limit = torch.full((4,), 10.0)
    assert speed_factor(torch.tensor([5.0, 10.5, 12.5, 20.0]), limit).tolist() == pytest.approx([1.0, 1.0, 0.5, 0.0])
    lead = Lead(torch.zeros(4), torch.tensor([30.0, 15.0, 0.0, 1.0]), torch.full((4,), 2.0), torch.ones(4).bool())
    lead.found[3] = False
    ttc = ttc_factor(torch.full((4,), 12.0), lead)  # 3 s, 1.5 s, 0 s, nothing there
    assert ttc.tolist() == pytest.approx([1.0, 0.65, 0.3, 1.0])
    ego = quiet[3]
    ego.accel_mps2[:] = torch.tensor([0.0, 1.5 * COMFORT_ACCEL_MPS2, -3.0 * COMFORT_ACCEL_MPS2])
    assert comfort_factor(ego).tolist() == pytest.approx([1.0, 0.8, 0.6])
