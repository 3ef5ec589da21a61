"""Who takes part in a scenario: vehicles with axles and trailers, people, things, as unevaluated values."""

from dataclasses import dataclass, field

from sim.scenarios.values import Value, Where


@dataclass(frozen=True)
class Axle:
    x: Value  # ahead of the reference point
    wheel_diameter: Value
    max_steering: Value
    track_width: Value


@dataclass(frozen=True)
class Controller:
    name: str
    properties: dict[str, str]


@dataclass(frozen=True)
class Entity:
    name: str
    kind: str  # vehicle, pedestrian, misc
    category: str  # car, van, truck, semitrailer, trailer, bus, motorbike, bicycle ..., pedestrian, obstacle ...
    center_x: Value  # box centre from the reference point
    center_y: Value
    center_z: Value
    length: Value
    width: Value
    height: Value
    where: Where
    max_speed: Value | None = None
    max_acceleration: Value | None = None
    max_deceleration: Value | None = None
    front_axle: Axle | None = None
    rear_axle: Axle | None = None
    controllers: tuple[Controller, ...] = ()
    trailer: "Entity | None" = None  # hitched behind, an entity of its own
    hitch_x: Value | None = None  # where it pulls its trailer
    coupler_x: Value | None = None  # where it is pulled
    properties: dict[str, str] = field(default_factory=dict)
