"""Values: a table of expressions, evaluation by the batch, circles, and chains that would grow beyond bounds."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenarios.values import ByCase, Draw, Mixed, Scope, Value, Where

HERE = Where(Path("file.xosc"), 7, "Element", "value")


def value(source, **names):
    scope = Scope()
    scope.names.update({name: Value(text, HERE, scope) for name, text in names.items()})
    return Value(source, HERE, scope)


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("2", 2.0),
        (" -1e-3 ", -0.001),
        ("true", 1.0),
        ("$a", 3.0),
        ("${1 + 2 * 3}", 7.0),
        ("${(1 + 2) * 3}", 9.0),
        ("${7 % 4}", 3.0),
        ("${-7 % 4}", -3.0),  # the sign of the dividend, as in C
        ("${1 / 4}", 0.25),
        ("${- $a}", -3.0),
        ("${--2}", 2.0),
        ("${$a * $b}", 12.0),
        ("${sqrt(16)}", 4.0),
        ("${pow(2, 10)}", 1024.0),
        ("${sin(pi / 2)}", 1.0),
        ("${cos(0) + tan(0)}", 1.0),
        ("${acos(-1)}", math.pi),
        ("${asin(1) - atan(1)}", math.pi / 4),
        ("${sign(-3) + abs(-3)}", 2.0),
        ("${min(1, 2) + max(1, 2)}", 3.0),
        ("${floor(-1.5)}", -2.0),
        ("${ceil(-1.5)}", -1.0),
        ("${round(2.5)}", 3.0),  # half up
        ("${round(-2.5)}", -2.0),
        ("${not 0}", 1.0),
        ("${1 and 0 or 1}", 1.0),
        ("${e}", math.e),
        ("${$chain}", 7.0),
    ],
)
def test_expressions(source, result):
    found = value(source, a="3", b="${$a + 1}", chain="${$a + $b}")
    assert found.numbers(Draw(1))[0] == pytest.approx(result, abs=1e-15)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "'' is not a number"),
        ("fast", "'fast' is not a number"),
        ("inf", "is inf; a finite number"),
        ("$gone", r"parameter \$gone is not declared"),
        ("${1 +}", "cannot evaluate"),
        ("${1 if 2 else 3}", "a construct that expressions do not have"),
        ("${2 ** 3}", "a construct that expressions do not have"),
        ("${[1]}", "a construct that expressions do not have"),
        ("${'a'}", "a construct that expressions do not have"),
        ("${().__class__}", "a construct that expressions do not have"),
        ("${open(1)}", "unknown function 'open'"),
        ("${sin(1, 2)}", "sin takes 1 argument"),
        ("${x}", r"unknown name 'x'; parameters are written \$x"),
        ("${1 / 0}", "finite number"),
        ("${pow(10, 400)}", "finite number"),
        ("${acos(2)}", "finite number"),
        ("${" + "(" * 300 + "1" + ")" * 300 + "}", "cannot evaluate|finite|construct"),
        ("${" + "-" * 1500 + "1}", "cannot evaluate"),
        ("${" + "1+" * 1100 + "1}", "longer than"),
        ("${" + "9" * 1500 + "}", "cannot evaluate"),
    ],
)
def test_wrong_expressions_name_their_place(source, problem):
    with pytest.raises(ValueError, match=rf"file.xosc:7: <Element> value.*({problem})"):
        value(source, a="3").numbers(Draw(1))


@pytest.mark.parametrize("names", [{"a": "$a"}, {"a": "$b", "b": "$a"}, {"a": "${$b + $b}", "b": "${$a * $a}"}])
def test_circles_are_found(names):
    for method in ("numbers", "texts"):
        with pytest.raises(ValueError, match="refers to itself; break the circle"):
            getattr(value("$a", **names), method)(Draw(1))
    assert value("$a", **names).parameters(Draw(1)) == frozenset()


def test_a_chain_of_doublings_takes_no_exponential_time():
    names = {f"p{i}": f"${{$p{i + 1} + $p{i + 1}}}" for i in range(50)} | {"p50": "1"}
    assert value("$p0", **names).numbers(Draw(1))[0] == 2.0**50
    assert value("$p0", **names).parameters(Draw(1, {"p50": np.ones(1)})) == {"p50"}


def test_drawn_values_replace_the_scenarios_own_and_no_others():
    scope = Scope(parent=Scope())
    scope.names["a"] = Value("3", HERE, scope)
    draw = Draw(2, {"a": np.array([5.0, 6.0])})
    assert Value("$a", HERE, scope).numbers(draw).tolist() == [3.0, 3.0]
    assert value("$a", a="3").numbers(draw).tolist() == [5.0, 6.0]
    assert value("${$b + 1}", a="3", b="${2 * $a}").numbers(draw).tolist() == [11.0, 13.0]


def test_texts_come_from_strings_and_numbers():
    draw = Draw(3, {"a": np.array([-4.0, 0.5, -4.0]), "s": np.array(["x", "y", "x"], dtype=object)})
    assert value("$a", a="1").texts(draw).tolist() == ["-4", "0.5", "-4"]
    assert value("$s", s="x").texts(draw).tolist() == ["x", "y", "x"]
    assert value("plain").text(draw) == "plain"
    with pytest.raises(Mixed) as mixed:
        value("$t", t="$s", s="x").text(draw)
    assert mixed.value.parameters == {"s"}
    assert [runs.tolist() for runs in draw.split(mixed.value.parameters)] == [[0, 2], [1]]
    assert value("$s", s="x").text(draw.take(np.array([0, 2]))) == "x"


def test_whole_numbers_and_truth():
    assert value("${3 - 5}").integer(Draw(1)) == -2
    with pytest.raises(ValueError, match="whole number"):
        value("1.5").integer(Draw(1))
    with pytest.raises(Mixed):
        value("$a", a="1").integer(Draw(2, {"a": np.array([1.0, 2.0])}))
    assert value("true").boolean(Draw(1)) and not value("0").boolean(Draw(1))
    with pytest.raises(ValueError, match="true or false"):
        value("maybe").boolean(Draw(1))


def test_values_by_case_pick_by_run():
    key = value("$k", k="x")
    cases = {("x",): value("1"), ("y",): value("$b", b="5")}
    draw = Draw(4, {"k": np.array(["y", "x", "x", "y"], dtype=object), "b": np.arange(4.0)})
    found = ByCase("", HERE, Scope(), (key,), cases)
    assert found.numbers(draw).tolist() == [0.0, 1.0, 1.0, 3.0]
    assert found.parameters(draw) == {"k", "b"}
    assert found.numbers(draw.take(np.array([3]))).tolist() == [3.0]


numbers = st.floats(-100, 100).map(lambda x: repr(round(x, 3)))
trees = st.recursive(
    numbers | st.sampled_from(["$a", "$b"]),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=12,
)


@given(tree=trees, a=st.floats(-10, 10), b=st.floats(-10, 10))
@settings(max_examples=100, deadline=None)
def test_a_batch_is_what_its_runs_are_alone(tree, a, b):
    found = value("${" + tree + "}", a="1", b="2")
    draw = Draw(2, {"a": np.array([a, b]), "b": np.array([b, a])})
    expected = [
        eval(tree.replace("$", ""), {"a": x, "b": y})  # Python's arithmetic is the reference
        for x, y in ((a, b), (b, a))
    ]
    assert found.numbers(draw).tolist() == expected
    alone = [found.numbers(draw.take(np.array([run])))[0] for run in range(2)]
    assert alone == expected


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_number_or_a_clear_error(text):
    for source in (text, "${" + text + "}"):
        try:
            assert math.isfinite(value(source, a="3").numbers(Draw(1))[0])
        except ValueError as error:
            assert "file.xosc:7" in str(error)
