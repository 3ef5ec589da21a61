"""What a suite is made of: variation files, sweeps of our own scenarios and single scenario files, as lists of runs."""

from pathlib import Path

import numpy as np

from sim.mapfiles.commonroad import is_commonroad
from sim.scenarios.distributions import Variation, is_variation, nested_loops, read_variation
from sim.scenarios.parameters import NUMERIC, allowed
from sim.scenarios.reading import YAML
from sim.scenarios.values import Draw
from sim.scenarios.xosc import read_parameters
from sim.scenarios.xosc_xml import parse_xml
from sim.scenarios.yaml_scenarios import read_declarations


def expand(paths: list[Path]) -> list[Variation]:
    """The runs of files and folders, in the order given, the files of a folder by path.

    Of a folder and what is below it count its variation files, its own-format scenarios with their sweeps, its
    CommonRoad recordings, and those OpenSCENARIO scenarios, one run each, that lie in no folder which a variation takes
    its scenario from: those are templates. Catalogs are no scenarios. ValueError where nothing is left, OSError where a
    path does not exist.
    """
    found: list[Variation] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist; name a scenario, a variation or a folder of them")
        found += _folder(path) if path.is_dir() else [_file(path)]
    if not found:
        raise ValueError(
            f"{', '.join(map(str, paths))}: no scenarios there; name a folder with .xosc, .yaml or CommonRoad files"
        )
    return found


def _folder(folder: Path) -> list[Variation]:
    known = (".xosc", *YAML)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and (p.suffix.lower() in known or is_commonroad(p)))
    sweeps = [path for path in files if path.suffix.lower() != ".xosc"]
    kinds = {path: _kind(path) for path in files if path.suffix.lower() == ".xosc"}
    variations = [read_variation(path) for path, kind in kinds.items() if kind == "variation"]
    templates = {variation.scenario.parent for variation in variations}
    alone = [path for path, kind in kinds.items() if kind == "scenario" and path.resolve().parent not in templates]
    return sorted([*variations, *map(_file, (*sweeps, *alone))], key=lambda variation: variation.file)


def _file(path: Path) -> Variation:
    if path.suffix.lower() in YAML:
        return sweep(path)
    if is_commonroad(path):
        return Variation(path, path, Draw(1), (), np.ones(1, dtype=bool))
    return read_variation(path) if is_variation(path) else single(path)


def _kind(path: Path) -> str:
    root = parse_xml(path)
    if root.find("ParameterValueDistribution") is not None:
        return "variation"
    return "scenario" if root.find("Storyboard") is not None else "catalog"


def single(path: Path) -> Variation:
    """A scenario file as one run with its own values."""
    parameters = read_parameters(path)
    return Variation(path, path, Draw(1), parameters, allowed(parameters, Draw(1)))


def sweep(path: Path) -> Variation:
    """All values that one of our own scenario files gives its parameters, in nested loops, the first outermost."""
    _, _, declared, constraints = read_declarations(path)
    blocks = [
        {each.parameter.name: np.array(each.values).astype(float if each.parameter.kind in NUMERIC else object)}
        for each in declared
        if len(each.values) > 1
    ]
    columns = nested_loops(blocks, path)
    draw = Draw(len(next(iter(columns.values()))) if columns else 1, columns)
    mask = np.ones(draw.size, dtype=bool)
    for constraint in constraints:
        mask &= constraint.holds(draw)
    return Variation(path, path, draw, tuple(each.parameter for each in declared), mask)
