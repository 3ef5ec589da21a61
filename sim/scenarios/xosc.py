"""Read OpenSCENARIO XML 1.0 to 1.3 into the scenario tree; what we cannot play is refused here, with file and line.

`read_xosc` reads a file for one draw of its parameters. Numbers stay unevaluated, so that a batch of runs shares the
tree; texts that shape it (entities, catalogs, enumerations, the road) must be the same in all runs of the draw, else
Mixed is raised and the caller splits (`batches.uniform`). Which elements are understood is in the tables of
`xosc_actions.py`, `xosc_conditions.py`, `xosc_positions.py` and `xosc_entities.py`.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sim.scenarios.conditions import ElementState, Trigger
from sim.scenarios.model import Act, Action, Event, Maneuver, ManeuverGroup, Parameter, RoadFiles, Scenario, Story
from sim.scenarios.parameters import TYPES, check_constraints, check_types
from sim.scenarios.values import Draw, Scope, Value
from sim.scenarios.xosc_actions import global_action, private_action
from sim.scenarios.xosc_catalogs import catalog_locations, from_catalog, with_parameters
from sim.scenarios.xosc_conditions import trigger
from sim.scenarios.xosc_entities import entities
from sim.scenarios.xosc_files import find_road
from sim.scenarios.xosc_xml import RULES, Book, Element, Reader, parse_xml

_PRIORITIES = {"override": "override", "overwrite": "override", "skip": "skip", "parallel": "parallel"}
_MAX_PARAMETERS = 10_000


def read_xosc(
    path: Path, draw: Draw, road_paths: tuple[Path, ...] = (), merge_models: bool = True, constrained: bool = True
) -> Scenario:
    """The scenario of a file for one draw of its parameters; roads are also looked for in `road_paths`.

    Where runs differ in the model of a road vehicle alone, it is one entity whose sizes differ by run and whose
    category names them all, and their roads may be of several files; `merge_models=False` raises Mixed instead.
    `constrained=False` takes any values.

    Raises Mixed where the runs of the draw differ in what shapes the tree, ValueError where the file is wrong or holds
    something that we do not play or the draw is outside its constraints, OSError where a file cannot be read.
    """
    path = Path(path)
    root = parse_xml(path)
    read = Reader(path, Scope(), draw, Book(path, road_paths=road_paths, merge_models=merge_models))
    board = _storyboard(read, root)
    parameters = _parameters(read, root)
    check_draw(path, parameters, draw)
    check_types(parameters, draw)
    if constrained:
        check_constraints(parameters, draw)
    variables = _variables(read, root)
    read.book.declared = frozenset(variables) | {parameter.name for parameter in parameters}
    read.book.catalogs = catalog_locations(read, root)
    found = entities(read, root)
    roads = _roads(read, root)
    scenario = Scenario(
        name=path.stem,
        file=path,
        description=root.find("FileHeader").get("description", "") if root.find("FileHeader") is not None else "",
        scope=read.scope,
        parameters=parameters,
        variables=variables,
        road_file=next(iter(roads.files.values())) if roads is not None and len(roads.files) == 1 else None,
        road_files=roads if roads is not None and len(roads.files) > 1 else None,
        entities=found,
        init=tuple(_init(read, board)),
        stories=tuple(_story(read, story) for story in board.findall("Story")),
        stop=trigger(read, board.find("StopTrigger")),
        where=read.where(board),
        notes=tuple(read.book.notes),
    )
    _check_names(scenario)
    return scenario


def read_parameters(path: Path) -> tuple[Parameter, ...]:
    """The parameters that a scenario file declares, without the rest of it. Errors as `read_xosc`."""
    path = Path(path)
    return _parameters(Reader(path, Scope(), Draw(1), Book(path)), parse_xml(path))


def check_draw(path: Path, parameters: tuple[Parameter, ...], draw: Draw) -> None:
    """ValueError where a draw names a parameter that the file does not declare."""
    known = [parameter.name for parameter in parameters]
    for name in draw.values:
        if name not in known:
            raise ValueError(f"{path.name} declares no parameter {name!r}; it has: {', '.join(known) or 'none'}")


# --- Declarations ---


def _storyboard(read: Reader, root: Element) -> Element:
    board = root.find("Storyboard")
    if board is None:
        kinds = {"ParameterValueDistribution": "a parameter variation", "Catalog": "a catalog"}
        what = next((text for tag, text in kinds.items() if root.find(tag) is not None), "no scenario")
        raise ValueError(f"{read.path} is {what}: it has no <Storyboard>; name a scenario file")
    read.holds(board, "Init", "Story", "StopTrigger")
    return board


def _parameters(read: Reader, root: Element) -> tuple[Parameter, ...]:
    """The scenario's own parameters, entered into the reader's scope."""
    elements = root.findall("ParameterDeclarations/ParameterDeclaration")
    if len(elements) > _MAX_PARAMETERS:
        raise ValueError(f"{read.path} declares {len(elements)} parameters; up to {_MAX_PARAMETERS} are read")
    found: list[Parameter] = []
    for element in elements:
        name = element.get("name", "").strip()
        if not name:
            raise read.error(element, "lacks the attribute name")
        if name in read.scope.names:
            raise read.error(element, f"declares the parameter {name!r} again", "keep one of the two")
        read.scope.names[name] = read.value(element, "value")
        kind = _literal(read, element, "parameterType", TYPES)
        groups = tuple(_constraints(read, group) for group in read.children(element, "ConstraintGroup"))
        found.append(Parameter(name, kind, read.scope.names[name], groups))
    return tuple(found)


def _constraints(read: Reader, group: Element) -> tuple[tuple[str, Value], ...]:
    return tuple(
        (_literal(read, element, "rule", RULES), read.value(element, "value"))
        for element in read.children(group, "ValueConstraint")
    )


def _literal(read: Reader, element: Element, key: str, allowed: dict[str, str]) -> str:
    """An enumeration that may not depend on parameters."""
    text = element.get(key, "").strip()
    if text not in allowed:
        raise read.error(element, f"has {key}={text!r}", f"use one of {', '.join(allowed)}")
    return allowed[text]


def _variables(read: Reader, root: Element) -> dict[str, Value]:
    """Variables, and monitors, which are variables to us, with their values at the start."""
    found: dict[str, Value] = {}
    for path in ("VariableDeclarations/VariableDeclaration", "MonitorDeclarations/MonitorDeclaration"):
        for element in root.iterfind(path):
            name = read.text(element, "name")
            if name in found or name in read.scope.names:
                raise read.error(element, f"declares {name!r} again", "variables and parameters share their names")
            found[name] = read.value(element, "value")
    return found


def _roads(read: Reader, root: Element) -> RoadFiles | None:
    network = root.find("RoadNetwork")
    element = None if network is None else network.find("LogicFile")
    if element is None:
        return None
    name = read.value(element, "filepath")
    texts = name.texts(read.draw) if read.book.merge_models else [name.text(read.draw)]
    files: dict[str, Path] = {}
    for text in dict.fromkeys(map(str, texts)):
        files[text], note = find_road(text, read.path, name.where, read.book.road_paths)
        if note is not None:
            read.book.note(note)
    return RoadFiles(name, files)


# --- Storyboard ---


def _init(read: Reader, board: Element) -> Iterator[tuple[str | None, Action]]:
    actions = read.child(read.child(board, "Init"), "Actions")
    for element in read.children(actions, "GlobalAction", "Private"):
        if element.tag == "GlobalAction":
            yield None, Action(element.tag, global_action(read, element), read.where(element))
            continue
        for entity in read.entity_values(element):
            for child in read.children(element, "PrivateAction"):
                yield entity.text(read.draw), Action(child.tag, private_action(read, child), read.where(child))


def _story(read: Reader, element: Element) -> Story:
    read.holds(element, "ParameterDeclarations", "Act")
    read = with_parameters(read, element)
    return Story(read.text(element, "name", ""), tuple(_act(read, act) for act in element.findall("Act")))


def _act(read: Reader, element: Element) -> Act:
    read.holds(element, "ManeuverGroup", "StartTrigger", "StopTrigger")
    return Act(
        name=read.text(element, "name"),
        groups=tuple(_group(read, group) for group in element.findall("ManeuverGroup")),
        start=trigger(read, element.find("StartTrigger")),
        stop=trigger(read, element.find("StopTrigger")),
        where=read.where(element),
    )


def _group(read: Reader, element: Element) -> ManeuverGroup:
    read.holds(element, "Actors", "CatalogReference", "Maneuver")
    actors = read.child(element, "Actors")
    references = tuple(value for child in read.children(actors, "EntityRef") for value in read.entity_values(child))
    kinds = {"Maneuver": _maneuver}
    return ManeuverGroup(
        name=read.text(element, "name"),
        executions=read.duration(element, "maximumExecutionCount", default="1"),
        actors=references,
        triggering_actors=read.boolean(actors, "selectTriggeringEntities", "false"),
        maneuvers=tuple(
            _maneuver(read, child) if child.tag == "Maneuver" else from_catalog(read, child, kinds)
            for child in element
            if child.tag in ("Maneuver", "CatalogReference")
        ),
        where=read.where(element),
    )


def _maneuver(read: Reader, element: Element) -> Maneuver:
    read.holds(element, "ParameterDeclarations", "Event")
    read = with_parameters(read, element)
    return Maneuver(read.text(element, "name"), tuple(_event(read, event) for event in element.findall("Event")))


def _event(read: Reader, element: Element) -> Event:
    read.holds(element, "Action", "StartTrigger")
    actions = tuple(
        Action(read.text(action, "name"), read.one(action, _ACTIONS), read.where(action))
        for action in element.findall("Action")
    )
    if not actions:
        raise read.error(element, "has no <Action>")
    return Event(
        name=read.text(element, "name"),
        priority=read.choice(element, "priority", _PRIORITIES),
        executions=read.duration(element, "maximumExecutionCount", default="1"),
        actions=actions,
        start=trigger(read, element.find("StartTrigger")),
        where=read.where(element),
    )


_ACTIONS = {"PrivateAction": private_action, "GlobalAction": global_action}


# --- Names ---


def _check_names(scenario: Scenario) -> None:
    """ValueError where siblings share a name or a condition names an element that does not exist."""
    elements = _elements(scenario)
    for kind, path in elements:
        if elements[kind, path] > 1:
            raise ValueError(f"{scenario.file}: the {kind} {path!r} exists twice; elements need names of their own")
    for condition in _conditions(scenario):
        test = condition.test
        if isinstance(test, ElementState) and not _refers(test, elements):
            known = ", ".join(path.rpartition("::")[2] for kind, path in elements if kind == test.kind) or "none"
            raise ValueError(
                f"{condition.where} waits for {test.kind} {test.element!r}, which does not exist; there are: {known}"
            )


def _elements(scenario: Scenario) -> Counter[tuple[str, str]]:
    """(kind, path of names joined by ::) of every element of the storyboard, with how often it exists."""
    found: Counter[tuple[str, str]] = Counter()
    for story in scenario.stories:
        found["story", story.name] += 1
        for act in story.acts:
            in_story = f"{story.name}::{act.name}"
            found["act", in_story] += 1
            for group in act.groups:
                in_act = f"{in_story}::{group.name}"
                found["maneuverGroup", in_act] += 1
                for maneuver in group.maneuvers:
                    in_group = f"{in_act}::{maneuver.name}"
                    found["maneuver", in_group] += 1
                    for event in maneuver.events:
                        in_maneuver = f"{in_group}::{event.name}"
                        found["event", in_maneuver] += 1
                        found.update([("action", f"{in_maneuver}::{action.name}") for action in event.actions])
    return found


def _refers(test: ElementState, elements: Counter[tuple[str, str]]) -> bool:
    """Whether a name, or a path that ends in it, fits an element of the kind."""
    return any(kind == test.kind and f"::{path}".endswith(f"::{test.element}") for kind, path in elements)


def _conditions(scenario: Scenario) -> Iterator:
    triggers: list[Trigger | None] = [scenario.stop]
    for act in (act for story in scenario.stories for act in story.acts):
        triggers += [act.start, act.stop]
        triggers += [event.start for group in act.groups for maneuver in group.maneuvers for event in maneuver.events]
    for one in triggers:
        yield from (condition for group in one or () for condition in group)
