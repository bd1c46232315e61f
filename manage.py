#!/usr/bin/env python
"""Django's command line for finops.

Commands that change the schema log in as the owner (`DATABASE_OWNER_URL`), those that work across tenants' tables as
the worker (`DATABASE_WORKER_URL`, where it is set); all others as the process's login role.
"""

import os
import sys

OWNER_COMMANDS = {"migrate", "sqlmigrate", "showmigrations", "dbshell", "export_tenant", "import_tenant"}
WORKER_COMMANDS = {"rotate_keys", "witness", "verify"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finops.settings.embedded")
    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ["FINOPS_OWNER_LOGIN"] = "1"
    if len(sys.argv) > 1 and sys.argv[1] in WORKER_COMMANDS:
        os.environ["FINOPS_WORKER_LOGIN"] = "1"
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
