"""NAVSIM's scores of a drive, PDMS and EPDMS, from their terms (autonomousvision/navsim).

PDMS = NC x DAC x (5 EP + 5 TTC + 2 C) / 12
EPDMS = NC x DAC x DDC x TLC x (5 EP + 5 TTC + 2 LK + 2 HC + 2 EC) / 16, each term after the human filter.

A term that is missing or NaN is an error: it is never taken for 0.
"""

import torch
from torch import Tensor

from pipelines.verdicts.nuplan import check_terms

PDMS_MULTIPLIERS = ("no_at_fault_collisions", "drivable_area_compliance")
PDMS_WEIGHTS = {"ego_progress": 5.0, "time_to_collision_within_bound": 5.0, "comfort": 2.0}
EPDMS_MULTIPLIERS = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "driving_direction_compliance",
    "traffic_light_compliance",
)
EPDMS_WEIGHTS = {
    "ego_progress": 5.0,
    "time_to_collision_within_bound": 5.0,
    "lane_keeping": 2.0,
    "history_comfort": 2.0,
    "extended_comfort": 2.0,
}


def pdms(terms: dict[str, Tensor]) -> Tensor:
    """The PDM score (B,) in [0, 1] of terms (B,) in [0, 1].

    Raises:
        ValueError: a term is missing, unknown, NaN or outside [0, 1].
    """
    return _combine(terms, PDMS_MULTIPLIERS, PDMS_WEIGHTS)


def epdms(terms: dict[str, Tensor], human: dict[str, Tensor] | None) -> Tensor:
    """The extended PDM score (B,) of the terms of an agent and of the human driver in the same scenes.

    Without a human driver (None) nothing is filtered: every term counts as it is.

    Raises:
        ValueError: a term of either is missing, unknown, NaN or outside [0, 1].
    """
    filtered = terms if human is None else human_filter(terms, human)
    return _combine(filtered, EPDMS_MULTIPLIERS, EPDMS_WEIGHTS)


def human_filter(terms: dict[str, Tensor], human: dict[str, Tensor]) -> dict[str, Tensor]:
    """The terms, with 1 wherever the human's own value is 0: nobody is blamed for what the human did too."""
    names = (*EPDMS_MULTIPLIERS, *EPDMS_WEIGHTS)
    check_terms(terms, names)
    check_terms(human, names)
    return {name: torch.where(human[name] == 0, 1.0, value) for name, value in terms.items()}


def _combine(terms: dict[str, Tensor], multipliers: tuple[str, ...], weights: dict[str, float]) -> Tensor:
    check_terms(terms, (*multipliers, *weights))
    score = sum((weight * terms[name] for name, weight in weights.items()), torch.zeros(()).double())
    score = score / sum(weights.values())
    for name in multipliers:
        score = score * terms[name]
    return score
