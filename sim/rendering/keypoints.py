"""Keypoints of people: COCO's seventeen joints with their visibility, and who the person is."""

from typing import Any

import numpy as np
import torch
import warp as wp

from sim.meshes.library import MODELS, MeshLibrary, Model
from sim.meshes.people import BODIES, KEYPOINTS, POSES, WALK_PHASES
from sim.render_kernels import joints
from sim.types import Keypoints, World

# How deep below the skin a joint lies, over the body's height: what is farther before it hides it.
_BELOW_SKIN = {"nose": 0.03, "eye": 0.035, "ear": 0.045, "shoulder": 0.07, "elbow": 0.055, "wrist": 0.05}
_BELOW_SKIN |= {"hip": 0.12, "knee": 0.09, "ankle": 0.06}


class KeypointStage:
    """The outputs for `shape` (B, C, ...) images of worlds with `actors` actors."""

    def __init__(self, library: MeshLibrary, shape: tuple[int, ...], actors: int, device: str) -> None:
        worlds, cameras = shape[:2]
        rows, count = max(actors - 1, 0), len(KEYPOINTS)
        self._device = device
        # A thread reads its model's row; models of anything but people hold zeros.
        self._joint = wp.array(library.keypoint, dtype=wp.vec3, device=device)
        self._person = wp.array(_who(library), dtype=wp.vec4i, device=device)
        deep = np.array([_BELOW_SKIN[name.split("_")[-1]] for name in KEYPOINTS], np.float32)
        self._below_skin = wp.array(deep, dtype=wp.float32, device=device)
        self._who = torch.zeros(worlds, rows, 4, dtype=torch.int32, device=device)
        self._labels = Keypoints(
            uv_px=torch.zeros(worlds, cameras, rows, count, 2, device=device),
            visibility=torch.zeros(worlds, cameras, rows, count, dtype=torch.uint8, device=device),
            xyz_camera_m=torch.zeros(worlds, cameras, rows, count, 3, device=device),
            sex=self._who[..., 0],
            age=self._who[..., 1],
            body=self._who[..., 2],
            stands=self._who[..., 3],
            valid=torch.zeros(worlds, cameras, rows, dtype=torch.bool, device=device),
        )

    def labels(self) -> Keypoints:
        """Views of the outputs; the next image overwrites them."""
        return self._labels

    def record(self, world: World, views: Any, actors: Any, key: wp.array) -> list[Any]:
        """The launch; none where there is nobody but the ego."""
        out = self._labels
        if out.valid.shape[2] == 0:
            return []
        inputs = [wp.from_torch(world.kind), views, actors, key, self._joint, self._below_skin, self._person]
        outputs = [
            wp.from_torch(out.uv_px.flatten(0, 1), dtype=wp.vec2),
            wp.from_torch(out.xyz_camera_m.flatten(0, 1), dtype=wp.vec3),
            wp.from_torch(out.visibility.flatten(0, 1)),
            wp.from_torch(out.valid.flatten(0, 1)),
            wp.from_torch(self._who, dtype=wp.vec4i),
        ]
        dim = out.valid.flatten(0, 1).shape
        return [wp.launch(joints.label_joints, dim, inputs, outputs, device=self._device, record_cmd=True)]


def _who(library: MeshLibrary) -> np.ndarray:
    """Sex, age, number of the body, and 1 if it stands, of each model (MODELS, 4) int32; 0 for all but people."""
    table = np.zeros((MODELS, 4), np.int32)
    table[:, :2] = library.person
    number = np.arange(BODIES * POSES)
    own = slice(int(Model.PERSON), int(Model.PERSON) + len(number))
    table[own, 2], table[own, 3] = number // POSES, number % POSES == WALK_PHASES
    return table
