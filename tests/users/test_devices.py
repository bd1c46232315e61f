"""Names of devices, out of user agents as they are sent."""

import pytest

from apps.users.devices import device_name

pytestmark = pytest.mark.no_database
MOZILLA, WEBKIT = "Mozilla/5.0", "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"{MOZILLA} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"{MOZILLA} (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/139.0.0.0 Safari/537.36", "Chrome on Windows"),
        (f"{MOZILLA} (Windows NT 10.0) {WEBKIT} Chrome/139.0 Safari/537.36 Edg/139.0", "Edge on Windows"),
        (f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18.5 Safari/605.1.15", "Safari on macOS"),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 18_5 like Mac OS X) {WEBKIT} Safari/604.1", "Safari on iPhone"),
        (f"{MOZILLA} (Linux; Android 10; K) {WEBKIT} Chrome/139.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.14.1", "curl"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("x" * 200, "x" * 40),
        ("", ""),
    ],
)
def test_a_device_has_the_name_that_people_use(user_agent: str, name: str) -> None:
    assert device_name(user_agent) == name
