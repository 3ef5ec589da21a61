"""The soak: what it counts, on a short run, and that it sees what it must not miss."""

import json
from pathlib import Path

import pytest
import torch

from pipelines.cli import main
from pipelines.config_io import load_experiment
from pipelines.soak import Watch, soak_simulator
from sim.roadgen.generate import generate_road


@pytest.fixture
def watch() -> Watch:
    experiment = load_experiment(None, [], {}, {"sim.actors": 8, "sim.pedestrians": 2})
    return Watch(soak_simulator([generate_road("town", 0)], experiment, 2))


def test_a_short_soak_writes_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "soak.json"
    main(["soak", "--hours", "0.02", "--worlds", "2", "--json", str(file), "--set", "sim.actors=8"])
    figures = json.loads(file.read_text())
    assert figures["worlds"] == 2 and figures["off_lane"] == 0 and figures["km"] > 0.1
    assert figures["collisions"] == sum(figures["collisions_by_place"].values())
    assert sum(row["worlds"] for row in figures["maps"]) == 2
    assert "per 10,000 km" in capsys.readouterr().out


def test_a_collision_is_counted_once_with_its_place(watch: Watch) -> None:
    state = watch.simulator.state
    state.collided[1, 2:4] = True
    state.collided_with[1, 2], state.collided_with[1, 3] = 3, 2
    watch._count()
    watch._count()  # still touching: no new collision
    assert len(watch.events) == 1 and sum(watch.by_place.values()) == 1
    assert {actor["actor"] for actor in watch.events[0]["actors"]} == {2, 3}


def test_who_does_not_move_for_five_minutes_is_stuck(watch: Watch) -> None:
    state = watch.simulator.state
    watch.minutes = 1
    state.tick += 2999
    watch._check()
    assert float(watch.stuck_minutes.sum()) == 0.0
    state.tick += 1
    watch._check()
    assert watch.stuck_minutes.tolist() == [1.0, 1.0]
    state.xy_world_m += 3.0
    watch._check()
    assert watch.stuck_minutes.tolist() == [1.0, 1.0]


def test_nan_and_lost_vehicles_are_noticed(watch: Watch) -> None:
    state = watch.simulator.state
    vehicle = int(state.valid[0, 1:6].nonzero()[0]) + 1
    state.xy_world_m[0, vehicle] += 10.0
    watch._check()
    assert watch.off_lane.tolist() == [1, 0]
    state.speed_mps[0, vehicle] = torch.nan
    with pytest.raises(FloatingPointError, match="speed_mps"):
        watch._check()


def test_nonsense_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["soak", "--hours", "0"])
    assert "hours > 0" in capsys.readouterr().err
