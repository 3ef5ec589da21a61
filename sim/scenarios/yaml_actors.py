"""Actors of scenario YAML: kinds and their usual bodies, where they start and how fast they go."""

from dataclasses import dataclass

from sim.scenarios.behaviours import AssignRoute, Behaviour, Dynamics, SpeedChange, Teleport
from sim.scenarios.entities import Axle, Entity
from sim.scenarios.positions import Route
from sim.scenarios.values import Value, Where, constant
from sim.scenarios.ways import TURNS
from sim.scenarios.yaml_positions import Site, Stage
from sim.scenarios.yaml_tree import Entry, hint
from sim.scenarios.yaml_values import Reading

EGO = "ego"
MAX_ACTORS = 200
MAX_SPEED_MPS = 100.0


@dataclass(frozen=True)
class Body:
    """Usual measures of a kind: metres, m/s, m/s^2. `center_m` is the box's middle ahead of the reference point."""

    kind: str
    category: str
    length_m: float
    width_m: float
    height_m: float
    center_m: float = 0.0
    wheelbase_m: float = 0.0
    max_speed_mps: float = 0.0
    max_accel_mps2: float = 0.0
    max_decel_mps2: float = 0.0


KINDS = {
    "car": Body("vehicle", "car", 4.5, 1.85, 1.5, 1.35, 2.7, 70.0, 5.0, 9.5),
    "van": Body("vehicle", "van", 5.4, 2.0, 2.3, 1.65, 3.3, 45.0, 3.5, 8.5),
    "ambulance": Body("vehicle", "van", 5.9, 2.1, 2.7, 1.8, 3.6, 45.0, 3.5, 8.5),
    "truck": Body("vehicle", "truck", 10.0, 2.5, 3.6, 3.0, 5.6, 30.0, 1.8, 7.0),
    "bus": Body("vehicle", "bus", 12.0, 2.55, 3.1, 2.95, 6.0, 30.0, 1.8, 7.0),
    "motorbike": Body("vehicle", "motorbike", 2.2, 0.8, 1.5, 0.7, 1.4, 70.0, 7.0, 9.0),
    "bicycle": Body("vehicle", "bicycle", 1.8, 0.6, 1.75, 0.5, 1.05, 15.0, 1.5, 4.0),
    "pedestrian": Body("pedestrian", "pedestrian", 0.5, 0.6, 1.75),
    "child": Body("pedestrian", "pedestrian", 0.4, 0.45, 1.15),
    "animal": Body("pedestrian", "animal", 1.6, 0.5, 1.3),
    "cone": Body("misc", "obstacle", 0.4, 0.4, 0.75),
    "barrier": Body("misc", "barrier", 0.6, 2.2, 1.0),
    "debris": Body("misc", "obstacle", 0.9, 1.1, 0.5),
    "door": Body("misc", "obstacle", 1.0, 0.1, 1.1),
    "sign_trailer": Body("misc", "obstacle", 3.5, 2.1, 3.2),
}
_KEYS = ("at", "speed", "turns", "size")


@dataclass(frozen=True)
class Actor:
    """An entity with its start and its speed there."""

    entity: Entity
    site: Site
    speed: Value
    turns: tuple[str, ...]


def read_entities(entry: Entry, reading: Reading) -> dict[str, Entity]:
    """All entities by name, the ego first."""
    found = entry.items()
    if EGO not in found:
        raise entry.error(f"no actor is called {EGO!r}; there are {', '.join(found) or 'none'}")
    if len(found) > MAX_ACTORS:
        raise entry.error(f"{len(found)} actors; there may be {MAX_ACTORS}")
    for name, actor in found.items():
        if not name.isidentifier() or name == "world":
            raise actor.error(f"{name!r} is no name for an actor; use letters, digits and _, and not `world`")
    names = [EGO, *(name for name in found if name != EGO)]
    return {name: _entity(name, found[name], reading) for name in names}


def _entity(name: str, entry: Entry, reading: Reading) -> Entity:
    found = entry.mapping(("kind", "at"), _KEYS)
    body = KINDS[reading.word(found["kind"], tuple(KINDS))]
    if name == EGO and body.kind != "vehicle":
        drivable = [kind for kind, other in KINDS.items() if other.kind == "vehicle"]
        raise found["kind"].error(f"the ego must be a vehicle: {', '.join(drivable)}")
    where = entry.where
    length, width, height = (constant(x, where) for x in (body.length_m, body.width_m, body.height_m))
    if "size" in found:
        length, width, height = _size(found["size"], reading)
    axles = [_axle(body, x, where) if body.wheelbase_m else None for x in (body.wheelbase_m, 0.0)]
    moves = body.kind == "vehicle"
    return Entity(
        name=name,
        kind=body.kind,
        category=body.category,
        center_x=constant(body.center_m, where),
        center_y=constant(0.0, where),
        center_z=constant(0.5 * body.height_m, where),
        length=length,
        width=width,
        height=height,
        where=where,
        max_speed=constant(body.max_speed_mps, where) if moves else None,
        max_acceleration=constant(body.max_accel_mps2, where) if moves else None,
        max_deceleration=constant(body.max_decel_mps2, where) if moves else None,
        front_axle=axles[0],
        rear_axle=axles[1],
    )


def _size(entry: Entry, reading: Reading) -> tuple[Value, Value, Value]:
    parts = entry.sequence()
    if len(parts) != 3:
        raise entry.error(f"{len(parts)} numbers; length, width and height are needed, as in [4.5, 1.8, 1.5]")
    length, width, height = (reading.number(part, "length", 0.05, 60.0) for part in parts)
    return length, width, height


def _axle(body: Body, x_m: float, where: Where) -> Axle:
    wheel = 0.3 if body.category != "truck" else 0.5
    return Axle(*(constant(number, where) for number in (x_m, 2.0 * wheel, 0.6, 0.85 * body.width_m)))


def turns_of(entry: Entry, reading: Reading) -> tuple[str, ...]:
    """The turns an actor takes at the junctions on its way."""
    found = entry.items()
    if "turns" not in found:
        return ()
    return tuple(reading.word(item, TURNS) for item in found["turns"].sequence())


def place_actors(entry: Entry, stage: Stage) -> dict[str, Actor]:
    """Where all actors start; those placed by others after them, whatever the order in the file."""
    found, actors = entry.items(), {}
    waiting = list(stage.entities)
    while waiting:
        ready = [name for name in waiting if _needs(found[name]) <= set(actors)]
        if not ready:
            raise found[waiting[0]].error(_stuck(found, waiting))
        for name in ready:
            actors[name] = _placed(name, found[name], stage)
            stage.sites[name] = actors[name].site
            waiting.remove(name)
    return {name: actors[name] for name in stage.entities}


def _placed(name: str, entry: Entry, stage: Stage) -> Actor:
    found, entity = entry.items(), stage.entities[name]
    turns = turns_of(entry, stage.reading)
    site = stage.site(found["at"], entity, turns)
    if entity.kind != "vehicle" and (turns or ("speed" in found and entity.kind == "misc")):
        raise entry.error(f"{name} is no vehicle and takes no `turns`, nor a thing a `speed`; use `walk` in the story")
    if "speed" in found:
        speed = stage.reading.number(found["speed"], "speed", -20.0, MAX_SPEED_MPS)
    else:
        speed = constant(0.0, entry.where)
    return Actor(entity, site, speed, turns)


def _needs(entry: Entry) -> set[str]:
    """The actor that another's position refers to."""
    at = entry.items()["at"]
    places = at.items() if at.is_mapping else {}
    return {places[key].text() for key in ("ahead_of", "behind", "beside", "oncoming_to") if key in places}


def _stuck(found: dict[str, Entry], waiting: list[str]) -> str:
    needs = _needs(found[waiting[0]])
    unknown = needs - set(found)
    if unknown:
        name = unknown.pop()
        return f"stands relative to {name!r}, which is no actor{hint(name, list(found))}"
    return f"stands relative to {', '.join(needs)}, which stands relative to it; break the circle"


def initial(actor: Actor, stage: Stage) -> list[Behaviour]:
    """What puts an actor where it starts and sends it on its way."""
    where = actor.entity.where
    step = Dynamics("step", "time", constant(0.0, where))
    found: list[Behaviour] = [Teleport(stage.position(actor.site))]
    if actor.entity.kind != "misc":
        found.append(SpeedChange(step, actor.speed))
    if actor.entity.kind == "vehicle" and actor.site.heading == "0" and actor.site.roadside is None:
        route = stage.route(actor.site)
        if route:
            found.append(AssignRoute(Route(f"{actor.entity.name}_route", False, route, ("shortest",) * len(route))))
    return found
