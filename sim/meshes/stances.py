"""How people stand: with hanging arms, hands in pockets, a telephone, a hand on the hip, folded arms."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stance:
    """How somebody stands; angles in rad. Arms: upper arm forward, elbow's bend, elbow outwards."""

    step: float  # of the left thigh, ahead
    apart: float  # sideways slope of the legs
    left: tuple[float, float, float]
    right: tuple[float, float, float]


STANCES = (
    Stance(0.30, 0.10, (0.12, 0.45, 0.22), (-0.12, 0.30, 0.22)),
    Stance(0.20, 0.13, (-0.42, 1.05, 0.42), (-0.42, 1.05, 0.42)),  # hands in the pockets
    Stance(0.26, 0.09, (0.05, 0.40, 0.20), (0.25, 1.95, 0.20)),  # looks at a telephone
    Stance(0.18, 0.15, (-0.20, 0.35, 0.34), (-0.30, 1.45, 0.50)),  # a hand on the hip
    Stance(0.28, 0.12, (-0.28, 1.80, 0.32), (-0.34, 1.62, 0.32)),  # arms folded
)
