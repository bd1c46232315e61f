"""Instruments, listings, quotes and clocks: global reference data."""

import apps.core.db.ids
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Instrument',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=64, unique=True, verbose_name='key')),
                ('symbol', models.CharField(max_length=40, verbose_name='symbol')),
                ('name', models.CharField(blank=True, max_length=300, verbose_name='name')),
                ('asset_class', models.CharField(max_length=20, verbose_name='asset class')),
                ('currency', models.CharField(max_length=12, verbose_name='currency')),
                ('created_at', models.DateTimeField(verbose_name='first seen')),
            ],
            options={
                'verbose_name': 'instrument',
                'verbose_name_plural': 'instruments',
            },
        ),
        migrations.CreateModel(
            name='ListingImport',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('venue', models.CharField(max_length=50, unique=True, verbose_name='venue')),
                ('requested_at', models.DateTimeField(blank=True, null=True, verbose_name='requested')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='last succeeded')),
                ('listed', models.PositiveIntegerField(default=0, verbose_name='listed')),
                ('added', models.PositiveIntegerField(default=0, verbose_name='added')),
                ('changed', models.PositiveIntegerField(default=0, verbose_name='changed')),
                ('unlisted', models.PositiveIntegerField(default=0, verbose_name='no longer listed')),
                ('refused', models.PositiveIntegerField(default=0, verbose_name='refused')),
                ('refusals', models.JSONField(blank=True, default=list, verbose_name='refused rows')),
            ],
            options={
                'verbose_name': 'listing import',
                'verbose_name_plural': 'listing imports',
            },
        ),
        migrations.CreateModel(
            name='VenueClock',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('venue', models.CharField(max_length=50, unique=True, verbose_name='venue')),
                ('is_open', models.BooleanField(verbose_name='open')),
                ('venue_at', models.DateTimeField(verbose_name='time at the venue')),
                ('next_open_at', models.DateTimeField(blank=True, null=True, verbose_name='next open')),
                ('next_close_at', models.DateTimeField(blank=True, null=True, verbose_name='next close')),
                ('asked_at', models.DateTimeField(verbose_name='asked')),
                ('received_at', models.DateTimeField(verbose_name='received')),
            ],
            options={
                'verbose_name': 'venue clock',
                'verbose_name_plural': 'venue clocks',
            },
        ),
        migrations.CreateModel(
            name='Listing',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('venue', models.CharField(max_length=50, verbose_name='venue')),
                ('external_id', models.CharField(max_length=64, verbose_name='id at the venue')),
                ('symbol', models.CharField(max_length=40, verbose_name='symbol at the venue')),
                ('tradable', models.BooleanField(verbose_name='tradable')),
                ('shortable', models.BooleanField(default=False, verbose_name='shortable')),
                ('fractionable', models.BooleanField(default=False, verbose_name='fractionable')),
                ('minimum_quantity', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='smallest quantity')),
                ('quantity_increment', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='quantity increment')),
                ('price_increment', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='price increment')),
                ('listed', models.BooleanField(default=True, verbose_name='listed')),
                ('updated_at', models.DateTimeField(verbose_name='last change')),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='listings', to='market.instrument')),
            ],
            options={
                'verbose_name': 'listing',
                'verbose_name_plural': 'listings',
                'indexes': [models.Index(fields=['venue', 'symbol'], name='market_listing_symbol')],
                'constraints': [models.UniqueConstraint(fields=('venue', 'instrument'), name='market_listing_one_per_venue'), models.UniqueConstraint(fields=('venue', 'external_id'), name='market_listing_external_id')],
            },
        ),
        migrations.CreateModel(
            name='Quote',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('source', models.CharField(max_length=50, verbose_name='source')),
                ('bid', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='bid')),
                ('ask', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='ask')),
                ('bid_size', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='bid size')),
                ('ask_size', models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True, verbose_name='ask size')),
                ('venue_at', models.DateTimeField(verbose_name='time at the venue')),
                ('received_at', models.DateTimeField(verbose_name='received')),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='quotes', to='market.instrument')),
            ],
            options={
                'verbose_name': 'quote',
                'verbose_name_plural': 'quotes',
                'constraints': [models.UniqueConstraint(fields=('instrument', 'source'), name='market_quote_one_per_source')],
            },
        ),
        # For searches by prefix, whatever the database's collation; the key's unique index brings one of its own.
        migrations.RunSQL(
            "CREATE INDEX market_instrument_symbol ON market_instrument (upper(symbol) text_pattern_ops)",
            "DROP INDEX market_instrument_symbol",
        ),
        migrations.RunSQL(
            "CREATE INDEX market_instrument_name ON market_instrument (upper(name) text_pattern_ops)",
            "DROP INDEX market_instrument_name",
        ),
    ]
