"""What a connection can be used for follows from what its provider offers."""

import asyncio
from contextlib import aclosing
from uuid import uuid4

import pytest

from apps.core.errors import ValidationFailed
from apps.providers import registry
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.models import Connection
from apps.providers.services import create_connection, delete_connection
from apps.providers.trading import StreamOpened
from apps.providers.types import AccountData
from tests.factories.providers import actor_of, make_connection, read_connection


@pytest.fixture
def keys(sandbox) -> dict[str, str]:
    return sandbox.credentials(uuid4().hex)["alpaca"]


@pytest.fixture
def broker(acme, now, keys) -> Connection:
    """A connection to a provider that nobody in this process has seen failing."""
    return create_connection(provider="alpaca", credentials=keys, label="Desk", actor=actor_of(acme), now=now)


def refusal(call) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()
    return caught.value


class TestABroker:
    def test_it_is_connected_by_its_key(self, broker, keys):
        stored = read_connection(broker)
        assert (stored.provider, stored.status, stored.external_id) == ("alpaca", "active", keys["key_id"])

    def test_it_is_synchronised_trades_and_has_prices(self, broker, sandbox, keys):
        truth = sandbox.alpaca_state(keys["key_id"])["account"]
        with registry.adapter_for(broker) as adapter:
            [account] = adapter.accounts()
            assert isinstance(account, AccountData)
            assert (account.external_id, account.mode) == (truth["id"], "paper")
            holdings = registry.holdings_of(broker, adapter)
            assert holdings is not None
            assert holdings.holdings(account.external_id) == []
        with registry.brokerage_for(broker) as brokerage:
            assert brokerage.means().external_id == truth["id"]
        with registry.market_data_for(broker) as data:
            assert set(data.latest_quotes(["AAPL"])) == {"AAPL"}

    def test_its_orders_are_streamed(self, broker):
        source = registry.stream_for(broker)

        async def first() -> object:
            async with aclosing(source):
                return await anext(source)

        assert asyncio.run(first()) == StreamOpened()

    @pytest.mark.parametrize("open_", [registry.brokerage_for, registry.market_data_for, registry.stream_for])
    def test_deleted_it_is_used_for_nothing(self, acme, broker, now, open_):
        delete_connection(connection_id=broker.id, actor=actor_of(acme), now=now)
        error = refusal(lambda: open_(broker))
        assert (error.category, error.code) == (ErrorCategory.PERMANENT, "connection_disabled")

    @pytest.mark.parametrize(
        "key_id", ["", "CKAAAAAAAAAA", "pkaaaaaaaaaa", "PK", "PKAAAAAAAA AA", "PKAAAAAAAA\r\nX: 1"]
    )
    def test_a_key_of_another_form_is_refused(self, acme, now, keys, key_id):
        with pytest.raises(ValidationFailed) as caught:
            create_connection(
                provider="alpaca", credentials={**keys, "key_id": key_id}, label="", actor=actor_of(acme), now=now
            )
        assert [error["field"] for error in caught.value.extra["errors"]] == ["credentials.key_id"]


class TestABank:
    @pytest.mark.parametrize("open_", [registry.brokerage_for, registry.market_data_for, registry.stream_for])
    def test_it_does_not_trade(self, acme, now, open_):
        error = refusal(lambda: open_(make_connection(acme, now=now)))
        assert (error.category, error.code) == (ErrorCategory.PERMANENT, "not_offered")

    def test_it_has_no_holdings(self, acme, now, sandbox):
        bank = make_connection(acme, f"test_tkn_{uuid4().hex[:10]}", now=now)
        with registry.adapter_for(bank) as adapter:
            assert registry.holdings_of(bank, adapter) is None
