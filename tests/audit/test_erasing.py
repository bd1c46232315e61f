"""Erasing a person: their words go for good, every leaf, hash and proof stays."""

from datetime import datetime
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from apps.audit import merkle, subject_keys
from apps.audit.leaf import compute_leaf_hash
from apps.audit.models import AuditEntry, AuditSubjectKey
from apps.audit.opening import open_entries
from apps.audit.selectors import entries_for, prove_inclusion
from apps.audit.services import erase_everywhere, erase_subject
from apps.audit.types import Personal
from apps.core.actor import Actor, system_actor
from apps.core.errors import PermissionMissing, ValidationFailed
from apps.core.scope import Reach, staff_scope, tenant_scope
from tests.factories.audit import make_entry, opened, run_sequencer

ADA = UUID("0198c5a0-0000-7000-8000-000000000002")
SAM = UUID("0198c5a0-0000-7000-8000-000000000004")


def trader(tenant: Any) -> Actor:
    return Actor(kind="user", label="ada", tenant_id=tenant.id, user_id=ADA, ip="192.0.2.7")


def sam(tenant: Any = None) -> Actor:
    return Actor(kind="staff", label="sam", user_id=SAM, tenant_id=tenant.id if tenant else None)


def log_of(tenant: Any, **filters: Any) -> list[AuditEntry]:
    with tenant_scope(tenant.id):
        return opened(entries_for(tenant_id=tenant.id, **filters).order_by("position"))


def erasures(tenant: Any) -> list[tuple[str, str, Any]]:
    found = log_of(tenant, action="audit.subject_erased")
    return [(entry.actor["label"], entry.target_id, entry.changes["reason"]) for entry in found]


def test_name_and_address_are_gone_and_the_leaf_tells_who_did_it_and_why(acme: Any, now: datetime) -> None:
    make_entry(acme.id, actor=trader(acme), changes={"role": [None, "viewer"]})
    about = Personal(ADA, {"username": [None, "ada"]})
    make_entry(acme.id, action="user.created", actor=system_actor("tests", tenant_id=acme.id), personal=about)
    assert erase_subject(subject=ADA, reason="request 17", actor=sam(acme), now=now)
    [acted] = log_of(acme, actor_id=ADA)
    assert acted.actor == {"kind": "user", "tenant_id": str(acme.id), "user_id": str(ADA)}
    assert acted.changes == {"role": [None, "viewer"]}
    [named] = log_of(acme, action="user.created")
    assert named.changes == {"username": "[erased]"}
    assert erasures(acme) == [("sam", str(ADA), [None, "request 17"])]
    with tenant_scope(acme.id):
        row = AuditSubjectKey.objects.get(subject=ADA)
        assert (row.sealed_key, row.erased_at) == (None, now)


@pytest.mark.commits
def test_hashes_and_proofs_hold_as_before(acme: Any, now: datetime) -> None:
    entry = make_entry(acme.id, actor=trader(acme), now=now)
    run_sequencer(now)
    with tenant_scope(acme.id):
        before = prove_inclusion(tenant_id=acme.id, entry_id=entry.id)
    erase_subject(subject=ADA, reason="request 17", actor=sam(acme), now=now)
    with tenant_scope(acme.id):
        assert prove_inclusion(tenant_id=acme.id, entry_id=entry.id, tree_size=before.tree_size) == before
        stored = AuditEntry.objects.get(pk=entry.pk)
    assert before.leaf_hash == compute_leaf_hash(stored)
    path, root = before.path, before.root_hash
    assert merkle.includes(leaf=before.leaf_hash, index=before.index, size=before.tree_size, path=path, root=root)


def test_others_and_other_logs_keep_their_words(acme: Any, globex: Any, now: datetime) -> None:
    bob = Actor(kind="user", label="bob", tenant_id=acme.id, user_id=UUID(int=9))
    for tenant, actor in ((acme, trader(acme)), (acme, bob), (globex, trader(globex))):
        make_entry(tenant.id, actor=actor)
    assert erase_subject(subject=ADA, reason="x", actor=sam(acme), now=now)
    assert [entry.actor["label"] for entry in log_of(acme, actor_id=UUID(int=9))] == ["bob"]
    assert [entry.actor["label"] for entry in log_of(globex, actor_id=ADA)] == ["ada"]
    assert erasures(globex) == []
    assert not erase_subject(subject=ADA, reason="x", actor=sam(acme), now=now), "it was erased before"
    assert len(erasures(acme)) == 1


def test_everywhere_is_every_log_each_with_its_leaf(acme: Any, globex: Any, now: datetime) -> None:
    for tenant in (acme, globex):
        make_entry(tenant.id, actor=trader(tenant))
    assert erase_everywhere(subject=ADA, reason="request 17", actor=sam(), now=now) == 2
    assert erasures(acme) == erasures(globex) == [("sam", str(ADA), [None, "request 17"])]
    assert erase_everywhere(subject=ADA, reason="request 17", actor=sam(), now=now) == 0


@pytest.mark.commits
def test_who_erases_themselves_is_told_of_under_a_new_key(acme: Any, now: datetime) -> None:
    make_entry(acme.id, actor=sam(acme))
    assert erase_subject(subject=SAM, reason="leaving", actor=sam(acme), now=now)
    assert erasures(acme) == [("sam", str(SAM), [None, "leaving"])]
    [first, _second] = log_of(acme, actor_id=SAM)
    assert "label" not in first.actor


@pytest.mark.commits
def test_a_process_that_keeps_the_key_seals_under_it_until_its_life_is_over_and_reads_nothing(
    acme: Any, now: datetime
) -> None:
    """Another process has erased: this one still has the key for sealing, never for reading."""
    make_entry(acme.id, actor=trader(acme))
    kept = dict(subject_keys._kept.keys)
    erase_subject(subject=ADA, reason="x", actor=sam(acme), now=now)
    subject_keys._kept.keys.update(kept)
    late = make_entry(acme.id, actor=trader(acme))
    with tenant_scope(acme.id):
        assert {found.label for found in open_entries([late])} == {"[erased]"}
    subject_keys.forget()
    after = make_entry(acme.id, actor=trader(acme))
    with tenant_scope(acme.id):
        assert {found.label for found in open_entries([after])} == {"ada"}


def test_no_member_erases_and_nobody_without_a_reason(acme: Any, now: datetime) -> None:
    make_entry(acme.id, actor=trader(acme))
    with pytest.raises(PermissionMissing):
        erase_subject(subject=ADA, reason="mine", actor=trader(acme), now=now)
    with pytest.raises(ValidationFailed):
        erase_subject(subject=ADA, reason="  ", actor=sam(acme), now=now)
    with pytest.raises(PermissionMissing), staff_scope(Reach(SAM, frozenset({acme.id}))):
        erase_subject(subject=ADA, reason="x", actor=sam(), now=now)
    assert [entry.actor["label"] for entry in log_of(acme, actor_id=ADA)] == ["ada"]
    assert erasures(acme) == []


class TestCommand:
    """manage.py erase_subject"""

    def run(self, *arguments: str) -> str:
        said = StringIO()
        call_command("erase_subject", *arguments, stdout=said)
        return said.getvalue()

    def test_it_erases_in_every_log_or_in_one_in_the_name_of_a_staff_user(
        self, acme: Any, globex: Any, staff: Any
    ) -> None:
        for tenant in (acme, globex):
            make_entry(tenant.id, actor=trader(tenant))
        asked = (str(ADA), "--reason", "request 17", "--by", "staff", "--yes")
        assert self.run(*asked, "--tenant", "acme") == "Erased from 1 log.\n"
        assert [entry.actor["label"] for entry in log_of(globex, actor_id=ADA)] == ["ada"]
        assert self.run(*asked) == "Erased from 1 log.\n"
        assert erasures(acme) == erasures(globex) == [("staff", str(ADA), [None, "request 17"])]
        with pytest.raises(CommandError, match="Nothing is sealed of"):
            self.run(*asked)

    def test_it_refuses_whoever_may_not(self, acme: Any, globex: Any) -> None:
        make_entry(acme.id, actor=trader(acme))
        with pytest.raises(CommandError, match="'nobody' is no staff user who may erase"):
            self.run(str(ADA), "--reason", "x", "--by", "nobody", "--yes")
        assert [entry.actor["label"] for entry in log_of(acme, actor_id=ADA)] == ["ada"]
