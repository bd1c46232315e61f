"""Mutual TLS: with a client CA, a request without a client certificate gets the documented 400."""

import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sandbox_process import ROOT, free_port

pytestmark = pytest.mark.no_database


Issued = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def certificate(folder: Path, name: str, issuer: Issued | None) -> Issued:
    """Write <name>.pem and <name>.key; return certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made, key


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    authority = certificate(folder, "ca", None)
    certificate(folder, "server", authority)
    certificate(folder, "client", authority)
    certificate(folder, "stranger", None)
    return folder


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    port = free_port()
    files = {"--tls-cert": "server.pem", "--tls-key": "server.key", "--client-ca": "ca.pem"}
    options = [part for name, file in files.items() for part in (name, str(folder / file))]
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--state", str(folder / "state"), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 15
    while get(folder, port, None, path="/_control/health") is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(timeout=10)


def get(folder: Path, port: int, name: str | None, *, path: str = "/teller/accounts") -> httpx.Response | None:
    """Return the answer to a request with this client certificate, None when the connection fails."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    try:
        return httpx.get(f"https://127.0.0.1:{port}{path}", auth=("test_tkn_acme", ""), verify=context)
    except httpx.TransportError:
        return None


def test_with_a_certificate_the_enrolment_answers(folder: Path, port: int) -> None:
    answer = get(folder, port, "client")
    assert answer is not None
    assert answer.status_code == 200
    assert answer.json()[0]["links"]["self"].startswith(f"https://127.0.0.1:{port}/teller/accounts/acc_")


def test_without_a_certificate_it_is_the_documented_400(folder: Path, port: int) -> None:
    answer = get(folder, port, None)
    assert answer is not None
    assert answer.status_code == 400
    assert answer.json() == {
        "error": {
            "code": "bad_request",
            "message": "Missing certificate: Retry request using your Teller client certificate.",
        }
    }


def test_a_strangers_certificate_fails_the_handshake(folder: Path, port: int) -> None:
    assert get(folder, port, "stranger") is None
