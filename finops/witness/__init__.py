"""Checkpoints for independent stores, so that nobody who holds our database can take back what a log once was."""
