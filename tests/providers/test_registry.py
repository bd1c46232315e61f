"""Plug-ins come in through an entry point; a broken one disables itself and nothing else."""

import importlib
import sys
from pathlib import Path

import pytest

from apps.providers import registry
from apps.providers.enums import Capability

pytestmark = pytest.mark.no_database

GOOD = """
from apps.providers.enums import Capability
from apps.providers.protocols import AdapterSpec, CredentialField, Limit

def spec(**changes):
    values = dict(
        name="plugbank", title="Plug Bank", capabilities=frozenset({Capability.BANKING}),
        limits=(Limit(scope="connection", requests=1, seconds=1, burst=1),),
        credentials=(CredentialField(name="key", title="Key"),),
        connect=lambda credentials, key: None, enrollment_of=lambda credentials: "",
    )
    return AdapterSpec(**{**values, **changes})

SPEC = spec()
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that installs a plug-in package, as pip would leave it."""

    def run(source: str, name: str = "plugbank", attribute: str = "SPEC") -> dict[str, registry.Registration]:
        module = f"finops_plugin_{tmp_path.name}_{name}".replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[finops.providers]\n{name} = {module}:{attribute}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        registry.registrations.cache_clear()
        return registry.registrations()

    yield run
    registry.registrations.cache_clear()
    for module in [name for name in sys.modules if name.startswith("finops_plugin_")]:
        del sys.modules[module]


def test_teller_is_there():
    spec = registry.registrations()["teller"].spec
    assert spec is not None
    assert (spec.name, spec.title, spec.capabilities) == ("teller", "Teller", frozenset({Capability.BANKING}))
    assert [(field.name, field.secret, field.required) for field in spec.credentials] == [
        ("access_token", True, True),
        ("enrollment_id", False, False),
    ]


def test_alpaca_is_there():
    spec = registry.registrations()["alpaca"].spec
    assert spec is not None
    assert (spec.title, spec.capabilities) == ("Alpaca", frozenset({Capability.BROKERAGE, Capability.MARKET_DATA}))
    assert [(field.name, field.secret, field.required) for field in spec.credentials] == [
        ("key_id", False, True),
        ("secret_key", True, True),
    ]
    assert spec.enrollment_of({"key_id": "PKTEST", "secret_key": "s"}) == "PKTEST"


def test_who_can_do_what():
    assert registry.providers_with(Capability.BANKING) == {"teller"}
    assert registry.providers_with(Capability.BROKERAGE) == {"alpaca"}
    assert registry.providers_with(Capability.MARKET_DATA) == {"alpaca"}
    assert registry.providers_with(Capability.PAYMENTS) == frozenset()


def test_a_plug_in_joins(install):
    found = install(GOOD)
    assert sorted(found) == ["alpaca", "plugbank", "teller"]
    assert found["plugbank"].spec is not None
    assert found["plugbank"].spec.title == "Plug Bank"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no libfoo')", "It failed to load: RuntimeError: no libfoo"),
        ("import sys; sys.exit(3)", "It failed to load: SystemExit: 3"),
        ("import nosuchthing", "It failed to load: ModuleNotFoundError: No module named 'nosuchthing'"),
        ("def broken(:", "It failed to load: SyntaxError: "),
        ("OTHER = 1", "It failed to load: AttributeError: "),
        ("SPEC = 7", "Its entry point does not lead to an AdapterSpec."),
        (GOOD + "SPEC = spec(name='Plug Bank')", "Its name is not lower-case letters, digits and underscores."),
        (GOOD + "SPEC = spec(capabilities=frozenset())", "It declares no capability, or one that is not known."),
        (GOOD + "SPEC = spec(capabilities={'x'})", "It declares no capability, or one that is not known."),
        (GOOD + "SPEC = spec(limits=(3,))", "One of its limits is not a positive Limit."),
        (
            GOOD + "SPEC = spec(limits=(Limit(scope='connection', requests=0, seconds=1, burst=1),))",
            "One of its limits is not a positive Limit.",
        ),
        (GOOD + "SPEC = spec(credentials=('key',))", "Its credential fields are not CredentialFields."),
        (GOOD + "SPEC = spec(connect=None)", "Its connect or enrollment_of cannot be called."),
        (GOOD + "SPEC = spec(stream=7)", "Its stream cannot be called."),
        (GOOD + "SPEC = spec(hosts=())", "Its hosts are not a tuple of names."),
        (GOOD + "SPEC = spec(hosts='live')", "Its hosts are not a tuple of names."),
        (GOOD + "SPEC = spec(hosts=(7,))", "Its hosts are not a tuple of names."),
        (GOOD + "SPEC = spec(limits=None)", "It failed to load: TypeError: "),
        (
            "raise RuntimeError('https://me:hunter2@host')",
            "It failed to load: RuntimeError: https://[redacted]@host",
        ),
    ],
)
def test_a_broken_one_is_listed_with_its_reason(install, source, reason):
    found = install(source)
    assert found["teller"].spec is not None
    assert found["plugbank"].spec is None
    assert found["plugbank"].reason.startswith(reason)


def test_a_taken_name_stays_ours(install):
    found = install(GOOD + "SPEC = spec(name='teller')", name="teller")
    assert found["teller"].spec is registry.BUILT_IN["teller"]
    [other] = [entry for name, entry in found.items() if name not in registry.BUILT_IN]
    assert (other.spec, other.reason) == (None, "The name teller is taken.")
