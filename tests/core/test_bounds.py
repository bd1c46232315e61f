"""How large a request may be. Each refusal has its code, and comes before anything is looked up or written."""

from io import BytesIO
from typing import Any

import msgspec
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client

from apps.core.api.exceptions import MAX_ERRORS
from apps.core.api.parsers import MAX_DEPTH, is_deeper_than

TOKEN = "/api/v1/auth/token"
MEGABYTE = 1_048_576


def code_of(response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def nested(depth: int) -> bytes:
    """Return an object that is `depth` objects and lists deep."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a" * 8_000, (401, "authentication_required")),
        ("a" * 8_192, (414, "address_too_long")),
        ("&".join("abcd" * 25), (401, "authentication_required")),
        ("&".join("abcd" * 25) + "&a", (400, "too_many_parameters")),
        ("&" * 8_000, (400, "too_many_parameters")),
    ],
)
def test_an_address_has_8192_characters_and_a_hundred_parameters(client: Client, query, expected):
    assert code_of(client.get("/api/v1/tenant", query_params=None, QUERY_STRING=query)) == expected


def test_a_path_that_is_too_long_is_refused_on_pages_too(client: Client):
    response = client.get("/admin/" + "a" * 8_192)
    assert (response.status_code, response["Content-Type"]) == (414, "text/html; charset=utf-8")
    text = response.content.decode()
    assert "<h1>The address is too long</h1>" in text
    assert "start from the overview" in text
    assert f"<code>{response['X-Request-ID']}</code>" in text


def test_staff_are_told_what_helps_when_header_fields_or_a_form_are_too_large(client: Client):
    fields = client.get("/admin/", headers={"Cookie": "a" * 16_384})
    assert (fields.status_code, "delete this site's, then sign in again" in fields.content.decode()) == (431, True)
    form = client.post("/admin/login/", {"username": "a" * MEGABYTE})
    assert (form.status_code, "a megabyte at most" in form.content.decode()) == (413, True)


@pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key", "If-Match", "Cookie", "X-Forwarded-For", "X-Any"])
def test_header_fields_have_16384_characters_together(client: Client, name: str):
    assert code_of(client.get("/api/v1/tenant", headers={name: "a" * 16_300}))[0] in (200, 401)
    assert code_of(client.get("/api/v1/tenant", headers={name: "a" * 16_384})) == (431, "headers_too_large")


def test_a_body_has_a_megabyte(client: Client):
    fits = b'{"email": "' + b"a" * (MEGABYTE - 13) + b'"}'
    assert len(fits) == MEGABYTE
    assert code_of(client.post(TOKEN, fits, content_type="application/json")) == (400, "validation_failed")
    assert code_of(client.post(TOKEN, fits + b" ", content_type="application/json")) == (413, "body_too_large")
    assert client.post("/admin/login/", fits + b" ", content_type="application/json").status_code == 413


def test_a_form_that_ends_early_is_no_form():
    """Its client went away while it sent: the server hands on what came."""
    whole = b"username=staff&password=correct+horse+battery"
    told = {"CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": str(len(whole))}
    assert send("/admin/login/", whole, **told)[0] == 403  # without a CSRF token
    status, page = send("/admin/login/", whole[:-5], **told)
    assert (status, b"Go back, load the page anew" in page) == (400, True)


def chunked(path: str, body: bytes, *, terminated: bool = True) -> tuple[int, dict[str, Any]]:
    """Post a body without a declared length, as a web server hands it on."""
    told = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_TYPE": "application/json"}
    status, content = send(path, body, **told, **{"wsgi.input_terminated": terminated})
    return status, msgspec.json.decode(content)


def send(path: str, body: bytes, **told: Any) -> tuple[int, bytes]:
    """Post a body past the test client, which would not send one that contradicts its length."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        **told,
    }
    statuses: list[str] = []

    def start(status: str, _headers: Any, _error: Any = None, /) -> Any:
        statuses.append(status)

    content = b"".join(WSGIHandler()(environ, start))
    return int(statuses[0][:3]), content


def test_a_body_without_a_declared_length_is_read_and_bounded():
    status, problem = chunked(TOKEN, b'{"nothing": 1}')
    assert (status, [error["field"] for error in problem["errors"]]) == (400, ["nothing"])
    status, problem = chunked(TOKEN, b'{"email": "' + b"a" * MEGABYTE + b'"}')
    assert (status, problem["code"]) == (413, "body_too_large")
    status, problem = chunked(TOKEN, b"")
    assert (status, problem["code"]) == (400, "validation_failed")


def test_a_server_that_does_not_end_its_input_is_not_waited_for():
    status, problem = chunked(TOKEN, b'{"nothing": 1}', terminated=False)
    assert (status, {error["code"] for error in problem["errors"]}) == (400, {"required"})


def test_json_is_twenty_deep(client: Client):
    assert code_of(client.post(TOKEN, nested(MAX_DEPTH), "application/json")) == (400, "validation_failed")
    assert code_of(client.post(TOKEN, nested(MAX_DEPTH + 1), "application/json")) == (400, "body_too_deep")
    # The decoder itself gives up long before the interpreter's stack ends.
    assert code_of(client.post(TOKEN, nested(500_000), "application/json")) == (400, "malformed_request")


@pytest.mark.no_database
def test_depth_is_counted_in_lists_and_objects():
    assert not is_deeper_than({}, 1)
    assert not is_deeper_than({"a": [1, "b"]}, 2)
    assert is_deeper_than({"a": [1, {}]}, 2)
    assert is_deeper_than({"a": 1, "b": {"c": {}}}, 2)


def test_an_answer_names_a_hundred_errors_at_most(client: Client):
    body = msgspec.json.encode({f"field{number}": number for number in range(50_000)})
    problem = client.post(TOKEN, body, "application/json").json()
    assert (problem["code"], len(problem["errors"])) == ("validation_failed", MAX_ERRORS)
