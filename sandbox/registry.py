"""List the simulated providers: one explicit dict, one package each."""

from sandbox.providers.alpaca import Alpaca
from sandbox.providers.base import Provider
from sandbox.providers.pwnedpasswords import PwnedPasswords
from sandbox.providers.teller import Teller

PROVIDERS: dict[str, type[Provider]] = {twin.name: twin for twin in (Teller, Alpaca, PwnedPasswords)}
