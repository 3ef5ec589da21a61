"""Labels of the road in images and from above: drivable surface, the ego's lane, crosswalks, lines as polylines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import warp as wp

from sim.render_kernels import roadmarks, view
from sim.rendering.decals import CELL_M, Decal, DecalKind, DecalRaster, paint_of, rasterise_decals
from sim.rendering.lens_labels import project_rays
from sim.rendering.lens_models import pixel_rays
from sim.roads.lanepack import pack_lanes
from sim.roads.network import Marking, RoadNetwork, RoadObject
from sim.types import CameraModel, GroundTruth, LaneGraph, RoadLabels, State, World

BIRD_CELLS = 200
AHEAD_M = 60.0
ASIDE_M = 25.0
LINES, POINTS = 48, 64  # most of both in one image
STEP_M = 1.0
_HIDDEN_M = 0.25  # what is so much nearer than a point of a line, and a fiftieth of its depth, hides it
_MARGIN_M = 2.0


class RoadLabeller:
    """Labels the road in what `Renderer` or `Cameras` draw of `networks` (in the order of the lane graph's maps)."""

    def __init__(
        self, networks: Sequence[RoadNetwork], lanes: LaneGraph, camera: CameraModel, worlds: int, device: str = "cpu"
    ) -> None:
        self._device, self._camera, self._worlds = device, camera, worlds
        self._lanes, self._keep = pack_lanes(lanes, torch.device(device))
        lines = [[m for m in network.markings(STEP_M) if m.z_world_m is not None] for network in networks]
        self._marks = self._marks_struct([_raster(n, own) for n, own in zip(networks, lines, strict=True)])
        self._lines = [_Lines(own, device) for own in lines]
        shape = (worlds, len(camera.focal_px), camera.height_px, camera.width_px)
        self._seen = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._bird = torch.zeros(worlds, BIRD_CELLS, BIRD_CELLS, dtype=torch.uint8, device=device)
        self._views, self._eye, self._turn = self._screen()
        self._ray = wp.array(pixel_rays(camera), dtype=wp.vec3, device=device)

    def label(self, truth: GroundTruth, world: World, state: State) -> RoadLabels:
        """Labels of the tick that `truth` is of; the rasters are overwritten by the next call."""
        ego = _ego_pose(state)
        mounts = self._camera.ego_from_camera.to(self._device)
        pose = ego[:, None] @ mounts  # (B, C, 4, 4) world_from_camera
        self._eye.copy_(pose[..., :3, 3].flatten(0, 1))
        self._turn.copy_(pose[..., :3, :3].flatten(0, 1).transpose(1, 2))
        map_index = wp.from_torch(world.map_index)
        path = [wp.from_torch(state.path_lane), wp.from_torch(state.path_valid)]
        images = [wp.from_torch(t.flatten(0, 1)) for t in (truth.depth_m, truth.semantic)]
        stride = 1 if self._device == "cpu" else self._camera.width_px
        dim = (*images[0].shape[:2], stride)
        inputs = [map_index, self._lanes, *path, self._views, self._ray, self._marks, *images, stride]
        outputs = [wp.from_torch(self._seen.flatten(0, 1))]
        wp.launch(roadmarks.label_road, dim, inputs, outputs, device=self._device)
        poses = [wp.from_torch(t) for t in (state.xy_world_m, state.z_world_m, state.yaw_world_rad, state.pitch_rad)]
        inputs, outputs = [map_index, self._lanes, *poses, *path, self._marks], [wp.from_torch(self._bird)]
        wp.launch(roadmarks.label_bird, tuple(self._bird.shape), inputs, outputs, device=self._device)
        return self._with_lines(truth, world, ego)

    def _with_lines(self, truth: GroundTruth, world: World, ego: torch.Tensor) -> RoadLabels:
        rows = [self._lines[m].ahead(ego[b]) for b, m in enumerate(world.map_index.tolist())]
        line, valid, solid, yellow = (torch.stack(parts) for parts in zip(*rows, strict=True))
        pixel, visible = self._projected(truth, line, valid)
        return RoadLabels(self._seen, self._bird, line, pixel, visible, solid, yellow, valid)

    def _projected(
        self, truth: GroundTruth, line: torch.Tensor, valid: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (B, C, L, P, 2) of points in the ego frame, and whether they are seen (B, C, L, P)."""
        mounts, camera = self._camera.ego_from_camera.to(self._device), self._camera
        there = torch.einsum("blpi,cij->bclpj", line, mounts[:, :3, :3])
        there = there - torch.einsum("ci,cij->cj", mounts[:, :3, 3], mounts[:, :3, :3])[None, :, None, None]
        depth = there[..., 2]
        pixel, shown = project_rays(camera, there)
        before = valid[:, None] & shown & (depth > 0.05)
        pixel = torch.where(before[..., None], pixel, 0.0)
        size = torch.tensor([camera.width_px, camera.height_px], device=self._device)
        inside = before & (pixel >= 0.0).all(-1) & (pixel < size).all(-1)
        at = torch.where(inside[..., None], pixel, 0.0).long()
        batch = torch.arange(len(line), device=self._device)[:, None, None, None]
        own = torch.arange(len(mounts), device=self._device)[:, None, None]
        drawn = truth.depth_m[batch, own, at[..., 1], at[..., 0]]
        return pixel, inside & (drawn > depth - _HIDDEN_M - 0.02 * depth)

    def _screen(self) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """The kernels' Views, and the tensors of eyes and rotations behind it."""
        camera, result = self._camera, view.Views()
        eye = torch.zeros(self._worlds * len(camera.focal_px), 3, device=self._device)
        turn = torch.zeros(*eye.shape, 3, device=self._device)
        result.eye, result.camera_from_world = wp.from_torch(eye, wp.vec3), wp.from_torch(turn, wp.mat33)
        constants = [t.to(self._device, torch.float32).contiguous() for t in (camera.focal_px, camera.center_px)]
        self._keep += constants
        result.focal_px, result.center_px = wp.from_torch(constants[0]), wp.from_torch(constants[1], wp.vec2)
        result.cameras, result.samples = len(camera.focal_px), 1
        result.width, result.height = camera.width_px, camera.height_px
        return result, eye, turn

    def _marks_struct(self, maps: list[tuple[np.ndarray, tuple[int, int], DecalRaster]]) -> Any:  # roadmarks.Marks
        cells = np.cumsum([0] + [shape[0] * shape[1] for _, shape, _ in maps])
        items = np.cumsum([0] + [len(raster.item) for _, _, raster in maps])
        pieces = np.cumsum([0] + [len(raster.line) for _, _, raster in maps])
        first = [raster.first[:-1] + start for (_, _, raster), start in zip(maps, items)]
        item = [raster.item + start for (_, _, raster), start in zip(maps, pieces)]
        result, device = roadmarks.Marks(), self._device
        result.cell_m = CELL_M
        result.origin = wp.array(np.array([origin for origin, _, _ in maps], np.float32), dtype=wp.vec2, device=device)
        result.shape = wp.array(np.array([shape for _, shape, _ in maps], np.int32), dtype=wp.vec2i, device=device)
        result.first = wp.array(cells[:-1].astype(np.int32), device=device)
        starts = np.concatenate([*first, items[-1:]]).astype(np.int32)
        result.cell_first = wp.array(starts, device=device)
        result.item = wp.array(np.concatenate([*item, [0]]).astype(np.int32), device=device)
        for name in ("line", "shape_m", "paint"):
            rows = np.concatenate([*(getattr(raster, name) for _, _, raster in maps), np.zeros((1, 4))])
            setattr(result, name, wp.array(rows.astype(np.float32), dtype=wp.vec4, device=device))
        return result


class _Lines:
    """One map's lines as points, and the runs of them that lie before an ego."""

    def __init__(self, lines: list[Marking], device: str) -> None:
        points = [np.column_stack([m.xy_world_m, m.z_world_m]) for m in lines if m.z_world_m is not None]
        number = np.repeat(np.arange(len(lines)), [len(p) for p in points])
        xyz = np.concatenate([*points, np.zeros((0, 3))]).astype(np.float32)
        self._xyz, self._number = torch.from_numpy(xyz).to(device), torch.from_numpy(number).to(device)
        self._solid = torch.tensor([m.gap_m <= 0.0 for m in lines] or [False], device=device)
        yellow = [paint_of(m.color) == DecalKind.YELLOW for m in lines] or [False]
        self._yellow = torch.tensor(yellow, device=device)

    def ahead(self, ego: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Points (L, P, 3) in the ego frame, which of them there are (L, P), solid and yellow (L,); nearest first."""
        local = (self._xyz - ego[:3, 3]) @ ego[:3, :3]
        near = (local[:, 0] > 0.0) & (local[:, 0] < AHEAD_M) & (local[:, 1].abs() < ASIDE_M)
        index = near.nonzero()[:, 0]
        line, valid = local.new_zeros(LINES, POINTS, 3), local.new_zeros(LINES, POINTS, dtype=torch.bool)
        solid, yellow = (local.new_zeros(LINES, dtype=torch.bool) for _ in range(2))
        if not len(index):
            return line, valid, solid, yellow
        cut = torch.ones_like(index, dtype=torch.bool)
        cut[1:] = (index.diff() > 1) | (self._number[index].diff() != 0)
        run = cut.cumsum(0) - 1
        start = cut.nonzero()[:, 0]
        place = torch.arange(len(index), device=index.device) - start[run]
        distance = local[index, :2].norm(dim=-1)
        nearest = torch.full((len(start),), torch.inf, device=index.device).scatter_reduce(0, run, distance, "amin")
        rank = nearest.argsort(stable=True).argsort()
        kept = (rank[run] < LINES) & (place < POINTS)
        line[rank[run][kept], place[kept]] = local[index[kept]]
        valid[rank[run][kept], place[kept]] = True
        number, listed = self._number[index[start]], rank < LINES
        solid[rank[listed]], yellow[rank[listed]] = self._solid[number[listed]], self._yellow[number[listed]]
        return line, valid, solid, yellow


def _ego_pose(state: State) -> torch.Tensor:
    """world_from_ego (B, 4, 4)."""
    yaw, pitch = state.yaw_world_rad[:, 0], state.pitch_rad[:, 0]
    c, s, cp, sp, zero = yaw.cos(), yaw.sin(), pitch.cos(), pitch.sin(), torch.zeros_like(yaw)
    x, y, z = state.xy_world_m[:, 0, 0], state.xy_world_m[:, 0, 1], state.z_world_m[:, 0]
    rows = [c * cp, -s, c * sp, x, s * cp, c, s * sp, y, -sp, zero, cp, z, zero, zero, zero, zero + 1.0]
    return torch.stack(rows, -1).reshape(-1, 4, 4)


def _raster(network: RoadNetwork, lines: list[Marking]) -> tuple[np.ndarray, tuple[int, int], DecalRaster]:
    """Lines and crosswalks of a map by cell: origin, (columns, rows), raster."""
    decals = [Decal(m.xy_world_m, m.width_m, paint_of(m.color), m.dash_m, m.gap_m) for m in lines]
    decals += [band for entry in network.objects if (band := _crosswalk(entry)) is not None]
    points = np.concatenate([*(d.xy_world_m for d in decals), np.zeros((0, 2))])
    if not len(points):
        points = np.zeros((1, 2))
    widest = max((d.width_m for d in decals), default=0.0)
    origin = points.min(axis=0) - widest - _MARGIN_M
    columns, rows = np.ceil((points.max(axis=0) + widest + _MARGIN_M - origin) / CELL_M).astype(int)
    shape = (int(columns), int(rows))
    return origin, shape, rasterise_decals(decals, origin, np.array(shape))  # type: ignore[arg-type]


def _crosswalk(entry: RoadObject) -> Decal | None:
    """The band of a crosswalk, along the least rectangle around its outline; of no paint's kind."""
    if entry.kind != "crosswalk" or len(entry.outline_xyz_world_m) < 3:
        return None
    corners = entry.outline_xyz_world_m[:, :2]
    edge = np.roll(corners, -1, axis=0) - corners
    way = edge[np.hypot(*edge.T).argmax()] / np.hypot(*edge.T).max()
    along, across = corners @ way, corners @ np.array([-way[1], way[0]])
    middle = 0.5 * (across.min() + across.max())
    ends = np.array([[along.min(), middle], [along.max(), middle]]) @ np.array([way, [-way[1], way[0]]])
    return Decal(ends, float(np.ptp(across)), DecalKind.CONCRETE)
