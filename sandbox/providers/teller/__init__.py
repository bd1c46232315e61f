"""Simulate Teller (https://teller.io/docs/api), see `twin.py`; its test controls, see `controls.py`."""

from sandbox.providers.teller.twin import Teller

__all__ = ["Teller"]
