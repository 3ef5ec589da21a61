"""`roadloop scenario`: play one scenario file and tell how it went; with --trace, write where everybody was."""

import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.runs import check_file_target, csv_field, write_text
from pipelines.scenario_drivers import SIGHTLESS, check_agent, check_perception, sight
from pipelines.scenario_runs import Terms, play_uniform, sees_models, start
from pipelines.score_tables import score_rows
from pipelines.tables import print_table
from pipelines.verdicts.scorecard import COLUMNS, Scorecard
from sim.roads.network import RoadNetwork
from sim.scenarios.library import find_scenario, library
from sim.scenarios.model import Parameter, Scenario
from sim.scenarios.parameters import NUMERIC
from sim.scenarios.player import Player, State
from sim.scenarios.reading import declared_parameters, network_of, read_scenario
from sim.scenarios.values import Draw

TRACE_COLUMNS = "time,id,name,x,y,z,h,speed"
TICK_LIMIT = 1_000_000


def play_scenario(file: Path, settings: Sequence[str], trace: Path | None, terms: Terms) -> None:
    """Play a scenario once and print what happened. `settings` are NAME=VALUE for its parameters.

    Raises ValueError where the file, a setting, the agent or a number is wrong; OSError where files cannot be used.
    """
    _check(terms)
    file = find_scenario(file)
    if trace is not None:
        check_file_target(trace)
    draw = draw_of(file, settings)
    scenario = read_scenario(file, draw, terms.road_paths, not sees_models(terms.agent), terms.constrained)
    network = network_of(scenario, draw)
    for note in scenario.notes:
        print(note)
    if trace is not None:
        write_trace(trace, scenario, draw, network, terms)
    cards: list[Scorecard] = []
    columns = play_uniform(scenario, draw, network, replace(terms, scores=True), cards)
    print_outcome(scenario, columns, terms)
    print_table(score_rows(asdict(cards[0])), "Scores")
    if terms.film is not None:
        print(f"film    {terms.film}")


def _check(terms: Terms) -> None:
    """ValueError where the terms make no sense."""
    if not 0.001 <= terms.dt_s <= 1.0:
        raise ValueError(f"--dt: {terms.dt_s} is not between 0.001 and 1 s")
    if not 0.0 < terms.seconds <= TICK_LIMIT * terms.dt_s:
        raise ValueError(f"--seconds: {terms.seconds} is not between 0 and {TICK_LIMIT * terms.dt_s:g} s")
    check_agent(terms.agent)
    check_perception(terms.perception, terms.agent)
    if terms.film is not None:
        if terms.agent in SIGHTLESS:
            raise ValueError(
                f"--film: {terms.agent} looks through no camera; give a driving agent, such as --agent ppo"
            )
        check_file_target(terms.film)


def draw_of(file: Path, settings: Sequence[str]) -> Draw:
    """The draw of one run that NAME=VALUE settings make. ValueError where one is wrong or names no parameter."""
    known = {parameter.name: parameter for parameter in declared_parameters(file)} if settings else {}
    columns: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip().removeprefix("$")
        if not equals or not name:
            raise ValueError(f"--set: {setting!r} is not NAME=VALUE")
        if name not in known:
            there = ", ".join(known) or "none"
            raise ValueError(f"--set: {file.name} has no parameter {name!r}; its parameters are: {there}")
        columns[name] = _column(known[name], text.strip())
    return Draw(1, columns)


def _column(parameter: Parameter, text: str) -> np.ndarray:
    if parameter.kind not in NUMERIC:
        return np.array([text], dtype=object)
    try:
        return np.array([float(text)])
    except ValueError:
        raise ValueError(f"--set: {parameter.name}={text!r} is no number; it is a {parameter.kind}") from None


def write_trace(path: Path, scenario: Scenario, draw: Draw, network: RoadNetwork | None, terms: Terms) -> None:
    """Play one run and write where every entity was at every tick, in entity order.

    Columns: time s, index and name of the entity, x, y, z m of its reference point in the world, heading in [0, 2 pi),
    speed m/s along it. Entities that do not take part at a tick have no row.
    """
    ego, player, driver = start(scenario, draw, network, terms)
    text = io.StringIO()
    text.write(TRACE_COLUMNS + "\n")
    written = -1
    while True:
        state = player.state
        if player.tick > written:  # the step that ends a run leaves it where it is
            _write_tick(text, player, state)
            written = player.tick
        if player.tick >= terms.ticks or bool(player.done.all()):
            break
        driver.advance(sight(player, ego), state)
    driver.close()
    write_text(path, text.getvalue())


def _write_tick(text: io.StringIO, player: Player, state: State) -> None:
    values = [getattr(state, name)[0].tolist() for name in ("x_m", "y_m", "z_m", "heading_rad", "speed_mps", "valid")]
    for index, (name, x, y, z, h, speed, valid) in enumerate(zip(player.entities.names, *values, strict=True)):
        if valid:
            numbers = (f"{number + 0.0:.6f}" for number in (x, y, z, _turn(h), speed))
            text.write(f"{player.time_s:.6f},{index},{csv_field(name)},{','.join(numbers)}\n")


def _turn(heading_rad: float) -> float:
    """The heading in [0, 2 pi), also after it is rounded to six decimals."""
    turned = heading_rad % (2 * np.pi)
    return 0.0 if turned >= 2 * np.pi - 5e-7 else turned


def print_outcome(scenario: Scenario, columns: dict[str, np.ndarray], terms: Terms) -> None:
    """One row per measure, and one per criterion of the scenario."""
    rows = [
        {"measure": name.replace("_", " "), "value": _shown(values[0])}
        for name, values in columns.items()
        if name not in (*COLUMNS, "absent")
    ]
    print_table(rows, f"{scenario.name}, driver: {'its own storyboard' if terms.agent == 'none' else terms.agent}")


def _shown(value: Any) -> Any:
    if isinstance(value, np.bool_ | bool):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return round(float(value), 9) + 0.0 if np.isfinite(value) else "none"  # no trace of rounding, no minus zero
    return str(value) or "none"


def list_library() -> None:
    """Print the scenarios that come with Roadloop."""
    rows = [
        {"name": entry.name, "road": entry.road, "runs of its sweep": entry.runs, "what happens": entry.description}
        for entry in library()
    ]
    print_table(rows, "Scenarios that come with Roadloop: roadloop scenario NAME, roadloop suite configs/scenarios")
