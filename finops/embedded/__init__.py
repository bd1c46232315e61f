"""Embedded engines and the supervisor behind `make run`; production never imports this package."""
