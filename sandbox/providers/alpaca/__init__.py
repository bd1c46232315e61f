"""Simulate Alpaca's paper trading (https://docs.alpaca.markets), see `twin.py`; its controls, see `controls.py`."""

from sandbox.providers.alpaca.twin import Alpaca

__all__ = ["Alpaca"]
