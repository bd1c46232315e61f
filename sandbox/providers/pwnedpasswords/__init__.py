"""Simulate Pwned Passwords (https://haveibeenpwned.com/API/v3#PwnedPasswords), see `twin.py`."""

from sandbox.providers.pwnedpasswords.twin import PwnedPasswords

__all__ = ["PwnedPasswords"]
