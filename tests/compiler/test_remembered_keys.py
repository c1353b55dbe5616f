"""What follows from keys alone is worked out once, for a bounded number of lists of a bounded length."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from codecspec.compiler.remembered_keys import MAX_CHARACTERS, MAX_REMEMBERED, Keys, remembered


def counted() -> tuple[list[Keys], Callable[[Iterable[str]], int]]:
    """A function of keys, and the lists that it was really asked for."""
    asked: list[Keys] = []

    @remembered
    def number(keys: Keys) -> int:
        asked.append(keys)
        return len(keys)

    return asked, number


def test_the_same_keys_are_asked_for_once() -> None:
    asked, number = counted()
    assert [number(keys) for keys in (["a", "b"], ("a", "b"), {"a": 1, "b": 2})] == [2, 2, 2]
    assert asked == [("a", "b")]


def test_another_order_is_another_list() -> None:
    asked, number = counted()
    assert (number("ab"), number("ba")) == (2, 2)
    assert asked == [("a", "b"), ("b", "a")]


def test_the_last_few_lists_are_kept() -> None:
    asked, number = counted()
    for i in range(MAX_REMEMBERED + 1):
        number([str(i)])
    number(["1"])
    number(["0"])
    assert len(asked) == MAX_REMEMBERED + 2
    assert asked[-1] == ("0",)


def test_keys_of_many_characters_are_not_kept() -> None:
    asked, number = counted()
    long = ["k" * MAX_CHARACTERS, "k"]
    assert (number(long), number(long)) == (2, 2)
    assert len(asked) == 2
