"""`roadloop map --road KIND --export FILE`: generated roads as files that say the same."""

import pytest


def test_an_exported_road_has_the_lanes_of_the_generated_one(roadloop, tmp_path):
    file, first, again = (tmp_path / name for name in ("crossing-2.xodr", "first.csv", "again.csv"))
    told = roadloop("map", "--road", "crossing", "--seed", "2", "--export", file, "--csv", first, "--successors")
    assert told.code == 0, told.err
    read = roadloop("map", file, "--csv", again, "--successors")
    assert read.code == 0 and "OpenDRIVE 1.8" in read.out and "warnings     none" in read.out
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    "arguments", [[], ["x.xodr", "--road", "town"], ["x.xodr", "--seed", "1"], ["--road", "moon"]], ids=str
)
def test_what_to_describe_must_be_clear(roadloop, arguments):
    told = roadloop("map", *arguments)
    assert told.code == 2 and len(told.error_lines) == 1
    assert "--road KIND" in told.err or "use one of rural" in told.err
