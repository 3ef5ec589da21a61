"""The command line: starts light, and answers bad input with one line, exit code 2 and nothing written."""

import os
import subprocess
import sys

import pytest

ENTITY_BOMB = """<?xml version="1.0"?>
<!DOCTYPE OpenDRIVE [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>
<OpenDRIVE><header revMajor="1" revMinor="4" name="&d;"/></OpenDRIVE>"""
TRUNCATED = '<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4"/><road id="1" length="10">'
OTHER_XML = '<?xml version="1.0"?><note><to>you</to></note>'


def assert_refused(ran, *parts):
    assert ran.code == 2
    assert len(ran.error_lines) == 1, ran.err
    assert "Traceback" not in ran.err
    assert all(part in ran.error_lines[0] for part in parts), ran.error_lines[0]


def test_help_loads_no_heavy_package():
    heavy = "torch warp ray cv2 plotly gymnasium"
    code = (
        "import sys\nfrom pipelines.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as stop:\n    assert not stop.code\n"
        f"loaded = set('{heavy}'.split()) & set(sys.modules)\nassert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("drive", "render", "train", "evaluate", "map", "bench"))


@pytest.mark.parametrize("command", ["drive", "render", "train", "evaluate", "map", "bench"])
def test_every_command_has_help(roadloop, command):
    ran = roadloop(command, "--help")
    assert ran.code == 0 and f"roadloop {command}" in ran.out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["fly"], ["fly", "drive"]),
        (["drive", "--colour", "red"], ["--colour"]),
        (["train", "everything"], ["everything", "detector"]),
        (["drive", "--set", "sim.wordls=3"], ["sim.wordls", "sim.worlds"]),
        (["bench", "sim", "--worlds", "-4"], ["sim.worlds", "-4"]),
        (["bench", "sim", "--set", "sim.worlds=-4"], ["sim.worlds", "-4"]),
        (["render", "--scenes", "-1"], ["render.scenes", "-1"]),
        (["render", "--scenes", "10", "--seed", "999995"], ["999995", "held-out"]),
        (["render", "--workers", "-2"], ["workers", "-2"]),
        (["drive", "--seconds", "0"], ["sim.seconds"]),
        (["drive", "--weather", "sleet"], ["weather", "sleet"]),
        (["drive", "--road", "canal"], ["road.kind", "canal"]),
        (["drive", "--road", "town", "--map", "x.xodr"], ["--map", "--road"]),
        (["drive", "--config", "absent.yaml"], ["absent.yaml", "smoke"]),
        (["drive", "--config", "smoke", "--agent", "nobody"], ["agent", "nobody", "classical"]),
        (["drive", "--config", "smoke", "--agent", "classical", "--perception", "sonar"], ["sonar", "oracle"]),
        (["drive", "--map", "absent.xodr"], ["absent.xodr"]),
        (["map", "absent.xodr"], ["absent.xodr"]),
        (["train", "agent", "--resume", "absent"], ["absent"]),
        (["train", "detector", "--config", "smoke", "--set", "train.detector.data=absent"], ["absent", "annotations"]),
        (["evaluate", "agent", "--config", "smoke", "--set", "evaluate.agents=[nobody]"], ["nobody"]),
        (["evaluate", "detector", "--config", "smoke", "--set", "evaluate.detector=absent.safetensors"], ["absent"]),
        (["bench", "sim", "--device", "abacus"], ["abacus"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_and_nothing_written(roadloop, tmp_path, monkeypatch, arguments, parts):
    monkeypatch.chdir(tmp_path)
    assert_refused(roadloop(*arguments), *parts)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("command", [["drive", "--map"], ["map"]], ids=["drive", "map"])
@pytest.mark.parametrize(
    "text",
    [ENTITY_BOMB, TRUNCATED, OTHER_XML, "", "no xml at all"],
    ids=["bomb", "truncated", "other", "empty", "text"],
)
def test_broken_maps_are_named(roadloop, tmp_path, command, text):
    file = tmp_path / "broken.xodr"
    file.write_text(text)
    out = [] if command == ["map"] else ["--out", tmp_path / "run"]
    assert_refused(roadloop(*command, file, *out), "broken.xodr")
    assert os.listdir(tmp_path) == ["broken.xodr"]


@pytest.mark.parametrize("option", ["--agent", "--perception"])
def test_corrupt_weights_are_named(roadloop, tmp_path, option):
    file = tmp_path / "broken.safetensors"
    file.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00not a header at all")
    given = {"--agent": "classical", "--perception": "oracle"} | {option: file}
    arguments = [part for pair in given.items() for part in pair]
    assert_refused(roadloop("drive", "--config", "smoke", *arguments, "--out", tmp_path / "run"), "broken.safetensors")
    assert os.listdir(tmp_path) == ["broken.safetensors"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["drive", "--agent", "classical", "--perception", "oracle"],
        ["render"],
        ["train", "agent"],
        ["train", "gan"],
        ["evaluate", "agent"],
    ],
    ids=" ".join,
)
def test_unwritable_folder_is_refused_before_the_work(roadloop, tmp_path, arguments):
    (tmp_path / "file").write_text("")
    ran = roadloop(*arguments, "--config", "smoke", "--out", tmp_path / "file" / "run")
    assert_refused(ran, "output folder", "--out")
    assert os.listdir(tmp_path) == ["file"]


def test_debug_shows_where_an_error_came_from(roadloop):
    with pytest.raises(OSError, match=r"absent\.xodr"):
        roadloop("map", "absent.xodr", "--debug")
