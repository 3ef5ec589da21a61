"""Catalogs: files of entries that scenarios refer to by name, with parameters of their own.

An entry sees its own parameters alone; the reference may assign them values in terms of the parameters around it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sim.scenarios.values import Scope, Value, Where
from sim.scenarios.xosc_files import find_catalog_folder
from sim.scenarios.xosc_xml import Element, Reader, parse_xml

KINDS = {
    "VehicleCatalog": "Vehicle",
    "PedestrianCatalog": "Pedestrian",
    "MiscObjectCatalog": "MiscObject",
    "ControllerCatalog": "Controller",
    "EnvironmentCatalog": "Environment",
    "ManeuverCatalog": "Maneuver",
    "TrajectoryCatalog": "Trajectory",
    "RouteCatalog": "Route",
}
_MAX_DEPTH = 16  # entries that refer to entries
_MAX_REFERENCES = 2000  # in one scenario, those inside entries counted each time
_MAX_FILES = 1000


def catalog_locations(read: Reader, root: Element) -> dict[str, tuple[str, Where]]:
    """Kind of entry -> the folder where the scenario says its catalogs are, as written."""
    locations: dict[str, tuple[str, Where]] = {}
    for element in root.iterfind("CatalogLocations/*"):
        if element.tag not in KINDS:
            raise read.error(element, "is no kind of catalog", f"use one of {', '.join(KINDS)}")
        directory = read.child(element, "Directory")
        locations[KINDS[element.tag]] = (read.text(directory, "path"), read.where(directory, "path"))
    return locations


def from_catalog(read: Reader, reference: Element, kinds: dict[str, Callable[[Reader, Element], Any]]) -> Any:
    """What the entry that a <CatalogReference> names says, read by the function for its kind of element.

    Raises ValueError where the catalog or the entry does not exist or the entry is of another kind, Mixed where the
    runs name different entries.
    """
    read.holds(reference, "ParameterAssignments")
    catalog, entry = read.text(reference, "catalogName"), read.text(reference, "entryName")
    key = (catalog, entry, *kinds)
    if key not in read.book.entries:
        read.book.entries[key] = _entry(read, reference, catalog, entry, tuple(kinds))
    element, path = read.book.entries[key]
    if read.book.depth >= _MAX_DEPTH:
        raise read.error(reference, f"is the {_MAX_DEPTH}th reference inside a reference", "do catalogs form a circle?")
    if read.book.references >= _MAX_REFERENCES:
        raise read.error(reference, f"follows {_MAX_REFERENCES} references to catalogs", "do entries refer to entries?")
    read.book.references += 1
    read.book.depth += 1
    try:
        return kinds[element.tag](_inside(read, reference, element, path), element)
    finally:
        read.book.depth -= 1


def with_parameters(read: Reader, element: Element) -> Reader:
    """A reader for a piece that may have <ParameterDeclarations> of its own."""
    declarations = element.findall("ParameterDeclarations/ParameterDeclaration")
    scope = Scope(parent=read.scope)
    inner = read.within(scope)
    for declaration in declarations:
        name, value = _name(read, declaration, "name"), inner.value(declaration, "value")
        if name in scope.names and name not in read.assigned and scope.names[name].source != value.source:
            raise read.error(declaration, f"declares {name} again with another value", "keep one of the two")
        scope.names[name] = read.assigned.get(name, value)
    return inner


def _inside(read: Reader, reference: Element, element: Element, path: Path) -> Reader:
    """A reader for an entry, with the values that the reference assigns to its parameters."""
    known = {_name(read, e, "name") for e in element.iterfind("ParameterDeclarations/ParameterDeclaration")}
    assigned: dict[str, Value] = {}
    for assignment in reference.iterfind("ParameterAssignments/ParameterAssignment"):
        name = _name(read, assignment, "parameterRef").removeprefix("$")
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise read.error(
                assignment, f"assigns {name!r}, which {element.get('name')!r} does not declare", f"it has: {there}"
            )
        assigned[name] = read.value(assignment, "value")
    # The empty scope around the entry's own marks these as none of the scenario's parameters, which alone are drawn.
    return read.within(Scope(parent=Scope()), path, assigned)


def _name(read: Reader, element: Element, key: str) -> str:
    name = element.get(key, "").strip()
    if not name:
        raise read.error(element, f"lacks the attribute {key}")
    return name


def _entry(read: Reader, reference: Element, catalog: str, entry: str, kinds: tuple[str, ...]) -> tuple[Element, Path]:
    """The element of an entry and its file; the catalogs for these kinds first, then the others."""
    places = [kind for kind in kinds if kind in read.book.catalogs]
    places += [kind for kind in read.book.catalogs if kind not in places]
    if not places:
        raise read.error(reference, f"names catalog {catalog!r}", "add <CatalogLocations> to the scenario")
    known: list[str] = []
    missing: list[str] = []
    for place in places:
        try:
            folder = _folder(read, place)
        except FileNotFoundError as error:
            missing.append(str(error))
            continue
        for path, element in _catalogs(folder, catalog):
            for child in element:
                if child.get("name", "").strip() == entry and child.tag in kinds:
                    return child, path
                known += [child.get("name", "")] * (child.tag in kinds)
    if known:
        raise read.error(reference, f"names entry {entry!r} of {catalog!r}", f"it has: {', '.join(known[:40])}")
    searched = ", ".join(read.book.catalogs[place][0] for place in places)
    what = " or ".join(kinds)
    raise read.error(
        reference, f"names catalog {catalog!r} with a {what} {entry!r}", " ".join([f"searched: {searched}", *missing])
    )


def _folder(read: Reader, kind: str) -> Path:
    written, where = read.book.catalogs[kind]
    if written not in read.book.folders:
        read.book.folders[written], note = find_catalog_folder(written, read.book.scenario, where)
        if note is not None:
            read.book.note(note)
    return read.book.folders[written]


def _catalogs(folder: Path, name: str) -> Iterator[tuple[Path, Element]]:
    """The catalogs of that name in a folder; files called like it first, and last where their own name differs."""
    called: list[tuple[Path, Element]] = []
    for path in _files(folder, name):
        element = parse_xml(path).find("Catalog")
        if element is not None and element.get("name", "").strip() == name:
            yield path, element
        elif element is not None and path.stem.lower() == name.lower():
            called.append((path, element))
    yield from called


def _files(folder: Path, name: str) -> list[Path]:
    if folder.is_file():
        return [folder]
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".xosc")[:_MAX_FILES]
    return sorted(files, key=lambda path: path.stem.lower() != name.lower())
