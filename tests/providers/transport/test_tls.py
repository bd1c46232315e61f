"""Mutual TLS: the client certificate is presented, and an unknown server is refused."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apps.providers.errors import ProviderError

pytestmark = pytest.mark.no_database


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and a server's and a client's certificate by it."""
    folder = tmp_path_factory.mktemp("pki")
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Authority", authority_key, None, authority_key)
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, authority, authority_key)
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return folder


def _certificate(name, key, issuer, issuer_key) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.fixture
def bank(pki):
    """A server that demands a client certificate, and the subjects that it saw."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.pem", pki / "server.key")
    context.load_verify_locations(pki / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=[listener, context, seen], daemon=True)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}", seen
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


def _serve(listener: socket.socket, context: ssl.SSLContext, seen: list[str]) -> None:
    while True:
        try:
            plain, _address = listener.accept()
        except OSError:
            return
        try:
            with context.wrap_socket(plain, server_side=True) as client:
                client.recv(65536)
                certificate = x509.load_der_x509_certificate(client.getpeercert(binary_form=True) or b"")
                seen.append(certificate.subject.rfc4514_string())
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]")
        except OSError:
            plain.close()


def test_the_client_certificate_is_presented(bank, pki, make_client, monkeypatch):
    url, seen = bank
    monkeypatch.setenv("SSL_CERT_FILE", str(pki / "ca.pem"))
    certificate = (str(pki / "client.pem"), str(pki / "client.key"))
    assert make_client(url, certificate=certificate).get("op", "/accounts") == []
    assert seen == ["CN=client"]


def test_a_server_that_nobody_vouches_for_is_refused(bank, pki, make_client):
    url, seen = bank
    with pytest.raises(ProviderError) as caught:
        make_client(url).get("op", "/accounts")
    assert (caught.value.code, seen) == ("unreachable", [])
