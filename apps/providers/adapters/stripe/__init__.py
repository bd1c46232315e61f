"""Stripe: how its webhooks are judged. There is no adapter that reads anything from it yet."""
