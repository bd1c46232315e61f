"""Kills: whatever dies, at whatever instant, the venue has each order once and we know its true state."""
