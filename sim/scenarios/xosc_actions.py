"""Actions of OpenSCENARIO files; one reader for each element, in tables."""

from collections.abc import Callable
from typing import Any

from sim.scenarios.behaviours import (
    AcquirePosition,
    ActivateController,
    AddEntity,
    AssignRoute,
    Behaviour,
    DeleteEntity,
    Dynamics,
    Environment,
    FinalSpeed,
    FollowTrajectory,
    LaneChange,
    LaneOffset,
    LateralDistance,
    LightState,
    LongitudinalDistance,
    SetEnvironment,
    SetVariable,
    SpeedChange,
    SpeedProfile,
    Synchronize,
    Teleport,
    Visibility,
)
from sim.scenarios.values import Value
from sim.scenarios.xosc_catalogs import from_catalog, with_parameters
from sim.scenarios.xosc_entities import controller
from sim.scenarios.xosc_positions import ROUTES, TRAJECTORIES, position
from sim.scenarios.xosc_xml import REFUSED, Element, Reader, same

_SHAPES = same("step", "linear", "sinusoidal", "cubic")
_DIMENSIONS = same("time", "distance", "rate")
_FOLLOWING = same("position", "follow")
_COORDINATES = same("entity", "lane", "road", "trajectory", "world")
_LEADING = same("any", "leadingReferencedEntity", "trailingReferencedEntity")
_SIDES = same("any", "leftToReferencedEntity", "rightToReferencedEntity")
_FACTOR = {"delta": False, "factor": True}


def private_action(read: Reader, element: Element) -> Behaviour:
    """What a <PrivateAction> does."""
    return read.one(element, PRIVATE)


def global_action(read: Reader, element: Element) -> Behaviour:
    """What a <GlobalAction> does."""
    return read.one(element, GLOBAL)


# --- Along ---


def _dynamics(read: Reader, element: Element) -> Dynamics:
    return Dynamics(
        shape=read.choice(element, "dynamicsShape", _SHAPES),
        dimension=read.choice(element, "dynamicsDimension", _DIMENSIONS),
        value=read.number(element, "value"),
        following=read.choice(element, "followingMode", _FOLLOWING, default="position"),
    )


def _speed(read: Reader, element: Element) -> SpeedChange:
    read.holds(element, "SpeedActionDynamics", "SpeedActionTarget")
    dynamics = _dynamics(read, read.child(element, "SpeedActionDynamics"))
    target = read.one(read.child(element, "SpeedActionTarget"), _SPEED_TARGETS)
    return SpeedChange(dynamics, **target)


def _relative_speed(read: Reader, element: Element) -> dict[str, Any]:
    return {
        "entity": read.entity(element),
        "value": read.number(element, "value"),
        "factor": read.choice(element, "speedTargetValueType", _FACTOR),
        "continuous": read.boolean(element, "continuous"),
    }


_SPEED_TARGETS = {
    "AbsoluteTargetSpeed": lambda read, element: {"value": read.number(element, "value")},
    "RelativeTargetSpeed": _relative_speed,
}


def _profile(read: Reader, element: Element) -> SpeedProfile:
    read.holds(element, "SpeedProfileEntry", "DynamicConstraints")
    entries = tuple(
        (read.number(entry, "speed"), read.optional_number(entry, "time"))
        for entry in element.findall("SpeedProfileEntry")
    )
    if not entries:
        raise read.error(element, "has no <SpeedProfileEntry>")
    keys = ("maxAcceleration", "maxAccelerationRate", "maxDeceleration", "maxDecelerationRate")
    return SpeedProfile(
        entries=entries,
        following=read.choice(element, "followingMode", _FOLLOWING),
        entity=read.entity(element) if "entityRef" in element.attrib else None,
        limits=_limits(read, element, *keys),
    )


def _limits(read: Reader, element: Element, *keys: str) -> tuple[Value | None, ...]:
    child = read.optional_child(element, "DynamicConstraints")
    return tuple(None if child is None or key not in child.attrib else read.duration(child, key) for key in keys)


def _longitudinal_distance(read: Reader, element: Element) -> LongitudinalDistance:
    read.holds(element, "DynamicConstraints")
    distance, time_gap = read.optional_number(element, "distance"), read.optional_number(element, "timeGap")
    if (distance is None) == (time_gap is None):
        raise read.error(element, "needs one of the attributes distance and timeGap")
    limits = _limits(read, element, "maxAcceleration", "maxDeceleration", "maxSpeed")
    return LongitudinalDistance(
        read.entity(element), distance, time_gap,
        read.boolean(element, "freespace"), read.boolean(element, "continuous"),
        read.choice(element, "coordinateSystem", _COORDINATES, default="entity"),
        read.choice(element, "displacement", _LEADING, default="trailingReferencedEntity"),
        *limits,
    )  # fmt: skip


# --- Across ---


def _lane_change(read: Reader, element: Element) -> LaneChange:
    read.holds(element, "LaneChangeActionDynamics", "LaneChangeTarget")
    dynamics = _dynamics(read, read.child(element, "LaneChangeActionDynamics"))
    target, entity = read.one(
        read.child(element, "LaneChangeTarget"),
        _targets("AbsoluteTargetLane", "RelativeTargetLane"),
    )
    return LaneChange(dynamics, target, entity, read.optional_number(element, "targetLaneOffset"))


def _targets(absolute: str, relative: str) -> dict[str, Callable[[Reader, Element], Any]]:
    return {
        absolute: lambda read, element: (read.number(element, "value"), None),
        relative: lambda read, element: (read.number(element, "value"), read.entity(element)),
    }


def _lane_offset(read: Reader, element: Element) -> LaneOffset:
    read.holds(element, "LaneOffsetActionDynamics", "LaneOffsetTarget")
    dynamics = read.child(element, "LaneOffsetActionDynamics")
    target, entity = read.one(
        read.child(element, "LaneOffsetTarget"), _targets("AbsoluteTargetLaneOffset", "RelativeTargetLaneOffset")
    )
    return LaneOffset(
        shape=read.choice(dynamics, "dynamicsShape", _SHAPES),
        max_lateral_acceleration=read.optional_number(dynamics, "maxLateralAcc"),
        target=target,
        entity=entity,
        continuous=read.boolean(element, "continuous"),
    )


def _lateral_distance(read: Reader, element: Element) -> LateralDistance:
    read.holds(element, "DynamicConstraints")
    return LateralDistance(
        read.entity(element),
        read.optional_number(element, "distance"),
        read.boolean(element, "freespace"), read.boolean(element, "continuous"),
        read.choice(element, "coordinateSystem", _COORDINATES, default="entity"),
        read.choice(element, "displacement", _SIDES, default="any"),
        *_limits(read, element, "maxAcceleration", "maxDeceleration", "maxSpeed"),
    )  # fmt: skip


# --- To a place ---


def _teleport(read: Reader, element: Element) -> Teleport:
    return Teleport(position(read, read.child(element, "Position")))


def _synchronize(read: Reader, element: Element) -> Synchronize:
    read.holds(element, "TargetPositionMaster", "TargetPosition", "FinalSpeed")
    final = read.optional_child(element, "FinalSpeed")
    master = "masterEntityRef" if "masterEntityRef" in element.attrib else "entityRef"
    return Synchronize(
        master=read.entity(element, master),
        master_position=position(read, read.child(element, "TargetPositionMaster")),
        position=position(read, read.child(element, "TargetPosition")),
        final_speed=None if final is None else read.one(final, _FINAL_SPEEDS),
        master_tolerance=read.optional_number(element, "targetToleranceMaster"),
        tolerance=read.optional_number(element, "targetTolerance"),
    )


def _final_speed(read: Reader, element: Element) -> FinalSpeed:
    read.holds(element, "TargetDistanceSteadyState", "TargetTimeSteadyState")
    distance = read.optional_child(element, "TargetDistanceSteadyState")
    time = read.optional_child(element, "TargetTimeSteadyState")
    relative = element.tag == "RelativeSpeedToMaster"
    if relative and read.choice(element, "speedTargetValueType", _FACTOR, default="delta"):
        raise read.error(element, "has speedTargetValueType='factor', which is not supported", "use delta")
    return FinalSpeed(
        value=read.number(element, "value"),
        relative=relative,
        steady_distance=None if distance is None else read.duration(distance, "distance"),
        steady_time=None if time is None else read.duration(time, "time"),
    )


_FINAL_SPEEDS = {"AbsoluteSpeed": _final_speed, "RelativeSpeedToMaster": _final_speed}


def _follow_trajectory(read: Reader, element: Element) -> FollowTrajectory:
    read.holds(element, "TrajectoryRef", *TRAJECTORIES, "TimeReference", "TrajectoryFollowingMode")
    holder = read.child(element, "TrajectoryRef", *TRAJECTORIES)  # directly in 1.0
    shape = read.one(holder, TRAJECTORIES) if holder.tag == "TrajectoryRef" else TRAJECTORIES[holder.tag](read, holder)
    reference = read.optional_child(element, "TimeReference")
    return FollowTrajectory(
        trajectory=shape,
        initial_distance=read.optional_number(element, "initialDistanceOffset"),
        timing=None if reference is None else read.one(reference, _TIMINGS),
        mode=read.choice(read.child(element, "TrajectoryFollowingMode"), "followingMode", _FOLLOWING),
    )


def _timing(read: Reader, element: Element) -> tuple[str, Value, Value]:
    domain = read.choice(element, "domainAbsoluteRelative", same("absolute", "relative"))
    return domain, read.number(element, "scale"), read.number(element, "offset")


_TIMINGS = {"None": lambda read, element: None, "Timing": _timing}


# --- Who drives, what is seen ---


def _controller_action(read: Reader, element: Element) -> ActivateController:
    """The only action inside; 1.0 wants an override beside an assignment, which then must override nothing."""
    children = {child.tag: child for child in read.children(element, *_CONTROLLERS, "OverrideControllerValueAction")}
    override = children.pop("OverrideControllerValueAction", None)
    if override is not None and any(read.boolean(child, "active") for child in override):
        raise read.error(override, REFUSED)
    if len(children) != 1:
        raise read.error(element, "needs one action", f"supported: {', '.join(_CONTROLLERS)}")
    ((tag, child),) = children.items()
    return _CONTROLLERS[tag](read, child)


def _activate(read: Reader, element: Element) -> ActivateController:
    lateral, longitudinal = (read.optional_boolean(element, key) for key in ("lateral", "longitudinal"))
    return ActivateController(lateral, longitudinal)


def _assign(read: Reader, element: Element) -> ActivateController:
    holder = read.optional_child(element, "ObjectController")
    holder = element if holder is None else holder
    found = read.optional_child(holder, "Controller", "CatalogReference")
    return ActivateController(
        lateral=read.optional_boolean(element, "activateLateral"),
        longitudinal=read.optional_boolean(element, "activateLongitudinal"),
        controller=None if found is None else controller(read, found),
    )


_CONTROLLERS = {"AssignControllerAction": _assign, "ActivateControllerAction": _activate}


def _light(read: Reader, element: Element) -> LightState:
    read.holds(element, "LightType", "LightState")
    light = read.one(
        read.child(element, "LightType"),
        {
            "VehicleLight": lambda read, e: read.text(e, "vehicleLightType"),
            "UserDefinedLight": lambda read, e: read.text(e, "userDefinedLightType"),
        },
    )
    return LightState(light, read.choice(read.child(element, "LightState"), "mode", same("on", "off", "flashing")))


def _visibility(read: Reader, element: Element) -> Visibility:
    return Visibility(*(read.boolean(element, key) for key in ("graphics", "traffic", "sensors")))


# --- The world ---


def _entity_action(read: Reader, element: Element) -> Behaviour:
    entity = read.entity(element)
    return read.one(
        element,
        {
            "AddEntityAction": lambda read, e: AddEntity(entity, position(read, read.child(e, "Position"))),
            "DeleteEntityAction": lambda read, e: DeleteEntity(entity),
        },
    )


def _set(key: str, of_parameter: bool) -> Callable[[Reader, Element], SetVariable]:
    def reader(read: Reader, element: Element) -> SetVariable:
        name = read.text(element, key).removeprefix("$")
        if name not in read.book.declared:
            known = ", ".join(sorted(read.book.declared)) or "none"
            raise read.error(element, f"has {key}={name!r}, which is not declared", f"there are: {known}")
        if element.tag == "SetMonitorAction":  # monitors are variables to us
            return SetVariable(name, "set", read.value(element, "value"))
        operator, value = read.one(element, _SETTINGS)
        return SetVariable(name, operator, value, of_parameter)

    return reader


def _modify(read: Reader, element: Element) -> tuple[str, Value]:
    rules = {
        "AddValue": lambda read, e: ("add", read.number(e, "value")),
        "MultiplyByValue": lambda read, e: ("multiply", read.number(e, "value")),
    }
    return read.one(read.child(element, "Rule"), rules)


_SETTINGS = {"SetAction": lambda read, element: ("set", read.value(element, "value")), "ModifyAction": _modify}


def environment(read: Reader, element: Element) -> Environment:
    """An <Environment>, in the scenario or in a catalog."""
    read.holds(element, "ParameterDeclarations", "TimeOfDay", "Weather", "RoadCondition")
    read = with_parameters(read, element)
    time, road = read.optional_child(element, "TimeOfDay"), read.optional_child(element, "RoadCondition")
    weather = read.optional_child(element, "Weather")
    cloud = None if weather is None else read.optional(weather, "fractionalCloudCover", "cloudState")
    rain = None if weather is None else read.optional_child(weather, "Precipitation")

    def air(child: str, *keys: str) -> Value | None:
        found = None if weather is None else read.optional_child(weather, child)
        return None if found is None else read.optional_number(found, *keys)

    return Environment(
        name=read.text(element, "name"),
        time_of_day=None if time is None else read.text(time, "dateTime"),
        cloud=None if cloud is None else cloud.text(read.draw),
        fog_visibility=air("Fog", "visualRange"),
        precipitation=None if rain is None else read.choice(rain, "precipitationType", same("dry", "rain", "snow")),
        precipitation_intensity=air("Precipitation", "precipitationIntensity", "intensity"),
        sun_azimuth=air("Sun", "azimuth"),
        sun_elevation=air("Sun", "elevation"),
        sun_intensity=air("Sun", "illuminance", "intensity"),
        friction=None if road is None else read.optional_number(road, "frictionScaleFactor"),
    )


def _environment_action(read: Reader, element: Element) -> SetEnvironment:
    kinds = {"Environment": environment}
    return SetEnvironment(read.one(element, kinds | {"CatalogReference": lambda r, e: from_catalog(r, e, kinds)}))


# --- Tables ---


def _group(table: dict[str, Callable[[Reader, Element], Behaviour]]) -> Callable[[Reader, Element], Behaviour]:
    return lambda read, element: read.one(element, table)


PRIVATE: dict[str, Callable[[Reader, Element], Behaviour]] = {
    "LongitudinalAction": _group(
        {
            "SpeedAction": _speed,
            "SpeedProfileAction": _profile,
            "LongitudinalDistanceAction": _longitudinal_distance,
        }
    ),
    "LateralAction": _group(
        {
            "LaneChangeAction": _lane_change,
            "LaneOffsetAction": _lane_offset,
            "LateralDistanceAction": _lateral_distance,
        }
    ),
    "TeleportAction": _teleport,
    "SynchronizeAction": _synchronize,
    "RoutingAction": _group(
        {
            "AssignRouteAction": lambda read, element: AssignRoute(read.one(element, ROUTES)),
            "FollowTrajectoryAction": _follow_trajectory,
            "AcquirePositionAction": lambda read, e: AcquirePosition(position(read, read.child(e, "Position"))),
        }
    ),
    "ControllerAction": _controller_action,
    "ActivateControllerAction": _activate,  # 1.0
    "VisibilityAction": _visibility,
    "AppearanceAction": _group({"LightStateAction": _light}),
}
GLOBAL: dict[str, Callable[[Reader, Element], Behaviour]] = {
    "EnvironmentAction": _environment_action,
    "EntityAction": _entity_action,
    "ParameterAction": _set("parameterRef", of_parameter=True),
    "VariableAction": _set("variableRef", of_parameter=False),
    "SetMonitorAction": _set("monitorRef", of_parameter=False),
}
