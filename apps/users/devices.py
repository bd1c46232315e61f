"""What people call the device that a session is used on, as far as its user agent tells."""

# The first that fits: most browsers name their predecessors as well.
_CLIENTS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def device_name(user_agent: str) -> str:
    """Return a name such as “Firefox on Linux”, or of a program its own, such as “curl”; empty without a user agent."""
    client = next((name for mark, name in _CLIENTS.items() if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in user_agent), "")
    if client and system:
        return f"{client} on {system}"
    return client or system or user_agent.partition("/")[0][:40].strip()
