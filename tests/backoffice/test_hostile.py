"""Forged input to the admin: an answer that says so, never an error of ours."""

from itertools import cycle, islice

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from apps.tenants.models import Tenant
from apps.users.models import User
from tests.backoffice.test_pages import BASELINES, list_url
from tests.backoffice.world import World

FORGED_IDS = ["abc", "\x00", "9" * 50, "", "' OR 1=1 --"]


AN_ID = "q=01900000-0000-7000-8000-000000000000"
ODD_QUERIES = ["q=%00", "status__exact=%00", "after=%00", "after=W10", "q=%25_'\"", "e=1", "p=x", AN_ID]


# One world for all lists: building one takes longer than asking every list. What one class decides for all lists is
# tried in shares: each list gets some of the values, the next one the next.


def test_chosen_ids_that_are_none_do_nothing(world: World, staff_client: Client) -> None:
    forged_ids = cycle(FORGED_IDS)
    for label in BASELINES:
        model_admin = admin.site._registry[apps.get_model(label)]
        for action in getattr(model_admin, "service_actions", ()):
            for forged in islice(forged_ids, 2):
                response = staff_client.post(list_url(label), {"action": action.name, "_selected_action": [forged]})
                assert response.status_code == 302, (label, action.name, forged)


def test_odd_parameters_of_a_list_are_answered(world: World, staff_client: Client) -> None:
    for place, label in enumerate(BASELINES):
        for query in ODD_QUERIES[place % 3 :: 3]:
            assert staff_client.get(f"{list_url(label)}?{query}").status_code in (200, 302), (label, query)


def test_a_list_is_filtered_by_nothing_but_its_filters(world: World, staff_client: Client) -> None:
    """Whether rows are left would tell a password's hash, letter by letter."""
    for model in admin.site._registry:
        url = list_url(model._meta.label_lower)
        assert staff_client.get(url, {"pk__gt": "1"}).headers.get("Location") == f"{url}?e=1", url
    for url, lookup in (("/admin/tenants/apikey/", "secret_hash__gt"), ("/admin/providers/connection/", "credentials")):
        assert staff_client.get(url, {lookup: "a"})["Location"] == f"{url}?e=1"
    for query in ({"password__startswith": "argon2"}, {"is_staff": "1", "password__startswith": "argon2"}):
        assert staff_client.get("/admin/users/user/", query)["Location"] == "/admin/users/user/?e=1"
        assert staff_client.get("/admin/users/user/", {**query, "live": ""}).status_code != 200
    assert staff_client.get("/admin/users/user/", {"is_staff__exact": "1"}).status_code == 200


def test_nothing_is_viewed_on_a_site(staff_client: Client) -> None:
    for model in (Tenant, User):
        kind = ContentType.objects.get_for_model(model)
        assert staff_client.get(f"/admin/r/{kind.pk}/2/").status_code == 404


@pytest.mark.parametrize("username", ["x" * 300, "a\x00b", "é" * 151])
def test_a_name_that_no_user_can_have_is_refused_by_the_form(username: str) -> None:
    response = Client().post("/admin/login/", {"username": username, "password": "x", "otp_token": "123456"})
    assert response.status_code == 200


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/x", "javascript:alert(1)"])
def test_an_unsafe_next_leads_to_the_dashboard(target: str, world: World, staff_client: Client) -> None:
    response = staff_client.get(f"/admin/login/?next={target}")
    assert (response.status_code, response["Location"]) == (302, "/admin/")
