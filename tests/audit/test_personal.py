"""What a leaf says of people: sealed under a key of theirs, made once, opened many at once, lost with the key."""

import base64
import json
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.audit import subject_keys
from apps.audit.leaf import compute_leaf_hash
from apps.audit.models import AuditEntry, AuditSubjectKey
from apps.audit.opening import open_entries
from apps.audit.services import new_entry, record, visitors_of
from apps.audit.types import Personal
from apps.core import crypto
from apps.core.actor import Actor, system_actor
from apps.core.scope import staff_scope, tenant_scope, write_scope
from tests.factories.audit import make_entry
from tests.threads import begin, blocked_sessions
from tests.waiting import wait_until

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")
ADA = UUID("0198c5a0-0000-7000-8000-000000000002")
BOB = UUID("0198c5a0-0000-7000-8000-000000000003")
SAM = UUID("0198c5a0-0000-7000-8000-000000000004")
ENTRY_TIME = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
TRADER = Actor(kind="user", label="ada@acme.example", tenant_id=ACME, user_id=ADA, ip="192.0.2.7")
ABOUT_BOB = Personal(BOB, {"name": [None, "Bob Bløm"], "email": [None, "bob@example.com"]})


def stored(entry: AuditEntry) -> str:
    """Everything of an entry as its table holds it."""
    with tenant_scope(ACME), connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(e)::text FROM audit_entry e WHERE id = %s", [entry.id])
        (text,) = cursor.fetchone() or ("",)
    return str(text)


def keys() -> list[tuple[UUID | None, UUID]]:
    with staff_scope():
        rows = AuditSubjectKey.objects.order_by("created_at", "id").values_list("tenant_id", "subject")
        return list(rows)


def destroy(subject: UUID) -> None:
    with write_scope(TRADER):
        AuditSubjectKey.objects.filter(subject=subject).update(sealed_key=None, erased_at="2026-03-02T12:00:00Z")


def test_names_and_addresses_stand_nowhere_in_the_open() -> None:
    entry = make_entry(ACME, actor=TRADER, changes={"role": [None, "viewer"]}, personal=ABOUT_BOB)
    for word in ("ada@acme.example", "192.0.2.7", "Bob B", "bob@example.com"):
        assert word not in stored(entry)
    assert entry.changes == {"role": [None, "viewer"]}
    assert {name: (part["subject"], part["members"]) for name, part in entry.personal.items()} == {
        "actor": (str(ADA), ["ip", "label"]),
        "changes": (str(BOB), ["email", "name"]),
    }
    assert keys() == [(ACME, ADA), (ACME, BOB)]


def test_opened_it_says_what_was_said() -> None:
    entry = make_entry(ACME, actor=TRADER, changes={"role": [None, "viewer"]}, personal=ABOUT_BOB)
    with tenant_scope(ACME):
        [opened] = open_entries([entry])
    assert opened.actor == TRADER.as_json()
    assert opened.changes == {"role": [None, "viewer"], **ABOUT_BOB.changes}
    assert opened.label == "ada@acme.example"
    assert entry.changes == {"role": [None, "viewer"]}, "the entry stays as its leaf has it"


def test_whoever_is_shown_plaintext_and_salt_checks_them_with_sha_256_alone() -> None:
    entry = make_entry(ACME, actor=TRADER)
    with tenant_scope(ACME):
        [opened] = open_entries([entry])
    plaintext = bytes.fromhex(opened.salts["actor"]) + b'{"ip":"192.0.2.7","label":"ada@acme.example"}'
    assert sha256(plaintext).hexdigest() == entry.personal["actor"]["digest"]
    assert len(opened.salts["actor"]) == 64


def test_the_same_words_are_sealed_otherwise_each_time() -> None:
    first, second = (make_entry(ACME, actor=TRADER).personal["actor"] for _ in range(2))
    assert first["key"] == second["key"]
    assert first["ciphertext"] != second["ciphertext"]
    assert first["digest"] != second["digest"]


def test_the_sealed_form_is_aes_gcm_over_salt_and_json_under_the_subjects_key() -> None:
    """As docs/security.md describes it, without a line of ours but the field keys' own."""
    entry = make_entry(ACME, actor=TRADER)
    sealed = entry.personal["actor"]
    with tenant_scope(ACME):
        row = AuditSubjectKey.objects.get(id=sealed["key"])
    key = crypto.decrypt(bytes(row.sealed_key or b""), bound_to=f"audit_subject_key:{row.id}")
    ciphertext = base64.b64decode(sealed["ciphertext"])
    plaintext = AESGCM(key).decrypt(ciphertext[:12], ciphertext[12:], f"audit_entry:{entry.id}:actor".encode())
    assert json.loads(plaintext[32:]) == {"label": "ada@acme.example", "ip": "192.0.2.7"}


def test_each_log_has_a_key_of_its_own_for_a_person() -> None:
    make_entry(ACME, actor=TRADER)
    make_entry(GLOBEX, actor=TRADER.for_tenant(GLOBEX))
    sam = Actor(kind="staff", label="sam", user_id=ADA)
    with staff_scope():
        record(action="staff.signed_in", actor=sam, target_type="user", target_id=ADA, now=ENTRY_TIME)
    assert set(keys()) == {(ACME, ADA), (GLOBEX, ADA), (None, ADA)}
    with tenant_scope(GLOBEX):
        assert AuditSubjectKey.objects.count() == 1


@pytest.mark.parametrize(
    ("actor", "subject"),
    [
        (TRADER, ADA),
        (Actor(kind="api_key", label="robot", tenant_id=ACME, api_key_id=BOB), BOB),
        (Actor(kind="user", label="sam as a member", tenant_id=ACME, user_id=ADA, impersonator_id=SAM), SAM),
        (Actor(kind="user", label="anonymous", tenant_id=ACME, ip="192.0.2.9"), visitors_of(ENTRY_TIME)),
    ],
)
def test_the_subject_is_who_sat_there(actor: Actor, subject: UUID) -> None:
    with write_scope(TRADER):
        entry = new_entry(action="x.y", actor=actor, target_type="x", target_id="x", now=ENTRY_TIME)
    assert entry.personal["actor"]["subject"] == str(subject)


def test_visitors_who_are_nobody_yet_share_the_key_of_their_day() -> None:
    day = datetime.fromisoformat
    assert visitors_of(day("2026-03-02T00:00:00+00:00")) == visitors_of(day("2026-03-02T23:59:59+00:00"))
    assert visitors_of(day("2026-03-02T23:59:59+00:00")) != visitors_of(day("2026-03-03T00:00:00+00:00"))


def test_the_platforms_own_parts_are_nobody() -> None:
    entry = make_entry(ACME, actor=system_actor("scheduler", tenant_id=ACME))
    assert (entry.actor["label"], entry.personal, keys()) == ("scheduler", {}, [])


def test_without_its_key_a_part_is_erased_and_the_leaf_holds() -> None:
    entry = make_entry(ACME, actor=TRADER, changes={"role": [None, "viewer"]}, personal=ABOUT_BOB)
    destroy(ADA)
    destroy(BOB)
    with tenant_scope(ACME):
        [opened] = open_entries(AuditEntry.objects.filter(pk=entry.pk))
    assert opened.actor == {"kind": "user", "tenant_id": str(ACME), "user_id": str(ADA)}
    assert opened.changes == {"role": [None, "viewer"], "email": "[erased]", "name": "[erased]"}
    assert (opened.label, opened.salts) == ("[erased]", {})
    assert bytes(opened.entry.leaf_hash) == compute_leaf_hash(opened.entry)


def test_what_was_altered_or_moved_is_not_shown_as_said() -> None:
    first, second = make_entry(ACME, actor=TRADER), make_entry(ACME, actor=TRADER)
    sealed = first.personal["actor"]
    for ciphertext in (second.personal["actor"]["ciphertext"], "A" + sealed["ciphertext"][1:], "not base64!", ""):
        first.personal = {"actor": {**sealed, "ciphertext": ciphertext}}
        with tenant_scope(ACME):
            [opened] = open_entries([first])
        assert (opened.label, opened.actor["ip"], opened.salts) == ("[unreadable]", "[unreadable]", {})


def test_a_key_under_a_field_key_that_is_gone_is_not_taken_for_erased() -> None:
    entry = make_entry(ACME, actor=TRADER)
    with write_scope(TRADER):
        AuditSubjectKey.objects.update(sealed_key=b"lost|" + b"0" * 60)
        [opened] = open_entries([entry])
    assert opened.label == "[unreadable]"


def test_many_entries_take_one_query() -> None:
    people = [
        Actor(kind="user", label=f"user-{n}", tenant_id=ACME, user_id=UUID(int=n), ip="192.0.2.7") for n in range(5)
    ]
    made = [make_entry(ACME, actor=person) for person in people for _ in range(3)]
    nobodys = make_entry(ACME, actor=system_actor("tests", tenant_id=ACME))
    with tenant_scope(ACME):
        with CaptureQueriesContext(connection) as queries:
            found = open_entries(made)
        with CaptureQueriesContext(connection) as none:
            open_entries([nobodys])
    assert [opened.label for opened in found] == [f"user-{n}" for n in range(5) for _ in range(3)]
    assert (len(queries), len(none)) == (1, 0)


class TestKeys:
    """Made with a subject's first leaf, kept by a process for a while."""

    @pytest.mark.commits
    def test_a_committed_key_is_asked_for_once(self) -> None:
        make_entry(ACME, actor=TRADER)
        with CaptureQueriesContext(connection) as queries:
            make_entry(ACME, actor=TRADER)
        assert not [query for query in queries.captured_queries if "audit_subject_key" in query["sql"]]
        subject_keys.forget()
        make_entry(ACME, actor=TRADER)
        assert keys() == [(ACME, ADA)]

    @pytest.mark.commits
    def test_a_key_that_vanished_with_its_transaction_is_not_used_again(self) -> None:
        with pytest.raises(ZeroDivisionError), write_scope(TRADER):
            record(action="x.y", actor=TRADER, target_type="x", target_id="x", now=ENTRY_TIME)
            raise ZeroDivisionError
        assert keys() == []
        entry = make_entry(ACME, actor=TRADER)
        with tenant_scope(ACME):
            assert [opened.label for opened in open_entries([entry])] == ["ada@acme.example"]

    @pytest.mark.commits
    def test_of_two_who_need_a_new_key_at_once_the_other_takes_it(self) -> None:
        """The first holds its transaction open until the second waits for it."""
        with write_scope(TRADER):
            record(action="x.y", actor=TRADER, target_type="x", target_id="x", now=ENTRY_TIME)
            second = begin(lambda: make_entry(ACME, actor=TRADER))
            wait_until(blocked_sessions, what="the second to wait")
        found = second.result(20).personal["actor"]["key"]
        assert keys() == [(ACME, ADA)]
        with tenant_scope(ACME):
            assert {opened.label for opened in open_entries(AuditEntry.objects.all())} == {"ada@acme.example"}
            assert found == str(AuditSubjectKey.objects.get().id)

    @pytest.mark.commits
    def test_who_acts_after_their_key_was_destroyed_gets_another(self) -> None:
        make_entry(ACME, actor=TRADER)
        destroy(ADA)
        subject_keys.forget()  # as after its life
        entry = make_entry(ACME, actor=TRADER)
        with tenant_scope(ACME):
            assert [opened.label for opened in open_entries([entry])] == ["ada@acme.example"]
            assert AuditSubjectKey.objects.filter(subject=ADA).count() == 2

    def test_nobody_makes_or_reads_another_logs_keys(self) -> None:
        make_entry(GLOBEX, actor=TRADER.for_tenant(GLOBEX))
        with tenant_scope(ACME):
            assert AuditSubjectKey.objects.count() == 0
            insert = (
                "INSERT INTO audit_subject_key (id, tenant_id, subject, sealed_key, created_at) "
                "VALUES (%s, %s, %s, '', now())"
            )
            for tenant in (ACME, GLOBEX, None):
                with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                    run(insert, BOB, tenant, BOB)
        with staff_scope():
            assert run("UPDATE audit_subject_key SET sealed_key = NULL, erased_at = now()") == 0

    def test_an_erased_key_keeps_nothing(self) -> None:
        make_entry(ACME, actor=TRADER)
        for change in ("sealed_key = NULL", "erased_at = now()"):
            with pytest.raises(DatabaseError, match="audit_subject_key_erased_is_gone"), write_scope(TRADER):
                run(f"UPDATE audit_subject_key SET {change}")


def run(sql: str, *params: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)
