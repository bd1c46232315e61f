"""The finops project: settings, URLs, processes and the embedded engines."""
