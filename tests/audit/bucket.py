"""A bucket of S3 with object lock, as far as a witness needs one: it keeps versions, and no lock can be taken away.

The wire is https://docs.aws.amazon.com/AmazonS3/latest/API: PutObject, ListObjectVersions and GetObject.
"""

from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

NAME = "our-witness"


@dataclass(frozen=True)
class Version:
    id: str
    body: bytes
    mode: str = ""
    until: str = ""


class Bucket(ThreadingHTTPServer):
    """`versions` of each key, the newest last. `is_locked` is how it was made; `lists_late` hides what is new once."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.versions: dict[str, list[Version]] = {}
        self.is_locked, self.lists_late = True, False

    @property
    def keys(self) -> list[str]:
        """The keys, as the bucket lists them."""
        return sorted(self.versions)

    def put(self, key: str, body: bytes, **lock: str) -> None:
        """Put a version on top of a key, as whoever may write can."""
        versions = self.versions.setdefault(key, [])
        versions.append(Version(f"v{len(versions) + 1}", body, **lock))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_PUT(self) -> None:
        key, _query = self._asked()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        mode = self.headers.get("x-amz-object-lock-mode", "")
        if mode and not self.server.is_locked:
            return self._refuse(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
        if self.headers.get("If-None-Match") == "*" and key in self.server.versions:
            return self._refuse(412, "PreconditionFailed", "At least one of the pre-conditions did not hold")
        until = self.headers.get("x-amz-object-lock-retain-until-date", "")
        self.server.put(key, body, mode=mode, until=until)
        return self._answer(200, b"")

    def do_GET(self) -> None:
        key, query = self._asked()
        if "versions" in query:
            return self._answer(200, self._list(query["prefix"][0], int(query["max-keys"][0])))
        found = [one for one in self.server.versions.get(key, []) if [one.id] == query["versionId"]]
        return self._answer(200, found[0].body) if found else self._refuse(404, "NoSuchVersion", "There is none")

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/"), "it is not signed"
        parts = urlsplit(self.path)
        _nothing, bucket, *key = unquote(parts.path).split("/", 2)
        assert bucket == NAME
        return "".join(key), parse_qs(parts.query, keep_blank_values=True)

    def _list(self, prefix: str, most: int) -> bytes:
        if self.server.lists_late:
            self.server.lists_late, keys = False, []
        else:
            keys = [key for key in self.server.keys if key.startswith(prefix)]
        rows = [
            f"<Version><Key>{escape(key)}</Key><VersionId>{version.id}</VersionId></Version>"
            for key in keys
            for version in reversed(self.server.versions[key])
        ]
        return f"<ListVersionsResult>{''.join(rows[:most])}</ListVersionsResult>".encode()

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass
