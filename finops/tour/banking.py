"""The tour at the bank: connect, sync, read, annotate, and see what is on record."""

import json
from typing import Any
from uuid import uuid4

from finops.tour.guide import Guide

SYNC_SECONDS = 60.0


class BankingChapter:
    """One walk through a bank connection, which is gone at its end."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide

    def walk(self) -> str:
        """Walk every step; return the id of the connection."""
        self._introduce()
        connection = self._connect()
        try:
            self._first_sync(connection)
            account = self._read_accounts(connection)
            transaction = self._annotate(account)
            self._time_passes(connection)
            self._look_at_the_record(transaction)
            self._other_tenant(connection)
        finally:
            self._disconnect(connection)
        return str(connection["id"])

    def _introduce(self) -> None:
        guide = self._guide
        guide.step("Who am I?")
        me = guide.get("/me")
        guide.say(f"tenant {me['tenant']['slug']}, {len(me['permissions'])} permissions")
        providers = ", ".join(provider["name"] for provider in guide.get("/providers")["data"])
        guide.say(f"providers on offer: {providers}")

    def _connect(self) -> dict[str, Any]:
        guide = self._guide
        guide.step("Connect a bank, twice under one Idempotency-Key")
        body = {
            "provider": "teller",
            "credentials": guide.demo["sandbox_credentials"]["teller"],
            "label": "Tour bank",
        }
        key = {"Idempotency-Key": f"tour-{uuid4()}"}
        first = guide.check(guide.acme.post("/connections", json=body, headers=key), 201)
        again = guide.check(guide.acme.post("/connections", json=body, headers=key), 201)
        guide.expect(first.content == again.content, "the replay differs from the first answer")
        guide.expect(again.headers.get("Idempotency-Replayed") == "true", "the replay is not marked as one")
        connection: dict[str, Any] = first.json()
        guide.say(f"connection {connection['id']}; the second post answered the same bytes, and made nothing")
        return connection

    def _first_sync(self, connection: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("A worker syncs it: everything the bank has")
        run = self._sync(connection)
        guide.say(f"{run['added']} added, {run['modified']} modified, {run['removed']} removed, status {run['status']}")

    def _read_accounts(self, connection: dict[str, Any]) -> dict[str, Any]:
        guide = self._guide
        guide.step("Accounts, with the bank's balance beside ours")
        accounts = [a for a in guide.get("/accounts", limit=200)["data"] if a["connection_id"] == connection["id"]]
        guide.expect(bool(accounts), "the sync brought no accounts")
        for account in accounts:
            balance = account["balance"]
            guide.say(
                f"{account['name']:<24} {account['kind']:<11} ours {balance['ours']:>12} {account['currency']}"
                f"  bank {balance['provider']:>12}  drift {balance['drift']}"
            )
        first: dict[str, Any] = accounts[0]
        return first

    def _annotate(self, account: dict[str, Any]) -> dict[str, Any]:
        guide = self._guide
        guide.step("Transactions, and a note of our own under optimistic locking")
        rows = guide.get("/transactions", account=account["id"], limit=5)["data"]
        for row in rows:
            guide.say(f"{row['date']}  {row['amount']:>10} {row['currency']}  {row['status']:<8} {row['description']}")
        path, version = f"/transactions/{rows[-1]['id']}", {"If-Match": f'"{rows[-1]["version"]}"'}
        edit = {"category": "travel", "note": "Seen on the tour"}
        transaction: dict[str, Any] = guide.check(guide.acme.patch(path, json=edit, headers=version), 200).json()
        stale = guide.check(guide.acme.patch(path, json=edit, headers=version), 412).json()
        guide.say(f"version {rows[-1]['version']} -> {transaction['version']}; the stale edit got {stale['code']}")
        return transaction

    def _time_passes(self, connection: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("Three days pass at the bank; the next sync compares and applies the difference")
        guide.sandbox.post("/_control/advance", json={"seconds": 3 * 86_400}).raise_for_status()
        run = self._sync(connection)
        guide.say(
            f"{run['added']} added, {run['modified']} modified, {run['removed']} removed, {run['unchanged']} unchanged"
        )

    def _look_at_the_record(self, transaction: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("What happened is on record: events for programs, audit leaves for proof")
        entries = guide.wait_for(
            lambda: guide.get("/audit/entries", target_id=transaction["id"], limit=1)["data"],
            "the audit entry of the edit",
        )
        entry = entries[0]
        guide.say(f"audit  {entry['action']} by {entry['actor']['label']}: {json.dumps(entry['changes'])}")
        guide.say(f"       leaf hash {entry['leaf_hash']}")
        events = guide.wait_for(
            lambda: guide.get("/events", type="transaction.updated", entity_id=transaction["id"], limit=1)["data"],
            "the event of the edit",
        )
        guide.say(f"event  {events[0]['type']}, sequence {events[0]['sequence']}")

    def _other_tenant(self, connection: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("Another tenant asks for the same connection")
        problem = guide.check(guide.globex.get(f"/connections/{connection['id']}"), 404).json()
        guide.say(f"globex gets {problem['status']} {problem['code']}: not yours and not there are the same answer")

    def _disconnect(self, connection: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("Disconnect: the credentials are destroyed, the records stay")
        guide.check(guide.acme.delete(f"/connections/{connection['id']}"), 204)
        guide.say("done; the tour can be walked again")

    def _sync(self, connection: dict[str, Any]) -> dict[str, Any]:
        """Ask for a sync and wait for its run, showing that something moves."""
        guide = self._guide
        answer = guide.check(guide.acme.post(f"/connections/{connection['id']}/sync"), 202).json()
        finished: dict[str, Any] = guide.wait_for(
            lambda: self._finished(answer["id"]), "the sync run to finish", seconds=SYNC_SECONDS
        )
        guide.expect(finished["status"] == "succeeded", f"the sync failed: {finished['error']}")
        return finished

    def _finished(self, run_id: str) -> dict[str, Any] | None:
        run: dict[str, Any] = self._guide.get(f"/sync-runs/{run_id}")
        return run if run["status"] in ("succeeded", "failed") else None
