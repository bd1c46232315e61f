import apps.core.db.ids
from django.db import migrations, models

from apps.core.db import SecureTenantTable


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='IdempotencyRecord',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('key', models.CharField(max_length=255)),
                ('fingerprint', models.BinaryField(max_length=32)),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('headers', models.JSONField(default=dict)),
                ('body', models.BinaryField(null=True)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('body_expires_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'idempotency_record',
                'abstract': False,
                'indexes': [models.Index(fields=['expires_at'], name='idempotency_record_expiry'), models.Index(condition=models.Q(('body__isnull', False), ('body_expires_at__isnull', False)), fields=['body_expires_at'], name='idempotency_record_body_expiry')],
                'constraints': [models.UniqueConstraint(fields=('tenant_id', 'id'), name='idempotency_record_tenant_id_id'), models.UniqueConstraint(fields=('tenant_id', 'key'), name='idempotency_record_tenant_key')],
            },
        ),
        SecureTenantTable(
            "idempotency_record",
            app="SELECT, INSERT, UPDATE (fingerprint, status, headers, body, body_expires_at, created_at, expires_at)",
            staff="SELECT",
            system="SELECT, UPDATE (body), DELETE",
        ),
    ]
