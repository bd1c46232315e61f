"""Instruments, listings, quotes and venues' clocks, as staff see them: read-only, observed and not decided."""

from apps.market.admin import clocks, imports, instruments, listings, quotes

__all__ = ["clocks", "imports", "instruments", "listings", "quotes"]  # importing them registers their pages
