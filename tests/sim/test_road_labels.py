"""Labels of the road against a straight one in closed form: bits from above and in the image, lines as polylines."""

import math

import numpy as np
import pytest
import torch
from tiny_maps import LINE, lane, read
from tiny_scene import TEXTURES, Actor, bare, make_world, nobody

from configs.schema import CameraConfig
from sim.rendering.camera import camera_from_config
from sim.rendering.render import Renderer
from sim.rendering.road_labels import RoadLabeller
from sim.rendering.scenery import build_scenery
from sim.rendering.weather import weather_by_name
from sim.roads.lanegraph import compile_lanes
from sim.types import ActorKind, GroundTruth, RoadBit, RoadLabels

WIDE, HIGH = 160, 96
DASHED = '<roadMark sOffset="0" type="broken" color="yellow" width="0.5"><type name="b" width="0.5">'
DASHED += '<line length="4" space="6" tOffset="0" sOffset="0" width="0.5"/></type></roadMark>'
SOLID = '<roadMark sOffset="0" type="solid" color="white" width="0.5"/>'
ZEBRA = '<objects><object id="z" type="crosswalk" s="50" t="0" zOffset="0" hdg="0" length="3" width="6"><outline>'
ZEBRA += "".join(f'<cornerLocal u="{u}" v="{v}" z="0"/>' for u, v in ((-1.5, -3), (1.5, -3), (1.5, 3), (-1.5, 3)))
ZEBRA += "</outline></object></objects>"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A road along x, 0..100, with a lane of 3 m on each side and a dashed line between, solid ones at its edges."""
    sides = [("left", 1), ("right", -1)]
    lanes = "".join(f"<{side}>{lane(id, rest=SOLID)}</{side}>" for side, id in sides)
    middle = f'<center><lane id="0" type="none">{DASHED}</lane></center>'
    left, right = lanes.split("<right>")
    body = f'<road id="1" junction="-1" length="100"><planView>{LINE}</planView><lanes><laneSection s="0">'
    body += f"{left}{middle}<right>{right}</laneSection></lanes>{ZEBRA}</road>"
    return read(tmp_path_factory.mktemp("road"), body)


def labelled(network, actors: list[Actor], ego=(20.0, -1.5, 0.0)) -> tuple[GroundTruth, RoadLabels]:
    world, state = make_world([actors], ego)
    world.lanes, count = compile_lanes([network]), world.kind.shape[1]
    own = int((world.lanes.yaw_world_rad[world.lanes.sample_first[:-1].long()].cos() > 0).nonzero()[0, 0])
    state.path_lane = torch.zeros(1, count, 4, dtype=torch.int32)
    state.path_valid = torch.zeros(1, count, 4, dtype=torch.bool)
    state.path_lane[0, 0, 0], state.path_valid[0, 0, 0] = own, True
    camera = camera_from_config(CameraConfig(width_px=WIDE, height_px=HIGH, pitch_deg=0.0))
    renderer = Renderer(bare(build_scenery([network], 0)), TEXTURES, camera, 1, count)
    _, truth = renderer.render(world, state, weather_by_name("clear", 1, world.seed), *nobody(1, count - 1))
    return truth, RoadLabeller([network], world.lanes, camera, 1).label(truth, world, state)


def bits_of_the_road(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The bits of points of the road above, and which points lie so near to an edge that either side is right."""
    bits = np.where(np.abs(y) < 3.0, int(RoadBit.DRIVABLE), 0)
    bits |= np.where((y < 0.0) & (y > -3.0), int(RoadBit.EGO_LANE), 0)
    bits |= np.where((np.abs(y) < 0.25) & (x % 10.0 < 4.0) | (np.abs(np.abs(y) - 3.0) < 0.25), int(RoadBit.LINE), 0)
    bits |= np.where((np.abs(x - 50.0) < 1.5) & (np.abs(y) < 3.0), int(RoadBit.CROSSWALK), 0)
    return np.where((x > 0.0) & (x < 100.0), bits, 0)


@pytest.mark.parametrize("yaw", [0.0, 0.4])
def test_from_above_cells_tell_what_their_middle_is(network, yaw: float):
    _, labels = labelled(network, [], (20.0, -1.5, yaw))
    row, column = np.mgrid[:200, :200]
    ahead, left = 40.0 - (row + 0.5) * 0.25, 25.0 - (column + 0.5) * 0.25
    x = 20.0 + math.cos(yaw) * ahead - math.sin(yaw) * left
    y = -1.5 + math.sin(yaw) * ahead + math.cos(yaw) * left
    got, want = labels.bird[0].numpy(), bits_of_the_road(x, y)
    for bit, share in (
        (RoadBit.LINE, 0.999),
        (RoadBit.CROSSWALK, 0.999),
        (RoadBit.DRIVABLE, 0.98),
        (RoadBit.EGO_LANE, 0.98),
    ):
        inside = (want & bit) > 0
        assert inside.any()
        assert (((got & bit) > 0) == inside)[inside].mean() > share, bit
        assert (((got & bit) > 0) & ~inside).sum() < 0.02 * inside.sum() + 1, bit


def test_pixels_of_the_road_tell_what_is_seen_there(network):
    truth, labels = labelled(network, [Actor(ActorKind.CAR, 55.0, -1.5)], (37.0, -1.5, 0.0))
    v, u = np.mgrid[:HIGH, :WIDE] + 0.5
    depth = 1.5 / np.maximum((v - HIGH / 2) / (WIDE / 2), 1e-9)
    x, y = 38.6 + depth, -1.5 - depth * (u - WIDE / 2) / (WIDE / 2)
    road = truth.semantic[0, 0].numpy() == 7
    got = labels.seen[0, 0].numpy()
    assert (got[~road] == 0).all()
    near = road & (depth < 35.0)
    assert (got == bits_of_the_road(x, y))[near].mean() > 0.98
    assert ((got & RoadBit.CROSSWALK) > 0).any() and ((got & RoadBit.LINE) > 0).any()


def test_lines_are_polylines_on_the_road_that_things_hide(network):
    truth, labels = labelled(network, [Actor(ActorKind.TRUCK, 34.0, -2.5)])
    count = int(labels.valid[0].any(1).sum())
    assert count == 3
    for k in range(count):
        points = labels.line_ego_m[0, k][labels.valid[0, k]]
        y = float(points[0, 1]) - 1.5
        assert (points[:, 2].abs() < 1e-4).all() and (points[:, 1] - points[0, 1]).abs().max() < 1e-4
        assert points[:, 0].min() >= 0.0 and points[:, 0].max() <= 60.0 and len(points) >= 59
        assert min(abs(y), abs(y - 3.0), abs(y + 3.0)) < 1e-4
        assert bool(labels.line_solid[0, k]) == (abs(y) > 1.0) and bool(labels.line_yellow[0, k]) == (abs(y) < 1.0)
    visible = labels.line_visible[0, 0]
    uv = labels.line_px[0, 0][visible].long()
    assert (truth.semantic[0, 0][uv[:, 1], uv[:, 0]] != 27).float().mean() > 0.97
    right = (labels.line_ego_m[0, :, 0, 1] + 1.5).abs() < 1e-3
    behind = labels.line_ego_m[0, right, :, 0] > 22.0
    inside = (labels.line_px[0, 0, right] > 0).all(-1)
    assert behind.any() and not visible[right][behind & inside][:8].any()
    at = labels.line_ego_m[0, 0, 20]
    torch.testing.assert_close(
        labels.line_px[0, 0, 0, 20], torch.stack([80 - 80 * at[1] / (at[0] - 1.6), 48 + 80 * 1.5 / (at[0] - 1.6)])
    )


def test_without_lines_there_are_none(tmp_path):
    body = f'<road id="1" junction="-1" length="100"><planView>{LINE}</planView><lanes><laneSection s="0"><center>'
    body += f"{lane(0, 'none', '')}</center><right>{lane(-1)}</right></laneSection></lanes></road>"
    _, labels = labelled(read(tmp_path, body), [])
    assert not labels.valid.any() and (labels.bird & RoadBit.LINE == 0).all() and (labels.bird > 0).any()
