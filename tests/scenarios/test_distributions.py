# ruff: noqa: E501 - XML does not break well
"""Parameter variations: the counts of the regulation's and Euro NCAP's sets, order, constraints, refusals."""

import time
from pathlib import Path

import numpy as np
import pytest
from small_scenarios import one_of, parameter, scenario, steps, variation, write

from sim.scenarios.distributions import read_variation
from sim.scenarios.suites import expand, single
from sim.scenarios.xosc import read_xosc

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "openscenario"
real_files = pytest.mark.skipif(not DATA.is_dir(), reason="needs the real scenarios in ../shared/data/openscenario")
ALKS = DATA / "alks" / "logical_scenarios"
NCAP = DATA / "ncap2026" / "OpenSCENARIO" / "NCAP" / "CA-FC_2026" / "Variations"
RUNS = {  # all combinations, and how many of them the scenario's constraints exclude
    "4_1_1_free_driving": (12, 0),
    "4_1_2_swerving_lead_vehicle": (300, 0),
    "4_1_3_side_vehicle": (1200, 0),
    "4_2_1_fully_blocking_target": (360, 0),
    "4_2_2_partially_blocking_target": (6120, 0),
    "4_2_3_crossing_pedestrian": (120, 0),
    "4_2_4_multiple_blocking_targets": (1800, 0),
    "4_3_1_follow_lead_vehicle_comfortable": (2400, 300),
    "4_3_2_follow_lead_vehicle_emergency_brake": (1400, 175),
    "4_3_2_follow_lead_vehicle_emergency_brake_variation_reference": (3000, 300),
    "4_4_1_cut_in_no_collision": (52500, 22750),
    "4_5_1_cut_out_fully_blocking": (8640, 600),
    "4_5_2_cut_out_multiple_blocking_targets": (43200, 3000),
    "4_6_1_forward_detection_range": (6, 0),
    "4_6_2_lateral_detection_range": (2, 0),
}


def vary(tmp_path, text, blocks):
    write(tmp_path, text)
    path = tmp_path / "variation.xosc"
    path.write_text(variation("scene.xosc", blocks), encoding="utf-8")
    return path


# --- Real sets ---


@real_files
def test_the_alks_set_expands_to_121060_runs_in_seconds():
    started = time.process_time()
    found = {item.file.stem.removeprefix("alks_scenario_").removesuffix("_variation"): item for item in expand([ALKS])}
    assert time.process_time() - started < 5.0
    assert {name: (item.draw.size, item.discarded) for name, item in found.items()} == RUNS
    assert sum(item.draw.size for item in found.values()) == 121_060


@real_files
@pytest.mark.parametrize(("folder", "runs"), [("StandardRange", 428), ("ExtendedRange", 435), ("SingleExecution", 18)])
def test_the_ncap_sets_expand_to_the_protocols_counts(folder, runs):
    assert sum(item.draw.size for item in expand([NCAP / folder])) == runs


@real_files
def test_templates_of_variations_are_not_counted_again():
    assert sum(item.draw.size for item in expand([DATA / "alks"])) == 121_060
    assert sum(item.draw.size for item in expand([DATA / "ncap2026"])) == 428 + 435 + 18
    assert [item.draw.size for item in expand([DATA / "esmini"])] == [1] * 8


# --- Rules ---


def test_runs_are_nested_loops_with_the_first_distribution_outermost(tmp_path):
    text = scenario(parameter("a", "0") + parameter("b", "x", "string") + parameter("c", "0", "int"))
    found = read_variation(vary(tmp_path, text, steps("a", 1, 2, 1) + one_of("b", "x", "y") + one_of("c", 5, 6, 7)))
    assert found.draw.size == 12
    assert found.draw.values["a"].tolist() == [1.0] * 6 + [2.0] * 6
    assert found.draw.values["b"].tolist() == ["x"] * 3 + ["y"] * 3 + ["x"] * 3 + ["y"] * 3
    assert found.draw.values["c"].tolist() == [5.0, 6.0, 7.0] * 4


@pytest.mark.parametrize(
    ("low", "high", "step", "values"),
    [
        (0, 1, 0.25, [0, 0.25, 0.5, 0.75, 1]),
        (0, 0.3, 0.1, [0, 0.1, 0.2, 0.3]),  # in binary three steps of 0.1 overshoot 0.3
        (-1.75, 1.75, 0.5, [-1.75, -1.25, -0.75, -0.25, 0.25, 0.75, 1.25, 1.75]),
        (0, 1, 0.3, [0, 0.3, 0.6, 0.9]),
        (5, 5, 1, [5]),
        (0, 1, 7, [0]),
        (0, 0.99999999999, 0.1, [0.1 * i for i in range(11)]),  # within a billionth of a step
    ],
)
def test_a_range_includes_its_upper_limit(tmp_path, low, high, step, values):
    found = read_variation(vary(tmp_path, scenario(parameter("a", "0")), steps("a", low, high, step)))
    assert found.draw.values["a"] == pytest.approx(values, abs=1e-10)
    assert 0.3 not in values or 0.3 in found.draw.values["a"]


def test_values_that_go_together_vary_together_and_what_a_set_omits_keeps_its_value(tmp_path):
    rows = "".join(
        f"<ParameterValueSet>{''.join(f'<ParameterAssignment parameterRef={chr(34)}{k}{chr(34)} value={chr(34)}{v}{chr(34)}/>' for k, v in row.items())}</ParameterValueSet>"
        for row in ({"a": 1, "b": 10}, {"a": 2, "b": 20}, {"a": 3})
    )
    tag = "DeterministicMultiParameterDistribution"
    blocks = f"<{tag}><ValueSetDistribution>{rows}</ValueSetDistribution></{tag}>" + one_of("c", 1, 2)
    text = scenario(parameter("a", "0") + parameter("b", "7") + parameter("c", "0"))
    found = read_variation(vary(tmp_path, text, blocks))
    assert found.draw.values["a"].tolist() == [1, 1, 2, 2, 3, 3]
    assert found.draw.values["b"].tolist() == [10, 10, 20, 20, 7, 7]


def test_runs_outside_the_constraints_are_marked_and_the_others_read(tmp_path):
    bound = '<ConstraintGroup><ValueConstraint rule="lessThan" value="${10 - $a}"/></ConstraintGroup>'
    text = scenario(parameter("a", "1") + parameter("b", "1", constraints=bound))
    found = read_variation(vary(tmp_path, text, steps("a", 0, 9, 1) + steps("b", 0, 9, 1)))
    a, b = found.draw.values["a"], found.draw.values["b"]
    assert (found.allowed == (b < 10 - a)).all() and found.discarded == 45
    read_xosc(found.scenario, found.draw.take(np.flatnonzero(found.allowed)))
    with pytest.raises(ValueError, match="b=9 is outside its constraints"):
        read_xosc(found.scenario, found.draw)


def test_a_scenario_alone_is_one_run(tmp_path):
    found = single(write(tmp_path, scenario()))
    assert found.draw.size == 1 and found.discarded == 0


# --- Refusals ---


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (steps("a", 0, 1, 1e-9), r"has 1000000001 steps; up to 5000000"),
        (steps("a", 0, 1e300, 1e-300), r"steps; up to 5000000"),
        (steps("a", 0, 4000, 1) + steps("b", 0, 4000, 1), r"makes 16008001 runs"),
        (steps("a", 0, 1, 0), r"has stepWidth=0.* not positive"),
        (steps("a", 0, 1, -1), r"not positive"),
        (steps("a", 2, 1, 1), r"goes from 2.* to 1"),
        (steps("a", 0, "nan", 1), r"finite number"),
        (steps("a", 0, "many", 1), r"'many' is not a number"),
        (one_of("a"), r"has no <Element>"),
        (one_of("a", 1) + one_of("a", 2), r"'a' has two distributions"),
        (one_of("z", 1), r"varies 'z', which the scenario does not declare; it declares: a, b"),
        (one_of("b", 1, 1.5), r"parameter b is 1.5, which is no int"),
        (one_of("a", "x"), r"'x' is not a number"),
        ("<Stochastic/>", r"<Stochastic> in <Deterministic> is not supported"),
        ('<DeterministicSingleParameterDistribution parameterName="a"><UserDefinedDistribution type="x"/>'
         "</DeterministicSingleParameterDistribution>", r"<UserDefinedDistribution> .*is not supported"),
    ],
)  # fmt: skip
def test_wrong_and_unsupported_distributions_are_refused(tmp_path, blocks, message):
    text = scenario(parameter("a", "0") + parameter("b", "0", "int"))
    with pytest.raises(ValueError, match=message):
        read_variation(vary(tmp_path, text, blocks))


def test_random_distributions_are_refused_by_name(tmp_path):
    path = vary(tmp_path, scenario(), "")
    path.write_text(path.read_text().replace("Deterministic", "Stochastic"))
    with pytest.raises(ValueError, match=r"variation.xosc:3: <Stochastic> is not supported; deterministic"):
        read_variation(path)


def test_a_missing_template_is_named(tmp_path):
    path = vary(tmp_path, scenario(), "")
    path.write_text(path.read_text().replace("scene.xosc", "gone.xosc"))
    with pytest.raises(FileNotFoundError, match=r"names 'gone.xosc', which does not exist"):
        read_variation(path)


def test_folders_without_scenarios_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="no scenarios there"):
        expand([tmp_path])
    with pytest.raises(FileNotFoundError, match="does not exist"):
        expand([tmp_path / "gone"])
