"""The scenarios that come with Roadloop: what there is, and files by name."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from sim.scenarios.suites import sweep
from sim.scenarios.yaml_parameters import Declared
from sim.scenarios.yaml_scenarios import read_declarations
from sim.scenarios.yaml_tree import read_tree

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "scenarios"


@dataclass(frozen=True)
class LibraryEntry:
    """One scenario as a list shows it."""

    name: str
    path: Path
    description: str
    source: str  # where the situation is taken from, in words
    road: str  # kind of generated road, or the map's file name
    parameters: tuple[Declared, ...]
    runs: int  # of its sweep, those that its constraints allow


def library() -> tuple[LibraryEntry, ...]:
    """All scenarios of the library by name. Errors as `read_yaml`."""
    return tuple(_entry(path) for path in sorted(FOLDER.glob("*.yaml")))


def find_scenario(name: str | Path) -> Path:
    """The file itself where there is one, else the library's scenario of that name, as in `cut_in`.

    Raises FileNotFoundError with what was probably meant.
    """
    path = Path(name)
    if path.exists():
        return path
    known = {file.stem: file for file in sorted(FOLDER.glob("*.yaml"))}
    if path.parent == Path(".") and path.suffix in ("", ".yaml") and path.stem in known:
        return known[path.stem]
    meant = get_close_matches(path.stem, known, n=1)
    remedy = f"did you mean {meant[0]}?" if meant else "roadloop scenario --list shows those that come with Roadloop"
    raise FileNotFoundError(f"there is no scenario file {str(name)!r}, and none of that name in the library; {remedy}")


def _entry(path: Path) -> LibraryEntry:
    description, source, parameters, _ = read_declarations(path)
    road = read_tree(path).items()["road"].items()
    kind = road["kind"].text() if "kind" in road else Path(road["map"].text()).name
    runs = int(sweep(path).allowed.sum())
    return LibraryEntry(path.stem, path, description, source, kind, parameters, runs)
