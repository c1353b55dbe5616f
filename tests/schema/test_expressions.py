"""Expressions: what they come to, and what they refuse."""

from __future__ import annotations

import warnings

import pytest

from codecspec.schema.expressions import MAX_LENGTH, MAX_VALUE, ExpressionError, Value, check_name, evaluate

NAMES: dict[str, Value] = {"N": 192, "M": 320, "i": 3, "half": 0.5, "depths": [1, 2, 6], "none": []}
ALLOWED_HINT = "allowed: names of params, integers, + - * // %, [index], min, max, sum, len, parentheses"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("N", 192),
        (" N ", 192),
        ("2*N", 384),
        ("M * 3 // 2", 480),
        ("-N + 200", 8),
        ("--N", 192),
        ("(i % 2) * 4", 4),
        ("-7 // 2", -4),
        ("-7 % 3", 2),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("N * half", 96.0),
        ("depths", [1, 2, 6]),
        ("depths[0]", 1),
        ("depths[-1]", 6),
        ("depths[i - 1]", 6),
        ("len(depths)", 3),
        ("len(none)", 0),
        ("sum(depths)", 9),
        ("sum(none)", 0),
        ("min(depths)", 1),
        ("max(N, M, 5)", 320),
        ("max(depths[0], min(N, M))", 192),
        ("2147483647 + 1", MAX_VALUE),
    ],
)
def test_value(text: str, value: Value) -> None:
    found = evaluate(text, NAMES)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not an expression"),
        ("N N", "'N N' is not an expression"),
        ("1; 2", "'1; 2' is not an expression"),
        ("N\0", "is not an expression"),
        ("\ud800", "is not an expression"),
        ("(" * 99 + ")" * 99, r"'\(\)' is not allowed"),
        ("01", "'01' is not an expression"),
        ("in", "'in' is not an expression"),
        ("N ** 2", r"'N \*\* 2' is not allowed in an expression"),
        ("N / 2", "'N / 2' is not allowed"),
        ("N << 2", "'N << 2' is not allowed"),
        ("N @ M", "'N @ M' is not allowed"),
        ("N < M", "'N < M' is not allowed"),
        ("N and M", "'N and M' is not allowed"),
        ("not N", "'not N' is not allowed"),
        ("+N", "'[+]N' is not allowed"),
        ("~N", "'~N' is not allowed"),
        ("1 if N else 2", "'1 if N else 2' is not allowed"),
        ("1if N else 2", "'1 if N else 2' is not allowed"),
        ("lambda: 1", "'lambda: 1' is not allowed"),
        ("(x := 3)", "is not allowed"),
        ("[1, 2]", r"'\[1, 2\]' is not allowed"),
        ("{1: 2}", "is not allowed"),
        ("(1, 2)", "is not allowed"),
        ("[x for x in depths]", "is not allowed"),
        ("f'{N}'", "is not allowed"),
        ("'a' * 9", "is not allowed"),
        ("1.5", "'1.5' is not allowed"),
        ("True", "'True' is not allowed"),
        ("None", "'None' is not allowed"),
        ("1j", "'1j' is not allowed"),
        ("N.real", "'N.real' is not allowed"),
        ("().__class__", "is not allowed"),
        ("__import__('os')", "is not allowed"),
        ("abs(N)", r"'abs\(N\)' is not allowed"),
        ("min(*depths)", r"'\*depths' is not allowed"),
        ("max(depths, default=3)", "is not allowed"),
        ("depths[0:1]", "'0:1' is not allowed"),
    ],
)
def test_not_in_the_language(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        evaluate(text, NAMES)
    assert (caught.value.code, caught.value.hint) == ("E-expression", ALLOWED_HINT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("N // 0", "'N // 0' divides by zero"),
        ("N % (i - 3)", "divides by zero"),
        ("2147483648 + 1", "grows past 2147483648"),
        ("-2147483648 - 1", "grows past"),
        ("N*N*N*N*N", "grows past"),
        ("9" * 150, "grows past"),
        ("depths * 2", r"a list stands where 'depths \* 2' needs a number"),
        ("-depths", "a list stands"),
        ("depths[depths]", "a list stands"),
        ("N[0]", "takes an item of a number"),
        ("depths[3]", "takes item 3 of a list of 3"),
        ("depths[-4]", "takes item -4 of a list of 3"),
        ("depths[half]", "takes item 0.5 of a list"),
        ("min()", r"min\(\) in 'min\(\)' takes numbers or one list, not empty"),
        ("max(none)", "takes numbers or one list, not empty"),
        ("max(depths, 3)", "takes numbers or one list"),
        ("sum(1, 2)", "takes one list"),
        ("len(N)", "takes one list"),
        ("1" + "+1" * 100, f"at most {MAX_LENGTH} characters, found 201"),
    ],
)
def test_without_a_value(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        evaluate(text, NAMES)
    assert caught.value.code == "E-expression"


def test_unknown_name() -> None:
    with pytest.raises(
        ExpressionError, match=r"'depth' in 'depth\[0\]' names no param; params: M, N, depths"
    ) as caught:
        evaluate("depth[0]", NAMES)
    assert (caught.value.code, caught.value.hint) == ("E-unknown-param", "did you mean 'depths'?")


def test_no_names_at_all() -> None:
    with pytest.raises(ExpressionError, match="'N' names no param; params: none"):
        evaluate("N", {})


def test_used_names_are_noted() -> None:
    used: set[str] = {"before"}
    evaluate("N + depths[0]", NAMES, used)
    assert used == {"before", "N", "depths"}


def test_as_deep_as_it_gets() -> None:
    assert evaluate("-" * 198 + "N", NAMES) == 192
    assert evaluate("(" * 90 + "N" + ")" * 90, NAMES) == 192


def test_python_does_not_warn() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ExpressionError, match="is not allowed"):
            evaluate("2if N else 3", NAMES)
    assert caught == []


@pytest.mark.parametrize("name", ["N", "max_support", "_", "match", "type", "x1"])
def test_a_name(name: str) -> None:
    check_name(name)
    assert evaluate(f"{name} + 1", {name: 1}) == 2


@pytest.mark.parametrize("name", ["", "1x", "a-b", "a b", "a.b", "lambda", "True", "None", "len", "ä", "x\n"])
def test_no_name(name: str) -> None:
    with pytest.raises(ExpressionError, match="cannot be a name in expressions") as caught:
        check_name(name)
    assert caught.value.code == "E-value"
