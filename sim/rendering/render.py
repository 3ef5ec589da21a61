"""The batched camera renderer: colour and exact labels of every world's cameras at one tick.

    place_views -> meter_views, place_actors, cull
                -> clear_boxes, draw_ground, draw (labels) -> label_pixels -> finish_boxes, extras
                -> draw_ground, draw (colour samples), draw_shadows, draw_footprints -> shade_pixels

Labels come from one sample at each pixel's centre, in one visibility buffer that no light, weather or texture enters.
Colour takes `supersample` x `supersample` samples per pixel. All outputs are preallocated: a call overwrites what the
last one returned. Launches are recorded and replayed as long as they are given the same tensors.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import warp as wp

from sim.meshes.library import MeshLibrary, mesh_library
from sim.painting.textures import Textures
from sim.program import Program
from sim.render_kernels import appearance, metering, raster, shade, terrain, view
from sim.render_kernels import labels as labels_2d
from sim.render_kernels.packs import PACK
from sim.rendering import decals, lamplight, texels
from sim.rendering.extras import Extras
from sim.rendering.film import film_curve
from sim.rendering.scenery import Scenery
from sim.rendering.weather import WEATHER_FLOATS, Weather
from sim.types import (
    SEMANTIC_OF_KIND,
    ActorKind,
    Boxes2D,
    Boxes3D,
    CameraModel,
    EgoState,
    ExtraLabel,
    ExtraLabels,
    GroundTruth,
    SensorFrame,
    State,
    World,
)
from sim.warp_start import finish_loading, start_loading, start_warp

RANGE_M = 250.0  # things that stand still are drawn up to here
SHADOW_RANGE_M = 90.0
BLINK_HZ = 1.5  # indicators
_NO_KEY = 0x7FFFFFFFFFFFFFFF
_BAND_CPU = 1 << 16  # rows that one thread shades: all, so that few packs of points stay incomplete
_KERNELS = (shade, raster, view, metering, labels_2d)  # modules of kernels that every image needs, the longest first
_LANES_CUDA = 32  # threads that share one instance's triangles


@dataclass
class _Buffers:
    """Everything that a call writes, allocated once. V = B * C views, S slots of a draw list."""

    eye: torch.Tensor
    camera_from_world: torch.Tensor
    key: torch.Tensor  # (V, H, W) visibility at pixel centres
    sample_key: torch.Tensor  # (V, sH, sW) the same at the colour samples
    stencil: torch.Tensor  # (V, sH, sW) 1 in shadow, 2 under a vehicle
    bitmap: torch.Tensor  # (V, N, H, ceil(W / 32)) silhouettes
    silhouette: torch.Tensor  # (V, N)
    visible: torch.Tensor  # (V, N)
    bounds: torch.Tensor  # (V, N, 4)
    amodal: torch.Tensor  # (V, N, 4)
    weather: torch.Tensor  # (B, WEATHER_FLOATS)


class Renderer:
    """Draws `worlds` worlds of `actors` actors with one rig of cameras. Actor 0 is the ego and is never drawn.

    Raises ValueError where sizes do not fit each other.
    """

    def __init__(
        self,
        scenery: Scenery,
        textures: Textures,
        camera: CameraModel,
        worlds: int,
        actors: int,
        supersample: int = 1,
        device: str = "cpu",
        labels: tuple[ExtraLabel, ...] = (),
        library: MeshLibrary | None = None,
    ) -> None:
        if worlds < 1 or actors < 1 or not 1 <= supersample <= 4:
            raise ValueError(f"worlds={worlds} actors={actors} supersample={supersample}; want >= 1, >= 1, 1..4")
        start_warp()
        self._loading = start_loading(_KERNELS, device)  # while all else is set up
        self._device, self._worlds, self._actors, self._samples = device, worlds, actors, supersample
        self.device, self.worlds, self.actors = device, worlds, actors  # for other sensors of the same worlds
        self._camera = camera
        self._views = worlds * len(camera.focal_px)
        self._scenery, self._keep = scenery.to(device), []
        self._mounts = _array(camera.ego_from_camera.to(device, torch.float32).contiguous(), wp.mat44)
        self._allocate()
        self._describe(textures, library or mesh_library())
        self._all_flat = bool(scenery.ground_flat.all())
        self._reach = int(np.ceil(RANGE_M / scenery.item_cell_m))
        self._slots = 2 * actors + _most_items(scenery, self._reach)  # actors and their doors
        self._drawn, self._shadows = (self._draw_list() for _ in range(2))
        image = (worlds, len(camera.focal_px), camera.height_px, camera.width_px)
        self._extras = Extras(labels, image, actors, device, library or mesh_library()) if labels else None
        self._bound: tuple[int, ...] = ()
        self._program = Program(list, wp.get_device(device))

    # ------------------------------------------------------------------------------------------------------ one call

    def render(
        self, world: World, state: State, weather: Weather, ego: EgoState, boxes_3d: Boxes3D
    ) -> tuple[SensorFrame, GroundTruth]:
        """Draw the current tick. `ego` and `boxes_3d` are passed on; the images are overwritten by the next call."""
        self._begin(world, weather)
        self._recorded(world, state).run()
        frame = SensorFrame(rgb=self._rgb, camera=self._camera, ego=ego)
        extra = self._extras.labels() if self._extras else ExtraLabels()
        truth = GroundTruth(self._depth_m, self._semantic, self._instance, self._boxes_2d, boxes_3d, extra)
        return frame, truth

    def forget(self) -> None:
        """Begin anew: the next image has none before it, and so no flow."""
        if self._extras:
            self._extras.forget()

    def seconds(
        self, world: World, state: State, weather: Weather, ego: EgoState, boxes_3d: Boxes3D
    ) -> dict[str, float]:
        """Draw the current tick launch by launch: CPU seconds by kernel, the cost of launching from Python included."""
        self._begin(world, weather)
        return self._recorded(world, state).seconds()

    def triangles_drawn(self) -> int:
        """Triangles of all instances in view in the last image, at the level of detail that each was drawn in."""
        listed = self._drawn.triangles.numpy()[..., 1]
        return int(sum(row[:count].sum() for row, count in zip(listed, self._drawn.count.numpy())))

    def _begin(self, world: World, weather: Weather) -> None:
        """Buffers as a frame begins with."""
        self._check(world, weather)
        self._buffers.weather.copy_(weather.packed())
        self._buffers.key.fill_(_NO_KEY)
        self._buffers.stencil.zero_()
        if self._samples > 1:
            self._buffers.sample_key.fill_(_NO_KEY)

    def _check(self, world: World, weather: Weather) -> None:
        if tuple(world.kind.shape) != (self._worlds, self._actors):
            raise ValueError(f"world: {tuple(world.kind.shape)} actors; want {(self._worlds, self._actors)}")
        if len(weather.lamps) != self._worlds:
            raise ValueError(f"weather: {len(weather.lamps)} worlds; want {self._worlds}")

    def _recorded(self, world: World, state: State) -> Program:
        """The launches that draw a frame."""
        tensors = (
            *(world.map_index, world.seed, world.kind, world.size_m, world.wheelbase_m, world.appearance_id),
            *(state.valid, state.xy_world_m, state.yaw_world_rad, state.walk_s_m, state.accel_mps2),
            *(state.z_world_m, state.pitch_rad, state.steer_rad, state.lane_s_m, state.signal_phase, state.tick),
            *(state.speed_mps, state.lane_lateral_m, state.indicator, state.door_s),
        )
        bound = tuple(t.data_ptr() for t in tensors)
        if bound != self._bound:
            self._bound = bound
            self._program = Program(lambda: self._record(world, state), wp.get_device(self._device))
        return self._program

    def _record(self, world: World, state: State) -> list[Any]:
        commands = [
            self._place_views(state),
            self._meter_views(world),
            self._place_actors(world, state),
            self._cull(world),
            *self._clear_boxes(),
            *self._draw_ground(world, self._label_views, self._key),
            self._draw(self._label_views, self._key, True),
            self._label_pixels(world),
        ]
        if self._actors > 1:
            commands.append(self._finish_boxes(world))
        if self._extras:
            scene = (self._label_views, self._meshes, self._placed, self._statics, self._ground)
            commands += self._extras.record(world, state, scene, self._key, self._strides)
        if self._samples > 1:
            commands += self._draw_ground(world, self._colour_views, self._sample_key)
            commands.append(self._draw(self._colour_views, self._sample_key, False))
        commands += [self._draw_shadows(world), self._draw_footprints(world), self._shade_pixels(world, state)]
        return commands

    def scene(self, world: World, state: State) -> tuple[Any, Any, Any, Any, Any]:
        """The launch that places the actors, and what kernels take: meshes, placed actors, statics, ground."""
        return self._place_actors(world, state), self._meshes, self._placed, self._statics, self._ground

    def neighbourhood(self, range_m: float) -> tuple[int, int]:
        """How many cells of things that stand still lie within a range on each side, and room for all in them."""
        reach = int(np.ceil(range_m / self._scenery.item_cell_m))
        return reach, self._actors + _most_items(self._scenery, reach)

    # --------------------------------------------------------------------------------------------- one kernel a method

    def _launch(self, kernel: Any, dim: tuple[int, ...], inputs: list, outputs: list) -> Any:
        finish_loading(self._loading)
        return wp.launch(kernel, dim, inputs=inputs, outputs=outputs, device=self._device, record_cmd=True)

    def _place_views(self, state: State) -> Any:
        inputs = [_array(state.xy_world_m), _array(state.z_world_m), _array(state.yaw_world_rad)]
        inputs += [_array(state.pitch_rad), self._mounts, self._label_views.cameras]
        outputs = [self._label_views.eye, self._label_views.camera_from_world, self._drawn.count, self._shadows.count]
        return self._launch(view.place_views, (self._views,), inputs, outputs)

    def _meter_views(self, world: World) -> Any:
        inputs = [_array(world.map_index), self._label_views, self._ground, self._weather]
        return self._launch(metering.meter_views, (self._views,), inputs, [self._label_views.gain])

    def _place_actors(self, world: World, state: State) -> Any:
        inputs = [_array(world.kind), _array(world.size_m), _array(world.wheelbase_m), _array(world.appearance_id)]
        inputs += [_array(state.valid), _array(state.xy_world_m), _array(state.z_world_m), _array(state.yaw_world_rad)]
        inputs += [_array(state.pitch_rad), _array(state.walk_s_m), _array(state.speed_mps), _array(state.accel_mps2)]
        inputs += [_array(state.steer_rad), _array(state.lane_s_m), _array(state.lane_lateral_m)]
        inputs += [_array(state.indicator), _array(state.door_s), _array(state.tick)]
        inputs = [*inputs, BLINK_HZ * world.dt_s]
        return self._launch(view.place_actors, (self._worlds, self._actors), inputs, [self._placed])

    def _cull(self, world: World) -> Any:
        threads = self._threads(self._actors + (2 * self._reach + 1) ** 2)
        inputs = [_array(world.map_index), self._label_views, self._meshes, self._placed, self._statics, self._ground]
        inputs += [self._weather, RANGE_M, SHADOW_RANGE_M, self._reach, self._actors, threads]
        return self._launch(view.cull, (self._views, threads), inputs, [self._drawn, self._shadows])

    def _clear_boxes(self) -> list[Any]:
        shape, outputs = (self._views, self._actors), [self._silhouette, self._visible, self._bounds, self._amodal]
        inputs = [self._label_views, self._lanes]
        bitmap = [self._bitmap, self._silhouette, self._amodal]
        return [
            self._launch(labels_2d.clear_boxes, (*shape, self._lanes), inputs, bitmap),
            self._launch(labels_2d.reset_boxes, shape, [], outputs),
        ]

    def _draw_ground(self, world: World, views: Any, key: wp.array) -> list[Any]:
        if self._all_flat:
            return []
        stride = self._threads(views.width * views.samples)
        dim = (self._views, views.height * views.samples, stride)
        inputs = [_array(world.map_index), views, self._ground, stride]
        return [self._launch(raster.draw_ground, dim, inputs, [key])]

    def _draw(self, views: Any, key: wp.array, silhouettes: bool) -> Any:
        threads = self._threads(self._slots * self._lanes)
        inputs = [views, self._meshes, self._drawn, threads, self._lanes, silhouettes]
        outputs = [key, self._bitmap, self._silhouette, self._amodal]
        return self._launch(raster.draw, (self._views, threads), inputs, outputs)

    def _label_pixels(self, world: World) -> Any:
        inputs = [_array(world.map_index), _array(world.kind), self._label_views, self._meshes, self._placed]
        inputs += [self._statics, self._ground, self._key, self._semantic_of_kind, self._strides]
        flat = [_array(t.flatten(0, 1)) for t in (self._depth_m, self._semantic, self._instance)]
        dim = (self._views, self._camera.height_px, self._strides)
        return self._launch(labels_2d.label_pixels, dim, inputs, [*flat, self._visible, self._bounds])

    def _finish_boxes(self, world: World) -> Any:
        boxes = self._boxes_2d
        rows = (boxes.amodal_px, boxes.visible_px, boxes.visible_pixels, boxes.occlusion, boxes.truncation)
        outputs = [_array(t.flatten(0, 1)) for t in (*rows, boxes.kind, boxes.actor, boxes.valid)]
        inputs = [_array(world.kind), self._label_views, self._silhouette, self._visible, self._bounds, self._amodal]
        return self._launch(labels_2d.finish_boxes, (self._views, self._actors - 1), inputs, outputs)

    def _draw_shadows(self, world: World) -> Any:
        threads = self._threads(self._slots * self._lanes)
        inputs = [_array(world.map_index), self._colour_views, self._meshes, self._ground, self._shadows]
        inputs += [self._colour_key, threads, self._lanes]
        return self._launch(raster.draw_shadows, (self._views, threads), inputs, [self._stencil])

    def _draw_footprints(self, world: World) -> Any:
        inputs = [_array(world.map_index), _array(world.kind), self._colour_views, self._placed, self._ground]
        inputs.append(self._colour_key)
        return self._launch(raster.draw_footprints, (self._views, self._actors), inputs, [self._stencil])

    def _shade_pixels(self, world: World, state: State) -> Any:
        inputs = [_array(world.map_index), _array(world.seed), _array(world.appearance_id), _array(state.signal_phase)]
        inputs += [self._colour_views, self._meshes, self._placed, self._statics, self._ground, self._images]
        inputs += [self._weather, self._colour_key, self._stencil, self._band, self._strides]
        dim = (self._views, -(-self._camera.height_px // self._band), self._strides)
        return self._launch(shade.shade_pixels, dim, inputs, [self._mixed, _array(self._rgb.flatten(2).flatten(0, 1))])

    # --------------------------------------------------------------------------------------------------------- set-up

    def _threads(self, most: int) -> int:
        """As many threads as there is work for; one on the CPU, where each costs and they run one after the other."""
        return 1 if self._device == "cpu" else most

    def _zeros(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros(shape, dtype=dtype, device=self._device)

    def _allocate(self) -> None:
        """Outputs as the caller sees them, then the renderer's own buffers."""
        cameras, views, actors = len(self._camera.focal_px), self._views, self._actors
        height, width, s = self._camera.height_px, self._camera.width_px, self._samples
        image, boxes = (self._worlds, cameras, height, width), (self._worlds, cameras, actors - 1)
        self._rgb = self._zeros(*image, 3, dtype=torch.uint8)
        self._depth_m, self._semantic = self._zeros(*image), self._zeros(*image, dtype=torch.uint8)
        self._instance = self._zeros(*image, dtype=torch.int16)
        self._boxes_2d = Boxes2D(
            amodal_px=self._zeros(*boxes, 4),
            visible_px=self._zeros(*boxes, 4),
            visible_pixels=self._zeros(*boxes, dtype=torch.int32),
            occlusion=self._zeros(*boxes),
            truncation=self._zeros(*boxes),
            kind=self._zeros(*boxes, dtype=torch.int32),
            actor=self._zeros(*boxes, dtype=torch.int32),
            valid=self._zeros(*boxes, dtype=torch.bool),
        )
        key = self._zeros(views, height, width, dtype=torch.int64)
        self._buffers = _Buffers(
            eye=self._zeros(views, 3),
            camera_from_world=self._zeros(views, 3, 3),
            key=key,
            sample_key=key if s == 1 else self._zeros(views, height * s, width * s, dtype=torch.int64),
            stencil=self._zeros(views, height * s, width * s, dtype=torch.uint8),
            bitmap=self._zeros(views, actors, height, (width + 31) // 32, dtype=torch.int32),
            silhouette=self._zeros(views, actors, dtype=torch.int32),
            visible=self._zeros(views, actors, dtype=torch.int32),
            bounds=self._zeros(views, actors, 4, dtype=torch.int32),
            amodal=self._zeros(views, actors, 4),
            weather=self._zeros(self._worlds, WEATHER_FLOATS),
        )
        self._key, self._sample_key = _array(self._buffers.key), _array(self._buffers.sample_key)
        mixed = self._zeros(*((views, height * width) if s > 1 else (1, 1)), 4)
        self._keep.append(mixed)
        self._mixed = _array(mixed, wp.vec4)
        self._colour_key = self._key if s == 1 else self._sample_key
        self._stencil, self._bitmap = _array(self._buffers.stencil), _array(self._buffers.bitmap, wp.uint32)
        self._silhouette, self._visible = _array(self._buffers.silhouette), _array(self._buffers.visible)
        self._bounds, self._amodal = _array(self._buffers.bounds), _array(self._buffers.amodal)
        self._weather = _array(self._buffers.weather)
        labels_of_kinds = [int(SEMANTIC_OF_KIND[kind]) for kind in ActorKind]
        self._semantic_of_kind = wp.array(labels_of_kinds, dtype=wp.int32, device=self._device)
        # On the CPU a launch is one thread: rows and instances as loops save what threads would set up again and again.
        self._lanes, self._strides = self._threads(_LANES_CUDA), self._threads(-(-width // PACK))
        self._band = _BAND_CPU if self._device == "cpu" else 1

    def _describe(self, textures: Textures, library: MeshLibrary) -> None:
        """Fill the structures that kernels take."""
        self._gain = wp.ones(self._views, dtype=wp.float32, device=self._device)
        self._label_views, self._colour_views = self._screen(1), self._screen(self._samples)
        self._meshes, self._statics = self._mesh_struct(library), self._statics_struct()
        self._ground, self._images = self._ground_struct(), self._images_struct(textures)
        placed = view.Actors()
        shape = (self._worlds, self._actors)
        placed.pose = wp.zeros(shape, dtype=wp.vec4, device=self._device)
        placed.z = wp.zeros(shape, dtype=wp.float32, device=self._device)
        placed.pitch = wp.zeros(shape, dtype=wp.float32, device=self._device)
        placed.turn = wp.zeros(shape, dtype=wp.mat33, device=self._device)
        placed.size_m = wp.zeros(shape, dtype=wp.vec3, device=self._device)
        placed.model = wp.zeros(shape, dtype=wp.int32, device=self._device)
        placed.detail = wp.zeros(shape, dtype=wp.int32, device=self._device)
        placed.shade_m = wp.zeros(shape, dtype=wp.float32, device=self._device)
        self._placed = placed

    def _screen(self, samples: int) -> Any:  # view.Views
        views = view.Views()
        views.eye = _array(self._buffers.eye, wp.vec3)
        views.camera_from_world = _array(self._buffers.camera_from_world, wp.mat33)
        views.focal_px = self._constant(self._camera.focal_px)
        views.center_px = self._constant(self._camera.center_px, wp.vec2)
        views.gain = self._gain
        views.cameras, views.samples = len(self._camera.focal_px), samples
        views.width, views.height = self._camera.width_px, self._camera.height_px
        return views

    def _constant(self, values: torch.Tensor | np.ndarray, dtype: type | None = None) -> wp.array:
        """A Warp array on the device; the tensor behind it is kept alive."""
        tensor = torch.as_tensor(values).to(self._device).contiguous()
        if not tensor.numel():
            tensor = torch.empty(tensor.shape, dtype=tensor.dtype, device=self._device)  # Warp minds its odd strides
        self._keep.append(tensor)
        return _array(tensor, dtype)

    def _draw_list(self) -> Any:  # view.DrawList
        shape, result = (self._views, self._slots), view.DrawList()
        result.count = wp.zeros(self._views, dtype=wp.int32, device=self._device)
        result.name = wp.zeros(shape, dtype=wp.int64, device=self._device)
        result.triangles = wp.zeros(shape, dtype=wp.vec2i, device=self._device)
        result.axes = wp.zeros(shape, dtype=wp.mat33, device=self._device)
        result.shift = wp.zeros(shape, dtype=wp.vec3, device=self._device)
        result.source = wp.zeros(shape, dtype=wp.vec3, device=self._device)
        return result

    def _mesh_struct(self, library: MeshLibrary) -> Any:  # view.Meshes
        result = view.Meshes()
        result.corner = self._constant(library.corner.reshape(-1, 3), wp.vec3)
        result.row = self._constant(library.rows())
        result.normal = self._constant(library.normal.reshape(-1, 3), wp.vec3)
        result.material = self._constant(library.material)
        result.first, result.count = self._constant(library.first), self._constant(library.count)
        result.semantic = self._constant(library.semantic)
        result.plane = self._constant(library.plane, wp.vec4)
        plane, base, bend = (torch.as_tensor(x) for x in (library.plane, library.base, library.bend))
        result.facet = self._constant(torch.cat([plane[:, None], torch.cat([base[..., None], bend], 2)], 1), wp.mat44)
        result.anchor = self._constant(library.anchor, wp.vec3)
        result.look, result.glyph = self._constant(library.look, wp.vec4), self._constant(library.glyph)
        return result

    def _statics_struct(self) -> Any:  # view.Statics
        scenery, result = self._scenery, view.Statics()
        result.pose = self._constant(scenery.item_pose, wp.vec4)
        result.size_m = self._constant(scenery.item_size_m, wp.vec3)
        result.model, result.tint = self._constant(scenery.item_model), self._constant(scenery.item_tint)
        result.z, result.detail = self._constant(scenery.item_z_m), self._constant(scenery.item_detail)
        result.cell_m = scenery.item_cell_m
        result.origin = self._constant(scenery.item_origin_world_m, wp.vec2)
        result.shape = self._constant(scenery.item_shape, wp.vec2i)
        result.grid_first = self._constant(scenery.item_grid_first)
        result.cell_first = self._constant(scenery.item_cell_first)
        result.map_first = self._constant(scenery.item_first)
        return result

    def _ground_struct(self) -> Any:  # terrain.Ground
        scenery, result = self._scenery, terrain.Ground()
        result.cell_m = scenery.ground_cell_m
        result.origin = self._constant(scenery.ground_origin_world_m, wp.vec2)
        result.shape = self._constant(scenery.ground_shape, wp.vec2i)
        result.first, result.distance = self._constant(scenery.ground_first), self._constant(scenery.ground_distance)
        result.flat, result.height_cell_m = self._constant(scenery.ground_flat), self._constant(scenery.height_cell_m)
        result.height_origin = self._constant(scenery.height_origin_world_m, wp.vec2)
        result.height_shape = self._constant(scenery.height_shape, wp.vec2i)
        result.height_first, result.height_m = self._constant(scenery.height_first), self._constant(scenery.height_m)
        result.height_top_m = self._constant(scenery.height_top_m)
        result.code_cell_m, result.style = decals.CELL_M, self._constant(scenery.ground_style)
        result.code_shape = self._constant(scenery.code_shape, wp.vec2i)
        result.code_first, result.code = self._constant(scenery.code_first), self._constant(scenery.code)
        result.lane_first = self._constant(scenery.lane_first)
        result.lane_line = self._constant(scenery.lane_line)
        result.lane_shape_m = self._constant(scenery.lane_shape_m)
        result.pool_cell_m, result.pool_shape = lamplight.CELL_M, self._constant(scenery.pool_shape, wp.vec2i)
        result.pool_first, result.pool = self._constant(scenery.pool_first), self._constant(scenery.pool)
        result.shade_shape = self._constant(scenery.shade_shape, wp.vec2i)
        result.shade_first, result.shade = self._constant(scenery.shade_first), self._constant(scenery.shade)
        result.noise = self._constant(scenery.ground_noise)
        result.mark_thin = self._constant(scenery.mark_thin)
        result.mark_rgb = self._constant(decals.DECAL_RGB, wp.vec3)
        result.mark_first, result.mark_item = self._constant(scenery.mark_first), self._constant(scenery.mark_item)
        result.mark_line = self._constant(scenery.mark_line, wp.vec4)
        result.mark_shape_m = self._constant(scenery.mark_shape_m, wp.vec4)
        result.mark_paint = self._constant(scenery.mark_paint, wp.vec4)
        return result

    def _images_struct(self, textures: Textures) -> Any:  # appearance.Images
        result, words = appearance.Images(), texels.packed(textures)
        for name, first in words.first.items():
            setattr(result, f"{name}_first", first)
            setattr(result, f"{name}_log2", int(np.log2(getattr(textures, name).shape[1])))
        sky = textures.sky
        result.sky_first, result.sky_rows, result.sky_columns = words.sky_first, sky.shape[1], sky.shape[2]
        result.variants, result.facade_variants = len(sky), len(textures.facade)
        result.shops_variants, result.signs_variants = len(textures.shops), len(textures.signs)
        result.facade_layout = self._constant(textures.openings.reshape(-1, 4))
        result.texel = self._constant(words.texel.view(np.int32), wp.uint32)
        result.curve = self._constant(film_curve())
        return result


def _array(tensor: torch.Tensor, dtype: type | None = None) -> wp.array:
    """A zero-copy Warp view. Raises ValueError for a tensor that is not contiguous: a copy would miss later changes."""
    if not tensor.is_contiguous():
        raise ValueError(f"a tensor of shape {tuple(tensor.shape)} is not contiguous")
    if dtype in (wp.uint32, wp.uint64):
        return wp.array(ptr=tensor.data_ptr(), dtype=dtype, shape=tuple(tensor.shape), device=str(tensor.device))
    return wp.from_torch(tensor, dtype=dtype)


def _most_items(scenery: Scenery, reach: int) -> int:
    """The most things that can lie in the cells around any camera."""
    most = 0
    for scene, (columns, rows) in enumerate(scenery.item_shape.tolist()):
        start = int(scenery.item_grid_first[scene])
        first = scenery.item_cell_first[start : start + columns * rows + 1].cpu().numpy()
        count = np.diff(first).reshape(rows, columns)
        total = np.pad(np.pad(count, reach).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        side = 2 * reach + 1
        window = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
        skyline = int(scenery.item_cell_first[start + columns * rows + 1]) - int(first[-1])
        most = max(most, int(window.max(initial=0)) + skyline)
    return most
