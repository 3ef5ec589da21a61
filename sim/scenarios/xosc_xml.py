"""OpenSCENARIO files as XML: parsed once, hardened, and read attribute by attribute with the file and line at hand.

Untrusted: no entities, no DTD, no network. An error is a ValueError (an OSError for the file itself) of one line that
names file, line, element, value and remedy.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from sim.scenarios.conditions import COMPARISONS
from sim.scenarios.values import Draw, Scope, Value, Where
from sim.untrusted_xml import XMLSyntaxError, declared_dtd, read_root

Element = Any  # of lxml, which has no types
Table = Mapping[str, Callable[["Reader", Element], Any]]

MAX_BYTES = 64 * 2**20
REFUSED = "is not supported; remove it or play the scenario elsewhere"
HARMLESS = frozenset({"Properties", "License", "Monitors"})  # say nothing about what happens


def parse_xml(path: Path) -> Element:
    """The root element of an OpenSCENARIO file; parsed again only when the file changes."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name an OpenSCENARIO file (.xosc)")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; name an OpenSCENARIO file (.xosc)")
    stat = path.stat()
    if stat.st_size > MAX_BYTES:
        raise ValueError(f"{path} has {stat.st_size} bytes; scenarios of up to {MAX_BYTES} bytes are read")
    return _parsed(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _parsed(path: Path, time_ns: int, size: int) -> Element:
    try:
        root = read_root(path.read_bytes())
    except XMLSyntaxError as error:
        raise ValueError(f"{path} is not well-formed XML: {error.msg}; is the file complete?") from None
    dtd = declared_dtd(root)
    if dtd is not None:
        raise ValueError(f"{path} declares a DTD ({dtd}), which scenarios do not need; remove it")
    if root.tag != "OpenSCENARIO":
        raise ValueError(f"{path} is no OpenSCENARIO file: its root element is <{root.tag}>, not <OpenSCENARIO>")
    header = root.find("FileHeader")
    if header is not None and header.get("revMajor", "1").strip() != "1":
        raise ValueError(f"{path} is OpenSCENARIO {header.get('revMajor')}.x; versions 1.0 to 1.3 are supported")
    return root


@dataclass
class Book:
    """What the pieces of one scenario share while they are read."""

    scenario: Path
    catalogs: dict[str, tuple[str, Where]] = field(default_factory=dict)  # kind of catalog -> folder as written
    folders: dict[str, Path] = field(default_factory=dict)  # of catalogs: as written -> found
    road_paths: tuple[Path, ...] = ()  # folders given by the user
    merge_models: bool = True  # runs that differ in a vehicle's model alone share a tree
    entities: dict[str, str] = field(default_factory=dict)  # name -> vehicle, pedestrian, misc
    selections: dict[str, tuple[str, ...]] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()  # variables and parameters that actions may set and conditions test
    notes: list[str] = field(default_factory=list)
    entries: dict[tuple[str, ...], tuple[Element, Path]] = field(default_factory=dict)  # of catalogs, found so far
    references: int = 0  # to catalogs, followed so far
    depth: int = 0  # of catalog references inside catalog references

    def note(self, text: str) -> None:
        """Keep something that the user should know, once."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True)
class Reader:
    """Typed access to the attributes of a file's elements, in one scope of parameters, for one draw of them."""

    path: Path
    scope: Scope
    draw: Draw
    book: Book
    assigned: Mapping[str, Value] = field(default_factory=dict)  # to the parameters of the piece that is read next

    def within(self, scope: Scope, path: Path | None = None, assigned: Mapping[str, Value] | None = None) -> "Reader":
        """A reader for a piece with a scope of its own, perhaps in another file."""
        return replace(self, scope=scope, path=path or self.path, assigned=assigned or {})

    def where(self, element: Element, key: str = "") -> Where:
        return Where(self.path, element.sourceline or 0, element.tag, key)

    def error(self, element: Element, problem: str, remedy: str = "correct the file") -> ValueError:
        return ValueError(f"{self.where(element)} {problem}; {remedy}")

    # ---------------------------------------------------------------- attributes

    def optional(self, element: Element, *keys: str) -> Value | None:
        """The first of the attributes that is there, unevaluated; later versions of the standard renamed some."""
        for key in keys:
            source = element.get(key)
            if source is not None:
                return Value(source.strip(), self.where(element, key), self.scope)
        return None

    def value(self, element: Element, *keys: str, default: str | None = None) -> Value:
        """An attribute, unevaluated. ValueError where it is missing and has no default."""
        found = self.optional(element, *keys)
        if found is not None:
            return found
        if default is None:
            raise self.error(element, f"lacks the attribute {keys[0]}")
        return Value(default, self.where(element, keys[0]), self.scope)

    def number(self, element: Element, *keys: str, default: str | None = None) -> Value:
        """An attribute that is a finite number in every run; checked, but left to be evaluated by the batch."""
        found = self.value(element, *keys, default=default)
        found.numbers(self.draw)
        return found

    def optional_number(self, element: Element, *keys: str) -> Value | None:
        """As `number`; None where it is missing."""
        return self.number(element, *keys) if any(key in element.attrib for key in keys) else None

    def duration(self, element: Element, *keys: str, default: str | None = None) -> Value:
        """A number that is not negative in any run."""
        found = self.number(element, *keys, default=default)
        low = found.numbers(self.draw).min(initial=0.0)
        if low < 0.0:
            raise self.error(element, f"has {keys[0]}={found.source!r} = {low:g}, which is negative")
        return found

    def text(self, element: Element, key: str, default: str | None = None) -> str:
        """The one text of all runs. Raises Mixed where they differ."""
        return self.value(element, key, default=default).text(self.draw)

    def boolean(self, element: Element, key: str, default: str | None = None) -> bool:
        return self.value(element, key, default=default).boolean(self.draw)

    def optional_boolean(self, element: Element, key: str) -> bool | None:
        return self.boolean(element, key) if key in element.attrib else None

    def choice(self, element: Element, key: str, allowed: Mapping[str, Any], default: str | None = None) -> Any:
        """What an enumeration's text stands for. ValueError where it is not among the allowed."""
        return self.value(element, key, default=default).choice(self.draw, allowed)

    # ---------------------------------------------------------------- entities

    def entity(self, element: Element, key: str = "entityRef") -> Value:
        """A reference to an entity that exists. Raises Mixed where the runs name different ones."""
        found = self.value(element, key)
        self._check_entity(element, key, found.text(self.draw))
        return found

    def entity_values(self, element: Element, key: str = "entityRef") -> tuple[Value, ...]:
        """A reference to an entity, or to a selection of them, as its members."""
        found = self.value(element, key)
        name = found.text(self.draw)
        if name in self.book.selections:
            return tuple(Value(member, found.where) for member in self.book.selections[name])
        self._check_entity(element, key, name)
        return (found,)

    def _check_entity(self, element: Element, key: str, name: str) -> None:
        if name not in self.book.entities:
            known = ", ".join(self.book.entities) or "none"
            raise self.error(element, f"has {key}={name!r}, which is no entity", f"there are: {known}")

    # ---------------------------------------------------------------- children

    def child(self, element: Element, *names: str) -> Element:
        """The first child of one of the names. ValueError where there is none."""
        found = self.optional_child(element, *names)
        if found is None:
            raise self.error(element, f"lacks <{names[0]}>")
        return found

    def optional_child(self, element: Element, *names: str) -> Element | None:
        for name in names:
            found = element.find(name)
            if found is not None:
                return found
        return None

    def children(self, element: Element, *names: str) -> Iterator[Element]:
        """The children, in file order. ValueError where one has another name and says something."""
        for child in element:
            if child.tag in names:
                yield child
            elif child.tag not in HARMLESS:
                raise self.error(child, f"in <{element.tag}> {REFUSED}", f"it may hold {', '.join(names) or 'nothing'}")

    def holds(self, element: Element, *names: str) -> None:
        """ValueError where a child has another name and says something."""
        for _ in self.children(element, *names):
            pass

    def one(self, element: Element, table: Table) -> Any:
        """What the only child says, read by its entry of the table. ValueError where there is none or it has none."""
        found = [child for child in element if child.tag not in HARMLESS]
        if not found:
            raise self.error(element, "is empty", f"it needs one of {', '.join(table)}")
        for child in found:
            if child.tag not in table:
                raise self.error(child, f"in <{element.tag}> {REFUSED}", f"supported: {', '.join(table)}")
        if len(found) > 1:
            raise self.error(found[1], f"follows <{found[0].tag}> in <{element.tag}>, which needs exactly one child")
        return table[found[0].tag](self, found[0])


RULES = {rule: rule for rule in COMPARISONS}


def same(*names: str) -> dict[str, str]:
    """An enumeration whose texts stand for themselves."""
    return {name: name for name in names}
