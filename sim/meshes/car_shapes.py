"""What cars look like: the measures of nine classes, and variants of each drawn around them."""

from dataclasses import dataclass, replace

import numpy as np

VARIANTS = 4  # of each class


@dataclass(frozen=True)
class CarShape:
    """Measures in metres. Distances `_d` count from the front bumper backwards, heights `_z` from the ground."""

    length: float
    width: float
    height: float
    wheelbase: float
    overhang: float  # from the front bumper to the front axle
    tyre: float  # radius
    clearance: float
    nose_z: float
    cowl_d: float  # foot of the windscreen
    cowl_z: float
    belt_z: float  # of the windows' lower edge at the windscreen
    belt_rise: float  # from there to the tail
    roof_front_d: float
    roof_rear_d: float
    roof_rear_z: float
    rear_base_d: float  # foot of the rear window
    rear_base_z: float
    tail_z: float  # upper edge of the rear lamps
    b_pillar_d: float
    c_pillar_d: float
    tumble: float = 0.74  # half-width of the roof over that of the belt
    lamp_h: float = 0.15
    tail_lamp_h: float = 0.16
    nose_depth: float = 0.30  # how much the nose is rounded, seen from above
    tail_depth: float = 0.16
    grille_tall: bool = False
    quarter: bool = False  # a window behind the rear doors
    blind: bool = False  # no windows behind the front doors
    doors: int = 4
    bed: bool = False
    cladding: bool = False  # black sills
    rails: bool = False
    spoiler: bool = False


_BASES = {
    "saloon": CarShape(
        4.70, 1.82, 1.45, 2.78, 0.88, 0.33, 0.19, 0.73, 1.42, 0.98, 0.92, 0.08, 2.18, 3.45, 1.39, 4.08, 1.08, 1.00,
        2.60, 3.42, tumble=0.72,
    ),
    "hatchback": CarShape(
        4.25, 1.79, 1.49, 2.62, 0.85, 0.32, 0.18, 0.74, 1.28, 1.00, 0.95, 0.09, 1.98, 3.78, 1.40, 4.05, 1.08, 0.98,
        2.45, 3.20, tail_lamp_h=0.22, tail_depth=0.13, spoiler=True,
    ),
    "suv": CarShape(
        4.55, 1.88, 1.68, 2.68, 0.90, 0.36, 0.24, 0.90, 1.38, 1.14, 1.08, 0.08, 1.98, 4.15, 1.58, 4.38, 1.24, 1.12,
        2.50, 3.30, tumble=0.77, lamp_h=0.16, tail_lamp_h=0.20, grille_tall=True, quarter=True, cladding=True,
        rails=True, spoiler=True,
    ),
    "van": CarShape(
        5.05, 1.96, 2.02, 3.10, 0.93, 0.34, 0.22, 0.92, 1.05, 1.24, 1.14, 0.02, 1.75, 4.86, 1.96, 4.96, 1.25, 1.05,
        2.45, 3.60, tumble=0.86, tail_lamp_h=0.34, tail_depth=0.08, nose_depth=0.26, blind=True, doors=2,
        cladding=True,
    ),
    "estate": CarShape(
        4.68, 1.83, 1.48, 2.80, 0.88, 0.33, 0.18, 0.73, 1.42, 0.98, 0.93, 0.07, 2.14, 4.28, 1.42, 4.56, 1.06, 0.98,
        2.60, 3.42, tumble=0.73, tail_lamp_h=0.20, quarter=True, rails=True, spoiler=True,
    ),
    "coupe": CarShape(
        4.50, 1.86, 1.32, 2.62, 0.90, 0.34, 0.14, 0.66, 1.52, 0.92, 0.88, 0.08, 2.28, 3.05, 1.27, 4.05, 1.00, 0.94,
        2.98, 3.28, tumble=0.69, lamp_h=0.12, tail_lamp_h=0.12, nose_depth=0.36, tail_depth=0.22, doors=2, spoiler=True,
    ),
    "minivan": CarShape(
        4.75, 1.88, 1.76, 2.90, 0.92, 0.34, 0.19, 0.80, 1.02, 1.10, 1.03, 0.06, 1.85, 4.42, 1.66, 4.62, 1.12, 1.00,
        2.55, 3.45, tumble=0.78, tail_lamp_h=0.36, quarter=True, rails=True, nose_depth=0.34,
    ),
    "pickup": CarShape(
        5.30, 1.92, 1.82, 3.20, 0.95, 0.39, 0.30, 1.00, 1.50, 1.20, 1.14, 0.03, 2.08, 3.28, 1.76, 3.52, 1.16, 1.14,
        2.55, 3.20, tumble=0.78, lamp_h=0.18, tail_lamp_h=0.26, tail_depth=0.05, nose_depth=0.22, grille_tall=True,
        bed=True, cladding=True,
    ),
    "city": CarShape(
        3.62, 1.66, 1.50, 2.40, 0.68, 0.29, 0.17, 0.78, 0.98, 1.02, 0.96, 0.07, 1.62, 3.28, 1.42, 3.48, 1.06, 0.96,
        2.12, 2.78, tumble=0.76, tail_lamp_h=0.24, tail_depth=0.12, nose_depth=0.30,
    ),
}  # fmt: skip
CLASSES = tuple(_BASES)


def shape_of(name: str, variant: int) -> CarShape:
    """A car of a class; variant 0 is the class itself, the others differ in measures, lamps and trim."""
    base = _BASES[name]
    if not variant:
        return base
    rng = np.random.default_rng((CLASSES.index(name), variant, 5))
    low, rear, front, waist = (float(v) for v in rng.uniform(-1.0, 1.0, 4))
    deck = float(rng.uniform(-1.0, 1.0)) * (0.0 if base.bed or base.blind else 1.0)
    return replace(
        base,
        height=base.height * (1.0 + 0.025 * low),
        roof_rear_z=base.roof_rear_z * (1.0 + 0.025 * low),
        nose_z=base.nose_z + 0.05 * front,
        cowl_d=base.cowl_d + 0.10 * rear,
        roof_front_d=base.roof_front_d + 0.08 * rear,
        belt_z=base.belt_z + 0.035 * waist,
        cowl_z=base.cowl_z + 0.03 * waist,
        belt_rise=base.belt_rise + float(rng.uniform(-0.05, 0.06)),
        roof_rear_d=base.roof_rear_d + 0.10 * deck,
        rear_base_d=base.rear_base_d + 0.05 * deck,
        tail_z=base.tail_z + float(rng.uniform(-0.05, 0.04)),
        lamp_h=base.lamp_h * float(rng.uniform(0.7, 1.35)),
        tail_lamp_h=base.tail_lamp_h * float(rng.uniform(0.7, 1.5)),
        nose_depth=base.nose_depth * float(rng.uniform(0.75, 1.2)),
        tyre=base.tyre * float(rng.uniform(0.97, 1.05)),
        tumble=base.tumble + float(rng.uniform(-0.02, 0.03)),
        grille_tall=base.grille_tall != bool(variant % 2),
        cladding=base.cladding and variant != 2,
        rails=base.rails and variant != 3,
        quarter=base.quarter,
        spoiler=base.spoiler and variant != 1,
        blind=base.blind and variant != 3,
        doors=2 if name in ("city", "hatchback") and variant == 2 else base.doors,
    )
