"""The shapes of the accounts API."""

from typing import Any

from rest_framework import serializers

from apps.accounts.enums import AccountKind, AccountMode, AccountStatus, TransactionStatus
from apps.accounts.events import account_data, transaction_data
from apps.accounts.models import Account, Holding, Transaction
from apps.core.api.serializers import DayText, DecimalText, PageQuery, StrictSerializer


class BalanceSerializer(serializers.Serializer[Account]):
    """Our balance, the provider's, and their difference.

    `ours` is the balance when the account was first read plus every posted transaction since; `drift` is the
    provider's minus ours. The provider's side is null while it has told none.
    """

    ours = DecimalText()
    provider = DecimalText(allow_null=True)
    drift = DecimalText(allow_null=True)
    available = DecimalText(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)


class AccountSerializer(serializers.Serializer[Account]):
    """An account at a provider. Money that is owed, such as a credit card's balance, is negative."""

    id = serializers.UUIDField()
    connection_id = serializers.UUIDField()
    provider = serializers.CharField()
    external_id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(AccountKind.choices)
    subtype = serializers.CharField()
    mode = serializers.ChoiceField(AccountMode.choices)
    currency = serializers.CharField()
    last_four = serializers.CharField()
    institution = serializers.CharField()
    balance = BalanceSerializer()
    status = serializers.ChoiceField(AccountStatus.choices)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def to_representation(self, instance: Account) -> dict[str, Any]:
        """Return the shape that events carry, too."""
        return {**account_data(instance)}


class TransactionSerializer(serializers.Serializer[Transaction]):
    """A transaction. `amount` is negative for money out; `category` is the client's, else the provider's."""

    id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    external_id = serializers.CharField()
    amount = DecimalText()
    currency = serializers.CharField()
    date = serializers.DateField()
    description = serializers.CharField()
    counterparty = serializers.CharField(allow_null=True)
    category = serializers.CharField(allow_null=True)
    note = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(TransactionStatus.choices)
    replaces = serializers.UUIDField(
        allow_null=True, help_text="The pending transaction that this one took the place of"
    )
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def to_representation(self, instance: Transaction) -> dict[str, Any]:
        """Return the shape that events carry, too."""
        return {**transaction_data(instance)}


class HoldingSerializer(serializers.Serializer[Holding]):
    """What an account holds of one instrument, as its provider told at `as_of`; a short is negative.

    `instrument` is null where no instrument is known for the provider's asset.
    """

    id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    instrument = serializers.CharField(source="instrument_key", allow_null=True)
    symbol = serializers.CharField()
    external_id = serializers.CharField()
    quantity = DecimalText()
    average_price = DecimalText()
    market_price = DecimalText(allow_null=True)
    market_value = DecimalText(allow_null=True)
    cost_basis = DecimalText(allow_null=True)
    currency = serializers.CharField()
    as_of = serializers.DateTimeField()


class HoldingQuery(PageQuery):
    """Filters of the list of holdings."""

    account = serializers.UUIDField(required=False)


class TransactionQuery(PageQuery):
    """Filters of the transaction list. `since` and `until` are inclusive; removed ones only show when asked for."""

    account = serializers.UUIDField(required=False)
    since = DayText(required=False)
    until = DayText(required=False)
    status = serializers.ChoiceField(TransactionStatus.choices, required=False)
    search = serializers.CharField(required=False, max_length=100)


class TransactionChange(StrictSerializer):
    """The client's own words. A category of null shows the provider's again; a note of null deletes the note."""

    category = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=100)
    note = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=2000)
