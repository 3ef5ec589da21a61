import itertools
import json

import pytest
import torch
from safetensors.torch import save_file

from agents.ppo import HEADER_KEY, PolicyMlp, PpoAgent, load_policy, policy_header, save_policy
from sim.observe import OBSERVATION_SIZE


def layers(seed=0, sizes=(OBSERVATION_SIZE, 32, 16, 2)):
    generator = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(b, a, generator=generator) * a**-0.5, torch.randn(b, generator=generator) * 0.1)
        for a, b in itertools.pairwise(sizes)
    ]


def test_saved_and_loaded_policies_are_equal(tmp_path):
    made = layers()
    save_policy(tmp_path / "a.safetensors", made, {"steps": 7})
    for (weight, bias), (weight_read, bias_read) in zip(made, load_policy(tmp_path / "a.safetensors"), strict=True):
        assert torch.equal(weight, weight_read) and torch.equal(bias, bias_read)
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_row_s_answer_does_not_depend_on_the_batch():
    policy = PolicyMlp(layers())
    rows = torch.randn(257, OBSERVATION_SIZE)
    together = policy(rows)
    for i in (0, 1, 100, 255, 256):
        assert torch.equal(policy(rows[i : i + 1])[0], together[i])
    assert torch.allclose(together, policy._forward(rows), atol=1e-5)


def test_the_agent_drives_the_same_alone_and_in_a_batch(scene, row, tmp_path):
    save_policy(tmp_path / "a.safetensors", layers(), {})
    percept, route, ego = scene(9)
    batch, alone = PpoAgent.load(tmp_path / "a.safetensors", 9), PpoAgent.load(tmp_path / "a.safetensors", 1)
    everyone = torch.ones(9, dtype=torch.bool)
    batch.reset(everyone, torch.arange(9))
    alone.reset(everyone[:1], torch.arange(1))
    for _ in range(3):  # the last action is remembered
        together = batch.act(percept, route, ego)
        one = alone.act(row(percept, 4), row(route, 4), row(ego, 4))
        assert torch.equal(one.accel_mps2[0], together.accel_mps2[4])
        assert torch.equal(one.steer_rad[0], together.steer_rad[4])


def bad_files(folder):
    good = {f"layer{i}.{n}": t for i, pair in enumerate(layers()) for n, t in zip(("weight", "bias"), pair)}
    header = {HEADER_KEY: json.dumps(policy_header())}
    narrow = {f"layer{i}.{n}": t for i, p in enumerate(layers(sizes=(9, 8, 2))) for n, t in zip(("weight", "bias"), p)}
    other = {HEADER_KEY: json.dumps(policy_header() | {"observation_version": 0})}
    nan = good | {"layer1.bias": torch.full((16,), torch.nan)}
    missing = {name: tensor for name, tensor in good.items() if name != "layer1.weight"}
    save_file(good, folder / "no_header.safetensors")
    save_file(narrow, folder / "narrow.safetensors", header)
    save_file(good, folder / "other.safetensors", other)
    save_file(nan, folder / "nan.safetensors", header)
    save_file(missing, folder / "missing.safetensors", header)
    whole = (folder / "other.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.safetensors").write_bytes(b"")
    (folder / "text.safetensors").write_text("not a tensor in sight " * 20)


@pytest.mark.parametrize(
    "name, says",
    [
        ("no_header", "header has no"),
        ("narrow", "layer 0 is missing or does not fit"),
        ("other", "observation_version is 0"),
        ("nan", "layer 1 is not finite"),
        ("missing", "layer 1 is missing or does not fit"),
        ("cut", "not an agent's weights"),
        ("empty", "not an agent's weights"),
        ("text", "not an agent's weights"),
    ],
)
def test_files_that_hold_no_usable_policy_are_refused_in_one_line(tmp_path, name, says):
    bad_files(tmp_path)
    with pytest.raises(ValueError, match=says) as error:
        load_policy(tmp_path / f"{name}.safetensors")
    assert "\n" not in str(error.value)
    assert str(tmp_path / f"{name}.safetensors") in str(error.value)
