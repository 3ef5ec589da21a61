"""Finding the files that a scenario names: roads, catalogs, other scenarios.

A path counts from the scenario's folder. Scenario files travel without the tree of folders they were written in, so
where nothing is there the search goes on, in a fixed order and not far, and what it took is noted:

- a road `A/B/x.xodr`: `x.xodr` in the folders given by the user, then beside the scenario, then upwards through at most
  six folders, in each in its subfolders called opendrive, xodr, maps, roads, road_networks or tracks (in any case),
  then one folder deeper in those: first in one called like a folder of the scenario's own path, then by the alphabet;
- a catalog folder `A/B/C`: `B/C`, then `C`, beside the scenario, then the same in the three folders above it.
"""

from collections.abc import Iterator
from pathlib import Path

from sim.scenarios.values import Where

ROAD_FOLDERS = ("opendrive", "xodr", "maps", "roads", "road_networks", "tracks")
_UP_ROADS, _UP_CATALOGS = 6, 3
_MAX_LISTED = 500  # subfolders of one folder


def find_road(written: str, scenario: Path, where: Where, given: tuple[Path, ...] = ()) -> tuple[Path, str | None]:
    """The file of a road network, and a note where it was not at the path as written.

    Raises FileNotFoundError where there is none.
    """
    path = _relative(written, where)
    direct = scenario.parent / path
    if direct.is_file():
        return direct.resolve(), None
    for folder in given:
        for candidate in (folder / path, folder / path.name):
            if candidate.is_file():
                return _noted(candidate, written, where)
    for candidate in _road_candidates(path.name, scenario.parent.absolute()):
        if candidate.is_file():
            return _noted(candidate, written, where)
    raise FileNotFoundError(
        f"{where}: the road {written!r} does not exist, neither below {scenario.parent.absolute()} nor in a folder "
        f"{', '.join(ROAD_FOLDERS)} above it; put it there or name its folder with --road-path"
    )


def find_catalog_folder(written: str, scenario: Path, where: Where) -> tuple[Path, str | None]:
    """A folder (or file) of catalogs, and a note where it was not at the path as written. Raises FileNotFoundError."""
    path = _relative(written, where)
    direct = scenario.parent / path
    if direct.exists():
        return direct.resolve(), None
    names = [part for part in path.parts if part not in ("..", ".", path.anchor)]
    here = scenario.parent.absolute()
    for above in (here, *here.parents[:_UP_CATALOGS]):
        for first in range(len(names)):
            candidate = above.joinpath(*names[first:])
            if candidate.exists():
                return _noted(candidate, written, where)
    raise FileNotFoundError(f"{where}: the folder of catalogs {written!r} does not exist; correct the path or add it")


def _relative(written: str, where: Where) -> Path:
    if not written.strip() or "\0" in written or len(written) > 1000:
        raise ValueError(f"{where}: {written[:40]!r} is no path; name a file or folder")
    return Path(written.replace("\\", "/"))


def _noted(candidate: Path, written: str, where: Where) -> tuple[Path, str]:
    found = candidate.resolve()
    return found, f"{where}: {written!r} is not there; took {found}"


def _road_candidates(name: str, here: Path) -> Iterator[Path]:
    yield here / name
    for above in (here, *here.parents[:_UP_ROADS]):
        folders = {folder.name.lower(): folder for folder in _subfolders(above)}
        for road_folder in ROAD_FOLDERS:
            if road_folder not in folders:
                continue
            yield folders[road_folder] / name
            deeper = _subfolders(folders[road_folder])
            yield from (folder / name for folder in sorted(deeper, key=lambda folder: folder.name not in here.parts))


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir())[:_MAX_LISTED]
    except OSError:  # a folder on the way that this user may not list holds nothing for them
        return []
