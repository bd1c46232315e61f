"""Holds answers to the OpenAPI document and to the conventions that hold for all of them."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker

from tests.matrix.routes import BASE, Route

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ].*")
_TIME_WITH_Z = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_PLAIN_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d*[1-9])?")

formats = FormatChecker(["uuid", "date", "date-time", "email"])


@formats.checks("decimal")
def _is_plain_decimal(value: object) -> bool:
    return not isinstance(value, str) or bool(_PLAIN_DECIMAL.fullmatch(value))


class Contract:
    """The OpenAPI document, read strictly: an answer has no member that the document does not name."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._components = _closed(document["components"])

    @property
    def operations(self) -> set[tuple[str, str]]:
        """The (path, METHOD) pairs that the document has."""
        return {(path, method.upper()) for path, item in self.document["paths"].items() for method in item}

    def request_fields(self, route: Route, method: str) -> dict[str, Any]:
        """Return the members of the operation's request body, by name, with their schemas."""
        body = self._operation(route, method).get("requestBody")
        if body is None:
            return {}
        name = body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        fields: dict[str, Any] = self.document["components"]["schemas"][name]["properties"]
        return fields

    def check(self, answer: Any, route: Route, method: str) -> None:
        """Check status, content type and body against the operation."""
        responses = self._operation(route, method)["responses"]
        if answer.status_code >= 400:
            assert str(answer.status_code) in responses, f"{method} {route.path} may answer {answer.status_code}?"
            refusal = responses[str(answer.status_code)]
            self._check_body(answer, refusal, "application/problem+json", is_open=True)
            check_problem(answer)
            return
        response = responses[str(answer.status_code)]
        if "content" in response and answer["Content-Type"] != "application/json":
            kinds = {kind.partition(";")[0] for kind in response["content"]}
            assert answer["Content-Type"].partition(";")[0] in kinds  # a file, or a text for people and programs
        elif "content" in response:
            self._check_body(answer, response, "application/json")
            check_notation(answer)
        else:
            assert answer.content == b""
            assert "Content-Type" not in answer

    def _operation(self, route: Route, method: str) -> dict[str, Any]:
        operation: dict[str, Any] = self.document["paths"][BASE + route.path][method.lower()]
        return operation

    def _check_body(self, answer: Any, response: dict[str, Any], media_type: str, *, is_open: bool = False) -> None:
        assert answer["Content-Type"] == media_type
        schema = response["content"][media_type]["schema"]
        components = self.document["components"] if is_open else self._components
        root = {**(schema if is_open else _closed(schema)), "components": components}
        problems = list(Draft202012Validator(root, format_checker=formats).iter_errors(answer.json()))
        assert problems == [], problems[0]


def check_problem(answer: Any) -> None:
    """Check what every problem document promises."""
    problem = answer.json()
    assert list(problem)[:7] == ["type", "title", "status", "detail", "instance", "code", "request_id"]
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"http://testserver/problems/{problem['code']}"
    assert problem["instance"] == answer.wsgi_request.path
    assert problem["request_id"] == answer["X-Request-ID"]
    assert all(problem[name] for name in ("title", "detail"))
    for error in problem.get("errors", []):
        assert set(error) == {"field", "code", "message"}


def check_notation(answer: Any) -> None:
    """Check that ids are UUIDv7 and times UTC with Z, wherever they stand."""
    for text in strings(json.loads(answer.content)):
        if _UUID.fullmatch(text):
            assert (str(UUID(text)), UUID(text).version) == (text, 7), text
        if _TIME.fullmatch(text):
            assert _TIME_WITH_Z.fullmatch(text), text


def strings(value: Any) -> Iterator[str]:
    """Return every string in a JSON value, member names left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from strings(member)


def _closed(schema: Any) -> Any:
    """Return the schema with every object closed that does not say otherwise."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed
