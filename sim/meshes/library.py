"""Triangle meshes of vehicles, people, trees, buildings and roadside furniture, built from a few profiles.

Each mesh is authored in metres (x forward, y left, z up, standing on z = 0) and stored scaled into the unit box
x, y in [-1/2, 1/2], z in [0, 1]: an instance's size then *is* its 3-D box, and labels stay exact. Every model has two
levels of detail. A person has one model per phase of the stride; all phases share one scale.
"""

import functools
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from sim.meshes import roadside, two_wheelers, vehicles
from sim.meshes.sculpt import Mesh, corner_normals
from sim.meshes.vehicles import WALK_PHASES
from sim.types import Semantic

LEVELS = 2
STRIDE_M = 1.5  # both steps of a walking cycle


class Model(IntEnum):
    """The models of the library; `Model.PERSON` is the first of WALK_PHASES."""

    SALOON = 0
    HATCHBACK = 1
    SUV = 2
    VAN = 3
    TRUCK = 4
    BUS = 5
    PERSON = 6
    BROADLEAF = 14
    CONIFER = 15
    POPLAR = 16
    BUSH = 17
    BLOCK = 18
    GABLED = 19
    HIPPED = 20
    LAMP_POST = 21
    GUARD_RAIL = 22
    DELINEATOR = 23
    BICYCLE = 24
    MOTORCYCLE = 25


MODELS = 26
_SEMANTIC = {
    Model.BROADLEAF: Semantic.VEGETATION,
    Model.CONIFER: Semantic.VEGETATION,
    Model.POPLAR: Semantic.VEGETATION,
    Model.BUSH: Semantic.VEGETATION,
    Model.BLOCK: Semantic.BUILDING,
    Model.GABLED: Semantic.BUILDING,
    Model.HIPPED: Semantic.BUILDING,
    Model.LAMP_POST: Semantic.POLE,
    Model.GUARD_RAIL: Semantic.WALL,
    Model.DELINEATOR: Semantic.POLE,
}


@dataclass(frozen=True)
class MeshLibrary:
    """All models, flat: `count[model, level]` triangles from `first[model, level]` on."""

    corner: np.ndarray  # (T, 3, 3) float32 in the unit box
    normal: np.ndarray  # (T, 3, 3) float32 corner normals of the unit box; divide by the size to get the real direction
    material: np.ndarray  # (T,) int32
    first: np.ndarray  # (MODELS, LEVELS) int32
    count: np.ndarray  # (MODELS, LEVELS) int32
    semantic: np.ndarray  # (MODELS,) int32, 0 for actors


@functools.cache
def build_mesh(model: int, level: int) -> Mesh:
    """The mesh of a `Model` (or Model.PERSON + phase) at a level of detail, in metres."""
    if Model.PERSON <= model < Model.PERSON + WALK_PHASES:
        return vehicles.person(model - Model.PERSON, level)
    makers = {
        Model.SALOON: lambda: vehicles.car(vehicles.SALOON, (1.42, -1.38), 0.33, level),
        Model.HATCHBACK: lambda: vehicles.car(vehicles.HATCHBACK, (1.28, -1.27), 0.31, level),
        Model.SUV: lambda: vehicles.car(vehicles.SUV, (1.40, -1.38), 0.37, level),
        Model.VAN: lambda: vehicles.car(vehicles.VAN, (1.60, -1.60), 0.35, level),
        Model.TRUCK: lambda: vehicles.truck(level),
        Model.BUS: lambda: vehicles.bus(level),
        Model.BROADLEAF: lambda: roadside.broadleaf(level),
        Model.CONIFER: lambda: roadside.conifer(level),
        Model.POPLAR: lambda: roadside.poplar(level),
        Model.BUSH: lambda: roadside.bush(level),
        Model.BLOCK: lambda: roadside.block(level),
        Model.GABLED: lambda: roadside.roofed(5.0, level),
        Model.HIPPED: lambda: roadside.roofed(2.0, level),
        Model.LAMP_POST: lambda: roadside.lamp_post(level),
        Model.GUARD_RAIL: lambda: roadside.guard_rail(level),
        Model.DELINEATOR: lambda: roadside.delineator(level),
        Model.BICYCLE: lambda: two_wheelers.bicycle(level),
        Model.MOTORCYCLE: lambda: two_wheelers.motorcycle(level),
    }
    return makers[Model(model)]()


def _unit_box(meshes: list[Mesh], shared: list[Mesh]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Corners and normals of `meshes` scaled so that `shared` together fill the unit box."""
    points = np.concatenate([m.corners_m.reshape(-1, 3) for m in shared])
    low, high = points.min(axis=0), points.max(axis=0)
    middle, extent = 0.5 * (low + high), high - low
    middle[2], shift = low[2], np.zeros(3)
    scaled = [((m.corners_m - middle) / extent + shift, corner_normals(m.corners_m) * extent) for m in meshes]
    return scaled


@functools.cache
def mesh_library() -> MeshLibrary:
    """Build all models at all levels."""
    corners, normals, material = [], [], []
    first, count = (np.zeros((MODELS, LEVELS), np.int32) for _ in range(2))
    total = 0
    persons = range(Model.PERSON, Model.PERSON + WALK_PHASES)
    for model in range(MODELS):
        for level in range(LEVELS):
            mesh = build_mesh(model, level)
            shared = [build_mesh(p, level) for p in persons] if model in persons else [mesh]
            corner, normal = _unit_box([mesh], shared)[0]
            corners.append(corner)
            normals.append(normal)
            material.append(mesh.material)
            first[model, level], count[model, level] = total, len(corner)
            total += len(corner)
    semantic = np.array([int(_SEMANTIC.get(m, 0)) for m in range(MODELS)], np.int32)  # type: ignore[call-overload]
    return MeshLibrary(
        np.concatenate(corners).astype(np.float32),
        np.concatenate(normals).astype(np.float32),
        np.concatenate(material).astype(np.int32),
        first,
        count,
        semantic,
    )
