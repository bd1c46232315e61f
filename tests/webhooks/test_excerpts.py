"""What is kept of a receiver's answer."""

import pytest

from apps.webhooks.models import Endpoint
from tests.factories.webhooks import attempts_of, deliveries_of, make_endpoint, relay, send_due
from tests.webhooks.receiver import Answer, Receiver

pytestmark = pytest.mark.worker_login


def excerpt_of(endpoint: Endpoint) -> str:
    (delivery,) = deliveries_of(endpoint)
    (attempt,) = attempts_of(delivery)
    return attempt.response_excerpt


def test_what_is_kept_of_an_answer_is_short_readable_and_without_secrets(acme) -> None:
    said = b"\x00\xff token whsec_" + b"A" * 40 + b"= and more " + b'{"password":"hunter2"}' + b"x" * 20_000
    with Receiver(Answer(500, said)) as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        relay(acme)
        send_due()
    excerpt = excerpt_of(endpoint)
    assert excerpt.startswith('\ufffd\ufffd token [redacted] and more {"password":"[redacted]"}xxx')
    assert len(excerpt) <= 1_024


def test_a_receiver_that_repeats_what_it_was_sent_tells_nobody_the_endpoints_headers(acme) -> None:
    headers = {"X-Api-Key": "s3cr3t-of-acme", "X-Stage": "dev"}
    with Receiver(lambda received: Answer(500, str(dict(received.headers)).encode())) as receiver:
        endpoint = make_endpoint(acme, receiver.url, headers=headers).endpoint
        relay(acme)
        send_due()
    excerpt = excerpt_of(endpoint)
    assert "'X-Api-Key': '[redacted]'" in excerpt
    assert "'X-Stage': 'dev'" in excerpt


def test_a_secret_that_the_excerpts_end_would_cut_is_masked_as_a_whole(acme) -> None:
    card = b"4111 1111 1111 1111"
    with Receiver(Answer(500, b"." * 1_007 + b" " + card)) as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        relay(acme)
        send_due()
    assert excerpt_of(endpoint) == "." * 1_007 + " [redacted]"
