"""`codecspec stats` prints the figures of codecs side by side."""

from __future__ import annotations

import json

import pytest

import codecspec as cs
from tests.cli.conftest import Command


def test_side_by_side(command: Command) -> None:
    done = command("codecspec", "stats", "wacnn", "cca-aux")
    assert (done.code, done.err) == (0, "")
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0] == ["wacnn", "cca-aux"]
    wacnn, cca = (cs.statistics(cs.lower(cs.load_spec(name))) for name in ("wacnn", "cca-aux"))
    assert ["parameters", f"{wacnn.parameters:,}", f"{cca.parameters:,}"] in rows
    assert ["kMAC/px", f"{wacnn.kmacs_per_pixel:,.2f}", f"{cca.kmacs_per_pixel:,.2f}"] in rows
    assert ["g_a", f"{wacnn.kmacs_per_pixel_by_part['g_a']:,.2f}", "557.39"] in rows
    assert ["aux", "(training", "only)", f"{cca.parameters_by_part['aux']:,}"] in rows
    assert any(row[:2] == ["activations,", "MiB"] and float(row[2]) > 200 for row in rows)
    assert "one image of 768x512, float32" in done.out


def test_every_row_is_that_of_the_json(command: Command) -> None:
    """Whose figures are held against torch elsewhere; here their units, their order and their rounding."""
    arguments = ("wacnn", "cca-aux", "bmshj2018-factorized", "--size", "100x60")
    lines = command("codecspec", "stats", *arguments).out.splitlines()
    codecs = json.loads(command("codecspec", "stats", *arguments, "--json").out)
    mib = 1024 * 1024
    expected: list[tuple[str, list[str]]] = []
    for title, name, unit, digits in (
        ("parameters", "parameters", 1, 0),
        ("kMAC/px", "kmacs_per_pixel", 1, 2),
        ("activations, MiB", "activation_bytes", mib, 1),
    ):
        expected.append((title, [f"{codec[name] / unit:,.{digits}f}" for codec in codecs]))
        for part in ("g_a", "hyper", "context", "g_s", "aux"):
            own = [codec[f"{name}_by_part"].get(part) for codec in codecs]
            label = "aux (training only)" if part == "aux" else part
            expected.append((f"  {label}", [f"{each / unit:,.{digits}f}" for each in own if each is not None]))
        if title == "kMAC/px":
            expected.append(("  encoder (all but g_s)", [f"{each['encoder_kmacs_per_pixel']:,.2f}" for each in codecs]))
            decoders = [f"{each['decoder_kmacs_per_pixel']:,.2f}" for each in codecs]
            expected.append(("  decoder (all but g_a, h_a)", decoders))
    expected.append(("weights, MiB", [f"{4 * each['parameters'] / mib:,.1f}" for each in codecs]))
    shown = [(line[:28].rstrip(), line[28:].split()) for line in lines[1:-1]]
    assert shown == expected
    assert lines[-1] == "activations for one image of 100x60, padded to 112x64, 128x64, float32"


def test_json_params_and_size(command: Command) -> None:
    done = command("codecspec", "stats", "mbt2018", "mbt2018-mean", "--set", "N=64", "--size", "100x60", "--json")
    first, second = json.loads(done.out)
    assert (first["spec"], second["spec"]) == ("mbt2018", "mbt2018-mean")
    assert second["parameters"] == cs.lower(cs.load_spec("mbt2018-mean", N=64)).parameters
    assert (second["size"], second["padded_size"]) == ([100, 60], [128, 64])
    assert second["weight_bytes"] == 4 * second["parameters"]


def test_padding_is_said(command: Command) -> None:
    assert "one image of 100x60, padded to 128x64" in command("codecspec", "stats", "wacnn", "--size", "100x60").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["wacnn", "--size", "768"], "E-usage at --size 768: a size is width and height in pixels"),
        (["wacnn", "--size", "123456x1"], "E-usage at --size 123456x1: an image's sides are 1 to 65535 pixels"),
        (["wacnn", "--size", "1x123456"], "E-usage at --size 1x123456: an image's sides are 1 to 65535 pixels"),
        (["wacnn", "--size", "0x1"], "an image's sides are 1 to 65535 pixels"),
        (["wacn"], "E-no-such-spec at wacn:1:1: .* did you mean 'wacnn'?"),
        (["wacnn", "--set", "Q=1"], "no param 'Q'"),
        ([], "Missing argument"),
    ],
)
def test_wrong_input(command: Command, arguments: list[str], said: str) -> None:
    done = command("codecspec", "stats", *arguments)
    assert (done.code, done.out) == (2, "")
    assert all(part in done.said for part in said.split(" .* "))


def test_no_colour_off_a_terminal(command: Command) -> None:
    assert "\x1b" not in command("codecspec", "stats", "wacnn").out
