"""Numbers and words of scenario YAML: plain, with a unit, or as expressions of parameters, checked where they stand.

Everything inside is SI. A number may carry a unit of its quantity ("50 km/h"); a parameter declares the unit of its
values once, and expressions see it converted, so `$v - 5` is always five metres per second less.
"""

import re
from dataclasses import dataclass, field

from sim.scenarios.values import Draw, Scope, Value, constant
from sim.scenarios.yaml_tree import Entry, hint

UNITS: dict[str, dict[str, str]] = {  # quantity: unit and what turns it into SI, the SI unit first
    "speed": {"m/s": "", "km/h": "/3.6", "mph": "*0.44704"},
    "length": {"m": "", "km": "*1000"},
    "time": {"s": "", "ms": "/1000"},
    "acceleration": {"m/s2": "", "g": "*9.80665"},
    "angle": {"rad": "", "deg": "*pi/180"},
    "number": {"": ""},
}
_ANY_UNIT = {unit: factor for units in UNITS.values() for unit, factor in units.items() if unit}
_WITH_UNIT = re.compile(r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z][A-Za-z0-9/]*)")
_PLAIN = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NAME = re.compile(r"\$([A-Za-z_]\w*)")
MAX_NUMBER = 1e7


@dataclass
class Reading:
    """What the values of a file are read with: the runs, the declared parameters and their units."""

    draw: Draw
    scope: Scope = field(default_factory=Scope)
    factors: dict[str, str] = field(default_factory=dict)  # by parameter: what turns it into SI

    def number(
        self, entry: Entry, quantity: str, low: float | None = None, high: float | None = None, positive: bool = False
    ) -> Value:
        """A number of a quantity, as an expression in SI. ValueError where a run's value is out of bounds."""
        value = Value(self._expression(entry, quantity), entry.where, self.scope)
        numbers = value.numbers(self.draw)
        unit = next(iter(UNITS[quantity]))
        limits = (low if low is not None else -MAX_NUMBER, high if high is not None else MAX_NUMBER)
        for number in (numbers.min(), numbers.max()):
            if not limits[0] <= number <= limits[1] or (positive and number <= 0.0):
                least = "more than 0" if positive else f"{limits[0]:g}"
                raise entry.error(f"{entry.text()!r} is {number:g} {unit}; it must be {least} to {limits[1]:g} {unit}")
        return value

    def word(self, entry: Entry, allowed: list[str] | tuple[str, ...]) -> str:
        """One of some words, or a parameter that holds one. Raises Mixed where runs differ."""
        text = Value(entry.text(), entry.where, self.scope).text(self.draw)
        if text not in allowed:
            raise entry.error(f"{text!r} is not known{hint(text, allowed)}")
        return text

    def integer(self, entry: Entry, low: int, high: int) -> int:
        """A whole number. Raises Mixed where runs differ."""
        found = self.number(entry, "number", low, high).integer(self.draw)
        return found

    def _expression(self, entry: Entry, quantity: str) -> str:
        text = entry.text().strip()
        if _PLAIN.fullmatch(text):
            return text
        literal = _WITH_UNIT.fullmatch(text)
        if literal:
            units = UNITS[quantity]
            if literal[2] not in units or not _PLAIN.fullmatch(literal[1]):
                known = ", ".join(u for u in units if u) or "none"
                raise entry.error(f"{text!r} has no unit of this quantity ({quantity}); units are {known}")
            return f"${{{literal[1]}{units[literal[2]]}}}"
        for name in _NAME.findall(text):
            if self.scope.find(name) is None:
                known = [f"${n}" for n in self.scope.names]
                raise entry.error(f"parameter ${name} is not declared{hint('$' + name, known)}")
        return "${" + self.in_si(text) + "}"

    def in_si(self, text: str) -> str:
        """An expression with its parameters converted from the units they are declared in."""

        def converted(match: re.Match[str]) -> str:
            factor = self.factors.get(match[1], "")
            return f"({match[0]}{factor})" if factor else match[0]

        return _NAME.sub(converted, text)


def unit_factor(entry: Entry) -> str:
    """What turns a parameter's declared unit into SI."""
    return _ANY_UNIT[entry.word(_ANY_UNIT)]


def inner(value: Value) -> str:
    """A value's expression in brackets, to be part of another."""
    source = value.source.strip()
    return f"({source[2:-1]})" if source.startswith("${") else f"({source})"


def combined(expression: str, like: Value) -> Value:
    """An expression made of `inner` ones, in the scope and at the place of one of them; a number where it can be."""
    value = Value("${" + expression + "}", like.where, like.scope)
    return value if "$" in expression else constant(float(value.numbers(Draw(1))[0]), like.where)
