"""Read scenarios of any format, and the roads they are on."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from sim.mapfiles.commonroad import is_commonroad
from sim.mapfiles.opendrive import read_opendrive
from sim.roadgen.generate import generate_road
from sim.roads.network import RoadNetwork
from sim.scenarios.model import Parameter, Scenario
from sim.scenarios.parameters import NUMERIC
from sim.scenarios.recordings import read_recording, recorded_roads
from sim.scenarios.road_tables import Atlas
from sim.scenarios.values import Draw
from sim.scenarios.xosc import read_parameters, read_xosc
from sim.scenarios.yaml_scenarios import read_declarations, read_yaml

YAML = (".yaml", ".yml")


def read_scenario(
    path: Path, draw: Draw, road_paths: tuple[Path, ...] = (), merge_models: bool = True, constrained: bool = True
) -> Scenario:
    """The scenario of a file for one draw of its parameters. Arguments and errors as of `read_xosc`."""
    if is_commonroad(path):
        return read_recording(path, draw)
    if path.suffix.lower() in YAML:
        return read_yaml(path, draw, constrained)
    return read_xosc(path, draw, road_paths, merge_models, constrained)


def declared_parameters(path: Path) -> tuple[Parameter, ...]:
    """The parameters that a scenario file declares."""
    if path.suffix.lower() in YAML:
        return tuple(declared.parameter for declared in read_declarations(path)[2])
    return () if is_commonroad(path) else read_parameters(path)


def is_numeric(parameter: Parameter) -> bool:
    """Whether a draw holds the parameter's values as numbers."""
    return parameter.kind in NUMERIC


def network_of(scenario: Scenario, draw: Draw) -> RoadNetwork | None:
    """The roads that a scenario is on; None where it has none. Raises Mixed where they differ by run."""
    if scenario.road_files is not None:
        return _read_file(scenario.road_files.files[scenario.road_files.name.text(draw)])
    if scenario.road_file is not None and is_commonroad(scenario.road_file):
        return recorded_roads(scenario.road_file)
    if scenario.road_file is not None:
        return _read_file(scenario.road_file)
    if scenario.road_kind is not None and scenario.road_seed is not None:
        return _generated(scenario.road_kind, scenario.road_seed.integer(draw))
    return None


def roads_of(scenario: Scenario, draw: Draw) -> RoadNetwork | Atlas | None:
    """`network_of`, but an atlas where the runs are on several files."""
    roads = scenario.road_files
    if roads is None:
        return network_of(scenario, draw)
    index = {name: i for i, name in enumerate(roads.files)}
    map_of = np.array([index[str(name)] for name in roads.name.texts(draw)], dtype=np.int64)
    return Atlas(tuple(map(_read_file, roads.files.values())), map_of, roads.name.parameters(draw))


def _read_file(path: Path) -> RoadNetwork:
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read(path: Path, time_ns: int) -> RoadNetwork:
    return read_opendrive(path)


@lru_cache(maxsize=64)
def _generated(kind: str, seed: int) -> RoadNetwork:
    return generate_road(kind, seed)  # type: ignore[arg-type]
