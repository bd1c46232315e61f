"""Orders, events, fills, positions, decisions and switches under row-level security."""

import apps.core.db
import apps.core.db.ids
import django.db.models.deletion
from decimal import Decimal
from django.db import migrations, models

from apps.core.db import AppendOnly, SecureTenantTable

ORDER_UPDATES = (
    "status, pending, filled_quantity, average_fill_price, reserved, venue_order_id, denial_code, denial_detail, "
    "lookups, submitted_at, accepted_at, closed_at, venue_updated_at, version, updated_at"
)
RISK_ACCOUNT_UPDATES = (
    "connection_id, max_open_trades, max_position_value, max_concentration, max_orders_per_minute, equity, cash, "
    "buying_power, is_restricted, means_as_of, rate_reset_at, version, updated_at"
)
POSITION_UPDATES = "quantity, average_price, realized_pnl, version, updated_at"


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('market', '0001_initial'),
        ('providers', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='InstallationKillSwitch',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('engaged', models.BooleanField(verbose_name='engaged')),
                ('reason', models.CharField(max_length=500, verbose_name='reason')),
                ('changed_by', models.CharField(max_length=200, verbose_name='by')),
            ],
            options={
                'verbose_name': "installation's kill switch",
                'verbose_name_plural': "installation's kill switch",
                'constraints': [models.UniqueConstraint(models.Value(1), name='orders_installationkillswitch_one_row')],
            },
        ),
        migrations.CreateModel(
            name='RiskAccount',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('venue', models.CharField(max_length=50, verbose_name='venue')),
                ('external_id', models.CharField(max_length=200, verbose_name='id at the venue')),
                ('mode', models.CharField(choices=[('paper', 'Paper'), ('live', 'Live')], max_length=20, verbose_name='mode')),
                ('max_open_trades', models.PositiveIntegerField(default=2, verbose_name='open trades at most')),
                ('max_position_value', models.DecimalField(decimal_places=18, default=Decimal('100000'), max_digits=38, verbose_name='value of one position at most')),
                ('max_concentration', models.DecimalField(decimal_places=18, default=Decimal('0.3'), max_digits=38, verbose_name='share of equity in one instrument at most')),
                ('max_orders_per_minute', models.PositiveIntegerField(default=60, verbose_name='orders a minute at most')),
                ('currency', models.CharField(max_length=12, verbose_name='currency')),
                ('equity', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='equity')),
                ('cash', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='cash')),
                ('buying_power', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='buying power')),
                ('is_restricted', models.BooleanField(default=False, verbose_name='restricted by the venue')),
                ('means_as_of', models.DateTimeField(blank=True, null=True, verbose_name='means as of')),
                ('rate_reset_at', models.DateTimeField(blank=True, null=True, verbose_name='order rate resets')),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('connection', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='providers.connection')),
            ],
            options={
                'verbose_name': 'risk account',
                'verbose_name_plural': 'risk accounts',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Position',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('quantity', models.DecimalField(decimal_places=18, max_digits=38, verbose_name='quantity')),
                ('average_price', models.DecimalField(decimal_places=18, max_digits=38, verbose_name='average price')),
                ('realized_pnl', models.DecimalField(decimal_places=18, default=Decimal('0'), max_digits=38, verbose_name='realised P&L')),
                ('instrument', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='market.instrument')),
                ('risk_account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='positions', to='orders.riskaccount')),
            ],
            options={
                'verbose_name': 'position',
                'verbose_name_plural': 'positions',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('symbol', models.CharField(max_length=40, verbose_name='symbol at the venue')),
                ('client_order_id', models.CharField(max_length=48, verbose_name='client order id')),
                ('side', models.CharField(choices=[('buy', 'Buy'), ('sell', 'Sell')], max_length=20, verbose_name='side')),
                ('type', models.CharField(choices=[('market', 'Market'), ('limit', 'Limit'), ('stop', 'Stop'), ('stop_limit', 'Stop limit')], max_length=20, verbose_name='type')),
                ('quantity', models.DecimalField(decimal_places=18, max_digits=38, verbose_name='quantity')),
                ('limit_price', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='limit price')),
                ('stop_price', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='stop price')),
                ('time_in_force', models.CharField(choices=[('day', 'Day'), ('gtc', 'Until canceled'), ('ioc', 'Immediate or cancel'), ('fok', 'Fill or kill')], max_length=20, verbose_name='time in force')),
                ('mode', models.CharField(choices=[('paper', 'Paper'), ('live', 'Live')], max_length=20, verbose_name='mode')),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('denied', 'Denied'), ('approved', 'Approved'), ('submitting', 'Submitting'), ('unknown', 'Outcome unknown'), ('lost', 'Lost'), ('accepted', 'Accepted'), ('held', 'Held'), ('partially_filled', 'Partly filled'), ('filled', 'Filled'), ('canceled', 'Canceled'), ('expired', 'Expired'), ('replaced', 'Replaced'), ('done_for_day', 'Done for the day'), ('rejected', 'Rejected')], max_length=20, verbose_name='status')),
                ('pending', models.CharField(choices=[('none', 'None'), ('cancel', 'Cancel asked'), ('replace', 'Replace asked')], default='none', max_length=20, verbose_name='pending')),
                ('filled_quantity', models.DecimalField(decimal_places=18, default=Decimal('0'), max_digits=38, verbose_name='filled')),
                ('average_fill_price', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='average fill price')),
                ('reserved', models.DecimalField(decimal_places=18, default=Decimal('0'), max_digits=38, verbose_name='reserved')),
                ('venue_order_id', models.CharField(blank=True, max_length=64, verbose_name='order id at the venue')),
                ('placed_by', models.UUIDField(blank=True, editable=False, null=True, verbose_name='placed by')),
                ('denial_code', models.CharField(blank=True, max_length=64, verbose_name='denial')),
                ('denial_detail', models.CharField(blank=True, max_length=500, verbose_name='why')),
                ('lookups', models.PositiveIntegerField(default=0, verbose_name='look-ups that found nothing')),
                ('submitted_at', models.DateTimeField(blank=True, null=True, verbose_name='submitted')),
                ('accepted_at', models.DateTimeField(blank=True, null=True, verbose_name='confirmed by the venue')),
                ('closed_at', models.DateTimeField(blank=True, null=True, verbose_name='closed')),
                ('venue_updated_at', models.DateTimeField(blank=True, null=True, verbose_name='as of, at the venue')),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('instrument', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='market.instrument')),
                ('replaces', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replacements', to='orders.order')),
                ('risk_account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='orders.riskaccount')),
            ],
            options={
                'verbose_name': 'order',
                'verbose_name_plural': 'orders',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Fill',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('venue_execution_id', models.CharField(max_length=100, verbose_name='execution id at the venue')),
                ('side', models.CharField(choices=[('buy', 'Buy'), ('sell', 'Sell')], max_length=20, verbose_name='side')),
                ('quantity', models.DecimalField(decimal_places=18, max_digits=38, verbose_name='quantity')),
                ('price', models.DecimalField(decimal_places=18, max_digits=38, verbose_name='price')),
                ('fee', models.DecimalField(decimal_places=18, default=Decimal('0'), max_digits=38, verbose_name='fee')),
                ('realized_pnl', models.DecimalField(decimal_places=18, default=Decimal('0'), max_digits=38, verbose_name='realised P&L')),
                ('is_late', models.BooleanField(default=False, verbose_name="after the order's end")),
                ('filled_at', models.DateTimeField(verbose_name='filled')),
                ('created_at', models.DateTimeField(verbose_name='stored')),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('instrument', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='market.instrument')),
                ('order', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='fills', to='orders.order')),
                ('risk_account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='fills', to='orders.riskaccount')),
            ],
            options={
                'verbose_name': 'fill',
                'verbose_name_plural': 'fills',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='RiskDecision',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('outcome', models.CharField(choices=[('approved', 'Approved'), ('denied', 'Denied')], max_length=20, verbose_name='outcome')),
                ('code', models.CharField(blank=True, max_length=64, verbose_name='code')),
                ('detail', models.CharField(blank=True, max_length=500, verbose_name='detail')),
                ('request', models.JSONField(verbose_name='request')),
                ('inputs', models.JSONField(verbose_name='inputs')),
                ('checks', models.JSONField(verbose_name='checks')),
                ('actor', models.JSONField(verbose_name='actor')),
                ('decided_at', models.DateTimeField(verbose_name='decided')),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('order', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='orders.order')),
            ],
            options={
                'verbose_name': 'risk decision',
                'verbose_name_plural': 'risk decisions',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='KillSwitch',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('engaged', models.BooleanField(verbose_name='engaged')),
                ('reason', models.CharField(max_length=500, verbose_name='reason')),
                ('changed_by', models.CharField(max_length=200, verbose_name='by')),
                ('account', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
            ],
            options={
                'verbose_name': 'kill switch',
                'verbose_name_plural': 'kill switches',
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('tenant_id', 'id'), name='orders_killswitch_tenant_id_id'), models.UniqueConstraint(fields=('tenant_id', 'account'), name='orders_killswitch_one_per_scope', nulls_distinct=False), apps.core.db.TenantForeignKey(field='account', name='orders_killswitch_account', to='accounts.Account')],
            },
        ),
        migrations.CreateModel(
            name='OrderEvent',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('sequence', models.PositiveIntegerField(verbose_name='sequence')),
                ('type', models.CharField(max_length=64, verbose_name='type')),
                ('data', models.JSONField(default=dict, verbose_name='data')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('order', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='orders.order')),
            ],
            options={
                'verbose_name': 'order event',
                'verbose_name_plural': 'order events',
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('tenant_id', 'id'), name='orders_orderevent_tenant_id_id'), models.UniqueConstraint(fields=('tenant_id', 'order', 'sequence'), name='orders_orderevent_sequence'), apps.core.db.TenantForeignKey(field='order', name='orders_orderevent_order', to='orders.Order')],
            },
        ),
        migrations.AddConstraint(
            model_name='riskaccount',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'id'), name='orders_riskaccount_tenant_id_id'),
        ),
        migrations.AddConstraint(
            model_name='riskaccount',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'venue', 'external_id'), name='orders_riskaccount_one_per_venue_account'),
        ),
        migrations.AddConstraint(
            model_name='riskaccount',
            constraint=models.CheckConstraint(condition=models.Q(('mode__in', ['paper', 'live'])), name='orders_riskaccount_mode_known'),
        ),
        migrations.AddConstraint(
            model_name='riskaccount',
            constraint=models.CheckConstraint(condition=models.Q(('max_concentration__gte', 0), ('max_position_value__gte', 0)), name='orders_riskaccount_limits_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='riskaccount',
            constraint=apps.core.db.TenantForeignKey(field='account', name='orders_riskaccount_account', to='accounts.Account'),
        ),
        migrations.AddConstraint(
            model_name='riskaccount',
            constraint=apps.core.db.TenantForeignKey(field='connection', name='orders_riskaccount_connection', to='providers.Connection'),
        ),
        migrations.AddConstraint(
            model_name='position',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'id'), name='orders_position_tenant_id_id'),
        ),
        migrations.AddConstraint(
            model_name='position',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'risk_account', 'instrument'), name='orders_position_one_per_instrument'),
        ),
        migrations.AddConstraint(
            model_name='position',
            constraint=apps.core.db.TenantForeignKey(field='risk_account', name='orders_position_risk_account', to='orders.RiskAccount'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['tenant_id', 'account', '-id'], name='orders_order_by_account'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('status__in', ['accepted', 'approved', 'done_for_day', 'held', 'partially_filled', 'submitting', 'unknown'])), fields=['tenant_id', 'risk_account'], name='orders_order_open'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('reserved__gt', 0)), fields=['tenant_id', 'risk_account', 'accepted_at'], name='orders_order_reserved'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('venue_order_id', ''), _negated=True), fields=['tenant_id', 'risk_account', 'venue_order_id'], name='orders_order_by_venue_id'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('replaces__isnull', False)), fields=['tenant_id', 'replaces'], name='orders_order_replaced'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['tenant_id', 'status', '-id'], name='orders_order_by_status'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['tenant_id', 'instrument', '-id'], name='orders_order_by_instrument'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'id'), name='orders_order_tenant_id_id'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'client_order_id'), name='orders_order_client_order_id'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'denied', 'approved', 'submitting', 'unknown', 'lost', 'accepted', 'held', 'partially_filled', 'filled', 'canceled', 'expired', 'replaced', 'done_for_day', 'rejected'])), name='orders_order_status_known'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('pending__in', ['none', 'cancel', 'replace'])), name='orders_order_pending_known'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('side__in', ['buy', 'sell'])), name='orders_order_side_known'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('type__in', ['market', 'limit', 'stop', 'stop_limit'])), name='orders_order_type_known'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('time_in_force__in', ['day', 'gtc', 'ioc', 'fok'])), name='orders_order_time_in_force_known'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('mode__in', ['paper', 'live'])), name='orders_order_mode_known'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', 0)), name='orders_order_quantity_positive'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('filled_quantity__gte', 0), ('filled_quantity__lte', models.F('quantity'))), name='orders_order_filled_within_quantity'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=apps.core.db.TenantForeignKey(field='account', name='orders_order_account', to='accounts.Account'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=apps.core.db.TenantForeignKey(field='risk_account', name='orders_order_risk_account', to='orders.RiskAccount'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=apps.core.db.TenantForeignKey(field='replaces', name='orders_order_replaces', to='orders.Order'),
        ),
        migrations.AddIndex(
            model_name='fill',
            index=models.Index(fields=['tenant_id', 'order', 'id'], name='orders_fill_by_order'),
        ),
        migrations.AddIndex(
            model_name='fill',
            index=models.Index(fields=['tenant_id', 'risk_account', '-id'], name='orders_fill_by_risk_account'),
        ),
        migrations.AddIndex(
            model_name='fill',
            index=models.Index(fields=['tenant_id', 'account', '-id'], name='orders_fill_by_account'),
        ),
        migrations.AddConstraint(
            model_name='fill',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'id'), name='orders_fill_tenant_id_id'),
        ),
        migrations.AddConstraint(
            model_name='fill',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'risk_account', 'venue_execution_id'), name='orders_fill_one_per_execution'),
        ),
        migrations.AddConstraint(
            model_name='fill',
            constraint=models.CheckConstraint(condition=models.Q(('price__gte', 0), ('quantity__gt', 0)), name='orders_fill_positive'),
        ),
        migrations.AddConstraint(
            model_name='fill',
            constraint=models.CheckConstraint(condition=models.Q(('side__in', ['buy', 'sell'])), name='orders_fill_side_known'),
        ),
        migrations.AddConstraint(
            model_name='fill',
            constraint=apps.core.db.TenantForeignKey(field='order', name='orders_fill_order', to='orders.Order'),
        ),
        migrations.AddConstraint(
            model_name='fill',
            constraint=apps.core.db.TenantForeignKey(field='account', name='orders_fill_account', to='accounts.Account'),
        ),
        migrations.AddConstraint(
            model_name='fill',
            constraint=apps.core.db.TenantForeignKey(field='risk_account', name='orders_fill_risk_account', to='orders.RiskAccount'),
        ),
        migrations.AddIndex(
            model_name='riskdecision',
            index=models.Index(fields=['tenant_id', 'account', '-id'], name='orders_riskdecision_account'),
        ),
        migrations.AddIndex(
            model_name='riskdecision',
            index=models.Index(condition=models.Q(('order__isnull', False)), fields=['tenant_id', 'order'], name='orders_riskdecision_order'),
        ),
        migrations.AddIndex(
            model_name='riskdecision',
            index=models.Index(fields=['tenant_id', 'outcome', '-id'], name='orders_riskdecision_outcome'),
        ),
        migrations.AddConstraint(
            model_name='riskdecision',
            constraint=models.UniqueConstraint(fields=('tenant_id', 'id'), name='orders_riskdecision_tenant_id_id'),
        ),
        migrations.AddConstraint(
            model_name='riskdecision',
            constraint=models.CheckConstraint(condition=models.Q(('outcome__in', ['approved', 'denied'])), name='orders_riskdecision_outcome_known'),
        ),
        migrations.AddConstraint(
            model_name='riskdecision',
            constraint=apps.core.db.TenantForeignKey(field='account', name='orders_riskdecision_account', to='accounts.Account'),
        ),
        migrations.AddConstraint(
            model_name='riskdecision',
            constraint=apps.core.db.TenantForeignKey(field='order', name='orders_riskdecision_order', to='orders.Order'),
        ),
        SecureTenantTable("orders_riskaccount", app=f"SELECT, INSERT, UPDATE ({RISK_ACCOUNT_UPDATES})", staff="SELECT", system="SELECT", impersonator=True, granted="account_id = {account}"),
        SecureTenantTable("orders_order", app=f"SELECT, INSERT, UPDATE ({ORDER_UPDATES})", staff="SELECT", system="SELECT", granted="account_id = {account}"),
        SecureTenantTable("orders_orderevent", app="SELECT, INSERT", staff="SELECT", granted="EXISTS (SELECT FROM orders_order o WHERE o.id = order_id)"),
        AppendOnly("orders_orderevent"),
        SecureTenantTable("orders_fill", app="SELECT, INSERT", staff="SELECT", granted="account_id = {account}"),
        AppendOnly("orders_fill"),
        SecureTenantTable("orders_position", app=f"SELECT, INSERT, UPDATE ({POSITION_UPDATES})", staff="SELECT", system="SELECT", impersonator=True, granted="EXISTS (SELECT FROM orders_riskaccount r WHERE r.id = risk_account_id)"),
        SecureTenantTable("orders_riskdecision", app="SELECT, INSERT", staff="SELECT"),
        AppendOnly("orders_riskdecision"),
        SecureTenantTable("orders_killswitch", app="SELECT, INSERT, UPDATE (engaged, reason, changed_by, version, updated_at)", staff="SELECT"),
    ]
