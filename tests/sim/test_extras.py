"""Normals, flow and things against closed forms; ramps; rigs of several cameras."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_labels import EYE, FOCAL, crowd
from tiny_scene import BARE, SCENERY, SIZE_M, TEXTURES, Actor, Lane, StraightRoad, bare, kerbed, make_world, nobody

from configs.schema import CameraConfig
from sim.meshes.street import Street
from sim.rendering.camera import camera_from_config
from sim.rendering.render import Renderer
from sim.rendering.roadside_labels import roadside_boxes
from sim.rendering.scenery import Scenery, build_scenery
from sim.rendering.weather import weather_by_name
from sim.types import ActorKind, CameraModel, GroundTruth, State, World

ALL = ("normals", "flow", "things")
GRADE = 0.06


@dataclass
class Ramp(Lane):
    """A lane that climbs along x."""

    @property
    def left_z_world_m(self) -> np.ndarray:
        return GRADE * self.left_xy_world_m[:, 0]

    @property
    def right_z_world_m(self) -> np.ndarray:
        return self.left_z_world_m


class Climb(StraightRoad):
    name = "climb"

    def strips(self, step_m: float = 1.0) -> list[Lane]:
        return [Ramp(s.right_y, s.left_y, s.kind) for s in super().strips(step_m)]


CLIMB = kerbed(bare(build_scenery([Climb()], 0)), 0.0)


def rig(yaws_rad: tuple[float, ...] = (0.0,)) -> CameraModel:
    """Cameras of 160 x 96 at the ego's nose that look in several directions."""
    front = camera_from_config(CameraConfig(width_px=160, height_px=96, pitch_deg=0.0))
    poses = []
    for yaw in yaws_rad:
        turn = torch.eye(4)
        turn[:2, :2] = torch.tensor([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
        pose = front.ego_from_camera[0].clone()
        pose[:3, :3] = turn[:3, :3] @ pose[:3, :3]
        poses.append(pose)
    count = len(poses)
    return replace(
        front,
        focal_px=front.focal_px.repeat(count),
        center_px=front.center_px.repeat(count, 1),
        ego_from_camera=torch.stack(poses),
    )


class Shots:
    """A renderer with all labels; each call draws the world as it is and moves it on by a tick."""

    def __init__(self, world: World, state: State, scenery: Scenery = BARE, camera: CameraModel | None = None) -> None:
        world.dt_s = 0.1
        self.world, self.state = world, state
        count, actors = world.kind.shape
        self.renderer = Renderer(scenery, TEXTURES, camera or rig(), count, actors, labels=ALL)
        self.weather = weather_by_name("clear", count, world.seed)

    def __call__(self) -> GroundTruth:
        count, actors = self.world.kind.shape
        _, truth = self.renderer.render(self.world, self.state, self.weather, *nobody(count, actors - 1))
        self.state.tick += 1
        return truth


def rays() -> np.ndarray:
    """Camera rays (96, 160, 3) of depth 1 through the pixels' centres."""
    v, u = np.mgrid[:96, :160] + 0.5
    return np.stack([(u - 80.0) / FOCAL, (v - 48.0) / FOCAL, np.ones_like(u)], -1)


def test_normals_of_a_wall_and_of_the_road():
    truth = Shots(*make_world([[Actor(ActorKind.TRUCK, EYE[0] + 10.0 + SIZE_M[ActorKind.TRUCK][0] / 2, -1.75)]]))()
    normal = truth.extra.normal_camera
    assert normal is not None
    wall = normal[0, 0, 40:45, 76:84].reshape(-1, 3)
    torch.testing.assert_close(wall, torch.tensor([0.0, 0.0, -1.0]).expand_as(wall), atol=1e-5, rtol=0)
    road = normal[0, 0][truth.semantic[0, 0] == 7]
    torch.testing.assert_close(road, torch.tensor([0.0, -1.0, 0.0]).expand_as(road), atol=1e-6, rtol=0)
    assert (normal[0, 0][truth.semantic[0, 0] == 23] == 0).all()
    seen = normal[torch.isfinite(truth.depth_m)]
    torch.testing.assert_close(seen.norm(dim=-1), torch.ones(len(seen)))
    # No surface that is seen faces away.
    facing = (normal[0, 0].numpy() * rays()).sum(-1)[np.isfinite(truth.depth_m[0, 0].numpy())]
    assert facing.max() < 1e-3


def test_a_ramp_ahead_has_the_depth_and_normal_of_its_plane():
    world, state = make_world([[]])
    truth = Shots(world, state, CLIMB)()
    slope = rays()[..., 1] + GRADE  # a ray falls by v per metre, the road climbs
    height = 1.5 - GRADE * EYE[0]
    row = slice(52, 96)
    middle = slice(70, 100)
    depth = truth.depth_m[0, 0].numpy()[row, middle]
    np.testing.assert_allclose(depth, (height / slope)[row, middle], rtol=2e-3)
    want = np.array([0.0, -1.0, -GRADE]) / math.hypot(1.0, GRADE)
    assert truth.extra.normal_camera is not None
    np.testing.assert_allclose(truth.extra.normal_camera[0, 0].numpy()[row, middle] - want, 0.0, atol=5e-3)


def test_who_stands_on_a_ramp_sees_it_as_level_and_what_stands_on_it_keeps_its_place():
    pitch = -math.atan(GRADE)
    level_world, level_state = make_world([[Actor(ActorKind.CAR, 20.0, -1.75)]])
    level = Shots(level_world, level_state)()
    world, state = make_world([[Actor(ActorKind.CAR, 20.0, -1.75)]])
    cos = math.cos(pitch)
    state.pitch_rad[:] = pitch
    state.xy_world_m[..., 0] *= cos
    state.z_world_m[:] = GRADE * state.xy_world_m[..., 0]
    climbing = Shots(world, state, CLIMB)()
    # Beside the roads hills set in.
    near = (level.depth_m[0, 0] < 40.0) & torch.isin(level.semantic[0, 0], torch.tensor([7, 26], dtype=torch.uint8))
    same = (level.instance == climbing.instance)[0, 0]
    assert same[near].float().mean() > 0.995
    error = (climbing.depth_m / level.depth_m - 1.0)[0, 0][near & same].abs()
    assert error.quantile(0.99) < 2e-2 and error.median() < 1e-3


def test_hills_hide_what_is_behind_them():
    world, state = make_world([[Actor(ActorKind.CAR, 60.0, -1.75)]])
    state.z_world_m[0, 1] = GRADE * 60.0 - 3.0  # sunk into the road
    truth = Shots(world, state, CLIMB)()
    assert (truth.instance == 0).all() and bool(truth.boxes_2d.valid[0, 0, 0])
    assert float(truth.boxes_2d.occlusion[0, 0, 0]) == 1.0


def twin(truth: GroundTruth, now: dict, before: dict) -> np.ndarray:
    """Flow (96, 160, 2) of the scene of `drive`: each pixel's point, moved back with its body, projected before."""
    depth, instance = truth.depth_m[0, 0].numpy(), truth.instance[0, 0].numpy()
    sky = ~np.isfinite(depth)
    ray = rays() @ np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])  # to ego axes
    mount = np.array([1.6, 0.0, 1.5])

    def turn(yaw: float) -> np.ndarray:
        return np.array([[math.cos(yaw), math.sin(yaw), 0], [-math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])

    ego, was = now[0], before[0]
    point = (ray * np.where(sky, 1.0, depth)[..., None] + mount) @ turn(ego[2]) + (ego[0], ego[1], 0.0)
    for actor, pose in now.items():
        if actor > 0:
            local = (point - (pose[0], pose[1], 0.0)) @ turn(pose[2]).T
            moved = local @ turn(before[actor][2]) + (before[actor][0], before[actor][1], 0.0)
            point = np.where((instance == actor + 1)[..., None], moved, point)
    there = (point - (was[0], was[1], 0.0)) @ turn(was[2]).T - mount
    there = np.where(sky[..., None], ray @ turn(ego[2]) @ turn(was[2]).T, there)
    u, v = 80.0 - FOCAL * there[..., 1] / there[..., 0], 48.0 - FOCAL * there[..., 2] / there[..., 0]
    own_v, own_u = np.mgrid[:96, :160] + 0.5
    return np.stack([u - own_u, v - own_v], -1)


def drive(now: dict, before: dict) -> tuple[GroundTruth, GroundTruth]:
    """Two images, cloned, of a car and a truck (boxes' centres) and the ego (rear axle) at these poses."""
    actors = [Actor(ActorKind.CAR, *before[1]), Actor(ActorKind.TRUCK, *before[2])]
    world, state = make_world([actors], ego=before[0])
    shots = Shots(world, state)
    first = shots()
    first = replace(first, depth_m=first.depth_m.clone(), instance=first.instance.clone())
    _, moved = make_world([[Actor(ActorKind.CAR, *now[1]), Actor(ActorKind.TRUCK, *now[2])]], ego=now[0])
    state.xy_world_m.copy_(moved.xy_world_m)
    state.yaw_world_rad.copy_(moved.yaw_world_rad)
    return first, shots()


@settings(max_examples=6, deadline=None)
@given(st.floats(0.0, 1.5), st.floats(-0.04, 0.04), st.floats(-1.0, 2.0), st.floats(-0.3, 0.3), st.floats(-0.05, 0.05))
def test_flow_is_that_of_points_that_move_with_their_body(ahead: float, yaw: float, x: float, y: float, turn: float):
    before = {0: (0.0, -1.75, 0.0), 1: (14.0, -1.5, 0.1), 2: (24.0, 2.4, math.pi)}
    now = {0: (ahead, -1.75, yaw), 1: (14.0 + x, -1.5 + y, 0.1 + turn), 2: (24.0 - x, 2.4, math.pi)}
    first, truth = drive(now, before)
    flow, valid = truth.extra.flow_px, truth.extra.flow_valid
    assert flow is not None and valid is not None and valid.all()
    want = twin(truth, now, before)
    np.testing.assert_allclose(flow[0, 0].numpy(), want, atol=0.02)
    # Warped by it, the image before shows the same things, but for what has come into sight.
    v, u = np.mgrid[:96, :160]
    to_u, to_v = (np.floor(want[..., i] + 0.5).astype(int) + (u, v)[i] for i in (0, 1))
    inside = (to_u >= 0) & (to_u < 160) & (to_v >= 0) & (to_v < 96)
    there = first.instance[0, 0].numpy()[to_v[inside], to_u[inside]]
    assert (there == truth.instance[0, 0].numpy()[inside]).mean() > 0.97


def test_flow_is_not_valid_where_nothing_was_before():
    world, state = make_world([[Actor(ActorKind.CAR, 14.0, -1.75), Actor(ActorKind.CAR, 12.0, 2.0)]])
    shots = Shots(world, state)
    truth = shots()
    flow, valid = truth.extra.flow_px, truth.extra.flow_valid
    assert flow is not None and valid is not None
    assert not valid.any() and (flow == 0).all()
    state.xy_world_m[0, 2, 0] += 40.0  # put elsewhere
    shots()
    assert valid[truth.instance != 3].all() and not valid[truth.instance == 3].any() and (truth.instance == 3).any()
    state.valid[0, 1] = False
    shots()
    state.valid[0, 1] = True
    shots()
    assert not valid[truth.instance == 2].any() and valid[truth.instance != 2].all()
    state.tick.zero_()  # a reset
    shots()
    assert not valid.any()
    shots()
    assert valid.all()


def test_walking_people_flow_with_their_limbs_and_stay_within_their_step():
    world, state = make_world([[Actor(ActorKind.PEDESTRIAN, 8.0, -2.5, walk_s_m=0.1)]])
    shots = Shots(world, state)
    shots()
    state.walk_s_m += 0.14
    state.xy_world_m[0, 1, 0] += 0.14
    truth = shots()
    own = truth.instance[0, 0] == 2
    assert truth.extra.flow_px is not None and truth.extra.flow_valid is not None
    assert own.any() and truth.extra.flow_valid[0, 0][own].all()
    speed = truth.extra.flow_px[0, 0][own].norm(dim=-1)
    assert float(speed.max()) < FOCAL * 0.9 / 6.0 and float(speed.std()) > 0.05


def test_things_number_what_moves_and_what_stands():
    world, state = make_world([crowd()])
    truth = Shots(world, state, SCENERY)()
    thing = truth.extra.thing
    assert thing is not None
    moving = truth.instance > 0
    assert torch.equal(thing[moving], truth.instance[moving].int())
    standing = torch.isin(truth.semantic, torch.tensor([11, 17, 20, 21], dtype=torch.uint8)) & ~moving
    assert (thing[standing] > world.kind.shape[1]).all() and len(thing[standing].unique()) > 5
    ground = torch.isin(truth.semantic, torch.tensor([7, 8, 22, 23], dtype=torch.uint8))
    assert (thing[ground] == 0).all()


def test_cameras_of_a_rig_see_what_one_alone_sees_in_their_direction():
    yaws = (0.0, math.pi / 3, math.pi)
    world, state = make_world([crowd(), crowd()[:3]])
    together = Shots(world, state, SCENERY, rig(yaws))()
    for camera, yaw in enumerate(yaws):
        world, state = make_world([crowd(), crowd()[:3]])
        alone = Shots(world, state, SCENERY, rig((yaw,)))()
        for name in ("depth_m", "semantic", "instance"):
            assert torch.equal(getattr(together, name)[:, camera], getattr(alone, name)[:, 0]), (name, yaw)
        assert torch.equal(together.boxes_2d.visible_px[:, camera], alone.boxes_2d.visible_px[:, 0])
    # Sideways: the ego turned by as much, with the mount moved along.
    assert (together.depth_m[:, 1] != together.depth_m[:, 0]).any()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31))
def test_visible_boxes_are_those_of_the_instance_mask_always(seed: int):
    rng = np.random.default_rng(seed)
    kinds = list(ActorKind)
    actors = [
        Actor(kinds[rng.integers(len(kinds))], rng.uniform(3.0, 60.0), rng.uniform(-9.0, 9.0), rng.uniform(-4.0, 4.0))
        for _ in range(12)
    ]
    truth = Shots(*make_world([actors]), SCENERY)()
    instance, boxes = truth.instance[0, 0].numpy(), truth.boxes_2d
    for k in range(len(actors)):
        rows, columns = np.nonzero(instance == k + 2)
        assert int(boxes.visible_pixels[0, 0, k]) == len(rows)
        want = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [0, 0, 0, 0]
        assert boxes.visible_px[0, 0, k].tolist() == want


def with_items(rows: list[tuple[Street, float, float, float, tuple[float, float, float], int]]) -> Scenery:
    """The bare road with model, x, y, z, size and detail of things that face the ego, listed in the first's cell."""
    xy = torch.tensor([row[1:3] for row in rows])
    at = torch.floor((xy - BARE.item_origin_world_m[0]) / BARE.item_cell_m).long()
    cell = int(at[0, 1] * BARE.item_shape[0, 0] + at[0, 0])
    first = torch.zeros_like(BARE.item_cell_first)
    first[cell + 1 :] = len(rows)
    return replace(
        BARE,
        item_cell_first=first,
        item_first=torch.tensor([0, len(rows)], dtype=torch.int32),
        item_pose=torch.cat([xy, torch.tensor([[-1.0, 0.0]]).expand(len(rows), 2)], 1),
        item_z_m=torch.tensor([row[3] for row in rows]),
        item_size_m=torch.tensor([row[4] for row in rows]),
        item_model=torch.tensor([int(row[0]) for row in rows], dtype=torch.int32),
        item_detail=torch.tensor([row[5] for row in rows], dtype=torch.int32),
        item_tint=torch.zeros(len(rows), dtype=torch.int32),
    )


def test_signals_in_sight_are_listed_with_what_they_show():
    head = (0.3, 0.4, 1.0)
    scenery = with_items(
        [
            (Street.SIGNAL_HEAD, 10.0, -4.0, 2.0, head, 1),
            (Street.SIGNAL_HEAD, 12.0, 1.0, 2.0, head, 0),
            (Street.SIGNAL_HEAD, 14.0, 1.3, 2.0, head, 0),  # behind the second
        ]
    )
    world, state = make_world([[]])
    state.signal_phase = torch.tensor([[2, 1]], dtype=torch.int32)
    truth = Shots(world, state, scenery)()
    found = roadside_boxes(truth, scenery, world, state)
    number = int(found.valid[0, 0].sum())
    assert number in (2, 3) and found.item[0, 0, :2].tolist() == [0, 1]
    assert found.shows[0, 0, :2].tolist() == [1, 2]
    assert (found.semantic[0, 0, :number] == 19).all() and (found.visible_pixels[0, 0, number:] == 0).all()
    assert truth.extra.thing is not None
    for k in range(number):
        mask = truth.extra.thing[0, 0] == world.kind.shape[1] + 1 + int(found.item[0, 0, k])
        rows, columns = mask.nonzero(as_tuple=True)
        want = [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
        assert found.visible_px[0, 0, k].tolist() == want and int(found.visible_pixels[0, 0, k]) == len(rows)
    with pytest.raises(ValueError, match="things"):
        roadside_boxes(replace(truth, extra=replace(truth.extra, thing=None)), scenery, world, state)


def test_labels_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="taste"):
        Renderer(BARE, TEXTURES, rig(), 1, 2, labels=("taste",))  # type: ignore[arg-type]
