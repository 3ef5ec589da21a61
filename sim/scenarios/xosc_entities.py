"""Entities of OpenSCENARIO files: vehicles with axles and trailers, pedestrians, objects, and who controls them."""

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any

from sim.scenarios.batches import uniform
from sim.scenarios.entities import Axle, Controller, Entity
from sim.scenarios.values import ByCase, Mixed, Value, constant
from sim.scenarios.xosc_catalogs import from_catalog, with_parameters
from sim.scenarios.xosc_xml import Element, Reader, same

_VEHICLES = same(
    "bicycle", "bus", "car", "motorbike", "semitrailer", "trailer", "train", "tram", "truck", "van",
)  # fmt: skip
_PEDESTRIANS = same("animal", "pedestrian", "wheelchair")
_THINGS = same(
    "barrier", "bike", "building", "bus", "car", "crosswalk", "gantry", "motorbike", "none", "obstacle",
    "parkingSpace", "patch", "pole", "railing", "roadMark", "soundBarrier", "streetLamp", "trafficIsland", "trailer",
    "train", "tram", "tree", "truck", "van", "vegetation", "wind",
)  # fmt: skip
_ROAD_VEHICLES = {"bus", "car", "motorbike", "truck", "van"}  # alike but for their sizes
_MAX_TRAILERS = 8


def entities(read: Reader, root: Element) -> tuple[Entity, ...]:
    """All entities in file order, trailers that are defined inside their tractor right after it.

    Fills `read.book.entities` and `read.book.selections`. A trailer defined inside its tractor is called TRACTOR+.
    """
    parent = read.child(root, "Entities")
    found: list[Entity] = []
    for element in read.children(parent, "ScenarioObject", "EntitySelection"):
        if element.tag == "ScenarioObject":
            _add(read, element, read.text(element, "name"), found, 0)
    by_name = {entity.name: entity for entity in found}
    found = [_hitched(read, entity, by_name) for entity in found]
    read.book.entities.update({entity.name: entity.kind for entity in found})
    for element in parent.iterfind("EntitySelection"):
        read.book.selections[read.text(element, "name")] = _members(read, element)
    return tuple(found)


def _add(read: Reader, element: Element, name: str, found: list[Entity], depth: int) -> Entity:
    """Read one <ScenarioObject> and its trailers, and append them."""
    if not name:
        raise read.error(element, "has an empty name")
    if any(entity.name == name for entity in found):
        raise read.error(element, f"repeats the name {name!r}", "entities need names of their own")
    if depth > _MAX_TRAILERS:
        raise read.error(element, f"is the {depth}th trailer in a row", f"up to {_MAX_TRAILERS} are supported")
    table: dict[str, Callable] = {tag: partial(reader, name=name) for tag, reader in _KINDS.items()}
    holder = read.child(element, "CatalogReference", *table)
    entity, trailer = _referenced(read, holder, table) if holder.tag not in table else table[holder.tag](read, holder)
    entity = replace(entity, where=read.where(element), controllers=_controllers(read, element))
    index = len(found)
    found.append(entity)
    if trailer is not None:
        found[index] = replace(entity, trailer=_trailer(trailer[0], trailer[1], name, found, depth + 1))
    return found[index]


def _referenced(read: Reader, holder: Element, table: dict[str, Callable]) -> tuple[Entity, Any]:
    """The entity of a <CatalogReference>. Where runs name different entries, one entity whose sizes differ by run.

    Raises Mixed where they differ in more than sizes, limits and what kind of road vehicle they are.
    """
    try:
        return from_catalog(read, holder, table)
    except Mixed as mixed:
        if not read.book.merge_models:
            raise
        keys = (read.value(holder, "catalogName"), read.value(holder, "entryName"))
        found = uniform(read.draw, lambda draw: from_catalog(replace(read, draw=draw), holder, table))
        names = [tuple(str(key.texts(read.draw)[runs[0]]) for key in keys) for runs, _ in found]
        cases: dict[tuple[str, ...], Entity] = {
            name: entity for name, (_, (entity, _)) in zip(names, found, strict=True)
        }
        if len(cases) < len(found) or any(trailer is not None for _, (_, trailer) in found):
            raise mixed from None
        entity = _merged(list(cases.values()), keys, cases)
        if entity is None:
            raise mixed from None
        return entity, None


def _merged(alike: list[Entity], keys: tuple[Value, ...], cases: dict[tuple[str, ...], Entity]) -> Entity | None:
    """One entity for several; None where they are not alike."""
    first = alike[0]
    merged: dict[str, Any] = {}
    for item in fields(Entity):
        values = [getattr(entity, item.name) for entity in alike]
        if item.name == "category":
            if len(set(values)) > 1 and not set(values) <= _ROAD_VEHICLES:
                return None
            merged[item.name] = "|".join(dict.fromkeys(values))
        elif item.name == "properties":
            merged[item.name] = dict(set(first.properties.items()).intersection(*(each.items() for each in values)))
        elif item.name in ("front_axle", "rear_axle"):
            axles = [vars(value) if value is not None else None for value in values]
            if any((axle is None) != (axles[0] is None) for axle in axles):
                return None
            if axles[0] is not None:
                names = list(axles[0])
                merged[item.name] = Axle(*(_by_case([a[n] for a in axles if a], keys, cases) for n in names))
        elif all(isinstance(value, Value) for value in values):
            merged[item.name] = _by_case(values, keys, cases)
        elif item.name != "where" and any(value != values[0] for value in values):
            return None
    return replace(first, **merged)


def _by_case(values: list[Value], keys: tuple[Value, ...], cases: dict[tuple[str, ...], Entity]) -> Value:
    return ByCase("", values[0].where, values[0].scope, keys, dict(zip(cases, values, strict=True)))


def _trailer(read: Reader, element: Element, tractor: str, found: list[Entity], depth: int) -> Entity | None:
    """The <Trailer> of a vehicle: another entity by name, none where that is empty, or one defined here."""
    reference = read.optional_child(element, "TrailerRef")
    if reference is not None:
        name = read.text(reference, "entityRef")
        # Only the name is known here; `_hitched` puts the entity in its place.
        return None if not name else _placeholder(name, read, reference)
    return _add(read, read.child(element, "Trailer"), f"{tractor}+", found, depth)


def _placeholder(name: str, read: Reader, element: Element) -> Entity:
    where = read.where(element, "entityRef")
    nothing = constant(0.0, where)
    return Entity(name, "reference", "trailer", nothing, nothing, nothing, nothing, nothing, nothing, where)


def _hitched(read: Reader, entity: Entity, by_name: dict[str, Entity], depth: int = 0) -> Entity:
    """The entity with the trailer that it names, and that one's."""
    trailer = entity.trailer
    if trailer is None:
        return entity
    if trailer.kind == "reference" and trailer.name not in by_name:
        raise ValueError(f"{trailer.where} names {trailer.name!r}, which is no entity; there are: {', '.join(by_name)}")
    if depth > _MAX_TRAILERS:
        raise ValueError(f"{entity.where} pulls itself, or more than {_MAX_TRAILERS} trailers; correct the file")
    return replace(entity, trailer=_hitched(read, by_name[trailer.name], by_name, depth + 1))


def _members(read: Reader, element: Element) -> tuple[str, ...]:
    """The entities of an <EntitySelection>, by name or by kind."""
    names: list[str] = []
    kinds = {"vehicle": "vehicle", "pedestrian": "pedestrian", "miscellaneous": "misc"}
    for child in read.children(read.child(element, "Members"), "EntityRef", "ByType"):
        if child.tag == "EntityRef":
            names.append(read.entity(child).text(read.draw))
        else:
            kind = read.choice(child, "objectType", kinds)
            names += [name for name, other in read.book.entities.items() if other == kind]
    return tuple(dict.fromkeys(names))


# --- Kinds ---


def _vehicle(read: Reader, element: Element, name: str) -> tuple[Entity, tuple[Reader, Element] | None]:
    read = with_parameters(read, element)
    performance, axles = read.optional_child(element, "Performance"), read.optional_child(element, "Axles")

    def limit(key: str) -> Value | None:
        return None if performance is None else read.optional_number(performance, key)

    entity = replace(
        _body(read, element, name, "vehicle", read.choice(element, "vehicleCategory", _VEHICLES)),
        max_speed=limit("maxSpeed"),
        max_acceleration=limit("maxAcceleration"),
        max_deceleration=limit("maxDeceleration"),
        front_axle=_axle(read, axles, "FrontAxle"),
        rear_axle=_axle(read, axles, "RearAxle"),
        hitch_x=_offset(read, element, "TrailerHitch"),
        coupler_x=_offset(read, element, "TrailerCoupler"),
    )
    trailer = read.optional_child(element, "Trailer")
    return entity, None if trailer is None else (read, trailer)


def _pedestrian(read: Reader, element: Element, name: str) -> tuple[Entity, None]:
    read = with_parameters(read, element)
    category = read.choice(element, "pedestrianCategory", _PEDESTRIANS, default="pedestrian")
    return _body(read, element, name, "pedestrian", category), None


def _thing(read: Reader, element: Element, name: str) -> tuple[Entity, None]:
    read = with_parameters(read, element)
    return _body(read, element, name, "misc", read.choice(element, "miscObjectCategory", _THINGS)), None


_KINDS = {"Vehicle": _vehicle, "Pedestrian": _pedestrian, "MiscObject": _thing}


def _body(read: Reader, element: Element, name: str, kind: str, category: str) -> Entity:
    box = read.child(element, "BoundingBox")
    center, size = read.child(box, "Center"), read.child(box, "Dimensions")
    x, y, z = (read.number(center, key) for key in "xyz")
    length, width, height = (read.duration(size, key) for key in ("length", "width", "height"))
    return Entity(
        name, kind, category, x, y, z, length, width, height,
        where=read.where(element), properties=_properties(read, element),
    )  # fmt: skip


def _axle(read: Reader, axles: Element | None, tag: str) -> Axle | None:
    element = None if axles is None else read.optional_child(axles, tag)
    if element is None:
        return None
    keys = ("positionX", "wheelDiameter", "maxSteering", "trackWidth")
    return Axle(*(read.number(element, key) for key in keys))


def _offset(read: Reader, element: Element, tag: str) -> Value | None:
    child = read.optional_child(element, tag)
    return None if child is None else read.number(child, "dx")


def _properties(read: Reader, element: Element) -> dict[str, str]:
    return {read.text(child, "name"): read.text(child, "value") for child in element.iterfind("Properties/Property")}


# --- Controllers ---


def controller(read: Reader, element: Element) -> Controller:
    """A <Controller>, or what a <CatalogReference> to one names."""
    if element.tag == "CatalogReference":
        return from_catalog(read, element, {"Controller": controller})
    read = with_parameters(read, element)
    return Controller(read.text(element, "name"), _properties(read, element))


def _controllers(read: Reader, element: Element) -> tuple[Controller, ...]:
    found = (
        read.optional_child(child, "Controller", "CatalogReference") for child in element.iterfind("ObjectController")
    )
    return tuple(controller(read, child) for child in found if child is not None)
