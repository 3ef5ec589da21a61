"""The texture GAN: what it paints, how it loads, and that its pictures wrap around."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sim.painting.gan import (
    FORMAT,
    REPEAT_SKY,
    REPEAT_TILE,
    SHIPPED_WEIGHTS,
    gan_textures,
    load_generators,
    save_generators,
    sky_generator,
    tile_generator,
)
from sim.painting.gan_data import SKY_PX, TILE_PX, TileKind

FIELDS = ("facade", "grass", "asphalt", "foliage", "sky")


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory):
    """Untrained generators, with their attention switched on so that it is tried as well."""
    torch.manual_seed(3)
    tiles, sky = tile_generator(), sky_generator()
    for network in (tiles, sky):
        network.attention.gain.data.fill_(0.7)
    path = tmp_path_factory.mktemp("gan") / "random.safetensors"
    save_generators(tiles, sky, path)
    return path


def test_shapes_and_sizes(random_weights):
    textures = gan_textures(random_weights, 2, 0)
    side = REPEAT_TILE * TILE_PX
    assert textures.facade.shape == (2, 2 * side, 2 * side, 3) and textures.openings.shape == (2, 1, 1, 4)
    for name in FIELDS[1:4]:
        assert getattr(textures, name).shape == (2, side, side, 3)
    assert textures.sky.shape == (2, 2 * SKY_PX[0], REPEAT_SKY * SKY_PX[1], 3)
    assert all(getattr(textures, name).dtype == torch.uint8 for name in FIELDS)


def test_a_variant_is_the_same_alone_and_among_others(random_weights):
    few, many = gan_textures(random_weights, 1, 7), gan_textures(random_weights, 3, 7)
    again = gan_textures(random_weights, 3, 7)
    for name in FIELDS:
        assert torch.equal(getattr(few, name)[0], getattr(many, name)[0])
        assert torch.equal(getattr(many, name), getattr(again, name))
        assert not torch.equal(getattr(many, name)[0], getattr(many, name)[1])
    other = gan_textures(random_weights, 1, 8)
    assert not torch.equal(other.facade, few.facade)


def test_threads_and_the_global_random_state_do_not_matter(random_weights):
    one = gan_textures(random_weights, 1, 7)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(2)
    torch.manual_seed(99)
    two = gan_textures(random_weights, 1, 7)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
    assert all(torch.equal(getattr(one, name), getattr(two, name)) for name in FIELDS)


def test_the_network_commutes_with_a_shift_around_the_edges(random_weights):
    """Canvas and noise shifted by one coarse cell shift the picture by 16 pixels, edges included: no seam."""
    tiles, sky = load_generators(random_weights)
    for network, axes in ((tiles, (2, 3)), (sky, (3,))):
        kind = torch.zeros(1, dtype=torch.long)
        latent, noise = network.draw_inputs(kind, torch.Generator().manual_seed(1), (1, 2))
        with torch.inference_mode():
            straight = network(latent, kind, noise)
            for axis in axes:
                canvas = network.canvas.data.clone()
                network.canvas.data = canvas.roll(1, axis)
                shifted = network(latent, kind, [n.roll(1 << level, axis) for level, n in enumerate(noise)])
                network.canvas.data = canvas
                assert torch.allclose(straight.roll(16, axis), shifted, atol=2e-5)


def _steps(image, axis):
    """Mean absolute step between neighbouring rows or columns inside (n - 1,) and across the edge."""
    inside = image.diff(dim=axis).abs().mean(dim=[d for d in range(3) if d != axis])
    edge = (image.select(axis, 0) - image.select(axis, -1)).abs().mean()
    return inside, edge


@pytest.mark.skipif(not SHIPPED_WEIGHTS.exists(), reason="the shipped weights have not been trained yet")
def test_shipped_textures_have_no_seam():
    textures = gan_textures(None, 6, 0)
    for name in FIELDS:
        for image in getattr(textures, name).float():
            for axis in (1,) if name == "sky" else (0, 1):
                inside, edge = _steps(image, axis)
                assert edge <= 1.5 * inside.max() + 1.0, (name, axis)


@pytest.mark.skipif(not SHIPPED_WEIGHTS.exists(), reason="the shipped weights have not been trained yet")
def test_shipped_textures_differ_and_have_their_colours():
    textures = gan_textures(None, 8, 0)
    grass, foliage, sky = (getattr(textures, name).float().mean((0, 1, 2)) for name in ("grass", "foliage", "sky"))
    assert grass[1] > grass[2] + 20 and foliage[1] > foliage[2] + 20
    assert sky[2] > sky[0]
    colors = textures.facade.float().mean((1, 2))
    assert torch.pdist(colors).min() > 2.0, "two façades of eight have the same colour"
    assert SHIPPED_WEIGHTS.stat().st_size < 3 * 2**20


def test_only_the_classes_asked_for_are_painted(random_weights):
    tiles, _ = load_generators(random_weights)
    latent, noise = tiles.draw_inputs(torch.arange(len(TileKind)), torch.Generator().manual_seed(0))
    latent, noise = latent[:1].expand_as(latent), [n[:1].expand_as(n) for n in noise]
    with torch.inference_mode():
        pictures = tiles(latent, torch.arange(len(TileKind)), noise)
    assert torch.pdist(pictures.flatten(1)).min() > 1.0


def _one_line(error, path):
    text = str(error.value)
    assert "\n" not in text and str(path) in text and "roadloop train gan" in text
    return text


def test_bad_weights_are_one_clear_line(random_weights, tmp_path: Path):
    missing = tmp_path / "missing.safetensors"
    with pytest.raises(FileNotFoundError) as error:
        gan_textures(missing, 1, 0)
    _one_line(error, missing)

    truncated = tmp_path / "truncated.safetensors"
    truncated.write_bytes(random_weights.read_bytes()[:5000])
    noise = tmp_path / "noise.safetensors"
    noise.write_bytes(b"this is no safetensors file at all, not even nearly")
    empty = tmp_path / "empty.safetensors"
    empty.write_bytes(b"")
    for path in (truncated, noise, empty):
        with pytest.raises(ValueError) as error:
            gan_textures(path, 1, 0)
        _one_line(error, path)


def test_weights_of_another_network_are_refused(random_weights, tmp_path: Path):
    tensors = load_file(random_weights)
    other = tmp_path / "other.safetensors"
    save_file(tensors, other)
    with pytest.raises(ValueError, match="format") as error:
        load_generators(other)
    _one_line(error, other)

    name = "tiles.canvas"
    for wrong in (tensors[name][:, :3].clone(), torch.full_like(tensors[name], float("nan")), None):
        changed = {k: v for k, v in tensors.items() if k != name} | ({name: wrong} if wrong is not None else {})
        save_file(changed, other, metadata={"format": FORMAT})
        with pytest.raises(ValueError) as error:
            load_generators(other)
        _one_line(error, other)


def test_no_variants_is_an_error(random_weights):
    with pytest.raises(ValueError, match="variants 0"):
        gan_textures(random_weights, 0, 0)
