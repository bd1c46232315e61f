"""Sending: one event loop a process, many requests at once, all database work on one thread."""

from apps.webhooks.sending.sender import Sender
from apps.webhooks.sending.station import Station

__all__ = ["Sender", "Station"]
