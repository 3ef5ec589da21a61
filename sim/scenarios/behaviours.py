"""What entities of a scenario may be told to do: the actions of its storyboard, as unevaluated values."""

from dataclasses import dataclass

from sim.roads.geometry import Floats
from sim.scenarios.entities import Controller
from sim.scenarios.positions import Position, Route, Trajectory
from sim.scenarios.values import Value


@dataclass(frozen=True)
class Dynamics:
    shape: str  # step, linear, sinusoidal, cubic
    dimension: str  # time, distance, rate
    value: Value
    following: str = "position"  # position, follow


@dataclass(frozen=True)
class Teleport:
    position: Position


@dataclass(frozen=True)
class SpeedChange:
    """SpeedAction. Without `entity` the target is `value`; with it a difference to the entity's speed, or a factor."""

    dynamics: Dynamics
    value: Value
    entity: Value | None = None
    factor: bool = False
    continuous: bool = False


@dataclass(frozen=True)
class SpeedProfile:
    """Speeds at times since the one before; `entity` makes them relative to its speed."""

    entries: tuple[tuple[Value, Value | None], ...]  # speed, time
    following: str
    entity: Value | None = None
    limits: tuple[Value | None, ...] = (None,) * 4  # max acceleration, its rate, max deceleration, its rate


@dataclass(frozen=True)
class LongitudinalDistance:
    entity: Value
    distance: Value | None
    time_gap: Value | None
    freespace: bool
    continuous: bool
    coordinates: str
    displacement: str  # any, leadingReferencedEntity, trailingReferencedEntity
    max_acceleration: Value | None
    max_deceleration: Value | None
    max_speed: Value | None


@dataclass(frozen=True)
class LateralDistance:
    entity: Value
    distance: Value | None
    freespace: bool
    continuous: bool
    coordinates: str
    displacement: str
    max_acceleration: Value | None
    max_deceleration: Value | None
    max_speed: Value | None


@dataclass(frozen=True)
class LaneChange:
    """To lane `target`, or that many lanes to the left of `entity`'s; `offset` from its centre at the end."""

    dynamics: Dynamics
    target: Value
    entity: Value | None
    offset: Value | None


@dataclass(frozen=True)
class LaneOffset:
    """To an offset from the lane's centre, or from `entity`'s offset."""

    shape: str
    max_lateral_acceleration: Value | None
    target: Value
    entity: Value | None
    continuous: bool


@dataclass(frozen=True)
class FinalSpeed:
    """Speed at the meeting, absolute or relative to the master; steady from a distance or a time before it."""

    value: Value
    relative: bool
    steady_distance: Value | None
    steady_time: Value | None


@dataclass(frozen=True)
class Synchronize:
    master: Value
    master_position: Position
    position: Position
    final_speed: FinalSpeed | None
    master_tolerance: Value | None
    tolerance: Value | None


@dataclass(frozen=True)
class FollowTrajectory:
    trajectory: Trajectory
    initial_distance: Value | None
    timing: tuple[str, Value, Value] | None  # domain (absolute, relative), scale, offset; None: at its own speed
    mode: str  # position, follow


@dataclass(frozen=True, eq=False)
class Replay:
    """What an entity did, in even steps of time (T,); it takes part from the first to the last of them only."""

    first_s: float
    step_s: float
    x_m: Floats
    y_m: Floats
    heading_rad: Floats
    speed_mps: Floats  # along the heading


@dataclass(frozen=True)
class AssignRoute:
    route: Route


@dataclass(frozen=True)
class AcquirePosition:
    position: Position


@dataclass(frozen=True)
class ActivateController:
    """Also AssignController with its activation flags; None leaves a domain as it is."""

    lateral: bool | None
    longitudinal: bool | None
    controller: Controller | None = None


@dataclass(frozen=True)
class Visibility:
    graphics: bool
    traffic: bool
    sensors: bool


@dataclass(frozen=True)
class LightState:
    light: str
    mode: str  # on, off, flashing


@dataclass(frozen=True)
class AddEntity:
    entity: Value
    position: Position


@dataclass(frozen=True)
class DeleteEntity:
    entity: Value


@dataclass(frozen=True)
class SetVariable:
    """Also parameters (`of_parameter`), which 1.0 and 1.1 let actions change. Set, add or multiply."""

    name: str
    operator: str  # set, add, multiply
    value: Value
    of_parameter: bool = False


@dataclass(frozen=True)
class Environment:
    """Weather and light; None leaves a quantity as it is."""

    name: str
    time_of_day: str | None  # ISO 8601
    cloud: str | None  # fractional cloud cover or state as in the file
    fog_visibility: Value | None
    precipitation: str | None  # dry, rain, snow
    precipitation_intensity: Value | None
    sun_azimuth: Value | None
    sun_elevation: Value | None
    sun_intensity: Value | None
    friction: Value | None


@dataclass(frozen=True)
class SetEnvironment:
    environment: Environment


Behaviour = (
    Teleport
    | SpeedChange
    | SpeedProfile
    | LongitudinalDistance
    | LateralDistance
    | LaneChange
    | LaneOffset
    | Synchronize
    | FollowTrajectory
    | Replay
    | AssignRoute
    | AcquirePosition
    | ActivateController
    | Visibility
    | LightState
    | AddEntity
    | DeleteEntity
    | SetVariable
    | SetEnvironment
)
