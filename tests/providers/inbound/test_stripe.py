"""Stripe's own test vector, and the edges of its window."""

import json
from datetime import UTC, datetime

import pytest

from apps.providers.adapters.signatures import sign
from apps.providers.adapters.stripe.webhook import HOOK
from apps.providers.hooks import HookRejected

pytestmark = pytest.mark.no_database


def test_the_vector_of_stripes_own_library(realdata):
    folder = realdata / "crypto_vectors" / "webhook_signatures"
    vector = json.loads((folder / "stripe_event_test_signature.vector.json").read_text())
    body = (folder / vector["body_file"]).read_bytes()
    codes = []
    for case in vector["cases"]:
        altered = body + case.get("body_suffix", "").encode()
        now = datetime.fromtimestamp(case["now"], UTC)
        try:
            HOOK.judge(vector["header"], altered, lambda: {"webhook_secrets": f",{vector['secret']}"}, now)
            codes.append("valid")
        except HookRejected as rejected:
            codes.append(rejected.code)
    assert codes == ["valid", "stale_signature", "bad_signature"]
    event = HOOK.parse(body)
    assert (event.id, event.type, event.enrollment_id) == ("evt_123", "customer.created", "acct_123")


@pytest.mark.parametrize(("seconds", "accepted"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_the_window_is_bound_on_both_sides(seconds, accepted):
    header = f"t=1000000000,v1={sign(b'{}', secret='old', at=1_000_000_000)}"
    now = datetime.fromtimestamp(1_000_000_000 + seconds, UTC)
    secrets = {"webhook_secrets": "new,old"}
    if accepted:
        HOOK.judge(header, b"{}", lambda: secrets, now)
    else:
        with pytest.raises(HookRejected, match="too old or too new"):
            HOOK.judge(header, b"{}", lambda: secrets, now)


def test_a_connection_without_a_secret_believes_nothing():
    with pytest.raises(HookRejected, match="no signing secret"):
        HOOK.judge("t=1,v1=00", b"{}", dict, datetime.fromtimestamp(1, UTC))


def test_the_older_scheme_proves_nothing():
    with pytest.raises(HookRejected, match="no, or too many"):
        HOOK.judge("t=1,v0=00", b"{}", lambda: {"webhook_secrets": "s"}, datetime.fromtimestamp(1, UTC))
