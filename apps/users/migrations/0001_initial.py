"""Users and their sessions: the global tables of identity."""

import apps.core.db.ids
import django.contrib.auth.models
import django.contrib.auth.validators
import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='User',
            fields=[
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                ('display_name', models.CharField(blank=True, max_length=150, verbose_name='display name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='May sign in to the admin.', verbose_name='staff')),
                ('is_active', models.BooleanField(default=True, help_text='Unset this instead of deleting a user.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='date joined')),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'verbose_name': 'user',
                'verbose_name_plural': 'users',
                'indexes': [models.Index(django.db.models.functions.Upper('email'), name='users_user_email')],
            },
            managers=[
                ('objects', django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name='Session',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(editable=False, verbose_name='tenant')),
                ('created_at', models.DateTimeField(verbose_name='signed in at')),
                ('last_used_at', models.DateTimeField(verbose_name='last used at')),
                ('expires_at', models.DateTimeField(verbose_name='expires at')),
                ('revoked_at', models.DateTimeField(blank=True, null=True, verbose_name='revoked at')),
                ('proved_at', models.DateTimeField(verbose_name='proved who they are at')),
                ('ip', models.GenericIPAddressField(blank=True, null=True, verbose_name='IP address')),
                ('user_agent', models.CharField(blank=True, max_length=200, verbose_name='user agent')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'session',
                'verbose_name_plural': 'sessions',
                'indexes': [models.Index(condition=models.Q(('revoked_at__isnull', True)), fields=['user', 'tenant_id'], name='users_session_alive'), models.Index(fields=['expires_at'], name='users_session_expires_at')],
            },
        ),
        migrations.CreateModel(
            name='StaffSession',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('key_hash', models.BinaryField(max_length=32, unique=True)),
                ('session_data', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(verbose_name='signed in at')),
                ('last_used_at', models.DateTimeField(verbose_name='last used at')),
                ('revoked_at', models.DateTimeField(blank=True, null=True, verbose_name='ended at')),
                ('ip', models.GenericIPAddressField(blank=True, null=True, verbose_name='IP address')),
                ('user_agent', models.CharField(blank=True, max_length=200, verbose_name='user agent')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'staff session',
                'verbose_name_plural': 'staff sessions',
                'indexes': [models.Index(fields=['created_at'], name='users_staffsession_created_at')],
            },
        ),
        migrations.CreateModel(
            name='Lockout',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('username', models.CharField(max_length=255, verbose_name='username')),
                ('ip', models.GenericIPAddressField(null=True, verbose_name='IP address')),
                ('times', models.PositiveIntegerField(verbose_name='times')),
                ('locked_at', models.DateTimeField(verbose_name='locked at')),
                ('locked_until', models.DateTimeField(verbose_name='locked until')),
            ],
            options={
                'verbose_name': 'lockout',
                'verbose_name_plural': 'lockouts',
                'constraints': [models.UniqueConstraint(fields=('username', 'ip'), name='users_lockout_one_per_name_and_address', nulls_distinct=False)],
                'indexes': [models.Index(fields=['locked_until'], name='users_lockout_locked_until')],
            },
        ),
        migrations.CreateModel(
            name='PasswordReset',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('user_id', models.UUIDField(null=True, verbose_name='user')),
                ('created_at', models.DateTimeField(verbose_name='asked for at')),
                ('posted_at', models.DateTimeField(null=True, verbose_name='looked at')),
                ('token_hash', models.BinaryField(max_length=32, null=True, unique=True)),
                ('expires_at', models.DateTimeField(null=True, verbose_name='expires at')),
                ('ip', models.GenericIPAddressField(null=True, verbose_name='IP address')),
                ('request_id', models.CharField(blank=True, max_length=128, verbose_name='request id')),
            ],
            options={
                'verbose_name': 'password reset',
                'verbose_name_plural': 'password resets',
                'indexes': [models.Index(condition=models.Q(('posted_at__isnull', True)), fields=['id'], name='users_passwordreset_waiting'), models.Index(fields=['user_id', 'posted_at'], name='users_passwordreset_of_user'), models.Index(fields=['posted_at'], name='users_passwordreset_posted_at')],
            },
        ),
        migrations.CreateModel(
            name='RefreshToken',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('token_hash', models.BinaryField(max_length=32, unique=True)),
                ('replaced_at', models.DateTimeField(blank=True, null=True, verbose_name='replaced at')),
                ('successor', models.BinaryField(max_length=200, null=True)),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to='users.session', verbose_name='session')),
            ],
            options={
                'verbose_name': 'refresh token',
                'verbose_name_plural': 'refresh tokens',
                'constraints': [models.UniqueConstraint(condition=models.Q(('replaced_at__isnull', True)), fields=('session',), name='users_refreshtoken_one_good_per_session')],
            },
        ),
        migrations.CreateModel(
            name='Authenticator',
            fields=[
                ('throttling_failure_timestamp', models.DateTimeField(blank=True, default=None, help_text='A timestamp of the last failed verification attempt. Null if last attempt succeeded.', null=True)),
                ('throttling_failure_count', models.PositiveIntegerField(default=0, help_text='Number of successive failed attempts.')),
                ('name', models.CharField(help_text='The human-readable name of this device.', max_length=64)),
                ('confirmed', models.BooleanField(default=True, help_text='Is this device ready for use?')),
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('sealed_seed', models.BinaryField(max_length=200)),
                ('key_id', models.CharField(editable=False, max_length=32)),
                ('last_period', models.BigIntegerField(default=-1, editable=False)),
                ('created_at', models.DateTimeField(editable=False, verbose_name='created at')),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last used at')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'authenticator',
                'verbose_name_plural': 'authenticators',
            },
        ),
        migrations.CreateModel(
            name='RecoveryCodes',
            fields=[
                ('name', models.CharField(help_text='The human-readable name of this device.', max_length=64)),
                ('confirmed', models.BooleanField(default=True, help_text='Is this device ready for use?')),
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('hashes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), size=None)),
                ('created_at', models.DateTimeField(editable=False, verbose_name='created at')),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last used at')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'recovery codes',
                'verbose_name_plural': 'recovery codes',
            },
        ),
        migrations.CreateModel(
            name='Passkey',
            fields=[
                ('name', models.CharField(help_text='The human-readable name of this device.', max_length=64)),
                ('confirmed', models.BooleanField(default=True, help_text='Is this device ready for use?')),
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('credential_id', models.BinaryField(max_length=1023, unique=True)),
                ('public_key', models.BinaryField(max_length=1023)),
                ('sign_count', models.BigIntegerField(editable=False, verbose_name='sign count')),
                ('transports', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), editable=False, size=None, verbose_name='transports')),
                ('created_at', models.DateTimeField(editable=False, verbose_name='created at')),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last used at')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'passkey',
                'verbose_name_plural': 'passkeys',
            },
        ),
        migrations.CreateModel(
            name='PasskeyChallenge',
            fields=[
                ('id', models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('purpose', models.CharField(choices=[('register', 'register'), ('sign_in', 'sign in'), ('prove', 'prove')], max_length=16, verbose_name='purpose')),
                ('user_id', models.UUIDField(null=True, verbose_name='user')),
                ('session_id', models.UUIDField(null=True, verbose_name='session')),
                ('challenge', models.BinaryField(max_length=64)),
                ('expires_at', models.DateTimeField(verbose_name='expires at')),
            ],
            options={
                'verbose_name': 'passkey challenge',
                'verbose_name_plural': 'passkey challenges',
                'indexes': [models.Index(fields=['expires_at'], name='users_passkeychallenge_expires')],
            },
        ),
    ]
