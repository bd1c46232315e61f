"""Move the prices: a function of seed, symbol and virtual time, so a restart changes nothing.

A price is its start times a sum of slow and quick waves, plus a little noise, stepping five times a second.
Tests lay something over it: a held price, quotes that have grown old, no quotes at all, a halt.
"""

import math
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from sandbox.providers.alpaca.assets import ASSETS, Asset
from sandbox.providers.alpaca.wire import digest

STEP_SECONDS = 0.2
# (period in seconds, amplitude as a share of the price)
WAVES = ((7.0, 0.0001), (61.0, 0.0004), (610.0, 0.0015), (10_800.0, 0.006), (110_000.0, 0.02), (2_600_000.0, 0.05))
NOISE = 0.00015
HALF_SPREAD = 0.0001


@dataclass(frozen=True, slots=True)
class Quote:
    """Carry what the market says of a symbol: prices in USD, sizes in lots."""

    bid: Decimal
    ask: Decimal
    last: Decimal
    bid_size: int
    ask_size: int
    step: int


@dataclass(frozen=True, slots=True)
class Overlay:
    """Hold what tests laid over a symbol. `frozen_at`: the real instant that its quotes show for ever."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    frozen_at: float | None = None
    quoteless: bool = False
    halted: bool = False


class Tape:
    """Tell every symbol's price at a virtual instant."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._salts: dict[str, tuple[float, ...]] = {}
        self._seen: dict[str, Quote] = {}
        self._overlays: dict[str, Overlay] = {}

    def overlay(self, symbol: str) -> Overlay:
        """Return what is laid over a symbol."""
        return self._overlays.get(symbol, Overlay())

    def lay(self, symbol: str, **changes: object) -> None:
        """Lay something over a symbol, or take it away."""
        self._overlays[symbol] = replace(self.overlay(symbol), **changes)  # type: ignore[arg-type]
        self._seen.pop(symbol, None)

    def quote(self, symbol: str, instant: float) -> Quote:
        """Return the prices at a virtual instant, whether or not clients may see them."""
        step = int(instant // STEP_SECONDS)
        seen = self._seen.get(symbol)
        if seen is None or seen.step != step:
            seen = self._seen[symbol] = self._quote(ASSETS[symbol], step)
        return seen

    def process(self, symbol: str, instant: float) -> Decimal:
        """Return the price that the process alone gives, at the step that holds the instant."""
        asset = ASSETS[symbol]
        step = int(instant // STEP_SECONDS)
        return _on_tick(asset, float(asset.price) * self._factor(symbol, step))

    def _quote(self, asset: Asset, step: int) -> Quote:
        laid = self.overlay(asset.symbol)
        lots = digest(self._seed, asset.symbol, step)
        if laid.bid is not None and laid.ask is not None:
            last = ((laid.bid + laid.ask) / 2).quantize(asset.tick, ROUND_HALF_UP)
            return Quote(laid.bid, laid.ask, last, 1 + lots[0] % 40, 1 + lots[1] % 40, step)
        middle = float(asset.price) * self._factor(asset.symbol, step)
        last = _on_tick(asset, middle)
        half = max(1, round(middle * HALF_SPREAD / float(asset.tick))) * asset.tick
        return Quote(last - half, last + half, last, 1 + lots[0] % 40, 1 + lots[1] % 40, step)

    def _factor(self, symbol: str, step: int) -> float:
        instant = step * STEP_SECONDS
        phases = self._salts.get(symbol) or self._phases(symbol)
        waves = sum(
            size * math.sin(math.tau * (instant / period + phase))
            for (period, size), phase in zip(WAVES, phases, strict=True)
        )
        noise = int.from_bytes(digest(self._seed, symbol, "noise", step)[:4], "big") / 2**31 - 1
        return 1 + waves + NOISE * noise

    def _phases(self, symbol: str) -> tuple[float, ...]:
        raw = digest(self._seed, symbol, "phases")
        self._salts[symbol] = tuple(raw[index] / 256 for index in range(len(WAVES)))
        return self._salts[symbol]


def _on_tick(asset: Asset, price: float) -> Decimal:
    tick = asset.tick if price >= 1 else min(asset.tick, Decimal("0.0001"))
    return max(tick, Decimal(round(price / float(tick))) * tick)
