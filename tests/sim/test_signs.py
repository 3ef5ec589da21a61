from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from tiny_scene import TEXTURES, StraightRoad, make_world, nobody

from configs.schema import CameraConfig
from sim.meshes.library import Model
from sim.meshes.street import Street
from sim.painting.signs import FACES, LIMITS_KMH, face_index, sign_faces
from sim.rendering.camera import camera_from_config
from sim.rendering.ground import rasterise_ground
from sim.rendering.planting import Items, Site
from sim.rendering.render import Renderer
from sim.rendering.scenery import Scenery, build_scenery
from sim.rendering.signs import add_sign, face_of, place_objects, place_signals, plate_of, signal_groups
from sim.rendering.weather import weather_by_name
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.roads.network import RoadObject, Signal
from sim.types import Semantic, SignalPhase


def a_signal(**known) -> Signal:
    plain = {
        "id": "s", "road": "1", "s_m": 0.0, "t_m": 0.0, "z_m": 2.1, "yaw_rad": 0.0, "forward": True, "dynamic": False,
        "kind": "stop", "type": "206", "subtype": "-1", "country": "DE", "value": None, "height_m": 0.9, "width_m": 0.9,
    }  # fmt: skip
    return Signal(**{**plain, **known})


def test_faces_differ_from_each_other():
    small = sign_faces()[:, ::8, ::8].astype(float)
    for a, b in combinations(range(len(FACES)), 2):
        assert np.abs(small[a] - small[b]).mean() > 1.0, (FACES[a], FACES[b])


def test_faces_tell_kind_and_figure():
    assert face_of(a_signal(kind="speed_limit", value=50.0 / 3.6)) == "limit_50"
    assert face_of(a_signal(kind="speed_limit", value=35.0 * 0.44704, country="US")) == "limit_mph_35"
    assert face_of(a_signal(kind="speed_limit", value=8.2)) == "limit_30"
    assert face_of(a_signal()) == "stop" and plate_of("stop") == Street.FACE_OCTAGON
    assert face_of(a_signal(kind="never heard of")) == "plain"
    assert {f"limit_{v}" for v in LIMITS_KMH} <= set(FACES)


@pytest.mark.parametrize("kind", ["urban", "crossing", "roundabout", "hills"])
def test_signs_and_lights_stand_where_the_network_says_and_face_their_traffic(kind):
    network = generate_road(kind, 100)
    items, site = Items(), Site(rasterise_ground(network.strips(1.0)))
    place_signals(items, site, network)
    xy, yaw, model = np.array(items.xy_world_m), np.array(items.yaw_world_rad), np.array(items.model)
    base = np.array(items.base_m)
    groups = signal_groups(network)
    assert network.signals
    for signal in network.signals:
        road = network.roads[signal.road]
        x, y, z = road.pose(np.array([signal.s_m]), np.array([signal.t_m])).xyz_world_m[0]
        wanted = Street.SIGNAL_HEAD if signal.kind == "light" else plate_of(face_of(signal))
        near = (np.hypot(*(xy - (x, y)).T) < 0.35) & (model == wanted)
        assert near.sum() == 1
        item = int(np.flatnonzero(near)[0])
        assert np.cos(yaw[item] - signal.yaw_rad) == pytest.approx(-1.0)
        assert base[item] == pytest.approx(z + signal.z_m, abs=1e-6)
        detail = groups[signal.id] if signal.kind == "light" else face_index(face_of(signal))
        assert items.detail[item] == detail
        posts = np.isin(model, [Street.POST, Street.SIGNAL_POST]) & (np.hypot(*(xy - (x, y)).T) < 0.45)
        assert posts.any() and base[np.flatnonzero(posts)[0]] == pytest.approx(z, abs=1e-6)


def test_groups_of_heads_are_those_that_traffic_obeys():
    network = generate_road("crossing", 100)
    lanes = compile_lanes([network])
    groups = signal_groups(network)
    assert set(groups.values()) == set(range(int(lanes.signal_first[1])))
    for controller in network.controllers:
        assert len({groups[id] for id in controller.signals}) == 1


def scene_with(items: Items) -> Scenery:
    """A straight road with nothing beside it but these items."""
    scenery = build_scenery([StraightRoad()], 0)
    count = len(items.model)
    cells = torch.zeros_like(scenery.item_cell_first)
    cells[1:] = count
    yaw = torch.tensor(items.yaw_world_rad)
    xy = torch.tensor(items.xy_world_m)
    return replace(
        scenery,
        item_origin_world_m=torch.tensor([[-5.0, -25.0]]),
        item_cell_first=cells,
        item_first=torch.tensor([0, count], dtype=torch.int32),
        item_pose=torch.column_stack([xy, yaw.cos(), yaw.sin()]).float(),
        item_size_m=torch.tensor(items.size_m).float(),
        item_model=torch.tensor(items.model, dtype=torch.int32),
        item_tint=torch.tensor(items.tint, dtype=torch.int32),
        item_z_m=torch.tensor(items.base_m).float(),
        item_detail=torch.tensor(items.detail, dtype=torch.int32),
    )


def seen(items: Items, phases: tuple[int, ...], pitch_deg: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """What the ego at the origin, looking along x, sees while the groups of lights show `phases`."""
    world, state = make_world([[]], ego=(0.0, 0.0, 0.0))
    state.signal_phase = torch.tensor([phases], dtype=torch.int32)
    camera = camera_from_config(CameraConfig(width_px=320, height_px=192, pitch_deg=pitch_deg))
    renderer = Renderer(scene_with(items), TEXTURES, camera, 1, world.kind.shape[1])
    frame, truth = renderer.render(world, state, weather_by_name("clear", 1, world.seed), *nobody(1, 0))
    return frame.rgb[0, 0].numpy().astype(int), truth.semantic[0, 0].numpy()


def test_heads_show_the_state_of_their_group():
    items = Items()
    for y, group in ((2.0, 0), (-2.0, 1)):
        items.add(np.array([9.0, y]), np.pi, (0.41, 0.6, 1.84), Street.SIGNAL_HEAD, group, base_world_m=1.0)
    bright = {}
    for phase in SignalPhase:
        rgb, semantic = seen(items, (int(phase), int(SignalPhase.RED)))
        lights = semantic == Semantic.TRAFFIC_LIGHT
        for side, columns in (("left", slice(0, 160)), ("right", slice(160, 320))):
            area = rgb[:, columns][lights[:, columns]]
            rows = np.nonzero(lights[:, columns])[0]
            glow = area.max(axis=1) > 190
            colour = area[glow].mean(axis=0)
            bright[phase, side] = (rows[glow].mean() - rows.min()) / np.ptp(rows), colour
    for phase, height in ((SignalPhase.RED, 0.17), (SignalPhase.YELLOW, 0.5), (SignalPhase.GREEN, 0.84)):
        assert bright[phase, "left"][0] == pytest.approx(height, abs=0.08)
        assert bright[phase, "right"][0] == pytest.approx(0.17, abs=0.08)
    red, green = bright[SignalPhase.RED, "left"][1], bright[SignalPhase.GREEN, "left"][1]
    assert red[0] > red[1] + 60 and green[1] > green[0] + 60


def test_a_face_and_its_post_have_labels_of_their_own_and_the_face_its_colours():
    items = Items()
    add_sign(items, np.array([8.0, 0.0]), np.pi, "no_entry", (1.2, 1.2), 1.2, base_world_m=0.0)
    rgb, semantic = seen(items, (0,))
    face, post = semantic == Semantic.TRAFFIC_SIGN, semantic == Semantic.POLE
    assert face.sum() > 200 and post.sum() > 8
    rows, columns = np.nonzero(face)
    middle = rgb[int(rows.mean()), int(columns.mean())]
    above = rgb[rows.min() + 5, int(columns.mean())]
    assert middle.min() > 110 and above[0] > 2 * above[1]
    assert rows.max() <= np.nonzero(post)[0].min() + 1


def test_objects_are_as_large_as_the_file_says():
    network = generate_road("hills", 1)
    road = next(iter(network.roads.values()))
    thing = RoadObject("o", road.id, "building", 50.0, 20.0, 0.0, 0.3, 12.0, 7.0, 5.5, np.zeros((0, 3)))
    rail = replace(thing, id="r", kind="barrier", name="railing", t_m=-6.0)
    square = np.array([(0.0, 0.0, 1.0), (16.0, 0.0, 1.0), (16.0, 0.4, 1.0), (0.0, 0.4, 1.0)]) + (30.0, 40.0, 0.0)
    rail = replace(rail, outline_xyz_world_m=square, height_m=0.0)
    items, site = Items(), Site(rasterise_ground(network.strips(1.0)))
    place_objects(items, site, replace(network, objects=(thing, rail)))
    place = road.pose(np.array([50.0]), np.array([20.0])).xyz_world_m[0]
    assert items.model[0] == Street.PLAIN_BUILDING and items.size_m[0] == (12.0, 7.0, 5.5)
    np.testing.assert_allclose([*items.xy_world_m[0], items.base_m[0]], place, atol=1e-9)
    assert items.model[1:] == [Model.GUARD_RAIL] * 4
    np.testing.assert_allclose(np.array(items.size_m[1:])[:, 0], 4.0)
    assert items.base_m[1:] == [1.0] * 4
