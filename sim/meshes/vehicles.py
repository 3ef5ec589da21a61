"""Which numbers vehicles have in the library: four variants of each class of cars, lorries, buses.

`render_kernels.bodies.model_of` picks among them.
"""

from collections.abc import Callable
from functools import partial

from sim.meshes.buses import bus
from sim.meshes.car_shapes import CLASSES, VARIANTS, shape_of
from sim.meshes.cars import car
from sim.meshes.doors import open_door
from sim.meshes.lorries import articulated, lorry, trailer
from sim.meshes.sculpt import Mesh

FIRST = 26  # of the numbers from which classes with variants take theirs
BASIC = 4  # classes whose variant 0 has the class's own number: SALOON, HATCHBACK, SUV, VAN


def car_number(kind: int, variant: int) -> int:
    """The model of a variant of a class, counted in CLASSES."""
    if kind < BASIC:
        return kind if variant == 0 else FIRST + (VARIANTS - 1) * kind + variant - 1
    return FIRST + (VARIANTS - 1) * BASIC + VARIANTS * (kind - BASIC) + variant


def _car(name: str, variant: int, level: int) -> Mesh:
    return car(shape_of(name, variant), level)


def door_of(model: int, side: float) -> Mesh | None:
    """The open front door of a model, left (side 1) or right (-1); None for what is no car."""
    for kind, name in enumerate(CLASSES):
        for variant in range(VARIANTS):
            if car_number(kind, variant) == model:
                return open_door(shape_of(name, variant), side)
    return None


MAKERS: dict[int, Callable[[int], Mesh]] = {
    car_number(kind, variant): partial(_car, name, variant)
    for kind, name in enumerate(CLASSES)
    for variant in range(VARIANTS)
}
MAKERS |= {
    4: partial(lorry, "box"),
    58: partial(lorry, "curtain"),
    59: partial(lorry, "tanker"),
    60: partial(lorry, "tipper"),
    61: partial(articulated, "box"),
    62: partial(articulated, "curtain"),
    63: partial(articulated, "tanker"),
    64: trailer,
    5: partial(bus, 0),
    65: partial(bus, 1),
    66: partial(bus, 2),
    67: partial(bus, 3),
}
