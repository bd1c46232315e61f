"""The rules of trading as pure functions: the state table, the gate's checks, the cost of a position.

They import no Django and read no clock, so that the live path, tests and backtests call the very same functions.
"""
