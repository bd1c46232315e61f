"""What staff see when a page is not there, may not be used, or breaks: what it is, and what to do next."""

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from apps.core import context
from apps.core.api.problems import server_error
from apps.core.logs import ContextFilter


def test_a_page_that_is_not_there_says_where_to_look(staff_client: Client):
    response = staff_client.get("/nowhere/", headers={"Accept": "text/html"})
    assert response.status_code == 404
    text = response.content.decode()
    assert "There is nothing here" in text
    assert '<a href="/admin/">To the overview</a>' in text


def test_an_action_that_is_not_allowed_says_that_nothing_changed(viewing_client: Client):
    response = viewing_client.post("/admin/kill-switch/installation/", {"engage": "1"})
    assert response.status_code == 403
    assert "You may not do this" in response.content.decode()
    assert "Nothing was changed." in response.content.decode()


def test_what_is_not_allowed_is_logged_with_who_tried(viewing_client: Client, caplog: pytest.LogCaptureFixture):
    caplog.handler.addFilter(ContextFilter())
    viewing_client.post("/admin/kill-switch/installation/", {"engage": "1"})
    (line,) = [vars(record) for record in caplog.records if record.name == "finops.request"]
    assert (line["levelname"], line["status"], line["actor"], line["ip"]) == ("WARNING", 403, "auditor", "127.0.0.1")


def test_a_form_of_another_session_is_to_be_loaded_anew(staff_client: Client):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff_client.cookies
    response = strict.post("/admin/kill-switch/installation/", {"engage": "1"})
    assert response.status_code == 403
    assert "This page was open too long" in response.content.decode()


@pytest.mark.no_database
def test_what_breaks_names_its_request():
    with context.use(context.Context(request_id="request-that-broke")):
        response = server_error(RequestFactory().get("/admin/"))
    assert isinstance(response, HttpResponse)
    assert response.status_code == 500
    assert "<code>request-that-broke</code>" in response.content.decode()
    assert "before you send it again" in response.content.decode()
