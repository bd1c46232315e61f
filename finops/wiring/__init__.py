"""What rooms need of those that stand above them, which they do not know: the project says it when it starts."""
