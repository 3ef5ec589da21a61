"""Tiny OpenDRIVE files for tests, written as text."""

from sim.mapfiles.opendrive import read_opendrive

HEADER = '<header revMajor="1" revMinor="6"/>'
LINE = '<geometry s="0" x="0" y="0" hdg="0" length="100"><line/></geometry>'


def lane(id, kind="driving", width='<width sOffset="0" a="3" b="0" c="0" d="0"/>', rest=""):
    return f'<lane id="{id}" type="{kind}">{width}{rest}</lane>'


def section(s=0, left=(1,), right=(-1,), rest=""):
    sides = [("left", left), ("right", right)]
    lanes = "".join(f"<{side}>{''.join(lane(id, rest=rest) for id in ids)}</{side}>" for side, ids in sides if ids)
    return f'<laneSection s="{s}"><center>{lane(0, "none", "")}</center>{lanes}</laneSection>'


def road(
    id="1", geometry=LINE, lanes=None, length=100, attributes="", extra="", before_sections="", junction="-1", after=""
):
    return (
        f'<road id="{id}" junction="{junction}" length="{length}" {attributes}>{extra}<planView>{geometry}</planView>'
        f"<lanes>{before_sections}{lanes or section()}</lanes>{after}</road>"
    )


def line(x, y, heading=0.0, length=100):
    return f'<geometry s="0" x="{x}" y="{y}" hdg="{heading}" length="{length}"><line/></geometry>'


def read(tmp_path, body, name="map.xodr", header=HEADER):
    path = tmp_path / name
    path.write_text(f'<?xml version="1.0"?><OpenDRIVE>{header}{body}</OpenDRIVE>')
    return read_opendrive(path)
