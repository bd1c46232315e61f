"""One tenant as files: JSON Lines per table and a manifest, restorable into an installation that has none of it."""
