"""The page of all commands: each says what it does and what it takes, with examples that parse; every exit code."""

from __future__ import annotations

import re
import shlex

import pytest

from codecspec.cli.exits import ExitCode
from docs.generators.commands_page import commands, commands_page, examples

COMMANDS = commands()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_takes(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert [each.name for each in command.params if not getattr(each, "help", "")] == []
    assert f"\n## {name}\n" in commands_page()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_that_parses(name: str) -> None:
    shown = examples(COMMANDS[name])
    assert shown
    for line in shown:
        typed = re.split(r"\s{2,}", line)[0]  # what it is for may stand beside it
        words = shlex.split(typed)
        assert typed.startswith(name)
        COMMANDS[name].make_context(name, words[len(name.split()) :])


def test_every_exit_code_is_on_the_page() -> None:
    said = {int(code) for code in re.findall(r"^\| (\d+) \|", commands_page(), re.MULTILINE)}
    assert said == set(ExitCode)
