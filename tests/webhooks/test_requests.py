"""What an endpoint may choose of its requests: headers of its own, and who can check their signatures."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from apps.core import clock
from apps.core.actor import system_actor
from apps.webhooks.services import rotate_secret, update_endpoint
from tests.factories.webhooks import make_endpoint, relay, send_due
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.worker_login


def test_whoever_has_the_public_key_can_check_and_in_the_grace_both_sign(acme) -> None:
    with Receiver() as receiver:
        made = make_endpoint(acme, receiver.url, signing="asymmetric")
        relay(acme)
        send_due()
        actor = system_actor("tests", tenant_id=acme.id)
        rotated, secret = rotate_secret(
            endpoint_id=made.endpoint.id, grace_seconds=60, signing="symmetric", actor=actor, now=clock.now()
        )
        relay(acme)
        send_due()
    first, second = receiver.received
    assert (made.secret, rotated.public_key) == ("", "")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(made.endpoint.public_key.removeprefix("whpk_")))
    for received in (first, second):
        signed = f"{received.id}.{received.headers['webhook-timestamp']}.".encode() + received.body
        signatures = dict(part.split(",") for part in received.headers["webhook-signature"].split(" "))
        public.verify(base64.b64decode(signatures["v1a"]), signed)
    assert "," not in first.headers["webhook-signature"].removeprefix("v1a,")
    Webhook(secret).verify(second.body, dict(second.headers))


def test_headers_of_its_own_are_sent_beside_the_platforms(acme) -> None:
    with Receiver() as receiver:
        made = make_endpoint(acme, receiver.url, headers={"X-Api-Key": "s3cr3t", "Authorization": "Bearer of it"})
        relay(acme)
        send_due()
        actor = system_actor("tests", tenant_id=acme.id)
        headers = {"authorization": None, "X-Api-Key": "another"}
        update_endpoint(endpoint_id=made.endpoint.id, headers=headers, actor=actor, now=clock.now())
        relay(acme)
        send_due()
    first, second = (received.headers for received in receiver.received)
    assert (first["X-Api-Key"], first["Authorization"]) == ("s3cr3t", "Bearer of it")
    assert (second["X-Api-Key"], "Authorization" in second) == ("another", False)
    assert first["Content-Type"] == "application/json"
    Webhook(made.secret).verify(receiver.received[1].body, dict(second))
