"""Order intake: the one hot path (docs/adr/0010-order-intake.md)."""
