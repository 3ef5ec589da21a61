import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_scene import BARE, SCENERY, SIZE_M, Actor, kerbed, make_world, shoot

from sim.meshes.library import mesh_library
from sim.rendering.render import Renderer
from sim.rendering.weather import weather_by_name
from sim.types import ActorKind, Semantic

CAR, TRUCK, BUS, PERSON = ActorKind.CAR, ActorKind.TRUCK, ActorKind.BUS, ActorKind.PEDESTRIAN
EYE = np.array([1.6, -1.75, 1.5])  # of the camera when the ego stands at (0, -1.75), unpitched
FOCAL = 80.0  # of 160 px at 90 degrees


def crowd() -> list[Actor]:
    return [
        Actor(CAR, 14.0, -1.75),
        Actor(TRUCK, 24.0, 1.9, math.pi),
        Actor(BUS, 30.0, -5.0, 0.4),
        Actor(PERSON, 9.0, 2.0, 1.2, walk_s_m=0.4),
        Actor(PERSON, 7.0, -4.5, -1.0, walk_s_m=1.1),
        Actor(CAR, 40.0, -1.75, size_m=(4.1, 1.8, 1.9)),
        Actor(CAR, 3.4, 2.6, 0.1),
        Actor(CAR, -20.0, -1.75),
    ]


def project(points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World points (n, 3) to pixels (n, 2) and depths (n,), camera along +x."""
    away = points_m - EYE
    z = away[:, 0]
    return np.column_stack([80.0 - FOCAL * away[:, 1] / z, 48.0 - FOCAL * away[:, 2] / z]), z


def placed(actor: Actor, unit: np.ndarray) -> np.ndarray:
    """Points (n, 3) of the unit box in the world."""
    local = unit * np.array(actor.size_m or SIZE_M[actor.kind])
    c, s = math.cos(actor.yaw), math.sin(actor.yaw)
    xy = local[:, :2] @ np.array([[c, s], [-s, c]]) + (actor.x, actor.y)
    return np.column_stack([xy, local[:, 2]])


def models_of(renderer: Renderer) -> list[int]:
    """Models of the first world's actors but the ego."""
    return renderer._placed.model.numpy()[0, 1:].tolist()


def mesh_of(model: int, level: int) -> np.ndarray:
    library = mesh_library()
    first = library.first[model, level]
    return library.corner[first : first + library.count[model, level]].astype(float)


def test_ground_depth_is_that_of_a_plane_and_the_sky_has_none():
    _, truth, _ = shoot(*make_world([[]]))
    depth = truth.depth_m[0, 0].numpy()
    v = np.arange(96) + 0.5
    below = v > 48.0
    np.testing.assert_allclose(
        depth[below], np.repeat(1.5 * FOCAL / (v[below] - 48.0), 160).reshape(-1, 160), rtol=2e-6
    )
    assert np.isinf(depth[~below]).all()
    assert (truth.semantic[0, 0].numpy()[~below] == Semantic.SKY).all()


def test_a_pitched_camera_sees_the_same_plane():
    _, truth, _ = shoot(*make_world([[]]), pitch_deg=10.0)
    depth, v, p = truth.depth_m[0, 0].numpy(), np.arange(96) + 0.5, math.radians(10.0)
    down = math.cos(p) * (v - 48.0) / FOCAL + math.sin(p)
    np.testing.assert_allclose(depth[down > 0.01, 80], (1.5 / down)[down > 0.01], rtol=1e-5)


def test_the_back_of_a_truck_at_ten_metres_has_depth_ten():
    length = SIZE_M[TRUCK][0]
    _, truth, _ = shoot(*make_world([[Actor(TRUCK, EYE[0] + 10.0 + length / 2, -1.75)]]))
    own = truth.depth_m[0, 0][truth.instance[0, 0] == 2]
    assert float(own.min()) == pytest.approx(10.0, abs=2e-3)
    doors = truth.depth_m[0, 0, 40:45, 76:84]  # the box's rear wall, 6 mm behind the bumper
    np.testing.assert_allclose(doors.numpy(), 10.0, atol=0.02)


def test_semantic_ground_follows_the_borders():
    _, truth, _ = shoot(*make_world([[]]))
    depth, semantic = truth.depth_m[0, 0].numpy(), truth.semantic[0, 0].numpy()
    row = 60
    y = EYE[1] - (np.arange(160) + 0.5 - 80.0) / FOCAL * depth[row, 0]
    for low, high, kind in ((-3.3, 3.3, Semantic.ROAD), (3.7, 5.8, Semantic.SIDEWALK), (6.2, 9.0, Semantic.TERRAIN)):
        inside = (y > low) & (y < high)
        assert inside.sum() > 2
        assert (semantic[row, inside] == kind).all()


@pytest.mark.parametrize("kerb_m", [0.12, 0.3])
def test_a_kerb_stands_up_from_the_road_and_carries_the_sidewalk(kerb_m: float):
    """Straight at a kerb: road, its upright face, the walk above the road, and the land behind."""
    world, state = make_world([[]], ego=(0.0, 1.0, -0.5 * math.pi))
    _, truth, _ = shoot(world, state, scenery=kerbed(BARE, kerb_m), height=192)
    depth, semantic = truth.depth_m[0, 0, :, 80].numpy(), truth.semantic[0, 0, :, 80].numpy()
    v = np.arange(192) + 0.5
    down = np.maximum(v - 96.0, 1e-9) / FOCAL
    to_kerb, to_land = 1.0 - 1.6 + 3.5, 1.0 - 1.6 + 6.0
    low, high = EYE[2] / down, (EYE[2] - kerb_m) / down
    road, face = low < to_kerb - 0.05, (low > to_kerb + 0.05) & (high < to_kerb - 0.05)
    walk, land = (high > to_kerb + 0.05) & (high < to_land - 0.1), (high > to_land + 0.1) & (low < 12.0)
    assert face.sum() >= 2 and walk.sum() > 10 and land.any()
    assert (semantic[road & (v > 96.0)] == Semantic.ROAD).all() and (semantic[face | walk] == Semantic.SIDEWALK).all()
    assert (semantic[land] == Semantic.TERRAIN).all()
    np.testing.assert_allclose(depth[road & (v > 96.0)], low[road & (v > 96.0)], rtol=1e-5)
    np.testing.assert_allclose(depth[face], to_kerb, atol=0.03)
    np.testing.assert_allclose(depth[walk], high[walk], rtol=1e-5)
    np.testing.assert_allclose(depth[land], low[land], rtol=1e-5)


def test_a_kerb_in_the_sun_is_brighter_than_in_its_own_shade():
    world, state = make_world([[]], ego=(0.0, 1.0, -0.5 * math.pi))
    seen = []
    for azimuth in (0.5 * math.pi, -0.5 * math.pi):
        light = weather_by_name("clear", 1, world.seed)
        light = replace(light, sun_azimuth_rad=torch.full((1,), azimuth), sun_elevation_rad=torch.full((1,), 0.5))
        frame, truth, _ = shoot(world, state, scenery=kerbed(BARE, 0.3), weather=light, height=192)
        depth = truth.depth_m[0, 0, :, 80]
        face = (truth.semantic[0, 0, :, 80] == Semantic.SIDEWALK) & (depth < 2.93)
        seen.append(float(frame.rgb[0, 0, face, 80].double().mean()))
    assert seen[0] > 1.4 * seen[1] > 0.0


def test_kinds_have_their_cityscapes_ids_and_instances_agree():
    actors = crowd()
    _, truth, _ = shoot(*make_world([actors]))
    ids = {CAR: Semantic.CAR, TRUCK: Semantic.TRUCK, BUS: Semantic.BUS, PERSON: Semantic.PERSON}
    instance, semantic = truth.instance[0, 0], truth.semantic[0, 0]
    for i, actor in enumerate(actors, start=1):
        assert (semantic[instance == i + 1] == ids[actor.kind]).all()
    moving = torch.isin(semantic, torch.tensor([24, 26, 27, 28], dtype=torch.uint8))
    assert torch.equal(moving, instance > 0)


def test_amodal_boxes_are_the_projected_vertices():
    actors = [a for a in crowd() if a.x > 8.0]
    _, truth, renderer = shoot(*make_world([actors]))
    for k, (actor, model) in enumerate(zip(actors, models_of(renderer))):
        assert bool(truth.boxes_2d.valid[0, 0, k])
        boxes = []
        for level in (0, 1, 2):
            corners = placed(actor, mesh_of(model, level).reshape(-1, 3)).reshape(-1, 3, 3)
            faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            near = np.einsum("ti,ti->t", faces, EYE - corners[:, 0]) > 0.0  # an open mesh has no other silhouette
            pixels, z = project(corners[near].reshape(-1, 3))
            assert (z > 0.1).all()
            boxes.append(np.concatenate([pixels.min(0), pixels.max(0)]))
        got = truth.boxes_2d.amodal_px[0, 0, k].numpy()
        assert min(np.abs(got - b).max() for b in boxes) < 2e-3
        corners, _ = project(placed(actor, np.array(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [0, 1.0])).reshape(3, -1).T))
        assert (got[:2] > corners.min(0) - 1e-3).all() and (got[2:] < corners.max(0) + 1e-3).all()


def test_visible_boxes_are_those_of_the_instance_mask():
    _, truth, _ = shoot(*make_world([crowd()]))
    instance, boxes = truth.instance[0, 0].numpy(), truth.boxes_2d
    for k in range(len(crowd())):
        rows, columns = np.nonzero(instance == k + 2)
        assert int(boxes.visible_pixels[0, 0, k]) == len(rows)
        want = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [0, 0, 0, 0]
        assert boxes.visible_px[0, 0, k].tolist() == want


def test_occlusion_is_the_share_of_its_own_silhouette_that_is_hidden():
    actors = crowd()
    world, state = make_world([actors])
    _, truth, _ = shoot(world, state)
    boxes = truth.boxes_2d
    for k in range(len(actors)):
        state.valid[:, 1:] = False
        state.valid[0, k + 1] = True
        _, alone, _ = shoot(world, state)
        own = int((alone.instance[0, 0] == k + 2).sum())
        assert bool(boxes.valid[0, 0, k]) == (own > 0)
        if own:
            seen = int(boxes.visible_pixels[0, 0, k])
            assert float(boxes.occlusion[0, 0, k]) == pytest.approx(1.0 - seen / own, abs=1e-6)


def test_a_car_behind_a_truck_is_valid_and_wholly_hidden():
    _, truth, _ = shoot(*make_world([[Actor(TRUCK, 12.0, -1.75), Actor(CAR, 30.0, -1.75)]]))
    boxes = truth.boxes_2d
    assert boxes.valid[0, 0].tolist() == [True, True]
    assert boxes.occlusion[0, 0].tolist() == [0.0, 1.0]
    assert boxes.visible_pixels[0, 0, 1] == 0 and boxes.visible_px[0, 0, 1].tolist() == [0, 0, 0, 0]


def test_truncation_is_the_share_of_the_amodal_box_outside():
    _, truth, _ = shoot(*make_world([crowd()]))
    for k in range(len(crowd())):
        if bool(truth.boxes_2d.valid[0, 0, k]):
            u0, v0, u1, v1 = truth.boxes_2d.amodal_px[0, 0, k].tolist()
            inside = max(min(u1, 160) - max(u0, 0), 0) * max(min(v1, 96) - max(v0, 0), 0)
            want = 1.0 - inside / ((u1 - u0) * (v1 - v0))
            assert float(truth.boxes_2d.truncation[0, 0, k]) == pytest.approx(want, abs=1e-5)


def test_a_car_across_the_camera_plane_is_drawn_and_cut():
    _, truth, _ = shoot(*make_world([[Actor(CAR, 2.5, 0.6)]]))
    boxes = truth.boxes_2d
    assert bool(boxes.valid[0, 0, 0]) and int(boxes.visible_pixels[0, 0, 0]) > 300
    assert float(boxes.truncation[0, 0, 0]) > 0.5 and float(boxes.amodal_px[0, 0, 0, 0]) < 0.0
    assert float(truth.depth_m[truth.instance == 2].min()) >= 0.05


def test_invalid_actors_leave_no_trace():
    world, state = make_world([crowd()])
    state.valid[0, 1:] = False
    _, truth, _ = shoot(world, state)
    assert not truth.boxes_2d.valid.any() and (truth.instance == 0).all()
    assert (truth.boxes_2d.amodal_px == 0).all()


def brute_force(actors: list[Actor], models: list[int], levels: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The slow twin of the visibility buffer: every pixel's ray against every triangle (Moeller-Trumbore)."""
    v, u = np.mgrid[:96, :160] + 0.5
    rays = np.stack([np.ones_like(u), -(u - 80.0) / FOCAL, -(v - 48.0) / FOCAL], -1).reshape(-1, 3)
    depth, instance = np.full(len(rays), np.inf), np.zeros(len(rays), int)
    for i, (actor, model, level) in enumerate(zip(actors, models, levels), start=2):
        corners = placed(actor, mesh_of(model, level).reshape(-1, 3)).reshape(-1, 3, 3) - EYE
        for p0, p1, p2 in corners:
            e1, e2 = p1 - p0, p2 - p0
            if np.dot(np.cross(e1, e2), p0) >= 0:
                continue
            h = np.cross(rays, e2)
            a = h @ e1
            with np.errstate(divide="ignore", invalid="ignore"):
                s = (h @ -p0) / a
                t = (rays @ np.cross(-p0, e1)) / a
                z = np.dot(e2, np.cross(-p0, e1)) / a
            hit = (s >= 0) & (t >= 0) & (s + t <= 1) & (z > 0.05) & (z < depth)
            depth[hit], instance[hit] = z[hit], i
    return depth.reshape(96, 160), instance.reshape(96, 160)


def test_the_visibility_buffer_agrees_with_brute_force():
    actors = [Actor(CAR, 9.0, -1.0, 0.7), Actor(PERSON, 7.5, -2.6, 0.3, walk_s_m=0.2), Actor(TRUCK, 16.0, 0.5, -0.2)]
    _, truth, renderer = shoot(*make_world([actors]))
    depth, instance = brute_force(actors, models_of(renderer), [1, 1, 1])
    got = truth.instance[0, 0].numpy()
    differ = got != instance  # float32 against float64 on edges
    assert differ.sum() <= 3
    both = ~differ & (instance > 0)
    assert both.sum() > 1000
    error = np.abs(truth.depth_m[0, 0].numpy()[both] / depth[both] - 1.0)
    assert np.quantile(error, 0.99) < 1e-5 and error.max() < 1e-2


def test_labels_do_not_depend_on_weather_textures_or_paint():
    from sim.painting.textures import procedural_textures

    world, state = make_world([crowd(), crowd()[:4]])
    _, first, _ = shoot(world, state, scenery=SCENERY)
    other = procedural_textures(2, 9, size=16, sky_size=(16, 16))
    for weather in ("fog", "dusk", "any"):
        world.appearance_id += 17 << 16  # other paint on the same bodies
        world.seed += 5
        frame, truth, _ = shoot(world, state, scenery=SCENERY, weather=weather, textures=other, supersample=2)
        for name in ("depth_m", "semantic", "instance"):
            assert torch.equal(getattr(first, name), getattr(truth, name)), name
        for name, value in vars(first.boxes_2d).items():
            assert torch.equal(value, getattr(truth.boxes_2d, name)), name
        assert frame.rgb.float().std() > 5.0


def test_static_things_are_labelled_and_never_instances():
    _, truth, _ = shoot(*make_world([[]]), scenery=SCENERY)
    semantic = truth.semantic[0, 0]
    for kind in (Semantic.BUILDING, Semantic.VEGETATION, Semantic.POLE):
        assert (semantic == kind).any(), kind
    assert (truth.instance == 0).all()
    _, empty, _ = shoot(*make_world([[]]), scenery=BARE)
    assert (truth.depth_m <= empty.depth_m).all()
