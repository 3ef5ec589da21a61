"""A car's front door, wide open, and the dark inside that it shows, in metres and where the car's body is."""

import math

import numpy as np

from sim.meshes.car_shapes import CarShape
from sim.meshes.cars import Body
from sim.meshes.sculpt import Material, Mesh, Sculptor

_OPEN_RAD = math.radians(64.0)  # reaches about 0.9 m aside
_THICK_M = 0.07


def open_door(shape: CarShape, side: float) -> Mesh:
    """The left (side 1) or right (-1) front door."""
    sculptor, body = Sculptor(), Body(shape, 0)
    (front, _), (rear, _) = body.seams[:2]
    length = min(front - rear, 1.05)
    sill, belt, top = shape.clearance + 0.10, body.belt(shape.cowl_d + 0.5), shape.height - 0.10
    hinge = np.array([front, body.half - 0.01])
    along = np.array([-math.cos(_OPEN_RAD), math.sin(_OPEN_RAD)])
    inward = _THICK_M * np.array([-along[1], along[0]])  # of the closed door: towards the cabin
    plan = np.array([hinge, hinge + inward, hinge + length * along + inward, hinge + length * along])

    def prism(low: float, high: float, foot: np.ndarray, roof: np.ndarray, materials: list[Material]) -> None:
        rings = np.array([[(x, y, z) for x, y in ring[::-1]] for ring, z in ((foot, low), (roof, high))])
        sculptor.loft(rings, np.array([[int(m) for m in materials]]))
        sculptor.cap(rings[1], materials[0])
        sculptor.cap(rings[0][::-1], materials[0])

    skins = [Material.PAINT, Material.BLACK, Material.PAINT, Material.PAINT]
    prism(sill, belt, plan, plan, skins)
    # The window leans in, and is cut off aslant in front.
    middle = 0.25 * plan + 0.75 * plan.mean(axis=0)
    window = plan.copy()
    window[[0, 1]] += 0.42 * (plan[[3, 2]] - plan[[0, 1]])
    prism(belt, top, 0.9 * plan + 0.1 * middle, 0.9 * window + 0.1 * middle, [Material.GLASS] * 4)
    corners = [(x, body.half + 0.004, z) for x, z in ((front, sill), (rear, sill), (rear, belt), (front, belt))]
    sculptor.cap(np.array(corners), Material.INTERIOR)
    mesh = sculptor.mesh()
    if side > 0.0:
        return mesh
    return Mesh((mesh.corners_m * (1.0, -1.0, 1.0))[:, ::-1], mesh.material, mesh.anchor_m)
