"""What actors do in scenario YAML: one reader for each action, in a table."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sim.scenarios.behaviours import (
    Behaviour,
    DeleteEntity,
    Dynamics,
    Environment,
    FinalSpeed,
    FollowTrajectory,
    LaneChange,
    LaneOffset,
    LightState,
    LongitudinalDistance,
    SetEnvironment,
    SpeedChange,
    Synchronize,
)
from sim.scenarios.meetings import crossing_m
from sim.scenarios.positions import Polyline, Position, Trajectory, Vertex
from sim.scenarios.values import Value, constant
from sim.scenarios.ways import Unfit
from sim.scenarios.yaml_actors import MAX_SPEED_MPS, Actor
from sim.scenarios.yaml_positions import Site, Stage
from sim.scenarios.yaml_tree import Entry
from sim.scenarios.yaml_values import combined, inner

_SHAPES = ("step", "linear", "sinusoidal", "cubic")
_LIGHTS = {
    "brake": "brakeLights",
    "hazard": "warningLights",
    "left": "indicatorLeft",
    "right": "indicatorRight",
    "siren": "specialPurposeLights",
    "low_beam": "lowBeam",
    "high_beam": "highBeam",
    "fog": "fogLights",
}


@dataclass(frozen=True)
class Doing:
    """Who acts, on which stage, beside whom."""

    stage: Stage
    actors: dict[str, Actor]
    name: str

    @property
    def actor(self) -> Actor:
        return self.actors[self.name]


def action(name: str, entry: Entry, doing: Doing) -> list[Behaviour]:
    """What a named action consists of. ValueError where the actor cannot do it."""
    kinds, read = ACTIONS[name]
    if doing.actor.entity.kind not in kinds:
        raise entry.error(f"{doing.name} is a {doing.actor.entity.category} and cannot do this")
    return read(entry, doing)


# --- Along the road ---


def _dynamics(found: dict[str, Entry], doing: Doing, default: str) -> Dynamics:
    number, where = doing.stage.reading.number, next(iter(found.values())).where
    shape = found["shape"].word(_SHAPES) if "shape" in found else default
    given = [key for key in ("rate", "in_s", "in_m") if key in found]
    if len(given) > 1:
        raise found[given[1]].error(f"stands beside `{given[0]}`; give one of rate, in_s and in_m")
    if not given or shape == "step":
        if not given and "shape" in found and shape != "step":
            raise found["shape"].error("one of rate, in_s and in_m is needed to say how fast")
        return Dynamics("step", "time", constant(0.0, where))
    entry = found[given[0]]
    if given[0] == "rate":
        return Dynamics(shape, "rate", number(entry, "acceleration", 0.0, 1000.0, positive=True))
    if given[0] == "in_s":
        return Dynamics(shape, "time", number(entry, "time", 0.0, 3600.0, positive=True))
    return Dynamics(shape, "distance", number(entry, "length", 0.0, 1e5, positive=True))


def _speed(entry: Entry, doing: Doing) -> list[Behaviour]:
    number = doing.stage.reading.number
    if entry.is_scalar:
        step = Dynamics("step", "time", constant(0.0, entry.where))
        return [SpeedChange(step, number(entry, "speed", -20.0, MAX_SPEED_MPS))]
    found = entry.mapping(optional=("to", "as", "plus", "rate", "in_s", "in_m", "shape"))
    if ("to" in found) == ("as" in found) or ("plus" in found and "to" in found):
        raise entry.error("either `to` (a speed) or `as` (an actor, with `plus`) is needed")
    dynamics = _dynamics(found, doing, "linear")
    if "to" in found:
        return [SpeedChange(dynamics, number(found["to"], "speed", -20.0, MAX_SPEED_MPS))]
    plus = number(found["plus"], "speed", -100.0, 100.0) if "plus" in found else constant(0.0, entry.where)
    return [SpeedChange(dynamics, plus, entity=_other(found["as"], doing))]


def _brake(entry: Entry, doing: Doing) -> list[Behaviour]:
    number = doing.stage.reading.number
    found = {"rate": entry} if entry.is_scalar else entry.mapping(("rate",), ("to",))
    rate = number(found["rate"], "acceleration", 0.0, 15.0, positive=True)
    to = number(found["to"], "speed", 0.0, MAX_SPEED_MPS) if "to" in found else constant(0.0, entry.where)
    return [SpeedChange(Dynamics("linear", "rate", rate), to)]


def _keep(entry: Entry, doing: Doing) -> list[Behaviour]:
    found = entry.mapping(("to",), ("gap", "time_gap", "accel", "decel", "max_speed"))
    if ("gap" in found) == ("time_gap" in found):
        raise entry.error("either `gap` in metres or `time_gap` in seconds is needed")
    number = doing.stage.reading.number
    limit = {
        key: number(found[key], quantity, 0.0, 100.0, positive=True) if key in found else None
        for key, quantity in (("accel", "acceleration"), ("decel", "acceleration"), ("max_speed", "speed"))
    }
    return [
        LongitudinalDistance(
            entity=_other(found["to"], doing),
            distance=number(found["gap"], "length", 0.0, 1000.0) if "gap" in found else None,
            time_gap=number(found["time_gap"], "time", 0.0, 60.0) if "time_gap" in found else None,
            freespace=True,
            continuous=True,
            coordinates="lane",
            displacement="trailingReferencedEntity",
            max_acceleration=limit["accel"],
            max_deceleration=limit["decel"],
            max_speed=limit["max_speed"],
        )
    ]


# --- Across the road ---


def _change_lane(entry: Entry, doing: Doing) -> list[Behaviour]:
    found = entry.mapping(("to",), ("lanes", "rate", "in_s", "in_m", "shape", "offset"))
    where = entry.where
    target = doing.stage.reading.word(found["to"], ("left", "right", *doing.stage.entities))
    count = doing.stage.reading.integer(found["lanes"], 1, 8) if "lanes" in found else 1
    offset = doing.stage.reading.number(found["offset"], "length", -10.0, 10.0) if "offset" in found else None
    if not any(key in found for key in ("rate", "in_s", "in_m")):
        raise entry.error("one of in_s, in_m and rate is needed to say how fast")
    dynamics = _dynamics(found, doing, "sinusoidal")
    if target in ("left", "right"):
        lanes = constant(str(count if target == "left" else -count), where)
        return [LaneChange(dynamics, lanes, constant(doing.name, where), offset)]
    if "lanes" in found:
        raise found["lanes"].error("goes with `to: left` or `to: right` only")
    return [LaneChange(dynamics, constant("0", where), constant(target, where), offset)]


def _shift(entry: Entry, doing: Doing) -> list[Behaviour]:
    found = entry.mapping(("to",), ("accel", "shape"))
    to = doing.stage.reading.number(found["to"], "length", -10.0, 10.0)
    if not doing.stage.streets.forward(doing.stage.lane_of(doing.actor.site)):
        to = combined(f"-{inner(to)}", to)  # offsets count to the left of the reference line
    accel = doing.stage.reading.number(found["accel"], "acceleration", 0.0, 20.0, True) if "accel" in found else None
    shape = found["shape"].word(_SHAPES) if "shape" in found else "sinusoidal"
    return [LaneOffset(shape, accel, to, None, continuous=False)]


# --- Off the lanes ---


def _cross(entry: Entry, doing: Doing) -> list[Behaviour]:
    """Straight over the road, to the same distance beyond its other edge."""
    site = doing.actor.site
    if site.roadside is None:
        raise entry.error(f"{doing.name} does not stand beside the road; give it `roadside` and `off`, or use `walk`")
    found = {"speed": entry} if entry.is_scalar else entry.mapping(("speed",))
    over = replace(site, roadside="left" if site.roadside == "right" else "right")
    return _along_points(found["speed"], doing, [doing.stage.position(over)])


def _walk(entry: Entry, doing: Doing) -> list[Behaviour]:
    found = entry.mapping(("to", "speed"))
    points = [doing.stage.position(doing.stage.site(point, doing.actor.entity)) for point in found["to"].sequence()]
    if not points:
        raise found["to"].error("no positions; list at least one")
    return _along_points(found["speed"], doing, points)


def _along_points(speed: Entry, doing: Doing, points: list[Position]) -> list[Behaviour]:
    """Along straights from the start through points, which are passed without turning to a lane."""
    stage, where = doing.stage, speed.where
    start = stage.position(doing.actor.site)
    vertices = tuple(Vertex(replace(point, orientation=None), None) for point in (start, *points))  # type: ignore[type-var]
    shape = Trajectory(f"{doing.name}_path", False, Polyline(vertices))
    pace = stage.reading.number(speed, "speed", 0.0, 30.0, positive=True)
    step = Dynamics("step", "time", constant(0.0, where))
    return [SpeedChange(step, pace), FollowTrajectory(shape, None, None, "position")]


def _arrive(entry: Entry, doing: Doing) -> list[Behaviour]:
    """At the place where the ways of both cross, when the other one does."""
    found = entry.mapping(("with",), ("past", "speed"))
    stage = doing.stage
    other = stage.reading.word(found["with"], tuple(stage.entities))
    site, master_site = doing.actor.site, doing.actors[other].site
    ways = (site.way, stage.index(site), master_site.way, stage.index(master_site))
    try:
        own_m, other_m = crossing_m(stage.streets, *ways)
    except Unfit as error:
        raise error.at(entry.where) from None
    past = stage.reading.number(found["past"], "length", -200.0, 200.0) if "past" in found else None
    at = constant(own_m, entry.where)
    own = Site(site.way, at if past is None else combined(f"{own_m!r} + {inner(past)}", past))
    master = Site(master_site.way, constant(other_m, entry.where))
    final = None
    if "speed" in found:
        pace = stage.reading.number(found["speed"], "speed", 0.0, MAX_SPEED_MPS)
        final = FinalSpeed(pace, relative=False, steady_distance=None, steady_time=None)
    who = constant(other, entry.where)
    return [Synchronize(who, stage.position(master), stage.position(own), final, None, None)]


# --- Else ---


def _lights(entry: Entry, doing: Doing) -> list[Behaviour]:
    return [
        LightState(_LIGHTS[name], mode.word(("on", "off", "flashing")))
        for name, mode in entry.mapping(optional=_LIGHTS).items()
    ]


def _vanish(entry: Entry, doing: Doing) -> list[Behaviour]:
    if not entry.boolean():
        raise entry.error("only true makes sense here; leave the action out instead")
    return [DeleteEntity(constant(doing.name, entry.where))]


def _other(entry: Entry, doing: Doing) -> Value:
    name = doing.stage.reading.word(entry, tuple(doing.stage.entities))
    if name == doing.name:
        raise entry.error(f"{name} cannot do this relative to itself")
    return constant(name, entry.where)


_ANY, _MOVING, _DRIVING = ("vehicle", "pedestrian", "misc"), ("vehicle", "pedestrian"), ("vehicle",)
ACTIONS: dict[str, tuple[tuple[str, ...], Callable[[Entry, Doing], list[Behaviour]]]] = {
    "speed": (_MOVING, _speed),
    "brake": (_DRIVING, _brake),
    "keep": (_DRIVING, _keep),
    "change_lane": (_DRIVING, _change_lane),
    "shift": (_DRIVING, _shift),
    "arrive": (_DRIVING, _arrive),
    "cross": (_MOVING, _cross),
    "walk": (_ANY, _walk),
    "lights": (_DRIVING, _lights),
    "vanish": (_ANY, _vanish),
}


# --- The world ---

_WEATHER = ("visibility_m", "friction", "precipitation", "intensity_mm_h", "clouds", "time_of_day", "sun")
_CLOUDS = {"free": "zeroOktas", "few": "twoOktas", "half": "fourOktas", "cloudy": "sixOktas", "overcast": "eightOktas"}


def weather(entry: Entry, stage: Stage) -> SetEnvironment:
    """Air, light and grip; what is not given stays as it is."""
    found = entry.mapping(optional=_WEATHER)
    number = stage.reading.number
    sun = found["sun"].mapping(optional=("azimuth_deg", "elevation_deg", "intensity_lx")) if "sun" in found else {}

    def angle(key: str) -> Value | None:
        if key not in sun:
            return None
        degrees = number(sun[key], "number", -360.0, 360.0)
        return combined(f"{inner(degrees)} * pi / 180", degrees)

    return SetEnvironment(
        Environment(
            name="weather",
            time_of_day=found["time_of_day"].text() if "time_of_day" in found else None,
            cloud=_CLOUDS[stage.reading.word(found["clouds"], tuple(_CLOUDS))] if "clouds" in found else None,
            fog_visibility=number(found["visibility_m"], "length", 1.0, 1e5) if "visibility_m" in found else None,
            precipitation=stage.reading.word(found["precipitation"], ("dry", "rain", "snow"))
            if "precipitation" in found
            else None,
            precipitation_intensity=number(found["intensity_mm_h"], "number", 0.0, 300.0)
            if "intensity_mm_h" in found
            else None,
            sun_azimuth=angle("azimuth_deg"),
            sun_elevation=angle("elevation_deg"),
            sun_intensity=number(sun["intensity_lx"], "number", 0.0, 2e5) if "intensity_lx" in sun else None,
            friction=number(found["friction"], "number", 0.05, 1.5) if "friction" in found else None,
        )
    )
