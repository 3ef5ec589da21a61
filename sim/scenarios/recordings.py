"""CommonRoad recordings as scenarios: lanelets as roads, obstacles that replay what they did, an ego with a goal.

Obstacles keep the reference point of their file, the middle of their box; the ego's is its rear axle, so that drivers
can steer it. Time 0 is the ego's initial step. Without a driver the ego keeps its speed along its lane. A run ends when
the ego is at its goal in the goal's time, where its road ends, or with the last recorded step. It is judged by touching
nobody and, where the goal has a place, by being there in time.
"""

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sim.mapfiles.commonroad import CommonRoad, Goal, Track, read_commonroad
from sim.mapfiles.lanelets import lanelet_network, lanelet_rows
from sim.roads.geometry import wrap_rad
from sim.roads.network import RoadNetwork
from sim.scenarios.behaviours import Dynamics, Replay, SpeedChange, Teleport
from sim.scenarios.conditions import Condition, EndOfRoad, ReachPosition, SimulationTime, Trigger
from sim.scenarios.entities import Axle, Entity
from sim.scenarios.model import Action, Criterion, Scenario
from sim.scenarios.positions import RoadPosition, WorldPosition
from sim.scenarios.values import Draw, Scope, Where, constant
from sim.scenarios.xosc import check_draw

EGO = "Ego"
GOAL_M = 4.0  # a run ends when the ego's reference point is this close to the middle of its goal
# A middle-class car, as files say nothing of the ego's body: length, width, wheelbase.
_EGO_M = (4.508, 1.61, 2.579)
_KINDS = {
    "car": ("vehicle", "car", 1.5), "taxi": ("vehicle", "car", 1.5), "parkedVehicle": ("vehicle", "car", 1.5),
    "priorityVehicle": ("vehicle", "van", 2.5), "truck": ("vehicle", "truck", 3.6), "bus": ("vehicle", "bus", 3.1),
    "train": ("vehicle", "train", 3.8), "motorcycle": ("vehicle", "motorbike", 1.5),
    "bicycle": ("vehicle", "bicycle", 1.75), "pedestrian": ("pedestrian", "pedestrian", 1.75),
    "building": ("misc", "building", 6.0), "pillar": ("misc", "pole", 3.0), "roadBoundary": ("misc", "barrier", 1.0),
}  # fmt: skip
_OTHER = ("misc", "obstacle", 1.5)
_LIMITS = (70.0, 5.0, 9.5)  # of the ego: m/s, m/s^2 faster, m/s^2 slower


def read_recording(path: Path, draw: Draw) -> Scenario:
    """The scenario of a CommonRoad file, which has no parameters.

    Raises ValueError where the draw names one or the file is wrong, OSError where it cannot be read.
    """
    path = Path(path)
    check_draw(path, (), draw)
    file = read_commonroad(path)
    problem, where = file.problem, Where(path, file.problem.line, "planningProblem")
    goal = None if problem.goal is None else _place(file, problem.goal)
    entities = (_ego(where), *(_entity(track, path) for track in file.tracks))
    init = [(EGO, action) for action in _start(file, where)]
    for entity, track in zip(entities[1:], file.tracks, strict=True):
        init.append((entity.name, _action(track, file, entity.where)))
    last = [track.first_step + len(track.xy_world_m) - 1 for track in file.tracks if not track.static]
    last += [] if problem.goal is None else [problem.goal.last_step]
    seconds = (max(last, default=problem.step) - problem.step) * file.dt_s
    return Scenario(
        name=path.stem,
        file=path,
        description=f"Recorded traffic, {file.name}",
        scope=Scope(),
        parameters=(),
        variables={},
        road_file=path,
        entities=entities,
        init=tuple(init),
        stories=(),
        stop=_stop(file, goal, where),
        where=where,
        ego=EGO,
        ego_goal=goal,
        duration_s=constant(seconds, where) if seconds > 0.0 else None,
        criteria=_criteria(file, goal is not None, where),
        notes=file.notes,
    )


def recorded_roads(path: Path) -> RoadNetwork:
    """The roads of a CommonRoad file, made again only when it changes."""
    return _roads(Path(path), Path(path).stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _roads(path: Path, time_ns: int) -> RoadNetwork:
    return lanelet_network(read_commonroad(path))


# --- Entities ---


def _ego(where: Where) -> Entity:
    length, width, wheelbase = _EGO_M
    speed, up, down = (constant(value, where) for value in _LIMITS)
    return Entity(
        **_body(EGO, _KINDS["car"], (length, width), (0.5 * wheelbase, 0.0), where),
        max_speed=speed,
        max_acceleration=up,
        max_deceleration=down,
        front_axle=_axle(wheelbase, width, where),
        rear_axle=_axle(0.0, width, where),
    )


def _entity(track: Track, path: Path) -> Entity:
    """An obstacle; the axles of a vehicle lie three fifths of its length apart around the middle of its box."""
    where, shape = Where(path, track.line, "obstacle"), track.shape
    kind, size = _KINDS.get(track.kind, _OTHER), (shape.length_m, shape.width_m)
    body = _body(f"{track.kind}_{track.id}", kind, size, (shape.x_m, shape.y_m), where)
    if kind[0] != "vehicle":
        return Entity(**body)
    front, rear = (_axle(shape.x_m + sign * 0.3 * shape.length_m, shape.width_m, where) for sign in (1.0, -1.0))
    return Entity(**body, front_axle=front, rear_axle=rear)


def _body(
    name: str, kind: tuple[str, str, float], size_m: tuple[float, float], middle_m: tuple[float, float], where: Where
) -> dict[str, Any]:
    """What all entities have."""
    numbers = {
        "center_x": middle_m[0], "center_y": middle_m[1], "center_z": 0.5 * kind[2], "length": size_m[0],
        "width": size_m[1], "height": kind[2],
    }  # fmt: skip
    values = {key: constant(float(value), where) for key, value in numbers.items()}
    return {"name": name, "kind": kind[0], "category": kind[1], "where": where, **values}


def _axle(x_m: float, width_m: float, where: Where) -> Axle:
    return Axle(*(constant(float(number), where) for number in (x_m, 0.6, 0.6, 0.85 * width_m)))


# --- What they do ---


def _start(file: CommonRoad, where: Where) -> tuple[Action, ...]:
    """Put the ego where the middle of its box is told to be, and let it go."""
    problem, back = file.problem, 0.5 * _EGO_M[2]
    x = problem.xy_world_m[0] - back * math.cos(problem.heading_rad)
    y = problem.xy_world_m[1] - back * math.sin(problem.heading_rad)
    step = Dynamics("step", "time", constant(0.0, where))
    return (
        Action("place", Teleport(_world(x, y, problem.heading_rad, where)), where),
        Action("speed", SpeedChange(step, constant(problem.speed_mps, where)), where),
    )


def _action(track: Track, file: CommonRoad, where: Where) -> Action:
    x, y = track.xy_world_m.T
    heading = wrap_rad(track.heading_rad + track.shape.turn_rad)
    if track.static:
        return Action("stand", Teleport(_world(float(x[0]), float(y[0]), float(heading[0]), where)), where)
    first = (track.first_step - file.problem.step) * file.dt_s
    return Action("replay", Replay(first, file.dt_s, x, y, heading, track.speed_mps), where)


def _world(x_m: float, y_m: float, heading_rad: float, where: Where) -> WorldPosition:
    x, y, heading = (constant(float(value), where) for value in (x_m, y_m, heading_rad))
    return WorldPosition(x, y, None, heading, None, None)


# --- The goal ---


def _place(file: CommonRoad, goal: Goal) -> RoadPosition | None:
    """The middle of the goal on the roads; None where it has no place."""
    network, where = recorded_roads(file.path), Where(file.path, goal.line, "goalState")
    if goal.lanelet is not None:
        road, s, t = _on_lanelet(file, network, goal.lanelet, where)
    elif goal.xy_world_m is not None:
        at = network.locate(np.array([goal.xy_world_m]))
        road, s, t = tuple(network.roads)[int(at.road[0])], float(at.s_m[0]), float(at.t_m[0])
    else:
        return None
    return RoadPosition(constant(road, where), constant(s, where), constant(t, where), None)


def _on_lanelet(file: CommonRoad, network: RoadNetwork, id: int, where: Where) -> tuple[str, float, float]:
    """Road, s and t of the middle of a lanelet."""
    for row in lanelet_rows(file):
        for i, lanelet in enumerate(row):
            if lanelet.id == id:
                road = network.roads[str(row[0].id)]
                s = 0.5 * road.length_m
                return road.id, s, float(road.lane_t(-1 - i, np.array([s]))[0][0])
    raise ValueError(f"{where}: lanelet {id} is a crosswalk; name one to drive on")


def _stop(file: CommonRoad, goal: RoadPosition | None, where: Where) -> Trigger:
    """The ego is at its goal, not before the goal's time, or where its road ends."""
    ego, zero = (constant(EGO, where),), constant(0.0, where)
    groups: list[tuple[Condition, ...]] = [(Condition("end_of_road", zero, "none", EndOfRoad(zero), where, ego),)]
    if goal is not None and file.problem.goal is not None:
        from_s = max((file.problem.goal.first_step - file.problem.step) * file.dt_s, 0.0)
        time = SimulationTime(constant(from_s, where), "greaterOrEqual")
        reach = ReachPosition(goal, constant(GOAL_M, where))
        groups.append(
            (Condition("goal", zero, "none", reach, where, ego), Condition("goal_time", zero, "none", time, where))
        )
    return tuple(groups)


def _criteria(file: CommonRoad, has_goal: bool, where: Where) -> tuple[Criterion, ...]:
    found = [Criterion("no_collision", "equalTo", constant(1.0, where), where)]
    if has_goal and file.problem.goal is not None:
        by_s = (file.problem.goal.last_step - file.problem.step) * file.dt_s
        found.append(Criterion("reach_goal", "equalTo", constant(1.0, where), where))
        found.append(Criterion("finish_before_s", "lessOrEqual", constant(max(by_s, 0.0), where), where))
    return tuple(found)
