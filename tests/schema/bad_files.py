"""Bad specs: files that are not YAML, hostile YAML, repeats and `extends` that lead nowhere."""

from __future__ import annotations

from tests.schema.bad_spec import TINY, Bad, spoilt

BLOCKS = "blocks: [{type: leaky_relu, slope: i}]"
REPEAT = f'repeat: {{count: "depths[1]", index: i, {BLOCKS}}}'
BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join(10 * [f'*{before}'])}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""A billion ones, in nine lines."""


def _repeat(text: str) -> str:
    """TINY with another repeat beside its own."""
    return spoilt("  - {type: gdn}\n", f"  - {{type: gdn}}\n  - repeat: {text}\n")


def _nested_repeats(block: str, levels: int) -> str:
    for _ in range(levels):
        block = f"{{repeat: {{count: 1000, blocks: [{block}]}}}}"
    return f"{{count: 1000, blocks: [{block}]}}"


YAML = [
    Bad(
        "alias-bomb",
        TINY + BOMB.replace("e: &e [*d", "e: &e [^*d"),
        "E-too-large",
        ("more than 20000 nodes once aliases are followed",),
    ),
    Bad("alias-inside-itself", TINY + "a: &a [1, ^*a]\n", "E-yaml", ("*a stands inside the node that it names",)),
    Bad("alias-unknown", spoilt("{type: gdn}", "^*gdn"), "E-yaml", ("*gdn names no anchor before it",), "&gdn"),
    Bad("nested-flow", TINY + "x: " + 63 * "[" + "^" + 10_000 * "[", "E-too-deep", ("more than 64 levels",)),
    Bad(
        "nested-blocks",
        "\n".join(" " * i + "a:" for i in range(64)) + "\n" + " " * 64 + "^a:\n" + " " * 65 + "a:\n",
        "E-too-deep",
        ("more than 64 levels",),
    ),
    Bad(
        "duplicate-key",
        spoilt("{type: gdn}", "{type: gdn, ^type: relu}"),
        "E-duplicate-key",
        ("'type' stands twice", "first at line 6"),
    ),
    Bad(
        "python-tag",
        spoilt("{type: gdn}", "^!!python/object/apply:os.system ['true']"),
        "E-yaml",
        ("'tag:yaml.org,2002:python/object/apply:os.system' is", "plain data"),
        "leave",
    ),
    Bad(
        "plain-tag",
        spoilt("N: 8", "N: ^!!int 8"),
        "E-yaml",
        ("the tag 'tag:yaml.org,2002:int' is not allowed",),
        "leave",
    ),
    Bad(
        "merge-key",
        spoilt("{type: gdn}", "{^<<: {type: gdn}}"),
        "E-yaml",
        ("the merge key `<<` is not allowed",),
        "write the keys out",
    ),
    Bad("two-documents", TINY + "^---\n" + TINY, "E-yaml", ("a second document",)),
    Bad("number-as-a-key", TINY + "^3: 4\n", "E-yaml", ("a key must be a word, found 3",)),
    Bad("list-as-a-key", TINY + "? ^[a]\n: 4\n", "E-yaml", ("a key must be a word, found a mapping or list",)),
    Bad("alias-of-a-list-as-a-key", TINY + "x: &x [1]\n^*x : 4\n", "E-yaml", ("a key must be a word, found [1]",)),
    Bad("not-yaml", spoilt("{type: gdn}", "{type: gdn^]"), "E-yaml", ("not YAML", "expected ',' or '}'")),
    Bad("tab-indentation", spoilt("  type: hyperprior\n", "^\ttype: hyperprior\n"), "E-yaml", ("not YAML",)),
    Bad("unclosed", TINY + "x: [1,\n^", "E-yaml", ("not YAML",)),
    Bad("empty", "^", "E-empty", ("the spec is empty",), "codecspec: 1"),
    Bad("only-comments", "^# a spec\n\n# to come\n", "E-empty", ("the spec is empty",), "codecspec: 1"),
    Bad("only-null", "^null\n", "E-empty", ("the spec is empty",), "codecspec: 1"),
    Bad(
        "list-at-the-top",
        "^- codecspec: 1\n",
        "E-yaml",
        ("a mapping of keys to values", "found a list of 1"),
        "codecspec: 1",
    ),
    Bad("scalar-at-the-top", "^wacnn\n", "E-yaml", ("a mapping of keys to values", "found 'wacnn'"), "codecspec: 1"),
    Bad(
        "not-utf-8",
        TINY.replace("name: tiny", "# é ^\xff").encode("latin-1").replace(b"\xe9", "é".encode()),
        "E-encoding",
        ("UTF-8", "0xFF"),
        "UTF-8",
    ),
    Bad("utf-16", b"^" + TINY.encode("utf-16"), "E-encoding", ("UTF-8", "0xFF"), "UTF-8"),
    Bad("nul", spoilt("name: tiny", "name: é^\0"), "E-yaml", ("U+0000 is not allowed",), "take it out"),
    Bad("escape", spoilt("name: tiny", "name: é^\x1b[2J"), "E-yaml", ("U+001B is not allowed",), "take it out"),
    Bad("above-a-mebibyte", "^" + TINY + "#" * (1 << 20), "E-too-large", ("at most 1048576 bytes",)),
    Bad(
        "30-digit-number",
        spoilt("N: 8", "N: ^" + 30 * "8"),
        "E-value",
        ("888888888888888888...", "more than 18 digits"),
    ),
    Bad(
        "30-digit-expression", spoilt("out: M, k", f'out: ^"{30 * "8"}", k'), "E-expression", ("grows past 2147483648",)
    ),
    Bad(
        "control-characters-in-a-word",
        spoilt("{type: gdn}", '{type: ^"\\e[2Jgdn"}'),
        "E-unknown-type",
        ("'\\x1b[2Jgdn'",),
        "'gdn'",
    ),
    Bad(
        "mebibyte-word",
        spoilt("{type: gdn}", "{type: ^" + 1_000_000 * "g" + "}"),
        "E-unknown-type",
        ("gggg...; allowed",),
    ),
    Bad(
        "thousands-of-errors",
        spoilt("{type: gdn}", "{type: ^x}" + 3000 * "\n  - {type: x}"),
        "E-unknown-type",
        ("unknown type 'x'",),
        problems=101,
    ),
]

REPEATS = [
    Bad("repeat-negative", _repeat("{count: ^-1, blocks: [{type: gdn}]}"), "E-value", ("'count' is -1", "at least 0")),
    Bad(
        "repeat-huge",
        _repeat("{count: ^999999, blocks: [{type: gdn}]}"),
        "E-value",
        ("'count' is 999999", "at most 1024"),
    ),
    Bad(
        "repeat-without-count",
        _repeat("^{blocks: [{type: gdn}]}"),
        "E-missing-key",
        ("the key 'count' is missing in repeat",),
    ),
    Bad(
        "repeat-unknown-key",
        _repeat("{count: 1, ^block: 2, blocks: []}"),
        "E-unknown-key",
        ("'block'", "allowed here: count, index, blocks"),
        "'blocks'",
    ),
    Bad(
        "repeat-of-no-list",
        _repeat("{count: 2, blocks: ^{type: gdn}}"),
        "E-value",
        ("'blocks' is a mapping (type)", "a list"),
    ),
    Bad("repeat-is-a-number", _repeat("^3"), "E-value", ("'repeat' is 3", "a mapping of keys")),
    Bad(
        "repeat-alone-and-wrong",
        spoilt("h_a: [{type: conv, out: N, stride: 2}]", "h_a: [{repeat: {count: ^x, blocks: []}}]"),
        "E-unknown-param",
        ("'x' names no param",),
    ),
    Bad(
        "repeat-with-a-neighbour",
        _repeat("{count: 2, blocks: []}\n    times: 3").replace("- repeat: {count: 2", "- ^repeat: {count: 2"),
        "E-missing-key",
        ("'type' is missing in a mapping (repeat, times)",),
        "`repeat` stands alone",
    ),
    Bad(
        "repeat-wrong-block-said-once",
        _repeat("{count: 9, blocks: [{type: gdn, ^invers: true}]}"),
        "E-unknown-key",
        ("'invers'",),
        "'inverse'",
    ),
    Bad(
        "repeats-explode",
        _repeat(_nested_repeats("^{type: gdn}", 3)),
        "E-too-large",
        ("more than 20000 nodes once repeats",),
    ),
    Bad(
        "repeats-of-nothing-explode",
        _repeat(_nested_repeats("^{repeat: {count: 1000, blocks: []}}", 8)),
        "E-too-large",
        ("more than 20000 nodes once repeats",),
    ),
    Bad(
        "index-is-a-param",
        spoilt("index: i", "index: ^N"),
        "E-value",
        ("the index 'N' is the name of a param",),
        problems=2,
    ),
    Bad(
        "index-of-the-repeat-around",
        _repeat("{count: 2, index: k, blocks: [{repeat: {count: k, index: ^k, blocks: []}}]}"),
        "E-value",
        ("'k' is the name of the index of a repeat around",),
    ),
    Bad(
        "index-is-a-keyword",
        _repeat("{count: 2, index: ^in, blocks: []}"),
        "E-value",
        ("'in' cannot be a name",),
        "a word of Python",
    ),
    Bad("index-is-no-word", _repeat("{count: 2, index: ^3, blocks: []}"), "E-value", ("'index' is 3", "text")),
    Bad("index-out-of-its-repeat", spoilt("out: M, k", "out: ^i, k"), "E-unknown-param", ("'i' names no param",)),
]

EXTENDS = [
    Bad("extends-missing", "extends: ^nowhere.yaml\n" + TINY, "E-extends", ("'nowhere.yaml': no such file",)),
    Bad(
        "extends-not-in-the-zoo",
        "extends: ^wacn\n" + TINY,
        "E-extends",
        ("no zoo spec of that name", "wacnn"),
        "did you mean 'wacnn'?",
    ),
    Bad("extends-is-a-number", "extends: ^3\n" + TINY, "E-extends", ("`extends` names one spec, found 3",)),
    Bad("extends-is-a-list", "extends: ^[wacnn]\n" + TINY, "E-extends", ("found ['wacnn']",)),
    Bad("extends-itself", "extends: ^spec.yaml\n" + TINY, "E-extends", ("spec -> spec comes back to itself",)),
    Bad(
        "extends-a-word-too-long", "extends: ^" + 5000 * "a" + "\n" + TINY, "E-extends", ("no file can have this name",)
    ),
]

FILES = [*YAML, *REPEATS, *EXTENDS]
