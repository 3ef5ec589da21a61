"""Attribute values of scenario files: constants, `$Name` references and `${...}` expressions, evaluated by the batch.

A `Value` is what the file says, with the scope of parameters it stands in and the place it was read from. A `Draw` says
which parameter values a batch of B runs takes; `Value.numbers` then evaluates the expression once for all B runs, and
`Value.text` demands that they agree, because names and enumerations shape the storyboard itself: where they differ it
raises `Mixed`, and the caller splits the batch.
Grammar of expressions: ASAM OpenSCENARIO XML 1.3, "Expressions"; angles in radians.
"""

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_REFERENCE = re.compile(r"\$([A-Za-z_]\w*)")
_MAX_LENGTH = 2000  # characters of an expression
_MAX_DEPTH = 64  # references to references
_SHORT = 0.01  # smaller results of expressions keep all their digits


@dataclass(frozen=True)
class Where:
    """A place in a file, for error messages."""

    file: Path
    line: int
    element: str
    attribute: str = ""

    def __str__(self) -> str:
        at = f" {self.attribute}" if self.attribute else ""
        return f"{self.file.name}:{self.line}: <{self.element}>{at}"


class Mixed(Exception):
    """A text that must be the same for the whole batch depends on parameters that differ; split by these."""

    def __init__(self, parameters: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(parameters)))
        self.parameters = parameters


@dataclass(frozen=True)
class Draw:
    """The parameter values of a batch of runs; parameters that are not named keep the file's own value."""

    size: int
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # (B,) float64, or object arrays of str
    decimals: int | None = None  # of results of expressions, for players that hand them on as text; None: all
    # What declared values came to: many refer to the same, and a chain of doublings would else take forever.
    _known: dict[int, "tuple[Value, Any]"] = field(default_factory=dict, init=False, repr=False, compare=False)

    def take(self, runs: NDArray[np.int64]) -> "Draw":
        """The draw of some of the runs."""
        return Draw(len(runs), {name: column[runs] for name, column in self.values.items()}, self.decimals)

    def split(self, parameters: frozenset[str]) -> list[NDArray[np.int64]]:
        """The runs grouped by the values of some parameters, groups in order of their first run."""
        columns = [self.values[name] for name in sorted(parameters & set(self.values))]
        groups: dict[tuple, list[int]] = {}
        for run, key in enumerate(zip(*columns)) if columns else ():
            groups.setdefault(key, []).append(run)
        return [np.array(runs) for runs in groups.values()]


@dataclass
class Scope:
    """The parameters that a piece of a file sees: its own declarations first, then those around it."""

    names: dict[str, "Value"] = field(default_factory=dict)
    parent: "Scope | None" = None

    def find(self, name: str) -> "tuple[Value, bool] | None":
        """The declaration of a name, and whether it is one of the scenario's own, which a `Draw` may replace."""
        if name in self.names:
            return self.names[name], self.parent is None
        return None if self.parent is None else self.parent.find(name)


@dataclass(frozen=True)
class Value:
    """One attribute as written. `scope` has the parameters it may name; the outermost scope is the scenario's."""

    source: str
    where: Where
    scope: Scope = field(default_factory=Scope, repr=False, compare=False)

    def numbers(self, draw: Draw) -> Numbers:
        """The value (B,) of every run. ValueError where it is no finite number."""
        result = np.broadcast_to(np.asarray(self._number(draw, 0), dtype=np.float64), (draw.size,))
        if not np.isfinite(result).all():
            bad = result[~np.isfinite(result)][0]
            raise ValueError(f"{self.where}: {self.source!r} is {bad}; a finite number is needed")
        return result

    def texts(self, draw: Draw) -> NDArray[Any]:
        """The text (B,) of every run, references replaced."""
        result = self._text(draw, 0)
        return result if isinstance(result, np.ndarray) else np.full(draw.size, result, dtype=object)

    def text(self, draw: Draw) -> str:
        """The one text of the whole batch. Raises Mixed where the runs differ."""
        result = self._text(draw, 0)
        if isinstance(result, np.ndarray):
            if len(set(result.tolist())) > 1:
                raise Mixed(self.parameters(draw))
            return str(result[0])
        return result

    def integer(self, draw: Draw) -> int:
        """The one whole number of the batch. Raises Mixed where the runs differ, ValueError where it is not whole."""
        numbers = self.numbers(draw)
        if (numbers != numbers[0]).any():
            raise Mixed(self.parameters(draw))
        if numbers[0] != round(numbers[0]):
            raise ValueError(f"{self.where}: {self.source!r} is {numbers[0]:g}; a whole number is needed")
        return round(numbers[0])

    def boolean(self, draw: Draw) -> bool:
        """The one truth value of the batch: true, false, 1 or 0. Raises Mixed where the runs differ."""
        text = self.text(draw).strip().lower()
        if text in ("true", "1", "1.0"):
            return True
        if text in ("false", "0", "0.0"):
            return False
        raise ValueError(f"{self.where}: {self.source!r} is {text!r}; true or false is needed")

    def choice(self, draw: Draw, allowed: Mapping[str, Any]) -> Any:
        """What the one text of the batch stands for. ValueError where it is not among the allowed."""
        text = self.text(draw)
        if text not in allowed:
            raise ValueError(f"{self.where}: {text!r} is not supported; use one of {', '.join(allowed)}")
        return allowed[text]

    def parameters(self, draw: Draw) -> frozenset[str]:
        """The drawn parameters that the value depends on, through references too."""
        names: set[str] = set()
        seen: dict[int, Value] = {}
        left: list[Value] = [self]
        while left:
            value = left.pop()
            seen[id(value)] = value
            for name in _REFERENCE.findall(value.source):
                referred, own = value._reference(name, 0)
                if own and name in draw.values:
                    names.add(name)
                elif id(referred) not in seen:
                    left.append(referred)
        return frozenset(names)

    # ---------------------------------------------------------------- evaluation

    def _reference(self, name: str, depth: int) -> "tuple[Value, bool]":
        found = self.scope.find(name)
        if found is None:
            raise ValueError(f"{self.where}: parameter ${name} is not declared; declare it or correct the name")
        if depth > _MAX_DEPTH:
            raise ValueError(f"{self.where}: parameter ${name} refers to itself; break the circle")
        return found

    def _number(self, draw: Draw, depth: int) -> Any:
        text = self.source.strip()
        if text.startswith("${") and text.endswith("}"):
            return self._expression(draw, text[2:-1], depth)
        single = _REFERENCE.fullmatch(text)
        if single:
            return self._lookup(draw, single[1], depth)
        return _needed_number(text, self.where)

    def _lookup(self, draw: Draw, name: str, depth: int) -> Any:
        value, own = self._reference(name, depth)
        if own and name in draw.values:
            column = draw.values[name]
            return column if column.dtype != object else np.array([_needed_number(str(x), self.where) for x in column])
        if id(value) not in draw._known:
            draw._known[id(value)] = value, value._number(draw, depth + 1)  # the value is kept, so its id is taken
        return draw._known[id(value)][1]

    def _expression(self, draw: Draw, text: str, depth: int) -> Any:
        def lookup(name: str) -> Any:
            return self._lookup(draw, name, depth)

        with np.errstate(all="ignore"):  # the result is checked instead
            try:
                return _shortened(_compiled(text)(lookup), draw.decimals)
            except (SyntaxError, TypeError, RecursionError, OverflowError, ZeroDivisionError) as error:
                reason = str(error) or type(error).__name__
                raise ValueError(f"{self.where}: cannot evaluate {text!r}: {reason}") from None
            except _Unknown as error:
                raise ValueError(f"{self.where}: {error} in {text!r}") from None

    def _text(self, draw: Draw, depth: int) -> Any:
        """A text, or an array (B,) of them where a drawn parameter makes it differ."""
        source = self.source
        if source.startswith("${") and source.endswith("}"):
            result = self._expression(draw, source[2:-1], depth)
            return _spelled(result)
        single = _REFERENCE.fullmatch(source.strip())
        if single:
            value, own = self._reference(single[1], depth)
            if own and single[1] in draw.values:
                return _spelled(draw.values[single[1]])
            return value._text(draw, depth + 1)
        return source


@dataclass(frozen=True)
class ByCase(Value):
    """A value whose attribute was read from different places by case: runs differ in the texts of `keys`."""

    keys: "tuple[Value, ...]" = ()
    cases: "Mapping[tuple[str, ...], Value]" = field(default_factory=dict)

    def parameters(self, draw: Draw) -> frozenset[str]:
        return frozenset().union(*(value.parameters(draw) for value in (*self.keys, *self.cases.values())))

    def _number(self, draw: Draw, depth: int) -> Any:
        return self._assembled(draw, lambda value, part: value.numbers(part), np.float64)

    def _text(self, draw: Draw, depth: int) -> Any:
        return self._assembled(draw, lambda value, part: value.texts(part), object)

    def _assembled(self, draw: Draw, evaluate: Callable[[Value, Draw], NDArray[Any]], dtype: Any) -> NDArray[Any]:
        result = np.empty(draw.size, dtype=dtype)
        rows: dict[tuple[str, ...], list[int]] = {}
        for run, key in enumerate(zip(*(key.texts(draw) for key in self.keys), strict=True)):
            rows.setdefault(key, []).append(run)
        for key, runs in rows.items():
            if key not in self.cases:
                raise ValueError(f"{self.where}: no value for {', '.join(key)}")
            result[runs] = evaluate(self.cases[key], draw.take(np.array(runs)))
        return result


def constant(text: str | float, where: Where) -> Value:
    """A value that needs no parameters."""
    return Value(text if isinstance(text, str) else repr(text), where)


def _shortened(result: Any, decimals: int | None) -> Any:
    """Results with so many decimals, but for small ones, whose digits count."""
    if decimals is None or isinstance(result, str):
        return result
    return np.where(np.abs(result) >= _SHORT, np.round(result, decimals), result)[()]


def as_number(text: str) -> float | None:
    """The number that a text is, 1 and 0 for true and false; None where it is none."""
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return float(lowered == "true")
    try:
        return float(text)
    except ValueError:
        return None


def _needed_number(text: str, where: Where) -> float:
    number = as_number(text)
    if number is None:
        raise ValueError(f"{where}: {text!r} is not a number")
    return number


def _spelled(result: Any) -> Any:
    """Numbers as the shortest text that reads back, whole ones without a point."""
    if isinstance(result, np.ndarray) and result.ndim:
        return np.array([_spelled(x) for x in result], dtype=object)
    if isinstance(result, str):
        return result
    number = float(result)
    return str(int(number)) if abs(number) < 1e15 and number == round(number) else repr(number)


# --- Expressions ---


class _Unknown(Exception):
    """A name or construct that expressions do not have."""


_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "sqrt": (1, np.sqrt),
    "pow": (2, np.power),
    "sin": (1, np.sin),
    "cos": (1, np.cos),
    "tan": (1, np.tan),
    "asin": (1, np.arcsin),
    "acos": (1, np.arccos),
    "atan": (1, np.arctan),
    "sign": (1, np.sign),
    "abs": (1, np.abs),
    "floor": (1, np.floor),
    "ceil": (1, np.ceil),
    "round": (1, lambda x: np.floor(x + 0.5)),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
}
_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.Mod: np.fmod,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
    ast.Not: lambda x: (np.asarray(x) == 0).astype(float),
    ast.And: lambda x, y: ((np.asarray(x) != 0) & (np.asarray(y) != 0)).astype(float),
    ast.Or: lambda x, y: ((np.asarray(x) != 0) | (np.asarray(y) != 0)).astype(float),
}


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Callable[[Callable[[str], Any]], Any]:
    """An expression as a function of the look-up of parameters. SyntaxError or _Unknown where it is none."""
    if len(text) > _MAX_LENGTH:
        raise SyntaxError(f"longer than {_MAX_LENGTH} characters")
    python = _REFERENCE.sub(r"_p_\1", text).strip()
    try:
        tree = ast.parse(python, mode="eval").body
    except (SyntaxError, ValueError, MemoryError):
        raise SyntaxError("not an expression") from None
    return _closure(tree)


def _closure(node: ast.expr) -> Callable[[Callable[[str], Any]], Any]:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        number = float(node.value)
        return lambda lookup: number
    if isinstance(node, ast.Name):
        return _name(node.id)
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        operator, operand = _OPERATORS[type(node.op)], _closure(node.operand)
        return lambda lookup: operator(operand(lookup))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        operator, left, right = _OPERATORS[type(node.op)], _closure(node.left), _closure(node.right)
        return lambda lookup: operator(left(lookup), right(lookup))
    if isinstance(node, ast.BoolOp):
        operator, (first, *rest) = _OPERATORS[type(node.op)], [_closure(value) for value in node.values]

        def fold(lookup: Callable[[str], Any]) -> Any:
            result = first(lookup)
            for part in rest:
                result = operator(result, part(lookup))
            return result

        return fold
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _call(node.func.id, [_closure(argument) for argument in node.args])
    raise _Unknown("a construct that expressions do not have")


def _name(name: str) -> Callable[[Callable[[str], Any]], Any]:
    if name.startswith("_p_"):
        return lambda lookup: lookup(name[3:])
    constants = {"pi": math.pi, "e": math.e, "true": 1.0, "false": 0.0}
    if name not in constants:
        raise _Unknown(f"unknown name {name!r}; parameters are written ${name}")
    return lambda lookup: constants[name]


def _call(name: str, arguments: list[Callable]) -> Callable[[Callable[[str], Any]], Any]:
    if name not in _FUNCTIONS:
        raise _Unknown(f"unknown function {name!r}; there are {', '.join(_FUNCTIONS)}")
    count, function = _FUNCTIONS[name]
    if len(arguments) != count:
        raise _Unknown(f"{name} takes {count} argument{'s' * (count > 1)}, got {len(arguments)}")
    return lambda lookup: function(*(argument(lookup) for argument in arguments))
