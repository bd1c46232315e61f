"""The door of the admin, as a browser and its password manager see it, and the way out."""

import re

from django.test import Client

from tests.backoffice.staff import LOGIN, code_of, post_login, wait_for_fresh_period
from tests.backoffice.test_pages import list_url

COOKIE = "sessionid"


def inputs_of(page: str, name: str) -> str:
    """Return the one input of this name."""
    (found,) = re.findall(rf'<input[^>]*name="{name}"[^>]*>', page)
    return str(found)


def test_passwords_are_masked_and_managers_may_fill_them_in(staff_client: Client, database: str) -> None:
    expected = {
        LOGIN: {"password": "current-password"},
        "/admin/password_change/": {
            "old_password": "current-password",
            "new_password1": "new-password",
            "new_password2": "new-password",
        },
    }
    for url, fields in expected.items():
        page = (Client() if url == LOGIN else staff_client).get(url).content.decode()
        for name, kind in fields.items():
            field = inputs_of(page, name)
            assert ('type="password"' in field, f'autocomplete="{kind}"' in field) == (True, True), field
            assert "readonly" not in field
        assert "onpaste" not in page


def test_signing_in_gives_a_new_random_session(staff, device) -> None:
    client = Client()
    client.session.save()
    planted = client.cookies[COOKIE].value
    wait_for_fresh_period(device)
    assert post_login(client, code=code_of(device)).status_code == 302
    given = client.cookies[COOKIE].value
    assert given != planted
    assert re.fullmatch("[a-z0-9]{32}", given), "36^32 are 165 bits"
    # Whoever planted the earlier one is outside.
    other = Client()
    other.cookies[COOKIE] = planted
    assert other.get("/admin/").status_code == 302


def test_every_page_has_the_way_out(staff_client: Client, database: str) -> None:
    lists = [list_url(label) for label in ("audit.auditentry", "tenants.tenant", "users.session")]
    for url in ("/admin/", "/admin/kill-switch/", "/admin/password_change/", *lists):
        page = staff_client.get(url).content.decode()
        assert 'action="/admin/logout/"' in page, url
