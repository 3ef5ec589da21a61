"""docs/scenarios.md says what the reader does: its example reads, its tables hold every word there is."""

import re
from pathlib import Path

import pytest

from sim.scenarios.places import PLACES
from sim.scenarios.player import Player
from sim.scenarios.reading import network_of
from sim.scenarios.suites import sweep
from sim.scenarios.values import Draw
from sim.scenarios.yaml_actions import ACTIONS
from sim.scenarios.yaml_actors import KINDS
from sim.scenarios.yaml_criteria import CRITERIA
from sim.scenarios.yaml_scenarios import KEYS, read_yaml
from sim.scenarios.yaml_triggers import CONDITIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def test_the_example_reads_and_plays(tmp_path):
    path = tmp_path / "example.yaml"
    path.write_text(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1], encoding="utf-8")
    scenario = read_yaml(path, Draw(1))
    assert len(scenario.criteria) == 3
    player = Player(scenario, Draw(1), network_of(scenario, Draw(1)), 0.05)
    for _ in range(300):
        player.step()
    ego, cutter = (player.entities.index(name) for name in ("ego", "cutter"))
    assert int(player.state.lane[0, cutter]) == int(player.state.lane[0, ego])
    assert int(sweep(path).allowed.sum()) > 100


@pytest.mark.parametrize(
    "words", [PLACES, CONDITIONS, ACTIONS, KINDS, CRITERIA, KEYS], ids=lambda part: next(iter(part))
)
def test_every_word_is_on_the_page(words):
    missing = [word for word in words if not re.search(rf"(?<![\w]){word}(?![\w])", PAGE)]
    assert not missing
