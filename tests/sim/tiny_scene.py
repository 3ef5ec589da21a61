"""Hand-filled worlds on a straight road, for tests of the cameras."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from configs.schema import CameraConfig
from sim.painting.textures import Textures, procedural_textures
from sim.rendering.camera import camera_from_config
from sim.rendering.land import joined_land, lay_land
from sim.rendering.render import Renderer
from sim.rendering.scenery import Scenery, build_scenery
from sim.rendering.weather import Weather, weather_by_name
from sim.types import ActorKind, Boxes3D, EgoState, GroundTruth, SensorFrame, State, World

SIZE_M = {
    ActorKind.CAR: (4.6, 1.85, 1.5),
    ActorKind.TRUCK: (8.4, 2.5, 3.4),
    ActorKind.BUS: (12.0, 2.55, 3.1),
    ActorKind.PEDESTRIAN: (0.9, 0.6, 1.75),
    ActorKind.BICYCLE: (1.75, 0.6, 1.75),
    ActorKind.MOTORCYCLE: (2.1, 0.8, 1.6),
}
WHEELBASE_M = {ActorKind.CAR: 2.7, ActorKind.TRUCK: 4.5, ActorKind.BUS: 6.0, ActorKind.PEDESTRIAN: 0.0}
WHEELBASE_M |= {ActorKind.BICYCLE: 1.06, ActorKind.MOTORCYCLE: 1.42}


@dataclass
class Lane:
    right_y: float
    left_y: float
    kind: str
    road: str = "1"
    section: int = 0
    junction: str | None = None

    @property
    def left_xy_world_m(self) -> np.ndarray:
        x = np.arange(-40.0, 401.0)
        return np.column_stack([x, np.full_like(x, self.left_y)])

    @property
    def right_xy_world_m(self) -> np.ndarray:
        x = np.arange(-40.0, 401.0)
        return np.column_stack([x, np.full_like(x, self.right_y)])

    @property
    def left_z_world_m(self) -> np.ndarray:
        return np.zeros(len(self.left_xy_world_m))

    right_z_world_m = left_z_world_m


@dataclass
class Line:
    xy_world_m: np.ndarray
    width_m: float
    color: str = "white"
    dash_m: float = 3.0
    gap_m: float = 6.0


class StraightRoad:
    """Two lanes along x with sidewalks, a dashed line between the lanes and solid ones at their borders."""

    name = "straight"

    def __init__(self) -> None:
        self.roads, self.signals, self.controllers, self.objects = {}, (), (), ()

    def strips(self, step_m: float = 1.0) -> list[Lane]:
        roads = [Lane(-3.5, 0.0, "driving"), Lane(0.0, 3.5, "driving")]
        return [*roads, Lane(-6.0, -3.5, "sidewalk"), Lane(3.5, 6.0, "sidewalk")]

    def markings(self, step_m: float = 1.0) -> list[Line]:
        x = np.arange(-40.0, 401.0)
        return [
            Line(np.column_stack([x, np.zeros_like(x)]), 0.15),
            *(Line(np.column_stack([x, np.full_like(x, y)]), 0.12, gap_m=0.0) for y in (-3.3, 3.3)),
        ]


def bare(scenery: Scenery) -> Scenery:
    """The same ground with nothing standing on it."""
    cells = torch.zeros_like(scenery.item_cell_first)
    names = ("item_pose", "item_size_m", "item_model", "item_tint", "item_z_m", "item_detail")
    empty = {name: getattr(scenery, name)[:1] * 0 for name in names}
    return replace(
        scenery,
        item_cell_first=cells,
        item_first=torch.zeros_like(scenery.item_first),
        shade=scenery.shade * 0,
        **empty,
    )


def fresh(scenery: Scenery) -> Scenery:
    """The same ground as new: no wear, no patches, stains or wheel tracks, neutral tones."""
    paint, shape, lane = (t.clone() for t in (scenery.mark_paint, scenery.mark_shape_m, scenery.lane_shape_m))
    shape[paint[:, 1] >= 5, 1] = 0.0
    paint[:, 2] = 0.0
    lane[:, 2:] = torch.tensor([1.0, 0.0])
    style = torch.tensor([[1.0, 0.0, 3.0, 0.5, 0.0, 0.0, 0.0, 1.0, 0.0]]).repeat(len(scenery.ground_style), 1)
    noise = torch.zeros_like(scenery.ground_noise)
    return replace(
        scenery, mark_paint=paint, mark_shape_m=shape, lane_shape_m=lane, ground_style=style, ground_noise=noise
    )


def kerbed(scenery: Scenery, kerb_m: float) -> Scenery:
    """The same ground with kerbs so high."""
    style = scenery.ground_style.clone()
    style[:, -1] = kerb_m
    return replace(scenery, ground_style=style)


def unbuilt(network: StraightRoad) -> dict[str, torch.Tensor]:
    """The part of `Scenery` that tells where sidewalks are, not yet paved up to house fronts."""
    land = joined_land([lay_land(network.name, network.strips(), network.markings(), 0)])
    return {name: land[name] for name in ("ground_distance", "code")}


@dataclass
class Actor:
    kind: ActorKind
    x: float  # of the box centre
    y: float
    yaw: float = 0.0
    size_m: tuple[float, float, float] | None = None
    walk_s_m: float = 0.0
    appearance: int = 0


def make_world(
    worlds: list[list[Actor]], ego: tuple[float, float, float] = (0.0, -1.75, 0.0), seeds: list[int] | None = None
) -> tuple[World, State]:
    """Worlds with the ego's rear axle at `ego` and the given actors from index 1 on."""
    count, most = len(worlds), 1 + max(len(w) for w in worlds)

    def blank(cls: type, **known: torch.Tensor) -> object:
        made = {f.name: torch.zeros(count, most) for f in fields(cls)}
        return cls(**{**made, **known})

    world = blank(
        World,
        map_index=torch.zeros(count, dtype=torch.int32),
        seed=torch.tensor(seeds or list(range(count)), dtype=torch.int64),
        kind=torch.zeros(count, most, dtype=torch.int32),
        size_m=torch.ones(count, most, 3),
        appearance_id=torch.zeros(count, most, dtype=torch.int32),
    )
    state = blank(
        State,
        tick=torch.zeros(count, dtype=torch.int64),
        valid=torch.zeros(count, most, dtype=torch.bool),
        xy_world_m=torch.zeros(count, most, 2),
        signal_phase=torch.zeros(count, 1, dtype=torch.int32),
    )
    assert isinstance(world, World) and isinstance(state, State)
    world.dt_s = 0.1
    state.valid[:, 0] = True
    state.xy_world_m[:, 0] = torch.tensor(ego[:2])
    state.yaw_world_rad[:, 0] = ego[2]
    for b, actors in enumerate(worlds):
        for i, actor in enumerate(actors, start=1):
            base = WHEELBASE_M[actor.kind]
            world.kind[b, i] = int(actor.kind)
            world.size_m[b, i] = torch.tensor(actor.size_m or SIZE_M[actor.kind])
            world.wheelbase_m[b, i] = base
            world.appearance_id[b, i] = actor.appearance
            ahead = 0.5 * base * np.array([np.cos(actor.yaw), np.sin(actor.yaw)])
            state.xy_world_m[b, i] = torch.tensor([actor.x - ahead[0], actor.y - ahead[1]])
            state.yaw_world_rad[b, i] = actor.yaw
            state.walk_s_m[b, i] = actor.walk_s_m
            state.valid[b, i] = True
    return world, state


def nobody(worlds: int, actors: int) -> tuple[EgoState, Boxes3D]:
    """What the renderer only passes on."""
    zero, flat = torch.zeros(worlds), torch.zeros(worlds, actors)
    boxes = Boxes3D(torch.zeros(worlds, actors, 3), torch.zeros(worlds, actors, 3), flat, flat, flat, flat, flat, flat)
    return EgoState(zero, zero, zero, zero, zero, torch.zeros(worlds, 3), zero), boxes


SCENERY = build_scenery([StraightRoad()], 0)
BARE = fresh(bare(replace(SCENERY, **unbuilt(StraightRoad()))))
TEXTURES = procedural_textures(3, 0, size=32, sky_size=(32, 64))


def shoot(
    world: World,
    state: State,
    width: int = 160,
    height: int = 96,
    pitch_deg: float = 0.0,
    supersample: int = 1,
    scenery: Scenery = BARE,
    textures: Textures = TEXTURES,
    weather: Weather | str = "clear",
) -> tuple[SensorFrame, GroundTruth, Renderer]:
    """One frame through a new renderer."""
    count, actors = world.kind.shape
    camera = camera_from_config(CameraConfig(width_px=width, height_px=height, pitch_deg=pitch_deg))
    renderer = Renderer(scenery, textures, camera, count, actors, supersample)
    light = weather_by_name(weather, count, world.seed) if isinstance(weather, str) else weather  # type: ignore[arg-type]
    frame, truth = renderer.render(world, state, light, *nobody(count, actors - 1))
    return frame, truth, renderer
