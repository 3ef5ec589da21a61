"""Read Roadloop's own scenario files (docs/scenarios.md) into the scenario tree.

`read_yaml` reads a file for one draw of its parameters, like `read_xosc`. Generated roads are made here already,
because named places are looked up on them; what the road cannot offer is an error before the run.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import islice, product
from pathlib import Path

import numpy as np
import yaml

from configs.schema import RoadKind
from sim.mapfiles.opendrive import read_opendrive
from sim.roadgen.generate import generate_road
from sim.scenarios.batches import uniform
from sim.scenarios.conditions import Condition, EndOfRoad, EntityCondition, ReachPosition, Trigger
from sim.scenarios.model import Action, Scenario, Story
from sim.scenarios.places import SIGNS, JunctionChoice
from sim.scenarios.positions import Position
from sim.scenarios.values import Draw, Value, Where, constant
from sim.scenarios.ways import Streets, Unfit
from sim.scenarios.yaml_actions import weather
from sim.scenarios.yaml_actors import EGO, initial, place_actors, read_entities, turns_of
from sim.scenarios.yaml_criteria import read_criteria
from sim.scenarios.yaml_parameters import Constraint, Declared, check_constraints, read_constraints, read_parameters
from sim.scenarios.yaml_positions import Stage
from sim.scenarios.yaml_story import leaving, read_story
from sim.scenarios.yaml_tree import Entry, read_tree
from sim.scenarios.yaml_triggers import Cues, trigger
from sim.scenarios.yaml_values import Reading

KEYS = (
    "source", "parameters", "let", "constraints", "weather", "story", "task", "criteria",
)  # fmt: skip
GOAL_M = 4.0  # a run ends when the ego's reference point is this close to its goal
MAX_CORNERS = 256
MAX_SEEDS = 200  # tried to find roads that have the places of a scenario
_ROAD_KINDS: tuple[RoadKind, ...] = RoadKind.__args__  # type: ignore[attr-defined]


def read_yaml(path: Path, draw: Draw, constrained: bool = True) -> Scenario:
    """The scenario of a file for one draw of its parameters; `constrained=False` takes any values.

    Raises Mixed where the runs of the draw differ in what shapes the tree, ValueError where the file is wrong, the draw
    breaks its constraints or its road has no such places, OSError where it cannot be read.
    """
    path = Path(path)
    root = read_tree(path)
    try:
        return _Source(path, root, draw, constrained).scenario()
    except RecursionError:
        raise ValueError(f"{path.name}: parameters or expressions are nested too deeply; simplify them") from None


def read_declarations(path: Path) -> tuple[str, str, tuple[Declared, ...], tuple[Constraint, ...]]:
    """Description, source, parameters and constraints of a file, without the rest of it. Errors as `read_yaml`."""
    path = Path(path)
    source = _Source(path, read_tree(path), Draw(1))
    about = [source.found[key].text() if key in source.found else "" for key in ("description", "source")]
    return about[0], about[1], source.declared, source.constraints


class _Source:
    """A file with its declarations read."""

    def __init__(self, path: Path, root: Entry, draw: Draw, constrained: bool = True) -> None:
        self.path, self.root, self.draw = path, root, draw
        self.found = root.mapping(("description", "road", "actors"), KEYS)
        self.reading = Reading(Draw(1))
        self.declared = read_parameters(self.found, self.reading)
        self.constraints = read_constraints(self.found, self.reading)
        self.reading.draw = draw
        names = [declared.parameter.name for declared in self.declared]
        for name in draw.values:
            if name not in names:
                raise ValueError(f"{path.name} declares no parameter {name!r}; it has: {', '.join(names) or 'none'}")
        for declared in self.declared:
            value = Value(f"${declared.parameter.name}", declared.parameter.value.where, self.reading.scope)
            _ = value.numbers(draw) if declared.parameter.kind == "double" else value.texts(draw)
        if constrained:
            check_constraints(self.constraints, draw)

    def scenario(self) -> Scenario:
        road = self.road()
        if ("kind" in road) == ("map" in road):
            raise self.found["road"].error("either `kind` (of a generated road) or `map` (an OpenDRIVE file) is needed")
        if "map" in road:
            file = self.path.parent / road["map"].text()
            if not file.is_file():
                raise road["map"].error(f"{file} does not exist; paths start at the scenario's folder")
            return self.on(map_streets(file, file.stat().st_mtime_ns), road, file, None, None)
        kind = self.reading.word(road["kind"], _ROAD_KINDS)
        if ("seed" in road) == ("pick" in road):
            raise self.found["road"].error("either `seed` or `pick` (which of the roads that fit, from 0) is needed")
        if "seed" in road:
            seed = self.reading.integer(road["seed"], 0, 2**31 - 1)
        else:
            text = yaml.serialize(self.root.node, Dumper=yaml.SafeDumper)
            seed = picked_seed(self.path, text, kind, self.reading.integer(road["pick"], 0, MAX_SEEDS))
        return self.on(road_streets(kind, seed), road, None, kind, constant(str(seed), self.found["road"].where))

    def road(self) -> dict[str, Entry]:
        return self.found["road"].mapping(optional=("kind", "seed", "pick", "map", "arms", "sign"))

    def on(
        self, streets: Streets, road: dict[str, Entry], file: Path | None, kind: str | None, seed: Value | None
    ) -> Scenario:
        """The scenario on a road. Raises Unfit where the road has no such places."""
        found, reading, where = self.found, self.reading, self.root.where
        entities = read_entities(found["actors"], reading)
        stage = Stage(streets, reading, self._choice(road), turns_of(found["actors"].items()[EGO], reading))
        stage.entities = entities
        actors = place_actors(found["actors"], stage)
        init: list[tuple[str | None, Action]] = []
        if "weather" in found:
            init.append((None, Action("weather", weather(found["weather"], stage), found["weather"].where)))
        for name, actor in actors.items():
            init += [(name, Action(f"{name}.start", body, actor.entity.where)) for body in initial(actor, stage)]
        task = found["task"].mapping(optional=("goal", "seconds", "end")) if "task" in found else {}
        acts = read_story(found["story"], stage, actors) if "story" in found else ()
        seconds = reading.number(task["seconds"], "time", 0.1, 3600.0) if "seconds" in task else constant(30.0, where)
        cues = Cues(stage, tuple(act.name for act in acts))
        ends = trigger(task["end"], cues) if "end" in task else ()
        goal = stage.position(stage.site(task["goal"])) if "goal" in task else None
        return Scenario(
            name=self.path.stem,
            file=self.path,
            description=found["description"].text(),
            scope=reading.scope,
            parameters=tuple(declared.parameter for declared in self.declared),
            variables={},
            road_file=file,
            entities=tuple(entities.values()),
            init=tuple(init),
            stories=(Story("story", (*acts, *leaving(actors, EGO))),),
            stop=(*_ego_done(goal, where), *ends),
            where=where,
            road_kind=kind,
            road_seed=seed,
            ego=EGO,
            ego_goal=goal,
            duration_s=seconds,
            criteria=read_criteria(found["criteria"], reading, "goal" in task) if "criteria" in found else (),
        )

    def _choice(self, road: dict[str, Entry]) -> JunctionChoice:
        return JunctionChoice(
            arms=self.reading.integer(road["arms"], 3, 8) if "arms" in road else None,
            sign=self.reading.word(road["sign"], SIGNS) if "sign" in road else None,
            sides=frozenset(name for name in _scalars_under(self.root.node, "on") if name.startswith("from_")),
        )

    def corners(self) -> Draw:
        """The file's own values, and the corners of the space that its sweep covers, as far as constraints allow."""
        columns = [np.array(d.values, dtype=object)[[0, -1]] for d in self.declared]
        names = [d.parameter.name for d in self.declared]
        rows = np.array(list(islice(product(*columns), MAX_CORNERS)), dtype=object).reshape(-1, len(names))
        rows = np.concatenate((np.array([[d.parameter.value.source for d in self.declared]], dtype=object), rows))
        kinds = (float if d.parameter.kind == "double" else object for d in self.declared)
        draw = Draw(len(rows), {name: rows[:, i].astype(kind) for i, (name, kind) in enumerate(zip(names, kinds))})
        allowed = np.ones(draw.size, dtype=bool)
        for constraint in self.constraints:
            allowed &= constraint.holds(draw)
        return draw.take(np.flatnonzero(allowed))


# --- Roads ---


@lru_cache(maxsize=64)
def road_streets(kind: RoadKind, seed: int) -> Streets:
    """The streets of a generated road."""
    return Streets(generate_road(kind, seed))


@lru_cache(maxsize=4)
def map_streets(file: Path, changed_ns: int) -> Streets:
    """The streets of a map file, as of its last change."""
    return Streets(read_opendrive(file))


@lru_cache(maxsize=1024)
def picked_seed(path: Path, text: str, kind: RoadKind, pick: int) -> int:
    """The seed of the pick-th road, from 0, on which the scenario finds its places whatever a sweep does.

    `text` is the file's content, so that a change is noticed. ValueError where too few of the first seeds fit.
    """
    root, fits, problem = read_tree(path), 0, ""
    corners = _Source(path, root, Draw(1)).corners()
    for seed in range(MAX_SEEDS):
        try:
            uniform(corners, partial(_on_generated, path, root, road_streets(kind, seed)))
        except Unfit as error:
            problem = str(error)
            continue
        if fits == pick:
            return seed
        fits += 1
    raise ValueError(f"{path.name}: only {fits} of {MAX_SEEDS} {kind} roads have what is asked for; {problem}")


def _on_generated(path: Path, root: Entry, streets: Streets, draw: Draw) -> Scenario:
    source = _Source(path, root, draw)
    return source.on(streets, source.road(), None, None, None)


def _scalars_under(node: yaml.Node, key: str) -> Iterator[str]:
    """All scalars that stand under a key, anywhere in a tree."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars_under(item, key)
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(value, yaml.ScalarNode) and name.value == key:
                yield value.value
            yield from _scalars_under(value, key)


def _ego_done(goal: Position | None, where: Where) -> Trigger:
    """The ego is at its goal, or where its road ends."""
    zero, ego = constant(0.0, where), (constant(EGO, where),)
    ends: list[EntityCondition] = [EndOfRoad(zero)]
    ends += [ReachPosition(goal, constant(GOAL_M, where))] if goal is not None else []
    return tuple((Condition(f"end_{i}", zero, "none", end, where, ego),) for i, end in enumerate(ends))
