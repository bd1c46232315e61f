"""What is dangerous stands nowhere, or in the few places that are named here, each with its reason."""

import ast
import re
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import models

from apps.core.models import TenantModel
from tests.architecture.sources import ROOT, files, nodes_of

pytestmark = pytest.mark.no_database

SHIPPED = ("apps", "finops", "sandbox")


def _nodes(*folders: str) -> Iterator[tuple[str, list[ast.AST]]]:
    """Yield each file of the folders with all nodes of its tree."""
    for folder in folders:
        for path in files(folder):
            yield str(path.relative_to(ROOT)), nodes_of(path)


def _imports(nodes: list[ast.AST]) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _importers(folders: tuple[str, ...], *modules: str) -> dict[str, list[str]]:
    """Return {module: files that import it}, for those that somebody imports."""
    found: dict[str, list[str]] = {}
    for path, nodes in _nodes(*folders):
        for module in set(modules) & _imports(nodes):
            found.setdefault(module, []).append(path)
    return found


def _calls(folders: tuple[str, ...], *names: str) -> set[str]:
    """Return "file: call" for each call of one of the names, written as they are here."""
    return {
        f"{path}: {ast.unparse(node.func)}"
        for path, nodes in _nodes(*folders)
        for node in nodes
        if isinstance(node, ast.Call) and _is_one_of(node.func, names)
    }


def _is_one_of(called: ast.expr, names: tuple[str, ...]) -> bool:
    """Tell whether what is called is written as one of the names; most are ruled out without writing them."""
    last = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    return any(name.rpartition(".")[2] == last for name in names) and ast.unparse(called) in names


def _is_named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


# The ways out.

CLIENTS = ("aiohttp.ClientSession", "httpx.Client", "httpx.AsyncClient", "httpx.get", "httpx.post", "httpx.request")


def test_every_way_out_is_one_of_these() -> None:
    """What a tenant names is fetched through the guard; all other hosts are constants, or the sandbox."""
    assert _calls(("apps",), *CLIENTS) == {
        "apps/core/egress.py: aiohttp.ClientSession",
        "apps/providers/transport/sockets.py: httpx.Client",
        "apps/providers/adapters/alpaca/stream.py: aiohttp.ClientSession",
        "apps/users/clients/breaches.py: httpx.Client",
    }
    others = ("requests", "urllib.request", "urllib3", "http.client", "ftplib", "smtplib", "websockets", "telnetlib")
    assert _importers(("apps",), *others) == {}
    assert _importers(("apps",), "socket") == {
        "socket": ["apps/core/egress.py", "apps/jobs/tasks.py", "apps/providers/transport/deadline.py"]
    }, "the guard, the machine's name, and the watch over the transport's socket"


def test_only_webhooks_keep_an_address_that_a_tenant_names() -> None:
    """A new column of this kind is to be fetched through `apps.core.egress`, too."""
    kept = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        if issubclass(model, TenantModel)
        for field in model._meta.concrete_fields
        if isinstance(field, models.URLField) or re.search(r"url|uri|host|address|callback", field.name)
    }
    assert kept == {"webhooks.Endpoint.url"}


def test_what_is_sent_to_that_address_goes_through_the_guard() -> None:
    assert _importers(("apps",), "apps.core.egress") == {
        "apps.core.egress": [
            "apps/webhooks/api/endpoints.py",
            "apps/webhooks/sending/exchange.py",
            "apps/webhooks/sending/sender.py",
            "apps/webhooks/services/endpoints.py",
        ]
    }
    sent = (ROOT / "apps/webhooks/sending/exchange.py").read_text()
    assert sent.count("session.post(") == sent.count("allow_redirects=False") == 1


def test_no_redirect_is_followed_and_no_certificate_believed_unseen() -> None:
    given = {
        f"{path}: {keyword.arg}={ast.unparse(keyword.value)}"
        for path, nodes in _nodes("apps")
        for node in nodes
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in ("verify", "ssl", "verify_ssl", "check_hostname", "follow_redirects", "allow_redirects")
    }
    assert given == {
        "apps/providers/transport/sockets.py: verify=_ssl_context(address.certificate, address.private_key)",
        "apps/providers/transport/sockets.py: follow_redirects=False",
        "apps/webhooks/sending/exchange.py: allow_redirects=False",
    }
    assert _calls(SHIPPED, "ssl._create_unverified_context", "ssl._create_stdlib_context") == set()


def test_no_address_that_is_built_in_is_without_tls() -> None:
    """The demo's and the engines' own are on loopback."""
    plain = {
        f"{path}: {node.value}"
        for path, nodes in _nodes("apps", "finops/settings")
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.match(r"(http|ws|redis|amqp|smtp|ftp)://", node.value)
    }
    assert plain == {
        "finops/settings/base.py: http://127.0.0.1:8000",
        "finops/settings/embedded.py: http://127.0.0.1:8010",
    }


# What runs, or is run by, what it is given.


def test_nothing_evaluates_or_unpacks_what_could_be_code() -> None:
    assert _calls(SHIPPED, "eval", "exec", "compile", "__import__", "os.system", "os.popen") == set()
    dangerous = ("pickle", "marshal", "shelve", "dill", "yaml", "xml", "lxml", "xml.etree.ElementTree", "xml.sax")
    packs = {"zipfile": ["apps/audit/admin/evidence.py"]}  # writes an archive, and reads none
    assert _importers(SHIPPED, *dangerous, "xml.dom.minidom", "ldap3", "zipfile", "tarfile") == packs


def _is_constant(name: str) -> bool:
    return name.isupper() or name == "TokenKind"  # an enum of constants


def test_no_pattern_is_made_of_what_somebody_sends() -> None:
    """A pattern is a literal, or put together of constants."""
    made = {
        f"{path}: {ast.unparse(node.args[0])}"
        for path, nodes in _nodes(*SHIPPED)
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_named(node.func.value, "re")
        if node.args
        if any(isinstance(part, ast.Name) and not _is_constant(part.id) for part in ast.walk(node.args[0]))
    }
    assert made == {"apps/providers/credentials.py: field.pattern"}, "an adapter's constant"
    assert _importers(("apps",), "regex", "fnmatch") == {}


def test_only_the_supervisor_of_the_embedded_engines_starts_processes_and_never_a_shell() -> None:
    starters = _importers(SHIPPED, "subprocess", "multiprocessing", "pty")
    assert all(path.startswith("finops/embedded/") for paths in starters.values() for path in paths)
    shells = [
        path
        for path, nodes in _nodes(*SHIPPED)
        for node in nodes
        if isinstance(node, ast.keyword) and node.arg == "shell"
    ]
    assert shells == []


def test_templates_are_files_of_ours_and_escape_what_they_show() -> None:
    assert _calls(SHIPPED, "Template", "engines.from_string", "Engine.from_string", "format_html_lazy") == set()
    unescaped = {
        f"{path.relative_to(ROOT)}"
        for path in [*(ROOT / "templates").rglob("*.html"), *(ROOT / "apps").rglob("*.html")]
        if re.search(r"\|\s*safe\b|autoescape\s+off|\|\s*safeseq", path.read_text())
    }
    assert unescaped == set()
    assert _calls(SHIPPED, "mark_safe", "SafeString") == {
        "apps/core/admin/display.py: mark_safe",  # a constant
        "apps/core/admin/rows.py: mark_safe",  # a join of cells, each made by format_html
    }
    html = [
        path
        for path, nodes in _nodes(*SHIPPED)
        for node in nodes
        if isinstance(node, ast.Call)
        and _is_one_of(node.func, ("format_html", "format_html_join"))
        and isinstance(node.args[0], ast.JoinedStr)
    ]
    assert html == [], "values are arguments of format_html, never part of its first"


def test_the_scripts_of_our_pages_evaluate_nothing_store_nothing_and_ask_nobody_else() -> None:
    scripts = {path.name: path.read_text() for path in (ROOT / "apps").rglob("*.js")}
    assert set(scripts) >= {"admin.js", "ages.js", "live.js"}
    for name, text in scripts.items():
        assert not re.search(r"\beval\(|new Function|document\.write|postMessage|https?://", text), name
        assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", text), name
        assert not re.search(r"__proto__|\w\[[^\]]+\]\s*=[^=]", text), f"{name}: no property is named by data"
        written = re.findall(r"(\S+\.(?:inner|outer)HTML)", text)
        # Parts of pages, fetched from this very server and rendered by templates.
        assert set(written) <= {"banner.innerHTML", "fresh.innerHTML"}, name


# Cryptography.


WEAK = {
    "apps/users/clients/breaches.py: sha1": "the name that the list of breached passwords is asked by",
    "sandbox/providers/pwnedpasswords/twin.py: sha1": "its twin",
    "finops/demo_file.py: sha1": "HMAC-SHA1 of one-time codes, as authenticators have it (RFC 6238)",
}


def test_weak_hashes_and_home_made_ciphers_are_nowhere() -> None:
    strong = {"sha256", "sha512", "blake2b"}
    weak = {
        f"{path}: {node.attr}"
        for path, nodes in _nodes(*SHIPPED)
        for node in nodes
        if isinstance(node, ast.Attribute) and _is_named(node.value, "hashlib") and node.attr not in strong
    }
    assert weak == set(WEAK), WEAK
    assert _importers(SHIPPED, "Crypto", "nacl", "uuid.uuid1", "uuid.uuid3") == {}
    primitives = {
        name
        for _path, nodes in _nodes(*SHIPPED)
        for name in _imports(nodes)
        if name.startswith("cryptography.hazmat.primitives.")
    }
    aead, ed25519 = "ciphers.aead", "asymmetric.ed25519"
    names = [aead, f"{aead}.AESGCM", ed25519, f"{ed25519}.Ed25519PrivateKey", f"{ed25519}.Ed25519PublicKey"]
    assert primitives <= {f"cryptography.hazmat.primitives.{name}" for name in names}


def test_chance_without_secrecy_spreads_load_and_nothing_else() -> None:
    assert _importers(("apps", "finops"), "random") == {
        "random": [
            "apps/jobs/backoff.py",
            "apps/jobs/runner.py",
            "apps/orders/streaming.py",
            "apps/providers/services/runs.py",
            "apps/providers/transport/client.py",
            "apps/webhooks/retrying.py",
            "apps/webhooks/sending/sender.py",
            "apps/webhooks/services/settling.py",
            "finops/embedded/ports.py",
            "finops/embedded/supervisor.py",
        ]
    }, "pauses, turns and ports; what nobody may guess comes from `secrets` or os.urandom"
