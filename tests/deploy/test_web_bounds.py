"""What the web server itself bounds, and what reaches us through it: asked over a socket, byte by byte."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest

from tests.orders.storm.web_process import WebProcess

pytestmark = pytest.mark.prove

POST = b"POST /api/v1/auth/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
GET = b"GET /api/v1/tenant%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
THREADS = 4  # WebProcess's


@pytest.fixture
def web(process_environment: dict[str, str], tmp_path: Path) -> Iterator[WebProcess]:
    with WebProcess(process_environment, tmp_path / "web.log") as process:
        yield process


def ask(web: WebProcess, *parts: bytes) -> tuple[int, str]:
    """Send the parts and return the answer's status and problem code, if it has one."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        answer = HTTPResponse(connection)
        answer.begin()
        is_problem = answer.headers.get_content_type() == "application/problem+json"
        return answer.status, json.loads(answer.read())["code"] if is_problem else ""


def chunks(size: int, count: int) -> bytes:
    return (b"%x\r\n" % size + b"a" * size + b"\r\n") * count


def test_each_bound_through_the_web_server(web: WebProcess):
    close = b"Connection: close\r\n"
    with_chunks = POST + close + b"Transfer-Encoding: chunked\r\n\r\n"
    fields = b"".join(b"X-%d: a\r\n" % number for number in range(200))
    answers = {
        "a small chunked body": ask(web, with_chunks, b"2\r\n{}\r\n0\r\n\r\n"),
        "a chunked body without end": ask(web, with_chunks, chunks(65_536, 16), b"1\r\na\r\n"),
        "a declared body that is too large": ask(web, POST + close + b"Content-Length: 1048577\r\n\r\n"),
        "two lengths": ask(web, POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        "a long query": ask(web, GET % (b"?" + b"a" * 8_200) + b"\r\n"),
        "a longer query": ask(web, GET % (b"?" + b"a" * 70_000) + b"\r\n"),
        "a long header field": ask(web, GET % b"" + b"Authorization: Bearer " + b"a" * 17_000 + b"\r\n\r\n"),
        "many header fields": ask(web, GET % b"" + fields + b"\r\n"),
    }
    assert answers == {
        "a small chunked body": (400, "validation_failed"),
        "a chunked body without end": (413, "body_too_large"),
        "a declared body that is too large": (413, "body_too_large"),
        "two lengths": (400, ""),
        "a long query": (414, "address_too_long"),
        "a longer query": (414, ""),
        "a long header field": (431, "headers_too_large"),
        "many header fields": (431, ""),
    }


SMUGGLED = b"GET /api/v1/nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
FRAMES = {
    "both, the length shorter": b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    "both, the length longer": b"Content-Length: 200\r\nTransfer-Encoding: chunked\r\n",
    "an encoding that is none": b"Transfer-Encoding: xchunked\r\n",
    "a second encoding": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "a blank before the colon": b"Transfer-Encoding : chunked\r\n",
    "a length with a sign": b"Content-Length: +2\r\n",
}


def test_where_a_request_ends_cannot_be_disputed(web: WebProcess):
    """Refused, or read by its chunks alone (RFC 9112, 6.3), and then closed: no body becomes a request."""
    for name, fields in FRAMES.items():
        with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
            connection.sendall(POST + fields + b"\r\n" + b"2\r\n{}\r\n0\r\n\r\n" + SMUGGLED)
            answer = HTTPResponse(connection)
            answer.begin()
            code = "validation_failed" if name.startswith("both") else ""
            body = answer.read()
            assert (answer.status, json.loads(body)["code"] if body else "") == (400, code), name
            assert (answer.headers["Connection"], connection.recv(1)) == ("close", b""), name


def test_a_body_that_stalls_holds_one_thread_until_its_client_is_gone(web: WebProcess):
    """Hence the proxy in front takes bodies whole before it passes them on: docs/security.md."""
    with ExitStack() as stalled:
        for _client in range(THREADS - 1):
            connection = stalled.enter_context(socket.create_connection(("127.0.0.1", web.port)))
            connection.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        for _request in range(20):
            assert httpx.get(f"http://127.0.0.1:{web.port}/livez", verify=False, timeout=5).status_code == 200
    for _request in range(THREADS * 2):
        assert ask(web, GET % b"" + b"\r\n") == (401, "authentication_required")


def test_a_stalled_body_holds_nobody_where_credentials_are_missing(web: WebProcess):
    request = POST.replace(b"auth/token", b"orders") + b"Connection: close\r\nContent-Length: 100\r\n\r\n{"
    for _request in range(THREADS * 2):
        assert ask(web, request) == (401, "authentication_required")
