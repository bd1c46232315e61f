"""Crashes at every statement: whatever a POST was doing, sending it again makes it happen once."""
