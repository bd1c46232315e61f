"""What every request passes before it reaches a view; finops/settings/base.py has the order."""
