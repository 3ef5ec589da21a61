"""Episodes saved in their middle go on bit for bit, whatever happened in between and wherever they are put back."""

from pathlib import Path

import pytest
import torch
from lane_graphs import ring, straight
from test_determinism import differences, drive, snapshot

from configs.schema import SimConfig
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.simulator import Simulator
from sim.snapshot import load_snapshot, save_snapshot
from sim.types import LaneGraph

CONFIG = SimConfig(actors=16, pedestrians=3, dynamics="dynamic", accel_lag_s=0.2)
WORLDS = 5


@pytest.fixture(scope="module")
def maps() -> LaneGraph:
    return compile_lanes([generate_road("town", 8), generate_road("rural", 9)])


def build(maps: LaneGraph, worlds: int = WORLDS, first_seed: int = 50, **config: object) -> Simulator:
    index = (torch.arange(worlds) % 2).int()
    return Simulator(maps, CONFIG.model_copy(update=config), torch.arange(worlds) + first_seed, index)


def shows(sim: Simulator) -> list[dict[str, torch.Tensor]]:
    return [snapshot(sim, world) for world in range(sim.worlds)]


def test_a_restored_batch_goes_on_bit_for_bit_whatever_happened_in_between(maps: LaneGraph, tmp_path: Path) -> None:
    sim = build(maps)
    drive(sim, 47)
    before, saved = shows(sim), sim.save()
    drive(sim, 61)
    after = shows(sim)
    sim.reset(torch.ones(WORLDS, dtype=torch.bool), torch.arange(WORLDS) + 900)  # other episodes
    sim.world.friction[:] = 0.3
    drive(sim, 13)
    sim.restore(saved)
    assert [differences(a, b) for a, b in zip(before, shows(sim), strict=True)] == [[]] * WORLDS
    drive(sim, 61)
    assert [differences(a, b) for a, b in zip(after, shows(sim), strict=True)] == [[]] * WORLDS
    # Into another simulator, by way of a file
    save_snapshot(saved, tmp_path / "five.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["five.safetensors"]
    other = build(maps, first_seed=7, seconds=90.0)
    drive(other, 3)
    other.restore(load_snapshot(tmp_path / "five.safetensors"))
    drive(other, 61)
    assert [differences(a, b) for a, b in zip(after, shows(other), strict=True)] == [[]] * WORLDS


def test_some_worlds_are_restored_while_others_run_on(maps: LaneGraph) -> None:
    sim = build(maps)
    drive(sim, 30)
    saved = sim.save([1, 4])
    drive(sim, 25)
    after = shows(sim)
    sim.restore(saved, [2, 0])  # worlds 1 and 4 go on a second time, elsewhere
    untouched = shows(sim)
    for world in (1, 3, 4):
        assert differences(untouched[world], after[world]) == []
    drive(sim, 25)
    again = shows(sim)
    assert differences(again[2], after[1]) == [] and differences(again[0], after[4]) == []


def test_snapshots_of_other_maps_settings_and_files_are_refused(maps: LaneGraph, tmp_path: Path) -> None:
    saved = build(maps).save()
    with pytest.raises(ValueError, match=r"holds 5 worlds, to be put into 3"):
        build(maps, 3).restore(saved)
    with pytest.raises(ValueError, match=r"sim\.dt_s was 0\.1 .* and is 0\.05 now"):
        build(maps, dt_s=0.05).restore(saved)
    config = SimConfig(actors=4, pedestrians=0)
    one, zero = torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int32)
    with pytest.raises(ValueError, match="other maps"):
        Simulator(straight(), config, one, zero).restore(Simulator(ring(), config, one, zero).save())
    with pytest.raises(ValueError, match=r"worlds must lie in 0\.\.4"):
        build(maps).save([5])
    with pytest.raises(ValueError, match="names one twice"):
        build(maps).restore(saved, [0, 0, 1, 2, 3])
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not tensors")
    with pytest.raises(ValueError, match=r"broken\.safetensors is not a readable"):
        load_snapshot(broken)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, broken)
    with pytest.raises(ValueError, match="is no snapshot"):
        load_snapshot(broken)
