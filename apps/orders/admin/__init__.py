"""The desk, as staff see it: the blotter and orders' pages, trading accounts, positions, fills and decisions."""

from apps.orders.admin import accounts, decisions, executions, orders

__all__ = ["accounts", "decisions", "executions", "orders"]  # importing them registers their pages
