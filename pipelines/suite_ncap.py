"""Euro NCAP 2026 points of a suite: its runs of the protocol's scenarios, rated by the official calculator.

Runs are recognised by the parameters that the public scenario set gives them: `Scenario_ID` (CCRs, CPNA ...),
`Ego_speed_kph` and `LightingConditions`; the extended range by the folder of its variation file. Warning tests (FCW)
are left out: a simulated ego that brakes by itself warns nobody.
"""

from collections import defaultdict
from typing import Any

import numpy as np

from pipelines.suite_plan import Plan
from pipelines.suite_results import Results
from pipelines.verdicts.ncap import MPS_TO_KPH, measured_quantity, ncap_score, scenario_name

ID, SPEED, LIGHT = "Scenario_ID", "Ego_speed_kph", "LightingConditions"
EXTENDED, WARNING = "extended", "_fcw"


def ncap_table(plan: Plan, results: Results) -> list[dict[str, Any]]:
    """Points of every scenario of the protocol that the suite plays with an agent; none for other suites.

    Raises ImportError where the calculator (the extra `ncap`) is not installed.
    """
    if ID not in results.columns or plan.request.agent == "none":
        return []
    rated = []
    for scenario, rows in _rows_by_scenario(plan, results).items():
        index = np.array(rows)
        extended = [EXTENDED in str(plan.variations[v].file.parent.name).lower() for v in results.variation[index]]
        speed = [float(v) for v in results.columns[SPEED][index]]
        score = ncap_score(scenario, speed, _values(scenario, results, index), extended)
        colours = [colour.name.lower() for colour in score.colours]
        rated.append(
            {
                "Euro NCAP scenario": scenario,
                "runs": len(rows),
                **{name: colours.count(name) for name in ("green", "yellow", "orange", "brown", "red")},
                "standard points": f"{score.standard:.2f} of {score.standard_available:g}",
                "extended points": f"{score.extended:.2f} of {score.extended_available:g}",
            }
        )
    return rated


def _rows_by_scenario(plan: Plan, results: Results) -> dict[str, list[int]]:
    """Rows of each scenario as the calculator calls it."""
    found: dict[str, list[int]] = defaultdict(list)
    light = results.columns.get(LIGHT)
    for row in np.flatnonzero(results.played):
        file = plan.variations[int(results.variation[row])].file
        name = str(results.columns[ID][row])
        if name and results.columns[SPEED][row] != "" and not file.stem.lower().endswith(WARNING):
            night = light is not None and str(light[row]).lower() == "night"
            found[scenario_name(name, night)].append(int(row))
    return dict(sorted(found.items()))


def _values(scenario: str, results: Results, rows: np.ndarray) -> list[float]:
    """What the protocol measures of each run, km/h."""
    columns, hit = results.columns, results.columns["collision"][rows].astype(bool)
    quantity = measured_quantity(scenario)
    if quantity == "v_rel_impact":
        value = columns["closing_mps"][rows]
    elif quantity == "v_impact":
        value = columns["ego_impact_mps"][rows]
    else:
        start = columns[SPEED][rows].astype(float) / MPS_TO_KPH
        least = np.where(hit, columns["ego_impact_mps"][rows], columns["least_speed_mps"][rows])
        return [float(v) for v in MPS_TO_KPH * np.maximum(start - least, 0.0)]
    return [float(v) for v in np.where(hit, np.maximum(MPS_TO_KPH * value, 0.0), 0.0)]
