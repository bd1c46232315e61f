"""Alpaca's objects in our terms: pure functions, one file per kind of object.

A row that does not map comes back as a RejectedRow with its reason; nothing here raises for what Alpaca sends.
"""
