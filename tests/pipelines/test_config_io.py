"""The configuration tree: precedence, round trip, and errors that help."""

import pytest

from configs.schema import Experiment
from pipelines.config_io import PRESETS, experiment_yaml, load_experiment


def test_later_sources_win(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("sim:\n  actors: 7\n  pedestrians: 2\nseed: 5\n")
    base = {"sim.actors": 3, "sim.route_m": 99.0, "weather": "fog"}
    found = load_experiment(file, ["sim.pedestrians=1"], {"seed": 9, "weather": None}, base)
    assert (found.sim.actors, found.sim.pedestrians, found.seed, found.sim.route_m) == (7, 1, 9, 99.0)
    assert found.weather == "fog"


def test_resolved_tree_reads_back_the_same(tmp_path):
    first = load_experiment(None, ["sim.actors=9", "evaluate.agents=[random]", "road.kind=highway"])
    file = tmp_path / "config.yaml"
    file.write_text(experiment_yaml(first))
    assert load_experiment(file) == first


@pytest.mark.parametrize("preset", sorted(PRESETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_presets_are_valid_and_change_something(preset):
    assert load_experiment(preset) != Experiment()


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        ("sim.wordls=3", ["sim.wordls", "sim.worlds"]),
        ("worlds=3", ["worlds", "sim.worlds"]),
        ("sim.worlds=-3", ["sim.worlds", "-3", "greater than or equal to 1"]),
        ("weather=sleet", ["weather", "sleet", "clear", "fog", "dusk"]),
        ("weather={claud: 1}", ["weather.claud", "weather.cloud"]),
        ("weather=[{cloud: 0}, {cloud: 2, at_s: 5}]", ["weather.1.cloud", "2", "less than or equal to 1"]),
        ("road.kind=canal", ["road.kind", "canal", "highway"]),
        ("sim.dt_s=fast", ["sim.dt_s", "fast"]),
        ("seed.x=1", ["seed"]),
        ("nonsense", ["nonsense", "key=value"]),
        ("evaluate.first_seed=5", ["evaluate.first_seed", "1000000"]),
    ],
)
def test_errors_name_key_value_and_what_is_allowed(assignment, parts):
    with pytest.raises(ValueError) as caught:
        load_experiment(None, [assignment])
    assert all(part in str(caught.value) for part in parts), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"), [("a: [1\n", "line"), ("- 1\n", "list"), ("sim: 3\n", "sim"), ("actors: 3\n", "sim.actors")]
)
def test_broken_files_are_named(tmp_path, text, part):
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    with pytest.raises(ValueError) as caught:
        load_experiment(file)
    assert str(file) in str(caught.value) and part in str(caught.value)


def test_missing_file_lists_presets(tmp_path):
    with pytest.raises(FileNotFoundError, match="smoke"):
        load_experiment(tmp_path / "absent.yaml")
