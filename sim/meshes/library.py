"""Triangle meshes of vehicles, people, trees, buildings and roadside furniture, built from a few profiles.

Each mesh is authored in metres (x forward, y left, z up, standing on z = 0) and stored scaled into the unit box
x, y in [-1/2, 1/2], z in [0, 1]: an instance's size then *is* its 3-D box, and labels stay exact. Every model has four
levels of detail: near, middle, far and a speck. A person has one model per phase of the stride and one that stands; all
of a body's share one scale.
"""

import contextlib
import functools
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np

from sim.meshes import houses, people, plants, roadside, street, two_wheelers, vehicles
from sim.meshes.looks import glyph_table, look_table
from sim.meshes.people import POSES
from sim.meshes.sculpt import Material, Mesh, corner_normals, cross, face_normals, smoothing
from sim.meshes.speck import speck
from sim.types import Semantic

LEVELS = 4
SPECK = LEVELS - 1  # the level made of the one before it
DOORS = 2  # after the levels of a car: its open left and its open right front door
SPARE = 16  # triangles past the last that may be read, not used
STEEPEST = 400.0  # normals of thinner triangles than this change by so much per box that they are taken as flat


class Model(IntEnum):
    """The models of the library; a name followed by a gap stands for that many variants or poses."""

    SALOON = 0
    HATCHBACK = 1
    SUV = 2
    VAN = 3
    TRUCK = 4
    BUS = 5
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
    PERSON = 100  # + POSES * body + phase; the last pose of a body stands


Maker = Callable[[int], Mesh]
_ROADSIDE: dict[int, Maker] = {
    Model.BROADLEAF: plants.broadleaf,
    Model.CONIFER: plants.conifer,
    Model.POPLAR: plants.poplar,
    Model.BUSH: plants.bush,
    Model.BLOCK: functools.partial(houses.flats, 4, 12.0, 12.0),
    Model.GABLED: functools.partial(houses.villa, False),
    Model.HIPPED: functools.partial(houses.villa, True),
    Model.LAMP_POST: roadside.lamp_post,
    Model.GUARD_RAIL: roadside.guard_rail,
    Model.DELINEATOR: roadside.delineator,
}
MODELS = 400
_SEMANTIC: dict[int, Semantic] = {
    Model.BROADLEAF: Semantic.VEGETATION,
    Model.CONIFER: Semantic.VEGETATION,
    Model.POPLAR: Semantic.VEGETATION,
    Model.BUSH: Semantic.VEGETATION,
    Model.BLOCK: Semantic.BUILDING,
    Model.GABLED: Semantic.BUILDING,
    Model.HIPPED: Semantic.BUILDING,
    Model.LAMP_POST: Semantic.POLE,
    Model.GUARD_RAIL: Semantic.GUARD_RAIL,
    Model.DELINEATOR: Semantic.POLE,
}


@dataclass(frozen=True)
class MeshLibrary:
    """All models, flat: `count[model, level]` triangles from `first[model, level]` on; gaps have none.

    The direction of a surface at a point p of the unit box is `base + bend p`, divided by the instance's size.
    """

    corner: np.ndarray  # (T, 3, 3) float32 in the unit box
    normal: np.ndarray  # (T, 3, 3) float32 corner normals of the unit box; divide by the size to get the real direction
    plane: np.ndarray  # (T, 4) float32 normal n and n . p of the triangle's points p
    bend: np.ndarray  # (T, 3, 3) float32
    base: np.ndarray  # (T, 3) float32
    anchor: np.ndarray  # (T, 3) float32 what a triangle's pattern is drawn about
    material: np.ndarray  # (T,) int32
    first: np.ndarray  # (MODELS, LEVELS + DOORS) int32
    count: np.ndarray  # (MODELS, LEVELS + DOORS) int32; 0 where there is no such door
    semantic: np.ndarray  # (MODELS,) int32, 0 for actors
    keypoint: np.ndarray  # (MODELS, 17, 3) float32 people.KEYPOINTS in the unit box; zero for all but people
    person: np.ndarray  # (MODELS, 2) int32 for people Sex and Age, else 0
    look: np.ndarray  # (materials, 4) float32 of looks.look_table
    glyph: np.ndarray  # (glyphs,) int32 of looks.glyph_table

    def rows(self) -> np.ndarray:
        """(13, T + SPARE) float32: the coordinates of all corners, then of the planes, each in a row of its own."""
        triangles = len(self.material)
        return np.pad(np.hstack([self.corner.reshape(triangles, 9), self.plane]).T, ((0, 0), (0, SPARE)))


@functools.cache
def makers() -> dict[int, Maker]:
    """Who builds each model at a level of detail, in metres."""
    made = _ROADSIDE | street.MAKERS
    made |= dict(vehicles.MAKERS)
    made |= dict(two_wheelers.MAKERS)
    for pose in range(people.BODIES * POSES):
        made[Model.PERSON + pose] = functools.partial(people.person, pose // POSES, pose % POSES)
    return made


@functools.cache
def build_mesh(model: int, level: int) -> Mesh:
    """The mesh of a model at a level of detail, in metres."""
    return speck(build_mesh(model, SPECK - 1)) if level == SPECK else makers()[model](level)


def _box_of(model: int, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Foot of the middle, and extent, of what fills the unit box: the mesh, or all poses of a person's body.

    A speck is as large as what it stands for, though it does not reach as far.
    """
    level = min(level, SPECK - 1)
    sharing = [model]
    if Model.PERSON <= model < Model.PERSON + people.BODIES * POSES:
        first = model - (model - Model.PERSON) % POSES
        sharing = list(range(first, first + POSES))
    points = np.concatenate([build_mesh(m, level).corners_m.reshape(-1, 3) for m in sharing])
    low, high = points.min(axis=0), points.max(axis=0)
    return np.array([0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1]), low[2]]), high - low


def _fields(corner: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Planes (T, 4) of triangles, and the affine fields `bend` and `base` that their corner normals (T, 3, 3) span."""
    edge = np.roll(corner, 1, axis=1) - np.roll(corner, -1, axis=1)  # opposite to each corner
    face = face_normals(corner)
    area = np.linalg.norm(face, axis=1)
    unit = face / area[:, None]
    rise = cross(unit[:, None], edge) / area[:, None, None]  # gradients of the barycentric coordinates
    bend = np.einsum("tci,tcj->tij", normal, rise)
    thin = np.abs(bend).max(axis=(1, 2)) > STEEPEST
    bend[thin] = 0.0
    base = normal[:, 0] - np.einsum("tij,tj->ti", bend, corner[:, 0])
    base[thin] = normal[thin].mean(axis=1)
    plane = np.concatenate([unit, np.einsum("ti,ti->t", unit, corner[:, 0])[:, None]], axis=1)
    return plane, bend, base


def _joints_in_box() -> tuple[np.ndarray, np.ndarray]:
    """Tables `keypoint` and `person` of the library."""
    keypoint, person = np.zeros((MODELS, len(people.KEYPOINTS), 3), np.float32), np.zeros((MODELS, 2), np.int32)
    for body, who in enumerate(people.PEOPLE):
        foot, extent = _box_of(Model.PERSON + POSES * body, 0)
        for pose in range(POSES):
            model, at = Model.PERSON + POSES * body + pose, people.joints(body, pose)
            keypoint[model] = (np.array([at[name] for name in people.KEYPOINTS]) - foot) / extent
            person[model] = who.sex, who.age
    return keypoint, person


def triangle_tables(mesh: Mesh, foot: np.ndarray, extent: np.ndarray) -> dict[str, np.ndarray]:
    """A mesh's rows of the library's per-triangle tables, where `foot` and `extent` tell what fills the unit box."""
    corner = (mesh.corners_m - foot) / extent
    normal = corner_normals(mesh.corners_m, smoothing(mesh.material)) * extent
    anchor = np.zeros((len(mesh.material), 3)) if mesh.anchor_m is None else mesh.anchor_m
    # Leaves of a clump answer light together, as the clump's round outside does, however each of them is turned.
    clump = (mesh.material == Material.FOLIAGE) & np.any(anchor != 0.0, axis=1)
    normal[clump] = (mesh.corners_m[clump] - anchor[clump, None]) * extent
    plane, bend, base = _fields(corner, normal)
    tables = {"corner": corner, "normal": normal, "plane": plane, "bend": bend, "base": base}
    tables["anchor"] = (anchor - foot) / extent
    return {name: table.astype(np.float32) for name, table in tables.items()} | {"material": mesh.material}


@functools.cache
def mesh_library() -> MeshLibrary:
    """All models at all levels; built once per version of this folder, then read from the user's cache."""
    name = f"meshes-{_digest()}.npz"
    folder = cache_folder()
    try:
        with np.load(folder / name, allow_pickle=False) as tables:
            return MeshLibrary(**dict(tables))
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile):
        library = _build()  # absent or damaged
    with contextlib.suppress(OSError):  # a folder that cannot be written only costs time
        folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(suffix=".npz", dir=folder)
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **vars(library))
        Path(part).replace(folder / name)
    return library


def cache_folder() -> Path:
    """Where what many processes would make anew is kept for them: `roadloop` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "roadloop"


def _digest() -> str:
    """Of the source that meshes are built from; the classes of labels are in `types`."""
    sources = [*sorted(Path(__file__).parent.glob("*.py")), Path(__file__).parent.parent / "types.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def _build() -> MeshLibrary:
    """Build all models at all levels."""
    rows: list[dict[str, np.ndarray]] = []
    first, count = (np.zeros((MODELS, LEVELS + DOORS), np.int32) for _ in range(2))
    total = 0
    for model in sorted(makers()):
        for level in range(LEVELS):
            mesh = build_mesh(model, level)
            rows.append(triangle_tables(mesh, *_box_of(model, level)))
            first[model, level], count[model, level] = total, len(mesh.material)
            total += len(mesh.material)
        for door, side in enumerate((1.0, -1.0), start=LEVELS):
            mesh = vehicles.door_of(model, side)
            if mesh is not None:  # reaches out of the unit box that the closed car fills
                rows.append(triangle_tables(mesh, *_box_of(model, 0)))
                first[model, door], count[model, door] = total, len(mesh.material)
                total += len(mesh.material)
    tables = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    semantic = np.array([int((_SEMANTIC | street.SEMANTIC).get(m, 0)) for m in range(MODELS)], np.int32)
    keypoint, person = _joints_in_box()
    return MeshLibrary(
        **tables,
        first=first,
        count=count,
        semantic=semantic,
        keypoint=keypoint,
        person=person,
        look=look_table(),
        glyph=glyph_table(),
    )
