"""The cost of entropy coding: this coder and CompressAI's in one run, rates against entropy, and the portable profile.

    .venv/bin/python benchmarks/coding.py [--images N]

Symbols are Gaussian, as many as in a 512x768 image with 320 channels (491,520), with scales uniform in their logarithm
from 0.11 to 8. Times are CPU times of one thread, medians over interleaved runs, so that other load on the machine
matters little; compare the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from codecspec.runtime.compressai_classes import GaussianConditional, get_scale_table
from codecspec.runtime.entropy_coding import compressai_coder, rans
from codecspec.runtime.entropy_coding.scale_index import scale_indexes
from codecspec.runtime.entropy_coding.syndromes import reconcile, syndrome_size, syndromes
from codecspec.runtime.entropy_coding.tables import CodingTables
from codecspec.schema.errors import StreamError

COUNT = 491_520
SLICES = 10
RUNS = 11
IMAGE_BITS = 0.5 * 512 * 768
DRIFTS = [1e-6, 3e-6, 1e-5, 2.5e-5, 5e-5, 7e-5, 1e-4, 2e-4, 5e-4, 1e-3]

Float32 = NDArray[np.float32]


def model() -> GaussianConditional:
    gaussian = GaussianConditional(None)
    gaussian.update_scale_table(get_scale_table().tolist())
    return gaussian


def scales_from(rng: np.random.Generator, count: int, low: float = 0.11) -> Float32:
    return np.exp(rng.uniform(np.log(low), np.log(8), count)).astype(np.float32)


def medians(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of each, run in turns after one run that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for run in range(RUNS + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            if run:
                seconds[name].append(time.process_time() - start)
    return {name: 1e3 * statistics.median(found) for name, found in seconds.items()}


def speed(gaussian: GaussianConditional, tables: CodingTables) -> None:
    rng = np.random.default_rng(0)
    scales, table = scales_from(rng, COUNT), gaussian.scale_table.numpy()
    symbols, rows = np.rint(rng.normal(size=COUNT) * scales).astype(np.int32), scale_indexes(scales, table)
    y, indexes, sigma = (torch.from_numpy(array)[None] for array in (symbols.astype(np.float32), rows, scales))
    [theirs], ours, same = gaussian.compress(y, indexes), rans.encode(symbols, rows, tables), compressai_coder
    if same.encode(symbols, rows, tables) != theirs or not np.array_equal(rans.decode(ours, rows, tables), symbols):
        raise SystemExit("the coders are wrong; their speed means nothing")
    times = medians(
        {
            "CompressAI build_indexes": lambda: gaussian.build_indexes(sigma),
            "scale_indexes": lambda: scale_indexes(scales, table),
            "CompressAI build_indexes, compress": lambda: gaussian.compress(y, gaussian.build_indexes(sigma)),
            "rans scale_indexes, encode": lambda: rans.encode(symbols, scale_indexes(scales, table), tables),
            "compressai_coder scale_indexes, encode": lambda: same.encode(
                symbols, scale_indexes(scales, table), tables
            ),
            "CompressAI decompress": lambda: gaussian.decompress([theirs], indexes),
            "rans decode": lambda: rans.decode(ours, rows, tables),
            "compressai_coder decode": lambda: same.decode(theirs, rows, tables),
        }
    )
    print(f"Speed, {COUNT} symbols, CPU time of one thread")
    for name, milliseconds in times.items():
        print(f"  {name:42} {milliseconds:8.2f} ms")
    build, compress, decompress = (
        times[f"CompressAI {name}"] for name in ("build_indexes", "build_indexes, compress", "decompress")
    )
    print(f"  indexes   {build / times['scale_indexes']:6.1f} times faster")
    print(f"  encoding  {compress / times['rans scale_indexes, encode']:6.1f} times faster, promised 8")
    print(f"  decoding  {decompress / times['rans decode']:6.1f} times faster, promised 15")
    rate(symbols, scales, rows, tables, {"rans": len(ours), "CompressAI": len(theirs)})


def rate(
    symbols: NDArray[np.int32], scales: Float32, rows: NDArray[np.int32], tables: CodingTables, sizes: dict[str, int]
) -> None:
    """Bytes, beside what the Gaussian likelihoods and what the tables say."""
    gaussian = GaussianConditional(None)
    likelihoods = gaussian._likelihood(torch.from_numpy(symbols).double(), torch.from_numpy(scales).double())
    entropy = float(-torch.log2(likelihoods.clamp(min=1e-9)).sum()) / 8
    value = symbols - tables.offsets[rows]
    outside = (value < 0) | (value >= tables.escapes[rows])
    entries = tables.entries[tables.starts[rows] + np.where(outside, tables.escapes[rows], value)]
    by_tables = float(-np.log2((entries & np.uint64(0xFFFF)) / 65536).sum()) / 8
    print(f"Rate: {entropy:.0f} bytes by the likelihoods, {int(outside.sum())} escapes")
    print(f"  {'64 tables of 16 bits':24} {by_tables:9.0f} bytes {100 * (by_tables / entropy - 1):+8.4f} %")
    for name, size in sizes.items():
        print(f"  {name:24} {size:9} bytes {100 * (size / by_tables - 1):+8.4f} % over the tables")
    one = rans.encode(symbols[:1], rows[:1], tables)
    print(f"  one symbol               {len(one):9} bytes by rans, 12 by CompressAI")


def pieces(array: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    return np.split(array, SLICES)


def drifted(rng: np.random.Generator, scales: Float32, rms: float) -> Float32:
    return (scales * (1 + rms * rng.normal(size=len(scales)))).astype(np.float32)


def portable_cost(table: Float32) -> None:
    rng = np.random.default_rng(0)
    scales = scales_from(rng, COUNT, low=0.05)
    slices, indexes = pieces(scales), [scale_indexes(each, table) for each in pieces(scales)]
    data = [syndromes(each) for each in indexes]
    there = {rms: pieces(drifted(rng, scales, rms)) for rms in (0, 1e-6, 1e-5, 5e-5)}
    times = medians(
        {
            "scale_indexes": lambda: [scale_indexes(each, table) for each in slices],
            "syndromes": lambda: [syndromes(each) for each in indexes],
            **{
                f"reconcile, drift {rms:g}": lambda rms=rms: [
                    reconcile(each, table, syndrome) for each, syndrome in zip(there[rms], data, strict=True)
                ]
                for rms in there
            },
        }
    )
    bits = 8 * SLICES * syndrome_size(COUNT // SLICES)
    print(f"Portable profile, {SLICES} slices of {COUNT // SLICES} scales")
    share = 100 * bits / IMAGE_BITS
    print(f"  {bits // 8} bytes: {share:.2f} % of a 512x768 image at 0.5 bits a pixel, promised under 1 %")
    for name, milliseconds in times.items():
        print(f"  {name:42} {milliseconds:8.2f} ms")


def outcome(scales: Float32, table: Float32, data: bytes, indexes: NDArray[np.int32]) -> str:
    try:
        found = reconcile(scales, table, data)
    except StreamError:
        return "refused"
    return "right" if np.array_equal(found, indexes) else "wrong"


def success(table: Float32, images: int) -> None:
    print(f"Reconciling against Gaussian relative drift, {images} images of {SLICES} slices each")
    print("  scales uniform in log from 0.05 to 8 | half of them below 0.11, the others falling off as 1/scale^2")
    print(f"  {'rms drift':>9} {'flips':>8} {'slices refused':>16} {'images refused':>16} {'wrong':>6}")
    for name, draw in (("uniform", lambda rng: scales_from(rng, COUNT, 0.05)), ("steep", steep)):
        for rms in DRIFTS:
            counts, lost, flips = {"right": 0, "refused": 0, "wrong": 0}, 0, 0
            for image in range(images):
                rng = np.random.default_rng([image, int(rms * 1e9)])
                scales = draw(rng)
                found = []
                for here, there in zip(pieces(scales), pieces(drifted(rng, scales, rms)), strict=True):
                    indexes = scale_indexes(here, table)
                    flips += int((scale_indexes(there, table) != indexes).sum())
                    found.append(outcome(there, table, syndromes(indexes), indexes))
                lost += "refused" in found
                for each in found:
                    counts[each] += 1
            refused = counts["refused"] / images / SLICES
            print(
                f"  {rms:9.1e} {flips / images:8.1f} {100 * refused:14.2f} % {100 * lost / images:14.2f} %"
                f" {counts['wrong']:6} {name}"
            )


def steep(rng: np.random.Generator) -> Float32:
    """Scales as of a picture: half of them under the lower bound, few of them large."""
    large = 0.11 / (1 - rng.uniform(0, 1 - 0.11 / 60, COUNT))
    return np.where(rng.random(COUNT) < 0.5, 0.11 * rng.random(COUNT), large).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=20, help="images a row of the table of drifts")
    images = parser.parse_args().images
    torch.set_num_threads(1)
    gaussian = model()
    arrays = (gaussian._quantized_cdf, gaussian._cdf_length, gaussian._offset)
    speed(gaussian, CodingTables(*(array.numpy() for array in arrays)))
    portable_cost(gaussian.scale_table.numpy())
    success(gaussian.scale_table.numpy(), images)


if __name__ == "__main__":
    main()
