"""Run folders and files: refused early, written whole, never mixed."""

import json
import os

import pytest

from configs.schema import Experiment, SimConfig
from pipelines.runs import claim, prepare_folder, run_folder, write_json, write_text, written_whole


def test_failed_write_leaves_the_old_file(tmp_path):
    file = tmp_path / "figures.json"
    write_json(file, {"a": 1})
    with pytest.raises(ValueError):
        write_json(file, {"a": float("nan")})
    with pytest.raises(RuntimeError), written_whole(file) as part:
        part.write_text("half")
        raise RuntimeError
    assert json.loads(file.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["figures.json"]


def test_folder_below_a_file_is_refused_and_nothing_is_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"):
        prepare_folder(tmp_path / "file" / "run")
    assert os.listdir(tmp_path) == ["file"]


def test_failed_job_leaves_no_empty_folders(tmp_path):
    with pytest.raises(ValueError), run_folder(tmp_path / "a" / "b"):
        raise ValueError
    assert not (tmp_path / "a").exists()
    with pytest.raises(ValueError), run_folder(tmp_path / "a" / "b") as folder:
        write_text(folder / "kept.txt", "x")
        raise ValueError
    assert (tmp_path / "a" / "b" / "kept.txt").exists()


def test_folder_of_other_settings_is_refused(tmp_path):
    first, second = Experiment(), Experiment(sim=SimConfig(actors=5))
    claim(first, tmp_path, ("images",))
    claim(first.model_copy(update={"workers": 3}), tmp_path, ("images",))  # the same job with more workers
    with pytest.raises(ValueError, match="other settings"):
        claim(second, tmp_path, ("images",))


def test_folder_of_another_origin_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(ValueError, match="another origin"):
        claim(Experiment(), tmp_path, ("images",))
    assert not (tmp_path / "config.yaml").exists()
