import json
import logging
import re

import pytest
from django.test import RequestFactory

from apps.core import context
from apps.core.actor import system_actor
from apps.core.logs import ContextFilter, JsonFormatter, RedactionFilter
from apps.core.redaction import redact, redact_body, redact_text

pytestmark = pytest.mark.no_database

SECRETS = [
    "fop_test_0123456789abcdefABCDEF",
    "fop_live_0123456789abcdefABCDEF",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "test_tkn_acme",
    "token_abcdef123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_a_text_is_masked_wherever_it_stands(secret: str) -> None:
    assert redact_text(f"before {secret} after") == "before [redacted] after"


def test_credentials_in_urls_and_headers_are_masked() -> None:
    assert redact_text("postgresql://web:pa55@db:5432/x") == "postgresql://[redacted]@db:5432/x"
    assert redact_text("Authorization: Bearer abcdefgh.ijklmnop") == "Authorization: Bearer [redacted]"
    assert redact_text("Authorization: Basic dG9rZW46c2VjcmV0") == "Authorization: Basic [redacted]"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"password":"hunter2","n":1}', '{"password":"[redacted]","n":1}'),
        ('{"Client-Secret" : "a\\"b", "otp": 123456}', '{"Client-Secret" : "[redacted]", "otp": "[redacted]"}'),
        ("{'X-Api-Key': 's3cr3t', 'a': 'b'}", "{'X-Api-Key': '[redacted]', 'a': 'b'}"),
        ('{"access_token": "cut o', '{"access_token": "[redacted]"'),
        ("user=ann&password=hunter2&a=b", "user=ann&password=[redacted]&a=b"),
        ('{"token": null, "secret": "", "said": "no token: none"}',) * 2,
        ("Invalid token: it has expired.",) * 2,
    ],
)
def test_an_answer_is_masked_by_the_names_in_it_without_being_parsed(body: str, shown: str) -> None:
    assert redact_body(body) == shown


def test_plain_prose_stays_as_it_is() -> None:
    assert redact_text("Basic salary, paid by Bearer cheque") == "Basic salary, paid by Bearer cheque"


@pytest.mark.parametrize(
    "text",
    [
        "jane.doe+test@mail.customer.example",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "378282246310005",
        "DE89 3704 0044 0532 0130 00",
        "GB82WEST12345698765432",
    ],
)
def test_personal_data_is_masked(text: str) -> None:
    assert redact_text(f"for {text}.") == "for [redacted]."
    assert redact_text(f"{{'a': '{text}'}}") == "{'a': '[redacted]'}"


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # no card: the check digit is wrong
        "DE89 3704 0044 0532 0130 01",
        "4111111111111111.25",  # an amount
        "019a201f-4111-7111-8111-111111111111",
        "at 2026-11-22T06:44:15.123456Z, 1763793855123 ms",
        "sent@12:30 by ops@",
    ],
)
def test_what_only_resembles_personal_data_stays(text: str) -> None:
    assert redact_text(text) == text


def test_an_object_in_a_log_line_is_redacted_and_a_request_left_out() -> None:
    record = logging.makeLogRecord({"msg": "x", "error": ValueError(SECRETS[0]), "raw": SECRETS[1].encode()})
    record.request = RequestFactory().get("/path?password=hunter2")
    ContextFilter().filter(record)
    RedactionFilter().filter(record)
    line = json.loads(JsonFormatter().format(record))
    assert (line["error"], line["raw"], "request" in line) == ("[redacted]", "b'[redacted]'", False)


def test_values_under_secret_names_are_masked_at_any_depth() -> None:
    assert redact({"a": [{"access_token": "x", "label": "bank"}], "password": "y", "Api-Key": "z"}) == {
        "a": [{"access_token": "[redacted]", "label": "bank"}],
        "password": "[redacted]",
        "Api-Key": "[redacted]",
    }


def test_a_log_line_is_json_with_ids_and_without_secrets() -> None:
    record = logging.makeLogRecord(
        {
            "name": "x",
            "levelname": "INFO",
            "msg": "key %s",
            "args": (SECRETS[0],),
            "token": "abc",
            "path": "/a",
        }
    )
    actor = system_actor("scheduler")
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    with context.use(context.Context(request_id="r-1", traceparent=trace, actor=actor)):
        ContextFilter().filter(record)
        RedactionFilter().filter(record)
        line = json.loads(JsonFormatter().format(record))
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", line.pop("at")), "UTC, whatever the machine's zone"
    assert line == {
        "level": "INFO",
        "logger": "x",
        "event": "key [redacted]",
        "request_id": "r-1",
        "trace_id": "a" * 32,
        "actor": "scheduler",
        "token": "[redacted]",
        "path": "/a",
    }


def test_a_traceback_is_redacted_too() -> None:
    try:
        raise ValueError(SECRETS[1])
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": (type(error), error, error.__traceback__)})
    ContextFilter().filter(record)
    RedactionFilter().filter(record)
    text = JsonFormatter().format(record)
    assert SECRETS[1] not in text
    assert "ValueError: [redacted]" in text
