import apps.core.db.ids
from django.db import migrations, models

from apps.core.db import AppendOnly, DefinerFunction, SecureTenantTable

# The subject's key in the log of the open scope: the one offered, if there is none yet.
SUBJECT_KEY_OF = """
DECLARE
    log uuid := NULLIF(current_setting('app.tenant_id', true), '')::uuid;
BEGIN
    RETURN QUERY SELECT k.id, k.sealed_key FROM audit_subject_key k
        WHERE k.tenant_id IS NOT DISTINCT FROM log AND k.subject = person AND k.erased_at IS NULL;
    IF FOUND THEN
        RETURN;
    END IF;
    INSERT INTO audit_subject_key (id, tenant_id, subject, sealed_key, created_at)
    VALUES (offered_id, log, person, offered_key, at) ON CONFLICT DO NOTHING;
    -- A statement of its own: where another transaction was first, it has ended by now.
    RETURN QUERY SELECT k.id, k.sealed_key FROM audit_subject_key k
        WHERE k.tenant_id IS NOT DISTINCT FROM log AND k.subject = person AND k.erased_at IS NULL;
END
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE audit_entry_position", "DROP SEQUENCE audit_entry_position"),
        migrations.CreateModel(
            name='AuditCounter',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False, null=True)),
                ('last_sequence', models.BigIntegerField(default=0, editable=False)),
                ('checkpoint_size', models.BigIntegerField(db_default=0, default=0, editable=False)),
                ('checkpoint_at', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'db_table': 'audit_counter',
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('tenant_id',), name='audit_auditcounter_one_per_tenant', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False, null=True)),
                ('action', models.CharField(max_length=100)),
                ('actor', models.JSONField()),
                ('actor_id', models.UUIDField(null=True)),
                ('target_type', models.CharField(max_length=100)),
                ('target_id', models.CharField(max_length=100)),
                ('changes', models.JSONField()),
                ('personal', models.JSONField(default=dict)),
                ('request_id', models.CharField(blank=True, max_length=128)),
                ('traceparent', models.CharField(blank=True, max_length=55)),
                ('at', models.DateTimeField()),
                ('schema_version', models.PositiveSmallIntegerField(default=2)),
                ('leaf_hash', models.BinaryField(max_length=32)),
                ('position', models.BigIntegerField(db_default=models.Func(models.Value('audit_entry_position'), function='nextval'), editable=False)),
                ('sequence', models.BigIntegerField(editable=False, null=True)),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit entries',
                'db_table': 'audit_entry',
                'indexes': [models.Index(condition=models.Q(('sequence', None)), fields=['tenant_id', 'position'], name='audit_entry_pending'), models.Index(fields=['tenant_id', 'at', 'id'], name='audit_entry_at'), models.Index(condition=models.Q(('request_id', ''), _negated=True), fields=['request_id', 'id'], name='audit_entry_request'), models.Index(fields=['tenant_id', 'action', 'at', 'id'], name='audit_entry_action_at'), models.Index(fields=['tenant_id', 'actor_id', 'at', 'id'], name='audit_entry_actor_at'), models.Index(fields=['tenant_id', 'target_id', 'at', 'id'], name='audit_entry_target_at'), models.Index(fields=['tenant_id', 'target_type', 'at', 'id'], name='audit_entry_target_type_at')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('sequence__isnull', False)), fields=('tenant_id', 'sequence'), name='audit_entry_tenant_sequence', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('action__regex', '^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)+$')), name='audit_entry_action_form')],
            },
        ),
        migrations.CreateModel(
            name='AuditSubjectKey',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False, null=True)),
                ('subject', models.UUIDField()),
                ('sealed_key', models.BinaryField(null=True)),
                ('created_at', models.DateTimeField()),
                ('erased_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'data subject',
                'verbose_name_plural': 'data subjects',
                'permissions': [('erase_auditsubjectkey', 'Can erase what audit logs say of a person')],
                'db_table': 'audit_subject_key',
                'indexes': [models.Index(fields=['subject'], name='audit_subject_key_subject')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('erased_at', None)), fields=('tenant_id', 'subject'), name='audit_subject_key_one_live', nulls_distinct=False), models.CheckConstraint(condition=models.Q(models.Q(('erased_at', None), ('sealed_key__isnull', False)), models.Q(('erased_at__isnull', False), ('sealed_key', None)), _connector='OR'), name='audit_subject_key_erased_is_gone')],
            },
        ),
        SecureTenantTable(
            "audit_entry", app="SELECT, INSERT", staff="SELECT, INSERT", system="SELECT, UPDATE (sequence)"
        ),
        AppendOnly("audit_entry", set_once=["sequence"]),
        # Staff writes the installation's own log; into a tenant's log it goes through that tenant's write scope.
        # Only the sequencer gives sequences.
        migrations.RunSQL(
            [
                "CREATE POLICY audit_entry_staff_writes ON audit_entry AS RESTRICTIVE FOR INSERT "
                "TO finops_staff, finops_staff_limited WITH CHECK (tenant_id IS NULL)",
                "CREATE POLICY audit_entry_unsequenced ON audit_entry AS RESTRICTIVE FOR INSERT "
                "TO finops_app, finops_staff, finops_staff_limited WITH CHECK (sequence IS NULL)",
                "CREATE POLICY audit_entry_limited_staff_writes ON audit_entry FOR INSERT TO finops_staff_limited "
                "WITH CHECK (tenant_id IS NULL)",
                "GRANT USAGE ON SEQUENCE audit_entry_position TO finops_app, finops_staff, finops_staff_limited",
            ],
            [
                "REVOKE ALL ON SEQUENCE audit_entry_position FROM finops_app, finops_staff, finops_staff_limited",
                "DROP POLICY audit_entry_limited_staff_writes ON audit_entry",
                "DROP POLICY audit_entry_unsequenced ON audit_entry",
                "DROP POLICY audit_entry_staff_writes ON audit_entry",
            ],
        ),
        SecureTenantTable(
            "audit_counter",
            staff="SELECT",
            system="SELECT, INSERT, UPDATE (last_sequence, checkpoint_size, checkpoint_at)",
        ),
        migrations.CreateModel(
            name='AuditTile',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False, null=True)),
                ('level', models.PositiveSmallIntegerField()),
                ('index', models.BigIntegerField()),
                ('hashes', models.BinaryField()),
                ('root_hash', models.BinaryField(max_length=32)),
            ],
            options={
                'db_table': 'audit_tile',
                'constraints': [models.UniqueConstraint(fields=('tenant_id', 'level', 'index'), name='audit_tile_one_per_place', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='AuditCheckpoint',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False, null=True)),
                ('size', models.BigIntegerField()),
                ('root_hash', models.BinaryField(max_length=32)),
                ('note', models.TextField()),
                ('signed_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'checkpoint',
                'verbose_name_plural': 'checkpoints',
                'db_table': 'audit_checkpoint',
                'constraints': [models.UniqueConstraint(fields=('tenant_id', 'size'), name='audit_checkpoint_one_per_size', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='CheckpointKey',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('key_id', models.CharField(max_length=64)),
                ('public_key', models.BinaryField(max_length=32, unique=True)),
                ('first_used_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'checkpoint key',
                'verbose_name_plural': 'checkpoint keys',
                'db_table': 'audit_checkpointkey',
            },
        ),
        migrations.CreateModel(
            name='AuditBatchChunk',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False)),
                ('entry_id', models.UUIDField(editable=False)),
                ('index', models.PositiveIntegerField()),
                ('row_ids', models.BinaryField()),
                ('row_hashes', models.BinaryField()),
                ('root_hash', models.BinaryField(max_length=32)),
            ],
            options={
                'db_table': 'audit_batch_chunk',
                'constraints': [models.UniqueConstraint(fields=('tenant_id', 'entry_id', 'index'), name='audit_batch_chunk_one_per_place')],
            },
        ),
        # Hashes do not compress: nobody is to try.
        migrations.RunSQL(
            [
                "ALTER TABLE audit_tile ALTER COLUMN hashes SET STORAGE EXTERNAL",
                "ALTER TABLE audit_tile ADD CONSTRAINT audit_tile_whole "
                "CHECK (octet_length(hashes) = 8192 AND octet_length(root_hash) = 32)",
                "ALTER TABLE audit_batch_chunk ALTER COLUMN row_ids SET STORAGE EXTERNAL",
                "ALTER TABLE audit_batch_chunk ALTER COLUMN row_hashes SET STORAGE EXTERNAL",
                "ALTER TABLE audit_batch_chunk ADD CONSTRAINT audit_batch_chunk_whole CHECK ("
                "octet_length(row_ids) BETWEEN 16 AND 16384 AND octet_length(row_ids) % 16 = 0 "
                "AND octet_length(row_hashes) = 2 * octet_length(row_ids) AND octet_length(root_hash) = 32)",
                "ALTER TABLE audit_checkpoint ADD CONSTRAINT audit_checkpoint_whole CHECK (octet_length(root_hash) = 32)",
            ],
            [
                "ALTER TABLE audit_checkpoint DROP CONSTRAINT audit_checkpoint_whole",
                "ALTER TABLE audit_batch_chunk DROP CONSTRAINT audit_batch_chunk_whole",
                "ALTER TABLE audit_batch_chunk ALTER COLUMN row_hashes SET STORAGE EXTENDED",
                "ALTER TABLE audit_batch_chunk ALTER COLUMN row_ids SET STORAGE EXTENDED",
                "ALTER TABLE audit_tile DROP CONSTRAINT audit_tile_whole",
                "ALTER TABLE audit_tile ALTER COLUMN hashes SET STORAGE EXTENDED",
            ],
        ),
        SecureTenantTable("audit_tile", app="SELECT", staff="SELECT", system="SELECT, INSERT"),
        AppendOnly("audit_tile"),
        SecureTenantTable("audit_checkpoint", app="SELECT", staff="SELECT", system="SELECT, INSERT"),
        AppendOnly("audit_checkpoint"),
        SecureTenantTable("audit_batch_chunk", app="SELECT, INSERT", staff="SELECT"),
        AppendOnly("audit_batch_chunk"),
        AppendOnly("audit_checkpointkey"),
        # Keys are made through the function alone, whoever records. Staff destroy those of the installation's log; of a
        # tenant's log that happens in that tenant's write scope. The system puts them under another field key.
        SecureTenantTable(
            "audit_subject_key",
            app="SELECT, UPDATE (sealed_key, erased_at)",
            staff="SELECT, UPDATE (sealed_key, erased_at)",
            system="SELECT, UPDATE (sealed_key)",
        ),
        migrations.RunSQL(
            "CREATE POLICY audit_subject_key_staff_writes ON audit_subject_key AS RESTRICTIVE FOR UPDATE "
            "TO finops_staff, finops_staff_limited USING (tenant_id IS NULL)",
            "DROP POLICY audit_subject_key_staff_writes ON audit_subject_key",
        ),
        DefinerFunction(
            "audit_subject_key_of(person uuid, offered_id uuid, offered_key bytea, at timestamptz)",
            "TABLE (id uuid, sealed_key bytea)",
            SUBJECT_KEY_OF,
            roles=["finops_app", "finops_staff", "finops_staff_limited", "finops_impersonator"],
            language="plpgsql",
            volatility="VOLATILE",
        ),
    ]
