"""Safe reading of YAML files into entries that know their file, line and key, so that every error can name them.

Only plain mappings, lists and scalars are taken. Files are bounded in size, nesting and number of entries; aliases,
which can blow a small file up, and repeated keys are refused.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from sim.scenarios.values import Where

MAX_BYTES = 1_000_000
MAX_DEPTH = 24
MAX_ENTRIES = 50_000
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp")}


@dataclass(frozen=True)
class Key(Where):
    """A place in a YAML file: `element` is the path of keys that leads there."""

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}: {self.element}" if self.element else f"{self.file.name}:{self.line}"


@dataclass(frozen=True)
class Entry:
    """One value of a YAML file. All methods raise ValueError that names file, line and key."""

    node: yaml.Node
    where: Key

    def error(self, message: str) -> ValueError:
        return ValueError(f"{self.where}: {message}")

    def _child(self, node: yaml.Node, name: str) -> "Entry":
        path = f"{self.where.element}.{name}" if self.where.element else name
        return Entry(node, Key(self.where.file, node.start_mark.line + 1, path))

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode)

    def items(self) -> dict[str, "Entry"]:
        """The values of a mapping by key, whatever the keys are."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"{self._kind()} found; keys and values are needed, as in `name: value`")
        found: dict[str, Entry] = {}
        for key, value in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(f"line {key.start_mark.line + 1} has a list or mapping for a key; a name is needed")
            if key.value in found:
                raise self._child(key, key.value).error("the key is there twice; keep one")
            found[key.value] = self._child(value, key.value)
        return found

    def mapping(self, required: Iterable[str] = (), optional: Iterable[str] = ()) -> dict[str, "Entry"]:
        """The values of a mapping with these keys and no others."""
        found, required = self.items(), list(required)
        allowed = [*required, *optional]
        for name, entry in found.items():
            if name not in allowed:
                raise entry.error(f"unknown key {name!r}{hint(name, allowed)}")
        missing = [name for name in required if name not in found]
        if missing:
            raise self.error(f"{' and '.join(missing)} missing; the keys are {', '.join(allowed)}")
        return found

    def single(self, allowed: Iterable[str]) -> tuple[str, "Entry"]:
        """The only key of a mapping and its value."""
        found = self.mapping(optional=allowed)
        if len(found) != 1:
            raise self.error(f"one of the keys {', '.join(allowed)} is needed, found {', '.join(found) or 'none'}")
        return next(iter(found.items()))

    def sequence(self) -> list["Entry"]:
        """The items of a list; a single value stands for a list of one."""
        if not isinstance(self.node, yaml.SequenceNode):
            return [self]
        return [
            Entry(node, Key(self.where.file, node.start_mark.line + 1, f"{self.where.element}[{i}]"))
            for i, node in enumerate(self.node.value)
        ]

    def text(self) -> str:
        """The scalar as it is written."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error(f"{self._kind()} found; a single value is needed")
        if self.node.tag not in _PLAIN_TAGS:
            raise self.error(f"tag {self.node.tag} is not supported; write a plain value")
        if self.node.value.strip() == "" or self.node.tag.endswith(":null"):
            raise self.error("nothing is written here; give a value or leave the key out")
        return self.node.value

    def word(self, allowed: Iterable[str]) -> str:
        """The scalar, one of some words. YAML reads yes, no, on and off as truth values; here they are words."""
        text, allowed = self.text(), list(allowed)
        if text not in allowed:
            raise self.error(f"{text!r} is not known{hint(text, allowed)}")
        return text

    def boolean(self) -> bool:
        text = self.text().lower()
        if text not in ("true", "false"):
            raise self.error(f"{self.text()!r} is no truth value; write true or false")
        return text == "true"

    def _kind(self) -> str:
        return "a list" if self.is_list else "a mapping" if self.is_mapping else f"the value {self.node.value!r}"


def hint(name: str, allowed: Iterable[str]) -> str:
    """What was probably meant, and all there is."""
    allowed = list(allowed)
    near = difflib.get_close_matches(name, allowed, n=2, cutoff=0.6)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{meant}; there are {', '.join(allowed)}" if allowed else "; none is allowed here"


def read_tree(path: Path) -> Entry:
    """The content of a file. Raises ValueError where it is no bounded plain YAML, OSError where it cannot be read."""
    path = Path(path)
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path.name}: {len(data)} bytes; a scenario has at most {MAX_BYTES}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name}: not a text file in UTF-8, so not YAML") from None
    try:
        _check_bounds(path, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ValueError(f"{path.name}{line}: not valid YAML: {reason}") from None
    if node is None:
        raise ValueError(f"{path.name}: the file is empty; a scenario is needed")
    return Entry(node, Key(path, node.start_mark.line + 1, ""))


def _check_bounds(path: Path, text: str) -> None:
    depth = entries = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"{path.name}:{line}: alias *{event.anchor} is not supported; write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        entries += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            raise ValueError(f"{path.name}:{line}: nested deeper than {MAX_DEPTH} levels; flatten it")
        if entries > MAX_ENTRIES:
            raise ValueError(f"{path.name}:{line}: more than {MAX_ENTRIES} entries; shorten the file")
