"""`make tour`: a client's journey against the running platform, through the public API alone."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx

from finops.demo_file import NoDemo, running_demo

SYNC_SECONDS = 60.0


class TourFailed(Exception):
    """A step did not give what it promises; the text says which."""


class Tour:
    """One walk through the platform as tenant acme, with globex looking over the fence."""

    def __init__(self, demo: dict[str, Any]) -> None:
        self.demo = demo
        acme, globex = demo["tenants"][:2]
        self.acme, self.globex = self._client(acme["api_key"]), self._client(globex["api_key"])
        self.sandbox = httpx.Client(base_url=demo["sandbox_url"], timeout=10)
        self.step_number = 0

    def run(self) -> None:
        """Walk every step; raise TourFailed at the first one that breaks its promise."""
        self.introduce()
        connection = self.connect()
        try:
            self.first_sync(connection)
            self.read_accounts(connection)
            transaction = self.annotate()
            self.time_passes(connection)
            self.look_at_the_record(transaction)
            self.other_tenant(connection)
        finally:
            self.disconnect(connection)
        self.links(connection)

    def introduce(self) -> None:
        self.step("Who am I?")
        me = self.get("/me")
        self.say(f"tenant {me['tenant']['slug']}, {len(me['permissions'])} permissions")
        providers = ", ".join(provider["name"] for provider in self.get("/providers")["data"])
        self.say(f"providers on offer: {providers}")

    def connect(self) -> dict[str, Any]:
        self.step("Connect a bank, twice under one Idempotency-Key")
        body = {
            "provider": "teller",
            "credentials": self.demo["sandbox_credentials"]["teller"],
            "label": "Tour bank",
        }
        key = {"Idempotency-Key": f"tour-{uuid4()}"}
        first = self.check(self.acme.post("/connections", json=body, headers=key), 201)
        again = self.check(self.acme.post("/connections", json=body, headers=key), 201)
        self.expect(first.content == again.content, "the replay differs from the first answer")
        self.expect(again.headers.get("Idempotency-Replayed") == "true", "the replay is not marked as one")
        connection: dict[str, Any] = first.json()
        self.say(f"connection {connection['id']}; the second post answered the same bytes, and made nothing")
        return connection

    def first_sync(self, connection: dict[str, Any]) -> None:
        self.step("A worker syncs it: everything the bank has")
        run = self.sync(connection)
        self.say(f"{run['added']} added, {run['modified']} modified, {run['removed']} removed, status {run['status']}")

    def read_accounts(self, connection: dict[str, Any]) -> None:
        self.step("Accounts, with the bank's balance beside ours")
        accounts = [a for a in self.get("/accounts", limit=200)["data"] if a["connection_id"] == connection["id"]]
        self.expect(bool(accounts), "the sync brought no accounts")
        for account in accounts:
            balance = account["balance"]
            self.say(
                f"{account['name']:<24} {account['kind']:<11} ours {balance['ours']:>12} {account['currency']}"
                f"  bank {balance['provider']:>12}  drift {balance['drift']}"
            )
        self.account = accounts[0]

    def annotate(self) -> dict[str, Any]:
        self.step("Transactions, and a note of our own under optimistic locking")
        rows = self.get("/transactions", account=self.account["id"], limit=5)["data"]
        for row in rows:
            self.say(f"{row['date']}  {row['amount']:>10} {row['currency']}  {row['status']:<8} {row['description']}")
        path, version = f"/transactions/{rows[-1]['id']}", {"If-Match": f'"{rows[-1]["version"]}"'}
        edit = {"category": "travel", "note": "Seen on the tour"}
        transaction: dict[str, Any] = self.check(self.acme.patch(path, json=edit, headers=version), 200).json()
        stale = self.check(self.acme.patch(path, json=edit, headers=version), 412).json()
        self.say(f"version {rows[-1]['version']} -> {transaction['version']}; the stale edit got {stale['code']}")
        return transaction

    def time_passes(self, connection: dict[str, Any]) -> None:
        self.step("Three days pass at the bank; the next sync compares and applies the difference")
        self.sandbox.post("/_control/advance", json={"seconds": 3 * 86_400}).raise_for_status()
        run = self.sync(connection)
        self.say(
            f"{run['added']} added, {run['modified']} modified, {run['removed']} removed, {run['unchanged']} unchanged"
        )

    def look_at_the_record(self, transaction: dict[str, Any]) -> None:
        self.step("What happened is on record: events for programs, audit leaves for proof")
        entries = self.wait_for(
            lambda: self.get("/audit/entries", target_id=transaction["id"], limit=1)["data"],
            "the audit entry of the edit",
        )
        entry = entries[0]
        self.say(f"audit  {entry['action']} by {entry['actor']['label']}: {json.dumps(entry['changes'])}")
        self.say(f"       leaf hash {entry['leaf_hash']}")
        events = self.wait_for(
            lambda: self.get("/events", type="transaction.updated", entity_id=transaction["id"], limit=1)["data"],
            "the event of the edit",
        )
        self.say(f"event  {events[0]['type']}, sequence {events[0]['sequence']}")

    def other_tenant(self, connection: dict[str, Any]) -> None:
        self.step("Another tenant asks for the same connection")
        problem = self.check(self.globex.get(f"/connections/{connection['id']}"), 404).json()
        self.say(f"globex gets {problem['status']} {problem['code']}: not yours and not there are the same answer")

    def disconnect(self, connection: dict[str, Any]) -> None:
        self.step("Disconnect: the credentials are destroyed, the records stay")
        self.check(self.acme.delete(f"/connections/{connection['id']}"), 204)
        self.say("done; the tour can be walked again")

    def links(self, connection: dict[str, Any]) -> None:
        base, staff = self.demo["base_url"], self.demo["staff"]
        print("\nSee it as staff do:")
        print(f"  dashboard    {base}/admin/")
        print(f"  connection   {base}/admin/providers/connection/{connection['id']}/change/")
        print(f"  transactions {base}/admin/accounts/transaction/")
        print(f"  audit        {base}/admin/audit/auditentry/")
        print(f"  login        {staff['username']} / {staff['password']}, TOTP secret {staff['totp_secret']}")

    def sync(self, connection: dict[str, Any]) -> dict[str, Any]:
        """Ask for a sync and wait for its run, showing that something moves."""
        answer = self.check(self.acme.post(f"/connections/{connection['id']}/sync"), 202).json()
        finished: dict[str, Any] = self.wait_for(
            lambda: self._finished(answer["id"]), "the sync run to finish", seconds=SYNC_SECONDS
        )
        self.expect(finished["status"] == "succeeded", f"the sync failed: {finished['error']}")
        return finished

    def _finished(self, run_id: str) -> dict[str, Any] | None:
        run: dict[str, Any] = self.get(f"/sync-runs/{run_id}")
        return run if run["status"] in ("succeeded", "failed") else None

    def wait_for(self, probe: Callable[[], Any], what: str, *, seconds: float = 15.0) -> Any:
        """Poll until the probe gives something; show a dot a second."""
        deadline, started = time.monotonic() + seconds, time.monotonic()
        while not (result := probe()):
            if time.monotonic() > deadline:
                raise TourFailed(f"waited {seconds:.0f} s for {what}")
            if sys.stdout.isatty():
                print(f"\r   … {time.monotonic() - started:4.1f} s", end="", flush=True)
            time.sleep(0.25)
        if sys.stdout.isatty():
            print("\r" + " " * 16 + "\r", end="")
        return result

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.check(self.acme.get(path, params=params), 200).json()
        return answer

    def check(self, response: httpx.Response, status: int) -> httpx.Response:
        request = response.request
        self.expect(
            response.status_code == status,
            f"{request.method} {request.url.path} answered {response.status_code}, not {status}: {response.text[:300]}",
        )
        return response

    def expect(self, condition: bool, otherwise: str) -> None:
        if not condition:
            raise TourFailed(otherwise)

    def step(self, title: str) -> None:
        self.step_number += 1
        print(f"\n{self.step_number}. {title}")

    def say(self, text: str) -> None:
        print(f"   {text}")

    def _client(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"{self.demo['base_url']}/api/v1", headers=headers, timeout=30)


def main() -> int:
    """Walk the tour against the platform whose `demo.json` is under FINOPS_HOME; return the exit code."""
    try:
        demo = running_demo()
    except NoDemo as error:
        print(error, file=sys.stderr)
        return 1
    try:
        Tour(demo).run()
    except httpx.ConnectError:
        print(
            f"Nothing answers at {demo['base_url']}: start the platform with 'make run' first.",
            file=sys.stderr,
        )
        return 1
    except TourFailed as failure:
        print(f"\nThe tour broke: {failure}", file=sys.stderr)
        return 1
    return 0
