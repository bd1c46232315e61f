import apps.core.db.ids
from django.db import migrations, models

from apps.core.db import AppendOnly, SecureTenantTable


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE outbox_event_position", "DROP SEQUENCE outbox_event_position"),
        migrations.CreateModel(
            name='OutboxCounter',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False, null=True)),
                ('last_sequence', models.BigIntegerField(default=0, editable=False)),
            ],
            options={
                'db_table': 'outbox_counter',
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('tenant_id',), name='outbox_outboxcounter_one_per_tenant', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='OutboxEvent',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('type', models.CharField(max_length=100)),
                ('schema_version', models.PositiveSmallIntegerField(default=1)),
                ('entity_type', models.CharField(max_length=100)),
                ('entity_id', models.UUIDField()),
                ('data', models.JSONField()),
                ('actor', models.JSONField()),
                ('request_id', models.CharField(blank=True, max_length=128)),
                ('traceparent', models.CharField(blank=True, max_length=55)),
                ('occurred_at', models.DateTimeField()),
                ('position', models.BigIntegerField(db_default=models.Func(models.Value('outbox_event_position'), function='nextval'), editable=False)),
                ('sequence', models.BigIntegerField(editable=False, null=True)),
                ('relayed_at', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'verbose_name': 'event',
                'verbose_name_plural': 'events',
                'db_table': 'outbox_event',
                'abstract': False,
                'indexes': [models.Index(condition=models.Q(('sequence', None)), fields=['tenant_id', 'position'], name='outbox_event_pending'), models.Index(fields=['tenant_id', 'type', 'sequence'], name='outbox_event_type'), models.Index(condition=models.Q(('request_id', ''), _negated=True), fields=['request_id', 'id'], name='outbox_event_request'), models.Index(fields=['tenant_id', 'entity_id', 'sequence'], name='outbox_event_entity')],
                'constraints': [models.UniqueConstraint(fields=('tenant_id', 'id'), name='outbox_event_tenant_id_id'), models.UniqueConstraint(fields=('tenant_id', 'sequence'), name='outbox_event_tenant_sequence'), models.CheckConstraint(condition=models.Q(('type__regex', '^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)+$')), name='outbox_event_type_form')],
            },
        ),
        SecureTenantTable(
            "outbox_event", app="SELECT, INSERT", staff="SELECT", system="SELECT, UPDATE (sequence, relayed_at)"
        ),
        AppendOnly("outbox_event", set_once=["sequence", "relayed_at"]),
        # Only the relay gives sequences.
        migrations.RunSQL(
            [
                "CREATE POLICY outbox_event_pending ON outbox_event AS RESTRICTIVE FOR INSERT TO finops_app "
                "WITH CHECK (sequence IS NULL AND relayed_at IS NULL)",
                "GRANT USAGE ON SEQUENCE outbox_event_position TO finops_app",
            ],
            [
                "REVOKE ALL ON SEQUENCE outbox_event_position FROM finops_app",
                "DROP POLICY outbox_event_pending ON outbox_event",
            ],
        ),
        SecureTenantTable("outbox_counter", staff="SELECT", system="SELECT, INSERT, UPDATE (last_sequence)"),
    ]
