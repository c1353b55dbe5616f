"""Maps of one size that nets see side by side, and what many nets that see them can share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from codecspec.runtime.layers import winograd

MAX_STORE_BYTES = 256 * 2**20
"""Of tiles that are kept for later nets; without them maps are joined, and each net makes tiles of its own."""
ROOM = 128
"""Channels of a slice that come beside its support, at most; with more of them the tiles are made again."""


class TileStore:
    """Tiles of maps that nets see again and again, side by side in one buffer, so that nets read several as one.

    Args:
        like: one of the maps, (N, C, H, W).
        channels: of all maps that will be here at once; those that go beyond are not kept.
    """

    def __init__(self, like: Tensor, channels: int) -> None:
        n, _, height, width = like.shape
        self._shape = (4, 4, n, *winograd.tile_counts(height, width))
        self._like = like
        self._channels = channels
        self._tiles: Tensor | None = None
        self._held: dict[int, Tensor] = {}

    def has_room(self, channels: int) -> bool:
        """Whether so many are in it, and it is small enough to be kept."""
        size = math.prod(self._shape) * self._channels * self._like.element_size()
        return channels <= self._channels and size <= MAX_STORE_BYTES

    def tiles(self, offset: int, parts: Sequence[Tensor]) -> Tensor:
        """(16, tiles, channels of all parts): those of the parts side by side from the channel `offset` on."""
        if self._tiles is None:
            self._tiles = self._like.new_empty(*self._shape, self._channels)
        end = offset
        for part in parts:
            self._hold(end, part)
            end += part.shape[1]
        return self._tiles.view(winograd.ELEMENTS, -1, self._channels)[:, :, offset:end]

    def _hold(self, offset: int, part: Tensor) -> None:
        """Have the part's tiles at `offset`; what they overwrite is no longer held."""
        held = self._held.get(offset)
        if held is not None and held.data_ptr() == part.data_ptr() and held.shape == part.shape:
            return
        end = offset + part.shape[1]
        for other in [at for at, its in self._held.items() if at < end and offset < at + its.shape[1]]:
            del self._held[other]
        padded = winograd.padded_maps(part.permute(0, 2, 3, 1))
        winograd.write_tiles(padded, self._tiles[..., offset:end])  # type: ignore[index]
        self._held[offset] = part  # kept alive, so that its address stays its own


class SeenMaps:
    """Maps side by side along their channels, joined only for nets that need them so.

    Args:
        parts: (N, C, H, W) each.
        offsets: the channel of the store at which each part has its place.
        store: where their tiles are kept.
    """

    def __init__(self, parts: Sequence[Tensor], offsets: Sequence[int], store: TileStore) -> None:
        self.parts = tuple(parts)
        self.offsets = tuple(offsets)
        self.store = store

    @classmethod
    def of(cls, x: Tensor, *, room: int = ROOM) -> SeenMaps:
        """One map with a store of its own, and room for so many channels beside it."""
        return cls([x], [0], TileStore(x, x.shape[1] + room))

    def joined(self) -> Tensor:
        """(N, channels of all, H, W)."""
        return self.parts[0] if len(self.parts) == 1 else torch.cat(self.parts, dim=1)

    def beside(self, x: Tensor) -> SeenMaps:
        """These maps and x after them."""
        return SeenMaps([*self.parts, x], [*self.offsets, self.offsets[-1] + self.parts[-1].shape[1]], self.store)

    def convolved(self, conv: nn.Module) -> Tensor:
        """What a layer makes of the joined maps; (N, out, H, W)."""
        like = self.parts[0]
        end = self.offsets[-1] + self.parts[-1].shape[1]
        if not (isinstance(conv, nn.Conv2d) and winograd.suits(conv, like) and self.store.has_room(end)):
            out: Tensor = conv(self.joined())
            return out
        height, width = like.shape[-2:]
        taps, products, begin = winograd.taps_of(conv.weight), None, 0
        for offset, parts in self._runs():
            tiles = self.store.tiles(offset, parts)
            own = taps[:, begin : begin + tiles.shape[2]]
            products = torch.bmm(tiles, own) if products is None else products.baddbmm_(tiles, own)
            begin += tiles.shape[2]
        size = (len(like), *winograd.tile_counts(height, width))
        made = winograd.maps_of(products, conv.bias, size)  # type: ignore[arg-type]
        return made[:, :height, :width].permute(0, 3, 1, 2)

    def _runs(self) -> list[tuple[int, list[Tensor]]]:
        """(offset, parts) of parts that lie side by side in the store as they do here."""
        runs: list[tuple[int, list[Tensor]]] = []
        end = -1
        for offset, part in zip(self.offsets, self.parts, strict=True):
            if offset == end:
                runs[-1][1].append(part)
            else:
                runs.append((offset, [part]))
            end = offset + part.shape[1]
        return runs
