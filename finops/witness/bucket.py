"""A witness in S3, with object lock: what it keeps nobody can replace or delete before its time, not even its owner.

The wire is AWS's own library's (botocore), which also finds credentials, region and endpoint as it does everywhere.
"""

from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import quote

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from apps.core import clock
from apps.core.guard import assert_no_transaction
from finops.witness.stores import LONGEST_NOTE, SECONDS, Delivery, WitnessUnreachable

_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")
# Keys fall as logs grow, since a list begins at the lowest: one short page tells the largest checkpoint.
_LAST = 10**20 - 1
_VERSIONS = 100


class BucketStore:
    """A bucket with a folder a log, in which an object a checkpoint is made once, locked in COMPLIANCE mode.

    A lock keeps versions: whoever may write can put another one on top, or a delete marker. So the first version of
    the largest checkpoint is what the bucket holds.
    """

    def __init__(self, bucket: str, prefix: str, retained: timedelta) -> None:
        self.bucket, self.retained = bucket, retained
        self.prefix = prefix and prefix.strip("/") + "/"
        self.name = f"s3://{bucket}/{self.prefix}".rstrip("/")

    def held(self, origin: str) -> str | None:
        folder = self._folder(origin)
        found = self._ask("list_object_versions", Prefix=folder, MaxKeys=_VERSIONS).get("Versions", [])
        if not found:
            return None
        versions = [version for version in found if version["Key"] == found[0]["Key"]]
        if len(versions) == _VERSIONS:
            raise WitnessUnreachable(f"{self.name}: {found[0]['Key']} was written over again and again")
        first = versions[-1]  # they are listed with the newest first
        answer = self._ask("get_object", Key=first["Key"], VersionId=first["VersionId"])
        try:
            note: str = answer["Body"].read(LONGEST_NOTE).decode()
        except (BotoCoreError, UnicodeDecodeError) as error:
            raise WitnessUnreachable(f"{self.name}: {error}") from error
        return note

    def keep(self, delivery: Delivery) -> bool:
        size = delivery.checkpoint.size
        try:
            self._ask(
                "put_object",
                Key=f"{self._folder(delivery.checkpoint.origin)}{_LAST - size:020}-{size:020}.txt",
                Body=delivery.note.encode(),
                ContentType="text/plain; charset=utf-8",
                ChecksumAlgorithm="SHA256",
                IfNoneMatch="*",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=clock.now() + self.retained,
            )
        except _Taken:
            return False
        return True

    def _folder(self, origin: str) -> str:
        return f"{self.prefix}{quote(origin, safe='')}/"

    def _ask(self, operation: str, **given: Any) -> dict[str, Any]:
        assert_no_transaction()
        try:
            answer: dict[str, Any] = getattr(_client(), operation)(Bucket=self.bucket, **given)
        except ClientError as error:
            problem = error.response.get("Error", {})
            if problem.get("Code") in _TAKEN:
                raise _Taken from error
            text = f"{operation}: {problem.get('Code')} {problem.get('Message', '')}"
            raise WitnessUnreachable(f"{self.name}: {text}") from error
        except BotoCoreError as error:
            raise WitnessUnreachable(f"{self.name}: {error}") from error
        return answer


class _Taken(Exception):
    """There is an object of this key already."""


@cache
def _client() -> Any:
    """Return the process's client: making one reads a megabyte of descriptions."""
    retries = {"total_max_attempts": 2, "mode": "standard"}
    config = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries=retries)
    return Session().create_client("s3", config=config)
