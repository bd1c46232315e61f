"""List the simulated providers: one explicit dict, one package each."""

from sandbox.providers.alpaca import Alpaca
from sandbox.providers.base import Provider
from sandbox.providers.teller import Teller

PROVIDERS: dict[str, type[Provider]] = {Teller.name: Teller, Alpaca.name: Alpaca}
