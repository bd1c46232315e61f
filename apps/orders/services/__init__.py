"""Writes of the orders room, one file a topic. Lock order: risk account, order, position (locking.py)."""
