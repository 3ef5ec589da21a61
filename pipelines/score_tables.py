"""Scorecards as tables: of one drive, every score with what it is made of; of many, their means."""

import math
from collections.abc import Sequence
from typing import Any

from pipelines.verdicts.scorecard import COLUMNS

Row = dict[str, Any]
SCORE_NAMES = {
    "carla_2_0": "CARLA driving score 2.0",
    "carla_2_1": "CARLA driving score 2.1",
    "nuplan": "nuPlan closed-loop score",
    "pdms": "PDMS",
    "epdms": "EPDMS",
    "least_ttc_s": "least TTC, s",
    "least_thw_s": "least THW, s",
    "least_pet_s": "least PET, s",
    "max_drac_mps2": "highest DRAC, m/s2",
    "max_btn": "highest BTN",
    "tet_s": "TET, s",
    "tit_s2": "TIT, s2",
    "rss_s": "RSS violated, s",
}
_MADE_OF = {"carla_2_0": "carla", "carla_2_1": "carla"}
NOTE = (
    "CARLA's driving scores count the infractions of this drive, speed against the traffic's included. nuPlan's score, "
    "PDMS and EPDMS measure progress by an expert's: in a drive the classical driver's on true boxes in the same "
    "episode, in a scenario that of the file's own actions. PDMS and EPDMS judge the whole drive in place of a plan of "
    "4 s, and EPDMS forgives nothing that a human driver did too, as there was none. TTC, THW, DRAC and BTN are of the "
    "straight corridor ahead; TET and TIT count a TTC below 1.5 s."
)


def score_rows(card: Row) -> list[Row]:
    """A scorecard in plain values as rows: each score, and the terms it is made of, or why it is absent."""
    rows = []
    for name in COLUMNS:
        terms = card["terms"].get(_MADE_OF.get(name, name), {})
        told = ", ".join(f"{term.replace('_', ' ')} {part:.3g}" for term, part in terms.items())
        rows.append(
            {"score": SCORE_NAMES[name], "value": card["scores"][name], "terms": card["absent"].get(name, told)}
        )
    return rows


def mean_scores(rows: Sequence[Row]) -> Row:
    """Means of the scores of episodes over those that have them; None where none has."""
    return {name: _mean([row[name] for row in rows if row[name] is not None]) for name in COLUMNS}


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
