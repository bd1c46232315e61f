"""Accounts, transactions and holdings under row-level security, and the search over transactions."""

import apps.core.db
import apps.core.db.ids
import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models

from apps.core.db import DefinerFunction, SecureTenantTable


ACCOUNT_UPDATES = (
    "name, kind, subtype, currency, last_four, institution, status, provider_balance, provider_available, "
    "provider_balance_as_of, opening_balance, posted_total, first_read_at, fully_read_at, version, updated_at"
)
TRANSACTION_UPDATES = (
    "amount, currency, date, description, counterparty, provider_category, category_override, note, status, "
    "version, updated_at"
)
HOLDING_UPDATES = "symbol, quantity, average_price, market_price, market_value, cost_basis, as_of"

# Both extensions are trusted: the database's owner may create them. Where the server has them not, the search works
# without the index, by reading the tenant's rows.
CREATE_SEARCH_INDEX = """
DO $body$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE EXTENSION IF NOT EXISTS btree_gin;
    CREATE INDEX accounts_txn_search ON accounts_transaction
        USING gin (tenant_id, (description || ' ' || counterparty || ' ' || note) gin_trgm_ops);
EXCEPTION WHEN undefined_file OR feature_not_supported OR insufficient_privilege THEN
    RAISE NOTICE 'pg_trgm and btree_gin are not available: transaction search reads all rows of the tenant';
END $body$
"""

# ILIKE is not leakproof, so under row-level security it would not use the index. The function takes the tenant from
# the open scope, never from its caller.
SEARCH = r"""
    SELECT id FROM accounts_transaction
    WHERE tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid
      AND (description || ' ' || counterparty || ' ' || note) ILIKE
          '%' || replace(replace(replace(term, '\', '\\'), '%', '\%'), '_', '\_') || '%'
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('providers', '0001_initial'),
        ('tenants', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('provider', models.CharField(max_length=40, verbose_name='provider')),
                ('external_id', models.CharField(max_length=200, verbose_name='id at the provider')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('kind', models.CharField(choices=[('depository', 'Depository'), ('credit', 'Credit'), ('loan', 'Loan'), ('investment', 'Investment'), ('brokerage', 'Brokerage')], max_length=12, verbose_name='kind')),
                ('subtype', models.CharField(blank=True, max_length=40, verbose_name='subtype')),
                ('mode', models.CharField(choices=[('live', 'Live'), ('paper', 'Paper')], default='live', editable=False, max_length=5, verbose_name='mode')),
                ('currency', models.CharField(max_length=12, verbose_name='currency')),
                ('last_four', models.CharField(blank=True, max_length=4, verbose_name='last four digits')),
                ('institution', models.CharField(blank=True, max_length=200, verbose_name='institution')),
                ('status', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed'), ('needs_attention', 'Needs attention')], max_length=16, verbose_name='status')),
                ('provider_balance', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name="provider's balance")),
                ('provider_available', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name="provider's available balance")),
                ('provider_balance_as_of', models.DateTimeField(blank=True, null=True, verbose_name="provider's balance as of")),
                ('opening_balance', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='opening balance')),
                ('posted_total', models.DecimalField(decimal_places=18, default=Decimal('0'), max_digits=38, verbose_name='sum of posted transactions')),
                ('first_read_at', models.DateTimeField(blank=True, null=True, verbose_name='first read')),
                ('fully_read_at', models.DateTimeField(blank=True, null=True, verbose_name='whole history last read')),
                ('connection', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='accounts', to='providers.connection')),
            ],
            options={
                'verbose_name': 'account',
                'verbose_name_plural': 'accounts',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Transaction',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('external_id', models.CharField(max_length=200, verbose_name='id at the provider')),
                ('amount', models.DecimalField(decimal_places=18, help_text='Negative is money out.', max_digits=38, verbose_name='amount')),
                ('currency', models.CharField(max_length=12, verbose_name='currency')),
                ('date', models.DateField(verbose_name='date')),
                ('description', models.CharField(blank=True, max_length=1000, verbose_name='description')),
                ('counterparty', models.CharField(blank=True, max_length=200, verbose_name='counterparty')),
                ('provider_category', models.CharField(blank=True, max_length=100, verbose_name="provider's category")),
                ('category_override', models.CharField(blank=True, max_length=100, verbose_name="client's category")),
                ('note', models.CharField(blank=True, max_length=2000, verbose_name='note')),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('posted', 'Posted'), ('removed', 'Removed')], max_length=8, verbose_name='status')),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='transactions', to='accounts.account')),
                ('replaces', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.transaction')),
            ],
            options={
                'verbose_name': 'transaction',
                'verbose_name_plural': 'transactions',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Holding',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('external_id', models.CharField(max_length=64, verbose_name="asset's id at the provider")),
                ('symbol', models.CharField(max_length=40, verbose_name='symbol at the provider')),
                ('quantity', models.DecimalField(decimal_places=18, max_digits=38, verbose_name='quantity')),
                ('average_price', models.DecimalField(decimal_places=18, max_digits=38, verbose_name='average price')),
                ('market_price', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='market price')),
                ('market_value', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='market value')),
                ('cost_basis', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='cost basis')),
                ('as_of', models.DateTimeField(verbose_name='as of')),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='holdings', to='accounts.account')),
            ],
            options={
                'verbose_name': 'holding',
                'verbose_name_plural': 'holdings',
                'abstract': False,
            },
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'id'), name='accounts_account_tenant_id_id'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'connection', 'external_id'), name='accounts_account_one_per_external_id'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['depository', 'credit', 'loan', 'investment', 'brokerage'])), name='accounts_account_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['open', 'closed', 'needs_attention'])), name='accounts_account_status_known'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('mode__in', ['live', 'paper'])), name='accounts_account_mode_known'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('provider_balance__isnull', True), ('provider_balance_as_of__isnull', False), _connector='OR'), name='accounts_account_balance_has_its_time'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=apps.core.db.TenantForeignKey(field='tenant_id', name='accounts_account_tenant', to='tenants.Tenant'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=apps.core.db.TenantForeignKey(field='connection', name='accounts_account_connection', to='providers.Connection'),
        ),
        migrations.AddIndex(
            model_name='transaction',
            index=models.Index(fields=['tenant_id', 'date', 'id'], name='accounts_txn_list'),
        ),
        migrations.AddIndex(
            model_name='transaction',
            index=models.Index(fields=['tenant_id', 'account', 'date', 'id'], name='accounts_txn_by_account'),
        ),
        migrations.AddIndex(
            model_name='transaction',
            index=models.Index(fields=['date', 'id'], name='accounts_txn_staff_list'),
        ),
        migrations.AddIndex(
            model_name='transaction',
            index=models.Index(condition=models.Q(('status', 'posted'), _negated=True), fields=['tenant_id', 'date', 'id'], name='accounts_txn_not_posted'),
        ),
        migrations.AddIndex(
            model_name='transaction',
            index=models.Index(condition=models.Q(('replaces__isnull', False)), fields=['tenant_id', 'replaces'], name='accounts_txn_replaces'),
        ),
        migrations.AddIndex(
            model_name='transaction',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['tenant_id', 'account', 'date'], name='accounts_txn_pending'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'id'), name='accounts_transaction_tenant_id_id'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'account', 'external_id'), name='accounts_transaction_one_per_external_id'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'posted', 'removed'])), name='accounts_transaction_status_known'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=apps.core.db.TenantForeignKey(field='account', name='accounts_transaction_account', to='accounts.Account'),
        ),
        migrations.AddConstraint(
            model_name='transaction',
            constraint=apps.core.db.TenantForeignKey(field='replaces', name='accounts_transaction_replaces', to='accounts.Transaction'),
        ),
        migrations.AddConstraint(
            model_name='holding',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'id'), name='accounts_holding_tenant_id_id'),
        ),
        migrations.AddConstraint(
            model_name='holding',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'account', 'external_id'), name='accounts_holding_one_per_asset'),
        ),
        migrations.AddConstraint(
            model_name='holding',
            constraint=apps.core.db.TenantForeignKey(field='account', name='accounts_holding_account', to='accounts.Account'),
        ),
        migrations.CreateModel(
            name='ObjectGrant',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('permission', models.CharField(max_length=40, verbose_name='permission')),
                ('granted_by', models.CharField(editable=False, max_length=200, verbose_name='granted by')),
                ('created_at', models.DateTimeField(editable=False, verbose_name='granted at')),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('connection', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='providers.connection')),
                ('member', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='tenants.membership')),
            ],
            options={
                'verbose_name': 'object grant',
                'verbose_name_plural': 'object grants',
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('tenant_id', 'id'), name='accounts_objectgrant_tenant_id_id'), models.UniqueConstraint(fields=('tenant_id', 'member', 'permission', 'account', 'connection'), name='accounts_objectgrant_once', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('account__isnull', True), ('connection__isnull', True), _connector='XOR'), name='accounts_objectgrant_one_object'), apps.core.db.TenantForeignKey(field='member', name='accounts_objectgrant_member', on_delete='CASCADE', to='tenants.Membership'), apps.core.db.TenantForeignKey(field='account', name='accounts_objectgrant_account', to='accounts.Account'), apps.core.db.TenantForeignKey(field='connection', name='accounts_objectgrant_connection', to='providers.Connection')],
            },
        ),
        SecureTenantTable("accounts_objectgrant", app="SELECT, INSERT, DELETE", staff="SELECT"),
        SecureTenantTable("accounts_account", app=f"SELECT, INSERT, UPDATE ({ACCOUNT_UPDATES})", staff="SELECT", impersonator=True, granted="id = {account}"),
        SecureTenantTable("accounts_transaction", app=f"SELECT, INSERT, UPDATE ({TRANSACTION_UPDATES})", staff="SELECT", impersonator=True, granted="account_id = {account}"),
        SecureTenantTable("accounts_holding", app=f"SELECT, INSERT, DELETE, UPDATE ({HOLDING_UPDATES})", staff="SELECT", impersonator=True, granted="account_id = {account}"),
        migrations.RunSQL(CREATE_SEARCH_INDEX, "DROP INDEX IF EXISTS accounts_txn_search"),
        DefinerFunction("accounts_search_transactions(term text)", "SETOF uuid", SEARCH, roles=["finops_app", "finops_impersonator", "finops_grantee"]),
    ]
