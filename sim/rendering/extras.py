"""Labels that cost nothing unless asked for: normals, flow and things, of the tick that the renderer drew."""

from typing import Any, get_args

import torch
import warp as wp

from sim.meshes.library import MeshLibrary
from sim.render_kernels import geometry
from sim.rendering.keypoints import KeypointStage
from sim.types import ExtraLabel, ExtraLabels, State, World

FASTEST_MPS = 120.0  # actors that went faster since the last image have been put elsewhere


def check_labels(labels: tuple[str, ...]) -> None:
    """ValueError for a label that there is not."""
    for label in labels:
        if label not in get_args(ExtraLabel):
            raise ValueError(f"labels: {label!r}; want any of {', '.join(get_args(ExtraLabel))}")


class Extras:
    """The outputs (B, C, H, W, ...) of `labels`, and where everything was at the image before."""

    def __init__(
        self, labels: tuple[ExtraLabel, ...], shape: tuple[int, ...], actors: int, device: str, library: MeshLibrary
    ) -> None:
        check_labels(labels)
        worlds, cameras = shape[:2]
        self._keypoints = KeypointStage(library, shape, actors, device) if "keypoints" in labels else None
        self._device, self._actors, self._labels = device, actors, labels
        self._normal = torch.zeros(*shape, 3, device=device)
        self._flow = torch.zeros(*shape, 2, device=device)
        self._flow_valid = torch.zeros(shape, dtype=torch.bool, device=device)
        self._thing = torch.zeros(shape, dtype=torch.int32, device=device)
        self._before = geometry.Before()
        self._before.tick = wp.full(worlds, -1, dtype=wp.int64, device=device)
        self._before.seed = wp.zeros(worlds, dtype=wp.int64, device=device)
        self._before.map_index = wp.zeros(worlds, dtype=wp.int32, device=device)
        self._before.eye = wp.zeros(worlds * cameras, dtype=wp.vec3, device=device)
        self._before.camera_from_world = wp.zeros(worlds * cameras, dtype=wp.mat33, device=device)
        self._before.base = wp.zeros((worlds, actors), dtype=wp.vec3, device=device)
        self._before.turn = wp.zeros((worlds, actors), dtype=wp.mat33, device=device)
        self._before.size_m = wp.zeros((worlds, actors), dtype=wp.vec3, device=device)
        self._before.model = wp.full((worlds, actors), -1, dtype=wp.int32, device=device)

    def forget(self) -> None:
        """The next image is the first."""
        self._before.tick.fill_(-1)

    def labels(self) -> ExtraLabels:
        """Views of the outputs, those asked for; the next image overwrites them."""
        has_flow = "flow" in self._labels
        return ExtraLabels(
            normal_camera=self._normal if "normals" in self._labels else None,
            flow_px=self._flow if has_flow else None,
            flow_valid=self._flow_valid if has_flow else None,
            thing=self._thing if "things" in self._labels else None,
            keypoints=self._keypoints.labels() if self._keypoints else None,
        )

    def record(self, world: World, state: State, scene: tuple[Any, ...], key: wp.array, stride: int) -> list[Any]:
        """The launches; `scene` holds Views, Meshes, Actors, Statics and Ground."""
        views, _, actors, _, _ = scene
        constant = [wp.from_torch(t) for t in (world.map_index, world.seed, state.tick)]
        inputs = [*constant, *scene, self._before, key, self._actors, FASTEST_MPS * world.dt_s, stride]
        outputs = [
            wp.from_torch(self._normal.flatten(0, 1), dtype=wp.vec3),
            wp.from_torch(self._flow.flatten(0, 1), dtype=wp.vec2),
            wp.from_torch(self._flow_valid.flatten(0, 1)),
            wp.from_torch(self._thing.flatten(0, 1)),
        ]
        dim = (outputs[0].shape[0], outputs[0].shape[1], stride)
        worlds = len(world.map_index)
        commands = self._keypoints.record(world, views, actors, key) if self._keypoints else []
        if self._labels == ("keypoints",):
            return commands
        return [
            *commands,
            self._launch(geometry.describe_pixels, dim, inputs, outputs),
            self._launch(geometry.remember, (worlds, self._actors), [*constant, views, actors], [self._before]),
        ]

    def _launch(self, kernel: Any, dim: tuple[int, ...], inputs: list, outputs: list) -> Any:
        return wp.launch(kernel, dim, inputs=inputs, outputs=outputs, device=self._device, record_cmd=True)
