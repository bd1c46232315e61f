"""TLS to others: their certificate is looked at, and nothing older than TLS 1.2 is spoken."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apps.core.egress import open_session
from apps.providers.transport.sockets import _ssl_context

pytestmark = pytest.mark.no_database


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost by nobody, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + timedelta(hours=1))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def serving(certificate: Path) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one connection; yield the URL, and what was read once TLS was agreed upon."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    read: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        accepted, _address = listener.accept()
        try:
            with context.wrap_socket(accepted, server_side=True) as agreed:
                read.append(agreed.recv(65_536))
                agreed.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        except OSError:
            accepted.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener], daemon=True)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}/", read
        thread.join(timeout=5)


def post(url: str) -> int:
    async def ask() -> int:
        async with (
            open_session(total_seconds=5, user_agent="finops") as session,
            session.post(url, data=b"secret", allow_redirects=False) as response,
        ):
            return response.status

    return asyncio.run(ask())


def test_a_receiver_that_nobody_vouches_for_is_told_nothing(certificate: Path) -> None:
    with serving(certificate) as (url, read), pytest.raises(aiohttp.ClientConnectorCertificateError):
        post(url)
    assert read == []


def test_contexts_check_certificate_and_name_and_begin_with_tls_1_2() -> None:
    """Whoever makes no context of their own gets Python's, as httpx and aiohttp do."""
    for context in (ssl.create_default_context(), _ssl_context("", "")):
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        weak = ("RC4", "3DES", "NULL", "EXPORT", "MD5", "anon")
        assert [
            cipher["name"] for cipher in context.get_ciphers() if any(word in cipher["name"] for word in weak)
        ] == []
