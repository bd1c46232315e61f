"""Sending: one event loop a process, many requests at once, all database work on one thread."""

from apps.webhooks.sending.sender import Sender

__all__ = ["Sender"]
