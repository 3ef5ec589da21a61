"""Which models a name in a configuration's `assets` stands for, and the library with a user's files in their place."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sim.meshes import people
from sim.meshes.car_shapes import CLASSES, VARIANTS
from sim.meshes.glb import LEVEL_TRIANGLES, read_glb, simplified
from sim.meshes.library import LEVELS, MeshLibrary, Model, mesh_library, triangle_tables
from sim.meshes.looks import FIRST_COLOUR
from sim.meshes.speck import speck
from sim.meshes.street import Street
from sim.meshes.two_wheelers import BICYCLES, PEDAL_PHASES, TURNED
from sim.meshes.vehicles import car_number

# Names of road users; each stands for all its variants.
_ROAD_USERS: dict[str, tuple[int, ...]] = {
    **{name.upper(): tuple(car_number(k, v) for v in range(VARIANTS)) for k, name in enumerate(CLASSES)},
    "TRUCK": (4, 58, 59, 60),
    "ARTICULATED": (61, 62, 63),
    "TRAILER": (64,),
    "BUS": (5, 65),
    "COACH": (66, 67),
    "BICYCLE": (*BICYCLES, *range(TURNED, TURNED + len(BICYCLES) * (PEDAL_PHASES - 1))),
    "MOTORCYCLE": (25, 71, 72, 73),
    "PERSON": tuple(range(Model.PERSON, Model.PERSON + people.BODIES * people.POSES)),
}


def asset_models() -> dict[str, tuple[int, ...]]:
    """Models by the names that `assets` may replace: classes of road users, and single things beside the road."""
    return _ROAD_USERS | {thing.name: (int(thing),) for thing in Street}


def with_assets(assets: Mapping[str, Path]) -> MeshLibrary:
    """The library with the .glb files of `assets`, by name, in place of its own models; the box stays the actor's.

    Raises ValueError for a name that does not exist or a file that is no model, OSError for one that cannot be read.
    """
    library, known = mesh_library(), asset_models()
    rows, looks = [], [library.look]
    first, count = library.first.copy(), library.count.copy()
    total, colours = len(library.material), FIRST_COLOUR
    for name, path in assets.items():
        if name not in known:
            raise ValueError(f"assets: unknown model {name!r}; choose from {', '.join(known)}")
        whole, own = read_glb(Path(path))
        looks.append(own)
        built = []
        for most in LEVEL_TRIANGLES:
            mesh = simplified(replace(whole, material=whole.material + colours), most)
            points = mesh.corners_m.reshape(-1, 3)
            if not len(points) or np.ptp(points, axis=0).min() <= 0.0:
                raise ValueError(f"{path}: nothing is left of it in {most} triangles; model it with larger faces")
            low, high = points.min(axis=0), points.max(axis=0)
            foot = np.array([0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1]), low[2]])
            built.append((mesh, foot, high - low))
        coarsest, *box = built[-1]
        models = list(known[name])
        for level, (mesh, foot, extent) in enumerate([*built, (speck(coarsest), *box)]):
            rows.append(triangle_tables(mesh, foot, extent))
            first[models, level], count[models, level] = total, len(mesh.material)
            total += len(mesh.material)
        count[models, LEVELS:] = 0  # the file has no open doors
        colours += len(own)
    tables = (
        {key: np.concatenate([getattr(library, key), *(row[key] for row in rows)]) for key in rows[0]} if rows else {}
    )
    return replace(library, **tables, look=np.concatenate(looks), first=first, count=count)
