"""Training of the texture GAN: its data, its measure, exact resume, and that it learns."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from configs.schema import GanTraining
from sim.painting.gan import load_generators
from sim.painting.gan_data import SKY_PX, TILE_PX, TileKind, example_skies, example_tiles
from sim.painting.gan_quality import distances, held_out, sliced_wasserstein
from sim.painting.gan_training import CARD, CHECKPOINT, Trainer, train_gan

TINY = GanTraining(steps=2, batch=4, learning_rate=1e-3, examples=3, checkpoint_every=1)


@pytest.mark.parametrize("kind", list(TileKind))
def test_examples_depend_on_seed_and_index_only(kind):
    few, many = example_tiles(kind, 1, 5), example_tiles(kind, 2, 5)
    assert few.shape == (1, 3, TILE_PX, TILE_PX) and float(few.abs().max()) <= 1.0
    assert torch.equal(few[0], many[0]) and not torch.equal(many[0], many[1])
    assert not torch.equal(example_tiles(kind, 1, 6), few)


def test_skies_are_views_of_the_size_they_say():
    skies = example_skies(2, 5)
    assert skies.shape == (2, 3, *SKY_PX)
    assert torch.equal(example_skies(1, 5)[0], skies[0])


@pytest.mark.parametrize("kind", list(TileKind))
def test_examples_wrap_around(kind):
    for tile in example_tiles(kind, 6, 1):
        for axis in (1, 2):
            inside = tile.diff(dim=axis).abs().mean(dim=(0, 3 - axis))
            edge = (tile.select(axis, 0) - tile.select(axis, -1)).abs().mean()
            assert edge <= 1.5 * inside.max() + 0.01


def test_distance_is_zero_for_the_same_and_grows_with_difference():
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(16, 3, 64, 64, generator=generator) * 0.3 for _ in range(2))
    same, shifted = sliced_wasserstein(first, second), sliced_wasserstein(first, second + 0.3)
    blurred = torch.nn.functional.avg_pool2d(second, 3, stride=1, padding=1)
    assert same < 0.05 < sliced_wasserstein(first, blurred)
    assert shifted > 4 * same
    with pytest.raises(ValueError, match="shapes"):
        sliced_wasserstein(first, second[:3])


def _bytes(folder: Path) -> bytes:
    return (folder / "gan.safetensors").read_bytes()


@pytest.mark.slow
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    figures = []
    Trainer(TINY, seed=1).run(whole, None, figures.append)
    Trainer(TINY.model_copy(update={"steps": 1}), seed=1).run(part, None, lambda _: None)
    assert _bytes(whole) != _bytes(part)
    Trainer(TINY, seed=1).run(part, part, lambda _: None)
    assert _bytes(whole) == _bytes(part)
    assert figures[-1]["step"] == 2 and figures[-1]["tiles/generator_loss"] > 0.0
    state = torch.load(part / CHECKPOINT, weights_only=True)
    assert state["step"] == 2
    assert not list(part.glob("*.part"))
    _refuses_bad_checkpoints(part)


def _refuses_bad_checkpoints(run: Path) -> None:
    with pytest.raises(ValueError, match="seed 1, not 2"):
        Trainer(TINY, seed=2).run(run, run, lambda _: None)
    with pytest.raises(ValueError, match="batch 4, not 2"):
        Trainer(TINY.model_copy(update={"batch": 2}), seed=1).run(run, run, lambda _: None)
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        Trainer(TINY, seed=1).run(run, run / "nowhere", lambda _: None)
    checkpoint = run / CHECKPOINT
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a readable checkpoint") as error:
        Trainer(TINY, seed=1).run(run, run, lambda _: None)
    assert str(checkpoint) in str(error.value) and "\n" not in str(error.value)


def _train_as_rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    trainer = Trainer(TINY.model_copy(update={"steps": 1}), seed=1)
    trainer.run(Path(folder) / "run", None, lambda _: None)
    flat = torch.cat([p.detach().flatten() for painter in trainer.painters for p in painter.generator.parameters()])
    torch.save(flat, f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_ranks_stay_equal_and_only_the_first_one_writes(tmp_path: Path):
    mp.spawn(_train_as_rank, args=(str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    assert torch.equal(first, second)
    untouched = Trainer(TINY, seed=1)
    start = torch.cat([p.detach().flatten() for painter in untouched.painters for p in painter.generator.parameters()])
    assert not torch.equal(first, start)
    load_generators(tmp_path / "run" / "gan.safetensors")


@pytest.mark.slow
def test_a_short_run_learns(tmp_path: Path):
    """A few steps bring the painted tiles much nearer to held-out ones than untrained generators are."""
    config = GanTraining(steps=24, batch=8, learning_rate=1e-3, examples=12, checkpoint_every=24)
    trainer = Trainer(config, seed=0)
    tiles, sky = (painter.generator for painter in trainer.painters)
    reference = held_out(seed=0, count=12)
    before = distances(tiles, sky, reference)
    trainer.run(tmp_path, None, lambda _: None)
    after = distances(*load_generators(tmp_path / "gan.safetensors"), reference)
    assert sum(after.values()) < 0.7 * sum(before.values()), (before, after)


@pytest.mark.slow
def test_train_gan_writes_weights_and_a_measured_card(tmp_path: Path):
    config = TINY.model_copy(update={"steps": 1})
    path = train_gan(config, tmp_path, 3, None, lambda _: None)
    load_generators(path)
    card = (tmp_path / CARD).read_text(encoding="utf-8")
    assert all(f"| {name} |" in card for name in ("facade", "grass", "asphalt", "foliage", "sky"))
    assert "| seed | 3 |" in card
