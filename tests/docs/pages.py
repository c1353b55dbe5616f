"""What stands in fences in the README and the documentation, run as a reader would run it.

A page is one session in an empty folder, its blocks in their order:

    python                 run, in one namespace per page
    python title="x.py"    written to that file
    pycon                  run in that namespace, and what it prints compared
    yaml                   loaded as a spec (with `layout:` as a layout); title="x.yaml" writes it too
    json                   parsed
    diff title="x.py"      applied to that file
    console                each `$ command` run, and what stands below it compared; `...` stands for anything, and
                           nothing below says nothing. It must exit 0, or show an error, or be followed by `$ echo $?`
    text                   what nobody runs: drawings, formats

On the line above a fence `<!-- wrong on purpose -->` says that a spec is to be refused, and `<!-- not run: why -->`
that a block is to be left alone. `<!-- in a copy of the source -->` on a page puts the session into one.
"""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import codecspec as cs
from codecspec.compiler.layouts import Layout, LayoutSpec
from codecspec.schema.yaml_source import read_yaml
from tests.contracts.source_files import ROOMS, ROOT
from tests.first_runs import as_if_compiled

LANGUAGES = ("python", "pycon", "yaml", "json", "diff", "console", "text")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
IN_SOURCE = "<!-- in a copy of the source -->"
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_COMMANDS = {"compile-spec": "compile_spec", "infer-spec": "infer_spec", "codecspec": "codecspec"}
_SHELL = re.compile(r"[|<>*&;$]")


@dataclass(frozen=True)
class Block:
    """One fence: its language, title, text, the line it begins on, and what the comment above it says."""

    language: str
    title: str
    text: str
    line: int
    remark: str


def blocks(page: Path) -> list[Block]:
    """Every fence of a page, in order."""
    content = page.read_text(encoding="utf-8")
    return [_block(content, found) for found in _FENCE.finditer(content)]


def specs_in_the_pages() -> list[str]:
    """Every spec that stands in a page and is not wrong on purpose."""
    pages = [page for page in PAGES if IN_SOURCE not in page.read_text(encoding="utf-8")]
    shown = [block for page in pages for block in blocks(page) if block.language == "yaml" and not block.remark]
    return [block.text for block in shown if not re.search(r"^layout:", block.text, re.MULTILINE)]


def _block(content: str, found: re.Match[str]) -> Block:
    above = content[: found.start()].rstrip("\n").rpartition("\n")[2].strip()
    remark = above.removeprefix("<!--").removesuffix("-->").strip() if above.startswith("<!--") else ""
    title = _TITLE.search(found["info"])
    body = "".join(line.removeprefix(found["indent"]) for line in found["body"].splitlines(keepends=True))
    language = found["info"].split(" ")[0]
    line = content.count("\n", 0, found.start()) + 1
    return Block(language, title[1] if title else "", body, line, remark)


@dataclass
class Session:
    """One reader of one page."""

    folder: Path
    namespace: dict[str, Any] = field(default_factory=dict)
    code: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, block: Block) -> None:
        """Do what a block says."""
        if block.title and block.language in ("python", "yaml", "text"):
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if not (block.remark.startswith("not run:") or (block.title and block.language == "python")):
            getattr(self, f"_{block.language}")(block)

    def _python(self, block: Block) -> None:
        exec(compile("\n" * block.line + block.text, "page", "exec"), self.namespace)

    def _pycon(self, block: Block) -> None:
        said = StringIO()
        test = doctest.DocTestParser().get_doctest(block.text, self.namespace, "page", "page", block.line)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
        runner.run(test, out=said.write, clear_globs=False)
        assert said.getvalue() == "", said.getvalue()
        self.namespace.update(test.globs)

    def _yaml(self, block: Block) -> None:
        path = self.folder / (block.title or "block.yaml")
        path.write_text(block.text)
        if block.remark == "wrong on purpose":
            try:
                cs.lower(cs.load_spec(path))
            except cs.SpecError:
                return
            raise AssertionError(f"line {block.line}: it says that it is wrong, and it is not")
        if re.search(r"^layout:", block.text, re.MULTILINE):
            Layout(LayoutSpec.model_validate(read_yaml(path)), path.stem)
        elif self.environment:
            self._console(Block("console", "", f"$ compile-spec {path.name} --check\n", block.line, ""))
        else:
            cs.lower(cs.load_spec(path))

    def _json(self, block: Block) -> None:
        json.loads(block.text)

    def _text(self, block: Block) -> None:
        pass

    def _diff(self, block: Block) -> None:
        """Apply hunks by what they say, wherever in the file that is."""
        path = self.folder / block.title
        content = path.read_text()
        for hunk in re.split(r"^@@.*\n", block.text, flags=re.MULTILINE)[1:]:
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[:1] in (" ", "-"))
            after = "".join(line[1:] for line in lines if line[:1] in (" ", "+"))
            assert content.count(before) == 1, f"{block.title} has these lines {content.count(before)} times:\n{before}"
            content = content.replace(before, after)
        path.write_text(content)

    def _console(self, block: Block) -> None:
        for command, wanted in _commands(block.text):
            said = self._said_by(command, wanted)
            fits = not wanted or doctest.OutputChecker().check_output(wanted, said, doctest.ELLIPSIS)
            assert fits, f"line {block.line}: $ {command}\nsays\n{said}\nand not\n{wanted}"

    def _said_by(self, command: str, wanted: str) -> str:
        if command == "echo $?":
            said, self.code = f"{self.code}\n", 0
            return said
        assert self.code == 0, f"the command before `{command}` exited with {self.code}, and nobody asks"
        words = shlex.split(command)
        ours = words[0] in _COMMANDS and not _SHELL.search(command) and not self.environment
        self.code, said = in_process(words) if ours else self._in_shell(command)
        if self.code and wanted.startswith("E-"):
            self.code = 0
        return "".join(f"{line.rstrip()}\n" for line in as_if_compiled(said).splitlines())

    def _in_shell(self, command: str) -> tuple[int, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, **self.environment}
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.returncode, done.stdout

    def end(self) -> None:
        """Nothing that failed was passed over."""
        assert self.code == 0, f"the last command exited with {self.code}, and nobody asks"


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Each `$ command` (which `\\` continues) and what stands below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, rest = part.replace("\\\n", " ").partition("\n")
        yield command.strip(), "".join(f"{line.rstrip()}\n" for line in rest.rstrip("\n").splitlines())


def in_process(words: list[str]) -> tuple[int, str]:
    """The exit code of one of our commands and what it said on stdout and stderr, without a process of its own."""
    said, argv = StringIO(), sys.argv
    sys.argv = words
    try:
        with redirect_stdout(said), redirect_stderr(said):
            importlib.import_module(f"codecspec.cli.{_COMMANDS[words[0]]}").main()
    except SystemExit as end:
        return int(end.code or 0), said.getvalue()
    finally:
        sys.argv = argv
    return 0, said.getvalue()


def copy_of_the_source(folder: Path) -> dict[str, str]:
    """Copy the rooms into `folder`; the environment in which they are the package `codecspec`."""
    for room in (*ROOMS, "tests"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "golden"))
    for room in ROOMS:
        if room != "codecspec":
            (folder / "codecspec" / room).symlink_to(folder / room)
    return {"PYTHONPATH": str(folder)}
